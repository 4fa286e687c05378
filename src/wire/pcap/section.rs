//! A section of a pcapng capture: its byte order, its interfaces, and what its blocks say.

use crate::base::bytes::{Reader, Truncated};
use crate::wire::pcap::link_type::LinkType;
use crate::wire::pcap::pcapdroid::{self, UidMap};
use crate::wire::pcap::problem::CaptureProblem;
use crate::wire::pcap::reader::{Frame, Record, hand_out};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use pcap_parser::{
    Block, CustomBlock, EnhancedPacketBlock, InterfaceDescriptionBlock, InterfaceStatisticsBlock,
    NameRecordType, NameResolutionBlock, OptionCode, parse_block_be, parse_block_le,
};

/// The type of the block that opens a section, the same in both byte orders.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;

/// The block that packets were in before there was an enhanced one.
const OBSOLETE_PACKET: u32 = 2;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// More interfaces than this in one section are not kept.
const MAX_INTERFACES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

#[derive(Debug)]
struct Interface {
    link: LinkType,
    snapshot_len: u32,
    resolution: u8,
    offset_seconds: i64,
    dropped: u64,
}

impl Section {
    /// The length of the block that `bytes` start with: `None` when 12 bytes are not there yet, an
    /// error when the block cannot be one. A section header sets the byte order.
    pub(super) fn block_len(&mut self, bytes: &[u8]) -> Result<Option<u64>, u64> {
        let mut reader = Reader::new(bytes);
        let (Ok(kind), Ok(len), Ok(magic)) =
            (reader.u32_be(), reader.array::<4>(), reader.u32_be())
        else {
            return Ok(None);
        };
        if kind == SECTION_HEADER {
            self.big_endian = magic == BYTE_ORDER_MAGIC;
            if !self.big_endian && magic != BYTE_ORDER_MAGIC.swap_bytes() {
                return Err(0);
            }
        }
        let len = if self.big_endian {
            u32::from_be_bytes(len)
        } else {
            u32::from_le_bytes(len)
        };
        if len < 12 || !len.is_multiple_of(4) {
            return Err(u64::from(len));
        }
        Ok(Some(u64::from(len)))
    }

    /// Reads one whole block; returns how many more packets it says were dropped.
    pub(super) fn read_block(
        &mut self,
        block: &[u8],
        offset: u64,
        sink: &mut dyn FnMut(Record<'_>),
    ) -> Result<u64, CaptureProblem> {
        let parsed = if self.big_endian {
            parse_block_be(block)
        } else {
            parse_block_le(block)
        };
        let Ok((_, parsed)) = parsed else {
            return Err(CaptureProblem::BadBlock { offset });
        };
        match parsed {
            Block::SectionHeader(_) => self.interfaces.clear(),
            Block::InterfaceDescription(it) if self.interfaces.len() < MAX_INTERFACES => {
                self.interfaces.push(Interface::new(&it));
            }
            Block::InterfaceStatistics(it) => return Ok(self.newly_dropped(&it)),
            Block::EnhancedPacket(it) => self.enhanced(&it, offset, sink)?,
            Block::SimplePacket(it) => {
                let interface = self.known(0, offset)?;
                let limit = match interface.snapshot_len {
                    0 => it.origlen,
                    limit => limit.min(it.origlen),
                };
                let captured = usize::try_from(limit).unwrap_or(usize::MAX);
                hand_out(
                    Frame {
                        at: 0,
                        link: interface.link,
                        original_len: it.origlen,
                        data: it.data.get(..captured).unwrap_or(it.data),
                        uid: None,
                    },
                    sink,
                );
            }
            Block::NameResolution(it) => names(&it, sink),
            Block::DecryptionSecrets(it) => {
                let len = usize::try_from(it.secrets_len).unwrap_or(usize::MAX);
                let bytes = it.data.get(..len).unwrap_or(it.data);
                let kind = it.secrets_type.0;
                sink(Record::Secrets { kind, bytes });
            }
            Block::Custom(it) => self.custom(&it, sink),
            Block::Unknown(it) if self.kind(it.block_type) == OBSOLETE_PACKET => {
                self.obsolete(it.data, offset, sink)?;
            }
            _ => {}
        }
        Ok(0)
    }

    fn enhanced(
        &self,
        block: &EnhancedPacketBlock<'_>,
        offset: u64,
        sink: &mut dyn FnMut(Record<'_>),
    ) -> Result<(), CaptureProblem> {
        let captured = usize::try_from(block.caplen).unwrap_or(usize::MAX);
        let ticks = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
        let index = usize::try_from(block.if_id).unwrap_or(usize::MAX);
        let interface = self.known(index, offset)?;
        let mut comments = block
            .options
            .iter()
            .filter(|option| option.code == OptionCode::Comment);
        let frame = Frame {
            at: interface.nanoseconds(ticks),
            link: interface.link,
            original_len: block.origlen.max(block.caplen),
            data: block.data.get(..captured).unwrap_or(block.data),
            uid: comments.find_map(|it| pcapdroid::uid_of_comment(it.as_bytes().ok()?)),
        };
        hand_out(frame, sink);
        Ok(())
    }

    /// The packet block of the first pcapng drafts (draft-tuexen-opsawg-pcapng-05, appendix A).
    fn obsolete(
        &self,
        body: &[u8],
        offset: u64,
        sink: &mut dyn FnMut(Record<'_>),
    ) -> Result<(), CaptureProblem> {
        let mut reader = Reader::new(body);
        let bad = |_| CaptureProblem::BadBlock { offset };
        let index = self.half(&mut reader).map_err(bad)?;
        let _drops = self.half(&mut reader).map_err(bad)?;
        let mut word = || self.word(&mut reader).map_err(bad);
        let (high, low, captured, original_len) = (word()?, word()?, word()?, word()?);
        let interface = self.known(usize::from(index), offset)?;
        let data = reader.rest();
        let len = usize::try_from(captured).unwrap_or(usize::MAX);
        let frame = Frame {
            at: interface.nanoseconds(u64::from(high) << 32 | u64::from(low)),
            link: interface.link,
            original_len: original_len.max(captured),
            data: data.get(..len).unwrap_or(data),
            uid: None,
        };
        hand_out(frame, sink);
        Ok(())
    }

    /// Blocks of other makers than PCAPdroid say nothing that can be read.
    fn custom(&self, block: &CustomBlock<'_>, sink: &mut dyn FnMut(Record<'_>)) {
        if let Some(map) = UidMap::parse(block.pen, block.data, self.big_endian)
            && let Some(uid) = map.uid
        {
            let package = map.package;
            sink(Record::App { uid, package });
        }
    }

    /// The library tells a block's type as if it were little-endian.
    const fn kind(&self, block_type: u32) -> u32 {
        match self.big_endian {
            true => block_type.swap_bytes(),
            false => block_type,
        }
    }

    fn half(&self, reader: &mut Reader<'_>) -> Result<u16, Truncated> {
        match self.big_endian {
            true => reader.u16_be(),
            false => reader.u16_le(),
        }
    }

    fn word(&self, reader: &mut Reader<'_>) -> Result<u32, Truncated> {
        match self.big_endian {
            true => reader.u32_be(),
            false => reader.u32_le(),
        }
    }

    fn known(&self, index: usize, offset: u64) -> Result<&Interface, CaptureProblem> {
        self.interfaces
            .get(index)
            .ok_or(CaptureProblem::UnknownInterface { offset })
    }

    /// Counters run from the start of the capture, so the difference is what is new.
    fn newly_dropped(&mut self, block: &InterfaceStatisticsBlock<'_>) -> u64 {
        let index = usize::try_from(block.if_id).unwrap_or(usize::MAX);
        let Some(interface) = self.interfaces.get_mut(index) else {
            return 0;
        };
        let counter = |bytes: [u8; 8]| {
            if self.big_endian {
                u64::from_be_bytes(bytes)
            } else {
                u64::from_le_bytes(bytes)
            }
        };
        let (dropped_by_interface, dropped_by_system) = (5, 7);
        let total = block
            .options
            .iter()
            .filter(|o| [dropped_by_interface, dropped_by_system].contains(&o.code.0))
            .filter_map(|option| Reader::new(option.value()).array().ok())
            .fold(0u64, |sum, bytes| sum.saturating_add(counter(bytes)));
        let new = total.saturating_sub(interface.dropped);
        interface.dropped = interface.dropped.max(total);
        new
    }
}

impl Interface {
    const fn new(block: &InterfaceDescriptionBlock<'_>) -> Self {
        let [low, high, ..] = block.linktype.0.to_le_bytes();
        Self {
            link: LinkType(u16::from_le_bytes([low, high])),
            snapshot_len: block.snaplen,
            resolution: block.if_tsresol,
            offset_seconds: block.if_tsoffset,
            dropped: 0,
        }
    }

    /// `if_tsresol`: the high bit chooses powers of two over powers of ten.
    fn nanoseconds(&self, ticks: u64) -> u64 {
        let exponent = u32::from(self.resolution & 0x7f);
        let per_second = if self.resolution & 0x80 == 0 {
            10u128.checked_pow(exponent)
        } else {
            1u128.checked_shl(exponent)
        };
        let since_offset =
            u128::from(ticks) * 1_000_000_000 / per_second.unwrap_or(u128::MAX).max(1);
        let offset = i128::from(self.offset_seconds) * 1_000_000_000;
        let at = i128::try_from(since_offset)
            .unwrap_or(i128::MAX)
            .saturating_add(offset);
        u64::try_from(at.max(0)).unwrap_or(u64::MAX)
    }
}

/// Names of addresses: each record is an address and names, each ended by a zero byte.
fn names(block: &NameResolutionBlock<'_>, sink: &mut dyn FnMut(Record<'_>)) {
    for record in &block.nr {
        let mut reader = Reader::new(record.record_value);
        let address = match record.record_type {
            NameRecordType::Ipv4 => reader.array().map(Ipv4Addr::from).map(IpAddr::V4),
            NameRecordType::Ipv6 => reader.array().map(Ipv6Addr::from).map(IpAddr::V6),
            _ => continue,
        };
        let Ok(address) = address else { continue };
        for name in reader.rest().split(|byte| *byte == 0) {
            if let Ok(name) = str::from_utf8(name)
                && !name.is_empty()
            {
                sink(Record::Name { address, name });
            }
        }
    }
}
