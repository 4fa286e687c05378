//! `dumpsys netstats` as Android 4.3 and Android 14 print it.
//!
//! Formats after AOSP's `NetworkStatsService.dump`, `NetworkStatsCollection.dump` and `NetworkStatsHistory.dump` of both
//! times. Neither `--checkin` with rows nor `--proto` is built.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::counters::Row;
use super::frame::{Interface, Owner};
use super::state::Network;
use super::statistics::{Bucket, Key, Moment, Recorder};

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
    for title in ["Active interfaces:", "Active UID interfaces:"] {
        out.section(title, |out| {
            if let Some(ident) = network.ident() {
                out.line(format!("iface=wlan0 ident={ident}"));
            }
        });
    }
    out.section("All wifi interfaces:", |out| out.line("wlan0 "));
    out.section("All mobile interfaces:", |out| out.line(""));
    for title in [
        "Top openSession callers:",
        "Stats Providers:",
        "Stats Observers:",
    ] {
        out.line(title);
        out.line("");
    }
    let history = &network.history;
    // The device history has been dead since Android 13: no number, no rows.
    out.section("Dev stats:", |out| {
        out.line("Pending bytes: ");
        out.line(history_title(wanted.full));
    });
    let mut sections = vec![("Xt stats:", &history.xt)];
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
