//! Captures made byte by byte, with etherparse for the headers and nothing of ours.

use etherparse::PacketBuilder;
use std::fs;
use std::path::Path;

/// When the first packet of every capture passes: 2014-05-13 16:53:20 UTC.
pub(crate) const START: u32 = 1_400_000_000;

pub(crate) const HANDSET: [u8; 4] = [192, 0, 2, 42];

/// The persona that the tests look for.
pub(crate) const PERSONA: &str = "\
schema: phonehome/persona/1
data:
  - { id: imei-1, kind: imei, value: \"490154203237518\" }
  - { id: contact-1.phone, kind: phone, value: \"+447700900123\" }
decoys:
  - { id: decoy-1, kind: phone, value: \"+447700900456\" }
";

/// Packets, one a second, as raw IP.
#[derive(Clone, Default)]
pub(crate) struct Capture {
    pub(crate) packets: Vec<Vec<u8>>,
}

impl Capture {
    /// A TCP connection from the handset's `port` in which each side says its part in segments of
    /// `size` bytes.
    pub(crate) fn exchange(
        &mut self,
        port: u16,
        server: [u8; 4],
        size: usize,
        request: &[u8],
        response: &[u8],
    ) -> &mut Self {
        let (mut own, mut other) = (1_000, 9_000);
        let out = |sequence, acknowledged: u32| {
            let packet = PacketBuilder::ipv4(HANDSET, server, 64);
            (packet.tcp(port, 80, sequence, 65_000), acknowledged)
        };
        let back = |sequence, acknowledged: u32| {
            let packet = PacketBuilder::ipv4(server, HANDSET, 64);
            (packet.tcp(80, port, sequence, 65_000), acknowledged)
        };
        self.push(out(own, 0).0.syn(), &[]);
        own += 1;
        self.push(back(other, 0).0.syn().ack(own), &[]);
        other += 1;
        for piece in request.chunks(size) {
            let (packet, acknowledged) = out(own, other);
            self.push(packet.psh().ack(acknowledged), piece);
            own += u32::try_from(piece.len()).unwrap();
        }
        for piece in response.chunks(size) {
            let (packet, acknowledged) = back(other, own);
            self.push(packet.psh().ack(acknowledged), piece);
            other += u32::try_from(piece.len()).unwrap();
        }
        self.push(out(own, 0).0.fin().ack(other), &[]);
        self.push(back(other, 0).0.fin().ack(own + 1), &[]);
        self
    }

    /// A request that is answered with `{}`.
    pub(crate) fn request(&mut self, port: u16, request: &[u8]) -> &mut Self {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        self.exchange(port, [203, 0, 113, 20], 1400, request, answer)
    }

    fn push(
        &mut self,
        packet: etherparse::PacketBuilderStep<etherparse::TcpHeader>,
        payload: &[u8],
    ) {
        let mut bytes = Vec::new();
        packet.write(&mut bytes, payload).unwrap();
        self.packets.push(bytes);
    }

    /// As a pcap with microseconds, little-endian (draft-ietf-opsawg-pcap), link type raw IP.
    pub(crate) fn pcap(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
            file.extend(word.to_le_bytes());
        }
        for (second, packet) in (START..).zip(&self.packets) {
            let len = u32::try_from(packet.len()).unwrap();
            for word in [second, 0, len, len] {
                file.extend(word.to_le_bytes());
            }
            file.extend(packet);
        }
        file
    }
}

/// A GET that carries the contact's number in its query, and a POST with the IMEI in its body.
pub(crate) fn leaking() -> Capture {
    let mut capture = Capture::default();
    let query = b"GET /pass/user@id?type=MXPH&externalId=%2B447700900123 HTTP/1.1\r\nHost: api.account.example.com\r\n\r\n";
    // printf '{"imei":"490154203237518"}' | base64
    let body = b"POST /up HTTP/1.1\r\nHost: up.example.org\r\nContent-Type: application/json\r\nContent-Length: 44\r\n\r\n{\"d\":\"eyJpbWVpIjoiNDkwMTU0MjAzMjM3NTE4In0=\"}";
    capture.request(40_001, query).request(40_002, body);
    capture
}

/// A capture that holds nothing of the persona.
pub(crate) fn harmless() -> Capture {
    let mut capture = Capture::default();
    capture.request(40_003, b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n");
    capture
}

/// Writes a file of bytes.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}
