//! `test`, `[` and `[[`.

use super::pattern::{Mark, matches};
use super::state::{Flow, Shell};
use super::syntax::Word;
use crate::adapters::virtual_handset::files::node::{CHARACTER, FORMAT};
use crate::adapters::virtual_handset::kernel::process::Process;

/// How deep parentheses and `!` may nest.
const MAX_DEPTH: usize = 40;

/// One operand: its text, and its pattern for `[[ = ]]`.
#[derive(Clone, Debug)]
struct Operand {
    text: String,
    marks: Option<Vec<Mark>>,
}

/// Evaluates a test over operands; errors are mksh's texts.
struct Test<'a> {
    operands: &'a [Operand],
    at: usize,
    process: &'a Process,
    /// `[[`: patterns, `&&` and `||`.
    double: bool,
    depth: usize,
}

impl Shell<'_> {
    /// `test …` or `[ … ]`.
    pub(super) async fn test_builtin(
        &mut self,
        name: &str,
        arguments: &[String],
    ) -> Result<u8, Flow> {
        let mut words = arguments;
        if name == "[" {
            match words.split_last() {
                Some((last, rest)) if last == "]" => words = rest,
                _ => return self.complain("[: missing ]", 2).await,
            }
        }
        match test(self.process, words) {
            Ok(holds) => Ok(u8::from(!holds)),
            Err(why) => self.complain(&format!("{name}: {why}"), 2).await,
        }
    }

    /// `[[ … ]]`
    pub(super) async fn double_bracket(&mut self, words: &[Word]) -> Result<u8, Flow> {
        let mut operands = Vec::new();
        for word in words {
            let text = self.text(word).await?;
            let marks = self.pattern(word).await?;
            // What was quoted is never an operator.
            let is_operator = word.plain().is_some();
            operands.push(Operand {
                text: if is_operator || !is_operator_like(&text) {
                    text
                } else {
                    format!("\u{0}{text}")
                },
                marks: Some(marks),
            });
        }
        let mut test = Test {
            operands: &operands,
            at: 0,
            process: self.process,
            double: true,
            depth: 0,
        };
        let result = test.whole();
        match result {
            Ok(holds) => Ok(u8::from(!holds)),
            Err(why) => Err(self.fail(&format!("syntax error: {why}"), 1).await),
        }
    }
}

/// Whether a test holds.
pub(crate) fn test(process: &Process, words: &[String]) -> Result<bool, String> {
    let operands: Vec<Operand> = words
        .iter()
        .map(|text| Operand {
            text: text.clone(),
            marks: None,
        })
        .collect();
    let make = |operands| Test {
        operands,
        at: 0,
        process,
        double: false,
        depth: 0,
    };
    // POSIX decides by the number of arguments before it looks for operators.
    match words {
        [] => Ok(false),
        [one] => Ok(!one.is_empty()),
        [not, one] if not == "!" => Ok(one.is_empty()),
        [_, operator, _] if is_binary(operator, false) => {
            let mut test = make(operands.as_slice());
            test.binary().unwrap_or(Ok(false))
        }
        [not, ..] if not == "!" && words.len() <= 4 => {
            test(process, words.get(1..).unwrap_or_default()).map(|holds| !holds)
        }
        [open, inner, close] if open == "(" && close == ")" => Ok(!inner.is_empty()),
        _ => make(operands.as_slice()).whole(),
    }
}

const UNARY: &str = "abcdefghkLnopqrstuwxzGOS";

fn is_unary(text: &str) -> bool {
    let mut chars = text.chars();
    matches!(
        (chars.next(), chars.next(), chars.next()),
        (Some('-'), Some(c), None) if UNARY.contains(c)
    )
}

fn is_binary(text: &str, double: bool) -> bool {
    matches!(
        text,
        "=" | "=="
            | "!="
            | "<"
            | ">"
            | "-eq"
            | "-ne"
            | "-lt"
            | "-le"
            | "-gt"
            | "-ge"
            | "-nt"
            | "-ot"
            | "-ef"
    ) || (!double && matches!(text, "-a" | "-o"))
}

fn is_operator_like(text: &str) -> bool {
    is_unary(text) || is_binary(text, false) || matches!(text, "(" | ")" | "!" | "&&" | "||")
}

impl Test<'_> {
    fn text(&self, ahead: usize) -> Option<&str> {
        self.operands.get(self.at + ahead).map(|o| o.text.as_str())
    }

    fn whole(&mut self) -> Result<bool, String> {
        let holds = self.any()?;
        match self.text(0) {
            None => Ok(holds),
            Some(text) if self.double => Err(format!("unexpected operator/operand '{text}'")),
            Some(text) => Err(format!("{text}: unexpected operator/operand")),
        }
    }

    fn any(&mut self) -> Result<bool, String> {
        let mut holds = self.all()?;
        while matches!(self.text(0), Some("||") if self.double)
            || matches!(self.text(0), Some("-o") if !self.double)
        {
            self.at += 1;
            let right = self.all()?;
            holds |= right;
        }
        Ok(holds)
    }

    fn all(&mut self) -> Result<bool, String> {
        let mut holds = self.primary()?;
        while matches!(self.text(0), Some("&&") if self.double)
            || matches!(self.text(0), Some("-a") if !self.double)
        {
            self.at += 1;
            let right = self.primary()?;
            holds &= right;
        }
        Ok(holds)
    }

    fn primary(&mut self) -> Result<bool, String> {
        if self.depth >= MAX_DEPTH {
            return Err("too deep".to_owned());
        }
        self.depth += 1;
        let result = self.primary_here();
        self.depth -= 1;
        result
    }

    fn primary_here(&mut self) -> Result<bool, String> {
        let Some(first) = self.text(0).map(str::to_owned) else {
            return Err("expression expected".to_owned());
        };
        if let Some(result) = self.binary() {
            return result;
        }
        if first == "!" && self.text(1).is_some() {
            self.at += 1;
            return self.primary().map(|holds| !holds);
        }
        if first == "(" && self.text(1).is_some() {
            self.at += 1;
            let holds = self.any()?;
            if self.text(0) != Some(")") {
                return Err("missing )".to_owned());
            }
            self.at += 1;
            return Ok(holds);
        }
        if is_unary(&first) && self.text(1).is_some() {
            let operand = self
                .text(1)
                .unwrap_or_default()
                .trim_start_matches('\0')
                .to_owned();
            self.at += 2;
            return Ok(self.unary(&first, &operand));
        }
        self.at += 1;
        if let (true, Some(next)) = (self.text(0).is_none(), first.strip_prefix('\0')) {
            return Ok(!next.is_empty());
        }
        Ok(!first.is_empty())
    }

    /// A comparison, if the second operand is a binary operator.
    fn binary(&mut self) -> Option<Result<bool, String>> {
        let operator = self
            .text(1)
            .filter(|text| is_binary(text, self.double))?
            .to_owned();
        if matches!(operator.as_str(), "-a" | "-o") && self.operands.len() != 3 {
            return None;
        }
        let left = self.text(0)?.trim_start_matches('\0').to_owned();
        let Some(right) = self.operands.get(self.at + 2).cloned() else {
            return Some(Err(format!("{operator}: missing second argument")));
        };
        self.at += 3;
        let text = right.text.trim_start_matches('\0');
        let number = |text: &str| text.trim().parse::<i64>().unwrap_or(0);
        Some(Ok(match operator.as_str() {
            "=" | "==" => self.equal(&left, text, right.marks.as_deref()),
            "!=" => !self.equal(&left, text, right.marks.as_deref()),
            "<" => left.as_str() < text,
            ">" => left.as_str() > text,
            "-eq" => number(&left) == number(text),
            "-ne" => number(&left) != number(text),
            "-lt" => number(&left) < number(text),
            "-le" => number(&left) <= number(text),
            "-gt" => number(&left) > number(text),
            "-ge" => number(&left) >= number(text),
            "-a" => !left.is_empty() && !text.is_empty(),
            "-o" => !left.is_empty() || !text.is_empty(),
            "-nt" => self.mtime(&left) > self.mtime(text),
            "-ot" => self.mtime(&left) < self.mtime(text),
            _ => {
                let inode = |path| self.process.metadata(path, true).ok().map(|m| m.inode);
                inode(&left).is_some() && inode(&left) == inode(text)
            }
        }))
    }

    fn equal(&self, left: &str, right: &str, marks: Option<&[Mark]>) -> bool {
        match marks.filter(|_| self.double) {
            Some(marks) => matches(marks, &left.chars().collect::<Vec<_>>()),
            None => left == right,
        }
    }

    fn mtime(&self, path: &str) -> Option<i64> {
        self.process.metadata(path, true).ok().map(|m| m.mtime)
    }

    fn unary(&self, operator: &str, operand: &str) -> bool {
        let found = || self.process.metadata(operand, true).ok();
        let may = |wish| {
            let path = self.process.path(operand);
            let user = &self.process.user;
            self.process
                .handset
                .with(|world| world.files.access(user, &path, wish))
                .is_ok()
        };
        match operator {
            "-n" => !operand.is_empty(),
            "-z" => operand.is_empty(),
            "-e" | "-a" => found().is_some(),
            "-f" => found().is_some_and(|m| m.is_regular()),
            "-d" => found().is_some_and(|m| m.is_directory()),
            "-c" => found().is_some_and(|m| m.mode & FORMAT == CHARACTER),
            "-s" => found().is_some_and(|m| m.len > 0),
            "-L" | "-h" => self
                .process
                .metadata(operand, false)
                .is_ok_and(|m| m.is_symlink()),
            "-u" => found().is_some_and(|m| m.mode & 0o4000 != 0),
            "-g" => found().is_some_and(|m| m.mode & 0o2000 != 0),
            "-k" => found().is_some_and(|m| m.mode & 0o1000 != 0),
            "-O" => found().is_some_and(|m| m.uid == self.process.user.uid),
            "-G" => found().is_some_and(|m| m.gid == self.process.user.gid),
            "-r" => may(4),
            "-w" => may(2),
            "-x" => may(1),
            "-t" => operand
                .parse()
                .is_ok_and(|number| self.process.is_terminal(number)),
            _ => false,
        }
    }
}
