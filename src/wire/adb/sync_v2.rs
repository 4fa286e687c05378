//! What answers the sync protocol's second version of STAT and LIST, both directions: 64-bit sizes
//! and times, and the reason why nothing is known. The requests are in `sync`.
//!
//! Source: AOSP `packages/modules/adb`, `file_sync_protocol.h` (packed, little-endian).

use crate::base::bytes::{Reader, Truncated};
use crate::wire::adb::sync::{MAX_NAME, SyncCodecError, SyncDecoder, length, text};

/// What is known of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatV2 {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
    /// `st_mode`.
    pub mode: u32,
    /// `st_nlink`.
    pub links: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Last read, in seconds since the Unix epoch, as the next two.
    pub atime: i64,
    /// Last written.
    pub mtime: i64,
    /// Last changed in any way.
    pub ctime: i64,
}

/// The answer to `STA2` (with `follow`) or `LST2`: what is known, or the errno.
#[must_use]
pub fn emit_stat(follow: bool, stat: Result<StatV2, u32>) -> Vec<u8> {
    record(if follow { b"STA2" } else { b"LST2" }, stat)
}

/// One entry of the answer to `LIS2`.
#[must_use]
pub fn emit_entry(name: &str, stat: Result<StatV2, u32>) -> Vec<u8> {
    let mut bytes = record(b"DNT2", stat);
    bytes.extend(length(name.as_bytes()).to_le_bytes());
    bytes.extend(name.as_bytes());
    bytes
}

/// The end of the answer to `LIS2`.
#[must_use]
pub fn emit_list_done() -> Vec<u8> {
    let mut bytes = record(b"DONE", Ok(StatV2::default()));
    bytes.extend([0; 4]);
    bytes
}

/// One step of `LIS2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedV2 {
    /// An entry; more follow.
    Entry {
        /// Its name in the directory.
        name: String,
        /// What it is, or the errno.
        stat: Result<StatV2, u32>,
    },
    /// There are no more.
    Done,
    /// The other side gave up, and why.
    Fail(String),
}

/// Words of a record after its letters, and of one that ends in a name's length.
const WORDS: usize = 17;
const WORDS_WITH_NAME: usize = WORDS + 1;

impl SyncDecoder {
    /// Host side: the answer to `STA2` and `LST2`, or the errno.
    pub fn next_stat_v2(&mut self) -> Result<Option<Result<StatV2, u32>>, SyncCodecError> {
        let Some((id, [_])) = self.peek() else {
            return Ok(None);
        };
        if id != *b"STA2" && id != *b"LST2" {
            return Err(SyncCodecError::Unexpected { id });
        }
        let Some((_, words)) = self.peek::<WORDS>() else {
            return Ok(None);
        };
        self.skip::<WORDS>();
        Ok(Some(stat(&words)))
    }

    /// Host side: the next part of the answer to `LIS2`.
    pub fn next_listed_v2(&mut self) -> Result<Option<ListedV2>, SyncCodecError> {
        let Some((id, [_])) = self.peek() else {
            return Ok(None);
        };
        match &id {
            b"FAIL" => return Ok(self.fail(id)?.map(ListedV2::Fail)),
            b"DNT2" | b"DONE" => {}
            _ => return Err(SyncCodecError::Unexpected { id }),
        }
        let Some((words, name)) = self.body::<WORDS_WITH_NAME>(id, MAX_NAME)? else {
            return Ok(None);
        };
        if id == *b"DONE" {
            return Ok(Some(ListedV2::Done));
        }
        let (name, stat) = (text(&name), stat(&words));
        Ok(Some(ListedV2::Entry { name, stat }))
    }
}

/// A record's words as what they say.
fn stat(words: &[u32]) -> Result<StatV2, u32> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut reader = Reader::new(&bytes);
    let read = (|| -> Result<(u32, StatV2), Truncated> {
        Ok((
            reader.u32_le()?,
            StatV2 {
                device: u64::from_le_bytes(reader.array()?),
                inode: u64::from_le_bytes(reader.array()?),
                mode: reader.u32_le()?,
                links: reader.u32_le()?,
                uid: reader.u32_le()?,
                gid: reader.u32_le()?,
                size: u64::from_le_bytes(reader.array()?),
                atime: i64::from_le_bytes(reader.array()?),
                mtime: i64::from_le_bytes(reader.array()?),
                ctime: i64::from_le_bytes(reader.array()?),
            },
        ))
    })();
    let (error, stat) = read.expect("a record has all its words");
    if error == 0 { Ok(stat) } else { Err(error) }
}

fn record(id: &[u8; 4], stat: Result<StatV2, u32>) -> Vec<u8> {
    let (error, stat) = match stat {
        Ok(stat) => (0, stat),
        Err(error) => (error, StatV2::default()),
    };
    let mut bytes = id.to_vec();
    bytes.extend(error.to_le_bytes());
    for word in [stat.device, stat.inode] {
        bytes.extend(word.to_le_bytes());
    }
    for word in [stat.mode, stat.links, stat.uid, stat.gid] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(stat.size.to_le_bytes());
    for time in [stat.atime, stat.mtime, stat.ctime] {
        bytes.extend(time.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: StatV2 = StatV2 {
        device: 1,
        inode: 2,
        mode: 0o100_644,
        links: 3,
        uid: 4,
        gid: 5,
        size: 0x1_0000_0006,
        atime: 7,
        mtime: -8,
        ctime: 9,
    };

    /// The fields of `sync_stat_v2` in their order, by the header's offsets.
    const FIELDS: &[u8] =
        b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\xa4\x81\0\0\x03\0\0\0\x04\0\0\0\x05\0\0\0\
        \x06\0\0\0\x01\0\0\0\x07\0\0\0\0\0\0\0\xf8\xff\xff\xff\xff\xff\xff\xff\x09\0\0\0\0\0\0\0";

    #[test]
    fn writes_the_packed_structures() {
        let expected = [b"LST2\0\0\0\0", FIELDS].concat();
        assert_eq!(emit_stat(false, Ok(STAT)), expected);
        check(&expected, SyncDecoder::next_stat_v2, &Ok(STAT));
        assert_eq!(expected.len(), 72);
        let expected = [b"STA2\x02\0\0\0", &[0; 64][..]].concat();
        assert_eq!(emit_stat(true, Err(2)), expected);
        check(&expected, SyncDecoder::next_stat_v2, &Err(2));
        let expected = [b"DNT2\0\0\0\0", FIELDS, b"\x02\0\0\0ab"].concat();
        assert_eq!(emit_entry("ab", Ok(STAT)), expected);
        let entry = ListedV2::Entry {
            name: "ab".to_owned(),
            stat: Ok(STAT),
        };
        check(&expected, SyncDecoder::next_listed_v2, &entry);
        let expected = [b"DONE", &[0; 72][..]].concat();
        assert_eq!(emit_list_done(), expected);
        check(&expected, SyncDecoder::next_listed_v2, &ListedV2::Done);
        let fail = ListedV2::Fail("no".to_owned());
        check(b"FAIL\x02\0\0\0no", SyncDecoder::next_listed_v2, &fail);
    }

    type Next<T> = fn(&mut SyncDecoder) -> Result<Option<T>, SyncCodecError>;

    /// Whole it is read; cut anywhere it is waited for.
    fn check<T: PartialEq + core::fmt::Debug>(bytes: &[u8], next: Next<T>, expected: &T) {
        for len in 0..bytes.len() {
            let mut decoder = SyncDecoder::default();
            decoder.push(&bytes[..len]);
            assert_eq!(next(&mut decoder), Ok(None));
            decoder.push(&bytes[len..]);
            assert_eq!(next(&mut decoder).unwrap().as_ref(), Some(expected));
            assert!(decoder.is_at_boundary());
        }
    }

    #[test]
    fn refuses_what_has_no_place() {
        let mut decoder = SyncDecoder::default();
        decoder.push(b"STAT\0\0\0\0");
        let unexpected = SyncCodecError::Unexpected { id: *b"STAT" };
        assert_eq!(decoder.next_stat_v2(), Err(unexpected.clone()));
        assert_eq!(decoder.next_listed_v2(), Err(unexpected));
        let mut decoder = SyncDecoder::default();
        decoder.push(&[b"DNT2\0\0\0\0", FIELDS, b"\x01\x04\0\0"].concat());
        let too_long = SyncCodecError::TooLong {
            id: *b"DNT2",
            len: 1025,
            limit: 1024,
        };
        assert_eq!(decoder.next_listed_v2(), Err(too_long));
    }
}
