//! `HttpReader`: one direction of a connection, cut into messages; bodies stream through with their
//! framing removed. After damage or a hole it says so, hands the bytes out as loose, and goes on at
//! the next message. It decodes no content.

use crate::wire::net::http1::head::{
    Head, StartLine, has_other_first_line, head_len, starts_message, starts_with_whole_line,
};
use std::collections::VecDeque;

/// A head or a line of framing that is longer is not HTTP.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Requests whose responses are still awaited; of more, the oldest are forgotten.
const MAX_PIPELINED: usize = 1024;

/// What a direction carries, in order. Offsets count from the direction's first byte.
#[derive(Debug)]
pub enum HttpEvent<'a> {
    /// A message begins.
    Head {
        /// Where it starts.
        offset: u64,
        /// Start line and fields.
        head: Head<'a>,
    },
    /// The body's next bytes.
    Body {
        /// Where they start.
        offset: u64,
        /// The bytes, framing removed.
        bytes: &'a [u8],
    },
    /// A header field behind the body.
    Trailer {
        /// Where it starts.
        offset: u64,
        /// The line, its end included.
        line: &'a [u8],
    },
    /// Bytes of the body that were not captured.
    BodyHole,
    /// The message has ended, whole or not.
    End,
    /// Bytes outside any body or head: chunk extensions, garbage.
    Loose {
        /// Where they start.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
}

/// What a response must know of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Answered without a body.
    Head,
    /// Turns the connection into a tunnel.
    Connect,
    /// Any other.
    Other,
}

impl Method {
    /// By its name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Self {
        match name {
            b"HEAD" => Self::Head,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub struct HttpReader {
    state: State,
    offset: u64,
    /// An incomplete head or line, and where it starts.
    buffer: Vec<u8>,
    expected: VecDeque<Method>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Head,
    Fixed(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    Lost,
    Switched,
}

impl HttpReader {
    /// A reader whose first byte is at `offset` of the direction.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self {
            offset,
            ..Self::default()
        }
    }

    /// Tells the reader of responses which request the next of them answers.
    pub fn expect_response_to(&mut self, method: Method) {
        if self.expected.len() == MAX_PIPELINED {
            self.expected.pop_front();
        }
        self.expected.push_back(method);
    }

    /// Whether a message may begin with the next byte.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.state == State::Start && self.buffer.is_empty()
    }

    /// Whether the connection now speaks another protocol: what was not taken belongs to that.
    #[must_use]
    pub fn is_switched(&self) -> bool {
        self.state == State::Switched
    }

    /// Takes the direction's next bytes and returns how many: all, but for those after a switch to
    /// another protocol.
    pub fn handle_bytes(&mut self, bytes: &[u8], sink: &mut dyn FnMut(HttpEvent<'_>)) -> usize {
        if self.state == State::Lost && starts_with_whole_line(bytes) {
            self.state = State::Start;
        }
        let mut rest = bytes;
        while !rest.is_empty() && self.state != State::Switched {
            let taken = self.step(rest, sink);
            self.offset += taken as u64;
            rest = rest.get(taken..).unwrap_or_default();
        }
        bytes.len() - rest.len()
    }

    /// Says that the direction's next bytes were not captured.
    pub fn handle_hole(&mut self, len: u64, sink: &mut dyn FnMut(HttpEvent<'_>)) {
        self.offset += len;
        match &mut self.state {
            State::Fixed(left) | State::Chunk(left) if *left > len => {
                *left -= len;
                sink(HttpEvent::BodyHole);
            }
            State::Fixed(left) if *left == len => self.end(sink),
            State::UntilClose => sink(HttpEvent::BodyHole),
            State::Start | State::Lost | State::Switched => {}
            _ => self.lose(sink),
        }
    }

    /// Says that the direction has ended.
    pub fn finish(&mut self, sink: &mut dyn FnMut(HttpEvent<'_>)) {
        if !matches!(self.state, State::Start | State::Switched) {
            self.lose(sink);
        }
    }

    /// Takes at least one byte.
    fn step(&mut self, rest: &[u8], sink: &mut dyn FnMut(HttpEvent<'_>)) -> usize {
        match self.state {
            State::Start => self.start(rest),
            State::Head => self.head(rest, sink),
            State::Fixed(left) => {
                let taken = self.body(left, rest, sink);
                match left - taken as u64 {
                    0 => self.end(sink),
                    left => self.state = State::Fixed(left),
                }
                taken
            }
            State::Chunk(left) => {
                let taken = self.body(left, rest, sink);
                self.state = match left - taken as u64 {
                    0 => State::ChunkEnd,
                    left => State::Chunk(left),
                };
                taken
            }
            State::ChunkSize | State::ChunkEnd | State::Trailers => self.line(rest, sink),
            State::UntilClose => self.body(u64::MAX, rest, sink),
            State::Lost => {
                let offset = self.offset;
                sink(HttpEvent::Loose {
                    offset,
                    bytes: rest,
                });
                rest.len()
            }
            State::Switched => rest.len(),
        }
    }

    fn start(&mut self, rest: &[u8]) -> usize {
        // An empty line before a message is to be ignored (RFC 9112, 2.2).
        let blank = rest
            .iter()
            .take_while(|byte| b"\r\n".contains(byte))
            .count();
        if blank > 0 {
            return blank;
        }
        self.state = match starts_message(rest) {
            Some(false) => State::Lost,
            Some(true) | None => State::Head,
        };
        0
    }

    fn head(&mut self, rest: &[u8], sink: &mut dyn FnMut(HttpEvent<'_>)) -> usize {
        let before = self.buffer.len();
        let room = MAX_HEAD_BYTES.saturating_sub(before).min(rest.len());
        self.buffer
            .extend_from_slice(rest.get(..room).unwrap_or(rest));
        if let Some(len) = head_len(&self.buffer, before) {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.truncate(len);
            let offset = self.offset - before as u64;
            match Head::parse(&buffer) {
                Some(head) => self.begin(offset, head, sink),
                None => {
                    self.buffer = buffer;
                    self.lose_at(offset, sink);
                }
            }
            return len - before;
        }
        let is_hopeless = starts_message(&self.buffer) == Some(false)
            || self.buffer.len() >= MAX_HEAD_BYTES
            || has_other_first_line(&self.buffer);
        if is_hopeless {
            self.lose_at(self.offset - before as u64, sink);
        }
        room
    }

    fn begin(&mut self, offset: u64, head: Head<'_>, sink: &mut dyn FnMut(HttpEvent<'_>)) {
        let state = match head.start {
            StartLine::Request { method, .. } => match Method::from_name(method) {
                Method::Connect => State::Switched,
                _ => framing(&head).unwrap_or(State::Fixed(0)),
            },
            StartLine::Response { status } => self.response_state(status, &head),
        };
        sink(HttpEvent::Head { offset, head });
        match state {
            State::Fixed(0) => self.end(sink),
            State::Switched => {
                sink(HttpEvent::End);
                self.state = state;
            }
            _ => self.state = state,
        }
    }

    fn response_state(&mut self, status: u16, head: &Head<'_>) -> State {
        if (100..200).contains(&status) && status != 101 {
            return State::Fixed(0);
        }
        let method = self.expected.pop_front().unwrap_or(Method::Other);
        match (method, status) {
            (_, 101) | (Method::Connect, 200..300) => State::Switched,
            (Method::Head, _) | (_, 204 | 304) => State::Fixed(0),
            _ => framing(head).unwrap_or(State::UntilClose),
        }
    }

    fn body(&self, left: u64, rest: &[u8], sink: &mut dyn FnMut(HttpEvent<'_>)) -> usize {
        let len = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
        let offset = self.offset;
        let bytes = rest.get(..len).unwrap_or(rest);
        sink(HttpEvent::Body { offset, bytes });
        len
    }

    /// A line of framing: a chunk's size, the end of a chunk, a trailer.
    fn line(&mut self, rest: &[u8], sink: &mut dyn FnMut(HttpEvent<'_>)) -> usize {
        let newline = rest.iter().position(|byte| *byte == b'\n');
        let len = newline.map_or(rest.len(), |at| at + 1);
        let start = self.offset - self.buffer.len() as u64;
        self.buffer
            .extend_from_slice(rest.get(..len).unwrap_or(rest));
        if newline.is_none() {
            if self.buffer.len() > MAX_HEAD_BYTES {
                self.lose_at(start, sink);
            }
            return len;
        }
        let line = std::mem::take(&mut self.buffer);
        let next = match self.state {
            State::ChunkSize => chunk_size(&line).map(|(size, has_extension)| {
                if has_extension {
                    let offset = start;
                    let bytes = &line;
                    sink(HttpEvent::Loose { offset, bytes });
                }
                match size {
                    0 => State::Trailers,
                    size => State::Chunk(size),
                }
            }),
            State::ChunkEnd => line.trim_ascii().is_empty().then_some(State::ChunkSize),
            _ if line.trim_ascii().is_empty() => {
                self.end(sink);
                return len;
            }
            state => {
                let (offset, line) = (start, &line);
                sink(HttpEvent::Trailer { offset, line });
                Some(state)
            }
        };
        match next {
            Some(state) => self.state = state,
            None => {
                self.buffer = line;
                self.lose_at(start, sink);
            }
        }
        len
    }

    fn end(&mut self, sink: &mut dyn FnMut(HttpEvent<'_>)) {
        self.state = State::Start;
        sink(HttpEvent::End);
    }

    fn lose(&mut self, sink: &mut dyn FnMut(HttpEvent<'_>)) {
        self.lose_at(self.offset.saturating_sub(self.buffer.len() as u64), sink);
    }

    /// Gives up the message; what was buffered, from `offset` on, is loose.
    fn lose_at(&mut self, offset: u64, sink: &mut dyn FnMut(HttpEvent<'_>)) {
        let in_message = !matches!(self.state, State::Head | State::Lost);
        let bytes = std::mem::take(&mut self.buffer);
        if !bytes.is_empty() {
            sink(HttpEvent::Loose {
                offset,
                bytes: &bytes,
            });
        }
        if in_message {
            sink(HttpEvent::End);
        }
        self.state = State::Lost;
    }
}

/// How the body is framed, if the head says so.
fn framing(head: &Head<'_>) -> Option<State> {
    if head.lists("transfer-encoding", "chunked") {
        return Some(State::ChunkSize);
    }
    let length = head.field("content-length")?.value;
    let length = str::from_utf8(length).ok()?.parse().ok()?;
    Some(State::Fixed(length))
}

/// A chunk's size, and whether an extension follows it.
fn chunk_size(line: &[u8]) -> Option<(u64, bool)> {
    let line = line.trim_ascii();
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (size, extension) = line.split_at_checked(digits.count())?;
    let size = u64::from_str_radix(str::from_utf8(size).ok()?, 16).ok()?;
    let extension = extension.trim_ascii_start();
    (extension.is_empty() || extension.starts_with(b";")).then_some((size, !extension.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What came out, body bytes joined: `GET /a`, `200`, `body:…`, `loose:…`, `end`.
    #[derive(Debug, Default, PartialEq)]
    struct Log(Vec<String>);

    impl Log {
        fn take(&mut self, event: &HttpEvent<'_>) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let line = match event {
                HttpEvent::Head { head, .. } => match head.start {
                    StartLine::Request { method, target, .. } => {
                        format!("{} {}", text(method), text(target))
                    }
                    StartLine::Response { status } => status.to_string(),
                },
                HttpEvent::Body { bytes, .. } => format!("body:{}", text(bytes)),
                HttpEvent::Trailer { line, .. } => format!("trailer:{}", text(line)),
                HttpEvent::BodyHole => "hole".to_owned(),
                HttpEvent::Loose { bytes, .. } => format!("loose:{}", text(bytes)),
                HttpEvent::End => "end".to_owned(),
            };
            for kind in ["body:", "loose:"] {
                if let Some(last) = self.0.last_mut()
                    && last.starts_with(kind)
                    && let Some(more) = line.strip_prefix(kind)
                {
                    last.push_str(more);
                    return;
                }
            }
            self.0.push(line);
        }
    }

    fn read(pieces: &[&[u8]], methods: &[Method]) -> (Vec<String>, Vec<u8>) {
        let mut log = Log::default();
        let mut left = Vec::new();
        let mut reader = HttpReader::new(0);
        for method in methods {
            reader.expect_response_to(*method);
        }
        for piece in pieces {
            let taken = reader.handle_bytes(piece, &mut |event| log.take(&event));
            left.extend_from_slice(&piece[taken..]);
        }
        reader.finish(&mut |event| log.take(&event));
        (log.0, left)
    }

    const CASES: &[(&str, &[Method], &[&str], &str)] = &[
        (
            "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
            &[],
            &["GET /a", "end", "GET /b", "end"],
            "",
        ),
        (
            "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloPOST /b HTTP/1.1\r\n\r\n",
            &[],
            &["POST /a", "body:hello", "end", "POST /b", "end"],
            "",
        ),
        (
            "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: r\r\n\r\n",
            &[],
            &[
                "POST /a",
                "body:hello",
                "loose:6;x=y\r\n",
                "body: world",
                "trailer:T: r\r\n",
                "end",
            ],
            "",
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n",
            &[Method::Other, Method::Other],
            &["100", "end", "200", "body:ok", "end", "304", "end"],
            "",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.0 200 OK\r\n\r\nall the rest",
            &[Method::Head, Method::Other],
            &["200", "end", "200", "body:all the rest", "end"],
            "",
        ),
        (
            "CONNECT x:443 HTTP/1.1\r\n\r\n\x16\x03\x01",
            &[],
            &["CONNECT x:443", "end"],
            "\x16\x03\x01",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01",
            &[Method::Connect],
            &["200", "end"],
            "\x16\x03\x01",
        ),
        ("\x01\x02 garbage", &[], &["loose:\x01\x02 garbage"], ""),
        (
            "EHLO x\r\nMAIL FROM\r\n",
            &[],
            &["loose:EHLO x\r\nMAIL FROM\r\n"],
            "",
        ),
        (
            "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\nrest",
            &[],
            &["POST /a", "loose:not a size\r\n", "end", "loose:rest"],
            "",
        ),
        (
            "POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort",
            &[],
            &["POST /a", "body:short", "end"],
            "",
        ),
    ];

    #[test]
    fn cuts_streams_into_messages_wherever_they_are_cut() {
        for (input, methods, expected, left) in CASES {
            let bytes = input.as_bytes();
            for cut in 0..bytes.len() {
                let (log, rest) = read(&[&bytes[..cut], &bytes[cut..]], methods);
                assert_eq!(log, *expected, "{input} cut at {cut}");
                assert_eq!(rest, left.as_bytes(), "{input} cut at {cut}");
            }
            let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read(&bytewise, methods).0, *expected, "{input} bytewise");
        }
    }

    #[test]
    fn goes_on_after_a_hole() {
        let mut log = Log::default();
        let mut reader = HttpReader::new(0);
        let mut sink = |event: HttpEvent<'_>| log.take(&event);
        reader.handle_bytes(
            b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nab",
            &mut sink,
        );
        reader.handle_hole(3, &mut sink);
        reader.handle_bytes(b"cdef", &mut sink);
        reader.handle_bytes(b"GET /b HTTP/1.1\r\nHo", &mut sink);
        reader.handle_hole(10, &mut sink);
        reader.handle_bytes(b"half a header\r\n\r\n", &mut sink);
        reader.handle_bytes(b"GET /c HTTP/1.1\r\n\r\n", &mut sink);
        reader.finish(&mut sink);
        let expected = [
            "POST /a",
            "body:ab",
            "hole",
            "body:cdef",
            "end",
            "loose:GET /b HTTP/1.1\r\nHohalf a header\r\n\r\n",
            "GET /c",
            "end",
        ];
        assert_eq!(log.0, expected);
    }

    #[test]
    fn a_head_without_end_is_bounded() {
        let mut reader = HttpReader::new(0);
        let mut loose = 0;
        let mut sink = |event: HttpEvent<'_>| {
            if let HttpEvent::Loose { bytes, .. } = event {
                loose += bytes.len();
            }
        };
        reader.handle_bytes(b"GET /a HTTP/1.1\r\n", &mut sink);
        for _ in 0..10_000 {
            reader.handle_bytes(b"A: bcdefgh\r\n", &mut sink);
        }
        reader.finish(&mut sink);
        assert!(reader.buffer.capacity() <= 2 * MAX_HEAD_BYTES);
        assert_eq!(loose, 17 + 10_000 * 12);
    }

    proptest! {
        /// No byte is lost or told twice: heads and framing aside, the offsets go up.
        #[test]
        fn any_bytes_are_survived(pieces: Vec<(Vec<u8>, u8)>, prefix in 0..CASES.len(), kept in 0usize..100) {
            let case = CASES[prefix].0.as_bytes();
            let mut reader = HttpReader::new(0);
            let mut last = 0;
            let mut sink = |event: HttpEvent<'_>| {
                if let HttpEvent::Body { offset, .. } | HttpEvent::Loose { offset, .. } | HttpEvent::Head { offset, .. } = event {
                    assert!(offset >= last, "{offset} after {last}");
                    last = offset;
                }
            };
            reader.handle_bytes(&case[..kept.min(case.len())], &mut sink);
            for (piece, hole) in &pieces {
                let taken = reader.handle_bytes(piece, &mut sink);
                assert!(taken == piece.len() || reader.is_switched());
                if *hole < 30 {
                    reader.handle_hole(u64::from(*hole) + 1, &mut sink);
                }
            }
            reader.finish(&mut sink);
        }
    }
}
