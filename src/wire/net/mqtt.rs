//! MQTT 3.1.1 and 5 (OASIS), one direction, as a stream: packets are told apart, what a publication
//! carries streams through. It keeps no session.

use crate::base::bytes::{Reader, Truncated};

/// A longer packet that is no publication, or a longer head of one, is not MQTT's use of it.
const MAX_PACKET_BYTES: usize = 256 * 1024;

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;

/// What a direction carries, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum MqttEvent<'a> {
    /// A text or bytes of the protocol's own fields.
    Field {
        /// Where its packet starts, from the direction's first byte.
        offset: u64,
        /// Which one.
        field: MqttField,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The client has told the protocol's version: 4 is 3.1.1, 5 is 5.
    Version(u8),
    /// A publication's content begins at that offset.
    Content(u64),
    /// Its next bytes.
    Bytes(&'a [u8]),
    /// Bytes of it that were not captured.
    Hole,
    /// It has ended.
    End,
    /// What follows is not understood.
    Loose {
        /// Where it starts.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
}

/// A field of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MqttField {
    /// Of CONNECT.
    ClientId,
    /// Of CONNECT.
    Username,
    /// Of CONNECT.
    Password,
    /// The message to be published when the client is gone.
    Will,
    /// Of a publication, a will or a subscription.
    Topic,
    /// Of any packet of version 5, and what other packets hold.
    Property,
}

/// One direction.
#[derive(Debug, Default)]
pub struct MqttReader {
    offset: u64,
    version: u8,
    /// An incomplete packet, or the head of a publication.
    buffer: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Packet,
    Content(u64),
    Lost,
}

impl MqttReader {
    /// A reader whose first byte is at `offset` of the direction.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self {
            offset,
            version: 4,
            ..Self::default()
        }
    }

    /// Tells the version that the client spoke of.
    pub const fn set_version(&mut self, version: u8) {
        self.version = version;
    }

    /// Takes the direction's next bytes.
    pub fn handle_bytes(&mut self, bytes: &[u8], sink: &mut dyn FnMut(MqttEvent<'_>)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = self.offset;
            let taken = match self.state {
                State::Content(left) => {
                    let len = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                    sink(MqttEvent::Bytes(rest.get(..len).unwrap_or(rest)));
                    self.go_on(left - len as u64, sink);
                    len
                }
                State::Packet => self.packet(rest, sink),
                State::Lost => {
                    sink(MqttEvent::Loose {
                        offset,
                        bytes: rest,
                    });
                    rest.len()
                }
            };
            self.offset += taken as u64;
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Says that the direction's next bytes were not captured.
    pub fn handle_hole(&mut self, len: u64, sink: &mut dyn FnMut(MqttEvent<'_>)) {
        match self.state {
            State::Content(left) if left >= len => {
                sink(MqttEvent::Hole);
                self.go_on(left - len, sink);
            }
            _ => {
                if matches!(self.state, State::Content(_)) {
                    sink(MqttEvent::End);
                }
                self.lose(sink);
            }
        }
        self.offset += len;
    }

    fn go_on(&mut self, left: u64, sink: &mut dyn FnMut(MqttEvent<'_>)) {
        self.state = match left {
            0 => {
                sink(MqttEvent::End);
                State::Packet
            }
            left => State::Content(left),
        };
    }

    fn lose(&mut self, sink: &mut dyn FnMut(MqttEvent<'_>)) {
        let bytes = std::mem::take(&mut self.buffer);
        if !bytes.is_empty() {
            sink(MqttEvent::Loose {
                offset: self.offset.saturating_sub(bytes.len() as u64),
                bytes: &bytes,
            });
        }
        self.state = State::Lost;
    }

    /// Takes bytes until a packet, or a publication's head, is whole.
    fn packet(&mut self, rest: &[u8], sink: &mut dyn FnMut(MqttEvent<'_>)) -> usize {
        let known = self.buffer.len();
        let start = self.offset.saturating_sub(known as u64);
        let wanted = match wanted(&self.buffer, self.version) {
            Ok(wanted) => wanted.saturating_sub(known).max(1),
            Err(Damaged) => 1,
        };
        let len = wanted.min(rest.len());
        self.buffer
            .extend_from_slice(rest.get(..len).unwrap_or(rest));
        match wanted_after(&self.buffer, self.version) {
            Ok(None) => {}
            Ok(Some(head)) => {
                let buffer = std::mem::take(&mut self.buffer);
                self.handle_packet(start, &buffer, head, sink);
            }
            Err(Damaged) => {
                let bytes = std::mem::take(&mut self.buffer);
                sink(MqttEvent::Loose {
                    offset: start,
                    bytes: &bytes,
                });
                self.state = State::Lost;
            }
        }
        len
    }

    fn handle_packet(
        &mut self,
        offset: u64,
        packet: &[u8],
        head: Head,
        sink: &mut dyn FnMut(MqttEvent<'_>),
    ) {
        let body = packet.get(head.len..).unwrap_or_default();
        let mut tell = |field, bytes: &[u8]| {
            if !bytes.is_empty() {
                sink(MqttEvent::Field {
                    offset,
                    field,
                    bytes,
                });
            }
        };
        match head.kind {
            CONNECT => {
                let mut reader = Reader::new(body);
                if let Some(version) = connect(&mut reader, &mut tell) {
                    self.version = version;
                    sink(MqttEvent::Version(version));
                } else {
                    tell(MqttField::Property, body);
                }
            }
            PUBLISH => {
                let mut reader = Reader::new(body);
                let topic = string(&mut reader).unwrap_or_default();
                tell(MqttField::Topic, topic);
                if head.flags & 6 != 0 {
                    let _ = reader.u16_be();
                }
                if self.version >= 5
                    && let Ok(properties) = properties(&mut reader)
                {
                    tell(MqttField::Property, properties);
                }
                sink(MqttEvent::Content(offset));
                let left = (head.len + head.remaining).saturating_sub(packet.len());
                self.go_on(left as u64, sink);
            }
            SUBSCRIBE | UNSUBSCRIBE => tell(MqttField::Topic, body.get(2..).unwrap_or_default()),
            _ => tell(MqttField::Property, body),
        }
    }
}

/// Whether bytes are the start of a client's first packet; `None`: too few to tell.
#[must_use]
pub fn starts_connect(bytes: &[u8]) -> Option<bool> {
    if bytes.first().is_some_and(|first| *first != CONNECT << 4) {
        return Some(false);
    }
    let mut reader = Reader::new(bytes.get(1..)?);
    let Ok(Some(_)) = varint(&mut reader) else {
        return if bytes.len() < 5 { None } else { Some(false) };
    };
    const NAMES: [&[u8]; 2] = [b"\0\x04MQTT", b"\0\x06MQIsdp"];
    let rest = reader.rest();
    if NAMES.iter().any(|name| rest.starts_with(name)) {
        return Some(true);
    }
    if NAMES.iter().any(|name| name.starts_with(rest)) {
        None
    } else {
        Some(false)
    }
}

/// A packet's fixed header.
#[derive(Clone, Copy, Debug)]
struct Head {
    kind: u8,
    flags: u8,
    len: usize,
    remaining: usize,
}

/// The bytes are no packet.
#[derive(Clone, Copy, Debug)]
struct Damaged;

impl Head {
    /// `Ok(None)`: it is not whole.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Damaged> {
        let mut reader = Reader::new(bytes);
        let Ok(first) = reader.u8() else {
            return Ok(None);
        };
        let (kind, flags) = (first >> 4, first & 15);
        let is_right = match kind {
            PUBLISH => flags & 6 != 6,
            6 | SUBSCRIBE | UNSUBSCRIBE => flags == 2,
            0 => false,
            _ => flags == 0,
        };
        if !is_right {
            return Err(Damaged);
        }
        let remaining = match varint(&mut reader) {
            Ok(Some(remaining)) => remaining,
            Ok(None) => return Ok(None),
            Err(damaged) => return Err(damaged),
        };
        if kind != PUBLISH && remaining > MAX_PACKET_BYTES {
            return Err(Damaged);
        }
        Ok(Some(Self {
            kind,
            flags,
            len: bytes.len() - reader.rest().len(),
            remaining,
        }))
    }

    /// How long the packet is, or the head of a publication; as far as that is known.
    fn wanted(&self, bytes: &[u8], version: u8) -> Result<usize, Damaged> {
        let whole = self.len + self.remaining;
        if self.kind != PUBLISH {
            return Ok(whole);
        }
        let body = bytes.get(self.len..).unwrap_or_default();
        let mut reader = Reader::new(body);
        let Ok(topic) = reader.u16_be() else {
            return Ok((self.len + 2).min(whole));
        };
        let id = if self.flags & 6 == 0 { 0 } else { 2 };
        let fixed = 2 + usize::from(topic) + id;
        let mut len = self.len + fixed;
        if version >= 5 && len < whole {
            let mut reader = Reader::new(body.get(fixed..).unwrap_or_default());
            let before = reader.rest().len();
            match varint(&mut reader)? {
                Some(properties) if properties <= MAX_PACKET_BYTES => {
                    len += before - reader.rest().len() + properties;
                }
                Some(_) => return Err(Damaged),
                None => len += before + 1,
            }
        }
        if len > whole { Err(Damaged) } else { Ok(len) }
    }
}

/// How many bytes are needed to go on.
fn wanted(bytes: &[u8], version: u8) -> Result<usize, Damaged> {
    match Head::parse(bytes)? {
        Some(head) => head.wanted(bytes, version),
        None => Ok(bytes.len() + 1),
    }
}

/// The head of a packet that is there as far as it is needed.
fn wanted_after(bytes: &[u8], version: u8) -> Result<Option<Head>, Damaged> {
    let Some(head) = Head::parse(bytes)? else {
        return Ok(None);
    };
    Ok((head.wanted(bytes, version)? <= bytes.len()).then_some(head))
}

/// Reads CONNECT; returns the protocol's version.
fn connect(reader: &mut Reader<'_>, tell: &mut dyn FnMut(MqttField, &[u8])) -> Option<u8> {
    const WILL: u8 = 4;
    const PASSWORD: u8 = 0x40;
    const USERNAME: u8 = 0x80;
    string(reader).ok()?;
    let (version, flags) = (reader.u8().ok()?, reader.u8().ok()?);
    let _keep_alive = reader.u16_be().ok()?;
    if version >= 5 {
        tell(MqttField::Property, properties(reader).ok()?);
    }
    tell(MqttField::ClientId, string(reader).ok()?);
    if flags & WILL != 0 {
        if version >= 5 {
            tell(MqttField::Property, properties(reader).ok()?);
        }
        tell(MqttField::Topic, string(reader).ok()?);
        tell(MqttField::Will, string(reader).ok()?);
    }
    if flags & USERNAME != 0 {
        tell(MqttField::Username, string(reader).ok()?);
    }
    if flags & PASSWORD != 0 {
        tell(MqttField::Password, string(reader).ok()?);
    }
    Some(version)
}

/// Bytes behind their length.
fn string<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
    let len = reader.u16_be()?;
    reader.take(usize::from(len))
}

fn properties<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Damaged> {
    let len = varint(reader)?.ok_or(Damaged)?;
    reader.take(len).map_err(|_| Damaged)
}

/// A number of up to four bytes (MQTT 5, 1.5.5); `Ok(None)`: it is not whole.
fn varint(reader: &mut Reader<'_>) -> Result<Option<usize>, Damaged> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let Ok(byte) = reader.u8() else {
            return Ok(None);
        };
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Err(Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(version: u8, pieces: &[&[u8]]) -> Vec<String> {
        let mut log: Vec<String> = Vec::new();
        let mut reader = MqttReader::new(0);
        reader.set_version(version);
        for piece in pieces {
            reader.handle_bytes(piece, &mut |event| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                match event {
                    MqttEvent::Field { field, bytes, .. } => {
                        log.push(format!("{field:?} {}", text(bytes)))
                    }
                    MqttEvent::Bytes(bytes) => log.last_mut().unwrap().push_str(&text(bytes)),
                    MqttEvent::Content(_) => log.push("content ".to_owned()),
                    other => log.push(format!("{other:?}")),
                }
            });
        }
        log
    }

    /// MQTT 3.1.1, 3.1 and 3.3; MQTT 5, 3.1.2.11 and 3.3.2.3.
    fn packets() -> [(u8, Vec<u8>, Vec<&'static str>); 2] {
        let old = [
            &b"\x10\x23\0\x04MQTT\x04\xc6\0\x3c\0\x02id\0\x01w\0\x04gone\0\x04user\0\x04pass"[..],
            b"\x30\x0a\0\x03a/bhello",
            b"\x32\x08\0\x01t\0\x07bye",
            b"\x82\x06\0\x01\0\x01t\0",
            b"\xc0\0",
        ]
        .concat();
        let new = [
            &b"\x10\x17\0\x04MQTT\x05\x02\0\x3c\x05\x11\0\0\0\x0a\0\x05phone"[..],
            b"\x30\x0e\0\x01t\x05\x26\0\0\0\0hello",
        ]
        .concat();
        [
            (
                4,
                old,
                vec![
                    "ClientId id",
                    "Topic w",
                    "Will gone",
                    "Username user",
                    "Password pass",
                    "Version(4)",
                    "Topic a/b",
                    "content hello",
                    "End",
                    "Topic t",
                    "content bye",
                    "End",
                    "Topic \0\u{1}t\0",
                ],
            ),
            (
                4,
                new,
                vec![
                    "Property \u{11}\0\0\0\n",
                    "ClientId phone",
                    "Version(5)",
                    "Topic t",
                    "Property &\0\0\0\0",
                    "content hello",
                    "End",
                ],
            ),
        ]
    }

    #[test]
    fn packets_are_read_wherever_they_are_cut() {
        for (version, bytes, expected) in packets() {
            for cut in 0..bytes.len() {
                assert_eq!(
                    read(version, &[&bytes[..cut], &bytes[cut..]]),
                    expected,
                    "{cut}"
                );
            }
            let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read(version, &bytewise), expected);
        }
    }

    #[test]
    fn a_first_packet_is_told_from_other_bytes() {
        for (_, bytes, _) in packets() {
            assert_eq!(starts_connect(&bytes), Some(true));
            for len in 1..8 {
                assert_eq!(starts_connect(&bytes[..len]), None, "{len}");
            }
        }
        assert_eq!(starts_connect(b"GET / HTTP"), Some(false));
        assert_eq!(starts_connect(&[0x10, 0x20, 0, 4, b'H']), Some(false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(pieces: Vec<(Vec<u8>, u8)>, kept in 0usize..80) {
            for (version, bytes, _) in packets() {
                let mut reader = MqttReader::new(0);
                reader.set_version(version);
                reader.handle_bytes(bytes.get(..kept).unwrap_or(&bytes), &mut |_| {});
                for (piece, hole) in &pieces {
                    reader.handle_bytes(piece, &mut |_| {});
                    if *hole < 30 {
                        reader.handle_hole(u64::from(*hole) + 1, &mut |_| {});
                    }
                }
            }
        }
    }
}
