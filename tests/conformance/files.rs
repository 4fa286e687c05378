//! Files by the sync protocol.

use crate::bench::{Bench, Check, MTIME, always, check, noise, with};
use data_encoding::HEXLOWER;
use phonehome::adapters::fs_tree::FsTree;
use phonehome::engine::service::sync::{self, Limits, Manner, SyncError};
use phonehome::engine::service::tree::{self, TreeError};
use phonehome::wire::adb::compression::Compression;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, UNIX_EPOCH};

pub(crate) const CHECKS: &[Check] = &[
    check!(always, files_of_every_size_cross_whole),
    check!(always, a_large_file_crosses_whole),
    check!(compressed, files_cross_in_every_compression),
    check!(always, what_is_not_there_is_told),
    check!(always, a_file_is_what_it_was_pushed_as),
    check!(stat_v2, sizes_and_times_have_64_bits),
    check!(always, names_are_any_text),
    check!(always, large_folders_are_listed_whole),
    check!(always, a_refusal_has_the_handsets_words),
    check!(always, folders_cross_both_ways),
];

fn compressed(bench: &Bench) -> Result<(), &'static str> {
    let why = "before Android 11 nothing is compressed";
    bench.has("sendrecv_v2").then_some(()).ok_or(why)
}

fn stat_v2(bench: &Bench) -> Result<(), &'static str> {
    let why = "before Android 8 a size has 32 bits";
    bench.has("stat_v2").then_some(()).ok_or(why)
}

async fn stat(bench: &Bench, path: &str) -> Option<sync::Stat> {
    let (transport, clock) = (&*bench.transport, &*bench.clock);
    let found = sync::stat(transport, clock, path, Limits::default()).await;
    found.unwrap()
}

/// There and back, and what the handset itself makes of it.
async fn crosses(bench: &Bench, content: &[u8]) {
    let path = bench.path("file");
    bench.push(&path, content).await;
    if let Some(digest) = bench.sha256(&path).await {
        let own = HEXLOWER.encode(&Sha256::digest(content));
        assert_eq!(digest, own, "{} bytes", content.len());
    }
    let back = bench.pull(&path).await;
    assert!(back == content, "{} of {} bytes", back.len(), content.len());
}

async fn files_of_every_size_cross_whole(bench: Bench) {
    let payload = bench.peer.world.max_payload;
    let chunk = sync_chunk();
    let sizes = BTreeSet::from([
        0,
        1,
        chunk - 1,
        chunk,
        chunk + 1,
        payload - 1,
        payload,
        payload + 1,
    ]);
    let content = noise(payload.max(chunk) + 1);
    for size in sizes {
        crosses(&bench, &content[..size]).await;
    }
}

/// AOSP `file_sync_protocol.h`, `SYNC_DATA_MAX`.
const fn sync_chunk() -> usize {
    64 * 1024
}

async fn a_large_file_crosses_whole(bench: Bench) {
    crosses(&bench, &noise(20_000_000)).await;
}

async fn files_cross_in_every_compression(bench: Bench) {
    let text: Vec<u8> = (0..200_000u32)
        .flat_map(|number| number.to_string().into_bytes())
        .collect();
    let path = bench.path("compressed");
    for compression in Compression::ALL {
        assert!(bench.has(compression.feature()), "{compression:?}");
        for content in [&text[..], &noise(300_000), b"x", b""] {
            let pushed = bench.push_as(&path, content, with(compression)).await;
            assert_eq!(pushed.unwrap(), u64::try_from(content.len()).unwrap());
            let digest = bench.sha256(&path).await.unwrap();
            assert_eq!(digest, HEXLOWER.encode(&Sha256::digest(content)));
            let back = bench.pull_as(&path, with(compression)).await.unwrap();
            assert!(back == content, "{compression:?}");
        }
    }
}

async fn what_is_not_there_is_told(bench: Bench) {
    let path = bench.path("none");
    assert_eq!(stat(&bench, &path).await, None);
    assert_eq!(stat(&bench, &format!("{path}/below")).await, None);
    let error = bench.pull_as(&path, with(Compression::None)).await;
    let Err(SyncError::Refused { path: told, reason }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(told, path);
    assert!(reason.contains("No such file or directory"), "{reason}");
    let (transport, clock) = (&*bench.transport, &*bench.clock);
    let listed = sync::list(transport, clock, &path, Limits::default()).await;
    assert_eq!(listed.unwrap(), []);
}

async fn a_file_is_what_it_was_pushed_as(bench: Bench) {
    let path = bench.path("deep/er/than/there/is");
    bench.push(&path, b"12345").await;
    let found = stat(&bench, &path).await.unwrap();
    assert_eq!((found.size, found.mtime), (5, i64::from(MTIME)));
    assert_eq!(found.mode & 0o170_000, 0o100_000, "{found:?}");
    assert_eq!(found.mode & 0o111, 0, "{found:?}");
    // Another of the same name takes its place whole.
    bench.push(&path, b"1").await;
    assert_eq!(bench.pull(&path).await, b"1");
    let folder = stat(&bench, &bench.path("deep/er")).await.unwrap();
    assert_eq!(folder.mode & 0o170_000, 0o040_000, "{folder:?}");
}

async fn sizes_and_times_have_64_bits(bench: Bench) {
    let path = bench.path("sparse");
    bench.text(&format!("truncate -s 5G {path}")).await;
    assert_eq!(stat(&bench, &path).await.unwrap().size, 5 << 30);
    bench.text(&format!("rm {path}; echo > {path}")).await;
    // After 2106.
    bench.text(&format!("touch -d @5000000000 {path}")).await;
    assert_eq!(stat(&bench, &path).await.unwrap().mtime, 5_000_000_000);
}

async fn names_are_any_text(bench: Bench) {
    let names = [
        "with blank",
        "ünï cödé 漢字 🎉",
        "it's \"quoted\" $HOME `x`",
        "-rf",
        "a,b,0644",
        "new\nline",
        "back\\slash",
        &"n".repeat(255),
    ];
    for name in names {
        let path = bench.path(&format!("names/{name}"));
        bench.push(&path, name.as_bytes()).await;
        assert_eq!(bench.pull(&path).await, name.as_bytes());
    }
    let (transport, clock) = (&*bench.transport, &*bench.clock);
    let folder = bench.path("names");
    let listed = sync::list(transport, clock, &folder, Limits::default()).await;
    let listed: BTreeSet<String> = listed.unwrap().into_iter().map(|e| e.name).collect();
    let expected: BTreeSet<String> = [".", ".."]
        .iter()
        .chain(&names)
        .map(ToString::to_string)
        .collect();
    assert_eq!(listed, expected);
    let too_long = bench.path(&"d/".repeat(512));
    let error = bench.pull_as(&too_long, with(Compression::None)).await;
    assert!(matches!(error, Err(SyncError::PathTooLong { .. })));
}

async fn large_folders_are_listed_whole(bench: Bench) {
    let folder = bench.path("many");
    let make = "i=0; while [ $i -lt 2000 ]; do : > file-$i; i=$((i+1)); done";
    bench
        .text(&format!("mkdir {folder}; cd {folder}; {make}"))
        .await;
    let (transport, clock) = (&*bench.transport, &*bench.clock);
    let listed = sync::list(transport, clock, &folder, Limits::default()).await;
    let names: BTreeSet<String> = listed.unwrap().into_iter().map(|e| e.name).collect();
    let files = (0..2000).map(|number| format!("file-{number}"));
    let all = files.chain([".".to_owned(), "..".to_owned()]).collect();
    assert_eq!(names, all);
}

async fn a_refusal_has_the_handsets_words(bench: Bench) {
    let file = bench.path("not-a-folder");
    bench.push(&file, b"x").await;
    let below = format!("{file}/below");
    // Larger than what is on its way when the refusal comes.
    let error = bench
        .push_as(&below, &noise(3_000_000), with(Compression::None))
        .await;
    let Err(SyncError::Refused { path, reason }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(path, below);
    assert!(reason.contains("Not a directory"), "{reason}");
    let error = bench
        .pull_as(&bench.path(""), with(Compression::None))
        .await;
    let Err(SyncError::Refused { reason, .. }) = error else {
        panic!("{error:?}");
    };
    assert!(reason.contains("Is a directory"), "{reason}");
}

async fn folders_cross_both_ways(bench: Bench) {
    let here = tempfile::tempdir().unwrap();
    let at = |name: &str| here.path().join(name);
    let large = noise(150_000);
    for (name, content) in [
        ("out/a/b/c/deep", &b"deep"[..]),
        ("out/a/ünï 漢", b"unicode"),
        ("out/large", &large),
        ("out/none", b""),
    ] {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), content).unwrap();
    }
    fs::create_dir_all(at("out/empty/folder")).unwrap();
    symlink("a/b/c/deep", at("out/link")).unwrap();
    symlink("a", at("out/folder-link")).unwrap();
    symlink("nowhere", at("out/broken-link")).unwrap();
    let early = UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    File::open(at("out/large"))
        .unwrap()
        .set_modified(early)
        .unwrap();

    let (transport, clock) = (&*bench.transport, &*bench.clock);
    let there = bench.path("tree");
    let tree = FsTree::new(here.path().to_owned());
    let manner = Manner {
        compression: Compression::Zstd,
        ..Manner::default()
    };
    let mut told = 0;
    let mut progress = |bytes| told = bytes;
    let pushing = tree::push(
        transport,
        clock,
        &tree,
        "out",
        &there,
        manner,
        &mut progress,
    );
    let pushed = pushing.await.unwrap();
    assert_eq!(pushed.problems, []);
    assert_eq!((pushed.files, pushed.links, pushed.folders), (4, 3, 6));
    assert_eq!((pushed.bytes, told), (150_011, 150_011));
    let linked = stat(&bench, &format!("{there}/link")).await.unwrap();
    assert_eq!(linked.mode & 0o170_000, 0o120_000);

    let mut quiet = |_| {};
    let pulling = tree::pull(transport, clock, &there, &tree, "in", manner, &mut quiet);
    let pulled = pulling.await.unwrap();
    // Links to files come as files; those to folders and to nothing are told.
    let mut left_out: Vec<String> = pulled.problems.iter().map(|p| p.path.clone()).collect();
    left_out.sort();
    let links = ["broken-link", "folder-link"].map(|name| format!("{there}/{name}"));
    assert_eq!(left_out, links);
    assert_eq!((pulled.files, pulled.folders), (5, 6));
    assert_eq!(fs::read(at("in/a/b/c/deep")).unwrap(), b"deep");
    assert_eq!(fs::read(at("in/a/ünï 漢")).unwrap(), b"unicode");
    assert_eq!(fs::read(at("in/link")).unwrap(), b"deep");
    assert!(fs::read(at("in/large")).unwrap() == large);
    assert_eq!(fs::read(at("in/none")).unwrap(), b"");
    assert!(at("in/empty/folder").is_dir());
    assert!(!at("in/folder-link").exists() && !at("in/broken-link").exists());
    let time = fs::metadata(at("in/large")).unwrap().modified().unwrap();
    assert_eq!(time, early);
    let nothing = format!("{there}/nothing");
    let pulling = tree::pull(transport, clock, &nothing, &tree, "x", manner, &mut quiet);
    assert!(matches!(pulling.await, Err(TreeError::NothingThere { .. })));
}
