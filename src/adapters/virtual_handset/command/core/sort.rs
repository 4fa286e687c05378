//! `sort`, `uniq`, `tr`.

use super::super::support::{CHUNK, Options, lines, options};
use crate::adapters::virtual_handset::kernel::process::{INPUT, Process, Stop};
use std::cmp::Ordering;
use std::fmt::Write;

/// One `-k` of `sort`.
#[derive(Clone)]
struct Key {
    from: usize,
    to: Option<usize>,
    flags: String,
}

/// `sort [-nrufbV] [-t separator] [-k key] [-o file] [file…]`
pub(super) async fn sort(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "nrufbVhcsdgixzM", "tkoST", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let (files, failed) = process.read_operands(&options.operands).await?;
    let mut all: Vec<String> = Vec::new();
    for (_, bytes) in &files {
        let found = lines(bytes).0;
        all.extend(
            found
                .iter()
                .map(|line| String::from_utf8_lossy(line).into_owned()),
        );
    }
    let flags: String = "nrfbVhg"
        .chars()
        .filter(|flag| options.has(*flag))
        .collect();
    let keys = keys(&options, &flags);
    let separator = options.value('t').and_then(|text| text.chars().next());
    let order = |a: &String, b: &String| {
        for key in &keys {
            let (a, b) = (part(a, key, separator), part(b, key, separator));
            let by_key = compare(&a, &b, &key.flags);
            if by_key != Ordering::Equal {
                return by_key;
            }
        }
        Ordering::Equal
    };
    let last_resort = |a: &String, b: &String| {
        let plain = a.cmp(b);
        if flags.contains('r') {
            plain.reverse()
        } else {
            plain
        }
    };
    if options.has('c') {
        let sorted = all.is_sorted_by(|a, b| order(a, b) != Ordering::Greater);
        return Ok(u8::from(!sorted));
    }
    if options.has('u') {
        all.sort_by(order);
        all.dedup_by(|b, a| order(a, b) == Ordering::Equal);
    } else {
        all.sort_by(|a, b| order(a, b).then_with(|| last_resort(a, b)));
    }
    let mut text = all.join("\n");
    if !all.is_empty() {
        text.push('\n');
    }
    match options.value('o').map(str::to_owned) {
        Some(name) => {
            if let Err(error) = process.write_file(&name, text) {
                return process.refuse(&format!("{name}: {error}"), 1).await;
            }
        }
        None => process.print(text).await?,
    }
    Ok(if failed { 2 } else { 0 })
}

/// The keys asked for; without any the whole line is one.
fn keys(options: &Options, flags: &str) -> Vec<Key> {
    let mut keys: Vec<Key> = options.values('k').filter_map(key).collect();
    for key in keys.iter_mut().filter(|key| key.flags.is_empty()) {
        key.flags = flags.to_owned();
    }
    if keys.is_empty() {
        keys.push(Key {
            from: 0,
            to: None,
            flags: flags.to_owned(),
        });
    }
    keys
}

/// `2`, `2,3`, `2n,2`: fields counted from 1; characters in fields are not looked at.
fn key(text: &str) -> Option<Key> {
    let (from, to) = match text.split_once(',') {
        Some((from, to)) => (from, Some(to)),
        None => (text, None),
    };
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    };
    let letters = text.chars().filter(char::is_ascii_alphabetic).collect();
    Some(Key {
        from: number(from)?.max(1),
        to: to.and_then(number),
        flags: letters,
    })
}

fn part(line: &str, key: &Key, separator: Option<char>) -> String {
    if key.from == 0 {
        return line.to_owned();
    }
    let fields: Vec<&str> = match separator {
        Some(separator) => line.split(separator).collect(),
        None => line.split_whitespace().collect(),
    };
    let to = key.to.unwrap_or(usize::MAX).min(fields.len());
    let picked = fields.get(key.from - 1..to).unwrap_or_default();
    picked.join(&separator.map_or_else(|| " ".to_owned(), String::from))
}

fn compare(a: &str, b: &str, flags: &str) -> Ordering {
    let (mut a, mut b) = (a.to_owned(), b.to_owned());
    if flags.contains('b') {
        (a, b) = (a.trim_start().to_owned(), b.trim_start().to_owned());
    }
    if flags.contains('f') {
        (a, b) = (a.to_uppercase(), b.to_uppercase());
    }
    let ordering = if flags.contains(['n', 'g', 'h']) {
        let (a, b) = (leading_number(&a), leading_number(&b));
        a.partial_cmp(&b).unwrap_or(Ordering::Equal)
    } else if flags.contains('V') {
        by_version(&a, &b)
    } else {
        a.cmp(&b)
    };
    if flags.contains('r') {
        ordering.reverse()
    } else {
        ordering
    }
}

fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || (*at == 0 && *c == '-')))
        .map_or(text.len(), |(at, _)| at);
    let (number, rest) = text.split_at(end);
    let unit = match rest.chars().next() {
        Some('K' | 'k') => 1024.0,
        Some('M') => 1_048_576.0,
        Some('G') => 1_073_741_824.0,
        _ => 1.0,
    };
    number.parse::<f64>().unwrap_or(0.0) * unit
}

/// Runs of digits compare as numbers.
fn by_version(a: &str, b: &str) -> Ordering {
    let pieces = |text: &str| {
        let mut pieces: Vec<(bool, String)> = Vec::new();
        for c in text.chars() {
            let digit = c.is_ascii_digit();
            match pieces.last_mut() {
                Some((kind, piece)) if *kind == digit => piece.push(c),
                _ => pieces.push((digit, c.to_string())),
            }
        }
        pieces
    };
    for ((digits, a), (_, b)) in pieces(a).iter().zip(&pieces(b)) {
        let ordering = match (digits, a.parse::<u64>(), b.parse::<u64>()) {
            (true, Ok(a), Ok(b)) => a.cmp(&b),
            _ => a.cmp(b),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    a.len().cmp(&b.len())
}

/// `uniq [-cdui] [file]`
pub(super) async fn uniq(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "cduiz", "fsw", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let input: Vec<String> = options.operands.iter().take(1).cloned().collect();
    let (files, failed) = process.read_operands(&input).await?;
    let mut groups: Vec<(usize, String)> = Vec::new();
    for (_, bytes) in &files {
        for line in lines(bytes).0 {
            let line = String::from_utf8_lossy(line).into_owned();
            let same = |known: &str| {
                if options.has('i') {
                    known.to_lowercase() == line.to_lowercase()
                } else {
                    known == line
                }
            };
            match groups.last_mut() {
                Some((count, known)) if same(known) => *count += 1,
                _ => groups.push((1, line)),
            }
        }
    }
    let mut out = String::new();
    for (count, line) in groups {
        if (options.has('d') && count < 2) || (options.has('u') && count > 1) {
            continue;
        }
        if options.has('c') {
            let _ = write!(out, "{count:7} ");
        }
        out.push_str(&line);
        out.push('\n');
    }
    process.print(out).await?;
    Ok(u8::from(failed))
}

/// `tr [-cds] set [set]`
pub(super) async fn tr(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "cCdst", "", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let Some(first) = options.operands.first() else {
        return process.usage("Needs 1 argument").await;
    };
    let mut from = set(first);
    if options.has('c') || options.has('C') {
        from = (0..=255).filter(|byte| !from.contains(byte)).collect();
    }
    let to = options
        .operands
        .get(1)
        .map(|text| set(text))
        .unwrap_or_default();
    let squeezed = if to.is_empty() { &from } else { &to };
    let mut last = None;
    loop {
        let part = match process.read_from(INPUT, CHUNK).await? {
            Ok(part) if !part.is_empty() => part,
            _ => return Ok(0),
        };
        let mut out = Vec::with_capacity(part.len());
        for byte in part {
            let at = from.iter().position(|known| *known == byte);
            let new = match at {
                Some(_) if options.has('d') => continue,
                Some(at) if !to.is_empty() => {
                    to.get(at).or_else(|| to.last()).copied().unwrap_or(byte)
                }
                _ => byte,
            };
            if options.has('s') && last == Some(new) && squeezed.contains(&new) {
                continue;
            }
            last = Some(new);
            out.push(new);
        }
        process.print(out).await?;
    }
}

/// The bytes of a set: ranges, classes and escapes spelt out.
fn set(text: &str) -> Vec<u8> {
    let (bytes, _) = super::super::format::escapes(text);
    let mut set = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((first, after)) = rest.split_first() {
        if let Some((class, after)) = class(rest) {
            set.extend((0..=127u8).filter(class));
            rest = after;
        } else if let [b'-', last, after @ ..] = after {
            set.extend(*first..=*last);
            rest = after;
        } else {
            set.push(*first);
            rest = after;
        }
    }
    set
}

type Class = fn(&u8) -> bool;

fn class(text: &[u8]) -> Option<(Class, &[u8])> {
    const CLASSES: &[(&[u8], Class)] = &[
        (b"[:alpha:]", u8::is_ascii_alphabetic),
        (b"[:digit:]", u8::is_ascii_digit),
        (b"[:alnum:]", u8::is_ascii_alphanumeric),
        (b"[:upper:]", u8::is_ascii_uppercase),
        (b"[:lower:]", u8::is_ascii_lowercase),
        (b"[:space:]", u8::is_ascii_whitespace),
        (b"[:punct:]", u8::is_ascii_punctuation),
        (b"[:cntrl:]", u8::is_ascii_control),
        (b"[:xdigit:]", u8::is_ascii_hexdigit),
        (b"[:blank:]", |byte| matches!(byte, b' ' | b'\t')),
        (b"[:print:]", |byte| (b' '..=b'~').contains(byte)),
    ];
    CLASSES
        .iter()
        .find_map(|(name, class)| Some((*class, text.strip_prefix(*name)?)))
}
