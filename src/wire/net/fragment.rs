//! `Fragments`: IP datagrams that were sent in parts (RFC 791, 3.2; RFC 8200, 4.5), put together in
//! any order. Memory and time are bounded; what does not come whole is handed out as far as it goes,
//! its length kept, so that the rest counts as missing. Parts that contradict each other are told:
//! which of them the receiver believed is not known.

use crate::wire::net::ip::{NotTransport, Packet, transport_in};
use core::net::IpAddr;
use etherparse::{Ipv6ExtensionSlice, LaxIpSlice};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Linux waits so long for the other parts (`net.ipv4.ipfrag_time`), in nanoseconds.
const PATIENCE: u64 = 30_000_000_000;

/// Datagrams that are waited for at the same time.
const MAX_DATAGRAMS: usize = 1024;

/// Their bytes.
const MAX_BYTES: usize = 4 << 20;

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    key: Key,
    /// Where it belongs.
    offset: usize,
    has_more: bool,
    payload: &'a [u8],
}

/// Which datagram a part is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    id: u32,
    /// The protocol inside.
    number: u8,
}

/// A datagram, whole or as far as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    key: Key,
    /// Its bytes from the first on, up to the first that is not there.
    payload: Vec<u8>,
    /// How long it was, as far as its parts tell.
    len: usize,
    /// When its first part was captured, in nanoseconds since the Unix epoch.
    pub at: u64,
    /// Two of its parts say different things of the same bytes.
    pub is_contested: bool,
}

impl<'a> Fragment<'a> {
    /// The part that an IP packet is; `None` if it is none.
    #[must_use]
    pub fn of(packet: &'a [u8]) -> Option<Self> {
        let (ip, _) = LaxIpSlice::from_slice(packet).ok()?;
        let payload = ip.payload();
        let (id, offset, has_more) = match &ip {
            LaxIpSlice::Ipv4(ip) => {
                let header = ip.header();
                let offset = header.fragments_offset().byte_offset();
                (
                    u32::from(header.identification()),
                    offset,
                    header.more_fragments(),
                )
            }
            LaxIpSlice::Ipv6(ip) => {
                ip.extensions()
                    .clone()
                    .into_iter()
                    .find_map(|it| match it {
                        Ipv6ExtensionSlice::Fragment(header) => {
                            let offset = header.fragment_offset().byte_offset();
                            Some((header.identification(), offset, header.more_fragments()))
                        }
                        _ => None,
                    })?
            }
        };
        Some(Self {
            key: Key {
                source: ip.source_addr(),
                destination: ip.destination_addr(),
                id,
                number: ip.payload_ip_number().0,
            },
            offset: usize::from(offset),
            has_more,
            payload: payload.payload,
        })
    }
}

impl Datagram {
    /// The segment or datagram in it.
    pub fn transport(&self) -> Result<Packet<'_>, NotTransport> {
        let len = u32::try_from(self.len).ok();
        let addresses = (self.key.source, self.key.destination);
        transport_in(addresses, self.key.number, &self.payload, len)
    }

    /// Whether all of it is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.payload.len() == self.len
    }

    /// Bytes that are not there.
    #[must_use]
    pub fn missing(&self) -> u64 {
        (self.len - self.payload.len()) as u64
    }
}

/// Datagrams that are waited for.
#[derive(Debug, Default)]
pub struct Fragments {
    waiting: HashMap<Key, Waiting>,
    /// In the order of their first parts.
    order: VecDeque<(Key, u64)>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    parts: BTreeMap<usize, Vec<u8>>,
    end: Option<usize>,
    at: u64,
    is_contested: bool,
}

impl Fragments {
    /// Takes a part that was captured at `at`; hands out what is whole now, or given up.
    pub fn handle_fragment(
        &mut self,
        fragment: &Fragment<'_>,
        at: u64,
        sink: &mut dyn FnMut(Datagram),
    ) {
        while let Some((key, since)) = self.order.front().copied() {
            let is_gone = self.waiting.get(&key).is_none_or(|it| it.at != since);
            let is_over = is_gone
                || at.saturating_sub(since) > PATIENCE
                || self.waiting.len() >= MAX_DATAGRAMS
                || self.bytes > MAX_BYTES;
            if !is_over {
                break;
            }
            self.order.pop_front();
            self.hand_out(key, since, sink);
        }
        let key = fragment.key;
        let waiting = self.waiting.entry(key).or_insert_with(|| {
            self.order.push_back((key, at));
            Waiting {
                parts: BTreeMap::new(),
                end: None,
                at,
                is_contested: false,
            }
        });
        self.bytes += waiting.add(fragment);
        if waiting.is_whole() {
            let since = waiting.at;
            self.hand_out(key, since, sink);
        }
    }

    /// Gives up all that is waited for.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Datagram)) {
        while let Some((key, since)) = self.order.pop_front() {
            self.hand_out(key, since, sink);
        }
    }

    /// Hands out a datagram, unless that was done and another has its key.
    fn hand_out(&mut self, key: Key, since: u64, sink: &mut dyn FnMut(Datagram)) {
        if self.waiting.get(&key).is_some_and(|it| it.at == since)
            && let Some(waiting) = self.waiting.remove(&key)
        {
            self.bytes -= waiting.parts.values().map(Vec::len).sum::<usize>();
            sink(waiting.into_datagram(key));
        }
    }
}

impl Waiting {
    /// Takes what is new of a part; returns how many bytes that is.
    fn add(&mut self, fragment: &Fragment<'_>) -> usize {
        let end = fragment.offset + fragment.payload.len();
        if !fragment.has_more {
            self.is_contested |= self.end.is_some_and(|known| known != end);
            self.end = Some(end);
        }
        let mut added = 0;
        let mut at = fragment.offset;
        while at < end {
            // The part that covers this byte, or else the next one.
            let before = self.parts.range(..=at).next_back();
            let covering = before.filter(|(start, bytes)| **start + bytes.len() > at);
            let to = match covering {
                Some((start, bytes)) => {
                    let to = (start + bytes.len()).min(end);
                    let known = bytes.get(at - start..to - start);
                    let said = fragment
                        .payload
                        .get(at - fragment.offset..to - fragment.offset);
                    self.is_contested |= known != said;
                    to
                }
                None => {
                    let next = self
                        .parts
                        .range(at..)
                        .next()
                        .map_or(end, |(start, _)| *start);
                    let to = next.min(end);
                    let new = fragment
                        .payload
                        .get(at - fragment.offset..to - fragment.offset);
                    let new = new.unwrap_or_default().to_vec();
                    added += new.len();
                    self.parts.insert(at, new);
                    to
                }
            };
            at = to;
        }
        added
    }

    fn is_whole(&self) -> bool {
        let end = self.parts.iter().try_fold(0, |end, (start, bytes)| {
            (*start == end).then_some(end + bytes.len())
        });
        end.is_some() && end == self.end
    }

    fn into_datagram(self, key: Key) -> Datagram {
        let mut payload = Vec::new();
        let mut last = self.end.unwrap_or_default();
        for (start, bytes) in &self.parts {
            last = last.max(start + bytes.len());
            if *start == payload.len() {
                payload.extend_from_slice(bytes);
            }
        }
        // One that never ended was at least a byte longer.
        let unknown = usize::from(self.end.is_none());
        Datagram {
            key,
            payload,
            len: last + unknown,
            at: self.at,
            is_contested: self.is_contested,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    /// A UDP datagram over IPv4 in parts of that size (RFC 791, 3.2).
    fn parts(text: &[u8], size: usize, id: u8) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 3], 64)
            .udp(5000, 53)
            .write(&mut whole, text)
            .unwrap();
        let (header, payload) = whole.split_at(20);
        let count = payload.len().div_ceil(size);
        payload
            .chunks(size)
            .enumerate()
            .map(|(number, part)| {
                let mut packet = [header, part].concat();
                let len = u16::try_from(packet.len()).unwrap();
                packet[2..4].copy_from_slice(&len.to_be_bytes());
                packet[5] = id;
                let more = if number + 1 < count { 0x2000 } else { 0 };
                let offset = u16::try_from(number * size / 8).unwrap() | more;
                packet[6..8].copy_from_slice(&offset.to_be_bytes());
                packet
            })
            .collect()
    }

    fn handle(fragments: &mut Fragments, packet: &[u8], at: u64) -> Vec<Datagram> {
        let mut out = Vec::new();
        let fragment = Fragment::of(packet).unwrap();
        fragments.handle_fragment(&fragment, at, &mut |it| out.push(it));
        out
    }

    #[test]
    fn parts_come_in_any_order_and_more_than_once() {
        let text: Vec<u8> = (0..100).collect();
        let parts = parts(&text, 32, 7);
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
            let mut fragments = Fragments::default();
            let mut out = Vec::new();
            for number in order {
                out.extend(handle(&mut fragments, &parts[number], 1));
                if out.is_empty() {
                    assert_eq!(handle(&mut fragments, &parts[number], 1), []);
                }
            }
            let [datagram] = out.as_slice() else {
                panic!("{out:?}");
            };
            assert!(datagram.is_whole() && !datagram.is_contested);
            let packet = datagram.transport().unwrap();
            assert_eq!(packet.payload, text);
            assert_eq!(packet.destination, "10.0.0.3:53".parse().unwrap());
            assert_eq!(fragments.bytes, 0);
        }
    }

    #[test]
    fn parts_of_ipv6_are_put_together() {
        let udp = [
            0x30, 0x39, 0, 53, 0, 20, 0, 0, b'a', b'b', b'c', b'd', b'e', b'f', b'g', b'h', b'i',
            b'j', b'k', b'l',
        ];
        let mut fragments = Fragments::default();
        let mut out = Vec::new();
        for (offset, part) in [(0u16, &udp[..16]), (16, &udp[16..])] {
            let more = u16::from(offset == 0);
            let mut packet = vec![
                0x60,
                0,
                0,
                0,
                0,
                u8::try_from(part.len() + 8).unwrap(),
                44,
                64,
            ];
            packet.extend([0xfd; 16]);
            packet.extend([0xfe; 16]);
            packet.extend([17, 0]);
            packet.extend((offset | more).to_be_bytes());
            packet.extend([1, 2, 3, 4]);
            packet.extend(part);
            out.extend(handle(&mut fragments, &packet, 1));
        }
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].transport().unwrap().payload, b"abcdefghijkl");
    }

    #[test]
    fn what_does_not_come_whole_is_handed_out_as_far_as_it_goes() {
        let text = [b'x'; 100];
        let lost = parts(&text, 32, 7);
        let later = parts(&text, 200, 8);
        let mut fragments = Fragments::default();
        for number in [0, 1, 3] {
            assert_eq!(handle(&mut fragments, &lost[number], 1), []);
        }
        let mut other = later[0].clone();
        other[6] = 0x20;
        let out = handle(&mut fragments, &other, 2 * PATIENCE);
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].missing(), 108 - 64);
        let packet = out[0].transport().unwrap();
        assert_eq!((packet.payload.len(), packet.payload_len), (56, 100));
        let mut rest = Vec::new();
        fragments.finish(&mut |it| rest.push(it));
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].missing(), 1);
    }

    #[test]
    fn contradictions_are_told() {
        let text = [b'x'; 100];
        let parts = parts(&text, 32, 7);
        let mut forged = parts[1].clone();
        forged[30] = b'y';
        let mut fragments = Fragments::default();
        let mut out = Vec::new();
        for packet in [&parts[0], &parts[1], &forged, &parts[2], &parts[3]] {
            out.extend(handle(&mut fragments, packet, 1));
        }
        assert!(out[0].is_contested);
    }

    proptest! {
        #[test]
        fn any_parts_are_survived(parts in prop::collection::vec((0usize..100, any::<bool>(), 0usize..60, 0u32..3), 0..60)) {
            let mut fragments = Fragments::default();
            let bytes = [7; 60];
            for (offset, has_more, len, id) in parts {
                let localhost = IpAddr::from([127, 0, 0, 1]);
                let key = Key { source: localhost, destination: localhost, id, number: 17 };
                let fragment = Fragment { key, offset, has_more, payload: &bytes[..len] };
                fragments.handle_fragment(&fragment, 0, &mut |datagram| {
                    assert!(datagram.payload.len() <= datagram.len);
                    let _ = datagram.transport();
                });
            }
            fragments.finish(&mut |datagram| assert!(datagram.payload.len() <= datagram.len));
            prop_assert_eq!(fragments.bytes, 0);
        }
    }
}
