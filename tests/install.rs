//! Packages onto handsets of each kind, against a package manager that is scripted here: what crosses,
//! in which words, and what becomes of its answers.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use phonehome::adapters::adb::{
    AdbStream, DeviceConfig, HostConfig, ServiceBody, Services, connect, serve,
};
use phonehome::adapters::in_process;
use phonehome::adapters::system_clock::SystemClock;
use phonehome::android::install::InstallOptions;
use phonehome::engine::service::install::{Apk, InstallError, install};
use phonehome::wire::adb::banner::emit_device;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What was asked for, and the bytes that came with it.
type Asked = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A package manager whose last word to a stream is `verdict`.
struct Manager {
    asked: Asked,
    verdict: &'static str,
}

impl Services for Manager {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        let (asked, verdict, service) = (Arc::clone(&self.asked), self.verdict, service.to_owned());
        let body = move |stream| -> phonehome::ports::BoxFuture<'static, ()> {
            Box::pin(async move { answer(stream, service, asked, verdict).await })
        };
        Some(Box::new(body))
    }
}

async fn answer(mut stream: AdbStream, service: String, asked: Asked, verdict: &'static str) {
    let words: Vec<&str> = service.split([' ', '\0']).collect();
    let is_stream = service.contains("install-write") || words.contains(&"install");
    let len = words.iter().position(|word| *word == "-S");
    let len = len.and_then(|at| words.get(at + 1)?.parse().ok());
    let mut bytes = vec![0; len.filter(|_| is_stream).unwrap_or(0)];
    stream.read_exact(&mut bytes).await.unwrap();
    let said = if service.contains("install-create") {
        "Success: created install session [42]\n"
    } else if service.contains("abandon") {
        "Success\n"
    } else {
        verdict
    };
    asked.lock().unwrap().push((service, bytes));
    stream.write_all(said.as_bytes()).await.unwrap();
}

/// Installs files of these contents; what was asked of the handset, and the outcome.
async fn installed(
    features: &[&str],
    files: &[(&str, &[u8])],
    verdict: &'static str,
) -> (Vec<(String, Vec<u8>)>, Result<(), InstallError>) {
    let asked = Asked::default();
    let (near, far) = in_process::pair();
    let device = DeviceConfig {
        banner: emit_device("device", "x", "x", "x", features),
        version: 0x0100_0001,
        max_payload: 4096,
        auth: None,
    };
    let manager = Manager {
        asked: Arc::clone(&asked),
        verdict,
    };
    let _serving = tokio::spawn(serve(far, device, Arc::new(manager)));
    let clock = Arc::new(SystemClock::new());
    let config = HostConfig::new("scripted", Vec::new());
    let transport = connect(near, config, clock.clone()).await.unwrap();
    let mut readers: Vec<&[u8]> = files.iter().map(|(_, bytes)| *bytes).collect();
    let mut apks: Vec<Apk<'_>> = files
        .iter()
        .zip(&mut readers)
        .map(|((name, bytes), reader)| Apk {
            name,
            len: u64::try_from(bytes.len()).unwrap(),
            reader,
        })
        .collect();
    let options = InstallOptions {
        replace: true,
        grant: true,
        ..InstallOptions::default()
    };
    let installing = install(&transport, &*clock, &mut apks, options);
    let outcome = tokio::time::timeout(Duration::from_secs(30), installing).await;
    let asked = asked.lock().unwrap().clone();
    (asked, outcome.expect("it ends"))
}

const NEW: &[&str] = &["shell_v2", "cmd", "abb_exec"];
const OLDER: &[&str] = &["shell_v2", "cmd"];

#[tokio::test]
async fn a_package_is_streamed_in_the_words_of_its_handset() {
    let content = vec![7; 100_000];
    let file = [("base.apk", content.as_slice())];
    // As adb 34 asks (`client/adb_install.cpp`).
    let (asked, outcome) = installed(NEW, &file, "Success\n").await;
    outcome.unwrap();
    let words = "abb_exec:package\0install\0-r\0-g\0-S\x00100000";
    assert!(asked == [(words.to_owned(), content.clone())]);
    let (asked, outcome) = installed(OLDER, &file, "Success\n").await;
    outcome.unwrap();
    let words = "exec:cmd package install -r -g -S 100000";
    assert!(asked == [(words.to_owned(), content)]);
}

#[tokio::test]
async fn split_packages_are_one_session() {
    let files: [(&str, &[u8]); 2] = [("base.apk", b"12345"), ("split_config.en.apk", b"678")];
    let words = |asked: Vec<(String, Vec<u8>)>| -> Vec<String> {
        let texts = asked.into_iter().map(|(words, bytes)| {
            let bytes = String::from_utf8(bytes).unwrap();
            format!("{words} {bytes}").trim_end().to_owned()
        });
        texts.collect()
    };
    let (asked, outcome) = installed(OLDER, &files, "Success\n").await;
    outcome.unwrap();
    let first = [
        "exec:cmd package install-create -r -g -S 8",
        "exec:cmd package install-write -S 5 42 base.apk - 12345",
    ];
    let rest = [
        "exec:cmd package install-write -S 3 42 split_config.en.apk - 678",
        "exec:cmd package install-commit 42",
    ];
    assert_eq!(words(asked), [first, rest].concat());
    // What fails on its way is given up whole.
    let (asked, outcome) = installed(OLDER, &files, "Failure [-18: no]\n").await;
    assert!(matches!(outcome, Err(InstallError::Failed(_))));
    let abandoned = ["exec:cmd package install-abandon 42"];
    assert_eq!(words(asked), [&first[..], &abandoned].concat());
}

#[tokio::test]
async fn what_the_handset_answers_is_told() {
    let file: [(&str, &[u8]); 1] = [("base.apk", b"12345")];
    let said = "Failure [INSTALL_FAILED_VERSION_DOWNGRADE: \u{1b}[2J older]\n";
    let (_, outcome) = installed(NEW, &file, said).await;
    let Err(InstallError::Failed(failure)) = outcome else {
        panic!("{outcome:?}");
    };
    let code = "INSTALL_FAILED_VERSION_DOWNGRADE";
    assert_eq!(failure.code.as_deref(), Some(code));
    assert!(!failure.words.contains('\u{1b}'), "{failure:?}");
    let (_, outcome) = installed(NEW, &file, "").await;
    assert!(matches!(outcome, Err(InstallError::Failed(_))));
    for name in ["", "-r", "a b", "../x", "a;b"] {
        let (asked, outcome) = installed(NEW, &[(name, b"x")], "Success\n").await;
        assert!(
            matches!(outcome, Err(InstallError::BadName { .. })),
            "{name}"
        );
        assert!(asked.is_empty());
    }
    let (_, outcome) = installed(NEW, &[], "Success\n").await;
    assert!(matches!(outcome, Err(InstallError::Files { files: 0 })));
}
