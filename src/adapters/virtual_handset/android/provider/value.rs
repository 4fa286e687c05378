//! One value of a row, with SQLite's comparisons.

use std::cmp::Ordering;

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Value {
    /// As text; null is none.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Integer(number) => Some(number.to_string()),
            Self::Real(number) => Some(number.to_string()),
            Self::Text(text) => Some(text.clone()),
        }
    }

    /// As a whole number, if it is one or reads as one.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Null | Self::Real(_) => None,
        }
    }

    /// Whether it is true in a `WHERE`; null is neither.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Self::Null => None,
            Self::Integer(number) => Some(*number != 0),
            Self::Real(number) => Some(*number != 0.0),
            Self::Text(text) => Some(text.trim().parse::<f64>().is_ok_and(|number| number != 0.0)),
        }
    }

    /// SQLite's comparison after affinity: a text that reads as a number equals that number.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => None,
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => a.partial_cmp(&b),
                // Numbers sort before text.
                (Some(_), None) => Some(Ordering::Less),
                (None, _) => Some(Ordering::Greater),
            },
        }
    }

    /// The order of `ORDER BY`: null first.
    pub(crate) fn sort_key(&self, other: &Self) -> Ordering {
        let nulls = |value: &Self| *value != Self::Null;
        self.compare(other)
            .unwrap_or_else(|| nulls(self).cmp(&nulls(other)))
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Null => None,
            // Only compared with a text or a real, where SQLite loses the same digits.
            Self::Integer(number) => number.to_string().parse().ok(),
            Self::Real(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
