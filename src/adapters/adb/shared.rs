//! One connection shared by its link and its streams: the tokio driver of `wire::adb::connection`,
//! the same for host and device. Decides nothing about keys and services; its owner does, by a
//! function that is handed those events.

use crate::adapters::adb::ending::{of_link, of_peer};
use crate::ports::link::{Link, LinkError, LinkReader, LinkWriter, Securer};
use crate::ports::transport::TransportError;
use crate::wire::adb::connection::{Config, Connection};
use crate::wire::adb::event::{Event, StreamId};
use crate::wire::adb::packet::{Command, Packet, Sums};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::ReadBuf;
use tokio::sync::Notify;

/// Pieces below so many bytes are copied, others are passed on.
const SMALL: usize = 4096;

/// Bytes after which the link is flushed though more wait.
const MAX_KEPT: usize = 16 * 1024;

/// Bytes that crossed a link, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Received.
    pub bytes_in: u64,
    /// Sent.
    pub bytes_out: u64,
}

/// A connection, its streams' mailboxes, and what wakes its writer.
pub(super) struct Shared {
    state: Mutex<State>,
    outgoing: Notify,
    /// Wakes those who wait for the end.
    ended: Notify,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// What the lock protects.
pub(super) struct State {
    pub(super) connection: Connection,
    mailboxes: BTreeMap<u32, Mailbox>,
    lost: Option<TransportError>,
    /// Streams whose data the link is busy with, once for each packet.
    in_flight: Vec<u32>,
}

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Opening,
    Open,
    Refused,
    /// Closed by us; the packet that says so is not sent yet.
    Closing,
    /// Closed by either side.
    Closed,
    Reset,
}

struct Mailbox {
    phase: Phase,
    inbox: VecDeque<Bytes>,
    /// What came after all of `inbox`, in small pieces.
    small: BytesMut,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Mailbox {
    fn new(phase: Phase) -> Self {
        Self {
            phase,
            inbox: VecDeque::new(),
            small: BytesMut::new(),
            reader: None,
            writer: None,
        }
    }

    /// Keeps bytes that came. Small ones are copied together, so that what is kept costs little
    /// more than its bytes, and no small piece keeps a large buffer alive.
    fn put(&mut self, bytes: Bytes) {
        if bytes.len() < SMALL {
            self.small.extend_from_slice(&bytes);
            return;
        }
        if !self.small.is_empty() {
            self.inbox.push_back(self.small.split().freeze());
        }
        self.inbox.push_back(bytes);
    }

    /// Hands out bytes in order, and says how many.
    fn take(&mut self, out: &mut ReadBuf<'_>) -> usize {
        let mut taken = 0;
        while out.remaining() > 0 {
            if self.inbox.is_empty() && !self.small.is_empty() {
                self.inbox.push_back(self.small.split().freeze());
            }
            let Some(chunk) = self.inbox.front_mut() else {
                break;
            };
            let len = chunk.len().min(out.remaining());
            out.put_slice(&chunk.split_to(len));
            taken += len;
            if !chunk.has_remaining() {
                self.inbox.pop_front();
            }
        }
        taken
    }

    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }
}

impl Shared {
    pub(super) fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                connection: Connection::new(config),
                mailboxes: BTreeMap::new(),
                lost: None,
                in_flight: Vec::new(),
            }),
            outgoing: Notify::new(),
            ended: Notify::new(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        })
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }

    /// Runs `f` on the connection, then has its packets sent.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = f(&mut state);
        if state.connection.has_packets() || state.connection.expects_secured() {
            self.outgoing.notify_one();
        }
        result
    }

    /// Ends everything: every stream's next read or write, and every open, fails with `error`.
    pub(super) fn lose(&self, error: TransportError) {
        let mut state = self.lock();
        state.lost.get_or_insert(error);
        state.mailboxes.values_mut().for_each(Mailbox::wake);
        drop(state);
        self.ended.notify_waiters();
    }

    /// Waits for the connection's loss, and says what it was.
    async fn ending(&self) -> TransportError {
        self.gone().await;
        let reason = "the connection ended".to_owned();
        let lost = self.lock().lost.clone();
        lost.unwrap_or(TransportError::Lost { reason })
    }

    /// Returns when the connection is lost.
    pub(super) async fn gone(&self) {
        // Made before the look, so that no end falls in between.
        let ended = self.ended.notified();
        if self.lock().lost.is_none() {
            ended.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves packets until the link or the peer fails, and says how. `on_event` gets what is not
    /// about an open stream, without the lock held. `securer` takes the link into TLS where that is
    /// demanded.
    pub(super) async fn drive(
        &self,
        link: Link,
        securer: Option<&dyn Securer>,
        on_event: impl FnMut(Event) + Send,
    ) -> TransportError {
        let error = tokio::select! {
            error = self.receive_all(link.reader, securer, on_event) => error,
            error = self.send_all(link.writer) => error,
            error = self.ending() => error,
        };
        self.lose(error.clone());
        error
    }

    async fn receive_all(
        &self,
        mut reader: Box<dyn LinkReader>,
        securer: Option<&dyn Securer>,
        mut on_event: impl FnMut(Event) + Send,
    ) -> TransportError {
        loop {
            let handled = match reader.receive().await {
                Ok(packet) => {
                    let len = u64::try_from(packet.len_bytes()).unwrap_or(u64::MAX);
                    self.bytes_in.fetch_add(len, Ordering::Relaxed);
                    self.with(|state| state.connection.handle_packet(packet))
                }
                Err(LinkError::Malformed(_))
                    if self.with(|state| state.connection.presume_start_tls()) =>
                {
                    Ok(())
                }
                Err(error) => return of_link(&error),
            };
            if let Err(error) = handled {
                return of_peer(&error);
            }
            while let Some(event) = self.with(State::dispatch) {
                if event != Event::TlsWanted {
                    on_event(event);
                    continue;
                }
                if let Err(error) = reader.start_tls(securer).await {
                    return of_link(&error);
                }
                self.with(|state| state.connection.secured());
            }
        }
    }

    async fn send_all(&self, mut writer: Box<dyn LinkWriter>) -> TransportError {
        // Packets that the link may have kept back, and their size.
        let mut kept = Vec::new();
        let mut kept_bytes = 0;
        let mut is_secured = false;
        loop {
            let (next, wants_tls) = {
                let mut state = self.lock();
                (state.next_packet(), state.connection.expects_secured())
            };
            let is_idle = next.is_none();
            if let Some((packet, sums)) = next {
                let len = packet.len_bytes();
                kept.push((packet.command, packet.arg0));
                kept_bytes += len;
                if let Err(error) = writer.send(packet, sums).await {
                    return of_link(&error);
                }
                let len = u64::try_from(len).unwrap_or(u64::MAX);
                self.bytes_out.fetch_add(len, Ordering::Relaxed);
            }
            if is_idle && kept.is_empty() && wants_tls && !is_secured {
                is_secured = true;
                if let Err(error) = writer.start_tls().await {
                    return of_link(&error);
                }
            } else if is_idle && kept.is_empty() {
                self.outgoing.notified().await;
                // What answers the same event is written meanwhile, and leaves with it.
                tokio::task::yield_now().await;
            } else if is_idle || kept_bytes >= MAX_KEPT {
                if let Err(error) = writer.flush().await {
                    return of_link(&error);
                }
                kept_bytes = 0;
                let mut state = self.lock();
                kept.drain(..)
                    .for_each(|(command, id)| state.sent(command, id));
            }
        }
    }
}

impl State {
    /// Why there is no connection any more.
    pub(super) const fn lost(&self) -> Option<&TransportError> {
        self.lost.as_ref()
    }

    /// Has a stream's bytes kept from now on.
    pub(super) fn install(&mut self, stream: StreamId, phase: Phase) {
        self.mailboxes.insert(stream.number(), Mailbox::new(phase));
    }

    /// Closes a stream that nobody holds any more; what was written leaves first.
    pub(super) fn forget(&mut self, stream: StreamId) {
        self.mailboxes.remove(&stream.number());
        self.connection.close(stream);
    }

    /// Where a stream stands; waits for the next change while it stands at `phase`.
    pub(super) fn poll_leaves(
        &mut self,
        stream: StreamId,
        phase: Phase,
        cx: &Context<'_>,
    ) -> Poll<Result<Phase, TransportError>> {
        if let Some(error) = &self.lost {
            return Poll::Ready(Err(error.clone()));
        }
        match self.mailboxes.get_mut(&stream.number()) {
            Some(mailbox) if mailbox.phase == phase => {
                mailbox.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(mailbox) => Poll::Ready(Ok(mailbox.phase)),
            None => Poll::Ready(Ok(Phase::Closed)),
        }
    }

    /// Hands out received bytes, then the stream's end or the loss.
    pub(super) fn poll_read(
        &mut self,
        stream: StreamId,
        cx: &Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), TransportError>> {
        let Some(mailbox) = self.mailboxes.get_mut(&stream.number()) else {
            return Poll::Ready(Ok(()));
        };
        let taken = mailbox.take(out);
        if taken > 0 || out.remaining() == 0 {
            self.connection.consumed(stream, taken);
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = self.ending(stream) {
            return Poll::Ready(error);
        }
        if let Some(mailbox) = self.mailboxes.get_mut(&stream.number()) {
            mailbox.reader = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Takes bytes to send; zero once the stream is closed.
    pub(super) fn poll_write(
        &mut self,
        stream: StreamId,
        cx: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, TransportError>> {
        if let Some(ending) = self.ending(stream) {
            return Poll::Ready(ending.map(|()| 0));
        }
        let taken = self.connection.write(stream, bytes);
        if taken > 0 || bytes.is_empty() {
            return Poll::Ready(Ok(taken));
        }
        self.wait_to_write(stream, cx);
        Poll::Pending
    }

    /// Waits until the link has taken everything written so far.
    pub(super) fn poll_flush(
        &mut self,
        stream: StreamId,
        cx: &Context<'_>,
    ) -> Poll<Result<(), TransportError>> {
        if let Some(ending) = self.ending(stream) {
            return Poll::Ready(ending);
        }
        let is_sent = self.connection.unsent(stream) == 0;
        if is_sent && !self.in_flight.contains(&stream.number()) {
            return Poll::Ready(Ok(()));
        }
        self.wait_to_write(stream, cx);
        Poll::Pending
    }

    /// Closes a stream and waits until the link has taken the packet that says so.
    pub(super) fn poll_close(
        &mut self,
        stream: StreamId,
        cx: &Context<'_>,
    ) -> Poll<Result<(), TransportError>> {
        self.connection.close(stream);
        if let Some(mailbox) = self.mailboxes.get_mut(&stream.number())
            && mailbox.phase == Phase::Open
        {
            mailbox.phase = Phase::Closing;
        }
        if let Some(error) = &self.lost {
            return Poll::Ready(Err(error.clone()));
        }
        match self.mailboxes.get(&stream.number()) {
            Some(mailbox) if mailbox.phase == Phase::Closing => {
                self.wait_to_write(stream, cx);
                Poll::Pending
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    /// How a stream ended, if it did: `Ok` when closed, else the loss.
    fn ending(&self, stream: StreamId) -> Option<Result<(), TransportError>> {
        if let Some(error) = &self.lost {
            return Some(Err(error.clone()));
        }
        match self.mailboxes.get(&stream.number()).map(|m| m.phase) {
            Some(Phase::Reset) => Some(Err(TransportError::Lost {
                reason: "the handset's adbd started anew".to_owned(),
            })),
            Some(Phase::Opening | Phase::Open) => None,
            Some(Phase::Refused | Phase::Closing | Phase::Closed) | None => Some(Ok(())),
        }
    }

    fn wait_to_write(&mut self, stream: StreamId, cx: &Context<'_>) {
        if let Some(mailbox) = self.mailboxes.get_mut(&stream.number()) {
            mailbox.writer = Some(cx.waker().clone());
        }
    }

    fn next_packet(&mut self) -> Option<(Packet, Sums)> {
        let packet = self.connection.poll_packet();
        let packet = packet?;
        if packet.command == Command::Write {
            self.in_flight.push(packet.arg0);
        }
        let sums = self.connection.sums(&packet);
        Some((packet, sums))
    }

    /// The link has taken a packet.
    fn sent(&mut self, command: Command, id: u32) {
        if command == Command::Write
            && let Some(at) = self.in_flight.iter().position(|busy| *busy == id)
        {
            self.in_flight.swap_remove(at);
        }
        let Some(mailbox) = self.mailboxes.get_mut(&id) else {
            return;
        };
        match command {
            Command::Close => {
                mailbox.phase = Phase::Closed;
                mailbox.wake();
            }
            Command::Write => {
                if let Some(waker) = mailbox.writer.take() {
                    waker.wake();
                }
            }
            _ => {}
        }
    }

    /// Delivers events to mailboxes up to the first that is for the connection's owner.
    fn dispatch(&mut self) -> Option<Event> {
        while let Some(event) = self.connection.poll_event() {
            let (stream, phase) = match event {
                Event::Received { stream, bytes } => {
                    self.deliver(stream, bytes);
                    continue;
                }
                Event::Sent { .. } => continue,
                Event::Opened { stream } => (stream, Phase::Open),
                Event::Refused { stream } => (stream, Phase::Refused),
                Event::Closed { stream } => (stream, Phase::Closed),
                Event::Reset { stream } => (stream, Phase::Reset),
                event => return Some(event),
            };
            if let Some(mailbox) = self.mailboxes.get_mut(&stream.number()) {
                mailbox.phase = phase;
                mailbox.wake();
            }
        }
        None
    }

    fn deliver(&mut self, stream: StreamId, bytes: Bytes) {
        if let Some(mailbox) = self.mailboxes.get_mut(&stream.number()) {
            mailbox.put(bytes);
            if let Some(waker) = mailbox.reader.take() {
                waker.wake();
            }
        }
    }
}
