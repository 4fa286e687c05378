//! The client against a scripted server: what is asked on each socket, and what the answers mean.

use crate::adapters::adb_server::{AdbServer, AdbServerTransport, Forward, Target};
use crate::adapters::system_clock::SystemClock;
use crate::ports::transport::{Transport, TransportError};
use crate::wire::adb::server::address::ServerAddress;
use crate::wire::adb::state::State;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a real server (adb 29) wrote for such a handset.
const LISTED: &str = "127.0.0.1:5555         device product:n model:m_1 device:d transport_id:3\n";

/// Answers by request; each request that comes takes the first answer that is still there for it.
type Script = Vec<(&'static str, Vec<u8>)>;

fn okay(text: &str) -> Vec<u8> {
    format!("OKAY{:04x}{text}", text.len()).into_bytes()
}

fn fail(text: &str) -> Vec<u8> {
    format!("FAIL{:04x}{text}", text.len()).into_bytes()
}

/// A server that answers by the script, and closes a socket on what is not in it.
async fn server(script: Script) -> (AdbServer, Arc<Mutex<Script>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp:{}", listener.local_addr().unwrap());
    let script = Arc::new(Mutex::new(script));
    let left = Arc::clone(&script);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket, Arc::clone(&script)));
        }
    });
    let address = ServerAddress::parse(&address).unwrap();
    (AdbServer::new(address, Arc::new(SystemClock::new())), left)
}

async fn answer(mut socket: TcpStream, script: Arc<Mutex<Script>>) {
    loop {
        let mut length = [0; 4];
        if socket.read_exact(&mut length).await.is_err() {
            return;
        }
        let length = usize::from_str_radix(std::str::from_utf8(&length).unwrap(), 16).unwrap();
        let mut request = vec![0; length];
        socket.read_exact(&mut request).await.unwrap();
        let request = String::from_utf8(request).unwrap();
        let answer = {
            let mut script = script.lock().unwrap();
            let at = script.iter().position(|(name, _)| *name == request);
            at.map(|at| script.remove(at).1)
        };
        let Some(answer) = answer else { return };
        socket.write_all(&answer).await.unwrap();
        if !request.starts_with("host:transport") {
            return;
        }
    }
}

fn attached() -> Script {
    vec![
        ("host:devices-l", okay(LISTED)),
        ("host-transport-id:3:features", okay("shell_v2,cmd,stat_v2")),
    ]
}

async fn attach(script: Script) -> Result<AdbServerTransport, TransportError> {
    let (server, _) = server(script).await;
    let target = Target::Serial("127.0.0.1:5555".to_owned());
    AdbServerTransport::attach(server, &target, "server:x").await
}

/// Attaches and opens `service` with the rest of the script.
async fn open(rest: Script, service: &str) -> Result<Vec<u8>, TransportError> {
    let transport = attach([attached(), rest].concat()).await.unwrap();
    let mut stream = transport.open(service).await?;
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes).await;
    read.map_err(|error| TransportError::of_io(&error).unwrap().clone())?;
    Ok(bytes)
}

#[tokio::test]
async fn a_handset_is_described_by_the_server() {
    let transport = attach(attached()).await.unwrap();
    let banner = transport.banner();
    assert_eq!(banner.state, "device");
    assert!(banner.has("shell_v2") && !banner.has("delayed_ack"));
    assert_eq!(banner.properties["ro.product.model"], "m_1");
    assert_eq!(transport.handset_port(), Some(5555));
    assert_eq!(transport.endpoints(), None);
    let (server, left) = server(vec![("host:version", okay("0029"))]).await;
    assert_eq!(server.version().await.unwrap(), 41);
    assert!(left.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_used_is_told_by_its_state() {
    let check = async |list: &str, expected: &str| {
        let listed = vec![("host:devices-l", okay(list))];
        let error = attach(listed).await.err().unwrap();
        assert!(error.to_string().starts_with(expected), "{error}");
    };
    let refused = "handset `server:x` has not authorised this computer";
    check("127.0.0.1:5555 unauthorized transport_id:1", refused).await;
    let offline = "handset `server:x` is `offline`";
    check("127.0.0.1:5555 offline transport_id:1", offline).await;
    let unknown = "there is no handset `server:x`: the adb server at 127.0.0.1:";
    check("another device transport_id:1", unknown).await;
    check("", unknown).await;
    let several =
        "127.0.0.1:5555 device usb:1-2 transport_id:1\n127.0.0.1:5555 offline transport_id:2";
    let choices = "several handsets are `server:x`: server:transport_id:1 (device at usb:1-2), server:transport_id:2 (offline)";
    check(several, choices).await;
}

/// What a handshake comes to is awaited, as the server tells it.
#[tokio::test]
async fn a_handshake_under_way_is_awaited() {
    let under_way = LISTED.replace("device product", "authorizing product");
    let refused = LISTED.replace("device product", "unauthorized product");
    let track = |lists: &[&str]| {
        let told = lists.iter().map(|list| format!("{:04x}{list}", list.len()));
        format!("OKAY{}", told.collect::<String>()).into_bytes()
    };
    let script = |last| {
        vec![
            ("host:devices-l", okay(&under_way)),
            (
                "host:track-devices-l",
                track(&[&under_way, &under_way, last]),
            ),
            ("host-transport-id:3:features", okay("cmd")),
        ]
    };
    let transport = attach(script(LISTED)).await.unwrap();
    assert!(transport.banner().has("cmd"));
    let error = attach(script(&refused)).await.err().unwrap();
    assert!(
        matches!(error, TransportError::Unauthorized { .. }),
        "{error}"
    );
    let error = attach(script("")).await.err().unwrap();
    assert!(matches!(error, TransportError::Unknown { .. }), "{error}");
}

#[tokio::test]
async fn no_adb_server_is_told() {
    let server = AdbServer::new(ServerAddress::Loopback(1), Arc::new(SystemClock::new()));
    let error = server.devices().await.unwrap_err().to_string();
    let expected = "no adb server answers at `127.0.0.1:1`: Connection refused";
    assert!(error.starts_with(expected), "{error}");
    for (answer, expected) in [
        (&b"HTTP/1.1 400"[..], "answered `HTTP`, not OKAY or FAIL"),
        (b"OKAYzzzz", "gave a length of `zzzz`, not four hex digits"),
        (b"OKAY0010half", "did not answer"),
        (b"", "did not answer"),
    ] {
        let error = attach(vec![("host:devices-l", answer.to_vec())]).await;
        let error = error.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_service_has_its_own_socket() {
    let rest = vec![
        ("host:transport-id:3", b"OKAY".to_vec()),
        ("exec:id", b"OKAYuid=0\n".to_vec()),
        ("host:devices-l", okay(LISTED)),
    ];
    assert_eq!(open(rest, "exec:id").await.unwrap(), b"uid=0\n");
    let rest = vec![
        ("host:transport-id:3", b"OKAY".to_vec()),
        ("nothing:", fail("closed")),
    ];
    let error = open(rest, "nothing:").await.unwrap_err();
    let expected = "the handset refused the service `nothing:`: closed";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_lost_handset_is_not_the_end_of_input() {
    let after = [
        "127.0.0.1:5555 offline transport_id:3",
        "127.0.0.1:5555 device transport_id:4",
        "",
    ];
    for list in after {
        let rest = vec![
            ("host:transport-id:3", b"OKAY".to_vec()),
            ("exec:id", b"OKAYhalf".to_vec()),
            ("host:devices-l", okay(list)),
        ];
        let error = open(rest, "exec:id").await.unwrap_err();
        assert!(matches!(error, TransportError::Lost { .. }), "{error}");
    }
    let gone = fail("device '127.0.0.1:5555' not found");
    let rest = vec![("host:transport-id:3", gone)];
    let error = open(rest, "exec:id").await.unwrap_err();
    assert!(matches!(error, TransportError::Lost { .. }), "{error}");
}

/// adb 29 aborts on such a name (`connect_to_remote`: `CHECK_LE(len, max_payload)`).
#[tokio::test]
async fn a_name_that_would_kill_the_server_is_not_sent() {
    let script = vec![
        ("host:devices-l", okay(LISTED)),
        ("host-transport-id:3:features", okay("")),
    ];
    let transport = attach(script).await.unwrap();
    let error = transport.open(&"x".repeat(4096)).await.err().unwrap();
    assert!(matches!(error, TransportError::CannotOpen { .. }));
}

/// Every way in which an answer can end early, and what a server that is none may send.
#[tokio::test]
async fn an_answer_that_is_not_whole_is_an_error() {
    let whole = okay(LISTED);
    for cut in 0..whole.len() {
        let (server, _) = server(vec![("host:devices-l", whole[..cut].to_vec())]).await;
        let error = server.devices().await.unwrap_err();
        assert!(
            matches!(error, TransportError::ServerRefused { .. }),
            "{cut}: {error}"
        );
    }
}

/// A server that answers nothing is not waited for beyond the limit.
#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut server = AdbServer::new(ServerAddress::Loopback(port), Arc::new(SystemClock::new()));
    server.timeout = Duration::from_millis(20);
    let error = server.devices().await.unwrap_err();
    assert!(matches!(error, TransportError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_server_may_listen_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adb");
    let name = format!("phonehome-test-{}", std::process::id());
    let by_path = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let by_name = {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        std::os::unix::net::UnixListener::bind_addr(&address).unwrap()
    };
    let sockets = [
        (by_path, format!("localfilesystem:{}", path.display())),
        (by_name, format!("localabstract:{name}")),
    ];
    for (listener, address) in sockets {
        let serving = std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = [0; 16];
            socket.read_exact(&mut request).unwrap();
            socket.write_all(&okay("0029")).unwrap();
            request
        });
        let address = ServerAddress::parse(&address).unwrap();
        let server = AdbServer::new(address, Arc::new(SystemClock::new()));
        assert_eq!(server.version().await.unwrap(), 41);
        assert_eq!(&serving.join().unwrap(), b"000chost:version");
    }
}

#[tokio::test]
async fn forwarding_is_asked_for_as_adb_does() {
    let twice = |rest: &str| [b"OKAYOKAY", rest.as_bytes()].concat();
    let (server, left) = server(vec![
        (
            "host-transport-id:3:forward:tcp:0;tcp:7",
            twice("00056100\n"),
        ),
        (
            "host-transport-id:3:forward:norebind:tcp:1;tcp:7",
            fail("cannot rebind existing socket"),
        ),
        ("host-serial:x:killforward:tcp:6100", twice("")),
        ("host:list-forward", okay("x tcp:6100 tcp:7\n")),
        ("host-serial:x:get-state", okay("device")),
        ("host:connect:h:5555", okay("connected to h:5555")),
        ("host:disconnect:h:5555", okay("disconnected h:5555")),
    ])
    .await;
    let forward = |local: &str, no_rebind| Forward {
        local: local.to_owned(),
        remote: "tcp:7".to_owned(),
        no_rebind,
    };
    let (id, serial) = (Target::TransportId(3), Target::Serial("x".to_owned()));
    let port = server.forward(&id, &forward("tcp:0", false)).await.unwrap();
    assert_eq!(port, Some(6100));
    let error = server
        .forward(&id, &forward("tcp:1", true))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("said: cannot rebind existing socket"),
        "{error}"
    );
    server.kill_forward(&serial, "tcp:6100").await.unwrap();
    assert_eq!(server.forwards().await.unwrap()[0].local, "tcp:6100");
    assert_eq!(server.state(&serial).await.unwrap(), State::Device);
    assert_eq!(
        server.connect("h:5555").await.unwrap(),
        "connected to h:5555"
    );
    assert_eq!(
        server.disconnect("h:5555").await.unwrap(),
        "disconnected h:5555"
    );
    assert!(left.lock().unwrap().is_empty());
}
