//! What a person sees at the end of a run: verdicts, why, what was disclosed, claims, what was and
//! was not seen, where the evidence lies, what to do next. Nothing from a handset reaches the screen
//! as it came.

use crate::outcome::comparison::Comparison;
use crate::outcome::condition::Condition;
use crate::outcome::run_record::{
    ClaimRecord, CoverageRecord, ErrorRecord, HandsetRecord, RestoreRecord, RunRecord,
    ScenarioRecord, VariantRecord,
};
use crate::outcome::verdict::Verdict;
use crate::report::disclosed::disclosed;
use crate::report::matrix::matrix;
use crate::report::next::next;
use crate::report::style::{Style, paint};
use crate::report::words::{count, shown, size, wrap};
use std::collections::BTreeMap;

/// Reasons for one verdict beyond this are counted only.
const MAX_REASONS: usize = 8;

/// The whole report, lines of at most `width` columns.
#[must_use]
pub fn human(record: &RunRecord, width: usize, style: &Style) -> String {
    let page = Page {
        width: width.max(40),
        style,
    };
    let mut text = String::new();
    for handset in &record.handsets {
        text.push_str(&page.handset(handset));
    }
    text.push_str(&page.errors(&record.errors));
    text.push_str(&page.evidence(record));
    let steps = next(record);
    if !steps.is_empty() {
        text.push_str(&page.heading("Next"));
        text.extend(steps.iter().map(|step| page.item(step)));
        text.push('\n');
    }
    text.push_str(&page.result(record));
    text
}

/// How wide, in which colours.
struct Page<'a> {
    width: usize,
    style: &'a Style,
}

impl Page<'_> {
    fn handset(&self, handset: &HandsetRecord) -> String {
        let mut text = String::new();
        for scenario in &handset.scenarios {
            text.push_str(&self.title(handset, &scenario.name));
            text.push_str(&self.scenario(scenario));
        }
        if handset.scenarios.is_empty() {
            text.push_str(&self.title(handset, "nothing was run"));
        }
        text.push_str(&self.errors(&handset.errors));
        text.push_str(&self.restore(&handset.restore));
        text
    }

    /// `scenario on selector (model, Android 4.3, build)`.
    fn title(&self, handset: &HandsetRecord, scenario: &str) -> String {
        let android = handset.android_version.as_ref();
        let android = android.map(|version| format!("Android {version}"));
        let known = [&handset.model, &android, &handset.build];
        let known: Vec<String> = known.into_iter().flatten().map(|s| shown(s)).collect();
        let (scenario, selector) = (shown(scenario), shown(&handset.selector));
        let about = match known.is_empty() {
            true => String::new(),
            false => format!(" ({})", known.join(", ")),
        };
        let title = wrap("", &format!("{scenario} on {selector}{about}"), self.width);
        format!("{}\n", paint(self.style.heading, title.trim_end()))
    }

    fn scenario(&self, scenario: &ScenarioRecord) -> String {
        let mut text = wrap("  ", &shown(&scenario.summary), self.width);
        text.push('\n');
        let width = u16::try_from(self.width).unwrap_or(u16::MAX);
        if !scenario.variants.is_empty() {
            text.push_str(&matrix(scenario, width, self.style));
            text.push('\n');
        }
        text.push_str(&self.reasons(scenario));
        if !scenario.variants.is_empty() {
            text.push_str(&self.heading("Disclosed"));
            match disclosed(scenario, width, self.style) {
                tables if tables.is_empty() => text.push_str("  nothing that was found\n\n"),
                tables => text.push_str(&tables),
            }
        }
        text.push_str(&self.claims(&scenario.claims));
        text.push_str(&self.seen(scenario));
        text.push_str(&self.errors(&scenario.errors));
        for variant in &scenario.variants {
            text.push_str(&self.errors(&variant.errors));
            text.push_str(&self.restore(&variant.restore));
        }
        text
    }

    /// Why verdicts are not a pass; the same reasons in several variants are told once.
    fn reasons(&self, scenario: &ScenarioRecord) -> String {
        let mut groups: Vec<(Verdict, &str, Vec<String>, Vec<&str>)> = Vec::new();
        for variant in &scenario.variants {
            for expectation in &variant.expectations {
                if expectation.verdict == Verdict::Pass {
                    continue;
                }
                let reasons: Vec<String> = expectation
                    .reasons
                    .iter()
                    .map(|reason| match &reason.detail {
                        Some(detail) => shown(&format!("{} ({detail})", reason.text)),
                        None => shown(&reason.text),
                    })
                    .collect();
                let (verdict, id) = (expectation.verdict, expectation.id.as_str());
                let same = groups
                    .iter_mut()
                    .find(|(v, i, r, _)| (*v, *i, r) == (verdict, id, &reasons));
                match same {
                    Some((.., variants)) => variants.push(&variant.name),
                    None => groups.push((verdict, id, reasons, vec![&variant.name])),
                }
            }
        }
        groups.sort_by_key(|(verdict, ..)| std::cmp::Reverse(*verdict));
        let told = groups.iter().map(|(verdict, id, reasons, variants)| {
            let variants: Vec<String> = variants.iter().map(|variant| shown(variant)).collect();
            let word = verdict.to_string();
            let about = format!("{} in {}", shown(id), variants.join(", "));
            let head = wrap(&format!("{word}  "), &about, self.width);
            let head = head.replacen(&word, &self.style.verdict(*verdict, &word), 1);
            let shown_reasons = reasons.iter().take(MAX_REASONS);
            let shown_reasons: String = shown_reasons.map(|reason| self.item(reason)).collect();
            let more = match reasons.len().saturating_sub(MAX_REASONS) {
                0 => String::new(),
                more => format!("  … and {more} more\n"),
            };
            format!("{head}{shown_reasons}{more}\n")
        });
        told.collect()
    }

    fn claims(&self, claims: &[ClaimRecord]) -> String {
        if claims.is_empty() {
            return String::new();
        }
        let mut text = self.heading("Claims");
        for claim in claims {
            let source = claim.source.as_ref();
            let source = source.map(|source| format!(" ({})", shown(source)));
            let statement = format!(
                "{}: “{}”{}",
                shown(&claim.by),
                shown(&claim.statement),
                source.unwrap_or_default()
            );
            // The colour must not count as width.
            let word = claim.result.to_string();
            let lines = wrap(&format!("  {word:<14}"), &statement, self.width);
            text.push_str(&lines.replacen(&word, &self.style.claim(claim.result), 1));
            for reason in &claim.reasons {
                text.push_str(&wrap(&" ".repeat(16), &shown(reason), self.width));
            }
        }
        text.push('\n');
        text
    }

    /// Coverage, gaps, acts that are not certain, our own false positives.
    fn seen(&self, scenario: &ScenarioRecord) -> String {
        if scenario.variants.is_empty() {
            return String::new();
        }
        let mut text = self.heading("What was seen, and what was not");
        for variant in &scenario.variants {
            let seen = match &variant.coverage {
                Some(coverage) => coverage_in_words(coverage),
                None => "no packets".to_owned(),
            };
            let line = format!("{}: {seen}", shown(&variant.name));
            text.push_str(&self.item(&line));
        }
        let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for variant in &scenario.variants {
            for note in notes_of(variant) {
                notes.entry(note).or_default().push(shown(&variant.name));
            }
        }
        for (note, variants) in notes {
            let line = match variants.len() == scenario.variants.len() {
                true => note,
                false => format!("{note} [{}]", variants.join(", ")),
            };
            text.push_str(&self.item(&line));
        }
        text.push('\n');
        text
    }

    fn errors(&self, errors: &[ErrorRecord]) -> String {
        let told = errors.iter().map(|error| {
            let message = wrap("error: ", &shown(&error.message), self.width);
            let message = message.replacen("error:", &paint(self.style.bad, "error:"), 1);
            let hint = error.hint.as_ref();
            let hint = hint.map(|hint| wrap("  hint: ", &shown(hint), self.width));
            format!("{message}{}\n", hint.unwrap_or_default())
        });
        told.collect()
    }

    fn restore(&self, restore: &RestoreRecord) -> String {
        if restore.needs_restoring.is_empty() {
            return String::new();
        }
        let heading = paint(self.style.bad, "Not put back as it was");
        let left = restore.needs_restoring.iter();
        let left: String = left.map(|what| self.item(&shown(what))).collect();
        format!("{heading}\n{left}\n")
    }

    fn evidence(&self, record: &RunRecord) -> String {
        let folder = shown(&record.folder);
        let scenarios = record.handsets.iter().flat_map(|h| &h.scenarios);
        let variants = scenarios.flat_map(|s| &s.variants);
        let files = variants.flat_map(|v| &v.evidence);
        let (files, bytes) = files.fold((0, 0u64), |(files, bytes), file| {
            (files + 1, bytes.saturating_add(file.bytes))
        });
        let what = match files {
            0 => "the record of the run".to_owned(),
            files => format!("{}, {}", count(files, "file"), size(bytes)),
        };
        let heading = self.heading("Evidence");
        format!("{heading}{}\n", self.item(&format!("{folder}: {what}")))
    }

    /// `Result: fail, golden missing or unreviewed`.
    fn result(&self, record: &RunRecord) -> String {
        let conditions = record.conditions();
        let words: Vec<String> = conditions.iter().map(ToString::to_string).collect();
        let verdict = match conditions.first() {
            None => Verdict::Pass,
            Some(Condition::Inconclusive | Condition::GoldenMissing) => Verdict::Inconclusive,
            Some(_) => Verdict::Fail,
        };
        let words = match words.is_empty() {
            true => Verdict::Pass.to_string(),
            false => words.join(", "),
        };
        let lines = wrap("Result: ", &words, self.width);
        format!("{}\n", self.style.verdict(verdict, lines.trim_end()))
    }

    fn heading(&self, text: &str) -> String {
        format!("{}\n", paint(self.style.heading, text))
    }

    fn item(&self, text: &str) -> String {
        wrap("  - ", text, self.width)
    }
}

fn coverage_in_words(coverage: &CoverageRecord) -> String {
    let mut parts = vec![format!(
        "{} of {}, {} read",
        count(coverage.packets, "packet"),
        size(coverage.bytes),
        size(coverage.bytes_understood)
    )];
    if coverage.bytes_opaque > 0 {
        parts.push(format!("{} could not be read", size(coverage.bytes_opaque)));
    }
    if coverage.bytes_missing > 0 {
        parts.push(format!("{} missing", size(coverage.bytes_missing)));
    }
    if coverage.flows_with_gaps > 0 {
        let flows = count(u64::from(coverage.flows_with_gaps), "conversation");
        parts.push(format!("holes in {flows}"));
    }
    if coverage.bytes_excluded > 0 {
        let ours = size(coverage.bytes_excluded);
        parts.push(format!("{ours} of our own left out"));
    }
    parts.join(", ")
}

/// What a reader must know of a variant beside its verdicts.
fn notes_of(variant: &VariantRecord) -> Vec<String> {
    let mut notes = Vec::new();
    for gap in &variant.gaps {
        let detail = gap.detail.as_ref().map(|detail| format!(" ({detail})"));
        let (observer, reason) = (&gap.observer, &gap.reason);
        notes.push(format!(
            "{observer}: {reason}{}",
            detail.unwrap_or_default()
        ));
    }
    for problem in variant.coverage.iter().flat_map(|c| &c.problems) {
        notes.push(format!("packets: {problem}"));
    }
    for unknown in &variant.unknown {
        notes.push(format!("{} is not known: {}", unknown.id, unknown.reason));
    }
    for setting in &variant.settings {
        let found = setting.found.as_deref().unwrap_or("unknown");
        notes.push(format!("{} was found {found}", setting.toggle));
        let doubt = setting.doubt.as_ref();
        notes.extend(doubt.map(|doubt| format!("{}: {doubt}", setting.toggle)));
    }
    for act in &variant.acts {
        if act.outcome != "verified" {
            let why = act
                .evidence
                .as_deref()
                .unwrap_or("the variant stopped before or in it");
            let outcome = act.outcome.replace('_', " ");
            notes.push(format!("{} {outcome}: {why}", act.step));
        }
        let note = act.note.as_ref();
        notes.extend(note.map(|note| format!("{}: {note}", act.step)));
    }
    let comparison = variant.golden.as_ref().map(|golden| &golden.comparison);
    if let Some(Comparison::NotCompared { reason }) = comparison {
        notes.push(format!("not held against its golden: {reason}"));
    }
    if !variant.decoys_found.is_empty() {
        let decoys: u64 = variant.decoys_found.iter().map(|found| found.count).sum();
        notes.push(format!(
            "{} of values that were never planted: the search errs",
            count(decoys, "finding")
        ));
    }
    notes.iter().map(|note| shown(note)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{hostile, leaking};

    // Read line by line against the record in `fixture`.
    #[test]
    fn tells_a_run() {
        let text = human(&leaking(), 100, &Style::plain());
        insta::assert_snapshot!(text, @"
        xiaomi-cloud-messaging-opt-in on virtual:redmi-1s-2014-07 (HM 1S, Android 4.3, JHCCNBF13.0)
          No SIM, handset or contact data leaves until Cloud Messaging is switched on.

         variant                    silent-until-opted-in  encrypted-once-on  golden
        ──────────────────────────────────────────────────────────────────────────────
         cloud_messaging-untouched  fail                   ·                  missing
         cloud_messaging-off        inconclusive           pass               differs

        fail  silent-until-opted-in in cloud_messaging-untouched
          - imei-1 went from com.xiaomi.xmsf to api.account.xiaomi.com (clear)
          - contact-1.phone went from com.xiaomi.xmsf to api.account.xiaomi.com (clear)

        inconclusive  silent-until-opted-in in cloud_messaging-off
          - packets are missing: the capture ended early (at 31.2 s of 140.0 s)

        Disclosed
          com.xiaomi.xmsf → api.account.xiaomi.com, in the clear
         datum            form                          after                variants
        ───────────────────────────────────────────────────────────────────────────────────────────────
         contact-1.phone  http.query → form:externalId  steps.1:add_contact  cloud_messaging-untouched
         imei-1           http.query → form:deviceId    start                cloud_messaging-untouched

        Claims
          broken        Xiaomi: “Cloud Messaging is off until the owner activates it.” (vendor statement, 10
                        August 2014)
                        silent-until-opted-in: fail in cloud_messaging-untouched
          unobservable  Xiaomi: “Numbers are not stored on the server.”
                        a handset cannot show what a server keeps

        What was seen, and what was not
          - cloud_messaging-untouched: 412 packets of 81.2 kB, 60.0 kB read, 12.0 kB could not be read
          - cloud_messaging-off: no packets
          - cloud_messaging was found on
          - imsi-1 is not known: service call iphonesubinfo needs root [cloud_messaging-off]
          - packets: the capture ended early (at 31.2 s of 140.0 s) [cloud_messaging-off]
          - steps.2:receive_sms: stored, not received [cloud_messaging-off]

        nothing was run on tcp:192.168.1.20:5555
        error: failed to connect to `192.168.1.20:5555`: connection refused
          hint: is USB debugging over the network switched on?

        Not put back as it was
          - setting `wifi_on` is `0`, was `1`

        Evidence
          - runs/20140807T120000Z-1: 1 file, 90.0 kB

        Next
          - put the handset back as it was: phonehome restore --handset tcp:192.168.1.20:5555
          - look at what waits for review (2 outcomes): phonehome review
          - agree to them as they are: phonehome review --accept

        Result: a handset still needs restoring, handset or host failure, fail, inconclusive, golden missing
                or unreviewed
        ");
    }

    #[test]
    fn nothing_hostile_reaches_the_screen_and_no_line_is_too_long() {
        for width in [40, 60, 80, 100, 200] {
            for record in [leaking(), hostile()] {
                let text = human(&record, width, &Style::plain());
                for line in text.lines() {
                    let is_plain = |c: char| !c.is_control() && c != '\u{202e}';
                    assert!(line.chars().all(is_plain), "{line:?}");
                    assert!(line.chars().count() <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn colour_changes_no_word() {
        let plain = human(&leaking(), 100, &Style::plain());
        let colored = human(&leaking(), 100, &Style::colored());
        assert_ne!(plain, colored);
        let stripped = anstream::adapter::strip_str(&colored).to_string();
        let words =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        assert_eq!(words(&stripped), words(&plain));
    }

    #[test]
    fn a_pass_says_so_and_asks_for_nothing() {
        let record = RunRecord {
            folder: "runs/1".to_owned(),
            ..RunRecord::default()
        };
        let expected = "Evidence\n  - runs/1: the record of the run\n\nResult: pass\n";
        assert_eq!(human(&record, 80, &Style::plain()), expected);
    }
}
