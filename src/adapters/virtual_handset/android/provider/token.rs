//! Splits a `WHERE` or `ORDER BY` into words. SQLite's syntax as far as selections use it.

/// One word of SQL.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or keyword, as written.
    Word(String),
    /// `"name"` or `` `name` `` or `[name]`.
    Quoted(String),
    /// `'text'`
    Text(String),
    Integer(i64),
    Real(f64),
    /// `=`, `<>`, `(` and so on.
    Sign(&'static str),
}

const SIGNS: &[&str] = &[
    "<>", "!=", "<=", ">=", "==", "||", "=", "<", ">", "(", ")", ",", "-", "+", "*", ".",
];

/// Splits, or gives the text at which it is no SQL.
pub(super) fn tokens(mut text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    loop {
        text = text.trim_start();
        let Some(first) = text.chars().next() else {
            return Ok(tokens);
        };
        let (token, rest) = match first {
            '\'' => quoted(text, '\'', Token::Text)?,
            '"' => quoted(text, '"', Token::Quoted)?,
            '`' => quoted(text, '`', Token::Quoted)?,
            '[' => {
                let (name, rest) = text
                    .strip_prefix('[')
                    .and_then(|rest| rest.split_once(']'))
                    .ok_or_else(|| text.to_owned())?;
                (Token::Quoted(name.to_owned()), rest)
            }
            '0'..='9' => number(text),
            c if c.is_alphabetic() || c == '_' => {
                let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                let (word, rest) = split(text, is_word);
                (Token::Word(word.to_owned()), rest)
            }
            _ => SIGNS
                .iter()
                .find_map(|sign| Some((Token::Sign(sign), text.strip_prefix(sign)?)))
                .ok_or_else(|| first.to_string())?,
        };
        tokens.push(token);
        text = rest;
    }
}

/// A doubled quote stands for itself.
fn quoted(text: &str, quote: char, token: fn(String) -> Token) -> Result<(Token, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            value.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            chars.next();
            value.push(quote);
        } else {
            let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
            return Ok((token(value), rest));
        }
    }
    Err(text.to_owned())
}

fn number(text: &str) -> (Token, &str) {
    let (digits, rest) = split(text, |c| c.is_ascii_digit() || c == '.');
    let token = match (digits.parse::<i64>(), digits.parse::<f64>()) {
        (Ok(number), _) => Token::Integer(number),
        (_, Ok(number)) => Token::Real(number),
        _ => Token::Text(digits.to_owned()),
    };
    (token, rest)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}
