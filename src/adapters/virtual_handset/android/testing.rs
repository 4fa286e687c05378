//! What the tests of Android and of its apps share: a booted handset, running its programs, a capture.

use super::program::programs::PROGRAMS;
use super::state::boot;
use crate::adapters::virtual_handset::files::system::{OpenMode, Opened};
use crate::adapters::virtual_handset::firmware::decode;
use crate::adapters::virtual_handset::firmware::model::Firmware;
use crate::adapters::virtual_handset::firmware::shipped::shipped;
use crate::adapters::virtual_handset::kernel::descriptor::{Descriptor, Descriptors, OpenFile};
use crate::adapters::virtual_handset::kernel::handset::Handset;
use crate::adapters::virtual_handset::kernel::handset::tests::StillClock;
use crate::adapters::virtual_handset::kernel::launch::{Child, Launch, body_of};
use crate::adapters::virtual_handset::kernel::process::{Process, Program, Stop};
use crate::adapters::virtual_handset::kernel::signal::{self, Status};
use crate::adapters::virtual_handset::kernel::user::User;
use crate::adapters::virtual_handset::kernel::world::World;
use crate::adapters::virtual_handset::network::programs as network;
use crate::ports::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A shipped firmware.
pub(crate) fn firmware(name: &str) -> Firmware {
    let (_, text) = shipped().iter().find(|(known, _)| *known == name).unwrap();
    decode::parse(text).unwrap()
}

/// A booted world, whose time stands still.
pub(crate) fn world(firmware: Firmware) -> World {
    let mut world = World::new(Arc::new(firmware), "0123456789", 7, Arc::new(StillClock));
    world
        .files
        .put_directory("/sdcard", 0o777, 0, 1015)
        .unwrap();
    boot(&mut world);
    world
}

/// A running handset, whose time passes in jumps only.
pub(crate) struct Lab(pub(crate) Handset);

/// What a program printed, and its exit code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: u8,
}

impl Lab {
    /// A handset with a shipped firmware.
    pub(crate) fn new(name: &str) -> Self {
        Self::of(firmware(name))
    }

    /// A handset with a firmware.
    pub(crate) fn of(firmware: Firmware) -> Self {
        Self(Handset::start(world(firmware), Arc::new(StillClock)))
    }

    /// Runs a program as root.
    pub(crate) async fn root(&self, words: &[&str]) -> Printed {
        self.run(User::root(), words).await
    }

    /// Runs a program as the shell user.
    pub(crate) async fn shell(&self, words: &[&str]) -> Printed {
        self.run(User::shell(), words).await
    }

    async fn run(&self, user: User, words: &[&str]) -> Printed {
        let child = self.start(user, words, "run");
        let Status::Exited(code) = end_of(&child).await else {
            panic!("{words:?} was killed");
        };
        let text = |suffix: &str| String::from_utf8(self.read(&format!("/run.{suffix}"))).unwrap();
        Printed {
            out: text("out"),
            err: text("err"),
            code,
        }
    }

    /// Starts a program whose output goes to `/NAME.out` and `/NAME.err`.
    pub(crate) fn start(&self, user: User, words: &[&str], name: &str) -> Child {
        let program = |known: &[(&str, Program)]| {
            let found = known.iter().find(|(known, _)| *known == words[0]);
            found.map(|(_, program)| *program)
        };
        let program = program(PROGRAMS).or_else(|| program(network::PROGRAMS));
        let descriptors = Descriptors::from([
            (0, Descriptor::Null),
            (1, self.file(&format!("/{name}.out"))),
            (2, self.file(&format!("/{name}.err"))),
        ]);
        let launch = Launch {
            arguments: words.iter().map(|word| (*word).to_owned()).collect(),
            environment: BTreeMap::new(),
            directory: "/".to_owned(),
            user,
            descriptors,
            parent: 1,
            group: None,
            umask: 0o22,
            ignored: 0,
        };
        self.0
            .launch(launch, body_of(program.unwrap_or(sleep)))
            .unwrap()
    }

    /// Lets so many seconds pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        // Whatever was started before gets to its first wait.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        let seconds = seconds.to_string();
        let child = self.start(User::root(), &["sleep", &seconds], "sleep");
        assert_eq!(end_of(&child).await, Status::Exited(0));
    }

    /// Captures what leaves and arrives in so many seconds, as a pcap file.
    pub(crate) async fn capture(&self, seconds: u64) -> Vec<u8> {
        let words = [
            "tcpdump",
            "-i",
            "any",
            "-s",
            "0",
            "-U",
            "-w",
            "/capture.pcap",
        ];
        let child = self.start(User::root(), &words, "tcpdump");
        self.pass(seconds).await;
        self.0
            .with(|world| world.processes.kill(child.pid, signal::INT))
            .unwrap();
        end_of(&child).await;
        self.read("/capture.pcap")
    }

    /// A file's contents.
    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        self.0
            .with(|world| world.read_file(&User::root(), path).unwrap())
            .to_vec()
    }

    fn file(&self, path: &str) -> Descriptor {
        let mode = OpenMode {
            write: true,
            truncate: true,
            create: Some(0o644),
            ..OpenMode::default()
        };
        let opened = self
            .0
            .with(|world| world.files.open(&User::root(), path, mode).unwrap());
        let Opened::File(body) = opened else {
            panic!("a regular file");
        };
        Descriptor::File(Arc::new(OpenFile::new(body, true, true, false)))
    }
}

fn sleep(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async move {
        let seconds = process.arguments[1].parse().unwrap();
        process.sleep(Duration::from_secs(seconds)).await?;
        Ok(0)
    })
}

async fn end_of(child: &Child) -> Status {
    for _ in 0..1_000_000 {
        if let Some(status) = child.status() {
            return status;
        }
        tokio::task::yield_now().await;
    }
    panic!("the process never ended");
}

/// Whether bytes contain a text.
pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
