//! `${…}`: the name and what is done with its value. It reads and never expands.

use super::reader::{Reader, is_name_start, push_literal};
use super::syntax::{Change, Parameter, Piece, SyntaxError, Word};

impl Reader {
    /// `${…}`, its brace taken.
    pub(super) fn braced(&mut self, quoted: bool) -> Result<Piece, SyntaxError> {
        let start = self.at;
        if self.peek() == Some('#') && !matches!(self.ahead(1), Some('}' | '#' | '%' | ':')) {
            self.at += 1;
            let name = self.parameter_name();
            if !name.is_empty() && self.eat("}") {
                let change = Change::Length;
                return Ok(Piece::Parameter(Box::new(Parameter { name, change })));
            }
            self.at = start;
        }
        let name = self.parameter_name();
        let change = if name.is_empty() {
            self.bad_substitution(start)?
        } else {
            self.change(quoted, start)?
        };
        Ok(Piece::Parameter(Box::new(Parameter { name, change })))
    }

    fn parameter_name(&mut self) -> String {
        match self.peek() {
            Some(c) if is_name_start(c) => self.name(),
            Some(c) if c.is_ascii_digit() => {
                let mut digits = String::new();
                while let Some(c) = self.peek().filter(char::is_ascii_digit) {
                    digits.push(c);
                    self.at += 1;
                }
                digits
            }
            Some(c) if "@*#?$!-".contains(c) => {
                self.at += 1;
                c.to_string()
            }
            _ => String::new(),
        }
    }

    fn bad_substitution(&mut self, start: usize) -> Result<Change, SyntaxError> {
        loop {
            match self.take() {
                Some('}') => break,
                Some(_) => {}
                None => return Err(SyntaxError::NoClosingQuote),
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let text: String = text.iter().collect();
        Ok(Change::Bad(format!("${{{text}")))
    }

    fn change(&mut self, quoted: bool, start: usize) -> Result<Change, SyntaxError> {
        let colon = self.peek() == Some(':');
        match self.ahead(usize::from(colon)) {
            Some('}') if !colon => {
                self.at += 1;
                Ok(Change::None)
            }
            Some(operator @ ('-' | '=' | '?' | '+')) => {
                self.at += 1 + usize::from(colon);
                let (word, _) = self.operand(quoted, "}")?;
                Ok(Change::Default {
                    operator,
                    empty_counts: colon,
                    word,
                })
            }
            Some(operator @ ('#' | '%')) if !colon => {
                self.at += 1;
                let longest = self.peek() == Some(operator);
                self.at += usize::from(longest);
                let (pattern, _) = self.operand(false, "}")?;
                Ok(Change::Trim {
                    suffix: operator == '%',
                    longest,
                    pattern,
                })
            }
            Some('/') if !colon => {
                self.at += 1;
                let all = self.eat("/");
                let (pattern, end) = self.operand(false, "/}")?;
                let replacement = match end {
                    '/' => self.operand(quoted, "}")?.0,
                    _ => Word::default(),
                };
                Ok(Change::Replace {
                    all,
                    pattern,
                    replacement,
                })
            }
            Some(_) if colon => {
                self.at += 1;
                let (offset, end) = self.operand(quoted, ":}")?;
                let length = match end {
                    ':' => Some(self.operand(quoted, "}")?.0),
                    _ => None,
                };
                Ok(Change::Slice { offset, length })
            }
            _ => self.bad_substitution(start),
        }
    }

    /// A word inside braces up to one of `ends`, which is taken and told.
    fn operand(&mut self, quoted: bool, ends: &str) -> Result<(Word, char), SyntaxError> {
        let mut pieces = Vec::new();
        loop {
            match self.peek() {
                None => return Err(SyntaxError::NoClosingQuote),
                Some(c) if ends.contains(c) => {
                    self.at += 1;
                    return Ok((Word(pieces), c));
                }
                Some('\'') if quoted => {
                    self.at += 1;
                    push_literal(&mut pieces, '\'');
                }
                Some(_) => self.piece(&mut pieces)?,
            }
        }
    }
}
