//! A persona file that can be shown: its values are covered, its shape is kept, so that a mistake in
//! it can be pointed at. It covers too much rather than too little.

use crate::base::document::node::{Content, Node, Span};
use crate::base::document::parse::read;
use crate::base::document::problem::Problem;

/// What a persona file says openly.
const OPEN: [&str; 3] = ["schema", "id", "kind"];

/// The text with every value covered, byte for byte as long as before.
#[must_use]
pub fn masked(text: &str) -> String {
    let (node, _) = read(text);
    let is_covered: Box<dyn Fn(usize) -> bool> = match node {
        Some(node) => {
            let spans = values(&node);
            Box::new(move |at| {
                let is_in = |span: &Span| (span.offset..span.end()).contains(&at);
                spans.iter().any(is_in)
            })
        }
        // What is no YAML has no values to tell: whatever could be one is covered.
        None => {
            let covered = suspects(text);
            Box::new(move |at| covered.get(at).copied().unwrap_or(true))
        }
    };
    text.char_indices()
        .map(|(at, c)| match is_covered(at) {
            true => cover(c),
            false => c,
        })
        .collect()
}

/// Takes values out of the problems that stand at them: what was found there is said by its sort.
pub(super) fn cover_values(node: &Node, problems: &mut [Problem]) {
    let spans = values(node);
    let at_values = problems
        .iter_mut()
        .filter(|problem| spans.iter().any(|span| span.offset == problem.span.offset));
    for problem in at_values {
        if let Some((expected, found)) = problem.message.split_once(", found ") {
            let sort = if found.starts_with("the number") {
                "a number"
            } else {
                "something else"
            };
            problem.message = format!("{expected}, found {sort}");
        }
        let in_quotes = problem.hint.as_mut();
        if let Some(hint) = in_quotes.filter(|hint| hint.contains("in quotes")) {
            "put it in quotes".clone_into(hint);
        }
    }
}

/// Where values stand.
fn values(node: &Node) -> Vec<Span> {
    let mut spans = Vec::new();
    collect(node, &mut spans);
    spans
}

fn collect(node: &Node, spans: &mut Vec<Span>) {
    match &node.content {
        Content::Sequence(nodes) => nodes.iter().for_each(|node| collect(node, spans)),
        Content::Mapping(entries) => {
            for entry in entries {
                if !OPEN.contains(&entry.key.as_str()) {
                    collect(&entry.value, spans);
                }
            }
        }
        Content::Null => {}
        Content::Bool(_) | Content::Integer(_) | Content::Float(_) | Content::Text(_) => {
            spans.push(node.span);
        }
    }
}

/// For each byte of what is no YAML whether it may belong to a value: digits, and what follows
/// `value:` or a `-` in its line.
fn suspects(text: &str) -> Vec<bool> {
    let mut covered = Vec::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let value = line.find("value:").map(|at| at + "value:".len());
        let entry = line.trim_start().strip_prefix("- ");
        let entry = entry.filter(|entry| !entry.contains(':'));
        let start = value.or_else(|| entry.map(|entry| line.len() - entry.len()));
        let is_after = |at: usize| start.is_some_and(|start| at >= start);
        covered.extend(
            line.bytes()
                .enumerate()
                .map(|(at, byte)| is_after(at) || byte.is_ascii_digit()),
        );
    }
    covered
}

/// A character as long as `c` that says nothing; what is no part of a value's text stays.
const fn cover(c: char) -> char {
    match (c, c.len_utf8()) {
        ('"' | '\'' | '\n' | '\r' | '}' | ']', _) => c,
        (_, 1) => '*',
        (_, 2) => '×',
        (_, 3) => '•',
        _ => '𐌰',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_covered_and_nothing_else() {
        let cases = [
            (
                "schema: phonehome/persona/1\ndata:\n  - { id: imei-1, kind: imei, value: \"4901\" }\n",
                "schema: phonehome/persona/1\ndata:\n  - { id: imei-1, kind: imei, value: \"****\" }\n",
            ),
            (
                "data: [{ id: a, kind: name, valeu: Zoë Q }, 4901]\nsalts: [x.y]\n",
                "data: [{ id: a, kind: name, valeu: **×** }, ****]\nsalts: [***]\n",
            ),
            // No YAML: the brace is never closed.
            (
                "data:\n  - { id: a, kind: imei, value: \"4901\"\nsalts:\n  - abc\n",
                "data:\n  - { id: a, kind: imei, value:*\"****\"\nsalts:\n  - ***\n",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_keeps_its_length(text: String) {
            let shown = masked(&text);
            prop_assert_eq!(shown.len(), text.len());
            prop_assert_eq!(shown.lines().count(), text.lines().count());
        }
    }
}
