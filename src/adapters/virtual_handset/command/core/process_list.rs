//! Who runs: `ps`, `pgrep`, `pkill`, `pidof`, `killall`.

use super::super::support::{Options, options};
use crate::adapters::virtual_handset::files::path::base;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::adapters::virtual_handset::kernel::signal;
use crate::adapters::virtual_handset::kernel::table::Entry;
use crate::adapters::virtual_handset::kernel::user::{id_of, name_of};
use regex::Regex;
use std::fmt::Write;

fn entries(process: &Process) -> Vec<Entry> {
    process
        .handset
        .with(|world| world.processes.iter().cloned().collect())
}

/// `ps`, in the form of its userland.
pub(super) async fn ps(process: &mut Process) -> Result<u8, Stop> {
    if process.is_toolbox() {
        return toolbox_ps(process).await;
    }
    let read = options(&process.arguments, "AadefTlwZn", "opuUOtkMgG", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let all = options.has('A') || options.has('e') || options.has('a') || options.has('d');
    let pids: Vec<u32> = options
        .values('p')
        .chain(options.operands.iter().map(String::as_str))
        .flat_map(|list| list.split(','))
        .filter_map(|pid| pid.parse().ok())
        .collect();
    let uids: Vec<u32> = options
        .values('u')
        .chain(options.values('U'))
        .flat_map(|list| list.split(','))
        .filter_map(id_of)
        .collect();
    let own = process.user.uid;
    let shown: Vec<Entry> = entries(process)
        .into_iter()
        .filter(|entry| {
            if pids.is_empty() && uids.is_empty() {
                all || entry.user.uid == own
            } else {
                pids.contains(&entry.pid) || uids.contains(&entry.user.uid)
            }
        })
        .collect();
    let fields = fields(&options);
    let mut rows: Vec<Vec<String>> = vec![fields.iter().map(|(_, title)| title.clone()).collect()];
    for entry in &shown {
        rows.push(fields.iter().map(|(name, _)| field(entry, name)).collect());
    }
    let titled = rows
        .first()
        .is_some_and(|row| row.iter().any(|cell| !cell.is_empty()));
    let text = table(&rows, &fields, titled);
    process.print(text).await?;
    Ok(u8::from(shown.is_empty()))
}

/// Field names and titles; `name=title` renames, an empty title hides the line.
fn fields(options: &Options) -> Vec<(String, String)> {
    let given: Vec<(String, String)> = options
        .values('o')
        .flat_map(|list| list.split(','))
        .map(|field| match field.split_once('=') {
            Some((name, title)) => (name.to_uppercase(), title.to_owned()),
            None => (field.to_uppercase(), field.to_uppercase()),
        })
        .collect();
    if !given.is_empty() {
        return given;
    }
    let names: &[&str] = if options.has('f') {
        &["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    } else {
        &[
            "USER", "PID", "PPID", "VSZ", "RSS", "WCHAN", "ADDR", "S", "NAME",
        ]
    };
    names
        .iter()
        .map(|name| ((*name).to_owned(), (*name).to_owned()))
        .collect()
}

fn field(entry: &Entry, name: &str) -> String {
    match name {
        "PID" | "TID" | "TGID" => entry.pid.to_string(),
        "PPID" => entry.parent.to_string(),
        "PGID" | "SID" => entry.group.to_string(),
        "USER" | "RUSER" | "UID" | "RUID" if name.ends_with("USER") => name_of(entry.user.uid),
        "UID" => name_of(entry.user.uid),
        "RUID" => entry.user.uid.to_string(),
        "GROUP" => name_of(entry.user.gid),
        "GID" => entry.user.gid.to_string(),
        "NAME" => entry.name().to_owned(),
        "COMM" | "CMD" if name == "COMM" => base(entry.name()).to_owned(),
        "CMD" => base(entry.name()).to_owned(),
        "ARGS" | "CMDLINE" => entry.arguments.join(" "),
        "VSZ" => "1048576".to_owned(),
        "RSS" => "4096".to_owned(),
        "S" | "STAT" => "S".to_owned(),
        "TTY" => "?".to_owned(),
        "TIME" => "00:00:00".to_owned(),
        "LABEL" => "u:r:shell:s0".to_owned(),
        _ => "0".to_owned(),
    }
}

fn table(rows: &[Vec<String>], fields: &[(String, String)], titled: bool) -> String {
    let right = |name: &str| matches!(name, "PID" | "PPID" | "VSZ" | "RSS" | "TID" | "PGID" | "C");
    // The widths toybox gives its columns, unless what is in them is wider.
    let least = |name: &str| match name {
        "USER" | "UID" => 12,
        "PID" | "PPID" | "TID" => 5,
        "VSZ" | "WCHAN" | "ADDR" => 10,
        "RSS" => 6,
        _ => 0,
    };
    let width = |column: usize| {
        let name = fields.get(column).map_or("", |(name, _)| name.as_str());
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(least(name))
    };
    let mut text = String::new();
    for row in rows.iter().skip(usize::from(!titled)) {
        let mut cells = Vec::new();
        for (column, cell) in row.iter().enumerate() {
            let name = fields.get(column).map_or("", |(name, _)| name.as_str());
            let width = width(column);
            cells.push(if column + 1 == row.len() {
                cell.clone()
            } else if right(name) {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            });
        }
        let _ = writeln!(text, "{}", cells.join(" "));
    }
    text
}

/// toolbox's `ps [-t -x -Z -P -p -c] [pid | name]`.
async fn toolbox_ps(process: &mut Process) -> Result<u8, Stop> {
    let (mut pid, mut name, mut label) = (None, None, false);
    for argument in process.arguments.iter().skip(1) {
        if argument == "-Z" {
            label = true;
        } else if argument.starts_with(|c: char| c.is_ascii_digit()) {
            pid = argument.parse::<u32>().ok();
        } else if !argument.starts_with('-') {
            name = Some(argument.clone());
        }
    }
    let mut text = String::from(if label {
        "LABEL                          USER     PID   PPID  NAME\n"
    } else {
        "USER     PID   PPID  VSIZE  RSS     WCHAN    PC         NAME\n"
    });
    for entry in entries(process) {
        let wanted = pid.is_none_or(|pid| entry.pid == pid);
        // The filter looks at the kernel's short name, of which Android keeps the end.
        let short: String = base(entry.name()).to_owned();
        let skip = short.chars().count().saturating_sub(15);
        let short: String = short.chars().skip(skip).collect();
        if !wanted
            || name
                .as_ref()
                .is_some_and(|name| !short.starts_with(name.as_str()))
        {
            continue;
        }
        let user = name_of(entry.user.uid);
        let (pid, parent, name) = (entry.pid, entry.parent, entry.name());
        let line = if label {
            format!("{:<30} {user:<9} {pid:<5} {parent:<5} {name}\n", "-")
        } else {
            format!(
                "{user:<9} {pid:<5} {parent:<5} {:<6} {:<5} {:08x} {:08x} S {name}\n",
                2048,
                512,
                u32::MAX,
                0
            )
        };
        text.push_str(&line);
    }
    process.print(text).await?;
    Ok(0)
}

/// `pgrep`, `pkill [-signal] [-flxn] [-u user] pattern`
pub(super) async fn pgrep(process: &mut Process) -> Result<u8, Stop> {
    let kills = process.name() == "pkill";
    let mut arguments = process.arguments.clone();
    let mut number = signal::TERM;
    if kills {
        arguments.retain(|word| {
            let named = word.strip_prefix('-').and_then(signal::parse);
            let is_signal = word.len() > 2 || word.ends_with(|c: char| c.is_ascii_digit());
            match named.filter(|_| is_signal) {
                Some(found) => {
                    number = found;
                    false
                }
                None => true,
            }
        });
    }
    let options = match options(&arguments, "flxnovc", "uUPgGs", &[], false) {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let pattern = options.operands.first().map_or("", String::as_str);
    let pattern = if options.has('x') {
        format!("^(?:{pattern})$")
    } else {
        pattern.to_owned()
    };
    let Ok(pattern) = Regex::new(&pattern) else {
        return process.refuse(&format!("bad regex '{pattern}'"), 1).await;
    };
    let user = options
        .value('u')
        .or_else(|| options.value('U'))
        .and_then(id_of);
    let parent = options.value('P').and_then(|text| text.parse::<u32>().ok());
    let own = process.pid;
    let matched: Vec<Entry> = entries(process)
        .into_iter()
        .filter(|entry| {
            let text = if options.has('f') {
                entry.arguments.join(" ")
            } else {
                base(entry.name()).to_owned()
            };
            let fits = pattern.is_match(&text) != options.has('v');
            let user_fits = user.is_none_or(|uid| entry.user.uid == uid);
            let parent_fits = parent.is_none_or(|pid| entry.parent == pid);
            entry.pid != own && fits && user_fits && parent_fits
        })
        .collect();
    for entry in &matched {
        if kills {
            if let Err(error) = process.kill(entry.pid, number) {
                let text = format!("{}: {error}", entry.pid);
                process.refuse(&text, 1).await?;
            }
        } else if options.has('l') {
            let text = format!("{} {}\n", entry.pid, base(entry.name()));
            process.print(text).await?;
        } else {
            process.print(format!("{}\n", entry.pid)).await?;
        }
    }
    Ok(u8::from(matched.is_empty()))
}

fn named(process: &Process, name: &str) -> Vec<u32> {
    let own = process.pid;
    entries(process)
        .iter()
        .filter(|entry| entry.pid != own)
        .filter(|entry| entry.name() == name || base(entry.name()) == name)
        .map(|entry| entry.pid)
        .collect()
}

/// `pidof [-s] name…`
pub(super) async fn pidof(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "sx", "o", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let mut pids: Vec<u32> = Vec::new();
    for name in &options.operands {
        pids.extend(named(process, name));
    }
    if options.has('s') {
        pids.truncate(1);
    }
    if pids.is_empty() {
        return Ok(1);
    }
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    process.print(format!("{}\n", pids.join(" "))).await?;
    Ok(0)
}

/// `killall [-signal] name…`
pub(super) async fn killall(process: &mut Process) -> Result<u8, Stop> {
    let mut number = signal::TERM;
    let mut code = 0;
    for word in process.arguments.get(1..).unwrap_or_default().to_vec() {
        if let Some(name) = word.strip_prefix('-') {
            number = signal::parse(name).unwrap_or(number);
            continue;
        }
        let pids = named(process, &word);
        if pids.is_empty() {
            code = process
                .refuse(&format!("{word}: No such process"), 1)
                .await?;
        }
        for pid in pids {
            if let Err(error) = process.kill(pid, number) {
                code = process.refuse(&format!("{word}: {error}"), 1).await?;
            }
        }
    }
    Ok(code)
}
