//! The grammar: from tokens to a `List`. Recursive descent, bounded in depth; errors as mksh has them.

use super::reader::{MAX_DEPTH, Reader, Token, is_name};
use super::syntax::{
    Assignment, Command, Item, Join, Kind, List, Piece, Pipeline, Redirect, SyntaxError, Target,
    Word,
};
use std::sync::Arc;

/// Bytes of one script.
const MAX_SCRIPT: usize = 1 << 20;

/// Reads a whole script.
pub(crate) fn parse(text: &str) -> Result<List, SyntaxError> {
    if text.len() > MAX_SCRIPT {
        return Err(SyntaxError::TooLarge);
    }
    Reader::new(text, 0).program()
}

/// Words that end a list.
const CLOSERS: &[&str] = &["then", "else", "elif", "fi", "do", "done", "esac", "}"];

/// Operators that begin a redirection.
const REDIRECTIONS: &[&str] = &[
    "<", ">", ">>", "<<", "<<-", "<<<", "<&", ">&", "<>", ">|", "&>",
];

impl Reader {
    /// A list up to the end of the text.
    pub(super) fn program(&mut self) -> Result<List, SyntaxError> {
        let mut parser = Parser::new(self)?;
        let list = parser.list()?;
        match parser.token {
            Token::End => Ok(list),
            _ => Err(parser.unexpected()),
        }
    }

    /// A list up to a closing parenthesis, which is taken.
    pub(super) fn list_until_parenthesis(&mut self) -> Result<List, SyntaxError> {
        let mut parser = Parser::new(self)?;
        let list = parser.list()?;
        match parser.token {
            Token::Operator(")") => Ok(list),
            Token::End => Err(SyntaxError::UnexpectedEnd),
            _ => Err(parser.unexpected()),
        }
    }
}

/// A reader with one token of look-ahead.
pub(super) struct Parser<'a> {
    pub(super) reader: &'a mut Reader,
    pub(super) token: Token,
    /// Where the token began.
    start: usize,
    pub(super) open: Vec<&'static str>,
    /// A place in the text, and the line it is on.
    line: (usize, u32),
}

impl<'a> Parser<'a> {
    fn new(reader: &'a mut Reader) -> Result<Self, SyntaxError> {
        reader.skip_blanks();
        let start = reader.at;
        let token = reader.token()?;
        Ok(Self {
            reader,
            token,
            start,
            open: Vec::new(),
            line: (0, 1),
        })
    }

    /// The line on which the token began, from 1.
    fn line(&mut self) -> u32 {
        let (from, line) = self.line;
        let passed = self.reader.text.get(from..self.start).unwrap_or_default();
        let breaks = passed.iter().filter(|c| **c == '\n').count();
        self.line = (
            self.start.max(from),
            line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX)),
        );
        self.line.1
    }

    pub(super) fn advance(&mut self) -> Result<Token, SyntaxError> {
        self.reader.skip_blanks();
        self.start = self.reader.at;
        let next = self.reader.token()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    pub(super) fn is_operator(&self, operator: &str) -> bool {
        matches!(&self.token, Token::Operator(found) if *found == operator)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(found) if found.plain() == Some(word))
    }

    pub(super) fn unexpected(&self) -> SyntaxError {
        match &self.token {
            Token::End => match self.open.last() {
                Some(open) => SyntaxError::Unmatched(open),
                None => SyntaxError::UnexpectedEnd,
            },
            Token::Newline => SyntaxError::Unexpected("newline".to_owned()),
            Token::Operator(operator) => SyntaxError::Unexpected((*operator).to_owned()),
            Token::Number(number) => SyntaxError::Unexpected(number.to_string()),
            Token::Word(_) => {
                let text = self.reader.text.get(self.start..self.reader.at);
                SyntaxError::Unexpected(text.unwrap_or_default().iter().take(32).collect())
            }
        }
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<(), SyntaxError> {
        if !self.is_word(word) {
            return Err(self.unexpected());
        }
        self.advance().map(|_| ())
    }

    pub(super) fn expect_operator(&mut self, operator: &str) -> Result<(), SyntaxError> {
        if !self.is_operator(operator) {
            return Err(self.unexpected());
        }
        self.advance().map(|_| ())
    }

    pub(super) fn take_word(&mut self) -> Result<Word, SyntaxError> {
        let Token::Word(_) = self.token else {
            return Err(self.unexpected());
        };
        match self.advance()? {
            Token::Word(word) => Ok(word),
            _ => Err(SyntaxError::UnexpectedEnd),
        }
    }

    pub(super) fn take_name(&mut self) -> Result<String, SyntaxError> {
        let name = match &self.token {
            Token::Word(word) => word.plain().filter(|name| is_name(name)).map(str::to_owned),
            _ => None,
        };
        let name = name.ok_or_else(|| self.unexpected())?;
        self.advance()?;
        Ok(name)
    }

    pub(super) fn skip_newlines(&mut self) -> Result<(), SyntaxError> {
        while self.token == Token::Newline {
            self.advance()?;
        }
        Ok(())
    }

    /// Commands up to something that can not begin one.
    pub(super) fn list(&mut self) -> Result<List, SyntaxError> {
        let mut items = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.at_end_of_list() {
                return Ok(List(items));
            }
            let mut item = self.item()?;
            let more = match &self.token {
                Token::Operator("&") => {
                    item.background = true;
                    true
                }
                Token::Operator(";") | Token::Newline => true,
                _ => false,
            };
            items.push(item);
            if !more {
                return Ok(List(items));
            }
            self.advance()?;
        }
    }

    fn at_end_of_list(&self) -> bool {
        match &self.token {
            Token::End | Token::Operator(")" | ";;") => true,
            Token::Word(word) => word.plain().is_some_and(|word| CLOSERS.contains(&word)),
            _ => false,
        }
    }

    /// A list that may not be empty.
    pub(super) fn body(&mut self) -> Result<List, SyntaxError> {
        let list = self.list()?;
        if list.0.is_empty() {
            return Err(self.unexpected());
        }
        Ok(list)
    }

    fn item(&mut self) -> Result<Item, SyntaxError> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            let join = match &self.token {
                Token::Operator("&&") => Join::And,
                Token::Operator("||") => Join::Or,
                _ => break,
            };
            self.advance()?;
            self.skip_newlines()?;
            rest.push((join, self.pipeline()?));
        }
        Ok(Item {
            first,
            rest,
            background: false,
        })
    }

    fn pipeline(&mut self) -> Result<Pipeline, SyntaxError> {
        let mut negated = false;
        while self.is_word("!") {
            negated = !negated;
            self.advance()?;
        }
        let mut commands = vec![Arc::new(self.command()?)];
        while self.is_operator("|") {
            self.advance()?;
            self.skip_newlines()?;
            commands.push(Arc::new(self.command()?));
        }
        Ok(Pipeline { negated, commands })
    }

    pub(super) fn command(&mut self) -> Result<Command, SyntaxError> {
        if self.reader.depth >= MAX_DEPTH {
            return Err(SyntaxError::TooLarge);
        }
        self.reader.depth += 1;
        let command = self.command_here();
        self.reader.depth -= 1;
        command
    }

    fn command_here(&mut self) -> Result<Command, SyntaxError> {
        let line = self.line();
        let kind = match &self.token {
            Token::Operator("(") => self.parenthesis()?,
            Token::Word(word) => match word.plain() {
                Some("{") => self.group()?,
                Some("if") => self.conditional()?,
                Some("while") => self.repeated("while")?,
                Some("until") => self.repeated("until")?,
                Some("for") => self.for_loop()?,
                Some("case") => self.case()?,
                Some("[[") => self.condition()?,
                Some("function") => self.function_word()?,
                Some(word) if CLOSERS.contains(&word) => return Err(self.unexpected()),
                _ => return self.simple(line),
            },
            Token::Operator(operator) if REDIRECTIONS.contains(operator) => {
                return self.simple(line);
            }
            Token::Number(_) => return self.simple(line),
            _ => return Err(self.unexpected()),
        };
        let mut redirects = Vec::new();
        while self.redirect(&mut redirects)? {}
        Ok(Command {
            line,
            kind,
            redirects,
        })
    }

    fn simple(&mut self, line: u32) -> Result<Command, SyntaxError> {
        let mut assignments = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        let mut redirects = Vec::new();
        loop {
            if self.redirect(&mut redirects)? {
                continue;
            }
            let Token::Word(word) = &self.token else {
                break;
            };
            if words.is_empty()
                && let Some(assignment) = assignment_of(word)
            {
                assignments.push(assignment);
                self.advance()?;
                continue;
            }
            let first = words.is_empty() && assignments.is_empty() && redirects.is_empty();
            let word = self.take_word()?;
            if first
                && self.is_operator("(")
                && let Some(name) = word.plain()
            {
                self.advance()?;
                self.expect_operator(")")?;
                let kind = self.function_body(name.to_owned())?;
                return Ok(Command {
                    line,
                    kind,
                    redirects,
                });
            }
            words.push(word);
        }
        Ok(Command {
            line,
            kind: Kind::Simple { assignments, words },
            redirects,
        })
    }

    /// Reads a redirection if there is one.
    fn redirect(&mut self, redirects: &mut Vec<Redirect>) -> Result<bool, SyntaxError> {
        let descriptor = match self.token {
            Token::Number(number) => {
                self.advance()?;
                Some(number)
            }
            _ => None,
        };
        let operator = match self.token {
            Token::Operator(operator) if REDIRECTIONS.contains(&operator) => operator,
            _ => return Ok(false),
        };
        self.advance()?;
        let Token::Word(word) = &self.token else {
            return Err(self.unexpected());
        };
        let word = word.clone();
        let to = match operator {
            "<" => Target::Read(word),
            ">" | ">|" | "&>" => Target::Write(word),
            ">>" => Target::Append(word),
            "<>" => Target::ReadWrite(word),
            "<<<" => Target::HereString(word),
            // Before the look-ahead moves on: it may cross the end of the line.
            "<<" | "<<-" => Target::Here(self.reader.expect_here(&word, operator == "<<-")),
            _ => Target::Duplicate {
                input: operator == "<&",
                word,
            },
        };
        redirects.push(Redirect { descriptor, to });
        if operator == "&>" {
            redirects.push(Redirect {
                descriptor: Some(2),
                to: Target::Duplicate {
                    input: false,
                    word: Word::literal("1"),
                },
            });
        }
        self.advance()?;
        Ok(true)
    }
}

/// `name=…` or `name+=…`, the name not quoted.
pub(super) fn assignment_of(word: &Word) -> Option<Assignment> {
    let (first, rest) = word.0.split_first()?;
    let Piece::Plain(text) = first else {
        return None;
    };
    let (name, value) = text.split_once('=')?;
    let (name, append) = match name.strip_suffix('+') {
        Some(name) => (name, true),
        None => (name, false),
    };
    if !is_name(name) {
        return None;
    }
    let mut pieces = Vec::new();
    if !value.is_empty() {
        pieces.push(Piece::Plain(value.to_owned()));
    }
    pieces.extend_from_slice(rest);
    Some(Assignment {
        name: name.to_owned(),
        append,
        value: Word(pieces),
    })
}
