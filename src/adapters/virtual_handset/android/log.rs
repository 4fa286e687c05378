//! The log buffers: bounded rings that state changes write to. How lines are printed is `log_format`'s.

use std::collections::VecDeque;

/// Bytes each buffer holds, as the ring buffers of 4.3 and logd's default.
pub(crate) const CAPACITY_BYTES: usize = 256 * 1024;

/// The longest message kept (`LOGGER_ENTRY_MAX_PAYLOAD`).
pub(crate) const MAX_PAYLOAD_BYTES: usize = 4068;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Verbose,
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
    Silent,
}

impl Level {
    /// `V`, `D`, `I`, `W`, `E`, `F` or `S`.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Verbose => 'V',
            Self::Debug => 'D',
            Self::Info => 'I',
            Self::Warning => 'W',
            Self::Error => 'E',
            Self::Fatal => 'F',
            Self::Silent => 'S',
        }
    }

    /// From a letter in either case, `*` being verbose.
    pub(crate) fn from_letter(letter: &str) -> Option<Self> {
        Some(match letter.to_ascii_uppercase().as_str() {
            "V" | "*" => Self::Verbose,
            "D" => Self::Debug,
            "I" => Self::Info,
            "W" => Self::Warning,
            "E" => Self::Error,
            "F" => Self::Fatal,
            "S" => Self::Silent,
            _ => return None,
        })
    }
}

/// One of the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Buffer {
    Main,
    Radio,
    Events,
    System,
    Crash,
}

impl Buffer {
    /// All, in the order of their numbers in liblog.
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("main", Self::Main),
        ("radio", Self::Radio),
        ("events", Self::Events),
        ("system", Self::System),
        ("crash", Self::Crash),
    ];

    /// The name that `-b` takes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Radio => "radio",
            Self::Events => "events",
            Self::System => "system",
            Self::Crash => "crash",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Main => 0,
            Self::Radio => 1,
            Self::Events => 2,
            Self::System => 3,
            Self::Crash => 4,
        }
    }
}

/// One log entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counts all entries of the handset; later ones have higher numbers.
    pub(crate) number: u64,
    pub(crate) buffer: Buffer,
    /// Civil time, nanoseconds since the Unix epoch.
    pub(crate) unix_nanoseconds: i64,
    pub(crate) uid: u32,
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) level: Level,
    pub(crate) tag: String,
    pub(crate) message: String,
}

impl Line {
    /// What it takes in a buffer: header, tag and message.
    fn len_bytes(&self) -> usize {
        32 + self.tag.len() + self.message.len()
    }
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) uid: u32,
    pub(crate) pid: u32,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Line>,
    len_bytes: usize,
}

/// All buffers.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    rings: [Ring; 5],
    written: u64,
}

impl Logs {
    /// Appends an entry; the oldest ones make room.
    pub(crate) fn write(
        &mut self,
        buffer: Buffer,
        unix_nanoseconds: i64,
        writer: Writer,
        (level, tag): (Level, &str),
        message: &str,
    ) {
        self.written += 1;
        let line = Line {
            number: self.written,
            buffer,
            unix_nanoseconds,
            uid: writer.uid,
            pid: writer.pid,
            tid: writer.pid,
            level,
            tag: tag.to_owned(),
            message: bounded(message).to_owned(),
        };
        let Some(ring) = self.rings.get_mut(buffer.index()) else {
            return;
        };
        ring.len_bytes += line.len_bytes();
        ring.lines.push_back(line);
        while ring.len_bytes > CAPACITY_BYTES {
            let Some(oldest) = ring.lines.pop_front() else {
                break;
            };
            ring.len_bytes -= oldest.len_bytes();
        }
    }

    /// What these buffers hold beyond entry `after`, in the order it was written.
    pub(crate) fn since(&self, buffers: &[Buffer], after: u64) -> Vec<&Line> {
        let mut lines: Vec<&Line> = buffers
            .iter()
            .filter_map(|buffer| self.rings.get(buffer.index()))
            .flat_map(|ring| ring.lines.iter().filter(|line| line.number > after))
            .collect();
        lines.sort_by_key(|line| line.number);
        lines.dedup_by_key(|line| line.number);
        lines
    }

    /// Entries written since power-on.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Empties a buffer.
    pub(crate) fn clear(&mut self, buffer: Buffer) {
        if let Some(ring) = self.rings.get_mut(buffer.index()) {
            *ring = Ring::default();
        }
    }

    /// Bytes a buffer holds.
    pub(crate) fn len_bytes(&self, buffer: Buffer) -> usize {
        self.rings
            .get(buffer.index())
            .map_or(0, |ring| ring.len_bytes)
    }
}

/// The front of a message that is too long for an entry.
fn bounded(message: &str) -> &str {
    let mut end = message.len().min(MAX_PAYLOAD_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITER: Writer = Writer { uid: 1000, pid: 7 };

    #[test]
    fn buffers_are_bounded_and_keep_the_newest() {
        let mut logs = Logs::default();
        for number in 0..10_000 {
            let message = format!("{number} {}", "ü".repeat(3000));
            logs.write(Buffer::Main, number, WRITER, (Level::Info, "t"), &message);
        }
        assert!(logs.len_bytes(Buffer::Main) <= CAPACITY_BYTES);
        let lines = logs.since(&[Buffer::Main], 0);
        assert!(lines.last().unwrap().message.starts_with("9999 "));
        assert!(
            lines
                .iter()
                .all(|line| line.message.len() <= MAX_PAYLOAD_BYTES)
        );
        logs.clear(Buffer::Main);
        assert_eq!(logs.len_bytes(Buffer::Main), 0);
        assert_eq!(logs.written(), 10_000);
    }

    #[test]
    fn several_buffers_are_one_sequence() {
        let mut logs = Logs::default();
        for (buffer, message) in [
            (Buffer::System, "a"),
            (Buffer::Main, "b"),
            (Buffer::System, "c"),
        ] {
            logs.write(buffer, 0, WRITER, (Level::Info, "t"), message);
        }
        let of = |buffers: &[Buffer], after| -> String {
            logs.since(buffers, after)
                .iter()
                .map(|line| line.message.as_str())
                .collect()
        };
        assert_eq!(of(&[Buffer::Main, Buffer::System, Buffer::Main], 0), "abc");
        assert_eq!(of(&[Buffer::System], 1), "c");
    }
}
