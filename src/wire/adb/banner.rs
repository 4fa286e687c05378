//! The banner of a `CNXN` packet: what the sender is, and what it can do. Parsing takes whatever a
//! handset says, as AOSP's `parse_banner` does; nothing here decides what to do about it.

use std::collections::{BTreeMap, BTreeSet};

/// Characters of one banner that are looked at; a `CNXN` payload has at most 4096 bytes.
const MAX_BANNER_LEN: usize = 4096;

/// A parsed banner: `device::ro.product.name=X;ro.product.model=Y;features=a,b`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Banner {
    /// `device`, `host`, `recovery`, `sideload` …
    pub state: String,
    /// Properties by name, `features` apart.
    pub properties: BTreeMap<String, String>,
    /// Features by name; empty on handsets before Android 7.
    pub features: BTreeSet<String>,
}

impl Banner {
    /// Whether the sender has a feature.
    #[must_use]
    pub fn has(&self, feature: &str) -> bool {
        self.features.contains(feature)
    }

    /// Reads a banner up to its first NUL. What is not understood is left out.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Self {
        let text = payload.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = text.get(..MAX_BANNER_LEN).unwrap_or(text);
        let text = String::from_utf8_lossy(text);
        let mut pieces = text.splitn(3, ':');
        let mut banner = Self {
            state: pieces.next().unwrap_or_default().to_owned(),
            ..Self::default()
        };
        let properties = pieces.nth(1).unwrap_or_default();
        for (name, value) in properties.split(';').filter_map(|p| p.split_once('=')) {
            if name == "features" {
                banner.features = features(value);
            } else {
                let (name, value) = (name.to_owned(), value.to_owned());
                banner.properties.insert(name, value);
            }
        }
        banner
    }
}

/// A comma-separated list of features, as in a banner and in the adb server's `features` answer.
#[must_use]
pub fn features(list: &str) -> BTreeSet<String> {
    let names = list.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The handset's banner. `features` in the order of its adbd's source; none gives the form of
/// Android 4 to 6, which ends in `;` and a NUL.
#[must_use]
pub fn emit_device(
    state: &str,
    name: &str,
    model: &str,
    device: &str,
    features: &[impl AsRef<str>],
) -> Vec<u8> {
    let properties = format!(
        "{state}::ro.product.name={name};ro.product.model={model};ro.product.device={device};"
    );
    let ending = if features.is_empty() {
        "\0".to_owned()
    } else {
        format!("features={}", joined(features))
    };
    (properties + &ending).into_bytes()
}

/// The host's banner: `host::features=…`.
#[must_use]
pub fn emit_host(features: &[impl AsRef<str>]) -> Vec<u8> {
    format!("host::features={}", joined(features)).into_bytes()
}

fn joined(features: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = features.iter().map(AsRef::as_ref).collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &[u8], state: &str, properties: &[(&str, &str)], features: &[&str]) {
        let expected = Banner {
            state: state.into(),
            properties: properties
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            features: features.iter().map(|name| (*name).into()).collect(),
        };
        assert_eq!(Banner::parse(text), expected);
    }

    #[test]
    fn reads_what_handsets_say() {
        check(
            b"device::ro.product.name=armani;ro.product.model=HM 1S;ro.product.device=armani;\0",
            "device",
            &[
                ("ro.product.device", "armani"),
                ("ro.product.model", "HM 1S"),
                ("ro.product.name", "armani"),
            ],
            &[],
        );
        check(
            b"device::ro.product.name=a;ro.product.model=b:c;ro.product.device=d;features=shell_v2,cmd",
            "device",
            &[
                ("ro.product.device", "d"),
                ("ro.product.model", "b:c"),
                ("ro.product.name", "a"),
            ],
            &["cmd", "shell_v2"],
        );
        check(b"host::", "host", &[], &[]);
        check(b"", "", &[], &[]);
        check(b"bootloader", "bootloader", &[], &[]);
        check(
            b"device::nonsense;=;features=,,",
            "device",
            &[("", "")],
            &[],
        );
    }

    #[test]
    fn writes_what_aosp_writes() {
        let none: [&str; 0] = [];
        assert_eq!(
            emit_device("device", "armani", "HM 1S", "armani", &none),
            b"device::ro.product.name=armani;ro.product.model=HM 1S;ro.product.device=armani;\0"
        );
        assert_eq!(
            emit_device("device", "a", "b", "c", &["shell_v2", "cmd"]),
            b"device::ro.product.name=a;ro.product.model=b;ro.product.device=c;features=shell_v2,cmd"
        );
        assert_eq!(
            emit_host(&["shell_v2", "cmd"]),
            b"host::features=shell_v2,cmd"
        );
    }

    proptest! {
        #[test]
        fn round_trips(state in "[a-z]{1,9}", name in "[^;\0]{0,20}", features in prop::collection::vec("[a-z_0-9]{1,12}", 0..5)) {
            let banner = Banner::parse(&emit_device(&state, &name, "m", "d", &features));
            prop_assert_eq!(banner.state, state);
            prop_assert_eq!(banner.properties.get("ro.product.name"), Some(&name));
            prop_assert_eq!(banner.features, features.into_iter().collect::<BTreeSet<_>>());
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Banner::parse(&bytes);
        }
    }
}
