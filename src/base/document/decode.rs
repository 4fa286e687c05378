//! From nodes to typed values, with every problem collected.
//!
//! One [`Table`] per type names its keys; it drives decoding, suggestions and, later, the JSON
//! Schema. A value that is absent or wrong is `None`: the problem is in the collector, once, and
//! nothing that depends on the value may complain again.

use super::node::{Content, Entry, Node, Span};
use super::problem::Problem;
use super::suggest;
use crate::base::text::printable;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The problems of one file, each once.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    /// None so far.
    #[must_use]
    pub const fn new() -> Self {
        Self { found: Vec::new() }
    }

    /// Adds one, unless the same was said of the same place.
    pub fn push(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        let message = message.into();
        let is_known = |old: &Problem| old.span == span && old.message == message;
        if !self.is_full() && !self.found.iter().any(is_known) {
            self.found.push(Problem {
                span,
                message,
                hint,
            });
        }
    }

    /// Adds those of another collector.
    pub fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            self.push(problem.span, problem.message, problem.hint);
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether no more are taken: whoever finds the next one need not describe it.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.found.len() >= MAX_PROBLEMS
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.found.len()
    }

    /// All of them, in the order of the file.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|problem| problem.span.offset);
        self.found
    }
}

/// More problems than this tell nobody anything.
const MAX_PROBLEMS: usize = 1000;

/// One key of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// As files spell it.
    pub name: &'static str,
    /// Whether it may be left out.
    pub required: bool,
    /// What it means, as a fragment.
    pub about: &'static str,
}

impl Field {
    /// A key that must be there.
    #[must_use]
    pub const fn required(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            required: true,
            about,
        }
    }

    /// A key that may be left out.
    #[must_use]
    pub const fn optional(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            required: false,
            about,
        }
    }
}

/// The keys of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it describes, with its article: `an expectation`.
    pub what: &'static str,
    /// Its keys.
    pub fields: &'static [Field],
    /// A right one, on one line.
    pub example: &'static str,
}

/// A mapping whose keys have been checked against a [`Table`].
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    span: Span,
    entries: &'a [Entry],
    has_unknown_keys: bool,
}

impl<'a> Fields<'a> {
    /// Opens a mapping: reports what is no mapping, unknown keys with the nearest known one, and
    /// missing required keys.
    pub fn open(node: &'a Node, table: &'static Table, problems: &mut Problems) -> Option<Self> {
        Self::open_with_planned(node, table, &[], problems)
    }

    /// [`Fields::open`] with keys that the design names and this version does not know yet: they
    /// are reported as that, not as typing errors.
    pub fn open_with_planned(
        node: &'a Node,
        table: &'static Table,
        planned: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let Content::Mapping(entries) = &node.content else {
            let hint = Some(format!("for example: {}", table.example));
            expected(table.what, node, hint, problems);
            return None;
        };
        let names = table.fields.iter().map(|field| field.name);
        let mut meant = Vec::new();
        let mut has_unknown_keys = false;
        for entry in entries {
            if table.fields.iter().any(|field| field.name == entry.key) {
                continue;
            }
            has_unknown_keys = true;
            if problems.is_full() {
                break;
            }
            if planned.contains(&entry.key.as_str()) {
                let message = format!("`{}` is not supported by this version", entry.key);
                problems.push(entry.key_span, message, None);
                continue;
            }
            meant.extend(suggest::nearest(&entry.key, names.clone()));
            let message = format!("unknown key `{}` in {}", shown(&entry.key), table.what);
            let hint = suggest::hint(&entry.key, names.clone(), "keys");
            problems.push(entry.key_span, message, hint);
        }
        let fields = Self {
            span: start_of(node),
            entries,
            has_unknown_keys,
        };
        // A key that is misspelt is not missing too.
        let is_missed = |field: &&Field| field.required && !meant.contains(&field.name);
        for field in table.fields.iter().filter(is_missed) {
            fields.require(field, table, problems);
        }
        Some(fields)
    }

    fn require(&self, field: &Field, table: &Table, problems: &mut Problems) {
        let hint = Some(format!(
            "`{}` is {}; for example: {}",
            field.name, field.about, table.example
        ));
        match self.entry(field.name) {
            Some(entry) if entry.value.content == Content::Null => {
                let message = format!("`{}` has no value", field.name);
                problems.push(entry.key_span, message, hint);
            }
            Some(_) => {}
            None => {
                let message = format!("missing key `{}` in {}", field.name, table.what);
                problems.push(self.span, message, hint);
            }
        }
    }

    /// The first key, or the whole of an empty mapping: where to say what is wrong with all of it.
    #[must_use]
    pub const fn span(&self) -> Span {
        self.span
    }

    /// Whether some key is not in the table: what seems to be missing may be there, misspelt.
    #[must_use]
    pub const fn has_unknown_keys(&self) -> bool {
        self.has_unknown_keys
    }

    /// Everything in it, unknown keys included, in file order.
    #[must_use]
    pub const fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// One key with its value, present even when the value is null.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == name)
    }

    /// One value; `None` when the key is absent or its value is null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Node> {
        self.entry(name)
            .map(|entry| &entry.value)
            .filter(|node| node.content != Content::Null)
    }

    /// [`text`] of one key.
    pub fn text(&self, name: &str, problems: &mut Problems) -> Option<&'a str> {
        text(self.get(name)?, problems)
    }

    /// [`boolean`] of one key.
    pub fn boolean(&self, name: &str, problems: &mut Problems) -> Option<bool> {
        boolean(self.get(name)?, problems)
    }

    /// [`integer`] of one key.
    pub fn integer(&self, name: &str, problems: &mut Problems) -> Option<i64> {
        integer(self.get(name)?, problems)
    }

    /// [`integer_in`] of one key.
    pub fn integer_in(
        &self,
        name: &str,
        range: RangeInclusive<i64>,
        problems: &mut Problems,
    ) -> Option<i64> {
        integer_in(self.get(name)?, range, problems)
    }

    /// [`list`] of one key; empty when absent.
    pub fn list(&self, name: &str, problems: &mut Problems) -> &'a [Node] {
        self.get(name).map_or(&[], |node| list(node, problems))
    }

    /// [`one_or_more`] of one key; empty when absent.
    #[must_use]
    pub fn one_or_more(&self, name: &str) -> &'a [Node] {
        self.get(name).map_or(&[], one_or_more)
    }

    /// [`duration`] of one key.
    pub fn duration(&self, name: &str, problems: &mut Problems) -> Option<Duration> {
        duration(self.get(name)?, problems)
    }

    /// [`choice`] of one key.
    pub fn choice<T: Clone>(
        &self,
        name: &str,
        choices: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        choice(self.get(name)?, choices, problems)
    }

    /// [`entries`] of one key; empty when absent.
    pub fn entries_of(&self, name: &str, problems: &mut Problems) -> &'a [Entry] {
        self.get(name).map_or(&[], |node| entries(node, problems))
    }
}

/// Text; a number or a boolean must be quoted to be text.
pub fn text<'a>(node: &'a Node, problems: &mut Problems) -> Option<&'a str> {
    let hint = match &node.content {
        Content::Text(text) => return Some(text),
        Content::Integer(number) => Some(format!("put it in quotes: \"{number}\"")),
        Content::Bool(value) => Some(format!("put it in quotes: \"{value}\"")),
        Content::Float(_) => Some("put it in quotes".to_owned()),
        _ => None,
    };
    expected("text", node, hint, problems);
    None
}

/// `true` or `false`.
pub fn boolean(node: &Node, problems: &mut Problems) -> Option<bool> {
    let hint = match &node.content {
        Content::Bool(value) => return Some(*value),
        Content::Text(word) => match word.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "y" => Some("write `true`".to_owned()),
            "false" | "off" | "no" | "n" => Some("write `false`".to_owned()),
            _ => None,
        },
        _ => None,
    };
    expected("`true` or `false`", node, hint, problems);
    None
}

/// A whole number.
pub fn integer(node: &Node, problems: &mut Problems) -> Option<i64> {
    if let Content::Integer(number) = &node.content {
        return Some(*number);
    }
    let is_quoted = matches!(&node.content, Content::Text(text) if text.parse::<i64>().is_ok());
    let hint = is_quoted.then(|| "remove the quotes".to_owned());
    expected("a whole number", node, hint, problems);
    None
}

/// A whole number within bounds.
pub fn integer_in(node: &Node, range: RangeInclusive<i64>, problems: &mut Problems) -> Option<i64> {
    let number = integer(node, problems)?;
    if range.contains(&number) {
        return Some(number);
    }
    let message = format!(
        "expected a number from {} to {}, found {number}",
        range.start(),
        range.end()
    );
    problems.push(node.span, message, None);
    None
}

/// The items of a list.
pub fn list<'a>(node: &'a Node, problems: &mut Problems) -> &'a [Node] {
    if let Content::Sequence(items) = &node.content {
        return items;
    }
    let hint = match &node.content {
        Content::Text(word) => Some(format!("write `[{}]`", shown(word))),
        Content::Null => Some("write `[]` for none".to_owned()),
        _ => None,
    };
    expected("a list", node, hint, problems);
    &[]
}

/// The items of a list, or the one value that stands in its place.
#[must_use]
pub fn one_or_more(node: &Node) -> &[Node] {
    match &node.content {
        Content::Sequence(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// The entries of a mapping whose keys are free.
pub fn entries<'a>(node: &'a Node, problems: &mut Problems) -> &'a [Entry] {
    if let Content::Mapping(entries) = &node.content {
        return entries;
    }
    expected("a mapping", node, None, problems);
    &[]
}

/// A length of time: a whole number and `ms`, `s`, `m`, `h` or `d`.
pub fn duration(node: &Node, problems: &mut Problems) -> Option<Duration> {
    const EXAMPLES: &str = "`500ms`, `5s`, `2m` or `24h`";
    let hint = match &node.content {
        Content::Text(word) => match read_duration(word) {
            Ok(duration) => return Some(duration),
            Err(DurationError::TooLong) => {
                let message = format!("`{}` is longer than a year", shown(word));
                problems.push(node.span, message, None);
                return None;
            }
            Err(DurationError::Malformed) => format!("a duration is written {EXAMPLES}"),
        },
        Content::Integer(number) if *number >= 0 => {
            format!("a duration has a unit: `{number}s` or `{number}m`")
        }
        _ => format!("a duration is written {EXAMPLES}"),
    };
    expected("a duration", node, Some(hint), problems);
    None
}

/// One word of a closed set.
pub fn choice<T: Clone>(node: &Node, choices: &[(&str, T)], problems: &mut Problems) -> Option<T> {
    let names = choices.iter().map(|(name, _)| *name);
    let word = match &node.content {
        Content::Text(word) => word.clone(),
        // Whoever writes `true` for a switch means one of its words.
        Content::Bool(true) => "on".to_owned(),
        Content::Bool(false) => "off".to_owned(),
        _ => String::new(),
    };
    let is_text = matches!(node.content, Content::Text(_));
    if let Some((_, value)) = choices.iter().find(|(name, _)| is_text && *name == word) {
        return Some(value.clone());
    }
    let all: Vec<&str> = names.clone().collect();
    let what = match all.as_slice() {
        [only] => format!("`{only}`"),
        _ => format!("one of {}", suggest::listed(&all)),
    };
    let hint = suggest::nearest(&word, names).map(|near| format!("did you mean `{near}`?"));
    expected(&what, node, hint, problems);
    None
}

/// Says that something else was expected here.
pub fn expected(what: &str, node: &Node, hint: Option<String>, problems: &mut Problems) {
    let found = describe(node);
    problems.push(
        start_of(node),
        format!("expected {what}, found {found}"),
        hint,
    );
}

/// What a node is, in a message.
#[must_use]
pub fn describe(node: &Node) -> String {
    match &node.content {
        Content::Null => "nothing".to_owned(),
        Content::Bool(value) => format!("`{value}`"),
        Content::Integer(number) => format!("the number {number}"),
        Content::Float(number) => format!("the number {number}"),
        Content::Text(text) => format!("`{}`", shown(text)),
        Content::Sequence(_) => "a list".to_owned(),
        Content::Mapping(_) => "a mapping".to_owned(),
    }
}

/// Where to point when a whole node is meant: a mapping's first key, or all of anything else.
#[must_use]
pub fn start_of(node: &Node) -> Span {
    match &node.content {
        Content::Mapping(entries) => entries.first().map_or(node.span, |entry| entry.key_span),
        _ => node.span,
    }
}

/// A word of the file, fit for a message.
#[must_use]
pub fn shown(word: &str) -> String {
    printable(word, 60).into_owned()
}

enum DurationError {
    Malformed,
    TooLong,
}

fn read_duration(word: &str) -> Result<Duration, DurationError> {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    let unit_at = word
        .find(|c: char| !c.is_ascii_digit())
        .ok_or(DurationError::Malformed)?;
    let (digits, unit) = word
        .split_at_checked(unit_at)
        .ok_or(DurationError::Malformed)?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(DurationError::Malformed),
    };
    if digits.is_empty() {
        return Err(DurationError::Malformed);
    }
    let number: u64 = digits.parse().map_err(|_| DurationError::TooLong)?;
    number
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .filter(|duration| *duration <= YEAR)
        .ok_or(DurationError::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::document::parse::parse;
    use crate::base::document::position::Position;

    const TABLE: Table = Table {
        what: "a call",
        fields: &[
            Field::required("to", "who is called"),
            Field::optional("for", "how long"),
            Field::optional("times", "how often"),
            Field::optional("loud", "whether it rings"),
            Field::optional("via", "over what"),
            Field::optional("notes", "anything"),
        ],
        example: "{ to: peer-1, for: 5s }",
    };

    /// `line:column message (hint)` of every problem.
    fn problems_of(text: &str) -> Vec<String> {
        let node = parse(text).unwrap();
        let mut problems = Problems::new();
        if let Some(fields) = Fields::open(&node, &TABLE, &mut problems) {
            fields.text("to", &mut problems);
            fields.duration("for", &mut problems);
            fields.integer_in("times", 1..=9, &mut problems);
            fields.boolean("loud", &mut problems);
            fields.choice("via", &[("sim", 1), ("wifi", 2)], &mut problems);
            fields.list("notes", &mut problems);
        }
        let shown = problems.into_vec().into_iter().map(|problem| {
            let at = Position::of(text, problem.span.offset);
            let hint = problem.hint.unwrap_or_default();
            format!("{}:{} {} ({hint})", at.line, at.column, problem.message)
        });
        shown.collect()
    }

    #[test]
    fn says_what_is_wrong_where_and_what_would_be_right() {
        let example = "for example: { to: peer-1, for: 5s }";
        let missing = format!("`to` is who is called; {example}");
        let cases = [
            ("to: a", vec![]),
            ("to: a\nfor: 500ms\ntimes: 3\nloud: true\nvia: wifi\nnotes: []", vec![]),
            ("to: a\nfor: null", vec![]),
            ("- to: a", vec![format!("1:1 expected a call, found a list ({example})")]),
            ("", vec![format!("1:1 expected a call, found nothing ({example})")]),
            ("for: 5s", vec![format!("1:1 missing key `to` in a call ({missing})")]),
            ("for: 5s\nto:", vec![format!("2:1 `to` has no value ({missing})")]),
            ("to: 5", vec!["1:5 expected text, found the number 5 (put it in quotes: \"5\")".into()]),
            (
                "too: x\nfor: 5",
                vec![
                    "1:1 unknown key `too` in a call (did you mean `to`?)".into(),
                    "2:6 expected a duration, found the number 5 (a duration has a unit: `5s` or `5m`)".into(),
                ],
            ),
            (
                "to: a\ntimes: 0\nloud: on\nvia: wfi\nnotes: x",
                vec![
                    "2:8 expected a number from 1 to 9, found 0 ()".into(),
                    "3:7 expected `true` or `false`, found `on` (write `true`)".into(),
                    "4:6 expected one of `sim`, `wifi`, found `wfi` (did you mean `wifi`?)".into(),
                    "5:8 expected a list, found `x` (write `[x]`)".into(),
                ],
            ),
            (
                "to: a\ntimes: '3'\nfor: 5 s",
                vec![
                    "2:8 expected a whole number, found `3` (remove the quotes)".into(),
                    "3:6 expected a duration, found `5 s` (a duration is written `500ms`, `5s`, `2m` or `24h`)".into(),
                ],
            ),
            ("to: a\nfor: 999999d", vec!["2:6 `999999d` is longer than a year ()".into()]),
            (
                "to: \"a\\u001b[2J\"\n\"\\u001b[0m\": 1",
                vec!["2:1 unknown key `\\u{1b}[0m` in a call (known keys: `to`, `for`, `times`, `loud`, `via`, `notes`)".into()],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(problems_of(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_have_units() {
        let cases = [
            ("500ms", Some(500)),
            ("5s", Some(5_000)),
            ("2m", Some(120_000)),
            ("24h", Some(86_400_000)),
            ("3d", Some(259_200_000)),
            ("0s", Some(0)),
            ("5", None),
            ("s", None),
            ("-5s", None),
            ("1.5s", None),
            ("5S", None),
            ("'5s '", None),
            ("99999999999999999999999s", None),
            ("18446744073709551615h", None),
        ];
        for (word, expected) in cases {
            let read = duration(&parse(word).unwrap(), &mut Problems::new());
            assert_eq!(read, expected.map(Duration::from_millis), "{word}");
        }
    }

    #[test]
    fn the_same_problem_is_told_once_and_their_number_is_bounded() {
        let mut problems = Problems::new();
        for _ in 0..2 {
            problems.push(Span::default(), "x", None);
        }
        assert_eq!(problems.len(), 1);
        for offset in 0..5000 {
            problems.push(Span { offset, len: 1 }, "y", None);
        }
        assert_eq!(problems.len(), MAX_PROBLEMS);
    }
}
