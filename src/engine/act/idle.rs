//! Letting time pass on the handset, by its own clock.

use crate::engine::act::error::ActError;
use crate::engine::act::evidence::{ActEvidence, Actor, Verified};
use crate::engine::service::shell::Limits;
use crate::engine::session::{LIMITS, Session};
use crate::ports::BoxFuture;
use std::time::Duration;

/// What is done between two stretches of waiting.
pub trait Sampler: Send {
    /// Takes one sample. It waits for nothing and changes nothing.
    fn sample<'a>(&'a mut self, session: &'a Session) -> BoxFuture<'a, ()>;
}

/// Samples nothing.
pub struct NoSampling;

impl Sampler for NoSampling {
    fn sample<'a>(&'a mut self, _: &'a Session) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

/// The shortest stretch, in seconds: a socket shows its owner while it is open, and apps keep theirs
/// for some seconds after an answer.
const SHORTEST_STRETCH: u64 = 2;

/// The longest stretch, in seconds.
const LONGEST_STRETCH: u64 = 60;

/// Into how many stretches a long wait is cut at most, unless that makes them too long.
const STRETCHES: u64 = 1800;

/// A clock that advanced by more than this beyond a stretch is told: the handset was suspended.
const JUMP: Duration = Duration::from_secs(5);

/// Waits until the handset's uptime, which counts suspend, has advanced by `duration`.
pub async fn idle(
    actor: &mut Actor<'_>,
    duration: Duration,
    sampler: &mut dyn Sampler,
) -> Result<ActEvidence, ActError> {
    let passed = pass(actor.session, duration, sampler).await?;
    let mut notes = Vec::new();
    if passed.jumps > 0 {
        notes.push(format!(
            "the handset's clock jumped {} times, by {} s in all: it was suspended",
            passed.jumps,
            passed.jumped.as_secs()
        ));
    }
    let verified = Verified::of(true, "/proc/uptime", "");
    let how = format!("waited on the handset for {} s", duration.as_secs_f64());
    Ok(actor.evidence(how, verified, notes))
}

/// How time passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// How much by the handset's clock.
    pub uptime: Duration,
    /// How often it went further than was waited for.
    pub jumps: u32,
    /// By how much in all.
    pub jumped: Duration,
}

/// The waiting itself.
pub(crate) async fn pass(
    session: &Session,
    duration: Duration,
    sampler: &mut dyn Sampler,
) -> Result<Passed, ActError> {
    let stretch = (duration.as_secs() / STRETCHES).clamp(SHORTEST_STRETCH, LONGEST_STRETCH);
    let start = uptime(session, 0).await?;
    let mut now = start;
    let mut passed = Passed::default();
    while now.saturating_sub(start) < duration {
        sampler.sample(session).await;
        let left = duration.saturating_sub(now.saturating_sub(start));
        let seconds = stretch.min(whole_seconds(left));
        let next = uptime(session, seconds).await?;
        // A clock that stands still or runs back would never end the wait.
        if next <= now {
            return Err(ActError::StateUnknown {
                what: "the handset's uptime",
                said: "it does not advance".to_owned(),
            });
        }
        let beyond = (next - now).saturating_sub(Duration::from_secs(seconds));
        if beyond > JUMP {
            passed.jumps += 1;
            passed.jumped = passed.jumped.saturating_add(beyond);
        }
        now = next;
    }
    sampler.sample(session).await;
    passed.uptime = now.saturating_sub(start);
    Ok(passed)
}

/// Sleeps on the handset, then reads its uptime.
async fn uptime(session: &Session, sleep: u64) -> Result<Duration, ActError> {
    let slack = Duration::from_secs(sleep.saturating_mul(4));
    let limits = Limits {
        timeout: LIMITS.timeout.saturating_add(slack),
        ..LIMITS
    };
    let command = match sleep {
        0 => "cat /proc/uptime".to_owned(),
        seconds => format!("sleep {seconds}; cat /proc/uptime"),
    };
    let answer = session.shell_within(&command, limits).await?;
    parse_uptime(&answer.text).ok_or_else(|| ActError::StateUnknown {
        what: "the handset's uptime",
        said: answer.first_line().to_owned(),
    })
}

/// `12345.67 54321.00`: seconds since boot, seconds of idle processors.
fn parse_uptime(text: &str) -> Option<Duration> {
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn whole_seconds(duration: Duration) -> u64 {
    let part = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{ScriptedHandset, says};

    struct Counter(u32);

    impl Sampler for Counter {
        fn sample<'a>(&'a mut self, _: &'a Session) -> BoxFuture<'a, ()> {
            self.0 += 1;
            Box::pin(async {})
        }
    }

    #[tokio::test]
    async fn waits_until_uptime_has_advanced_and_tells_jumps() {
        let lines = vec![
            says("cat /proc/uptime", "1000.00 1\n"),
            says("sleep 2; cat /proc/uptime", "1002.10 1\n"),
            // Suspended for about a minute.
            says("sleep 2; cat /proc/uptime", "1062.10 1\n"),
            says("sleep 2; cat /proc/uptime", "1063.50 1\n"),
            says("sleep 1; cat /proc/uptime", "1064.50 1\n"),
        ];
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        let mut counter = Counter(0);
        let mut actor = handset.actor(&session);
        let duration = Duration::from_secs(64);
        let evidence = idle(&mut actor, duration, &mut counter).await.unwrap();
        handset.finish();
        assert_eq!(counter.0, 5);
        assert_eq!(
            evidence.notes,
            ["the handset's clock jumped 1 times, by 58 s in all: it was suspended"]
        );
    }

    #[tokio::test]
    async fn a_clock_that_stands_still_ends_the_wait() {
        let lines = vec![
            says("cat /proc/uptime", "1000.00 1\n"),
            says("sleep 1; cat /proc/uptime", "1000.00 1\n"),
        ];
        let (session, handset) = ScriptedHandset::attach(18, lines).await;
        let error = pass(&session, Duration::from_secs(1), &mut NoSampling).await;
        assert!(matches!(error, Err(ActError::StateUnknown { .. })));
        handset.finish();
    }

    #[test]
    fn reads_uptime() {
        let cases = [
            ("12345.67 54321.00\r\n", Some(12_345_670)),
            ("0.50\n", Some(500)),
            ("cat: /proc/uptime: Permission denied", None),
            ("-1 2", None),
            ("1e400 2", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(parse_uptime(text), expected, "{text}");
        }
    }
}
