//! How `logcat` prints an entry (AOSP `liblog/logprint`). It knows no buffer and no time but the entry's.

use super::log::Line;
use crate::adapters::virtual_handset::android::text::push;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `-v`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Brief,
    Process,
    Tag,
    Thread,
    Raw,
    Time,
    ThreadTime,
    Long,
}

impl Layout {
    /// All, with the names that `-v` takes.
    pub(crate) const ALL: [(&'static str, Self); 8] = [
        ("brief", Self::Brief),
        ("process", Self::Process),
        ("tag", Self::Tag),
        ("thread", Self::Thread),
        ("raw", Self::Raw),
        ("time", Self::Time),
        ("threadtime", Self::ThreadTime),
        ("long", Self::Long),
    ];
}

/// How lines are printed.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    pub(crate) layout: Layout,
    pub(crate) zone: TimeZone,
    /// `-v year`.
    pub(crate) year: bool,
    /// `-v usec`.
    pub(crate) microseconds: bool,
    /// `-v epoch`.
    pub(crate) epoch: bool,
    /// `-v zone`.
    pub(crate) show_zone: bool,
    /// `-v uid`.
    pub(crate) uid: bool,
}

impl Format {
    /// One entry, each line of a message that has several with its own prefix.
    pub(crate) fn print(&self, line: &Line, into: &mut String) {
        let (prefix, suffix) = self.around(line);
        if self.layout == Layout::Long {
            push(into, format_args!("{prefix}\n{}{suffix}", line.message));
            return;
        }
        let text = line.message.strip_suffix('\n').unwrap_or(&line.message);
        for part in text.split('\n') {
            into.push_str(&prefix);
            into.push_str(part);
            into.push_str(&suffix);
        }
    }

    fn around(&self, line: &Line) -> (String, String) {
        let (level, tag, pid, tid) = (line.level.letter(), &line.tag, line.pid, line.tid);
        let uid = self.uid(line.uid);
        let end = "\n".to_owned();
        match self.layout {
            Layout::Brief => (format!("{level}/{tag:<8}({uid}{pid:>5}): "), end),
            Layout::Process => (format!("{level}({uid}{pid:>5}) "), format!("  ({tag})\n")),
            Layout::Tag => (format!("{level}/{tag:<8}: "), end),
            Layout::Thread => (format!("{level}({uid}{pid:>5}:{tid:>5}) "), end),
            Layout::Raw => (String::new(), end),
            Layout::Time => {
                let time = self.time(line.unix_nanoseconds);
                (format!("{time} {level}/{tag:<8}({uid}{pid:>5}): "), end)
            }
            Layout::ThreadTime => {
                let time = self.time(line.unix_nanoseconds);
                (
                    format!("{time} {uid}{pid:>5} {tid:>5} {level} {tag:<8}: "),
                    end,
                )
            }
            Layout::Long => {
                let time = self.time(line.unix_nanoseconds);
                let prefix = format!("[ {time} {uid}{pid:>5}:{tid:>5} {level}/{tag:<8} ]");
                (prefix, "\n\n".to_owned())
            }
        }
    }

    fn uid(&self, uid: u32) -> String {
        let name = match uid {
            0 => "root",
            1001 => "radio",
            1010 => "wifi",
            2000 => "shell",
            _ => "",
        };
        match (self.uid, name) {
            (false, _) => String::new(),
            (true, "") => format!("{uid:>5}:"),
            (true, name) => format!("{name:>5}:"),
        }
    }

    /// `07-22 11:51:41.123`, with what the modifiers add.
    pub(crate) fn time(&self, unix_nanoseconds: i64) -> String {
        let fraction = unix_nanoseconds.rem_euclid(1_000_000_000);
        let fraction = if self.microseconds {
            format!("{:06}", fraction / 1000)
        } else {
            format!("{:03}", fraction / 1_000_000)
        };
        if self.epoch {
            let seconds = unix_nanoseconds.div_euclid(1_000_000_000);
            return format!("{seconds:>19}.{fraction}");
        }
        let at = Timestamp::from_nanosecond(i128::from(unix_nanoseconds)).unwrap_or_default();
        let civil = at.to_zoned(self.zone.clone());
        let year = if self.year {
            civil.strftime("%Y-").to_string()
        } else {
            String::new()
        };
        let zone = if self.show_zone {
            civil.strftime(" %z").to_string()
        } else {
            String::new()
        };
        let time = civil.strftime("%m-%d %H:%M:%S");
        format!("{year}{time}.{fraction}{zone}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::android::log::{Buffer, Level};

    /// Lines as the format strings of AOSP `liblog/logprint.c` (android-4.3) and `logprint.cpp` (14) make them.
    #[test]
    fn prints_as_logprint_does() {
        let line = Line {
            number: 1,
            buffer: Buffer::System,
            unix_nanoseconds: 1_406_001_101_123_456_789,
            uid: 1000,
            pid: 512,
            tid: 530,
            level: Level::Info,
            tag: "Act".to_owned(),
            message: "one\ntwo".to_owned(),
        };
        let cases = [
            (
                Layout::Brief,
                "I/Act     (  512): one\nI/Act     (  512): two\n",
            ),
            (
                Layout::Process,
                "I(  512) one  (Act)\nI(  512) two  (Act)\n",
            ),
            (Layout::Tag, "I/Act     : one\nI/Act     : two\n"),
            (Layout::Thread, "I(  512:  530) one\nI(  512:  530) two\n"),
            (Layout::Raw, "one\ntwo\n"),
            (
                Layout::Time,
                "07-22 11:51:41.123 I/Act     (  512): one\n07-22 11:51:41.123 I/Act     (  512): two\n",
            ),
            (
                Layout::ThreadTime,
                "07-22 11:51:41.123   512   530 I Act     : one\n07-22 11:51:41.123   512   530 I Act     : two\n",
            ),
            (
                Layout::Long,
                "[ 07-22 11:51:41.123   512:  530 I/Act      ]\none\ntwo\n\n",
            ),
        ];
        for (layout, expected) in cases {
            let format = Format {
                layout,
                zone: TimeZone::get("Asia/Shanghai").unwrap(),
                year: false,
                microseconds: false,
                epoch: false,
                show_zone: false,
                uid: false,
            };
            let mut printed = String::new();
            format.print(&line, &mut printed);
            assert_eq!(printed, expected, "{layout:?}");
        }
    }
}
