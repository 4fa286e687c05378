//! The shell's variables, `local` ones included. Special parameters (`$?`, `$1`) are the shell's own.

use crate::adapters::virtual_handset::kernel::process::Process;
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes all values of one shell may hold together, roughly.
const MAX_VALUE: usize = 16 << 20;

/// One variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variable {
    /// `None` when it was declared and not assigned.
    pub(crate) value: Option<String>,
    pub(crate) exported: bool,
    pub(crate) read_only: bool,
}

/// All variables of a shell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    map: BTreeMap<String, Variable>,
    /// What `local` shadows, a level for each function under way.
    shadowed: Vec<Vec<(String, Option<Variable>)>>,
    /// When `SECONDS` was zero.
    pub(crate) started: Duration,
}

/// A variable that must not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadOnly;

impl Variables {
    /// The environment's variables, exported, and those every shell has.
    pub(crate) fn from_environment(process: &Process, started: Duration) -> Self {
        let mut variables = Self {
            started,
            ..Self::default()
        };
        for (name, value) in &process.environment {
            let variable = Variable {
                value: Some(value.clone()),
                exported: true,
                read_only: false,
            };
            variables.map.insert(name.clone(), variable);
        }
        for (name, value) in [
            ("COLUMNS", "80".to_owned()),
            ("IFS", " \t\n".to_owned()),
            ("LINES", "24".to_owned()),
            ("OPTIND", "1".to_owned()),
            ("PPID", process.parent.to_string()),
            (
                "PS1",
                if process.user.is_root() { "# " } else { "$ " }.to_owned(),
            ),
            ("PS2", "> ".to_owned()),
            ("PS4", "+ ".to_owned()),
            ("PWD", process.directory.clone()),
            ("USER_ID", process.user.uid.to_string()),
        ] {
            let variable = variables.map.entry(name.to_owned()).or_default();
            variable.value = Some(value);
        }
        variables
    }

    /// A value; `None` when unset.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.map.get(name)?.value.as_deref()
    }

    /// Assigns.
    pub(crate) fn assign(&mut self, name: &str, value: impl Into<String>) -> Result<(), ReadOnly> {
        let variable = self.map.entry(name.to_owned()).or_default();
        if variable.read_only {
            return Err(ReadOnly);
        }
        let mut value: String = value.into();
        if value.len() > MAX_VALUE {
            let whole = (0..=MAX_VALUE).rev().find(|at| value.is_char_boundary(*at));
            value.truncate(whole.unwrap_or(0));
        }
        variable.value = Some(value);
        Ok(())
    }

    /// Makes a variable known to children.
    pub(crate) fn export(&mut self, name: &str) {
        self.map.entry(name.to_owned()).or_default().exported = true;
    }

    /// Makes a variable unchangeable.
    pub(crate) fn protect(&mut self, name: &str) {
        self.map.entry(name.to_owned()).or_default().read_only = true;
    }

    /// Forgets a variable.
    pub(crate) fn unset(&mut self, name: &str) -> Result<(), ReadOnly> {
        if self.map.get(name).is_some_and(|v| v.read_only) {
            return Err(ReadOnly);
        }
        self.map.remove(name);
        Ok(())
    }

    /// What children see.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        self.map
            .iter()
            .filter(|(_, variable)| variable.exported)
            .filter_map(|(name, variable)| Some((name.clone(), variable.value.clone()?)))
            .collect()
    }

    /// All, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Variable)> {
        self.map.iter()
    }

    /// A function begins.
    pub(crate) fn push_level(&mut self) {
        self.shadowed.push(Vec::new());
    }

    /// A function ends: what it shadowed comes back.
    pub(crate) fn pop_level(&mut self) {
        for (name, old) in self.shadowed.pop().into_iter().flatten().rev() {
            self.put_back(name, old);
        }
    }

    /// Shadows a variable until the function ends; outside of one it stays as it is.
    pub(crate) fn localize(&mut self, name: &str) {
        if let Some(level) = self.shadowed.last_mut()
            && !level.iter().any(|(shadowed, _)| shadowed == name)
        {
            level.push((name.to_owned(), self.map.remove(name)));
        }
    }

    /// One variable as it is, to be put back later.
    pub(crate) fn save(&self, name: &str) -> Option<Variable> {
        self.map.get(name).cloned()
    }

    /// Puts a variable back as it was.
    pub(crate) fn put_back(&mut self, name: String, old: Option<Variable>) {
        match old {
            Some(variable) => self.map.insert(name, variable),
            None => self.map.remove(&name),
        };
    }
}
