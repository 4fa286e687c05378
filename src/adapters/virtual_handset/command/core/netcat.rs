//! `nc`: bytes to and from a socket inside the handset. Of the world outside it reaches nothing.

use super::super::support::{CHUNK, Options, options};
use super::job;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::kernel::descriptor::Descriptor;
use crate::adapters::virtual_handset::kernel::pipe::PipeReader;
use crate::adapters::virtual_handset::kernel::process::{INPUT, OUTPUT, Process, Stop};
use crate::adapters::virtual_handset::network::local::{Connection, Listener, SocketName};
use bytes::Bytes;
use std::sync::Arc;

/// `nc [-46lLnU] [-p port] [-q seconds] [-s address] [-w seconds] {host port | -l [command…]}`
pub(super) async fn nc(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "46lLnutUE", "pqswWf", &[], true);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    if options.has('l') || options.has('L') {
        return listen(process, &options).await;
    }
    let name = match options.operands.as_slice() {
        [path] if options.has('U') => Some(SocketName::Unix(process.path(path))),
        [host, port] => match (is_here(host), port.parse()) {
            (true, Ok(port)) => Some(SocketName::Tcp(port)),
            (false, Ok::<u16, _>(_)) => None,
            _ => return process.refuse(&format!("bad port '{port}'"), 1).await,
        },
        _ => return process.usage("bad argument count").await,
    };
    let dialled = match name {
        Some(name) => process.handset.dial(&name),
        // No server of the simulated internet is for netcat.
        None => Err(FileError::Refused),
    };
    match dialled {
        Ok(connection) => relay(process, connection).await,
        Err(error) => process.refuse(&format!("connect: {error}"), 1).await,
    }
}

fn is_here(host: &str) -> bool {
    matches!(host, "localhost" | "::1") || host.starts_with("127.")
}

async fn listen(process: &mut Process, options: &Options) -> Result<u8, Stop> {
    let wanted = options.value('p');
    let name = match (options.has('U'), options.operands.first()) {
        (true, Some(path)) => SocketName::Unix(process.path(path)),
        _ => match wanted.unwrap_or("0").parse() {
            Ok(port) => SocketName::Tcp(port),
            Err(_) => return process.usage("bad -p").await,
        },
    };
    let uid = process.user.uid;
    let listener = match process.handset.listen(name, uid) {
        Ok(listener) => listener,
        Err(error) => return process.refuse(&format!("bind: {error}"), 1).await,
    };
    if let (None, SocketName::Tcp(port)) = (wanted, listener.name()) {
        process.print(format!("{port}\n")).await?;
    }
    let command = options.operands.clone();
    if options.has('L') {
        loop {
            serve(process, &listener, &command).await?;
        }
    }
    serve(process, &listener, &command).await
}

/// Serves one connection: by a command, or by passing on.
async fn serve(process: &mut Process, listener: &Listener, command: &[String]) -> Result<u8, Stop> {
    let connection = process.accept(listener).await?;
    if command.is_empty() {
        return relay(process, connection).await;
    }
    let Connection { reader, writer } = connection;
    job::run(process, command.to_vec(), |launch| {
        let descriptors = &mut launch.descriptors;
        descriptors.insert(INPUT, Descriptor::Reader(Arc::new(reader)));
        descriptors.insert(OUTPUT, Descriptor::Writer(Arc::new(writer)));
    })
    .await
}

/// Passes on both ways until the socket's other end has finished.
async fn relay(process: &mut Process, connection: Connection) -> Result<u8, Stop> {
    let Connection { reader, writer } = connection;
    let mut writer = Some(Descriptor::Writer(Arc::new(writer)));
    let mut input = match process.descriptors.get(&INPUT).cloned() {
        Some(Descriptor::Reader(pipe) | Descriptor::TerminalInput(pipe, _)) => Some(pipe),
        Some(_) => {
            copy_input(process, writer.take()).await?;
            None
        }
        None => {
            writer = None;
            None
        }
    };
    loop {
        let (bytes, is_socket) = first(process, &reader, input.as_ref()).await?;
        match (is_socket, bytes.is_empty()) {
            (true, true) => return Ok(0),
            (true, false) => process.print(bytes).await?,
            // The end of what is typed closes this direction only.
            (false, true) => (input, writer) = (None, None),
            (false, false) => send(process, writer.as_ref(), bytes).await?,
        }
    }
}

/// Sends all of an input that never makes anybody wait.
async fn copy_input(process: &mut Process, writer: Option<Descriptor>) -> Result<(), Stop> {
    loop {
        match process.read_from(INPUT, CHUNK).await? {
            Ok(bytes) if !bytes.is_empty() => send(process, writer.as_ref(), bytes).await?,
            _ => return Ok(()),
        }
    }
}

async fn send(
    process: &mut Process,
    writer: Option<&Descriptor>,
    bytes: Bytes,
) -> Result<(), Stop> {
    match writer {
        Some(writer) => process.write_descriptor(writer, bytes).await,
        None => Ok(()),
    }
}

/// What comes first, and whether it came from the socket.
async fn first(
    process: &mut Process,
    socket: &PipeReader,
    input: Option<&Arc<PipeReader>>,
) -> Result<(Bytes, bool), Stop> {
    process
        .block(|wait| {
            if let Some(bytes) = socket.poll_read(CHUNK, wait) {
                return Some((bytes, true));
            }
            let bytes = input?.poll_read(CHUNK, wait)?;
            Some((bytes, false))
        })
        .await
}
