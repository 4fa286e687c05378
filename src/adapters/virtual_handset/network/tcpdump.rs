//! `tcpdump`, as a lab puts it on a handset: captures to a file, to standard output, or as text.
//!
//! Texts after tcpdump 4.3 (old handsets) and 4.9. Capture files are not read back (`-r`), names are not resolved.

use bytes::Bytes;

use crate::adapters::virtual_handset::files::system::{OpenMode, Opened};
use crate::adapters::virtual_handset::kernel::descriptor::{Descriptor, OpenFile};
use crate::adapters::virtual_handset::kernel::process::{OUTPUT, Process, Stop};
use crate::adapters::virtual_handset::kernel::world::Event;
use crate::ports::BoxFuture;
use std::sync::Arc;

use super::due::Due;
use super::filter::Filter;
use super::frame::Interface;
use super::pcap;
use super::taps::{Link, Statistics, TapId, Wanted};

/// Packets written before others get their turn.
const BATCH: usize = 256;

/// The descriptor of the `-w` file.
const FILE: u32 = 3;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Options {
    interface: Option<Interface>,
    snapshot_bytes: usize,
    write: Option<String>,
    quiet: bool,
    count: Option<u64>,
    list: bool,
    expression: String,
}

/// `tcpdump`
pub(super) fn tcpdump(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(run(process))
}

async fn run(process: &mut Process) -> Result<u8, Stop> {
    let old = process.handset.with(|world| world.network.config.is_old());
    let arguments = process.arguments.get(1..).unwrap_or_default().to_vec();
    let options = match parse(&arguments, old) {
        Ok(options) => options,
        Err(complaint) => {
            process.complain(complaint).await?;
            return Ok(1);
        }
    };
    if options.list {
        process
            .print("1.wlan0\n2.any (Pseudo-device that captures on all interfaces)\n3.lo\n")
            .await?;
        return Ok(0);
    }
    let name = options.interface.map_or("any", Interface::name);
    if !process.user.is_root() {
        let text = format!(
            "tcpdump: {name}: You don't have permission to capture on that device\n(socket: Operation not permitted)\n"
        );
        process.complain(text).await?;
        return Ok(1);
    }
    let filter = match Filter::parse(&options.expression) {
        Ok(filter) => filter,
        Err(error) => {
            let prefix = if old {
                ""
            } else {
                "can't parse filter expression: "
            };
            process
                .complain(format!("tcpdump: {prefix}{error}\n"))
                .await?;
            return Ok(1);
        }
    };
    let output = match open_output(process, &options) {
        Ok(output) => output,
        Err(complaint) => {
            process.complain(complaint).await?;
            return Ok(1);
        }
    };
    let Some(tap) = open_tap(process, &options, filter) else {
        process
            .complain(format!("tcpdump: {name}: Too many open files\n"))
            .await?;
        return Ok(1);
    };
    // Closes the tap however this ends, also when the process is dropped.
    let guard = OpenTap {
        handset: process.handset.clone(),
        tap,
    };
    let result = capture(process, &options, output, tap).await;
    drop(guard);
    result
}

struct OpenTap {
    handset: crate::adapters::virtual_handset::kernel::handset::Handset,
    tap: TapId,
}

impl Drop for OpenTap {
    fn drop(&mut self) {
        self.handset
            .with(|world| world.network.taps.close(self.tap));
    }
}

/// Where records go: a descriptor, or lines to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Records(u32),
    Lines,
}

fn open_output(process: &mut Process, options: &Options) -> Result<Output, String> {
    let Some(name) = &options.write else {
        return Ok(Output::Lines);
    };
    if name == "-" {
        return Ok(Output::Records(OUTPUT));
    }
    let path = process.path(name);
    let mode = OpenMode {
        write: true,
        truncate: true,
        create: Some(0o666 & !process.umask),
        ..OpenMode::default()
    };
    let user = process.user.clone();
    let opened = process
        .handset
        .with(|world| world.files.open(&user, &path, mode))
        .map_err(|error| format!("tcpdump: {name}: {error}\n"))?;
    let descriptor = match opened {
        Opened::File(body) => Descriptor::File(Arc::new(OpenFile::new(body, false, true, false))),
        Opened::Device(_) | Opened::Generated(..) => Descriptor::Null,
        Opened::Directory => return Err(format!("tcpdump: {name}: Is a directory\n")),
    };
    process.descriptors.insert(FILE, descriptor);
    Ok(Output::Records(FILE))
}

fn open_tap(process: &Process, options: &Options, filter: Filter) -> Option<TapId> {
    let wanted = Wanted {
        interface: options.interface,
        filter,
        snapshot_bytes: options.snapshot_bytes,
    };
    let pid = process.pid;
    process.handset.with(|world| {
        let now = world.uptime();
        let network = &mut world.network;
        let tap = network.taps.open(wanted, now, &network.config)?;
        if let Some(life) = network.config.faults.capture_dies_after {
            world.schedule(
                now.saturating_add(life),
                Event::Network(Due::Die { tap, pid }),
            );
        }
        Some(tap)
    })
}

/// A capture under way.
struct Capture<'a> {
    process: &'a mut Process,
    options: &'a Options,
    output: Output,
    tap: TapId,
    captured: u64,
    /// A signal has come that ends a capture in good order.
    interrupted: bool,
}

async fn capture(
    process: &mut Process,
    options: &Options,
    output: Output,
    tap: TapId,
) -> Result<u8, Stop> {
    let link = options.interface.map_or(Link::Cooked, |_| Link::Ethernet);
    process.complain(greeting(options, link, output)).await?;
    let mut capture = Capture {
        process,
        options,
        output,
        tap,
        captured: 0,
        interrupted: false,
    };
    if let Output::Records(_) = output {
        let header = pcap::file_header(link, options.snapshot_bytes);
        capture.write(header.into()).await?;
    }
    capture.pump().await?;
    let captured = capture.captured;
    let statistics = process
        .handset
        .with(|world| world.network.taps.statistics(tap));
    process.complain(farewell(captured, statistics)).await?;
    Ok(0)
}

impl Capture<'_> {
    /// Writes what comes, until enough has come or a signal does; what is queued by then is still written.
    async fn pump(&mut self) -> Result<(), Stop> {
        loop {
            self.drain().await?;
            if self.interrupted || self.is_enough() {
                return Ok(());
            }
            if let Err(stop) = self.process.changed().await {
                self.process.take_signal().ok_or(stop)?;
                self.interrupted = true;
            }
        }
    }

    /// Writes what is queued, each packet at once.
    async fn drain(&mut self) -> Result<(), Stop> {
        loop {
            let left = self
                .options
                .count
                .map_or(u64::MAX, |count| count.saturating_sub(self.captured));
            let limit = BATCH.min(usize::try_from(left).unwrap_or(BATCH));
            let tap = self.tap;
            let batch = self
                .process
                .handset
                .with(|world| world.network.taps.take(tap, limit));
            if batch.is_empty() {
                return Ok(());
            }
            for packet in batch {
                let bytes = match self.output {
                    Output::Records(_) => pcap::record(&packet),
                    Output::Lines => pcap::line(&packet, self.options.quiet).into_bytes(),
                };
                self.write(bytes.into()).await?;
                self.captured += 1;
            }
        }
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Stop> {
        let descriptor = match self.output {
            Output::Records(descriptor) => descriptor,
            Output::Lines => OUTPUT,
        };
        let caught = self.process.write_uninterrupted(descriptor, bytes).await?;
        self.interrupted |= caught.is_some();
        Ok(())
    }

    fn is_enough(&self) -> bool {
        self.options
            .count
            .is_some_and(|count| self.captured >= count)
    }
}

fn greeting(options: &Options, link: Link, output: Output) -> String {
    let name = options.interface.map_or("any", Interface::name);
    let link = match link {
        Link::Ethernet => "EN10MB (Ethernet)",
        Link::Cooked => "LINUX_SLL (Linux cooked)",
    };
    let hint = match output {
        Output::Records(_) => "",
        Output::Lines => {
            "tcpdump: verbose output suppressed, use -v or -vv for full protocol decode\n"
        }
    };
    let hint_free = if hint.is_empty() { "tcpdump: " } else { "" };
    format!(
        "{hint}{hint_free}listening on {name}, link-type {link}, capture size {} bytes\n",
        options.snapshot_bytes
    )
}

fn farewell(captured: u64, statistics: Statistics) -> String {
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let Statistics { received, dropped } = statistics;
    format!(
        "{captured} packet{} captured\n{received} packet{} received by filter\n{dropped} packet{} dropped by kernel\n",
        plural(captured),
        plural(received),
        plural(dropped)
    )
}

fn parse(arguments: &[String], old: bool) -> Result<Options, String> {
    let largest = if old { 65_535 } else { 262_144 };
    let mut options = Options {
        interface: Some(Interface::Wifi),
        snapshot_bytes: largest,
        write: None,
        quiet: false,
        count: None,
        list: false,
        expression: String::new(),
    };
    let mut rest = arguments.iter();
    let mut words: Vec<&str> = Vec::new();
    while let Some(argument) = rest.next() {
        let letters = match argument.strip_prefix('-') {
            Some(letters) if !letters.is_empty() && words.is_empty() => letters,
            _ => {
                words.push(argument);
                continue;
            }
        };
        if argument == "--" {
            words.extend(rest.by_ref().map(String::as_str));
            break;
        }
        parse_letters(letters, &mut rest, &mut options, largest)?;
    }
    options.expression = words.join(" ");
    Ok(options)
}

fn parse_letters<'a>(
    letters: &str,
    rest: &mut impl Iterator<Item = &'a String>,
    options: &mut Options,
    largest: usize,
) -> Result<(), String> {
    let mut letters = letters.chars();
    while let Some(letter) = letters.next() {
        match letter {
            'D' => options.list = true,
            'q' => options.quiet = true,
            // Nothing is buffered, no name is looked up, no interface is promiscuous, numbers are absolute.
            'U' | 'n' | 'p' | 'v' | 'l' | 'S' | 'K' | 't' | 'e' | 'A' | 'x' | 'X' | 'N' => {}
            'i' | 's' | 'w' | 'c' | 'y' | 'B' | 'Z' => {
                let attached: String = letters.by_ref().collect();
                let value = if attached.is_empty() {
                    rest.next().cloned().ok_or_else(|| {
                        format!(
                            "tcpdump: option requires an argument -- '{letter}'\n{}",
                            USAGE
                        )
                    })?
                } else {
                    attached
                };
                parse_value(letter, &value, options, largest)?;
            }
            unknown => return Err(format!("tcpdump: invalid option -- '{unknown}'\n{USAGE}")),
        }
    }
    Ok(())
}

const USAGE: &str = "Usage: tcpdump [-DKlnNpqStUv] [ -c count ] [ -i interface ] [ -s snaplen ]\n\
                     \t\t[ -w file ] [ -y datalinktype ] [ expression ]\n";

fn parse_value(
    letter: char,
    value: &str,
    options: &mut Options,
    largest: usize,
) -> Result<(), String> {
    match letter {
        'i' => {
            options.interface = match value {
                "any" | "2" => None,
                "wlan0" | "1" => Some(Interface::Wifi),
                "lo" | "3" => Some(Interface::Loopback),
                other => {
                    return Err(format!(
                        "tcpdump: {other}: No such device exists\n(SIOCGIFHWADDR: No such device)\n"
                    ));
                }
            };
        }
        's' => {
            options.snapshot_bytes = match value.parse::<usize>() {
                Ok(0) => largest,
                Ok(bytes) if bytes <= largest => bytes,
                _ => return Err(format!("tcpdump: invalid snaplen {value}\n")),
            };
        }
        'c' => {
            options.count = match value.parse::<u64>() {
                Ok(count) if count > 0 => Some(count),
                _ => return Err(format!("tcpdump: invalid packet count {value}\n")),
            };
        }
        'w' => options.write = Some(value.to_owned()),
        'y' if !matches!(value, "EN10MB" | "LINUX_SLL") => {
            return Err(format!("tcpdump: invalid data link type {value}\n"));
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words, true)
    }

    #[test]
    fn options_are_read_as_getopt_reads_them() {
        let options = parsed("-pnUs0 -i any -w - not port 5555").unwrap();
        assert_eq!(options.interface, None);
        assert_eq!(options.snapshot_bytes, 65_535);
        assert_eq!(options.write.as_deref(), Some("-"));
        assert_eq!(options.expression, "not port 5555");
        assert_eq!(parsed("-c 3").unwrap().count, Some(3));
        assert_eq!(parsed("-s 96").unwrap().snapshot_bytes, 96);
        for line in ["-i eth7", "-c 0", "-s x", "-Y", "-w"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    use crate::adapters::virtual_handset::firmware::model::{Faults, Userland};
    use crate::adapters::virtual_handset::kernel::handset::Handset;
    use crate::adapters::virtual_handset::kernel::signal::{self, Status};
    use crate::adapters::virtual_handset::kernel::user::User;
    use crate::adapters::virtual_handset::network::adb::{adb_closed, adb_opened, adb_traffic};
    use crate::adapters::virtual_handset::network::exchange::{Protection, exchange};
    use crate::adapters::virtual_handset::network::testing::{
        Decoded, decode, end_of, handset, pass_time, read, read_capture, run, start, wish,
    };
    use std::time::Duration;

    /// Captures one large exchange, then interrupts: the file, and what was said.
    async fn capture_one(handset: &Handset, line: &str) -> (Status, Vec<u8>, String) {
        let child = start(handset, tcpdump, line, User::root());
        pass_time(handset, 1).await;
        let answer = vec![b'.'; 400_000];
        handset.with(|world| {
            exchange(
                world,
                wish(Protection::Clear, b"GET / HTTP/1.1\r\n\r\n", &answer),
            )
            .unwrap()
        });
        pass_time(handset, 60).await;
        handset.with(|world| world.processes.kill(child.pid, signal::TERM).ok());
        let status = end_of(&child).await;
        let said = String::from_utf8(read(handset, "/tcpdump.err")).unwrap();
        (status, read(handset, "/c.pcap"), said)
    }

    /// The numbers of the last three lines.
    fn numbers(said: &str) -> [usize; 3] {
        let lines: Vec<&str> = said.lines().collect();
        ["captured", "received by filter", "dropped by kernel"].map(|what| {
            let line = lines.iter().find(|line| line.ends_with(what)).unwrap();
            line.split(' ').next().unwrap().parse().unwrap()
        })
    }

    #[tokio::test]
    async fn it_says_what_it_listens_on_and_what_it_captured() {
        let handset = handset(Userland::Toolbox43, Faults::default());
        let (status, file, said) =
            capture_one(&handset, "tcpdump -i any -p -s 0 -w /c.pcap tcp port 80").await;
        assert_eq!(status, Status::Exited(0));
        let first = "tcpdump: listening on any, link-type LINUX_SLL (Linux cooked), capture size 65535 bytes";
        assert_eq!(said.lines().next(), Some(first));
        let (_, packets) = read_capture(&file);
        assert_eq!(numbers(&said), [packets.len(), packets.len(), 0]);
        assert!(
            packets
                .iter()
                .all(|(_, packet)| matches!(decode(packet), Decoded::Tcp(_)))
        );
        // The handset's civil time: 10 August 2014, shortly after midnight.
        assert!(
            packets
                .iter()
                .all(|(at, _)| (1_407_628_800..1_407_629_000).contains(at))
        );
    }

    #[tokio::test]
    async fn loss_is_told_and_leaves_less() {
        let faults = Faults {
            capture_loss_ppm: 100_000,
            ..Faults::default()
        };
        let handset = handset(Userland::Toybox14, faults);
        let (_, file, said) = capture_one(&handset, "tcpdump -i wlan0 -w /c.pcap").await;
        let (link, packets) = read_capture(&file);
        assert_eq!(link, 1);
        let [captured, received, dropped] = numbers(&said);
        assert_eq!(captured, packets.len());
        assert_eq!(captured + dropped, received);
        assert!((received / 20..received / 5).contains(&dropped), "{said}");
    }

    #[tokio::test]
    async fn a_late_capture_misses_what_came_before() {
        let faults = Faults {
            capture_starts_after: Some(Duration::from_secs(5)),
            ..Faults::default()
        };
        let handset = handset(Userland::Toybox14, faults);
        let (_, file, said) = capture_one(&handset, "tcpdump -i any -w /c.pcap").await;
        // Only the close, five seconds after the answer, is left of the exchange.
        let (_, packets) = read_capture(&file);
        assert!((1..6).contains(&packets.len()), "{}", packets.len());
        assert_eq!(numbers(&said)[2], 0);
    }

    #[tokio::test]
    async fn a_capture_that_dies_says_nothing() {
        let faults = Faults {
            capture_dies_after: Some(Duration::from_secs(3)),
            ..Faults::default()
        };
        let handset = handset(Userland::Toybox14, faults);
        let (status, file, said) = capture_one(&handset, "tcpdump -i any -U -w /c.pcap").await;
        assert_eq!(status, Status::Signaled(9));
        assert_eq!(said.lines().count(), 1);
        assert!(read_capture(&file).1.len() > 10);
        assert!(handset.with(|world| world.network.taps.is_empty()));
    }

    #[tokio::test]
    async fn what_can_not_be_done_is_refused_in_tcpdumps_words() {
        let handset = handset(Userland::Toolbox43, Faults::default());
        let (status, out, said) = run(&handset, tcpdump, "tcpdump -i any", User::shell()).await;
        assert_eq!((status, out.as_str()), (Status::Exited(1), ""));
        assert_eq!(
            said,
            "tcpdump: any: You don't have permission to capture on that device\n(socket: Operation not permitted)\n"
        );
        let (status, _, said) = run(&handset, tcpdump, "tcpdump -i any not", User::root()).await;
        assert_eq!(
            (status, said.as_str()),
            (Status::Exited(1), "tcpdump: syntax error\n")
        );
        let line = "tcpdump -i any -w /nowhere/c.pcap";
        let (status, _, said) = run(&handset, tcpdump, line, User::root()).await;
        assert_eq!(status, Status::Exited(1));
        assert_eq!(
            said,
            "tcpdump: /nowhere/c.pcap: No such file or directory\n"
        );
    }

    #[tokio::test]
    async fn a_count_ends_a_capture_and_text_has_a_line_for_each_packet() {
        let handset = handset(Userland::Toybox14, Faults::default());
        let child = start(&handset, tcpdump, "tcpdump -c 3 -n -i any", User::root());
        pass_time(&handset, 1).await;
        handset.with(|world| exchange(world, wish(Protection::Clear, b"a", b"b")).unwrap());
        pass_time(&handset, 10).await;
        assert_eq!(end_of(&child).await, Status::Exited(0));
        let text = String::from_utf8(read(&handset, "/tcpdump.out")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[0].contains(" > 192.168.1.1.53: UDP, length 33"),
            "{text}"
        );
        assert!(
            lines[2].contains(" > 203.0.113.7.80: Flags [S], seq "),
            "{text}"
        );
    }

    #[tokio::test]
    async fn adbds_own_bytes_are_captured_unless_filtered_and_always_counted() {
        let handset = handset(Userland::Toybox14, Faults::default());
        let ends = (
            "127.0.0.1:5555".parse().unwrap(),
            "127.0.0.1:40123".parse().unwrap(),
        );
        let payload = vec![7; 10_000];
        let talk = |handset: &Handset| {
            handset.with(|world| {
                adb_opened(world, ends.0, ends.1);
                adb_traffic(world, ends.0, ends.1, true, &payload);
                adb_traffic(world, ends.0, ends.1, false, &payload);
            });
        };
        let all = start(&handset, tcpdump, "tcpdump -i any -w /c.pcap", User::root());
        pass_time(&handset, 1).await;
        talk(&handset);
        let with_capture = handset.with(|world| world.network.counters.packets(Interface::Wifi));
        handset.with(|world| world.processes.kill(all.pid, signal::INT).unwrap());
        end_of(&all).await;
        let (_, packets) = read_capture(&read(&handset, "/c.pcap"));
        let mut sent = Vec::new();
        let mut received = Vec::new();
        for (_, packet) in &packets {
            let Decoded::Tcp(tcp) = decode(packet) else {
                panic!("only adbd talks");
            };
            let bytes = if tcp.source == ends.0 {
                &mut sent
            } else {
                &mut received
            };
            bytes.extend(tcp.payload);
        }
        assert_eq!((&sent, &received), (&payload, &payload));
        // The same again without a capture is counted the same, handshake aside.
        talk(&handset);
        let without = handset.with(|world| world.network.counters.packets(Interface::Wifi));
        let again = without.since(with_capture);
        let handshake = with_capture.sent.packets + with_capture.received.packets
            - again.sent.packets
            - again.received.packets;
        assert_eq!(handshake, 3);
        assert_eq!(with_capture.sent.bytes - again.sent.bytes, 60);
        let filtered = start(
            &handset,
            tcpdump,
            "tcpdump -i any -w /c.pcap not port 5555",
            User::root(),
        );
        pass_time(&handset, 1).await;
        talk(&handset);
        handset.with(|world| {
            adb_closed(world, ends.0, ends.1);
            world.processes.kill(filtered.pid, signal::INT).unwrap();
        });
        end_of(&filtered).await;
        assert_eq!(read_capture(&read(&handset, "/c.pcap")).1.len(), 0);
    }

    /// Another program's opinion of a capture; the test is skipped, and says so, where there is none.
    #[tokio::test]
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stderr,
        reason = "a test may ask another program, and must say when it can not"
    )]
    async fn an_independent_reader_finds_nothing_wrong() {
        let handset = handset(Userland::Toolbox43, Faults::default());
        let child = start(&handset, tcpdump, "tcpdump -i any -w /c.pcap", User::root());
        pass_time(&handset, 1).await;
        handset.with(|world| {
            for protection in [Protection::Clear, Protection::Tls] {
                let request =
                    b"GET / HTTP/1.1\r\nHost: api.example.org\r\nContent-Length: 300000\r\n\r\n";
                let request = [&request[..], &[b'y'; 300_000]].concat();
                let answer = [
                    &b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"[..],
                    &[b'x'; 9000],
                ]
                .concat();
                exchange(world, wish(protection, &request, &answer)).unwrap();
            }
        });
        pass_time(&handset, 60).await;
        handset.with(|world| world.processes.kill(child.pid, signal::INT).unwrap());
        end_of(&child).await;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), read(&handset, "/c.pcap")).unwrap();
        let fields = [
            "-T",
            "fields",
            "-e",
            "_ws.col.Info",
            "-e",
            "_ws.expert.message",
        ];
        let checks = [
            "-o",
            "ip.check_checksum:TRUE",
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "udp.check_checksum:TRUE",
        ];
        let asked = std::process::Command::new("tshark")
            .arg("-r")
            .arg(file.path())
            .args(checks)
            .args(fields)
            .output();
        let Ok(answer) = asked else {
            eprintln!("SKIPPED: tshark is not installed; the capture was read by nobody else");
            return;
        };
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        for wrong in [
            "incorrect",
            "Bad checksum",
            "Malformed",
            "Retransmission",
            "Out-Of-Order",
            "unseen",
            "not captured",
            "Dup ACK",
            "Window Full",
        ] {
            assert!(!text.contains(wrong), "{wrong} in:\n{text}");
        }
        for right in [
            "Standard query response",
            "GET / HTTP/1.1",
            "HTTP/1.1 200 OK",
            "Client Hello",
        ] {
            assert!(text.contains(right), "no {right} in:\n{text}");
        }
    }
}
