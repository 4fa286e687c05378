//! `FlowTable`: from frames to packets, each handed to the share of its flow. Fragments are put
//! together here, and names and keys are known here to all shares.

use crate::detect::detector::Detector;
use crate::detect::options::{Exclusion, Options};
use crate::detect::traffic::apps::Apps;
use crate::detect::traffic::flows::{Flows, Surroundings};
use crate::detect::traffic::ledger::Ledger;
use crate::detect::traffic::names::{Names, host_name};
use crate::detect::traffic::record::FlowRecord;
use crate::detect::traffic::share::{SHARES, share_of};
use crate::wire::net::fragment::{Datagram, Fragment, Fragments};
use crate::wire::net::ip::{NotTransport, Packet, Transport, transport, wire_len};
use crate::wire::net::link::{NotIp, ip_packet};
use crate::wire::net::tls::keylog::KeyLog;
use crate::wire::pcap::link_type::LinkType;
use crate::wire::pcap::reader::Frame;
use core::net::{IpAddr, SocketAddr};

/// All flows of an analysis.
#[derive(Debug, Default)]
pub(crate) struct FlowTable {
    shares: [Flows; SHARES + 1],
    /// Frames so far.
    frames: u64,
    fragments: Fragments,
    names: Names,
    keys: KeyLog,
    apps: Apps,
    /// Of what belongs to no flow.
    pub(crate) ledger: Ledger,
}

impl FlowTable {
    /// A table that knows the keys of some connections.
    pub(crate) fn with_keys(keys: KeyLog) -> Self {
        Self {
            keys,
            ..Self::default()
        }
    }

    /// Takes a captured frame.
    pub(crate) fn handle_frame(
        &mut self,
        frame: &Frame<'_>,
        detector: &Detector,
        options: &Options,
    ) {
        self.frames += 1;
        let ip = match ip_packet(frame.link, frame.data) {
            Ok(ip) => ip,
            Err(NotIp::OtherProtocol) => return,
            Err(reason) => {
                if reason == NotIp::Encrypted {
                    // Whose bytes and which way is not known.
                    self.ledger.delivered += frame.data.len() as u64;
                    self.ledger.coverage.bytes_opaque += frame.data.len() as u64;
                }
                return self.ledger.unread(reason.to_string());
            }
        };
        match transport(ip) {
            Ok(packet) => {
                if self.takes(&packet, options) {
                    self.count(ip);
                    self.handle_packet(&packet, frame, detector, options);
                }
            }
            Err(reason) => {
                self.count(ip);
                match (reason, Fragment::of(ip)) {
                    (NotTransport::Fragment, Some(fragment)) => {
                        self.handle_fragment(&fragment, frame, detector, options);
                    }
                    (NotTransport::Icmp, _) => {}
                    (reason, _) => self.ledger.unread(reason.to_string()),
                }
            }
        }
    }

    /// Whether a packet belongs to the analysis.
    fn takes(&mut self, packet: &Packet<'_>, options: &Options) -> bool {
        if stays_inside(packet, options) {
            return false;
        }
        let mut exclusions = options.exclude.iter();
        let is_excluded = exclusions.any(|it| excludes(it, packet, options));
        if is_excluded {
            self.ledger.coverage.bytes_excluded += u64::from(packet.payload_len);
        }
        !is_excluded
    }

    fn handle_fragment(
        &mut self,
        fragment: &Fragment<'_>,
        frame: &Frame<'_>,
        detector: &Detector,
        options: &Options,
    ) {
        let mut ready = Vec::new();
        self.fragments
            .handle_fragment(fragment, frame.at, &mut |datagram| ready.push(datagram));
        for datagram in ready {
            self.handle_datagram_of_parts(&datagram, frame, detector, options);
        }
    }

    fn handle_datagram_of_parts(
        &mut self,
        datagram: &Datagram,
        frame: &Frame<'_>,
        detector: &Detector,
        options: &Options,
    ) {
        if datagram.is_contested {
            let what = "IP fragments that contradict each other".to_owned();
            self.ledger.unread(what);
        }
        if !datagram.is_whole() {
            let what = "IP datagrams of which not all fragments came".to_owned();
            self.ledger.unread(what);
        }
        match datagram.transport() {
            Ok(packet) => {
                if self.takes(&packet, options) {
                    self.handle_packet(&packet, frame, detector, options);
                }
            }
            Err(NotTransport::Icmp) => {}
            Err(reason) => {
                self.ledger.coverage.bytes_missing += datagram.missing();
                self.ledger.unread(reason.to_string());
            }
        }
    }

    /// Takes a key log of the capture's own.
    pub(crate) fn handle_keys(&mut self, text: &[u8]) {
        let reading = self.keys.add(text);
        if reading.damaged > 0 {
            let what = "damaged lines in its key log".to_owned();
            *self.ledger.unread.entry(what).or_default() += reading.damaged;
        }
        if reading.dropped > 0 {
            self.ledger.limit("connections whose keys are kept");
        }
    }

    /// Takes a name that the capture itself gives an address.
    pub(crate) fn handle_name(&mut self, address: IpAddr, name: &str) {
        if let Some(name) = host_name(name) {
            self.names.insert(address, &name);
        }
    }

    /// Takes the name that the capture itself gives an app.
    pub(crate) fn handle_app(&mut self, uid: u32, package: &str) {
        self.apps.insert(uid, package);
    }

    /// Ends every flow that is still followed.
    pub(crate) fn finish(&mut self, detector: &Detector, options: &Options) {
        let mut ready = Vec::new();
        self.fragments.finish(&mut |datagram| ready.push(datagram));
        for datagram in ready {
            let frame = Frame {
                at: datagram.at,
                link: LinkType::RAW,
                original_len: 0,
                data: &[],
                uid: None,
            };
            self.handle_datagram_of_parts(&datagram, &frame, detector, options);
        }
        let mut around = Surroundings {
            detector,
            options,
            names: &mut self.names,
            keys: &self.keys,
        };
        for flows in &mut self.shares {
            flows.lend(&mut self.ledger, |flows| flows.finish(&mut around));
        }
    }

    /// The flows of each share in order of first packet, and what was found in them; the apps; and what
    /// the frames told by themselves.
    pub(crate) fn into_parts(self) -> ([(Vec<FlowRecord>, Ledger); SHARES + 1], Apps, Ledger) {
        (self.shares.map(Flows::into_parts), self.apps, self.ledger)
    }

    fn count(&mut self, ip: &[u8]) {
        self.ledger.coverage.packets += 1;
        self.ledger.coverage.bytes += wire_len(ip);
    }

    /// Takes a packet of a flow that is read here.
    fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        frame: &Frame<'_>,
        detector: &Detector,
        options: &Options,
    ) {
        let share = share_of(packet);
        let mut around = Surroundings {
            detector,
            options,
            names: &mut self.names,
            keys: &self.keys,
        };
        if let Some(flows) = self.shares.get_mut(share)
            && options.portion.reads(share)
        {
            let place = (share, self.frames);
            flows.lend(&mut self.ledger, |flows| {
                flows.handle_packet(packet, frame, place, &mut around);
            });
        }
    }
}

/// Whether a packet never leaves the handset: from itself to itself. Without its addresses it is not
/// known whose loopback that is.
fn stays_inside(packet: &Packet<'_>, options: &Options) -> bool {
    let ends = [packet.source.ip(), packet.destination.ip()];
    !options.handset_addresses.is_empty() && ends.iter().all(IpAddr::is_loopback)
}

/// Whether a packet is of a connection of our own.
fn excludes(exclusion: &Exclusion, packet: &Packet<'_>, options: &Options) -> bool {
    let Transport::Tcp(_) = packet.transport else {
        return false;
    };
    let is_ours = |handset: SocketAddr, peer: SocketAddr| {
        let known = &options.handset_addresses;
        handset.port() == exclusion.handset_port
            && (known.is_empty() || known.contains(&handset.ip()))
            && exclusion.peer_address.is_none_or(|it| it == peer.ip())
            && exclusion.peer_port.is_none_or(|it| it == peer.port())
    };
    is_ours(packet.source, packet.destination) || is_ours(packet.destination, packet.source)
}
