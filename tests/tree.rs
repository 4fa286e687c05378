//! Folders copied from a handset that means harm: its names and lengths reach nothing but the
//! operator's folder, and files are there whole or not at all.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and this one looks at the folder that was copied into"
)]

use phonehome::adapters::adb::{
    AdbStream, AdbTransport, DeviceConfig, HostConfig, ServiceBody, Services, connect, serve,
};
use phonehome::adapters::fs_tree::FsTree;
use phonehome::adapters::in_process;
use phonehome::adapters::system_clock::SystemClock;
use phonehome::engine::service::sync::{Limits, Manner, SyncError};
use phonehome::engine::service::tree::{self, Copied, TreeError};
use phonehome::wire::adb::banner::emit_device;
use phonehome::wire::adb::sync::{
    Entry, Request, Stat, SyncDecoder, emit_data, emit_done, emit_entry, emit_fail, emit_list_done,
    emit_stat,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;

/// Folders by path, each with what it says that it holds.
#[derive(Clone, Default)]
struct Evil {
    folders: BTreeMap<&'static str, Vec<(&'static str, u32)>>,
}

impl Services for Evil {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        let evil = self.clone();
        (service == "sync:").then(|| -> ServiceBody {
            Box::new(move |stream| Box::pin(async move { evil.sync(stream).await.unwrap_or(()) }))
        })
    }
}

impl Evil {
    async fn sync(self, mut stream: AdbStream) -> Option<()> {
        let mut decoder = SyncDecoder::default();
        let mut buffer = [0; 4096];
        loop {
            let request = loop {
                if let Some(request) = decoder.next_request().ok()? {
                    break request;
                }
                let len = stream.read(&mut buffer).await.ok().filter(|len| *len > 0)?;
                decoder.push(buffer.get(..len)?);
            };
            let answer = match request {
                Request::Stat { .. } => emit_stat(Stat {
                    mode: FOLDER,
                    size: 0,
                    mtime: 1,
                }),
                Request::List { path } => self.list(&path),
                // The start of a file, and then nothing any more.
                Request::Receive { path } if path.ends_with("cut") => {
                    stream.write_all(&emit_data(b"half")).await.ok()?;
                    return None;
                }
                Request::Receive { path } if path.ends_with("refused") => {
                    [emit_data(b"half"), emit_fail("no\u{1b}[2J more")].concat()
                }
                Request::Receive { .. } => [emit_data(b"content"), emit_done(0)].concat(),
                _ => return None,
            };
            stream.write_all(&answer).await.ok()?;
        }
    }

    fn list(&self, path: &str) -> Vec<u8> {
        let entries = self.folders.get(path).into_iter().flatten();
        let entries = entries.flat_map(|(name, mode)| {
            emit_entry(&Entry {
                name: (*name).to_owned(),
                stat: Stat {
                    mode: *mode,
                    size: 7,
                    mtime: u32::MAX,
                },
            })
        });
        entries.chain(emit_list_done()).collect()
    }
}

/// What is copied from `/evil` into `folder/in`, within bounds.
async fn copy(evil: Evil, folder: &Path, max_entries: usize) -> Result<Copied, TreeError> {
    let (near, far) = in_process::pair();
    let device = DeviceConfig {
        banner: emit_device("device", "evil", "evil", "evil", &[] as &[&str]),
        version: 0x0100_0000,
        max_payload: 4096,
        auth: None,
    };
    let _serving = tokio::spawn(serve(far, device, Arc::new(evil)));
    let clock = Arc::new(SystemClock::new());
    let config = HostConfig::new("evil", Vec::new());
    let transport: AdbTransport = connect(near, config, clock.clone()).await.unwrap();
    let tree = FsTree::new(folder.join("in"));
    let manner = Manner::from(Limits {
        max_entries,
        ..Limits::default()
    });
    let mut quiet = |_| {};
    let copying = tree::pull(&transport, &*clock, "/evil", &tree, "", manner, &mut quiet);
    let limited = tokio::time::timeout(Duration::from_secs(60), copying);
    limited.await.expect("it ends")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn names_that_lead_out_are_left_out() {
    let here = tempfile::tempdir().unwrap();
    let evil = Evil {
        folders: BTreeMap::from([(
            "/evil",
            vec![
                (".", FOLDER),
                ("..", FOLDER),
                ("../out", FILE),
                ("../../out", FILE),
                ("/etc/out", FILE),
                ("a/../../out", FILE),
                ("", FILE),
                ("nul\0", FILE),
                (".unfinished-x", FILE),
                ("device", 0o020_666),
                ("fine", FILE),
            ],
        )]),
    };
    let copied = copy(evil, here.path(), 100).await.unwrap();
    assert_eq!(names(here.path()), ["in"]);
    assert_eq!(names(&here.path().join("in")), ["fine"]);
    assert_eq!((copied.files, copied.left_out), (1, 8));
}

/// What is first a link and then a folder of the same name leads nowhere either.
#[tokio::test]
async fn a_link_here_is_not_written_through() {
    let here = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("in")).unwrap();
    std::os::unix::fs::symlink(outside.path(), here.path().join("in/a")).unwrap();
    let evil = Evil {
        folders: BTreeMap::from([
            ("/evil", vec![("a", LINK), ("a", FOLDER)]),
            ("/evil/a", vec![("out", FILE)]),
        ]),
    };
    let copied = copy(evil, here.path(), 100).await.unwrap();
    assert_eq!((copied.files, copied.left_out), (0, 2));
    assert_eq!(names(outside.path()), Vec::<String>::new());
}

/// What this computer cannot have is one file less, not the end of the copy.
#[tokio::test]
async fn what_cannot_be_written_here_is_left_out() {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir_all(here.path().join("in/folder/x")).unwrap();
    fs::write(here.path().join("in/file"), b"").unwrap();
    let long: &'static str = "n".repeat(300).leak();
    let evil = Evil {
        folders: BTreeMap::from([
            (
                "/evil",
                vec![
                    (long, FILE),
                    ("folder", FILE),
                    ("file", FOLDER),
                    ("fine", FILE),
                ],
            ),
            ("/evil/file", vec![("below", FILE)]),
        ]),
    };
    let copied = copy(evil, here.path(), 100).await.unwrap();
    assert_eq!((copied.files, copied.left_out), (1, 3), "{copied:?}");
    assert_eq!(fs::read(here.path().join("in/fine")).unwrap(), b"content");
}

#[tokio::test]
async fn folders_without_an_end_have_one() {
    let here = tempfile::tempdir().unwrap();
    // Every folder is the same, and holds two of itself.
    let mut evil = Evil::default();
    let mut path = "/evil".to_owned();
    for _ in 0..200 {
        evil.folders
            .insert(path.clone().leak(), vec![("a", FOLDER), ("f", FILE)]);
        path.push_str("/a");
    }
    let copied = copy(evil.clone(), here.path(), 10_000).await.unwrap();
    assert_eq!((copied.folders, copied.left_out), (65, 1));
    let error = copy(evil, here.path(), 100).await.unwrap_err();
    let is_limit = matches!(
        error,
        TreeError::Sync(SyncError::TooLarge { limit: 100, .. })
    );
    assert!(is_limit, "{error}");
}

#[tokio::test]
async fn a_file_that_breaks_off_is_not_there() {
    let here = tempfile::tempdir().unwrap();
    let evil = |name| Evil {
        folders: BTreeMap::from([("/evil", vec![("a", FILE), (name, FILE)])]),
    };
    let copied = copy(evil("refused"), here.path(), 100).await.unwrap();
    assert_eq!(names(&here.path().join("in")), ["a"]);
    let problem = copied.problems.first().unwrap();
    // What a handset says reaches no terminal as it is.
    assert_eq!(problem.path, "/evil/refused");
    assert!(!problem.reason.contains('\u{1b}'), "{problem:?}");
    let error = copy(evil("cut"), here.path(), 100).await.unwrap_err();
    let is_cut = matches!(error, TreeError::Sync(SyncError::Unfinished { .. }));
    assert!(is_cut, "{error}");
    assert_eq!(names(&here.path().join("in")), ["a"]);
}
