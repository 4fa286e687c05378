//! Bytes as text: `hd` (toolbox), `od` and `xxd` (toybox).

use super::super::support::{lines, options};
use super::path::size;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use data_encoding::HEXLOWER_PERMISSIVE;
use std::fmt::Write;

/// `hd [-b base] [-c count] file`
pub(super) async fn hd(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "", "bcr", &[], false);
    let options = match read {
        Ok(options) if options.operands.len() == 1 => options,
        Ok(_) => {
            process
                .complain("Usage: hd [-b base] [-c count] [-r delay] file\n")
                .await?;
            return Ok(1);
        }
        Err(problem) => return process.usage(&problem).await,
    };
    let name = options.operands.first().cloned().unwrap_or_default();
    let bytes = match process.read_operand(&name).await? {
        Ok(bytes) => bytes,
        Err(error) => {
            process
                .complain(format!("could not open {name}, {error}\n"))
                .await?;
            return Ok(1);
        }
    };
    let number = |letter| options.value(letter).and_then(size);
    let base = number('b').map_or(0, |base| usize::try_from(base).unwrap_or(usize::MAX));
    let count = number('c').map_or(usize::MAX, |c| usize::try_from(c).unwrap_or(usize::MAX));
    let shown = bytes.get(base.min(bytes.len())..).unwrap_or_default();
    let shown = shown.get(..count.min(shown.len())).unwrap_or_default();
    let mut text = String::new();
    let mut total = 0u32;
    for (row, part) in shown.chunks(16).enumerate() {
        let mut sum = 0u32;
        let mut cells = String::new();
        for byte in part {
            sum += u32::from(*byte);
            let _ = write!(cells, "{byte:02x} ");
        }
        total = total.wrapping_add(sum);
        let _ = writeln!(text, "{:08x}: {cells}s {sum:x}", base + row * 16);
    }
    let _ = writeln!(text, "sum {total:x}");
    process.print(text).await?;
    Ok(0)
}

/// `xxd [-p] [-r] [-l count] [-s offset] [-c columns] [-g group] [file]`
pub(super) async fn xxd(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "pri", "lscgo", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let number = |letter| {
        let value = options.value(letter).and_then(size);
        value.map(|value| usize::try_from(value).unwrap_or(usize::MAX))
    };
    let (files, failed) = process.read_operands(&options.operands).await?;
    for (_, bytes) in &files {
        if options.has('r') {
            let back = reversed(bytes, options.has('p'));
            process.print(back).await?;
            continue;
        }
        let skip = number('s').unwrap_or(0).min(bytes.len());
        let rest = bytes.get(skip..).unwrap_or_default();
        let shown = rest.get(..number('l').unwrap_or(usize::MAX).min(rest.len()));
        let shown = shown.unwrap_or_default();
        let text = if options.has('p') {
            let columns = number('c').unwrap_or(30).max(1);
            let rows = shown.chunks(columns);
            rows.map(|row| HEXLOWER_PERMISSIVE.encode(row) + "\n")
                .collect()
        } else {
            let columns = number('c').unwrap_or(16).clamp(1, 256);
            rows(shown, skip, columns, number('g').unwrap_or(2))
        };
        process.print(text).await?;
    }
    Ok(u8::from(failed))
}

fn rows(bytes: &[u8], start: usize, columns: usize, group: usize) -> String {
    let group = if group == 0 { columns } else { group };
    let width = columns * 2 + columns.div_ceil(group);
    let mut text = String::new();
    for (row, part) in bytes.chunks(columns).enumerate() {
        let mut hex = String::new();
        for (index, byte) in part.iter().enumerate() {
            let _ = write!(hex, "{byte:02x}");
            if (index + 1) % group == 0 {
                hex.push(' ');
            }
        }
        let plain = |byte: &u8| {
            if (32..127).contains(byte) {
                char::from(*byte)
            } else {
                '.'
            }
        };
        let shown: String = part.iter().map(plain).collect();
        let _ = writeln!(text, "{:08x}: {hex:<width$} {shown}", start + row * columns);
    }
    text
}

/// From a dump back to bytes.
fn reversed(bytes: &[u8], plain: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines(bytes).0 {
        let line = String::from_utf8_lossy(line);
        let hex = if plain {
            line.as_ref()
        } else {
            let after = line.split_once(": ").map_or("", |(_, after)| after);
            // Two spaces end the hexadecimal part.
            after.split("  ").next().unwrap_or("")
        };
        let digits: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
        let even = digits.len() & !1;
        let decoded = digits
            .get(..even)
            .and_then(|digits| HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok());
        out.extend(decoded.unwrap_or_default());
    }
    out
}

/// `od [-A d|o|x|n] [-c | -t x1|c|u1 | -x] [-v] [-N count] [-j skip] [file]`
pub(super) async fn od(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "cvxbo", "AtNjw", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let number = |letter| {
        let value = options.value(letter).and_then(size);
        value.map(|value| usize::try_from(value).unwrap_or(usize::MAX))
    };
    let (files, failed) = process.read_operands(&options.operands).await?;
    let all: Vec<u8> = files
        .iter()
        .flat_map(|(_, bytes)| bytes.iter().copied())
        .collect();
    let skip = number('j').unwrap_or(0).min(all.len());
    let rest = all.get(skip..).unwrap_or_default();
    let shown = rest.get(..number('N').unwrap_or(usize::MAX).min(rest.len()));
    let shown = shown.unwrap_or_default();
    let kind = match options.value('t') {
        Some(kind) => kind.to_owned(),
        None if options.has('c') => "c".to_owned(),
        None if options.has('x') => "x2".to_owned(),
        None if options.has('b') => "o1".to_owned(),
        None => "o2".to_owned(),
    };
    let address = |at: usize| match options.value('A') {
        Some("n") => String::new(),
        Some("x") => format!("{at:06x}"),
        Some("d") => format!("{at:07}"),
        _ => format!("{at:07o}"),
    };
    let mut text = String::new();
    for (row, part) in shown.chunks(16).enumerate() {
        text.push_str(&address(skip + row * 16));
        text.push_str(&cells(part, &kind));
        text.push('\n');
    }
    let end = address(skip + shown.len());
    if !end.is_empty() {
        let _ = writeln!(text, "{end}");
    }
    process.print(text).await?;
    Ok(u8::from(failed))
}

fn cells(part: &[u8], kind: &str) -> String {
    let word = |pair: &[u8]| {
        let low = pair.first().copied().unwrap_or(0);
        let high = pair.get(1).copied().unwrap_or(0);
        u16::from_le_bytes([low, high])
    };
    match kind {
        "x2" => part
            .chunks(2)
            .map(|pair| format!(" {:04x}", word(pair)))
            .collect(),
        "o2" => part
            .chunks(2)
            .map(|pair| format!(" {:06o}", word(pair)))
            .collect(),
        "x1" | "x" => part.iter().map(|byte| format!(" {byte:02x}")).collect(),
        "o1" => part.iter().map(|byte| format!(" {byte:03o}")).collect(),
        "u1" | "d1" => part.iter().map(|byte| format!(" {byte:3}")).collect(),
        _ => part
            .iter()
            .map(|byte| match byte {
                0 => "  \\0".to_owned(),
                b'\n' => "  \\n".to_owned(),
                b'\t' => "  \\t".to_owned(),
                b'\r' => "  \\r".to_owned(),
                32..=126 => format!("   {}", char::from(*byte)),
                byte => format!(" {byte:03o}"),
            })
            .collect(),
    }
}
