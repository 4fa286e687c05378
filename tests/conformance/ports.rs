//! Ports of either side that lead to the other, packages, and restarts.

use crate::bench::{Bench, Check, check, exec};
use phonehome::adapters::forward::Forwards;
use phonehome::android::install::InstallOptions;
use phonehome::android::quote;
use phonehome::engine::service::install::{self, Apk, InstallError};
use phonehome::engine::service::power::{self, Privilege};
use phonehome::engine::service::reverse::{self, Reversal};
use phonehome::engine::service::{bugreport, screen, shell};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const CHECKS: &[Check] = &[
    check!(both_ports, ports_lead_both_ways),
    check!(exec, reversed_ports_are_listed_and_ended),
    check!(packages, what_is_no_package_is_not_installed),
    check!(packages, a_service_answers_without_a_shell_as_with_one),
    check!(packages, the_screen_is_pictured_whole),
    check!(packages, a_bug_report_is_followed_fetched_and_removed),
    check!(refuses_root, root_is_refused_in_words),
    check!(restarts, a_handset_comes_back_after_a_restart),
];

fn both_ports(bench: &Bench) -> Result<(), &'static str> {
    exec(bench)?;
    let is_server = bench.peer.reversed.is_none() && bench.peer.world.is_behind_server;
    let reaches_us = is_server || bench.peer.reversed.is_some();
    let why = "what is recorded or on USB in a lab does not reach this test's ports";
    reaches_us.then_some(()).ok_or(why)
}

fn packages(bench: &Bench) -> Result<(), &'static str> {
    let why = "there is no package manager behind it";
    bench.peer.world.has_packages.then_some(()).ok_or(why)
}

fn restarts(bench: &Bench) -> Result<(), &'static str> {
    let why = "it cannot be restarted and reached again the same way";
    bench.peer.world.restarts.then_some(()).ok_or(why)
}

fn refuses_root(bench: &Bench) -> Result<(), &'static str> {
    let why = "its adbd is root, or restarts to be so, which ends the connection";
    let refuses = !bench.peer.world.gives_root;
    refuses.then_some(()).ok_or(why)
}

async fn a_service_answers_without_a_shell_as_with_one(bench: Bench) {
    let (transport, clock) = (&*bench.transport, &*bench.clock);
    for words in [
        &["package", "list", "packages"][..],
        &["settings", "get", "global", "a name; with $signs"],
        &["package", "path", "no.such.package"],
        &["nosuchservice"],
    ] {
        let limits = shell::Limits::default();
        let direct = shell::abb(transport, clock, words, limits).await.unwrap();
        let command = quote::command(["cmd"].into_iter().chain(words.iter().copied()));
        let by_shell = bench.shell(&command).await;
        assert_eq!(direct.text(), by_shell.text(), "{words:?}");
        // Which failure it was is lost: abb makes 1 of each.
        assert_eq!(direct.succeeded(), by_shell.succeeded(), "{words:?}");
    }
}

/// The picture is as large as the window manager says that the screen is.
async fn the_screen_is_pictured_whole(bench: Bench) {
    let picture = screen::screenshot(&*bench.transport, &*bench.clock).await;
    let picture = picture.unwrap();
    let number = |at: usize| {
        let word = picture.get(at..at + 4).expect("a header");
        u32::from_be_bytes(word.try_into().unwrap())
    };
    let size = bench.text("wm size").await;
    let size = size.trim().strip_prefix("Physical size: ").unwrap();
    // IHDR stands first: its length, its name, the width, the height.
    assert_eq!(size, format!("{}x{}", number(16), number(20)));
}

async fn a_bug_report_is_followed_fetched_and_removed(bench: Bench) {
    let mut archive = Vec::new();
    let mut told = Vec::new();
    let mut progress = |done, total| told.push((done, total));
    let (transport, clock) = (&*bench.transport, &*bench.clock);
    let making = bugreport::bugreport(transport, clock, &mut archive, &mut progress);
    let fetched = making.await.unwrap();
    assert_eq!(fetched.len, u64::try_from(archive.len()).unwrap());
    // A zip archive begins with its first file, and ends with its directory (APPNOTE.TXT, 4.3).
    assert!(archive.starts_with(b"PK\x03\x04"), "{fetched:?}");
    assert!(archive.windows(4).any(|bytes| bytes == b"PK\x05\x06"));
    assert!(!told.is_empty());
    assert!(told.iter().all(|(done, total)| done <= total), "{told:?}");
    assert!(fetched.removed, "{fetched:?}");
    let left = bench.shell(&quote::command(["ls", &fetched.path])).await;
    assert_ne!(left.exit, Some(0), "{}", left.text());
}

/// A port of this computer that gives back what it gets.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = socket.split();
                tokio::io::copy(&mut reader, &mut writer).await.ok();
            });
        }
    });
    port
}

/// From here to the handset by a forwarded port, and back by a reversed one.
async fn ports_lead_both_ways(bench: Bench) {
    let (transport, clock) = (&*bench.transport, &*bench.clock);
    let port = echo().await;
    if let Some(reversed) = &bench.peer.reversed {
        reversed.allow(port);
    }
    let wanted = Reversal {
        remote: "tcp:0".to_owned(),
        local: format!("tcp:{port}"),
    };
    let there = reverse::reverse(transport, clock, &wanted, false).await;
    let there = there.unwrap().expect("the port that was taken");
    let forwards = Forwards::new(Arc::clone(&bench.transport));
    let remote = format!("tcp:{there}");
    let here = forwards.forward(0, &remote).await.unwrap();
    assert_eq!(forwards.list(), [(here, remote.clone())]);
    for number in 0..4u8 {
        let mut socket = TcpStream::connect(("127.0.0.1", here)).await.unwrap();
        let sent = vec![number; 200_000];
        let mut got = vec![0; sent.len()];
        let (mut reader, mut writer) = socket.split();
        let (written, read) = tokio::join!(writer.write_all(&sent), reader.read_exact(&mut got));
        written.unwrap();
        read.unwrap();
        assert!(got == sent, "{number}");
    }
    assert!(forwards.remove(here).await && forwards.list().is_empty());
    let refused = TcpStream::connect(("127.0.0.1", here)).await;
    assert!(refused.is_err());
    reverse::remove(transport, clock, &remote).await.unwrap();
    assert!(transport.open(&remote).await.is_err());
}

async fn reversed_ports_are_listed_and_ended(bench: Bench) {
    let (transport, clock) = (&*bench.transport, &*bench.clock);
    reverse::remove_all(transport, clock).await.unwrap();
    let of = |local: &str| Reversal {
        remote: "localabstract:conformance".to_owned(),
        local: local.to_owned(),
    };
    let (one, other) = (of("tcp:15798"), of("tcp:15799"));
    reverse::reverse(transport, clock, &one, false)
        .await
        .unwrap();
    assert_eq!(reverse::list(transport, clock).await.unwrap(), [one]);
    let kept = reverse::reverse(transport, clock, &other, true).await;
    assert!(kept.is_err(), "{kept:?}");
    reverse::reverse(transport, clock, &other, false)
        .await
        .unwrap();
    let listed = reverse::list(transport, clock).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&other));
    reverse::remove(transport, clock, &other.remote)
        .await
        .unwrap();
    assert_eq!(reverse::list(transport, clock).await.unwrap(), []);
    let again = reverse::remove(transport, clock, &other.remote).await;
    assert!(again.is_err(), "{again:?}");
}

async fn what_is_no_package_is_not_installed(bench: Bench) {
    let content = b"this is no package".repeat(10_000);
    for names in [&["base.apk"][..], &["base.apk", "split_config.en.apk"]] {
        if names.len() > 1 && !bench.has("cmd") {
            continue;
        }
        let mut readers: Vec<&[u8]> = names.iter().map(|_| &content[..]).collect();
        let mut apks: Vec<Apk<'_>> = names
            .iter()
            .zip(&mut readers)
            .map(|(name, reader)| Apk {
                name,
                len: u64::try_from(content.len()).unwrap(),
                reader,
            })
            .collect();
        let options = InstallOptions {
            replace: true,
            ..InstallOptions::default()
        };
        let installing = install::install(&*bench.transport, &*bench.clock, &mut apks, options);
        let error = installing.await.unwrap_err();
        let InstallError::Failed(failure) = error else {
            panic!("{error}");
        };
        let code = failure.code.unwrap_or_default();
        assert!(code.starts_with("INSTALL_"), "{code}: {}", failure.words);
    }
    assert_eq!(bench.text("echo still here").await, "still here\n");
}

async fn root_is_refused_in_words(bench: Bench) {
    let said = power::root(&*bench.transport, &*bench.clock).await.unwrap();
    let Privilege::Refused(words) = said else {
        panic!("{said:?}");
    };
    assert!(words.contains("cannot run as root"), "{words}");
}

async fn a_handset_comes_back_after_a_restart(bench: Bench) {
    let (transport, clock) = (&*bench.transport, &*bench.clock);
    let limit = Duration::from_secs(60);
    let reconnect = || (bench.peer.connect)();
    let transport = power::reboot_and_wait(transport, clock, limit, &reconnect).await;
    let again = Bench {
        transport: transport.unwrap(),
        ..bench.clone()
    };
    assert_eq!(again.text("echo up").await, "up\n");
}
