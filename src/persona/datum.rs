//! One planted, read or given value, and the groups that an expectation may name.

use crate::base::secret::Secret;
use serde::{Deserialize, Serialize};

/// What sort of value a datum is: decides how it may be spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatumKind {
    /// 15 digits identifying the handset's radio.
    Imei,
    /// 14 or 15 digits identifying the subscriber.
    Imsi,
    /// 19 or 20 digits identifying the SIM card.
    Iccid,
    /// A phone number in E.164, with its `+`.
    Phone,
    /// The handset's serial number.
    Serial,
    /// A MAC address, colon-separated.
    Mac,
    /// 16 hex digits.
    AndroidId,
    /// A UUID with dashes.
    Uuid,
    /// A person's name, given name first.
    Name,
    /// Free text, such as a message's body.
    Text,
    /// The mobile operator's name.
    Operator,
    /// A Wi-Fi network's name.
    Ssid,
    /// A Wi-Fi access point's MAC address.
    Bssid,
    /// Degrees north, decimal.
    Latitude,
    /// Degrees east, decimal.
    Longitude,
    /// `lat,lon` in decimal degrees.
    Location,
    /// A mail address.
    Email,
    /// An account name.
    Account,
    /// A host name.
    Hostname,
    /// An opaque token.
    Token,
}

impl DatumKind {
    /// All kinds with the names that files use, in the order of the documentation.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("imei", Self::Imei),
        ("imsi", Self::Imsi),
        ("iccid", Self::Iccid),
        ("phone", Self::Phone),
        ("serial", Self::Serial),
        ("mac", Self::Mac),
        ("android_id", Self::AndroidId),
        ("uuid", Self::Uuid),
        ("name", Self::Name),
        ("text", Self::Text),
        ("operator", Self::Operator),
        ("ssid", Self::Ssid),
        ("bssid", Self::Bssid),
        ("latitude", Self::Latitude),
        ("longitude", Self::Longitude),
        ("location", Self::Location),
        ("email", Self::Email),
        ("account", Self::Account),
        ("hostname", Self::Hostname),
        ("token", Self::Token),
    ];

    /// The name that files use.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find_map(|(name, kind)| (*kind == self).then_some(*name))
            .unwrap_or("unnamed")
    }
}

/// A group of data that an expectation may name at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Every IMEI of the handset.
    Imei,
    /// Every IMSI.
    Imsi,
    /// Every ICCID.
    Iccid,
    /// The handset's serial number.
    Serial,
    /// The Android id.
    AndroidId,
    /// The handset's MAC addresses.
    Mac,
    /// The handset's own phone numbers.
    OwnPhone,
    /// The operator's name.
    Operator,
    /// Where the handset is.
    Location,
    /// The owner's accounts and mail addresses.
    Account,
    /// Everything of the planted contacts.
    Contacts,
    /// The numbers of those who call and write.
    Peers,
    /// The texts of messages.
    Messages,
}

impl Group {
    /// All groups with the names that files use, in the order of the documentation.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("imei", Self::Imei),
        ("imsi", Self::Imsi),
        ("iccid", Self::Iccid),
        ("serial", Self::Serial),
        ("android_id", Self::AndroidId),
        ("mac", Self::Mac),
        ("own_phone", Self::OwnPhone),
        ("operator", Self::Operator),
        ("location", Self::Location),
        ("account", Self::Account),
        ("contacts", Self::Contacts),
        ("peers", Self::Peers),
        ("messages", Self::Messages),
    ];

    /// The name that files use.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find_map(|(name, group)| (*group == self).then_some(*name))
            .unwrap_or("unnamed")
    }
}

impl Group {
    /// The group of a datum, by its id where that says whose it is, else by its kind.
    #[must_use]
    pub fn of(id: &str, kind: DatumKind) -> Option<Self> {
        let owners = [
            ("contact-", Self::Contacts),
            ("peer-", Self::Peers),
            ("message-", Self::Messages),
            ("own_phone", Self::OwnPhone),
        ];
        let by_owner = owners
            .iter()
            .find_map(|(prefix, group)| id.starts_with(prefix).then_some(*group));
        by_owner.or(match kind {
            DatumKind::Imei => Some(Self::Imei),
            DatumKind::Imsi => Some(Self::Imsi),
            DatumKind::Iccid => Some(Self::Iccid),
            DatumKind::Serial => Some(Self::Serial),
            DatumKind::AndroidId => Some(Self::AndroidId),
            DatumKind::Mac => Some(Self::Mac),
            DatumKind::Operator => Some(Self::Operator),
            DatumKind::Latitude | DatumKind::Longitude | DatumKind::Location => {
                Some(Self::Location)
            }
            DatumKind::Account | DatumKind::Email => Some(Self::Account),
            _ => None,
        })
    }
}

/// Where a datum comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Drawn from the run's seed and put on the handset by us.
    Planted,
    /// Read from the handset over ADB.
    Read,
    /// Given by the operator in a persona file.
    Given,
}

/// One value to search for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datum {
    /// Unique within the persona: `imei-1`, `contact-1.phone`, `message-2.text`.
    pub id: String,
    /// Decides the spellings searched for.
    pub kind: DatumKind,
    /// The value in its kind's canonical spelling.
    pub value: Secret<String>,
    /// The group whose expectations cover it, if any.
    pub group: Option<Group>,
    /// Where it comes from.
    pub origin: Origin,
}

/// A datum that should be known and is not, so nothing can be said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownDatum {
    /// The id it would have had: `imsi-1`.
    pub id: String,
    /// Its group.
    pub group: Option<Group>,
    /// Why it is not known, in the operator's terms.
    pub reason: String,
}

/// The key of a digest or a cipher, or a salt, given by the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Unique within the persona.
    pub id: String,
    /// Its bytes, as text.
    pub value: Secret<String>,
}

/// Everything that is searched for in one run, on one handset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Persona {
    /// Values that are on the handset.
    pub data: Vec<Datum>,
    /// Values that are nowhere: a hit is a false positive of our own.
    pub decoys: Vec<Datum>,
    /// What could not be learnt.
    pub unknown: Vec<UnknownDatum>,
    /// Keys that digests and ciphers may use.
    pub keys: Vec<Key>,
    /// What digests may be salted with: package names, hour stamps and the like.
    pub salts: Vec<Key>,
}

impl Persona {
    /// The datum of that id, if it is known.
    #[must_use]
    pub fn datum(&self, id: &str) -> Option<&Datum> {
        self.data.iter().find(|datum| datum.id == id)
    }
}
