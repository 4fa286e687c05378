//! `logcat`'s command line, by version: what to print, how, and which tags.

use crate::adapters::virtual_handset::android::log::{Buffer, Level, Line};
use crate::adapters::virtual_handset::android::log_format::{Format, Layout};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) act: Act,
    pub(super) buffers: Vec<Buffer>,
    pub(super) format: Format,
    pub(super) from: From,
    /// Whether it goes on when everything is printed.
    pub(super) follows: bool,
    /// `-D`
    pub(super) divides: bool,
    filters: Vec<(String, Level)>,
    default: Level,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Print,
    Clear,
    Sizes,
    /// Accepted, without effect: sizes are fixed.
    Nothing,
}

/// Where printing begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Beginning,
    /// The last so many lines.
    Last(usize),
    /// A civil time, nanoseconds since the Unix epoch.
    Time(i64),
}

/// Filters of one command.
const MAX_FILTERS: usize = 200;

impl Options {
    /// Reads the command line; an error is what logcat says.
    pub(super) fn parse(
        words: &[String],
        old: bool,
        zone: TimeZone,
        now: i64,
    ) -> Result<Self, String> {
        let mut options = Self {
            act: Act::Print,
            buffers: Vec::new(),
            format: Format {
                // 4.3 prints `brief` unless told otherwise, later versions `threadtime`.
                layout: if old {
                    Layout::Brief
                } else {
                    Layout::ThreadTime
                },
                zone,
                year: false,
                microseconds: false,
                epoch: false,
                show_zone: false,
                uid: false,
            },
            from: From::Beginning,
            follows: true,
            divides: false,
            filters: Vec::new(),
            default: Level::Verbose,
        };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if !word.starts_with('-') || word == "-" {
                options.filter(word)?;
                continue;
            }
            let (name, attached) = split(word);
            let takes = matches!(
                name,
                "-b" | "-v"
                    | "-t"
                    | "-T"
                    | "-f"
                    | "-r"
                    | "-n"
                    | "-G"
                    | "-m"
                    | "-e"
                    | "-p"
                    | "-P"
                    | "--pid"
                    | "--uid"
                    | "--buffer"
                    | "--format"
                    | "--tail"
                    | "--file"
                    | "--buffer-size"
            );
            let value = if takes {
                let given = attached.or_else(|| words.next());
                Some(given.ok_or_else(|| {
                    format!(
                        "logcat: option requires an argument -- {}",
                        name.trim_start_matches('-')
                    )
                })?)
            } else {
                None
            };
            options.option(name, value.unwrap_or_default(), old, now)?;
        }
        if options.buffers.is_empty() {
            options.buffers = vec![Buffer::Main, Buffer::System];
            if !old {
                options.buffers.push(Buffer::Crash);
            }
        }
        Ok(options)
    }

    fn option(&mut self, name: &str, value: &str, old: bool, now: i64) -> Result<(), String> {
        match name {
            "-d" | "--dump" => self.follows = false,
            "-c" | "--clear" => self.act = Act::Clear,
            "-g" | "--buffer-size" if value.is_empty() => self.act = Act::Sizes,
            "-G" | "--buffer-size" if !old => self.act = Act::Nothing,
            "-s" => self.default = Level::Silent,
            "-D" | "--dividers" if !old => self.divides = true,
            "-t" | "--tail" => {
                self.follows = false;
                self.from = self.start(value, old, now)?;
            }
            "-T" if !old => self.from = self.start(value, old, now)?,
            "-b" | "--buffer" => {
                for word in value.split(',') {
                    self.buffer(word, old)?;
                }
            }
            "-v" | "--format" => {
                for word in value.split([',', ' ']) {
                    self.layout(word, old)?;
                }
            }
            // Output goes where the shell sends it, and nothing is pruned.
            "-B" | "-L" | "-S" | "-f" | "-r" | "-n" | "--file" => {}
            "-p" | "-P" | "-m" | "-e" | "--pid" | "--uid" if !old => {}
            other => {
                return Err(format!(
                    "logcat: invalid option -- {}",
                    other.trim_start_matches('-')
                ));
            }
        }
        Ok(())
    }

    fn buffer(&mut self, word: &str, old: bool) -> Result<(), String> {
        let known = Buffer::ALL.iter().find(|(name, _)| *name == word);
        match (word, known) {
            ("all", _) if !old => self
                .buffers
                .extend(Buffer::ALL.iter().map(|(_, buffer)| *buffer)),
            ("default", _) if !old => {
                self.buffers
                    .extend([Buffer::Main, Buffer::System, Buffer::Crash]);
            }
            ("crash", _) if old => {
                return Err(
                    "Unable to open log device '/dev/log/crash': No such file or directory"
                        .to_owned(),
                );
            }
            (_, Some((_, buffer))) => self.buffers.push(*buffer),
            ("kernel" | "security" | "stats", None) if !old => {}
            (word, None) if old => {
                return Err(format!(
                    "Unable to open log device '/dev/log/{word}': No such file or directory"
                ));
            }
            (word, None) => return Err(format!("logcat: unknown buffer '{word}'")),
        }
        Ok(())
    }

    fn layout(&mut self, word: &str, old: bool) -> Result<(), String> {
        if let Some((_, layout)) = Layout::ALL.iter().find(|(name, _)| *name == word) {
            self.format.layout = *layout;
            return Ok(());
        }
        match word {
            "year" if !old => self.format.year = true,
            "usec" if !old => self.format.microseconds = true,
            "epoch" if !old => self.format.epoch = true,
            "zone" if !old => self.format.show_zone = true,
            "uid" if !old => self.format.uid = true,
            "UTC" if !old => self.format.zone = TimeZone::UTC,
            "color" | "descriptive" | "monotonic" | "printable" | "" if !old => {}
            other => return Err(format!("Invalid parameter \"{other}\" to -v")),
        }
        Ok(())
    }

    /// `N`, or (not on 4.3) a time.
    fn start(&self, value: &str, old: bool, now: i64) -> Result<From, String> {
        if let Ok(count) = value.trim().parse::<usize>() {
            return Ok(From::Last(count));
        }
        if old {
            // `atoi` of no number; 4.3 then prints everything.
            return Ok(From::Beginning);
        }
        let time = seconds(value).or_else(|| self.civil(value, now));
        time.map(From::Time)
            .ok_or_else(|| format!("logcat: -t \"{value}\" not in time format"))
    }

    /// `MM-DD hh:mm:ss.mmm` of this year, or with the year before it.
    fn civil(&self, value: &str, now: i64) -> Option<i64> {
        let zone = &self.format.zone;
        let value = value.trim();
        let with_year = if value.split(' ').next()?.split('-').count() == 3 {
            value.to_owned()
        } else {
            let at = jiff::Timestamp::from_nanosecond(i128::from(now)).ok()?;
            format!("{}-{value}", at.to_zoned(zone.clone()).year())
        };
        let civil: DateTime = with_year.replacen(' ', "T", 1).parse().ok()?;
        let zoned = civil.to_zoned(zone.clone()).ok()?;
        i64::try_from(zoned.timestamp().as_nanosecond()).ok()
    }

    fn filter(&mut self, word: &str) -> Result<(), String> {
        for word in word.split_whitespace() {
            let (tag, letter) = word.split_once(':').unwrap_or((word, "V"));
            let Some(level) = Level::from_letter(letter) else {
                return Err(format!("Invalid filter expression '{word}'"));
            };
            if tag == "*" {
                self.default = level;
            } else if self.filters.len() < MAX_FILTERS {
                self.filters.push((tag.to_owned(), level));
            }
        }
        Ok(())
    }

    /// Whether an entry passes the filters.
    pub(super) fn shows(&self, line: &Line) -> bool {
        let own = self.filters.iter().rev().find(|(tag, _)| *tag == line.tag);
        let least = own.map_or(self.default, |(_, level)| *level);
        line.level >= least && least != Level::Silent
    }
}

/// `-bmain` and `--buffer=main` carry their value with them.
fn split(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
    }
    match word.split_at_checked(2) {
        Some((name, value)) if !value.is_empty() => (name, Some(value)),
        _ => (word, None),
    }
}

/// `sssss.mmm…`
fn seconds(value: &str) -> Option<i64> {
    let (whole, fraction) = value.trim().split_once('.')?;
    let whole: i64 = whole.parse().ok()?;
    let digits: String = fraction.chars().take(9).collect();
    let nanoseconds: i64 = format!("{digits:0<9}").parse().ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}
