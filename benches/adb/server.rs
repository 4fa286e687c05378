//! A stock adb server between both sides: what our smart-socket client costs beside a bare one, and
//! beside `adb pull` and `adb push`. Starts a server of its own and ends it.

use crate::handset::{Adbd, Handset};
use phonehome::adapters::adb_server::{AdbServer, AdbServerTransport, Target};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::wire::adb::server::address::ServerAddress;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A stock adb server on a port of its own, with the handsets that it was told of.
pub(crate) struct Server {
    process: Child,
    program: String,
    address: SocketAddr,
    /// Its HOME, and the files that it pulls.
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// `None` where there is no adb: `PHONEHOME_ADB` names one, else the one on the path.
    pub(crate) fn start() -> Option<Self> {
        let program = std::env::var("PHONEHOME_ADB").unwrap_or_else(|_| "adb".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let process = command(&program, folder.path(), address)
            .args(["nodaemon", "server"])
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "the adb server did not start");
            std::thread::yield_now();
        }
        Some(Self {
            process,
            program,
            address,
            folder,
        })
    }

    /// Tells the server of a handset; gives its serial.
    pub(crate) fn connect(&self, handset: SocketAddr) -> String {
        let mut socket = request(self.address, &format!("host:connect:{handset}"));
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("connected to"), "{answer}");
        let _ = request(
            self.address,
            &format!("host-serial:{handset}:wait-for-any-device"),
        );
        handset.to_string()
    }

    /// Our own client.
    pub(crate) async fn transport(&self, serial: &str) -> AdbServerTransport {
        let clock = Arc::new(SystemClock::new());
        let server = AdbServer::new(ServerAddress::Loopback(self.address.port()), clock);
        let target = Target::Serial(serial.to_owned());
        let attaching = AdbServerTransport::attach(server, &target, serial);
        attaching.await.unwrap()
    }

    /// A shell step by a client that does nothing else, on a socket of the operating system's.
    pub(crate) fn bare_shell(address: SocketAddr, serial: &str) {
        let mut socket = request(address, &format!("host:transport:{serial}"));
        ask(&mut socket, "shell,v2,raw:true");
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap();
        assert_eq!(all, [3, 1, 0, 0, 0, 0]);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `adb -s SERIAL …` to its end.
    pub(crate) fn adb(&self, serial: &str, arguments: &[&str]) {
        let output = command(&self.program, self.folder.path(), self.address)
            .args(["-s", serial])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

fn command(program: &str, home: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command
        .args(["-P", &address.port().to_string()])
        .env("HOME", home)
        .env("ADB_MDNS", "0")
        .env("ADB_USB", "0")
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

fn request(address: SocketAddr, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    ask(&mut socket, request);
    socket
}

fn ask(socket: &mut TcpStream, request: &str) {
    let bytes = format!("{:04x}{request}", request.len());
    socket.write_all(bytes.as_bytes()).unwrap();
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"OKAY", "{request}");
}

/// Handsets, each on a port of its own, and the serials by which the server has them.
pub(crate) async fn handsets(server: &Server, count: usize) -> Vec<(String, Handset)> {
    let mut handsets = Vec::new();
    for _ in 0..count {
        let (address, handset) = Handset::listen(Adbd::default()).await;
        let serial = tokio::task::block_in_place(|| server.connect(address));
        handsets.push((serial, handset));
    }
    handsets
}
