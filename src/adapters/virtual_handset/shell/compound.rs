//! The grammar of compound commands: groups, loops, conditions, functions.

use super::parser::Parser;
use super::reader::Token;
use super::syntax::{Kind, List, Piece, SyntaxError, Word};
use std::sync::Arc;

impl Parser<'_> {
    pub(super) fn group(&mut self) -> Result<Kind, SyntaxError> {
        self.open.push("{");
        self.advance()?;
        let list = self.body()?;
        self.expect_word("}")?;
        self.open.pop();
        Ok(Kind::Group(list))
    }

    pub(super) fn parenthesis(&mut self) -> Result<Kind, SyntaxError> {
        // `((` with nothing between is arithmetic if it closes as such.
        if self.reader.peek() == Some('(')
            && let Some(expression) = self.reader.arithmetic_ahead(1)
        {
            let expression = expression?;
            self.advance()?;
            return Ok(Kind::Arithmetic(expression));
        }
        self.open.push("(");
        self.advance()?;
        let list = self.body()?;
        self.expect_operator(")")?;
        self.open.pop();
        Ok(Kind::Subshell(Arc::new(list)))
    }

    pub(super) fn conditional(&mut self) -> Result<Kind, SyntaxError> {
        self.open.push("if");
        let mut branches = Vec::new();
        let mut otherwise = List::default();
        loop {
            self.advance()?;
            let condition = self.body()?;
            self.expect_word("then")?;
            branches.push((condition, self.body()?));
            if !self.is_word("elif") {
                break;
            }
        }
        if self.is_word("else") {
            self.advance()?;
            otherwise = self.body()?;
        }
        self.expect_word("fi")?;
        self.open.pop();
        Ok(Kind::If {
            branches,
            otherwise,
        })
    }

    pub(super) fn repeated(&mut self, word: &'static str) -> Result<Kind, SyntaxError> {
        self.open.push(word);
        self.advance()?;
        let condition = self.body()?;
        let body = self.do_group()?;
        self.open.pop();
        Ok(Kind::While {
            until: word == "until",
            condition,
            body,
        })
    }

    fn do_group(&mut self) -> Result<List, SyntaxError> {
        self.expect_word("do")?;
        let body = self.body()?;
        self.expect_word("done")?;
        Ok(body)
    }

    pub(super) fn for_loop(&mut self) -> Result<Kind, SyntaxError> {
        self.advance()?;
        let name = self.take_name()?;
        self.open.push("for");
        self.skip_newlines()?;
        let mut words = None;
        if self.is_word("in") {
            self.advance()?;
            let mut list = Vec::new();
            while let Token::Word(_) = self.token {
                list.push(self.take_word()?);
            }
            words = Some(list);
            if !self.is_operator(";") && self.token != Token::Newline {
                return Err(self.unexpected());
            }
        }
        if self.is_operator(";") {
            self.advance()?;
        }
        self.skip_newlines()?;
        let body = self.do_group()?;
        self.open.pop();
        Ok(Kind::For { name, words, body })
    }

    pub(super) fn case(&mut self) -> Result<Kind, SyntaxError> {
        self.advance()?;
        let word = self.take_word()?;
        self.open.push("case");
        self.skip_newlines()?;
        self.expect_word("in")?;
        self.skip_newlines()?;
        let mut arms = Vec::new();
        while !self.is_word("esac") {
            if self.is_operator("(") {
                self.advance()?;
            }
            let mut patterns = vec![self.take_word()?];
            while self.is_operator("|") {
                self.advance()?;
                patterns.push(self.take_word()?);
            }
            self.expect_operator(")")?;
            arms.push((patterns, self.list()?));
            if self.is_operator(";;") {
                self.advance()?;
                self.skip_newlines()?;
            } else if !self.is_word("esac") {
                return Err(self.unexpected());
            }
        }
        self.advance()?;
        self.open.pop();
        Ok(Kind::Case { word, arms })
    }

    pub(super) fn condition(&mut self) -> Result<Kind, SyntaxError> {
        self.open.push("[[");
        let mut words = Vec::new();
        self.advance()?;
        while !self.is_word("]]") {
            match &self.token {
                Token::Word(word) => words.push(word.clone()),
                Token::Operator(operator @ ("&&" | "||" | "(" | ")" | "<" | ">")) => {
                    words.push(Word(vec![Piece::Plain((*operator).to_owned())]));
                }
                Token::Newline => {}
                _ => return Err(self.unexpected()),
            }
            self.advance()?;
        }
        self.advance()?;
        self.open.pop();
        Ok(Kind::Condition(words))
    }

    pub(super) fn function_word(&mut self) -> Result<Kind, SyntaxError> {
        self.advance()?;
        let name = self.take_name()?;
        if self.is_operator("(") {
            self.advance()?;
            self.expect_operator(")")?;
        }
        self.function_body(name)
    }

    pub(super) fn function_body(&mut self, name: String) -> Result<Kind, SyntaxError> {
        self.skip_newlines()?;
        let body = Arc::new(self.command()?);
        Ok(Kind::Function { name, body })
    }
}
