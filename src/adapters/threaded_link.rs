//! ADB links whose two directions are blocking calls, each in a thread of its own: bulk endpoints do
//! not buffer, so that one thread for both would deadlock. Opens nothing and understands no packet.

use crate::ports::BoxFuture;
use crate::ports::link::{Link, LinkError, LinkReader, LinkWriter};
use crate::wire::adb::packet::{HEADER_LEN, Packet, Sums};
use bytes::Bytes;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use tokio::sync::{Mutex, mpsc, oneshot};

/// Packets that wait between a thread and its connection, each way.
const QUEUE: usize = 4;

/// The receiving direction.
pub(crate) trait BlockingReader: Send + 'static {
    /// Blocks until a packet is there; gives `None` soon after `is_wanted` turned false.
    ///
    /// After an error the conversation is over; a later call may bring the next one's packets.
    fn receive(&mut self, is_wanted: &dyn Fn() -> bool) -> Option<Result<Packet, LinkError>>;
}

/// The sending direction.
pub(crate) trait BlockingWriter: Send + 'static {
    /// Sends one packet, header and payload apart; gives up soon after `is_wanted` turned false.
    fn send(
        &mut self,
        header: &[u8; HEADER_LEN],
        payload: &[u8],
        is_wanted: &dyn Fn() -> bool,
    ) -> io::Result<()>;
}

/// Whether threads are waited for when a link is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// Their calls end soon once nobody wants them.
    Joined,
    /// Their calls may block for as long as the other side likes.
    Left,
}

/// Two threads at work, and the links over them: one at a time.
pub(crate) struct Threads {
    incoming: Arc<Mutex<mpsc::Receiver<Result<Packet, LinkError>>>>,
    outgoing: mpsc::Sender<Outgoing>,
    failure: Arc<OnceLock<io::Error>>,
    // Dropped last: the threads end when the channels are closed.
    joined: Arc<Joined>,
}

enum Outgoing {
    Packet([u8; HEADER_LEN], Bytes),
    /// Answered when all before it is sent.
    Flush(oneshot::Sender<()>),
}

impl Threads {
    /// Starts both.
    ///
    /// # Errors
    /// If the operating system has no thread to give.
    pub(crate) fn start(
        reader: impl BlockingReader,
        writer: impl BlockingWriter,
        farewell: Farewell,
    ) -> io::Result<Self> {
        let (packets, incoming) = mpsc::channel(QUEUE);
        let (outgoing, orders) = mpsc::channel(QUEUE);
        let failure = Arc::new(OnceLock::new());
        let mut joined = Joined(Vec::new());
        let threads = [
            named("adb-in").spawn(move || receive_all(reader, &packets))?,
            named("adb-out").spawn({
                let failure = Arc::clone(&failure);
                move || send_all(writer, orders, &failure)
            })?,
        ];
        if farewell == Farewell::Joined {
            joined.0.extend(threads);
        }
        Ok(Self {
            incoming: Arc::new(Mutex::new(incoming)),
            outgoing,
            failure,
            joined: Arc::new(joined),
        })
    }

    /// Whether a call failed, so that one of them is done.
    pub(crate) fn have_ended(&self) -> bool {
        let incoming = self.incoming.try_lock();
        let is_closed = incoming.is_ok_and(|incoming| incoming.is_closed());
        is_closed || self.failure.get().is_some()
    }

    /// A link over them. The next one may follow when this one was dropped.
    pub(crate) fn link(&self) -> Link {
        Link {
            reader: Box::new(ThreadedReader {
                incoming: Arc::clone(&self.incoming),
                _joined: Arc::clone(&self.joined),
            }),
            writer: Box::new(ThreadedWriter {
                outgoing: self.outgoing.clone(),
                failure: Arc::clone(&self.failure),
                _joined: Arc::clone(&self.joined),
            }),
            endpoints: None,
        }
    }
}

fn named(name: &str) -> thread::Builder {
    thread::Builder::new().name(name.to_owned())
}

fn receive_all(mut reader: impl BlockingReader, packets: &mpsc::Sender<Result<Packet, LinkError>>) {
    let is_wanted = || !packets.is_closed();
    while let Some(received) = reader.receive(&is_wanted) {
        let is_over = matches!(&received, Err(LinkError::Io(_) | LinkError::Closed));
        if packets.blocking_send(received).is_err() || is_over {
            return;
        }
    }
}

fn send_all(
    mut writer: impl BlockingWriter,
    mut orders: mpsc::Receiver<Outgoing>,
    failure: &OnceLock<io::Error>,
) {
    while let Some(order) = orders.blocking_recv() {
        // Nobody waits for what is left once the link is dropped: what began was finished, and a
        // packet is never left half sent but by a handset that does not take it.
        if orders.is_closed() {
            return;
        }
        match order {
            Outgoing::Packet(header, payload) => {
                let is_wanted = || !orders.is_closed();
                if let Err(error) = writer.send(&header, &payload, &is_wanted) {
                    // Only this thread sets it.
                    let _ = failure.set(error);
                    return;
                }
            }
            // Who asked may not wait any more.
            Outgoing::Flush(done) => drop(done.send(())),
        }
    }
}

/// Threads that are waited for when the last that uses them is gone.
struct Joined(Vec<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        for thread in self.0.drain(..) {
            // A thread that panicked has nothing more to do either.
            let _ = thread.join();
        }
    }
}

struct ThreadedReader {
    incoming: Arc<Mutex<mpsc::Receiver<Result<Packet, LinkError>>>>,
    _joined: Arc<Joined>,
}

impl LinkReader for ThreadedReader {
    fn receive(&mut self) -> BoxFuture<'_, Result<Packet, LinkError>> {
        Box::pin(async {
            let received = self.incoming.lock().await.recv().await;
            received.unwrap_or(Err(LinkError::Closed))
        })
    }
}

struct ThreadedWriter {
    outgoing: mpsc::Sender<Outgoing>,
    failure: Arc<OnceLock<io::Error>>,
    _joined: Arc<Joined>,
}

impl ThreadedWriter {
    async fn order(&self, order: Outgoing) -> Result<(), LinkError> {
        let sent = self.outgoing.send(order).await;
        sent.map_err(|_| self.failed())
    }

    fn failed(&self) -> LinkError {
        match self.failure.get() {
            Some(error) => LinkError::Io(io::Error::new(error.kind(), error.to_string())),
            None => LinkError::Closed,
        }
    }
}

impl LinkWriter for ThreadedWriter {
    fn send(&mut self, packet: Packet, sums: Sums) -> BoxFuture<'_, Result<(), LinkError>> {
        let order = Outgoing::Packet(packet.header(sums), packet.payload);
        Box::pin(self.order(order))
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async {
            let (done, is_done) = oneshot::channel();
            self.order(Outgoing::Flush(done)).await?;
            is_done.await.map_err(|_| self.failed())
        })
    }
}
