//! `PcapngWriter`: pcapng blocks, little-endian, nanoseconds
//! (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>). It fills a buffer and
//! writes no file.

use crate::wire::pcap::link_type::LinkType;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const OPTION_COMMENT: u16 = 1;
const OPTION_APPLICATION: u16 = 4;
const OPTION_INTERFACE_NAME: u16 = 2;
const OPTION_RESOLUTION: u16 = 9;

/// Writes one section.
#[derive(Debug)]
pub struct PcapngWriter {
    out: Vec<u8>,
    interfaces: u32,
}

impl PcapngWriter {
    /// A section written by `application`.
    #[must_use]
    pub fn new(application: &str, comment: Option<&str>) -> Self {
        let mut writer = Self {
            out: Vec::new(),
            interfaces: 0,
        };
        let mut body = Vec::new();
        body.extend(0x1a2b_3c4d_u32.to_le_bytes());
        body.extend(1_u16.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        body.extend((-1_i64).to_le_bytes());
        option(&mut body, OPTION_APPLICATION, application.as_bytes());
        if let Some(comment) = comment {
            option(&mut body, OPTION_COMMENT, comment.as_bytes());
        }
        end_of_options(&mut body);
        writer.block(SECTION_HEADER, &body);
        writer
    }

    /// Goes on with a section whose start was written before.
    pub(super) const fn bare() -> Self {
        Self {
            out: Vec::new(),
            interfaces: 0,
        }
    }

    /// Describes the next interface and returns its number.
    pub fn interface(&mut self, link: LinkType, name: Option<&str>) -> u32 {
        self.describe(link, 0, name, 9)
    }

    /// Describes the next interface: the most that is captured of a packet (0 for all of it), and the
    /// digits of its clock behind the seconds.
    pub(super) fn interface_of(&mut self, link: LinkType, snapshot_len: u32, digits: u8) -> u32 {
        self.describe(link, snapshot_len, None, digits)
    }

    fn describe(
        &mut self,
        link: LinkType,
        snapshot_len: u32,
        name: Option<&str>,
        digits: u8,
    ) -> u32 {
        let mut body = Vec::new();
        body.extend(link.0.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        body.extend(snapshot_len.to_le_bytes());
        if let Some(name) = name {
            option(&mut body, OPTION_INTERFACE_NAME, name.as_bytes());
        }
        option(&mut body, OPTION_RESOLUTION, &[digits]);
        end_of_options(&mut body);
        self.block(INTERFACE_DESCRIPTION, &body);
        self.interfaces += 1;
        self.interfaces - 1
    }

    /// One packet, captured at `at` since the Unix epoch in units of the interface's clock, which are
    /// nanoseconds unless it was said otherwise.
    pub fn packet(
        &mut self,
        interface: u32,
        at: u64,
        original_len: u32,
        data: &[u8],
        comment: Option<&str>,
    ) {
        let captured = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let mut body = Vec::with_capacity(data.len() + 32);
        body.extend(interface.to_le_bytes());
        // Two words, the upper one first, each in the section's byte order.
        let [a, b, c, d, e, f, g, h] = at.to_le_bytes();
        body.extend([e, f, g, h, a, b, c, d]);
        body.extend(captured.to_le_bytes());
        body.extend(original_len.to_le_bytes());
        body.extend(data);
        pad(&mut body);
        if let Some(comment) = comment {
            option(&mut body, OPTION_COMMENT, comment.as_bytes());
            end_of_options(&mut body);
        }
        self.block(ENHANCED_PACKET, &body);
    }

    /// The start of a packet whose rest never came: a capture that was cut stays cut.
    pub fn cut_packet(&mut self) {
        self.out.extend(ENHANCED_PACKET.to_le_bytes());
        self.out.extend(32_u32.to_le_bytes());
    }

    /// What was written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let len = u32::try_from(body.len() + 12).unwrap_or(u32::MAX);
        self.out.extend(kind.to_le_bytes());
        self.out.extend(len.to_le_bytes());
        self.out.extend(body);
        self.out.extend(len.to_le_bytes());
    }
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    body.extend(code.to_le_bytes());
    body.extend(len.to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// Blocks and options are padded to four bytes; every body starts aligned.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}
