//! `content://authority/path/to?query`, as `Uri.parse` takes it apart.

use percent_encoding::percent_decode_str;

/// A content URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uri {
    /// As written.
    pub(crate) text: String,
    /// Who answers.
    pub(crate) authority: String,
    /// The path, decoded.
    pub(crate) segments: Vec<String>,
    /// The parameters, decoded.
    pub(crate) parameters: Vec<(String, String)>,
}

impl Uri {
    /// Takes a URI apart; what is no content URI has an empty authority.
    pub(crate) fn parse(text: &str) -> Self {
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        let rest = rest.split('#').next().unwrap_or_default();
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        // `content --user` and others write `0@authority`.
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        };
        Self {
            text: text.to_owned(),
            authority: authority.to_owned(),
            segments: path
                .split('/')
                .filter(|part| !part.is_empty())
                .map(decode)
                .collect(),
            parameters: query
                .split('&')
                .filter(|part| !part.is_empty())
                .map(pair)
                .collect(),
        }
    }

    /// The path's segments, for matching.
    pub(crate) fn path(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// Whether a parameter says yes (`Uri.getBooleanQueryParameter`).
    pub(crate) fn is_set(&self, name: &str) -> bool {
        let says_yes = |value: &str| value != "false" && value != "0";
        self.parameters
            .iter()
            .any(|(known, value)| known == name && says_yes(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_apart() {
        let uri = Uri::parse(
            "content://com.android.contacts/raw_contacts/7?caller_is_syncadapter=true&a=%2B",
        );
        assert_eq!(uri.authority, "com.android.contacts");
        assert_eq!(uri.path(), ["raw_contacts", "7"]);
        assert!(uri.is_set("caller_is_syncadapter"));
        assert!(!uri.is_set("b"));
        assert_eq!(uri.parameters[1].1, "+");
        assert_eq!(Uri::parse("content://sms").path(), [""; 0]);
        assert_eq!(Uri::parse("content://sms/").authority, "sms");
        assert_eq!(Uri::parse("rubbish").authority, "");
        assert_eq!(Uri::parse("").authority, "");
    }
}
