//! An adbd that does nothing but speak ADB: what is measured is the connection, not a simulation.

use phonehome::adapters::adb::{
    AdbStream, AdbTransport, DeviceConfig, HostConfig, ServiceBody, Services, connect, serve,
};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::{in_process, tcp};
use phonehome::ports::link::Link;
use phonehome::wire::adb::banner::emit_device;
use phonehome::wire::adb::shell::{ShellId, emit};
use phonehome::wire::adb::sync::Stat;
use phonehome::wire::adb::sync::{
    Chunk, MAX_DATA, Request, SyncDecoder, emit_data, emit_done, emit_okay, emit_stat,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The device side, served as long as this lives.
pub(crate) struct Handset(JoinHandle<()>);

impl Drop for Handset {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Handset {
    /// A handset on a port of this machine, at the address that is given with it.
    pub(crate) async fn listen(adbd: Adbd) -> (SocketAddr, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            loop {
                let socket = listener.accept().await.unwrap().0;
                tokio::spawn(serve_link(tcp::of_socket(socket).unwrap(), adbd));
            }
        });
        (address, Self(serving))
    }

    /// Both sides over a loopback socket.
    pub(crate) async fn over_tcp(adbd: Adbd) -> (AdbTransport, Self) {
        let (address, handset) = Self::listen(adbd).await;
        let socket = TcpStream::connect(address).await.unwrap();
        let transport = attach(tcp::of_socket(socket).unwrap()).await;
        (transport, handset)
    }

    /// Both sides without a socket.
    pub(crate) async fn in_process(adbd: Adbd) -> (AdbTransport, Self) {
        let (near, far) = in_process::pair();
        let serving = tokio::spawn(serve_link(far, adbd));
        (attach(near).await, Self(serving))
    }
}

async fn attach(link: Link) -> AdbTransport {
    let host = HostConfig::new("tcp:bench", Vec::new());
    let connecting = connect(link, host, Arc::new(SystemClock::new()));
    connecting.await.unwrap()
}

async fn serve_link(link: Link, adbd: Adbd) {
    let config = DeviceConfig {
        banner: emit_device("device", "n", "m", "d", &["shell_v2", "cmd", "delayed_ack"]),
        version: 0x0100_0001,
        max_payload: 1 << 20,
        auth: None,
    };
    serve(link, config, Arc::new(adbd)).await.unwrap();
}

/// What the handset does.
#[derive(Clone, Copy, Default)]
pub(crate) struct Adbd {
    /// How long a shell takes to answer, in real time.
    pub(crate) answers_after: Duration,
}

impl Services for Adbd {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        let after = self.answers_after;
        match service.split_once(':')?.0 {
            "shell,v2,raw" => Some(Box::new(move |stream| Box::pin(shell(stream, after)))),
            "sync" => Some(Box::new(|stream| Box::pin(sync(stream)))),
            _ => None,
        }
    }
}

/// Ends with success.
async fn shell(mut stream: AdbStream, after: Duration) {
    if !after.is_zero() {
        tokio::time::sleep(after).await;
    }
    let exit = emit(ShellId::Exit, &[0]).unwrap();
    stream.write_all(&exit).await.unwrap();
}

async fn sync(mut stream: AdbStream) {
    let mut decoder = SyncDecoder::default();
    loop {
        match decoder.next_request().unwrap() {
            Some(Request::Receive { path }) => send(&mut stream, len_of(&path)).await,
            Some(Request::Send { .. }) => {
                receive(&mut stream, &mut decoder).await;
                stream.write_all(&emit_okay()).await.unwrap();
            }
            Some(Request::Stat { path }) => {
                let stat = Stat {
                    mode: 0o100_644,
                    size: u32::try_from(len_of(&path)).unwrap(),
                    mtime: 1,
                };
                stream.write_all(&emit_stat(stat)).await.unwrap();
            }
            Some(_) => return,
            None => {
                if !more(&mut stream, &mut decoder).await {
                    return;
                }
            }
        }
    }
}

/// A file is as long as its name says.
fn len_of(path: &str) -> u64 {
    path.trim_start_matches('/').parse().unwrap_or(0)
}

async fn send(stream: &mut AdbStream, len: u64) {
    let data = emit_data(&vec![7; MAX_DATA]);
    for _ in 0..len / u64::try_from(MAX_DATA).unwrap() {
        stream.write_all(&data).await.unwrap();
    }
    stream.write_all(&emit_done(0)).await.unwrap();
}

async fn receive(stream: &mut AdbStream, decoder: &mut SyncDecoder) {
    loop {
        match decoder.next_chunk().unwrap() {
            Some(Chunk::Bytes(_)) => {}
            Some(_) => return,
            None => assert!(more(stream, decoder).await, "the host hung up"),
        }
    }
}

async fn more(stream: &mut AdbStream, decoder: &mut SyncDecoder) -> bool {
    let buffer = decoder.buffer_mut();
    buffer.reserve(2 * MAX_DATA);
    stream.read_buf(buffer).await.unwrap() > 0
}
