//! Host and device side against each other, in one process, over the same bytes as on a wire.

use crate::adapters::adb::{
    AdbStream, AdbTransport, DeviceConfig, HostConfig, ServiceBody, Services, connect, link_over,
    observed, serve,
};
use crate::adapters::in_process;
use crate::adapters::system_clock::SystemClock;
use crate::adapters::tcp;
use crate::base::deadline::Instant;
use crate::ports::BoxFuture;
use crate::ports::clock::Clock;
use crate::ports::link::Link;
use crate::ports::transport::{Transport, TransportError};
use crate::wire::adb::banner::emit_device;
use crate::wire::adb::event::OpenError;
use crate::wire::adb::packet::{Command, Packet, Sums};
use crate::wire::adb::transcript::Direction;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

mod handshake;
mod opening;

/// Services for tests.
struct TestServices {
    /// Gets a permit for each body of `hang:` and `last:` that is done.
    ended: Arc<Semaphore>,
}

fn body<F>(f: fn(AdbStream, String) -> F, argument: &str) -> ServiceBody
where
    F: Future<Output = ()> + Send + 'static,
{
    let argument = argument.to_owned();
    Box::new(move |stream| Box::pin(f(stream, argument)) as BoxFuture<'static, ()>)
}

fn counted<F>(f: fn(AdbStream) -> F, ended: &Arc<Semaphore>) -> ServiceBody
where
    F: Future<Output = ()> + Send + 'static,
{
    let ended = Arc::clone(ended);
    Box::new(move |stream| {
        Box::pin(async move {
            f(stream).await;
            ended.add_permits(1);
        })
    })
}

async fn echo(mut stream: AdbStream, _: String) {
    let mut buffer = vec![0; 10_000];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}

fn pattern(at: usize) -> u8 {
    u8::try_from(at % 251).unwrap()
}

/// Writes so many bytes, each its position, then closes.
async fn count(mut stream: AdbStream, argument: String) {
    let len: usize = argument.parse().unwrap();
    let bytes: Vec<u8> = (0..len).map(pattern).collect();
    stream.write_all(&bytes).await.unwrap();
}

/// Writes for ever, or until nobody reads.
async fn flood(mut stream: AdbStream, _: String) {
    while stream.write_all(&[7; 5000]).await.is_ok() {}
}

/// Waits until the host has left the stream.
async fn hang(mut stream: AdbStream) {
    stream.closed().await;
}

/// Writes, and is done when the link has taken everything.
async fn last(mut stream: AdbStream) {
    stream.write_all(&[9; 100_000]).await.unwrap();
    stream.shutdown().await.unwrap();
}

impl Services for TestServices {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        let (name, argument) = service.split_once(':')?;
        Some(match name {
            "echo" => body(echo, argument),
            "count" => body(count, argument),
            "flood" => body(flood, argument),
            "hang" => counted(hang, &self.ended),
            "last" => counted(last, &self.ended),
            "back" => body(opening::back, argument),
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

/// As Android 14 has it.
fn delayed() -> DeviceConfig {
    DeviceConfig {
        banner: emit_device("device", "n", "m", "d", &["shell_v2", "delayed_ack"]),
        ..modern()
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

fn start(link: Link, config: DeviceConfig) -> (Serving, Arc<Semaphore>) {
    let ended = Arc::new(Semaphore::new(0));
    let services = TestServices {
        ended: Arc::clone(&ended),
    };
    (tokio::spawn(serve(link, config, Arc::new(services))), ended)
}

type Serving = JoinHandle<Result<(), TransportError>>;

fn host() -> HostConfig {
    HostConfig::new("virtual:test", Vec::new())
}

async fn attach(link: Link) -> Result<AdbTransport, TransportError> {
    connect(link, host(), Arc::new(SystemClock::new())).await
}

async fn pair(config: DeviceConfig) -> (AdbTransport, Serving, Arc<Semaphore>) {
    let (host, device) = in_process::pair();
    let (serving, ended) = start(device, config);
    (attach(host).await.unwrap(), serving, ended)
}

/// Time that has always run out.
struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Instant {
        Instant::default()
    }

    fn unix_nanoseconds(&self) -> i64 {
        0
    }

    fn sleep_until(&self, _: Instant) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

async fn read_all(stream: &mut AdbStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Sends through an echo and holds what comes back against it.
async fn exchange(mut stream: AdbStream, sent: &[u8]) {
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let mut received = vec![0; sent.len()];
    let writing = async {
        for chunk in sent.chunks(5000) {
            writer.write_all(chunk).await?;
            writer.flush().await?;
        }
        std::io::Result::Ok(())
    };
    let (written, read) = tokio::join!(writing, reader.read_exact(&mut received));
    written.unwrap();
    read.unwrap();
    assert!(received == sent, "{} bytes came back changed", sent.len());
}

#[tokio::test]
async fn echoes_on_old_and_new() {
    for config in [old(), modern(), delayed()] {
        let (transport, ..) = pair(config).await;
        let stream = transport.open_stream("echo:").await.unwrap();
        let sent: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
        exchange(stream, &sent).await;
        let traffic = transport.traffic();
        assert!(traffic.bytes_in > 1_200_000 && traffic.bytes_out > 1_200_000);
    }
}

/// The link's chunks are unlike the packets, and every size of write occurs.
#[tokio::test]
async fn carries_64_streams_at_once_over_any_chunks() {
    for capacity in [1, 23, 1000] {
        let (near, far) = tokio::io::duplex(capacity);
        let of = |stream| {
            let (reader, writer) = tokio::io::split(stream);
            link_over(reader, writer, None)
        };
        let _serving = start(of(far), old());
        let transport = Arc::new(attach(of(near)).await.unwrap());
        let exchanges: Vec<_> = (0..64u8)
            .map(|at| {
                let transport = Arc::clone(&transport);
                tokio::spawn(async move {
                    let stream = transport.open_stream("echo:").await.unwrap();
                    exchange(stream, &vec![at; usize::from(at) * 97 + 1]).await;
                })
            })
            .collect();
        for exchange in exchanges {
            exchange.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_slow_reader_stalls_only_itself_and_costs_little() {
    let (transport, ..) = pair(old()).await;
    let mut flood = transport.open_stream("flood:").await.unwrap();
    for _ in 0..50 {
        let stream = transport.open_stream("echo:").await.unwrap();
        exchange(stream, b"between").await;
    }
    // One packet of 4096 bytes is all that was sent without being read.
    assert!(transport.traffic().bytes_in < 4096 + 50 * 200 + 200);
    let mut buffer = [0; 50_000];
    flood.read_exact(&mut buffer).await.unwrap();
    assert_eq!(buffer, [7; 50_000]);
}

/// The window is what a handset can make us hold, in however small pieces it comes.
#[tokio::test]
async fn delayed_acks_bound_what_is_unread() {
    let (transport, ..) = pair(delayed()).await;
    let mut flood = transport.open_stream("flood:").await.unwrap();
    let mut others = transport.open_stream("echo:").await.unwrap();
    for _ in 0..500 {
        others.write_all(b"between").await.unwrap();
        others.read_exact(&mut [0; 7]).await.unwrap();
    }
    let window = 512 * 1024;
    let bytes_in = transport.traffic().bytes_in;
    assert!((window..window + 100_000).contains(&bytes_in), "{bytes_in}");
    let mut buffer = vec![0; 10_000_000];
    flood.read_exact(&mut buffer).await.unwrap();
    assert!(buffer.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn a_service_that_is_done_is_the_end_of_input() {
    let (transport, ..) = pair(modern()).await;
    let mut stream = transport.open_stream("count:3000000").await.unwrap();
    let bytes = read_all(&mut stream).await;
    assert_eq!(bytes.len(), 3_000_000);
    assert!(
        bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| *byte == pattern(at))
    );
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    let error = stream.write_all(b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    let mut empty = transport.open_stream("count:0").await.unwrap();
    assert_eq!(read_all(&mut empty).await, b"");
}

#[tokio::test]
async fn a_refused_service_is_an_error() {
    let (transport, ..) = pair(old()).await;
    let error = transport.open_stream("nothing:").await.unwrap_err();
    let expected = "the handset refused the service `nothing:`";
    assert_eq!(error.to_string(), expected);
    let error = transport.open_stream(&"x".repeat(4096)).await.unwrap_err();
    let limit = OpenError::ServiceTooLong {
        len: 4097,
        limit: 4096,
    };
    assert!(matches!(error, TransportError::CannotOpen { source, .. } if source == limit));
}

#[tokio::test]
async fn dropping_a_stream_ends_its_service() {
    let (transport, _serving, ended) = pair(modern()).await;
    let streams = [
        transport.open_stream("hang:").await.unwrap(),
        transport.open_stream("hang:").await.unwrap(),
    ];
    drop(streams);
    let _both = ended.acquire_many(2).await.unwrap();
}

#[tokio::test]
async fn dropping_a_transport_and_its_streams_ends_the_connection() {
    let (transport, serving, ended) = pair(modern()).await;
    let stream = transport.open_stream("hang:").await.unwrap();
    drop(transport);
    assert_eq!(ended.available_permits(), 0);
    drop(stream);
    assert!(serving.await.unwrap().is_ok());
    let _hung_up = ended.acquire().await.unwrap();
}

#[tokio::test]
async fn a_handset_that_vanishes_is_a_loss_and_not_an_end() {
    let (transport, serving, _) = pair(modern()).await;
    let mut stream = transport.open_stream("echo:").await.unwrap();
    stream.write_all(b"before").await.unwrap();
    let mut before = [0; 6];
    stream.read_exact(&mut before).await.unwrap();
    let mut waiting = transport.open_stream("hang:").await.unwrap();
    let reading = tokio::spawn(async move { waiting.read(&mut [0; 8]).await });
    serving.abort();
    let errors = [
        stream.read(&mut [0; 8]).await.unwrap_err(),
        stream.write_all(b"after").await.unwrap_err(),
        reading.await.unwrap().unwrap_err(),
    ];
    for error in errors {
        let error = TransportError::of_io(&error).unwrap();
        assert!(matches!(error, TransportError::Lost { .. }), "{error}");
    }
    let error = transport.open_stream("echo:").await.unwrap_err();
    assert!(matches!(error, TransportError::Lost { .. }));
    assert!(transport.lost().is_some());
}

#[tokio::test]
async fn what_was_flushed_before_adbd_stopped_arrives() {
    let (transport, serving, ended) = pair(old()).await;
    let mut stream = transport.open_stream("last:").await.unwrap();
    let reading = tokio::spawn(async move { read_all(&mut stream).await });
    let _done = ended.acquire().await.unwrap();
    serving.abort();
    assert_eq!(reading.await.unwrap().len(), 100_000);
}

/// A flush waits for what was written, not for an acknowledgement of what was read.
#[tokio::test]
async fn a_flush_with_nothing_written_is_done() {
    let (near, far) = tokio::io::duplex(10);
    let of = |stream| {
        let (reader, writer) = tokio::io::split(stream);
        link_over(reader, writer, None)
    };
    let mut far = of(far);
    let scripted = tokio::spawn(async move {
        far.reader.receive().await.unwrap();
        let banner = Packet::new(Command::Connect, 0x0100_0001, 4096, "device::".into());
        far.writer.send(banner, Sums::Sent).await.unwrap();
        far.writer.flush().await.unwrap();
        let open = far.reader.receive().await.unwrap();
        let okay = Packet::bare(Command::Okay, 1, open.arg0);
        far.writer.send(okay, Sums::Sent).await.unwrap();
        far.writer.flush().await.unwrap();
        let write = Packet::new(Command::Write, 1, open.arg0, "x".into());
        far.writer.send(write, Sums::Sent).await.unwrap();
        far.writer.flush().await.unwrap();
        far
    });
    let transport = attach(of(near)).await.unwrap();
    let mut stream = transport.open_stream("scripted:").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    let _unread = scripted.await.unwrap();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    tokio::select! {
        biased;
        flushed = stream.flush() => flushed.unwrap(),
        () = std::future::ready(()) => panic!("waits"),
    }
}

#[tokio::test]
async fn bytes_that_are_no_packets_are_the_peers_fault() {
    let (near, mut far) = tokio::io::duplex(1000);
    let (reader, writer) = tokio::io::split(near);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .await
        .unwrap();
    let error = attach(link_over(reader, writer, None)).await.err().unwrap();
    let expected = "the handset broke the protocol: sent command `0x50545448` with magic \
                    `0x74736575`, which is not its complement";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn every_wait_ends() {
    let (near, _far) = in_process::pair();
    let silent = connect(near, host(), Arc::new(NoTime)).await;
    let error = silent.err().unwrap();
    let expected = "no answer within 10 s while waiting for the handset's banner";
    assert_eq!(error.to_string(), expected);

    let (near, mut far) = in_process::pair();
    let banner = Packet::new(Command::Connect, 0x0100_0001, 4096, "device::".into());
    far.writer.send(banner, Sums::Sent).await.unwrap();
    far.writer.flush().await.unwrap();
    let clock = Arc::new(Switched::default());
    let transport = connect(near, host(), clock.clone()).await.unwrap();
    clock.stop();
    let error = transport.open_stream("echo:").await.unwrap_err();
    let expected = "no answer within 10 s while waiting for a service to open";
    assert_eq!(error.to_string(), expected);
}

/// Time that stands still until it is stopped, and then has run out.
#[derive(Default)]
struct Switched(Mutex<bool>);

impl Switched {
    fn stop(&self) {
        *self.0.lock().unwrap() = true;
    }
}

impl Clock for Switched {
    fn now(&self) -> Instant {
        Instant::default()
    }

    fn unix_nanoseconds(&self) -> i64 {
        0
    }

    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        if *self.0.lock().unwrap() {
            return NoTime.sleep_until(deadline);
        }
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn tcp_carries_the_same_and_knows_its_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let text = address.to_string();
    let clock = SystemClock::new();
    let limit = Duration::from_secs(5);
    let dialling = tcp::dial(&text, "tcp:test", limit, &clock);
    let (dialled, accepted) = tokio::join!(dialling, listener.accept());
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let device = observed(
        tcp::of_socket(accepted.unwrap().0).unwrap(),
        Arc::new(move |direction, len| {
            if direction == Direction::Out {
                count.fetch_add(len, Ordering::Relaxed);
            }
        }),
    );
    let serving = start(device, modern()).0;
    let transport = attach(dialled.unwrap()).await.unwrap();
    assert_eq!(transport.handset_port(), Some(address.port()));
    assert_eq!(transport.endpoints().unwrap().remote, address);
    let stream = transport.open_stream("echo:").await.unwrap();
    exchange(stream, &vec![3; 2_500_000]).await;
    let bytes_in = transport.traffic().bytes_in;
    assert!(u64::try_from(seen.load(Ordering::Relaxed)).unwrap() >= bytes_in);
    drop(transport);
    assert!(serving.await.unwrap().is_ok());
    drop(listener);
    let error = tcp::dial(&text, "tcp:test", limit, &clock).await;
    assert_eq!(
        error.err().unwrap().to_string(),
        "handset `tcp:test` cannot be reached: Connection refused (os error 111)"
    );
}
