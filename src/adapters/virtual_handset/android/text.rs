//! Appends formatted text to a string.

use std::fmt::{Arguments, Write};

/// Appends; writing to a string can not fail.
pub(crate) fn push(text: &mut String, what: Arguments<'_>) {
    text.write_fmt(what).ok();
}
