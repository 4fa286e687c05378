//! The fault sweep: a small scenario on a virtual handset, and a fault of every kind at every message
//! in both directions. A run ends exactly as undisturbed, or is not a pass and says why; it never
//! panics or hangs; and the handset is as it was, or named, and can be put back.
//!
//! Exempt is what ADB itself cannot notice: without checksums a flipped bit in data, and with delayed
//! acks data that is lost or comes in another order while the connection holds. ADB relies on TCP and
//! USB for that. Such runs have to end and, unless what was planted was itself damaged, to leave the
//! handset restored; those that pass though they differ, and those that accuse the handset, are counted
//! and printed.
//!
//! `cargo test` runs a sample; `.ci/fault-sweep` runs all.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and reads its environment"
)]

mod common;

use common::lab::{self, Lab};
use common::memory_store::MemoryStore;
use phonehome::adapters::fault_injector::{Fault, FaultKind, Faults};
use phonehome::outcome::condition::Condition;
use phonehome::outcome::run_record::RunRecord;
use phonehome::outcome::verdict::Verdict;
use phonehome::wire::adb::packet::Command;
use phonehome::wire::adb::transcript::Direction;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Changes a setting, a contact and a message, and captures packets meanwhile.
const SCENARIO: &str = "\
schema: phonehome/scenario/1
name: small
summary: A contact and a message stay.
persona: { contacts: 1, peers: 1 }
setup:
  - location: on
steps:
  - add_contact: contact-1
  - send_sms: { to: peer-1 }
collect: { logs: [main], netstats: true, packets: auto }
expect:
  - id: stays
    never_sent: [contacts]
    opaque_ok: [{ app: com.android.vending, host: \"*.example.net\" }]
";

/// Version 0x01000000: every payload has its checksum, and every packet waits for its answer.
const CHECKED: &str = "redmi-1s-2014-08";

/// Without checksums and with delayed acks. Nothing in ADB tells then that bytes were changed, or that
/// a packet is missing in the middle of a stream: it relies on TCP and USB for that.
const UNCHECKED: &str = "android-14";

/// What can go unnoticed there.
const UNNOTICED: [FaultKind; 4] = [
    FaultKind::Drop,
    FaultKind::Truncate,
    FaultKind::Corrupt,
    FaultKind::Reorder,
];

/// Whether nothing in ADB could tell that this happened: to data, on a connection that held.
fn is_exempt(firmware: &str, fault: Fault, struck: &[Command], record: &RunRecord) -> bool {
    let handsets = record.handsets.iter();
    let variants = handsets
        .flat_map(|h| &h.scenarios)
        .flat_map(|s| &s.variants);
    let is_lost = record.handsets.iter().any(|h| !h.errors.is_empty())
        || variants
            .into_iter()
            .any(|variant| !variant.recovery.is_empty());
    let is_data = fault.kind == FaultKind::Corrupt || struck == [Command::Write];
    firmware == UNCHECKED && UNNOTICED.contains(&fault.kind) && is_data && !is_lost
}

/// Real time that one run may take before it counts as hung: a hundred times what it takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A fault at a message that did not come: how packets gather varies a little.
const NOT_REACHED: &str = "not reached";

/// What a run without any fault comes to.
struct Undisturbed {
    goldens: MemoryStore,
    essence: Value,
    state: String,
    received: u64,
    sent: u64,
}

fn undisturbed(firmware: &str) -> Undisturbed {
    let goldens = MemoryStore::default();
    // The first run's outcome is what the second one's golden is.
    let first = once(firmware, &goldens);
    lab::accept(&goldens);
    let second = once(firmware, &goldens);
    assert_eq!(first.state, second.state);
    second
}

fn once(firmware: &str, goldens: &MemoryStore) -> Undisturbed {
    lab::runtime().block_on(async {
        let lab = Lab::new(firmware);
        let state = lab.state().await;
        let faults = Faults::new(Vec::new(), 0);
        let record = lab.run(SCENARIO, goldens, &faults).await.unwrap();
        assert_eq!(lab.state().await, state, "{:?}", lab::reasons(&record));
        let conditions = record.conditions();
        let is_new = conditions == [Condition::GoldenMissing].into();
        assert!(
            conditions.is_empty() || is_new,
            "{:?}",
            lab::reasons(&record)
        );
        Undisturbed {
            goldens: goldens.clone(),
            essence: lab::essence(&record),
            state,
            received: faults.messages(Direction::In),
            sent: faults.messages(Direction::Out),
        }
    })
}

/// How a run with this fault ended, in a word; an error says what is wrong with that.
fn judge(
    firmware: &str,
    undisturbed: &Undisturbed,
    fault: Fault,
    seed: u64,
) -> Result<&'static str, String> {
    lab::runtime().block_on(async {
        let goldens = undisturbed.goldens.copy();
        let lab = Lab::new(firmware);
        let faults = Faults::new(vec![fault], seed);
        let Some(record) = lab.run(SCENARIO, &goldens, &faults).await else {
            return Err("the run does not end".to_owned());
        };
        let reasons = lab::reasons(&record);
        if faults.happened().is_empty() {
            // How packets gather varies: the last messages may not come.
            return if record.conditions().is_empty() {
                Ok(NOT_REACHED)
            } else {
                Err(format!("without its fault it ends otherwise: {reasons:?}"))
            };
        }
        if reasons
            .iter()
            .any(|reason| reason.contains("phonehome itself failed"))
        {
            return Err("a panic".to_owned());
        }
        let conditions = record.conditions();
        let is_same = lab::essence(&record) == undisturbed.essence;
        let is_exempt = is_exempt(firmware, fault, &faults.struck(), &record);
        let wrong_pass = conditions.is_empty() && !is_same;
        let is_accused = conditions.contains(&Condition::Fail);
        if !is_exempt && wrong_pass {
            let essence = lab::essence(&record);
            return Err(format!("a pass that differs: {essence:#}"));
        } else if !is_exempt && is_accused {
            return Err(format!("the handset is accused: {reasons:?}"));
        } else if !conditions.is_empty() && reasons.is_empty() && !is_accused {
            return Err(format!("{conditions:?} without a reason"));
        }
        let is_named = lab::needs_restoring(&record);
        let ending = [
            (wrong_pass, "wrong pass (exempt)"),
            (is_accused, "accused (exempt)"),
            (conditions.is_empty(), "undisturbed"),
            (is_named, "to be restored"),
            (
                conditions.contains(&Condition::HandsetFailure),
                "handset failure",
            ),
        ];
        let ending = ending.iter().find(|(is_so, _)| *is_so);
        let ending = ending.map_or("inconclusive", |(_, word)| word);
        let state = lab.state().await;
        let left = lab.restore().await;
        if firmware == UNCHECKED && fault.kind == FaultKind::Corrupt {
            // What was planted may have been corrupted, and is not known by its value any more.
            return Ok(ending);
        }
        if state != undisturbed.state && !is_named {
            return Err(format!(
                "the handset is left changed and not named: {reasons:?}\n{state}"
            ));
        }
        if !left.is_empty() {
            return Err(format!("what cannot be restored: {left:?}"));
        }
        let state = lab.state().await;
        if state == undisturbed.state {
            Ok(ending)
        } else {
            Err(format!("not restored: {state}"))
        }
    })
}

/// Runs every fault in as many threads as there are cores; what went wrong, by fault.
fn sweep(
    firmware: &'static str,
    undisturbed: Undisturbed,
    faults: Vec<Fault>,
    seed: u64,
) -> Vec<String> {
    let undisturbed = Arc::new(undisturbed);
    let count = faults.len();
    let faults = Arc::new(Mutex::new(faults));
    let (sender, receiver) = mpsc::channel();
    let threads = std::thread::available_parallelism().map_or(2, Into::into);
    for _ in 0..threads {
        let (undisturbed, faults) = (Arc::clone(&undisturbed), Arc::clone(&faults));
        let sender = sender.clone();
        std::thread::spawn(move || {
            loop {
                let next = faults.lock().unwrap().pop();
                let Some(fault) = next else { return };
                let wrong = judge(firmware, &undisturbed, fault, seed);
                let _ = sender.send(wrong.map_err(|wrong| format!("{fault}: {wrong}")));
            }
        });
    }
    drop(sender);
    let mut wrong = Vec::new();
    let mut endings: BTreeMap<&str, usize> = BTreeMap::new();
    for done in 0..count {
        match receiver.recv_timeout(PATIENCE) {
            Ok(Ok(ending)) => *endings.entry(ending).or_default() += 1,
            Ok(Err(outcome)) => {
                let _ = writeln!(std::io::stderr(), "{firmware} seed {seed} {outcome}");
                wrong.push(outcome);
            }
            Err(error) => {
                let left = faults.lock().unwrap().len();
                wrong.push(format!(
                    "hung after {done} of {count}, {left} left: {error}"
                ));
                return wrong;
            }
        }
    }
    let missed = endings.get(NOT_REACHED).copied().unwrap_or_default();
    if missed > count / 20 + 1 {
        wrong.push(format!("{missed} of {count} faults did not happen"));
    }
    let _ = writeln!(
        std::io::stderr(),
        "faults: {count} ran on {firmware}, PHONEHOME_FAULT_SEED={seed}: {endings:?}"
    );
    wrong
}

/// Which of all faults are run: a sample whose seed is printed; for `.ci/fault-sweep` all; or those
/// whose name begins as PHONEHOME_FAULT_SWEEP says (`unplug@40:in`).
fn chosen(mut all: Vec<Fault>, sample: usize, seed: u64) -> Vec<Fault> {
    let wanted = std::env::var("PHONEHOME_FAULT_SWEEP").unwrap_or_default();
    if wanted.is_empty() {
        all.shuffle(&mut StdRng::seed_from_u64(seed));
        all.truncate(sample);
    } else if wanted != "all" {
        all.retain(|fault| fault.to_string().starts_with(&wanted));
    }
    all
}

/// The sample is the same each time, unless another seed is asked for.
fn seed() -> u64 {
    match std::env::var("PHONEHOME_FAULT_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => 20_140_810,
    }
}

/// Faults run of each firmware by `cargo test`. In a debug build one takes about a second on two cores
/// that six others share, so that all take less than five minutes.
const SAMPLE: usize = 100;

fn check(firmware: &'static str) {
    let kinds = FaultKind::ALL.map(|(_, kind)| kind);
    let undisturbed = undisturbed(firmware);
    let all = lab::faults(&kinds, undisturbed.received, undisturbed.sent);
    let seed = seed();
    let chosen = chosen(all, SAMPLE, seed);
    let ran = chosen.len();
    assert!(ran > 0, "PHONEHOME_FAULT_SWEEP names no fault");
    let wrong = sweep(firmware, undisturbed, chosen, seed);
    let words = wrong.join("\n");
    assert!(
        wrong.is_empty(),
        "seed {seed}: {} of {ran}:\n{words}",
        wrong.len()
    );
}

#[test]
fn every_fault_ends_well_where_there_are_checksums() {
    check(CHECKED);
}

#[test]
fn every_fault_ends_where_there_are_none() {
    check(UNCHECKED);
}

/// What became of the last step of the last variant, and the ways back that were tried.
fn interrupted(fault: &str, undisturbed: &Undisturbed) -> (String, Vec<String>) {
    let fault: Fault = fault.parse().unwrap();
    lab::runtime().block_on(async {
        let lab = Lab::new(CHECKED);
        let faults = Faults::new(vec![fault], 0);
        let goldens = undisturbed.goldens.copy();
        let record = lab.run(SCENARIO, &goldens, &faults).await.unwrap();
        let variants = record
            .handsets
            .iter()
            .flat_map(|handset| &handset.scenarios);
        let Some(variant) = variants.flat_map(|scenario| &scenario.variants).next() else {
            return (String::new(), Vec::new());
        };
        // What is in the record is in the evidence too.
        let evidence = lab.runs().all();
        let mut written = evidence
            .iter()
            .filter(|(name, _)| name.ends_with("/transcript.jsonl"));
        let (_, written) = written.next().unwrap();
        let written = String::from_utf8_lossy(written);
        let tried: Vec<String> = variant
            .recovery
            .iter()
            .map(|tried| format!("{}: {}", tried.tried, tried.outcome))
            .collect();
        let lines = written
            .lines()
            .filter(|line| line.contains(r#""what":"recovery""#));
        assert_eq!(lines.count(), tried.len());
        let mut acts = variant.acts.iter();
        let last = acts.rfind(|act| act.outcome != "not_reached");
        let last = last.and_then(|act| act.evidence.clone());
        (last.unwrap_or_default(), tried)
    })
}

/// A step that a loss interrupted is not done again: an independent read tells what became of it.
#[test]
fn a_handset_that_is_plugged_in_again_is_restored_and_tells_what_happened() {
    let undisturbed = undisturbed(CHECKED);
    let mut found = BTreeMap::new();
    for index in (0..undisturbed.sent).step_by(9) {
        let (last, tried) = interrupted(&format!("unplug@{index}:out"), &undisturbed);
        for words in [
            "it did happen",
            "it did not happen",
            "whether it happened is not known",
        ] {
            if last.contains(words) {
                let expected = ["a new stream: no answer", "a new connection: answered"];
                assert_eq!(tried, expected, "{index}");
                *found.entry(words).or_insert(0) += 1;
            }
        }
    }
    assert!(found.contains_key("it did happen"), "{found:?}");
    assert!(found.contains_key("it did not happen"), "{found:?}");
}

/// With nothing left to try the state is unknown, and every rung says why it led nowhere.
#[test]
fn a_handset_that_no_rung_leads_to_is_given_up() {
    let undisturbed = undisturbed(CHECKED);
    let index = undisturbed.sent / 2;
    let (_, tried) = interrupted(&format!("unauthorised@{index}:out"), &undisturbed);
    let refused = "handset `tcp:lab` has not authorised this computer";
    let expected = [
        "a new stream: no answer".to_owned(),
        format!("a new connection: {refused}"),
        "a reset of the USB port: not possible: a link in this process has no port".to_owned(),
        "the power of the port, off and on: not possible: a link in this process has no port"
            .to_owned(),
        format!("a reboot: {refused}"),
    ];
    assert_eq!(tried, expected);
}

/// Two variants; the first is lost on the way.
#[test]
fn a_run_goes_on_over_the_new_connection() {
    let scenario = SCENARIO.replace(
        "setup:",
        "axes: { cloud_messaging: [untouched, off] }\nsetup:",
    );
    lab::runtime().block_on(async {
        let lab = Lab::new(CHECKED);
        let before = lab.state().await;
        let faults = Faults::new(vec!["unplug@150:out".parse().unwrap()], 0);
        let goldens = MemoryStore::default();
        let record = lab.run(&scenario, &goldens, &faults).await.unwrap();
        let reasons = lab::reasons(&record);
        assert_eq!(faults.happened().len(), 1);
        let variants = &record
            .handsets
            .first()
            .unwrap()
            .scenarios
            .first()
            .unwrap()
            .variants;
        let verdicts: Vec<_> = variants
            .iter()
            .map(|v| (v.verdict, v.recovery.len()))
            .collect();
        let expected = [(Verdict::Inconclusive, 2), (Verdict::Pass, 0)];
        assert_eq!(verdicts, expected, "{reasons:?}");
        assert_eq!(lab.state().await, before);
    });
}
