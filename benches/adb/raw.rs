//! What the same bytes cost on a bare TCP socket: no protocol, no multiplexing, nothing read twice.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

/// Bytes of a packet's header.
const HEADER_LEN: usize = 24;

/// What is agreed with a modern handset.
const PAYLOAD: usize = 1 << 20;

/// Two connected sockets.
fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// `len` bytes there and a header back, so many times.
fn exchanges(len: usize, answer: usize, count: u64) -> Box<dyn FnMut() -> f64> {
    let (mut near, mut far) = sockets();
    thread::spawn(move || {
        let mut bytes = vec![7; len];
        while far.read_exact(&mut bytes).is_ok() {
            far.write_all(&bytes[..answer]).unwrap();
        }
    });
    let bytes = vec![7; len];
    Box::new(move || {
        let mut back = vec![0; answer];
        let start = Instant::now();
        for _ in 0..count {
            near.write_all(&bytes).unwrap();
            near.read_exact(&mut back).unwrap();
        }
        start.elapsed().as_secs_f64()
    })
}

/// One packet there and one back, twice for each step: each waits for the one before.
pub(crate) fn round_trips_in_turn(steps: u32) -> Box<dyn FnMut() -> f64> {
    exchanges(HEADER_LEN, HEADER_LEN, 2 * u64::from(steps))
}

/// So many bytes in packets of a whole payload, each acknowledged before the next is sent.
pub(crate) fn transfers(len: u64) -> Box<dyn FnMut() -> f64> {
    let count = len / u64::try_from(PAYLOAD).unwrap();
    exchanges(HEADER_LEN + PAYLOAD, HEADER_LEN, count)
}
