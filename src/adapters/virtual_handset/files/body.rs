//! The contents of a regular file: shared chunks, so that large pushes and pulls copy little.

use super::error::FileError;
use crate::adapters::virtual_handset::kernel::scheduler::lock;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Chunks shorter than this are joined with what is appended to them.
const SMALL: usize = 4096;

/// A chunk grows by appending up to this size.
const LARGE: usize = 65536;

/// Bytes all files of one handset may hold together.
#[derive(Debug)]
pub(crate) struct Quota {
    limit: u64,
    used: AtomicU64,
}

impl Quota {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicU64::new(0),
        })
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes there can be.
    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    fn take(&self, len: u64) -> Result<(), FileError> {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(len).filter(|total| *total <= self.limit)
            })
            .map(|_| ())
            .map_err(|_| FileError::NoSpace)
    }

    fn give_back(&self, len: u64) {
        self.used.fetch_sub(len, Ordering::Relaxed);
    }
}

/// One regular file's contents. It outlives its name while someone has it open.
#[derive(Debug)]
pub(crate) struct FileBody {
    quota: Arc<Quota>,
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    /// By offset; holes are absent and read as zeros. Chunks never overlap.
    chunks: BTreeMap<u64, Bytes>,
    len: u64,
    /// Bytes charged to the quota.
    charged: u64,
    mtime: i64,
}

impl FileBody {
    /// An empty file.
    pub(crate) fn new(quota: &Arc<Quota>, mtime: i64) -> Arc<Self> {
        Arc::new(Self {
            quota: Arc::clone(quota),
            content: Mutex::new(Content {
                mtime,
                ..Content::default()
            }),
        })
    }

    /// Its length.
    pub(crate) fn len(&self) -> u64 {
        lock(&self.content).len
    }

    /// When it was last written, in seconds since the Unix epoch.
    pub(crate) fn mtime(&self) -> i64 {
        lock(&self.content).mtime
    }

    /// Sets the time of the last write.
    pub(crate) fn set_mtime(&self, mtime: i64) {
        lock(&self.content).mtime = mtime;
    }

    /// Up to `limit` bytes from `offset`; empty at the end.
    pub(crate) fn read_at(&self, offset: u64, limit: usize) -> Bytes {
        lock(&self.content).read_at(offset, limit)
    }

    /// The whole contents.
    pub(crate) fn read_all(&self) -> Bytes {
        let content = lock(&self.content);
        let mut all = BytesMut::new();
        let mut at = 0;
        loop {
            let part = content.read_at(at, LARGE * 16);
            if part.is_empty() {
                return all.freeze();
            }
            at += part.len() as u64;
            if all.is_empty() && at == content.len {
                return part;
            }
            all.extend_from_slice(&part);
        }
    }

    /// Writes at an offset, or at the end; gives the offset after the last byte.
    pub(crate) fn write_at(
        &self,
        offset: Option<u64>,
        bytes: Bytes,
        now: i64,
    ) -> Result<u64, FileError> {
        let mut content = lock(&self.content);
        let offset = offset.unwrap_or(content.len);
        let len = bytes.len() as u64;
        let end = offset.checked_add(len).ok_or(FileError::Invalid)?;
        // Overwritten bytes are charged twice until the next line settles it: never too little.
        self.quota.take(len)?;
        let freed = content.write_at(offset, bytes);
        self.quota.give_back(freed);
        content.charged = content.charged + len - freed;
        content.len = content.len.max(end);
        content.mtime = now;
        Ok(end)
    }

    /// Cuts the file, or lengthens it with a hole.
    pub(crate) fn set_len(&self, len: u64, now: i64) {
        let mut content = lock(&self.content);
        let freed = content.cut(len);
        self.quota.give_back(freed);
        content.charged -= freed;
        content.len = len;
        content.mtime = now;
    }
}

impl Drop for FileBody {
    fn drop(&mut self) {
        self.quota.give_back(lock(&self.content).charged);
    }
}

impl Content {
    fn read_at(&self, offset: u64, limit: usize) -> Bytes {
        if offset >= self.len || limit == 0 {
            return Bytes::new();
        }
        let left = usize::try_from(self.len - offset).unwrap_or(usize::MAX);
        let limit = limit.min(left);
        if let Some((start, chunk)) = self.chunks.range(..=offset).next_back() {
            let inside = usize::try_from(offset - start).unwrap_or(usize::MAX);
            if inside < chunk.len() {
                let end = chunk.len().min(inside.saturating_add(limit));
                return chunk.slice(inside..end);
            }
        }
        let hole = self.chunks.range(offset..).next().map_or(limit, |(at, _)| {
            usize::try_from(at - offset).unwrap_or(usize::MAX)
        });
        Bytes::from(vec![0; hole.min(limit).min(LARGE)])
    }

    /// Puts the bytes in place and says how many were replaced.
    fn write_at(&mut self, offset: u64, bytes: Bytes) -> u64 {
        if bytes.is_empty() {
            return 0;
        }
        if offset == self.len
            && let Some(mut last) = self.chunks.last_entry()
            && *last.key() + last.get().len() as u64 == offset
            && (bytes.len() < SMALL && last.get().len() + bytes.len() <= LARGE)
        {
            let mut joined = BytesMut::from(std::mem::take(last.get_mut()));
            joined.extend_from_slice(&bytes);
            last.insert(joined.freeze());
            return 0;
        }
        let freed = self.clear(offset, offset + bytes.len() as u64);
        self.chunks.insert(offset, bytes);
        freed
    }

    /// Removes what lies between two offsets.
    fn clear(&mut self, from: u64, to: u64) -> u64 {
        let mut freed = 0;
        let touched: Vec<u64> = self
            .chunks
            .range(..to)
            .rev()
            .take_while(|(at, chunk)| **at + chunk.len() as u64 > from)
            .map(|(at, _)| *at)
            .collect();
        for at in touched {
            let Some(chunk) = self.chunks.remove(&at) else {
                continue;
            };
            let end = at + chunk.len() as u64;
            freed += end.min(to) - at.max(from);
            let within = |offset: u64| usize::try_from(offset - at).unwrap_or(chunk.len());
            if at < from {
                self.chunks.insert(at, chunk.slice(..within(from)));
            }
            if end > to {
                self.chunks.insert(to, chunk.slice(within(to)..));
            }
        }
        freed
    }

    fn cut(&mut self, len: u64) -> u64 {
        if len < self.len {
            self.clear(len, self.len)
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Any sequence of writes and cuts leaves what a plain vector would hold.
        #[test]
        fn behaves_as_a_vector(
            acts in prop::collection::vec((0u16..300, prop::collection::vec(any::<u8>(), 0..80), any::<bool>()), 1..40)
        ) {
            let quota = Quota::new(100_000);
            let body = FileBody::new(&quota, 0);
            let mut model: Vec<u8> = Vec::new();
            for (offset, bytes, cut) in acts {
                let (at, offset) = (usize::from(offset), u64::from(offset));
                if cut {
                    body.set_len(offset, 1);
                    model.resize(at, 0);
                } else {
                    body.write_at(Some(offset), Bytes::from(bytes.clone()), 1).unwrap();
                    let end = at + bytes.len();
                    if model.len() < end { model.resize(end, 0); }
                    model[at..end].copy_from_slice(&bytes);
                }
                prop_assert_eq!(&body.read_all()[..], &model[..]);
                prop_assert!(quota.used() <= model.len() as u64);
            }
            drop(body);
            prop_assert_eq!(quota.used(), 0);
        }
    }

    #[test]
    fn a_full_disk_says_so_and_keeps_what_it_has() {
        let quota = Quota::new(10);
        let body = FileBody::new(&quota, 0);
        assert_eq!(
            body.write_at(None, Bytes::from_static(b"12345678"), 0),
            Ok(8)
        );
        let more = body.write_at(None, Bytes::from_static(b"123"), 0);
        assert_eq!(more, Err(FileError::NoSpace));
        assert_eq!(&body.read_all()[..], b"12345678");
    }
}
