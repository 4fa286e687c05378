//! `$name` and `${name…}`: special parameters, defaults, trimming, replacing, slicing.

use super::arithmetic::{ArithmeticError, Names, evaluate};
use super::expansion::Fields;
use super::pattern::{Mark, matches};
use super::state::{Flow, Shell, State};
use super::syntax::{Change, Parameter, Word};
use crate::ports::BoxFuture;
use rand::RngCore;

/// Characters in which trimming and replacing look for patterns; longer values stay as they are.
const MAX_SEARCHED: usize = 65_536;

impl Names for State {
    fn value(&self, name: &str) -> Option<String> {
        self.variables.value(name).map(str::to_owned)
    }

    fn assign(&mut self, name: &str, value: String) -> Result<(), ArithmeticError> {
        self.variables
            .assign(name, value)
            .map_err(|_| ArithmeticError(format!("{name} applied to read-only variable")))
    }
}

impl Shell<'_> {
    /// The value of an expression's text; an error ends the shell.
    pub(super) async fn calculate(&mut self, text: &str) -> Result<i32, Flow> {
        for special in ["RANDOM", "SECONDS"] {
            if text.contains(special)
                && let Some(value) = self.value(special)
            {
                // Neither can be read-only.
                self.state.variables.assign(special, value).ok();
            }
        }
        match evaluate(text, &mut self.state) {
            Ok(value) => Ok(value),
            Err(error) => {
                let message = format!("{}: {}", text.trim(), error.0);
                Err(self.fail(&message, 1).await)
            }
        }
    }

    /// A parameter's value; `None` when unset. `@` and `*` are joined.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let state = &self.state;
        match name {
            "?" => Some(state.status.to_string()),
            "$" => Some(state.shell_pid.to_string()),
            "!" => Some(
                state
                    .background
                    .map_or_else(String::new, |pid| pid.to_string()),
            ),
            "#" => Some(state.positional.len().to_string()),
            "-" => Some(self.option_letters()),
            "0" => Some(state.name.clone()),
            "@" | "*" => {
                let separator = match state.variables.value("IFS") {
                    None => Some(' '),
                    Some(ifs) => ifs.chars().next(),
                };
                let separator = separator.map(String::from).unwrap_or_default();
                (!state.positional.is_empty()).then(|| state.positional.join(&separator))
            }
            "RANDOM" => {
                let drawn = self.process.handset.with(|world| world.random.next_u32());
                Some((drawn & 0x7fff).to_string())
            }
            "SECONDS" => {
                let now = self.process.handset.with(|world| world.uptime());
                let since = now.saturating_sub(state.variables.started);
                Some(since.as_secs().to_string())
            }
            "EPOCHREALTIME" => {
                let now = self.process.handset.with(|world| world.unix_nanoseconds());
                let micros = now.rem_euclid(1_000_000_000) / 1000;
                Some(format!("{}.{micros:06}", now.div_euclid(1_000_000_000)))
            }
            "LINENO" => Some(state.line.to_string()),
            "KSH_VERSION" if self.is_old() => Some("@(#)MIRBSD KSH R43 2013/02/22".to_owned()),
            "KSH_VERSION" => Some("@(#)MIRBSD KSH R59 2020/10/31 Android".to_owned()),
            _ => match name.parse::<usize>() {
                Ok(number) => state.positional.get(number.checked_sub(1)?).cloned(),
                Err(_) => state.variables.value(name).map(str::to_owned),
            },
        }
    }

    fn option_letters(&self) -> String {
        let options = self.state.options;
        [
            (options.export_all, 'a'),
            (options.exit_on_error, 'e'),
            (options.no_glob, 'f'),
            (true, 'h'),
            (options.interactive, 'i'),
            (options.no_unset, 'u'),
            (options.trace, 'x'),
        ]
        .into_iter()
        .filter_map(|(on, letter)| on.then_some(letter))
        .collect()
    }

    /// Expands a parameter into fields.
    pub(super) fn parameter<'a>(
        &'a mut self,
        parameter: &'a Parameter,
        quoted: bool,
        fields: &'a mut Fields,
    ) -> BoxFuture<'a, Result<(), Flow>> {
        Box::pin(async move {
            if let Change::Bad(text) = &parameter.change {
                let message = format!("{text}: bad substitution");
                return Err(self.fail(&message, 1).await);
            }
            let value = self.value(&parameter.name);
            let is_all = parameter.name == "@" || (parameter.name == "*" && !quoted);
            if let (true, Change::None) = (is_all && (fields.splits() || quoted), &parameter.change)
            {
                self.all_positional(quoted, fields);
                return Ok(());
            }
            if let Change::Default {
                operator,
                empty_counts,
                word,
            } = &parameter.change
            {
                let empty = *empty_counts && value.as_deref() == Some("");
                let usable = value.filter(|_| !empty);
                return self
                    .default(&parameter.name, *operator, usable, word, quoted, fields)
                    .await;
            }
            let is_special = matches!(parameter.name.as_str(), "@" | "*");
            if value.is_none() && self.state.options.no_unset && !is_special {
                let message = format!("{}: parameter not set", parameter.name);
                return Err(self.fail(&message, 1).await);
            }
            let changed = self
                .changed(
                    &parameter.change,
                    &parameter.name,
                    value.unwrap_or_default(),
                )
                .await?;
            if quoted {
                fields.push_quoted(&changed);
            } else {
                fields.push_result(&changed);
            }
            Ok(())
        })
    }

    fn all_positional(&self, quoted: bool, fields: &mut Fields) {
        for (index, value) in self.state.positional.iter().enumerate() {
            if index > 0 {
                fields.next_field();
            }
            if quoted {
                fields.push_quoted(value);
            } else {
                fields.push_result(value);
            }
        }
    }

    async fn default(
        &mut self,
        name: &str,
        operator: char,
        value: Option<String>,
        word: &Word,
        quoted: bool,
        fields: &mut Fields,
    ) -> Result<(), Flow> {
        match (operator, value) {
            ('+', Some(_)) | ('-', None) => {
                let splits = fields.splits();
                let outer = std::mem::replace(&mut fields.split_plain, splits);
                let expanded = self.pieces(&word.0, quoted, fields).await;
                fields.split_plain = outer;
                expanded
            }
            ('+', None) => Ok(()),
            (_, Some(value)) => {
                if quoted {
                    fields.push_quoted(&value);
                } else {
                    fields.push_result(&value);
                }
                Ok(())
            }
            ('=', None) => {
                let value = self.text(word).await?;
                if self.state.variables.assign(name, value.clone()).is_err() {
                    return Err(self.fail(&format!("read-only: {name}"), 2).await);
                }
                if quoted {
                    fields.push_quoted(&value);
                } else {
                    fields.push_result(&value);
                }
                Ok(())
            }
            (_, None) => {
                let text = self.text(word).await?;
                let why = if text.is_empty() {
                    "parameter null or not set"
                } else {
                    &text
                };
                Err(self.fail(&format!("{name}: {why}"), 1).await)
            }
        }
    }

    async fn changed(
        &mut self,
        change: &Change,
        name: &str,
        value: String,
    ) -> Result<String, Flow> {
        Ok(match change {
            Change::Length if matches!(name, "@" | "*") => self.state.positional.len().to_string(),
            Change::Length => value.chars().count().to_string(),
            Change::Trim {
                suffix,
                longest,
                pattern,
            } => {
                let pattern = self.pattern(pattern).await?;
                trim(&value, &pattern, *suffix, *longest)
            }
            Change::Replace {
                all,
                pattern,
                replacement,
            } => {
                let pattern = self.pattern(pattern).await?;
                let replacement = self.text(replacement).await?;
                replace(&value, &pattern, &replacement, *all)
            }
            Change::Slice { offset, length } => {
                let offset = self.arithmetic(offset).await?;
                let length = match length {
                    Some(length) => Some(self.arithmetic(length).await?),
                    None => None,
                };
                slice(&value, offset, length)
            }
            Change::None | Change::Default { .. } | Change::Bad(_) => value,
        })
    }
}

fn trim(value: &str, pattern: &[Mark], suffix: bool, longest: bool) -> String {
    let chars: Vec<char> = value.chars().collect();
    if chars.len() > MAX_SEARCHED {
        return value.to_owned();
    }
    let len = chars.len();
    let cuts: Box<dyn Iterator<Item = usize>> = if longest {
        Box::new((0..=len).rev())
    } else {
        Box::new(0..=len)
    };
    for cut in cuts {
        let (trimmed, kept) = if suffix {
            (chars.get(len - cut..), chars.get(..len - cut))
        } else {
            (chars.get(..cut), chars.get(cut..))
        };
        if matches(pattern, trimmed.unwrap_or_default()) {
            return kept.unwrap_or_default().iter().collect();
        }
    }
    value.to_owned()
}

fn replace(value: &str, pattern: &[Mark], replacement: &str, all: bool) -> String {
    let chars: Vec<char> = value.chars().collect();
    if chars.len() > 4096 || pattern.is_empty() {
        return value.to_owned();
    }
    let (anchor, pattern) = match pattern.split_first() {
        Some(((c @ ('#' | '%'), false), rest)) => (Some(*c), rest),
        _ => (None, pattern),
    };
    let mut result = String::new();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        let may_start = anchor != Some('#') || at == 0;
        let end = (at + 1..=chars.len())
            .rev()
            .filter(|end| anchor != Some('%') || *end == chars.len())
            .find(|end| may_start && matches(pattern, chars.get(at..*end).unwrap_or_default()));
        match end {
            Some(end) => {
                result.push_str(replacement);
                at = end;
                if !all {
                    break;
                }
            }
            None => {
                result.push(*c);
                at += 1;
            }
        }
    }
    result.extend(chars.get(at..).unwrap_or_default());
    result
}

fn slice(value: &str, offset: i32, length: Option<i32>) -> String {
    let chars: Vec<char> = value.chars().collect();
    let len = i64::try_from(chars.len()).unwrap_or(i64::MAX);
    let from = match i64::from(offset) {
        offset if offset < 0 => len + offset,
        offset => offset,
    };
    if from < 0 || from > len {
        return String::new();
    }
    let to = match length.map(i64::from) {
        None => len,
        Some(length) if length < 0 => len + length,
        Some(length) => (from + length).min(len),
    };
    let index = |at: i64| usize::try_from(at).unwrap_or(0);
    let part = chars.get(index(from)..index(to.max(from)));
    part.unwrap_or_default().iter().collect()
}
