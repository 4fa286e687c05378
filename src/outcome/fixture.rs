//! A small world for tests: one scenario, one persona, and a run that saw everything and found
//! nothing. Each test then spoils what it is about.

use crate::base::secret::Secret;
use crate::detect::analysis::Analysis;
use crate::detect::finding::{Direction, Evidence, Finding, Location};
use crate::evidence::coverage::Coverage;
use crate::evidence::flow::{App, Application, Flow, FlowProtocol, HostFrom, Protection};
use crate::outcome::observed::{Observed, StepObserved, StepOutcome, ToggleObserved};
use crate::persona::datum::{Datum, DatumKind, Group, Origin, Persona};
use crate::scenario::claim::{Claim, ClaimTest};
use crate::scenario::expectation::{Expectation, HostPattern};
use crate::scenario::matrix::{Axis, Collect, Packets, Scenario, Variant};
use crate::scenario::step::{Act, Step};
use crate::scenario::toggle::ToggleState;
use std::time::Duration;

pub(crate) const CLOUD: &str = "com.xiaomi.xmsf";
pub(crate) const STORE: &str = "com.android.vending";
pub(crate) const ACCOUNT_HOST: &str = "api.account.xiaomi.com";
pub(crate) const START: f64 = 1_407_600_000.0;

pub(crate) fn scenario() -> Scenario {
    let step = |id: &str, act| Step {
        id: id.to_owned(),
        act,
        timeout: Duration::from_secs(60),
    };
    Scenario {
        name: "cloud-messaging".to_owned(),
        summary: "Nothing leaves until it is switched on.".to_owned(),
        required_toggles: vec!["cloud_messaging".to_owned()],
        required_features: Vec::new(),
        contacts: 2,
        peers: 1,
        axes: vec![Axis {
            toggle: "cloud_messaging".to_owned(),
            states: vec![ToggleState::Untouched, ToggleState::Off, ToggleState::On],
        }],
        setup: Vec::new(),
        steps: vec![
            step("steps.1:add_contact", Act::AddContact { contact: 1 }),
            step("steps.2:send_sms", Act::SendSms { to: 1 }),
        ],
        collect: Collect {
            logs: Vec::new(),
            netstats: true,
            packets: Packets::Auto,
        },
        expect: Vec::new(),
        claims: vec![
            Claim {
                id: "opt-in".to_owned(),
                by: "Xiaomi".to_owned(),
                statement: "It is off until the owner activates it.".to_owned(),
                source: Some("statement, 10 August 2014".to_owned()),
                test: ClaimTest::HoldsIf(vec!["silent".to_owned()]),
            },
            Claim {
                id: "not-stored".to_owned(),
                by: "Xiaomi".to_owned(),
                statement: "Numbers are not stored on the server.".to_owned(),
                source: None,
                test: ClaimTest::Unobservable("a handset cannot show a server".to_owned()),
            },
        ],
    }
}

pub(crate) fn expectation(id: &str) -> Expectation {
    Expectation {
        id: id.to_owned(),
        when: [].into(),
        never_sent: Vec::new(),
        never_clear: Vec::new(),
        only_to: None,
        opaque_ok: Vec::new(),
    }
}

pub(crate) fn hosts(patterns: &[&str]) -> Vec<HostPattern> {
    let pattern = |pattern: &&str| HostPattern((*pattern).to_owned());
    patterns.iter().map(pattern).collect()
}

pub(crate) fn variant(state: ToggleState) -> Variant {
    Variant {
        states: [("cloud_messaging".to_owned(), state)].into(),
    }
}

pub(crate) fn persona() -> Persona {
    let datum = |id: &str, kind, value: &str, group| Datum {
        id: id.to_owned(),
        kind,
        value: Secret::new(value.to_owned()),
        group: Some(group),
        origin: Origin::Planted,
    };
    let phone = DatumKind::Phone;
    Persona {
        data: vec![
            datum("imei-1", DatumKind::Imei, "490154203237518", Group::Imei),
            datum("own_phone-1", phone, "+447700900001", Group::OwnPhone),
            datum(
                "operator-1",
                DatumKind::Operator,
                "Fiction Mobile",
                Group::Operator,
            ),
            datum("contact-1.phone", phone, "+447700900123", Group::Contacts),
            datum("contact-10.phone", phone, "+447700900124", Group::Contacts),
            datum("peer-1.phone", phone, "+447700900456", Group::Peers),
        ],
        decoys: vec![datum("decoy-1", phone, "+447700900999", Group::Contacts)],
        ..Persona::default()
    }
}

/// A run of `state` in which every act was verified, every packet was seen, and nothing left.
pub(crate) fn observed(state: ToggleState) -> Observed {
    let step = |id: &str, after: f64| StepObserved {
        id: id.to_owned(),
        outcome: StepOutcome::Verified {
            evidence: "read back".to_owned(),
        },
        started: Some(START + after),
        ended: Some(START + after + 1.0),
        note: None,
    };
    Observed {
        analysis: Some(Analysis {
            schema: Analysis::SCHEMA.to_owned(),
            inputs: Vec::new(),
            flows: Vec::new(),
            findings: Vec::new(),
            decoys_found: Vec::new(),
            exchanges: Vec::new(),
            coverage: Coverage {
                packets: 40,
                bytes: 4_000,
                bytes_understood: 3_000,
                ..Coverage::default()
            },
        }),
        toggles: vec![ToggleObserved {
            toggle: "cloud_messaging".to_owned(),
            asked: state,
            found: Some(ToggleState::On),
            became: Some(match state {
                ToggleState::Untouched => ToggleState::On,
                state => state,
            }),
            method: Some("miui-v5".to_owned()),
            verified_by: Some("the check box on its screen".to_owned()),
            problem: None,
        }],
        steps: vec![
            step("steps.1:add_contact", 10.0),
            step("steps.2:send_sms", 20.0),
        ],
        ..Observed::default()
    }
}

/// A readable flow that carried no datum.
pub(crate) fn flow(app: Option<&str>, host: Option<&str>) -> Flow {
    Flow {
        id: 0,
        protocol: FlowProtocol::Tcp,
        client: "192.168.1.10:40000".to_owned(),
        server: "198.51.100.7:80".to_owned(),
        host: host.map(str::to_owned),
        host_from: host.map(|_| HostFrom::Http),
        application: Application::Http1,
        protection: Protection::Clear,
        app: app.map(|package| App {
            uid: 10_023,
            package: Some(package.to_owned()),
        }),
        bytes_out: 300,
        bytes_in: 200,
        bytes_opaque: 0,
        first: START + 11.0,
        last: START + 12.0,
        gaps: 0,
        tls: None,
    }
}

/// A TLS flow whose content could not be read.
pub(crate) fn opaque(app: Option<&str>, host: Option<&str>) -> Flow {
    Flow {
        server: "198.51.100.7:443".to_owned(),
        host_from: host.map(|_| HostFrom::Sni),
        application: Application::Tls,
        protection: Protection::Tls,
        bytes_opaque: 250,
        ..flow(app, host)
    }
}

/// `datum` on its way out in `flow`, two seconds after the first step began.
pub(crate) fn finding(datum: &str, flow: &Flow) -> Finding {
    Finding {
        datum: datum.to_owned(),
        kind: DatumKind::Phone,
        evidence: Evidence::Proof,
        chain: vec!["http.query".to_owned(), "sha1".to_owned()],
        location: Location::Query,
        direction: Direction::Out,
        flow: flow.id,
        host: flow.host.clone(),
        server: flow.server.clone(),
        protection: flow.protection,
        at: START + 12.0,
        request: None,
        offset: 0,
        packet: None,
        exchange: None,
        trace: None,
    }
}

impl Observed {
    pub(crate) fn seen(&mut self) -> &mut Analysis {
        self.analysis.as_mut().unwrap()
    }

    /// Adds a flow under the next id, with these data in it.
    pub(crate) fn saw(&mut self, flow: Flow, data: &[&str]) {
        let analysis = self.seen();
        let id = u32::try_from(analysis.flows.len()).unwrap();
        let flow = Flow { id, ..flow };
        let findings = data.iter().map(|datum| finding(datum, &flow));
        analysis.findings.extend(findings);
        analysis.flows.push(flow);
    }
}
