//! `shell` and `exec`: one command behind a stream, with a terminal or with pipes.
//! A host that is gone hangs it up; a host that does not read makes it wait, and nobody else.
//!
//! Source: AOSP `packages/modules/adb`, `daemon/shell_service.cpp`; 4.3's `system/core/adb/services.c`.

use super::daemon::Daemon;
use super::host_stream::{HostGone, HostStream};
use super::service::{Mode, Shell};
use super::terminal::{Effect, LineEditor};
use crate::adapters::virtual_handset::command::lookup::shell;
use crate::adapters::virtual_handset::kernel::descriptor::{Descriptor, Descriptors};
use crate::adapters::virtual_handset::kernel::handset::Handset;
use crate::adapters::virtual_handset::kernel::launch::{Child, Launch, body_of};
use crate::adapters::virtual_handset::kernel::pipe::{PipeReader, PipeWriter};
use crate::adapters::virtual_handset::kernel::process::{ERRORS, INPUT, OUTPUT};
use crate::adapters::virtual_handset::kernel::signal::{self, Status};
use crate::adapters::virtual_handset::kernel::terminal::Terminal;
use crate::wire::adb::shell::{ShellDecoder, ShellId, emit};
use bytes::Bytes;
use std::pin::pin;
use std::sync::{Arc, Weak};

/// Bytes of a command's output in one packet.
const MAX_OUTPUT: usize = 32 * 1024;

/// Runs a command for a host until it has ended or the host is gone.
pub(super) async fn serve(daemon: &Daemon, host: &HostStream, wish: Shell) {
    let packets = wish.packets;
    let Some((session, mut input)) = start(daemon, wish) else {
        // No process could be started: all that is left is to close the stream.
        return;
    };
    let ended = tokio::select! {
        ended = session.give_output(host, packets) => ended,
        HostGone = input.take(host, &session) => Err(HostGone),
    };
    match ended {
        Ok(status) if packets => {
            let code = emit(ShellId::Exit, &[status.code()]).unwrap_or_default();
            // A host that left meanwhile needs no exit code.
            host.write(&code).await.ok();
        }
        Ok(_) => {}
        Err(HostGone) => session.hang_up(),
    }
}

/// A command under way, and what comes out of it.
struct Session {
    handset: Handset,
    child: Child,
    terminal: Option<Arc<Terminal>>,
    output: PipeReader,
    errors: Option<PipeReader>,
}

/// What goes into a command.
struct Input {
    /// Until the host closes it.
    pipe: Option<Arc<PipeWriter>>,
    packets: Option<ShellDecoder>,
    editor: LineEditor,
    /// Where keys are echoed, as long as somebody holds the terminal open.
    echo: Weak<PipeWriter>,
}

/// Starts a command's shell and its pipes.
fn start(daemon: &Daemon, wish: Shell) -> Option<(Session, Input)> {
    let handset = daemon.handset().clone();
    let (input_reader, input_writer) = handset.pipe();
    let (output_reader, output_writer) = handset.pipe();
    let (input_reader, output_writer) = (Arc::new(input_reader), Arc::new(output_writer));
    let echo = Arc::downgrade(&output_writer);
    let mut errors_reader = None;
    let mut descriptors = Descriptors::new();
    let terminal = wish.terminal.map(|mode| {
        let terminal = Arc::new(Terminal::default());
        if mode == Mode::Raw {
            terminal.change(|settings| *settings = settings.raw());
        }
        terminal
    });
    if let Some(terminal) = &terminal {
        let input = Descriptor::TerminalInput(input_reader, Arc::clone(terminal));
        let output = Descriptor::TerminalOutput(output_writer, Arc::clone(terminal));
        descriptors.insert(INPUT, input);
        descriptors.insert(OUTPUT, output.clone());
        descriptors.insert(ERRORS, output);
    } else {
        let (reader, writer) = handset.pipe();
        errors_reader = Some(reader);
        descriptors.insert(INPUT, Descriptor::Reader(input_reader));
        descriptors.insert(OUTPUT, Descriptor::Writer(output_writer));
        descriptors.insert(ERRORS, Descriptor::Writer(Arc::new(writer)));
    }
    let mut arguments = vec!["/system/bin/sh".to_owned()];
    match wish.command {
        Some(command) => arguments.extend(["-c".to_owned(), command]),
        None => arguments.push("-".to_owned()),
    }
    let launch = Launch {
        arguments,
        environment: daemon.environment(wish.kind.as_deref()),
        directory: "/".to_owned(),
        user: daemon.user(),
        descriptors,
        parent: daemon.pid(),
        group: None,
        // adbd clears it, and its children inherit that.
        umask: 0,
        ignored: 0,
    };
    let child = handset.launch(launch, body_of(shell()?)).ok()?;
    if let Some(terminal) = &terminal {
        // Unless it has put a job there already.
        if terminal.foreground() == 0 {
            terminal.set_foreground(child.pid);
        }
    }
    let session = Session {
        handset,
        child,
        terminal,
        output: output_reader,
        errors: errors_reader,
    };
    let input = Input {
        pipe: Some(Arc::new(input_writer)),
        packets: wish.packets.then(ShellDecoder::default),
        editor: LineEditor::default(),
        echo,
    };
    Some((session, input))
}

impl Session {
    /// Passes on all that comes out, and gives how the command ended.
    async fn give_output(&self, host: &HostStream, packets: bool) -> Result<Status, HostGone> {
        if self.terminal.is_some() {
            return self.show(host, packets).await;
        }
        let errors = async {
            match &self.errors {
                Some(errors) => pass(errors, host, packets.then_some(ShellId::Stderr)).await,
                None => Ok(()),
            }
        };
        let output = pass(&self.output, host, packets.then_some(ShellId::Stdout));
        // Whoever still holds a pipe open keeps the stream open, as with a real adbd.
        tokio::try_join!(output, errors)?;
        Ok(self.child.ended(&self.handset).await)
    }

    /// The same for a terminal, which ends with the process that leads its session.
    async fn show(&self, host: &HostStream, packets: bool) -> Result<Status, HostGone> {
        let mut end = pin!(self.child.ended(&self.handset));
        let id = packets.then_some(ShellId::Stdout);
        let status = loop {
            tokio::select! {
                biased;
                bytes = self.output.read(MAX_OUTPUT) => {
                    if bytes.is_empty() {
                        break end.await;
                    }
                    write(host, id, &bytes).await?;
                }
                status = &mut end => break status,
            }
        };
        self.hang_up();
        while !self.output.is_empty() {
            write(host, id, &self.output.read(MAX_OUTPUT).await).await?;
        }
        Ok(status)
    }

    /// Tells the session's leader and who is in the foreground that nobody is there any more.
    fn hang_up(&self) {
        self.signal(self.child.pid, signal::HUP);
        let foreground = self.foreground();
        if foreground != self.child.pid {
            self.signal(foreground, signal::HUP);
            self.signal(foreground, signal::CONT);
        }
    }

    /// The group that keys' signals go to.
    fn foreground(&self) -> u32 {
        let terminal = self.terminal.as_ref();
        terminal.map_or(self.child.pid, |terminal| terminal.foreground())
    }

    fn signal(&self, group: u32, number: u8) {
        self.handset
            .with(|world| world.processes.kill_group(group, number));
    }

    /// Takes a window's size as adb tells it: `ROWSxCOLUMNS,WIDTHxHEIGHT`.
    fn resize(&self, text: &[u8]) {
        let size = std::str::from_utf8(text).ok().and_then(|text| {
            let (rows, columns) = text.split(',').next()?.split_once('x')?;
            Some((rows.parse().ok()?, columns.parse().ok()?))
        });
        let (Some(terminal), Some((rows, columns))) = (&self.terminal, size) else {
            return;
        };
        let settings = terminal.settings();
        if (settings.rows, settings.columns) != (rows, columns) {
            terminal.change(|settings| (settings.rows, settings.columns) = (rows, columns));
            self.signal(self.foreground(), signal::WINCH);
        }
    }
}

/// Passes on a pipe's bytes until its end.
async fn pass(pipe: &PipeReader, host: &HostStream, id: Option<ShellId>) -> Result<(), HostGone> {
    loop {
        let bytes = pipe.read(MAX_OUTPUT).await;
        if bytes.is_empty() {
            return Ok(());
        }
        write(host, id, &bytes).await?;
    }
}

async fn write(host: &HostStream, id: Option<ShellId>, bytes: &[u8]) -> Result<(), HostGone> {
    let Some(id) = id else {
        return host.write(bytes).await;
    };
    let packet = emit(id, bytes).unwrap_or_default();
    host.write(&packet).await
}

impl Input {
    /// Takes what the host sends until it is gone.
    async fn take(&mut self, host: &HostStream, session: &Session) -> HostGone {
        loop {
            let Ok(bytes) = host.read().await else {
                return HostGone;
            };
            let Some(mut packets) = self.packets.take() else {
                self.bytes(bytes, host, session).await;
                continue;
            };
            packets.push(&bytes);
            loop {
                match packets.next_packet() {
                    Ok(Some(packet)) => match packet.id {
                        ShellId::Stdin => self.bytes(packet.bytes, host, session).await,
                        // A terminal's input has no end but the key for it.
                        ShellId::CloseStdin if session.terminal.is_none() => self.pipe = None,
                        ShellId::WindowSize => session.resize(&packet.bytes),
                        _ => {}
                    },
                    Ok(None) => break,
                    // A host that breaks the protocol is of no use any more.
                    Err(_) => return HostGone,
                }
            }
            self.packets = Some(packets);
        }
    }

    async fn bytes(&mut self, bytes: Bytes, host: &HostStream, session: &Session) {
        let Some(terminal) = session.terminal.as_ref() else {
            return self.write(bytes, host).await;
        };
        for effect in self.editor.type_keys(&bytes, terminal.settings()) {
            match effect {
                Effect::Input(line) => self.write(line.into(), host).await,
                Effect::Echo(text) => {
                    if let Some(echo) = self.echo.upgrade() {
                        echo.offer(terminal.shown(text.into()));
                    }
                }
                Effect::End => {
                    if let Some(pipe) = &self.pipe {
                        pipe.end_once();
                    }
                }
                Effect::Signal(number) => session.signal(session.foreground(), number),
            }
        }
    }

    /// Writes to the command, for as long as it reads and the host is there.
    async fn write(&mut self, bytes: Bytes, host: &HostStream) {
        let Some(pipe) = &self.pipe else {
            return;
        };
        let broken = tokio::select! {
            written = pipe.write(bytes) => written.is_err(),
            // The next read says so too.
            () = host.gone() => false,
        };
        if broken {
            self.pipe = None;
        }
    }
}
