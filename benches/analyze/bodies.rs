//! What goes through the captures: JSON, pages, scripts, pictures, forms and records, made from a seed,
//! and the persona whose values are planted in a few.

use data_encoding::{BASE64, HEXLOWER};
use phonehome::base::secret::Secret;
use phonehome::persona::datum::{Datum, DatumKind, Origin, Persona};
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt::Write as _;
use std::io::Write as _;

/// The fourteen values that are searched for.
pub(crate) const DATA: [(&str, DatumKind, &str); 14] = [
    ("imei-1", DatumKind::Imei, "490154203237518"),
    ("imsi-1", DatumKind::Imsi, "234150999999999"),
    ("iccid-1", DatumKind::Iccid, "8944200000000000009"),
    ("own_phone-1", DatumKind::Phone, "+447700900123"),
    ("contact-1.phone", DatumKind::Phone, "+447700900777"),
    ("contact-1.name", DatumKind::Name, "Ada Quillfeather"),
    ("email-1", DatumKind::Email, "quillfeather.42@example.org"),
    ("mac-1", DatumKind::Mac, "00:00:5e:00:53:2a"),
    ("android_id-1", DatumKind::AndroidId, "f3a9c1d27b604e58"),
    (
        "advertising-1",
        DatumKind::Uuid,
        "38400000-8cf0-41bd-b23e-10b96e40000d",
    ),
    ("serial-1", DatumKind::Serial, "HM2014AB817"),
    (
        "message-1.text",
        DatumKind::Text,
        "the heron waits at Tollhaven until dusk",
    ),
    ("location-1", DatumKind::Location, "51.477928,-0.001545"),
    ("account-1", DatumKind::Account, "quillfeather42"),
];

pub(crate) fn persona() -> Persona {
    let datum = |(id, kind, value): (&str, DatumKind, &str)| Datum {
        id: id.to_owned(),
        kind,
        value: Secret::new(value.to_owned()),
        group: None,
        origin: Origin::Given,
    };
    Persona {
        data: DATA.map(datum).to_vec(),
        ..Persona::default()
    }
}

/// The same as a file.
pub(crate) fn persona_file() -> String {
    let mut text = "schema: phonehome/persona/1\ndata:\n".to_owned();
    for (id, kind, value) in DATA {
        let kind = serde_json::to_value(kind).unwrap();
        writeln!(text, "  - {{ id: {id}, kind: {kind}, value: \"{value}\" }}").unwrap();
    }
    text
}

/// A server's name.
pub(crate) fn host(number: u32) -> String {
    format!(
        "{}{number}.svc.example.net",
        ["api", "cdn", "img", "log"][number as usize % 4]
    )
}

/// One body and how it is coded.
struct Body {
    kind: &'static str,
    coding: &'static str,
    bytes: Vec<u8>,
}

/// Bodies to draw from.
pub(crate) struct Bodies {
    responses: Vec<Body>,
    uploads: Vec<Body>,
}

impl Bodies {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x626f_6479);
        let mut responses = Vec::new();
        for number in 0..400u32 {
            // From one to two hundred thousand bytes, as many short as long ones.
            let len = 10f64.powf(random.random_range(3.0..5.3)) as usize;
            let (kind, text) = match number % 10 {
                0..6 => ("application/json", json(&mut random, len)),
                6 => ("text/html; charset=utf-8", html(&mut random, len)),
                7 => ("application/javascript", script(&mut random, len)),
                _ => ("image/jpeg", picture(&mut random, len / 2)),
            };
            let (coding, bytes) = match number / 10 % 8 {
                _ if kind == "image/jpeg" => ("", text),
                0..4 => ("gzip", gzip(&text)),
                4 | 5 => ("br", brotli(&text)),
                _ => ("", text),
            };
            responses.push(Body {
                kind,
                coding,
                bytes,
            });
        }
        let mut uploads = Vec::new();
        for number in 0..200u32 {
            let len = random.random_range(200..6000);
            let (kind, text) = match number % 4 {
                0 => ("application/x-www-form-urlencoded", form(&mut random, len)),
                1 | 2 => ("application/json", json(&mut random, len)),
                _ => ("application/x-protobuf", protobuf(&mut random, len)),
            };
            let (coding, bytes) = match number % 8 {
                1 | 7 => ("gzip", gzip(&text)),
                _ => ("", text),
            };
            uploads.push(Body {
                kind,
                coding,
                bytes,
            });
        }
        Self { responses, uploads }
    }

    /// A request and its response.
    pub(crate) fn exchange(&self, random: &mut ChaCha8Rng, host: &str) -> (Vec<u8>, Vec<u8>) {
        let path = format!(
            "/{}/{}?id={}&t={}&s={}",
            word(random),
            word(random),
            random.random_range(1_000_000..9_999_999u32),
            random.random_range(1_600_000_000_000..1_700_000_000_000u64),
            hex(random, 16),
        );
        let upload = self
            .uploads
            .choose(random)
            .filter(|_| random.random_range(0..3) == 0);
        let mut request = format!(
            "{} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Dalvik/2.1.0 (Linux; U; Android 14; Pixel 7 Build/UQ1A.240205.002)\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: sid={}; theme=dark; _ga=GA1.2.{}.{}\r\n",
            if upload.is_some() { "POST" } else { "GET" },
            BASE64.encode(&random.random::<[u8; 24]>()),
            random.random_range(100_000_000..999_999_999u32),
            random.random_range(1_600_000_000..1_700_000_000u32),
        )
        .into_bytes();
        message(&mut request, upload);
        let mut response = format!(
            "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nCache-Control: max-age=600\r\nETag: \"{}\"\r\nVary: Accept-Encoding\r\n",
            hex(random, 16),
        )
        .into_bytes();
        message(&mut response, self.responses.choose(random));
        (request, response)
    }

    /// A record behind its length.
    pub(crate) fn record(&self, random: &mut ChaCha8Rng) -> Vec<u8> {
        let len = random.random_range(30..900);
        let bytes = protobuf(random, len);
        let len = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&len[..], &bytes].concat()
    }
}

/// Ends a head and adds a body.
fn message(head: &mut Vec<u8>, body: Option<&Body>) {
    if let Some(body) = body {
        write!(head, "Content-Type: {}\r\n", body.kind).unwrap();
        if !body.coding.is_empty() {
            write!(head, "Content-Encoding: {}\r\n", body.coding).unwrap();
        }
        write!(head, "Content-Length: {}\r\n", body.bytes.len()).unwrap();
    }
    head.extend(b"\r\n");
    head.extend(body.map_or(&[][..], |body| &body.bytes));
}

/// A request that carries a value, in one of several forms.
pub(crate) fn planted(number: u64, host: &str) -> (Vec<u8>, Vec<u8>) {
    let (_, _, value) = DATA[number as usize / 3 % DATA.len()];
    let json = format!("{{\"device\":{{\"k\":\"{value}\",\"n\":{number}}}}}");
    let head = format!("HTTP/1.1\r\nHost: {host}\r\n");
    let post = |extra: &str, body: &[u8]| {
        let head = format!(
            "POST /collect {head}{extra}Content-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let request = match number / 400 % 5 {
        0 => format!("GET /u?v={} {head}\r\n", HEXLOWER.encode(value.as_bytes())).into_bytes(),
        1 => post("Content-Encoding: gzip\r\n", &gzip(json.as_bytes())),
        2 => post(
            "",
            format!("d={}", BASE64.encode(json.as_bytes())).as_bytes(),
        ),
        3 => post("", json.as_bytes()),
        _ => post("", &gzip(json.as_bytes())),
    };
    (request, b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
}

const WORDS: &str = "account action active address amount article author available balance banner \
    body button cache category channel city code color comment common content country created \
    currency customer data date default delivery description detail device discount display email \
    enabled event experiment feature feed filter format group height icon image index item key label \
    language layout level link list location media message meta method model name network number \
    offer option order page parent payment permission platform player position price priority \
    product profile promotion quantity query rating region request response result review score \
    screen search section seller session settings shipping size source status store style summary \
    target template text theme timestamp title token total track type update user value variant \
    vendor version video view width zone";

fn word(random: &mut ChaCha8Rng) -> &'static str {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    words[random.random_range(0..words.len())]
}

fn hex(random: &mut ChaCha8Rng, bytes: usize) -> String {
    let mut noise = vec![0; bytes];
    random.fill_bytes(&mut noise);
    HEXLOWER.encode(&noise)
}

fn sentence(random: &mut ChaCha8Rng, count: usize) -> String {
    let words: Vec<&str> = (0..count).map(|_| word(random)).collect();
    words.join(" ")
}

fn value(random: &mut ChaCha8Rng, out: &mut String) {
    match random.random_range(0..24u32) {
        0..4 => write!(out, "{}", random.random_range(0..100_000u32)),
        4 => write!(
            out,
            "{}",
            random.random_range(1_600_000_000_000..1_700_000_000_000u64)
        ),
        5 => write!(out, "{:.6}", random.random_range(-180.0..180.0f64)),
        6 => write!(out, "true"),
        7 => write!(out, "null"),
        8 => write!(out, "\"{}\"", hex(random, 12)),
        9 => write!(
            out,
            "\"2023-11-{:02}T{:02}:14:07.{:03}Z\"",
            random.random_range(1..30u32),
            random.random_range(0..24u32),
            random.random_range(0..999u32)
        ),
        10 => write!(
            out,
            "\"https:\\/\\/{}\\/{}\\/{}.jpg?w={}&h={}\"",
            host(random.random_range(0..400)),
            word(random),
            hex(random, 8),
            640,
            480
        ),
        11 => write!(
            out,
            "\"https://{}/{}/{}_{}.webp\"",
            host(random.random_range(0..400)),
            word(random),
            word(random),
            random.random_range(1000..9999u32)
        ),
        12 if random.random_range(0..8u32) == 0 => {
            write!(out, "\"{}\"", BASE64.encode(&random.random::<[u8; 32]>()))
        }
        12 => write!(
            out,
            "\"caf\\u00e9 {} \\\"{}\\\"\"",
            word(random),
            word(random)
        ),
        13 => write!(
            out,
            "\"{}-{}-{}\"",
            hex(random, 4),
            hex(random, 2),
            hex(random, 6)
        ),
        14..20 => {
            let count = random.random_range(1..3);
            write!(out, "\"{}\"", sentence(random, count))
        }
        _ => {
            let count = random.random_range(4..20);
            write!(out, "\"{}\"", sentence(random, count))
        }
    }
    .unwrap();
}

fn json(random: &mut ChaCha8Rng, len: usize) -> Vec<u8> {
    let mut out = String::from("{\"status\":0,\"items\":[");
    while out.len() < len {
        out.push('{');
        for number in 0..random.random_range(3..12u32) {
            if number > 0 {
                out.push(',');
            }
            let (first, second) = (word(random), word(random));
            match random.random_range(0..3u32) {
                0 => write!(out, "\"{first}\":"),
                1 => write!(out, "\"{first}_{second}\":"),
                _ => write!(
                    out,
                    "\"{first}{}{}\":",
                    second[..1].to_uppercase(),
                    &second[1..]
                ),
            }
            .unwrap();
            value(random, &mut out);
        }
        out.push_str("},");
    }
    out.pop();
    out.push_str("]}");
    out.into_bytes()
}

fn html(random: &mut ChaCha8Rng, len: usize) -> Vec<u8> {
    let mut out =
        String::from("<!DOCTYPE html>\n<html lang=\"en\"><head><title>x</title></head><body>\n");
    while out.len() < len {
        let count = random.random_range(5..40);
        writeln!(
            out,
            "<div class=\"{}-{} {}\" id=\"{}{}\"><a href=\"/{}/{}?ref={}&amp;p={}%20x\">{}</a><p>{} &amp; {}&nbsp;{}</p></div>",
            word(random), word(random), word(random), word(random), random.random_range(1..999u32), word(random), word(random),
            hex(random, 4), random.random_range(1..99u32), sentence(random, 3), sentence(random, count), word(random), word(random),
        )
        .unwrap();
    }
    out.into_bytes()
}

fn script(random: &mut ChaCha8Rng, len: usize) -> Vec<u8> {
    let mut out = String::from("\"use strict\";");
    while out.len() < len {
        write!(
            out,
            "function {}{}(e,t,n){{var r=e.{}||t[\"{}\"],o=n&&n.{}({});if(!r)return o===void 0?null:\"{}\\n\";for(var i=0;i<r.length;i++)t.{}.push(r[i]%{}+\"\\x20\");return{{{}:r,{}:o}}}}",
            word(random), random.random_range(1..999u32), word(random), word(random), word(random), random.random_range(1..99u32),
            sentence(random, 4), word(random), random.random_range(2..64u32), word(random), word(random),
        )
        .unwrap();
    }
    out.into_bytes()
}

fn picture(random: &mut ChaCha8Rng, len: usize) -> Vec<u8> {
    let mut out = vec![0; len.max(64)];
    random.fill_bytes(&mut out);
    out[..11].copy_from_slice(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00");
    out
}

fn form(random: &mut ChaCha8Rng, len: usize) -> Vec<u8> {
    let mut out = String::from("v=1");
    while out.len() < len {
        let count = random.random_range(1..6);
        write!(
            out,
            "&{}={}&{}=https%3A%2F%2F{}&{}={}",
            word(random),
            random.random_range(0..100_000u32),
            word(random),
            host(random.random_range(0..400)),
            word(random),
            sentence(random, count).replace(' ', "+"),
        )
        .unwrap();
    }
    out.into_bytes()
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        out.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn protobuf(random: &mut ChaCha8Rng, len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while out.len() < len {
        let number = random.random_range(1..15u64);
        match random.random_range(0..4u32) {
            0 => {
                varint(&mut out, number << 3);
                varint(
                    &mut out,
                    random.random::<u64>() >> random.random_range(1..63u32),
                );
            }
            1 => {
                varint(&mut out, number << 3 | 1);
                out.extend(random.random::<[u8; 8]>());
            }
            2 => {
                let count = random.random_range(1..8);
                let text = sentence(random, count);
                varint(&mut out, number << 3 | 2);
                varint(&mut out, text.len() as u64);
                out.extend(text.as_bytes());
            }
            _ => {
                varint(&mut out, number << 3 | 2);
                out.push(16);
                out.extend(random.random::<[u8; 16]>());
            }
        }
    }
    out
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
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
