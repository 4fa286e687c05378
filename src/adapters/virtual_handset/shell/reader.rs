//! Characters and words of a script: quoting, `$`, backquotes, operators, here documents.
//! It reads and never runs; any input ends in a token or a `SyntaxError`.

use super::syntax::{Change, List, Parameter, Piece, SyntaxError, Word};
use std::sync::{Arc, OnceLock};

/// How deep constructs may nest.
pub(super) const MAX_DEPTH: usize = 40;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `|`, `&&`, `<<` …
    Operator(&'static str),
    /// A digit right before `<` or `>`.
    Number(u32),
    /// A word.
    Word(Word),
    /// The end of a line.
    Newline,
    /// The end of the script.
    End,
}

/// Longest first.
const OPERATORS: &[&str] = &[
    "<<<", "<<-", "&&", "||", ";;", "<<", ">>", "<&", ">&", "<>", ">|", "&>", "|", "&", ";", "(",
    ")", "<", ">",
];

/// A cursor over a script.
pub(super) struct Reader {
    pub(super) text: Vec<char>,
    pub(super) at: usize,
    pub(super) depth: usize,
    here: Vec<PendingHere>,
}

struct PendingHere {
    end: String,
    expand: bool,
    strip_tabs: bool,
    body: Arc<OnceLock<Word>>,
}

/// Where a run of quoted text ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// At `"`.
    Quote,
    /// At the end of the text.
    End,
}

impl Reader {
    pub(super) fn new(text: &str, depth: usize) -> Self {
        Self {
            text: text.chars().collect(),
            at: 0,
            depth,
            here: Vec::new(),
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    pub(super) fn ahead(&self, by: usize) -> Option<char> {
        self.text.get(self.at + by).copied()
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    fn starts_with(&self, what: &str) -> bool {
        what.chars()
            .enumerate()
            .all(|(i, c)| self.ahead(i) == Some(c))
    }

    pub(super) fn eat(&mut self, what: &str) -> bool {
        let found = self.starts_with(what);
        if found {
            self.at += what.chars().count();
        }
        found
    }

    /// Runs `inside` one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::TooLarge);
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// The next token.
    pub(super) fn token(&mut self) -> Result<Token, SyntaxError> {
        self.skip_blanks();
        let Some(c) = self.peek() else {
            self.read_here_documents()?;
            return Ok(Token::End);
        };
        if c == '\n' {
            self.at += 1;
            self.read_here_documents()?;
            return Ok(Token::Newline);
        }
        for operator in OPERATORS {
            if self.eat(operator) {
                return Ok(Token::Operator(operator));
            }
        }
        if let Some(number) = self.number_before_redirect() {
            return Ok(Token::Number(number));
        }
        let mut pieces = Vec::new();
        while let Some(c) = self.peek() {
            if matches!(c, ' ' | '\t' | '\n') || "|&;<>()".contains(c) {
                break;
            }
            self.piece(&mut pieces)?;
        }
        Ok(Token::Word(Word(pieces)))
    }

    pub(super) fn skip_blanks(&mut self) {
        loop {
            if matches!(self.peek(), Some(' ' | '\t')) {
                self.at += 1;
            } else if self.starts_with("\\\n") {
                self.at += 2;
            } else if self.peek() == Some('#') {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
            } else {
                return;
            }
        }
    }

    fn number_before_redirect(&mut self) -> Option<u32> {
        let digit = self.peek()?.to_digit(10)?;
        if !matches!(self.ahead(1), Some('<' | '>')) {
            return None;
        }
        self.at += 1;
        Some(digit)
    }

    /// Notes a here document that begins after the current line.
    pub(super) fn expect_here(&mut self, end: &Word, strip_tabs: bool) -> Arc<OnceLock<Word>> {
        let mut name = String::new();
        let mut expand = true;
        let mut pending: Vec<&Piece> = end.0.iter().rev().collect();
        while let Some(piece) = pending.pop() {
            match piece {
                Piece::Plain(text) => name.push_str(text),
                Piece::Literal(text) => {
                    expand = false;
                    name.push_str(text);
                }
                Piece::Quoted(inner) => {
                    expand = false;
                    pending.extend(inner.iter().rev());
                }
                Piece::Parameter(_) | Piece::Substitution(_) | Piece::Arithmetic(_) => {}
            }
        }
        let body = Arc::new(OnceLock::new());
        self.here.push(PendingHere {
            end: name,
            expand,
            strip_tabs,
            body: Arc::clone(&body),
        });
        body
    }

    fn read_here_documents(&mut self) -> Result<(), SyntaxError> {
        for here in std::mem::take(&mut self.here) {
            let mut text = String::new();
            loop {
                if self.peek().is_none() {
                    return Err(SyntaxError::HereDocument(here.end));
                }
                let line = self.line();
                let kept = if here.strip_tabs {
                    line.trim_start_matches('\t')
                } else {
                    &line
                };
                if kept == here.end {
                    break;
                }
                text.push_str(kept);
                text.push('\n');
            }
            let body = if here.expand {
                Self::new(&text, self.depth).all_quoted()?
            } else {
                Word::literal(text)
            };
            // The lock is fresh: only this loop fills it.
            here.body.set(body).ok();
        }
        Ok(())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        while let Some(c) = self.take().filter(|c| *c != '\n') {
            line.push(c);
        }
        line
    }

    /// One piece outside of quotes.
    pub(super) fn piece(&mut self, pieces: &mut Vec<Piece>) -> Result<(), SyntaxError> {
        match self.take() {
            Some('\\') => match self.take() {
                Some('\n') => {}
                Some(c) => pieces.push(Piece::Literal(c.to_string())),
                None => pieces.push(Piece::Literal("\\".to_owned())),
            },
            Some('\'') => pieces.push(Piece::Literal(self.until_quote(false)?)),
            Some('"') => {
                let inner = self.deeper(|reader| reader.quoted(Until::Quote))?;
                pieces.push(Piece::Quoted(inner));
            }
            Some('`') => pieces.push(self.backquoted(false)?),
            Some('$') if self.eat("'") => pieces.push(Piece::Literal(self.until_quote(true)?)),
            Some('$') => match self.dollar(false)? {
                Some(piece) => pieces.push(piece),
                None => push_plain(pieces, '$'),
            },
            Some(c) => push_plain(pieces, c),
            None => {}
        }
        Ok(())
    }

    /// The rest of `'…'`, or of `$'…'` with C's escapes.
    fn until_quote(&mut self, escapes: bool) -> Result<String, SyntaxError> {
        let mut text = String::new();
        loop {
            match self.take() {
                Some('\'') => return Ok(text),
                Some('\\') if escapes => text.push(match self.take() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('a') => '\u{7}',
                    Some('e' | 'E') => '\u{1b}',
                    Some(c) => c,
                    None => return Err(SyntaxError::NoClosingQuote),
                }),
                Some(c) => text.push(c),
                None => return Err(SyntaxError::NoClosingQuote),
            }
        }
    }

    /// The whole text as if between double quotes.
    pub(super) fn all_quoted(mut self) -> Result<Word, SyntaxError> {
        self.deeper(|reader| reader.quoted(Until::End)).map(Word)
    }

    /// Pieces inside double quotes, or of a here document.
    fn quoted(&mut self, until: Until) -> Result<Vec<Piece>, SyntaxError> {
        let mut pieces = Vec::new();
        loop {
            match self.take() {
                None if until == Until::End => return Ok(pieces),
                None => return Err(SyntaxError::NoClosingQuote),
                Some('"') if until == Until::Quote => return Ok(pieces),
                Some('\\') => match self.peek() {
                    Some('\n') => self.at += 1,
                    Some(c) if "$`\\".contains(c) || (c == '"' && until == Until::Quote) => {
                        self.at += 1;
                        push_literal(&mut pieces, c);
                    }
                    _ => push_literal(&mut pieces, '\\'),
                },
                Some('`') => pieces.push(self.backquoted(true)?),
                Some('$') => match self.dollar(true)? {
                    Some(piece) => pieces.push(piece),
                    None => push_literal(&mut pieces, '$'),
                },
                Some(c) => push_literal(&mut pieces, c),
            }
        }
    }

    /// A backquoted substitution, its first quote taken.
    fn backquoted(&mut self, quoted: bool) -> Result<Piece, SyntaxError> {
        let mut text = String::new();
        loop {
            match self.take() {
                None => return Err(SyntaxError::NoClosingQuote),
                Some('`') => break,
                Some('\\') => match self.take() {
                    Some(c) if "$`\\".contains(c) || (quoted && c == '"') => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => return Err(SyntaxError::NoClosingQuote),
                },
                Some(c) => text.push(c),
            }
        }
        let mut inner = Self::new(&text, self.depth);
        let list = inner.deeper(Self::program)?;
        Ok(Piece::Substitution(Arc::new(list)))
    }

    /// What follows a `$`; `None` when it stands for itself.
    fn dollar(&mut self, quoted: bool) -> Result<Option<Piece>, SyntaxError> {
        let name = match self.peek() {
            Some('(') => {
                return self.deeper(|reader| reader.parenthesised(quoted)).map(Some);
            }
            Some('{') => {
                self.at += 1;
                return self.deeper(|reader| reader.braced(quoted)).map(Some);
            }
            Some(c) if "@*#?$!-".contains(c) || c.is_ascii_digit() => {
                self.at += 1;
                c.to_string()
            }
            Some(c) if is_name_start(c) => self.name(),
            _ => return Ok(None),
        };
        Ok(Some(Piece::Parameter(Box::new(Parameter {
            name,
            change: Change::None,
        }))))
    }

    /// `$(…)` or `$((…))`, at the first parenthesis.
    fn parenthesised(&mut self, quoted: bool) -> Result<Piece, SyntaxError> {
        if self.starts_with("((")
            && let Some(expression) = self.arithmetic_ahead(2)
        {
            return Ok(Piece::Arithmetic(Box::new(expression?)));
        }
        self.at += 1;
        // Here documents of the line around it must not be read inside.
        let outer = std::mem::take(&mut self.here);
        let list: List = self.list_until_parenthesis().map_err(|error| match error {
            SyntaxError::UnexpectedEnd | SyntaxError::Unmatched(_) if quoted => {
                SyntaxError::NoClosingQuote
            }
            SyntaxError::UnexpectedEnd | SyntaxError::Unmatched(_) => SyntaxError::Unmatched("("),
            other => other,
        })?;
        self.here = outer;
        Ok(Piece::Substitution(Arc::new(list)))
    }

    /// `…))` as arithmetic, if the parentheses close that way; `skip` characters opened it.
    pub(super) fn arithmetic_ahead(&mut self, skip: usize) -> Option<Result<Word, SyntaxError>> {
        let mut depth = 0usize;
        let mut end = self.at + skip;
        loop {
            match (self.text.get(end)?, depth) {
                ('(', _) => depth += 1,
                (')', 0) => break,
                (')', _) => depth -= 1,
                _ => {}
            }
            end += 1;
        }
        if self.text.get(end + 1) != Some(&')') {
            return None;
        }
        let inside = self
            .text
            .get(self.at + skip..end)?
            .iter()
            .collect::<String>();
        self.at = end + 2;
        Some(Self::new(&inside, self.depth).all_quoted())
    }

    pub(super) fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| is_name_part(*c)) {
            name.push(c);
            self.at += 1;
        }
        name
    }
}

pub(super) fn push_plain(pieces: &mut Vec<Piece>, c: char) {
    match pieces.last_mut() {
        Some(Piece::Plain(text)) => text.push(c),
        _ => pieces.push(Piece::Plain(c.to_string())),
    }
}

pub(super) fn push_literal(pieces: &mut Vec<Piece>, c: char) {
    match pieces.last_mut() {
        Some(Piece::Literal(text)) => text.push(c),
        _ => pieces.push(Piece::Literal(c.to_string())),
    }
}

pub(super) const fn is_name_start(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

const fn is_name_part(c: char) -> bool {
    is_name_start(c) || c.is_ascii_digit()
}

/// Whether a text can name a variable.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(is_name_start) && text.chars().all(is_name_part)
}
