//! Bodies of HTTP/1: content codings, framing, parts.

use super::capture::{Say, analyze_turns, filler, lines};
use std::io::Write;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    brotli::CompressorWriter::new(&mut out, 4096, 5, 22)
        .write_all(bytes)
        .unwrap();
    out
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head =
        format!("POST /a HTTP/1.1\r\nHost: x.example\r\n{headers}Content-Length: {len}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A body of any length with a number at its end.
fn long() -> Vec<u8> {
    [&filler(200_000)[..], b" \"n\":\"+447700900123\" "].concat()
}

#[test]
fn codings_are_undone_whatever_the_length() {
    type Encode = fn(&[u8]) -> Vec<u8>;
    let cases: [(&str, Encode, &str); 9] = [
        ("Content-Encoding: gzip\r\n", gzip, "gzip"),
        ("Content-Encoding: x-gzip\r\n", gzip, "gzip"),
        ("Content-Encoding: deflate\r\n", zlib, "zlib"),
        ("Content-Encoding: deflate\r\n", deflate, "deflate"),
        ("Content-Encoding: br\r\n", brotli, "brotli"),
        ("Content-Encoding: zstd\r\n", zstd, "zstd"),
        (
            "Content-Encoding: br, gzip\r\n",
            |it| gzip(&brotli(it)),
            "gzip brotli",
        ),
        (
            "Content-Encoding: br\r\nContent-Encoding: gzip\r\n",
            |it| gzip(&brotli(it)),
            "gzip brotli",
        ),
        ("Content-Type: application/octet-stream\r\n", gzip, "gzip"),
    ];
    for (headers, encode, words) in cases {
        let request = post(headers, &encode(&long()));
        let outcome = analyze_turns(&[Say::Client(&request), Say::Server(OK)]);
        let expected = [format!("phone-1 http.body {words} json:n")];
        assert_eq!(lines(&outcome), expected, "{headers}");
        assert_eq!(outcome.analysis.coverage.bytes_opaque, 0, "{headers}");
        assert_eq!(outcome.gaps, [], "{headers}");
    }
}

#[test]
fn transfer_codings_chunks_and_trailers() {
    let body = gzip(b"{\"n\":\"+447700900123\"}");
    let (first, second) = body.split_at(20);
    let mut response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_vec();
    for chunk in [first, second] {
        response.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        response.extend(chunk);
        response.extend(b"\r\n");
    }
    response.extend(b"0\r\nX-Id: 490154203237518\r\n\r\n");
    let request = b"GET / HTTP/1.1\r\nHost: x.example\r\n\r\n";
    let outcome = analyze_turns(&[Say::Client(request), Say::Server(&response)]);
    let expected = ["imei-1 http.header x-id", "phone-1 http.body gzip json:n"];
    assert_eq!(lines(&outcome), expected);
}

#[test]
fn a_response_may_last_until_the_end() {
    let body = gzip(&long());
    let response = [
        b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
        &body[..],
    ]
    .concat();
    let outcome = analyze_turns(&[
        Say::Client(b"GET / HTTP/1.0\r\n\r\n"),
        Say::Server(&response),
    ]);
    assert_eq!(lines(&outcome), ["phone-1 http.body gzip json:n"]);
}

#[test]
fn what_is_not_coded_as_it_says_is_searched_as_it_is() {
    let request = post("Content-Encoding: gzip\r\n", b"n=+447700900123");
    let outcome = analyze_turns(&[Say::Client(&request), Say::Server(OK)]);
    assert_eq!(lines(&outcome), ["phone-1 http.body n"]);
    assert_eq!(outcome.analysis.coverage.bytes_opaque, 0);
}

#[test]
fn a_broken_stream_is_read_up_to_its_break_and_counted() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"n=+447700900123 ").unwrap();
    encoder.write_all(&filler(200_000)).unwrap();
    encoder.flush().unwrap();
    let mut body = encoder.get_ref().clone();
    // A block of type 3 is an error (RFC 1951, 3.2.3).
    body.push(0b111);
    body.extend([0xaa; 50_000]);
    let request = post("Content-Encoding: gzip\r\n", &body);
    let outcome = analyze_turns(&[Say::Client(&request), Say::Server(OK)]);
    assert_eq!(lines(&outcome), ["phone-1 http.body gzip n"]);
    let opaque = outcome.analysis.coverage.bytes_opaque;
    assert!((49_900..=50_001).contains(&opaque), "{opaque}");
}

#[test]
fn parts_are_told_apart() {
    let attached = gzip(&long());
    let body = [
        b"--XX\r\nContent-Disposition: form-data; name=\"tel\"\r\n\r\n+447700900123\r\n--XX\r\n\
          Content-Disposition: form-data; name=\"log\"; filename=\"490154203237518.gz\"\r\n\
          Content-Type: application/gzip\r\n\r\n",
        &attached[..],
        b"\r\n--XX--\r\n",
    ]
    .concat();
    let request = post("Content-Type: multipart/form-data; boundary=XX\r\n", &body);
    let outcome = analyze_turns(&[Say::Client(&request), Say::Server(OK)]);
    let expected = [
        "imei-1 http.body filename",
        "phone-1 http.body log gzip json:n",
        "phone-1 http.body tel",
    ];
    assert_eq!(lines(&outcome), expected);
    assert_eq!(outcome.analysis.coverage.bytes_opaque, 0);
}

#[test]
fn the_payload_of_anything_may_be_compressed() {
    for (encode, word) in [
        (gzip as fn(&[u8]) -> Vec<u8>, "gzip"),
        (zlib, "zlib"),
        (zstd, "zstd"),
    ] {
        let outcome = analyze_turns(&[Say::Client(&encode(&long()))]);
        assert_eq!(
            lines(&outcome),
            [format!("phone-1 tcp.payload {word} json:n")]
        );
        assert_eq!(outcome.analysis.flows[0].bytes_opaque, 0);
    }
}
