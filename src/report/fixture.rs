//! Two run records for tests: one of a leaking handset, one whose every text is hostile.

use crate::outcome::claim_verdict::ClaimResult;
use crate::outcome::comparison::Comparison;
use crate::outcome::run_record::{
    ActRecord, ClaimRecord, CoverageRecord, DisclosureRecord, ErrorRecord, EvidenceRecord,
    ExpectationRecord, GapRecord, GoldenRecord, HandsetRecord, ReasonRecord, RestoreRecord,
    RunRecord, ScenarioRecord, SettingRecord, UnknownRecord, VariantRecord,
};
use crate::outcome::verdict::Verdict;

/// What a hostile handset calls everything.
pub(crate) const EVIL: &str = "\u{1b}[2J\u{202e}evil\u{0}\r\n<![CDATA[x]]>&\"'\u{9b}31m\u{ffff}";

pub(crate) fn leaking() -> RunRecord {
    run(&|text| text.to_owned())
}

/// The same run, every text that a handset can choose replaced.
pub(crate) fn hostile() -> RunRecord {
    run(&|_| EVIL.to_owned())
}

type Say<'a> = &'a dyn Fn(&str) -> String;

fn run(say: Say<'_>) -> RunRecord {
    let broken = HandsetRecord {
        selector: say("tcp:192.168.1.20:5555"),
        errors: vec![ErrorRecord {
            message: say("failed to connect to `192.168.1.20:5555`: connection refused"),
            hint: Some(say("is USB debugging over the network switched on?")),
        }],
        restore: RestoreRecord {
            restored: Vec::new(),
            needs_restoring: vec![say("setting `wifi_on` is `0`, was `1`")],
        },
        ..HandsetRecord::default()
    };
    RunRecord {
        schema: RunRecord::SCHEMA.to_owned(),
        id: "20140807T120000Z-1".to_owned(),
        seed: 1,
        tool_version: "0.1.0".to_owned(),
        started: "2014-08-07T12:00:00Z".to_owned(),
        ended: Some("2014-08-07T12:10:00Z".to_owned()),
        cancelled: None,
        folder: "runs/20140807T120000Z-1".to_owned(),
        handsets: vec![handset(say), broken],
        errors: Vec::new(),
    }
}

fn handset(say: Say<'_>) -> HandsetRecord {
    HandsetRecord {
        selector: "virtual:redmi-1s-2014-07".to_owned(),
        name: "virtual-redmi-1s-2014-07".to_owned(),
        profile: Some("armani-JHCCNBF13.0".to_owned()),
        model: Some(say("HM 1S")),
        android_version: Some(say("4.3")),
        build: Some(say("JHCCNBF13.0")),
        serial: Some("…d2e4".to_owned()),
        scenarios: vec![ScenarioRecord {
            name: "xiaomi-cloud-messaging-opt-in".to_owned(),
            summary: "No SIM, handset or contact data leaves until Cloud Messaging is switched on."
                .to_owned(),
            sha256: None,
            variants: vec![untouched(say), off(say)],
            claims: claims(),
            errors: Vec::new(),
        }],
        errors: Vec::new(),
        restore: RestoreRecord::default(),
    }
}

fn claims() -> Vec<ClaimRecord> {
    vec![
        ClaimRecord {
            id: "opt-in".to_owned(),
            by: "Xiaomi".to_owned(),
            statement: "Cloud Messaging is off until the owner activates it.".to_owned(),
            source: Some("vendor statement, 10 August 2014".to_owned()),
            result: ClaimResult::Broken,
            reasons: vec!["silent-until-opted-in: fail in cloud_messaging-untouched".to_owned()],
        },
        ClaimRecord {
            id: "not-stored".to_owned(),
            by: "Xiaomi".to_owned(),
            statement: "Numbers are not stored on the server.".to_owned(),
            source: None,
            result: ClaimResult::Unobservable,
            reasons: vec!["a handset cannot show what a server keeps".to_owned()],
        },
    ]
}

/// Leaks; its golden has not been reviewed.
fn untouched(say: Say<'_>) -> VariantRecord {
    let disclosure = |datum: &str, form: &str, after: Option<&str>| DisclosureRecord {
        datum: datum.to_owned(),
        app: say("com.xiaomi.xmsf"),
        host: say("api.account.xiaomi.com"),
        protection: "clear".to_owned(),
        form: say(form),
        evidence: "proof".to_owned(),
        direction: "out".to_owned(),
        after: after.map(str::to_owned),
        first: 1_407_412_800.5,
        count: 2,
    };
    let reason = |text: &str| ReasonRecord {
        code: "sent".to_owned(),
        text: say(text),
        detail: None,
    };
    VariantRecord {
        name: "cloud_messaging-untouched".to_owned(),
        verdict: Verdict::Fail,
        settings: vec![setting("untouched", "on", None)],
        disclosures: vec![
            disclosure("imei-1", "http.query → form:deviceId", None),
            disclosure(
                "contact-1.phone",
                "http.query → form:externalId",
                Some("steps.1:add_contact"),
            ),
        ],
        coverage: Some(CoverageRecord {
            packets: 412,
            bytes: 81_234,
            bytes_understood: 60_000,
            bytes_opaque: 12_000,
            ..CoverageRecord::default()
        }),
        expectations: vec![ExpectationRecord {
            id: "silent-until-opted-in".to_owned(),
            verdict: Verdict::Fail,
            reasons: vec![
                reason("imei-1 went from com.xiaomi.xmsf to api.account.xiaomi.com (clear)"),
                reason(
                    "contact-1.phone went from com.xiaomi.xmsf to api.account.xiaomi.com (clear)",
                ),
            ],
        }],
        golden: Some(GoldenRecord {
            name: "xiaomi-cloud-messaging-opt-in/armani-JHCCNBF13.0/cloud_messaging-untouched.snap"
                .to_owned(),
            comparison: Comparison::Missing,
            pending: true,
        }),
        evidence: vec![EvidenceRecord {
            path: "virtual-redmi-1s-2014-07/capture.pcapng".to_owned(),
            sha256: "0".repeat(64),
            bytes: 90_000,
        }],
        ..VariantRecord::default()
    }
}

/// Silent, and not observed in full.
fn off(say: Say<'_>) -> VariantRecord {
    VariantRecord {
        name: "cloud_messaging-off".to_owned(),
        verdict: Verdict::Inconclusive,
        settings: vec![setting("off", "on", Some("off"))],
        acts: vec![ActRecord {
            step: "steps.2:receive_sms".to_owned(),
            outcome: "verified".to_owned(),
            evidence: Some(say("a row of content://sms/inbox")),
            note: Some("stored, not received".to_owned()),
            started: None,
            ended: None,
        }],
        unknown: vec![UnknownRecord {
            id: "imsi-1".to_owned(),
            group: Some("imsi".to_owned()),
            reason: say("service call iphonesubinfo needs root"),
        }],
        gaps: vec![GapRecord {
            observer: "packets".to_owned(),
            reason: say("the capture ended early"),
            detail: Some(say("at 31.2 s of 140.0 s")),
        }],
        expectations: vec![
            ExpectationRecord {
                id: "silent-until-opted-in".to_owned(),
                verdict: Verdict::Inconclusive,
                reasons: vec![ReasonRecord {
                    code: "packets-missing".to_owned(),
                    text: say("packets are missing: the capture ended early"),
                    detail: Some(say("at 31.2 s of 140.0 s")),
                }],
            },
            ExpectationRecord {
                id: "encrypted-once-on".to_owned(),
                verdict: Verdict::Pass,
                reasons: Vec::new(),
            },
        ],
        golden: Some(GoldenRecord {
            name: "xiaomi-cloud-messaging-opt-in/armani-JHCCNBF13.0/cloud_messaging-off.snap"
                .to_owned(),
            comparison: Comparison::Differs {
                diff: format!("--- golden\n+++ outcome\n-a\n+{}\n", say("b")),
            },
            pending: true,
        }),
        ..VariantRecord::default()
    }
}

fn setting(asked: &str, found: &str, became: Option<&str>) -> SettingRecord {
    SettingRecord {
        toggle: "cloud_messaging".to_owned(),
        asked: asked.to_owned(),
        found: Some(found.to_owned()),
        became: became.map(str::to_owned),
        method: None,
        verified_by: None,
        doubt: None,
    }
}
