//! `logcat` lines in the threadtime, time and brief formats, with their modifiers, and the marks
//! that the harness writes among them. A line that is none of these is kept as it is.

use crate::android::quote;

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// `V`
    Verbose,
    /// `D`
    Debug,
    /// `I`
    Info,
    /// `W`
    Warning,
    /// `E`
    Error,
    /// `F`
    Fatal,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The time as printed (`11-20 06:37:00.123`, with year and zone where asked for).
    pub time: Option<&'a str>,
    /// The user id as printed, where asked for (a number or a name).
    pub uid: Option<&'a str>,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: Option<u32>,
    /// How grave.
    pub level: Level,
    /// The tag, its padding removed.
    pub tag: &'a str,
    /// The message.
    pub message: &'a str,
}

/// One line of `logcat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A message.
    Entry(Entry<'a>),
    /// `--------- beginning of main`: where a buffer starts, or where another one is switched to.
    Divider(&'a str),
    /// Anything else, as printed.
    Unknown(&'a str),
}

/// Reads one line.
#[must_use]
pub fn parse(line: &str) -> Line<'_> {
    let line = line.trim_end_matches(['\r', '\n']);
    if let Some(rest) = line.strip_prefix("--------- ") {
        let buffer = rest.rsplit(' ').next().unwrap_or(rest);
        return Line::Divider(buffer);
    }
    threadtime(line)
        .or_else(|| bracketed(line))
        .map_or(Line::Unknown(line), Line::Entry)
}

/// How many lines the log daemon says it dropped here (`chatty` lines), if this is such a line.
#[must_use]
pub fn dropped(entry: &Entry<'_>) -> Option<u64> {
    if entry.tag != "chatty" {
        return None;
    }
    let mut words = entry.message.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if word == "expire" {
            return words.peek()?.parse().ok();
        }
    }
    None
}

/// The tag of the harness's own lines.
pub const MARK_TAG: &str = "phonehome";

/// The command that writes a mark into the main buffer.
#[must_use]
pub fn mark_command(token: &str) -> String {
    quote::command(["log", "-p", "i", "-t", MARK_TAG, &format!("mark {token}")])
}

/// The token of a mark, if an entry is one.
#[must_use]
pub fn mark<'a>(entry: &Entry<'a>) -> Option<&'a str> {
    (entry.tag == MARK_TAG)
        .then(|| entry.message.strip_prefix("mark "))?
        .map(str::trim)
}

/// `11-20 06:37:00.123  1234  1250 D Tag     : message`, after an optional year, zone and uid.
fn threadtime(line: &str) -> Option<Entry<'_>> {
    let (time, rest) = time(line)?;
    let (words, level, rest) = numbers_then_level(rest)?;
    let (uid, pid, tid) = match words.as_slice() {
        [pid, tid] => (None, pid, tid),
        [uid, pid, tid] => (Some(*uid), pid, tid),
        _ => return None,
    };
    let (tag, message) = tag_and_message(rest)?;
    Some(Entry {
        time: Some(time),
        uid,
        pid: pid.parse().ok()?,
        tid: Some(tid.parse().ok()?),
        level,
        tag,
        message,
    })
}

/// `D/Tag( 1234): message` (brief), after an optional time (time).
fn bracketed(line: &str) -> Option<Entry<'_>> {
    let (time, rest) = match time(line) {
        Some((time, rest)) => (Some(time), rest.trim_start()),
        None => (None, line),
    };
    let mut chars = rest.chars();
    let level = level(chars.next()?)?;
    let rest = chars.as_str().strip_prefix('/')?;
    // The tag may hold brackets: its own end is the first `(` that only a number and `): ` follow.
    for (at, _) in rest.match_indices('(') {
        let (tag, tail) = rest.split_at_checked(at)?;
        let Some((inside, message)) = tail.get(1..)?.split_once(')') else {
            break;
        };
        let Some(message) = message.strip_prefix(':') else {
            continue;
        };
        let mut ids = inside.split(':').map(str::trim);
        let (first, second) = (ids.next(), ids.next());
        let (uid, pid) = match (first, second) {
            (Some(uid), Some(pid)) => (Some(uid), pid),
            (Some(pid), None) => (None, pid),
            _ => continue,
        };
        let Ok(pid) = pid.parse() else { continue };
        return Some(Entry {
            time,
            uid,
            pid,
            tid: None,
            level,
            tag: tag.trim_end(),
            message: message.strip_prefix(' ').unwrap_or(message),
        });
    }
    None
}

/// Splits the time off: `[YYYY-]MM-DD hh:mm:ss.fraction[ +zone]`.
fn time(line: &str) -> Option<(&str, &str)> {
    let shape = |text: &str, separator: char, parts: &[usize]| {
        let mut lens = parts.iter();
        text.split(separator).all(|part| {
            lens.next() == Some(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        }) && lens.next().is_none()
    };
    let date_end = line.find(' ')?;
    let (date, rest) = line.split_at_checked(date_end)?;
    if !(shape(date, '-', &[2, 2]) || shape(date, '-', &[4, 2, 2])) {
        return None;
    }
    let clock_end = date_end + 1 + rest.get(1..)?.find(' ')?;
    let (clock, fraction) = line.get(date_end + 1..clock_end)?.split_once('.')?;
    if !shape(clock, ':', &[2, 2, 2]) || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let zone_end = clock_end + 6;
    let end = match line.get(clock_end..zone_end) {
        Some(zone)
            if zone.starts_with([' '])
                && zone
                    .get(1..2)
                    .is_some_and(|sign| sign == "+" || sign == "-") =>
        {
            zone_end
        }
        _ => clock_end,
    };
    line.split_at_checked(end)
}

/// Takes words up to the single letter of a level.
fn numbers_then_level(mut rest: &str) -> Option<(Vec<&str>, Level, &str)> {
    let mut words = Vec::new();
    for _ in 0..4 {
        rest = rest.trim_start_matches(' ');
        let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut chars = word.chars();
        match (chars.next().and_then(level), chars.next()) {
            (Some(level), None) => return Some((words, level, tail)),
            _ => words.push(word),
        }
        rest = tail;
    }
    None
}

/// Splits at the colon that ends the tag: the first `": "`, or a colon at the very end.
fn tag_and_message(rest: &str) -> Option<(&str, &str)> {
    let (tag, message) = match rest.split_once(": ") {
        Some(parts) => parts,
        None => (rest.strip_suffix(':')?, ""),
    };
    Some((tag.trim(), message))
}

const fn level(letter: char) -> Option<Level> {
    Some(match letter {
        'V' => Level::Verbose,
        'D' => Level::Debug,
        'I' => Level::Info,
        'W' => Level::Warning,
        'E' => Level::Error,
        'F' | 'A' => Level::Fatal,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Seen<'a> = (
        Option<&'a str>,
        Option<&'a str>,
        u32,
        Option<u32>,
        Level,
        &'a str,
        &'a str,
    );

    fn seen<'a>(line: &'a str) -> Option<Seen<'a>> {
        match parse(line) {
            Line::Entry(e) => Some((e.time, e.uid, e.pid, e.tid, e.level, e.tag, e.message)),
            Line::Divider(_) | Line::Unknown(_) => None,
        }
    }

    #[test]
    fn reads_threadtime() {
        let time = "08-10 14:03:05.120";
        let cases: [(&str, Seen<'_>); 3] = [
            (
                "08-10 14:03:05.120  1023  1044 D HttpClient: POST http://example.org/: ok\r\n",
                (
                    Some(time),
                    None,
                    1023,
                    Some(1044),
                    Level::Debug,
                    "HttpClient",
                    "POST http://example.org/: ok",
                ),
            ),
            (
                "2024-08-10 14:03:05.120456 +0200 10023  1023  1044 E Tag     : two  blanks ",
                (
                    Some("2024-08-10 14:03:05.120456 +0200"),
                    Some("10023"),
                    1023,
                    Some(1044),
                    Level::Error,
                    "Tag",
                    "two  blanks ",
                ),
            ),
            (
                "08-10 14:03:05.120  1023  1044 W Empty   : ",
                (
                    Some(time),
                    None,
                    1023,
                    Some(1044),
                    Level::Warning,
                    "Empty",
                    "",
                ),
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(seen(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn reads_time_and_brief() {
        let time = Some("08-10 14:03:05.120");
        let cases: [(&str, Seen<'_>); 4] = [
            (
                "08-10 14:03:05.120 I/sometag (  190): message",
                (time, None, 190, None, Level::Info, "sometag", "message"),
            ),
            (
                "V/brief(2): a (3): b",
                (None, None, 2, None, Level::Verbose, "brief", "a (3): b"),
            ),
            (
                "D/Odd(tag)( 77): m",
                (None, None, 77, None, Level::Debug, "Odd(tag)", "m"),
            ),
            (
                "08-10 14:03:05.120 F/tag( 1000: 190): x",
                (time, Some("1000"), 190, None, Level::Fatal, "tag", "x"),
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(seen(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn keeps_what_it_does_not_know() {
        assert_eq!(
            parse("--------- beginning of /dev/log/main\r\n"),
            Line::Divider("/dev/log/main")
        );
        assert_eq!(parse("--------- switch to radio"), Line::Divider("radio"));
        for line in [
            "",
            "logcat: read failure",
            "08-10 14:03:05.120 ",
            "08-10 x",
            "D/tag no pid",
            "99-99é",
        ] {
            assert_eq!(parse(line), Line::Unknown(line));
        }
    }

    #[test]
    fn tells_marks_and_dropped_lines() {
        assert_eq!(mark_command("a1b2"), "log -p i -t phonehome 'mark a1b2'");
        let Line::Entry(entry) = parse("I/phonehome( 12): mark a1b2") else {
            panic!("no entry")
        };
        assert_eq!(mark(&entry), Some("a1b2"));
        assert_eq!(dropped(&entry), None);
        let Line::Entry(entry) = parse("I/chatty( 12): uid=10023(com.example) expire 17 lines")
        else {
            panic!("no entry")
        };
        assert_eq!(dropped(&entry), Some(17));
        assert_eq!(mark(&entry), None);
    }

    proptest! {
        #[test]
        fn never_panics_and_loses_nothing(line in "([0-9]{2}-[0-9]{2} |[0-9:.]{12} |[VDIWEF]/|[(): ]|.)*") {
            if let Line::Entry(entry) = parse(&line) {
                prop_assert!(line.contains(entry.message));
                let _ = (dropped(&entry), mark(&entry));
            }
        }
    }
}
