//! Intents: read from `am`'s options, resolved against the firmware's activities, shown as Android shows them.

use super::answer::Words;
use crate::adapters::virtual_handset::firmware::model::{Activity, Component, Firmware, Screen};
use std::collections::BTreeMap;

/// An intent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) action: Option<String>,
    pub(super) data: Option<String>,
    kind: Option<String>,
    categories: Vec<String>,
    package: Option<String>,
    flags: u32,
    pub(super) component: Option<Component>,
    pub(super) extras: BTreeMap<String, String>,
}

/// How `am start` waits and stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Manner {
    /// `-W`
    pub(super) waits: bool,
    /// `-S`
    pub(super) stops_first: bool,
}

/// What the launcher sends.
const MAIN: &str = "android.intent.action.MAIN";
const LAUNCHER: &str = "android.intent.category.LAUNCHER";

/// Extras of one intent.
const MAX_EXTRAS: usize = 200;

/// Options that take one word, and say nothing here.
const WITH_WORD: &[&str] = &[
    "-P",
    "--start-profiler",
    "--sampling",
    "-R",
    "--windowingMode",
    "--display",
    "--activityType",
    "--task",
    "--receiver-permission",
];

/// Options that stand alone, and say nothing here.
const ALONE: &[&str] = &[
    "-D",
    "-N",
    "--opengl-trace",
    "--track-allocation",
    "--selector",
    "--lock-task",
    "--streaming",
    "--attach-agent",
];

impl Intent {
    /// Reads `am`'s options and what follows them. An error is what `am` tells.
    pub(super) fn parse(words: &mut Words<'_>) -> Result<(Self, Manner), String> {
        let mut intent = Self::default();
        let mut manner = Manner::default();
        while let Some(option) = words.option() {
            intent.option(option, words, &mut manner)?;
        }
        if let Some(word) = words.next() {
            intent.operand(word);
        }
        let says_something = intent.action.is_some()
            || intent.data.is_some()
            || intent.kind.is_some()
            || intent.component.is_some()
            || intent.package.is_some()
            || !intent.categories.is_empty();
        if says_something {
            Ok((intent, manner))
        } else {
            Err("No intent supplied".to_owned())
        }
    }

    fn option(
        &mut self,
        option: &str,
        words: &mut Words<'_>,
        manner: &mut Manner,
    ) -> Result<(), String> {
        let mut required = || {
            let word = words.next().map(str::to_owned);
            word.ok_or_else(|| format!("Argument expected after \"{option}\""))
        };
        match option {
            "-a" => self.action = Some(required()?),
            "-d" => self.data = Some(required()?),
            "-t" => self.kind = Some(required()?),
            "-c" => self.categories.push(required()?),
            "-p" => self.package = Some(required()?),
            "-n" => {
                let word = required()?;
                let component = Component::parse(&word);
                self.component =
                    Some(component.ok_or_else(|| format!("Bad component name: {word}"))?);
            }
            "-f" => {
                let word = required()?;
                let number = match word.strip_prefix("0x") {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => word.parse(),
                };
                self.flags = number.map_err(|_| format!("For input string: \"{word}\""))?;
            }
            "--esn" => {
                let key = required()?;
                self.extra(key, String::new());
            }
            "-e" | "--es" | "--ei" | "--el" | "--ef" | "--ez" | "--eu" | "--ecn" | "--eia"
            | "--ela" | "--efa" | "--esa" => {
                let (key, value) = (required()?, required()?);
                let is_number = value.parse::<i64>().is_ok();
                if matches!(option, "--ei" | "--el") && !is_number {
                    return Err(format!("For input string: \"{value}\""));
                }
                self.extra(key, value);
            }
            "-W" => manner.waits = true,
            "-S" => manner.stops_first = true,
            "--user" => {
                required()?;
            }
            other if WITH_WORD.contains(&other) => {
                required()?;
            }
            other
                if ALONE.contains(&other)
                    || [
                        "--activity-",
                        "--grant-",
                        "--receiver-",
                        "--exclude-",
                        "--include-",
                        "--debug-",
                    ]
                    .iter()
                    .any(|prefix| other.starts_with(prefix)) => {}
            other => return Err(format!("Unknown option: {other}")),
        }
        Ok(())
    }

    /// What follows the options: a URI, a component or a package.
    fn operand(&mut self, word: &str) {
        if word.contains(':') {
            self.data.get_or_insert_with(|| word.to_owned());
            self.action
                .get_or_insert_with(|| "android.intent.action.VIEW".to_owned());
            return;
        }
        if word.contains('/') {
            self.component = Component::parse(word);
        } else {
            self.package = Some(word.to_owned());
        }
        self.action.get_or_insert_with(|| MAIN.to_owned());
        if self.categories.is_empty() {
            self.categories.push(LAUNCHER.to_owned());
        }
    }

    fn extra(&mut self, key: String, value: String) {
        if self.extras.len() < MAX_EXTRAS {
            self.extras.insert(key, value);
        }
    }

    /// The activity it opens.
    pub(super) fn resolve<'a>(&self, firmware: &'a Firmware) -> Option<&'a Activity> {
        if let Some(component) = &self.component {
            let is_it = |activity: &&Activity| activity.component == *component;
            return firmware.activities.iter().find(is_it);
        }
        let scheme = self.data.as_deref().and_then(|data| data.split_once(':'));
        let scheme = scheme.map(|(scheme, _)| scheme.to_ascii_lowercase());
        let fits = |activity: &&Activity| {
            let of_package = self
                .package
                .as_ref()
                .is_none_or(|package| *package == activity.component.package);
            // The launcher itself has no entry in the launcher.
            let of_category = (activity.shows == Screen::Home) != self.is_for_launcher();
            of_package
                && (of_category || self.action.as_deref() != Some(MAIN))
                && activity.opens.iter().any(|filter| {
                    Some(&filter.action) == self.action.as_ref() && filter.scheme == scheme
                })
        };
        firmware.activities.iter().find(fits)
    }

    fn is_for_launcher(&self) -> bool {
        self.categories.iter().any(|category| category == LAUNCHER)
    }

    /// The number in `tel:` or `sms:` data.
    pub(super) fn number(&self) -> String {
        let data = self.data.as_deref().unwrap_or_default();
        let rest = data.split_once(':').map_or("", |(_, rest)| rest);
        let number = rest.split('?').next().unwrap_or_default();
        percent_encoding::percent_decode_str(number.trim_start_matches('/'))
            .decode_utf8_lossy()
            .into_owned()
    }

    /// What stands between `{` and `}` in `Intent { … }` (`Intent.toShortString`, made safe).
    pub(super) fn shown(&self) -> String {
        let mut parts = Vec::new();
        if let Some(action) = &self.action {
            parts.push(format!("act={action}"));
        }
        if !self.categories.is_empty() {
            parts.push(format!("cat=[{}]", self.categories.join(",")));
        }
        if let Some(data) = &self.data {
            parts.push(format!("dat={}", safe(data)));
        }
        if let Some(kind) = &self.kind {
            parts.push(format!("typ={kind}"));
        }
        if self.flags != 0 {
            parts.push(format!("flg=0x{:x}", self.flags));
        }
        if let Some(package) = &self.package {
            parts.push(format!("pkg={package}"));
        }
        if let Some(component) = &self.component {
            parts.push(format!("cmp={}", component.short()));
        }
        if !self.extras.is_empty() {
            parts.push("(has extras)".to_owned());
        }
        parts.join(" ")
    }

    /// The same for the log, with the component it went to and the flag that `am` adds.
    pub(super) fn logged(&self, component: &Component) -> String {
        let sent = Self {
            flags: self.flags | 0x1000_0000,
            component: Some(component.clone()),
            ..self.clone()
        };
        sent.shown()
    }
}

/// `Uri.toSafeString`: numbers and addresses are not shown.
fn safe(data: &str) -> String {
    let Some((scheme, rest)) = data.split_once(':') else {
        return data.to_owned();
    };
    let lower = scheme.to_ascii_lowercase();
    if !["tel", "sip", "sms", "smsto", "mailto"].contains(&lower.as_str()) {
        return data.to_owned();
    }
    let hidden = |c| if matches!(c, '-' | '@' | '.') { c } else { 'x' };
    format!("{scheme}:{}", rest.chars().map(hidden).collect::<String>())
}
