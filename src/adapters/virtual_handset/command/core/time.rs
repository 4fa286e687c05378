//! `date`, `sleep`, `uptime`: the simulated clock, never the host's.

use super::super::support::options;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use std::fmt::Write;
use std::time::Duration;

/// The handset's time zone, to show times in.
pub(super) struct Zone(TimeZone);

/// The zone that the firmware names; UTC if it is unknown.
pub(super) fn zoned(process: &Process) -> Zone {
    let name = process
        .handset
        .with(|world| world.firmware.time_zone.clone());
    Zone(TimeZone::get(&name).unwrap_or(TimeZone::UTC))
}

impl Zone {
    fn format(&self, format: &str, seconds: i64) -> Option<String> {
        let time = Timestamp::from_second(seconds)
            .ok()?
            .to_zoned(self.0.clone());
        strtime::format(format, &time).ok()
    }

    /// `2014`
    pub(super) fn year(&self, seconds: i64) -> Option<String> {
        self.format("%Y", seconds)
    }

    /// Seconds since the epoch of a time written in a format.
    pub(super) fn read(&self, format: &str, text: &str) -> Option<i64> {
        let time = jiff::civil::DateTime::strptime(format, text).ok()?;
        let zoned = time.to_zoned(self.0.clone()).ok()?;
        Some(zoned.timestamp().as_second())
    }

    /// `2014-08-10 12:34`
    pub(super) fn minute(&self, seconds: i64) -> String {
        self.format("%Y-%m-%d %H:%M", seconds).unwrap_or_default()
    }

    /// `2014-08-10 12:34:56.000000000 +0800`
    pub(super) fn full(&self, seconds: i64) -> String {
        self.format("%Y-%m-%d %H:%M:%S.000000000 %z", seconds)
            .unwrap_or_default()
    }
}

/// `date [-u] [-d @seconds] [-s time] [+format]`
pub(super) async fn date(process: &mut Process) -> Result<u8, Stop> {
    let old = process.is_toolbox();
    let read = options(&process.arguments, "uR", "dDrs", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let zone = if options.has('u') {
        Zone(TimeZone::UTC)
    } else {
        zoned(process)
    };
    let now = process.handset.with(|world| world.unix_nanoseconds());
    let (mut seconds, mut nanoseconds) =
        (now.div_euclid(1_000_000_000), now.rem_euclid(1_000_000_000));
    if let Some(given) = options.value('d') {
        let Some(at) = given.strip_prefix('@').and_then(|text| text.parse().ok()) else {
            return process.refuse(&format!("bad date '{given}'"), 1).await;
        };
        (seconds, nanoseconds) = (at, 0);
    }
    if let Some(name) = options.value('r') {
        match process.metadata(name, true) {
            Ok(found) => (seconds, nanoseconds) = (found.mtime, 0),
            Err(error) => return process.refuse(&format!("{name}: {error}"), 1).await,
        }
    }
    let format = match options.operands.first() {
        Some(operand) => match operand.strip_prefix('+') {
            Some(format) => format.replace("%N", &format!("{nanoseconds:09}")),
            None => return set(process, operand).await,
        },
        None if options.has('s') => {
            let given = options.value('s').unwrap_or_default().to_owned();
            return set(process, &given).await;
        }
        None if old && options.has('u') => "%a %b %e %H:%M:%S GMT %Y".to_owned(),
        None => "%a %b %e %H:%M:%S %Z %Y".to_owned(),
    };
    match zone.format(&format, seconds) {
        Some(text) => {
            process.print(format!("{text}\n")).await?;
            Ok(0)
        }
        None => process.refuse(&format!("bad format '{format}'"), 1).await,
    }
}

/// Sets the clock from seconds since the Unix epoch, or `YYYYMMDD.hhmmss`; root alone may.
async fn set(process: &mut Process, text: &str) -> Result<u8, Stop> {
    let zone = zoned(process);
    let seconds = text
        .trim_start_matches('@')
        .parse::<i64>()
        .ok()
        .or_else(|| {
            let time = jiff::civil::DateTime::strptime("%Y%m%d.%H%M%S", text).ok()?;
            Some(time.to_zoned(zone.0).ok()?.timestamp().as_second())
        });
    let Some(seconds) = seconds else {
        return process.refuse(&format!("bad date '{text}'"), 1).await;
    };
    if !process.user.is_root() {
        let said = if process.is_toolbox() {
            "settimeofday failed Operation not permitted\n"
        } else {
            "date: cannot set date: Operation not permitted\n"
        };
        process.complain(said).await?;
        return Ok(1);
    }
    let nanoseconds = seconds.saturating_mul(1_000_000_000);
    process
        .handset
        .with(|world| world.set_unix_nanoseconds(nanoseconds));
    Ok(0)
}

/// `sleep seconds`; toybox takes fractions and units too.
pub(super) async fn sleep(process: &mut Process) -> Result<u8, Stop> {
    let old = process.is_toolbox();
    let words = process.arguments.get(1..).unwrap_or_default().to_vec();
    if words.is_empty() {
        if old {
            process.complain("USAGE: sleep SECONDS\n").await?;
            return Ok(255);
        }
        return process.usage("Needs 1 argument").await;
    }
    let mut total = Duration::ZERO;
    for word in &words {
        match duration(word) {
            Some(wait) => total = total.saturating_add(wait),
            None if old => {
                process.complain("USAGE: sleep SECONDS\n").await?;
                return Ok(255);
            }
            None => return process.refuse(&format!("Not a number '{word}'"), 1).await,
        }
    }
    process.handset.live_through(total);
    process.sleep(total).await?;
    Ok(0)
}

/// Seconds, with a fraction and one of `smhd`; at most a hundred years.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (digits, unit) = match text.char_indices().next_back()? {
        (at, 's') => (text.get(..at)?, 1.0),
        (at, 'm') => (text.get(..at)?, 60.0),
        (at, 'h') => (text.get(..at)?, 3600.0),
        (at, 'd') => (text.get(..at)?, 86400.0),
        _ => (text, 1.0),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let seconds: f64 = digits.parse().ok()?;
    Duration::try_from_secs_f64((seconds * unit).min(3.2e9)).ok()
}

/// `uptime`
pub(super) async fn uptime(process: &mut Process) -> Result<u8, Stop> {
    let up = process.handset.with(|world| world.uptime()).as_secs();
    let text = if process.is_toolbox() {
        let clock = clock(up);
        format!("up time: {clock}, idle time: {clock}, sleep time: 00:00:00\n")
    } else {
        let now = process.handset.with(|world| world.unix_seconds());
        let time = zoned(process).format("%H:%M:%S", now).unwrap_or_default();
        let (days, hours, minutes) = (up / 86400, up / 3600 % 24, up / 60 % 60);
        let mut span = String::new();
        if days > 0 {
            span = format!("{days} day{}, ", if days == 1 { "" } else { "s" });
        }
        if hours > 0 {
            let _ = write!(span, "{hours:2}:{minutes:02}");
        } else {
            let _ = write!(span, "{minutes} min");
        }
        format!(" {time} up {span},  0 users,  load average: 0.00, 0.01, 0.05\n")
    };
    process.print(text).await?;
    Ok(0)
}

/// Toolbox's way to write a span.
fn clock(seconds: u64) -> String {
    let (days, rest) = (seconds / 86400, seconds % 86400);
    let text = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days > 0 {
        format!("{days} days, {text}")
    } else {
        text
    }
}
