//! What another program sees in the same captures: DNS names, server names and HTTP requests as
//! tshark tells them, of real programs on this machine's loopback and of the virtual handset's own
//! traffic. Needs tshark, dumpcap, curl, openssl, python3, and root to capture.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and this one runs programs as a user does"
)]

mod common;

use common::{Bench, OPT_IN, free_port, skip, which};
use phonehome::detect::analyzer::Analyzer;
use phonehome::detect::detector::Detector;
use phonehome::detect::options::Options;
use phonehome::persona::datum::Persona;
use phonehome::wire::net::dns::DnsMessage;
use phonehome::wire::net::http1::head::StartLine;
use phonehome::wire::net::http1::reader::{HttpEvent, HttpReader};
use phonehome::wire::net::ip::{Transport, transport};
use phonehome::wire::net::link::ip_packet;
use phonehome::wire::net::tcp::{Assembler, Piece, Segment};
use phonehome::wire::pcap::reader::CaptureReader;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What both are asked for, each sorted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// `api.example.org`, once for each query.
    names: Vec<String>,
    /// Once for each handshake.
    server_names: Vec<String>,
    /// `GET api.example.org /path?query`.
    requests: Vec<String>,
}

/// One direction being read.
#[derive(Default)]
struct Direction {
    assembler: Assembler,
    reader: HttpReader,
}

/// By this library.
fn ours(capture: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let mut directions: BTreeMap<(SocketAddr, SocketAddr), Direction> = BTreeMap::new();
    let mut reader = CaptureReader::new();
    reader.handle_bytes(capture, &mut |frame| {
        let Ok(packet) = ip_packet(frame.link, frame.data)
            .map_err(drop)
            .and_then(|ip| transport(ip).map_err(drop))
        else {
            return;
        };
        match packet.transport {
            Transport::Udp => {
                if packet.destination.port() == 53 {
                    let message = DnsMessage::parse(packet.payload).unwrap();
                    seen.names.extend(message.questions);
                }
            }
            Transport::Tcp(header) => {
                let ends = (packet.source, packet.destination);
                let Direction { assembler, reader } = directions.entry(ends).or_default();
                let segment = Segment {
                    sequence: header.sequence,
                    syn: header.syn,
                    fin: header.fin,
                    payload: packet.payload,
                    payload_len: packet.payload_len,
                    at: frame.at,
                    packet: 0,
                };
                assembler.handle_segment(&segment, &mut |piece| {
                    if let Piece::Bytes { bytes, .. } = piece {
                        reader.handle_bytes(bytes, &mut |event| {
                            seen.requests.extend(request(&event));
                        });
                    }
                });
            }
        }
    });
    let detector = Detector::new(&Persona::default());
    let mut analyzer = Analyzer::new(&detector, Options::default());
    analyzer.handle_bytes(capture);
    let flows = analyzer.finish().analysis.flows;
    let server_names = flows.into_iter().filter_map(|flow| flow.tls?.sni);
    seen.server_names.extend(server_names);
    seen.sorted()
}

fn request(event: &HttpEvent<'_>) -> Option<String> {
    let HttpEvent::Head { head, .. } = event else {
        return None;
    };
    let StartLine::Request { method, target, .. } = head.start else {
        return None;
    };
    let host = head
        .field("host")
        .map(|field| field.value)
        .unwrap_or_default();
    let parts = [method, host, target].map(String::from_utf8_lossy);
    Some(parts.join(" "))
}

impl Seen {
    fn sorted(mut self) -> Self {
        for list in [&mut self.names, &mut self.server_names, &mut self.requests] {
            list.sort();
        }
        self
    }
}

/// By tshark; `ports` speak HTTP.
fn tshark(capture: &Path, ports: &[u16]) -> Seen {
    let rows = |filter: &str, fields: &[&str]| -> Vec<String> {
        let mut command = Command::new("tshark");
        command
            .arg("-r")
            .arg(capture)
            .args(["-n", "-Y", filter, "-T", "fields"]);
        command.args(["-E", "separator=/s"]);
        for port in ports {
            command.args(["-d", &format!("tcp.port=={port},http")]);
        }
        for field in fields {
            command.args(["-e", field]);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    Seen {
        names: rows("dns.flags.response == 0 && !mdns && udp", &["dns.qry.name"]),
        server_names: rows(
            "tls.handshake.extensions_server_name",
            &["tls.handshake.extensions_server_name"],
        ),
        requests: rows(
            "http.request",
            &["http.request.method", "http.host", "http.request.uri"],
        ),
    }
    .sorted()
}

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Captures what passes on loopback to and from those ports.
fn capture_loopback(file: &Path, ports: &[u16]) -> Running {
    let filter: Vec<String> = ports
        .iter()
        .map(|port| format!("tcp port {port}"))
        .collect();
    let mut child = Command::new("dumpcap")
        .args(["-i", "lo", "-q", "-f", &filter.join(" or "), "-w"])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // It names its file once it captures.
    assert!(lines.any(|line| line.is_ok_and(|line| line.starts_with("File:"))));
    Running(child)
}

/// Asks dumpcap to end, and waits until it has written all.
fn end_capture(mut capture: Running) {
    let id = capture.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    capture.0.wait().unwrap();
}

fn curl(arguments: &[&str]) -> bool {
    let quiet = [
        "--silent",
        "--max-time",
        "20",
        "--output",
        "/dev/null",
        "--noproxy",
        "*",
    ];
    let status = Command::new("curl").args(quiet).args(arguments).status();
    status.unwrap().success()
}

/// Asks for a page until its request is in the file.
fn until_written(file: &Path, last: &str) {
    let is_last = |request: &String| request.ends_with("/last");
    let is_written = (0..50).any(|_| {
        curl(&[last]);
        ours(&fs::read(file).unwrap()).requests.iter().any(is_last)
    });
    assert!(is_written, "dumpcap wrote nothing");
}

/// A web server of Python's, once it answers.
fn web_server(folder: &Path, port: u16) -> Running {
    let child = Command::new("python3")
        .args([
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            &port.to_string(),
        ])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Running(child);
    let url = format!("http://127.0.0.1:{port}/");
    assert!(curl(&[
        "--retry",
        "50",
        "--retry-connrefused",
        "--retry-delay",
        "1",
        &url
    ]));
    server
}

/// A TLS server of OpenSSL's, once it accepts.
fn tls_server(bench: &Bench, port: u16) -> Running {
    let (key, certificate) = (bench.path("key.pem"), bench.path("certificate.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=x.example",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let mut child = Command::new("openssl")
        .args(["s_server", "-www", "-accept", &port.to_string()])
        .arg("-key")
        .arg(&key)
        .arg("-cert")
        .arg(&certificate)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("ACCEPT"))));
    Running(child)
}

/// Why captures cannot be made here.
fn missing() -> Option<String> {
    let programs = ["tshark", "dumpcap", "curl", "openssl", "python3"];
    let missing = programs.iter().find(|program| which(program).is_none());
    if let Some(program) = missing {
        return Some(format!("there is no {program}"));
    }
    let id = Command::new("id").arg("-u").output().unwrap();
    (id.stdout != b"0\n").then(|| "only root can capture".to_owned())
}

#[test]
fn real_programs_are_seen_as_tshark_sees_them() {
    if let Some(why) = missing() {
        return skip("real_programs_are_seen_as_tshark_sees_them", &why);
    }
    let bench = Bench::new();
    let (web, tls) = (free_port(), free_port());
    let _web_server = web_server(bench.folder.path(), web);
    let _tls_server = tls_server(&bench, tls);
    let file = bench.path("capture.pcapng");
    let capture = capture_loopback(&file, &[web, tls]);
    let url = |host: &str, path: &str| format!("http://{host}:{web}{path}");
    let resolve = format!("*:{web}:127.0.0.1");
    let resolve = ["--resolve", resolve.as_str()];
    let long = "x".repeat(6000);
    let requests: [(&[&str], String); 5] = [
        (
            &[],
            url(
                "api.example.org",
                "/pass/user@id?type=MXPH&externalId=%2B447700900123",
            ),
        ),
        (&["--head"], url("api.example.org", "/head")),
        (
            &["--data", "imei=490154203237518"],
            url("127.0.0.1", "/form"),
        ),
        (&["--data-binary", &long], url("www.example.org", "/long")),
        (
            &["--header", "Transfer-Encoding: chunked", "--data", "a=b"],
            url("x.example", "/chunked?"),
        ),
    ];
    for (arguments, url) in &requests {
        curl(&[&resolve[..], arguments, &[url]].concat());
    }
    for name in ["one.example.org", "two.example.org"] {
        let resolve = format!("{name}:{tls}:127.0.0.1");
        assert!(curl(&[
            "--insecure",
            "--resolve",
            &resolve,
            &format!("https://{name}:{tls}/")
        ]));
    }
    // What comes last tells that dumpcap has written what came before.
    let last = url("127.0.0.1", "/last");
    until_written(&file, &last);
    end_capture(capture);
    let seen = ours(&fs::read(&file).unwrap());
    assert_eq!(seen, tshark(&file, &[web]));
    assert_eq!(seen.server_names, ["one.example.org", "two.example.org"]);
    for (_, url) in requests {
        let (host, path) = url
            .strip_prefix("http://")
            .unwrap()
            .split_once('/')
            .unwrap();
        let end = format!(" {host} /{path}");
        assert!(
            seen.requests.iter().any(|it| it.ends_with(&end)),
            "{end} in {:?}",
            seen.requests
        );
    }
}

#[test]
fn the_virtual_handset_is_seen_as_tshark_sees_it() {
    if which("tshark").is_none() {
        return skip(
            "the_virtual_handset_is_seen_as_tshark_sees_it",
            "there is no tshark",
        );
    }
    let bench = Bench::new();
    bench.run([
        "audit",
        OPT_IN,
        "--handset",
        "virtual:redmi-1s-2014-07",
        "--seed",
        "7",
    ]);
    let captures = captures(&bench.path("runs"));
    assert!(!captures.is_empty());
    let (mut names, mut requests) = (0, 0);
    for capture in captures {
        let seen = ours(&fs::read(&capture).unwrap());
        assert_eq!(seen, tshark(&capture, &[]), "{}", capture.display());
        names += seen.names.len();
        requests += seen.requests.len();
    }
    assert!(names > 0 && requests > 0, "{names} {requests}");
}

fn captures(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(captures(&path));
        } else if path.ends_with("capture.pcapng") {
            found.push(path);
        }
    }
    found
}
