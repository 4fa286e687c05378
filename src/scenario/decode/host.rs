//! Host patterns: a name, or `*.` and a name.

use crate::base::document::decode::{Problems, shown, text};
use crate::base::document::node::Node;
use crate::scenario::expectation::HostPattern;
use core::net::IpAddr;

/// A host pattern, or what is wrong with it.
pub(crate) fn pattern(node: &Node, problems: &mut Problems) -> Option<HostPattern> {
    let word = text(node, problems)?;
    if is_pattern(word) {
        return Some(HostPattern(word.to_owned()));
    }
    let message = format!("`{}` is not a host", shown(word));
    problems.push(node.span, message, Some(hint(word)));
    None
}

fn hint(word: &str) -> String {
    let without_scheme = word.split_once("://").map_or(word, |(_, rest)| rest);
    let host = without_scheme.split(['/', '?', '#']).next();
    let host = host.unwrap_or_default();
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| port.chars().all(|c| c.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let host = match host.strip_prefix('*') {
        Some(rest) if !rest.starts_with('.') => format!("*.{}", rest.trim_matches('*')),
        _ => host.to_owned(),
    };
    if is_pattern(&host) && host != word {
        return format!("write `{host}`: a name alone, or `*.` and a name");
    }
    "a name such as `api.example.org`, or `*.example.org` for every name below it".to_owned()
}

fn is_pattern(word: &str) -> bool {
    if word.parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = word.strip_prefix("*.").unwrap_or(word);
    let is_label = |label: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        !label.is_empty() && label.len() <= 63 && label.chars().all(allowed)
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::document::parse::parse;

    #[test]
    fn a_host_is_a_name_with_or_without_a_star_before_it() {
        let right = [
            "api.example.org",
            "*.example.org",
            "localhost",
            "10.0.0.1",
            "\"2001:db8::1\"",
            "a_b.c-d",
        ];
        for word in right {
            let node = parse(&format!("\"{}\"", word.trim_matches('"'))).unwrap();
            assert!(pattern(&node, &mut Problems::new()).is_some(), "{word}");
        }
        let wrong = [
            ("https://api.example.org/path?x", Some("api.example.org")),
            ("api.example.org:443", Some("api.example.org")),
            ("*example.org", Some("*.example.org")),
            ("api.*.org", None),
            ("*", None),
            ("*.", None),
            ("a..b", None),
            ("with space.org", None),
        ];
        for (word, better) in wrong {
            let node = parse(&format!("\"{word}\"")).unwrap();
            let mut problems = Problems::new();
            assert!(pattern(&node, &mut problems).is_none(), "{word}");
            let hint = problems.into_vec().remove(0).hint.unwrap();
            match better {
                Some(better) => assert!(hint.starts_with(&format!("write `{better}`")), "{hint}"),
                None => assert!(hint.starts_with("a name such as"), "{hint}"),
            }
        }
    }
}
