//! The golden of one variant: its outcome, not its noise. Holds ids, never values; no times, no
//! counts. What is left out or replaced is listed in the golden itself, never guessed.

use crate::base::text::printable;
use crate::golden::snap_file::{REVIEWED, SnapFile};
use crate::outcome::run_record::{
    DestinationRecord, DisclosureRecord, ExpectationRecord, SettingRecord, VariantRecord,
};
use crate::outcome::verdict::Verdict;
use serde::Serialize;
use std::collections::BTreeSet;
use thiserror::Error;

/// What the golden's first line says.
pub const SCHEMA: &str = "phonehome/golden/1";

/// The longest text from a handset that a golden repeats, in characters.
const MAX_TEXT: usize = 200;

/// What every golden leaves out or replaces.
const REDACTIONS: &[&str] = &[
    "values: their ids stand for them",
    "times: the step that something came after stands for them",
    "counts: of bytes, packets, flows and findings",
    "addresses: of servers whose name is known",
    "name lookups: unless one carried something",
];

/// Whose golden it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// The device profile.
    pub profile: &'a str,
    /// The variant's name.
    pub variant: &'a str,
}

impl Subject<'_> {
    /// The golden's name below the folder of goldens: `<scenario>/<profile>/<variant>.snap`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}{REVIEWED}", self.expression())
    }

    fn expression(&self) -> String {
        format!("{}/{}/{}", self.scenario, self.profile, self.variant)
    }
}

/// Why a golden could not be written.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The serialiser refused.
    #[error("the outcome cannot be written as YAML")]
    Yaml {
        /// Why.
        #[source]
        source: serde_yaml::Error,
    },
}

/// The golden of `record` as a snapshot file.
pub fn snapshot(subject: &Subject<'_>, record: &VariantRecord) -> Result<SnapFile, SnapshotError> {
    let body = serde_yaml::to_string(&body(subject, record))
        .map_err(|source| SnapshotError::Yaml { source })?;
    Ok(SnapFile::new(&subject.expression(), &body))
}

/// The body, its fields in the order written.
#[derive(Serialize)]
struct Body {
    schema: &'static str,
    scenario: String,
    profile: String,
    variant: String,
    verdict: Verdict,
    settings: Vec<Setting>,
    permissions: Vec<String>,
    expectations: Vec<Expectation>,
    disclosures: Vec<Disclosure>,
    destinations: Vec<Destination>,
    redactions: Vec<String>,
}

#[derive(Serialize)]
struct Setting {
    toggle: String,
    found: String,
    became: String,
}

#[derive(Serialize)]
struct Expectation {
    id: String,
    verdict: Verdict,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    because: BTreeSet<String>,
}

#[derive(Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Disclosure {
    datum: String,
    app: String,
    host: String,
    protection: String,
    form: String,
    after: String,
    #[serde(skip_serializing_if = "is_sent")]
    direction: String,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Destination {
    app: String,
    host: String,
    protection: String,
    #[serde(skip_serializing_if = "is_readable")]
    content: &'static str,
}

const OPAQUE: &str = "opaque";
const READABLE: &str = "readable";

fn is_sent(direction: &str) -> bool {
    direction == "out"
}

fn is_readable(content: &str) -> bool {
    content == READABLE
}

fn body(subject: &Subject<'_>, record: &VariantRecord) -> Body {
    let destinations: BTreeSet<_> = record.destinations.iter().map(destination).collect();
    let fixed = REDACTIONS.iter().map(|redaction| (*redaction).to_owned());
    let found = record.redactions.iter();
    let found = found.map(|id| format!("in names from the traffic: {}", clean(id)));
    Body {
        schema: SCHEMA,
        scenario: clean(subject.scenario),
        profile: clean(subject.profile),
        variant: clean(subject.variant),
        verdict: record.verdict,
        settings: record.settings.iter().map(setting).collect(),
        permissions: sorted(&record.permissions),
        expectations: record.expectations.iter().map(expectation).collect(),
        disclosures: disclosures(&record.disclosures),
        destinations: destinations.into_iter().collect(),
        redactions: fixed.chain(found).collect(),
    }
}

fn setting(setting: &SettingRecord) -> Setting {
    let state = |state: &Option<String>| clean(state.as_deref().unwrap_or("unknown"));
    Setting {
        toggle: clean(&setting.toggle),
        found: state(&setting.found),
        became: state(&setting.became),
    }
}

fn expectation(expectation: &ExpectationRecord) -> Expectation {
    let reasons = expectation.reasons.iter();
    Expectation {
        id: clean(&expectation.id),
        verdict: expectation.verdict,
        because: reasons.map(|reason| clean(&reason.text)).collect(),
    }
}

/// Each once, in the order of the record, which is the order of data, apps, hosts and steps.
fn disclosures(records: &[DisclosureRecord]) -> Vec<Disclosure> {
    let mut seen = BTreeSet::new();
    let all = records.iter().map(|record| Disclosure {
        datum: clean(&record.datum),
        app: clean(&record.app),
        host: clean(&record.host),
        protection: clean(&record.protection),
        form: clean(&record.form),
        after: clean(record.after.as_deref().unwrap_or("start")),
        direction: clean(&record.direction),
    });
    all.filter(|disclosure| seen.insert(disclosure.clone()))
        .collect()
}

fn destination(record: &DestinationRecord) -> Destination {
    Destination {
        app: clean(&record.app),
        host: clean(&record.host),
        protection: clean(&record.protection),
        content: if record.opaque { OPAQUE } else { READABLE },
    }
}

fn sorted(texts: &[String]) -> Vec<String> {
    let texts: BTreeSet<String> = texts.iter().map(|text| clean(text)).collect();
    texts.into_iter().collect()
}

fn clean(text: &str) -> String {
    printable(text, MAX_TEXT).into_owned()
}
