//! Protocols that last: HTTP/2, WebSocket, MQTT. The HTTP/2 and WebSocket conversations were made by
//! python-h2 and python-wsproto, which share no code with what reads them.

use super::capture::{Say, analyze_turns, lines};
use data_encoding::HEXLOWER;
use phonehome::detect::analyzer::Outcome;
use phonehome::detect::finding::Direction;
use phonehome::evidence::flow::Application;

/// Who spoke, and what: `c 5052…`.
fn recorded(text: &str) -> Vec<(bool, Vec<u8>)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (who, hex) = line.split_once(' ').unwrap();
            (who == "c", HEXLOWER.decode(hex.as_bytes()).unwrap())
        })
        .collect()
}

fn analyze_recorded(turns: &[(bool, Vec<u8>)]) -> Outcome {
    let turns: Vec<Say<'_>> = turns
        .iter()
        .map(|(is_client, bytes)| match is_client {
            true => Say::Client(bytes),
            false => Say::Server(bytes),
        })
        .collect();
    analyze_turns(&turns)
}

const HTTP2: &str = include_str!("../data/h2.txt");

/// What python-h2 was told to say.
const HTTP2_FINDINGS: [&str; 9] = [
    "imei-1 http.body grpc",
    "imei-1 http.cookie id",
    "imei-1 http.header x-trailer",
    "imei-1 http.query imei",
    "imei-1 http.query imei",
    "phone-1 http.body",
    "phone-1 http.body grpc gzip",
    "phone-1 http.body gzip json:n",
    "phone-1 http.cookie tel",
];

#[test]
fn http2_is_searched_as_http1_is() {
    let outcome = analyze_recorded(&recorded(HTTP2));
    let mut expected: Vec<String> = HTTP2_FINDINGS.map(str::to_owned).to_vec();
    // The third request has the second's cookie, by the table.
    expected.push("phone-1 http.cookie tel".to_owned());
    assert_eq!(lines(&outcome), expected);
    let flow = &outcome.analysis.flows[0];
    assert_eq!(flow.application, Application::Http2);
    assert_eq!(flow.host.as_deref(), Some("api.example.org"));
    // One message of protobuf, which is searched and is no text.
    assert_eq!(flow.bytes_opaque, 17);
    assert_eq!(outcome.gaps, []);
    let answer = outcome
        .analysis
        .findings
        .iter()
        .find(|it| it.direction == Direction::In && it.chain == ["http.body"])
        .unwrap();
    assert_eq!(
        answer.request.as_deref(),
        Some("POST /v1/dev?imei=<imei-1>")
    );
}

#[test]
fn http2_amid_a_connection_is_read_as_far_as_it_is_known() {
    let turns = recorded(HTTP2);
    // The last request uses what the table learnt before: its own indices are not known.
    let last = turns.iter().rposition(|(is_client, _)| *is_client).unwrap();
    let outcome = analyze_recorded(&turns[last..]);
    let flow = &outcome.analysis.flows[0];
    assert_eq!(flow.application, Application::Http2);
    assert!(flow.bytes_opaque > 0);
    // From the second client turn on, nothing is lost but the names before.
    let second = turns
        .iter()
        .skip(1)
        .position(|(is_client, _)| *is_client)
        .unwrap()
        + 1;
    let outcome = analyze_recorded(&turns[second..]);
    assert!(lines(&outcome).contains(&"phone-1 http.body gzip json:n".to_owned()));
}

#[test]
fn http2_after_an_upgrade() {
    let mut turns = vec![
        (
            true,
            b"GET /a?tel=%2B447700900123 HTTP/1.1\r\nHost: x.example\r\nConnection: Upgrade, HTTP2-Settings\r\n\
              Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
                .to_vec(),
        ),
        (
            false,
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n".to_vec(),
        ),
    ];
    turns.extend(recorded(HTTP2));
    let outcome = analyze_recorded(&turns);
    let mut expected: Vec<String> = HTTP2_FINDINGS.map(str::to_owned).to_vec();
    expected.push("phone-1 http.cookie tel".to_owned());
    expected.push("phone-1 http.query tel percent".to_owned());
    assert_eq!(lines(&outcome), expected);
    assert_eq!(outcome.analysis.flows[0].application, Application::Http2);
}

#[test]
fn messages_of_a_websocket_with_and_without_a_window_that_goes_on() {
    for text in [
        include_str!("../data/websocket.txt"),
        include_str!("../data/websocket_no_context.txt"),
    ] {
        let outcome = analyze_recorded(&recorded(text));
        let expected = [
            "imei-1 websocket.control",
            "imei-1 websocket.message deflate json:imei",
            "phone-1 websocket.message deflate",
            "phone-1 websocket.message deflate json:tel",
            "phone-1 websocket.message deflate json:tel",
        ];
        assert_eq!(lines(&outcome), expected);
        let flow = &outcome.analysis.flows[0];
        assert_eq!(flow.application, Application::Websocket);
        assert_eq!(flow.bytes_opaque, 0);
        let request = outcome.analysis.findings[0].request.as_deref();
        assert_eq!(request, Some("GET /chat"));
    }
}

/// After MQTT 3.1.1, 3.1 and 3.3.
#[test]
fn mqtt_names_topics_and_content() {
    let connect =
        b"\x10\x30\0\x04MQTT\x04\xc2\0\x3c\0\x0f490154203237518\0\x0d+447700900123\0\x04pass";
    let publish = b"\x30\x2c\0\x13dev/490154203237518{\"tel\":\"+447700900123\"}";
    let incoming = b"\x30\x10\0\x01t+447700900123";
    let outcome = analyze_turns(&[
        Say::Client(connect),
        Say::Server(b"\x20\x02\0\0"),
        Say::Client(publish),
        Say::Server(incoming),
    ]);
    let expected = [
        "imei-1 mqtt.client-id",
        "imei-1 mqtt.topic",
        "phone-1 mqtt.payload",
        "phone-1 mqtt.payload json:tel",
        "phone-1 mqtt.username",
    ];
    assert_eq!(lines(&outcome), expected);
    assert_eq!(outcome.gaps, []);
}
