//! A transcript of one ADB connection as lines of JSON, schema `phonehome/transcript/1`: a header,
//! then one line per packet in the order in which the host saw them. Holds everything that crossed,
//! personal data included; no private key ever does. Reads no file, and trusts none.

use crate::wire::adb::packet::{Command, MAX_PAYLOAD, Packet, Sums, checksum};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The schema's name.
pub const SCHEMA: &str = "phonehome/transcript/1";

/// The longest line: a whole payload in base64, and room for the rest.
pub const MAX_LINE: usize = (MAX_PAYLOAD as usize).div_ceil(3) * 4 + 1024;

/// Which way a packet went, seen from the side that owns the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Received.
    In,
    /// Sent.
    Out,
}

/// The first line: what was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// The handset as the operator named it.
    pub selector: String,
    /// When the connection began: nanoseconds since the Unix epoch, the host's clock.
    pub started_unix_ns: i64,
}

/// One packet as it crossed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which way it went.
    pub direction: Direction,
    /// Nanoseconds since the connection began, the host's clock.
    pub at_ns: u64,
    /// The packet.
    pub packet: Packet,
    /// Whether its header held a checksum: that of an empty payload is zero, and looks left out.
    /// `None` where the link does not tell.
    pub checksum: Option<bool>,
}

impl Record {
    /// A packet that is sent, with what its header holds.
    #[must_use]
    pub fn sent(at_ns: u64, packet: Packet, sums: Sums) -> Self {
        Self {
            direction: Direction::Out,
            at_ns,
            checksum: Some(sums == Sums::Sent && checksum(&packet.payload) != 0),
            packet,
        }
    }

    /// A packet that was received, with what the link tells of its header.
    #[must_use]
    pub fn received(at_ns: u64, packet: Packet, sums: Option<Sums>) -> Self {
        Self {
            direction: Direction::In,
            at_ns,
            packet,
            checksum: sums.map(|sums| sums == Sums::Sent),
        }
    }
}

/// A packet's line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    index: u64,
    direction: Direction,
    at_ns: u64,
    #[serde(borrow)]
    command: std::borrow::Cow<'a, str>,
    arg0: u32,
    arg1: u32,
    length: u32,
    #[serde(borrow)]
    payload: std::borrow::Cow<'a, str>,
    checksum: Option<bool>,
}

/// The header's line, its end included.
#[must_use]
pub fn emit_header(header: &Header) -> Vec<u8> {
    line(header)
}

/// The line of the packet with this place among all, from 0; its end included.
#[must_use]
pub fn emit_record(index: u64, record: &Record) -> Vec<u8> {
    let packet = &record.packet;
    line(&Line {
        index,
        direction: record.direction,
        at_ns: record.at_ns,
        command: packet.command.name().into(),
        arg0: packet.arg0,
        arg1: packet.arg1,
        length: u32::try_from(packet.payload.len()).unwrap_or(u32::MAX),
        payload: BASE64.encode(&packet.payload).into(),
        checksum: record.checksum,
    })
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec(value).expect("a line of plain data has a JSON form");
    json.push(b'\n');
    json
}

/// Why bytes are no transcript.
#[derive(Debug, Error)]
pub enum TranscriptError {
    /// Nothing, or less than one line.
    #[error("the transcript has no header")]
    NoHeader,
    /// The first line is not a header.
    #[error("the transcript's first line is no header")]
    BadHeader(#[source] serde_json::Error),
    /// Another format, or a later version.
    #[error("the transcript's schema is `{found}`, not `{SCHEMA}`")]
    OtherSchema {
        /// What it says.
        found: String,
    },
    /// More than any packet needs.
    #[error("line {line} of the transcript is longer than {MAX_LINE} bytes")]
    LineTooLong {
        /// Which, from 1.
        line: usize,
    },
    /// A whole line that is no packet.
    #[error("line {line} of the transcript is no packet")]
    BadLine {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A line whose parts contradict each other.
    #[error("line {line} of the transcript contradicts itself: {what}")]
    Contradiction {
        /// Which, from 1.
        line: usize,
        /// How.
        what: &'static str,
    },
}

/// A transcript as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// What was recorded.
    pub header: Header,
    /// Every packet, in order.
    pub records: Vec<Record>,
    /// Whether the last line is torn: the host was killed while it wrote. It is left out.
    pub ends_torn: bool,
}

impl Transcript {
    /// Reads a whole transcript. What it takes is bounded by the bytes given.
    pub fn parse(bytes: &[u8]) -> Result<Self, TranscriptError> {
        let ends_torn = !bytes.is_empty() && !bytes.ends_with(b"\n");
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        // What follows the last line's end is empty or torn.
        lines.pop();
        if let Some(at) = lines.iter().position(|line| line.len() > MAX_LINE) {
            return Err(TranscriptError::LineTooLong { line: at + 1 });
        }
        let (first, rest) = lines.split_first().ok_or(TranscriptError::NoHeader)?;
        let header: Header = serde_json::from_slice(first).map_err(TranscriptError::BadHeader)?;
        if header.schema != SCHEMA {
            let found = crate::base::text::printable(&header.schema, 80).into_owned();
            return Err(TranscriptError::OtherSchema { found });
        }
        let records = rest
            .iter()
            .enumerate()
            .map(|(index, line)| record(index, line));
        Ok(Self {
            header,
            records: records.collect::<Result<_, _>>()?,
            ends_torn,
        })
    }

    /// The transcript as bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let records = (0..).zip(&self.records);
        let lines = records.flat_map(|(index, record)| emit_record(index, record));
        emit_header(&self.header).into_iter().chain(lines).collect()
    }
}

/// The packet of a line; `index` is its place among the packets.
fn record(index: usize, text: &[u8]) -> Result<Record, TranscriptError> {
    let line = index + 2;
    let read: Line<'_> =
        serde_json::from_slice(text).map_err(|source| TranscriptError::BadLine { line, source })?;
    let contradiction = |what| TranscriptError::Contradiction { line, what };
    if usize::try_from(read.index) != Ok(index) {
        return Err(contradiction("its index is not its place"));
    }
    let command = Command::from_name(&read.command);
    let command = command.ok_or_else(|| contradiction("its command is none of ADB's"))?;
    let payload = BASE64.decode(read.payload.as_bytes());
    let payload = payload.map_err(|_| contradiction("its payload is not base64"))?;
    if u32::try_from(payload.len()) != Ok(read.length) {
        return Err(contradiction("its length is not its payload's"));
    }
    if read.length > MAX_PAYLOAD {
        return Err(contradiction("its payload is larger than ADB's largest"));
    }
    Ok(Record {
        direction: read.direction,
        at_ns: read.at_ns,
        packet: Packet::new(command, read.arg0, read.arg1, payload.into()),
        checksum: read.checksum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            schema: SCHEMA.to_owned(),
            selector: "tcp:127.0.0.1:5555".to_owned(),
            started_unix_ns: 1_407_650_400_000_000_000,
        }
    }

    fn records() -> impl Strategy<Value = Record> {
        let commands = ["CNXN", "AUTH", "OPEN", "OKAY", "WRTE", "CLSE", "STLS"];
        (
            prop::sample::select(vec![Direction::In, Direction::Out]),
            any::<u64>(),
            prop::sample::select(commands.to_vec()),
            any::<(u32, u32)>(),
            prop::collection::vec(any::<u8>(), 0..300),
            any::<Option<bool>>(),
        )
            .prop_map(
                |(direction, at_ns, command, (arg0, arg1), payload, checksum)| {
                    let command = Command::from_name(command).unwrap();
                    Record {
                        direction,
                        at_ns,
                        packet: Packet::new(command, arg0, arg1, payload.into()),
                        checksum,
                    }
                },
            )
    }

    /// The line as this module's documentation promises it to other programs.
    #[test]
    fn a_line_is_what_the_schema_says() {
        let packet = Packet::new(Command::Open, 7, 0, "shell:id\0".into());
        let line = emit_record(3, &Record::sent(1500, packet, Sums::LeftOut));
        let expected = concat!(
            r#"{"index":3,"direction":"out","at_ns":1500,"command":"OPEN","arg0":7,"arg1":0,"#,
            r#""length":9,"payload":"c2hlbGw6aWQA","checksum":false}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[track_caller]
    fn check(lines: &[&str], expected: &str) {
        let header = String::from_utf8(emit_header(&header())).unwrap();
        let text = format!("{header}{}\n", lines.join("\n"));
        let error = Transcript::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let line = |index: u32, command: &str, length: u32, payload: &str| {
            format!(
                r#"{{"index":{index},"direction":"in","at_ns":0,"command":"{command}","arg0":0,"arg1":0,"length":{length},"payload":"{payload}","checksum":null}}"#
            )
        };
        for (line, what) in [
            (line(1, "OKAY", 0, ""), "its index is not its place"),
            (line(0, "SYNC", 0, ""), "its command is none of ADB's"),
            (line(0, "OKAY", 0, "!"), "its payload is not base64"),
            (
                line(0, "OKAY", 4_000_000_000, "AA=="),
                "its length is not its payload's",
            ),
        ] {
            let expected = format!("line 2 of the transcript contradicts itself: {what}");
            check(&[&line], &expected);
        }
        let long = format!("{}\n", " ".repeat(MAX_LINE + 1));
        check(
            &[&long],
            &format!("line 2 of the transcript is longer than {MAX_LINE} bytes"),
        );
        check(&["{}"], "line 2 of the transcript is no packet");
        let other = Transcript::parse(
            br#"{"schema":"phonehome/transcript/2","selector":"","started_unix_ns":0}
"#,
        );
        let expected =
            format!("the transcript's schema is `phonehome/transcript/2`, not `{SCHEMA}`");
        assert_eq!(other.unwrap_err().to_string(), expected);
    }

    proptest! {
        #[test]
        fn round_trips(records in prop::collection::vec(records(), 0..6)) {
            let transcript = Transcript { header: header(), records, ends_torn: false };
            prop_assert_eq!(Transcript::parse(&transcript.emit()).unwrap(), transcript);
        }

        #[test]
        fn every_truncation_is_the_packets_before_it(records in prop::collection::vec(records(), 1..4)) {
            let whole = Transcript { header: header(), records, ends_torn: false };
            let bytes = whole.emit();
            for cut in 0..bytes.len() {
                let lines = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
                match Transcript::parse(&bytes[..cut]) {
                    Ok(read) => {
                        prop_assert_eq!(&read.records[..], &whole.records[..lines - 1]);
                        prop_assert_eq!(read.ends_torn, bytes[cut - 1] != b'\n');
                    }
                    Err(error) => {
                        prop_assert!(matches!(error, TranscriptError::NoHeader), "{}", error);
                        prop_assert_eq!(lines, 0);
                    }
                }
            }
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), record in records(), at in any::<prop::sample::Index>(), flip in 1u8..) {
            let _ = Transcript::parse(&bytes);
            let mut close = Transcript { header: header(), records: vec![record], ends_torn: false }.emit();
            let at = at.index(close.len());
            close[at] ^= flip;
            let _ = Transcript::parse(&close);
        }
    }
}
