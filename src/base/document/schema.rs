//! The first thing a file says: which schema it follows, in which version.

use super::decode::{Problems, shown, text};
use super::node::{Content, Node};
use super::suggest;

/// Schemas that files of this project name.
pub const SCENARIO: &str = "phonehome/scenario/1";
/// See [`SCENARIO`].
pub const TOGGLE: &str = "phonehome/toggle/1";
/// See [`SCENARIO`].
pub const PERSONA: &str = "phonehome/persona/1";
/// See [`SCENARIO`].
pub const FIRMWARE: &str = "phonehome/firmware/1";

const ALL: [&str; 4] = [SCENARIO, TOGGLE, PERSONA, FIRMWARE];

/// Whether it makes sense to decode the document as `wanted`: false when it says that it is
/// another kind of file or another version, which is then the only problem worth telling.
///
/// A missing `schema` key is left to the table of the document to report.
pub fn agrees(document: &Node, wanted: &str, problems: &mut Problems) -> bool {
    let Content::Mapping(entries) = &document.content else {
        return true;
    };
    let Some(entry) = entries.iter().find(|entry| entry.key == "schema") else {
        return true;
    };
    if entry.value.content == Content::Null {
        return true;
    }
    let Some(found) = text(&entry.value, problems) else {
        return true;
    };
    if found == wanted {
        return true;
    }
    let is_other = ALL.contains(&found);
    let is_other_version = found != wanted && family(found) == family(wanted);
    let message = match (is_other, is_other_version) {
        (true, _) => format!("this is a {} file", kind(found)),
        (_, true) => {
            format!("schema `{}` is not supported by this version", shown(found))
        }
        _ => format!("unknown schema `{}`", shown(found)),
    };
    let hint = match suggest::nearest(found, [wanted]) {
        Some(near) if !is_other && !is_other_version => format!("did you mean `{near}`?"),
        _ => format!("expected `{wanted}`"),
    };
    problems.push(entry.value.span, message, Some(hint));
    !(is_other || is_other_version)
}

/// `phonehome/scenario` of `phonehome/scenario/1`.
fn family(schema: &str) -> &str {
    schema.rsplit_once('/').map_or(schema, |(family, _)| family)
}

/// `scenario` of `phonehome/scenario/1`.
fn kind(schema: &str) -> &str {
    family(schema).rsplit('/').next().unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::document::parse::parse;

    #[test]
    fn a_file_of_another_kind_is_said_to_be_one() {
        let cases = [
            ("schema: phonehome/scenario/1", true, None),
            ("name: x", true, None),
            ("schema:", true, None),
            (
                "schema: phonehome/scenario/2",
                false,
                Some(
                    "schema `phonehome/scenario/2` is not supported by this version (expected `phonehome/scenario/1`)",
                ),
            ),
            (
                "schema: phonehome/persona/1",
                false,
                Some("this is a persona file (expected `phonehome/scenario/1`)"),
            ),
            (
                "schema: phonehom/scenario/1",
                true,
                Some("unknown schema `phonehom/scenario/1` (did you mean `phonehome/scenario/1`?)"),
            ),
            (
                "schema: 1",
                true,
                Some("expected text, found the number 1 (put it in quotes: \"1\")"),
            ),
        ];
        for (text, expected, problem) in cases {
            let mut problems = Problems::new();
            let agreed = agrees(&parse(text).unwrap(), SCENARIO, &mut problems);
            assert_eq!(agreed, expected, "{text}");
            let shown = problems.into_vec().into_iter().next();
            let shown = shown.map(|p| format!("{} ({})", p.message, p.hint.unwrap_or_default()));
            assert_eq!(shown.as_deref(), problem, "{text}");
        }
    }
}
