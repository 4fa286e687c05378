//! Line by line: `tail`, `wc`, `cut`, `nl`, `paste`, `rev`, `tac`; and text from nothing:
//! `clear`, `echo`, `printf`, `seq`, `yes`.

use super::super::format;
use super::super::support::{CHUNK, lines, options};
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use std::time::Duration;

/// How often `tail -f` looks, as toybox does.
const FOLLOW: Duration = Duration::from_millis(250);

/// Numbers one `seq` prints.
const MAX_SEQUENCE: usize = 1_000_000;

/// Where each line ends, its line end included.
fn line_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends: Vec<usize> = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1)
        .collect();
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        ends.push(bytes.len());
    }
    ends
}

/// `-5` as `-n 5`.
pub(super) fn old_number(arguments: &[String]) -> Vec<String> {
    let digits = |word: &str| {
        let number = word.strip_prefix('-').unwrap_or_default();
        !number.is_empty() && number.chars().all(|c| c.is_ascii_digit())
    };
    let mut after_count = false;
    arguments
        .iter()
        .map(|word| {
            let was_count =
                std::mem::replace(&mut after_count, matches!(word.as_str(), "-n" | "-c"));
            if digits(word) && !was_count {
                format!("-n{}", word.trim_start_matches('-'))
            } else {
                word.clone()
            }
        })
        .collect()
}

/// `tail [-n [+]lines | -c [+]bytes] [-f] [file…]`
pub(super) async fn tail(process: &mut Process) -> Result<u8, Stop> {
    let arguments = old_number(&process.arguments);
    let read = options(&arguments, "fF", "ncs", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let (text, by_bytes) = match (options.value('c'), options.value('n')) {
        (Some(text), _) => (text, true),
        (_, text) => (text.unwrap_or("10"), false),
    };
    let Ok(count) = text.trim_start_matches(['+', '-']).parse::<usize>() else {
        return process.refuse(&format!("bad number '{text}'"), 1).await;
    };
    let from_start = text.starts_with('+');
    let (files, failed) = process.read_operands(&options.operands).await?;
    let titled = files.len() > 1;
    let mut last = None;
    for (index, (name, bytes)) in files.iter().enumerate() {
        if titled {
            let gap = if index > 0 { "\n" } else { "" };
            process.print(format!("{gap}==> {name} <==\n")).await?;
        }
        let ends = if by_bytes {
            Vec::new()
        } else {
            line_ends(bytes)
        };
        let len = if by_bytes { bytes.len() } else { ends.len() };
        let skipped = if from_start {
            count.saturating_sub(1)
        } else {
            len.saturating_sub(count)
        };
        let start = match (by_bytes, skipped) {
            (true, skipped) => skipped,
            (false, 0) => 0,
            (false, skipped) => ends.get(skipped - 1).copied().unwrap_or(bytes.len()),
        };
        process.print(bytes.slice(start.min(bytes.len())..)).await?;
        last = Some((name.clone(), bytes.len() as u64));
    }
    if let (true, Some((name, len))) = (options.has('f') || options.has('F'), last) {
        return follow(process, &name, len).await;
    }
    Ok(u8::from(failed))
}

/// Prints what is appended to a file, until it is killed.
async fn follow(process: &mut Process, name: &str, mut at: u64) -> Result<u8, Stop> {
    loop {
        process.sleep(FOLLOW).await?;
        let len = process.metadata(name, true).map_or(at, |found| found.len);
        if len < at {
            at = 0;
        }
        if len > at
            && let Ok(bytes) = process.read_file(name)
        {
            let from = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            at = bytes.len() as u64;
            process.print(bytes.slice(from..)).await?;
        }
    }
}

/// `wc [-lwcm] [file…]`
pub(super) async fn wc(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "lwcmL", "", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let (files, failed) = process.read_operands(&options.operands).await?;
    let all = !"lwcm".chars().any(|letter| options.has(letter));
    let mut total = [0usize; 4];
    let counts: Vec<[usize; 4]> = files
        .iter()
        .map(|(_, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            [
                bytes.iter().filter(|byte| **byte == b'\n').count(),
                text.split_whitespace().count(),
                text.chars().count(),
                bytes.len(),
            ]
        })
        .collect();
    for count in &counts {
        for (sum, part) in total.iter_mut().zip(count) {
            *sum += part;
        }
    }
    let line = |count: &[usize; 4], name: &str, width: usize| {
        let chosen = [('l', all), ('w', all), ('m', false), ('c', all)];
        let cells: Vec<String> = count
            .iter()
            .zip(chosen)
            .filter(|(_, (letter, by_default))| *by_default || options.has(*letter))
            .map(|(count, _)| format!("{count:>width$}"))
            .collect();
        let name = if name == "-" {
            String::new()
        } else {
            format!(" {name}")
        };
        format!("{}{name}\n", cells.join(" "))
    };
    let several = files.len() > 1;
    let width = if several { 7 } else { 1 };
    let mut text = String::new();
    for ((name, _), count) in files.iter().zip(&counts) {
        text.push_str(&line(count, name, width));
    }
    if several {
        text.push_str(&line(&total, "total", width));
    }
    process.print(text).await?;
    Ok(u8::from(failed))
}

/// `cut -f list [-d delimiter] [-s] | -c list | -b list [file…]`
pub(super) async fn cut(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "snD", "fcbdO", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let by_field = options.value('f').is_some();
    let list = ['f', 'c', 'b']
        .into_iter()
        .find_map(|letter| options.value(letter));
    let Some(ranges) = list.and_then(ranges) else {
        return process.usage("bad -fcb list").await;
    };
    let delimiter = options.value('d').unwrap_or("\t").to_owned();
    let (files, failed) = process.read_operands(&options.operands).await?;
    let mut out = String::new();
    for (_, bytes) in &files {
        for line in lines(bytes).0 {
            let line = String::from_utf8_lossy(line);
            if by_field {
                let fields: Vec<&str> = if delimiter.is_empty() {
                    vec![&line]
                } else {
                    line.split(delimiter.as_str()).collect()
                };
                if fields.len() < 2 {
                    if !options.has('s') {
                        out.push_str(&line);
                        out.push('\n');
                    }
                    continue;
                }
                out.push_str(&picked(&fields, &ranges).join(&delimiter));
            } else {
                let chars: Vec<char> = line.chars().collect();
                out.extend(picked(&chars, &ranges));
            }
            out.push('\n');
        }
    }
    process.print(out).await?;
    Ok(u8::from(failed))
}

/// `1,3-5,7-` as pairs of places counted from 1.
fn ranges(list: &str) -> Option<Vec<(usize, usize)>> {
    list.split(',')
        .map(|part| {
            let (from, to) = match part.split_once('-') {
                Some((from, to)) => (from, to),
                None => (part, part),
            };
            let from = if from.is_empty() {
                1
            } else {
                from.parse().ok()?
            };
            let to = if to.is_empty() {
                usize::MAX
            } else {
                to.parse().ok()?
            };
            (from >= 1 && to >= from).then_some((from, to))
        })
        .collect()
}

fn picked<T: Clone>(items: &[T], ranges: &[(usize, usize)]) -> Vec<T> {
    let wanted = |at: usize| ranges.iter().any(|(from, to)| (*from..=*to).contains(&at));
    let numbered = items.iter().enumerate();
    numbered
        .filter(|(index, _)| wanted(index + 1))
        .map(|(_, item)| item.clone())
        .collect()
}

/// `nl [-ba] [file…]`
pub(super) async fn nl(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "E", "bnswv", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let (files, failed) = process.read_operands(&options.operands).await?;
    let all = options.value('b') == Some("a");
    let mut out = Vec::new();
    let mut number = 0;
    for (_, bytes) in &files {
        for line in lines(bytes).0 {
            if all || !line.is_empty() {
                number += 1;
                out.extend_from_slice(format!("{number:6}\t").as_bytes());
            } else {
                out.extend_from_slice(b"       ");
            }
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    process.print(out).await?;
    Ok(u8::from(failed))
}

/// `paste [-s] [-d delimiters] [file…]`
pub(super) async fn paste(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "s", "d", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let delimiter = options.value('d').unwrap_or("\t").to_owned();
    let delimiter = delimiter.replace("\\n", "\n").replace("\\t", "\t");
    let (files, failed) = process.read_operands(&options.operands).await?;
    let columns: Vec<Vec<String>> = files
        .iter()
        .map(|(_, bytes)| {
            let all = lines(bytes).0;
            all.iter()
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect()
        })
        .collect();
    let mut out = String::new();
    if options.has('s') {
        for column in &columns {
            out.push_str(&column.join(&delimiter));
            out.push('\n');
        }
    } else {
        let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
        for row in 0..rows {
            let cell = |column: &Vec<String>| column.get(row).cloned().unwrap_or_default();
            let cells: Vec<String> = columns.iter().map(cell).collect();
            out.push_str(&cells.join(&delimiter));
            out.push('\n');
        }
    }
    process.print(out).await?;
    Ok(u8::from(failed))
}

/// `rev [file…]`
pub(super) async fn rev(process: &mut Process) -> Result<u8, Stop> {
    let operands = process.arguments.get(1..).unwrap_or_default().to_vec();
    let (files, failed) = process.read_operands(&operands).await?;
    let mut out = String::new();
    for (_, bytes) in &files {
        for line in lines(bytes).0 {
            out.extend(String::from_utf8_lossy(line).chars().rev());
            out.push('\n');
        }
    }
    process.print(out).await?;
    Ok(u8::from(failed))
}

/// `tac [file…]`
pub(super) async fn tac(process: &mut Process) -> Result<u8, Stop> {
    let operands = process.arguments.get(1..).unwrap_or_default().to_vec();
    let (files, failed) = process.read_operands(&operands).await?;
    let mut out = Vec::new();
    for (_, bytes) in &files {
        for line in lines(bytes).0.iter().rev() {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    process.print(out).await?;
    Ok(u8::from(failed))
}

/// `clear`
pub(super) async fn clear(process: &mut Process) -> Result<u8, Stop> {
    process.print("\u{1b}[2J\u{1b}[H").await?;
    Ok(0)
}

/// `echo [-neE] [word…]`
pub(super) async fn echo(process: &mut Process) -> Result<u8, Stop> {
    let mut words = process.arguments.get(1..).unwrap_or_default();
    let (mut newline, mut escaped) = (true, false);
    while let Some((first, rest)) = words.split_first() {
        match first.as_str() {
            "-n" => newline = false,
            "-e" => escaped = true,
            "-E" => escaped = false,
            "-ne" | "-en" => (newline, escaped) = (false, true),
            _ => break,
        }
        words = rest;
    }
    let text = words.join(" ");
    let (mut bytes, stopped) = if escaped {
        format::escapes(&text)
    } else {
        (text.into_bytes(), false)
    };
    if newline && !stopped {
        bytes.push(b'\n');
    }
    process.print(bytes).await?;
    Ok(0)
}

/// `printf format [value…]`
pub(super) async fn printf(process: &mut Process) -> Result<u8, Stop> {
    let words = process.arguments.get(1..).unwrap_or_default().to_vec();
    let Some((format, values)) = words.split_first() else {
        return process.usage("Needs 1 argument").await;
    };
    let (bytes, problems) = format::printf(format, values);
    process.print(bytes).await?;
    for problem in &problems {
        process.refuse(problem, 1).await?;
    }
    Ok(u8::from(!problems.is_empty()))
}

/// `seq [-s separator] [first [step]] last`
pub(super) async fn seq(process: &mut Process) -> Result<u8, Stop> {
    // Negative numbers are operands here, so options are read by hand.
    let mut words = process.arguments.get(1..).unwrap_or_default().to_vec();
    let mut separator = "\n".to_owned();
    if let Some(attached) = words.first().and_then(|word| word.strip_prefix("-s")) {
        separator = attached.to_owned();
        words.remove(0);
        if separator.is_empty() && !words.is_empty() {
            separator = words.remove(0);
        }
    }
    let numbers: Option<Vec<f64>> = words.iter().map(|word| word.parse().ok()).collect();
    let (first, step, last) = match numbers.as_deref() {
        Some([last]) => (1.0, 1.0, *last),
        Some([first, last]) => (*first, 1.0, *last),
        Some([first, step, last]) => (*first, *step, *last),
        _ => return process.usage("Needs 1 argument").await,
    };
    let decimals = words
        .iter()
        .filter_map(|word| word.split_once('.').map(|(_, digits)| digits.len()))
        .max()
        .unwrap_or(0);
    let mut printed: Vec<String> = Vec::new();
    for index in 0..MAX_SEQUENCE {
        let value = step.mul_add(f64::from(u32::try_from(index).unwrap_or(u32::MAX)), first);
        let past = if step >= 0.0 {
            value > last
        } else {
            value < last
        };
        if past || step == 0.0 {
            break;
        }
        printed.push(format!("{value:.decimals$}"));
    }
    if !printed.is_empty() {
        let text = printed.join(&separator) + "\n";
        process.print(text).await?;
    }
    Ok(0)
}

/// `yes [word…]`
pub(super) async fn yes(process: &mut Process) -> Result<u8, Stop> {
    let words = process.arguments.get(1..).unwrap_or_default().join(" ");
    let line = if words.is_empty() {
        "y\n".to_owned()
    } else {
        words + "\n"
    };
    let block = line.repeat((CHUNK / 8 / line.len()).max(1));
    loop {
        process.print(&block).await?;
    }
}
