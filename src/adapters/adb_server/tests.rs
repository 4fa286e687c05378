//! The client against a scripted server: what is asked on each socket, and what the answers mean.

use crate::adapters::adb_server::{AdbServer, AdbServerTransport};
use crate::adapters::system_clock::SystemClock;
use crate::ports::transport::{Transport, TransportError};
use std::sync::{Arc, Mutex};
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
    (AdbServer::new(&address, Arc::new(SystemClock::new())), left)
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
        if !request.starts_with("host:transport:") {
            return;
        }
    }
}

fn attached() -> Script {
    vec![
        ("host:devices-l", okay(LISTED)),
        (
            "host-serial:127.0.0.1:5555:features",
            okay("shell_v2,cmd,stat_v2"),
        ),
    ]
}

async fn attach(script: Script) -> Result<AdbServerTransport, TransportError> {
    let (server, _) = server(script).await;
    AdbServerTransport::attach(server, "127.0.0.1:5555", "server:x").await
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
    check("127.0.0.1:5555 authorizing transport_id:1", refused).await;
    let offline = "handset `server:x` is `offline`";
    check("127.0.0.1:5555 offline transport_id:1", offline).await;
    let unknown = "handset `server:x` cannot be reached: the adb server at 127.0.0.1:";
    check("another device transport_id:1", unknown).await;
    check("", unknown).await;
}

#[tokio::test]
async fn no_adb_server_is_told() {
    let server = AdbServer::new("127.0.0.1:1", Arc::new(SystemClock::new()));
    let error = server.devices().await.unwrap_err().to_string();
    let expected = "handset `adb server at 127.0.0.1:1` cannot be reached: Connection refused";
    assert!(error.starts_with(expected), "{error}");
    for (answer, expected) in [
        (&b"HTTP/1.1 400"[..], "answered `HTTP`, not OKAY or FAIL"),
        (b"OKAYzzzz", "gave a length of `zzzz`, not four hex digits"),
        (b"OKAY0010half", "broke"),
        (b"", "broke"),
    ] {
        let error = attach(vec![("host:devices-l", answer.to_vec())]).await;
        let error = error.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_service_has_its_own_socket() {
    let rest = vec![
        ("host:transport:127.0.0.1:5555", b"OKAY".to_vec()),
        ("exec:id", b"OKAYuid=0\n".to_vec()),
        ("host:devices-l", okay(LISTED)),
    ];
    assert_eq!(open(rest, "exec:id").await.unwrap(), b"uid=0\n");
    let rest = vec![
        ("host:transport:127.0.0.1:5555", b"OKAY".to_vec()),
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
            ("host:transport:127.0.0.1:5555", b"OKAY".to_vec()),
            ("exec:id", b"OKAYhalf".to_vec()),
            ("host:devices-l", okay(list)),
        ];
        let error = open(rest, "exec:id").await.unwrap_err();
        assert!(matches!(error, TransportError::Lost { .. }), "{error}");
    }
    let gone = fail("device '127.0.0.1:5555' not found");
    let rest = vec![("host:transport:127.0.0.1:5555", gone)];
    let error = open(rest, "exec:id").await.unwrap_err();
    assert!(matches!(error, TransportError::Lost { .. }), "{error}");
}

/// adb 29 aborts on such a name (`connect_to_remote`: `CHECK_LE(len, max_payload)`).
#[tokio::test]
async fn a_name_that_would_kill_the_server_is_not_sent() {
    let script = vec![
        ("host:devices-l", okay(LISTED)),
        ("host-serial:127.0.0.1:5555:features", okay("")),
    ];
    let transport = attach(script).await.unwrap();
    let error = transport.open(&"x".repeat(4096)).await.err().unwrap();
    assert!(matches!(error, TransportError::CannotOpen { .. }));
}
