//! Patterns with `*`, which stands for any text, line breaks included.

/// Whether the whole of `text` is what `pattern` says.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        // No star at all.
        return rest.is_empty();
    };
    // The leftmost place for each part leaves the most for those after it.
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_is_any_text() {
        let cases = [
            ("V5", "V5", true),
            ("V5", "V50", false),
            ("", "", true),
            ("*", "", true),
            ("*", "a\nb", true),
            ("V*", "V5", true),
            ("*5", "V5", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("a**b", "ab", true),
            ("*x*", "yyxyy", true),
            ("*x*", "yy", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_between_the_parts_matches(parts in proptest::collection::vec("[ab]{0,3}", 1..5), fill in "[abc\n]{0,5}") {
            let pattern = parts.join("*");
            let text = parts.join(&fill);
            prop_assert!(matches(&pattern, &text));
        }
    }
}
