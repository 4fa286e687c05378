//! The kernel's own byte counters since boot: the BPF map of recent handsets, `xt_qtaguid` of old
//! ones. Which one a handset has is seen by asking, not by its version.

use std::collections::BTreeMap;

/// The command that prints the old kernels' table.
pub const QTAGUID: &str = "cat /proc/net/xt_qtaguid/stats";

/// One uid's totals since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UidBytes {
    /// The app.
    pub uid: i64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
}

/// One row of `mAppUidStatsMap`: `uid rxBytes rxPackets txBytes txPackets`.
#[must_use]
pub fn app_uid_map_row(line: &str) -> Option<UidBytes> {
    let numbers: Vec<u64> = line
        .split_whitespace()
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    let [uid, rx_bytes, rx_packets, tx_bytes, tx_packets] = *numbers.as_slice() else {
        return None;
    };
    Some(UidBytes {
        uid: i64::try_from(uid).ok()?,
        rx_bytes,
        rx_packets,
        tx_bytes,
        tx_packets,
    })
}

/// Totals per uid of `/proc/net/xt_qtaguid/stats`, the loopback interface apart. `None` when the
/// text is no such table.
///
/// Rows with tag 0 hold an app's totals; other tags are parts of them.
#[must_use]
pub fn qtaguid(text: &str) -> Option<Vec<UidBytes>> {
    let mut lines = text.lines();
    let header = "idx iface acct_tag_hex";
    lines.find(|line| {
        let start = line.get(..header.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(header))
    })?;
    let mut totals = BTreeMap::<i64, UidBytes>::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            _,
            iface,
            tag,
            uid,
            _,
            rx_bytes,
            rx_packets,
            tx_bytes,
            tx_packets,
            ..,
        ] = words.as_slice()
        else {
            continue;
        };
        if *tag != "0x0" || *iface == "lo" {
            continue;
        }
        let number = |word: &str| word.parse::<u64>().ok();
        let (Ok(uid), Some(rx_bytes), Some(rx_packets), Some(tx_bytes), Some(tx_packets)) = (
            uid.parse(),
            number(rx_bytes),
            number(rx_packets),
            number(tx_bytes),
            number(tx_packets),
        ) else {
            continue;
        };
        let total = totals.entry(uid).or_insert_with(|| UidBytes {
            uid,
            ..UidBytes::default()
        });
        total.rx_bytes = total.rx_bytes.saturating_add(rx_bytes);
        total.rx_packets = total.rx_packets.saturating_add(rx_packets);
        total.tx_bytes = total.tx_bytes.saturating_add(tx_bytes);
        total.tx_packets = total.tx_packets.saturating_add(tx_packets);
    }
    Some(totals.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn adds_the_rows_of_an_app_and_leaves_its_tags_out() {
        let text = "idx iface acct_tag_hex uid_tag_int cnt_set rx_bytes rx_packets tx_bytes tx_packets rx_tcp_bytes\r\n\
            2 wlan0 0x0 10023 0 100 1 200 2 100\r\n\
            3 wlan0 0x0 10023 1 10 1 20 1 10\r\n\
            4 wlan0 0x100000000 10023 0 50 1 60 1 0\r\n\
            5 lo 0x0 10023 0 999 1 999 1 0\r\n\
            6 wlan0 0x0 0 0 7 1 8 1 0\r\n";
        let rows = qtaguid(text).unwrap();
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.uid, row.rx_bytes, row.tx_bytes))
            .collect();
        assert_eq!(seen, [(0, 7, 8), (10023, 110, 220)]);
        assert_eq!(
            qtaguid("cat: /proc/net/xt_qtaguid/stats: No such file or directory"),
            None
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in "([0-9]{1,21} |wlan0 0x0 |.|\n)*") {
            let _ = qtaguid(&format!("idx iface acct_tag_hex\n{text}"));
            let _ = app_uid_map_row(&text);
        }
    }
}
