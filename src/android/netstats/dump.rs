//! `dumpsys netstats` from Android 4.3 (milliseconds, long names) to 14 (seconds, short names).
//!
//! Histories are recognised by the shape of their lines, not by the version, and every section is
//! kept under its own title. Lines of other kinds are kept, up to a bound, and counted.

use crate::android::netstats::kernel::{UidBytes, app_uid_map_row};
use std::time::Duration;

/// The command that makes the service count now. It prints no history.
pub const POLL: &str = "dumpsys netstats --poll";

/// The command that prints every history, per uid and tag included.
pub const DUMP: &str = "dumpsys netstats --full detail";

/// Which of an app's states the bytes were counted in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Set {
    /// Device-wide sections do not tell.
    All,
    /// In the background.
    Default,
    /// In the foreground.
    Foreground,
    /// Anything else (`DBG_VPN_IN`, `DBG_VPN_OUT`), as printed.
    Other(String),
}

/// One stretch of time of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Its beginning, since the Unix epoch by the handset's clock.
    pub start: Duration,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Operations the app counted.
    pub operations: u64,
}

/// One history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The section's title: `Dev`, `Xt`, `UID`, `UID tag`.
    pub section: String,
    /// Which of the section's histories: `Complete history`, `History since boot`.
    pub history: String,
    /// The networks counted, each as printed between its braces.
    pub ident: Vec<String>,
    /// The app; -1 all, -4 removed apps, -5 tethering.
    pub uid: i64,
    /// Background or foreground.
    pub set: Set,
    /// 0 is the app's total; other tags are parts of it.
    pub tag: u64,
    /// The nominal length of a bucket.
    pub bucket_duration: Option<Duration>,
    /// The buckets, in the order printed.
    pub buckets: Vec<Bucket>,
}

/// A whole dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Netstats {
    /// Every history.
    pub records: Vec<Record>,
    /// The kernel's totals per uid since boot, where the dump prints them (14 and later).
    pub app_uid_map: Vec<UidBytes>,
    /// Lines that are none of these, as printed; at most [`MAX_UNKNOWN`].
    pub unknown: Vec<String>,
    /// How many such lines there were.
    pub unknown_lines: usize,
}

/// How many unknown lines are kept.
pub const MAX_UNKNOWN: usize = 1000;

impl Netstats {
    /// Reads a dump.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut reader = DumpReader::default();
        for line in text.lines() {
            reader.line(line.trim_end());
        }
        reader.close();
        reader.netstats
    }
}

#[derive(Default)]
struct DumpReader {
    netstats: Netstats,
    section: String,
    history: String,
    open: Option<Record>,
    in_uid_map: bool,
}

impl DumpReader {
    fn line(&mut self, line: &str) {
        let text = line.trim_start();
        if text.is_empty() {
            return;
        }
        if self.in_uid_map {
            match app_uid_map_row(text) {
                Some(row) => return self.netstats.app_uid_map.push(row),
                None => self.in_uid_map = text.starts_with("uid "),
            }
            if self.in_uid_map {
                return;
            }
        }
        if let Some(bucket) = bucket(text) {
            match &mut self.open {
                Some(record) => record.buckets.push(bucket),
                None => self.unknown(line),
            }
        } else if let Some(rest) = text.strip_prefix("NetworkStatsHistory: bucketDuration=") {
            self.duration(rest, line);
        } else if let Some(record) = self.record(text) {
            self.close();
            self.open = Some(record);
        } else {
            self.close();
            self.title(text, line);
        }
    }

    /// Section and history titles; the rest is unknown.
    fn title(&mut self, text: &str, line: &str) {
        if let Some(title) = text.strip_suffix(" stats:") {
            let title = title.strip_prefix("Detailed ").unwrap_or(title);
            title.clone_into(&mut self.section);
            self.history.clear();
        } else if let Some(history) = text
            .strip_suffix(':')
            .filter(|text| text.ends_with("history") || text.starts_with("History"))
        {
            history.clone_into(&mut self.history);
        } else if text.starts_with("mAppUidStatsMap") {
            self.in_uid_map = true;
        } else if !text.starts_with("Pending bytes:") {
            self.unknown(line);
        }
    }

    fn duration(&mut self, rest: &str, line: &str) {
        let duration = rest
            .split_whitespace()
            .next()
            .and_then(|word| word.parse::<u64>().ok());
        match (&mut self.open, duration) {
            // The 4.x family counts in milliseconds: an hour is 3600000 there and 3600 later.
            (Some(record), Some(n)) => {
                record.bucket_duration = Some(if n >= 100_000 {
                    Duration::from_millis(n)
                } else {
                    Duration::from_secs(n)
                });
            }
            _ => self.unknown(line),
        }
    }

    fn record(&self, text: &str) -> Option<Record> {
        let rest = text.strip_prefix("ident=")?;
        // The keys stand after the last bracket: an identity may hold anything, `uid=` included.
        let end = rest.rfind(']')?;
        let (ident, keys) = rest.split_at_checked(end)?;
        let keys = keys.strip_prefix(']')?;
        let key = |name: &str| {
            keys.split_whitespace()
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        let tag = key("tag")?;
        let set = match key("set")? {
            "ALL" => Set::All,
            "DEFAULT" => Set::Default,
            "FOREGROUND" => Set::Foreground,
            other => Set::Other(other.to_owned()),
        };
        Some(Record {
            section: self.section.clone(),
            history: self.history.clone(),
            ident: identities(ident.strip_prefix('[')?),
            uid: key("uid")?.parse().ok()?,
            set,
            tag: u64::from_str_radix(tag.strip_prefix("0x")?, 16).ok()?,
            bucket_duration: None,
            buckets: Vec::new(),
        })
    }

    fn close(&mut self) {
        self.netstats.records.extend(self.open.take());
    }

    fn unknown(&mut self, line: &str) {
        self.netstats.unknown_lines += 1;
        if self.netstats.unknown.len() < MAX_UNKNOWN {
            self.netstats.unknown.push(line.to_owned());
        }
    }
}

/// `{a}, {b}` or `[a], [b]`, split between identities.
fn identities(text: &str) -> Vec<String> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    let parts = if text.starts_with('{') {
        text.split("}, {")
    } else {
        text.split("], [")
    };
    parts
        .map(|part| part.trim_matches(['{', '}', '[', ']']).to_owned())
        .collect()
}

fn bucket(text: &str) -> Option<Bucket> {
    let milliseconds = text.starts_with("bucketStart=");
    if !milliseconds && !text.starts_with("st=") {
        return None;
    }
    let number = |long: &str, short: &str| {
        let name = if milliseconds { long } else { short };
        text.split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            .and_then(|value| value.parse::<u64>().ok())
    };
    let start = number("bucketStart", "st")?;
    Some(Bucket {
        start: if milliseconds {
            Duration::from_millis(start)
        } else {
            Duration::from_secs(start)
        },
        rx_bytes: number("rxBytes", "rb")?,
        rx_packets: number("rxPackets", "rp")?,
        tx_bytes: number("txBytes", "tb")?,
        tx_packets: number("txPackets", "tp")?,
        operations: number("operations", "op").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OLD: &str = "Active interfaces:\r\n  iface=wlan0 ident=[[type=WIFI, subType=COMBINED, networkId=\"lab\"]]\r\n\
        Dev stats:\r\n  Pending bytes: 1024\r\n  History since boot:\r\n\
        \x20 ident=[[type=WIFI, subType=COMBINED, networkId=\"lab\"]] uid=-1 set=ALL tag=0x0\r\n\
        \x20   NetworkStatsHistory: bucketDuration=3600000\r\n\
        \x20     bucketStart=1407650400000 activeTime=3600000 rxBytes=10 rxPackets=1 txBytes=20 txPackets=2 operations=0\r\n\
        UID stats:\r\n  Pending bytes: 0\r\n  Complete history:\r\n\
        \x20 ident=[[type=MOBILE, subType=COMBINED, subscriberId=460001...], [type=WIFI, subType=COMBINED]] uid=10007  set=DEFAULT tag=0x0\r\n\
        \x20   NetworkStatsHistory: bucketDuration=7200000\r\n\
        \x20     bucketStart=1407650400000 activeTime=7200000 rxBytes=4666 rxPackets=7 txBytes=1597 txPackets=10 operations=3\r\n";

    const NEW: &str = "Directory:\n  /data/misc/apexdata\nXt stats:\n  Pending bytes: \n  Complete history:\n\
        \x20 ident=[{type=1, ratType=COMBINED, wifiNetworkKey=\"a] uid=7 [\"wpa2-psk, ROAMING, metered=false, defaultNetwork=true, oemManaged=OEM_NONE, subId=-1}] uid=-1 set=ALL tag=0x0\n\
        \x20   NetworkStatsHistory: bucketDuration=3600\n\
        \x20     st=1700000000 rb=1 rp=2 tb=3 tp=4 op=0\n\
        UID tag stats:\n  Complete history:\n\
        \x20 ident=[{type=1}] uid=10123 set=DBG_VPN_IN tag=0xffffff01\n\
        \x20   NetworkStatsHistory: bucketDuration=7200\n\
        BPF map content:\n  mAppUidStatsMap:\n    uid rxBytes rxPackets txBytes txPackets\n    10123 5 6 7 8\n    1000 1 1 1 1\n  mStatsMapA:\n    ifaceIndex ifaceName\n";

    #[test]
    fn reads_milliseconds_of_4x() {
        let stats = Netstats::parse(OLD);
        let [dev, uid] = stats.records.as_slice() else {
            panic!("{:?}", stats.records)
        };
        assert_eq!(
            (dev.section.as_str(), dev.history.as_str(), dev.uid),
            ("Dev", "History since boot", -1)
        );
        assert_eq!(
            dev.ident,
            ["type=WIFI, subType=COMBINED, networkId=\"lab\""]
        );
        assert_eq!(dev.bucket_duration, Some(Duration::from_hours(1)));
        assert_eq!(
            (uid.section.as_str(), uid.uid, &uid.set, uid.tag),
            ("UID", 10007, &Set::Default, 0)
        );
        assert_eq!(uid.ident.len(), 2);
        assert_eq!(
            uid.buckets,
            [Bucket {
                start: Duration::from_secs(1_407_650_400),
                rx_bytes: 4666,
                rx_packets: 7,
                tx_bytes: 1597,
                tx_packets: 10,
                operations: 3,
            }]
        );
        assert_eq!(stats.unknown_lines, 2, "{:?}", stats.unknown);
    }

    #[test]
    fn reads_seconds_and_maps_of_14() {
        let stats = Netstats::parse(NEW);
        let [xt, tagged] = stats.records.as_slice() else {
            panic!("{:?}", stats.records)
        };
        assert_eq!((xt.section.as_str(), xt.uid), ("Xt", -1));
        assert_eq!(xt.ident.len(), 1);
        assert_eq!(xt.buckets[0].start, Duration::from_secs(1_700_000_000));
        assert_eq!(xt.buckets[0].tx_bytes, 3);
        assert_eq!(
            (tagged.section.as_str(), tagged.tag),
            ("UID tag", 0xffff_ff01)
        );
        assert_eq!(tagged.set, Set::Other("DBG_VPN_IN".to_owned()));
        assert_eq!(tagged.bucket_duration, Some(Duration::from_hours(2)));
        let map: Vec<_> = stats
            .app_uid_map
            .iter()
            .map(|row| (row.uid, row.tx_bytes))
            .collect();
        assert_eq!(map, [(10123, 7), (1000, 1)]);
    }

    #[test]
    fn keeps_strange_lines() {
        let stats = Netstats::parse(
            "st=1 rb=2 rp=3 tb=4 tp=5 op=6\nident=[x uid=1\nbucketStart=99999999999999999999\n",
        );
        assert_eq!(stats.records, []);
        assert_eq!(stats.unknown_lines, 3);
        let flood = "what\n".repeat(MAX_UNKNOWN + 5);
        let stats = Netstats::parse(&flood);
        assert_eq!(stats.unknown.len(), MAX_UNKNOWN);
        assert_eq!(stats.unknown_lines, MAX_UNKNOWN + 5);
    }

    #[test]
    fn every_truncation_parses() {
        for text in [OLD, NEW] {
            for end in 0..text.len() {
                let _ = Netstats::parse(text.get(..end).unwrap());
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(ident=\\[|\\]| uid=1 set=DEFAULT tag=0x0\n|st=1 rb=1 rp=1 tb=1 tp=1 op=1\n|mAppUidStatsMap\n|.|\n)*") {
            let _ = Netstats::parse(&text);
        }
    }
}
