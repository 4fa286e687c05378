//! `Conversation`: a TCP connection planned segment by segment, as a capture on the handset would see it.
//!
//! Loss and retransmission are not simulated: what is planned passes, unless the network goes away first.

use std::net::SocketAddr;
use std::time::Duration;

use etherparse::{TcpHeader, TcpOptionElement};
use rand::Rng;

use super::frame::{self, Carries, Frame, Interface, Owner, Route};
use super::sockets::State;

/// Payload of a full segment: an MSS of 1460 less the timestamp option.
pub(super) const SEGMENT_BYTES: usize = 1448;

/// Segments in the first flight (RFC 6928), and at most.
const FIRST_FLIGHT: usize = 10;
const LARGEST_FLIGHT: usize = 64;

/// Between two segments of one flight, sent and received.
const SENDING_PACE: Duration = Duration::from_micros(40);
const RECEIVING_PACE: Duration = Duration::from_micros(350);

/// Between a segment's arrival and the acknowledgement that leaves.
const TURNAROUND: Duration = Duration::from_micros(60);

/// A segment, when it passes the handset's interface, and what the handset's socket is from then on.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Uptime at which it passes.
    pub(super) at: Duration,
    /// The packet.
    pub(super) frame: Frame,
    /// The socket's new state, where it changes.
    pub(super) state: Option<State>,
}

/// One side of the connection.
#[derive(Clone, Debug)]
struct Side {
    address: SocketAddr,
    next: u32,
    clock_offset: u32,
    /// The timestamp it sent last, which the other side echoes.
    stamp: u32,
    window: u16,
    hops: u8,
    identification: u16,
}

/// A TCP connection as it unfolds. Calls append segments; `take` hands them over.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    handset: Side,
    server: Side,
    interface: Interface,
    owner: Owner,
    round_trip: Duration,
    now: Duration,
    flight: usize,
    segments: Vec<Segment>,
}

/// The flags of one segment, ACK aside.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    syn: bool,
    fin: bool,
    push: bool,
}

impl Conversation {
    /// A connection from `local` to `remote` that has not begun.
    pub(super) fn new(
        random: &mut impl Rng,
        (local, remote): (SocketAddr, SocketAddr),
        (interface, owner): (Interface, Owner),
        (now, round_trip): (Duration, Duration),
    ) -> Self {
        let mut side = |address, hops| Side {
            address,
            next: random.random(),
            clock_offset: random.random(),
            stamp: 0,
            // Scaled by 64, room for the largest flight.
            window: random.random_range(1500..4000),
            hops,
            identification: random.random(),
        };
        let handset = side(local, 64);
        let mut server = side(remote, 64);
        server.hops = random.random_range(44..57);
        Self {
            handset,
            server,
            interface,
            owner,
            round_trip,
            now,
            flight: FIRST_FLIGHT,
            segments: Vec::new(),
        }
    }

    /// Nothing happens for `pause`.
    pub(super) fn wait(&mut self, pause: Duration) {
        self.now = self.now.saturating_add(pause);
    }

    /// Nothing has happened until `now`.
    pub(super) fn advance_to(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// The segments planned since the last call.
    pub(super) fn take(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.segments)
    }

    /// The three-way handshake, begun by the handset.
    pub(super) fn connect(&mut self) {
        let syn = Flags {
            syn: true,
            ..Flags::default()
        };
        self.push(true, syn, &[], Some(State::SynSent));
        self.wait(self.round_trip);
        self.push(false, syn, &[], None);
        self.wait(TURNAROUND);
        self.acknowledge(true, Some(State::Established));
    }

    /// The three-way handshake, begun by the other side.
    pub(super) fn accept(&mut self) {
        let syn = Flags {
            syn: true,
            ..Flags::default()
        };
        self.push(false, syn, &[], None);
        self.push(true, syn, &[], None);
        self.acknowledge(false, None);
    }

    /// Bytes from the handset (`outgoing`) or to it, in full segments, acknowledged.
    pub(super) fn send(&mut self, outgoing: bool, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let flight_bytes = self.flight.saturating_mul(SEGMENT_BYTES);
            let (flight, after) = rest.split_at_checked(flight_bytes).unwrap_or((rest, &[]));
            rest = after;
            if outgoing {
                self.send_flight(flight, rest.is_empty());
            } else {
                self.receive_flight(flight, rest.is_empty());
            }
            self.flight = self.flight.saturating_mul(2).min(LARGEST_FLIGHT);
        }
    }

    /// The handset closes first, the other side follows.
    pub(super) fn close(&mut self) {
        let fin = Flags {
            fin: true,
            ..Flags::default()
        };
        self.push(true, fin, &[], Some(State::FinWait1));
        self.wait(self.round_trip);
        self.push(false, fin, &[], None);
        self.wait(TURNAROUND);
        self.acknowledge(true, Some(State::TimeWait));
    }

    /// The other side closes first, the handset follows.
    pub(super) fn close_from_outside(&mut self) {
        let fin = Flags {
            fin: true,
            ..Flags::default()
        };
        self.push(false, fin, &[], Some(State::CloseWait));
        self.push(true, fin, &[], Some(State::LastAck));
        self.acknowledge(false, Some(State::Closed));
    }

    /// Payload without waiting for anything: one flight at the present instant, one acknowledgement for each two segments.
    pub(super) fn stream(&mut self, outgoing: bool, bytes: &[u8]) {
        let count = bytes.len().div_ceil(SEGMENT_BYTES);
        for (number, chunk) in bytes.chunks(SEGMENT_BYTES).enumerate() {
            let last = number + 1 == count;
            self.push_data(outgoing, chunk, last);
            if last || number % 2 == 1 {
                self.acknowledge(!outgoing, None);
            }
        }
    }

    /// The sequence numbers after `stream` with so many bytes, whose segments nobody sees.
    pub(super) fn skip(&mut self, outgoing: bool, bytes: usize) {
        let side = if outgoing {
            &mut self.handset
        } else {
            &mut self.server
        };
        side.next = side.next.wrapping_add(low_32_bits(bytes as u128));
    }

    /// A flight that leaves at once; its acknowledgements arrive a round trip later.
    fn send_flight(&mut self, flight: &[u8], last: bool) {
        let count = flight.chunks(SEGMENT_BYTES).len();
        let mut acknowledgements = Vec::new();
        for (number, chunk) in flight.chunks(SEGMENT_BYTES).enumerate() {
            self.wait(SENDING_PACE);
            let end = number + 1 == count;
            self.push_data(true, chunk, end && last);
            if end || number % 2 == 1 {
                acknowledgements.push((self.now + self.round_trip, self.handset.next));
            }
        }
        for (at, number) in acknowledgements {
            self.advance_to(at);
            self.push_acknowledgement(false, number, None);
        }
    }

    /// A flight that arrives, every second segment of it acknowledged; the next one takes a round trip.
    fn receive_flight(&mut self, flight: &[u8], last: bool) {
        let count = flight.chunks(SEGMENT_BYTES).len();
        for (number, chunk) in flight.chunks(SEGMENT_BYTES).enumerate() {
            self.wait(RECEIVING_PACE);
            let end = number + 1 == count;
            self.push_data(false, chunk, end && last);
            if end || number % 2 == 1 {
                self.wait(TURNAROUND);
                self.acknowledge(true, None);
            }
        }
        if !last {
            self.wait(self.round_trip);
        }
    }

    fn push_data(&mut self, outgoing: bool, payload: &[u8], push: bool) {
        let flags = Flags {
            push,
            ..Flags::default()
        };
        self.push(outgoing, flags, payload, None);
    }

    fn acknowledge(&mut self, outgoing: bool, state: Option<State>) {
        self.push(outgoing, Flags::default(), &[], state);
    }

    /// A segment that acknowledges all that its sender has received.
    fn push(&mut self, outgoing: bool, flags: Flags, payload: &[u8], state: Option<State>) {
        let peer = if outgoing {
            &self.server
        } else {
            &self.handset
        };
        // Only the first SYN acknowledges nothing.
        let is_first = flags.syn && self.segments.is_empty();
        let number = (!is_first).then_some(peer.next);
        self.push_numbered(outgoing, flags, payload, number, state);
    }

    fn push_acknowledgement(&mut self, outgoing: bool, number: u32, state: Option<State>) {
        self.push_numbered(outgoing, Flags::default(), &[], Some(number), state);
    }

    fn push_numbered(
        &mut self,
        outgoing: bool,
        flags: Flags,
        payload: &[u8],
        acknowledges: Option<u32>,
        state: Option<State>,
    ) {
        let milliseconds = low_32_bits(self.now.as_millis());
        let echo = if outgoing {
            &self.server
        } else {
            &self.handset
        };
        let echoed = acknowledges.map_or(0, |_| echo.stamp);
        let destination = echo.address;
        let side = if outgoing {
            &mut self.handset
        } else {
            &mut self.server
        };
        side.identification = side.identification.wrapping_add(1);
        let mut header = TcpHeader::new(
            side.address.port(),
            destination.port(),
            side.next,
            if flags.syn { 14_600 } else { side.window },
        );
        header.syn = flags.syn;
        header.fin = flags.fin;
        header.psh = flags.push;
        header.ack = acknowledges.is_some();
        header.acknowledgment_number = acknowledges.unwrap_or(0);
        side.stamp = milliseconds.wrapping_add(side.clock_offset);
        let stamp = TcpOptionElement::Timestamp(side.stamp, echoed);
        set_options(&mut header, flags.syn, stamp);
        let consumed =
            u32::try_from(payload.len()).unwrap_or(0) + u32::from(flags.syn) + u32::from(flags.fin);
        side.next = side.next.wrapping_add(consumed);
        let route = Route {
            source: side.address,
            destination,
            hops: side.hops,
            identification: side.identification,
        };
        self.segments.push(Segment {
            at: self.now,
            frame: Frame {
                interface: self.interface,
                outgoing,
                owner: self.owner,
                carries: Carries::Tcp,
                packet: frame::tcp(route, header, payload),
            },
            state,
        });
    }
}

fn set_options(header: &mut TcpHeader, syn: bool, stamp: TcpOptionElement) {
    use TcpOptionElement::{
        MaximumSegmentSize, Noop, SelectiveAcknowledgementPermitted, WindowScale,
    };
    let options = if syn {
        header.set_options(&[
            MaximumSegmentSize(1460),
            SelectiveAcknowledgementPermitted,
            stamp,
            Noop,
            WindowScale(6),
        ])
    } else {
        header.set_options(&[Noop, Noop, stamp])
    };
    debug_assert!(options.is_ok(), "twenty bytes of options fit");
}

/// A counter of 32 bits, as it wraps.
fn low_32_bits(count: u128) -> u32 {
    u32::try_from(count & u128::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::network::testing::{Decoded, decode};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn conversation(seed: u64, local: &str, remote: &str) -> Conversation {
        let ends = (local.parse().unwrap(), remote.parse().unwrap());
        let place = (Interface::Wifi, Owner::background(10_052));
        let times = (Duration::from_secs(60), Duration::from_millis(33));
        Conversation::new(&mut ChaCha8Rng::seed_from_u64(seed), ends, place, times)
    }

    /// One direction put together by sequence numbers alone; every segment must continue the one before it.
    fn reassembled(segments: &[Segment], outgoing: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut next = None;
        for segment in segments.iter().filter(|it| it.frame.outgoing == outgoing) {
            let Decoded::Tcp(tcp) = decode(&segment.frame.packet) else {
                panic!("a TCP segment");
            };
            assert_eq!(next.unwrap_or(tcp.sequence), tcp.sequence);
            let consumed = tcp.sequence_length();
            next = Some(tcp.sequence.wrapping_add(consumed));
            bytes.extend(tcp.payload);
        }
        bytes
    }

    /// No side acknowledges what has not passed, and in the end each has acknowledged all.
    fn check_acknowledgements(segments: &[Segment]) {
        let mut sent = [None, None];
        let mut acknowledged = [0, 0];
        for segment in segments {
            let Decoded::Tcp(tcp) = decode(&segment.frame.packet) else {
                panic!("a TCP segment");
            };
            let side = usize::from(segment.frame.outgoing);
            let peer = 1 - side;
            let consumed = tcp.sequence_length();
            sent[side] = Some(tcp.sequence.wrapping_add(consumed));
            match (tcp.acknowledges, sent[peer]) {
                (None, None) => assert!(tcp.syn),
                (Some(number), Some(passed)) => {
                    assert!(
                        passed.wrapping_sub(number) < 1 << 24,
                        "acknowledged before it passed"
                    );
                    acknowledged[peer] = number;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(sent.map(Option::unwrap), acknowledged);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_request_and_response_arrive_whole(
            seed in any::<u64>(), request in 0_usize..200_000, response in 0_usize..200_000, six in any::<bool>(),
        ) {
            let pattern = |len: usize, step: u8| -> Vec<u8> {
                std::iter::successors(Some(step), |byte| Some(byte.wrapping_mul(5).wrapping_add(step))).take(len).collect()
            };
            let (request, response) = (pattern(request, 7), pattern(response, 11));
            let (local, remote) = if six {
                ("[2001:db8::2]:40000", "[2001:db8::80]:443")
            } else {
                ("192.168.1.107:40000", "203.0.113.7:443")
            };
            let mut conversation = conversation(seed, local, remote);
            conversation.connect();
            conversation.send(true, &request);
            conversation.send(false, &response);
            conversation.close();
            let segments = conversation.take();
            prop_assert!(segments.is_sorted_by_key(|segment| segment.at));
            prop_assert_eq!(reassembled(&segments, true), request);
            prop_assert_eq!(reassembled(&segments, false), response);
            check_acknowledgements(&segments);
            let states: Vec<State> = segments.iter().filter_map(|segment| segment.state).collect();
            prop_assert_eq!(states, [State::SynSent, State::Established, State::FinWait1, State::TimeWait]);
        }
    }

    #[test]
    fn skipped_bytes_leave_a_gap_of_their_length() {
        let mut conversation = conversation(1, "127.0.0.1:5555", "127.0.0.1:40000");
        conversation.accept();
        conversation.stream(true, b"CNXN");
        conversation.skip(true, 1000);
        conversation.stream(true, b"OKAY");
        let sequences: Vec<u32> = conversation
            .take()
            .iter()
            .filter_map(|segment| match decode(&segment.frame.packet) {
                Decoded::Tcp(tcp) if !tcp.payload.is_empty() => Some(tcp.sequence),
                _ => None,
            })
            .collect();
        assert_eq!(sequences[1].wrapping_sub(sequences[0]), 4 + 1000);
    }
}
