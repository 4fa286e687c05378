//! What the tests of this module share: a handset, running a program on it, and an independent look at packets.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use etherparse::{SlicedPacket, TransportSlice};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapReader, PcapBlockOwned, PcapError};

use crate::adapters::virtual_handset::files::system::{OpenMode, Opened};
use crate::adapters::virtual_handset::firmware::model::{Faults, Firmware, Root, Userland};
use crate::adapters::virtual_handset::kernel::descriptor::{Descriptor, Descriptors, OpenFile};
use crate::adapters::virtual_handset::kernel::handset::Handset;
use crate::adapters::virtual_handset::kernel::handset::tests::{StillClock, plain_firmware};
use crate::adapters::virtual_handset::kernel::launch::{Child, Launch, body_of};
use crate::adapters::virtual_handset::kernel::process::{Process, Program, Stop};
use crate::adapters::virtual_handset::kernel::signal::Status;
use crate::adapters::virtual_handset::kernel::user::User;
use crate::adapters::virtual_handset::kernel::world::World;
use crate::ports::BoxFuture;

use super::exchange::{Exchange, Protection};

/// The server of the tests.
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

/// A handset on Wi-Fi that knows `api.example.org`.
pub(super) fn firmware(userland: Userland, faults: Faults) -> Firmware {
    let mut firmware = plain_firmware(userland, Root::Su);
    firmware.wifi.on = true;
    firmware.hosts = BTreeMap::from([("api.example.org".to_owned(), vec![SERVER])]);
    firmware.faults = faults;
    firmware
}

/// A running handset.
pub(super) fn handset(userland: Userland, faults: Faults) -> Handset {
    let clock = Arc::new(StillClock);
    let firmware = Arc::new(firmware(userland, faults));
    let mut world = World::new(firmware, "0123456789", 7, clock.clone());
    super::programs::mount_proc(&mut world).unwrap();
    Handset::start(world, clock)
}

/// A request of app 10052.
pub(super) fn wish(protection: Protection, request: &[u8], response: &[u8]) -> Exchange {
    Exchange {
        uid: 10_052,
        foreground: false,
        host: "api.example.org".to_owned(),
        port: if protection == Protection::Tls {
            443
        } else {
            80
        },
        protection,
        request: request.to_vec(),
        response: response.to_vec(),
        keep_open: Duration::from_secs(5),
    }
}

/// A program under way; its output goes to `/NAME.out` and `/NAME.err`.
pub(super) fn start(handset: &Handset, program: Program, line: &str, user: User) -> Child {
    let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let name = arguments.first().cloned().unwrap_or_default();
    let descriptors = Descriptors::from([
        (0, Descriptor::Null),
        (1, open(handset, &format!("/{name}.out"))),
        (2, open(handset, &format!("/{name}.err"))),
    ]);
    let launch = Launch {
        arguments,
        environment: BTreeMap::new(),
        directory: "/".to_owned(),
        user,
        descriptors,
        parent: 1,
        group: None,
        umask: 0o22,
        ignored: 0,
    };
    handset.launch(launch, body_of(program)).unwrap()
}

fn open(handset: &Handset, path: &str) -> Descriptor {
    let mode = OpenMode {
        write: true,
        truncate: true,
        create: Some(0o644),
        ..OpenMode::default()
    };
    let opened = handset.with(|world| world.files.open(&User::root(), path, mode).unwrap());
    let Opened::File(body) = opened else {
        panic!("a regular file");
    };
    Descriptor::File(Arc::new(OpenFile::new(body, true, true, false)))
}

/// Waits for a program's end without letting time pass by itself.
pub(super) async fn end_of(child: &Child) -> Status {
    for _ in 0..1_000_000 {
        if let Some(status) = child.status() {
            return status;
        }
        tokio::task::yield_now().await;
    }
    panic!("the process never ended");
}

/// Runs a program to its end: its status, output and errors.
pub(super) async fn run(
    handset: &Handset,
    program: Program,
    line: &str,
    user: User,
) -> (Status, String, String) {
    let child = start(handset, program, line, user);
    let status = end_of(&child).await;
    let name = line.split(' ').next().unwrap();
    let text =
        |suffix: &str| String::from_utf8(read(handset, &format!("/{name}.{suffix}"))).unwrap();
    (status, text("out"), text("err"))
}

/// A file's contents.
pub(super) fn read(handset: &Handset, path: &str) -> Vec<u8> {
    handset
        .with(|world| world.read_file(&User::root(), path).unwrap())
        .to_vec()
}

/// Lets so many seconds pass on the handset.
pub(super) async fn pass_time(handset: &Handset, seconds: u64) {
    fn sleep(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
        Box::pin(async move {
            let seconds = process.arguments[1].parse().unwrap();
            process.sleep(Duration::from_secs(seconds)).await?;
            Ok(0)
        })
    }
    // Whatever was started before gets to its first wait.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    let (status, ..) = run(handset, sleep, &format!("sleep {seconds}"), User::root()).await;
    assert_eq!(status, Status::Exited(0));
}

/// A TCP segment as etherparse reads it.
#[derive(Debug)]
pub(super) struct Tcp {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) sequence: u32,
    pub(super) acknowledges: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) payload: Vec<u8>,
}

impl Tcp {
    /// What it takes of the sequence numbers.
    pub(super) fn sequence_length(&self) -> u32 {
        u32::try_from(self.payload.len()).unwrap() + u32::from(self.syn) + u32::from(self.fin)
    }
}

/// A packet as etherparse reads it.
#[derive(Debug)]
pub(super) enum Decoded {
    Tcp(Tcp),
    Udp {
        destination: SocketAddr,
        payload: Vec<u8>,
    },
    Icmp,
}

/// Reads a packet and insists on its lengths and checksums, which are computed here, not by etherparse.
pub(super) fn decode(packet: &[u8]) -> Decoded {
    let sliced = SlicedPacket::from_ip(packet).unwrap();
    let (source, destination, transport) = ip_parts(packet);
    match sliced.transport.unwrap() {
        TransportSlice::Tcp(tcp) => {
            assert_eq!(
                internet_sum(&[&pseudo_header(packet, 6, transport.len()), transport]),
                0xffff
            );
            Decoded::Tcp(Tcp {
                source: SocketAddr::new(source, tcp.source_port()),
                destination: SocketAddr::new(destination, tcp.destination_port()),
                sequence: tcp.sequence_number(),
                acknowledges: tcp.ack().then(|| tcp.acknowledgment_number()),
                syn: tcp.syn(),
                fin: tcp.fin(),
                payload: tcp.payload().to_vec(),
            })
        }
        TransportSlice::Udp(udp) => {
            assert_eq!(
                internet_sum(&[&pseudo_header(packet, 17, transport.len()), transport]),
                0xffff
            );
            Decoded::Udp {
                destination: SocketAddr::new(destination, udp.destination_port()),
                payload: udp.payload().to_vec(),
            }
        }
        TransportSlice::Icmpv4(_) => {
            assert_eq!(internet_sum(&[transport]), 0xffff);
            Decoded::Icmp
        }
        other => panic!("{other:?}"),
    }
}

fn ip_parts(packet: &[u8]) -> (std::net::IpAddr, std::net::IpAddr, &[u8]) {
    let four = |at: usize| <[u8; 4]>::try_from(&packet[at..at + 4]).unwrap();
    let sixteen = |at: usize| <[u8; 16]>::try_from(&packet[at..at + 16]).unwrap();
    if packet[0] >> 4 == 4 {
        assert_eq!(
            usize::from(u16::from_be_bytes([packet[2], packet[3]])),
            packet.len()
        );
        assert_eq!(packet[0], 0x45);
        assert_eq!(internet_sum(&[&packet[..20]]), 0xffff);
        (four(12).into(), four(16).into(), &packet[20..])
    } else {
        assert_eq!(
            usize::from(u16::from_be_bytes([packet[4], packet[5]])) + 40,
            packet.len()
        );
        (sixteen(8).into(), sixteen(24).into(), &packet[40..])
    }
}

/// RFC 9293, section 3.1, and RFC 8200, section 8.1.
fn pseudo_header(packet: &[u8], protocol: u8, len: usize) -> Vec<u8> {
    let mut header = Vec::new();
    if packet[0] >> 4 == 4 {
        header.extend_from_slice(&packet[12..20]);
        header.extend_from_slice(&[0, protocol]);
        header.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
    } else {
        header.extend_from_slice(&packet[8..40]);
        header.extend_from_slice(&u32::try_from(len).unwrap().to_be_bytes());
        header.extend_from_slice(&[0, 0, 0, protocol]);
    }
    header
}

/// RFC 1071: the ones' complement sum, 0xffff over bytes whose checksum is right.
fn internet_sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        }
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    u16::try_from(sum).unwrap()
}

/// A capture file as pcap-parser reads it: link type, and the packets from their IP headers on with their times.
pub(super) fn read_capture(file: &[u8]) -> (i32, Vec<(u32, Vec<u8>)>) {
    let mut reader = LegacyPcapReader::new(65_536, std::io::Cursor::new(file)).unwrap();
    let mut link = 0;
    let mut packets = Vec::new();
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => link = header.network.0,
                    PcapBlockOwned::Legacy(packet) => {
                        let header = if link == 113 { 16 } else { 14 };
                        packets.push((packet.ts_sec, packet.data[header..].to_vec()));
                    }
                    PcapBlockOwned::NG(_) => panic!("not pcapng"),
                }
                reader.consume(offset);
            }
            Err(PcapError::Eof) => return (link, packets),
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
}
