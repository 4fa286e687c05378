//! What PCAPdroid adds to a capture to say whose packet it is: a trailer behind each frame of a pcap,
//! comments and a block of its own in a pcapng. Format: PCAPdroid's `core/pcap_dump.h` and
//! `core/pcap_dump.c` (version 1.7). It trusts none of it: a checksum proves no app.

use crate::base::bytes::Reader;
use crate::wire::pcap::link_type::LinkType;

/// PCAPdroid's private enterprise number.
const ENTERPRISE: u32 = 62652;

const TRAILER_BYTES: usize = 32;
const TRAILER_MAGIC: u32 = 0x0107_2021;

/// What stands behind a frame: magic, user, label of 20 bytes, checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trailer<'a> {
    /// `None` if PCAPdroid did not know.
    pub(super) uid: Option<u32>,
    /// The app's label, cut to 19 bytes.
    pub(super) label: Option<&'a str>,
}

impl<'a> Trailer<'a> {
    /// Splits a frame with a trailer into both. The Ethernet header before it is made up and has
    /// addresses of zeros.
    pub(super) fn split(link: LinkType, frame: &'a [u8]) -> Option<(&'a [u8], Self)> {
        const ADDRESSES: [u8; 12] = [0; 12];
        if link != LinkType::ETHERNET || !frame.starts_with(&ADDRESSES) {
            return None;
        }
        let (data, trailer) = frame.split_at_checked(frame.len().checked_sub(TRAILER_BYTES)?)?;
        let mut reader = Reader::new(trailer);
        if reader.u32_be().ok()? != TRAILER_MAGIC {
            return None;
        }
        let uid = known_uid(reader.u32_be().ok()?);
        let label = reader.take(20).ok()?;
        let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
        // A label that is cut amid a character is known up to there.
        let label = match str::from_utf8(label) {
            Ok(label) => label,
            Err(error) => str::from_utf8(label.get(..error.valid_up_to())?).ok()?,
        };
        let label = (!label.is_empty()).then_some(label);
        Some((data, Self { uid, label }))
    }
}

/// PCAPdroid's own block: which app a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UidMap<'a> {
    pub(super) uid: Option<u32>,
    pub(super) package: &'a str,
}

impl<'a> UidMap<'a> {
    /// Reads what stands behind the enterprise number of a custom block.
    pub(super) fn parse(enterprise: u32, data: &'a [u8], big_endian: bool) -> Option<Self> {
        const NEWEST_VERSION: u16 = 1;
        const UID_MAP: u8 = 1;
        if enterprise != ENTERPRISE {
            return None;
        }
        let mut reader = Reader::new(data);
        let (version, kind) = match big_endian {
            true => (reader.u16_be().ok()?, reader.u8().ok()?),
            false => (reader.u16_le().ok()?, reader.u8().ok()?),
        };
        if version > NEWEST_VERSION || kind != UID_MAP {
            return None;
        }
        let _padding = reader.u8().ok()?;
        let uid = match big_endian {
            true => reader.u32_be().ok()?,
            false => reader.u32_le().ok()?,
        };
        let package_len = reader.u8().ok()?;
        let _label_len = reader.u8().ok()?;
        let package = str::from_utf8(reader.take(usize::from(package_len)).ok()?).ok()?;
        (!package.is_empty()).then_some(Self {
            uid: known_uid(uid),
            package,
        })
    }
}

/// The user that a packet's comment names: `u-10123`.
pub(super) fn uid_of_comment(comment: &[u8]) -> Option<u32> {
    let digits = comment.trim_ascii().strip_prefix(b"u-")?;
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Users are signed numbers there, and those below zero nobody.
fn known_uid(uid: u32) -> Option<u32> {
    i32::try_from(uid).ok().and_then(|uid| uid.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// After `pcapdroid_trailer_t`.
    fn with_trailer(uid: i32, label: &[u8]) -> Vec<u8> {
        let mut frame = [&[0; 12][..], &[8, 0], b"IP packet"].concat();
        frame.extend(0x0107_2021_u32.to_be_bytes());
        frame.extend(uid.to_be_bytes());
        let mut field = label.to_vec();
        field.resize(20, 0);
        frame.extend(field);
        frame.extend([1, 2, 3, 4]);
        frame
    }

    #[test]
    fn a_trailer_is_read_and_taken_off() {
        let cases: [(i32, &[u8], _, _); 4] = [
            (10_123, b"Messages", Some(10_123), Some("Messages")),
            (0, b"root", Some(0), Some("root")),
            (-1, b"", None, None),
            // `é` cut after its first byte.
            (10_001, b"caf\xc3", Some(10_001), Some("caf")),
        ];
        for (uid, label, expected_uid, expected_label) in cases {
            let frame = with_trailer(uid, label);
            let (data, trailer) = Trailer::split(LinkType::ETHERNET, &frame).unwrap();
            assert!(data.ends_with(b"IP packet"));
            assert_eq!((trailer.uid, trailer.label), (expected_uid, expected_label));
            assert_eq!(Trailer::split(LinkType::RAW, &frame), None);
            for len in 0..frame.len() {
                assert_eq!(Trailer::split(LinkType::ETHERNET, &frame[..len]), None);
            }
        }
    }

    #[test]
    fn a_block_names_a_package() {
        // `pcapng_pd_uid_map_block_t` behind its enterprise number.
        let mut block = vec![1, 0, 1, 0];
        block.extend(10_123u32.to_le_bytes());
        block.extend([15, 8]);
        block.extend(b"com.example.appExample\0");
        let expected = UidMap {
            uid: Some(10_123),
            package: "com.example.app",
        };
        assert_eq!(UidMap::parse(62652, &block, false), Some(expected));
        assert_eq!(UidMap::parse(62651, &block, false), None);
        for len in 0..block.len() - 9 {
            assert_eq!(UidMap::parse(62652, &block[..len], false), None);
        }
    }

    #[test]
    fn a_comment_names_a_user() {
        let cases: &[(&[u8], Option<u32>)] = &[
            (b"u-10123", Some(10_123)),
            (b"u--1", None),
            (b"u-", None),
            (b"u-99999999999", None),
            (b"seen u-1", None),
        ];
        for (comment, expected) in cases {
            assert_eq!(uid_of_comment(comment), *expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(tail: Vec<u8>, big_endian: bool) {
            let _ = UidMap::parse(ENTERPRISE, &tail, big_endian);
            let frame = [&[0; 14][..], &tail].concat();
            let _ = Trailer::split(LinkType::ETHERNET, &frame);
        }
    }
}
