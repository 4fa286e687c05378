//! Paths and small expressions: `basename`, `dirname`, `readlink`, `realpath`, `mktemp`, `pwd`, `which`, `test`, `expr`.

use super::super::lookup::{Found, locate};
use super::super::support::options;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::path::{base, normal, split_last};
use crate::adapters::virtual_handset::files::system::OpenMode;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::adapters::virtual_handset::shell::condition;
use rand::Rng;
use rand::distr::Alphanumeric;
use std::fmt::Write;

/// A number with toybox's suffixes.
pub(super) fn size(text: &str) -> Option<u64> {
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(at);
    let number: u64 = digits.parse().ok()?;
    let unit: u64 = match suffix.to_ascii_lowercase().as_str() {
        "" | "c" => 1,
        "b" => 512,
        "k" => 1024,
        "kd" | "kb" => 1000,
        "m" => 1 << 20,
        "md" | "mb" => 1_000_000,
        "g" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// `basename path [suffix]`
pub(super) async fn basename(process: &mut Process) -> Result<u8, Stop> {
    let Some(path) = process.arguments.get(1) else {
        return process.usage("Needs 1 argument").await;
    };
    let name = base(path);
    let suffix = process.arguments.get(2).map_or("", String::as_str);
    let name = name
        .strip_suffix(suffix)
        .filter(|name| !name.is_empty())
        .unwrap_or(name);
    let text = format!("{name}\n");
    process.print(text).await?;
    Ok(0)
}

/// `dirname path…`
pub(super) async fn dirname(process: &mut Process) -> Result<u8, Stop> {
    let mut text = String::new();
    for path in process.arguments.iter().skip(1) {
        let trimmed = path.trim_end_matches('/');
        let parent = match trimmed.rsplit_once('/') {
            _ if trimmed.is_empty() && !path.is_empty() => "/",
            None => ".",
            Some((parent, _)) => match parent.trim_end_matches('/') {
                "" => "/",
                parent => parent,
            },
        };
        let _ = writeln!(text, "{parent}");
    }
    process.print(text).await?;
    Ok(0)
}

/// `readlink [-fen] path`
pub(super) async fn readlink(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "feqnm", "", &[], false);
    let options = match read {
        Ok(options) if !options.operands.is_empty() => options,
        Ok(_) => return process.usage("Needs 1 argument").await,
        Err(problem) => return process.usage(&problem).await,
    };
    let mut code = 0;
    for name in &options.operands {
        let found = if options.has('f') || options.has('e') || options.has('m') {
            canonical(process, name, !options.has('e')).ok()
        } else {
            process.metadata(name, false).ok().and_then(|m| m.target)
        };
        match found {
            Some(text) if options.has('n') => process.print(text).await?,
            Some(text) => process.print(format!("{text}\n")).await?,
            None => code = 1,
        }
    }
    Ok(code)
}

/// `realpath path…`
pub(super) async fn realpath(process: &mut Process) -> Result<u8, Stop> {
    let mut code = 0;
    for name in process.arguments.get(1..).unwrap_or_default().to_vec() {
        match canonical(process, &name, true) {
            Ok(path) => process.print(format!("{path}\n")).await?,
            Err(error) => code = process.refuse(&format!("{name}: {error}"), 1).await?,
        }
    }
    Ok(code)
}

/// The canonical path; with `lax` its last name need not exist.
fn canonical(process: &Process, name: &str, lax: bool) -> Result<String, FileError> {
    let path = process.path(name);
    let user = &process.user;
    process.handset.with(|world| {
        let files = &world.files;
        match files.canonical(user, &path) {
            Err(FileError::NotFound) if lax => {
                let (parent, last) = split_last(&path).ok_or(FileError::NotFound)?;
                let parent = files.canonical(user, parent)?;
                Ok(normal(&format!("{parent}/{last}")))
            }
            other => other,
        }
    })
}

/// `mktemp [-dqu] [-p directory] [template]`
pub(super) async fn mktemp(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "dqut", "p", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let template = options
        .operands
        .first()
        .map_or("tmp.XXXXXXXXXX", String::as_str);
    let stem = template.trim_end_matches('X');
    let count = template.len() - stem.len();
    let drawn: String = process.handset.with(|world| {
        let random = &mut world.random;
        random
            .sample_iter(Alphanumeric)
            .take(count)
            .map(char::from)
            .collect()
    });
    let mut name = format!("{stem}{drawn}");
    if options.operands.is_empty() || options.has('p') {
        let place = options.value('p').map(str::to_owned);
        let place = place.or_else(|| process.environment.get("TMPDIR").cloned());
        let place = place.unwrap_or_else(|| "/data/local/tmp".to_owned());
        name = format!("{}/{name}", place.trim_end_matches('/'));
    }
    if !options.has('u') {
        let path = process.path(&name);
        let user = process.user.clone();
        let mode = OpenMode {
            write: true,
            create: Some(0o600),
            exclusive: true,
            ..OpenMode::default()
        };
        let made = process.handset.with(|world| {
            if options.has('d') {
                world.files.create_directory(&user, &path, 0o700)
            } else {
                world.files.open(&user, &path, mode).map(|_| ())
            }
        });
        if let Err(error) = made {
            let text = format!("Failed to create file {name}: {error}");
            return process.refuse(&text, 1).await;
        }
    }
    process.print(format!("{name}\n")).await?;
    Ok(0)
}

/// `pwd`
pub(super) async fn pwd(process: &mut Process) -> Result<u8, Stop> {
    let directory = process.directory.clone();
    let user = process.user.clone();
    let path = process
        .handset
        .with(|world| world.files.canonical(&user, &directory));
    let text = format!("{}\n", path.unwrap_or(directory));
    process.print(text).await?;
    Ok(0)
}

/// `which name…`
pub(super) async fn which(process: &mut Process) -> Result<u8, Stop> {
    let path = process.environment.get("PATH").cloned().unwrap_or_default();
    let mut code = 0;
    for name in process.arguments.get(1..).unwrap_or_default().to_vec() {
        match locate(process, &name, &path) {
            Found::Program(path, _) | Found::Script(path, _) => {
                process.print(format!("{path}\n")).await?;
            }
            _ => code = 1,
        }
    }
    Ok(code)
}

/// `test …`, `[ … ]`
pub(super) async fn test(process: &mut Process) -> Result<u8, Stop> {
    let mut words = process.arguments.get(1..).unwrap_or_default().to_vec();
    if process.name() == "[" && words.pop().as_deref() != Some("]") {
        return process.refuse("Missing ']'", 2).await;
    }
    match condition::test(process, &words) {
        Ok(holds) => Ok(u8::from(!holds)),
        Err(why) => process.refuse(&why, 2).await,
    }
}

/// `expr left operator right`: the arithmetic and comparing ones.
pub(super) async fn expr(process: &mut Process) -> Result<u8, Stop> {
    let words = process.arguments.get(1..).unwrap_or_default().to_vec();
    let value = match words.as_slice() {
        [one] => one.clone(),
        [left, operator, right] => match combined(left, operator, right) {
            Some(value) => value,
            None => return process.refuse("syntax error", 2).await,
        },
        _ => return process.refuse("syntax error", 2).await,
    };
    let code = u8::from(value.is_empty() || value == "0");
    process.print(format!("{value}\n")).await?;
    Ok(code)
}

fn combined(left: &str, operator: &str, right: &str) -> Option<String> {
    let numbers = || Some((left.parse::<i64>().ok()?, right.parse::<i64>().ok()?));
    let order = numbers().map_or_else(|| left.cmp(right), |(a, b)| a.cmp(&b));
    let truth = |holds: bool| Some(u8::from(holds).to_string());
    match operator {
        "+" => numbers().map(|(a, b)| a.wrapping_add(b).to_string()),
        "-" => numbers().map(|(a, b)| a.wrapping_sub(b).to_string()),
        "*" => numbers().map(|(a, b)| a.wrapping_mul(b).to_string()),
        "/" => numbers()
            .and_then(|(a, b)| a.checked_div(b))
            .map(|v| v.to_string()),
        "%" => numbers()
            .and_then(|(a, b)| a.checked_rem(b))
            .map(|v| v.to_string()),
        "=" | "==" => truth(order.is_eq()),
        "!=" => truth(order.is_ne()),
        "<" => truth(order.is_lt()),
        "<=" => truth(order.is_le()),
        ">" => truth(order.is_gt()),
        ">=" => truth(order.is_ge()),
        "|" => Some(
            if left.is_empty() || left == "0" {
                right
            } else {
                left
            }
            .to_owned(),
        ),
        "&" => {
            let nothing = |text: &str| text.is_empty() || text == "0";
            let none = nothing(left) || nothing(right);
            Some(if none { "0" } else { left }.to_owned())
        }
        _ => None,
    }
}
