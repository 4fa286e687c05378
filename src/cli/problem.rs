//! The mistakes of a file, shown with the line they are in and what would be right.
//!
//! Nothing of the file reaches the terminal as it is: what a terminal would act on is shown as an
//! escape, and long lines are cut around the mistake.

use crate::base::document::position::Position;
use crate::base::document::problem::Problem;
use crate::base::text::printable;
use anstyle::{AnsiColor, Style};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};
use std::fmt;
use std::fmt::Write as _;

/// After so many the rest is counted only: whoever corrects these runs the check again.
const MAX_SHOWN: usize = 20;

/// All problems of `text`, which was read from `source_name`, in the order of the file.
///
/// With `color`, as a terminal shows it; without, in plain lines that begin with
/// `file:line:column:`, for logs and editors.
#[must_use]
pub(crate) fn render(
    source_name: &str,
    text: &str,
    problems: &[Problem],
    color: bool,
    width: usize,
) -> String {
    let mut ordered: Vec<&Problem> = problems.iter().collect();
    ordered.sort_by_key(|problem| problem.span.offset);
    let name = printable(source_name, 300);
    let mut shown = String::new();
    for problem in ordered.iter().take(MAX_SHOWN) {
        let excerpt = Excerpt::new(&name, text, problem, width);
        if color {
            shown += &graphical(excerpt, problem, width);
        } else {
            shown += &plain(&excerpt, problem);
        }
    }
    let more = ordered.len().saturating_sub(MAX_SHOWN);
    if more > 0 {
        let word = if more == 1 { "problem" } else { "problems" };
        // Writing to a string does not fail.
        let _ = writeln!(shown, "… and {more} more {word}");
    }
    shown
}

fn message(problem: &Problem) -> String {
    printable(&problem.message, 1000).into_owned()
}

fn hint(problem: &Problem) -> Option<String> {
    let hint = problem.hint.as_deref()?;
    Some(printable(hint, 1000).into_owned())
}

fn plain(excerpt: &Excerpt, problem: &Problem) -> String {
    let Position { line, column } = excerpt.position;
    let gutter = " ".repeat(line.to_string().len());
    let (before, marked) = excerpt.around_mark();
    let carets = "^".repeat(marked.chars().count().max(1));
    let mut shown = format!(
        "{}:{line}:{column}: {}\n  {line} | {}\n  {gutter} | {}{carets}\n",
        excerpt.name,
        message(problem),
        excerpt.marked_line(),
        " ".repeat(before.chars().count()),
    );
    if let Some(hint) = hint(problem) {
        // Writing to a string does not fail.
        let _ = writeln!(shown, "  hint: {hint}");
    }
    shown
}

fn graphical(excerpt: Excerpt, problem: &Problem, width: usize) -> String {
    let theme = GraphicalTheme {
        characters: ThemeCharacters::unicode(),
        styles: ThemeStyles::ansi(),
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width)
        .with_context_lines(1)
        .with_links(false)
        .without_syntax_highlighting();
    let report = Report {
        message: message(problem),
        text: excerpt.lines.join("\n"),
        excerpt,
    };
    let mut shown = String::new();
    if handler.render_report(&mut shown, &report).is_err() {
        return plain(&report.excerpt, problem);
    }
    if let Some(hint) = hint(problem) {
        let style = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
        let _ = writeln!(shown, "  {style}hint:{style:#} {hint}");
    }
    shown + "\n"
}

/// The line of a problem with its neighbours, fit for a screen.
#[derive(Debug)]
struct Excerpt {
    name: String,
    /// Where the problem is in the file.
    position: Position,
    /// The number of the first line of `lines`, from 1.
    first_line: usize,
    /// One to three lines.
    lines: Vec<String>,
    /// Which of them is marked.
    marked: usize,
    /// The bytes of it that are.
    mark: (usize, usize),
}

/// Columns beside the text of a line: indentation, number and bar.
const MARGIN: usize = 12;

impl Excerpt {
    fn new(name: &str, text: &str, problem: &Problem, width: usize) -> Self {
        let span = problem.span.within(text);
        let position = Position::of(text, span.offset);
        let line_start = text
            .get(..span.offset)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |at| at + 1);
        let raw: Vec<&str> = text
            .split('\n')
            .skip(position.line.saturating_sub(2))
            .take(if position.line > 1 { 3 } else { 2 })
            .map(|line| line.strip_suffix('\r').unwrap_or(line))
            .collect();
        let marked = usize::from(position.line > 1);
        let from = span.offset - line_start;
        let to = span.end() - line_start;
        let columns = width.saturating_sub(MARGIN).max(20);
        let line = raw.get(marked).copied().unwrap_or_default();
        let skip = skipped(line, from, columns);
        let lines = raw.iter().map(|line| cut(line, skip, columns)).collect();
        let mark = (
            shown_bytes(line, from, skip, columns),
            shown_bytes(line, to, skip, columns),
        );
        Self {
            name: name.to_owned(),
            position,
            first_line: position.line - marked,
            lines,
            marked,
            mark,
        }
    }

    fn marked_line(&self) -> &str {
        self.lines.get(self.marked).map_or("", String::as_str)
    }

    /// The text before the mark, and the marked text.
    fn around_mark(&self) -> (&str, &str) {
        let (from, to) = self.mark;
        let line = self.marked_line();
        let before = line.get(..from).unwrap_or_default();
        (before, line.get(from..to).unwrap_or_default())
    }

    /// The mark as bytes of all lines joined.
    fn span(&self) -> SourceSpan {
        let above = self.lines.iter().take(self.marked);
        let before: usize = above.map(|line| line.len() + 1).sum();
        let (from, to) = self.mark;
        SourceSpan::new((before + from).into(), to.saturating_sub(from).max(1))
    }
}

/// How many characters to leave out at the start of all lines, so that the mark is on the screen.
fn skipped(line: &str, from: usize, columns: usize) -> usize {
    let before = escaped(line.get(..from).unwrap_or(line)).chars().count();
    if before < columns * 2 / 3 {
        return 0;
    }
    before - columns / 3
}

/// A line without what a terminal would act on.
fn escaped(line: &str) -> String {
    printable(line, usize::MAX).into_owned()
}

/// `columns` characters of the escaped line from `skip` on, dots where something is left out.
fn cut(line: &str, skip: usize, columns: usize) -> String {
    let line = escaped(line);
    let mut shown = String::new();
    if skip > 0 && line.chars().nth(skip).is_some() {
        shown.push('…');
    }
    shown.extend(line.chars().skip(skip).take(columns));
    if line.chars().nth(skip.saturating_add(columns)).is_some() {
        shown.push('…');
    }
    shown
}

/// The byte of the cut line that stands for the byte at `offset` of the raw one.
fn shown_bytes(line: &str, offset: usize, skip: usize, columns: usize) -> usize {
    let before = line.get(..offset).unwrap_or(line);
    let chars = escaped(before).chars().count();
    let dots = usize::from(skip > 0);
    let chars = chars.saturating_sub(skip).min(columns) + dots;
    cut(line, skip, columns)
        .chars()
        .take(chars)
        .map(char::len_utf8)
        .sum()
}

impl SourceCode for Report {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let Excerpt {
            name,
            position,
            first_line,
            lines,
            ..
        } = &self.excerpt;
        // Without context it is asked for the place in the heading alone.
        let (line, column) = if lines_before + lines_after == 0 {
            (position.line, position.column)
        } else {
            (*first_line, 1)
        };
        let span = if lines_before + lines_after == 0 {
            *span
        } else {
            SourceSpan::new(0.into(), self.text.len())
        };
        Ok(Box::new(MietteSpanContents::new_named(
            name.clone(),
            self.text.as_bytes(),
            span,
            line - 1,
            column - 1,
            lines.len(),
        )))
    }
}

/// One problem as miette wants it.
#[derive(Debug)]
struct Report {
    message: String,
    excerpt: Excerpt,
    text: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl Diagnostic for Report {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_with_span(None, self.excerpt.span());
        Some(Box::new(std::iter::once(label)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse::parse_scenario;
    use crate::scenario::shipped_toggles;
    use proptest::prelude::*;

    const BROKEN: &str = "schema: phonehome/scenario/1\nname: x\nsummary: S.\npersona: { contact: 1 }\nsteps:\n  - idle: 5\n";

    fn problems_of(text: &str) -> Vec<Problem> {
        parse_scenario(text, &shipped_toggles()).1
    }

    fn plain_of(text: &str, width: usize) -> String {
        render("x.yaml", text, &problems_of(text), false, width)
    }

    /// Text without the escapes that colour it.
    fn uncoloured(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn plain_lines_say_where_what_and_what_would_be_right() {
        let expected = "\
x.yaml:4:12: unknown key `contact` in `persona`
  4 | persona: { contact: 1 }
    |            ^^^^^^^
  hint: did you mean `contacts`?
x.yaml:6:11: expected a duration, found the number 5
  6 |   - idle: 5
    |           ^
  hint: a duration has a unit: `5s` or `5m`
";
        assert_eq!(plain_of(BROKEN, 80), expected);
    }

    #[test]
    fn a_terminal_sees_the_lines_around_in_colour() {
        let shown = render("x.yaml", BROKEN, &problems_of(BROKEN), true, 80);
        assert!(shown.contains("\u{1b}[31m"), "{shown:?}");
        let expected = "  × unknown key `contact` in `persona`
   ╭─[x.yaml:4:12]
 3 │ summary: S.
 4 │ persona: { contact: 1 }
   ·            ───────
 5 │ steps:
   ╰────
  hint: did you mean `contacts`?

  × expected a duration, found the number 5
   ╭─[x.yaml:6:11]
 5 │ steps:
 6 │   - idle: 5
   ·           ─
   ╰────
  hint: a duration has a unit: `5s` or `5m`

";
        assert_eq!(uncoloured(&shown), expected);
    }

    #[test]
    fn a_long_line_is_cut_around_the_mistake() {
        let text = format!(
            "schema: phonehome/scenario/1\nname: x\nsummary: S.\nsteps: [{} {{ wfi: on }}, {}]\n",
            "{ idle: 1s },".repeat(30),
            "{ idle: 1s }, ".repeat(30)
        );
        let shown = plain_of(&text, 60);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines[0].starts_with("x.yaml:4:402: unknown key `wfi`"),
            "{shown}"
        );
        assert!(
            lines[1].contains('…') && lines[1].chars().count() < 65,
            "{shown}"
        );
        let at = lines[2].find('^').unwrap();
        let marked: String = lines[1].chars().skip(at).take(3).collect();
        assert_eq!(
            (marked.as_str(), lines[2].matches('^').count()),
            ("wfi", 3),
            "{shown}"
        );
        let coloured = render("x.yaml", &text, &problems_of(&text), true, 60);
        assert!(
            uncoloured(&coloured)
                .lines()
                .all(|line| line.chars().count() < 70),
            "{coloured}"
        );
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_comes_through() {
        let text = "schema: phonehome/scenario/1\nname: x\nsummary: S.\nsteps: [\"\u{85}\u{202e}\", 'a\u{9b}2J']\n\t\u{7}: \u{0}\n";
        for color in [false, true] {
            let shown = render("a\u{1b}]0;b\u{7}.yaml", text, &problems_of(text), color, 80);
            let shown = uncoloured(&shown);
            let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!shown.is_empty() && !shown.contains(hostile), "{shown:?}");
            assert!(shown.contains("a\\u{1b}]0;b\\u{7}.yaml:"), "{shown}");
        }
    }

    #[test]
    fn many_problems_end_in_a_count() {
        let steps = "  - wfi: on\n".repeat(25);
        let text = format!("schema: phonehome/scenario/1\nname: x\nsummary: S.\nsteps:\n{steps}");
        let shown = plain_of(&text, 80);
        assert_eq!(shown.matches("x.yaml:").count(), 20);
        assert!(shown.ends_with("… and 5 more problems\n"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_file_and_place_can_be_shown(
            text in "[\\PC\n\t\r\u{1b}]{0,200}",
            offset in 0_usize..300,
            len in 0_usize..300,
            width in 0_usize..120,
            color: bool,
        ) {
            let span = crate::base::document::node::Span { offset, len };
            let problem = Problem { span, message: "m".into(), hint: None };
            let shown = render("x", &text, &[problem], color, width);
            let at = Position::of(&text, offset);
            let place = format!("x:{}:{}", at.line, at.column);
            let shown = uncoloured(&shown);
            prop_assert!(shown.contains(&place), "{}", shown);
            prop_assert!(color || shown.contains('^'));
        }
    }
}
