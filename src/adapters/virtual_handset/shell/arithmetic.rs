//! Arithmetic as mksh has it: signed 32 bits that wrap, C's operators, variables by name.

/// What a variable holds, and how to change it.
pub(crate) trait Names {
    /// A variable's text; `None` when unset.
    fn value(&self, name: &str) -> Option<String>;
    /// Assigns.
    fn assign(&mut self, name: &str, value: String) -> Result<(), ArithmeticError>;
}

/// Why an expression has no value, in mksh's words after `expression: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArithmeticError(pub(crate) String);

/// How deep parentheses, signs and variables that name variables may nest.
const MAX_DEPTH: usize = 30;

/// The value of an expression; an empty one is 0.
pub(crate) fn evaluate(text: &str, names: &mut dyn Names) -> Result<i32, ArithmeticError> {
    evaluate_at(text, names, 0)
}

fn evaluate_at(text: &str, names: &mut dyn Names, depth: usize) -> Result<i32, ArithmeticError> {
    let mut evaluator = Evaluator {
        text: text.chars().collect(),
        at: 0,
        names,
        depth,
    };
    evaluator.skip();
    if evaluator.text.get(evaluator.at).is_none() {
        return Ok(0);
    }
    let value = evaluator.comma(true)?;
    match evaluator.text.get(evaluator.at) {
        None => Ok(value),
        Some(c) => Err(ArithmeticError(format!("unexpected '{c}'"))),
    }
}

struct Evaluator<'a> {
    text: Vec<char>,
    at: usize,
    names: &'a mut dyn Names,
    depth: usize,
}

/// Binary operators by precedence, loosest first; longer ones before their prefixes.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

const ASSIGNMENTS: &[&str] = &[
    "<<=", ">>=", "*=", "/=", "%=", "+=", "-=", "&=", "^=", "|=", "=",
];

impl Evaluator<'_> {
    fn skip(&mut self) {
        while self.text.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn starts_with(&self, what: &str) -> bool {
        what.chars()
            .enumerate()
            .all(|(i, c)| self.text.get(self.at + i) == Some(&c))
    }

    fn eat(&mut self, what: &str) -> bool {
        let found = self.starts_with(what);
        if found {
            self.at += what.len();
            self.skip();
        }
        found
    }

    fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, ArithmeticError>,
    ) -> Result<T, ArithmeticError> {
        if self.depth >= MAX_DEPTH {
            return Err(ArithmeticError("expression too deep".to_owned()));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// `live` is false where a value is read only to be skipped.
    fn comma(&mut self, live: bool) -> Result<i32, ArithmeticError> {
        let mut value = self.assignment(live)?;
        while self.eat(",") {
            value = self.assignment(live)?;
        }
        Ok(value)
    }

    fn assignment(&mut self, live: bool) -> Result<i32, ArithmeticError> {
        let start = self.at;
        if let Some(name) = self.name() {
            self.skip();
            for operator in ASSIGNMENTS {
                let is_equality = *operator == "=" && self.starts_with("==");
                if is_equality || !self.starts_with(operator) {
                    continue;
                }
                self.eat(operator);
                let right = self.deeper(|inner| inner.assignment(live))?;
                if !live {
                    return Ok(0);
                }
                let value = match operator.strip_suffix('=') {
                    Some("") | None => right,
                    Some(operator) => apply(operator, self.read(&name)?, right)?,
                };
                self.names.assign(&name, value.to_string())?;
                return Ok(value);
            }
        }
        self.at = start;
        self.ternary(live)
    }

    fn ternary(&mut self, live: bool) -> Result<i32, ArithmeticError> {
        let condition = self.binary(0, live)?;
        if !self.eat("?") {
            return Ok(condition);
        }
        let yes = self.deeper(|inner| inner.comma(live && condition != 0))?;
        if !self.eat(":") {
            return Err(self.unexpected());
        }
        let no = self.deeper(|inner| inner.assignment(live && condition == 0))?;
        Ok(if condition != 0 { yes } else { no })
    }

    fn binary(&mut self, level: usize, live: bool) -> Result<i32, ArithmeticError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary(live);
        };
        let mut left = self.binary(level + 1, live)?;
        while let Some(operator) = self.operator(operators) {
            let needed = match operator {
                "||" => left == 0,
                "&&" => left != 0,
                _ => true,
            };
            let right = self.binary(level + 1, live && needed)?;
            left = match operator {
                "||" => i32::from(left != 0 || right != 0),
                "&&" => i32::from(left != 0 && right != 0),
                _ if !live => 0,
                _ => apply(operator, left, right)?,
            };
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let found = operators.iter().find(|operator| {
            let next = self.text.get(self.at + operator.len());
            let longer = match **operator {
                "|" => next == Some(&'|'),
                "&" => next == Some(&'&'),
                "<" => next == Some(&'<'),
                ">" => next == Some(&'>'),
                _ => false,
            };
            let assigns = next == Some(&'=') && !matches!(**operator, "==" | "!=" | "<=" | ">=");
            self.starts_with(operator) && !longer && !assigns
        })?;
        self.eat(found);
        Some(found)
    }

    fn unary(&mut self, live: bool) -> Result<i32, ArithmeticError> {
        for step in ["++", "--"] {
            if self.starts_with(step) {
                let start = self.at;
                self.eat(step);
                if let Some(name) = self.name() {
                    self.skip();
                    return self.step(&name, step, live).map(|(_, new)| new);
                }
                self.at = start;
            }
        }
        if self.eat("-") {
            return Ok(self.deeper(|inner| inner.unary(live))?.wrapping_neg());
        }
        if self.eat("+") {
            return self.deeper(|inner| inner.unary(live));
        }
        if self.eat("!") {
            return Ok(i32::from(self.deeper(|inner| inner.unary(live))? == 0));
        }
        if self.eat("~") {
            return Ok(!self.deeper(|inner| inner.unary(live))?);
        }
        if self.eat("(") {
            let value = self.deeper(|inner| inner.comma(live))?;
            if !self.eat(")") {
                return Err(self.unexpected());
            }
            return Ok(value);
        }
        self.operand(live)
    }

    fn operand(&mut self, live: bool) -> Result<i32, ArithmeticError> {
        if let Some(name) = self.name() {
            self.skip();
            for step in ["++", "--"] {
                if self.eat(step) {
                    return self.step(&name, step, live).map(|(old, _)| old);
                }
            }
            return if live { self.read(&name) } else { Ok(0) };
        }
        let mut digits = String::new();
        while let Some(c) = self
            .text
            .get(self.at)
            .filter(|c| c.is_ascii_alphanumeric() || **c == '#' || **c == '_')
        {
            digits.push(*c);
            self.at += 1;
        }
        if digits.is_empty() {
            return Err(self.unexpected());
        }
        self.skip();
        number(&digits).ok_or_else(|| ArithmeticError(format!("bad number '{digits}'")))
    }

    fn step(&mut self, name: &str, step: &str, live: bool) -> Result<(i32, i32), ArithmeticError> {
        if !live {
            return Ok((0, 0));
        }
        let old = self.read(name)?;
        let new = old.wrapping_add(if step == "++" { 1 } else { -1 });
        self.names.assign(name, new.to_string())?;
        Ok((old, new))
    }

    fn read(&mut self, name: &str) -> Result<i32, ArithmeticError> {
        let Some(text) = self.names.value(name) else {
            return Ok(0);
        };
        if let Some(value) = number(text.trim()) {
            return Ok(value);
        }
        if self.depth >= MAX_DEPTH {
            let what = format!("expression recurses on parameter '{name}'");
            return Err(ArithmeticError(what));
        }
        evaluate_at(&text, self.names, self.depth + 1)
    }

    fn name(&mut self) -> Option<String> {
        let is_start = |c: &char| *c == '_' || c.is_ascii_alphabetic();
        if !self.text.get(self.at).is_some_and(is_start) {
            return None;
        }
        let mut name = String::new();
        while let Some(c) = self
            .text
            .get(self.at)
            .filter(|c| **c == '_' || c.is_ascii_alphanumeric())
        {
            name.push(*c);
            self.at += 1;
        }
        Some(name)
    }

    fn unexpected(&self) -> ArithmeticError {
        ArithmeticError(match self.text.get(self.at) {
            None => "unexpected 'end of expression'".to_owned(),
            Some(c) => format!("unexpected '{c}'"),
        })
    }
}

fn apply(operator: &str, left: i32, right: i32) -> Result<i32, ArithmeticError> {
    let zero = || ArithmeticError("zero divisor".to_owned());
    let shift = right.cast_unsigned() & 31;
    Ok(match operator {
        "|" => left | right,
        "^" => left ^ right,
        "&" => left & right,
        "==" => i32::from(left == right),
        "!=" => i32::from(left != right),
        "<=" => i32::from(left <= right),
        ">=" => i32::from(left >= right),
        "<" => i32::from(left < right),
        ">" => i32::from(left > right),
        "<<" => left.wrapping_shl(shift),
        ">>" => left.wrapping_shr(shift),
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        "*" => left.wrapping_mul(right),
        "/" if right == 0 => return Err(zero()),
        "/" => left.wrapping_div(right),
        "%" if right == 0 => return Err(zero()),
        "%" => left.wrapping_rem(right),
        _ => return Err(ArithmeticError(format!("unexpected '{operator}'"))),
    })
}

/// Decimal, `0x…`, or `base#…`; wraps at 32 bits as mksh does.
fn number(text: &str) -> Option<i32> {
    let (text, negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (digits, base) =
        if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            (hex, 16)
        } else if let Some((base, digits)) = text.split_once('#') {
            (
                digits,
                base.parse().ok().filter(|base| (2..=36).contains(base))?,
            )
        } else {
            (text, 10)
        };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i32;
    for c in digits.chars() {
        let digit = c.to_digit(base)?;
        value = value
            .wrapping_mul(base.cast_signed())
            .wrapping_add(digit.cast_signed());
    }
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Map(BTreeMap<String, String>);

    impl Names for Map {
        fn value(&self, name: &str) -> Option<String> {
            self.0.get(name).cloned()
        }
        fn assign(&mut self, name: &str, value: String) -> Result<(), ArithmeticError> {
            self.0.insert(name.to_owned(), value);
            Ok(())
        }
    }

    /// Values are what `mksh -c 'x=5 y=x; echo $((…))'` (R59) prints.
    #[test]
    fn values_as_mksh_has_them() {
        for (text, expected) in [
            ("", 0),
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("7/2", 3),
            ("-7%3", -1),
            ("2147483647+1", -2147483648),
            ("1<<31", -2147483648),
            ("-1>>1", -1),
            ("5>3&&2<1", 0),
            ("5>3||1/0", 1),
            ("x*2", 10),
            ("y+1", 6),
            ("unset_one+1", 1),
            ("x==5?10:20", 10),
            ("0x1f", 31),
            ("010", 10),
            ("2#101", 5),
            ("!5", 0),
            ("~0", -1),
            ("1,2", 2),
            ("z=3,z+=2,z", 5),
            ("x++ + ++x", 12),
            ("1 - - 1", 2),
            ("6&3", 2),
            ("6^3", 5),
            ("6|1", 7),
        ] {
            let mut names = Map::default();
            names.assign("x", "5".to_owned()).unwrap();
            names.assign("y", "x".to_owned()).unwrap();
            assert_eq!(evaluate(text, &mut names), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_as_mksh_has_them() {
        for (text, expected) in [
            ("1+", "unexpected 'end of expression'"),
            ("1/0", "zero divisor"),
            ("08x", "bad number '08x'"),
        ] {
            let error = evaluate(text, &mut Map::default()).unwrap_err();
            assert_eq!(error.0, expected, "{text}");
        }
    }

    #[test]
    fn a_variable_that_names_itself_ends() {
        let mut names = Map::default();
        names.assign("a", "a".to_owned()).unwrap();
        assert!(evaluate("a", &mut names).is_err());
    }

    proptest! {
        #[test]
        fn any_text_ends(text in "[0-9a-c()+*/%<>=!&|?:,~ -]{0,40}") {
            evaluate(&text, &mut Map::default()).ok();
        }
    }
}
