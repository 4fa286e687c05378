//! Shell patterns: `*`, `?`, `[…]`. Quoted characters match only themselves.

/// One character and whether it was quoted.
pub(crate) type Mark = (char, bool);

/// Whether a text has an unquoted pattern character.
pub(crate) fn is_pattern(text: &[Mark]) -> bool {
    text.iter().any(|(c, quoted)| !quoted && "*?[".contains(*c))
}

/// Plain text as marks.
pub(crate) fn unquoted(text: &str) -> Vec<Mark> {
    text.chars().map(|c| (c, false)).collect()
}

/// Whether a pattern matches a whole text. Linear in memory, at worst quadratic in time.
pub(crate) fn matches(pattern: &[Mark], text: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    // Where to go on after the last `*`, should what follows not match.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(at) {
            Some(('*', false)) => {
                retry = Some((at + 1, read));
                at += 1;
                continue;
            }
            Some(_) => text
                .get(read)
                .and_then(|c| matches_one(pattern, at, *c))
                .map(|next| (next, read + 1)),
            None if read == text.len() => return true,
            None => None,
        };
        (at, read) = match (step, retry) {
            (Some(next), _) => next,
            (None, Some((after, from))) if from < text.len() => {
                retry = Some((after, from + 1));
                (after, from + 1)
            }
            _ => return false,
        };
    }
}

/// Matches one pattern element; gives where the next begins.
fn matches_one(pattern: &[Mark], at: usize, c: char) -> Option<usize> {
    let &(wanted, quoted) = pattern.get(at)?;
    if quoted {
        return (wanted == c).then_some(at + 1);
    }
    match wanted {
        '?' => Some(at + 1),
        '[' => match set(pattern, at + 1, c) {
            Some((end, found)) => found.then_some(end),
            None => (c == '[').then_some(at + 1),
        },
        _ => (wanted == c).then_some(at + 1),
    }
}

/// A bracket expression after its `[`: where it ends, and whether it holds the character.
fn set(pattern: &[Mark], start: usize, c: char) -> Option<(usize, bool)> {
    let mut at = start;
    let negated = matches!(pattern.get(at), Some(('!' | '^', false)));
    at += usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        let &(low, quoted) = pattern.get(at)?;
        if low == ']' && !quoted && at > first {
            return Some((at + 1, found != negated));
        }
        if low == '[' && !quoted && matches!(pattern.get(at + 1), Some((':', false))) {
            let name: String = pattern
                .get(at + 2..)?
                .iter()
                .map(|(c, _)| *c)
                .take_while(|c| *c != ':')
                .collect();
            found |= in_class(&name, c);
            at += 2 + name.chars().count() + 2;
            continue;
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(('-', false)), Some(&(high, ended))) if high != ']' || ended => {
                found |= (low..=high).contains(&c);
                at += 3;
            }
            _ => {
                found |= low == c;
                at += 1;
            }
        }
    }
}

fn in_class(name: &str, c: char) -> bool {
    match name {
        "alpha" => c.is_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "alnum" => c.is_alphanumeric(),
        "upper" => c.is_uppercase(),
        "lower" => c.is_lowercase(),
        "space" => c.is_whitespace(),
        "blank" => c == ' ' || c == '\t',
        "punct" => c.is_ascii_punctuation(),
        "xdigit" => c.is_ascii_hexdigit(),
        "cntrl" => c.is_control(),
        "print" => !c.is_control(),
        "graph" => !c.is_control() && !c.is_whitespace(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let chars: Vec<char> = text.chars().collect();
        assert_eq!(
            matches(&unquoted(pattern), &chars),
            expected,
            "{pattern} on {text}"
        );
    }

    #[test]
    fn patterns_as_posix_has_them() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*b*b*", "abab", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[", "[", true),
            ("[a", "[a", true),
            ("[[:digit:]]*", "7seas", true),
            ("[[:digit:]]*", "seas", false),
            ("a-[x-]", "a--", true),
        ] {
            check(pattern, text, expected);
        }
        assert!(!matches(&[('*', true)], &['x']));
        assert!(matches(&[('*', true)], &['*']));
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[a*?\\[\\]!:-]{0,20}", text in "[a:\\[\\]-]{0,20}") {
            let chars: Vec<char> = text.chars().collect();
            matches(&unquoted(&pattern), &chars);
        }
    }
}
