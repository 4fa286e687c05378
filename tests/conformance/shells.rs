//! Commands: their ends, their output, their input.

use crate::bench::{Bench, Check, always, check, exec, noise, noise_for_a_terminal, shell_v2};
use phonehome::engine::service::shell;
use phonehome::wire::adb::shell::{ShellDecoder, ShellId, emit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const CHECKS: &[Check] = &[
    check!(always, every_exit_status_is_told),
    check!(always, errors_are_apart_where_packets_carry_them),
    check!(always, large_output_is_whole),
    check!(shell_v2, packets_carry_every_byte),
    check!(shell_v2, a_command_reads_what_is_typed),
    check!(exec, exec_carries_every_byte_both_ways),
    check!(always, arguments_arrive_as_they_were_quoted),
];

async fn every_exit_status_is_told(bench: Bench) {
    for status in 0..=255 {
        let output = bench.shell(&format!("exit {status}")).await;
        assert_eq!(output.exit, Some(status));
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
    }
    assert_eq!(bench.shell("nobody-has-this-program").await.exit, Some(127));
}

async fn errors_are_apart_where_packets_carry_them(bench: Bench) {
    let output = bench.shell("echo out; echo err >&2; exit 3").await;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace('\r', "");
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    if bench.has("shell_v2") {
        assert_eq!((stdout.as_str(), stderr.as_str()), ("out\n", "err\n"));
        assert!(!output.merged);
    } else {
        assert_eq!((stdout.as_str(), stderr.as_str()), ("out\nerr\n", ""));
        assert!(output.merged);
    }
    assert_eq!(output.exit, Some(3));
}

async fn large_output_is_whole(bench: Bench) {
    let path = bench.path("large");
    let content = noise_for_a_terminal(5_000_000);
    bench.push(&path, &content).await;
    let output = bench.shell(&format!("cat {path}")).await;
    assert!(output.stdout == content, "{} bytes", output.stdout.len());
    assert_eq!((output.exit, output.truncated), (Some(0), false));
}

async fn packets_carry_every_byte(bench: Bench) {
    let path = bench.path("bytes");
    let content = noise(1_000_000);
    bench.push(&path, &content).await;
    let both = format!("cat {path}; cat {path} >&2");
    let output = bench.shell(&both).await;
    assert!(output.stdout == content && output.stderr == content);
}

async fn a_command_reads_what_is_typed(bench: Bench) {
    let sent = noise(300_000);
    let mut stream = bench
        .transport
        .open("shell,v2,raw:cat; exit 5")
        .await
        .unwrap();
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let typing = async {
        for piece in sent.chunks(10_000) {
            let packet = emit(ShellId::Stdin, piece).unwrap();
            writer.write_all(&packet).await.unwrap();
        }
        let end = emit(ShellId::CloseStdin, b"").unwrap();
        writer.write_all(&end).await.unwrap();
        writer.flush().await.unwrap();
    };
    let mut said = Vec::new();
    let ((), read) = tokio::join!(typing, reader.read_to_end(&mut said));
    read.unwrap();
    let mut decoder = ShellDecoder::default();
    decoder.push(&said);
    let (mut stdout, mut exit) = (Vec::new(), None);
    while let Some(packet) = decoder.next_packet().unwrap() {
        match packet.id {
            ShellId::Stdout => stdout.extend_from_slice(&packet.bytes),
            ShellId::Exit => exit = packet.bytes.first().copied(),
            id => panic!("{id:?}"),
        }
    }
    assert!(stdout == sent, "{} bytes", stdout.len());
    assert_eq!(exit, Some(5));
}

async fn exec_carries_every_byte_both_ways(bench: Bench) {
    let sent = noise(300_000);
    let command = format!("head -c {}", sent.len());
    let mut stream = shell::exec(&*bench.transport, &command).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let mut got = Vec::new();
    let writing = async {
        writer.write_all(&sent).await?;
        writer.flush().await
    };
    let (written, read) = tokio::join!(writing, reader.read_to_end(&mut got));
    written.unwrap();
    read.unwrap();
    assert!(got == sent, "{} bytes", got.len());
}

async fn arguments_arrive_as_they_were_quoted(bench: Bench) {
    let argument = "a  'b' \"c\" $HOME `d` \\ * ; & | > ü 漢 🎉";
    let quoted = phonehome::android::quote::quote(argument);
    let said = bench.text(&format!("echo -n {quoted}x")).await;
    assert!(
        said == format!("{argument}x") || said == format!("-n {argument}x\n"),
        "{said}"
    );
}
