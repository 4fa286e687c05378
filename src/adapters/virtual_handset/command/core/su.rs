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
    let mut uid = ROOT;
    let mut command: Option<String> = None;
    let words = process.arguments.get(1..).unwrap_or_default().to_vec();
    let mut words = words.into_iter().peekable();
    let mut positional = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            // SuperSU runs all that follows `-c`, up to the next option, as one command.
            "-c" | "--command" => command = Some(words.next().unwrap_or_default()),
            "-" | "-l" | "--login" | "-p" | "-m" | "--preserve-environment" => {}
            "-s" | "--shell" | "-cn" | "--context" => {
                words.next();
            }
            _ => {
                positional.push(word);
                positional.extend(words.by_ref());
            }
        }
    }
    let mut positional = positional.into_iter().peekable();
    if let Some(user) = positional.peek()
        && let Some(id) = id_of(user.split(',').next().unwrap_or(user))
    {
        uid = id;
        positional.next();
    }
    let mut rest: Vec<String> = positional.collect();
    if rest.first().is_some_and(|word| word == "-c") {
        rest.remove(0);
    }
    if command.is_none() && is_aosp && !rest.is_empty() {
        // AOSP's own runs the words as they are.
        let words: Vec<_> = rest.iter().map(|word| quote(word)).collect();
        command = Some(words.join(" "));
    } else if command.is_none() && !rest.is_empty() {
        command = Some(rest.join(" "));
    } else if let (Some(command), false) = (command.as_mut(), rest.is_empty()) {
        command.push(' ');
        command.push_str(&rest.join(" "));
    }
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
