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
use super::taps::{Captured, Link, Statistics, TapId, Wanted};

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
            world.schedule(now.saturating_add(life), Event::Network(Due::Die { pid }));
        }
        Some(tap)
    })
}

async fn capture(
    process: &mut Process,
    options: &Options,
    output: Output,
    tap: TapId,
) -> Result<u8, Stop> {
    let link = options.interface.map_or(Link::Cooked, |_| Link::Ethernet);
    process.complain(greeting(options, link, output)).await?;
    if let Output::Records(descriptor) = output {
        let header = pcap::file_header(link, options.snapshot_bytes);
        process.write_to(descriptor, header.into()).await?;
    }
    let mut captured = 0;
    let ended = pump(process, options, output, tap, &mut captured).await;
    let ended = match ended {
        // SIGINT, SIGTERM and SIGHUP end a capture in good order: what is queued is still written.
        Err(Stop::Killed(_)) if process.take_signal().is_some() => {
            drain(process, options, output, tap, &mut captured).await
        }
        other => other,
    };
    ended?;
    let statistics = process
        .handset
        .with(|world| world.network.taps.statistics(tap));
    process.complain(farewell(captured, statistics)).await?;
    Ok(0)
}

/// Writes what comes, until enough has come.
async fn pump(
    process: &mut Process,
    options: &Options,
    output: Output,
    tap: TapId,
    captured: &mut u64,
) -> Result<(), Stop> {
    loop {
        if drain(process, options, output, tap, captured).await.is_ok() {
            if options.count.is_some_and(|count| *captured >= count) {
                return Ok(());
            }
            process.changed().await?;
        } else {
            process.check()?;
            return Err(Stop::Killed(
                crate::adapters::virtual_handset::kernel::signal::PIPE,
            ));
        }
    }
}

/// Writes what is queued, each packet at once.
async fn drain(
    process: &mut Process,
    options: &Options,
    output: Output,
    tap: TapId,
    captured: &mut u64,
) -> Result<(), Stop> {
    loop {
        let left = options.count.map_or(u64::MAX, |count| count - *captured);
        let limit = BATCH.min(usize::try_from(left).unwrap_or(BATCH));
        let batch = process
            .handset
            .with(|world| world.network.taps.take(tap, limit));
        if batch.is_empty() {
            return Ok(());
        }
        for packet in batch {
            write_packet(process, options, output, &packet).await?;
            *captured += 1;
        }
    }
}

async fn write_packet(
    process: &mut Process,
    options: &Options,
    output: Output,
    packet: &Captured,
) -> Result<(), Stop> {
    match output {
        Output::Records(descriptor) => {
            process
                .write_to(descriptor, Bytes::from(pcap::record(packet)))
                .await
        }
        Output::Lines => process.print(pcap::line(packet, options.quiet)).await,
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
}
