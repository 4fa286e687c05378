//! `dumpsys netstats` as Android 4.3 and Android 5 to 14 print it.
//!
//! Formats after AOSP's `NetworkStatsService.dump`, `NetworkStatsCollection.dump` and `NetworkStatsHistory.dump` of
//! those times. Neither `--checkin` with rows nor `--proto` is built.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::counters::Row;
use super::frame::{Interface, Owner};
use super::state::Network;
use super::statistics::{Bucket, Key, Moment, Recorder};

/// With Android 13 the service became a module, and told its configuration.
const FIRST_WITH_CONFIGS: u32 = 33;

/// From Android 14 on the device history has neither number nor rows.
const DEAD_DEVICE_HISTORY: u32 = 34;

/// From Android 14 on the kernel's maps are printed; before, `connectivity` had them.
const FIRST_WITH_MAPS: u32 = 34;

/// Prints what `dumpsys netstats ARGUMENTS` prints; `--poll` takes a snapshot first, and prints no more than that.
pub(super) fn dump(network: &mut Network, arguments: &[String], now: Moment) -> String {
    let has = |names: &[&str]| arguments.iter().any(|word| names.contains(&word.as_str()));
    network.catch_up(now);
    if has(&["--poll", "poll"]) {
        network.poll(now, true);
        return "Forced poll\n".to_owned();
    }
    let wanted = Wanted {
        full: has(&["--full", "full"]),
        uid: has(&["--uid", "detail"]),
        tag: has(&["--tag", "detail"]),
    };
    let mut out = Printer::default();
    if network.config.is_old() {
        if has(&["--checkin"]) {
            return "Current files:\n".to_owned();
        }
        dump_old(network, wanted, &mut out);
    } else {
        if has(&["--checkin"]) {
            let end = now.unix_nanoseconds / 1_000_000_000;
            return format!("v1,{},{end}\nxt\n", end - 86_400);
        }
        dump_new(network, wanted, &mut out);
    }
    out.text
}

#[derive(Clone, Copy, Debug)]
struct Wanted {
    full: bool,
    uid: bool,
    tag: bool,
}

/// Lines at an indentation of two spaces each, as Android's `IndentingPrintWriter` makes them.
#[derive(Default)]
struct Printer {
    text: String,
    depth: usize,
}

impl Printer {
    fn line(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        // The writer indents when it writes the first character of a line, so an empty line has none.
        if !line.is_empty() {
            self.text.push_str(&"  ".repeat(self.depth));
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn section(&mut self, title: &str, body: impl FnOnce(&mut Self)) {
        self.line(title);
        self.depth += 1;
        body(self);
        self.depth -= 1;
    }
}

fn dump_old(network: &Network, wanted: Wanted, out: &mut Printer) {
    out.section("Active interfaces:", |out| {
        if let Some(ident) = network.ident() {
            out.line(format!("iface=wlan0 ident={ident}"));
        }
    });
    let history = &network.history;
    let mut sections = vec![("Dev stats:", &history.dev), ("Xt stats:", &history.xt)];
    if wanted.uid {
        sections.push(("UID stats:", &history.uid));
    }
    if wanted.tag {
        sections.push(("UID tag stats:", &history.tag));
    }
    for (title, recorder) in sections {
        out.section(title, |out| {
            out.line(format!("Pending bytes: {}", recorder.pending_bytes));
            dump_recorder(recorder, wanted.full, bucket_line_old, 1, out);
        });
    }
}

fn dump_new(network: &Network, wanted: Wanted, out: &mut Printer) {
    let api = network.config.api_level;
    if api >= FIRST_WITH_CONFIGS {
        dump_configs(out);
    }
    for title in ["Active interfaces:", "Active UID interfaces:"] {
        out.section(title, |out| {
            if let Some(ident) = network.ident() {
                out.line(format!("iface=wlan0 ident={ident}"));
            }
        });
    }
    if api >= FIRST_WITH_CONFIGS {
        out.section("All wifi interfaces:", |out| out.line("wlan0 "));
        out.section("All mobile interfaces:", |out| out.line(""));
    }
    for (title, first) in [
        ("Top openSession callers:", 29),
        ("Stats Providers:", 30),
        ("Stats Observers:", 33),
    ] {
        if api >= first {
            out.line(title);
            out.line("");
        }
    }
    let history = &network.history;
    let mut sections = Vec::new();
    if api >= DEAD_DEVICE_HISTORY {
        out.section("Dev stats:", |out| {
            out.line("Pending bytes: ");
            out.line(history_title(wanted.full));
        });
    } else {
        sections.push(("Dev stats:", &history.dev));
    }
    sections.push(("Xt stats:", &history.xt));
    if wanted.uid {
        sections.push(("UID stats:", &history.uid));
    }
    if wanted.tag {
        sections.push(("UID tag stats:", &history.tag));
    }
    for (title, recorder) in sections {
        out.section(title, |out| {
            out.line(format!("Pending bytes: {}", recorder.pending_bytes));
            dump_recorder(recorder, wanted.full, bucket_line_new, 1000, out);
        });
    }
    if api >= FIRST_WITH_MAPS {
        dump_bpf(network, out);
    }
}

fn dump_configs(out: &mut Printer) {
    out.section("Directory:", |out| {
        out.line("/data/misc/apexdata/com.android.tethering/netstats");
    });
    out.section("Configs:", |out| {
        out.line("netstats_combine_subtype_enabled=true");
        out.line("netstats_store_files_in_apexdata=true");
        out.line("netstats_import_legacy_target_attempts=1");
        out.line("platform legacy stats import attempts count=1");
        out.line("platform legacy stats import successes count=1");
        out.line("platform legacy stats import fallbacks count=0");
    });
}

fn dump_bpf(network: &Network, out: &mut Printer) {
    out.line("");
    out.section("BPF map status:", |out| {
        for map in [
            "mCookieTagMap",
            "mUidCounterSetMap",
            "mAppUidStatsMap",
            "mStatsMapA",
            "mStatsMapB",
        ] {
            out.line(format!("{map}: OK"));
        }
    });
    out.line("");
    out.section("BPF map content:", |out| dump_maps(network, out));
}

fn history_title(full: bool) -> &'static str {
    if full {
        "Complete history:"
    } else {
        "History since boot:"
    }
}

fn dump_recorder(
    recorder: &Recorder,
    full: bool,
    bucket_line: fn(i64, &Bucket) -> String,
    unit_ms: i64,
    out: &mut Printer,
) {
    out.line(history_title(full));
    let mut histories: Vec<(&Key, &BTreeMap<i64, Bucket>)> = recorder.histories.iter().collect();
    if unit_ms == 1 {
        // The old order is by uid alone.
        histories.sort_by_key(|(key, _)| key.uid);
    }
    for (key, buckets) in histories {
        let set = match key.set {
            0 => "DEFAULT",
            1 => "FOREGROUND",
            _ => "ALL",
        };
        out.line(format!(
            "ident={} uid={} set={set} tag=0x{:x}",
            key.ident, key.uid, key.tag
        ));
        out.depth += 1;
        out.line(format!(
            "NetworkStatsHistory: bucketDuration={}",
            recorder.bucket_ms / unit_ms
        ));
        out.depth += 1;
        for (start, bucket) in buckets {
            out.line(bucket_line(*start, bucket));
        }
        out.depth -= 2;
    }
}

fn bucket_line_old(start_ms: i64, bucket: &Bucket) -> String {
    let (received, sent) = (bucket.totals.received, bucket.totals.sent);
    format!(
        "bucketStart={start_ms} activeTime={} rxBytes={} rxPackets={} txBytes={} txPackets={} operations=0",
        bucket.active_ms, received.bytes, received.packets, sent.bytes, sent.packets
    )
}

fn bucket_line_new(start_ms: i64, bucket: &Bucket) -> String {
    let (received, sent) = (bucket.totals.received, bucket.totals.sent);
    format!(
        "st={} rb={} rp={} tb={} tp={} op=0",
        start_ms / 1000,
        received.bytes,
        received.packets,
        sent.bytes,
        sent.packets
    )
}

/// The kernel's maps, which are live: they do not wait for a poll.
fn dump_maps(network: &Network, out: &mut Printer) {
    let rows: Vec<(Interface, Owner, Row)> = network.counters.rows().collect();
    out.section("mCookieTagMap:", |_| ());
    out.section("mUidCounterSetMap:", |out| {
        for (_, owner, _) in rows.iter().filter(|(_, owner, _)| owner.foreground) {
            out.line(format!("uid={} set=1", owner.uid));
        }
    });
    out.section("mAppUidStatsMap:", |out| {
        out.line("uid rxBytes rxPackets txBytes txPackets");
        let mut apps = BTreeMap::new();
        for (_, owner, row) in rows.iter().filter(|(_, owner, _)| owner.tag == 0) {
            let sum: &mut super::counters::Totals = apps.entry(owner.uid).or_default();
            *sum = sum.plus(row.total());
        }
        for (uid, totals) in apps {
            out.line(format!("{uid} {}", columns(totals)));
        }
    });
    out.section("mStatsMapA:", |out| {
        out.line(
            "ifaceIndex ifaceName tag_hex uid_int cnt_set rxBytes rxPackets txBytes txPackets",
        );
        for (interface, owner, row) in &rows {
            let mut line = String::new();
            let set = u8::from(owner.foreground);
            let _ = write!(line, "{} {} ", interface.index(), interface.name());
            let _ = write!(line, "0x{:x} {} {set} ", owner.tag, owner.uid);
            line.push_str(&columns(row.total()));
            out.line(line);
        }
    });
    out.section("mStatsMapB:", |out| {
        out.line(
            "ifaceIndex ifaceName tag_hex uid_int cnt_set rxBytes rxPackets txBytes txPackets",
        );
    });
}

fn columns(totals: super::counters::Totals) -> String {
    let (received, sent) = (totals.received, totals.sent);
    format!(
        "{} {} {} {}",
        received.bytes, received.packets, sent.bytes, sent.packets
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::firmware::model::{Faults, Userland};
    use crate::adapters::virtual_handset::network::frame::Carries;
    use crate::adapters::virtual_handset::network::testing::firmware;
    use std::time::Duration;

    /// Uptime in seconds, with the handset booted at a full hour.
    fn at(seconds: u64) -> Moment {
        Moment {
            uptime: Duration::from_secs(seconds),
            unix_nanoseconds: 1_407_628_800_000_000_000
                + i64::try_from(seconds).unwrap() * 1_000_000_000,
        }
    }

    /// A handset that sent 100 and received 1500 bytes for an app, and asked a name with a tagged socket.
    fn network(userland: Userland) -> Network {
        let mut network = Network::new(&firmware(userland, Faults::default()));
        let app = Owner {
            uid: 10_052,
            foreground: true,
            tag: 0,
        };
        let tagged = Owner {
            uid: 10_052,
            foreground: false,
            tag: 0xffff_ff82,
        };
        for (owner, outgoing, bytes) in [(app, true, 100), (app, false, 1500), (tagged, true, 60)] {
            let kind = (outgoing, Carries::Tcp);
            network
                .counters
                .count_bytes((Interface::Wifi, owner), kind, bytes);
        }
        network
    }

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn android_4_3_prints_as_its_source_says() {
        let mut network = network(Userland::Toolbox43);
        assert_eq!(
            dump(&mut network, &words("--poll"), at(60)),
            "Forced poll\n"
        );
        // Layout and field names from AOSP 4.3; a device counts 14 more bytes a packet.
        let expected = "\
Active interfaces:
  iface=wlan0 ident=[[type=WIFI, subType=COMBINED, networkId=\"lab\"]]
Dev stats:
  Pending bytes: 0
  Complete history:
  ident=[[type=WIFI, subType=COMBINED, networkId=\"lab\"]] uid=-1 set=ALL tag=0x0
    NetworkStatsHistory: bucketDuration=3600000
      bucketStart=1407628800000 activeTime=60000 rxBytes=1514 rxPackets=1 txBytes=188 txPackets=2 operations=0
Xt stats:
  Pending bytes: 0
  Complete history:
  ident=[[type=WIFI, subType=COMBINED, networkId=\"lab\"]] uid=-1 set=ALL tag=0x0
    NetworkStatsHistory: bucketDuration=3600000
      bucketStart=1407628800000 activeTime=60000 rxBytes=1500 rxPackets=1 txBytes=160 txPackets=2 operations=0
UID stats:
  Pending bytes: 0
  Complete history:
  ident=[[type=WIFI, subType=COMBINED, networkId=\"lab\"]] uid=10052 set=DEFAULT tag=0x0
    NetworkStatsHistory: bucketDuration=7200000
      bucketStart=1407628800000 activeTime=60000 rxBytes=0 rxPackets=0 txBytes=60 txPackets=1 operations=0
  ident=[[type=WIFI, subType=COMBINED, networkId=\"lab\"]] uid=10052 set=FOREGROUND tag=0x0
    NetworkStatsHistory: bucketDuration=7200000
      bucketStart=1407628800000 activeTime=60000 rxBytes=1500 rxPackets=1 txBytes=100 txPackets=1 operations=0
UID tag stats:
  Pending bytes: 0
  Complete history:
  ident=[[type=WIFI, subType=COMBINED, networkId=\"lab\"]] uid=10052 set=DEFAULT tag=0xffffff82
    NetworkStatsHistory: bucketDuration=7200000
      bucketStart=1407628800000 activeTime=60000 rxBytes=0 rxPackets=0 txBytes=60 txPackets=1 operations=0
";
        assert_eq!(
            dump(&mut network, &words("--full --uid --tag"), at(61)),
            expected
        );
    }

    #[test]
    fn android_14_counts_in_seconds_and_shows_its_maps() {
        let mut network = network(Userland::Toybox14);
        dump(&mut network, &words("--poll"), at(60));
        let text = dump(&mut network, &words("detail"), at(61));
        let ident = "ident=[{type=1, ratType=COMBINED, wifiNetworkKey=\"lab\"wpa2-psk, metered=false, defaultNetwork=true, oemManaged=OEM_NONE, subId=-1}]";
        let xt = format!(
            "Xt stats:\n  Pending bytes: 0\n  History since boot:\n  {ident} uid=-1 set=ALL tag=0x0\n    NetworkStatsHistory: bucketDuration=3600\n      st=1407628800 rb=1500 rp=1 tb=160 tp=2 op=0\n"
        );
        assert!(text.contains(&xt), "{text}");
        assert!(
            text.contains("Dev stats:\n  Pending bytes: \n  History since boot:\nXt"),
            "{text}"
        );
        let maps = "  mAppUidStatsMap:\n    uid rxBytes rxPackets txBytes txPackets\n    10052 1500 1 160 2\n  mStatsMapA:\n    ifaceIndex ifaceName tag_hex uid_int cnt_set rxBytes rxPackets txBytes txPackets\n    20 wlan0 0x0 10052 0 0 0 60 1\n    20 wlan0 0xffffff82 10052 0 0 0 60 1\n    20 wlan0 0x0 10052 1 1500 1 100 1\n";
        assert!(text.contains(maps), "{text}");
    }

    #[test]
    fn the_service_polls_by_itself_every_half_hour_and_keeps_small_numbers_pending() {
        let mut network = network(Userland::Toolbox43);
        let text = dump(&mut network, &words("--uid"), at(1799));
        assert!(!text.contains("uid=10052"), "{text}");
        let text = dump(&mut network, &words("--uid"), at(1801));
        assert!(text.contains("activeTime=1800000 rxBytes=1500"), "{text}");
        assert!(
            text.contains("UID stats:\n  Pending bytes: 1660\n  History since boot:"),
            "{text}"
        );
    }

    #[test]
    fn what_passed_before_wifi_went_stays_with_its_network() {
        let mut network = network(Userland::Toolbox43);
        network.set_wifi(false, at(10));
        let text = dump(&mut network, &words("--uid"), at(11));
        assert!(text.starts_with("Active interfaces:\nDev stats:"), "{text}");
        assert!(
            text.contains("networkId=\"lab\"]] uid=10052 set=FOREGROUND"),
            "{text}"
        );
    }
}
