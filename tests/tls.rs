//! ADB inside TLS: our host and our handset against each other, and the stock adb against our
//! handset.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and this one runs programs as a user does"
)]

mod common;

use common::skip;
use common::stock_adb::{Release, StockAdb};
use phonehome::adapters::adb::{AdbTransport, HostConfig, connect};
use phonehome::adapters::adb_keys::AdbKey;
use phonehome::adapters::adb_pairing::{MAX_ATTEMPTS, PairError, pair};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::tcp;
use phonehome::adapters::tls::HostTls;
use phonehome::adapters::virtual_handset::firmware::decode::parse;
use phonehome::adapters::virtual_handset::firmware::shipped::shipped;
use phonehome::adapters::virtual_handset::handset::{HandsetError, HandsetOptions, VirtualHandset};
use phonehome::engine::service::shell::{self, Limits};
use phonehome::engine::service::sync::{self, Manner, Target};
use phonehome::ports::clock::Clock;
use phonehome::ports::link::Link;
use phonehome::ports::signer::Signer;
use phonehome::ports::transport::TransportError;
use phonehome::wire::adb::pairing::exchange::PairingError;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const NEW: &str = "android-14";

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn handset(name: &str) -> VirtualHandset {
    let (_, text) = shipped().iter().find(|(known, _)| *known == name).unwrap();
    let options = HandsetOptions {
        serial: "V0".to_owned(),
        seed: 1,
        clock: clock(),
    };
    VirtualHandset::start(parse(text).unwrap(), options).unwrap()
}

/// A key of `tests/data/adb`.
fn key(name: &str) -> Arc<AdbKey> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/adb");
    Arc::new(AdbKey::load(&folder.join(name), "test@here").unwrap())
}

async fn attach(link: Link, keys: &[&Arc<AdbKey>]) -> Result<AdbTransport, TransportError> {
    let keys: Vec<Arc<AdbKey>> = keys.iter().map(|key| Arc::clone(key)).collect();
    let signers = keys.iter().map(|key| Arc::clone(key) as Arc<dyn Signer>);
    let mut config = HostConfig::new("v", signers.collect());
    config.tls = Some(Arc::new(HostTls::new(keys)));
    connect(link, config, clock()).await
}

async fn exit_code(transport: &AdbTransport, code: u8) -> Option<u8> {
    let command = format!("echo out; exit {code}");
    let ran = shell::run(transport, &*clock(), &command, Limits::default()).await;
    let ran = ran.unwrap();
    assert_eq!(ran.stdout, b"out\n");
    ran.exit
}

/// So many bytes that repeat late.
fn bytes(len: usize) -> Vec<u8> {
    let block = (0..1_000_003u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3]);
    block.cycle().take(len).collect()
}

#[tokio::test]
async fn a_known_host_works_inside_tls() {
    let handset = handset(NEW);
    let key = key("adbkey");
    handset.known_hosts().add(key.public().clone());
    let any = "127.0.0.1:0".parse().unwrap();
    let address = handset.listen_tls(any).await.unwrap().to_string();
    let limit = Duration::from_secs(10);
    let over_tcp = tcp::dial(&address, "v", limit, &*clock()).await.unwrap();
    let in_process = handset.connect_tls().unwrap();
    for link in [over_tcp, in_process] {
        let transport = attach(link, &[&key]).await.unwrap();
        for code in [0, 7, 255] {
            assert_eq!(exit_code(&transport, code).await, Some(code));
        }
        let target = Target {
            path: "/data/local/tmp/file",
            mode: 0o100_640,
            mtime: 1_700_000_000,
        };
        let sent = bytes(5_000_000);
        let (mut input, mut progress) = (&sent[..], |_| {});
        let manner = Manner::default();
        sync::push(
            &transport,
            &*clock(),
            target,
            &mut input,
            manner,
            &mut progress,
        )
        .await
        .unwrap();
        let (mut back, mut progress) = (Vec::new(), |_| {});
        let path = "/data/local/tmp/file";
        let manner = Manner::default();
        sync::pull(
            &transport,
            &*clock(),
            path,
            &mut back,
            manner,
            &mut progress,
        )
        .await
        .unwrap();
        assert!(back == sent);
    }
}

#[tokio::test]
async fn a_host_that_is_not_known_is_told_to_pair() {
    let handset = handset(NEW);
    let (ours, other) = (key("adbkey"), key("otherkey"));
    for known in [None, Some(&other)] {
        if let Some(known) = known {
            handset.known_hosts().add(known.public().clone());
        }
        for keys in [&[&ours][..], &[]] {
            let refused = attach(handset.connect_tls().unwrap(), keys).await.err();
            let error = refused.unwrap();
            assert!(matches!(error, TransportError::Unpaired), "{error:?}");
        }
    }
    // Of several keys the one is shown that the handset says it knows.
    let link = handset.connect_tls().unwrap();
    let transport = attach(link, &[&ours, &other]).await.unwrap();
    assert_eq!(exit_code(&transport, 3).await, Some(3));
}

#[tokio::test]
async fn a_host_without_tls_is_told_that_it_is_wanted() {
    let handset = handset(NEW);
    let config = HostConfig::new("v", Vec::new());
    let refused = connect(handset.connect_tls().unwrap(), config, clock()).await;
    let Err(TransportError::Lost { reason }) = refused.map(drop) else {
        panic!("it connected");
    };
    assert!(reason.contains("demands TLS"), "{reason}");
}

#[tokio::test]
async fn a_paired_host_is_known_without_tls_too() {
    use phonehome::adapters::virtual_handset::firmware::model::Auth;
    let (_, text) = shipped().iter().find(|(known, _)| *known == NEW).unwrap();
    let mut firmware = parse(text).unwrap();
    firmware.adb.auth = Auth::Silent;
    let options = HandsetOptions {
        serial: "V0".to_owned(),
        seed: 1,
        clock: clock(),
    };
    let handset = VirtualHandset::start(firmware, options).unwrap();
    let key = key("adbkey");
    handset.known_hosts().add(key.public().clone());
    let transport = attach(handset.connect(), &[&key]).await.unwrap();
    assert_eq!(exit_code(&transport, 3).await, Some(3));
}

#[tokio::test]
async fn a_handset_before_android_11_has_no_wireless_debugging() {
    let error = handset("redmi-1s-2014-08").connect_tls().err().unwrap();
    assert!(matches!(error, HandsetError::TooOld { release } if release == "4.3"));
}

const LOOPBACK: &str = "127.0.0.1:0";

#[tokio::test]
async fn a_host_pairs_by_its_code_and_is_let_in() {
    let handset = handset(NEW);
    let (ours, other) = (key("adbkey"), key("otherkey"));
    let code = Some("481216".to_owned());
    let opened = handset.open_pairing(LOOPBACK.parse().unwrap(), code).await;
    let opened = opened.unwrap();
    let address = opened.address.to_string();
    let wrong = pair(&address, "481217", &other, &*clock())
        .await
        .unwrap_err();
    assert!(
        matches!(wrong, PairError::Pairing(PairingError::WrongCode)),
        "{wrong:?}"
    );
    let guid = pair(&address, "481216", &ours, &*clock()).await.unwrap();
    // `adb-SERIAL-xxxxxx`, as Android makes it.
    let drawn = guid.strip_prefix("adb-V0-").unwrap();
    assert!(
        drawn.len() == 6 && drawn.bytes().all(|c| c.is_ascii_lowercase()),
        "{guid}"
    );
    let known = opened.outcome.await.unwrap().unwrap();
    assert!(known.is_same(ours.public()));
    assert_eq!(known.name, "test@here");
    let transport = attach(handset.connect_tls().unwrap(), &[&ours])
        .await
        .unwrap();
    assert_eq!(exit_code(&transport, 9).await, Some(9));
    let refused = attach(handset.connect_tls().unwrap(), &[&other])
        .await
        .err();
    assert!(
        matches!(refused, Some(TransportError::Unpaired)),
        "{refused:?}"
    );
    // One code pairs one host.
    let late = pair(&address, "481216", &other, &*clock())
        .await
        .unwrap_err();
    assert!(matches!(late, PairError::Unreachable { .. }), "{late:?}");
}

#[tokio::test]
async fn a_code_cannot_be_tried_for_ever() {
    let handset = handset(NEW);
    let opened = handset.open_pairing(LOOPBACK.parse().unwrap(), None).await;
    let opened = opened.unwrap();
    assert!(opened.code.len() == 6 && opened.code.bytes().all(|c| c.is_ascii_digit()));
    let address = opened.address.to_string();
    let key = key("adbkey");
    for _ in 0..MAX_ATTEMPTS {
        let wrong = pair(&address, "no code", &key, &*clock())
            .await
            .unwrap_err();
        assert!(
            matches!(wrong, PairError::Pairing(PairingError::WrongCode)),
            "{wrong:?}"
        );
    }
    let ended = opened.outcome.await.unwrap();
    assert!(
        matches!(ended, Err(PairError::TooManyAttempts)),
        "{ended:?}"
    );
    assert!(handset.known_hosts().all().is_empty());
}

#[tokio::test]
async fn an_address_that_pairs_nobody_is_told() {
    let handset = handset(NEW);
    let address = handset.listen(LOOPBACK.parse().unwrap()).await.unwrap();
    let refused = pair(&address.to_string(), "123456", &key("adbkey"), &*clock()).await;
    assert!(
        matches!(refused, Err(PairError::NoPairing(_))),
        "{refused:?}"
    );
}

/// The program as an operator uses it, on both sides.
#[test]
fn the_program_pairs_with_the_program() {
    let bench = common::Bench::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/adb");
    fs::create_dir(bench.path(".android")).unwrap();
    fs::copy(folder.join("adbkey"), bench.path(".android/adbkey")).unwrap();
    let mut virtual_handset = bench
        .program()
        .args(["virtual", NEW, "--listen", LOOPBACK, "--tls", "--quiet"])
        .args(["--pairing", LOOPBACK, "--pairing-code", "314159"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(virtual_handset.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    let (listening, pairing) = (line(), line());
    let address = listening.strip_prefix("listening on ").unwrap();
    let pairing = pairing.strip_prefix("pairing on ").unwrap();
    let pairing = pairing.strip_suffix(", code 314159").unwrap();
    let selector = format!("tcp:{address}");

    let before = bench.run(["devices", "--handset", &selector]);
    before.expect_code(4);
    assert!(before.stdout.contains("pair with it"), "{}", before.stdout);
    let wrong = bench.run(["devices", "--pair", pairing, "--code", "314158"]);
    wrong.expect_code(4);
    assert!(
        wrong.stderr.contains("the pairing code is wrong"),
        "{}",
        wrong.stderr
    );
    bench.run(["devices", "--pair", pairing]).expect_code(2);
    let right = bench.run(["devices", "--pair", pairing, "--code", "314159"]);
    right.expect_code(0);
    assert!(
        right.stdout.starts_with("paired with adb-"),
        "{}",
        right.stdout
    );
    bench
        .run(["devices", "--handset", &selector])
        .expect_code(0);
    virtual_handset.kill().unwrap();
    virtual_handset.wait().unwrap();
}

/// A handset that listens in TLS, and a stock adb that it knows or does not.
struct Bench {
    adb: StockAdb,
    home: TempDir,
    address: SocketAddr,
    handset: VirtualHandset,
    runtime: Runtime,
}

/// Runs `test` with an adb of a release; says so where there is none.
fn with(release: Release, is_known: bool, test: impl FnOnce(&Bench)) {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".android")).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/adb");
    fs::copy(folder.join("adbkey"), home.path().join(".android/adbkey")).unwrap();
    let adb = match StockAdb::new(release, home.path()) {
        Ok(adb) => adb,
        Err(why) => return skip(&format!("TLS with {release:?}"), why),
    };
    let runtime = Runtime::new().unwrap();
    let (handset, address) = runtime.block_on(async {
        let handset = handset(NEW);
        if is_known {
            handset.known_hosts().add(key("adbkey").public().clone());
        }
        let any = "127.0.0.1:0".parse().unwrap();
        let address = handset.listen_tls(any).await.unwrap();
        (handset, address)
    });
    test(&Bench {
        adb,
        home,
        address,
        handset,
        runtime,
    });
}

fn works(bench: &Bench) {
    let serial = bench.address.to_string();
    let said = bench.adb.said(&["connect", &serial]);
    assert_eq!(said, format!("connected to {serial}\n"));
    for code in [0, 1, 7, 255] {
        let ended = bench
            .adb
            .run(&["-s", &serial, "shell", &format!("exit {code}")]);
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    }
    let (there, back) = (
        bench.home.path().join("there"),
        bench.home.path().join("back"),
    );
    let sent = bytes(50_000_000);
    fs::write(&there, &sent).unwrap();
    let path = |path: &Path| path.display().to_string();
    let pushed = bench.adb.run(&[
        "-s",
        &serial,
        "push",
        &path(&there),
        "/data/local/tmp/large",
    ]);
    assert_eq!(pushed.status.code(), Some(0), "{pushed:?}");
    let pulled = bench
        .adb
        .run(&["-s", &serial, "pull", "/data/local/tmp/large", &path(&back)]);
    assert_eq!(pulled.status.code(), Some(0), "{pulled:?}");
    assert!(fs::read(&back).unwrap() == sent);
    let digest = bench
        .adb
        .said(&["-s", &serial, "shell", "sha256sum /data/local/tmp/large"]);
    let own = Command::new("sha256sum").arg(&there).output().unwrap();
    let own = String::from_utf8(own.stdout).unwrap();
    assert_eq!(digest.split(' ').next(), own.split(' ').next());
}

fn is_refused(bench: &Bench) {
    let serial = bench.address.to_string();
    let said = bench.adb.said(&["connect", &serial]);
    assert_eq!(said, format!("failed to connect to {serial}\n"));
}

#[test]
fn adb_34_works_inside_tls() {
    with(Release::Adb34, true, works);
}

#[test]
fn adb_36_works_inside_tls() {
    with(Release::Adb36, true, works);
}

/// `adb pair` with a wrong code, with the right one, and what it is good for.
fn pairs(bench: &Bench) {
    let open = |code: &str| {
        let any = LOOPBACK.parse().unwrap();
        let opening = bench.handset.open_pairing(any, Some(code.to_owned()));
        bench.runtime.block_on(opening).unwrap()
    };
    is_refused(bench);
    let opened = open("271828");
    let address = opened.address.to_string();
    let wrong = bench.adb.run(&["pair", &address, "271829"]);
    let said = [wrong.stdout, wrong.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    // adb's server says `FAIL` and why where its client awaits a length, `FA` being 250 bytes.
    let expected = "protocol fault (couldn't read status message)";
    assert!(said.contains(expected), "{said}");
    let said = bench.adb.said(&["pair", &address, "271828"]);
    let expected = format!("Successfully paired to {address} [guid=adb-V0-");
    assert!(said.starts_with(&expected), "{said}");
    let known = bench.runtime.block_on(opened.outcome).unwrap().unwrap();
    assert!(known.is_same(key("adbkey").public()));
    works(bench);
}

#[test]
fn adb_34_pairs_and_works() {
    with(Release::Adb34, false, pairs);
}

#[test]
fn adb_36_pairs_and_works() {
    with(Release::Adb36, false, pairs);
}

#[test]
fn adb_34_is_refused_when_it_is_not_known() {
    with(Release::Adb34, false, is_refused);
}

#[test]
fn adb_36_is_refused_when_it_is_not_known() {
    with(Release::Adb36, false, is_refused);
}
