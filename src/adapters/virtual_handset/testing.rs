//! A handset for tests: runs one script and gives what it printed. Its host clock stands still, so that
//! whatever time passes was jumped.

use super::command::install::lay_down;
use super::command::registry::program;
use super::firmware::model::{Root, Userland};
use super::kernel::descriptor::{Descriptor, Descriptors};
use super::kernel::handset::Handset;
use super::kernel::handset::tests::{StillClock, plain_firmware};
use super::kernel::launch::{Launch, body_of};
use super::kernel::user::User;
use super::kernel::world::World;
use crate::ports::clock::Clock;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a script did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: u8,
}

/// A handset of a userland, everything laid down.
pub(crate) fn handset(userland: Userland) -> Handset {
    let clock: Arc<dyn Clock> = Arc::new(StillClock);
    let root = match userland {
        Userland::Toolbox43 => Root::Su,
        Userland::Toybox14 => Root::Adb,
    };
    let firmware = Arc::new(plain_firmware(userland, root));
    let mut world = World::new(firmware, "S1", 7, Arc::clone(&clock));
    lay_down(&mut world).unwrap();
    Handset::start(world, clock)
}

/// Runs `sh -c script` as a user in `/data/local/tmp`, with this on standard input.
pub(crate) async fn run_as(handset: &Handset, user: User, script: &str, input: &str) -> Ran {
    let arguments = vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
    run_arguments(handset, user, arguments, input).await
}

/// Runs `sh` with arguments.
pub(crate) async fn run_arguments(
    handset: &Handset,
    user: User,
    arguments: Vec<String>,
    input: &str,
) -> Ran {
    let (stdin, feed) = handset.pipe();
    let (output, stdout) = handset.pipe();
    let (errors, stderr) = handset.pipe();
    let launch = Launch {
        arguments,
        environment: BTreeMap::from([
            ("HOME".to_owned(), "/".to_owned()),
            (
                "PATH".to_owned(),
                "/sbin:/system/bin:/system/xbin".to_owned(),
            ),
        ]),
        directory: "/data/local/tmp".to_owned(),
        user,
        descriptors: Descriptors::from([
            (0, Descriptor::Reader(Arc::new(stdin))),
            (1, Descriptor::Writer(Arc::new(stdout))),
            (2, Descriptor::Writer(Arc::new(stderr))),
        ]),
        parent: 1,
        group: None,
        umask: 0o22,
        ignored: 0,
    };
    let child = handset
        .launch(launch, body_of(program("sh").unwrap()))
        .unwrap();
    let input = input.as_bytes().to_vec();
    let feeding = async move {
        feed.write(input.into()).await.ok();
        drop(feed);
    };
    let collect = |pipe: super::kernel::pipe::PipeReader| async move {
        let mut all = Vec::new();
        loop {
            let part = pipe.read(65536).await;
            if part.is_empty() {
                return String::from_utf8_lossy(&all).into_owned();
            }
            all.extend_from_slice(&part);
        }
    };
    let (stdout, stderr, ()) = tokio::join!(collect(output), collect(errors), feeding);
    let code = child.ended(handset).await.code();
    Ran {
        stdout,
        stderr,
        code,
    }
}

/// Runs a script as the shell user on a fresh handset.
pub(crate) fn run(userland: Userland, script: &str) -> Ran {
    run_with(userland, User::shell(), script, "")
}

/// Runs a script as a user, with input, on a fresh handset.
pub(crate) fn run_with(userland: Userland, user: User, script: &str, input: &str) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let handset = handset(userland);
        run_as(&handset, user, script, input).await
    })
}

/// Runs every case of a file and compares what it printed; all that differ are told.
pub(crate) fn check_cases(userland: Userland, text: &str) {
    let cases = cases(text);
    assert!(cases.len() > 5, "the file holds too few cases");
    let mut differ = Vec::new();
    for (script, expected) in cases {
        let ran = run(userland, &script);
        if ran != expected {
            differ.push(format!(
                "{script}\nexpected {expected:#?}\nfound {ran:#?}\n"
            ));
        }
    }
    let (count, text) = (differ.len(), differ.join("\n"));
    assert!(differ.is_empty(), "{count} differ:\n{text}");
}

/// Cases are apart by an empty line. `$` begins a line of the script, `>` one of standard output, `!` one of
/// standard error, `=` the exit code; a backslash at the end of what is printed says that it had no line end.
fn cases(text: &str) -> Vec<(String, Ran)> {
    let mut cases = Vec::new();
    for case in text.split("\n\n").skip(1) {
        let mut script = Vec::new();
        let mut ran = Ran {
            stdout: String::new(),
            stderr: String::new(),
            code: 0,
        };
        for line in case.lines() {
            let (mark, rest) = line.split_at(1);
            let printed = match rest.strip_suffix('\\') {
                Some(part) => part.to_owned(),
                None => format!("{rest}\n"),
            };
            match mark {
                "$" => script.push(rest),
                ">" => ran.stdout.push_str(&printed),
                "!" => ran.stderr.push_str(&printed),
                _ => ran.code = rest.parse().unwrap(),
            }
        }
        cases.push((script.join("\n"), ran));
    }
    cases
}
