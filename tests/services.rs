//! The engine's services over real ADB bytes, against an adbd that is scripted here.
//!
//! The merged shell of Android 4.3 is this machine's `/bin/sh` behind what a terminal does to its
//! output, so that the trailer is judged by a shell that is not ours.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and this one asks the machine's own shell"
)]

use phonehome::adapters::adb::{
    AdbStream, AdbTransport, DeviceConfig, HostConfig, ServiceBody, Services, connect, serve,
};
use phonehome::adapters::in_process;
use phonehome::adapters::system_clock::SystemClock;
use phonehome::engine::service::shell::{self, Chunk, Limits, Output, ShellError};
use phonehome::engine::service::sync::{self, SyncError, Target};
use phonehome::ports::BoxFuture;
use phonehome::ports::transport::TransportError;
use phonehome::wire::adb::banner::emit_device;
use phonehome::wire::adb::shell::{ShellDecoder, ShellId, emit};
use phonehome::wire::adb::sync::{
    self as codec, Entry, Request, Stat, SyncCodecError, SyncDecoder, emit_data, emit_done,
    emit_entry, emit_fail, emit_list_done, emit_okay, emit_stat,
};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

type Files = Arc<Mutex<BTreeMap<String, (u32, u32, Vec<u8>)>>>;

/// The scripted adbd.
struct Adbd {
    files: Files,
}

impl Services for Adbd {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        let (name, argument) = service.split_once(':')?;
        let argument = argument.to_owned();
        let files = Arc::clone(&self.files);
        let body: fn(AdbStream, String, Files) -> BoxFuture<'static, ()> = match name {
            "shell,v2,raw" => |stream, command, _| Box::pin(shell_v2(stream, command)),
            "shell" => |stream, command, _| Box::pin(merged_shell(stream, command)),
            "exec" => |stream, command, _| Box::pin(exec(stream, command)),
            "sync" => |stream, _, files| Box::pin(sync_service(stream, files)),
            _ => return None,
        };
        Some(Box::new(move |stream| body(stream, argument, files)))
    }
}

async fn shell_v2(mut stream: AdbStream, command: String) {
    let packets: &[(ShellId, &[u8])] = match command.as_str() {
        "both" => &[
            (ShellId::Stdout, b"out\r\n"),
            (ShellId::Stderr, b"err\n"),
            (ShellId::Exit, &[7]),
        ],
        "long" => &[(ShellId::Stdout, &[b'x'; 100_000]), (ShellId::Exit, &[0])],
        "cut" => &[(ShellId::Stdout, b"half")],
        "hang" => &[(ShellId::Stdout, b"waiting")],
        "bad" => &[(ShellId::Exit, b"12")],
        "stdin" => return until_stdin_closes(stream).await,
        _ => &[(ShellId::Exit, &[127])],
    };
    for (id, bytes) in packets {
        stream.write_all(&emit(*id, bytes).unwrap()).await.unwrap();
    }
    if command == "hang" {
        stream.closed().await;
    }
}

async fn until_stdin_closes(mut stream: AdbStream) {
    let mut decoder = ShellDecoder::default();
    let mut buffer = [0; 100];
    loop {
        let len = stream.read(&mut buffer).await.unwrap();
        decoder.push(&buffer[..len]);
        while let Some(packet) = decoder.next_packet().unwrap() {
            if packet.id == ShellId::CloseStdin {
                let exit = emit(ShellId::Exit, &[0]).unwrap();
                return stream.write_all(&exit).await.unwrap();
            }
        }
    }
}

/// Runs the command line with `/bin/sh`, and does to its output what a terminal does.
async fn merged_shell(mut stream: AdbStream, command: String) {
    if command.contains("hang") {
        stream.write_all(b"waiting\r\n").await.unwrap();
        return stream.closed().await;
    }
    let script = format!("exec 2>&1\n{command}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let as_terminal = |byte: &u8| match byte {
        b'\n' => b"\r\n".to_vec(),
        byte => vec![*byte],
    };
    let bytes: Vec<u8> = output.stdout.iter().flat_map(as_terminal).collect();
    let _ = stream.write_all(&bytes).await;
}

async fn exec(mut stream: AdbStream, command: String) {
    stream.write_all(command.as_bytes()).await.unwrap();
    stream.write_all(&[0, 1, 2, b'\n', 0xff]).await.unwrap();
}

async fn sync_service(mut stream: AdbStream, files: Files) {
    let mut decoder = SyncDecoder::default();
    while let Some(request) = next(&mut stream, &mut decoder, SyncDecoder::next_request).await {
        let answer = match request {
            Request::Stat { path } => emit_stat(stat_of(&files, &path)),
            Request::List { path } => listing(&files, &path),
            Request::Receive { path } if path == "/cut" => {
                return stream.write_all(b"DATA\x05\0").await.unwrap();
            }
            Request::Receive { path } => content(&files, &path),
            Request::Send { path, mode } if path.starts_with("/system/") => {
                assert_eq!(mode, Some(0o100_644));
                // As adbd does: the refusal at once, and then everything is read on.
                let fail = emit_fail("couldn't create file: Read-only file system");
                stream.write_all(&fail).await.unwrap();
                receive(&mut stream, &mut decoder).await;
                return;
            }
            Request::Send { path, mode } => {
                let Some((mtime, bytes)) = receive(&mut stream, &mut decoder).await else {
                    return;
                };
                let file = (mode.unwrap(), mtime, bytes);
                files.lock().unwrap().insert(path, file);
                emit_okay()
            }
            Request::Quit
            | Request::StatV2 { .. }
            | Request::ListV2 { .. }
            | Request::SendV2 { .. }
            | Request::ReceiveV2 { .. } => return,
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn next<T>(
    stream: &mut AdbStream,
    decoder: &mut SyncDecoder,
    next: fn(&mut SyncDecoder) -> Result<Option<T>, SyncCodecError>,
) -> Option<T> {
    let mut buffer = vec![0; 30_000];
    loop {
        if let Some(message) = next(decoder).unwrap() {
            return Some(message);
        }
        match stream.read(&mut buffer).await {
            Ok(len @ 1..) => decoder.push(&buffer[..len]),
            _ => return None,
        }
    }
}

async fn receive(stream: &mut AdbStream, decoder: &mut SyncDecoder) -> Option<(u32, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        match next(stream, decoder, SyncDecoder::next_chunk).await? {
            codec::Chunk::Bytes(chunk) => bytes.extend(chunk),
            codec::Chunk::Done { mtime } => return Some((mtime, bytes)),
            codec::Chunk::Fail(_) => return None,
        }
    }
}

fn stat_of(files: &Files, path: &str) -> Stat {
    let files = files.lock().unwrap();
    files
        .get(path)
        .map_or_else(Stat::default, |(mode, mtime, bytes)| Stat {
            mode: *mode,
            size: u32::try_from(bytes.len()).unwrap(),
            mtime: *mtime,
        })
}

fn listing(files: &Files, path: &str) -> Vec<u8> {
    let names: Vec<String> = files.lock().unwrap().keys().cloned().collect();
    let entries = names.iter().filter_map(|name| {
        let stat = stat_of(files, name);
        let name = name.strip_prefix(path)?.strip_prefix('/')?.to_owned();
        Some(emit_entry(&Entry { name, stat }))
    });
    entries.chain([emit_list_done()]).flatten().collect()
}

fn content(files: &Files, path: &str) -> Vec<u8> {
    match (path, files.lock().unwrap().get(path)) {
        ("/garbage", _) => b"GARBAGE!".to_vec(),
        (_, None) => emit_fail("open failed: No such file or directory"),
        (_, Some((_, _, bytes))) => {
            let chunks = bytes.chunks(codec::MAX_DATA).flat_map(emit_data);
            chunks.chain(emit_done(0)).collect()
        }
    }
}

fn modern() -> DeviceConfig {
    DeviceConfig {
        banner: emit_device("device", "n", "m", "d", &["shell_v2", "cmd"]),
        version: 0x0100_0001,
        max_payload: 1024 * 1024,
        auth: None,
    }
}

fn old() -> DeviceConfig {
    let none: [&str; 0] = [];
    DeviceConfig {
        banner: emit_device("device", "armani", "HM 1S", "armani", &none),
        version: 0x0100_0000,
        max_payload: 4096,
        auth: None,
    }
}

async fn attach(config: DeviceConfig) -> (AdbTransport, JoinHandle<Result<(), TransportError>>) {
    let (near, far) = in_process::pair();
    let files = Files::default();
    let serving = tokio::spawn(serve(far, config, Arc::new(Adbd { files })));
    let clock = Arc::new(SystemClock::new());
    let host = HostConfig::new("virtual:test", Vec::new());
    (connect(near, host, clock).await.unwrap(), serving)
}

async fn run(transport: &AdbTransport, command: &str) -> Result<Output, ShellError> {
    shell::run(transport, &SystemClock::new(), command, Limits::default()).await
}

fn output(stdout: &[u8], stderr: &[u8], exit: Option<u8>, merged: bool) -> Output {
    Output {
        stdout: stdout.to_vec(),
        stderr: stderr.to_vec(),
        exit,
        merged,
        truncated: false,
    }
}

#[tokio::test]
async fn shell_v2_tells_streams_and_status_apart() {
    let (transport, _serving) = attach(modern()).await;
    let both = run(&transport, "both").await.unwrap();
    assert_eq!(both, output(b"out\r\n", b"err\n", Some(7), false));
    let stdin = run(&transport, "stdin").await.unwrap();
    assert!(stdin.succeeded());
    let error = run(&transport, "cut").await.unwrap_err();
    assert!(matches!(error, ShellError::Unfinished));
    let error = run(&transport, "bad").await.unwrap_err();
    assert!(matches!(error, ShellError::Malformed(_)));
}

#[tokio::test]
async fn the_merged_shell_gives_the_bytes_and_the_status() {
    let (transport, _serving) = attach(old()).await;
    let cases: [(&str, &[u8], u8); 9] = [
        ("echo hi", b"hi\n", 0),
        ("printf 'no newline'", b"no newline", 0),
        ("echo out; echo err >&2; exit 3", b"out\nerr\n", 3),
        ("printf 'a\\r\\nb\\rc\\n\\0\\377'", b"a\r\nb\rc\n\0\xff", 0),
        ("false", b"", 1),
        ("echo a # a comment", b"a\n", 0),
        ("cat <<X\nhere\nX", b"here\n", 0),
        ("cat", b"", 0),
        ("sh -c 'exit 200'", b"", 200),
    ];
    for (command, stdout, exit) in cases {
        let expected = output(stdout, b"", Some(exit), true);
        assert_eq!(
            run(&transport, command).await.unwrap(),
            expected,
            "{command}"
        );
    }
    let broken = run(&transport, "echo 'unclosed").await.unwrap();
    assert_eq!(broken.exit, None);
    assert!(broken.merged && !broken.succeeded() && !broken.stdout.is_empty());
}

#[tokio::test]
async fn output_and_time_are_limited() {
    let (transport, _serving) = attach(modern()).await;
    let clock = SystemClock::new();
    let limits = Limits {
        max_output: 1000,
        ..Limits::default()
    };
    let long = shell::run(&transport, &clock, "long", limits)
        .await
        .unwrap();
    assert_eq!((long.stdout.len(), long.exit), (1000, Some(0)));
    assert!(long.truncated);
    let limits = Limits {
        timeout: Duration::from_millis(50),
        ..limits
    };
    for (config, written) in [(modern(), &b"waiting"[..]), (old(), b"waiting\n")] {
        let (transport, _serving) = attach(config).await;
        let error = shell::run(&transport, &clock, "hang", limits).await;
        let Err(ShellError::TimedOut { output, after, .. }) = error else {
            panic!("{error:?}");
        };
        assert_eq!((&output.stdout[..], output.exit), (written, None));
        assert_eq!(after, limits.timeout);
    }
}

#[tokio::test]
async fn a_running_command_is_read_as_it_comes_and_its_loss_is_told() {
    for (config, written) in [(modern(), &b"waiting"[..]), (old(), b"waiting\n")] {
        let (transport, serving) = attach(config).await;
        let mut running = shell::stream(&transport, "hang").await.unwrap();
        let first = running.next().await.unwrap();
        assert_eq!(first, Some(Chunk::Stdout(written.to_vec().into())));
        serving.abort();
        let error = running.next().await.unwrap_err();
        let lost = matches!(error, ShellError::Transport(TransportError::Lost { .. }));
        assert!(lost, "{error}");
    }
    let (transport, _serving) = attach(modern()).await;
    let mut running = shell::stream(&transport, "both").await.unwrap();
    let mut chunks = Vec::new();
    while let Some(chunk) = running.next().await.unwrap() {
        chunks.push(chunk);
    }
    let expected = [
        Chunk::Stdout(b"out\r\n".to_vec().into()),
        Chunk::Stderr(b"err\n".to_vec().into()),
        Chunk::Exit(Some(7)),
    ];
    assert_eq!(chunks, expected);
}

#[tokio::test]
async fn exec_is_a_plain_stream() {
    let (transport, _serving) = attach(modern()).await;
    let mut stream = shell::exec(&transport, "cat x").await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"cat x\0\x01\x02\n\xff");
}

const TARGET: Target<'_> = Target {
    path: "/sdcard/a, b.bin",
    mode: 0o100_644,
    mtime: 1_407_628_800,
};

#[tokio::test]
async fn files_go_there_and_back() {
    for config in [old(), modern()] {
        let (transport, _serving) = attach(config).await;
        let (clock, limits) = (SystemClock::new(), sync::Limits::default());
        let sent: Vec<u8> = (0..500_000u32).flat_map(u32::to_le_bytes).collect();
        let len = u64::try_from(sent.len()).unwrap();

        let before = sync::stat(&transport, &clock, TARGET.path, limits)
            .await
            .unwrap();
        assert_eq!(before, None);
        let mut seen = Vec::new();
        let mut input = &sent[..];
        let mut progress = |bytes| seen.push(bytes);
        let pushed = sync::push(
            &transport,
            &clock,
            TARGET,
            &mut input,
            limits,
            &mut progress,
        );
        assert_eq!(pushed.await.unwrap(), len);
        assert_eq!(seen.last(), Some(&len));
        assert_eq!(seen.len(), sent.len().div_ceil(codec::MAX_DATA));

        let stat = Stat {
            mode: TARGET.mode,
            size: u32::try_from(len).unwrap(),
            mtime: TARGET.mtime,
        };
        let after = sync::stat(&transport, &clock, TARGET.path, limits)
            .await
            .unwrap();
        assert_eq!(after, Some(stat.into()));
        let name = "a, b.bin".to_owned();
        let listed = sync::list(&transport, &clock, "/sdcard", limits)
            .await
            .unwrap();
        let stat = Ok(stat.into());
        assert_eq!(listed, [sync::Entry { name, stat }]);

        let mut received = Vec::new();
        let mut last = 0;
        let mut progress = |bytes| last = bytes;
        let pulled = sync::pull(
            &transport,
            &clock,
            TARGET.path,
            &mut received,
            limits,
            &mut progress,
        );
        assert_eq!(pulled.await.unwrap(), len);
        assert_eq!(last, len);
        assert!(received == sent);
    }
}

async fn pull(path: &str, limits: sync::Limits) -> SyncError {
    let (transport, _serving) = attach(modern()).await;
    let clock = SystemClock::new();
    sync::push(
        &transport,
        &clock,
        TARGET,
        &mut &[1u8; 5000][..],
        limits,
        &mut |_| {},
    )
    .await
    .unwrap();
    let mut received = Vec::new();
    sync::pull(&transport, &clock, path, &mut received, limits, &mut |_| {})
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_failed_transfer_says_why() {
    let limits = sync::Limits::default();
    let check = async |path: &str, limits, expected: &str| {
        let error: SyncError = pull(path, limits).await;
        assert_eq!(error.to_string(), expected);
    };
    check(
        "/none",
        limits,
        "the handset refused `/none`: open failed: No such file or directory",
    )
    .await;
    check(
        "/cut",
        limits,
        "the handset ended the transfer of `/cut` early",
    )
    .await;
    check("/garbage", limits, "the handset broke the sync protocol").await;
    let small = sync::Limits {
        max_bytes: 4999,
        ..limits
    };
    let too_large = "`/sdcard/a, b.bin` is larger than the limit of 4999";
    check(TARGET.path, small, too_large).await;
    let long = format!("/{}", "x".repeat(1024));
    check(&long, limits, "a path of 1025 bytes, more than 1024").await;
}

/// The handset says no at once and reads on for ever: the push must notice without its end.
#[tokio::test]
async fn a_refused_push_ends_though_its_input_does_not() {
    for config in [old(), modern()] {
        let (transport, _serving) = attach(config).await;
        let target = Target {
            path: "/system/app/x",
            ..TARGET
        };
        let (clock, limits) = (SystemClock::new(), sync::Limits::default());
        let mut endless = tokio::io::repeat(5);
        let mut progress = |_| {};
        let pushing = sync::push(
            &transport,
            &clock,
            target,
            &mut endless,
            limits,
            &mut progress,
        );
        let expected = "the handset refused `/system/app/x`: \
                        couldn't create file: Read-only file system";
        assert_eq!(pushing.await.unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn a_loss_during_a_transfer_is_a_loss() {
    let (transport, serving) = attach(modern()).await;
    let (clock, limits) = (SystemClock::new(), sync::Limits::default());
    let mut endless = tokio::io::repeat(5);
    let mut serving = Some(serving);
    let mut progress = |bytes| {
        if bytes > 1_000_000
            && let Some(serving) = serving.take()
        {
            serving.abort();
        }
    };
    let pushing = sync::push(
        &transport,
        &clock,
        TARGET,
        &mut endless,
        limits,
        &mut progress,
    );
    let error = pushing.await.unwrap_err();
    let lost = matches!(error, SyncError::Transport(TransportError::Lost { .. }));
    assert!(lost, "{error}");
}
