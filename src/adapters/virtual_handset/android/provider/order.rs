//! `ORDER BY … LIMIT …`, as `content --sort` takes it.

use super::expression::SqlError;
use super::token::{Token, tokens};
use super::value::Value;
use std::cmp::Ordering;

/// A parsed sort order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// Column and whether it descends.
    columns: Vec<(&'static str, bool)>,
    /// Rows at most.
    pub(crate) limit: Option<usize>,
}

impl Order {
    /// Parses a sort order over these columns.
    pub(crate) fn parse(text: &str, columns: &[&'static str]) -> Result<Self, SqlError> {
        let words = tokens(text).map_err(|near| SqlError::Syntax { near })?;
        let mut order = Self::default();
        let mut words = words.into_iter().peekable();
        while let Some(token) = words.next() {
            match token {
                Token::Sign(",") if !order.columns.is_empty() => {}
                Token::Word(word) if word.eq_ignore_ascii_case("desc") => order.descend(),
                Token::Word(word) if word.eq_ignore_ascii_case("asc") => {}
                Token::Word(word) if word.eq_ignore_ascii_case("collate") => {
                    words.next();
                }
                Token::Word(word) if word.eq_ignore_ascii_case("limit") => {
                    let Some(Token::Integer(limit)) = words.next() else {
                        return Err(SqlError::Incomplete);
                    };
                    order.limit = usize::try_from(limit).ok();
                }
                Token::Word(word) | Token::Quoted(word) => {
                    let known = |name: &&&str| name.eq_ignore_ascii_case(&word);
                    match columns.iter().find(known) {
                        Some(name) => order.columns.push((name, false)),
                        None => return Err(SqlError::Column { name: word }),
                    }
                }
                _ => {
                    return Err(SqlError::Syntax {
                        near: text.to_owned(),
                    });
                }
            }
        }
        Ok(order)
    }

    /// How two rows are ordered, each given by its values.
    pub(crate) fn compare(&self, a: impl Fn(&str) -> Value, b: impl Fn(&str) -> Value) -> Ordering {
        self.columns
            .iter()
            .map(|(column, descends)| {
                let order = a(column).sort_key(&b(column));
                if *descends { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    fn descend(&mut self) {
        if let Some((_, descends)) = self.columns.last_mut() {
            *descends = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_columns_directions_and_a_limit() {
        let columns = &["_id", "date"];
        let order = Order::parse("date DESC, _id asc LIMIT 3", columns).unwrap();
        assert_eq!(order.limit, Some(3));
        let row = |id: i64, date: i64| {
            move |name: &str| Value::from(if name == "_id" { id } else { date })
        };
        assert_eq!(order.compare(row(1, 5), row(2, 5)), Ordering::Less);
        assert_eq!(order.compare(row(1, 5), row(2, 6)), Ordering::Greater);
        assert!(Order::parse("nothing", columns).is_err());
        assert!(Order::parse("date LIMIT", columns).is_err());
        assert!(Order::parse("=", columns).is_err());
    }
}
