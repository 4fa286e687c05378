//! A handset that follows a script, for tests: what is asked of it must be the script's next line,
//! journal entries included, so that a test states the exact order of undo and change.

use crate::base::deadline::Instant;
use crate::engine::act::evidence::Actor;
use crate::engine::journal::{Journal, JournalError, UndoId};
use crate::engine::session::Session;
use crate::engine::undo::Undo;
use crate::ports::BoxFuture;
use crate::ports::clock::Clock;
use crate::ports::link::Endpoints;
use crate::ports::transport::{ByteStream, Transport, TransportError};
use crate::scenario::permission::Permission;
use crate::wire::adb::banner::Banner;
use crate::wire::adb::shell::{ShellId, emit};
use crate::wire::adb::sync::{Chunk, Request, SyncDecoder, emit_okay};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// One line of a script.
#[derive(Debug)]
pub(crate) enum Line {
    /// A command, its output and its exit status.
    Shell(String, String, u8),
    /// A file that is pushed, and its bytes.
    Push(String, Vec<u8>),
    /// An undo that is journalled.
    Intend(Undo),
    /// An undo that is done with.
    Done(u64),
}

/// A command that succeeds.
pub(crate) fn says(command: &str, output: &str) -> Line {
    Line::Shell(command.to_owned(), output.to_owned(), 0)
}

/// A command that is silent.
pub(crate) fn does(command: &str) -> Line {
    says(command, "")
}

struct Script {
    lines: VecDeque<Line>,
    /// The far ends of streams, kept open until the test ends.
    open: Vec<DuplexStream>,
    entries: u64,
}

/// A handset that follows a script. As a journal it takes what the script says.
#[derive(Clone)]
pub(crate) struct ScriptedHandset {
    script: Arc<Mutex<Script>>,
    banner: Arc<Banner>,
}

impl ScriptedHandset {
    pub(crate) fn new(lines: Vec<Line>) -> Self {
        let mut banner = Banner::default();
        banner.features.insert("shell_v2".to_owned());
        Self {
            script: Arc::new(Mutex::new(Script {
                lines: lines.into(),
                open: Vec::new(),
                entries: 0,
            })),
            banner: Arc::new(banner),
        }
    }

    /// A session with a handset of this API level and su, every grant given; then the script.
    pub(crate) async fn attach(api: u32, lines: Vec<Line>) -> (Session, Self) {
        let properties =
            format!("[ro.build.version.sdk]: [{api}]\n[ro.serialno]: [0123456789ABCDEF]\n");
        Self::attach_with(&properties, lines).await
    }

    /// The same with these properties.
    pub(crate) async fn attach_with(properties: &str, lines: Vec<Line>) -> (Session, Self) {
        let mut all = vec![
            says("getprop", properties),
            says("id", "uid=2000(shell) gid=2000(shell)\n"),
            says("su -c id", "uid=0(root) gid=0(root)\n"),
        ];
        all.extend(lines);
        let handset = Self::new(all);
        let grants = Permission::ALL.iter().map(|(_, permission)| *permission);
        let session = handset.session(grants.collect()).await.unwrap();
        (session, handset)
    }

    pub(crate) async fn session(
        &self,
        grants: BTreeSet<Permission>,
    ) -> Result<Session, crate::engine::session::SessionError> {
        Session::attach(Arc::new(self.clone()), Arc::new(StoppedClock), grants).await
    }

    /// Runs an act's step.
    pub(crate) fn actor<'a>(&'a mut self, session: &'a Session) -> Actor<'a> {
        Actor {
            session,
            journal: self,
            step: "steps.1:test",
        }
    }

    /// That the script was followed to its end.
    pub(crate) fn finish(&self) {
        let lines = &self.lock().lines;
        assert!(lines.is_empty(), "not done: {lines:#?}");
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    fn next(&self) -> Line {
        let next = self.lock().lines.pop_front();
        next.unwrap_or_else(|| panic!("the script has ended"))
    }

    async fn open_shell(&self, command: &str) -> ByteStream {
        let (output, exit) = match self.next() {
            Line::Shell(expected, output, exit) => {
                assert_eq!(command, expected);
                (output, exit)
            }
            other => panic!("expected {other:?}, got the command {command}"),
        };
        let (near, mut far) = tokio::io::duplex(1 << 20);
        far.write_all(&emit(ShellId::Stdout, output.as_bytes()).unwrap())
            .await
            .unwrap();
        far.write_all(&emit(ShellId::Exit, &[exit]).unwrap())
            .await
            .unwrap();
        self.lock().open.push(far);
        Box::new(near)
    }

    /// Takes one file, then says that it is there.
    fn open_sync(&self) -> ByteStream {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let Line::Push(expected_path, expected_bytes) = self.next() else {
            panic!("no file is expected")
        };
        tokio::spawn(async move {
            let mut decoder = SyncDecoder::default();
            let mut buffer = [0; 4096];
            let (mut path, mut bytes) = (None, Vec::new());
            loop {
                let len = far.read(&mut buffer).await.unwrap();
                decoder.push(&buffer[..len]);
                if path.is_none() {
                    match decoder.next_request().unwrap() {
                        Some(Request::Send { path: sent, .. }) => path = Some(sent),
                        Some(other) => panic!("{other:?}"),
                        None => continue,
                    }
                }
                while let Some(chunk) = decoder.next_chunk().unwrap() {
                    match chunk {
                        Chunk::Bytes(part) => bytes.extend_from_slice(&part),
                        Chunk::Done { .. } => {
                            // A difference ends the task without the answer that the caller waits for.
                            assert_eq!(path.as_deref(), Some(expected_path.as_str()));
                            assert_eq!(
                                String::from_utf8_lossy(&bytes),
                                String::from_utf8_lossy(&expected_bytes)
                            );
                            far.write_all(&emit_okay()).await.unwrap();
                            let _ = far.read(&mut buffer).await;
                            return;
                        }
                        Chunk::Fail(reason) => panic!("{reason}"),
                    }
                }
            }
        });
        Box::new(near)
    }
}

impl Transport for ScriptedHandset {
    fn banner(&self) -> &Banner {
        &self.banner
    }

    fn open<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<ByteStream, TransportError>> {
        Box::pin(async move {
            Ok(match service.strip_prefix("shell,v2,raw:") {
                Some(command) => self.open_shell(command).await,
                None => {
                    assert_eq!(service, "sync:");
                    self.open_sync()
                }
            })
        })
    }

    fn handset_port(&self) -> Option<u16> {
        None
    }

    fn endpoints(&self) -> Option<Endpoints> {
        None
    }
}

impl Journal for ScriptedHandset {
    fn intend(&mut self, undo: Undo) -> Result<UndoId, JournalError> {
        match self.next() {
            // `Undo` prints no value, so the difference is shown as JSON.
            Line::Intend(expected) => assert_eq!(
                serde_json::to_string_pretty(&undo).unwrap(),
                serde_json::to_string_pretty(&expected).unwrap()
            ),
            other => panic!("expected {other:?}, got {undo:?}"),
        }
        let mut script = self.lock();
        script.entries += 1;
        Ok(UndoId(script.entries - 1))
    }

    fn done(&mut self, id: UndoId) -> Result<(), JournalError> {
        match self.next() {
            Line::Done(expected) => assert_eq!(id.0, expected),
            other => panic!("expected {other:?}, got done({id})"),
        }
        Ok(())
    }
}

/// A clock on which nothing ever times out.
pub(crate) struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Instant {
        Instant::default()
    }

    fn unix_nanoseconds(&self) -> i64 {
        1_407_650_400_000_000_000
    }

    fn sleep_until(&self, _: Instant) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}
