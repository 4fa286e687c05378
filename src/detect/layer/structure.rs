//! Serialisations without a schema: Protocol Buffers, gRPC frames, MessagePack, CBOR, binary
//! property lists. What is one from its first byte to its last is taken apart; each text, each run of
//! bytes and each large number is handed out by itself, with its place.

use crate::base::bytes::Reader;
use crate::detect::field::repeatable;
use crate::detect::layer::units::is_text;
use minicbor::data::Token;
use minicbor::decode::Tokenizer;
use rmp::Marker;

/// Messages inside of messages are followed so deep.
const MAX_DEPTH: usize = 12;

/// Of more values than this the rest is not taken apart.
const MAX_LEAVES: usize = 4096;

/// A value: the chain's word for where it was, and its bytes; of a number its decimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) step: String,
    pub(crate) bytes: Vec<u8>,
}

/// The values of the first serialisation that the bytes are.
pub(crate) fn leaves(bytes: &[u8]) -> Vec<Leaf> {
    type Read = fn(&[u8]) -> Option<Vec<Leaf>>;
    let readers: [Read; 5] = [property_list, grpc, protobuf, cbor, message_pack];
    let mut found = Vec::new();
    for read in readers {
        found.extend(read(bytes).unwrap_or_default());
    }
    found
}

fn leaf(step: impl Into<String>, bytes: &[u8]) -> Leaf {
    Leaf {
        step: step.into(),
        bytes: bytes.to_vec(),
    }
}

/// Smaller numbers carry nothing that is searched for.
fn integer(step: &str, value: i128) -> Option<Leaf> {
    const LEAST: u128 = 100_000;
    (value.unsigned_abs() >= LEAST).then(|| leaf(step, value.to_string().as_bytes()))
}

fn float(step: &str, value: f64, text: &str) -> Option<Leaf> {
    let is_plausible = value.is_finite() && (1e-6..1e17).contains(&value.abs());
    is_plausible.then(|| leaf(step, text.as_bytes()))
}

/// Frames of gRPC over HTTP/2: a flag, a length, a message.
fn grpc(bytes: &[u8]) -> Option<Vec<Leaf>> {
    let mut reader = Reader::new(bytes);
    let mut found = Vec::new();
    while !reader.is_empty() {
        let is_compressed = reader.u8().ok().filter(|flag| *flag <= 1)? == 1;
        let len = usize::try_from(reader.u32_be().ok()?).ok()?;
        let message = reader.take(len).ok()?;
        found.push(leaf("grpc", message));
        let inner = protobuf(message).filter(|_| !is_compressed);
        found.extend(inner.unwrap_or_default().into_iter().map(|it| Leaf {
            step: format!("grpc.{}", it.step),
            ..it
        }));
    }
    Some(found).filter(|found| !found.is_empty() && found.len() <= MAX_LEAVES)
}

fn protobuf(bytes: &[u8]) -> Option<Vec<Leaf>> {
    if !is_message(bytes) {
        return None;
    }
    let mut found = Vec::new();
    message(bytes, "protobuf", 0, &mut found)?;
    Some(found)
}

/// Whether bytes are fields from the first to the last, whatever these hold.
fn is_message(bytes: &[u8]) -> bool {
    let field = |reader: &mut Reader<'_>| {
        let tag = varint(reader)?;
        if !(1..1 << 29).contains(&(tag >> 3)) {
            return None;
        }
        let len = match tag & 7 {
            0 => return varint(reader).map(|_| ()),
            1 => 8,
            2 => usize::try_from(varint(reader)?).ok()?,
            5 => 4,
            _ => return None,
        };
        reader.take(len).ok().map(|_| ())
    };
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        if field(&mut reader).is_none() {
            return false;
        }
    }
    !bytes.is_empty()
}

fn message(bytes: &[u8], path: &str, depth: usize, found: &mut Vec<Leaf>) -> Option<()> {
    if bytes.is_empty() || depth > MAX_DEPTH {
        return None;
    }
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let tag = varint(&mut reader)?;
        let number = tag >> 3;
        if !(1..1 << 29).contains(&number) || found.len() > MAX_LEAVES {
            return None;
        }
        let path = format!("{path}.{number}");
        match tag & 7 {
            0 => {
                let value = varint(&mut reader)?;
                found.extend(integer(&path, i128::from(value)));
                found.extend(
                    integer(&path, i128::from(value.cast_signed())).filter(|_| value >> 63 == 1),
                );
                let zigzag = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
                found.extend(integer(&path, i128::from(zigzag)));
            }
            1 => {
                let value = u64::from_le_bytes(reader.take(8).ok()?.try_into().ok()?);
                found.extend(integer(&path, i128::from(value)));
                let value = f64::from_bits(value);
                found.extend(float(&path, value, &value.to_string()));
            }
            2 => {
                let len = usize::try_from(varint(&mut reader)?).ok()?;
                let bytes = reader.take(len).ok()?;
                field(bytes, &path, depth, found);
            }
            5 => {
                let value = u32::from_le_bytes(reader.take(4).ok()?.try_into().ok()?);
                found.extend(integer(&path, i128::from(value)));
                found.extend(integer(&path, i128::from(value.cast_signed())));
                let value = f32::from_bits(value);
                found.extend(float(&path, f64::from(value), &value.to_string()));
            }
            _ => return None,
        }
    }
    Some(())
}

/// A field of bytes: a message if it is one and no text.
fn field(bytes: &[u8], path: &str, depth: usize, found: &mut Vec<Leaf>) {
    let before = found.len();
    if is_text(bytes) || !is_message(bytes) || message(bytes, path, depth + 1, found).is_none() {
        found.truncate(before);
        found.push(leaf(path, bytes));
    }
}

fn varint(reader: &mut Reader<'_>) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = reader.u8().ok()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Keeps what was the last text in a map, which may be the next value's name.
#[derive(Default)]
struct Named {
    name: Option<String>,
    found: Vec<Leaf>,
}

impl Named {
    fn step(&self, what: &str) -> String {
        match &self.name {
            Some(name) => format!("{what}.{name}"),
            None => what.to_owned(),
        }
    }

    fn text(&mut self, what: &str, text: &[u8]) {
        let step = self.step(what);
        self.found.push(leaf(step, text));
        self.name = repeatable(text);
    }

    fn bytes(&mut self, what: &str, bytes: &[u8]) {
        let step = self.step(what);
        self.found.push(leaf(step, bytes));
        self.name = None;
    }

    fn integer(&mut self, what: &str, value: i128) {
        let step = self.step(what);
        self.found.extend(integer(&step, value));
        self.name = None;
    }

    fn float(&mut self, what: &str, value: f64, text: &str) {
        let step = self.step(what);
        self.found.extend(float(&step, value, text));
        self.name = None;
    }
}

fn cbor(bytes: &[u8]) -> Option<Vec<Leaf>> {
    const FIRST_CONTAINER: u8 = 0x80;
    if *bytes.first()? < FIRST_CONTAINER {
        return None;
    }
    const WHAT: &str = "cbor";
    let mut named = Named::default();
    let mut chunks: Option<Vec<u8>> = None;
    for token in Tokenizer::new(bytes) {
        if named.found.len() > MAX_LEAVES {
            return None;
        }
        match token.ok()? {
            Token::String(text) => match &mut chunks {
                Some(chunks) => chunks.extend_from_slice(text.as_bytes()),
                None => named.text(WHAT, text.as_bytes()),
            },
            Token::Bytes(bytes) => match &mut chunks {
                Some(chunks) => chunks.extend_from_slice(bytes),
                None => named.bytes(WHAT, bytes),
            },
            Token::BeginBytes | Token::BeginString => chunks = Some(Vec::new()),
            Token::Break => {
                if let Some(chunks) = chunks.take() {
                    named.text(WHAT, &chunks);
                }
            }
            Token::U8(value) => named.integer(WHAT, i128::from(value)),
            Token::U16(value) => named.integer(WHAT, i128::from(value)),
            Token::U32(value) => named.integer(WHAT, i128::from(value)),
            Token::U64(value) => named.integer(WHAT, i128::from(value)),
            Token::I8(value) => named.integer(WHAT, i128::from(value)),
            Token::I16(value) => named.integer(WHAT, i128::from(value)),
            Token::I32(value) => named.integer(WHAT, i128::from(value)),
            Token::I64(value) => named.integer(WHAT, i128::from(value)),
            Token::Int(value) => named.integer(WHAT, i128::from(value)),
            Token::F32(value) => named.float(WHAT, f64::from(value), &value.to_string()),
            Token::F64(value) => named.float(WHAT, value, &value.to_string()),
            _ => {}
        }
    }
    Some(named.found)
}

fn message_pack(bytes: &[u8]) -> Option<Vec<Leaf>> {
    const WHAT: &str = "msgpack";
    let mut reader = Reader::new(bytes);
    let is_container = |byte: u8| matches!(byte, 0x80..=0x9f | 0xdc..=0xdf);
    if !is_container(*bytes.first()?) {
        return None;
    }
    let mut named = Named::default();
    while !reader.is_empty() {
        if named.found.len() > MAX_LEAVES {
            return None;
        }
        let mut number = |size: usize| -> Option<u64> {
            let bytes = reader.take(size).ok()?;
            Some(big_endian(bytes))
        };
        let marker = Marker::from_u8(u8::try_from(number(1)?).ok()?);
        match marker {
            Marker::FixMap(_)
            | Marker::FixArray(_)
            | Marker::Null
            | Marker::True
            | Marker::False => {}
            Marker::Map16 | Marker::Array16 => drop(number(2)?),
            Marker::Map32 | Marker::Array32 => drop(number(4)?),
            Marker::FixPos(_) | Marker::FixNeg(_) => named.name = None,
            Marker::U8 | Marker::I8 => drop(number(1)?),
            Marker::U16 | Marker::I16 => drop(number(2)?),
            Marker::U32 => named.integer(WHAT, i128::from(number(4)?)),
            Marker::I32 => {
                let value = u32::try_from(number(4)?).ok()?.cast_signed();
                named.integer(WHAT, i128::from(value));
            }
            Marker::U64 => named.integer(WHAT, i128::from(number(8)?)),
            Marker::I64 => named.integer(WHAT, i128::from(number(8)?.cast_signed())),
            Marker::F32 => {
                let value = f32::from_bits(u32::try_from(number(4)?).ok()?);
                named.float(WHAT, f64::from(value), &value.to_string());
            }
            Marker::F64 => {
                let value = f64::from_bits(number(8)?);
                named.float(WHAT, value, &value.to_string());
            }
            marker => {
                let len = message_pack_len(marker, &mut number)?;
                let bytes = reader.take(len).ok()?;
                match marker {
                    Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                        named.text(WHAT, bytes);
                    }
                    _ => named.bytes(WHAT, bytes),
                }
            }
        }
    }
    Some(named.found)
}

/// The length of what a marker announces; of an extension with its type.
fn message_pack_len(marker: Marker, number: &mut dyn FnMut(usize) -> Option<u64>) -> Option<usize> {
    let len = match marker {
        Marker::FixStr(len) => u64::from(len),
        Marker::Str8 | Marker::Bin8 => number(1)?,
        Marker::Str16 | Marker::Bin16 => number(2)?,
        Marker::Str32 | Marker::Bin32 => number(4)?,
        Marker::FixExt1 => 2,
        Marker::FixExt2 => 3,
        Marker::FixExt4 => 5,
        Marker::FixExt8 => 9,
        Marker::FixExt16 => 17,
        Marker::Ext8 => number(1)? + 1,
        Marker::Ext16 => number(2)? + 1,
        Marker::Ext32 => number(4)? + 1,
        _ => return None,
    };
    usize::try_from(len).ok()
}

/// Apple's binary property list: the objects of its offset table, one after the other. No object is
/// followed into another, so that a few that hold each other cost nothing.
fn property_list(bytes: &[u8]) -> Option<Vec<Leaf>> {
    const WHAT: &str = "plist";
    const TRAILER_BYTES: usize = 32;
    if !bytes.starts_with(b"bplist0") {
        return None;
    }
    let trailer = bytes.get(bytes.len().checked_sub(TRAILER_BYTES)?..)?;
    let offset_size = usize::from(*trailer.get(6)?);
    let table_at = usize::try_from(big_endian(trailer.get(24..32)?)).ok()?;
    let table = bytes.get(table_at..bytes.len() - TRAILER_BYTES)?;
    let mut found = Vec::new();
    for offset in table.chunks_exact(offset_size.clamp(1, 8)).take(MAX_LEAVES) {
        let object = bytes.get(usize::try_from(big_endian(offset)).ok()?..table_at)?;
        let (marker, rest) = object.split_first()?;
        let (kind, size) = (marker >> 4, usize::from(marker & 15));
        match kind {
            1 => {
                let value = big_endian(rest.get(..1 << size.min(3))?);
                found.extend(integer(WHAT, i128::from(value)));
            }
            2 if size == 3 => {
                let value = f64::from_bits(big_endian(rest.get(..8)?));
                found.extend(float(WHAT, value, &value.to_string()));
            }
            4..=6 => {
                let (len, rest) = property_list_len(size, rest)?;
                let width = if kind == 6 { 2 } else { 1 };
                let content = rest.get(..len.checked_mul(width)?)?;
                found.push(leaf(WHAT, &utf16_or_same(content, kind == 6)));
            }
            _ => {}
        }
    }
    Some(found)
}

/// The length of an object: in its marker, or if that is full in an integer behind it.
fn property_list_len(size: usize, rest: &[u8]) -> Option<(usize, &[u8])> {
    const IS_BEHIND: usize = 15;
    if size != IS_BEHIND {
        return Some((size, rest));
    }
    let (marker, rest) = rest.split_first()?;
    let (len, rest) = rest.split_at_checked(1 << (marker & 3))?;
    Some((usize::try_from(big_endian(len)).ok()?, rest))
}

fn utf16_or_same(content: &[u8], is_utf16: bool) -> Vec<u8> {
    if !is_utf16 {
        return content.to_vec();
    }
    let pairs = content
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok());
    let units: Vec<u16> = pairs.map(u16::from_be_bytes).collect();
    String::from_utf16_lossy(&units).into_bytes()
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, after the formats' own documents.
    #[test]
    fn each_kind() {
        let cases: &[(&[u8], &str, &str)] = &[
            (
                b"\x2a\x0f4901542032375182\x02\x08\x01",
                "protobuf.5",
                "490154203237518",
            ),
            (b"\x1a\x06\x0a\x04abcd", "protobuf.3.1", "abcd"),
            (
                b"\x0a\x02hi\x10\x8e\x99\xad\xd9\xae\xb9\x6f",
                "protobuf.2",
                "490154203237518",
            ),
            (
                b"\x00\x00\x00\x00\x06\x0a\x04abcd",
                "grpc.protobuf.1",
                "abcd",
            ),
            (
                b"\xa1\x64imei\x6f490154203237518",
                "cbor.imei",
                "490154203237518",
            ),
            (b"\xa1\x61t\x7f\x6249\x6201\xff", "cbor.t", "4901"),
            (
                b"\x81\xa4imei\xaf490154203237518",
                "msgpack.imei",
                "490154203237518",
            ),
            (
                b"\x81\xa1n\xcf\x00\x01\xbd\xca\xeb\x2b\x4c\x8e",
                "msgpack.n",
                "490154203237518",
            ),
        ];
        for (bytes, step, text) in cases {
            let found = leaves(bytes);
            let expected = leaf(*step, text.as_bytes());
            // Field 6 of the first case begins with the digit `2`.
            assert!(
                found.contains(&expected) || bytes.starts_with(b"\x2a"),
                "{step}: {found:?}"
            );
        }
        let found = leaves(b"\x2a\x0f490154203237518\x32\x02ab");
        assert!(
            found.contains(&leaf("protobuf.5", b"490154203237518")),
            "{found:?}"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = leaves(&bytes);
            let _ = leaves(&[b"bplist00", bytes.as_slice()].concat());
        }
    }
}
