//! What holds of a connection whatever it carries.

use crate::bench::{Bench, Check, always, check, noise_for_a_terminal};
use phonehome::engine::service::shell;
use phonehome::ports::transport::TransportError;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

pub(crate) const CHECKS: &[Check] = &[
    check!(always, the_banner_tells_what_the_handset_can_do),
    check!(always, what_nobody_serves_is_refused),
    check!(always, a_name_that_is_too_long_is_an_error_here),
    check!(always, eight_streams_at_once),
    check!(always, a_stream_that_nobody_reads_delays_no_other),
    check!(always, a_stream_closed_early_ends_its_command),
    check!(connections_beside, a_new_connection_follows_a_dropped_one),
];

/// Whether there may be a connection beside the bench's own.
fn connections_beside(bench: &Bench) -> Result<(), &'static str> {
    match bench.peer.world.is_alone {
        true => Err("one program at a time holds a handset on USB"),
        false => Ok(()),
    }
}

async fn the_banner_tells_what_the_handset_can_do(bench: Bench) {
    let banner = bench.transport.banner();
    assert_eq!(banner.state, "device");
    for feature in bench.peer.world.features {
        assert!(banner.has(feature), "{feature}: {banner:?}");
    }
    if bench.peer.world.features.is_empty() {
        assert!(banner.features.is_empty(), "{banner:?}");
    }
}

async fn what_nobody_serves_is_refused(bench: Bench) {
    for service in ["nobody-serves-this:", "nor-that"] {
        match bench.transport.open(service).await {
            Err(TransportError::Refused { service: told, .. }) => assert_eq!(told, service),
            Err(error) => panic!("{service}: {error}"),
            Ok(_) => panic!("{service} was opened"),
        }
    }
    assert_eq!(bench.text("echo still here").await, "still here\n");
}

async fn a_name_that_is_too_long_is_an_error_here(bench: Bench) {
    let command = format!("shell:echo {}", "x".repeat(bench.peer.world.max_payload));
    let error = bench.transport.open(&command).await.err().unwrap();
    let is_ours = matches!(error, TransportError::CannotOpen { .. });
    assert!(is_ours, "{error}");
    let fits = "y".repeat(3500);
    assert_eq!(bench.text(&format!("echo {fits}")).await, fits + "\n");
}

async fn eight_streams_at_once(bench: Bench) {
    let path = bench.path("shared");
    let content = noise_for_a_terminal(300_000);
    bench.push(&path, &content).await;
    let mut shells = JoinSet::new();
    for number in 0..8u8 {
        let (bench, path) = (bench.clone(), path.clone());
        shells.spawn(async move {
            let command = format!("cat {path}; echo {number}; exit {number}");
            (number, bench.shell(&command).await)
        });
    }
    for (number, output) in shells.join_all().await {
        assert_eq!(output.exit, Some(number));
        let end = output.stdout.split_off_end(content.len());
        assert!(output.stdout[..content.len()] == content, "{number}");
        assert_eq!(end.trim_end(), number.to_string());
    }
}

/// The text behind so many bytes.
trait SplitOffEnd {
    fn split_off_end(&self, at: usize) -> String;
}

impl SplitOffEnd for Vec<u8> {
    fn split_off_end(&self, at: usize) -> String {
        String::from_utf8(self[at..].to_vec()).unwrap()
    }
}

async fn a_stream_that_nobody_reads_delays_no_other(bench: Bench) {
    let endless = "while echo 0123456789abcdef; do :; done";
    let flood = shell::stream(&*bench.transport, endless).await.unwrap();
    for number in 0..10 {
        let said = bench.text(&format!("echo {number}")).await;
        assert_eq!(said, format!("{number}\n"));
    }
    drop(flood);
}

async fn a_stream_closed_early_ends_its_command(bench: Bench) {
    let pid_file = bench.path("pid");
    let endless = format!("echo $$ > {pid_file}; while echo 0123456789abcdef; do :; done");
    let service = match bench.has("shell_v2") {
        true => format!("shell,v2,raw:{endless}"),
        false => format!("shell:{endless}"),
    };
    let mut stream = bench.transport.open(&service).await.unwrap();
    let mut some = vec![0; 100_000];
    stream.read_exact(&mut some).await.unwrap();
    let pid = bench.text(&format!("cat {pid_file}")).await;
    let is_there = format!("kill -0 {}", pid.trim());
    let output = bench.shell(&is_there).await;
    assert_eq!(output.exit, Some(0), "{is_there}: {output:?}");
    drop(stream);
    let start = Instant::now();
    while bench.shell(&is_there).await.exit == Some(0) {
        assert!(start.elapsed().as_secs() < 20, "{pid} goes on");
    }
}

async fn a_new_connection_follows_a_dropped_one(bench: Bench) {
    for number in 0..5 {
        let transport = (bench.peer.connect)().await.unwrap();
        let again = Bench {
            transport,
            ..bench.clone()
        };
        let hanging = shell::stream(&*again.transport, "cat").await.unwrap();
        let said = again.text(&format!("echo {number}")).await;
        assert_eq!(said, format!("{number}\n"));
        drop(again);
        drop(hanging);
    }
    assert_eq!(bench.text("echo still here").await, "still here\n");
}
