//! `su` as labs install it: `su`, `su -c command`, `su user command`.

use super::super::lookup::shell;
use crate::adapters::virtual_handset::firmware::model::Root;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::adapters::virtual_handset::kernel::user::{ROOT, SHELL, User, id_of};
use crate::android::quote::quote;

/// Becomes another user, root unless one is named, and runs a shell or a command.
pub(crate) async fn su(process: &mut Process) -> Result<u8, Stop> {
    let may = matches!(process.user.uid, ROOT | SHELL);
    if !may {
        process.complain("su: permission denied\n").await?;
        return Ok(1);
    }
    let is_aosp = process
        .handset
        .with(|world| world.firmware.root == Root::Adb);
    let first = process.arguments.get(1).cloned().unwrap_or_default();
    if is_aosp && first.starts_with('-') {
        // AOSP's own knows no options: `su [WHO [COMMAND…]]` (system/extras/su/su.cpp).
        let said = format!("su: invalid uid/gid '{first}'\n");
        process.complain(said).await?;
        return Ok(1);
    }
    let Call { uid, command } = call(process.arguments.get(1..).unwrap_or_default(), is_aosp);
    let Some(program) = shell() else {
        return Ok(127);
    };
    let mut arguments = vec!["/system/bin/sh".to_owned()];
    if let Some(command) = command {
        arguments.extend(["-c".to_owned(), command]);
    }
    let pid = process.pid;
    let user = if uid == SHELL {
        User::shell()
    } else {
        User::of(uid)
    };
    process.user = user.clone();
    process.handset.with(|world| {
        if let Some(entry) = world.processes.get_mut(pid) {
            entry.user = user;
            entry.arguments.clone_from(&arguments);
        }
    });
    process.arguments = arguments;
    program(process).await
}

/// What `su` is to do.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    uid: u32,
    command: Option<String>,
}

fn call(words: &[String], is_aosp: bool) -> Call {
    let mut command: Option<String> = None;
    let mut positional: Vec<&str> = Vec::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-c" | "--command" => command = Some(words.next().unwrap_or_default().to_owned()),
            "-" | "-l" | "--login" | "-p" | "-m" | "--preserve-environment" => {}
            "-s" | "--shell" | "-cn" | "--context" => {
                words.next();
            }
            word => {
                positional.push(word);
                positional.extend(words.by_ref());
            }
        }
    }
    let mut rest = positional.as_slice();
    let mut uid = ROOT;
    if let Some((user, after)) = rest.split_first()
        && let Some(id) = id_of(user.split(',').next().unwrap_or(user))
    {
        uid = id;
        rest = after;
    }
    if let Some(("-c", after)) = rest.split_first().map(|(first, after)| (*first, after)) {
        rest = after;
    }
    if !rest.is_empty() {
        command = Some(match command {
            Some(command) => format!("{command} {}", rest.join(" ")),
            // AOSP's own runs the words as they are.
            None if is_aosp => {
                let words: Vec<String> = rest.iter().map(|word| quote(word).into_owned()).collect();
                words.join(" ")
            }
            None => rest.join(" "),
        });
    }
    Call { uid, command }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_as_labs_write_them() {
        for (words, uid, command) in [
            (&[][..], 0, None),
            (&["-c", "id; ls"][..], 0, Some("id; ls")),
            (
                &["0", "tcpdump", "-i", "any"][..],
                0,
                Some("tcpdump -i any"),
            ),
            (&["root", "-c", "id"][..], 0, Some("id")),
            (&["shell", "id"][..], 2000, Some("id")),
            (&["-", "-c", "id", "-s", "/bin/x"][..], 0, Some("id")),
            (&["2000"][..], 2000, None),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let command = command.map(str::to_owned);
            assert_eq!(call(&words, false), Call { uid, command }, "{words:?}");
        }
        let words = ["0", "echo", "a b"].map(str::to_owned);
        let aosp = call(&words, true).command;
        assert_eq!(aosp, Some(format!("{} {}", quote("echo"), quote("a b"))));
    }
}
