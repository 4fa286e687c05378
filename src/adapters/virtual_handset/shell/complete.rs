//! Completing the word before the cursor: commands where one stands, files elsewhere.

use super::builtin::NAMES;
use super::edit::Editor;
use super::state::Shell;

/// Names that are shown at most.
const MAX_SHOWN: usize = 500;

/// What ends a word.
const SEPARATORS: &str = " \t;|&<>()`\"'=";

impl Shell<'_> {
    /// Completes what can only be one thing, as far as that goes; shows what it can be otherwise.
    pub(super) fn complete(&self, editor: &mut Editor<'_>) {
        let before = editor.before_cursor();
        let (head, word) = match before.rfind(|c| SEPARATORS.contains(c)) {
            Some(at) => before.split_at(at + 1),
            None => ("", before.as_str()),
        };
        if before.trim().is_empty() {
            return editor.bell();
        }
        let head = head.trim_end();
        let is_command = head.is_empty() || head.ends_with([';', '|', '&', '(']);
        let (known, names) = match word.rsplit_once('/') {
            None if is_command => (word, self.commands(word)),
            Some((folder, name)) => (name, self.files(&format!("{folder}/"), name)),
            None => (word, self.files(".", word)),
        };
        match names.as_slice() {
            [] => editor.bell(),
            [only] => {
                let rest = only.get(known.len()..).unwrap_or_default();
                editor.insert_text(rest);
                if !only.ends_with('/') {
                    editor.insert_text(" ");
                }
            }
            many => {
                let common = common_start(many);
                match common.get(known.len()..).filter(|rest| !rest.is_empty()) {
                    Some(rest) => editor.insert_text(rest),
                    None => editor.list(&columns(many)),
                }
            }
        }
    }

    /// Builtins and programs that begin so.
    fn commands(&self, start: &str) -> Vec<String> {
        let path = self.state.variables.value("PATH").unwrap_or_default();
        let programs = path.split(':').flat_map(|folder| self.files(folder, start));
        let builtins = NAMES.iter().map(|name| (*name).to_owned());
        let functions = self.state.functions.keys().cloned();
        let mut names: Vec<String> = programs
            .filter(|name| !name.ends_with('/'))
            .chain(
                builtins
                    .chain(functions)
                    .filter(|name| name.starts_with(start)),
            )
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Files of a folder that begin so, folders with a stroke.
    fn files(&self, folder: &str, start: &str) -> Vec<String> {
        let path = self.process.path(folder);
        let user = &self.process.user;
        let handset = &self.process.handset;
        let entries = handset.with(|world| world.files.list(user, &path));
        let wanted = |name: &String| {
            name.starts_with(start) && (!name.starts_with('.') || start.starts_with('.'))
        };
        let mut names: Vec<String> = entries
            .unwrap_or_default()
            .into_iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, found)| {
                let stroke = if found.is_directory() { "/" } else { "" };
                name + stroke
            })
            .collect();
        names.sort();
        names
    }
}

fn common_start(names: &[String]) -> &str {
    let Some((first, rest)) = names.split_first() else {
        return "";
    };
    rest.iter().fold(first.as_str(), |common, name| {
        let same = common.chars().zip(name.chars()).take_while(|(a, b)| a == b);
        let len = same.map(|(c, _)| c.len_utf8()).sum();
        common.get(..len).unwrap_or_default()
    })
}

/// Names in columns of 80.
fn columns(names: &[String]) -> String {
    let width = names.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or(0) + 2;
    let per_line = (80 / width).max(1);
    let shown = names.get(..names.len().min(MAX_SHOWN)).unwrap_or_default();
    let line = |names: &[String]| {
        let cells: String = names.iter().map(|name| format!("{name:<width$}")).collect();
        format!("{}\n", cells.trim_end())
    };
    shown.chunks(per_line).map(line).collect()
}
