//! `grep`, `egrep`, `fgrep`.

use super::super::regex::{build, enclose, translate};
use super::super::support::{Options, lines, options};
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use regex::bytes::Regex;

/// Files one `grep -r` looks into.
const MAX_FILES: usize = 20_000;

/// `grep [-EFGivnclLohHqsrRwxaz] [-m max] [-A n] [-B n] [-C n] [-e pattern] [-f file] [pattern] [file…]`
pub(super) async fn grep(process: &mut Process) -> Result<u8, Stop> {
    let long = [("color", 'I'), ("include", 'M'), ("line-buffered", 'U')];
    let flags = "EFGivnclLohHqsrRwxazbIU";
    let mut options = match options(&process.arguments, flags, "emABCfM", &long, false) {
        Ok(options) => options,
        Err(problem) => {
            process.usage(&problem).await?;
            return Ok(2);
        }
    };
    let patterns = match patterns(process, &mut options).await? {
        Ok(patterns) => patterns,
        Err(code) => return Ok(code),
    };
    let Some(regex) = compiled(process, &options, &patterns) else {
        return process.refuse("bad REGEX", 2).await;
    };
    let (names, mut failed) = files(process, &options).await?;
    let titled = options.has('H') || (names.len() > 1 && !options.has('h'));
    let titled = titled || (recursive(&options) && !options.has('h'));
    let mut found = false;
    for name in &names {
        let bytes = match process.read_operand(name).await? {
            Ok(bytes) => bytes,
            Err(error) => {
                failed = true;
                if !options.has('s') {
                    process.refuse(&format!("{name}: {error}"), 2).await?;
                }
                continue;
            }
        };
        let shown = if name == "-" {
            "(standard input)"
        } else {
            name
        };
        let (text, matched) = search(&bytes, &regex, &options, titled.then_some(shown));
        found |= matched;
        let listed = match (options.has('l'), options.has('L')) {
            (true, _) => matched,
            (_, true) => !matched,
            _ => false,
        };
        if options.has('q') {
            if matched {
                return Ok(0);
            }
        } else if options.has('l') || options.has('L') {
            if listed {
                process.print(format!("{shown}\n")).await?;
            }
        } else {
            process.print(text).await?;
        }
    }
    Ok(match (failed, found) {
        (true, _) => 2,
        (false, true) => 0,
        (false, false) => 1,
    })
}

/// The patterns of `-e`, of `-f`, or the first operand's.
async fn patterns(
    process: &mut Process,
    options: &mut Options,
) -> Result<Result<Vec<String>, u8>, Stop> {
    let mut patterns: Vec<String> = options.values('e').map(str::to_owned).collect();
    if let Some(file) = options.value('f').map(str::to_owned) {
        match process.read_operand(&file).await? {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                patterns.extend(text.lines().map(str::to_owned));
            }
            Err(error) => {
                let text = format!("{file}: {error}");
                return process.refuse(&text, 2).await.map(Err);
            }
        }
    } else if patterns.is_empty() {
        if options.operands.is_empty() {
            process.usage("no REGEX").await?;
            return Ok(Err(2));
        }
        let pattern = options.operands.remove(0);
        patterns.extend(pattern.split('\n').map(str::to_owned));
    }
    Ok(Ok(patterns))
}

fn recursive(options: &Options) -> bool {
    options.has('r') || options.has('R')
}

fn compiled(process: &Process, options: &Options, patterns: &[String]) -> Option<Regex> {
    let kind = match process.name() {
        "egrep" => 'E',
        "fgrep" => 'F',
        _ => options.last_of("EFG").unwrap_or('G'),
    };
    let mut spelt = Vec::new();
    for pattern in patterns {
        spelt.push(match kind {
            'F' => regex::escape(pattern),
            kind => translate(pattern, kind == 'E').ok()?,
        });
    }
    let joined = spelt
        .iter()
        .map(|pattern| format!("(?:{pattern})"))
        .collect::<Vec<_>>()
        .join("|");
    let enclosed = enclose(&joined, options.has('x'), options.has('w'));
    build(&enclosed, options.has('i')).ok()
}

/// The files to look into; with `-r` all below what is named.
async fn files(process: &mut Process, options: &Options) -> Result<(Vec<String>, bool), Stop> {
    if options.operands.is_empty() && !recursive(options) {
        return Ok((vec!["-".to_owned()], false));
    }
    if !recursive(options) {
        return Ok((options.operands.clone(), false));
    }
    let here = [String::from(".")];
    let start = if options.operands.is_empty() {
        &here[..]
    } else {
        &options.operands[..]
    };
    let mut found = Vec::new();
    let mut failed = false;
    let mut pending: Vec<String> = start.iter().rev().cloned().collect();
    while let Some(name) = pending.pop() {
        match process.metadata(&name, true) {
            Ok(metadata) if metadata.is_directory() => {
                let path = process.path(&name);
                let user = process.user.clone();
                let listed = process.handset.with(|world| world.files.list(&user, &path));
                match listed {
                    Ok(entries) => pending.extend(
                        entries
                            .iter()
                            .rev()
                            .filter(|(_, metadata)| !metadata.is_symlink())
                            .map(|(entry, _)| format!("{}/{entry}", name.trim_end_matches('/'))),
                    ),
                    Err(error) => {
                        failed = true;
                        if !options.has('s') {
                            process.refuse(&format!("{name}: {error}"), 2).await?;
                        }
                    }
                }
            }
            Ok(_) => found.push(name),
            Err(error) => {
                failed = true;
                if !options.has('s') {
                    process.refuse(&format!("{name}: {error}"), 2).await?;
                }
            }
        }
        if found.len() >= MAX_FILES {
            break;
        }
    }
    Ok((found, failed))
}

/// What is printed of one file, and whether anything matched.
fn search(bytes: &[u8], regex: &Regex, options: &Options, title: Option<&str>) -> (Vec<u8>, bool) {
    let number = |letter| {
        options
            .value(letter)
            .and_then(|text| text.parse::<usize>().ok())
    };
    let max = number('m').unwrap_or(usize::MAX);
    let around = number('C').unwrap_or(0);
    let (before, after) = (number('B').unwrap_or(around), number('A').unwrap_or(around));
    let (all, _) = lines(bytes);
    let mut out = Vec::new();
    let (mut count, mut printed, mut trailing) = (0usize, 0usize, 0usize);
    let prefix = |out: &mut Vec<u8>, index: usize, sign: char| {
        if let Some(title) = title {
            out.extend_from_slice(format!("{title}{sign}").as_bytes());
        }
        if options.has('n') {
            out.extend_from_slice(format!("{}{sign}", index + 1).as_bytes());
        }
    };
    for (index, line) in all.iter().enumerate() {
        let matched = regex.is_match(line) != options.has('v');
        if matched && count < max {
            count += 1;
            if options.has('c') || options.has('q') || options.has('l') || options.has('L') {
                continue;
            }
            if options.has('o') {
                for part in regex.find_iter(line).filter(|part| !part.is_empty()) {
                    prefix(&mut out, index, ':');
                    out.extend_from_slice(part.as_bytes());
                    out.push(b'\n');
                }
                continue;
            }
            let from = index.saturating_sub(before).max(printed);
            if (before > 0 || after > 0) && printed > 0 && from > printed {
                out.extend_from_slice(b"--\n");
            }
            for (earlier, line) in all.iter().enumerate().take(index).skip(from) {
                prefix(&mut out, earlier, '-');
                out.extend_from_slice(line);
                out.push(b'\n');
            }
            prefix(&mut out, index, ':');
            out.extend_from_slice(line);
            out.push(b'\n');
            printed = index + 1;
            trailing = after;
        } else if trailing > 0 {
            trailing -= 1;
            prefix(&mut out, index, '-');
            out.extend_from_slice(line);
            out.push(b'\n');
            printed = index + 1;
        }
        if count >= max && trailing == 0 {
            break;
        }
    }
    if options.has('c') {
        let title = title.map(|title| format!("{title}:")).unwrap_or_default();
        out = format!("{title}{count}\n").into_bytes();
    }
    (out, count > 0)
}
