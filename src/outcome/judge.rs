//! Judges one variant: every expectation that applies to it, by the evidence and by what the
//! evidence lacks.
//!
//! What the words mean:
//! - `never_sent` fails on any finding of the datum on its way out. It is inconclusive while packets
//!   are missing, while opaque bytes left in a flow that no `opaque_ok` line names, or while the
//!   datum is not known.
//! - `never_clear` fails on a finding in a clear flow, whichever way it went. Opaque flows do not
//!   harm it; missing packets and unknown data do, and so does a finding in a form that may or may
//!   not be readable by others.
//! - `only_to` binds the hosts of findings on their way out, and of opaque flows of apps that the
//!   toggle changed against the variant where it is untouched.
//! - An act that nothing shows to have happened leaves every pass of the variant inconclusive. A
//!   setting in doubt leaves inconclusive whatever is expected of that setting, a failure included:
//!   the data left, and in which state nobody knows.
//!
//! It never turns something unseen into a pass.

use crate::detect::finding::{Direction, Finding};
use crate::evidence::flow::{Flow, Protection};
use crate::outcome::app_label::app_label;
use crate::outcome::blindness::{
    blindness, doubtful_toggles, missing_packets, switched, undone_steps,
};
use crate::outcome::disclosure::is_opaque;
use crate::outcome::observed::Observed;
use crate::outcome::untouched::{Contact, Traffic, Untouched, peer, spoke};
use crate::outcome::verdict::{Carried, ExpectationVerdict, Reason, VariantVerdicts, Verdict};
use crate::persona::datum::{Group, Persona};
use crate::scenario::expectation::{DatumRef, Expectation, HostPattern, OpaqueOk};
use crate::scenario::matrix::{Scenario, Variant};
use crate::scenario::toggle::ToggleState;
use std::collections::{BTreeMap, BTreeSet};

/// Why a datum that is known is not searched for.
pub const TOO_SHORT: &str = "it is too short to be told from chance";

/// What stands for unreadable content in a reason.
const OPAQUE_BYTES: &str = "opaque bytes";

/// Judges every variant that was observed, each against those that left its toggles untouched.
/// `observed[..].untouched` is filled in here; what it held is replaced.
#[must_use]
pub fn judge_all(
    scenario: &Scenario,
    persona: &Persona,
    mut observed: Vec<(Variant, Observed)>,
) -> Vec<(Variant, Observed, VariantVerdicts)> {
    let traffic: Vec<(Variant, Traffic)> = observed
        .iter()
        .map(|(variant, seen)| {
            let complete = blindness(scenario, variant, seen).is_empty();
            (variant.clone(), Traffic::of(seen, complete))
        })
        .collect();
    for (variant, seen) in &mut observed {
        seen.untouched = counterparts(variant)
            .map(|(toggle, counterpart)| Untouched {
                toggle,
                traffic: traffic
                    .iter()
                    .find_map(|(variant, traffic)| (*variant == counterpart).then_some(traffic))
                    .cloned(),
            })
            .collect();
    }
    observed
        .into_iter()
        .map(|(variant, seen)| {
            let verdicts = judge(scenario, &variant, persona, &seen);
            (variant, seen, verdicts)
        })
        .collect()
}

/// Judges one variant.
#[must_use]
pub fn judge(
    scenario: &Scenario,
    variant: &Variant,
    persona: &Persona,
    observed: &Observed,
) -> VariantVerdicts {
    let flows = observed
        .analysis
        .iter()
        .flat_map(|analysis| &analysis.flows);
    let case = Case {
        persona,
        observed,
        flows: flows.map(|flow| (flow.id, flow)).collect(),
        switched: switched(variant),
        doubtful: doubtful_toggles(variant, observed),
        undone: undone_steps(scenario, observed),
        missing: missing_packets(observed),
    };
    let applicable = scenario.expect.iter().filter(|e| e.applies_to(variant));
    let expectations: Vec<_> = applicable.map(|e| case.expectation(e)).collect();
    let mut blind = blindness(scenario, variant, observed);
    let unknown = expectations.iter().flat_map(|e| &e.reasons);
    blind.extend(
        unknown
            .filter(|r| matches!(r, Reason::DatumUnknown { .. }))
            .cloned(),
    );
    let worst = expectations.iter().map(|e| e.verdict).max();
    let floor = if observed.stopped.is_some() || (worst.is_none() && !blind.is_empty()) {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    };
    VariantVerdicts {
        verdict: worst.unwrap_or(Verdict::Pass).max(floor),
        expectations,
        blind: blind.into_iter().collect(),
    }
}

/// The variants that differ from `variant` in one switched toggle being untouched.
fn counterparts(variant: &Variant) -> impl Iterator<Item = (String, Variant)> {
    switched(variant).into_iter().map(|toggle| {
        let mut counterpart = variant.clone();
        let untouched = ToggleState::Untouched;
        counterpart.states.insert(toggle.clone(), untouched);
        (toggle, counterpart)
    })
}

/// One variant at the bar.
struct Case<'a> {
    persona: &'a Persona,
    observed: &'a Observed,
    flows: BTreeMap<u32, &'a Flow>,
    switched: Vec<String>,
    doubtful: BTreeSet<Reason>,
    undone: BTreeSet<Reason>,
    missing: BTreeSet<Reason>,
}

impl Case<'_> {
    fn expectation(&self, expectation: &Expectation) -> ExpectationVerdict {
        let mut reasons = self.missing.clone();
        reasons.extend(self.undone.iter().cloned());
        reasons.extend(self.doubtful.iter().cloned());
        self.never_sent(expectation, &mut reasons);
        self.never_clear(expectation, &mut reasons);
        if let Some(hosts) = &expectation.only_to {
            self.only_to(hosts, &mut reasons);
        }
        let worst = reasons.iter().map(Reason::verdict).max();
        let verdict = match worst.unwrap_or(Verdict::Pass) {
            Verdict::Fail if self.state_in_doubt(expectation) => Verdict::Inconclusive,
            verdict => verdict,
        };
        let mut reasons: Vec<Reason> = reasons.into_iter().collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.verdict()));
        ExpectationVerdict {
            id: expectation.id.clone(),
            verdict,
            reasons,
        }
    }

    /// Whether the expectation speaks of a state that the handset may not have been in. One that
    /// binds on and off alike does not: whichever it was in, it had to hold.
    fn state_in_doubt(&self, expectation: &Expectation) -> bool {
        self.doubtful.iter().any(|reason| match reason {
            Reason::ToggleDoubtful { toggle, .. } => {
                expectation.when.get(toggle).is_some_and(|states| {
                    let both = [ToggleState::Off, ToggleState::On];
                    !both.iter().all(|state| states.contains(state))
                })
            }
            _ => false,
        })
    }

    fn never_sent(&self, expectation: &Expectation, reasons: &mut BTreeSet<Reason>) {
        if expectation.never_sent.is_empty() {
            return;
        }
        for named in &expectation.never_sent {
            reasons.extend(self.unknown(named));
        }
        for (finding, flow) in self.findings(&expectation.never_sent) {
            if finding.direction == Direction::Out {
                reasons.insert(Reason::Sent(carried(finding, flow)));
            }
        }
        let Some(analysis) = &self.observed.analysis else {
            return;
        };
        let opaque = analysis.flows.iter().filter(|flow| is_opaque(flow));
        for flow in opaque.filter(|flow| !is_named(flow, &expectation.opaque_ok)) {
            reasons.insert(Reason::Opaque {
                app: app_label(flow.app.as_ref()),
                to: peer(flow.host.as_deref(), &flow.server),
            });
        }
    }

    fn never_clear(&self, expectation: &Expectation, reasons: &mut BTreeSet<Reason>) {
        for named in &expectation.never_clear {
            reasons.extend(self.unknown(named));
        }
        for (finding, flow) in self.findings(&expectation.never_clear) {
            match finding.protection {
                Protection::Clear => reasons.insert(Reason::InClear(carried(finding, flow))),
                Protection::Opaque => {
                    reasons.insert(Reason::PerhapsInClear(carried(finding, flow)))
                }
                Protection::Tls => false,
            };
        }
    }

    fn only_to(&self, hosts: &[HostPattern], reasons: &mut BTreeSet<Reason>) {
        let Some(analysis) = &self.observed.analysis else {
            return;
        };
        for finding in &analysis.findings {
            if finding.direction == Direction::In {
                continue;
            }
            let flow = self.flow_of(finding);
            match &finding.host {
                Some(host) if hosts.iter().any(|pattern| pattern.matches(host)) => {}
                Some(_) => {
                    reasons.insert(Reason::SentElsewhere(carried(finding, flow)));
                }
                None => {
                    reasons.insert(Reason::HostUnknown {
                        what: finding.datum.clone(),
                        app: app_label(flow.and_then(|flow| flow.app.as_ref())),
                        server: peer(None, &finding.server),
                    });
                }
            }
        }
        if self.switched.is_empty() {
            return;
        }
        let counterparts = self.counterparts();
        for flow in analysis.flows.iter().filter(|flow| is_opaque(flow)) {
            let allowed = flow.host.as_ref();
            if !allowed.is_some_and(|host| hosts.iter().any(|pattern| pattern.matches(host))) {
                reasons.extend(opaque_elsewhere(flow, &counterparts));
            }
        }
    }

    /// For each switched toggle, what was seen with it untouched.
    fn counterparts<'s>(&'s self) -> Vec<Counterpart<'s>> {
        let here = Traffic::of(self.observed, self.missing.is_empty());
        let toggles = self.switched.iter().map(String::as_str);
        let counterpart = |toggle: &'s str| {
            let untouched = self.observed.untouched.iter();
            let before = untouched
                .filter(|untouched| untouched.toggle == toggle)
                .find_map(|untouched| untouched.traffic.as_ref());
            let is_same = |app: &&String| {
                before.is_some_and(|before| before.apps.get(*app) == here.apps.get(*app))
            };
            Counterpart {
                toggle,
                before,
                same: here.apps.keys().filter(is_same).cloned().collect(),
            }
        };
        toggles.map(counterpart).collect()
    }

    /// What of `named` is not known.
    fn unknown(&self, named: &DatumRef) -> Vec<Reason> {
        let reason = |id: Option<&str>, why: &str| Reason::DatumUnknown {
            named: named.to_string(),
            id: id.map(str::to_owned),
            why: why.to_owned(),
        };
        let lacking = self.persona.unknown.iter();
        let mut lacking: Vec<Reason> = lacking
            .filter(|unknown| covers(named, &unknown.id, unknown.group))
            .map(|unknown| reason(Some(&unknown.id), &unknown.reason))
            .collect();
        let known = self.persona.data.iter();
        let mut known = known
            .filter(|datum| covers(named, &datum.id, datum.group))
            .peekable();
        if lacking.is_empty() && known.peek().is_none() {
            return vec![reason(None, "it was neither planted, read nor given")];
        }
        let too_short = &self.observed.too_short;
        lacking.extend(
            known
                .filter(|datum| too_short.contains(&datum.id))
                .map(|datum| reason(Some(&datum.id), TOO_SHORT)),
        );
        lacking
    }

    fn flow_of(&self, finding: &Finding) -> Option<&Flow> {
        self.flows.get(&finding.flow).copied()
    }

    /// The findings of the data named, each with its flow.
    fn findings(&self, named: &[DatumRef]) -> Vec<(&Finding, Option<&Flow>)> {
        let Some(analysis) = &self.observed.analysis else {
            return Vec::new();
        };
        let of_named = analysis.findings.iter().filter(|finding| {
            let datum = self.persona.data.iter().find(|d| d.id == finding.datum);
            let group = datum.and_then(|datum| datum.group);
            named
                .iter()
                .any(|named| covers(named, &finding.datum, group))
        });
        of_named
            .map(|finding| (finding, self.flow_of(finding)))
            .collect()
    }
}

/// Whether a toggle changed an app.
enum Change {
    No,
    Yes,
    Unknown(String),
}

impl Change {
    /// Changed by either; unknown if neither is known to have changed it and one may have.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::No, Self::No) => Self::No,
        }
    }
}

/// One switched toggle, and the variant that left it untouched.
struct Counterpart<'a> {
    toggle: &'a str,
    before: Option<&'a Traffic>,
    /// Apps that did there what they do here.
    same: BTreeSet<String>,
}

impl Counterpart<'_> {
    /// Whether the toggle changed the `app` that made `contact`.
    fn change(&self, app: &str, contact: &Contact) -> Change {
        let toggle = self.toggle;
        let Some(before) = self.before else {
            return Change::Unknown(format!("no variant was run with `{toggle}` untouched"));
        };
        if !before.complete {
            return Change::Unknown(format!(
                "the variant with `{toggle}` untouched was not observed in full"
            ));
        }
        if self.same.contains(app) {
            return Change::No;
        }
        if before.nobody.contains(contact) {
            return Change::Unknown(format!(
                "with `{toggle}` untouched an app that is not known sent to the same host"
            ));
        }
        Change::Yes
    }
}

/// What to say of an opaque flow to a host that is not on the list.
fn opaque_elsewhere(flow: &Flow, counterparts: &[Counterpart<'_>]) -> Option<Reason> {
    let app = app_label(flow.app.as_ref());
    let to = peer(flow.host.as_deref(), &flow.server);
    let contact = spoke(flow);
    let change = match flow.app {
        Some(_) => counterparts
            .iter()
            .map(|counterpart| counterpart.change(&app, &contact))
            .fold(Change::No, Change::or),
        None => Change::Unknown("the app is not known".to_owned()),
    };
    match change {
        Change::No => None,
        Change::Unknown(why) => Some(Reason::ChangeUnknown { app, to, why }),
        Change::Yes if flow.host.is_none() => Some(Reason::HostUnknown {
            what: OPAQUE_BYTES.to_owned(),
            app,
            server: to,
        }),
        Change::Yes => Some(Reason::OpaqueElsewhere { app, to }),
    }
}

/// Whether `named` speaks of the datum `id` of `group`.
fn covers(named: &DatumRef, id: &str, group: Option<Group>) -> bool {
    match named {
        DatumRef::Group(named) => group == Some(*named),
        DatumRef::Id(named) => id
            .strip_prefix(named.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
    }
}

/// Whether an `opaque_ok` line names the flow: by app, by host, or by both where both are given. A
/// flow whose app or host is not known is not named by a line that gives it.
fn is_named(flow: &Flow, lines: &[OpaqueOk]) -> bool {
    let package = flow.app.as_ref().and_then(|app| app.package.as_ref());
    lines.iter().any(|line| {
        let app = line.app.as_ref();
        let host = line.host.as_ref();
        app.is_none_or(|app| package == Some(app))
            && host.is_none_or(|pattern| flow.host.as_ref().is_some_and(|h| pattern.matches(h)))
    })
}

fn carried(finding: &Finding, flow: Option<&Flow>) -> Carried {
    Carried {
        datum: finding.datum.clone(),
        app: app_label(flow.and_then(|flow| flow.app.as_ref())),
        to: peer(finding.host.as_deref(), &finding.server),
        protection: finding.protection,
    }
}

#[cfg(test)]
mod tests {
    // The design's sentences on what an expectation means, each with a case that would be judged
    // otherwise if the sentence did not hold.

    use super::{TOO_SHORT, judge, judge_all};
    use crate::detect::finding::{Direction, Evidence};
    use crate::evidence::flow::{Flow, Protection};
    use crate::evidence::gap::{Gap, Observer};
    use crate::outcome::fixture::{
        ACCOUNT_HOST, CLOUD, STORE, expectation, flow, hosts, observed, opaque, persona, scenario,
        variant,
    };
    use crate::outcome::observed::{Observed, StepOutcome};
    use crate::outcome::untouched::{Traffic, Untouched};
    use crate::outcome::verdict::Verdict::{self, Fail, Inconclusive, Pass};
    use crate::persona::datum::{Group, Persona, UnknownDatum};
    use crate::scenario::expectation::{DatumRef, Expectation, HostPattern, OpaqueOk};
    use crate::scenario::toggle::ToggleState;

    /// What a case may spoil.
    struct World {
        expectation: Expectation,
        persona: Persona,
        observed: Observed,
        state: ToggleState,
    }

    type Spoil = fn(&mut World);

    /// A sentence, what spoils the world, the verdict, and the code of the gravest reason.
    type Case = (&'static str, Spoil, Verdict, &'static str);

    fn check(cases: &[Case], prepare: Spoil) {
        for (sentence, spoil, expected, code) in cases {
            let mut world = World {
                expectation: expectation("e"),
                persona: persona(),
                observed: observed(ToggleState::Off),
                state: ToggleState::Off,
            };
            prepare(&mut world);
            spoil(&mut world);
            let mut scenario = scenario();
            scenario.expect.push(world.expectation);
            let variant = variant(world.state);
            let verdicts = judge(&scenario, &variant, &world.persona, &world.observed);
            let judged = &verdicts.expectations[0];
            let codes: Vec<_> = judged.reasons.iter().map(|reason| reason.code()).collect();
            assert_eq!(judged.verdict, *expected, "{sentence}: {codes:?}");
            assert_eq!(verdicts.verdict, *expected, "{sentence}");
            assert_eq!(codes.first().copied().unwrap_or(""), *code, "{sentence}");
        }
    }

    fn id(id: &str) -> DatumRef {
        DatumRef::Id(id.to_owned())
    }

    fn gap(observer: Observer) -> Gap {
        Gap {
            observer,
            reason: "the capture ended early".to_owned(),
            detail: Some("at 12.3 s".to_owned()),
        }
    }

    fn line(app: Option<&str>, host: Option<&str>) -> OpaqueOk {
        OpaqueOk {
            app: app.map(str::to_owned),
            host: host.map(|host| HostPattern(host.to_owned())),
        }
    }

    const NEVER_SENT: &[Case] = &[
        ("nothing found, everything seen", |_| {}, Pass, ""),
        (
            "fails on any finding of the datum: in the clear",
            |w| {
                w.observed
                    .saw(flow(Some(CLOUD), Some(ACCOUNT_HOST)), &["imei-1"])
            },
            Fail,
            "sent",
        ),
        (
            "… and encrypted, to whomever, by nobody known",
            |w| {
                let tls = Flow {
                    protection: Protection::Tls,
                    ..flow(None, None)
                };
                w.observed.saw(tls, &["imei-1"]);
            },
            Fail,
            "sent",
        ),
        (
            "… and weak evidence is a finding too",
            |w| {
                w.observed.saw(flow(Some(CLOUD), None), &["imei-1"]);
                w.observed.seen().findings[0].evidence = Evidence::Weak;
            },
            Fail,
            "sent",
        ),
        (
            "… and a finding weighs more than what was missed",
            |w| {
                w.observed.saw(flow(Some(CLOUD), None), &["imei-1"]);
                w.observed.gaps.push(gap(Observer::Packets));
                w.persona.data.remove(1);
            },
            Fail,
            "sent",
        ),
        (
            "sent is out: what came in was not sent",
            |w| {
                w.observed.saw(flow(Some(CLOUD), None), &["imei-1"]);
                w.observed.seen().findings[0].direction = Direction::In;
            },
            Pass,
            "",
        ),
        (
            "a datum that is not named may be sent",
            |w| w.observed.saw(flow(Some(CLOUD), None), &["peer-1.phone"]),
            Pass,
            "",
        ),
        (
            "an id names a person's data",
            |w| {
                w.expectation.never_sent = vec![id("contact-1")];
                w.observed
                    .saw(flow(Some(CLOUD), None), &["contact-1.phone"]);
            },
            Fail,
            "sent",
        ),
        (
            "… and not those of another whose number starts alike",
            |w| {
                w.expectation.never_sent = vec![id("contact-1")];
                w.observed
                    .saw(flow(Some(CLOUD), None), &["contact-10.phone"]);
            },
            Pass,
            "",
        ),
        (
            "inconclusive if the datum is not known: none of its group",
            |w| w.persona.data.retain(|datum| datum.id != "imei-1"),
            Inconclusive,
            "datum-unknown",
        ),
        (
            "… or one of its group, as the second IMEI of two",
            |w| {
                w.persona.unknown.push(UnknownDatum {
                    id: "imei-2".to_owned(),
                    group: Some(Group::Imei),
                    reason: "service call needs root".to_owned(),
                });
            },
            Inconclusive,
            "datum-unknown",
        ),
        (
            "… or too short to be searched for",
            |w| w.observed.too_short.push("imei-1".to_owned()),
            Inconclusive,
            "datum-unknown",
        ),
        (
            "a datum that is not known and not named does not matter",
            |w| {
                w.persona.unknown.push(UnknownDatum {
                    id: "imsi-1".to_owned(),
                    group: Some(Group::Imsi),
                    reason: "no SIM".to_owned(),
                });
                w.observed.too_short.push("operator-1".to_owned());
            },
            Pass,
            "",
        ),
    ];

    #[test]
    fn never_sent() {
        let cases = NEVER_SENT;
        check(cases, |w| {
            w.expectation.never_sent = vec![DatumRef::Group(Group::Imei), id("own_phone-1")];
        });
    }

    const MISSING_PACKETS: &[Case] = &[
        (
            "a gap of the packet collector",
            |w| w.observed.gaps.push(gap(Observer::Packets)),
            Inconclusive,
            "packets-missing",
        ),
        (
            "a flow with a gap",
            |w| {
                let holed = Flow {
                    gaps: 1,
                    ..flow(Some(STORE), Some("a.example.net"))
                };
                w.observed.saw(holed, &[]);
            },
            Inconclusive,
            "holes-in-flows",
        ),
        (
            "flows with gaps in the coverage",
            |w| w.observed.seen().coverage.flows_with_gaps = 1,
            Inconclusive,
            "holes-in-flows",
        ),
        (
            "bytes missing",
            |w| w.observed.seen().coverage.bytes_missing = 1,
            Inconclusive,
            "bytes-missing",
        ),
        (
            "a capture that cannot be read to its end",
            |w| {
                w.observed
                    .seen()
                    .coverage
                    .problems
                    .push("cut short".to_owned())
            },
            Inconclusive,
            "capture-problem",
        ),
        (
            "no capture at all",
            |w| w.observed.analysis = None,
            Inconclusive,
            "no-packets",
        ),
        (
            "a gap in the logs, the counters or the sockets is not one in the packets",
            |w| {
                let observers = [Observer::Logs, Observer::Netstats, Observer::Sockets];
                w.observed.gaps.extend(observers.map(gap));
            },
            Pass,
            "",
        ),
    ];

    #[test]
    fn missing_packets_leave_every_kind_inconclusive() {
        let cases = MISSING_PACKETS;
        check(cases, |w| w.expectation.never_sent = vec![id("imei-1")]);
        check(cases, |w| w.expectation.never_clear = vec![id("imei-1")]);
        check(cases, |w| {
            w.expectation.only_to = Some(hosts(&["*.example.net"]))
        });
    }

    const OPAQUE_BYTES_LEFT: &[Case] = &[
        (
            "no line",
            |w| {
                w.observed
                    .saw(opaque(Some(STORE), Some("a.example.net")), &[])
            },
            Inconclusive,
            "opaque",
        ),
        (
            "both app and host of the line match",
            |w| {
                w.expectation.opaque_ok = vec![line(Some(STORE), Some("*.example.net"))];
                w.observed
                    .saw(opaque(Some(STORE), Some("a.example.net")), &[]);
            },
            Pass,
            "",
        ),
        (
            "the app matches, the host does not",
            |w| {
                w.expectation.opaque_ok = vec![line(Some(STORE), Some("*.example.net"))];
                w.observed
                    .saw(opaque(Some(STORE), Some("a.example.org")), &[]);
            },
            Inconclusive,
            "opaque",
        ),
        (
            "the host matches, the app does not",
            |w| {
                w.expectation.opaque_ok = vec![line(Some(STORE), Some("*.example.net"))];
                w.observed
                    .saw(opaque(Some(CLOUD), Some("a.example.net")), &[]);
            },
            Inconclusive,
            "opaque",
        ),
        (
            "one line has the app and another the host: neither names it",
            |w| {
                w.expectation.opaque_ok = vec![
                    line(Some(STORE), Some("b.example.org")),
                    line(Some(CLOUD), Some("*.example.net")),
                ];
                w.observed
                    .saw(opaque(Some(STORE), Some("a.example.net")), &[]);
            },
            Inconclusive,
            "opaque",
        ),
        (
            "a flow of no known app never matches a line that names an app",
            |w| {
                w.expectation.opaque_ok = vec![line(Some(STORE), Some("*.example.net"))];
                w.observed.saw(opaque(None, Some("a.example.net")), &[]);
            },
            Inconclusive,
            "opaque",
        ),
        (
            "… it does match one that names the host only",
            |w| {
                w.expectation.opaque_ok = vec![line(None, Some("*.example.net"))];
                w.observed.saw(opaque(None, Some("a.example.net")), &[]);
            },
            Pass,
            "",
        ),
        (
            "a flow to no known host never matches a line that names a host",
            |w| {
                w.expectation.opaque_ok = vec![line(Some(STORE), Some("*.example.net"))];
                w.observed.saw(opaque(Some(STORE), None), &[]);
            },
            Inconclusive,
            "opaque",
        ),
        (
            "… it does match one that names the app only",
            |w| {
                w.expectation.opaque_ok = vec![line(Some(STORE), None)];
                w.observed.saw(opaque(Some(STORE), None), &[]);
            },
            Pass,
            "",
        ),
        (
            "a TLS flow that carried a handshake only left nothing opaque",
            |w| {
                let handshake = Flow {
                    bytes_opaque: 0,
                    ..opaque(Some(STORE), None)
                };
                w.observed.saw(handshake, &[]);
            },
            Pass,
            "",
        ),
    ];

    #[test]
    fn opaque_bytes_need_a_line_that_names_them() {
        let cases = OPAQUE_BYTES_LEFT;
        check(cases, |w| w.expectation.never_sent = vec![id("imei-1")]);
    }

    const NEVER_CLEAR: &[Case] = &[
        (
            "fails on a finding in a clear flow",
            |w| {
                w.observed
                    .saw(flow(Some(CLOUD), Some(ACCOUNT_HOST)), &["imei-1"])
            },
            Fail,
            "in-clear",
        ),
        (
            "… whichever way it went",
            |w| {
                w.observed.saw(flow(Some(CLOUD), None), &["imei-1"]);
                w.observed.seen().findings[0].direction = Direction::In;
            },
            Fail,
            "in-clear",
        ),
        (
            "a finding in an encrypted flow is not one in the clear",
            |w| {
                let tls = Flow {
                    protection: Protection::Tls,
                    ..flow(Some(CLOUD), None)
                };
                w.observed.saw(tls, &["imei-1"]);
            },
            Pass,
            "",
        ),
        (
            "who can read a finding in an unknown form is not known",
            |w| {
                let unknown = Flow {
                    protection: Protection::Opaque,
                    ..flow(Some(CLOUD), None)
                };
                w.observed.saw(unknown, &["imei-1"]);
            },
            Inconclusive,
            "perhaps-in-clear",
        ),
        (
            "opaque flows do not harm it",
            |w| w.observed.saw(opaque(None, None), &[]),
            Pass,
            "",
        ),
        (
            "a datum that is not known does",
            |w| w.expectation.never_clear = vec![DatumRef::Group(Group::Location)],
            Inconclusive,
            "datum-unknown",
        ),
    ];

    #[test]
    fn never_clear() {
        let cases = NEVER_CLEAR;
        check(cases, |w| w.expectation.never_clear = vec![id("imei-1")]);
    }

    /// What the variant that left the toggle untouched showed.
    fn before(w: &mut World, flows: &[Flow], complete: bool) {
        let mut untouched = observed(ToggleState::Untouched);
        for flow in flows {
            untouched.saw(flow.clone(), &[]);
        }
        w.observed.untouched = vec![Untouched {
            toggle: "cloud_messaging".to_owned(),
            traffic: Some(Traffic::of(&untouched, complete)),
        }];
    }

    const ONLY_TO: &[Case] = &[
        (
            "a finding's host on the list",
            |w| {
                w.observed
                    .saw(flow(Some(CLOUD), Some("API.Xiaomi.com.")), &["imei-1"])
            },
            Pass,
            "",
        ),
        (
            "a finding's host not on the list",
            |w| {
                w.observed
                    .saw(flow(Some(CLOUD), Some("xiaomi.com")), &["imei-1"])
            },
            Fail,
            "sent-elsewhere",
        ),
        (
            "a finding's host not known",
            |w| w.observed.saw(flow(Some(CLOUD), None), &["imei-1"]),
            Inconclusive,
            "host-unknown",
        ),
        (
            "what came in went nowhere",
            |w| {
                w.observed
                    .saw(flow(Some(CLOUD), Some("evil.example")), &["imei-1"]);
                w.observed.seen().findings[0].direction = Direction::In;
            },
            Pass,
            "",
        ),
        (
            "a readable flow without a finding is not bound",
            |w| w.observed.saw(flow(Some(CLOUD), Some("evil.example")), &[]),
            Pass,
            "",
        ),
        (
            "an opaque flow of an app that the toggle changed, host not on the list",
            |w| {
                before(w, &[], true);
                w.observed
                    .saw(opaque(Some(CLOUD), Some("evil.example")), &[]);
            },
            Fail,
            "opaque-elsewhere",
        ),
        (
            "… all its flows are bound, the old ones too",
            |w| {
                before(w, &[opaque(Some(CLOUD), Some("old.example"))], true);
                w.observed
                    .saw(opaque(Some(CLOUD), Some("old.example")), &[]);
                w.observed
                    .saw(opaque(Some(CLOUD), Some("new.xiaomi.com")), &[]);
            },
            Fail,
            "opaque-elsewhere",
        ),
        (
            "… host on the list",
            |w| {
                before(w, &[], true);
                w.observed
                    .saw(opaque(Some(CLOUD), Some("a.xiaomi.com")), &[]);
            },
            Pass,
            "",
        ),
        (
            "… host not known",
            |w| {
                before(w, &[], true);
                w.observed.saw(opaque(Some(CLOUD), None), &[]);
            },
            Inconclusive,
            "host-unknown",
        ),
        (
            "an opaque flow of an app that the toggle did not change",
            |w| {
                before(w, &[opaque(Some(STORE), Some("play.example"))], true);
                w.observed
                    .saw(opaque(Some(STORE), Some("play.example")), &[]);
                w.observed
                    .saw(opaque(Some(STORE), Some("play.example")), &[]);
            },
            Pass,
            "",
        ),
        (
            "an opaque flow of no known app",
            |w| {
                before(w, &[], true);
                w.observed.saw(opaque(None, Some("evil.example")), &[]);
            },
            Inconclusive,
            "change-unknown",
        ),
        (
            "the app is new, but somebody unknown spoke to the same host before",
            |w| {
                before(w, &[opaque(None, Some("play.example"))], true);
                w.observed
                    .saw(opaque(Some(STORE), Some("play.example")), &[]);
            },
            Inconclusive,
            "change-unknown",
        ),
        (
            "the untouched variant was not observed in full",
            |w| {
                before(w, &[], false);
                w.observed
                    .saw(opaque(Some(STORE), Some("play.example")), &[]);
            },
            Inconclusive,
            "change-unknown",
        ),
        (
            "the untouched variant was not run",
            |w| {
                w.observed
                    .saw(opaque(Some(STORE), Some("play.example")), &[])
            },
            Inconclusive,
            "change-unknown",
        ),
        (
            "nothing was switched, so no app was changed",
            |w| {
                w.state = ToggleState::Untouched;
                w.observed = observed(ToggleState::Untouched);
                w.observed
                    .saw(opaque(Some(STORE), Some("play.example")), &[]);
            },
            Pass,
            "",
        ),
    ];

    #[test]
    fn only_to() {
        let cases = ONLY_TO;
        check(cases, |w| {
            w.expectation.only_to = Some(hosts(&["*.xiaomi.com"]))
        });
    }

    const NOT_DONE: &[Case] = &[
        (
            "a step that nothing shows to have happened",
            |w| {
                w.observed.steps[1].outcome = StepOutcome::Unverified {
                    reason: "not in content://sms/sent".to_owned(),
                };
            },
            Inconclusive,
            "step-unverified",
        ),
        (
            "a step that failed",
            |w| {
                w.observed.steps[1].outcome = StepOutcome::Failed {
                    reason: "no service".to_owned(),
                };
            },
            Inconclusive,
            "step-failed",
        ),
        (
            "a step that was not reached",
            |w| w.observed.steps[1].outcome = StepOutcome::NotReached,
            Inconclusive,
            "step-not-reached",
        ),
        (
            "a step that nobody speaks of",
            |w| w.observed.steps.truncate(1),
            Inconclusive,
            "step-not-reached",
        ),
        (
            "a variant that did not run to its end",
            |w| w.observed.stopped = Some("the handset is gone".to_owned()),
            Inconclusive,
            "stopped",
        ),
        (
            "what was found was found, whatever else did not happen",
            |w| {
                w.observed.steps.truncate(1);
                w.observed.saw(flow(Some(CLOUD), None), &["imei-1"]);
            },
            Fail,
            "sent",
        ),
        (
            "a toggle that an independent read shows otherwise",
            |w| w.observed.toggles[0].became = Some(ToggleState::On),
            Inconclusive,
            "toggle-doubtful",
        ),
        (
            "a toggle that no independent read shows",
            |w| w.observed.toggles[0].became = None,
            Inconclusive,
            "toggle-doubtful",
        ),
        (
            "a toggle that nobody switched",
            |w| w.observed.toggles.clear(),
            Inconclusive,
            "toggle-doubtful",
        ),
        (
            "an untouched toggle whose state could not be read is untouched all the same",
            |w| {
                w.state = ToggleState::Untouched;
                w.observed = observed(ToggleState::Untouched);
                w.observed.toggles[0].found = None;
                w.observed.toggles[0].became = None;
            },
            Pass,
            "",
        ),
    ];

    #[test]
    fn what_was_not_done_was_not_tested() {
        let cases = NOT_DONE;
        check(cases, |w| w.expectation.never_sent = vec![id("imei-1")]);
    }

    const IN_DOUBT: &[Case] = &[
        (
            "it speaks of `off` and the handset may have been on",
            |w| {
                let states = vec![ToggleState::Untouched, ToggleState::Off];
                w.expectation.when = [("cloud_messaging".to_owned(), states)].into();
            },
            Inconclusive,
            "sent",
        ),
        (
            "it speaks of on and off alike",
            |w| {
                let states = vec![ToggleState::On, ToggleState::Off];
                w.expectation.when = [("cloud_messaging".to_owned(), states)].into();
            },
            Fail,
            "sent",
        ),
        ("it speaks of every variant", |_| {}, Fail, "sent"),
    ];

    #[test]
    fn a_setting_in_doubt_breaks_no_promise_about_that_setting() {
        let doubtful: Spoil = |w| {
            w.expectation.never_sent = vec![id("imei-1")];
            w.observed.toggles[0].became = None;
            w.observed.saw(flow(Some(CLOUD), None), &["imei-1"]);
        };
        let cases = IN_DOUBT;
        check(cases, doubtful);
    }

    #[test]
    fn expectations_bind_where_they_apply() {
        let mut scenario = scenario();
        let mut when_on = expectation("when-on");
        when_on.when = [("cloud_messaging".to_owned(), vec![ToggleState::On])].into();
        when_on.never_sent = vec![id("imei-1")];
        scenario.expect = vec![when_on];
        let ids = |state| {
            let judged = judge(&scenario, &variant(state), &persona(), &observed(state));
            (judged.verdict, judged.expectations.len())
        };
        assert_eq!(ids(ToggleState::On), (Pass, 1));
        assert_eq!(ids(ToggleState::Off), (Pass, 0));
    }

    #[test]
    fn nothing_expected_and_nothing_seen_is_no_pass() {
        let mut blind = observed(ToggleState::Off);
        blind.analysis = None;
        let judged = judge(&scenario(), &variant(ToggleState::Off), &persona(), &blind);
        assert_eq!(judged.verdict, Inconclusive);
    }

    #[test]
    fn each_variant_is_held_against_its_untouched_one() {
        let mut scenario = scenario();
        let mut bound = expectation("bound");
        bound.only_to = Some(hosts(&["*.xiaomi.com"]));
        scenario.expect = vec![bound];
        let seen = |state, flows: &[Flow]| {
            let mut seen = observed(state);
            for flow in flows {
                seen.saw(flow.clone(), &[]);
            }
            (variant(state), seen)
        };
        let store = opaque(Some(STORE), Some("play.example"));
        let cloud = opaque(Some(CLOUD), Some("evil.example"));
        // The untouched variant comes last: the order of the runs must not matter.
        let runs = vec![
            seen(ToggleState::On, &[store.clone(), cloud]),
            seen(ToggleState::Off, std::slice::from_ref(&store)),
            seen(ToggleState::Untouched, &[store]),
        ];
        let judged = judge_all(&scenario, &persona(), runs);
        let verdicts: Vec<_> = judged.iter().map(|(_, _, v)| v.verdict).collect();
        assert_eq!(verdicts, [Fail, Pass, Pass]);
    }

    #[test]
    fn what_was_not_observed_is_told_apart_from_what_was_opaque() {
        let mut scenario = scenario();
        let mut silent = expectation("silent");
        silent.never_sent = vec![id("imei-1"), DatumRef::Group(Group::Location)];
        scenario.expect = vec![silent];
        let mut seen = observed(ToggleState::Off);
        seen.saw(opaque(Some(STORE), None), &[]);
        seen.too_short.push("imei-1".to_owned());
        let judged = judge(&scenario, &variant(ToggleState::Off), &persona(), &seen);
        let blind: Vec<String> = judged.blind.iter().map(ToString::to_string).collect();
        assert_eq!(
            blind,
            [
                format!("`imei-1` is not known: {TOO_SHORT}"),
                "`location` is not known: it was neither planted, read nor given".to_owned(),
            ]
        );
    }

    #[test]
    fn with_two_axes_each_switched_toggle_has_its_own_counterpart() {
        let mut scenario = scenario();
        let mut bound = expectation("bound");
        bound.only_to = Some(hosts(&["*.xiaomi.com"]));
        scenario.expect = vec![bound];
        let run = |cloud, ads, flows: &[Flow]| {
            let mut seen = observed(cloud);
            let mut ads_toggle = seen.toggles[0].clone();
            ads_toggle.toggle = "ads".to_owned();
            ads_toggle.asked = ads;
            ads_toggle.became = Some(ads);
            seen.toggles.push(ads_toggle);
            for flow in flows {
                seen.saw(flow.clone(), &[]);
            }
            let mut variant = variant(cloud);
            variant.states.insert("ads".to_owned(), ads);
            (variant, seen)
        };
        let store = opaque(Some(STORE), Some("play.example"));
        let store = std::slice::from_ref(&store);
        let (on, untouched) = (ToggleState::On, ToggleState::Untouched);
        // The store speaks when `ads` is on, whatever `cloud_messaging` is.
        let runs = vec![
            run(on, on, store),
            run(on, untouched, &[]),
            run(untouched, on, store),
            run(untouched, untouched, &[]),
        ];
        let judged = judge_all(&scenario, &persona(), runs.clone());
        let verdicts: Vec<_> = judged.iter().map(|(_, _, v)| v.verdict).collect();
        assert_eq!(verdicts, [Fail, Pass, Fail, Pass]);
        // Without the variant that shows what `ads` changes, nothing can be said of it.
        let judged = judge_all(
            &scenario,
            &persona(),
            vec![runs[0].clone(), runs[2].clone()],
        );
        let verdicts: Vec<_> = judged.iter().map(|(_, _, v)| v.verdict).collect();
        assert_eq!(verdicts, [Inconclusive, Inconclusive]);
    }
}
