//! Telephony: how identifiers, calls and messages are asked for in each Android version.
//!
//! The codes of `service call` are the order of methods in the service's AIDL file, so they differ
//! between versions and vendors. A call lists several candidates where builds of one version are
//! known to differ; the reader validates every answer and never trusts one for its place alone.

use crate::android::quote;

/// An identifier of the handset's radio or SIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// The IMEI of a slot, counted from 0.
    Imei(u32),
    /// The subscriber's identity.
    Imsi,
    /// The SIM card's serial number.
    Iccid,
    /// The SIM's own phone number.
    Line1,
}

/// One argument of `service call`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// A string.
    Text(String),
    /// A null string (its length written as -1).
    NullText,
    /// A null parcelable (its presence written as 0).
    NullObject,
}

/// One `service call`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service's name: `iphonesubinfo`.
    pub service: &'static str,
    /// The method, by its place in the AIDL file, from 1.
    pub code: u32,
    /// What it is given.
    pub arguments: Vec<Argument>,
}

impl Call {
    /// The command line.
    #[must_use]
    pub fn command(&self) -> String {
        let mut words = vec![
            "service".to_owned(),
            "call".to_owned(),
            self.service.to_owned(),
            self.code.to_string(),
        ];
        for argument in &self.arguments {
            let (kind, value) = match argument {
                Argument::Int(value) => ("i32", value.to_string()),
                Argument::Long(value) => ("i64", value.to_string()),
                Argument::Text(value) => ("s16", value.clone()),
                Argument::NullText => ("i32", "-1".to_owned()),
                Argument::NullObject => ("i32", "0".to_owned()),
            };
            words.extend([kind.to_owned(), value]);
        }
        quote::command(words.iter().map(String::as_str))
    }
}

/// The package that the shell user is allowed to speak for.
const CALLER: &str = "com.android.shell";

/// The calls that may answer an identifier, best first, for an API level and a subscription.
#[must_use]
pub fn identifier_calls(identifier: Identifier, api: u32, subscription: i32) -> Vec<Call> {
    let slot = match identifier {
        Identifier::Imei(slot) => slot.cast_signed(),
        _ => 0,
    };
    let table = candidates(identifier, api);
    table
        .iter()
        .map(|(code, form)| {
            let package = || Argument::Text(CALLER.to_owned());
            let mut arguments = match form {
                Form::Plain => vec![],
                Form::Package | Form::Own => vec![package()],
                Form::Slot => vec![Argument::Int(slot), package()],
                Form::Sub => vec![Argument::Int(subscription), package()],
                Form::LongSlot => vec![Argument::Long(slot.into())],
                Form::LongSub => vec![Argument::Long(subscription.into())],
                Form::MultiSim => vec![Argument::Int(slot)],
            };
            if api >= 30 && !matches!(form, Form::Package) {
                // Android 11 added the caller's attribution tag.
                arguments.push(Argument::NullText);
            }
            let service = match form {
                Form::MultiSim => "iphonesubinfo_msim",
                _ => "iphonesubinfo",
            };
            Call {
                service,
                code: *code,
                arguments,
            }
        })
        .collect()
}

/// What a method of `IPhoneSubInfo` takes.
#[derive(Clone, Copy)]
enum Form {
    /// Nothing.
    Plain,
    /// A package and nothing else, in every version.
    Package,
    /// A package.
    Own,
    /// A slot and a package.
    Slot,
    /// A subscription and a package.
    Sub,
    /// A slot as 64 bits.
    LongSlot,
    /// A subscription as 64 bits.
    LongSub,
    /// A slot, asked of Qualcomm's multi-SIM service of 4.x, beside the AOSP one.
    MultiSim,
}

/// Methods by their place in `IPhoneSubInfo.aidl`, best first.
///
/// Sources: that file in Android 4.3 (which added `getGroupIdLevel1`), 5.0, 10 and 11. Builds
/// between 5.1 and 10 exist with and without `getGroupIdLevel1(String)`, and builds of 13 and later
/// with and without `getGroupIdLevel2`, so both places are listed.
const fn candidates(identifier: Identifier, api: u32) -> &'static [(u32, Form)] {
    use Form::{LongSlot, LongSub, MultiSim, Own, Package, Plain, Slot, Sub};
    match (identifier, api) {
        (Identifier::Imei(0), ..=20) => &[(1, Plain)],
        (Identifier::Imei(_), ..=20) => &[(1, MultiSim)],
        (Identifier::Imsi, ..=20) => &[(3, Plain)],
        (Identifier::Iccid, ..=20) => &[(5, Plain)],
        (Identifier::Line1, ..=20) => &[(6, Plain)],
        (Identifier::Imei(0), 21) => &[(1, Plain), (2, LongSlot)],
        (Identifier::Imei(_), 21) => &[(2, LongSlot)],
        (Identifier::Imsi, 21) => &[(6, Plain), (7, LongSub)],
        (Identifier::Iccid, 21) => &[(10, Plain), (11, LongSub)],
        (Identifier::Line1, 21) => &[(12, Plain), (13, LongSub)],
        (Identifier::Imei(0), 22..=29) => &[(3, Slot), (1, Own)],
        (Identifier::Imei(_), 22..=29) => &[(3, Slot)],
        (Identifier::Imsi, 22..=29) => &[(7, Own), (8, Sub)],
        (Identifier::Iccid, 22..=29) => &[(11, Own), (12, Sub), (10, Own), (11, Sub)],
        (Identifier::Line1, 22..=29) => &[(13, Own), (14, Sub), (12, Own), (13, Sub)],
        (Identifier::Imei(0), _) => &[(4, Slot), (2, Own), (1, Package)],
        (Identifier::Imei(_), _) => &[(4, Slot)],
        (Identifier::Imsi, _) => &[(9, Own), (8, Package), (10, Sub)],
        (Identifier::Iccid, _) => &[(13, Own), (12, Package), (14, Sub), (14, Own), (15, Sub)],
        (Identifier::Line1, _) => &[(15, Own), (16, Sub), (16, Own), (17, Sub)],
    }
}

/// The call that sends a text message and has the platform store it.
///
/// Before 5.1 the platform does not store what a caller sends through the service (the caller
/// does), so there the message is sent from the messaging app's own screen and this is `None`.
/// Sources: `ISms.aidl` of Android 11; for 5.1 to 10 the place that public tools use.
#[must_use]
pub fn send_text_call(api: u32, subscription: i32, number: &str, text: &str) -> Option<Call> {
    let message = |attribution: &[Argument]| {
        let mut arguments = vec![
            Argument::Int(subscription),
            Argument::Text(CALLER.to_owned()),
        ];
        arguments.extend_from_slice(attribution);
        arguments.extend([
            Argument::Text(number.to_owned()),
            Argument::NullText,
            Argument::Text(text.to_owned()),
            Argument::NullObject,
            Argument::NullObject,
            Argument::Int(1),
        ]);
        arguments
    };
    let call = |code, arguments| Call {
        service: "isms",
        code,
        arguments,
    };
    match api {
        ..=21 => None,
        22 => Some(call(5, message(&[]))),
        23..=29 => Some(call(7, message(&[]))),
        _ => {
            let mut arguments = message(&[Argument::NullText]);
            arguments.push(Argument::Long(0));
            Some(call(5, arguments))
        }
    }
}

/// The command that shows a 4.x handset's device id.
pub const DUMP_SUBINFO: &str = "dumpsys iphonesubinfo";

/// The device id in `dumpsys iphonesubinfo`; empty output and null are `None`.
#[must_use]
pub fn device_id(output: &str) -> Option<&str> {
    output
        .lines()
        .find_map(|line| line.trim().strip_prefix("Device ID = "))
        .map(str::trim)
        .filter(|id| !id.is_empty() && *id != "null")
}

/// The command that shows the state of calls.
pub const DUMP_REGISTRY: &str = "dumpsys telephony.registry";

/// What the telephony registry says of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallState {
    /// No call.
    Idle,
    /// Somebody calls.
    Ringing,
    /// Dialling, or in a call.
    OffHook,
}

/// The busiest slot's call state in `dumpsys telephony.registry`; `None` when it tells none.
#[must_use]
pub fn call_state(output: &str) -> Option<CallState> {
    let states = output.lines().filter_map(|line| {
        let value = line.trim().strip_prefix("mCallState=")?;
        match value.split([' ', ',']).next()? {
            "0" => Some(CallState::Idle),
            "1" => Some(CallState::Ringing),
            "2" => Some(CallState::OffHook),
            _ => None,
        }
    });
    states.max()
}

/// How many SIM slots the properties tell of; 1 when they do not.
#[must_use]
pub fn slots(multisim_config: Option<&str>, sim_count: Option<&str>) -> u32 {
    let by_config = match multisim_config {
        Some("dsds" | "dsda") => 2,
        Some("tsts") => 3,
        _ => 1,
    };
    let by_count = sim_count
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1);
    by_config.max(by_count).clamp(1, 4)
}

/// Whether 15 digits are an IMEI: the last one is the Luhn digit of the others.
#[must_use]
pub fn is_imei(text: &str) -> bool {
    text.len() == 15 && luhn(text) && !text.bytes().all(|digit| digit == b'0')
}

/// Whether digits are an IMSI: 14 or 15, beginning with a mobile country code (ITU-T E.212: 2 to 7,
/// 9 for shared ones, 001 for test networks).
#[must_use]
pub fn is_imsi(text: &str) -> bool {
    matches!(text.len(), 14 | 15)
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.starts_with(['2', '3', '4', '5', '6', '7', '9']) || text.starts_with("001"))
}

/// Whether text is an ICCID: 18 to 20 digits (the last may be an `F` filler), beginning with 89,
/// the industry identifier of telecommunications.
#[must_use]
pub fn is_iccid(text: &str) -> bool {
    let digits = text.trim_end_matches(['F', 'f']);
    (18..=20).contains(&digits.len())
        && text.len() - digits.len() <= 1
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.starts_with("89")
}

/// Whether text could be a subscriber's number: 5 to 15 digits after an optional `+`.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether two spellings are the same number: equal digits, or one ends with the other's last
/// nine, as handsets compare a local with an international form.
#[must_use]
pub fn same_number(one: &str, other: &str) -> bool {
    let digits = |text: &str| -> Vec<u8> { text.bytes().filter(u8::is_ascii_digit).collect() };
    let (one, other) = (digits(one), digits(other));
    if one.is_empty() || other.is_empty() {
        return false;
    }
    let common = one
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    one == other || common >= 9
}

fn luhn(digits: &str) -> bool {
    let mut sum = 0;
    for (place, byte) in digits.bytes().rev().enumerate() {
        if !byte.is_ascii_digit() {
            return false;
        }
        let digit = u32::from(byte - b'0');
        let doubled = if place % 2 == 1 { digit * 2 } else { digit };
        sum += doubled / 10 + doubled % 10;
    }
    sum % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn asks_each_version_its_own_way() {
        let first = |identifier, api| identifier_calls(identifier, api, 1)[0].command();
        let cases = [
            (
                first(Identifier::Imei(0), 18),
                "service call iphonesubinfo 1",
            ),
            (first(Identifier::Imsi, 18), "service call iphonesubinfo 3"),
            (first(Identifier::Iccid, 18), "service call iphonesubinfo 5"),
            (first(Identifier::Line1, 18), "service call iphonesubinfo 6"),
            (
                first(Identifier::Imei(1), 18),
                "service call iphonesubinfo_msim 1 i32 1",
            ),
            (first(Identifier::Imsi, 21), "service call iphonesubinfo 6"),
            (
                first(Identifier::Imei(1), 28),
                "service call iphonesubinfo 3 i32 1 s16 com.android.shell",
            ),
            (
                first(Identifier::Imsi, 34),
                "service call iphonesubinfo 9 s16 com.android.shell i32 -1",
            ),
            (
                first(Identifier::Imei(0), 34),
                "service call iphonesubinfo 4 i32 0 s16 com.android.shell i32 -1",
            ),
        ];
        for (command, expected) in cases {
            assert_eq!(command, expected);
        }
    }

    #[test]
    fn sends_with_true_nulls() {
        let command =
            |api| send_text_call(api, 1, "+447700900123", "it's me").map(|call| call.command());
        assert_eq!(command(18), None);
        assert_eq!(
            command(34).as_deref(),
            Some(
                r"service call isms 5 i32 1 s16 com.android.shell i32 -1 s16 +447700900123 i32 -1 s16 'it'\''s me' i32 0 i32 0 i32 1 i64 0"
            )
        );
        assert!(
            command(28)
                .unwrap()
                .starts_with("service call isms 7 i32 1 s16 com.android.shell s16 +44")
        );
    }

    #[test]
    fn reads_dumps() {
        let dump =
            "Phone Subscriber Info:\r\n  Phone Type = GSM\r\n  Device ID = 490154203237518\r\n";
        assert_eq!(device_id(dump), Some("490154203237518"));
        assert_eq!(device_id("  Device ID = null\n"), None);
        assert_eq!(device_id(""), None);
        let old = "last known state:\n  mCallState=2\n  mCallIncomingNumber=\n";
        let new = "last known state:\n  Phone Id=0\n    mRingingCallState=0\n    mCallState=0\n  Phone Id=1\n    mCallState=1\n";
        assert_eq!(call_state(old), Some(CallState::OffHook));
        assert_eq!(call_state(new), Some(CallState::Ringing));
        assert_eq!(call_state("mCallState=9\n"), None);
        assert_eq!(call_state("Permission Denial"), None);
    }

    #[test]
    fn validates_identifiers() {
        // 490154203237518 is the example of 3GPP TS 23.003.
        assert!(is_imei("490154203237518"));
        for wrong in [
            "490154203237517",
            "49015420323751",
            "000000000000000",
            "49015420323751x",
            "",
        ] {
            assert!(!is_imei(wrong), "{wrong}");
        }
        assert!(is_imsi("460001234567890"));
        assert!(is_imsi("001010123456789"));
        assert!(!is_imsi("160001234567890"));
        assert!(is_iccid("8986001234567890123F"));
        assert!(is_iccid("89014103211118510720"));
        assert!(!is_iccid("8901410321111851"));
        assert!(is_number("+447700900123"));
        assert!(!is_number("Voicemail"));
    }

    #[test]
    fn compares_numbers_as_handsets_do() {
        assert!(same_number("+44 7700 900123", "07700900123"));
        assert!(same_number("+447700900123", "+447700900123"));
        assert!(!same_number("+447700900123", "+447700900124"));
        assert!(!same_number("", ""));
        assert!(same_number("112", "112"));
        assert!(!same_number("2", "112"));
    }

    #[test]
    fn counts_slots() {
        assert_eq!(slots(None, None), 1);
        assert_eq!(slots(Some("dsds"), None), 2);
        assert_eq!(slots(None, Some("2")), 2);
        assert_eq!(slots(None, Some("99999")), 4);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*", other in ".*") {
            let _ = (is_imei(&text), is_imsi(&text), is_iccid(&text), is_number(&text));
            let _ = (call_state(&text), device_id(&text), same_number(&text, &other));
        }
    }
}
