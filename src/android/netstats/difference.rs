//! What each uid sent and received between two dumps.

use crate::android::netstats::dump::{Netstats, Record, Set};
use std::collections::BTreeMap;

/// What one uid sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
}

impl Traffic {
    fn add(&mut self, other: Self) {
        self.rx_bytes = self.rx_bytes.saturating_add(other.rx_bytes);
        self.rx_packets = self.rx_packets.saturating_add(other.rx_packets);
        self.tx_bytes = self.tx_bytes.saturating_add(other.tx_bytes);
        self.tx_packets = self.tx_packets.saturating_add(other.tx_packets);
    }

    /// The growth since `before`; `None` when a counter went back.
    fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            rx_bytes: self.rx_bytes.checked_sub(before.rx_bytes)?,
            rx_packets: self.rx_packets.checked_sub(before.rx_packets)?,
            tx_bytes: self.tx_bytes.checked_sub(before.tx_bytes)?,
            tx_packets: self.tx_packets.checked_sub(before.tx_packets)?,
        })
    }
}

/// The difference of two dumps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What each uid sent and received between them; uids without traffic are absent.
    pub by_uid: BTreeMap<i64, Traffic>,
    /// Uids whose counters went back (a reboot, or statistics removed): nothing is known of them.
    pub reset: Vec<i64>,
}

/// The totals per uid of one dump.
///
/// From the kernel's map where the dump prints it (exact), else from the `UID` section: background
/// and foreground added, tags left out (they are parts), VPNs left out (the network below counts
/// the same bytes).
#[must_use]
pub fn totals(stats: &Netstats) -> BTreeMap<i64, Traffic> {
    let mut totals = BTreeMap::<i64, Traffic>::new();
    if !stats.app_uid_map.is_empty() {
        for row in &stats.app_uid_map {
            totals.entry(row.uid).or_default().add(Traffic {
                rx_bytes: row.rx_bytes,
                rx_packets: row.rx_packets,
                tx_bytes: row.tx_bytes,
                tx_packets: row.tx_packets,
            });
        }
        return totals;
    }
    for record in stats.records.iter().filter(|record| counts(record)) {
        let total = totals.entry(record.uid).or_default();
        for bucket in &record.buckets {
            total.add(Traffic {
                rx_bytes: bucket.rx_bytes,
                rx_packets: bucket.rx_packets,
                tx_bytes: bucket.tx_bytes,
                tx_packets: bucket.tx_packets,
            });
        }
    }
    totals
}

/// What each uid sent and received between two dumps of one handset.
///
/// A dump with the kernel's map and one without are no pair: every uid is reported as reset then.
#[must_use]
pub fn difference(before: &Netstats, after: &Netstats) -> Difference {
    let (old, new) = (totals(before), totals(after));
    let is_pair = before.app_uid_map.is_empty() == after.app_uid_map.is_empty();
    let mut difference = Difference::default();
    for (uid, traffic) in &new {
        let growth = traffic.since(old.get(uid).copied().unwrap_or_default());
        match growth.filter(|_| is_pair) {
            Some(growth) if growth == Traffic::default() => {}
            Some(growth) => {
                difference.by_uid.insert(*uid, growth);
            }
            None => difference.reset.push(*uid),
        }
    }
    // An app that was removed is counted under -4 from then on; its own uid is gone.
    let gone = old.keys().filter(|uid| !new.contains_key(uid));
    difference.reset.extend(gone);
    difference
}

fn counts(record: &Record) -> bool {
    let is_vpn = |ident: &String| ident.starts_with("type=17,") || ident.starts_with("type=VPN,");
    record.section == "UID"
        && record.history != "History since boot"
        && record.tag == 0
        && matches!(record.set, Set::Default | Set::Foreground)
        && !record.ident.iter().any(is_vpn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(rows: &[(&str, i64, &str, &str, u64)]) -> Netstats {
        let record = |(section, uid, set, tag, sent): &(&str, i64, &str, &str, u64)| {
            format!(
                "{section} stats:\n  Complete history:\n  ident=[{{type=1, metered=false}}] uid={uid} set={set} tag={tag}\n    NetworkStatsHistory: bucketDuration=7200\n      st=1 rb=1 rp=1 tb={sent} tp=1 op=0\n"
            )
        };
        Netstats::parse(&rows.iter().map(record).collect::<String>())
    }

    #[test]
    fn tells_growth_per_uid() {
        let before = dump(&[
            ("UID", 10001, "DEFAULT", "0x0", 5),
            ("UID", 10002, "DEFAULT", "0x0", 9),
            ("UID", 10003, "DEFAULT", "0x0", 9),
        ]);
        let after = dump(&[
            ("Xt", -1, "ALL", "0x0", 99),
            ("UID", 10001, "DEFAULT", "0x0", 15),
            ("UID", 10001, "FOREGROUND", "0x0", 100),
            ("UID", 10001, "DBG_VPN_IN", "0x0", 1000),
            ("UID tag", 10001, "DEFAULT", "0x7", 1000),
            ("UID", 10002, "DEFAULT", "0x0", 9),
            ("UID", 10003, "DEFAULT", "0x0", 2),
        ]);
        let difference = difference(&before, &after);
        let seen: Vec<_> = difference
            .by_uid
            .iter()
            .map(|(uid, t)| (*uid, t.tx_bytes))
            .collect();
        assert_eq!(seen, [(10001, 110)]);
        assert_eq!(difference.reset, [10003]);
    }

    #[test]
    fn the_kernels_map_comes_first() {
        let map = |sent: u64| {
            Netstats::parse(&format!(
                "UID stats:\n  mAppUidStatsMap:\n    uid rxBytes rxPackets txBytes txPackets\n    10001 0 0 {sent} 1\n"
            ))
        };
        let growth = difference(&map(5), &map(7));
        assert_eq!(growth.by_uid.get(&10001).map(|t| t.tx_bytes), Some(2));
        let mixed = difference(&dump(&[("UID", 10001, "DEFAULT", "0x0", 5)]), &map(7));
        assert_eq!(
            (mixed.by_uid.len(), mixed.reset.as_slice()),
            (0, &[10001][..])
        );
    }
}
