//! From text to a tree of nodes that know their place.
//!
//! The events are those of serde-saphyr's own parser; the tree is built here because serde's data
//! model has no room for where a collection ends, and stops at the first duplicate key. Booleans
//! are strict: `true` and `false` only. What it refuses: more than one document, tags, keys that
//! are not text, and anything that grows out of proportion (aliases, nesting, size).

use super::node::{Content, Entry, Node, Span};
use super::position::Position;
use super::problem::Problem;
use super::scalar::resolve;
use crate::base::text::printable;
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, StructureStyle};
use std::collections::BTreeMap;

/// Longer files are no documents that people write.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// Nodes of a tree, those that aliases copy included.
pub const MAX_NODES: usize = 100_000;
/// A text with so many mistakes is read no further.
const MAX_PROBLEMS: usize = 1000;
/// How deep collections may be nested.
pub const MAX_DEPTH: usize = 48;

/// Reads one document; the first problem is the answer when there is one.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn parse(text: &str) -> Result<Node, Problem> {
    let (node, problems) = read(text);
    match (node, problems.into_iter().next()) {
        (Some(node), None) => Ok(node),
        (_, Some(problem)) => Err(problem),
        (None, None) => Ok(empty()),
    }
}

/// Reads one document with all its problems; no node when the text is not YAML at all.
///
/// Of a key that appears twice the first value stays.
#[must_use]
pub fn read(text: &str) -> (Option<Node>, Vec<Problem>) {
    if text.len() > MAX_TEXT_BYTES {
        let message = format!("the file is longer than {MAX_TEXT_BYTES} bytes");
        return (None, vec![problem(Span::default(), message, None)]);
    }
    let options = granit_parser::options! {
        emit_comments: false,
        disallow_directives: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut composer = Composer::new(text);
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, place)) => composer.handle(event, span_of(text, &place)),
            Err(error) => Err(syntax_problem(text, &error)),
        };
        if let Err(fatal) = step {
            composer.problems.push(fatal);
            return (None, composer.problems);
        }
        if composer.problems.len() >= MAX_PROBLEMS {
            return (None, composer.problems);
        }
    }
    let root = composer.root.unwrap_or_else(empty);
    (Some(root), composer.problems)
}

/// A collection whose end has not been seen yet.
enum Open {
    Sequence {
        items: Vec<Node>,
    },
    Mapping {
        entries: Vec<Entry>,
        seen: BTreeMap<String, Span>,
        pending: Option<PendingKey>,
    },
}

/// A key that waits for its value.
struct PendingKey {
    key: String,
    span: Span,
    /// False for a duplicate or an unusable key: its value is read and dropped.
    keep: bool,
}

struct Frame {
    open: Open,
    start: Span,
    is_flow: bool,
    anchor: usize,
}

struct Composer<'a> {
    text: &'a str,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    documents: usize,
    problems: Vec<Problem>,
}

impl<'a> Composer<'a> {
    const fn new(text: &'a str) -> Self {
        Self {
            text,
            stack: Vec::new(),
            root: None,
            anchors: BTreeMap::new(),
            nodes: 0,
            documents: 0,
            problems: Vec::new(),
        }
    }

    /// Takes one event; an error is fatal.
    fn handle(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(..) => self.start_document(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(value, style, anchor, tag) => {
                let forced = self.check_tag(tag.as_deref(), span);
                self.scalar(&value, style, forced, anchor, span)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                let items = Vec::new();
                self.open(Open::Sequence { items }, style, anchor, span)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                let open = Open::Mapping {
                    entries: Vec::new(),
                    seen: BTreeMap::new(),
                    pending: None,
                };
                self.open(open, style, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => Ok(()),
        }
    }

    fn start_document(&mut self, span: Span) -> Result<(), Problem> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        Err(problem(
            span,
            "a second document begins here",
            Some("one file holds one document: remove this `---`, or split the file".to_owned()),
        ))
    }

    /// Whether the tag makes a scalar text; a tag other than `!!str` is a problem.
    fn check_tag(&mut self, tag: Option<&granit_parser::Tag>, span: Span) -> bool {
        let Some(tag) = tag else {
            return false;
        };
        if tag.core_suffix() == Some("str") {
            return true;
        }
        let hint = Some("remove the tag: the schema says what each value is".to_owned());
        self.problems
            .push(problem(span, "tags are not supported", hint));
        false
    }

    fn open(
        &mut self,
        open: Open,
        style: StructureStyle,
        anchor: usize,
        span: Span,
    ) -> Result<(), Problem> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(problem(span, message, None));
        }
        self.stack.push(Frame {
            open,
            start: span,
            is_flow: style == StructureStyle::Flow,
            anchor,
        });
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Problem> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        let (content, last) = match frame.open {
            Open::Sequence { items } => {
                let last = items.last().map(|item| item.span);
                (Content::Sequence(items), last)
            }
            Open::Mapping { entries, .. } => {
                let last = entries
                    .last()
                    .map(|entry| entry.key_span.to(entry.value.span));
                (Content::Mapping(entries), last)
            }
        };
        // The end event of a block collection stands at the next token, maybe lines below.
        let span = match last {
            _ if frame.is_flow => frame.start.to(end),
            Some(last) if last.end() >= frame.start.offset => frame.start.to(last),
            _ => frame.start,
        };
        self.place(Node { span, content }, frame.anchor, None)
    }

    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        forced_text: bool,
        anchor: usize,
        span: Span,
    ) -> Result<(), Problem> {
        let content = if style == ScalarStyle::Plain && !forced_text {
            resolve(value)
        } else {
            Content::Text(value.to_owned())
        };
        let span = trimmed(self.text, span);
        self.place(Node { span, content }, anchor, Some(value))
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Problem> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(problem(
                span,
                "an alias may not stand inside its own anchor",
                None,
            ));
        };
        self.nodes = self.nodes.saturating_add(node_count(node));
        check_size(self.nodes, span)?;
        let mut node = node.clone();
        node.span = span;
        let key = match &node.content {
            Content::Text(text) => Some(text.clone()),
            _ => None,
        };
        self.place(node, 0, key.as_deref())
    }

    /// Puts a finished node where it belongs. `key` is its text when it can be a key.
    fn place(&mut self, node: Node, anchor: usize, key: Option<&str>) -> Result<(), Problem> {
        self.nodes += 1;
        check_size(self.nodes, node.span)?;
        if anchor != 0 {
            self.nodes = self.nodes.saturating_add(node_count(&node));
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut().map(|frame| &mut frame.open) {
            None => self.root = Some(node),
            Some(Open::Sequence { items }) => items.push(node),
            Some(Open::Mapping {
                entries,
                seen,
                pending,
            }) => match pending.take() {
                None => {
                    let (next, found) = pending_key(self.text, node.span, key, seen);
                    *pending = Some(next);
                    self.problems.extend(found);
                }
                Some(waiting) if waiting.keep => entries.push(Entry {
                    key: waiting.key,
                    key_span: waiting.span,
                    value: node,
                }),
                Some(_) => {}
            },
        }
        Ok(())
    }
}

/// A key and what is wrong with it.
fn pending_key(
    text: &str,
    span: Span,
    key: Option<&str>,
    seen: &mut BTreeMap<String, Span>,
) -> (PendingKey, Option<Problem>) {
    let unusable = |found| {
        let key = PendingKey {
            key: String::new(),
            span,
            keep: false,
        };
        (key, Some(found))
    };
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return unusable(problem(span, "a key must be a word", None));
    };
    if let Some(first) = seen.get(key) {
        let Position { line, column } = Position::of(text, first.offset);
        let shown = printable(key, 60);
        let message = format!(
            "key `{shown}` appears twice: first at line {line}, column {column}, and again here"
        );
        return unusable(problem(
            span,
            message,
            Some("remove one of them".to_owned()),
        ));
    }
    seen.insert(key.to_owned(), span);
    let key = PendingKey {
        key: key.to_owned(),
        span,
        keep: true,
    };
    (key, None)
}

fn check_size(nodes: usize, span: Span) -> Result<(), Problem> {
    if nodes <= MAX_NODES {
        return Ok(());
    }
    let message = format!("more than {MAX_NODES} values, those that aliases repeat included");
    Err(problem(span, message, None))
}

fn node_count(node: &Node) -> usize {
    match &node.content {
        Content::Sequence(items) => 1 + items.iter().map(node_count).sum::<usize>(),
        Content::Mapping(entries) => {
            let values = entries.iter().map(|entry| node_count(&entry.value));
            1 + values.sum::<usize>()
        }
        _ => 1,
    }
}

/// What YAML itself forbids, in the parser's words.
fn syntax_problem(text: &str, error: &granit_parser::ScanError) -> Problem {
    use granit_parser::ErrorKind;
    let offset = error.marker().byte_offset().unwrap_or(text.len());
    let span = Span { offset, len: 1 }.within(text);
    let hint = match error.kind() {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation => Some("indent with spaces"),
        ErrorKind::UnclosedQuotedScalar => Some("close the quote"),
        ErrorKind::UnexpectedCharacter { .. } => Some("put the value in quotes"),
        ErrorKind::SimpleKeyExpected => Some("a key is followed by `:` and a space"),
        ErrorKind::UnknownAnchor => {
            Some("put the value in quotes if it is meant to begin with `*`")
        }
        _ => None,
    };
    let shown = printable(&error.info(), 200).into_owned();
    problem(
        span,
        format!("not valid YAML: {shown}"),
        hint.map(str::to_owned),
    )
}

fn span_of(text: &str, place: &granit_parser::Span) -> Span {
    let range = place.byte_range().unwrap_or_default();
    Span {
        offset: range.start,
        len: range.end.saturating_sub(range.start),
    }
    .within(text)
}

/// A scalar's span without the line breaks that end a block scalar.
fn trimmed(text: &str, span: Span) -> Span {
    let shown = text.get(span.offset..span.end()).unwrap_or_default();
    Span {
        offset: span.offset,
        len: shown.trim_end().len(),
    }
}

fn problem(span: Span, message: impl Into<String>, hint: Option<String>) -> Problem {
    Problem {
        span,
        message: message.into(),
        hint,
    }
}

const fn empty() -> Node {
    Node {
        span: Span { offset: 0, len: 0 },
        content: Content::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The tree with the source of every node: `key=>value`.
    fn sources(text: &str, node: &Node) -> String {
        let source = |span: Span| text.get(span.offset..span.end()).unwrap().to_owned();
        match &node.content {
            Content::Sequence(items) => {
                let inner: Vec<_> = items.iter().map(|item| sources(text, item)).collect();
                format!("<{}>[{}]", source(node.span), inner.join(" "))
            }
            Content::Mapping(entries) => {
                let inner: Vec<_> = entries
                    .iter()
                    .map(|entry| {
                        format!(
                            "{}=>{}",
                            source(entry.key_span),
                            sources(text, &entry.value)
                        )
                    })
                    .collect();
                format!("<{}>{{{}}}", source(node.span), inner.join(" "))
            }
            _ => source(node.span),
        }
    }

    #[test]
    fn every_node_knows_its_place() {
        let cases = [
            ("a: 1", "<a: 1>{a=>1}"),
            ("# ü\na: ünï # c\n", "<a: ünï>{a=>ünï}"),
            (
                "a: [x, 'y']  # c\nb: 2\n",
                "<a: [x, 'y']  # c\nb: 2>{a=><[x, 'y']>[x 'y'] b=>2}",
            ),
            (
                "- a: 1\n  b: 2\n\n- c\n",
                "<- a: 1\n  b: 2\n\n- c>[<a: 1\n  b: 2>{a=>1 b=>2} c]",
            ),
            (
                "a:\n  - x\n  - { y: z }\n\n\nb: c",
                "<a:\n  - x\n  - { y: z }\n\n\nb: c>{a=><- x\n  - { y: z }>[x <{ y: z }>{y=>z}] b=>c}",
            ),
        ];
        for (text, expected) in cases {
            let node = parse(text).unwrap();
            assert_eq!(sources(text, &node), expected, "{text}");
        }
    }

    #[test]
    fn values_are_what_they_look_like() {
        let text = "a: on\nb: true\nc: '5'\nd: 5\ne:\nf: |\n  one\n  two\ng: !!str 5\n";
        let node = parse(text).unwrap();
        let Content::Mapping(entries) = node.content else {
            panic!("not a mapping");
        };
        let contents: Vec<Content> = entries.into_iter().map(|e| e.value.content).collect();
        let text = |word: &str| Content::Text(word.to_owned());
        let expected = [
            text("on"),
            Content::Bool(true),
            text("5"),
            Content::Integer(5),
            Content::Null,
            text("one\ntwo\n"),
            text("5"),
        ];
        assert_eq!(contents, expected);
    }

    #[test]
    fn an_alias_stands_where_it_is_used() {
        let text = "a: &x [1, 2]\nb: *x\n";
        let node = parse(text).unwrap();
        assert_eq!(
            sources(text, &node),
            "<a: &x [1, 2]\nb: *x>{a=><[1, 2]>[1 2] b=><*x>[1 2]}"
        );
    }

    fn check(text: &str, expected: &[&str]) {
        let (_, problems) = read(text);
        let shown: Vec<String> = problems
            .iter()
            .map(|problem| {
                let at = Position::of(text, problem.span.offset);
                let hint = problem.hint.as_deref().unwrap_or_default();
                format!("{}:{} {} ({hint})", at.line, at.column, problem.message)
            })
            .collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn says_what_is_no_document() {
        check(
            "a: 1\nb: { c: 2, c: 3 }\na: 4\na: 5\n",
            &[
                "2:12 key `c` appears twice: first at line 2, column 6, and again here (remove one of them)",
                "3:1 key `a` appears twice: first at line 1, column 1, and again here (remove one of them)",
                "4:1 key `a` appears twice: first at line 1, column 1, and again here (remove one of them)",
            ],
        );
        check(
            "a: 1\n---\nb: 2\n",
            &[
                "2:1 a second document begins here (one file holds one document: remove this `---`, or split the file)",
            ],
        );
        check(
            "a: !secret x\n",
            &["1:12 tags are not supported (remove the tag: the schema says what each value is)"],
        );
        check("? [a, b]\n: c\n", &["1:3 a key must be a word ()"]);
        check(
            "a: &x [*x]\n",
            &["1:8 an alias may not stand inside its own anchor ()"],
        );
        check(
            "%YAML 1.2\n---\na: 1\n",
            &["1:1 not valid YAML: YAML directives are disallowed ()"],
        );
    }

    #[test]
    fn yaml_errors_come_with_their_place() {
        let cases = [
            ("a: [1, 2\nb: 3\n", 2),
            ("a:\n\tb: 1\n", 2),
            ("a: \"open\n", 1),
            ("a: *nowhere\n", 1),
            ("a: }\n", 1),
            ("a: b: c\n", 1),
        ];
        for (text, line) in cases {
            let problem = parse(text).unwrap_err();
            assert!(
                problem.message.starts_with("not valid YAML: "),
                "{problem:?}"
            );
            assert!(
                problem.message.len() > "not valid YAML: ".len(),
                "{problem:?}"
            );
            assert!(
                Position::of(text, problem.span.offset).line >= line,
                "{text} {problem:?}"
            );
        }
    }

    #[test]
    fn a_small_file_cannot_grow_large() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let below = format!("*a{}", level - 1);
            let items = [below.as_str(); 10].join(", ");
            bomb.extend([format!("a{level}: &a{level} [{items}]\n")]);
        }
        let problem = parse(&bomb).unwrap_err();
        assert!(
            problem.message.starts_with("more than 100000 values"),
            "{problem:?}"
        );
        for deep in ["[".repeat(5000), "- ".repeat(5000), "{a: ".repeat(5000)] {
            assert!(parse(&deep).is_err());
        }
        let long = "#".repeat(MAX_TEXT_BYTES + 1);
        assert!(parse(&long).unwrap_err().message.contains("longer than"));
    }

    #[test]
    fn a_file_of_mistakes_alone_is_not_read_to_its_end() {
        let (node, problems) = read(&"a: 1\n".repeat(20_000));
        assert_eq!((node, problems.len()), (None, MAX_PROBLEMS));
    }

    #[test]
    fn other_line_ends_and_a_mark_of_byte_order_change_nothing() {
        let node = parse("\u{feff}a: 1\r\nb:\r\n  - x\r\n").unwrap();
        let Content::Mapping(entries) = node.content else {
            panic!("not a mapping");
        };
        let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(entries[0].value.content, Content::Integer(1));
    }

    fn assert_inside(text: &str, node: &Node) {
        let inside = |span: Span| text.get(span.offset..span.end()).is_some();
        assert!(inside(node.span), "{:?}", node.span);
        match &node.content {
            Content::Sequence(items) => items.iter().for_each(|item| assert_inside(text, item)),
            Content::Mapping(entries) => {
                for entry in entries {
                    assert!(inside(entry.key_span));
                    assert_inside(text, &entry.value);
                }
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer_with_places_inside_it(
            text in prop_oneof![
                "\\PC{0,60}",
                "[-a-c:\\[\\]{}&*!|>'\"%#?,~ \t\n\r0-9.ü]{0,80}",
                "([a-c]: |- |\\[|\\]|\\{|\\}|, |\n|\n  |&a |\\*a|[a-z]{1,3}|[0-9]{1,3}|'|\"|#|---\n){0,40}",
            ]
        ) {
            let (node, problems) = read(&text);
            if let Some(node) = node {
                assert_inside(&text, &node);
            }
            for problem in problems {
                prop_assert!(text.get(problem.span.offset..problem.span.end()).is_some());
            }
        }
    }
}
