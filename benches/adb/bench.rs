//! The same work by our client, over a transport of any kind, and by others.

use crate::Measure;
use crate::handset::{Adbd, Handset};
use crate::server::{Server, handsets};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::engine::service::shell;
use phonehome::engine::service::sync::{self, Target};
use phonehome::ports::transport::Transport;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};

/// Bytes of the file that is pulled and pushed.
pub(crate) const FILE_LEN: u64 = 64 << 20;

/// A connected host and its runtime.
pub(crate) struct Bench {
    runtime: Runtime,
    transport: Arc<dyn Transport>,
    clock: Arc<SystemClock>,
    _handset: Handset,
    /// The handset's, where it has one of its own.
    _apart: Option<Runtime>,
}

/// As the command line runs: every thread of the machine.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().unwrap()
}

impl Bench {
    /// A connection of our own over a loopback socket.
    pub(crate) fn over_tcp() -> Self {
        let runtime = runtime();
        let (transport, handset) = runtime.block_on(Handset::over_tcp(Adbd::default()));
        Self::new(runtime, Arc::new(transport), handset)
    }

    /// A connection of our own without a socket.
    pub(crate) fn in_process() -> Self {
        let runtime = runtime();
        let (transport, handset) = runtime.block_on(Handset::in_process(Adbd::default()));
        Self::new(runtime, Arc::new(transport), handset)
    }

    /// A handset that a stock adb server holds; it runs apart from our client, as it does from adb's.
    pub(crate) fn behind(server: &Server) -> Self {
        let (apart, runtime) = (runtime(), runtime());
        let (serial, handset) = apart.block_on(one_behind(server));
        let transport = runtime.block_on(server.transport(&serial));
        Self {
            _apart: Some(apart),
            ..Self::new(runtime, Arc::new(transport), handset)
        }
    }

    fn new(runtime: Runtime, transport: Arc<dyn Transport>, handset: Handset) -> Self {
        Self {
            runtime,
            transport,
            clock: Arc::new(SystemClock::new()),
            _handset: handset,
            _apart: None,
        }
    }

    /// Runs steps one after the other in a task, as an executor does.
    pub(crate) fn shells(&self, steps: u32) {
        let (transport, clock) = (Arc::clone(&self.transport), Arc::clone(&self.clock));
        let running = self.runtime.spawn(run_shells(transport, clock, steps));
        self.runtime.block_on(running).unwrap();
    }

    pub(crate) fn pull(&self) {
        self.pull_into(tokio::io::sink());
    }

    fn pull_into(&self, mut sink: impl AsyncWrite + Send + Unpin + 'static) {
        let (transport, clock) = (Arc::clone(&self.transport), Arc::clone(&self.clock));
        let running = self.runtime.spawn(async move {
            let path = format!("/{FILE_LEN}");
            let limits = sync::Limits::default();
            let mut progress = |_| {};
            let pulling = sync::pull(
                &*transport,
                &*clock,
                &path,
                &mut sink,
                limits,
                &mut progress,
            );
            assert_eq!(pulling.await.unwrap(), FILE_LEN);
        });
        self.runtime.block_on(running).unwrap();
    }

    pub(crate) fn push(&self) {
        self.push_from(tokio::io::repeat(7).take(FILE_LEN));
    }

    fn push_from(&self, mut source: impl AsyncRead + Send + Unpin + 'static) {
        let (transport, clock) = (Arc::clone(&self.transport), Arc::clone(&self.clock));
        let running = self.runtime.spawn(async move {
            let target = Target {
                path: "/file",
                mode: 0o100_644,
                mtime: 0,
            };
            let limits = sync::Limits::default();
            let mut progress = |_| {};
            let pushing = sync::push(
                &*transport,
                &*clock,
                target,
                &mut source,
                limits,
                &mut progress,
            );
            assert_eq!(pushing.await.unwrap(), FILE_LEN);
        });
        self.runtime.block_on(running).unwrap();
    }
}

async fn one_behind(server: &Server) -> (String, Handset) {
    let mut one = handsets(server, 1).await;
    one.pop().unwrap()
}

pub(crate) async fn run_shells(transport: Arc<dyn Transport>, clock: Arc<SystemClock>, steps: u32) {
    for _ in 0..steps {
        let limits = shell::Limits::default();
        let output = shell::run(&*transport, &*clock, "true", limits).await;
        assert!(output.unwrap().succeeded());
    }
}

/// Seconds that `work` takes.
pub(crate) fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

pub(crate) fn shells(bench: Bench, steps: u32) -> Measure {
    Box::new(move || timed(|| bench.shells(steps)))
}

pub(crate) fn pulls(bench: Bench) -> Measure {
    Box::new(move || timed(|| bench.pull()))
}

pub(crate) fn pushes(bench: Bench) -> Measure {
    Box::new(move || timed(|| bench.push()))
}

pub(crate) fn pulls_to_file(bench: Bench, server: &Rc<Server>) -> Measure {
    let path = server.folder().join("pulled-by-us");
    Box::new(move || {
        timed(|| {
            // As adb does: over a file cut to nothing, ext4 writes all to the disk when it is closed.
            let _ = std::fs::remove_file(&path);
            bench.pull_into(OnDisk(File::create(&path).unwrap()));
        })
    })
}

pub(crate) fn pushes_of_file(bench: Bench, server: &Rc<Server>) -> Measure {
    let path = source_file(server);
    Box::new(move || timed(|| bench.push_from(OnDisk(File::open(&path).unwrap()))))
}

/// Shell steps by a client that does nothing else.
pub(crate) fn bare_shells(server: &Rc<Server>, steps: u32) -> Measure {
    let runtime = runtime();
    let (serial, handset) = runtime.block_on(one_behind(server));
    let address = server.address();
    Box::new(move || {
        let (_runtime, _handset) = (&runtime, &handset);
        timed(|| (0..steps).for_each(|_| Server::bare_shell(address, &serial)))
    })
}

/// `adb pull`, its start included.
pub(crate) fn adb_pulls(server: &Rc<Server>) -> Measure {
    let path = server.folder().join("pulled-by-adb").display().to_string();
    adb_runs(server, move |server, serial| {
        server.adb(serial, &["pull", &format!("/{FILE_LEN}"), &path]);
    })
}

/// `adb push`, its start included.
pub(crate) fn adb_pushes(server: &Rc<Server>) -> Measure {
    let path = source_file(server).display().to_string();
    adb_runs(server, move |server, serial| {
        server.adb(serial, &["push", &path, "/file"]);
    })
}

fn adb_runs(server: &Rc<Server>, run: impl Fn(&Server, &str) + 'static) -> Measure {
    let runtime = runtime();
    let (serial, handset) = runtime.block_on(one_behind(server));
    let server = Rc::clone(server);
    Box::new(move || {
        let (_runtime, _handset) = (&runtime, &handset);
        timed(|| run(&server, &serial))
    })
}

/// A file to push.
fn source_file(server: &Server) -> PathBuf {
    let path = server.folder().join("pushed");
    let mut file = File::create(&path).unwrap();
    let len = io::copy(&mut io::repeat(7).take(FILE_LEN), &mut file).unwrap();
    assert_eq!(len, FILE_LEN);
    path
}

/// A file, read and written in place: a bench has no other task that would have to wait.
struct OnDisk(File);

impl AsyncWrite for OnDisk {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for OnDisk {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.0.read(out.initialize_unfilled());
        Poll::Ready(read.map(|len| out.advance(len)))
    }
}
