//! A socket to where an adb server listens: TCP, or a Unix socket by path or by abstract name.
//! Tries each address of a name once, and retries nothing.

use crate::ports::transport::ByteStream;
use crate::wire::adb::server::address::ServerAddress;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::{TcpStream, UnixStream};

/// Connects.
pub(super) async fn dial(address: &ServerAddress) -> io::Result<ByteStream> {
    match address {
        ServerAddress::Loopback(port) => {
            // As adb does: a server may listen on either.
            let loopback = [
                SocketAddr::from((Ipv4Addr::LOCALHOST, *port)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, *port)),
            ];
            match TcpStream::connect(&loopback[..1]).await {
                Ok(socket) => tcp(socket),
                Err(error) => match TcpStream::connect(&loopback[1..]).await {
                    Ok(socket) => tcp(socket),
                    Err(_) => Err(error),
                },
            }
        }
        ServerAddress::Tcp { host, port } => tcp(TcpStream::connect((host.as_str(), *port)).await?),
        ServerAddress::File(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        // A leading NUL is how tokio names the abstract namespace.
        ServerAddress::Abstract(name) => {
            Ok(Box::new(UnixStream::connect(format!("\0{name}")).await?))
        }
    }
}

fn tcp(socket: TcpStream) -> io::Result<ByteStream> {
    socket.set_nodelay(true)?;
    Ok(Box::new(socket))
}
