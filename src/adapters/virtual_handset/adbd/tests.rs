//! adbd's services over a connection, as a host sees them. Expected values are AOSP's.

use crate::adapters::adb::{AdbTransport, HostConfig, ServiceBody, Services, connect};
use crate::adapters::system_clock::SystemClock;
use crate::adapters::virtual_handset::android::testing::firmware;
use crate::adapters::virtual_handset::handset::{HandsetOptions, VirtualHandset};
use crate::ports::clock::Clock;
use crate::ports::transport::{Transport, TransportError};
use crate::wire::adb::shell::{ShellDecoder, ShellId};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

/// A handset with a shipped firmware.
fn handset(name: &str) -> VirtualHandset {
    let options = HandsetOptions {
        serial: "S1".to_owned(),
        seed: 1,
        clock: clock(),
    };
    VirtualHandset::start(firmware(name), options).unwrap()
}

async fn attach(handset: &VirtualHandset) -> AdbTransport {
    let config = HostConfig::new("virtual:test", Vec::new());
    connect(handset.connect(), config, clock()).await.unwrap()
}

async fn bytes_of(transport: &AdbTransport, service: &str) -> Vec<u8> {
    let mut stream = transport.open(service).await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    all
}

async fn talk(transport: &AdbTransport, service: &str) -> String {
    String::from_utf8(bytes_of(transport, service).await).unwrap()
}

/// stdout, stderr and exit code of shell v2.
async fn talk_v2(transport: &AdbTransport, service: &str) -> (String, String, Option<u8>) {
    let mut decoder = ShellDecoder::default();
    decoder.push(&bytes_of(transport, service).await);
    let (mut out, mut errors, mut exit) = (Vec::new(), Vec::new(), None);
    while let Some(packet) = decoder.next_packet().unwrap() {
        match packet.id {
            ShellId::Stdout => out.extend_from_slice(&packet.bytes),
            ShellId::Stderr => errors.extend_from_slice(&packet.bytes),
            ShellId::Exit => exit = packet.bytes.first().copied(),
            _ => {}
        }
    }
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(out), text(errors), exit)
}

/// A service that ends its connection: what it said before, as far as it came.
async fn until_gone(transport: &AdbTransport, service: &str) -> String {
    let mut all = Vec::new();
    if let Ok(mut stream) = transport.open(service).await {
        stream.read_to_end(&mut all).await.ok();
    }
    lost(transport).await;
    String::from_utf8(all).unwrap()
}

async fn lost(transport: &AdbTransport) {
    while transport.lost().is_none() {
        tokio::task::yield_now().await;
    }
}

/// The next connection that adbd takes after a restart.
async fn attach_again(handset: &VirtualHandset) -> AdbTransport {
    loop {
        let config = HostConfig::new("virtual:test", Vec::new());
        match connect(handset.connect(), config, clock()).await {
            Ok(transport) => return transport,
            Err(TransportError::Lost { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_restart_forgets_what_is_in_memory_and_keeps_what_is_stored() {
    let handset = handset("android-14");
    let before = attach(&handset).await;
    let prepare = "echo kept > /data/local/tmp/f; settings put global x 1; sleep 1000; cat /proc/sys/kernel/random/boot_id";
    let boot = talk(&before, &format!("exec:{prepare}")).await;
    assert_eq!(until_gone(&before, "reboot:").await, "");

    let after = attach_again(&handset).await;
    let ask = "cat /data/local/tmp/f; settings get global x; getprop sys.boot_completed; cat /proc/uptime";
    let said = talk(&after, &format!("exec:{ask}")).await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(&lines[..3], ["kept", "1", ""]);
    let uptime: f64 = lines[3].split(' ').next().unwrap().parse().unwrap();
    assert!(uptime < 100.0, "{uptime}");
    let wait = "while [ \"$(getprop sys.boot_completed)\" != 1 ]; do sleep 1; done; cat /proc/sys/kernel/random/boot_id";
    assert_ne!(talk(&after, &format!("exec:{wait}")).await, boot);
    assert_ne!(talk(&after, "exec:pidof com.android.systemui").await, "");
}

#[tokio::test]
async fn a_restart_may_lead_to_another_system() {
    let handset = handset("android-14");
    let transport = attach(&handset).await;
    until_gone(&transport, "reboot:recovery").await;
    let refused = loop {
        let config = HostConfig::new("virtual:test", Vec::new());
        match connect(handset.connect(), config, clock()).await {
            Err(TransportError::Lost { .. }) => tokio::task::yield_now().await,
            Err(error) => break error,
            Ok(_) => panic!("recovery is no device"),
        }
    };
    assert!(
        matches!(&refused, TransportError::Unusable { state, .. } if state == "recovery"),
        "{refused}"
    );
}

#[tokio::test]
async fn abb_runs_a_services_command_without_a_shell() {
    let handset = handset("android-14");
    let transport = attach(&handset).await;
    let said = talk_v2(&transport, "abb:").await;
    let cmd = talk_v2(&transport, "shell,v2,raw:cmd").await;
    assert_eq!((&said.0, &said.1), (&cmd.0, &cmd.1));
    assert_eq!((said.2, cmd.2), (Some(1), Some(20)));
    let path = "package:/system/priv-app/TeleService/TeleService.apk\n";
    let said = talk_v2(&transport, "abb:package\0path\0com.android.phone").await;
    assert_eq!(said, (path.to_owned(), String::new(), Some(0)));
    let said = talk(&transport, "abb_exec:package\0path\0com.android.phone").await;
    assert_eq!(said, path);
}

#[tokio::test]
async fn the_frame_buffer_has_a_header_and_every_pixel() {
    for (name, version, words) in [("android-14", 2, 14), ("android-8", 1, 13)] {
        let handset = handset(name);
        let transport = attach(&handset).await;
        let bytes = bytes_of(&transport, "framebuffer:").await;
        let word = |at: usize| u32::from_le_bytes(bytes[at * 4..at * 4 + 4].try_into().unwrap());
        let size = words - 11;
        assert_eq!((word(0), word(1)), (version, 32));
        assert_eq!(word(size), 1080 * 2400 * 4);
        assert_eq!((word(size + 1), word(size + 2)), (1080, 2400));
        let bits: Vec<u32> = (size + 3..words).map(word).collect();
        assert_eq!(bits, [0, 8, 16, 8, 8, 8, 24, 8]);
        assert_eq!(bytes.len(), words * 4 + 1080 * 2400 * 4);

        let raw = bytes_of(&transport, "exec:screencap").await;
        assert_eq!(raw[raw.len() - 1080 * 2400 * 4..], bytes[words * 4..]);
        let png = bytes_of(&transport, "exec:screencap -p").await;
        let mut reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, bytes[words * 4..]);
    }
}

#[tokio::test]
async fn processes_are_listed_and_followed() {
    let handset = handset("android-14");
    let transport = attach(&handset).await;
    let pid = talk(&transport, "exec:pidof com.android.systemui").await;
    let listed = talk(&transport, "jdwp").await;
    assert!(listed.lines().any(|line| line == pid.trim()), "{listed}");

    let mut tracked = transport.open("track-jdwp").await.unwrap();
    let mut next = async || {
        let mut len = [0; 4];
        tracked.read_exact(&mut len).await.unwrap();
        let len = usize::from_str_radix(std::str::from_utf8(&len).unwrap(), 16).unwrap();
        let mut body = vec![0; len];
        tracked.read_exact(&mut body).await.unwrap();
        String::from_utf8(body).unwrap()
    };
    assert_eq!(next().await, listed);
    talk(&transport, "exec:am force-stop com.android.systemui").await;
    assert!(!next().await.lines().any(|line| line == pid.trim()));
}

#[tokio::test]
async fn switches_answer_as_aosp_does() {
    let handset = handset("android-14");
    let transport = attach(&handset).await;
    assert_eq!(talk(&transport, "tcpip:-5").await, "invalid port -5\n");
    let refused = transport.open("tcpip:foo").await;
    assert!(matches!(refused, Err(TransportError::Refused { .. })));
    assert_eq!(
        talk(&transport, "remount:").await,
        "Not running as root. Try \"adb root\" first.\n"
    );
    assert_eq!(
        bytes_of(&transport, "source:100000").await,
        vec![0; 100_000]
    );
    let backup = bytes_of(&transport, "backup:-all").await;
    assert!(backup.starts_with(b"ANDROID BACKUP\n5\n1\nnone\n"));

    assert_eq!(talk(&transport, "root:").await, "restarting adbd as root\n");
    lost(&transport).await;
    let transport = attach_again(&handset).await;
    let said = talk(&transport, "remount:").await;
    assert!(said.ends_with("Remount succeeded\n"), "{said}");
    assert_eq!(
        talk(&transport, "exec:echo x > /system/x; cat /system/x").await,
        "x\n"
    );
    let verity = talk(&transport, "disable-verity:").await;
    assert_eq!(verity, "Verity is already disabled\n");

    let said = talk(&transport, "tcpip:5555").await;
    assert_eq!(said, "restarting in TCP mode port: 5555\n");
    lost(&transport).await;
    let transport = attach_again(&handset).await;
    until_gone(&transport, "reconnect").await;
}

/// The host's services: `tcp:7` sends back what it gets.
struct Echo;

impl Services for Echo {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        (service == "tcp:7").then(|| -> ServiceBody {
            Box::new(|stream| {
                Box::pin(async move {
                    let (mut reader, mut writer) = tokio::io::split(stream);
                    // Whoever leaves first ends it.
                    tokio::io::copy(&mut reader, &mut writer).await.ok();
                })
            })
        })
    }
}

async fn attach_serving(handset: &VirtualHandset) -> AdbTransport {
    let config = HostConfig {
        services: Some(Arc::new(Echo)),
        ..HostConfig::new("virtual:test", Vec::new())
    };
    connect(handset.connect(), config, clock()).await.unwrap()
}

/// Answers as `adb_listeners.cpp` and `handle_forward_request` give them.
#[tokio::test]
async fn reversed_sockets_are_kept_in_a_list() {
    let handset = handset("android-14");
    let transport = attach_serving(&handset).await;
    for (request, expected) in [
        ("list-forward", "0000"),
        ("forward:tcp:5566;tcp:7", "OKAY00045566"),
        (
            "forward:norebind:tcp:5566;tcp:8",
            "FAIL001dcannot rebind existing socket",
        ),
        ("list-forward", "0016UsbFfs tcp:5566 tcp:7\n"),
        ("forward:tcp:5566;tcp:9", "OKAY"),
        ("forward:localabstract:x;tcp:7", "OKAY"),
        (
            "list-forward",
            "0033UsbFfs tcp:5566 tcp:9\nUsbFfs localabstract:x tcp:7\n",
        ),
        ("killforward:tcp:5566", "OKAY"),
        (
            "killforward:tcp:5566",
            "FAIL001dlistener 'tcp:5566' not found",
        ),
        ("forward:tcp:5566;tcp:7", "OKAY00045566"),
        ("forward:tcp:1;*x", "FAIL0015bad forward: tcp:1;*x"),
        ("forward:tcp:1", "FAIL0012bad forward: tcp:1"),
        (
            "forward:tcp:70000;tcp:7",
            "FAIL002dcannot bind listener: bad port number '70000'",
        ),
        ("nosuch", "FAIL0020not a reverse forwarding command"),
        ("killforward-all", "OKAY"),
        ("list-forward", "0000"),
    ] {
        let said = talk(&transport, &format!("reverse:{request}")).await;
        assert_eq!(said, expected, "{request}");
    }
    let free = talk(&transport, "reverse:forward:tcp:0;tcp:7").await;
    let port: u16 = free.strip_prefix("OKAY0005").unwrap().parse().unwrap();
    let listed = talk(&transport, "reverse:list-forward").await;
    assert!(
        listed.ends_with(&format!("UsbFfs tcp:{port} tcp:7\n")),
        "{listed}"
    );
}

#[tokio::test]
async fn what_connects_to_a_reversed_socket_reaches_its_host() {
    let handset = handset("android-14");
    let transport = attach_serving(&handset).await;
    for (name, dial) in [
        ("tcp:5566", "tcp:5566"),
        ("localabstract:a b", "localabstract:a b"),
    ] {
        let refused = transport.open(dial).await;
        assert!(
            matches!(refused, Err(TransportError::Refused { .. })),
            "{name}"
        );
        talk(&transport, &format!("reverse:forward:{name};tcp:7")).await;
        let mut stream = transport.open(dial).await.unwrap();
        let sent: Vec<u8> = (0..200_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        let mut back = vec![0; sent.len()];
        let (wrote, read) = tokio::join!(writer.write_all(&sent), reader.read_exact(&mut back));
        wrote.unwrap();
        read.unwrap();
        assert!(back == sent, "{name}");
    }
    // Its sockets go with a host.
    let other = attach(&handset).await;
    drop(transport);
    while talk(&other, "reverse:list-forward").await != "0000" {}
    let refused = other.open("tcp:5566").await;
    assert!(matches!(refused, Err(TransportError::Refused { .. })));
}

#[tokio::test]
async fn a_socket_that_leads_nowhere_is_closed() {
    let handset = handset("android-14");
    let transport = attach(&handset).await;
    talk(&transport, "reverse:forward:tcp:5566;tcp:7").await;
    assert_eq!(bytes_of(&transport, "tcp:5566").await, b"");
}

/// An APK sent as a stream, and the answer.
async fn sent(transport: &AdbTransport, service: &str, apk: &[u8]) -> String {
    let mut stream = transport.open(service).await.unwrap();
    stream.write_all(apk).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

/// Failures as `PackageManagerService` and `PackageInstallerSession` word them.
#[tokio::test]
async fn packages_come_and_go() {
    const BASE_6: &[u8] = include_bytes!("../../../../tests/data/apk/base-6.apk");
    const BASE_7: &[u8] = include_bytes!("../../../../tests/data/apk/base-7.apk");
    const SPLIT_7: &[u8] = include_bytes!("../../../../tests/data/apk/split-7.apk");
    const TEST_1: &[u8] = include_bytes!("../../../../tests/data/apk/test-1.apk");
    let handset = handset("android-14");
    let transport = attach(&handset).await;
    let install = async |apk: &[u8], more: &str| {
        let service = format!("exec:cmd package install {more} -S {}", apk.len());
        sent(&transport, &service, apk).await
    };
    let path = async || talk(&transport, "exec:pm path com.example.small").await;
    assert_eq!(install(BASE_7, "").await, "Success\n");
    assert!(path().await.ends_with("/base.apk\n"));
    let file = path().await.trim().replace("package:", "");
    let stored = bytes_of(&transport, &format!("exec:cat {file}")).await;
    assert_eq!(stored, BASE_7);
    let listed = talk(&transport, "exec:pm list packages -3").await;
    assert_eq!(listed, "package:com.example.small\n");

    // A userdebug build lets versions go back where that is asked for.
    let older = "Failure [INSTALL_FAILED_VERSION_DOWNGRADE: Downgrade detected: Update version code 6 is older than current 7]\n";
    assert_eq!(install(BASE_6, "").await, older);
    assert_eq!(install(BASE_6, "-d").await, "Success\n");
    let known = "Failure [INSTALL_FAILED_ALREADY_EXISTS: Attempt to re-install com.example.small without first uninstalling.]\n";
    assert_eq!(install(BASE_7, "-R").await, known);
    let test = "Failure [INSTALL_FAILED_TEST_ONLY: Failed to install test-only apk. Did you forget to add -t?]\n";
    assert_eq!(install(TEST_1, "").await, test);
    assert_eq!(install(TEST_1, "-t").await, "Success\n");
    let said = install(b"no apk", "").await;
    assert!(
        said.starts_with("Failure [INSTALL_PARSE_FAILED_NOT_APK: Failed to parse /data/app/vmdl"),
        "{said}"
    );
    let base = "Failure [INSTALL_FAILED_INVALID_APK: Full install must include a base package]\n";
    assert_eq!(install(SPLIT_7, "").await, base);

    let said = talk(&transport, "exec:pm install-create -S 1145").await;
    let session = said
        .trim()
        .strip_prefix("Success: created install session [");
    let session = session.and_then(|rest| rest.strip_suffix(']')).unwrap();
    for (name, apk) in [("0_base", BASE_7), ("1_split", SPLIT_7)] {
        let service = format!(
            "abb_exec:package\0install-write\0-S\0{}\0{session}\0{name}\0-",
            apk.len()
        );
        let said = sent(&transport, &service, apk).await;
        assert_eq!(said, format!("Success: streamed {} bytes\n", apk.len()));
    }
    let said = talk(&transport, &format!("exec:pm install-commit {session}")).await;
    assert_eq!(said, "Success\n");
    assert!(path().await.ends_with("/split_config.en.apk\n"));

    assert_eq!(
        talk(&transport, "exec:pm uninstall com.example.small").await,
        "Success\n"
    );
    assert_eq!(path().await, "");
    let gone = talk(&transport, &format!("exec:ls {file}")).await;
    assert!(gone.contains("No such file"), "{gone}");
    let said = talk(&transport, "exec:pm uninstall com.android.phone").await;
    assert_eq!(said, "Failure [DELETE_FAILED_INTERNAL_ERROR]\n");
}

#[tokio::test]
async fn a_bugreport_tells_how_far_it_is() {
    let handset = handset("android-14");
    let transport = attach(&handset).await;
    let said = talk(&transport, "exec:bugreportz -p").await;
    let lines: Vec<&str> = said.lines().collect();
    let path = lines[0].strip_prefix("BEGIN:").unwrap();
    assert_eq!(
        lines[1..4],
        ["PROGRESS:25/100", "PROGRESS:50/100", "PROGRESS:75/100"]
    );
    assert_eq!(lines[4], format!("OK:{path}"));
    let zip = bytes_of(&transport, &format!("exec:cat {path}")).await;
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let mut entry = String::new();
    let mut read = zip.by_name("main_entry.txt").unwrap();
    std::io::Read::read_to_string(&mut read, &mut entry).unwrap();
    drop(read);
    let mut report = String::new();
    let mut read = zip.by_name(&entry).unwrap();
    std::io::Read::read_to_string(&mut read, &mut report).unwrap();
    assert!(report.contains("[ro.build.version.release]: [14]"));
}
