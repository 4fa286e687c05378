//! A bounded pipe between two simulated processes, or between one and the transport.
//! It moves bytes; line discipline belongs to the terminal in `adbd`.

use super::scheduler::{Blocked, Scheduler, Wait, fire_all, lock};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Bytes a pipe holds before its writer blocks (Linux's default).
const CAPACITY: usize = 65536;

struct Shared {
    scheduler: Arc<Scheduler>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// An empty one ends the input once.
    chunks: VecDeque<Bytes>,
    len: usize,
    reader_gone: bool,
    writer_gone: bool,
    waits: Vec<Arc<Wait>>,
}

/// The end that reads. Dropping the last clone of its `Arc` breaks the pipe.
pub(crate) struct PipeReader(Arc<Shared>);

/// The end that writes. Dropping the last clone of its `Arc` ends the stream.
pub(crate) struct PipeWriter(Arc<Shared>);

/// The other end is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// A fresh pipe.
pub(crate) fn pipe(scheduler: &Arc<Scheduler>) -> (PipeReader, PipeWriter) {
    let shared = Arc::new(Shared {
        scheduler: Arc::clone(scheduler),
        state: Mutex::default(),
    });
    (PipeReader(Arc::clone(&shared)), PipeWriter(shared))
}

impl PipeReader {
    /// Takes up to `limit` bytes, or registers `wait` and gives `None`. Empty means the end.
    pub(crate) fn poll_read(&self, limit: usize, wait: &Arc<Wait>) -> Option<Bytes> {
        let mut state = lock(&self.0.state);
        if state.chunks.is_empty() {
            if state.writer_gone {
                return Some(Bytes::new());
            }
            state.waits.push(Arc::clone(wait));
            return None;
        }
        let taken = state.take(limit);
        fire_all(&mut state.waits);
        Some(taken)
    }

    /// Reads for the transport, which is no process and never keeps time from jumping.
    pub(crate) async fn read(&self, limit: usize) -> Bytes {
        loop {
            let wait = Wait::new(&self.0.scheduler, false);
            if let Some(bytes) = self.poll_read(limit, &wait) {
                return bytes;
            }
            Blocked::on(wait).await;
        }
    }

    /// Whether nothing waits to be read now.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0.state).len == 0
    }
}

impl PipeWriter {
    /// Writes the front of `bytes` as far as there is room, or registers `wait` and gives `None`.
    pub(crate) fn poll_write(
        &self,
        bytes: &mut Bytes,
        wait: &Arc<Wait>,
    ) -> Option<Result<(), Broken>> {
        let mut state = lock(&self.0.state);
        if state.reader_gone {
            return Some(Err(Broken));
        }
        let room = CAPACITY.saturating_sub(state.len);
        if room == 0 {
            state.waits.push(Arc::clone(wait));
            return None;
        }
        let part = bytes.split_to(room.min(bytes.len()));
        state.push(part);
        fire_all(&mut state.waits);
        Some(Ok(()))
    }

    /// Writes for the transport, whole.
    pub(crate) async fn write(&self, mut bytes: Bytes) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let wait = Wait::new(&self.0.scheduler, false);
            match self.poll_write(&mut bytes, &wait) {
                Some(result) => result?,
                None => Blocked::on(wait).await,
            }
        }
        Ok(())
    }

    /// Writes what there is room for now and forgets the rest, as a terminal's echo does.
    pub(crate) fn offer(&self, mut bytes: Bytes) {
        let mut state = lock(&self.0.state);
        if !state.reader_gone {
            let room = CAPACITY.saturating_sub(state.len);
            bytes.truncate(room);
            state.push(bytes);
            fire_all(&mut state.waits);
        }
    }

    /// Ends the input once, as Ctrl-D on an empty line does: one read gets nothing, later ones wait again.
    pub(crate) fn end_once(&self) {
        let mut state = lock(&self.0.state);
        let is_marked = state.chunks.back().is_some_and(Bytes::is_empty);
        if !state.reader_gone && !is_marked {
            state.chunks.push_back(Bytes::new());
            fire_all(&mut state.waits);
        }
    }
}

impl State {
    fn push(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len();
        // Many one-byte writes must not become many allocations.
        match self.chunks.back_mut() {
            Some(last) if !last.is_empty() && last.len() + bytes.len() <= 512 => {
                let mut joined = BytesMut::with_capacity(last.len() + bytes.len());
                joined.extend_from_slice(last);
                joined.extend_from_slice(&bytes);
                *last = joined.freeze();
            }
            _ => self.chunks.push_back(bytes),
        }
    }

    fn take(&mut self, limit: usize) -> Bytes {
        let Some(front) = self.chunks.front_mut() else {
            return Bytes::new();
        };
        let taken = front.split_to(limit.min(front.len()));
        if front.is_empty() {
            self.chunks.pop_front();
        }
        self.len -= taken.len();
        taken
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.reader_gone = true;
        state.chunks.clear();
        state.len = 0;
        fire_all(&mut state.waits);
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.writer_gone = true;
        fire_all(&mut state.waits);
    }
}
