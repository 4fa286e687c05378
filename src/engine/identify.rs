//! Who the handset is: its radio's, SIM's and system's identifiers, read the best way its version
//! has, and what could not be read, with the reason.
//!
//! Every answer is validated: an empty, null or malformed one is unknown, never a datum.

use crate::android::parcel::Parcel;
use crate::android::quote;
use crate::android::settings::{self, Row};
use crate::android::telephony::{self, Identifier};
use crate::base::secret::Secret;
use crate::engine::session::{RootAccess, Session, SessionError, User};
use crate::persona::datum::{Datum, DatumKind, Group, Origin, UnknownDatum};

/// What was read, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Identifiers, numbered from 1: `imei-1`, `imei-2`, `imsi-1` …
    pub data: Vec<Datum>,
    /// Identifiers that the handset should have and does not tell.
    pub unknown: Vec<UnknownDatum>,
}

/// Reads every identifier.
///
/// # Errors
/// Only when the handset cannot be asked at all.
pub async fn identify(session: &Session) -> Result<Identity, SessionError> {
    let mut identity = Identity::default();
    let property = |name| session.properties().value(name);
    let slots = telephony::slots(
        property("persist.radio.multisim.config"),
        property("ro.telephony.sim.count"),
    );
    for slot in 0..slots {
        let mut imei = imei(session, slot).await?;
        if let Ok(value) = &imei
            && identity
                .data
                .iter()
                .any(|datum| datum.value.expose() == value)
        {
            imei = Err("the handset answers with another slot's".to_owned());
        }
        identity.add(format!("imei-{}", slot + 1), DatumKind::Imei, imei);
    }
    let imsi = by_call(session, Identifier::Imsi, telephony::is_imsi).await?;
    identity.add("imsi-1", DatumKind::Imsi, imsi);
    let iccid = by_call(session, Identifier::Iccid, telephony::is_iccid).await?;
    let without_filler = |value: String| value.trim_end_matches(['F', 'f']).to_owned();
    identity.add("iccid-1", DatumKind::Iccid, iccid.map(without_filler));
    let line1 = by_call(session, Identifier::Line1, telephony::is_number).await?;
    let own_phone = line1.and_then(|number| international(session, &number));
    identity.add("own_phone-1", DatumKind::Phone, own_phone);
    identity.add("operator-1", DatumKind::Operator, operator(session));
    let serial = session.serial().map(str::to_owned);
    identity.add(
        "serial-1",
        DatumKind::Serial,
        serial.ok_or_else(|| "no serial number among the properties".to_owned()),
    );
    identity.add(
        "android_id-1",
        DatumKind::AndroidId,
        android_id(session).await?,
    );
    identity.add("mac-1", DatumKind::Mac, wifi_mac(session).await?);
    Ok(identity)
}

impl Identity {
    fn add(&mut self, id: impl Into<String>, kind: DatumKind, value: Result<String, String>) {
        let id = id.into();
        let group = Group::of(&id, kind);
        match value {
            Ok(value) => self.data.push(Datum {
                id,
                kind,
                value: Secret::new(value),
                group,
                origin: Origin::Read,
            }),
            Err(reason) => self.unknown.push(UnknownDatum { id, group, reason }),
        }
    }
}

/// A value, or why there is none.
type Read = Result<String, String>;

async fn imei(session: &Session, slot: u32) -> Result<Read, SessionError> {
    let mut read = by_call(session, Identifier::Imei(slot), telephony::is_imei).await?;
    if read.is_err() && slot == 0 {
        let dump = session.shell(telephony::DUMP_SUBINFO).await?;
        read = telephony::device_id(&dump.text)
            .filter(|id| telephony::is_imei(id))
            .map(str::to_owned)
            .ok_or(())
            .or(read);
    }
    if read.is_err() && session.version().at_least(33) && session.has_root() {
        let answer = session
            .root_shell(&format!("cmd phone get-imei {slot}"))
            .await?;
        let digits = answer.text.split(|c: char| !c.is_ascii_digit());
        let found = digits
            .map(str::to_owned)
            .find(|word| telephony::is_imei(word));
        read = found.ok_or(()).or(read);
    }
    if read.is_err() {
        let names = [
            format!("ro.ril.miui.imei{slot}"),
            format!("ro.ril.oem.imei{}", slot + 1),
        ];
        let values = names
            .iter()
            .filter_map(|name| session.properties().value(name));
        let found = values
            .map(str::to_owned)
            .find(|value| telephony::is_imei(value));
        read = found.ok_or(()).or(read);
    }
    Ok(read)
}

/// The first valid answer of the calls that may give an identifier, as the shell's user, then as root.
async fn by_call(
    session: &Session,
    identifier: Identifier,
    is_valid: fn(&str) -> bool,
) -> Result<Read, SessionError> {
    // The subscription of the first SIM in every AOSP version.
    const SUBSCRIPTION: i32 = 1;
    let calls = telephony::identifier_calls(identifier, session.version().api, SUBSCRIPTION);
    let mut users = vec![User::Shell];
    if session.has_root() && *session.root() != RootAccess::Adbd {
        users.push(User::Root);
    }
    let mut reason = None;
    for user in users {
        for call in &calls {
            let answer = session.run(user, &call.command()).await?;
            let said = match Parcel::parse(answer.said()).and_then(|parcel| parcel.text()) {
                Ok(Some(value)) if is_valid(value.trim()) => {
                    return Ok(Ok(value.trim().to_owned()));
                }
                Ok(Some(value)) if value.trim().is_empty() => "an empty answer".to_owned(),
                Ok(Some(_)) => "a malformed answer".to_owned(),
                Ok(None) => "null".to_owned(),
                Err(error) => error.to_string(),
            };
            reason.get_or_insert_with(|| {
                format!("`service call {} {}`: {said}", call.service, call.code)
            });
        }
    }
    Ok(Err(reason.unwrap_or_else(|| {
        "this version has no way to ask".to_owned()
    })))
}

/// The SIM's number as E.164, by its country where it is written in the national form.
fn international(session: &Session, number: &str) -> Read {
    if number.starts_with('+') {
        return Ok(number.to_owned());
    }
    let names = ["gsm.sim.operator.iso-country", "gsm.operator.iso-country"];
    let countries = names
        .iter()
        .filter_map(|name| session.properties().value(name));
    let country = countries
        .filter_map(|value| {
            value
                .split(',')
                .map(str::trim)
                .find(|code| !code.is_empty())
        })
        .find_map(|code| code.to_ascii_uppercase().parse().ok());
    if country.is_none() {
        return Err("the SIM's number is in a national form, of an unknown country".to_owned());
    }
    let parsed = phonenumber::parse(country, number);
    parsed
        .map(|number| number.format().mode(phonenumber::Mode::E164).to_string())
        .map_err(|error| format!("the SIM's number is none of its country: {error}"))
}

/// The SIM's operator, or the network's.
fn operator(session: &Session) -> Read {
    let names = ["gsm.sim.operator.alpha", "gsm.operator.alpha"];
    let values = names
        .iter()
        .filter_map(|name| session.properties().value(name));
    // One value per slot, separated by commas.
    let mut operators = values.flat_map(|value| value.split(',')).map(str::trim);
    let operator = operators.find(|operator| !operator.is_empty());
    operator
        .map(str::to_owned)
        .ok_or_else(|| "neither the SIM nor the network names an operator".to_owned())
}

async fn android_id(session: &Session) -> Result<Read, SessionError> {
    let answer = session
        .shell(&settings::get("secure", "android_id"))
        .await?;
    let is_valid = |value: &str| {
        // Leading zeros are not written.
        (1..=16).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    Ok(match Row::parse(answer.said()) {
        Row::Value(value) if is_valid(value.trim()) => Ok(value.trim().to_owned()),
        Row::Value(_) => Err("`settings get secure android_id`: a malformed answer".to_owned()),
        Row::Missing => Err("`settings get secure android_id`: null".to_owned()),
        Row::Unreadable(said) => Err(format!("`settings get secure android_id`: {said}")),
    })
}

/// The address that the Wi-Fi interface shows the network: since Android 10 often a random one.
async fn wifi_mac(session: &Session) -> Result<Read, SessionError> {
    let named = session.properties().value("wifi.interface");
    let is_name = |name: &&str| name.len() < 16 && name.bytes().all(|b| b.is_ascii_alphanumeric());
    let interface = named.filter(is_name).unwrap_or("wlan0");
    let file = quote::command(["cat", &format!("/sys/class/net/{interface}/address")]);
    let link = quote::command(["ip", "link", "show", interface]);
    let mut tries = vec![
        (User::Shell, file.clone()),
        (User::Shell, link),
        (User::Shell, "netcfg".to_owned()),
    ];
    if session.has_root() {
        tries.push((User::Root, file));
    }
    for (user, command) in tries {
        let answer = session.run(user, &command).await?;
        if let Some(mac) = mac_of(&answer.text, interface) {
            return Ok(Ok(mac));
        }
    }
    Ok(Err(format!(
        "no command shows the address of `{interface}`"
    )))
}

/// The interface's address in a file of its own, in `ip link`, or in the line of `netcfg`.
fn mac_of(text: &str, interface: &str) -> Option<String> {
    let is_netcfg = text.lines().any(|line| line.starts_with("lo "));
    let lines = text
        .lines()
        .filter(|line| !is_netcfg || line.split_whitespace().next() == Some(interface));
    let mut words = lines.flat_map(str::split_whitespace);
    let mac = words.find(|word| is_mac(word))?;
    Some(mac.to_ascii_lowercase())
}

/// Six octets of hexadecimal that are an interface's own: neither zero nor broadcast, nor the
/// constant that Android shows to those who may not know it.
fn is_mac(word: &str) -> bool {
    let octets: Vec<&str> = word.split(':').collect();
    let is_octet = |octet: &&str| octet.len() == 2 && octet.bytes().all(|b| b.is_ascii_hexdigit());
    octets.len() == 6
        && octets.iter().all(is_octet)
        && !matches!(
            word.to_ascii_lowercase().as_str(),
            "00:00:00:00:00:00" | "ff:ff:ff:ff:ff:ff" | "02:00:00:00:00:00"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{ScriptedHandset, says};

    /// A reply parcel with a string, by the parcel format.
    fn parcel(text: &str) -> String {
        let mut units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        if units.len() % 2 == 1 {
            units.push(0);
        }
        let mut words = vec![0, u32::try_from(text.len()).unwrap()];
        words.extend(
            units
                .chunks(2)
                .map(|pair| u32::from(pair[1]) << 16 | u32::from(pair[0])),
        );
        let hex: Vec<String> = words.iter().map(|word| format!("{word:08x}")).collect();
        format!("Result: Parcel(\n  0x00000000: {} 'text')\n", hex.join(" "))
    }

    #[tokio::test]
    async fn reads_a_handset_of_android_4_3() {
        const REFUSED: &str = "Result: Parcel(\n  0x00000000: ffffffff 00000002 0067006e 00000000 '........n.g.....')\n";
        let properties = "[ro.build.version.sdk]: [18]\n[ro.serialno]: [0123456789ABCDEF]\n\
            [gsm.sim.operator.iso-country]: [gb]\n[gsm.sim.operator.alpha]: [Example Mobile]\n\
            [persist.radio.multisim.config]: [dsds]\n";
        let (session, handset) = ScriptedHandset::attach_with(
            properties,
            vec![
                says("service call iphonesubinfo 1", &parcel("490154203237518")),
                says(
                    "service call iphonesubinfo_msim 1 i32 1",
                    "service: Service iphonesubinfo_msim does not exist\n",
                ),
                says(
                    "su -c 'service call iphonesubinfo_msim 1 i32 1'",
                    "service: Service iphonesubinfo_msim does not exist\n",
                ),
                says("service call iphonesubinfo 3", REFUSED),
                says(
                    "su -c 'service call iphonesubinfo 3'",
                    &parcel("234150999999999"),
                ),
                says(
                    "service call iphonesubinfo 5",
                    &parcel("8944110068012345678F"),
                ),
                says("service call iphonesubinfo 6", &parcel("07700900123")),
                says("settings get secure android_id", "9774d56d682e549c\r\n"),
                says("cat /sys/class/net/wlan0/address", "98:fa:e3:00:00:01\r\n"),
            ],
        )
        .await;
        let identity = identify(&session).await.unwrap();
        handset.finish();
        let seen: Vec<_> = identity
            .data
            .iter()
            .map(|datum| {
                (
                    datum.id.as_str(),
                    datum.value.expose().as_str(),
                    datum.group,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("imei-1", "490154203237518", Some(Group::Imei)),
                ("imsi-1", "234150999999999", Some(Group::Imsi)),
                ("iccid-1", "8944110068012345678", Some(Group::Iccid)),
                ("own_phone-1", "+447700900123", Some(Group::OwnPhone)),
                ("operator-1", "Example Mobile", Some(Group::Operator)),
                ("serial-1", "0123456789ABCDEF", Some(Group::Serial)),
                ("android_id-1", "9774d56d682e549c", Some(Group::AndroidId)),
                ("mac-1", "98:fa:e3:00:00:01", Some(Group::Mac)),
            ]
        );
        let unknown: Vec<_> = identity
            .unknown
            .iter()
            .map(|datum| datum.id.as_str())
            .collect();
        assert_eq!(unknown, ["imei-2"]);
    }

    #[test]
    fn finds_the_interfaces_address() {
        let netcfg = "lo       UP   127.0.0.1/8    0x00000049 00:00:00:00:00:00\r\n\
            p2p0     UP   0.0.0.0/0      0x00001003 9a:fa:e3:00:00:02\r\n\
            wlan0    UP   192.168.1.7/24 0x00001043 98:FA:E3:00:00:01\r\n";
        let link = "5: wlan0: <BROADCAST,UP> mtu 1500\n    link/ether 98:fa:e3:00:00:01 brd ff:ff:ff:ff:ff:ff\n";
        let cases = [
            ("98:fa:e3:00:00:01\r\n", Some("98:fa:e3:00:00:01")),
            (netcfg, Some("98:fa:e3:00:00:01")),
            (link, Some("98:fa:e3:00:00:01")),
            ("02:00:00:00:00:00\n", None),
            (
                "cat: /sys/class/net/wlan0/address: Permission denied\n",
                None,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(mac_of(text, "wlan0").as_deref(), expected, "{text}");
        }
    }
}
