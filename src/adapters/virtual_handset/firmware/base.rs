//! `based_on`: a firmware file that says only how it differs from a shipped one. It reads no file.

use super::shipped::shipped;
use crate::base::document::decode::{Problems, shown};
use crate::base::document::node::{Content, Entry, Node, Span};
use crate::base::document::parse::parse;
use crate::base::document::suggest;

/// How many files may stand on each other.
const MAX_DEPTH: usize = 8;

/// What each file says for itself.
const OWN: &[&str] = &["name", "title", "based_on"];

/// The document with what it is based on filled in: mappings are joined key by key, a null removes
/// a key, anything else replaces what the base says. Nothing without its base: what it lacks
/// would be told for no reason.
pub(super) fn resolve(root: Node, problems: &mut Problems) -> Option<Node> {
    with_base(root, MAX_DEPTH, problems)
}

fn with_base(root: Node, depth: usize, problems: &mut Problems) -> Option<Node> {
    let Content::Mapping(entries) = &root.content else {
        return Some(root);
    };
    let Some(entry) = entries.iter().find(|entry| entry.key == "based_on") else {
        return Some(root);
    };
    let span = entry.value.span;
    let Content::Text(name) = &entry.value.content else {
        problems.push(span, "expected the name of a shipped firmware", None);
        return None;
    };
    let Some((_, text)) = shipped().iter().find(|(known, _)| known == name) else {
        let names = shipped().iter().map(|(name, _)| *name);
        let message = format!("no shipped firmware is named `{}`", shown(name));
        problems.push(span, message, suggest::hint(name, names, "firmwares"));
        return None;
    };
    let Some(depth) = depth.checked_sub(1) else {
        problems.push(span, "too many firmwares are based on each other", None);
        return None;
    };
    let Ok(base) = parse(text) else {
        problems.push(span, "the shipped firmware cannot be read", None);
        return None;
    };
    let mut base = with_base(base, depth, problems)?;
    if let Content::Mapping(entries) = &mut base.content {
        entries.retain(|entry| !OWN.contains(&entry.key.as_str()));
    }
    // What is wrong with a value of the base is wrong with basing on it.
    place(&mut base, span);
    Some(join(base, root))
}

fn place(node: &mut Node, span: Span) {
    node.span = span;
    match &mut node.content {
        Content::Sequence(nodes) => nodes.iter_mut().for_each(|node| place(node, span)),
        Content::Mapping(entries) => entries.iter_mut().for_each(|entry| {
            entry.key_span = span;
            place(&mut entry.value, span);
        }),
        _ => {}
    }
}

fn join(base: Node, over: Node) -> Node {
    let span = over.span;
    match (base.content, over.content) {
        (Content::Mapping(mut entries), Content::Mapping(over)) => {
            for entry in over {
                put(&mut entries, entry);
            }
            let content = Content::Mapping(entries);
            Node { span, content }
        }
        (_, content) => Node { span, content },
    }
}

fn put(entries: &mut Vec<Entry>, entry: Entry) {
    let Some(at) = entries.iter().position(|known| known.key == entry.key) else {
        if entry.value.content != Content::Null {
            entries.push(entry);
        }
        return;
    };
    let known = entries.remove(at);
    if entry.value.content == Content::Null {
        return;
    }
    let value = join(known.value, entry.value);
    entries.insert(at, Entry { value, ..entry });
}

#[cfg(test)]
mod tests {
    use super::super::decode;

    #[test]
    fn a_file_says_how_it_differs() {
        let text = "schema: phonehome/firmware/1\nname: mine\ntitle: Mine\nbased_on: android-14\n\
                    properties: { ro.product.model: Mine, ro.hardware: ~ }\nhosts: { a.example.net: 198.51.100.9 }\n\
                    programs: []\n";
        let mine = decode::parse(text).unwrap();
        assert_eq!((mine.name.as_str(), mine.sdk), ("mine", 34));
        assert_eq!(mine.property("ro.product.model"), "Mine");
        assert_eq!(mine.property("ro.hardware"), "");
        assert_eq!(mine.property("ro.product.brand"), "generic");
        assert_eq!(mine.hosts.len(), 3);
        assert!(mine.programs.is_empty());
    }

    #[test]
    fn mistakes_are_told_where_they_can_be_mended() {
        let of = |more: &str| {
            let text = format!("schema: phonehome/firmware/1\nname: x\ntitle: X\n{more}\n");
            let problems = decode::parse(&text).unwrap_err();
            let first = problems.first().unwrap();
            let at = text.get(first.span.offset..).unwrap().lines().next();
            (first.message.clone(), at.unwrap_or_default().to_owned())
        };
        let (message, at) = of("based_on: android-41");
        assert!(message.contains("`android-41`"), "{message}");
        assert_eq!(at, "android-41");
        // The base's reactions name a host that is gone.
        let (message, at) = of("based_on: android-14\nhosts: { play.example.net: ~ }");
        assert!(message.contains("play.example.net"), "{message}");
        assert_eq!(at, "android-14");
        let (message, _) = of("based_on: [a]");
        assert!(message.contains("name of a shipped firmware"), "{message}");
    }
}
