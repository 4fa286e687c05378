//! What answers the sync protocol's second version of STAT and LIST, as a handset writes it. Its
//! requests are read in `sync`; its SEND and RECV, which add compression, are not built.
//!
//! Source: AOSP `packages/modules/adb`, `file_sync_protocol.h` (packed, little-endian).

use crate::wire::adb::sync::length;

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
        assert_eq!(expected.len(), 72);
        let expected = [b"STA2\x02\0\0\0", &[0; 64][..]].concat();
        assert_eq!(emit_stat(true, Err(2)), expected);
        let expected = [b"DNT2\0\0\0\0", FIELDS, b"\x02\0\0\0ab"].concat();
        assert_eq!(emit_entry("ab", Ok(STAT)), expected);
        let expected = [b"DONE", &[0; 72][..]].concat();
        assert_eq!(emit_list_done(), expected);
    }
}
