//! The stock adb, client and server, against our adbd: Debian's own (29), its backports' (34) and Google's
//! (36).
//! Each test has an adb server of its own, on a port of its own, and ends only that one.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and this one runs programs as a user does"
)]

mod common;

use common::adb_bench::{Bench, with, with_owner};
use common::stock_adb::Release;
use phonehome::adapters::virtual_handset::firmware::model::Auth;
use std::process::Command;
use std::thread;
use std::time::Instant;

const NEW: &str = "android-14";
const OLD: &str = "redmi-1s-2014-08";

/// 50 MB that repeat late.
fn large() -> Vec<u8> {
    let block: Vec<u8> = (0..1_000_003u32)
        .map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    block.repeat(50)
}

fn commands_on_android_14(bench: &Bench) {
    for code in [0, 1, 7, 127, 255] {
        let ended = bench.adb(&["shell", &format!("exit {code}")]);
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
    let ended = bench.adb(&["shell", "echo out; echo err >&2; exit 3"]);
    assert_eq!(ended.code, Some(3));
    assert_eq!(
        (ended.text().as_str(), ended.stderr.as_str()),
        ("out\n", "err\n")
    );
    let ended = bench.adb(&["shell", "kill -9 $$"]);
    assert_eq!(ended.code, Some(137), "{ended:?}");
    let ended = bench.adb(&["shell", "foo"]);
    assert_eq!(ended.code, Some(127));
    assert_eq!(
        ended.stderr,
        "/system/bin/sh: foo: inaccessible or not found\n"
    );

    // adb joins its arguments with blanks; what is quoted stays quoted.
    assert_eq!(bench.text(&["shell", "echo", "a", "'b  c'"]), "a b  c\n");
    let pipe = r#"for i in 1 2 3; do echo "n $i"; done | grep -v 2 | sed 's/n/m/'"#;
    assert_eq!(bench.text(&["shell", pipe]), "m 1\nm 3\n");
    assert_eq!(
        bench.text(&["shell", r#"x='$HOME "q"'; echo "$x""#]),
        "$HOME \"q\"\n"
    );

    let ended = bench.fed(&["shell", "cat; echo; exit 4"], b"typed\0bytes\r\n");
    assert_eq!(
        (ended.code, ended.stdout.as_slice()),
        (Some(4), &b"typed\0bytes\r\n\n"[..])
    );

    // Without packets there is no exit code, and errors are in the output.
    let ended = bench.adb(&["shell", "-x", "echo out; echo err >&2; exit 3"]);
    assert_eq!((ended.code, ended.text().as_str()), (Some(0), "out\nerr\n"));
    // A terminal turns line ends and merges errors, and has an exit code all the same.
    let ended = bench.adb(&["shell", "-tt", "echo out; echo err >&2; exit 3"]);
    assert_eq!(
        (ended.code, ended.text().as_str()),
        (Some(3), "out\r\nerr\r\n")
    );
    let ended = bench.fed(&["shell", "-tt"], b"echo hi$((1+1))\rexit 6\r");
    assert_eq!(ended.code, Some(6), "{ended:?}");
    assert!(ended.text().contains("hi2\r\n"), "{ended:?}");

    assert_eq!(
        bench.adb(&["exec-out", "printf 'a\\nb\\r\\n'"]).stdout,
        b"a\nb\r\n"
    );
    let start = Instant::now();
    assert_eq!(bench.text(&["shell", "sleep 86400; echo woke"]), "woke\n");
    assert!(start.elapsed().as_secs() < 30);
}

fn logs_on_android_14(bench: &Bench) {
    let log = bench.text(&["logcat", "-d"]);
    assert!(log.starts_with("--------- beginning of "), "{log}");
    assert!(log.contains("Entered the Android system server!"), "{log}");
    let devices = bench.bare(&["devices", "-l"]).text();
    let about = "device product:phonehome_arm64 model:Generic_14 device:generic_arm64";
    let line = devices.lines().find(|line| line.starts_with(&bench.serial));
    assert!(line.unwrap().contains(about), "{devices}");
    assert_eq!(bench.text(&["get-state"]), "device\n");
}

fn eight_shells_at_once(bench: &Bench) {
    thread::scope(|scope| {
        let shells: Vec<_> = (0..8)
            .map(|number| {
                scope.spawn(move || {
                    let script = format!(
                        "i=0; while [ $i -lt 500 ]; do echo {number}:$i; i=$((i+1)); done; exit {number}"
                    );
                    (number, bench.adb(&["shell", &script]))
                })
            })
            .collect();
        for shell in shells {
            let (number, ended) = shell.join().unwrap();
            let lines: Vec<String> = (0..500).map(|i| format!("{number}:{i}\n")).collect();
            assert_eq!(ended.text(), lines.concat());
            assert_eq!(ended.code, Some(number));
        }
    });
}

fn files_on_android_14(bench: &Bench) {
    let bytes = large();
    let there = bench.file("large", &bytes);
    bench.text(&["push", &there, "/data/local/tmp/large"]);
    bench.text(&["pull", "/data/local/tmp/large", &bench.path("back")]);
    assert!(bench.read("back") == bytes);
    let digest = bench.text(&["shell", "sha256sum /data/local/tmp/large"]);
    let own = Command::new("sha256sum").arg(&there).output().unwrap();
    let own = String::from_utf8(own.stdout).unwrap();
    assert_eq!(digest.split(' ').next(), own.split(' ').next());
    assert_eq!(
        bench.text(&["shell", "stat -c %s /data/local/tmp/large"]),
        "50000150\n"
    );

    bench.file("tree/a/one", b"1\n");
    bench.file("tree/b/c/two", b"22\n");
    bench.text(&["push", &bench.path("tree"), "/data/local/tmp/"]);
    let found = bench.text(&["shell", "cd /data/local/tmp/tree; find . -type f | sort"]);
    assert_eq!(found, "./a/one\n./b/c/two\n");
    bench.text(&["pull", "/data/local/tmp/tree", &bench.path("copy")]);
    assert_eq!(bench.read("copy/b/c/two"), b"22\n");
    let listed = bench.text(&["ls", "/data/local/tmp/tree/a"]);
    let one = listed.lines().find(|line| line.ends_with(" one")).unwrap();
    let words: Vec<&str> = one.split(' ').filter(|word| !word.is_empty()).collect();
    assert_eq!(words.get(1), Some(&"00000002"), "{listed}");

    let ended = bench.adb(&["push", &there, "/system/large"]);
    assert_eq!(ended.code, Some(1));
    let said = ended.text() + &ended.stderr;
    assert!(said.contains("Read-only file system"), "{said}");
    let ended = bench.adb(&["pull", "/data/local/tmp/none", &bench.path("none")]);
    assert_eq!(ended.code, Some(1));
    let said = ended.text() + &ended.stderr;
    // With stat_v2 adb knows why.
    let why = "'/data/local/tmp/none': No such file or directory";
    assert!(said.contains(why), "{said}");
    // What is generated when it is read has no length before.
    bench.text(&["pull", "/proc/net/dev", &bench.path("dev")]);
    assert!(
        String::from_utf8(bench.read("dev"))
            .unwrap()
            .contains("wlan0:")
    );
}

fn root_on_android_14(bench: &Bench) {
    assert_eq!(bench.text(&["shell", "id -u"]), "2000\n");
    let said = bench.text(&["root"]);
    assert!(said.contains("restarting adbd as root"), "{said}");
    bench.connect();
    assert_eq!(bench.text(&["shell", "id -u"]), "0\n");
    let said = bench.text(&["root"]);
    assert!(said.contains("adbd is already running as root"), "{said}");
    // adb's own packets cross the handset's network, so one is there to be captured.
    let captured = bench.adb(&["exec-out", "tcpdump -i any -c 1 -w - 2>/dev/null"]);
    let magic = captured.stdout.get(..4);
    assert_eq!(
        magic,
        Some(&0xa1b2_c3d4_u32.to_le_bytes()[..]),
        "{captured:?}"
    );
    assert!(captured.stdout.len() > 24 + 16, "{captured:?}");
    bench.text(&["unroot"]);
    bench.connect();
    assert_eq!(bench.text(&["shell", "id -u"]), "2000\n");
}

fn the_redmi_of_its_time(bench: &Bench) {
    // One stream, from a terminal, and no exit code.
    let ended = bench.adb(&["shell", "echo out; echo err >&2; exit 3"]);
    assert_eq!(
        (ended.code, ended.text().as_str()),
        (Some(0), "out\r\nerr\r\n")
    );
    let said = bench.text(&["shell", "foo"]);
    assert_eq!(said, "/system/bin/sh: foo: not found\r\n");
    let pipe = r#"for i in 1 2 3; do echo "n $i"; done | grep 2; echo $?"#;
    assert_eq!(bench.text(&["shell", pipe]), "n 2\r\n0\r\n");
    let listed = bench.text(&["shell", "ls", "/storage/sdcard0"]);
    assert!(listed.contains("Download\r\n"), "{listed}");
    // Root's alone to list, as on the real one.
    let listed = bench.text(&["shell", "ls", "/data/local"]);
    assert_eq!(listed, "opendir failed, Permission denied\r\n");
    let ended = bench.fed(&["shell"], b"echo hi$((1+1))\rexit\r");
    assert!(ended.text().contains("shell@armani:/ $ "), "{ended:?}");
    assert!(ended.text().contains("hi2\r\n"), "{ended:?}");

    let bytes = large();
    let there = bench.file("large", &bytes);
    bench.text(&["push", &there, "/data/local/tmp/deep/er/large"]);
    bench.text(&["pull", "/data/local/tmp/deep/er/large", &bench.path("back")]);
    assert!(bench.read("back") == bytes);
    let listed = bench.text(&["ls", "/data/local/tmp/deep"]);
    assert!(listed.lines().any(|line| line.ends_with(" er")), "{listed}");
    let ended = bench.adb(&["push", &there, "/system/large"]);
    assert_eq!(ended.code, Some(1));
    let said = ended.text() + &ended.stderr;
    assert!(said.contains("Read-only file system"), "{said}");

    let said = bench.adb(&["root"]);
    let said = said.text() + &said.stderr;
    assert!(
        said.contains("adbd cannot run as root in production builds"),
        "{said}"
    );
    let ended = bench.adb(&["exec-out", "id"]);
    assert!(ended.stderr.contains("closed"), "{ended:?}");
    let log = bench.text(&["logcat", "-d"]);
    assert!(log.contains("Entered the Android system server!"), "{log}");
}

/// adb makes a key of its own, signs with it, and offers it when that is not enough.
fn an_owner_is_asked(release: Release) {
    for firmware in [NEW, OLD] {
        with_owner(release, firmware, Auth::Accept, |bench| {
            // adb calls it a failure while the owner has to be asked.
            bench.bare(&["connect", &bench.serial]);
            bench.text(&["wait-for-device"]);
            assert!(bench.text(&["shell", "echo hi"]).starts_with("hi"));
        });
        with_owner(release, firmware, Auth::Silent, |bench| {
            bench.bare(&["connect", &bench.serial]);
            let devices = bench.bare(&["devices"]).text();
            let line = format!("{}\tunauthorized", bench.serial);
            assert!(devices.contains(&line), "{devices}");
            let ended = bench.adb(&["shell", "echo hi"]);
            assert_eq!(ended.code, Some(1), "{ended:?}");
        });
    }
}

/// The tests, once for each release: `adb_29::asks_the_owner`.
macro_rules! with_each_adb {
    ($($module:ident: $release:ident),*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn asks_the_owner() {
                an_owner_is_asked(Release::$release);
            }

            #[test]
            fn runs_commands_on_android_14() {
                with(Release::$release, NEW, commands_on_android_14);
            }

            #[test]
            fn reads_logs_of_android_14_and_runs_eight_shells() {
                with(Release::$release, NEW, |bench| {
                    logs_on_android_14(bench);
                    eight_shells_at_once(bench);
                });
            }

            #[test]
            fn moves_files_to_and_from_android_14() {
                with(Release::$release, NEW, files_on_android_14);
            }

            #[test]
            fn is_root_on_android_14() {
                with(Release::$release, NEW, root_on_android_14);
            }

            #[test]
            fn finds_the_redmi_of_its_time() {
                with(Release::$release, OLD, the_redmi_of_its_time);
            }
        }
    )*};
}

with_each_adb!(adb_29: Adb29, adb_34: Adb34, adb_36: Adb36);
