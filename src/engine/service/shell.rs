//! Commands on the handset. With shell v2 (Android 7 and later) stdout and stderr are apart and the
//! exit status is adbd's; before that there is one merged stream, and a trailer carries the status.
//! The command line is passed on as it is: quoting is the caller's. Nothing is retried.

use crate::ports::clock::{Clock, within};
use crate::ports::transport::{ByteStream, Transport, TransportError};
use crate::wire::adb::shell::{
    MergedDecoder, ShellCodecError, ShellDecoder, ShellId, emit, with_trailer,
};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes read from the handset at once.
const READ_CHUNK: usize = 64 * 1024;

/// How long a command may run, and how much of its output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From its start to its exit status.
    pub timeout: Duration,
    /// Bytes of stdout and stderr together; more is read and dropped.
    pub max_output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            max_output: 4 * 1024 * 1024,
        }
    }
}

/// What a command wrote and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its output; with a merged shell stderr too.
    pub stdout: Vec<u8>,
    /// Its error output; empty with a merged shell.
    pub stderr: Vec<u8>,
    /// Its exit status. `None`: a merged shell ended without a trailer (a syntax error in the command
    /// line, or a shell that was killed), so that the output may be cut short.
    pub exit: Option<u8>,
    /// Whether the shell merges stdout and stderr.
    pub merged: bool,
    /// Whether output above the limit was dropped.
    pub truncated: bool,
}

impl Output {
    /// Whether the command is known to have ended with status 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.exit == Some(0)
    }

    /// Its output as text, what is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    fn keep(&mut self, id: ShellId, bytes: &[u8], max_output: usize) {
        let room = max_output.saturating_sub(self.stdout.len() + self.stderr.len());
        let kept = bytes.get(..room).unwrap_or(bytes);
        self.truncated |= kept.len() < bytes.len();
        match id {
            ShellId::Stderr => self.stderr.extend_from_slice(kept),
            _ => self.stdout.extend_from_slice(kept),
        }
    }
}

/// Why there is no exit status.
#[derive(Clone, Debug, Error)]
pub enum ShellError {
    /// The shell could not be opened, or the connection was lost while it ran.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The command ran too long; it was hung up on.
    #[error("the command `{command}` did not end within {} s", after.as_secs_f64())]
    TimedOut {
        /// The command line.
        command: String,
        /// The limit.
        after: Duration,
        /// What it wrote before.
        output: Box<Output>,
    },
    /// adbd closed the shell without an exit status: adbd or the handset went away.
    #[error("the handset closed the shell without an exit status")]
    Unfinished,
    /// Not shell v2.
    #[error("the handset broke the shell protocol")]
    Malformed(#[from] ShellCodecError),
}

/// Runs a command with empty input to its end.
///
/// # Errors
/// A status other than 0 is no error; not knowing how the command ended is.
pub async fn run(
    transport: &dyn Transport,
    clock: &dyn Clock,
    command: &str,
    limits: Limits,
) -> Result<Output, ShellError> {
    let shell = stream(transport, command).await?;
    to_the_end(shell, clock, command, limits).await
}

/// Runs a command of one of Android's services to its end without a shell between (`abb:`, Android 10
/// and later, feature `abb`): `words` are those after `cmd`, passed as they are.
///
/// # Errors
/// As [`run`].
pub async fn abb(
    transport: &dyn Transport,
    clock: &dyn Clock,
    words: &[&str],
    limits: Limits,
) -> Result<Output, ShellError> {
    let stream = transport.open(&format!("abb:{}", words.join("\0"))).await?;
    let shell = ShellStream::new(stream, Decoder::Packets(ShellDecoder::default()));
    to_the_end(shell, clock, &words.join(" "), limits).await
}

async fn to_the_end(
    mut shell: ShellStream,
    clock: &dyn Clock,
    command: &str,
    limits: Limits,
) -> Result<Output, ShellError> {
    let mut output = Output {
        merged: shell.is_merged(),
        ..Output::default()
    };
    let collecting = collect(&mut shell, &mut output, limits.max_output);
    match within(clock, limits.timeout, "a command to end", collecting).await {
        Ok(collected) => collected.map(|()| output),
        Err(timed_out) => Err(ShellError::TimedOut {
            command: command.to_owned(),
            after: timed_out.after,
            output: Box::new(output),
        }),
    }
}

async fn collect(
    shell: &mut ShellStream,
    output: &mut Output,
    max_output: usize,
) -> Result<(), ShellError> {
    while let Some(chunk) = shell.next().await? {
        match chunk {
            Chunk::Stdout(bytes) => output.keep(ShellId::Stdout, &bytes, max_output),
            Chunk::Stderr(bytes) => output.keep(ShellId::Stderr, &bytes, max_output),
            Chunk::Exit(status) => output.exit = status,
        }
    }
    Ok(())
}

/// Starts a command with empty input whose output is read as it comes: logcat, tcpdump. Dropping the
/// stream hangs up on it.
pub async fn stream(transport: &dyn Transport, command: &str) -> Result<ShellStream, ShellError> {
    let (service, decoder) = if transport.banner().has("shell_v2") {
        let decoder = Decoder::Packets(ShellDecoder::default());
        (format!("shell,v2,raw:{command}"), decoder)
    } else {
        let marker = marker(command);
        let decoder = Decoder::Merged(MergedDecoder::new(&marker));
        (format!("shell:{}", with_trailer(command, &marker)), decoder)
    };
    let mut stream = transport.open(&service).await?;
    if let Decoder::Packets(_) = decoder
        && let Some(close_stdin) = emit(ShellId::CloseStdin, b"")
    {
        // A command that has ended already does not take it; what is read next tells why.
        let _ = stream.write_all(&close_stdin).await;
    }
    Ok(ShellStream::new(stream, decoder))
}

/// Starts a command as a plain stream of bytes both ways (`exec:`, Android 5 and later): no terminal,
/// no stderr apart, no exit status.
pub async fn exec(transport: &dyn Transport, command: &str) -> Result<ByteStream, TransportError> {
    transport.open(&format!("exec:{command}")).await
}

/// A part of a running command's output, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Output; with a merged shell error output too.
    Stdout(Bytes),
    /// Error output.
    Stderr(Bytes),
    /// The end, and the exit status as in [`Output::exit`].
    Exit(Option<u8>),
}

/// A running command.
pub struct ShellStream {
    stream: ByteStream,
    decoder: Decoder,
    buffer: Vec<u8>,
    chunks: VecDeque<Chunk>,
}

enum Decoder {
    Packets(ShellDecoder),
    Merged(MergedDecoder),
    Ended,
}

impl ShellStream {
    fn new(stream: ByteStream, decoder: Decoder) -> Self {
        Self {
            stream,
            decoder,
            buffer: vec![0; READ_CHUNK],
            chunks: VecDeque::new(),
        }
    }

    /// The next part; after [`Chunk::Exit`] nothing. Cancel-safe: nothing is lost when the future is
    /// dropped.
    ///
    /// # Errors
    /// [`ShellError::Transport`] when the connection is lost, after everything that came before.
    pub async fn next(&mut self) -> Result<Option<Chunk>, ShellError> {
        loop {
            if let Some(chunk) = self.chunks.pop_front() {
                return Ok(Some(chunk));
            }
            if let Decoder::Ended = self.decoder {
                return Ok(None);
            }
            let read = self.stream.read(&mut self.buffer).await;
            let len = read.map_err(|error| TransportError::of_stream(&error))?;
            let bytes = self.buffer.get(..len).unwrap_or_default();
            self.decoder.handle(bytes, &mut self.chunks)?;
        }
    }

    /// Whether stdout and stderr are one.
    #[must_use]
    pub const fn is_merged(&self) -> bool {
        matches!(self.decoder, Decoder::Merged(_))
    }
}

impl Decoder {
    /// Takes what was read; nothing means that the stream has ended.
    fn handle(&mut self, bytes: &[u8], chunks: &mut VecDeque<Chunk>) -> Result<(), ShellError> {
        match self {
            Self::Packets(_) if bytes.is_empty() => return Err(ShellError::Unfinished),
            Self::Packets(decoder) => {
                decoder.push(bytes);
                while let Some(packet) = decoder.next_packet()? {
                    match packet.id {
                        ShellId::Stdout => chunks.push_back(Chunk::Stdout(packet.bytes)),
                        ShellId::Stderr => chunks.push_back(Chunk::Stderr(packet.bytes)),
                        ShellId::Exit => {
                            chunks.push_back(Chunk::Exit(packet.bytes.first().copied()));
                            *self = Self::Ended;
                            return Ok(());
                        }
                        ShellId::Stdin | ShellId::CloseStdin | ShellId::WindowSize => {}
                    }
                }
            }
            Self::Merged(_) if bytes.is_empty() => {
                let Self::Merged(decoder) = std::mem::replace(self, Self::Ended) else {
                    return Ok(());
                };
                let (rest, status) = decoder.finish();
                push_output(rest, chunks);
                chunks.push_back(Chunk::Exit(status));
            }
            Self::Merged(decoder) => push_output(decoder.push(bytes), chunks),
            Self::Ended => {}
        }
        Ok(())
    }
}

fn push_output(bytes: Vec<u8>, chunks: &mut VecDeque<Chunk>) {
    if !bytes.is_empty() {
        chunks.push_back(Chunk::Stdout(bytes.into()));
    }
}

/// What a merged command's trailer starts with: the same for the same command, so that a recorded
/// run can be replayed, and nothing that a command's own output holds.
fn marker(command: &str) -> String {
    let digest = Sha256::digest(command.as_bytes());
    let short = digest.get(..8).unwrap_or(&digest);
    format!("phonehome-exit-{}:", HEXLOWER.encode(short))
}
