//! HPACK, decoded (RFC 7541), as a listener has to: an entry that was made before the capture began is
//! unknown, and no error; what follows it is still read. Tables are bounded.

use crate::base::bytes::Reader;
use crate::wire::net::http2::huffman;
use std::borrow::Cow;
use std::collections::VecDeque;
use thiserror::Error;

/// A larger table than this is not kept whole: older entries are unknown. What an encoder uses is
/// 4 KiB unless told otherwise.
const MAX_TABLE_BYTES: usize = 64 * 1024;

/// What each entry costs beside its bytes (RFC 7541, 4.1).
const OVERHEAD_BYTES: usize = 32;

/// Why the rest of a block was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HpackError {
    /// It ends amid a field.
    #[error("a header block ends inside a field")]
    Truncated,
    /// A number too large, an index of zero, or a string in no code.
    #[error("a header block makes no sense")]
    Damaged,
}

/// One header field; what its index stood for may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name.
    pub name: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// The state of one direction.
#[derive(Debug)]
pub struct HpackDecoder {
    /// The newest first.
    entries: VecDeque<Entry>,
    bytes: usize,
    limit: usize,
}

#[derive(Debug)]
struct Entry {
    name: Option<Vec<u8>>,
    value: Vec<u8>,
}

/// A name, if its index is known, and a value.
type Literal<'a> = (Option<Cow<'a, [u8]>>, Cow<'a, [u8]>);

impl Default for HpackDecoder {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            limit: 4096,
        }
    }
}

impl HpackDecoder {
    /// Reads a whole block and hands out its fields in order.
    pub fn handle_block(
        &mut self,
        block: &[u8],
        sink: &mut dyn FnMut(Field<'_>),
    ) -> Result<(), HpackError> {
        let mut reader = Reader::new(block);
        while let Ok(first) = reader.u8() {
            match first {
                0x80.. => {
                    let index = integer(&mut reader, first, 7)?;
                    if index == 0 {
                        return Err(HpackError::Damaged);
                    }
                    sink(self.entry(index));
                }
                0x40.. => {
                    let (name, value) = self.literal(&mut reader, first, 6)?;
                    sink(Field {
                        name: name.as_deref(),
                        value: Some(&value),
                    });
                    let name = name.map(Cow::into_owned);
                    let value = value.into_owned();
                    self.insert(Entry { name, value });
                }
                0x20.. => {
                    let limit = integer(&mut reader, first, 5)?;
                    self.limit = limit.min(MAX_TABLE_BYTES);
                    self.evict();
                }
                _ => {
                    let (name, value) = self.literal(&mut reader, first, 4)?;
                    sink(Field {
                        name: name.as_deref(),
                        value: Some(&value),
                    });
                }
            }
        }
        Ok(())
    }

    /// Says that blocks were not seen: what the table held is not known any more.
    pub fn forget(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    fn literal<'a>(
        &self,
        reader: &mut Reader<'a>,
        first: u8,
        bits: u32,
    ) -> Result<Literal<'a>, HpackError> {
        let name = match integer(reader, first, bits)? {
            0 => Some(string(reader)?),
            index => {
                let name = self.entry(index).name;
                name.map(|name| Cow::Owned(name.to_vec()))
            }
        };
        Ok((name, string(reader)?))
    }

    fn entry(&self, index: usize) -> Field<'_> {
        let known = STATIC.get(index - 1).map(|(name, value)| Field {
            name: Some(*name),
            value: Some(*value),
        });
        known.unwrap_or_else(|| {
            let entry = self.entries.get(index - 1 - STATIC.len());
            Field {
                name: entry.and_then(|entry| entry.name.as_deref()),
                value: entry.map(|entry| entry.value.as_slice()),
            }
        })
    }

    fn insert(&mut self, entry: Entry) {
        self.bytes += entry.size();
        self.entries.push_front(entry);
        self.evict();
    }

    fn evict(&mut self) {
        while self.bytes > self.limit
            && let Some(entry) = self.entries.pop_back()
        {
            self.bytes -= entry.size();
        }
    }
}

impl Entry {
    fn size(&self) -> usize {
        self.name.as_ref().map_or(0, Vec::len) + self.value.len() + OVERHEAD_BYTES
    }
}

/// A number that starts in the lower bits of a byte (RFC 7541, 5.1).
fn integer(reader: &mut Reader<'_>, first: u8, bits: u32) -> Result<usize, HpackError> {
    let mask = (1u8 << bits) - 1;
    let mut value = usize::from(first & mask);
    if first & mask != mask {
        return Ok(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = reader.u8().map_err(|_| HpackError::Truncated)?;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(HpackError::Damaged)
}

fn string<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, [u8]>, HpackError> {
    let first = reader.u8().map_err(|_| HpackError::Truncated)?;
    let len = integer(reader, first, 7)?;
    let bytes = reader.take(len).map_err(|_| HpackError::Truncated)?;
    if first & 0x80 == 0 {
        return Ok(Cow::Borrowed(bytes));
    }
    let plain = huffman::decode(bytes).ok_or(HpackError::Damaged)?;
    Ok(Cow::Owned(plain))
}

/// RFC 7541, appendix A.
const STATIC: [(&[u8], &[u8]); 61] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    fn block(hex: &str) -> Vec<u8> {
        HEXLOWER.decode(hex.as_bytes()).unwrap()
    }

    fn read(decoder: &mut HpackDecoder, block: &[u8]) -> (Vec<String>, Result<(), HpackError>) {
        let text =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"?")).into_owned();
        let mut fields = Vec::new();
        let result = decoder.handle_block(block, &mut |field| {
            fields.push(format!("{}: {}", text(field.name), text(field.value)));
        });
        (fields, result)
    }

    /// RFC 7541, C.4.1 to C.4.3: three requests of one connection.
    const REQUESTS: [(&str, &[&str]); 3] = [
        (
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            &[
                ":method: GET",
                ":scheme: http",
                ":path: /",
                ":authority: www.example.com",
            ],
        ),
        (
            "828684be5886a8eb10649cbf",
            &[
                ":method: GET",
                ":scheme: http",
                ":path: /",
                ":authority: www.example.com",
                "cache-control: no-cache",
            ],
        ),
        (
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
            &[
                ":method: GET",
                ":scheme: https",
                ":path: /index.html",
                ":authority: www.example.com",
                "custom-key: custom-value",
            ],
        ),
    ];

    #[test]
    fn reads_the_specification_s_requests() {
        let mut decoder = HpackDecoder::default();
        for (hex, expected) in REQUESTS {
            let (fields, result) = read(&mut decoder, &block(hex));
            assert_eq!(fields, expected);
            assert_eq!(result, Ok(()));
        }
    }

    /// RFC 7541, C.6: responses in a table of 256 bytes, so that entries are dropped.
    #[test]
    fn entries_are_dropped_as_the_encoder_drops_them() {
        let mut decoder = HpackDecoder {
            limit: 256,
            ..HpackDecoder::default()
        };
        let first = "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3";
        let second = "4883640effc1c0bf";
        let third = "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007";
        assert_eq!(read(&mut decoder, &block(first)).1, Ok(()));
        let (fields, _) = read(&mut decoder, &block(second));
        assert_eq!(
            fields,
            [
                ":status: 307",
                "cache-control: private",
                "date: Mon, 21 Oct 2013 20:13:21 GMT",
                "location: https://www.example.com",
            ]
        );
        let (fields, result) = read(&mut decoder, &block(third));
        assert_eq!(result, Ok(()));
        assert_eq!(
            fields[5],
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
        );
        assert_eq!(decoder.bytes, 215);
    }

    #[test]
    fn what_was_said_before_the_capture_is_unknown_and_the_rest_is_read() {
        let (hex, _) = REQUESTS[1];
        let (fields, result) = read(&mut HpackDecoder::default(), &block(hex));
        assert_eq!(result, Ok(()));
        assert_eq!(fields[3..], ["?: ?", "cache-control: no-cache"]);
    }

    #[test]
    fn every_truncation_is_told_or_a_field_less() {
        for (hex, expected) in REQUESTS {
            let whole = block(hex);
            for len in 0..whole.len() {
                let (fields, _) = read(&mut HpackDecoder::default(), &whole[..len]);
                assert!(fields.len() <= expected.len());
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(blocks: Vec<Vec<u8>>) {
            let mut decoder = HpackDecoder::default();
            for block in blocks {
                let _ = read(&mut decoder, &block);
                prop_assert!(decoder.bytes <= MAX_TABLE_BYTES);
            }
        }
    }
}
