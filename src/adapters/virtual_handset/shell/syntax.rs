//! What a shell script is made of, once read. Nothing here reads or runs it.

use std::sync::{Arc, OnceLock};

/// Commands one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct List(pub(crate) Vec<Item>);

/// One entry of a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// What is run first.
    pub(crate) first: Pipeline,
    /// What follows it, and on which condition.
    pub(crate) rest: Vec<(Join, Pipeline)>,
    /// Whether it ends in `&`.
    pub(crate) background: bool,
}

/// `&&` or `||`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// Only after success.
    And,
    /// Only after failure.
    Or,
}

/// Commands joined by `|`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pipeline {
    /// Whether `!` turns its status round.
    pub(crate) negated: bool,
    /// At least one.
    pub(crate) commands: Vec<Arc<Command>>,
}

/// A command and where its descriptors go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    /// Its line, from 1.
    pub(crate) line: u32,
    pub(crate) kind: Kind,
    pub(crate) redirects: Vec<Redirect>,
}

/// The kinds of command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// `a=1 name argument …`
    Simple {
        /// Assignments before the name.
        assignments: Vec<Assignment>,
        /// The name and the arguments.
        words: Vec<Word>,
    },
    /// `( … )`
    Subshell(Arc<List>),
    /// `{ …; }`
    Group(List),
    /// `if`, its `elif`s, its `else`.
    If {
        /// Conditions and what they lead to.
        branches: Vec<(List, List)>,
        /// What `else` leads to.
        otherwise: List,
    },
    /// `while`, or `until`.
    While {
        /// Turned round for `until`.
        until: bool,
        /// Asked before each turn.
        condition: List,
        /// Done each turn.
        body: List,
    },
    /// `for name in …`
    For {
        /// The variable.
        name: String,
        /// Its values; `None` is `"$@"`.
        words: Option<Vec<Word>>,
        /// Done each turn.
        body: List,
    },
    /// `case word in … esac`
    Case {
        /// What is matched.
        word: Word,
        /// Patterns and what they lead to.
        arms: Vec<(Vec<Word>, List)>,
    },
    /// `name() …`
    Function {
        /// Its name.
        name: String,
        /// Its body.
        body: Arc<Command>,
    },
    /// `(( … ))`
    Arithmetic(Word),
    /// `[[ … ]]`, its words as written.
    Condition(Vec<Word>),
}

/// `name=value`, or `name+=value`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) append: bool,
    pub(crate) value: Word,
}

/// One redirection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Redirect {
    /// The descriptor before the operator.
    pub(crate) descriptor: Option<u32>,
    /// The operator and its operand.
    pub(crate) to: Target,
}

/// Where a redirection leads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// `<`
    Read(Word),
    /// `>` and `>|`
    Write(Word),
    /// `>>`
    Append(Word),
    /// `<>`
    ReadWrite(Word),
    /// `<&` or `>&`: the default descriptor differs.
    Duplicate {
        /// Whether it was `<&`.
        input: bool,
        /// A number, or `-`.
        word: Word,
    },
    /// `<<`; the body is known when the line has ended.
    Here(Arc<OnceLock<Word>>),
    /// `<<<`
    HereString(Word),
}

/// A word: its pieces are joined.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Word(pub(crate) Vec<Piece>);

/// One piece of a word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// As written, not quoted: globs count.
    Plain(String),
    /// Quoted or escaped: nothing counts.
    Literal(String),
    /// `"…"`
    Quoted(Vec<Self>),
    /// `$name`, `${name…}`
    Parameter(Box<Parameter>),
    /// `$(…)` or backquotes.
    Substitution(Arc<List>),
    /// `$((…))`
    Arithmetic(Box<Word>),
}

/// A parameter and what is done with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) change: Change,
}

/// What `${…}` does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// `${#name}`
    Length,
    /// `-`, `=`, `?`, `+`, each also with a colon, which takes empty as unset.
    Default {
        /// Which of them.
        operator: char,
        /// With a colon.
        empty_counts: bool,
        /// Their word.
        word: Word,
    },
    /// `#`, `##`, `%`, `%%`
    Trim {
        /// From the end.
        suffix: bool,
        /// As much as possible.
        longest: bool,
        /// What is trimmed.
        pattern: Word,
    },
    /// `/pattern/replacement`, `//…`
    Replace {
        /// Every occurrence.
        all: bool,
        /// What is replaced.
        pattern: Word,
        /// By what.
        replacement: Word,
    },
    /// `:offset:length`
    Slice {
        /// Where it starts.
        offset: Word,
        /// How much of it.
        length: Option<Word>,
    },
    /// No known operator: an error when it is expanded.
    Bad(String),
}

impl Word {
    /// The text of a word that is not quoted at all, as reserved words and names are.
    pub(crate) fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Plain(text)] => Some(text),
            _ => None,
        }
    }

    /// A word that stands for itself.
    pub(crate) fn literal(text: impl Into<String>) -> Self {
        Self(vec![Piece::Literal(text.into())])
    }
}

/// Why a script can not be read, in mksh's own terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SyntaxError {
    /// This stood where it may not.
    Unexpected(String),
    /// The script ended too early.
    UnexpectedEnd,
    /// It ended inside of what this began.
    Unmatched(&'static str),
    /// A quote was not closed.
    NoClosingQuote,
    /// A here document was not closed.
    HereDocument(String),
    /// Deeper nesting, or more text, than this shell has room for.
    TooLarge,
}

impl SyntaxError {
    /// As mksh R59 (Android 14) says it, or R43 (Android 4.3).
    pub(crate) fn text(&self, old: bool) -> String {
        match self {
            Self::Unexpected(what) if old => format!("syntax error: '{what}' unexpected"),
            Self::Unexpected(what) => format!("syntax error: unexpected '{what}'"),
            Self::UnexpectedEnd => "syntax error: unexpected EOF".to_owned(),
            Self::Unmatched(what) if old => format!("syntax error: '{what}' unmatched"),
            Self::Unmatched(what) => format!("syntax error: unmatched '{what}'"),
            Self::NoClosingQuote => "no closing quote".to_owned(),
            Self::HereDocument(end) => format!("here document '{end}' unclosed"),
            Self::TooLarge => "syntax error: script too large".to_owned(),
        }
    }
}

impl List {
    /// The simple command that is all there is, if so.
    pub(crate) fn only_simple(&self) -> Option<(&Command, &[Assignment], &[Word])> {
        let [item] = self.0.as_slice() else {
            return None;
        };
        if item.background || item.first.negated || !item.rest.is_empty() {
            return None;
        }
        let [command] = item.first.commands.as_slice() else {
            return None;
        };
        match &command.kind {
            Kind::Simple { assignments, words } => Some((command, assignments, words)),
            _ => None,
        }
    }
}
