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
    use crate::adapters::virtual_handset::kernel::user::User;
    use crate::adapters::virtual_handset::shell::parser::parse;
    use crate::adapters::virtual_handset::testing::{
        check_cases, handset, run, run_arguments, run_as, run_with,
    };
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn scripts_do_what_mksh_r59_does() {
        check_cases(Userland::Toybox14, include_str!("cases/mksh-r59.txt"));
    }

    #[test]
    fn scripts_come_from_files_and_from_input() {
        let script = "x=1\nnosuch\nread y\nfrom input\necho $x $y\nif true\nthen echo z\nfi\n";
        let ran = run_with(Userland::Toybox14, User::shell(), "sh", script);
        assert_eq!(ran.stdout, "1 from input\nz\n");
        // mksh counts lines of standard input from 1.
        let said = "/system/bin/sh: <stdin>[2]: nosuch: inaccessible or not found\n";
        assert_eq!(
            ran.stderr.replace("sh: <stdin>", "/system/bin/sh: <stdin>"),
            said
        );
        let ran = run(
            Userland::Toybox14,
            "printf '#!/system/bin/sh -e\\necho $0 $1\\nfalse\\necho no\\n' >s; chmod 755 s; ./s a; echo $?; sh s b; echo $?; chmod 644 s; ./s",
        );
        assert_eq!(ran.stdout, "./s a\n1\ns b\nno\n0\n");
        assert_eq!(ran.stderr, "sh: ./s: can't execute: Permission denied\n");
        assert_eq!(ran.code, 126);
    }

    fn prints(script: &str, expected: &str) {
        assert_eq!(run(Userland::Toybox14, script).stdout, expected, "{script}");
    }

    #[test]
    fn scripts_nest_as_deep_as_is_sane() {
        let within = |open: &str, close: &str| open.repeat(15) + "echo deep" + &close.repeat(15);
        prints(&within("{ ", "; }"), "deep\n");
        prints(&within("echo $(", ")"), "deep\n");
        prints(&within("( ", " )"), "deep\n");
        let defaults = "${x:-".repeat(30) + "deep" + &"}".repeat(30);
        prints(&format!("echo \"{defaults}\""), "deep\n");
        let count = "f() { [ $1 = 0 ] || { echo $1; f $(($1-1)); }; }; f 200 | wc -l";
        prints(count, "200\n");
    }

    #[test]
    fn what_never_ends_is_bounded_or_can_be_killed() {
        let fails = |script: &str, why: &str| {
            let ran = run(Userland::Toybox14, script);
            assert_eq!((ran.stdout.as_str(), ran.code), ("", 1), "{script}");
            assert_eq!(ran.stderr, format!("sh: {why}\n"), "{script}");
        };
        fails("f() { f; }; f; echo no", "function nesting too deep");
        fails(
            "x=aaaaaaaaaa; while :; do x=\"$x$x\"; done",
            "out of memory",
        );
        let many = "i=0; while [ $i -lt 600 ]; do sleep 9999 & i=$((i+1)); done; echo $i";
        fails(many, "can't fork - try again");
        prints(
            "sleep 1000 & timeout 1 sleep 5; echo $?; kill $!; wait $!; echo $?",
            "124\n143\n",
        );
        let again = "echo 'exec sh again' >again; sh again & kill $!; wait $!; echo $?";
        prints(again, "143\n");
        prints(
            "(while :; do :; done) & kill -9 $!; wait $!; echo $?",
            "137\n",
        );
        prints("yes >/dev/null & kill $!; wait $!; echo $?", "143\n");
    }

    #[tokio::test]
    async fn a_process_killed_in_mid_run_is_told_to_its_shell() {
        let handset = handset(Userland::Toybox14);
        let other = handset.clone();
        let killer = async move {
            loop {
                let pid = other.with(|world| {
                    let found = world.processes.iter().find(|entry| entry.name() == "cat");
                    found.map(|entry| entry.pid)
                });
                if let Some(pid) = pid {
                    other.with(|world| world.processes.kill(pid, 9)).unwrap();
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        // Nobody writes to the pipe that `cat` reads, so only the signal ends it.
        let script = "sleep 1000000000 | cat; echo $?";
        let (ran, ()) = tokio::join!(run_as(&handset, User::shell(), script, ""), killer);
        assert_eq!(ran.stdout, "137\n");
        assert!(handset.with(|world| world.uptime()) >= Duration::from_secs(1_000_000));
    }

    #[tokio::test]
    async fn shells_see_each_others_files_and_processes() {
        let handset = handset(Userland::Toybox14);
        let write = run_as(
            &handset,
            User::shell(),
            "echo kept >f; ls -l f | cut -c1-10",
            "",
        )
        .await;
        assert_eq!(write.stdout, "-rw-r--r--\n");
        let read = run_as(
            &handset,
            User::root(),
            "cat f; cat /data/data/x; id -un",
            "",
        )
        .await;
        assert_eq!(read.stdout, "kept\nroot\n");
        let arguments = [
            "sh",
            "-c",
            "echo $0 $1; cat /proc/self/cmdline | tr '\\0' ' '",
            "name",
            "one",
        ];
        let arguments = arguments.map(str::to_owned).to_vec();
        let ran = run_arguments(&handset, User::shell(), arguments, "").await;
        assert_eq!(ran.stdout, "name one\ncat /proc/self/cmdline ");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            parse(&text).ok();
        }

        #[test]
        fn any_nesting_is_read_or_refused(text in "([(){}$`\"';|&<>\\[\\]# \n]|if |then |fi |do |done |case |in |esac |for |a=|x ){0,80}") {
            parse(&text).ok();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        #[test]
        fn any_script_ends(text in "(echo |cat |x=|\\$x|\\$\\(|\\)|\"|'|;|&&|\\|\\||\\||\\{ |\\}|if |then |fi;|for x in a;do |done;|\\$\\(\\(1\\+|\\)\\)|<<E\n|E\n|>f |2>&1|\\*|!|test |\\[ |\\]|[a-c ]|\n){0,25}") {
            run(Userland::Toybox14, &text);
        }
    }
}
