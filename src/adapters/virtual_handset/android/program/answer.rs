//! What a command answers, and who asked.

use crate::adapters::virtual_handset::kernel::user::User;
use crate::adapters::virtual_handset::kernel::world::World;

/// The exit code of Java's -1.
pub(super) const MINUS_ONE: u8 = 255;

/// What a command prints, and its exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: u8,
}

impl Answer {
    /// Nothing, successfully.
    pub(crate) fn silent() -> Self {
        Self::default()
    }

    /// Text on standard output.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            stdout: text.into(),
            ..Self::default()
        }
    }

    /// One line on standard output.
    pub(crate) fn line(line: impl AsRef<str>) -> Self {
        Self::text(format!("{}\n", line.as_ref()))
    }

    /// One line on standard error, and a code.
    pub(crate) fn error(line: impl AsRef<str>, code: u8) -> Self {
        Self {
            stderr: format!("{}\n", line.as_ref()),
            code,
            ..Self::default()
        }
    }
}

/// Who runs a command.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) pid: u32,
    /// Where `uiautomator` and others write by default (`EXTERNAL_STORAGE`).
    pub(crate) storage: String,
}

impl Caller {
    /// Whether it holds a permission: root holds all, the shell what its package was granted.
    pub(crate) fn may(&self, world: &World, permission: &str) -> bool {
        if self.user.is_root() || self.user.uid == 1000 {
            return true;
        }
        let of_uid = |uid: u32| world.android.packages.iter().filter(move |p| p.uid == uid);
        of_uid(self.user.uid).any(|package| package.permissions.iter().any(|p| p == permission))
    }

    /// The package it speaks for.
    pub(crate) fn package(&self) -> &'static str {
        if self.user.is_root() {
            "root"
        } else {
            "com.android.shell"
        }
    }
}

/// A command: the world, the caller, the words after its name.
pub(super) type Command = fn(&mut World, &Caller, &[String]) -> Answer;

/// Words one after the other, as Android's shell commands take them.
pub(super) struct Words<'a> {
    words: std::slice::Iter<'a, String>,
}

impl<'a> Words<'a> {
    pub(super) fn new(words: &'a [String]) -> Self {
        Self {
            words: words.iter(),
        }
    }

    /// The next word.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.words.next().map(String::as_str)
    }

    /// The next word if it is an option (`-x`, `--xy`).
    pub(super) fn option(&mut self) -> Option<&'a str> {
        let next = self.words.as_slice().first()?;
        if next.starts_with('-') {
            self.next()
        } else {
            None
        }
    }

    /// All that is left.
    pub(super) fn rest(&self) -> &'a [String] {
        self.words.as_slice()
    }
}
