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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::compare::compare;
    use crate::outcome::comparison::Comparison;
    use crate::outcome::fixture::{
        ACCOUNT_HOST, CLOUD, STORE, expectation, finding, flow, observed, opaque, persona,
        scenario, variant,
    };
    use crate::outcome::judge::judge;
    use crate::outcome::observed::Observed;
    use crate::outcome::record_variant::record_variant;
    use crate::scenario::expectation::DatumRef;
    use crate::scenario::permission::Permission;
    use crate::scenario::toggle::ToggleState;

    const SUBJECT: Subject<'_> = Subject {
        scenario: "cloud-messaging",
        profile: "armani-JHCCNBF13.0",
        variant: "cloud_messaging-off",
    };

    fn golden(observed: &Observed) -> SnapFile {
        let mut scenario = scenario();
        let mut silent = expectation("silent");
        silent.never_sent = vec![DatumRef::Id("imei-1".to_owned())];
        scenario.expect.push(silent);
        let variant = variant(ToggleState::Off);
        let verdicts = judge(&scenario, &variant, &persona(), observed);
        let record = record_variant(&variant, &persona(), observed, &verdicts);
        snapshot(&SUBJECT, &record).unwrap()
    }

    fn leaking() -> Observed {
        let mut seen = observed(ToggleState::Off);
        seen.permissions = [Permission::Sms, Permission::Root].into();
        seen.saw(opaque(Some(STORE), Some("play.example.net")), &[]);
        seen.saw(flow(Some(CLOUD), Some(ACCOUNT_HOST)), &["imei-1", "imei-1"]);
        seen
    }

    #[test]
    fn states_the_outcome() {
        let expected = "\
---
expression: cloud-messaging/armani-JHCCNBF13.0/cloud_messaging-off
---
schema: phonehome/golden/1
scenario: cloud-messaging
profile: armani-JHCCNBF13.0
variant: cloud_messaging-off
verdict: fail
settings:
- toggle: cloud_messaging
  found: on
  became: off
permissions:
- root
- sms
expectations:
- id: silent
  verdict: fail
  because:
  - com.android.vending sent opaque bytes to play.example.net, and no `opaque_ok` line names them
  - imei-1 went from com.xiaomi.xmsf to api.account.xiaomi.com (clear)
disclosures:
- datum: imei-1
  app: com.xiaomi.xmsf
  host: api.account.xiaomi.com
  protection: clear
  form: http.query → sha1
  after: steps.1:add_contact
destinations:
- app: com.android.vending
  host: play.example.net
  protection: tls
  content: opaque
- app: com.xiaomi.xmsf
  host: api.account.xiaomi.com
  protection: clear
redactions:
- 'values: their ids stand for them'
- 'times: the step that something came after stands for them'
- 'counts: of bytes, packets, flows and findings'
- 'addresses: of servers whose name is known'
- 'name lookups: unless one carried something'
";
        assert_eq!(golden(&leaking()).render(), expected);
        assert_eq!(
            SUBJECT.file_name(),
            "cloud-messaging/armani-JHCCNBF13.0/cloud_messaging-off.snap"
        );
    }

    #[test]
    fn noise_does_not_show() {
        let one = golden(&leaking());
        let mut other = leaking();
        let seen = other.seen();
        seen.coverage.packets += 7;
        seen.coverage.bytes += 900;
        for flow in &mut seen.flows {
            flow.bytes_out += 10;
            flow.client = "192.168.1.10:51234".to_owned();
            flow.server = "198.51.100.99:80".to_owned();
            flow.first += 1.5;
        }
        for finding in &mut seen.findings {
            finding.at += 1.5;
            finding.offset += 3;
            finding.server = "198.51.100.99:80".to_owned();
        }
        let again = seen.flows[0].clone();
        other.saw(again, &[]);
        let other = golden(&other);
        assert_eq!(
            compare(Some(one.render().as_bytes()), &other, &[]),
            Comparison::Same
        );
    }

    #[test]
    fn outcomes_do_show() {
        type Spoil = fn(&mut Observed);
        let spoils: &[Spoil] = &[
            |o| o.seen().findings[0].chain.push("base64".to_owned()),
            |o| o.seen().findings[0].at += 30.0,
            |o| o.seen().findings.truncate(0),
            |o| o.seen().findings[0].host = Some("other.example".to_owned()),
            |o| o.saw(flow(Some(STORE), Some("new.example")), &[]),
            |o| o.toggles[0].found = None,
            |o| o.permissions.clear(),
        ];
        let reviewed = golden(&leaking()).render();
        for (number, spoil) in spoils.iter().enumerate() {
            let mut other = leaking();
            spoil(&mut other);
            let comparison = compare(Some(reviewed.as_bytes()), &golden(&other), &[]);
            assert!(matches!(comparison, Comparison::Differs { .. }), "{number}");
        }
    }

    #[test]
    fn hostile_names_stay_in_their_place() {
        let names = [
            "\u{1b}[2J",
            "a\nverdict: pass",
            "---",
            "a: b # c",
            "\u{202e}x",
            "'",
            "",
            "- x",
            "*.example",
            "&a",
            "!!binary x",
            "\r\n---\r\n",
            "{{}}",
            "null",
            "1e3",
        ];
        for name in names {
            let mut seen = observed(ToggleState::Off);
            let hostile = flow(Some(name), Some(name));
            seen.saw(hostile.clone(), &[]);
            let mut found = finding("imei-1", &hostile);
            found.chain = vec![name.repeat(300)];
            seen.seen().findings.push(found);
            let file = golden(&seen);
            let read = SnapFile::parse(file.render().as_bytes()).unwrap();
            assert_eq!(read, file, "{name:?}");
            let body: serde_yaml::Value = serde_yaml::from_str(&read.contents).unwrap();
            let app = body["disclosures"][0]["app"].as_str().unwrap();
            assert_eq!(app, printable(name, MAX_TEXT), "{name:?}");
            assert_eq!(body["verdict"], "fail", "{name:?}");
            let is_plain = |c: char| c == '\n' || !c.is_control();
            assert!(file.render().chars().all(is_plain), "{name:?}");
        }
    }
}
