//! Words with rules of their own: names, ids, package names, commands.

use crate::base::document::decode::{Problems, shown, text};
use crate::base::document::node::{Node, Span};
use crate::base::document::position::Position;
use std::collections::BTreeMap;

/// Text that is more than blanks.
pub(crate) fn filled<'a>(node: &'a Node, problems: &mut Problems) -> Option<&'a str> {
    let word = text(node, problems)?;
    if word.trim().is_empty() {
        problems.push(node.span, "expected text, found only blanks", None);
        return None;
    }
    Some(word)
}

/// A name that is fit for a file name everywhere, and is no option or hidden file.
pub(crate) fn file_name(node: &Node, problems: &mut Problems) -> Option<String> {
    slug(node, "a file name", problems)
}

fn slug(node: &Node, used_as: &str, problems: &mut Problems) -> Option<String> {
    const MAX_CHARS: usize = 80;
    let word = filled(node, problems)?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let starts_well = word.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts_well && word.chars().all(allowed) && word.len() <= MAX_CHARS {
        return Some(word.to_owned());
    }
    let message = format!("`{}` is not fit for {used_as}", shown(word));
    let better: String = word
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if allowed(c) { c } else { '-' })
        .take(MAX_CHARS)
        .collect();
    let better = better.trim_matches(['-', '_']);
    let rule = format!("use lower-case letters, digits, `-` and `_`, at most {MAX_CHARS}");
    let hint = if better.is_empty() {
        rule
    } else {
        format!("{rule}: `{better}`")
    };
    problems.push(node.span, message, Some(hint));
    None
}

/// An Android package name.
pub(crate) fn package(node: &Node, problems: &mut Problems) -> Option<String> {
    let word = text(node, problems)?;
    if is_package(word) {
        return Some(word.to_owned());
    }
    let message = format!("`{}` is not a package name", shown(word));
    let hint = "for example `com.android.mms`, in full and without `*`".to_owned();
    problems.push(node.span, message, Some(hint));
    None
}

/// A component: `package/activity`, the activity in full or beginning with a dot.
pub(crate) fn component(node: &Node, problems: &mut Problems) -> Option<String> {
    let word = text(node, problems)?;
    let is_component = word.split_once('/').is_some_and(|(package, activity)| {
        let class = activity.strip_prefix('.').unwrap_or(activity);
        is_package(package) && is_dotted(class, &['$'])
    });
    if is_component {
        return Some(word.to_owned());
    }
    let message = format!("`{}` is not an activity", shown(word));
    let hint = "for example `com.android.settings/.Settings`".to_owned();
    problems.push(node.span, message, Some(hint));
    None
}

fn is_package(word: &str) -> bool {
    is_dotted(word, &[]) && word.len() <= 255
}

/// Names of letters, digits and `_`, joined by dots.
fn is_dotted(word: &str, also: &[char]) -> bool {
    word.split('.').all(|part| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || also.contains(&c);
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && part.chars().all(allowed)
    })
}

/// The ids of one list, each once.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    seen: BTreeMap<String, Span>,
}

impl Ids {
    /// Takes an id unless the list has it already.
    pub(crate) fn claim(
        &mut self,
        source: &str,
        node: &Node,
        problems: &mut Problems,
    ) -> Option<String> {
        let id = slug(node, "an id", problems)?;
        if let Some(first) = self.seen.get(&id) {
            if problems.is_full() {
                return None;
            }
            let Position { line, column } = Position::of(source, first.offset);
            let message = format!(
                "id `{id}` is taken: first at line {line}, column {column}, and again here"
            );
            problems.push(node.span, message, Some("give each its own id".to_owned()));
            return None;
        }
        self.seen.insert(id.clone(), node.span);
        Some(id)
    }

    /// Those taken so far.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.seen.keys().map(String::as_str)
    }
}
