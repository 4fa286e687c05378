//! Serving a shell: its process on one side, an ADB stream on the other.

use super::daemon::Daemon;
use super::pty::Discipline;
use super::session::{Mode, start};
use crate::adapters::adb::AdbStream;
use crate::adapters::virtual_handset::kernel::descriptor::{Descriptor, Descriptors, Terminal};
use crate::adapters::virtual_handset::kernel::handset::Handset;
use crate::adapters::virtual_handset::kernel::launch::Child;
use crate::adapters::virtual_handset::kernel::pipe::{PipeReader, PipeWriter};
use crate::adapters::virtual_handset::kernel::signal::{HUP, INT};
use crate::wire::adb::shell::{ShellDecoder, ShellId, emit};
use bytes::Bytes;
use std::io;
use std::sync::{Arc, Weak};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

/// Bytes moved at a time.
const CHUNK: usize = 32 * 1024;

/// The pipes of a session, as the transport holds them.
struct Pipes {
    input: Option<PipeWriter>,
    output: PipeReader,
    errors: Option<PipeReader>,
    screen: Option<Screen>,
}

/// The terminal of a session.
#[derive(Clone)]
struct Screen {
    terminal: Arc<Terminal>,
    /// Where what is typed is echoed; the session's processes keep it open, not we.
    output: Weak<PipeWriter>,
}

/// Runs a session until its process has ended and all of its output has left, or the host is gone.
pub(super) async fn serve(daemon: Arc<Daemon>, mode: Mode, stream: AdbStream) {
    let (descriptors, pipes) = prepare(&daemon.handset, &mode);
    let Ok(child) = start(&daemon, &mode, descriptors) else {
        refuse(stream, &mode).await;
        return;
    };
    let handset = &daemon.handset;
    let (reader, writer) = tokio::io::split(stream);
    let Pipes {
        input,
        output,
        errors,
        screen,
    } = pipes;
    let typing = Typing {
        handset,
        child: &child,
        input,
        screen: screen.clone(),
        discipline: Discipline::default(),
    };
    tokio::select! {
        () = print(handset, &mode, &child, (output, errors), writer) => {}
        () = listen(typing, &mode, reader) => {
            // The host went away: what a closed terminal, or adbd itself, sends to its session.
            hang_up(handset, &child);
        }
    }
    if mode.pty {
        // The leader has ended: the terminal hangs up on those it leaves behind.
        hang_up(handset, &child);
    }
}

fn hang_up(handset: &Handset, child: &Child) {
    handset.with(|world| world.processes.kill_group(child.pid, HUP));
}

fn prepare(handset: &Handset, mode: &Mode) -> (Descriptors, Pipes) {
    let (stdin, input) = handset.pipe();
    let (output, stdout) = handset.pipe();
    let (stdin, stdout) = (Arc::new(stdin), Arc::new(stdout));
    if mode.pty {
        let terminal = Arc::new(Terminal::default());
        let screen = Screen {
            terminal: Arc::clone(&terminal),
            output: Arc::downgrade(&stdout),
        };
        let shown = Descriptor::TerminalOutput(stdout, Arc::clone(&terminal));
        let typed = Descriptor::TerminalInput(stdin, terminal);
        let descriptors = Descriptors::from([(0, typed), (1, shown.clone()), (2, shown)]);
        let pipes = Pipes {
            input: Some(input),
            output,
            errors: None,
            screen: Some(screen),
        };
        return (descriptors, pipes);
    }
    let stdout = Descriptor::Writer(stdout);
    let (stderr, errors) = if mode.v2 {
        let (errors, stderr) = handset.pipe();
        (Descriptor::Writer(Arc::new(stderr)), Some(errors))
    } else {
        (stdout.clone(), None)
    };
    let descriptors = Descriptors::from([(0, Descriptor::Reader(stdin)), (1, stdout), (2, stderr)]);
    let pipes = Pipes {
        input: Some(input),
        output,
        errors,
        screen: None,
    };
    (descriptors, pipes)
}

async fn refuse(mut stream: AdbStream, mode: &Mode) {
    let text = b"error: fork failed: Try again\n";
    let bytes = if mode.v2 {
        let text = emit(ShellId::Stderr, text).unwrap_or_default();
        [text, emit(ShellId::Exit, &[1]).unwrap_or_default()].concat()
    } else {
        text.to_vec()
    };
    // A host that is gone hears nothing.
    if stream.write_all(&bytes).await.is_ok() {
        stream.shutdown().await.ok();
    }
}

/// Brings output to the host, then the exit code where there is a place for it.
async fn print(
    handset: &Handset,
    mode: &Mode,
    child: &Child,
    (output, errors): (PipeReader, Option<PipeReader>),
    mut writer: WriteHalf<AdbStream>,
) {
    let copied = copy_output(handset, mode, child, &output, errors.as_ref(), &mut writer).await;
    if copied.is_err() {
        return;
    }
    let status = child.ended(handset).await;
    if mode.v2 {
        let exit = emit(ShellId::Exit, &[status.code()]).unwrap_or_default();
        if writer.write_all(&exit).await.is_err() {
            return;
        }
    }
    // Closes once all has left; a host that is gone needs no closing.
    writer.shutdown().await.ok();
}

async fn copy_output(
    handset: &Handset,
    mode: &Mode,
    child: &Child,
    output: &PipeReader,
    errors: Option<&PipeReader>,
    writer: &mut WriteHalf<AdbStream>,
) -> io::Result<()> {
    let mut errors = errors;
    let mut output = Some(output);
    // A terminal is closed when its leader ends, whoever else has it open.
    let mut leads = mode.pty;
    while output.is_some() || errors.is_some() {
        let (id, bytes) = tokio::select! {
            biased;
            bytes = read(output), if output.is_some() => (ShellId::Stdout, bytes),
            bytes = read(errors), if errors.is_some() => (ShellId::Stderr, bytes),
            _ = child.ended(handset), if leads => {
                leads = false;
                if output.is_none_or(PipeReader::is_empty) {
                    return Ok(());
                }
                continue;
            }
        };
        if bytes.is_empty() {
            match id {
                ShellId::Stderr => errors = None,
                _ => output = None,
            }
            continue;
        }
        if mode.v2 {
            let packet = emit(id, &bytes).unwrap_or_default();
            writer.write_all(&packet).await?;
        } else {
            writer.write_all(&bytes).await?;
        }
        if mode.pty && !leads && output.is_none_or(PipeReader::is_empty) {
            return Ok(());
        }
    }
    Ok(())
}

async fn read(pipe: Option<&PipeReader>) -> Bytes {
    match pipe {
        Some(pipe) => pipe.read(CHUNK).await,
        None => Bytes::new(),
    }
}

/// The host's input on its way to the process.
struct Typing<'a> {
    handset: &'a Handset,
    child: &'a Child,
    input: Option<PipeWriter>,
    screen: Option<Screen>,
    discipline: Discipline,
}

/// Brings the host's input to the process; returns when the host has closed the stream.
async fn listen(mut typing: Typing<'_>, mode: &Mode, mut reader: ReadHalf<AdbStream>) {
    let mut decoder = ShellDecoder::default();
    let mut buffer = vec![0; CHUNK];
    loop {
        let len = match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(len) => len,
        };
        let bytes = buffer.get(..len).unwrap_or_default();
        if !mode.v2 {
            typing.take(bytes).await;
            continue;
        }
        decoder.push(bytes);
        loop {
            match decoder.next_packet() {
                Ok(Some(packet)) => match packet.id {
                    ShellId::Stdin => typing.take(&packet.bytes).await,
                    ShellId::CloseStdin => typing.input = None,
                    _ => {}
                },
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

impl Typing<'_> {
    async fn take(&mut self, bytes: &[u8]) {
        let Some(screen) = self.screen.clone() else {
            self.pass(Bytes::copy_from_slice(bytes)).await;
            return;
        };
        let typed = self.discipline.type_in(&screen.terminal, bytes);
        if let (false, Some(output)) = (typed.echo.is_empty(), screen.output.upgrade()) {
            // Nobody looks at a screen that is gone.
            output.write(typed.echo.into()).await.ok();
        }
        if typed.interrupt {
            let group = self.child.pid;
            self.handset
                .with(|world| world.processes.kill_group(group, INT));
        }
        self.pass(typed.input.into()).await;
        if typed.end {
            self.input = None;
        }
    }

    /// To a process that no longer reads, input is lost, as in a closed pipe.
    async fn pass(&mut self, bytes: Bytes) {
        if let Some(input) = &self.input
            && input.write(bytes).await.is_err()
        {
            self.input = None;
        }
    }
}
