//! `chmod` and `chown`.

use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::adapters::virtual_handset::kernel::user::id_of;

/// Paths one recursive call reaches.
const MAX_PATHS: usize = 100_000;

/// `chmod [-R] mode file…`
pub(super) async fn chmod(process: &mut Process) -> Result<u8, Stop> {
    let (recursive, operands) = match operands(process).await? {
        Ok(given) => given,
        Err(code) => return Ok(code),
    };
    let Some((mode, paths)) = operands.split_first() else {
        return Ok(1);
    };
    if changed_mode(mode, 0, false).is_none() {
        if process.is_toolbox() {
            process.complain("Bad mode\n").await?;
            return Ok(10);
        }
        return process.refuse(&format!("bad mode '{mode}'"), 1).await;
    }
    let user = process.user.clone();
    let change = |process: &Process, path: &str| {
        process.handset.with(|world| {
            let found = world.files.metadata(&user, path, true)?;
            let bits = changed_mode(mode, found.mode & 0o7777, found.is_directory());
            world
                .files
                .set_mode(&user, path, bits.unwrap_or(found.mode))
        })
    };
    each(process, recursive, paths, "chmod", change).await
}

/// `chown [-R] user[:group] file…`
pub(super) async fn chown(process: &mut Process) -> Result<u8, Stop> {
    let (recursive, operands) = match operands(process).await? {
        Ok(given) => given,
        Err(code) => return Ok(code),
    };
    let Some((owner, paths)) = operands.split_first() else {
        return Ok(1);
    };
    let (name, group) = match owner.split_once([':', '.']) {
        Some((name, group)) => (name, Some(group).filter(|group| !group.is_empty())),
        None => (owner.as_str(), None),
    };
    let uid = id_of(name);
    let gid = group.and_then(id_of);
    let bad_user = uid.is_none() && !name.is_empty();
    if bad_user || (group.is_some() && gid.is_none()) {
        let (kind, name) = if bad_user {
            ("user", name)
        } else {
            ("group", group.unwrap_or_default())
        };
        if process.is_toolbox() {
            process
                .complain(format!("No such {kind} '{name}'\n"))
                .await?;
            return Ok(10);
        }
        return process.refuse(&format!("bad {kind} '{name}'"), 1).await;
    }
    let user = process.user.clone();
    let change = |process: &Process, path: &str| {
        process
            .handset
            .with(|world| world.files.set_owner(&user, path, uid, gid, true))
    };
    each(process, recursive, paths, "chown", change).await
}

async fn operands(process: &mut Process) -> Result<Result<(bool, Vec<String>), u8>, Stop> {
    // A mode may begin with a minus sign, so only known options are options.
    let mut operands = process.arguments.get(1..).unwrap_or_default().to_vec();
    let recursive = operands
        .iter()
        .any(|word| word == "-R" || word == "--recursive");
    operands.retain(|word| !matches!(word.as_str(), "-R" | "--recursive" | "-v" | "-f" | "-h"));
    if operands.len() >= 2 {
        return Ok(Ok((recursive, operands)));
    }
    if process.is_toolbox() {
        let name = process.name().to_owned();
        let usage = if name == "chmod" {
            "Usage: chmod [OPTION] <MODE> <FILE>\n"
        } else {
            "Usage: chown <USER>[:GROUP] <FILE1> [FILE2] ...\n"
        };
        process.complain(usage).await?;
        return Ok(Err(10));
    }
    process.usage("Needs 2 arguments").await.map(Err)
}

async fn each(
    process: &mut Process,
    recursive: bool,
    paths: &[String],
    verb: &str,
    change: impl Fn(&Process, &str) -> Result<(), FileError>,
) -> Result<u8, Stop> {
    let mut code = 0;
    for name in paths {
        let mut pending = vec![process.path(name)];
        let mut seen = 0;
        while let Some(path) = pending.pop() {
            seen += 1;
            if let Err(error) = change(process, &path) {
                if process.is_toolbox() {
                    let text = format!("Unable to {verb} {name}: {error}\n");
                    process.complain(text).await?;
                    return Ok(10);
                }
                code = process.refuse(&format!("{name}: {error}"), 1).await?;
                continue;
            }
            if recursive && seen < MAX_PATHS {
                let user = process.user.clone();
                let below = process.handset.with(|world| world.files.list(&user, &path));
                for (entry, metadata) in below.unwrap_or_default() {
                    if !metadata.is_symlink() {
                        pending.push(format!("{}/{entry}", path.trim_end_matches('/')));
                    }
                }
            }
        }
    }
    Ok(code)
}

/// The bits that an octal or symbolic mode makes of others.
fn changed_mode(mode: &str, before: u32, is_directory: bool) -> Option<u32> {
    if mode.starts_with(|c: char| c.is_ascii_digit()) {
        return u32::from_str_radix(mode, 8)
            .ok()
            .filter(|bits| *bits <= 0o7777);
    }
    let mut bits = before;
    for clause in mode.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(at);
        let mut rest = rest.chars();
        let operator = rest.next()?;
        let mut mask = 0;
        for letter in who.chars() {
            mask |= match letter {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => 0o7777,
                _ => return None,
            };
        }
        if who.is_empty() {
            mask = 0o7777;
        }
        let mut what = 0;
        for letter in rest {
            what |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if is_directory || before & 0o111 != 0 => 0o111,
                'X' => 0,
                's' => 0o6000,
                't' => 0o1000,
                _ => return None,
            };
        }
        bits = match operator {
            '+' => bits | (what & mask),
            '-' => bits & !(what & mask),
            _ => (bits & !(mask & 0o777)) | (what & mask),
        };
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `chmod` of POSIX makes of a file with mode 0644.
    #[test]
    fn modes() {
        for (mode, expected) in [
            ("755", Some(0o755)),
            ("u+x", Some(0o744)),
            ("a-r", Some(0o200)),
            ("go=", Some(0o600)),
            ("u=rwx,g=rx,o=", Some(0o750)),
            ("+x", Some(0o755)),
            ("4755", Some(0o4755)),
            ("u+s", Some(0o4644)),
            ("99", None),
            ("q+x", None),
            ("", None),
        ] {
            assert_eq!(changed_mode(mode, 0o644, false), expected, "{mode}");
        }
    }
}
