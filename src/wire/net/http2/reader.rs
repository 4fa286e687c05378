//! `Http2Reader`: one direction of an HTTP/2 connection, cut into frames; header blocks are put
//! together and decoded, data streams through. After damage or a hole it hands bytes out as loose
//! until frames can be told again. It keeps one header block and decodes no content.

use crate::wire::net::http2::hpack::HpackDecoder;

/// What a client begins with (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A longer header block is not read.
const MAX_BLOCK_BYTES: usize = 256 * 1024;

/// Bytes of the fields that one header block stands for; those beyond are not read.
const MAX_BLOCK_FIELDS_BYTES: usize = 1 << 20;

const FRAME_HEADER_BYTES: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PROMISE: u8 = 5;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const WITH_PRIORITY: u8 = 32;

/// A header field, its name and value as far as they are known.
pub type OwnedField = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What a direction carries, in order. Offsets count from the direction's first byte.
#[derive(Debug)]
pub enum Http2Event<'a> {
    /// A header block, whole.
    Headers {
        /// The stream; of a promise, the promised one.
        stream: u32,
        /// Where its first frame starts.
        offset: u64,
        /// Its fields in order.
        fields: &'a [OwnedField],
        /// Bytes of the block, if not all of it could be read.
        unread: usize,
        /// A server's promise of what it will push: a request.
        is_promise: bool,
    },
    /// The next bytes of a stream's body.
    Data {
        /// The stream.
        stream: u32,
        /// Where they start.
        offset: u64,
        /// The bytes, framing removed.
        bytes: &'a [u8],
    },
    /// Bytes of a stream's body that were not captured.
    DataHole {
        /// The stream.
        stream: u32,
    },
    /// A stream has ended in this direction.
    End {
        /// The stream.
        stream: u32,
    },
    /// Bytes outside of any header or body: debug data, unknown frames, garbage.
    Loose {
        /// Where they start.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Nothing that came before goes on.
    Lost,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub struct Http2Reader {
    state: State,
    offset: u64,
    /// An incomplete preface or frame header.
    buffer: Vec<u8>,
    block: Option<Block>,
    hpack: HpackDecoder,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Header,
    /// In a frame, so many bytes before its end.
    Frame(Frame, usize),
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    /// The padding's length has been read, or there is none.
    padding: Option<usize>,
    /// Fields before the header block or the data that are still to come.
    before: usize,
}

/// A header block being put together.
#[derive(Debug)]
struct Block {
    stream: u32,
    offset: u64,
    bytes: Vec<u8>,
    is_promise: bool,
    ends_stream: bool,
    /// It was longer than is read.
    is_cut: bool,
}

impl Http2Reader {
    /// A reader whose first byte is at `offset` of the direction.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self {
            offset,
            ..Self::default()
        }
    }

    /// Takes the direction's next bytes.
    pub fn handle_bytes(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Http2Event<'_>)) {
        if self.state == State::Lost && starts_frames(bytes) == Some(true) {
            self.state = State::Header;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.step(rest, sink);
            self.offset += taken as u64;
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Says that the direction's next bytes were not captured.
    pub fn handle_hole(&mut self, len: u64, sink: &mut dyn FnMut(Http2Event<'_>)) {
        let missing = usize::try_from(len).unwrap_or(usize::MAX);
        match &mut self.state {
            State::Frame(frame, left)
                if frame.kind == DATA && frame.padding.is_some() && *left > missing =>
            {
                *left -= missing;
                let stream = frame.stream;
                sink(Http2Event::DataHole { stream });
            }
            _ => self.lose(sink),
        }
        self.offset += len;
    }

    fn lose(&mut self, sink: &mut dyn FnMut(Http2Event<'_>)) {
        let bytes = std::mem::take(&mut self.buffer);
        if !bytes.is_empty() {
            let offset = self.offset.saturating_sub(bytes.len() as u64);
            sink(Http2Event::Loose {
                offset,
                bytes: &bytes,
            });
        }
        self.block = None;
        self.hpack.forget();
        self.state = State::Lost;
        sink(Http2Event::Lost);
    }

    /// Takes at least one byte.
    fn step(&mut self, rest: &[u8], sink: &mut dyn FnMut(Http2Event<'_>)) -> usize {
        match self.state {
            State::Start => self.start(rest),
            State::Header => self.header(rest, sink),
            State::Frame(frame, left) => self.frame(frame, left, rest, sink),
            State::Lost => {
                let offset = self.offset;
                sink(Http2Event::Loose {
                    offset,
                    bytes: rest,
                });
                rest.len()
            }
        }
    }

    /// A client's preface, if there is one.
    fn start(&mut self, rest: &[u8]) -> usize {
        let known = self.buffer.len();
        let expected = PREFACE.get(known..).unwrap_or_default();
        let len = expected.len().min(rest.len());
        if rest.get(..len) != expected.get(..len) {
            self.state = State::Header;
            return 0;
        }
        self.buffer
            .extend_from_slice(rest.get(..len).unwrap_or_default());
        if self.buffer.len() == PREFACE.len() {
            self.buffer.clear();
            self.state = State::Header;
        }
        len
    }

    fn header(&mut self, rest: &[u8], sink: &mut dyn FnMut(Http2Event<'_>)) -> usize {
        let len = FRAME_HEADER_BYTES
            .saturating_sub(self.buffer.len())
            .min(rest.len());
        self.buffer
            .extend_from_slice(rest.get(..len).unwrap_or_default());
        let Some((frame, size)) = Frame::parse(&self.buffer) else {
            if self.buffer.len() >= FRAME_HEADER_BYTES {
                self.lose(sink);
            }
            return len;
        };
        self.buffer.clear();
        self.begin(frame, len);
        if size == 0 {
            self.end_frame(frame, sink);
        } else {
            self.state = State::Frame(frame, size);
        }
        len
    }

    fn begin(&mut self, frame: Frame, taken: usize) {
        let offset = (self.offset + taken as u64).saturating_sub(FRAME_HEADER_BYTES as u64);
        match frame.kind {
            HEADERS | PROMISE => {
                self.block = Some(Block {
                    stream: frame.stream,
                    offset,
                    bytes: Vec::new(),
                    is_promise: frame.kind == PROMISE,
                    ends_stream: frame.kind == HEADERS && frame.flags & END_STREAM != 0,
                    is_cut: false,
                });
            }
            // Nothing may stand within a block (RFC 9113, 6.10).
            CONTINUATION => {}
            _ => self.block = None,
        }
    }

    fn frame(
        &mut self,
        mut frame: Frame,
        left: usize,
        rest: &[u8],
        sink: &mut dyn FnMut(Http2Event<'_>),
    ) -> usize {
        let taken = if frame.padding.is_none() {
            frame.padding = Some(rest.first().map_or(0, |byte| usize::from(*byte)));
            1
        } else if frame.before > 0 {
            let len = frame.before.min(rest.len()).min(left);
            frame.before -= len;
            if let Some(block) = self.block.as_mut().filter(|it| it.is_promise) {
                for byte in rest.get(..len).unwrap_or_default() {
                    block.stream = block.stream << 8 | u32::from(*byte);
                }
            }
            len
        } else {
            let content = left.saturating_sub(frame.padding.unwrap_or_default());
            let len = match content {
                0 => left.min(rest.len()),
                content => content.min(rest.len()),
            };
            if content > 0 {
                self.content(frame, rest.get(..len).unwrap_or_default(), sink);
            }
            len
        };
        self.state = State::Frame(frame, left - taken);
        if left == taken {
            self.end_frame(frame, sink);
        }
        taken
    }

    fn content(&mut self, frame: Frame, bytes: &[u8], sink: &mut dyn FnMut(Http2Event<'_>)) {
        let offset = self.offset;
        match frame.kind {
            DATA => sink(Http2Event::Data {
                stream: frame.stream,
                offset,
                bytes,
            }),
            HEADERS | PROMISE | CONTINUATION => {
                if let Some(block) = &mut self.block {
                    let room = MAX_BLOCK_BYTES.saturating_sub(block.bytes.len());
                    block.is_cut |= room < bytes.len();
                    block
                        .bytes
                        .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                }
            }
            PRIORITY | RESET | SETTINGS | PING | WINDOW => {}
            _ => sink(Http2Event::Loose { offset, bytes }),
        }
    }

    fn end_frame(&mut self, frame: Frame, sink: &mut dyn FnMut(Http2Event<'_>)) {
        self.state = State::Header;
        let stream = frame.stream;
        match frame.kind {
            HEADERS | PROMISE | CONTINUATION if frame.flags & END_HEADERS != 0 => {
                if let Some(block) = self.block.take() {
                    self.end_block(&block, sink);
                }
            }
            DATA if frame.flags & END_STREAM != 0 => sink(Http2Event::End { stream }),
            RESET => sink(Http2Event::End { stream }),
            _ => {}
        }
    }

    fn end_block(&mut self, block: &Block, sink: &mut dyn FnMut(Http2Event<'_>)) {
        let mut fields: Vec<OwnedField> = Vec::new();
        let mut unread = 0;
        // One byte can stand for an entry of the whole table.
        let mut room = MAX_BLOCK_FIELDS_BYTES;
        let result = self.hpack.handle_block(&block.bytes, &mut |field| {
            if field.name.is_none() || field.value.is_none() {
                // An index takes a byte or two.
                unread += 1;
            }
            let len = |part: Option<&[u8]>| part.map_or(1, <[u8]>::len);
            match room.checked_sub(len(field.name) + len(field.value)) {
                Some(left) => room = left,
                None => return unread += 1,
            }
            let own = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
            fields.push((own(field.name), own(field.value)));
        });
        if result.is_err() || block.is_cut {
            unread = block.bytes.len();
            // The table is not the sender's any more.
            self.hpack.forget();
        }
        let stream = block.stream & !(1 << 31);
        sink(Http2Event::Headers {
            stream,
            offset: block.offset,
            fields: &fields,
            unread,
            is_promise: block.is_promise,
        });
        if block.ends_stream {
            sink(Http2Event::End { stream });
        }
    }
}

impl Frame {
    /// A frame header and the length of what follows; `None` if it can be none.
    fn parse(header: &[u8]) -> Option<(Self, usize)> {
        const MAX_FRAME_BYTES: usize = (1 << 24) - 1;
        let &[a, b, c, kind, flags, d, e, f, g] = header.get(..FRAME_HEADER_BYTES)? else {
            return None;
        };
        let [.., a, b, c] = [0, a, b, c].map(usize::from);
        let len = a << 16 | b << 8 | c;
        let stream = u32::from_be_bytes([d, e, f, g]) & !(1 << 31);
        let is_right = match kind {
            DATA | HEADERS | CONTINUATION | PROMISE => stream > 0,
            PRIORITY => stream > 0 && len == 5,
            RESET => stream > 0 && len == 4,
            SETTINGS => stream == 0 && len % 6 == 0,
            PING => stream == 0 && len == 8,
            GO_AWAY => stream == 0 && len >= 8,
            WINDOW => len == 4,
            _ => true,
        };
        let is_padded = matches!(kind, DATA | HEADERS | PROMISE) && flags & PADDED != 0;
        let before = match kind {
            HEADERS if flags & WITH_PRIORITY != 0 => 5,
            PROMISE => 4,
            _ => 0,
        };
        let frame = Self {
            kind,
            flags,
            stream: if kind == PROMISE { 0 } else { stream },
            padding: (!is_padded).then_some(0),
            before,
        };
        (is_right && len <= MAX_FRAME_BYTES).then_some((frame, len))
    }
}

/// Whether bytes amid a stream can be frames: a whole one and the header of another, or one that
/// ends where they do. `None`: too few to tell.
#[must_use]
pub fn starts_frames(bytes: &[u8]) -> Option<bool> {
    const USUAL_FRAME_BYTES: usize = 1 << 16;
    let mut rest = bytes;
    for number in 0..2 {
        if rest.is_empty() {
            return Some(number > 0);
        }
        if rest.len() < FRAME_HEADER_BYTES {
            return if number == 0 && rest.iter().take(1).all(|byte| *byte == 0) {
                None
            } else {
                Some(false)
            };
        }
        let Some((frame, len)) = Frame::parse(rest) else {
            return Some(false);
        };
        let allowed = match frame.kind {
            DATA => END_STREAM | PADDED,
            HEADERS => END_STREAM | END_HEADERS | PADDED | WITH_PRIORITY,
            SETTINGS | PING => END_STREAM,
            PROMISE => END_HEADERS | PADDED,
            CONTINUATION => END_HEADERS,
            _ => 0,
        };
        let is_known = frame.kind <= CONTINUATION && frame.flags & !allowed == 0;
        if !is_known || len > USUAL_FRAME_BYTES {
            return Some(false);
        }
        match rest.get(FRAME_HEADER_BYTES + len..) {
            Some(more) => rest = more,
            // One header alone is too little: zeros are one.
            None => return Some(number > 0),
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 9113, 4.1.
    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// A client's side: RFC 7541, C.4.1 in three frames, padded data of two streams in turn.
    fn client() -> Vec<u8> {
        let block = [
            0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab,
            0x90, 0xf4, 0xff,
        ];
        let padded = [&[2, 0, 0, 0, 0, 9][..], &block[..4], &[0, 0]].concat();
        [
            PREFACE.to_vec(),
            frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
            frame(HEADERS, PADDED | WITH_PRIORITY, 1, &padded),
            frame(CONTINUATION, 0, 1, &block[4..9]),
            frame(CONTINUATION, END_HEADERS, 1, &block[9..]),
            frame(HEADERS, END_HEADERS, 3, &[0x82, 0xbe]),
            frame(DATA, PADDED, 1, b"\x03one\0\0\0"),
            frame(DATA, 0, 3, b"two"),
            frame(DATA, END_STREAM, 1, b""),
            frame(PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x84]),
            frame(RESET, 0, 3, &[0, 0, 0, 8]),
            frame(GO_AWAY, 0, 0, b"\0\0\0\x03\0\0\0\0why"),
        ]
        .concat()
    }

    /// A literal that is kept in the table (RFC 7541, 6.2.1), then its index (6.1) again and again.
    #[test]
    fn a_block_stands_for_no_more_than_is_read_of_it() {
        let mut block = vec![0x40, 1, b'a', 0x7f, 0xb1, 0x1d];
        // 127 + 49 + 29 * 128 bytes (5.1).
        block.extend(vec![b'v'; 3888]);
        block.extend(vec![0xbe; 20_000]);
        let mut reader = Http2Reader::new(0);
        let mut pieces = vec![frame(HEADERS, 0, 1, &block[..12_000])];
        pieces.push(frame(CONTINUATION, END_HEADERS, 1, &block[12_000..]));
        let mut told = Vec::new();
        for bytes in [PREFACE.to_vec(), pieces.concat()] {
            reader.handle_bytes(&bytes, &mut |event| {
                if let Http2Event::Headers { fields, unread, .. } = event {
                    told.push((fields.len(), unread));
                }
            });
        }
        let kept = MAX_BLOCK_FIELDS_BYTES / 3889;
        assert_eq!(told, [(kept, 20_001 - kept)]);
    }

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut log: Vec<String> = Vec::new();
        let mut reader = Http2Reader::new(0);
        for piece in pieces {
            reader.handle_bytes(piece, &mut |event| {
                let line = match event {
                    Http2Event::Headers {
                        stream,
                        fields,
                        unread,
                        is_promise,
                        ..
                    } => {
                        let part = |it: &Option<Vec<u8>>| text(it.as_deref().unwrap_or(b"?"));
                        let fields: Vec<String> = fields
                            .iter()
                            .map(|(name, value)| format!("{}={}", part(name), part(value)))
                            .collect();
                        format!(
                            "headers {stream} {} {unread} {is_promise}",
                            fields.join(" ")
                        )
                    }
                    Http2Event::Data { stream, bytes, .. } => {
                        format!("data {stream} {}", text(bytes))
                    }
                    Http2Event::DataHole { stream } => format!("hole {stream}"),
                    Http2Event::End { stream } => format!("end {stream}"),
                    Http2Event::Loose { bytes, .. } => format!("loose {}", text(bytes)),
                    Http2Event::Lost => "lost".to_owned(),
                };
                let start = match event {
                    Http2Event::Data { stream, .. } => format!("data {stream} "),
                    Http2Event::Loose { .. } => "loose ".to_owned(),
                    _ => "\n".to_owned(),
                };
                match (log.last_mut(), line.strip_prefix(&start)) {
                    (Some(last), Some(more)) if last.starts_with(&start) => last.push_str(more),
                    _ => log.push(line),
                }
            });
        }
        log
    }

    #[test]
    fn frames_are_read_wherever_they_are_cut() {
        let expected = [
            "headers 1 :method=GET :scheme=http :path=/ :authority=www.example.com 0 false",
            "headers 3 :method=GET :authority=www.example.com 0 false",
            "data 1 one",
            "data 3 two",
            "end 1",
            "headers 2 :path=/ 0 true",
            "end 3",
            "loose \0\0\0\u{3}\0\0\0\0why",
        ];
        let bytes = client();
        for cut in 0..bytes.len() {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]), expected, "{cut}");
        }
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&bytewise), expected);
    }

    #[test]
    fn frames_are_told_from_other_bytes() {
        let frames = client();
        assert_eq!(starts_frames(&frames[PREFACE.len()..]), Some(true));
        assert_eq!(starts_frames(&frame(SETTINGS, 1, 0, &[])), Some(true));
        assert_eq!(starts_frames(&[0; 100]), Some(false));
        assert_eq!(starts_frames(b"GET / HTTP/1.1\r\n\r\n"), Some(false));
        assert_eq!(starts_frames(&[0, 0]), None);
        assert_eq!(starts_frames(&[1, 2]), Some(false));
    }

    #[test]
    fn goes_on_after_a_hole() {
        let mut reader = Http2Reader::new(0);
        let mut log = Vec::new();
        let mut sink = |event: Http2Event<'_>| {
            if let Http2Event::Data { bytes, .. } = event {
                log.extend_from_slice(bytes);
            }
        };
        let data = frame(DATA, 0, 1, b"0123456789");
        reader.handle_bytes(&data[..12], &mut sink);
        reader.handle_hole(3, &mut sink);
        reader.handle_bytes(&data[15..], &mut sink);
        reader.handle_hole(7, &mut sink);
        reader.handle_bytes(b"amid", &mut sink);
        reader.handle_bytes(&[frame(WINDOW, 0, 1, &[0; 4]), data].concat(), &mut sink);
        // `345` was lost; then the frame comes whole.
        assert_eq!(log, b"01267890123456789");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(pieces: Vec<(Vec<u8>, u8)>, kept in 0usize..300) {
            let start = client();
            let mut reader = Http2Reader::new(0);
            reader.handle_bytes(&start[..kept.min(start.len())], &mut |_| {});
            for (piece, hole) in pieces {
                reader.handle_bytes(&piece, &mut |_| {});
                if hole < 30 {
                    reader.handle_hole(u64::from(hole) + 1, &mut |_| {});
                }
            }
        }
    }
}
