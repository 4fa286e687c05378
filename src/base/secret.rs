//! `Secret<T>`: a personal datum that can not be printed by accident.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A value whose `Debug` and `Display` print a short fingerprint instead of the value.
///
/// The fingerprint tells equal values from different ones in a log. It is not cryptographic, and
/// protects against printing by accident only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every call is a place where it may leave: search, compare, never print.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Hash> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        write!(f, "secret#{:06x}", hasher.finish() & 0x00ff_ffff)
    }
}

impl<T: Hash> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_shows_no_part_of_the_value() {
        let secret = Secret::new("490154203237518".to_owned());
        let shown = format!("{secret} {secret:?}");
        assert!(!shown.contains("4901"), "{shown}");
        assert_eq!(secret.expose(), "490154203237518");
    }

    #[test]
    fn equal_values_have_equal_fingerprints() {
        let of = |s: &str| Secret::new(s.to_owned()).to_string();
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
    }
}
