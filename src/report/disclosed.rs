//! What was disclosed: for each app, host and path a table of the data, their form, the steps they
//! came after, and the variants they were seen in.

use crate::outcome::run_record::{DisclosureRecord, ScenarioRecord};
use crate::report::matrix::{heading, lines, table};
use crate::report::style::{Style, paint};
use crate::report::words::{count, shown, wrap};
use comfy_table::Cell;
use std::collections::BTreeMap;

/// Rows beyond this are counted only.
const MAX_ROWS: usize = 60;

/// Entries of one cell beyond this are counted only.
const MAX_ENTRIES: usize = 6;

/// How a path that anyone on it can read is called.
const IN_THE_CLEAR: &str = "in the clear";

/// App, host, protection, direction.
type Path<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Rows by datum and form.
type Rows<'a> = BTreeMap<(&'a str, &'a str), Row<'a>>;

/// What a row gathers.
#[derive(Default)]
struct Row<'a> {
    after: Vec<&'a str>,
    variants: Vec<&'a str>,
    weak: bool,
}

/// The tables; nothing when nothing was disclosed.
#[must_use]
pub fn disclosed(scenario: &ScenarioRecord, width: u16, style: &Style) -> String {
    let mut paths: BTreeMap<Path<'_>, Rows<'_>> = BTreeMap::new();
    for variant in &scenario.variants {
        for disclosure in &variant.disclosures {
            let rows = paths.entry(path(disclosure)).or_default();
            let key = (disclosure.datum.as_str(), disclosure.form.as_str());
            let row = rows.entry(key).or_default();
            push(
                &mut row.after,
                disclosure.after.as_deref().unwrap_or("start"),
            );
            push(&mut row.variants, &variant.name);
            row.weak |= disclosure.evidence == "weak";
        }
    }
    let total: usize = paths.values().map(BTreeMap::len).sum();
    let mut left = MAX_ROWS;
    let mut text = String::new();
    for (path, rows) in &paths {
        if left == 0 {
            break;
        }
        let mut table = table(width, style);
        let names = ["datum", "form", "after", "variants"];
        table.set_header(names.map(|name| heading(name, style)));
        for (key, row) in rows.iter().take(left) {
            table.add_row(cells(key, row, scenario));
        }
        left = left.saturating_sub(rows.len());
        text.push_str(&title(path, width, style));
        text.push_str(&lines(&table));
        text.push('\n');
    }
    match total.saturating_sub(MAX_ROWS) {
        0 => text,
        more => format!("{text}… and {more} more; `--format json` has all\n\n"),
    }
}

fn path(disclosure: &DisclosureRecord) -> Path<'_> {
    let DisclosureRecord {
        app,
        host,
        protection,
        direction,
        ..
    } = disclosure;
    (app, host, protection, direction)
}

/// `com.example → host.example, in the clear`.
fn title(path: &Path<'_>, width: u16, style: &Style) -> String {
    let (app, host, protection, direction) = *path;
    let arrow = if direction == "in" { "←" } else { "→" };
    let how = match protection {
        "clear" => IN_THE_CLEAR.to_owned(),
        "tls" => "encrypted".to_owned(),
        other => shown(other),
    };
    let title = format!("{} {arrow} {}, {how}", shown(app), shown(host));
    let title = wrap("  ", &title, usize::from(width));
    title.replace(IN_THE_CLEAR, &paint(style.bad, IN_THE_CLEAR))
}

fn cells(key: &(&str, &str), row: &Row<'_>, scenario: &ScenarioRecord) -> Vec<Cell> {
    let (datum, form) = *key;
    let weak = if row.weak { " (weak evidence)" } else { "" };
    let variants = if row.variants.len() == scenario.variants.len() {
        "all".to_owned()
    } else {
        entries(&row.variants)
    };
    vec![
        Cell::new(format!("{}{weak}", shown(datum))),
        Cell::new(shown(form)),
        Cell::new(entries(&row.after)),
        Cell::new(variants),
    ]
}

fn push<'a>(entries: &mut Vec<&'a str>, entry: &'a str) {
    if !entries.contains(&entry) {
        entries.push(entry);
    }
}

/// One entry a line, the last ones counted only.
fn entries(entries: &[&str]) -> String {
    let mut lines: Vec<String> = entries.iter().take(MAX_ENTRIES).map(|e| shown(e)).collect();
    let more = entries.len().saturating_sub(MAX_ENTRIES);
    if more > 0 {
        lines.push(format!("and {}", count(more as u64, "other")));
    }
    lines.join("\n")
}
