//! The peers: what is behind a connection, how it is started, and how it is reached.

use crate::common::{free_port, which};
use phonehome::adapters::adb::{HostConfig, connect};
use phonehome::adapters::adb_keys::AdbKey;
use phonehome::adapters::adb_server::{AdbServer, AdbServerTransport, Target};
use phonehome::adapters::forward::ReversedPorts;
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::tls::HostTls;
use phonehome::adapters::tracer::traced;
use phonehome::adapters::virtual_handset::firmware::decode::parse;
use phonehome::adapters::virtual_handset::firmware::shipped::shipped;
use phonehome::adapters::virtual_handset::handset::{HandsetOptions, VirtualHandset};
use phonehome::adapters::{replay, tcp, usb};
use phonehome::ports::BoxFuture;
use phonehome::ports::clock::Clock;
use phonehome::ports::link::Link;
use phonehome::ports::signer::Signer;
use phonehome::ports::store::{Appender, StoreError};
use phonehome::ports::transport::{Transport, TransportError};
use phonehome::wire::adb::server::address::ServerAddress;
use phonehome::wire::adb::transcript::Transcript;
use std::any::Any;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

type Connected = Result<Arc<dyn Transport>, TransportError>;

/// Makes one more connection.
type Connect = Box<dyn Fn() -> BoxFuture<'static, Connected> + Send + Sync>;

/// Why a peer is not on this machine.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

/// A handset, and a way to it.
pub(crate) struct Peer {
    pub(crate) world: World,
    pub(crate) connect: Connect,
    /// What the handset may open here; an adb server decides by itself.
    pub(crate) reversed: Option<Arc<ReversedPorts>>,
    /// What lives as long as the peer: programs, handsets.
    _alive: Vec<Box<dyn Any + Send + Sync>>,
}

/// What is behind a connection, as its own source says.
#[derive(Clone, Copy)]
pub(crate) struct World {
    /// Features that its adbd must tell.
    pub(crate) features: &'static [&'static str],
    /// The largest payload that its adbd takes.
    pub(crate) max_payload: usize,
    pub(crate) has_exec: bool,
    pub(crate) tools: Tools,
    /// Whether it can be restarted, and be reached again the same way.
    pub(crate) restarts: bool,
    pub(crate) has_packages: bool,
    /// Whether its adbd can become root.
    pub(crate) gives_root: bool,
    pub(crate) is_behind_server: bool,
    /// It takes one connection at a time.
    pub(crate) is_alone: bool,
}

/// Whose commands it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tools {
    /// Up to Android 5.
    Toolbox,
    /// From Android 6 on.
    Toybox,
    /// On a Debian that plays a handset.
    Busybox,
}

/// AOSP 14, `transport.cpp`; Debian's 34.0.5 is built from it.
const ANDROID_14: World = World {
    features: &[
        "shell_v2",
        "cmd",
        "stat_v2",
        "ls_v2",
        "fixed_push_mkdir",
        "sendrecv_v2",
        "sendrecv_v2_brotli",
        "sendrecv_v2_lz4",
        "sendrecv_v2_zstd",
        "sendrecv_v2_dry_run_send",
    ],
    max_payload: 1 << 20,
    has_exec: true,
    tools: Tools::Toybox,
    restarts: true,
    has_packages: true,
    gives_root: true,
    is_behind_server: false,
    is_alone: false,
};

/// AOSP 4.3, `system/core/adb/adb.h`.
const ANDROID_4_3: World = World {
    features: &[],
    max_payload: 4096,
    has_exec: false,
    tools: Tools::Toolbox,
    restarts: true,
    has_packages: false,
    gives_root: false,
    is_behind_server: false,
    is_alone: false,
};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn handset(firmware: &str) -> (VirtualHandset, World) {
    let (_, text) = shipped()
        .iter()
        .find(|(name, _)| *name == firmware)
        .unwrap();
    let options = HandsetOptions {
        serial: "V0".to_owned(),
        seed: 1,
        clock: clock(),
    };
    let world = match firmware {
        "android-14" => ANDROID_14,
        _ => ANDROID_4_3,
    };
    let handset = VirtualHandset::start(parse(text).unwrap(), options);
    (handset.unwrap(), world)
}

/// How connections of our own are made: with a key, and what the handset may open.
#[derive(Clone)]
struct Way {
    key: Arc<AdbKey>,
    reversed: Arc<ReversedPorts>,
}

impl Way {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/adb");
        let key = AdbKey::load(&folder.join("adbkey"), "test@here").unwrap();
        Self {
            key: Arc::new(key),
            reversed: Arc::default(),
        }
    }

    async fn over(self, link: Link) -> Connected {
        let signer = Arc::clone(&self.key) as Arc<dyn Signer>;
        let mut config = HostConfig::new("conformance", vec![signer]);
        config.tls = Some(Arc::new(HostTls::new(vec![self.key])));
        config.services = Some(self.reversed);
        let transport = connect(link, config, clock()).await?;
        Ok(Arc::new(transport))
    }

    async fn dial(self, address: String) -> Connected {
        let limit = Duration::from_secs(10);
        let link = tcp::dial(&address, "conformance", limit, &*clock()).await?;
        self.over(link).await
    }

    /// A peer at a TCP address.
    fn to(self, address: String, world: World, alive: Box<dyn Any + Send + Sync>) -> Peer {
        Peer {
            world,
            reversed: Some(Arc::clone(&self.reversed)),
            connect: Box::new(move || Box::pin(self.clone().dial(address.clone()))),
            _alive: vec![alive],
        }
    }
}

/// A virtual handset in this process.
pub(crate) fn in_process(firmware: &str) -> Result<Peer, Missing> {
    let (handset, world) = handset(firmware);
    let handset = Arc::new(handset);
    let (alive, way) = (Arc::clone(&handset), Way::new());
    Ok(Peer {
        world,
        reversed: Some(Arc::clone(&way.reversed)),
        connect: Box::new(move || Box::pin(way.clone().over(handset.connect()))),
        _alive: vec![Box::new(alive)],
    })
}

/// A virtual handset over TCP.
pub(crate) async fn tcp(firmware: &str) -> Result<Peer, Missing> {
    let (handset, world) = handset(firmware);
    let any = "127.0.0.1:0".parse().unwrap();
    let address = handset.listen(any).await.unwrap().to_string();
    Ok(Way::new().to(address, world, Box::new(handset)))
}

/// The same with wireless debugging: TCP, and TLS inside it.
pub(crate) async fn tls(firmware: &str) -> Result<Peer, Missing> {
    let (handset, world) = handset(firmware);
    let way = Way::new();
    handset.known_hosts().add(way.key.public().clone());
    let any = "127.0.0.1:0".parse().unwrap();
    let address = handset.listen_tls(any).await.unwrap().to_string();
    Ok(way.to(address, world, Box::new(handset)))
}

/// The handset on USB that `PHONEHOME_USB_SERIAL` names: `PHONEHOME_USB_TOOLS` is `toybox` for ours of
/// Android 14, `busybox` for a real adbd.
pub(crate) async fn usb() -> Result<Peer, Missing> {
    let serial = of_text("PHONEHOME_USB_SERIAL").map_err(Missing)?;
    let (tools, has_packages) = match of_text("PHONEHOME_USB_TOOLS").as_deref() {
        Ok("toybox") => (Tools::Toybox, true),
        Ok("busybox") => (Tools::Busybox, false),
        other => panic!("PHONEHOME_USB_TOOLS is {other:?}"),
    };
    let way = Way::new();
    let connect = move || -> BoxFuture<'static, Connected> {
        let (serial, way) = (serial.clone(), way.clone());
        Box::pin(async move { way.over(usb::open(&serial).await.unwrap()).await })
    };
    Ok(Peer {
        world: World {
            tools,
            has_packages,
            is_alone: true,
            restarts: false,
            ..ANDROID_14
        },
        reversed: None,
        connect: Box::new(connect),
        _alive: Vec::new(),
    })
}

fn of_text(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} says nothing"))
}

/// Transcripts of connections, in the order they were made.
#[derive(Clone, Default)]
pub(crate) struct Recording(Arc<Mutex<Vec<Page>>>);

type Page = Arc<Mutex<Vec<u8>>>;

struct Pages(Page);

impl Appender for Pages {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Recording {
    /// A virtual handset in this process, whose connections are written down.
    pub(crate) fn of(&self, firmware: &str) -> Peer {
        let (handset, world) = handset(firmware);
        let handset = Arc::new(handset);
        let (alive, pages) = (Arc::clone(&handset), Arc::clone(&self.0));
        let connect = move || -> BoxFuture<'static, Connected> {
            let page = Page::default();
            pages.lock().unwrap().push(Arc::clone(&page));
            let link = traced(
                handset.connect(),
                "recorded",
                Box::new(Pages(page)),
                clock(),
            );
            Box::pin(Way::new().over(link))
        };
        Peer {
            world,
            reversed: None,
            connect: Box::new(connect),
            _alive: vec![Box::new(alive)],
        }
    }

    /// What was written down, as a handset.
    pub(crate) fn replayed(self, world: World) -> Peer {
        let pages = self.0.lock().unwrap().clone();
        let rest = Mutex::new(pages.into_iter());
        let connect = move || -> BoxFuture<'static, Connected> {
            let page = rest.lock().unwrap().next();
            let page = page.expect("no more connections than were recorded");
            let transcript = Transcript::parse(&page.lock().unwrap()).unwrap();
            Box::pin(Way::new().over(replay::link(&transcript)))
        };
        Peer {
            world,
            reversed: None,
            connect: Box::new(connect),
            _alive: Vec::new(),
        }
    }
}

/// An adb of others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Adb {
    /// Debian 12's.
    R29,
    /// Of its backports.
    R34,
    /// Google's own.
    R36,
}

impl Adb {
    fn program(self) -> Result<PathBuf, Missing> {
        match self {
            Self::R29 => which("adb").ok_or_else(|| "there is no adb on this machine".to_owned()),
            Self::R34 => of_variable("PHONEHOME_ADB_34"),
            Self::R36 => of_variable("PHONEHOME_ADB_36"),
        }
        .map_err(Missing)
    }
}

fn of_variable(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os(name).map(PathBuf::from);
    path.ok_or_else(|| format!("{name} names no program"))
}

/// An adb server of this test's own; it is ended with the peer.
struct Server {
    program: PathBuf,
    port: u16,
    home: tempfile::TempDir,
}

impl Server {
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("timeout")
            .args(["-k", "5", "60"])
            .arg(&self.program)
            .args(arguments)
            .env("HOME", self.home.path())
            .env("TMPDIR", self.home.path())
            .env("ANDROID_ADB_SERVER_PORT", self.port.to_string())
            .envs([("ADB_USB", "0"), ("ADB_MDNS", "0")])
            .env_remove("ANDROID_SERIAL")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

/// A virtual handset through an adb server of others.
pub(crate) async fn adb_server(adb: Adb, firmware: &str) -> Result<Peer, Missing> {
    let server = Server {
        program: adb.program()?,
        port: free_port(),
        home: tempfile::tempdir().unwrap(),
    };
    let (handset, world) = handset(firmware);
    let any = "127.0.0.1:0".parse().unwrap();
    let serial = handset.listen(any).await.unwrap().to_string();
    // It ends with 0 whatever happens: its text tells.
    let said = server.run(&["connect", &serial]);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(text.contains("connected to"), "{said:?}");
    let waited = server.run(&["-s", &serial, "wait-for-device"]);
    assert!(waited.status.success(), "{waited:?}");
    let port = server.port;
    let connect = move || -> BoxFuture<'static, Connected> {
        let serial = serial.clone();
        Box::pin(async move {
            let server = AdbServer::new(ServerAddress::Loopback(port), clock());
            let target = Target::Serial(serial);
            let transport = AdbServerTransport::attach(server, &target, "conformance").await?;
            Ok(Arc::new(transport) as Arc<dyn Transport>)
        })
    };
    Ok(Peer {
        // A server takes its time to find a handset again.
        world: World {
            restarts: false,
            is_behind_server: true,
            ..world
        },
        reversed: None,
        connect: Box::new(connect),
        _alive: vec![Box::new(server), Box::new(handset)],
    })
}

/// A program that ends with the peer.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Debian's adbd, which is AOSP's, in a root of its own.
pub(crate) async fn adbd_34() -> Result<Peer, Missing> {
    let program = of_variable("PHONEHOME_ADBD").map_err(Missing)?;
    let port = free_port();
    let mut started = Command::new(program)
        .env("ADBD_PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Running)
        .unwrap();
    let address = format!("127.0.0.1:{port}");
    let way = Way::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    // It tells nobody when it listens.
    while let Err(error) = way.clone().dial(address.clone()).await {
        assert!(Instant::now() < deadline, "adbd does not answer: {error}");
        let ended = started.0.try_wait().unwrap();
        assert!(ended.is_none(), "adbd ended: {ended:?}");
        tokio::task::yield_now().await;
    }
    let world = World {
        tools: Tools::Busybox,
        restarts: false,
        has_packages: false,
        ..ANDROID_14
    };
    Ok(way.to(address, world, Box::new(started)))
}
