//! `WHERE`: the part of SQL that `content --where` is used for. No functions and no sub-queries.

use super::token::{Token, tokens};
use super::value::Value;
use std::cmp::Ordering;
use thiserror::Error;

/// Brackets and `NOT`s within each other.
const MAX_DEPTH: usize = 50;

/// What SQLite says of a selection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum SqlError {
    /// It can not be parsed from here on.
    #[error("near \"{near}\": syntax error (code 1)")]
    Syntax {
        /// The word.
        near: String,
    },
    /// It ends too early.
    #[error("incomplete input (code 1)")]
    Incomplete,
    /// No such column.
    #[error("no such column: {name} (code 1)")]
    Column {
        /// As written.
        name: String,
    },
    /// No such function here.
    #[error("no such function: {name} (code 1)")]
    Function {
        /// As written.
        name: String,
    },
    /// Too deep.
    #[error("Expression tree is too large (maximum depth 50) (code 1)")]
    Depth,
}

/// A parsed selection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Literal(Value),
    Column(&'static str),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Compare(Box<Self>, Comparison, Box<Self>),
    IsNull(Box<Self>),
    In(Box<Self>, Vec<Self>),
}

/// How two values are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    Glob,
    /// `IS`: null equals null.
    Is,
}

const COMPARISONS: &[(&str, Comparison)] = &[
    ("=", Comparison::Equal),
    ("==", Comparison::Equal),
    ("<>", Comparison::Different),
    ("!=", Comparison::Different),
    ("<", Comparison::Less),
    ("<=", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    (">=", Comparison::GreaterOrEqual),
];

impl Expression {
    /// Parses a selection over these columns.
    pub(crate) fn parse(text: &str, columns: &[&'static str]) -> Result<Self, SqlError> {
        let words = tokens(text).map_err(|near| SqlError::Syntax { near })?;
        let mut parser = Parser {
            words: &words,
            columns,
            depth: 0,
        };
        let expression = parser.any()?;
        match parser.words.first() {
            None => Ok(expression),
            Some(token) => Err(near(token)),
        }
    }

    /// Whether a row is selected; `column` gives its values.
    pub(crate) fn selects(&self, column: &impl Fn(&str) -> Value) -> bool {
        self.value(column).truth() == Some(true)
    }

    fn value(&self, column: &impl Fn(&str) -> Value) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Column(name) => column(name),
            Self::Not(inner) => known(inner.value(column).truth().map(|truth| !truth)),
            Self::And(a, b) => match (a.value(column).truth(), b.value(column).truth()) {
                (Some(false), _) | (_, Some(false)) => Value::Integer(0),
                (Some(true), Some(true)) => Value::Integer(1),
                _ => Value::Null,
            },
            Self::Or(a, b) => match (a.value(column).truth(), b.value(column).truth()) {
                (Some(true), _) | (_, Some(true)) => Value::Integer(1),
                (Some(false), Some(false)) => Value::Integer(0),
                _ => Value::Null,
            },
            Self::Compare(a, comparison, b) => {
                known(comparison.holds(&a.value(column), &b.value(column)))
            }
            Self::IsNull(inner) => known(Some(inner.value(column) == Value::Null)),
            Self::In(inner, list) => {
                let value = inner.value(column);
                let is_it =
                    |item: &Self| value.compare(&item.value(column)) == Some(Ordering::Equal);
                known((value != Value::Null).then(|| list.iter().any(is_it)))
            }
        }
    }
}

fn known(truth: Option<bool>) -> Value {
    truth.map_or(Value::Null, |truth| Value::Integer(i64::from(truth)))
}

impl Comparison {
    fn holds(self, a: &Value, b: &Value) -> Option<bool> {
        if self == Self::Is {
            let both_null = *a == Value::Null && *b == Value::Null;
            return Some(both_null || a.compare(b) == Some(Ordering::Equal));
        }
        if matches!(self, Self::Like | Self::Glob) {
            let (text, pattern) = (a.text()?, b.text()?);
            return Some(self.matches(&text, &pattern));
        }
        let order = a.compare(b)?;
        Some(match self {
            Self::Equal => order.is_eq(),
            Self::Different => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            _ => order.is_ge(),
        })
    }

    /// `LIKE` folds ASCII case and takes `%` and `_`; `GLOB` takes `*` and `?`.
    fn matches(self, text: &str, pattern: &str) -> bool {
        let fold = |text: &str| -> Vec<char> {
            if self == Self::Like {
                text.to_ascii_lowercase().chars().collect()
            } else {
                text.chars().collect()
            }
        };
        let (any, one) = if self == Self::Like {
            ('%', '_')
        } else {
            ('*', '?')
        };
        is_match(&fold(text), &fold(pattern), any, one)
    }
}

/// Backtracks to the last `any` only, so that time is bounded by the product of the lengths.
fn is_match(text: &[char], pattern: &[char], any: char, one: char) -> bool {
    let (mut at, mut of) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(c) = text.get(at) {
        match pattern.get(of) {
            Some(p) if *p == any => {
                retry = Some((at, of + 1));
                of += 1;
            }
            Some(p) if *p == one || p == c => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((from, after)) = retry else {
                    return false;
                };
                retry = Some((from + 1, after));
                (at, of) = (from + 1, after);
            }
        }
    }
    pattern
        .get(of..)
        .unwrap_or_default()
        .iter()
        .all(|p| *p == any)
}

struct Parser<'a> {
    words: &'a [Token],
    columns: &'a [&'static str],
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Expression, SqlError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SqlError::Depth);
        }
        let mut left = self.all()?;
        while self.word("OR") {
            left = Expression::Or(Box::new(left), Box::new(self.all()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn all(&mut self) -> Result<Expression, SqlError> {
        let mut left = self.not()?;
        while self.word("AND") {
            left = Expression::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression, SqlError> {
        let mut negated = false;
        while self.word("NOT") {
            negated = !negated;
        }
        let inner = self.comparison()?;
        Ok(if negated { negate(inner) } else { inner })
    }

    fn comparison(&mut self) -> Result<Expression, SqlError> {
        let left = self.operand()?;
        if self.word("ISNULL") {
            return Ok(Expression::IsNull(Box::new(left)));
        }
        if self.word("NOTNULL") {
            return Ok(negate(Expression::IsNull(Box::new(left))));
        }
        if self.word("IS") {
            let negated = self.word("NOT");
            let right = self.operand()?;
            let is = Expression::Compare(Box::new(left), Comparison::Is, Box::new(right));
            return Ok(if negated { negate(is) } else { is });
        }
        if let Some(Token::Sign(sign)) = self.words.first()
            && let Some((_, comparison)) = COMPARISONS.iter().find(|(known, _)| known == sign)
        {
            self.next();
            let right = self.operand()?;
            return Ok(Expression::Compare(
                Box::new(left),
                *comparison,
                Box::new(right),
            ));
        }
        let negated = self.word("NOT");
        let tested = self.worded(left)?;
        Ok(if negated { negate(tested) } else { tested })
    }

    /// `LIKE`, `GLOB`, `IN` and `BETWEEN`; without one, the operand itself.
    fn worded(&mut self, left: Expression) -> Result<Expression, SqlError> {
        for (word, comparison) in [("LIKE", Comparison::Like), ("GLOB", Comparison::Glob)] {
            if self.word(word) {
                let right = self.operand()?;
                return Ok(Expression::Compare(
                    Box::new(left),
                    comparison,
                    Box::new(right),
                ));
            }
        }
        if self.word("IN") {
            self.sign("(")?;
            let mut list = Vec::new();
            while self.sign(")").is_err() {
                if !list.is_empty() {
                    self.sign(",")?;
                }
                list.push(self.operand()?);
            }
            return Ok(Expression::In(Box::new(left), list));
        }
        if self.word("BETWEEN") {
            let low = self.operand()?;
            if !self.word("AND") {
                return Err(self.unexpected());
            }
            let high = self.operand()?;
            let from = Expression::Compare(
                Box::new(left.clone()),
                Comparison::GreaterOrEqual,
                Box::new(low),
            );
            let to = Expression::Compare(Box::new(left), Comparison::LessOrEqual, Box::new(high));
            return Ok(Expression::And(Box::new(from), Box::new(to)));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expression, SqlError> {
        let Some(token) = self.words.first().cloned() else {
            return Err(SqlError::Incomplete);
        };
        self.next();
        Ok(Expression::Literal(match token {
            Token::Text(text) => Value::Text(text),
            Token::Integer(number) => Value::Integer(number),
            Token::Real(number) => Value::Real(number),
            Token::Sign("-") => match self.operand()? {
                Expression::Literal(Value::Integer(number)) => {
                    Value::Integer(number.saturating_neg())
                }
                Expression::Literal(Value::Real(number)) => Value::Real(-number),
                _ => {
                    return Err(SqlError::Syntax {
                        near: "-".to_owned(),
                    });
                }
            },
            Token::Sign("(") => {
                let inner = self.any()?;
                self.sign(")")?;
                return Ok(inner);
            }
            Token::Word(word) if word.eq_ignore_ascii_case("null") => Value::Null,
            Token::Word(word) => return self.column(&word),
            // SQLite takes an unknown quoted name for a text.
            Token::Quoted(word) => match self.column(&word) {
                Ok(column) => return Ok(column),
                Err(_) => Value::Text(word),
            },
            sign @ Token::Sign(_) => return Err(near(&sign)),
        }))
    }

    fn column(&mut self, word: &str) -> Result<Expression, SqlError> {
        if self.words.first() == Some(&Token::Sign("(")) {
            let name = word.to_owned();
            return Err(SqlError::Function { name });
        }
        let known = |name: &&&str| name.eq_ignore_ascii_case(word);
        match self.columns.iter().find(known) {
            Some(name) => Ok(Expression::Column(name)),
            None => Err(SqlError::Column {
                name: word.to_owned(),
            }),
        }
    }

    fn word(&mut self, keyword: &str) -> bool {
        let found = matches!(self.words.first(),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        if found {
            self.next();
        }
        found
    }

    fn sign(&mut self, sign: &'static str) -> Result<(), SqlError> {
        if self.words.first() == Some(&Token::Sign(sign)) {
            self.next();
            return Ok(());
        }
        Err(self.unexpected())
    }

    fn unexpected(&self) -> SqlError {
        self.words.first().map_or(SqlError::Incomplete, near)
    }

    fn next(&mut self) {
        self.words = self.words.get(1..).unwrap_or_default();
    }
}

fn negate(expression: Expression) -> Expression {
    Expression::Not(Box::new(expression))
}

fn near(token: &Token) -> SqlError {
    let near = match token {
        Token::Word(word) | Token::Quoted(word) => word.clone(),
        Token::Text(text) => format!("'{text}'"),
        Token::Integer(number) => number.to_string(),
        Token::Real(number) => number.to_string(),
        Token::Sign(sign) => (*sign).to_owned(),
    };
    SqlError::Syntax { near }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COLUMNS: &[&str] = &["_id", "address", "body", "date", "person"];

    fn row(name: &str) -> Value {
        match name {
            "_id" => Value::Integer(7),
            "address" => Value::from("+447700900123"),
            "body" => Value::from("It's 5 o'clock"),
            "date" => Value::Integer(1_406_001_101_000),
            _ => Value::Null,
        }
    }

    /// Expected truths as sqlite3 3.40 gives them for `SELECT 1 FROM t WHERE …` over the same row.
    #[test]
    fn selects_what_sqlite_selects() {
        let cases = [
            ("_id=7", true),
            ("_id='7'", true),
            ("_ID = 8 or address='+447700900123'", true),
            ("body = 'It''s 5 o''clock'", true),
            ("body LIKE 'it%CLOCK'", true),
            ("body LIKE 'it_s%' and not _id in (1, 2)", true),
            ("body GLOB 'it*'", false),
            ("person IS NULL AND person IS NOT 3", true),
            ("person = NULL", false),
            ("person <> 3", false),
            ("not person = 3", false),
            ("date > 1406001100999 AND date<=1406001101000", true),
            ("date between 1 and 2", false),
            ("_id=-7 OR (_id >= 7 AND \"body\" NOTNULL)", true),
            ("address not like '%124'", true),
            ("1", true),
            ("0 or '0'", false),
        ];
        for (text, expected) in cases {
            let parsed = Expression::parse(text, COLUMNS).unwrap();
            assert_eq!(parsed.selects(&row), expected, "{text}");
        }
    }

    #[test]
    fn tells_what_sqlite_tells() {
        let cases = [
            ("nothing=1", "no such column: nothing (code 1)"),
            ("_id=", "incomplete input (code 1)"),
            ("_id 7", "near \"7\": syntax error (code 1)"),
            ("_id=7)", "near \")\": syntax error (code 1)"),
            ("upper(body)='x'", "no such function: upper (code 1)"),
        ];
        for (text, expected) in cases {
            let error = Expression::parse(text, COLUMNS).unwrap_err();
            assert_eq!(error.to_string(), expected, "{text}");
        }
        let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(Expression::parse(&deep, COLUMNS), Err(SqlError::Depth));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[ ()'\"=<>a-z_0-9%,.-]{0,80}") {
            if let Ok(expression) = Expression::parse(&text, COLUMNS) {
                expression.selects(&row);
            }
        }
    }
}
