//! The sync protocol, both directions: requests of both versions, and what answers those of version
//! 1; `sync_v2` has the other answers. Compresses nothing, reads and writes no file.
//!
//! Source: AOSP `packages/modules/adb`, `file_sync_protocol.h`, `docs/dev/sync.md` and
//! `daemon/file_sync_service.cpp`.

use crate::base::bytes::Reader;
use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// The most bytes of one DATA message.
pub const MAX_DATA: usize = 64 * 1024;

/// Bytes before those of a `DATA`.
pub const DATA_HEADER_LEN: usize = 8;

/// The longest path of a request.
pub const MAX_PATH: usize = 1024;

/// The longest name of an entry; Linux has 255.
pub(super) const MAX_NAME: usize = 1024;

/// The longest FAIL message that is read.
const MAX_FAIL: usize = 64 * 1024;

/// The letters of every request.
const REQUESTS: [&[u8; 4]; 10] = [
    b"STAT", b"STA2", b"LST2", b"LIST", b"LIS2", b"SEND", b"SND2", b"RECV", b"RCV2", b"QUIT",
];

/// What a host asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `STAT`: of the path itself, links not followed.
    Stat {
        /// Of what.
        path: String,
    },
    /// `LST2`, or with `follow` `STA2`: the same with all that is known.
    StatV2 {
        /// Of what.
        path: String,
        /// Whether links are followed.
        follow: bool,
    },
    /// `LIST`: the entries of a directory.
    List {
        /// Which.
        path: String,
    },
    /// `LIS2`: the same with all that is known.
    ListV2 {
        /// Which.
        path: String,
    },
    /// `SEND`: chunks follow.
    Send {
        /// To where.
        path: String,
        /// `st_mode`; `None` when the request has none that can be read.
        mode: Option<u32>,
    },
    /// `RECV`: chunks are wanted.
    Receive {
        /// From where.
        path: String,
    },
    /// `SND2`: chunks follow, maybe compressed.
    SendV2 {
        /// To where.
        path: String,
        /// `st_mode`.
        mode: u32,
        /// As [`Compression::of_flags`](crate::wire::adb::compression::Compression::of_flags) reads them.
        flags: u32,
    },
    /// `RCV2`: chunks are wanted, maybe compressed.
    ReceiveV2 {
        /// From where.
        path: String,
        /// As those of `SND2`.
        flags: u32,
    },
    /// `QUIT`: no more requests.
    Quit,
}

/// What `STAT` answers; all zero for a path that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// `st_mode`.
    pub mode: u32,
    /// Bytes, modulo 2^32.
    pub size: u32,
    /// Seconds since the Unix epoch.
    pub mtime: u32,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the directory.
    pub name: String,
    /// What it is.
    pub stat: Stat,
}

/// One step of `LIST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// An entry; more follow.
    Entry(Entry),
    /// There are no more.
    Done,
    /// The other side gave up, and why.
    Fail(String),
}

/// One step of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Bytes; more follow.
    Bytes(Bytes),
    /// The end; of `SEND` with the file's time.
    Done {
        /// Seconds since the Unix epoch.
        mtime: u32,
    },
    /// The other side gave up, and why.
    Fail(String),
}

/// How `SEND` ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The file is there.
    Okay,
    /// It is not, and why.
    Fail(String),
}

/// Why bytes are not the sync protocol.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SyncCodecError {
    /// A message that has no place here.
    #[error("a sync message `{}`, which has no place here", id.escape_ascii())]
    Unexpected {
        /// Its four letters.
        id: [u8; 4],
    },
    /// A message longer than the protocol allows.
    #[error("a sync message `{}` of {len} bytes, more than {limit}", id.escape_ascii())]
    TooLong {
        /// Its four letters.
        id: [u8; 4],
        /// Claimed.
        len: usize,
        /// Allowed.
        limit: usize,
    },
}

impl Request {
    /// The request's bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        match self {
            Self::Stat { path } => message(b"STAT", path.as_bytes()),
            Self::StatV2 { path, follow: true } => message(b"STA2", path.as_bytes()),
            Self::StatV2 { path, .. } => message(b"LST2", path.as_bytes()),
            Self::List { path } => message(b"LIST", path.as_bytes()),
            Self::ListV2 { path } => message(b"LIS2", path.as_bytes()),
            Self::Receive { path } => message(b"RECV", path.as_bytes()),
            Self::Send { path, mode: None } => message(b"SEND", path.as_bytes()),
            Self::Send {
                path,
                mode: Some(mode),
            } => message(b"SEND", format!("{path},{mode}").as_bytes()),
            Self::SendV2 { path, mode, flags } => {
                let mut bytes = message(b"SND2", path.as_bytes());
                bytes.extend(words(b"SND2", &[*mode, *flags]));
                bytes
            }
            Self::ReceiveV2 { path, flags } => {
                let mut bytes = message(b"RCV2", path.as_bytes());
                bytes.extend(words(b"RCV2", &[*flags]));
                bytes
            }
            Self::Quit => message(b"QUIT", b""),
        }
    }

    /// Bytes that its path takes in the request.
    #[must_use]
    pub fn path_len(&self) -> usize {
        match self {
            Self::SendV2 { path, .. } | Self::ReceiveV2 { path, .. } => path.len(),
            _ => self.emit().len().saturating_sub(8),
        }
    }
}

/// `DATA`; at most [`MAX_DATA`] bytes.
#[must_use]
pub fn emit_data(bytes: &[u8]) -> Vec<u8> {
    message(b"DATA", bytes)
}

/// What stands before the bytes of a `DATA`, at most [`MAX_DATA`].
#[must_use]
pub fn emit_data_header(len: usize) -> Vec<u8> {
    words(b"DATA", &[u32::try_from(len).unwrap_or(u32::MAX)])
}

/// `DONE` at a file's end, with its time where the host sends it.
#[must_use]
pub fn emit_done(mtime: u32) -> Vec<u8> {
    words(b"DONE", &[mtime])
}

/// `OKAY`.
#[must_use]
pub fn emit_okay() -> Vec<u8> {
    words(b"OKAY", &[0])
}

/// `FAIL` with the reason.
#[must_use]
pub fn emit_fail(reason: &str) -> Vec<u8> {
    message(b"FAIL", reason.as_bytes())
}

/// The answer to `STAT`.
#[must_use]
pub fn emit_stat(stat: Stat) -> Vec<u8> {
    words(b"STAT", &[stat.mode, stat.size, stat.mtime])
}

/// One entry of the answer to `LIST`.
#[must_use]
pub fn emit_entry(entry: &Entry) -> Vec<u8> {
    let Stat { mode, size, mtime } = entry.stat;
    let mut bytes = words(b"DENT", &[mode, size, mtime, length(entry.name.as_bytes())]);
    bytes.extend(entry.name.as_bytes());
    bytes
}

/// The end of the answer to `LIST`.
#[must_use]
pub fn emit_list_done() -> Vec<u8> {
    words(b"DONE", &[0; 4])
}

fn message(id: &[u8; 4], bytes: &[u8]) -> Vec<u8> {
    [&words(id, &[length(bytes)]), bytes].concat()
}

fn words(id: &[u8; 4], words: &[u32]) -> Vec<u8> {
    let words = words.iter().flat_map(|word| word.to_le_bytes());
    id.iter().copied().chain(words).collect()
}

pub(super) fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a sync message is far below 4 GiB")
}

/// Cuts a stream into messages; the caller knows which kind comes next. Buffers what has arrived,
/// never what is only claimed. Each `next_*` gives `None` until more bytes arrive, and after an
/// error the stream is lost.
#[derive(Debug, Default)]
pub struct SyncDecoder {
    buffer: BytesMut,
}

impl SyncDecoder {
    /// Takes bytes as they arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where a reader may append bytes as they arrive, in place of [`Self::push`].
    pub const fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether no message is half read.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Device side: the next request.
    pub fn next_request(&mut self) -> Result<Option<Request>, SyncCodecError> {
        let Some((id, [_])) = self.peek() else {
            return Ok(None);
        };
        if !REQUESTS.contains(&&id) {
            return Err(SyncCodecError::Unexpected { id });
        }
        match &id {
            b"SND2" => {
                let read = self.path_and_words(id)?;
                Ok(read.map(|(path, [mode, flags])| Request::SendV2 { path, mode, flags }))
            }
            b"RCV2" => {
                let read = self.path_and_words(id)?;
                Ok(read.map(|(path, [flags])| Request::ReceiveV2 { path, flags }))
            }
            _ => {
                let path = self.body::<1>(id, MAX_PATH)?;
                Ok(path.map(|(_, path)| request(id, &path)))
            }
        }
    }

    /// Takes the two messages of a request of version 2: the path, then words with the same letters.
    fn path_and_words<const N: usize>(
        &mut self,
        id: [u8; 4],
    ) -> Result<Option<(String, [u32; N])>, SyncCodecError> {
        let Some((_, [claimed])) = self.peek() else {
            return Ok(None);
        };
        let len = usize::try_from(claimed).unwrap_or(usize::MAX);
        if len > MAX_PATH {
            let limit = MAX_PATH;
            return Err(SyncCodecError::TooLong { id, len, limit });
        }
        let second = self.buffer.get(8 + len..).unwrap_or_default();
        let Some((again, words)) = peek(second) else {
            return Ok(None);
        };
        if again != id {
            return Err(SyncCodecError::Unexpected { id: again });
        }
        let Some((_, path)) = self.body::<1>(id, MAX_PATH)? else {
            return Ok(None);
        };
        self.buffer.advance(4 + 4 * N);
        Ok(Some((c_string(&path), words)))
    }

    /// Either side: the next chunk of a file.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, SyncCodecError> {
        let Some((id, [mtime])) = self.peek() else {
            return Ok(None);
        };
        match &id {
            b"DATA" => Ok(self
                .body::<1>(id, MAX_DATA)?
                .map(|(_, bytes)| Chunk::Bytes(bytes))),
            b"DONE" => {
                self.buffer.advance(8);
                Ok(Some(Chunk::Done { mtime }))
            }
            b"FAIL" => Ok(self.fail(id)?.map(Chunk::Fail)),
            _ => Err(SyncCodecError::Unexpected { id }),
        }
    }

    /// Host side: the answer to `STAT`.
    pub fn next_stat(&mut self) -> Result<Option<Stat>, SyncCodecError> {
        if let Some((id, [_])) = self.peek()
            && id != *b"STAT"
        {
            return Err(SyncCodecError::Unexpected { id });
        }
        let Some((_, [mode, size, mtime])) = self.peek() else {
            return Ok(None);
        };
        self.buffer.advance(16);
        Ok(Some(Stat { mode, size, mtime }))
    }

    /// Host side: the next part of the answer to `LIST`.
    pub fn next_listed(&mut self) -> Result<Option<Listed>, SyncCodecError> {
        let Some((id, [_])) = self.peek() else {
            return Ok(None);
        };
        match &id {
            b"FAIL" => return Ok(self.fail(id)?.map(Listed::Fail)),
            b"DENT" | b"DONE" => {}
            _ => return Err(SyncCodecError::Unexpected { id }),
        }
        let Some(([mode, size, mtime, _], name)) = self.body::<4>(id, MAX_NAME)? else {
            return Ok(None);
        };
        if id == *b"DONE" {
            return Ok(Some(Listed::Done));
        }
        let stat = Stat { mode, size, mtime };
        let name = text(&name);
        Ok(Some(Listed::Entry(Entry { name, stat })))
    }

    /// Host side: how `SEND` ended.
    pub fn next_status(&mut self) -> Result<Option<Status>, SyncCodecError> {
        let Some((id, [_])) = self.peek() else {
            return Ok(None);
        };
        match &id {
            b"OKAY" => {
                self.buffer.advance(8);
                Ok(Some(Status::Okay))
            }
            b"FAIL" => Ok(self.fail(id)?.map(Status::Fail)),
            _ => Err(SyncCodecError::Unexpected { id }),
        }
    }

    pub(super) fn fail(&mut self, id: [u8; 4]) -> Result<Option<String>, SyncCodecError> {
        let body = self.body::<1>(id, MAX_FAIL)?;
        Ok(body.map(|(_, reason)| text(&reason)))
    }

    /// The letters and words in front, nothing taken.
    pub(super) fn peek<const N: usize>(&self) -> Option<([u8; 4], [u32; N])> {
        peek(&self.buffer)
    }

    /// Takes the letters and words in front.
    pub(super) fn skip<const N: usize>(&mut self) {
        self.buffer.advance((4 + 4 * N).min(self.buffer.len()));
    }

    /// Takes a message whose last word is the length of what follows its words.
    pub(super) fn body<const N: usize>(
        &mut self,
        id: [u8; 4],
        limit: usize,
    ) -> Result<Option<([u32; N], Bytes)>, SyncCodecError> {
        let Some((_, words)) = self.peek::<N>() else {
            return Ok(None);
        };
        let claimed = words.last().copied().unwrap_or_default();
        let len = usize::try_from(claimed).unwrap_or(usize::MAX);
        if len > limit {
            return Err(SyncCodecError::TooLong { id, len, limit });
        }
        let head = 4 + 4 * N;
        if self.buffer.len() < head + len {
            return Ok(None);
        }
        self.buffer.advance(head);
        Ok(Some((words, self.buffer.split_to(len).freeze())))
    }
}

/// The letters and words that bytes begin with.
fn peek<const N: usize>(bytes: &[u8]) -> Option<([u8; 4], [u32; N])> {
    let mut reader = Reader::new(bytes);
    let id = reader.array().ok()?;
    let mut words = [0; N];
    for word in &mut words {
        *word = reader.u32_le().ok()?;
    }
    Some((id, words))
}

/// adbd reads paths as C strings.
fn c_string(bytes: &[u8]) -> String {
    text(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn request(id: [u8; 4], path: &[u8]) -> Request {
    let path = c_string(path);
    match &id {
        b"STAT" => Request::Stat { path },
        b"STA2" => Request::StatV2 { path, follow: true },
        b"LST2" => Request::StatV2 {
            path,
            follow: false,
        },
        b"LIST" => Request::List { path },
        b"LIS2" => Request::ListV2 { path },
        b"RECV" => Request::Receive { path },
        b"SEND" => match path.rsplit_once(',') {
            Some((path, mode)) => Request::Send {
                path: path.to_owned(),
                mode: number(mode),
            },
            None => Request::Send { path, mode: None },
        },
        _ => Request::Quit,
    }
}

/// A number as `strtoul` reads it with base 0: decimal, `0x…` or, after a zero, octal.
fn number(text: &str) -> Option<u32> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u32::from_str_radix(hex, 16).ok();
    }
    let radix = if text.starts_with('0') { 8 } else { 10 };
    u32::from_str_radix(text, radix).ok()
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoder(bytes: &[u8]) -> SyncDecoder {
        let mut decoder = SyncDecoder::default();
        decoder.push(bytes);
        decoder
    }

    /// The bytes as `file_sync_protocol.h` lays them out.
    #[test]
    fn reads_and_writes_the_documented_bytes() {
        let stat = Stat {
            mode: 0o100_644,
            size: 5,
            mtime: 0x0102_0304,
        };
        let bytes = b"STAT\xa4\x81\0\0\x05\0\0\0\x04\x03\x02\x01";
        assert_eq!(emit_stat(stat), bytes);
        assert_eq!(decoder(bytes).next_stat(), Ok(Some(stat)));

        let entry = Entry {
            name: "a.txt".into(),
            stat,
        };
        let bytes = b"DENT\xa4\x81\0\0\x05\0\0\0\x04\x03\x02\x01\x05\0\0\0a.txt";
        assert_eq!(emit_entry(&entry), bytes);
        assert_eq!(decoder(bytes).next_listed(), Ok(Some(Listed::Entry(entry))));
        let done = b"DONE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(emit_list_done(), done);
        assert_eq!(decoder(done).next_listed(), Ok(Some(Listed::Done)));

        let send = Request::Send {
            path: "/sdcard/a,b".into(),
            mode: Some(33188),
        };
        let bytes = b"SEND\x11\0\0\0/sdcard/a,b,33188";
        assert_eq!(send.emit(), bytes);
        assert_eq!(decoder(bytes).next_request(), Ok(Some(send)));

        let send = Request::SendV2 {
            path: "/a".into(),
            mode: 33188,
            flags: 4,
        };
        let bytes = b"SND2\x02\0\0\0/aSND2\xa4\x81\0\0\x04\0\0\0";
        assert_eq!(send.emit(), bytes);
        assert_eq!(decoder(bytes).next_request(), Ok(Some(send)));
        let receive = Request::ReceiveV2 {
            path: "/a".into(),
            flags: 0x8000_0001,
        };
        let bytes = b"RCV2\x02\0\0\0/aRCV2\x01\0\0\x80";
        assert_eq!(receive.emit(), bytes);
        assert_eq!(decoder(bytes).next_request(), Ok(Some(receive)));

        assert_eq!(emit_data(b"xyz"), b"DATA\x03\0\0\0xyz");
        assert_eq!(emit_done(256), b"DONE\0\x01\0\0");
        assert_eq!(emit_okay(), b"OKAY\0\0\0\0");
        assert_eq!(emit_fail("no"), b"FAIL\x02\0\0\0no");
        assert_eq!(Request::Quit.emit(), b"QUIT\0\0\0\0");
    }

    #[test]
    fn reads_modes_as_strtoul_does() {
        let cases = [
            ("33188", Some(33188)),
            ("0644", Some(0o644)),
            ("0x1ff", Some(0x1ff)),
            ("0", Some(0)),
            ("", None),
            ("rw", None),
        ];
        for (text, expected) in cases {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_has_no_place() {
        let too_long = |id: &[u8; 4], len, limit| SyncCodecError::TooLong {
            id: *id,
            len,
            limit,
        };
        assert_eq!(
            decoder(b"DATA\x01\0\x01\0").next_chunk(),
            Err(too_long(b"DATA", 65537, MAX_DATA))
        );
        assert_eq!(
            decoder(b"RECV\xff\xff\xff\xff").next_request(),
            Err(too_long(b"RECV", 0xffff_ffff, MAX_PATH))
        );
        assert_eq!(
            decoder(b"SND2\x01\x04\0\0").next_request(),
            Err(too_long(b"SND2", 1025, MAX_PATH))
        );
        assert_eq!(
            decoder(b"RCV2\0\0\0\0SND2\0\0\0\0").next_request(),
            Err(SyncCodecError::Unexpected { id: *b"SND2" })
        );
        let unexpected = SyncCodecError::Unexpected { id: *b"\x01\x02OK" };
        assert_eq!(
            decoder(b"\x01\x02OK\0\0\0\0").next_status(),
            Err(unexpected.clone())
        );
        assert_eq!(
            unexpected.to_string(),
            r"a sync message `\x01\x02OK`, which has no place here"
        );
    }

    fn requests() -> impl Strategy<Value = Request> {
        let path = "[a-z/ é]{0,40}";
        prop_oneof![
            path.prop_map(|path| Request::Stat { path }),
            (path, any::<bool>()).prop_map(|(path, follow)| Request::StatV2 { path, follow }),
            path.prop_map(|path| Request::List { path }),
            path.prop_map(|path| Request::ListV2 { path }),
            path.prop_map(|path| Request::Receive { path }),
            (path, any::<u32>()).prop_map(|(path, mode)| Request::Send {
                path,
                mode: Some(mode)
            }),
            (path, any::<u32>(), any::<u32>()).prop_map(|(path, mode, flags)| Request::SendV2 {
                path,
                mode,
                flags
            }),
            (path, any::<u32>()).prop_map(|(path, flags)| Request::ReceiveV2 { path, flags }),
            Just(Request::Quit),
        ]
    }

    type Next<T> = fn(&mut SyncDecoder) -> Result<Option<T>, SyncCodecError>;

    /// Whole it is read; cut anywhere it is waited for.
    fn check<T: PartialEq + std::fmt::Debug>(bytes: &[u8], next: Next<T>, expected: &T) {
        for len in 0..bytes.len() {
            let mut decoder = decoder(&bytes[..len]);
            assert_eq!(next(&mut decoder), Ok(None));
            decoder.push(&bytes[len..]);
            assert_eq!(next(&mut decoder).unwrap().as_ref(), Some(expected));
            assert!(decoder.is_at_boundary());
        }
    }

    proptest! {
        #[test]
        fn requests_round_trip(request in requests()) {
            check(&request.emit(), SyncDecoder::next_request, &request);
        }

        #[test]
        fn answers_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..80), words in any::<(u32, u32, u32)>(), name in ".{0,30}") {
            let stat = Stat { mode: words.0, size: words.1, mtime: words.2 };
            check(&emit_stat(stat), SyncDecoder::next_stat, &stat);
            check(&emit_data(&bytes), SyncDecoder::next_chunk, &Chunk::Bytes(bytes.into()));
            check(&emit_done(words.0), SyncDecoder::next_chunk, &Chunk::Done { mtime: words.0 });
            check(&emit_fail(&name), SyncDecoder::next_chunk, &Chunk::Fail(name.clone()));
            check(&emit_fail(&name), SyncDecoder::next_status, &Status::Fail(name.clone()));
            check(&emit_fail(&name), SyncDecoder::next_listed, &Listed::Fail(name.clone()));
            check(&emit_okay(), SyncDecoder::next_status, &Status::Okay);
            check(&emit_list_done(), SyncDecoder::next_listed, &Listed::Done);
            let entry = Entry { name, stat };
            check(&emit_entry(&entry), SyncDecoder::next_listed, &Listed::Entry(entry));
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), id in prop::sample::select(vec!["STAT", "LIST", "SEND", "RECV", "QUIT", "DATA", "DONE", "DENT", "FAIL", "OKAY"])) {
            for input in [bytes.clone(), [id.as_bytes(), &bytes].concat()] {
                let _ = decoder(&input).next_request();
                let _ = decoder(&input).next_chunk();
                let _ = decoder(&input).next_stat();
                let _ = decoder(&input).next_listed();
                let _ = decoder(&input).next_status();
            }
        }
    }
}
