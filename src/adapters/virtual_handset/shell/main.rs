//! `sh` as a program: its arguments, and its life from start to end.

use super::parser::parse;
use super::state::{Flow, Shell, Source};
use crate::adapters::virtual_handset::kernel::process::{INPUT, Process, Stop};
use crate::ports::BoxFuture;

/// `sh [-options] [-c command [name [argument…]] | -s | file [argument…]]`
pub(crate) fn sh(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async move {
        let mut shell = Shell::new(process);
        let ended = run(&mut shell).await;
        shell.finish(ended).await
    })
}

async fn run(shell: &mut Shell<'_>) -> Result<u8, Flow> {
    let arguments = shell.process.arguments.clone();
    let mut rest = arguments.iter().skip(1).peekable();
    let (mut command, mut from_input, mut interactive) = (false, false, false);
    while let Some(argument) = rest.peek().map(|argument| argument.as_str()) {
        if argument == "--" || argument == "-" {
            rest.next();
            break;
        }
        let Some(letters) = argument.strip_prefix('-') else {
            break;
        };
        for letter in letters.chars() {
            match letter {
                'c' => command = true,
                's' => from_input = true,
                'i' => interactive = true,
                letter if shell.set_letter(letter, true) => {}
                letter => return Err(shell.fail(&format!("-{letter}: unknown option"), 1).await),
            }
        }
        rest.next();
    }
    if command {
        let Some(text) = rest.next().cloned() else {
            return Err(shell.fail("-c requires an argument", 1).await);
        };
        if let Some(name) = rest.next() {
            shell.state.name.clone_from(name);
        }
        shell.state.positional = rest.cloned().collect();
        return run_text(shell, &text, true).await;
    }
    match rest.next().filter(|_| !from_input) {
        Some(file) => {
            let bytes = match shell.process.read_file(file) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let text = if shell.is_old() {
                        format!("{file}: {error}")
                    } else {
                        format!("can't open '{file}': {error}")
                    };
                    return Err(shell.fail(&text, 127).await);
                }
            };
            shell.state.name.clone_from(file);
            shell.state.positional = rest.cloned().collect();
            shell.state.source = Source::File(file.clone());
            let text = String::from_utf8_lossy(&bytes).into_owned();
            run_text(shell, &text, false).await
        }
        None => {
            let typed = shell.process.is_terminal(INPUT);
            shell.state.options.interactive = interactive || (typed && !from_input);
            shell.run_input().await
        }
    }
}

async fn run_text(shell: &mut Shell<'_>, text: &str, replace: bool) -> Result<u8, Flow> {
    let list = match parse(text) {
        Ok(list) => list,
        Err(error) => {
            let text = error.text(shell.is_old());
            return Err(shell.fail(&text, 1).await);
        }
    };
    if replace && let Some((command, assignments, words)) = list.only_simple() {
        // A single command takes the shell's place, as mksh does it: its pid is the shell's.
        let redirects = &command.redirects;
        return shell.simple(assignments, words, redirects, true).await;
    }
    shell.list(&list).await
}

#[cfg(test)]
mod tests {
    use crate::adapters::virtual_handset::firmware::model::Userland;
    use crate::adapters::virtual_handset::testing::check_cases;

    #[test]
    fn scripts_do_what_mksh_r59_does() {
        check_cases(Userland::Toybox14, include_str!("cases/mksh-r59.txt"));
    }
}
