//! Host and device side against each other, in one process, over the same bytes as on a wire.

use crate::adapters::adb::{
    AdbStream, AdbTransport, DeviceConfig, HostConfig, ServiceBody, Services, connect, link_over,
    serve,
};
use crate::adapters::in_process;
use crate::adapters::system_clock::SystemClock;
use crate::ports::BoxFuture;
use crate::ports::link::Link;
use crate::ports::transport::{Transport, TransportError};
use crate::wire::adb::banner::emit_device;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

/// Services for tests.
struct TestServices;

fn body<F>(f: fn(AdbStream, String) -> F, argument: &str) -> ServiceBody
where
    F: Future<Output = ()> + Send + 'static,
{
    let argument = argument.to_owned();
    Box::new(move |stream| Box::pin(f(stream, argument)) as BoxFuture<'static, ()>)
}

async fn echo(mut stream: AdbStream, _: String) {
    let mut buffer = vec![0; 10_000];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}

/// Writes so many bytes, each its position, then closes.
async fn count(mut stream: AdbStream, argument: String) {
    let len: usize = argument.parse().unwrap();
    let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
    stream.write_all(&bytes).await.unwrap();
}

/// Writes for ever, or until nobody reads.
async fn flood(mut stream: AdbStream, _: String) {
    while stream.write_all(&[7; 5000]).await.is_ok() {}
}

async fn hang(mut stream: AdbStream, _: String) {
    stream.closed().await;
}

impl Services for TestServices {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        let (name, argument) = service.split_once(':')?;
        Some(match name {
            "echo" => body(echo, argument),
            "count" => body(count, argument),
            "flood" => body(flood, argument),
            "hang" => body(hang, argument),
            _ => return None,
        })
    }
}

fn modern() -> DeviceConfig {
    DeviceConfig {
        banner: emit_device("device", "n", "m", "d", &["shell_v2", "cmd"]),
        version: 0x0100_0001,
        max_payload: 1024 * 1024,
        auth: None,
    }
}

fn old() -> DeviceConfig {
    let none: [&str; 0] = [];
    DeviceConfig {
        banner: emit_device("device", "armani", "HM 1S", "armani", &none),
        version: 0x0100_0000,
        max_payload: 4096,
        auth: None,
    }
}

fn start(link: Link, config: DeviceConfig) -> JoinHandle<Result<(), TransportError>> {
    tokio::spawn(serve(link, config, Arc::new(TestServices)))
}

fn quick() -> HostConfig {
    HostConfig {
        banner_timeout: Duration::from_secs(5),
        owner_timeout: Duration::from_millis(50),
        ..HostConfig::new("virtual:test", Vec::new())
    }
}

async fn attach(link: Link) -> Result<AdbTransport, TransportError> {
    connect(link, quick(), Arc::new(SystemClock::new())).await
}

async fn pair(config: DeviceConfig) -> AdbTransport {
    let (host, device) = in_process::pair();
    start(device, config);
    attach(host).await.unwrap()
}

async fn read_all(stream: &mut AdbStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn echoes_on_old_and_new() {
    for config in [old(), modern()] {
        let transport = pair(config).await;
        let mut stream = transport.open_stream("echo:").await.unwrap();
        let sent: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        let mut received = vec![0; sent.len()];
        let (written, read) =
            tokio::join!(writer.write_all(&sent), reader.read_exact(&mut received));
        written.unwrap();
        read.unwrap();
        assert_eq!(received, sent);
    }
}
