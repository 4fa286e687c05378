//! What a person sees of an analysis: what was found, where and in what form; what was and was not
//! seen; what that comes to. Nothing from a capture reaches the screen as it came.

use crate::detect::analysis::{Analysis, Conclusion, Input};
use crate::detect::finding::{Direction, Evidence, Finding};
use crate::evidence::flow::{Flow, Protection};
use crate::report::matrix::{colored, heading, lines, table};
use crate::report::style::{Style, paint};
use crate::report::words::{count, shown, size, wrap};
use comfy_table::{Cell, Color};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one table beyond this are counted only.
const MAX_ROWS: usize = 60;

/// Lines of one kind beyond this are counted only.
const MAX_LINES: usize = 12;

/// What was looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// The ids of the persona's data.
    pub data: Vec<String>,
    /// The ids of its decoys.
    pub decoys: Vec<String>,
}

/// The whole report, lines of at most `width` columns.
#[must_use]
pub fn human(analysis: &Analysis, searched: &Searched, width: usize, style: &Style) -> String {
    let page = Page {
        width: width.max(40),
        style,
        analysis,
    };
    let mut text = page.inputs(searched);
    text.push_str(&page.found());
    text.push_str(&page.decoys(searched));
    text.push_str(&page.seen());
    text.push_str(&page.next());
    text.push_str(&page.result());
    text
}

/// How wide, in which colours, of what.
struct Page<'a> {
    width: usize,
    style: &'a Style,
    analysis: &'a Analysis,
}

/// What makes findings one row: datum, evidence, form, direction, host, protection, app.
type Row<'a> = (
    &'a str,
    Evidence,
    &'a [String],
    Direction,
    &'a str,
    Protection,
    Option<&'a str>,
);

impl Page<'_> {
    fn inputs(&self, searched: &Searched) -> String {
        let data = count_of(searched.data.len(), "datum", "data");
        let decoys = count_of(searched.decoys.len(), "decoy", "decoys");
        let inputs = count_of(self.analysis.inputs.len(), "input", "inputs");
        let mut text = self.heading(&format!("Looked for {data} and {decoys} in {inputs}"));
        for input in self.analysis.inputs.iter().take(MAX_LINES) {
            text.push_str(&self.item(&input_in_words(input)));
            for problem in input.problems.iter().take(MAX_LINES) {
                text.push_str(&wrap("    ", &shown(problem), self.width));
            }
        }
        text.push_str(&more(self.analysis.inputs.len(), MAX_LINES));
        text.push('\n');
        text
    }

    fn found(&self) -> String {
        let findings = &self.analysis.findings;
        if findings.is_empty() {
            return String::new();
        }
        format!("{}{}\n", self.heading("Found"), self.table(findings))
    }

    /// Findings that differ in time and offset only are one row, under the number of the first.
    fn table(&self, findings: &[Finding]) -> String {
        let mut rows: BTreeMap<Row<'_>, (usize, u64)> = BTreeMap::new();
        for (index, finding) in findings.iter().enumerate() {
            let row = rows.entry(self.row(finding)).or_insert((index, 0));
            row.1 += 1;
        }
        let mut rows: Vec<(usize, u64)> = rows.into_values().collect();
        rows.sort_unstable();
        let mut table = table(u16::try_from(self.width).unwrap_or(u16::MAX), self.style);
        let names = ["#", "datum", "evidence", "form", "where", "host", "when"];
        table.set_header(names.map(|name| heading(name, self.style)));
        for (index, times) in rows.iter().take(MAX_ROWS) {
            if let Some(finding) = findings.get(*index) {
                table.add_row(self.cells(*index, *times, finding));
            }
        }
        let mut text = lines(&table);
        if rows.len() > MAX_ROWS {
            let left = rows.len() - MAX_ROWS;
            text += &wrap(
                "… and ",
                &format!("{left} more; `--format json` has all"),
                self.width,
            );
        }
        text
    }

    fn row<'b>(&'b self, finding: &'b Finding) -> Row<'b> {
        (
            &finding.datum,
            finding.evidence,
            &finding.chain,
            finding.direction,
            finding.host.as_deref().unwrap_or(&finding.server),
            finding.protection,
            self.app(finding.flow),
        )
    }

    fn cells(&self, index: usize, times: u64, finding: &Finding) -> Vec<Cell> {
        let number = index + 1;
        let when = match times {
            1 => self.when(finding.at),
            times => format!("{}, {times} times", self.when(finding.at)),
        };
        let (_, _, _, _, host, protection, app) = self.row(finding);
        let way = match finding.direction {
            Direction::Out => "",
            Direction::In => ", received",
        };
        let place = format!("flow {}{way}", finding.flow);
        let mut to = format!("{} ({})", shown(host), how(protection));
        if let Some(app) = app {
            to += " from ";
            to += &shown(app);
        }
        let color = match finding.evidence {
            Evidence::Proof => Color::Red,
            Evidence::Strong | Evidence::Weak => Color::Yellow,
        };
        vec![
            Cell::new(number),
            Cell::new(shown(&finding.datum)),
            colored(evidence(finding.evidence), color, self.style),
            Cell::new(shown(&finding.chain.join(" → "))),
            Cell::new(place),
            Cell::new(to),
            Cell::new(when),
        ]
    }

    /// The time of the day, with the date if the inputs span days.
    fn when(&self, at: f64) -> String {
        const DAY: f64 = 86_400.0;
        let inputs = &self.analysis.inputs;
        let first = inputs.iter().filter_map(|it| it.first).reduce(f64::min);
        let last = inputs.iter().filter_map(|it| it.last).reduce(f64::max);
        match (first, last) {
            (Some(first), Some(last)) if last - first >= DAY => written(at, "%m-%d %H:%M:%S"),
            _ => written(at, "%H:%M:%S%.3f"),
        }
    }

    fn app(&self, flow: u32) -> Option<&str> {
        let flow = self.analysis.flows.get(usize::try_from(flow).ok()?)?;
        flow.app.as_ref()?.package.as_deref()
    }

    /// Hits of values that are nowhere: what the search itself gets wrong.
    fn decoys(&self, searched: &Searched) -> String {
        let found = &self.analysis.decoys_found;
        if found.is_empty() {
            return String::new();
        }
        let ids: BTreeSet<&str> = found.iter().map(|it| it.datum.as_str()).collect();
        let title = format!(
            "The search errs: {} of {} that are nowhere were found",
            ids.len(),
            count_of(searched.decoys.len(), "decoy", "decoys")
        );
        let title = paint(self.style.bad, title);
        format!("{title}\n{}\n", self.table(found))
    }

    /// Conversations, coverage, and everything that could hide a datum.
    fn seen(&self) -> String {
        let Analysis {
            flows, coverage, ..
        } = self.analysis;
        let mut text = self.heading("What was seen, and what was not");
        let of = |protection| {
            let matching = flows.iter().filter(|it| it.protection == protection);
            matching.count() as u64
        };
        let clear = of(Protection::Clear);
        let (tls, opaque) = (of(Protection::Tls), of(Protection::Opaque));
        let conversations = count(flows.len() as u64, "conversation");
        text.push_str(&self.item(&format!(
            "{conversations}: {clear} in the clear, {tls} encrypted, {opaque} in no known form"
        )));
        text.push_str(&self.item(&format!(
            "{} of {}: {} read, {} could not be read, {} missing",
            count(coverage.packets, "packet"),
            size(coverage.bytes),
            size(coverage.bytes_understood),
            size(coverage.bytes_opaque),
            size(coverage.bytes_missing)
        )));
        let opaque = unread(flows);
        for line in opaque.iter().take(MAX_LINES) {
            text.push_str(&self.item(line));
        }
        text.push_str(&more(opaque.len(), MAX_LINES));
        if coverage.flows_with_gaps > 0 {
            let holes = count(u64::from(coverage.flows_with_gaps), "conversation");
            text.push_str(&self.item(&format!("{holes} with holes")));
        }
        for problem in coverage.problems.iter().take(MAX_LINES) {
            text.push_str(&self.item(&shown(problem)));
        }
        text.push_str(&more(coverage.problems.len(), MAX_LINES));
        text.push('\n');
        text
    }

    /// What to do next.
    fn next(&self) -> String {
        if self.analysis.findings.is_empty() {
            return String::new();
        }
        let step = "follow a finding from the wire to the datum, by its number: --explain 1";
        format!("{}{}\n", self.heading("Next"), self.item(step))
    }

    fn result(&self) -> String {
        let Analysis { findings, .. } = self.analysis;
        let data: BTreeSet<&str> = findings.iter().map(|it| it.datum.as_str()).collect();
        let (style, words) = match self.analysis.conclusion() {
            Conclusion::Found => (
                self.style.bad,
                format!(
                    "{} found, {}",
                    count_of(data.len(), "datum", "data"),
                    count(findings.len() as u64, "finding")
                ),
            ),
            Conclusion::Unsure => (
                self.style.doubtful,
                "inconclusive: nothing was found, and not everything could be read".to_owned(),
            ),
            Conclusion::NothingFound => (
                self.style.good,
                "nothing was found, and everything could be read".to_owned(),
            ),
        };
        let flawed = self.analysis.inputs.iter();
        let flawed = flawed.filter(|input| !input.problems.is_empty()).count();
        let words = match flawed {
            0 => words,
            flawed => format!(
                "{words}; {} damaged or no capture",
                count_of(flawed, "input is", "inputs are")
            ),
        };
        let line = wrap("Result: ", &words, self.width);
        format!("{}\n", paint(style, line.trim_end()))
    }

    fn heading(&self, text: &str) -> String {
        format!("{}\n", paint(self.style.heading, text))
    }

    fn item(&self, text: &str) -> String {
        wrap("  - ", text, self.width)
    }
}

fn input_in_words(input: &Input) -> String {
    let name = shown(&input.path);
    let what = format!(
        "{name}: {} in {}",
        count(input.packets, "packet"),
        size(input.bytes)
    );
    match (input.first, input.last) {
        (Some(first), Some(last)) => format!("{what}, {} to {}", moment(first), moment(last)),
        _ => what,
    }
}

/// Where bytes left unread, by host and kind, the most bytes first.
fn unread(flows: &[Flow]) -> Vec<String> {
    let mut by_host: BTreeMap<(&str, Protection), (u64, u64)> = BTreeMap::new();
    for flow in flows.iter().filter(|flow| flow.bytes_opaque > 0) {
        let host = flow.host.as_deref().unwrap_or(&flow.server);
        let entry = by_host.entry((host, flow.protection)).or_default();
        entry.0 += flow.bytes_opaque;
        entry.1 += 1;
    }
    let mut hosts: Vec<_> = by_host.into_iter().collect();
    hosts.sort_by_key(|(_, (bytes, _))| std::cmp::Reverse(*bytes));
    let told = hosts
        .into_iter()
        .map(|((host, protection), (bytes, flows))| {
            format!(
                "unread: {} to {} ({}), {}",
                size(bytes),
                shown(host),
                how(protection),
                count(flows, "conversation")
            )
        });
    told.collect()
}

/// What was cut from a list.
fn more(all: usize, shown: usize) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        more => format!("  … and {more} more\n"),
    }
}

fn count_of(number: usize, one: &str, several: &str) -> String {
    let word = if number == 1 { one } else { several };
    format!("{number} {word}")
}

pub(super) const fn how(protection: Protection) -> &'static str {
    match protection {
        Protection::Clear => "clear",
        Protection::Tls => "encrypted",
        Protection::Opaque => "no known form",
    }
}

const fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Proof => "proof",
        Evidence::Strong => "strong",
        Evidence::Weak => "weak",
    }
}

/// Date and time of the day in UTC.
fn moment(seconds: f64) -> String {
    written(seconds, "%Y-%m-%d %H:%M:%S UTC")
}

/// Date and time in UTC, to the microsecond.
pub(super) fn exact_moment(seconds: f64) -> String {
    written(seconds, "%Y-%m-%d %H:%M:%S%.6f UTC")
}

fn written(seconds: f64, form: &str) -> String {
    let at = jiff::SignedDuration::try_from_secs_f64(seconds).ok();
    let at = at.and_then(|at| jiff::Timestamp::from_duration(at).ok());
    at.map_or_else(|| "unknown".to_owned(), |at| at.strftime(form).to_string())
}
