//! From words to arguments: substitution, splitting, braces, file names, quote removal.

use super::pattern::{Mark, is_pattern, matches};
use super::state::{Flow, Shell};
use super::syntax::{List, Piece, Word};
use crate::adapters::virtual_handset::files::path::join;
use crate::adapters::virtual_handset::kernel::descriptor::Descriptor;
use crate::adapters::virtual_handset::kernel::process::OUTPUT;
use crate::ports::BoxFuture;
use std::sync::Arc;

/// Characters one word may become.
const MAX_EXPANSION: usize = 8 << 20;
/// Arguments one command may get.
const MAX_FIELDS: usize = 65_536;
/// Words one word with braces may become.
const MAX_BRACES: usize = 1024;

/// Fields under construction.
pub(super) struct Fields {
    done: Vec<Vec<Mark>>,
    current: Option<Vec<Mark>>,
    /// Whether unquoted results are split.
    split: bool,
    separators: Vec<char>,
    /// Whether the script's own text is split too, as in `${x:-a b}`.
    pub(super) split_plain: bool,
    /// Whether blanks have just ended a field.
    after_blank: bool,
    len: usize,
}

impl Fields {
    fn new(split: bool, separators: &str) -> Self {
        Self {
            done: Vec::new(),
            current: None,
            split,
            separators: separators.chars().collect(),
            split_plain: false,
            after_blank: false,
            len: 0,
        }
    }

    /// Adds text of which nothing counts.
    pub(super) fn push_quoted(&mut self, text: &str) {
        self.push(text.chars().map(|c| (c, true)));
    }

    /// Adds text of the script itself: patterns count, it is not split.
    pub(super) fn push_plain(&mut self, text: &str) {
        self.push(text.chars().map(|c| (c, false)));
    }

    fn push(&mut self, marks: impl Iterator<Item = Mark>) {
        let before = self.current.as_ref().map_or(0, Vec::len);
        let current = self.current.get_or_insert_default();
        current.extend(marks);
        self.len += current.len() - before;
        self.after_blank = false;
    }

    /// Adds the unquoted result of an expansion.
    pub(super) fn push_result(&mut self, text: &str) {
        if !self.split {
            if !text.is_empty() {
                self.push_plain(text);
            }
            return;
        }
        self.len += text.len();
        for c in text.chars() {
            if !self.separators.contains(&c) {
                self.current.get_or_insert_default().push((c, false));
                self.after_blank = false;
            } else if c.is_whitespace() {
                if let Some(field) = self.current.take() {
                    self.done.push(field);
                    self.after_blank = true;
                }
            } else if self.current.is_none() && self.after_blank {
                // Blanks beside another separator are one separator with it.
                self.after_blank = false;
            } else {
                self.done.push(self.current.take().unwrap_or_default());
                self.after_blank = false;
            }
        }
    }

    /// Begins a new field, as between the parameters of `"$@"`.
    pub(super) fn next_field(&mut self) {
        if let Some(field) = self.current.take() {
            self.done.push(field);
        }
    }

    /// Whether results are split here.
    pub(super) const fn splits(&self) -> bool {
        self.split
    }

    fn is_too_large(&self) -> bool {
        self.len > MAX_EXPANSION || self.done.len() > MAX_FIELDS
    }

    fn finish(mut self) -> Vec<Vec<Mark>> {
        self.next_field();
        self.done
    }
}

fn text_of(marks: &[Mark]) -> String {
    marks.iter().map(|(c, _)| *c).collect()
}

impl Shell<'_> {
    /// The arguments that words become.
    pub(super) async fn arguments(&mut self, words: &[Word]) -> Result<Vec<String>, Flow> {
        let mut arguments = Vec::new();
        for word in words {
            for word in braces(word) {
                let fields = self.fields(&word, true).await?;
                for field in fields {
                    self.file_names(&field, &mut arguments);
                }
            }
            if arguments.len() > MAX_FIELDS {
                return Err(self.fail("argument list too long", 1).await);
            }
        }
        Ok(arguments)
    }

    /// The one text that a word becomes where nothing is split.
    pub(super) async fn text(&mut self, word: &Word) -> Result<String, Flow> {
        let fields = self.fields(word, false).await?;
        Ok(fields.iter().map(|field| text_of(field)).collect())
    }

    /// The pattern that a word becomes.
    pub(super) async fn pattern(&mut self, word: &Word) -> Result<Vec<Mark>, Flow> {
        Ok(self.fields(word, false).await?.concat())
    }

    async fn fields(&mut self, word: &Word, split: bool) -> Result<Vec<Vec<Mark>>, Flow> {
        let separators = self.state.variables.value("IFS").unwrap_or(" \t\n");
        let mut fields = Fields::new(split, separators);
        let mut pieces = word.0.as_slice();
        if let Some((Piece::Plain(text), rest)) = pieces.split_first()
            && let Some(after) = text.strip_prefix('~')
            && (after.starts_with('/') || (after.is_empty() && rest.is_empty()))
        {
            let home = self.state.variables.value("HOME").unwrap_or("/").to_owned();
            fields.push_quoted(&home);
            fields.push_plain(after);
            pieces = rest;
        }
        self.pieces(pieces, false, &mut fields).await?;
        Ok(fields.finish())
    }

    /// Expands pieces into fields.
    pub(super) fn pieces<'a>(
        &'a mut self,
        pieces: &'a [Piece],
        quoted: bool,
        fields: &'a mut Fields,
    ) -> BoxFuture<'a, Result<(), Flow>> {
        Box::pin(async move {
            for piece in pieces {
                match piece {
                    Piece::Plain(text) if !quoted && fields.split_plain => {
                        fields.push_result(text);
                    }
                    Piece::Plain(text) if !quoted => fields.push_plain(text),
                    Piece::Plain(text) | Piece::Literal(text) => fields.push_quoted(text),
                    Piece::Quoted(inner) => {
                        // `"$@"` without parameters is no field at all; any other `""` is one.
                        if !matches!(inner.as_slice(), [Piece::Parameter(p)] if p.name == "@") {
                            fields.push_quoted("");
                        }
                        self.pieces(inner, true, fields).await?;
                    }
                    Piece::Parameter(parameter) => {
                        self.parameter(parameter, quoted, fields).await?;
                    }
                    Piece::Substitution(list) => {
                        let output = self.substitute(list).await?;
                        if quoted {
                            fields.push_quoted(&output);
                        } else {
                            fields.push_result(&output);
                        }
                    }
                    Piece::Arithmetic(expression) => {
                        let value = self.arithmetic(expression).await?.to_string();
                        if quoted {
                            fields.push_quoted(&value);
                        } else {
                            fields.push_result(&value);
                        }
                    }
                }
                if fields.is_too_large() {
                    return Err(self.fail("out of memory", 1).await);
                }
            }
            Ok(())
        })
    }

    /// The value of an arithmetic word.
    pub(super) async fn arithmetic(&mut self, expression: &Word) -> Result<i32, Flow> {
        let text = self.text(expression).await?;
        self.calculate(&text).await
    }

    /// What a command substitution prints, without the line ends at its end.
    async fn substitute(&mut self, list: &Arc<List>) -> Result<String, Flow> {
        let (reader, writer) = self.process.handset.pipe();
        let mut descriptors = self.process.descriptors.clone();
        descriptors.insert(OUTPUT, Descriptor::Writer(Arc::new(writer)));
        let child = self.fork(Arc::clone(list), descriptors).await?;
        let mut output = Vec::new();
        let mut too_much = false;
        loop {
            let part = self.process.read_pipe(&reader, 65536).await?;
            if part.is_empty() {
                break;
            }
            output.extend_from_slice(&part);
            if output.len() > MAX_EXPANSION {
                too_much = true;
                break;
            }
        }
        drop(reader);
        let status = self.process.wait(&child).await?;
        if too_much {
            return Err(self.fail("out of memory", 1).await);
        }
        self.state.substituted = Some(status.code());
        self.state.status = status.code();
        output.retain(|byte| *byte != 0);
        let text = String::from_utf8_lossy(&output);
        Ok(text.trim_end_matches('\n').to_owned())
    }

    /// The names a field stands for: itself, or the files that match it.
    fn file_names(&self, field: &[Mark], names: &mut Vec<String>) {
        let found = if self.state.options.no_glob || !is_pattern(field) {
            Vec::new()
        } else {
            self.glob(field)
        };
        if found.is_empty() {
            names.push(text_of(field));
        } else {
            names.extend(found);
        }
    }

    fn glob(&self, field: &[Mark]) -> Vec<String> {
        let is_absolute = matches!(field.first(), Some(('/', _)));
        let user = self.process.user.clone();
        let directory = self.process.directory.clone();
        let parts: Vec<&[Mark]> = field
            .split(|(c, _)| *c == '/')
            .filter(|part| !part.is_empty())
            .collect();
        let only_directories = matches!(field.last(), Some(('/', _)));
        let mut found = vec![if is_absolute { "/" } else { "" }.to_owned()];
        self.process.handset.with(|world| {
            for (index, part) in parts.iter().enumerate() {
                let is_last = index + 1 == parts.len();
                let mut next = Vec::new();
                for base in &found {
                    let here = join(&directory, if base.is_empty() { "." } else { base });
                    let candidates: Vec<String> = if is_pattern(part) {
                        let hidden = matches!(part.first(), Some(('.', _)));
                        let entries = world.files.list(&user, &here).unwrap_or_default();
                        entries
                            .into_iter()
                            .map(|(name, _)| name)
                            .filter(|name| hidden || !name.starts_with('.'))
                            .filter(|name| matches(part, &name.chars().collect::<Vec<_>>()))
                            .collect()
                    } else {
                        vec![text_of(part)]
                    };
                    for name in candidates {
                        let path = format!("{base}{name}");
                        let full = join(&directory, &path);
                        let Ok(metadata) = world.files.metadata(&user, &full, !is_last) else {
                            continue;
                        };
                        if is_last && !only_directories {
                            next.push(path);
                        } else if metadata.is_directory() {
                            next.push(format!("{path}/"));
                        }
                        if next.len() > MAX_FIELDS {
                            break;
                        }
                    }
                }
                found = next;
            }
        });
        found
    }
}

/// What `{a,b}` in a word becomes; a word without it stays alone.
fn braces(word: &Word) -> Vec<Word> {
    let mut done = Vec::new();
    let mut pending = vec![word.clone()];
    while let Some(word) = pending.pop() {
        match alternatives(&word) {
            Some(words) if done.len() + pending.len() + words.len() <= MAX_BRACES => {
                pending.extend(words.into_iter().rev());
            }
            _ => done.push(word),
        }
    }
    done
}

/// The first brace group of a word, spelt out.
fn alternatives(word: &Word) -> Option<Vec<Word>> {
    let has_brace = |piece: &Piece| matches!(piece, Piece::Plain(text) if text.contains('{'));
    if !word.0.iter().any(has_brace) {
        return None;
    }
    // One character of the script per unit; everything quoted or expanded is one unit.
    let mut units: Vec<Piece> = Vec::new();
    for piece in &word.0 {
        match piece {
            Piece::Plain(text) => units.extend(text.chars().map(|c| Piece::Plain(c.to_string()))),
            other => units.push(other.clone()),
        }
    }
    let is = |unit: &Piece, c: &str| matches!(unit, Piece::Plain(text) if text == c);
    for open in (0..units.len()).filter(|at| units.get(*at).is_some_and(|u| is(u, "{"))) {
        let (mut depth, mut cuts) = (0usize, vec![open]);
        for (at, unit) in units.iter().enumerate().skip(open + 1) {
            if is(unit, "{") {
                depth += 1;
            } else if is(unit, ",") && depth == 0 {
                cuts.push(at);
            } else if is(unit, "}") && depth > 0 {
                depth -= 1;
            } else if is(unit, "}") {
                cuts.push(at);
                if cuts.len() < 3 {
                    break;
                }
                let head = units.get(..open)?;
                let tail = units.get(at + 1..)?;
                let spell = |pair: &[usize]| {
                    let [from, to] = pair else { return None };
                    let middle = units.get(from + 1..*to)?;
                    Some(joined([head, middle, tail].concat()))
                };
                return cuts.windows(2).map(spell).collect();
            }
        }
    }
    None
}

/// Units put together again.
fn joined(units: Vec<Piece>) -> Word {
    let mut pieces: Vec<Piece> = Vec::new();
    for unit in units {
        match (pieces.last_mut(), unit) {
            (Some(Piece::Plain(text)), Piece::Plain(more)) => text.push_str(&more),
            (_, unit) => pieces.push(unit),
        }
    }
    Word(pieces)
}
