//! The two bulk endpoints of a gadget, as blocking directions of a link.
//!
//! As AOSP's adbd does it (`daemon/usb.cpp`): transfers of at most 16 KiB, and no empty packet after
//! a payload that fills its last one.

use crate::adapters::threaded_link::{BlockingReader, BlockingWriter, Farewell, Threads};
use crate::ports::link::LinkError;
use crate::wire::adb::packet::{HEADER_LEN, Packet};
use crate::wire::adb::transfer::{Opening, TransferAssembler};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Bytes moved at once: what AOSP uses, since the kernel wants them in one piece of memory. A
/// multiple of every packet size.
const CHUNK: usize = 16 * 1024;

/// `O_NONBLOCK` of Linux on every processor but a few old ones.
const NON_BLOCKING: i32 = 0o4000;

/// Both directions, each in its thread, until the host is unplugged.
pub(super) fn start(folder: &Path) -> io::Result<Threads> {
    let reader = Reader {
        file: OpenOptions::new().read(true).open(folder.join("ep1"))?,
        assembler: TransferAssembler::new(Opening::ByHost),
        buffer: vec![0; CHUNK],
    };
    let writer = Writer {
        file: OpenOptions::new().write(true).open(folder.join("ep2"))?,
    };
    // A read blocks until a host sends, however long nobody wants it.
    Threads::start(reader, writer, Farewell::Left)
}

/// Tells the host that its conversation is over, though it is plugged in: its next read fails.
///
/// FunctionFS halts an endpoint that is used in the wrong direction. Nothing is told to a host that
/// does not even read; it has no conversation to lose.
pub(super) fn halt(folder: &Path) {
    let endpoint = OpenOptions::new()
        .read(true)
        .custom_flags(NON_BLOCKING)
        .open(folder.join("ep2"));
    if let Ok(mut endpoint) = endpoint {
        // Fails by design, with `EBADMSG`.
        let _ = endpoint.read(&mut [0; CHUNK]);
    }
}

struct Reader {
    file: File,
    assembler: TransferAssembler,
    buffer: Vec<u8>,
}

impl BlockingReader for Reader {
    fn receive(&mut self, is_wanted: &dyn Fn() -> bool) -> Option<Result<Packet, LinkError>> {
        while is_wanted() {
            let read = match self.file.read(&mut self.buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Some(Err(LinkError::Io(error))),
            };
            let bytes = self.buffer.get(..read).unwrap_or_default();
            match self.assembler.push(bytes, read < CHUNK) {
                Ok(None) => {}
                Ok(Some(packet)) => return Some(Ok(packet)),
                Err(error) => return Some(Err(LinkError::Transfer(error))),
            }
        }
        None
    }
}

struct Writer {
    file: File,
}

impl BlockingWriter for Writer {
    fn send(
        &mut self,
        header: &[u8; HEADER_LEN],
        payload: &[u8],
        _: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        self.file.write_all(header)?;
        payload
            .chunks(CHUNK)
            .try_for_each(|chunk| self.file.write_all(chunk))
    }
}
