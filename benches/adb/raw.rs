//! What the same bytes cost on a bare TCP socket: no protocol, no multiplexing, nothing read twice.

use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Bytes of a packet's header.
const HEADER_LEN: usize = 24;

/// What is agreed with a modern handset.
const PAYLOAD: usize = 1 << 20;

/// As the command line runs: every thread of the machine.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().unwrap()
}

/// Two connected sockets.
pub(crate) async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (near, far) = (near.unwrap(), far.unwrap().0);
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// One packet there and one back, so many times.
pub(crate) fn round_trips(count: u32) -> Box<dyn FnMut() -> f64> {
    let runtime = runtime();
    let (mut near, mut far) = runtime.block_on(sockets());
    runtime.spawn(async move {
        let mut packet = [0; HEADER_LEN];
        while far.read_exact(&mut packet).await.is_ok() {
            far.write_all(&packet).await.unwrap();
        }
    });
    Box::new(move || {
        let start = Instant::now();
        runtime.block_on(async {
            let mut packet = [0; HEADER_LEN];
            for _ in 0..count {
                near.write_all(&packet).await.unwrap();
                near.read_exact(&mut packet).await.unwrap();
            }
        });
        start.elapsed().as_secs_f64()
    })
}

/// So many bytes in packets of a whole payload, each acknowledged before the next is sent.
pub(crate) fn transfers(len: u64) -> Box<dyn FnMut() -> f64> {
    let runtime = runtime();
    let (mut near, mut far) = runtime.block_on(sockets());
    runtime.spawn(async move {
        let mut packet = vec![0; HEADER_LEN + PAYLOAD];
        while far.read_exact(&mut packet).await.is_ok() {
            far.write_all(&packet[..HEADER_LEN]).await.unwrap();
        }
    });
    let packet = vec![7; HEADER_LEN + PAYLOAD];
    Box::new(move || {
        let start = Instant::now();
        runtime.block_on(async {
            let mut okay = [0; HEADER_LEN];
            for _ in 0..len / u64::try_from(PAYLOAD).unwrap() {
                near.write_all(&packet).await.unwrap();
                near.read_exact(&mut okay).await.unwrap();
            }
        });
        start.elapsed().as_secs_f64()
    })
}
