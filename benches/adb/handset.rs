//! An adbd that does nothing but speak ADB: what is measured is the connection, not a simulation.

use crate::FILE_LEN;
use crate::raw::sockets;
use phonehome::adapters::adb::{
    AdbStream, AdbTransport, DeviceConfig, HostConfig, ServiceBody, Services, connect, serve,
};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::{in_process, tcp};
use phonehome::ports::link::Link;
use phonehome::wire::adb::banner::emit_device;
use phonehome::wire::adb::shell::{ShellId, emit};
use phonehome::wire::adb::sync::{
    Chunk, MAX_DATA, Request, SyncDecoder, emit_data, emit_done, emit_okay,
};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

/// The device side, served as long as this lives.
pub(crate) struct Handset(JoinHandle<()>);

impl Drop for Handset {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Handset {
    /// Both sides over a loopback socket.
    pub(crate) async fn over_tcp() -> (AdbTransport, Self) {
        let (near, far) = sockets().await;
        attach(tcp::of_socket(near).unwrap(), tcp::of_socket(far).unwrap()).await
    }

    /// Both sides without a socket.
    pub(crate) async fn in_process() -> (AdbTransport, Self) {
        let (near, far) = in_process::pair();
        attach(near, far).await
    }
}

async fn attach(near: Link, far: Link) -> (AdbTransport, Handset) {
    let config = DeviceConfig {
        banner: emit_device("device", "n", "m", "d", &["shell_v2", "cmd", "delayed_ack"]),
        version: 0x0100_0001,
        max_payload: 1 << 20,
        auth: None,
    };
    let serving = tokio::spawn(async move {
        serve(far, config, Arc::new(Adbd)).await.unwrap();
    });
    let host = HostConfig::new("tcp:bench", Vec::new());
    let transport = connect(near, host, Arc::new(SystemClock::new())).await;
    (transport.unwrap(), Handset(serving))
}

struct Adbd;

impl Services for Adbd {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        match service.split_once(':')?.0 {
            "shell,v2,raw" => Some(Box::new(|stream| Box::pin(shell(stream)))),
            "sync" => Some(Box::new(|stream| Box::pin(sync(stream)))),
            _ => None,
        }
    }
}

/// Ends with success at once.
async fn shell(mut stream: AdbStream) {
    let exit = emit(ShellId::Exit, &[0]).unwrap();
    stream.write_all(&exit).await.unwrap();
}

async fn sync(mut stream: AdbStream) {
    let mut decoder = SyncDecoder::default();
    let mut buffer = vec![0; MAX_DATA];
    loop {
        match decoder.next_request().unwrap() {
            Some(Request::Receive { .. }) => send(&mut stream).await,
            Some(Request::Send { .. }) => {
                receive(&mut stream, &mut decoder, &mut buffer).await;
                stream.write_all(&emit_okay()).await.unwrap();
            }
            Some(_) => return,
            None => more(&mut stream, &mut decoder, &mut buffer).await,
        }
    }
}

async fn send(stream: &mut AdbStream) {
    let data = emit_data(&vec![7; MAX_DATA]);
    for _ in 0..FILE_LEN / u64::try_from(MAX_DATA).unwrap() {
        stream.write_all(&data).await.unwrap();
    }
    stream.write_all(&emit_done(0)).await.unwrap();
}

async fn receive(stream: &mut AdbStream, decoder: &mut SyncDecoder, buffer: &mut [u8]) {
    loop {
        match decoder.next_chunk().unwrap() {
            Some(Chunk::Bytes(_)) => {}
            Some(_) => return,
            None => more(stream, decoder, buffer).await,
        }
    }
}

async fn more(stream: &mut AdbStream, decoder: &mut SyncDecoder, buffer: &mut [u8]) {
    let len = stream.read(buffer).await.unwrap();
    assert!(len > 0, "the host hung up");
    decoder.push(&buffer[..len]);
}
