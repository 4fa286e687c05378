//! `VirtualHandset`: one simulated handset, reached in-process or over TCP, by real ADB bytes.

use super::adbd::daemon::Daemon;
use super::adbd::power;
use super::android::state::boot;
use super::command::install::lay_down;
use super::console::{self, Console, ConsoleToken};
use super::files::error::FileError;
use super::firmware::model::Firmware;
use super::kernel::handset::Handset;
use super::kernel::world::World;
use crate::adapters::adb_pairing::{Invitation, PairError, invite};
use crate::adapters::fault_injector::Faults;
use crate::adapters::in_process;
use crate::adapters::tls::{DeviceTls, KnownKeys, TlsError};
use crate::ports::clock::Clock;
use crate::ports::link::{Link, Securer};
use crate::wire::adb::auth::PublicKey;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// What makes two handsets of one firmware differ.
#[derive(Clone)]
pub struct HandsetOptions {
    /// Its serial number.
    pub serial: String,
    /// What everything random in it is drawn from.
    pub seed: u64,
    /// The host's clock, along which its time flows.
    pub clock: Arc<dyn Clock>,
}

/// Why a handset can not start.
#[derive(Debug, Error)]
pub enum HandsetError {
    /// The firmware asks for files that exclude each other.
    #[error("the firmware's files cannot be laid down: {0}")]
    Files(String),
    /// TLS came with Android 11.
    #[error("Android {release} has no wireless debugging")]
    TooOld {
        /// Its version.
        release: String,
    },
    /// No certificate for TLS.
    #[error("the handset has no TLS")]
    Tls(#[source] TlsError),
    /// The operating system's own error.
    #[error("cannot listen there")]
    Listen(#[source] io::Error),
}

/// Where adbd listens in an emulator, whatever the emulator's own port.
const EMULATED_PORT: u16 = 5555;

/// The API level of Android 11.
const SDK_OF_ANDROID_11: u32 = 30;

impl From<FileError> for HandsetError {
    fn from(error: FileError) -> Self {
        Self::Files(error.to_string())
    }
}

/// A handset that shows its owner a pairing code.
pub struct OpenPairing {
    /// Where it waits for the host.
    pub address: SocketAddr,
    /// What it shows.
    pub code: String,
    /// How it ended: with the key of the host that is known from then on. Nothing comes if the
    /// handset loses its power first.
    pub outcome: oneshot::Receiver<Result<PublicKey, PairError>>,
}

/// A running handset. Dropping it cuts its power: connections break, processes end.
pub struct VirtualHandset {
    handset: Handset,
    daemon: Arc<Daemon>,
    firmware: Arc<Firmware>,
    clock: Arc<dyn Clock>,
    serial: String,
    seed: u64,
    tasks: std::sync::Mutex<JoinSet<()>>,
}

impl VirtualHandset {
    /// Starts a handset. Must be called within a tokio runtime, which runs it from then on.
    ///
    /// # Errors
    /// If the firmware's files exclude each other.
    pub fn start(firmware: Firmware, options: HandsetOptions) -> Result<Self, HandsetError> {
        let firmware = Arc::new(firmware);
        let clock = options.clock;
        let mut world = World::new(
            Arc::clone(&firmware),
            &options.serial,
            options.seed,
            Arc::clone(&clock),
        );
        lay_down(&mut world)?;
        boot(&mut world);
        let handset = Handset::start(world, Arc::clone(&clock));
        let started = Self {
            daemon: Daemon::start(handset.clone(), Arc::clone(&firmware), Arc::clone(&clock)),
            handset,
            firmware,
            clock,
            serial: options.serial,
            seed: options.seed,
            tasks: std::sync::Mutex::default(),
        };
        started.spawn(power::watch(Arc::clone(&started.daemon)));
        Ok(started)
    }

    /// Makes it skip a time in which nothing but sleep happens only when every open service has lasted so
    /// long, or as long since its host last typed. A fresh handset skips such times at once.
    pub fn be_patient(&self, quiet: Duration) {
        self.handset.set_patience(quiet);
    }

    /// Its serial number.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Has these go wrong on every connection from now on; a second call changes nothing.
    pub fn inject(&self, faults: Faults) {
        self.daemon.inject(faults);
    }

    /// The host's end of a new connection inside this process.
    #[must_use]
    pub fn connect(&self) -> Link {
        let (host, device) = in_process::pair();
        self.spawn(Arc::clone(&self.daemon).attend(device, None));
        host
    }

    /// The same over wireless debugging: the handset demands TLS, and lets in hosts it knows.
    ///
    /// # Errors
    /// [`HandsetError::TooOld`] before Android 11.
    pub fn connect_tls(&self) -> Result<Link, HandsetError> {
        let (host, device) = in_process::pair();
        self.spawn(Arc::clone(&self.daemon).attend(device, Some(self.tls()?)));
        Ok(host)
    }

    /// The hosts that it knows: those paired with it, and whoever is added. They need no owner.
    #[must_use]
    pub fn known_hosts(&self) -> &KnownKeys {
        self.daemon.known()
    }

    /// Serves the host that is plugged in at the other end of `link` until it leaves, misbehaves, or
    /// adbd restarts.
    pub fn attend_usb(&self, link: Link) -> impl Future<Output = ()> + Send + use<> {
        Arc::clone(&self.daemon).attend_usb(link)
    }

    /// Lets hosts connect over TCP, as many as come; gives the address that was bound.
    ///
    /// # Errors
    /// The operating system's, if the address can not be bound.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        self.spawn(Arc::clone(&self.daemon).listen(listener, None));
        Ok(bound)
    }

    /// The same for wireless debugging, as [`Self::connect_tls`].
    ///
    /// # Errors
    /// [`HandsetError::TooOld`] before Android 11; the operating system's, if the address can not
    /// be bound.
    pub async fn listen_tls(&self, address: SocketAddr) -> Result<SocketAddr, HandsetError> {
        let tls = self.tls()?;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(HandsetError::Listen)?;
        let bound = listener.local_addr().map_err(HandsetError::Listen)?;
        self.spawn(Arc::clone(&self.daemon).listen(listener, Some(tls)));
        Ok(bound)
    }

    /// Opens the console of an emulator there. Hosts connect to an emulator from then on: the handset
    /// sees them at the port 5555, whichever they came to.
    ///
    /// # Errors
    /// The operating system's, if the address can not be bound.
    pub async fn open_console(
        &self,
        address: SocketAddr,
        token: ConsoleToken,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let console = Console {
            handset: self.handset.clone(),
            token,
            name: self.firmware.name.clone(),
        };
        self.daemon.lead_to(EMULATED_PORT);
        self.spawn(console::serve(listener, console));
        Ok(bound)
    }

    /// Opens "Pair device with pairing code": the first host that has the code is known from then
    /// on, and the pairing closes; after twenty wrong ones too. A code that is not given is drawn
    /// from the seed.
    ///
    /// # Errors
    /// As [`Self::listen_tls`].
    pub async fn open_pairing(
        &self,
        address: SocketAddr,
        code: Option<String>,
    ) -> Result<OpenPairing, HandsetError> {
        self.has_wireless_debugging()?;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(HandsetError::Listen)?;
        let address = listener.local_addr().map_err(HandsetError::Listen)?;
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let drawn = format!("{:06}", random.random_range(0..1_000_000));
        let letters = (0..6).map(|_| char::from(random.random_range(b'a'..=b'z')));
        // As `AdbDebuggingManager` makes `persist.adb.wifi.guid`.
        let guid = format!("adb-{}-{}", self.serial, letters.collect::<String>());
        let code = code.unwrap_or(drawn);
        let invitation = Invitation {
            code: code.clone(),
            guid,
        };
        let (known, clock) = (self.known_hosts().clone(), Arc::clone(&self.clock));
        let (ended, outcome) = oneshot::channel();
        self.spawn(async move {
            // Whether anybody wants to know is not the handset's affair.
            let _ = ended.send(invite(listener, &invitation, &known, clock).await);
        });
        Ok(OpenPairing {
            address,
            code,
            outcome,
        })
    }

    fn has_wireless_debugging(&self) -> Result<(), HandsetError> {
        if self.firmware.sdk < SDK_OF_ANDROID_11 {
            let release = self.firmware.release.clone();
            return Err(HandsetError::TooOld { release });
        }
        Ok(())
    }

    fn tls(&self) -> Result<Arc<dyn Securer>, HandsetError> {
        self.has_wireless_debugging()?;
        let known = self.known_hosts().clone();
        let tls = DeviceTls::new(known, Arc::clone(&self.clock)).map_err(HandsetError::Tls)?;
        Ok(Arc::new(tls))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = super::kernel::scheduler::lock(&self.tasks);
        // Those that have ended are forgotten here.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl Drop for VirtualHandset {
    fn drop(&mut self) {
        super::kernel::scheduler::lock(&self.tasks).abort_all();
        self.handset.power_off();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::adb::{AdbTransport, HostConfig, connect};
    use crate::adapters::system_clock::SystemClock;
    use crate::adapters::virtual_handset::firmware::model::{Root, Userland};
    use crate::adapters::virtual_handset::kernel::handset::tests::plain_firmware;
    use crate::ports::transport::{Transport, TransportError};
    use crate::wire::adb::shell::{ShellDecoder, ShellId};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock::new())
    }

    fn handset(userland: Userland, root: Root) -> VirtualHandset {
        let options = HandsetOptions {
            serial: "S1".to_owned(),
            seed: 1,
            clock: clock(),
        };
        VirtualHandset::start(plain_firmware(userland, root), options).unwrap()
    }

    async fn attach(handset: &VirtualHandset) -> AdbTransport {
        let config = HostConfig::new("virtual:plain", Vec::new());
        connect(handset.connect(), config, clock()).await.unwrap()
    }

    async fn talk(transport: &AdbTransport, service: &str) -> String {
        let mut stream = transport.open(service).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        String::from_utf8_lossy(&all).into_owned()
    }

    /// stdout, stderr and exit code of shell v2.
    async fn talk_v2(transport: &AdbTransport, service: &str) -> (String, String, Option<u8>) {
        let raw = {
            let mut stream = transport.open(service).await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            all
        };
        let mut decoder = ShellDecoder::default();
        decoder.push(&raw);
        let (mut out, mut errors, mut exit) = (Vec::new(), Vec::new(), None);
        while let Some(packet) = decoder.next_packet().unwrap() {
            match packet.id {
                ShellId::Stdout => out.extend_from_slice(&packet.bytes),
                ShellId::Stderr => errors.extend_from_slice(&packet.bytes),
                ShellId::Exit => exit = packet.bytes.first().copied(),
                _ => {}
            }
        }
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(out), text(errors), exit)
    }

    #[tokio::test]
    async fn shells_answer_as_their_version_does() {
        let old = handset(Userland::Toolbox43, Root::Su);
        let transport = attach(&old).await;
        assert!(transport.banner().features.is_empty());
        let merged = talk(&transport, "shell:echo out; echo err >&2; nosuch; echo $?").await;
        let expected = "out\r\nerr\r\n/system/bin/sh: nosuch: not found\r\n127\r\n";
        assert_eq!(merged, expected);
        let su = talk(&transport, "shell:su -c 'id; echo $((6*7))'").await;
        assert_eq!(su, "uid=0(root) gid=0(root) context=u:r:init:s0\r\n42\r\n");
        for refused in ["exec:id", "shell,v2:id", "nosuch:", "unroot:"] {
            let opened = transport.open(refused).await;
            assert!(
                matches!(opened, Err(TransportError::Refused { .. })),
                "{refused}"
            );
        }

        let new = handset(Userland::Toybox14, Root::Adb);
        let transport = attach(&new).await;
        assert!(transport.banner().has("shell_v2"));
        let apart = talk_v2(&transport, "shell,v2,raw:echo out; echo err >&2; exit 7").await;
        assert_eq!(apart, ("out\n".to_owned(), "err\n".to_owned(), Some(7)));
        let unknown = talk_v2(&transport, "shell,v2,raw:nosuch").await;
        let said = "/system/bin/sh: nosuch: inaccessible or not found\n".to_owned();
        assert_eq!(unknown, (String::new(), said, Some(127)));
        assert_eq!(talk(&transport, "exec:echo a").await, "a\n");
    }

    #[tokio::test]
    async fn a_day_of_sleep_takes_no_time_while_another_stream_follows() {
        let handset = handset(Userland::Toybox14, Root::Adb);
        let transport = attach(&handset).await;
        let mut other = transport.open("shell,v2,raw:cat").await.unwrap();
        let before = Duration::from_secs(86_399);
        let slept = talk(&transport, "exec:sleep 86400; cat /proc/uptime").await;
        let uptime: f64 = slept.split(' ').next().unwrap().parse().unwrap();
        assert!(uptime > before.as_secs_f64());
        let packet = crate::wire::adb::shell::emit(ShellId::Stdin, b"still here\n").unwrap();
        other.write_all(&packet).await.unwrap();
        let mut answer = vec![0; 16];
        other.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer[5..], b"still here\n");
    }

    #[tokio::test]
    async fn eight_shells_at_once() {
        let handset = handset(Userland::Toybox14, Root::Adb);
        let transport = Arc::new(attach(&handset).await);
        let mut shells = JoinSet::new();
        for number in 0..8 {
            let transport = Arc::clone(&transport);
            shells.spawn(async move {
                let script = "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo $i | cat; done | (n=0; while read l; do n=$((n+l)); done; echo $n)";
                let service = format!("shell,v2,raw:{script}; exit {number}");
                (number, talk_v2(&transport, &service).await)
            });
        }
        while let Some(joined) = shells.join_next().await {
            let (number, answer) = joined.unwrap();
            assert_eq!(answer, ("1275\n".to_owned(), String::new(), Some(number)));
        }
    }

    #[tokio::test]
    async fn root_is_for_those_builds_that_have_it() {
        let closed = handset(Userland::Toybox14, Root::None);
        let transport = attach(&closed).await;
        let said = talk(&transport, "root:").await;
        assert_eq!(said, "adbd cannot run as root in production builds\n");
        let open = handset(Userland::Toybox14, Root::Adb);
        let transport = attach(&open).await;
        assert_eq!(talk(&transport, "root:").await, "restarting adbd as root\n");
        while transport.lost().is_none() {
            tokio::task::yield_now().await;
        }
        let again = attach(&open).await;
        assert_eq!(talk(&again, "exec:id -u").await, "0\n");
    }

    /// One sync session, its requests sent at once; gives the answer's bytes.
    async fn sync(transport: &AdbTransport, requests: &[Vec<u8>]) -> Vec<u8> {
        let mut stream = transport.open("sync:").await.unwrap();
        stream.write_all(&requests.concat()).await.unwrap();
        let quit = crate::wire::adb::sync::Request::Quit.emit();
        stream.write_all(&quit).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        all
    }

    fn send(path: &str, bytes: &[u8]) -> Vec<Vec<u8>> {
        use crate::wire::adb::sync::{MAX_DATA, Request, emit_data, emit_done};
        let request = Request::Send {
            path: path.to_owned(),
            mode: Some(0o100_640),
        };
        let mut messages = vec![request.emit()];
        messages.extend(bytes.chunks(MAX_DATA).map(emit_data));
        messages.push(emit_done(1_407_628_800));
        messages
    }

    #[tokio::test]
    async fn files_go_both_ways_whole() {
        use crate::wire::adb::sync::{Chunk, Request, Stat, Status, SyncDecoder};
        let handset = handset(Userland::Toybox14, Root::Adb);
        let transport = attach(&handset).await;
        let bytes: Vec<u8> = (0..1_000_003u32)
            .map(|n| n.to_le_bytes()[0] ^ 0x5a)
            .collect();
        let path = "/data/local/tmp/new/dir/file".to_owned();
        let mut decoder = SyncDecoder::default();
        decoder.push(&sync(&transport, &send(&path, &bytes)).await);
        assert_eq!(decoder.next_status(), Ok(Some(Status::Okay)));
        assert!(decoder.is_at_boundary());

        let asked = [
            Request::Stat { path: path.clone() }.emit(),
            Request::Receive { path: path.clone() }.emit(),
        ];
        let mut decoder = SyncDecoder::default();
        decoder.push(&sync(&transport, &asked).await);
        let expected = Stat {
            // The owner's bits are copied to group, and then those to others.
            mode: 0o100_666,
            size: 1_000_003,
            mtime: 1_407_628_800,
        };
        assert_eq!(decoder.next_stat(), Ok(Some(expected)));
        let mut back = Vec::new();
        while let Ok(Some(Chunk::Bytes(part))) = decoder.next_chunk() {
            back.extend_from_slice(&part);
        }
        assert!(back == bytes, "{} bytes came back", back.len());
    }

    #[tokio::test]
    async fn sync_refuses_as_its_version_does() {
        use crate::wire::adb::sync::{Chunk, Request, Stat, Status, SyncDecoder};
        for (userland, create, open) in [
            (
                Userland::Toolbox43,
                "Permission denied",
                "No such file or directory",
            ),
            (
                Userland::Toybox14,
                "couldn't create file: Permission denied",
                "open failed: No such file or directory",
            ),
        ] {
            let handset = handset(userland, Root::None);
            let transport = attach(&handset).await;
            let mut decoder = SyncDecoder::default();
            decoder.push(&sync(&transport, &send("/data/x", b"12")).await);
            let refused = Status::Fail(create.to_owned());
            assert_eq!(decoder.next_status(), Ok(Some(refused)));
            let path = "/data/local/tmp/nope".to_owned();
            let asked = [
                Request::Stat { path: path.clone() }.emit(),
                Request::Receive { path }.emit(),
            ];
            let mut decoder = SyncDecoder::default();
            decoder.push(&sync(&transport, &asked).await);
            assert_eq!(decoder.next_stat(), Ok(Some(Stat::default())));
            assert_eq!(decoder.next_chunk(), Ok(Some(Chunk::Fail(open.to_owned()))));
        }
    }

    #[tokio::test]
    async fn a_terminal_echoes_prompts_and_passes_ctrl_c() {
        let handset = handset(Userland::Toolbox43, Root::Su);
        let transport = attach(&handset).await;
        let mut stream = transport.open("shell:").await.unwrap();
        let mut seen = String::new();
        for (typed, until) in [
            ("", "shell@plain:/ $ "),
            ("cat\r", "cat\r\r\n"),
            ("twice\r", "twice\r\ntwice\r\n"),
            ("\u{3}", "^C\r\n130|shell@plain:/ $ "),
            ("echo $?\r", "echo $?\r\r\n130\r\nshell@plain:/ $ "),
            ("exit\r", "exit\r\r\n"),
        ] {
            stream.write_all(typed.as_bytes()).await.unwrap();
            let mut answer = String::new();
            while answer != until {
                let byte = stream.read_u8().await.unwrap();
                answer.push(char::from(byte));
                assert!(
                    until.starts_with(&answer),
                    "{seen}{answer:?}, expected {until:?}"
                );
            }
            seen.push_str(&answer);
        }
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_host_that_leaves_takes_its_session_along() {
        let handset = handset(Userland::Toolbox43, Root::Su);
        let transport = attach(&handset).await;
        let running = |name: &'static str| {
            let inner = handset.handset.clone();
            move || inner.with(|world| world.processes.iter().any(|entry| entry.name() == name))
        };
        let mut stream = transport
            .open("shell:echo ready; cat & cat | cat")
            .await
            .unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'r');
        let is_running = running("cat");
        while !is_running() {
            tokio::task::yield_now().await;
        }
        drop(stream);
        while is_running() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn many_hosts_over_tcp() {
        let handset = handset(Userland::Toybox14, Root::Adb);
        let address = handset
            .listen("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let limit = Duration::from_secs(10);
        let mut transports = Vec::new();
        for _ in 0..3 {
            let link = crate::adapters::tcp::dial(&address.to_string(), "x", limit, &*clock())
                .await
                .unwrap();
            let config = HostConfig::new("x", Vec::new());
            transports.push(connect(link, config, clock()).await.unwrap());
        }
        for transport in &transports {
            assert_eq!(talk(transport, "exec:echo hi").await, "hi\n");
        }
    }
}
