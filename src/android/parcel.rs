//! What `service call` prints: a reply parcel as hexadecimal words, in either of its layouts.
//!
//! A short reply is one line, `Result: Parcel(00000000 00000001   '........')`; a longer one is
//! rows of `0x00000000: 00000000 0000000f 00390034 … '........4.9.0.1.'`.

use thiserror::Error;

/// Why a reply holds no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParcelError {
    /// The output is no parcel: the service does not exist, or the command failed.
    #[error("no parcel in the reply: {0}")]
    NotAParcel(String),
    /// The service threw.
    #[error("the service threw exception {code}: {message}")]
    Exception {
        /// `-1` security, `-3` illegal argument, `-5` illegal state …
        code: i32,
        /// Its words, if it had any.
        message: String,
    },
    /// The parcel ends before the value does.
    #[error("the reply ends early")]
    Truncated,
}

/// The 32-bit words of a reply parcel, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    words: Vec<u32>,
}

impl Parcel {
    /// Reads what `service call` printed.
    pub fn parse(output: &str) -> Result<Self, ParcelError> {
        let not_a_parcel =
            || ParcelError::NotAParcel(output.lines().next().unwrap_or_default().trim().to_owned());
        let (_, body) = output
            .split_once("Result: Parcel(")
            .ok_or_else(not_a_parcel)?;
        let mut words = Vec::new();
        for line in body.lines() {
            // The text column is unescaped and may hold anything: what counts stands before it.
            let hex = line.split('\'').next().unwrap_or_default();
            let hex = match hex.split_once(':') {
                Some((offset, rest)) if offset.trim().starts_with("0x") => rest,
                _ => hex,
            };
            for word in hex.split_whitespace() {
                let word = word.trim_end_matches(')');
                if word.len() == 8
                    && let Ok(word) = u32::from_str_radix(word, 16)
                {
                    words.push(word);
                } else if !word.is_empty() {
                    return Err(not_a_parcel());
                }
            }
        }
        if words.is_empty() {
            return Err(not_a_parcel());
        }
        Ok(Self { words })
    }

    /// The words after the exception code, or the exception.
    fn answer(&self) -> Result<&[u32], ParcelError> {
        let (code, rest) = self.words.split_first().ok_or(ParcelError::Truncated)?;
        if *code == 0 {
            return Ok(rest);
        }
        Err(ParcelError::Exception {
            code: code.cast_signed(),
            message: string(rest).ok().flatten().unwrap_or_default(),
        })
    }

    /// Whether the call returned without an exception.
    pub fn check(&self) -> Result<(), ParcelError> {
        self.answer().map(|_| ())
    }

    /// The string that the call returned; `None` for null.
    pub fn text(&self) -> Result<Option<String>, ParcelError> {
        string(self.answer()?)
    }

    /// The 32-bit integer that the call returned.
    pub fn integer(&self) -> Result<i32, ParcelError> {
        let word = self.answer()?.first().ok_or(ParcelError::Truncated)?;
        Ok(word.cast_signed())
    }
}

/// A `String16`: its length in UTF-16 units, then two units a word, the lower half first.
fn string(words: &[u32]) -> Result<Option<String>, ParcelError> {
    let (len, rest) = words.split_first().ok_or(ParcelError::Truncated)?;
    if *len == u32::MAX {
        return Ok(None);
    }
    let len = usize::try_from(*len).map_err(|_| ParcelError::Truncated)?;
    let units: Vec<u16> = rest
        .iter()
        .flat_map(|word| {
            let [a, b, c, d] = word.to_le_bytes();
            [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
        })
        .take(len)
        .collect();
    if units.len() < len {
        return Err(ParcelError::Truncated);
    }
    Ok(Some(String::from_utf16_lossy(&units)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// "490154203237518" by the parcel format: 15 units, two a word, lower half first.
    const IMEI: &str = "Result: Parcel(\r\n\
        \x20 0x00000000: 00000000 0000000f 00390034 00310030 '........4.9.0.1.'\r\n\
        \x20 0x00000010: 00340035 00300032 00320033 00370033 '5.4.2.0.3.2.3.7.'\r\n\
        \x20 0x00000020: 00310035 00000038                   '5.1.8...        ')\r\n";

    #[test]
    fn reads_both_layouts() {
        assert_eq!(
            Parcel::parse(IMEI).unwrap().text(),
            Ok(Some("490154203237518".to_owned()))
        );
        let short = Parcel::parse("Result: Parcel(00000000 00000001   '........')\n").unwrap();
        assert_eq!(short.integer(), Ok(1));
        let null = Parcel::parse("Result: Parcel(00000000 ffffffff   '........')\n").unwrap();
        assert_eq!(null.text(), Ok(None));
        let void = Parcel::parse("Result: Parcel(00000000    '....')\n").unwrap();
        assert_eq!(void.check(), Ok(()));
        assert_eq!(void.text(), Err(ParcelError::Truncated));
        let exception = "Result: Parcel(\n  0x00000000: ffffffff 00000002 0067006e 00000000 '........n.g.....')\n";
        assert_eq!(
            Parcel::parse(exception).unwrap().text(),
            Err(ParcelError::Exception {
                code: -1,
                message: "ng".to_owned()
            })
        );
    }

    #[test]
    fn text_column_cannot_forge_words() {
        // The service returned "'1": an apostrophe in the text column.
        let output = "Result: Parcel(\n  0x00000000: 00000000 00000002 00310027 00000000 '........'.1.....')\n";
        assert_eq!(
            Parcel::parse(output).unwrap().text(),
            Ok(Some("'1".to_owned()))
        );
    }

    #[test]
    fn says_what_is_no_parcel() {
        for output in [
            "",
            "service: Service isms does not exist",
            "Result: Parcel(Error: 0xffffffffffffffb6 \"Not a data message\")",
            "Result: Parcel(NULL)",
        ] {
            assert!(
                matches!(Parcel::parse(output), Err(ParcelError::NotAParcel(_))),
                "{output}"
            );
        }
    }

    #[test]
    fn truncation_is_told() {
        for end in 0..IMEI.len() {
            if let Ok(parcel) = Parcel::parse(IMEI.get(..end).unwrap()) {
                let text = parcel.text();
                assert!(
                    matches!(text, Err(ParcelError::Truncated))
                        || text == Ok(Some("490154203237518".to_owned())),
                    "{end}: {text:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(body in "([0-9a-f]{8} |0x0: |'|\n|.)*") {
            if let Ok(parcel) = Parcel::parse(&format!("Result: Parcel({body}")) {
                let _ = parcel.text();
                let _ = parcel.integer();
            }
        }
    }
}
