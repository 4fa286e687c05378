//! `ls` and `stat`, in toolbox's and in toybox's form.

use super::super::support::{Options, options};
use super::time::zoned;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::node::Metadata;
use crate::adapters::virtual_handset::kernel::process::{OUTPUT, Process, Stop};
use crate::adapters::virtual_handset::kernel::user::name_of;
use std::cmp::Reverse;
use std::fmt::Write;

/// Directories one `ls -R` lists.
const MAX_DIRECTORIES: usize = 10_000;

/// Columns of a terminal whose size nobody told.
const WIDTH: usize = 80;

/// `ls [-1aAdFhlinRrsStZ] [path…]`
pub(super) async fn ls(process: &mut Process) -> Result<u8, Stop> {
    let old = process.is_toolbox();
    let letters = if old {
        "lnsRdZaF"
    } else {
        "1aAbcCdfFghHiklLmnopqQrRsStuUxZ"
    };
    let long = [("all", 'a'), ("color", 'Q'), ("full-time", 'l')];
    let options = match options(&process.arguments, letters, "", &long, false) {
        Ok(options) => options,
        Err(problem) if old => {
            let letter = problem.trim_start_matches("Unknown option ").to_owned();
            let letter = letter.trim_matches('\'');
            process
                .complain(format!("ls: Unknown option '-{letter}'. Aborting.\n"))
                .await?;
            return Ok(1);
        }
        Err(problem) => return process.usage(&problem).await,
    };
    let here = [String::from(".")];
    let names = if options.operands.is_empty() {
        &here[..]
    } else {
        &options.operands[..]
    };
    let mut code = 0;
    let mut files = Vec::new();
    let mut directories = Vec::new();
    for name in names {
        let follow = name.ends_with('/') || (!old && !options.has('l') && !options.has('d'));
        let found = process
            .metadata(name, follow)
            .or_else(|_| process.metadata(name, false));
        match found {
            Ok(found) if found.is_directory() && !options.has('d') => {
                directories.push(name.clone());
            }
            Ok(found) => files.push((name.clone(), found)),
            Err(error) => code = failed(process, name, error, old).await?,
        }
    }
    sort(&mut files, &options);
    show(process, &files, &options, old).await?;
    let titled = names.len() > 1;
    let listing = Listing {
        options,
        old,
        titled,
        first: files.is_empty(),
    };
    directories.reverse();
    Ok(code.max(listing.show_all(process, directories).await?))
}

/// How directories are listed.
struct Listing {
    options: Options,
    old: bool,
    /// Whether each is named.
    titled: bool,
    /// Whether nothing was listed before.
    first: bool,
}

impl Listing {
    /// Lists directories, the last one first, and with `-R` what is below them.
    async fn show_all(
        mut self,
        process: &mut Process,
        mut directories: Vec<String>,
    ) -> Result<u8, Stop> {
        let mut code = 0;
        let mut seen = 0;
        while let Some(name) = directories.pop() {
            seen += 1;
            let below = match self.show_one(process, &name).await? {
                Ok(below) => below,
                Err(failed) => {
                    code = failed;
                    continue;
                }
            };
            if self.options.has('R') && seen < MAX_DIRECTORIES {
                directories.extend(below);
            }
        }
        Ok(code)
    }

    /// Lists one directory; gives those in it, the last one first.
    async fn show_one(
        &mut self,
        process: &mut Process,
        name: &str,
    ) -> Result<Result<Vec<String>, u8>, Stop> {
        let recursive = self.options.has('R');
        let gap = if std::mem::take(&mut self.first) {
            ""
        } else {
            "\n"
        };
        if self.old && recursive {
            process.print(format!("\n{name}:\n")).await?;
        } else if !self.old && (self.titled || recursive) {
            process.print(format!("{gap}{name}:\n")).await?;
        }
        let mut listed = match entries(process, name, &self.options) {
            Ok(listed) => listed,
            Err(error) if self.old => {
                let text = format!("opendir failed, {error}\n");
                process.complain(text).await?;
                return Ok(Err(1));
            }
            Err(error) => {
                let text = format!("{name}: {error}");
                return process.refuse(&text, 1).await.map(Err);
            }
        };
        sort(&mut listed, &self.options);
        if (self.options.has('l') && !self.old) || self.options.has('s') {
            let blocks: u64 = listed.iter().map(|(_, m)| kilobytes(m)).sum();
            process.print(format!("total {blocks}\n")).await?;
        }
        show(process, &listed, &self.options, self.old).await?;
        let trimmed = name.trim_end_matches('/');
        let is_below = |name: &str, m: &Metadata| m.is_directory() && name != "." && name != "..";
        let below = listed.iter().rev().filter(|(name, m)| is_below(name, m));
        Ok(Ok(below
            .map(|(entry, _)| format!("{trimmed}/{entry}"))
            .collect()))
    }
}

async fn failed(
    process: &mut Process,
    name: &str,
    error: FileError,
    old: bool,
) -> Result<u8, Stop> {
    if old {
        process.complain(format!("{name}: {error}\n")).await?;
        Ok(1)
    } else {
        process.refuse(&format!("{name}: {error}"), 1).await
    }
}

fn entries(
    process: &Process,
    name: &str,
    options: &Options,
) -> Result<Vec<(String, Metadata)>, FileError> {
    let path = process.path(name);
    let mut listed = process
        .handset
        .with(|world| world.files.list(&process.user, &path))?;
    let hidden = options.has('a') || options.has('A');
    listed.retain(|(name, _)| hidden || !name.starts_with('.'));
    if options.has('a') && !process.is_toolbox() {
        for dots in ["..", "."] {
            if let Ok(found) = process.metadata(&format!("{name}/{dots}"), true) {
                listed.insert(0, (dots.to_owned(), found));
            }
        }
    }
    Ok(listed)
}

fn sort(entries: &mut [(String, Metadata)], options: &Options) {
    match options.last_of("tSfU") {
        Some('t') => entries.sort_by_key(|(name, m)| (Reverse(m.mtime), name.clone())),
        Some('S') => entries.sort_by_key(|(name, m)| (Reverse(m.len), name.clone())),
        Some(_) => {}
        None => entries.sort_by(|(a, _), (b, _)| a.cmp(b)),
    }
    if options.has('r') {
        entries.reverse();
    }
}

/// 1-KiB blocks, as ext4 fills them.
pub(super) fn kilobytes(metadata: &Metadata) -> u64 {
    if metadata.is_symlink() || metadata.device.is_some() {
        0
    } else {
        metadata.len.div_ceil(4096) * 4
    }
}

async fn show(
    process: &mut Process,
    entries: &[(String, Metadata)],
    options: &Options,
    old: bool,
) -> Result<(), Stop> {
    let mut text = String::new();
    let numeric = options.has('n');
    let long = options.has('l') || numeric || options.has('o') || options.has('g');
    let widths = Widths::of(entries, numeric);
    let zone = zoned(process);
    let shown: Vec<String> = entries
        .iter()
        .map(|(name, m)| marked(name, m, options, old))
        .collect();
    for ((_, metadata), name) in entries.iter().zip(&shown) {
        if options.has('s') {
            let _ = write!(text, "{} ", kilobytes(metadata));
        }
        if options.has('i') && !old {
            let _ = write!(text, "{} ", metadata.inode);
        }
        if options.has('Z') {
            text.push_str(&label(metadata, old));
        }
        if long {
            let time = zone.minute(metadata.mtime);
            text.push_str(&if old {
                old_line(metadata, numeric, &time)
            } else {
                new_line(metadata, numeric, &time, &widths, options)
            });
        }
        text.push_str(name);
        if let (true, Some(target)) = (long, &metadata.target) {
            let _ = write!(text, " -> {target}");
        }
        text.push('\n');
    }
    let columns = !old && !long && !options.has('1') && !options.has('s') && !options.has('Z');
    if columns && process.is_terminal(OUTPUT) {
        text = in_columns(&shown);
    }
    process.print(text).await
}

fn marked(name: &str, metadata: &Metadata, options: &Options, old: bool) -> String {
    if old {
        // toolbox prints the last name alone only in long lines.
        let last = name.rsplit('/').next().filter(|last| !last.is_empty());
        let short = options.has('l') || options.has('n');
        return last.filter(|_| short).unwrap_or(name).to_owned();
    }
    let mark = match (options.has('F'), options.has('p')) {
        (true, _) | (_, true) if metadata.is_directory() => "/",
        (true, _) if metadata.is_symlink() => "@",
        (true, _) if metadata.mode & 0o111 != 0 => "*",
        _ => "",
    };
    format!("{name}{mark}")
}

fn label(metadata: &Metadata, old: bool) -> String {
    if old {
        format!(
            "{} {:<8} {:<8}          u:object_r:system_file:s0 ",
            metadata.mode_text(),
            name_of(metadata.uid),
            name_of(metadata.gid)
        )
    } else {
        "u:object_r:shell_data_file:s0 ".to_owned()
    }
}

fn old_line(metadata: &Metadata, numeric: bool, time: &str) -> String {
    let name = |id: u32| if numeric { id.to_string() } else { name_of(id) };
    let size = match metadata.device {
        Some((major, minor)) => format!("{major:3}, {minor:3}"),
        None if metadata.is_regular() => format!("{:8}", metadata.len),
        None => " ".repeat(8),
    };
    format!(
        "{} {:<8} {:<8} {size} {time} ",
        metadata.mode_text(),
        name(metadata.uid),
        name(metadata.gid)
    )
}

/// Column widths of a long listing.
#[derive(Default)]
struct Widths {
    links: usize,
    user: usize,
    group: usize,
    size: usize,
}

impl Widths {
    fn of(entries: &[(String, Metadata)], numeric: bool) -> Self {
        let mut widths = Self::default();
        let name = |id: u32| if numeric { id.to_string() } else { name_of(id) };
        for (_, m) in entries {
            widths.links = widths.links.max(m.links.to_string().len());
            widths.user = widths.user.max(name(m.uid).len());
            widths.group = widths.group.max(name(m.gid).len());
            widths.size = widths.size.max(size_text(m, false).len());
        }
        widths
    }
}

fn size_text(metadata: &Metadata, human: bool) -> String {
    match metadata.device {
        Some((major, minor)) => format!("{major},{minor:4}"),
        None if human => super::storage::human(metadata.len),
        None => metadata.len.to_string(),
    }
}

fn new_line(
    metadata: &Metadata,
    numeric: bool,
    time: &str,
    widths: &Widths,
    options: &Options,
) -> String {
    let name = |id: u32| if numeric { id.to_string() } else { name_of(id) };
    let mut line = format!(
        "{} {:>2$}",
        metadata.mode_text(),
        metadata.links,
        widths.links
    );
    if !options.has('g') {
        let _ = write!(line, " {:<1$}", name(metadata.uid), widths.user);
    }
    if !options.has('o') {
        let _ = write!(line, " {:<1$}", name(metadata.gid), widths.group);
    }
    let size = size_text(metadata, options.has('h'));
    let _ = write!(line, " {size:>0$} {time} ", widths.size);
    line
}

fn in_columns(names: &[String]) -> String {
    let widest = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let columns = (WIDTH / (widest + 2)).max(1);
    let rows = names.len().div_ceil(columns).max(1);
    let mut text = String::new();
    for row in 0..rows.min(names.len()) {
        let cells: Vec<&String> = names.iter().skip(row).step_by(rows).collect();
        for (index, cell) in cells.iter().enumerate() {
            if index + 1 == cells.len() {
                text.push_str(cell);
            } else {
                let _ = write!(text, "{cell:<0$}", widest + 2);
            }
        }
        text.push('\n');
    }
    text
}

/// `stat [-L] [-c format] path…`
pub(super) async fn stat(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "Lft", "c", &[], false);
    let options = match read {
        Ok(options) if !options.operands.is_empty() => options,
        Ok(_) => return process.usage("Needs 1 argument").await,
        Err(problem) => return process.usage(&problem).await,
    };
    let zone = zoned(process);
    let mut code = 0;
    for name in &options.operands {
        let found = match process.metadata(name, options.has('L')) {
            Ok(found) => found,
            Err(error) => {
                code = process.refuse(&format!("'{name}': {error}"), 1).await?;
                continue;
            }
        };
        let text = match options.value('c') {
            Some(format) => formatted(format, name, &found, &zone.full(found.mtime)) + "\n",
            None => full(name, &found, &zone.full(found.mtime)),
        };
        process.print(text).await?;
    }
    Ok(code)
}

fn kind_text(metadata: &Metadata) -> &'static str {
    if metadata.is_directory() {
        "directory"
    } else if metadata.is_symlink() {
        "symbolic link"
    } else if metadata.device.is_some() {
        "character device"
    } else if metadata.len == 0 {
        "regular empty file"
    } else {
        "regular file"
    }
}

fn full(name: &str, m: &Metadata, time: &str) -> String {
    let arrow = m.target.as_ref().map(|target| format!(" -> '{target}'"));
    let (major, minor) = m.device.unwrap_or((0, 0));
    format!(
        "  File: {name}{}\n  Size: {}\t Blocks: {}\t IO Blocks: 512\t {}\n\
         Device: {:x}h/{}d\t Inode: {}\t Links: {}\t Device type: {major},{minor}\n\
         Access: ({:04o}/{})\tUid: ({:5}/{:>8})\tGid: ({:5}/{:>8})\n\
         Access: {time}\nModify: {time}\nChange: {time}\n",
        arrow.unwrap_or_default(),
        m.len,
        kilobytes(m) * 2,
        kind_text(m),
        m.mount,
        m.mount,
        m.inode,
        m.links,
        m.mode & 0o7777,
        m.mode_text(),
        m.uid,
        name_of(m.uid),
        m.gid,
        name_of(m.gid),
    )
}

fn formatted(format: &str, name: &str, m: &Metadata, time: &str) -> String {
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('a') => {
                let _ = write!(text, "{:o}", m.mode & 0o7777);
            }
            Some('A') => text.push_str(&m.mode_text()),
            Some('b') => text.push_str(&(kilobytes(m) * 2).to_string()),
            Some('B') => text.push_str("512"),
            Some('d') => text.push_str(&m.mount.to_string()),
            Some('f') => {
                let _ = write!(text, "{:x}", m.mode);
            }
            Some('F') => text.push_str(kind_text(m)),
            Some('g') => text.push_str(&m.gid.to_string()),
            Some('G') => text.push_str(&name_of(m.gid)),
            Some('h') => text.push_str(&m.links.to_string()),
            Some('i') => text.push_str(&m.inode.to_string()),
            Some('n') => text.push_str(name),
            Some('N') => match &m.target {
                Some(target) => {
                    let _ = write!(text, "`{name}' -> `{target}'");
                }
                None => {
                    let _ = write!(text, "`{name}'");
                }
            },
            Some('s') => text.push_str(&m.len.to_string()),
            Some('u') => text.push_str(&m.uid.to_string()),
            Some('U') => text.push_str(&name_of(m.uid)),
            Some('x' | 'y' | 'z') => text.push_str(time),
            Some('X' | 'Y' | 'Z') => text.push_str(&m.mtime.to_string()),
            Some(c) => text.push(c),
            None => text.push('%'),
        }
    }
    text
}
