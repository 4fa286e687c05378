//! The nearest known word to a misspelt one.

/// The known word that `word` was probably meant to be, if one is near enough.
///
/// Near means: few typing errors for its length, or the same word in another case or with another
/// separator, or one being the start of the other.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let length = word.chars().count();
    if length == 0 || length > MAX_WORD_CHARS {
        return None;
    }
    known
        .into_iter()
        .filter_map(|candidate| {
            let distance = distance(&word, &plain(candidate))?;
            Some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A hint from [`nearest`], or else the list of what is known.
#[must_use]
pub fn hint<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    plural: &str,
) -> Option<String> {
    if let Some(near) = nearest(word, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let words: Vec<&str> = known.into_iter().collect();
    if words.is_empty() {
        return None;
    }
    Some(format!("known {plural}: {}", listed(&words)))
}

/// `` `a`, `b`, `c` ``, at most a screenful.
#[must_use]
pub fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .take(MAX_LISTED)
        .map(|word| format!("`{word}`"))
        .collect();
    let more = words.len().saturating_sub(MAX_LISTED);
    let tail = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    quoted.join(", ") + &tail
}

/// Longer words are no typing errors.
const MAX_WORD_CHARS: usize = 64;
const MAX_LISTED: usize = 30;

fn plain(word: &str) -> String {
    word.chars()
        .take(MAX_WORD_CHARS + 1)
        .map(|c| match c {
            '-' | ' ' => '_',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

/// Typing errors between the two, or `None` when they are different words.
fn distance(word: &str, candidate: &str) -> Option<usize> {
    let errors = strsim::damerau_levenshtein(word, candidate);
    let shorter = word.chars().count().min(candidate.chars().count());
    let longer = word.chars().count().max(candidate.chars().count());
    let allowed = (longer / 3).max(1);
    let is_near = errors <= allowed && errors < longer;
    let is_start = shorter >= 3 && (word.starts_with(candidate) || candidate.starts_with(word));
    (is_near || is_start).then_some(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_word_that_was_meant() {
        let known = ["never_sent", "never_clear", "only_to", "opaque_ok", "id"];
        let cases = [
            ("never_send", Some("never_sent")),
            ("nver_clear", Some("never_clear")),
            ("onlyto", Some("only_to")),
            ("opaque-ok", Some("opaque_ok")),
            ("OPAQUE_OK", Some("opaque_ok")),
            ("di", Some("id")),
            ("opaque", Some("opaque_ok")),
            ("steps", None),
            ("x", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn lists_what_is_known_when_nothing_is_near() {
        let shown = hint("zzzzzz", ["on", "off"], "values");
        assert_eq!(shown.as_deref(), Some("known values: `on`, `off`"));
        assert_eq!(hint("zzzzzz", [], "values"), None);
    }
}
