//! The table of variants and what each expectation came to in them.

use crate::outcome::comparison::Comparison;
use crate::outcome::run_record::{GoldenRecord, ScenarioRecord, VariantRecord};
use crate::outcome::verdict::Verdict;
use crate::report::style::Style;
use crate::report::words::shown;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, LineStyle, Table, TableStyle};

/// Where an expectation does not apply.
const NOT_APPLICABLE: &str = "·";

/// A line below the header, and no other.
const LOOKS: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// Variants down, expectations and the golden across.
#[must_use]
pub fn matrix(scenario: &ScenarioRecord, width: u16, style: &Style) -> String {
    let ids = expectation_ids(scenario);
    let compared = scenario.variants.iter().any(|v| v.golden.is_some());
    let mut table = table(width, style);
    let mut header = vec![heading("variant", style)];
    header.extend(ids.iter().map(|id| heading(id, style)));
    if compared {
        header.push(heading("golden", style));
    }
    table.set_header(header);
    for variant in &scenario.variants {
        let mut row = vec![Cell::new(shown(&variant.name))];
        row.extend(ids.iter().map(|id| verdict_cell(variant, id, style)));
        if compared {
            row.push(golden_cell(variant.golden.as_ref(), style));
        }
        table.add_row(row);
    }
    lines(&table)
}

/// An empty table of this report's looks, fitted to `width`.
#[must_use]
pub fn table(width: u16, style: &Style) -> Table {
    let mut table = Table::new();
    // The terminal is not asked anything: width and colour are given.
    table.force_no_tty();
    if style.colored {
        table.enforce_styling();
    }
    table
        .load_style(LOOKS)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table
}

/// A table's text, each line without blanks at its end.
#[must_use]
pub fn lines(table: &Table) -> String {
    let lines = table.lines();
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A cell of the header.
#[must_use]
pub fn heading(text: &str, style: &Style) -> Cell {
    let cell = Cell::new(shown(text));
    if style.colored {
        cell.add_attribute(Attribute::Bold)
    } else {
        cell
    }
}

/// A cell in a colour, if there are any.
#[must_use]
pub fn colored(text: impl ToString, color: Color, style: &Style) -> Cell {
    let cell = Cell::new(text);
    if style.colored { cell.fg(color) } else { cell }
}

/// Every expectation that applies somewhere, in the order first met.
fn expectation_ids(scenario: &ScenarioRecord) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for expectation in scenario.variants.iter().flat_map(|v| &v.expectations) {
        if !ids.contains(&expectation.id.as_str()) {
            ids.push(&expectation.id);
        }
    }
    ids
}

fn verdict_cell(variant: &VariantRecord, id: &str, style: &Style) -> Cell {
    let found = variant.expectations.iter().find(|e| e.id == id);
    let Some(expectation) = found else {
        return Cell::new(NOT_APPLICABLE);
    };
    let color = match expectation.verdict {
        Verdict::Pass => Color::Green,
        Verdict::Inconclusive => Color::Yellow,
        Verdict::Fail => Color::Red,
    };
    colored(expectation.verdict, color, style)
}

fn golden_cell(golden: Option<&GoldenRecord>, style: &Style) -> Cell {
    let (word, color) = match golden.map(|golden| &golden.comparison) {
        Some(Comparison::Same) => ("same", Color::Green),
        Some(Comparison::Differs { .. }) => ("differs", Color::Red),
        Some(Comparison::Missing) => ("missing", Color::Yellow),
        Some(Comparison::Unreadable { .. }) => ("unreadable", Color::Yellow),
        Some(Comparison::NotCompared { .. }) => ("not compared", Color::Yellow),
        None => return Cell::new(NOT_APPLICABLE),
    };
    colored(word, color, style)
}
