//! The two bulk endpoints of a claimed handset, as blocking directions of a link.
//!
//! As AOSP's host does it (`client/transport_usb.cpp`, `docs/dev/zero_length_packet.md`): header and
//! payload are separate transfers; what is sent and fills its last packet is followed by an empty
//! one; handsets send no such packet, so no more is asked for than the payload rounded up.

use crate::adapters::threaded_link::{BlockingReader, BlockingWriter};
use crate::adapters::usb::claim::Claim;
use crate::adapters::usb::interface::Endpoint;
use crate::ports::link::LinkError;
use crate::wire::adb::packet::{HEADER_LEN, Packet};
use crate::wire::adb::transfer::{Opening, TransferAssembler};
use rusb::{Context, DeviceHandle, Error};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a read waits before it looks whether anybody still wants it.
const READ_SLICE: Duration = Duration::from_millis(200);

/// The same of a write; longer, since each end of a wait cancels a transfer.
const WRITE_SLICE: Duration = Duration::from_millis(500);

/// Bytes asked for at once.
const READ_CHUNK: usize = 64 * 1024;

/// How long a handset has to be silent before a conversation is begun.
const QUIET: Duration = Duration::from_millis(50);

/// After so long, a handset that is never silent is spoken to all the same.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// An open handset whose ADB interface is claimed.
pub(super) struct Claimed {
    pub(super) handle: DeviceHandle<Context>,
    // Dropped last: whoever waits for it finds the interface released.
    _claim: Claim,
}

impl Claimed {
    pub(super) const fn new(handle: DeviceHandle<Context>, claim: Claim) -> Self {
        Self {
            handle,
            _claim: claim,
        }
    }
}

/// The receiving direction.
pub(super) struct UsbReader {
    handset: Arc<Claimed>,
    endpoint: Endpoint,
    assembler: TransferAssembler,
    buffer: Vec<u8>,
}

impl UsbReader {
    pub(super) fn new(handset: Arc<Claimed>, endpoint: Endpoint) -> Self {
        let packets = (READ_CHUNK / endpoint.packet_size).max(1);
        Self {
            handset,
            endpoint,
            assembler: TransferAssembler::new(Opening::ByHandset),
            buffer: vec![0; packets * endpoint.packet_size],
        }
    }

    /// Throws away what the handset still has to say to somebody who is gone: a `CNXN` meant for
    /// them would later look like a handset that started anew.
    #[expect(
        clippy::disallowed_methods,
        reason = "libusb's own waits are real time too, and nothing above sees this one"
    )]
    pub(super) fn drain(&mut self) -> rusb::Result<()> {
        let started = Instant::now();
        while started.elapsed() < DRAIN_LIMIT {
            let read =
                self.handset
                    .handle
                    .read_bulk(self.endpoint.address, &mut self.buffer, QUIET);
            match read {
                Ok(_) => {}
                Err(Error::Timeout) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl BlockingReader for UsbReader {
    fn receive(&mut self, is_wanted: &dyn Fn() -> bool) -> Option<Result<Packet, LinkError>> {
        let Endpoint {
            address,
            packet_size,
        } = self.endpoint;
        while is_wanted() {
            let wanted = self.assembler.missing().next_multiple_of(packet_size);
            let len = match self.assembler.is_searching() {
                // The rest of a mebibyte, packet by packet, takes longer than a greeting may.
                true => self.buffer.len(),
                false => wanted.min(self.buffer.len()),
            };
            let buffer = self.buffer.get_mut(..len).unwrap_or_default();
            let read = match self.handset.handle.read_bulk(address, buffer, READ_SLICE) {
                Ok(read) => read,
                Err(Error::Timeout | Error::Interrupted) => continue,
                Err(error) => return Some(Err(LinkError::Io(io_error(error)))),
            };
            let bytes = buffer.get(..read).unwrap_or_default();
            // A wait that ended with a part of a transfer gives whole packets, as does the transfer
            // that goes on: only a short one tells its end.
            let is_end = read % packet_size != 0;
            match self.assembler.push(bytes, is_end) {
                Ok(None) => {}
                Ok(Some(packet)) => return Some(Ok(packet)),
                Err(error) => return Some(Err(LinkError::Transfer(error))),
            }
        }
        None
    }
}

/// The sending direction.
pub(super) struct UsbWriter {
    handset: Arc<Claimed>,
    endpoint: Endpoint,
}

impl UsbWriter {
    pub(super) const fn new(handset: Arc<Claimed>, endpoint: Endpoint) -> Self {
        Self { handset, endpoint }
    }

    fn transfer(&self, bytes: &[u8], is_wanted: &dyn Fn() -> bool) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = self.write(rest, is_wanted)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        if bytes.len().is_multiple_of(self.endpoint.packet_size) {
            self.write(&[], is_wanted)?;
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8], is_wanted: &dyn Fn() -> bool) -> io::Result<usize> {
        loop {
            let written = self
                .handset
                .handle
                .write_bulk(self.endpoint.address, bytes, WRITE_SLICE);
            match written {
                Ok(written) => return Ok(written),
                Err(Error::Timeout | Error::Interrupted) if is_wanted() => {}
                Err(error) => return Err(io_error(error)),
            }
        }
    }
}

impl BlockingWriter for UsbWriter {
    fn send(
        &mut self,
        header: &[u8; HEADER_LEN],
        payload: &[u8],
        is_wanted: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        self.transfer(header, is_wanted)?;
        if !payload.is_empty() {
            self.transfer(payload, is_wanted)?;
        }
        Ok(())
    }
}

/// What a failed transfer means for the handset.
fn io_error(error: Error) -> io::Error {
    let (kind, text) = match error {
        Error::NoDevice => (io::ErrorKind::NotConnected, "the handset was unplugged"),
        Error::Pipe => (
            io::ErrorKind::ConnectionReset,
            "the handset's adbd ended the conversation",
        ),
        Error::Io => (
            io::ErrorKind::BrokenPipe,
            "a USB transfer failed: unplugged, or a bad cable or hub",
        ),
        other => return io::Error::other(other),
    };
    io::Error::new(kind, text)
}
