//! The run record as JSON, schema `phonehome/run/1`, and back; an analysis as JSON, schema
//! `phonehome/analysis/1`.

use crate::detect::analysis::Analysis;
use crate::outcome::run_record::RunRecord;
use serde::Deserialize;
use std::fmt::Write as _;
use thiserror::Error;

/// Why a text is not a run record.
#[derive(Debug, Error)]
pub enum JsonError {
    /// It is not JSON, or not of this shape.
    #[error("it is not a run record")]
    Shape {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It is of another schema.
    #[error("its schema is `{found}`, not `{}`", RunRecord::SCHEMA)]
    Schema {
        /// What it says.
        found: String,
    },
}

/// The record as indented JSON that ends in a line end. Characters that a terminal would act on are
/// written as escapes.
pub fn json(record: &RunRecord) -> Result<String, JsonError> {
    let text =
        serde_json::to_string_pretty(record).map_err(|source| JsonError::Shape { source })?;
    Ok(escaped(&text))
}

/// An analysis as indented JSON that ends in a line end, escaped as [`json`] does.
pub fn analysis_json(analysis: &Analysis) -> Result<String, JsonError> {
    let text =
        serde_json::to_string_pretty(analysis).map_err(|source| JsonError::Shape { source })?;
    Ok(escaped(&text))
}

/// Reads what [`json`] wrote.
pub fn read(text: &[u8]) -> Result<RunRecord, JsonError> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    let shape = |source| JsonError::Shape { source };
    let head: Head = serde_json::from_slice(text).map_err(shape)?;
    if head.schema != RunRecord::SCHEMA {
        return Err(JsonError::Schema { found: head.schema });
    }
    serde_json::from_slice(text).map_err(shape)
}

/// JSON in which no control or direction character stands as itself. Such characters occur inside
/// strings only, line ends apart, so an escape says the same.
pub(super) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        let stays = c == '\n' || !(c.is_control() || is_formatting(c));
        if stays {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text.push('\n');
    text
}

/// Characters that hide or reorder text.
const fn is_formatting(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{hostile, leaking};

    #[test]
    fn a_record_comes_back() {
        for record in [leaking(), hostile()] {
            let text = json(&record).unwrap();
            assert_eq!(read(text.as_bytes()).unwrap(), record);
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
            assert!(!text.contains('\u{202e}'));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let newer = json(&leaking()).unwrap().replace("run/1", "run/2");
        let cases = [
            ("", "it is not a run record"),
            ("[]", "it is not a run record"),
            ("{\"schema\":\"phonehome/run/1\"}", "it is not a run record"),
            (
                newer.as_str(),
                "its schema is `phonehome/run/2`, not `phonehome/run/1`",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text.as_bytes()).unwrap_err().to_string(), expected);
        }
    }
}
