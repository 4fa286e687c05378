//! Known answers: values drawn from a seed, hidden by encoders of this file's own or of libraries,
//! never by the detector's own tables, in every form of the lattice. All must be found, and
//! nothing in what only looks alike. Prints recall by family.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "the values are the test's own"
)]
#![expect(clippy::print_stdout, reason = "the table is for people")]

use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use hmac::{Hmac, Mac};
use phonehome::base::secret::Secret;
use phonehome::detect::detector::Detector;
use phonehome::detect::field::Shape;
use phonehome::persona::datum::{Datum, DatumKind, Key, Origin, Persona};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::Digest;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

type Bytes = Vec<u8>;
type Encoder = fn(&[u8]) -> Option<Bytes>;

/// One value hidden in one way.
struct Case {
    family: &'static str,
    form: String,
    datum: usize,
    carrier: Bytes,
}

fn digits(random: &mut ChaCha8Rng, count: usize) -> String {
    (0..count)
        .map(|_| char::from(b'0' + random.random_range(0..10u8)))
        .collect()
}

fn hex(random: &mut ChaCha8Rng, bytes: usize) -> String {
    let bytes: Bytes = (0..bytes).map(|_| random.random()).collect();
    HEXLOWER.encode(&bytes)
}

/// The check digit of ISO/IEC 7812-1, Annex B.
fn luhn(body: &str) -> u8 {
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    u8::try_from((10 - sum % 10) % 10).unwrap()
}

fn imei(random: &mut ChaCha8Rng, prefix: &str) -> String {
    let body = format!("{prefix}{}", digits(random, 14 - prefix.len()));
    format!("{body}{}", luhn(&body))
}

fn word(random: &mut ChaCha8Rng, syllables: usize) -> String {
    let mut word = String::new();
    for _ in 0..syllables {
        word.push(char::from(
            b"bdfgklmnprstvz"[random.random_range(0..14usize)],
        ));
        word.push(char::from(b"aeiou"[random.random_range(0..5usize)]));
    }
    let (first, rest) = word.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

fn values(random: &mut ChaCha8Rng) -> Vec<(DatumKind, String)> {
    use DatumKind as K;
    let mac = hex(random, 6);
    let mac: Vec<&str> = (0..6).map(|at| &mac[2 * at..2 * at + 2]).collect();
    let uuid = hex(random, 16);
    let iccid = format!("8944{}", digits(random, 14));
    let latitude = random.random_range(10_000_000..80_000_000u32);
    let longitude = random.random_range(10_000_000..170_000_000u32);
    vec![
        (K::Imei, imei(random, "35")),
        (K::Imsi, format!("23415{}", digits(random, 10))),
        (K::Iccid, format!("{iccid}{}", luhn(&iccid))),
        (
            K::Phone,
            format!("+4477009{}", random.random_range(10_000..100_000u32)),
        ),
        (K::Mac, mac.join(":")),
        (K::AndroidId, format!("f{}", &hex(random, 8)[1..])),
        (
            K::Uuid,
            [
                &uuid[..8],
                &uuid[8..12],
                &uuid[12..16],
                &uuid[16..20],
                &uuid[20..],
            ]
            .join("-"),
        ),
        (
            K::Serial,
            format!("HM{}AB{}", digits(random, 4), digits(random, 3)),
        ),
        (K::Name, format!("{} {}", word(random, 3), word(random, 4))),
        (
            K::Email,
            format!(
                "{}.{}@example.org",
                word(random, 3).to_lowercase(),
                digits(random, 3)
            ),
        ),
        (
            K::Text,
            format!(
                "{} waits at {} until {}",
                word(random, 3),
                word(random, 4),
                word(random, 3)
            ),
        ),
        (
            K::Location,
            format!(
                "{}.{:06},-{}.{:06}",
                latitude / 1_000_000,
                latitude % 1_000_000,
                longitude / 1_000_000,
                longitude % 1_000_000
            ),
        ),
    ]
}

fn persona(values: &[(DatumKind, String)]) -> Persona {
    let datum = |(number, (kind, value)): (usize, &(DatumKind, String))| Datum {
        id: format!("datum-{number}"),
        kind: *kind,
        value: Secret::new(value.clone()),
        group: None,
        origin: Origin::Given,
    };
    let key = |id: &str, value: &str| Key {
        id: id.to_owned(),
        value: Secret::new(value.to_owned()),
    };
    Persona {
        data: values.iter().enumerate().map(datum).collect(),
        keys: vec![key("hook", "canary-key")],
        salts: vec![key("package", "com.example.app")],
        ..Persona::default()
    }
}

/// Spellings that people and programs use, written here by hand.
fn spellings(kind: DatumKind, value: &str) -> Vec<String> {
    let mut found = vec![value.to_owned()];
    match kind {
        DatumKind::Imei => {
            found.push(value[..14].to_owned());
            found.push(format!("{}01", &value[..14]));
            found.push(format!(
                "{}-{}-{}-{}",
                &value[..2],
                &value[2..8],
                &value[8..14],
                &value[14..]
            ));
        }
        DatumKind::Phone => {
            let national = &value[3..];
            found.extend([
                value[1..].to_owned(),
                format!("00{}", &value[1..]),
                format!("0{national}"),
                national.to_owned(),
                format!("+44 {} {}", &national[..4], &national[4..]),
                format!("0{}-{}", &national[..4], &national[4..]),
                format!("(0{}) {}", &national[..4], &national[4..]),
            ]);
        }
        DatumKind::Mac => {
            let plain = value.replace(':', "");
            found.extend([
                value.to_uppercase(),
                value.replace(':', "-"),
                plain.clone(),
                plain.to_uppercase(),
                [&plain[..4], &plain[4..8], &plain[8..]].join("."),
            ]);
        }
        DatumKind::Uuid => found.extend([value.replace('-', ""), value.to_uppercase()]),
        DatumKind::AndroidId | DatumKind::Serial | DatumKind::Email => {
            found.extend([value.to_uppercase(), value.to_lowercase()]);
        }
        DatumKind::Name => {
            let (given, family) = value.split_once(' ').unwrap();
            found.extend([
                format!("{family} {given}"),
                format!("{family}, {given}"),
                value.to_uppercase(),
                value.to_lowercase(),
            ]);
        }
        DatumKind::Location => {
            let (latitude, longitude) = value.split_once(',').unwrap();
            let e7 = |text: &str| format!("{:.0}", text.parse::<f64>().unwrap() * 1e7);
            found.extend([
                latitude.to_owned(),
                longitude.to_owned(),
                format!("{longitude},{latitude}"),
                latitude.replace('.', ","),
                format!("{:.4}", latitude.parse::<f64>().unwrap()),
                e7(latitude),
                e7(longitude),
            ]);
        }
        _ => {}
    }
    found
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Bytes {
    let mut encoder =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Bytes {
    let mut out = Vec::new();
    brotli::CompressorWriter::new(&mut out, 4096, 5, 22)
        .write_all(bytes)
        .unwrap();
    out
}

fn zstd(bytes: &[u8]) -> Bytes {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn lz4(bytes: &[u8]) -> Bytes {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn percent_all(bytes: &[u8]) -> Bytes {
    bytes
        .iter()
        .flat_map(|byte| format!("%{byte:02X}").into_bytes())
        .collect()
}

fn percent(bytes: &[u8]) -> Bytes {
    let escape = |byte: &u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'.' | b'~' => vec![*byte],
        byte => format!("%{byte:02X}").into_bytes(),
    };
    bytes.iter().flat_map(escape).collect()
}

fn separated(bytes: &[u8], separator: &str) -> Bytes {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(separator).into_bytes()
}

fn mime(bytes: &[u8]) -> Bytes {
    let text = BASE64.encode(
        &[
            b"{\"padding\":\"in front of the value, for lines\",\"v\":\"",
            bytes,
            b"\"}",
        ]
        .concat(),
    );
    let lines: Vec<&[u8]> = text.as_bytes().chunks(76).collect();
    lines.join(&b"\r\n"[..])
}

fn in_base85(bytes: &[u8], alphabet: &[u8; 85]) -> Bytes {
    let mut out = Vec::new();
    for chunk in bytes.chunks(4) {
        let mut group = [0; 4];
        group[..chunk.len()].copy_from_slice(chunk);
        let mut number = u32::from_be_bytes(group);
        let mut text = [0; 5];
        for place in (0..5).rev() {
            text[place] = alphabet[usize::try_from(number % 85).unwrap()];
            number /= 85;
        }
        out.extend_from_slice(&text[..chunk.len() + 1]);
    }
    out
}

const GIT85: &[u8; 85] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const Z85: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

fn ascii85(bytes: &[u8]) -> Bytes {
    let mut alphabet = [0; 85];
    for (place, byte) in (b'!'..=b'u').enumerate() {
        alphabet[place] = byte;
    }
    in_base85(bytes, &alphabet)
}

fn rot13(bytes: &[u8]) -> Bytes {
    const FROM: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const TO: &[u8] = b"NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm";
    let turn = |byte: &u8| {
        FROM.iter()
            .position(|it| it == byte)
            .map_or(*byte, |at| TO[at])
    };
    bytes.iter().map(turn).collect()
}

fn reverse(bytes: &[u8]) -> Bytes {
    bytes.iter().rev().copied().collect()
}

fn xor(bytes: &[u8], key: u8) -> Bytes {
    bytes.iter().map(|byte| byte ^ key).collect()
}

fn utf16(bytes: &[u8], is_little: bool) -> Bytes {
    let units = str::from_utf8(bytes).unwrap().encode_utf16();
    let bytes = |unit: u16| {
        if is_little {
            unit.to_le_bytes()
        } else {
            unit.to_be_bytes()
        }
    };
    units.flat_map(bytes).collect()
}

fn json_unicode(bytes: &[u8]) -> Bytes {
    bytes
        .iter()
        .flat_map(|byte| format!("\\u{byte:04x}").into_bytes())
        .collect()
}

fn entities(bytes: &[u8]) -> Bytes {
    bytes
        .iter()
        .flat_map(|byte| format!("&#x{byte:x};").into_bytes())
        .collect()
}

fn quoted_printable(bytes: &[u8]) -> Bytes {
    bytes
        .iter()
        .flat_map(|byte| format!("={byte:02X}").into_bytes())
        .collect()
}

/// Ways to write a text's bytes, each with its family.
const ENCODERS: &[(&str, &str, Encoder)] = &[
    ("plain", "plain", |b| Some(b.to_vec())),
    ("escapes", "percent", |b| Some(percent(b))),
    ("escapes", "percent twice", |b| Some(percent(&percent(b)))),
    ("escapes", "percent, every byte", |b| Some(percent_all(b))),
    ("escapes", "percent, every byte, twice", |b| {
        Some(percent_all(&percent_all(b)))
    }),
    ("escapes", "json \\u", |b| Some(json_unicode(b))),
    ("escapes", "json in json", |b| {
        let inner = format!(
            "{{\"v\":\"{}\"}}",
            str::from_utf8(&json_unicode(b)).unwrap()
        );
        Some(serde_json::to_vec(&serde_json::json!({ "outer": inner })).unwrap())
    }),
    ("escapes", "html", |b| Some(entities(b))),
    ("escapes", "quoted-printable", |b| Some(quoted_printable(b))),
    ("escapes", "\\x", |b| {
        Some(separated(b, "\\x")).map(|it| [&b"\\x"[..], &it].concat())
    }),
    ("base-n", "base64", |b| Some(BASE64.encode(b).into_bytes())),
    ("base-n", "base64 +1", |b| {
        Some(BASE64.encode(&[b"<", b, b">"].concat()).into_bytes())
    }),
    ("base-n", "base64 +2", |b| {
        Some(BASE64.encode(&[b"<>", b, b"<"].concat()).into_bytes())
    }),
    ("base-n", "base64url", |b| {
        Some(
            BASE64URL_NOPAD
                .encode(&[b"?>", b, b"?~"].concat())
                .into_bytes(),
        )
    }),
    ("base-n", "base64 twice", |b| {
        Some(BASE64.encode(BASE64.encode(b).as_bytes()).into_bytes())
    }),
    ("base-n", "base64 thrice", |b| {
        Some(
            BASE64
                .encode(BASE64.encode(BASE64.encode(b).as_bytes()).as_bytes())
                .into_bytes(),
        )
    }),
    ("base-n", "base64 in lines", |b| Some(mime(b))),
    ("base-n", "base64 of utf-16", |b| {
        Some(BASE64.encode(&utf16(b, true)).into_bytes())
    }),
    ("base-n", "base32", |b| {
        Some(BASE32_NOPAD.encode(b).into_bytes())
    }),
    ("base-n", "base58", |b| Some(bs58::encode(b).into_vec())),
    ("base-n", "base85", |b| Some(in_base85(b, GIT85))),
    ("base-n", "z85", |b| Some(in_base85(b, Z85))),
    ("base-n", "ascii85", |b| Some(ascii85(b))),
    ("base-n", "hex", |b| Some(HEXLOWER.encode(b).into_bytes())),
    ("base-n", "HEX", |b| Some(HEXUPPER.encode(b).into_bytes())),
    ("base-n", "hex:", |b| Some(separated(b, ":"))),
    ("base-n", "hex ", |b| Some(separated(b, " "))),
    ("base-n", "0xhex,", |b| {
        Some([&b"0x"[..], &separated(b, ", 0x")].concat())
    }),
    ("utf-16", "le", |b| Some(utf16(b, true))),
    ("utf-16", "be", |b| Some(utf16(b, false))),
    ("compression", "gzip", |b| Some(gzip(b))),
    ("compression", "zlib", |b| Some(zlib(b))),
    ("compression", "deflate", |b| Some(deflate(b))),
    ("compression", "brotli", |b| Some(brotli(b))),
    ("compression", "zstd", |b| Some(zstd(b))),
    ("compression", "lz4", |b| Some(lz4(b))),
    ("compression", "lz4 block", |b| {
        Some(lz4_flex::block::compress_prepend_size(b))
    }),
    ("compression", "base64 of gzip", |b| {
        Some(BASE64.encode(&gzip(b)).into_bytes())
    }),
    ("compression", "base64 of brotli", |b| {
        Some(BASE64.encode(&brotli(b)).into_bytes())
    }),
    ("compression", "base64 of deflate", |b| {
        Some(BASE64.encode(&deflate(b)).into_bytes())
    }),
    ("compression", "base64 of zstd", |b| {
        Some(BASE64.encode(&zstd(b)).into_bytes())
    }),
    ("compression", "base64 of lz4", |b| {
        Some(BASE64.encode(&lz4(b)).into_bytes())
    }),
    ("compression", "gzip of base64 of zlib", |b| {
        Some(gzip(BASE64.encode(&zlib(b)).as_bytes()))
    }),
    ("obfuscation", "reversed", |b| {
        b.is_ascii().then(|| reverse(b))
    }),
    ("obfuscation", "rot13", |b| Some(rot13(b))),
    ("obfuscation", "xor 5a", |b| {
        (b.len() >= 8).then(|| xor(b, 0x5a))
    }),
    ("obfuscation", "xor 07", |b| {
        (b.len() >= 8).then(|| xor(b, 7))
    }),
    ("obfuscation", "xor ff", |b| {
        (b.len() >= 8).then(|| xor(b, 0xff))
    }),
    ("obfuscation", "base64 of reversed", |b| {
        b.is_ascii()
            .then(|| BASE64.encode(&reverse(b)).into_bytes())
    }),
    ("obfuscation", "reversed base64", |b| {
        Some(reverse(BASE64.encode(b).as_bytes()))
    }),
    ("obfuscation", "base64 of xor", |b| {
        (b.len() >= 8).then(|| BASE64.encode(&xor(b, 0xa5)).into_bytes())
    }),
    ("obfuscation", "rot13 of base64", |b| {
        Some(rot13(BASE64.encode(b).as_bytes()))
    }),
    ("obfuscation", "base64 of rot13", |b| {
        Some(BASE64.encode(&rot13(b)).into_bytes())
    }),
    ("nesting", "percent of base64 of json", |b| {
        let json =
            serde_json::to_vec(&serde_json::json!({"v": str::from_utf8(b).unwrap()})).unwrap();
        Some(percent(BASE64.encode(&json).as_bytes()))
    }),
    ("nesting", "hex of gzip of base64", |b| {
        Some(
            HEXLOWER
                .encode(&gzip(BASE64.encode(b).as_bytes()))
                .into_bytes(),
        )
    }),
    ("nesting", "base64 of gzip of json of hex", |b| {
        let json = format!("{{\"v\":\"{}\"}}", HEXLOWER.encode(b));
        Some(BASE64.encode(&gzip(json.as_bytes())).into_bytes())
    }),
];

fn protobuf_field(number: u8, bytes: &[u8]) -> Bytes {
    let len = u8::try_from(bytes.len())
        .ok()
        .filter(|len| *len < 128)
        .unwrap();
    [&[number << 3 | 2, len], bytes].concat()
}

/// Serialisations of a text, with neighbours that look like a part of it.
fn serialised(text: &str) -> Vec<(&'static str, Bytes)> {
    let bytes = text.as_bytes();
    let field = protobuf_field(5, bytes);
    // The tag of field 6 is the digit `2`.
    let message = [&field[..], &protobuf_field(6, b"x")].concat();
    let value = serde_json::json!({"a": 1, "value": text, "b": "tail"});
    let mut cbor = Vec::new();
    ciborium::into_writer(&value, &mut cbor).unwrap();
    let mut pack = vec![0x82, 0xa5];
    pack.extend(b"value");
    rmp::encode::write_str(&mut pack, text).unwrap();
    pack.extend([0xa1, b'b', 0x35]);
    let mut dictionary = plist::Dictionary::new();
    dictionary.insert("value".to_owned(), plist::Value::String(text.to_owned()));
    dictionary.insert("z".to_owned(), plist::Value::String("tail".to_owned()));
    let mut binary = Vec::new();
    plist::Value::Dictionary(dictionary.clone())
        .to_writer_binary(&mut binary)
        .unwrap();
    let mut xml = Vec::new();
    plist::Value::Dictionary(dictionary)
        .to_writer_xml(&mut xml)
        .unwrap();
    let frame = |flag: u8, message: &[u8]| {
        let len = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flag], &len[..], message].concat()
    };
    let multipart =
        format!("--b\r\nContent-Disposition: form-data; name=\"v\"\r\n\r\n{text}\r\n--b--\r\n");
    let encoded = format!(
        "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        BASE64.encode(bytes)
    );
    vec![
        ("json", serde_json::to_vec(&value).unwrap()),
        ("xml", format!("<a><v k=\"1\">{text}</v></a>").into_bytes()),
        ("multipart", multipart.into_bytes()),
        ("multipart, base64", encoded.into_bytes()),
        ("protobuf", message.clone()),
        (
            "protobuf, nested",
            protobuf_field(1, &protobuf_field(6, &message)),
        ),
        ("protobuf, gzip inside", protobuf_field(3, &gzip(&message))),
        ("grpc", frame(0, &message)),
        ("grpc, gzip", frame(1, &gzip(&message))),
        ("cbor", cbor.clone()),
        ("base64 of cbor", BASE64.encode(&cbor).into_bytes()),
        ("msgpack", pack.clone()),
        ("base64 of msgpack", BASE64.encode(&pack).into_bytes()),
        ("plist", binary.clone()),
        ("base64 of plist", BASE64.encode(&binary).into_bytes()),
        ("xml plist", xml),
    ]
}

fn digests(bytes: &[u8]) -> Vec<(&'static str, Bytes)> {
    vec![
        ("md5", md5::Md5::digest(bytes).to_vec()),
        ("sha1", sha1::Sha1::digest(bytes).to_vec()),
        ("sha224", sha2::Sha224::digest(bytes).to_vec()),
        ("sha256", sha2::Sha256::digest(bytes).to_vec()),
        ("sha384", sha2::Sha384::digest(bytes).to_vec()),
        ("sha512", sha2::Sha512::digest(bytes).to_vec()),
        ("sha3-224", sha3::Sha3_224::digest(bytes).to_vec()),
        ("sha3-256", sha3::Sha3_256::digest(bytes).to_vec()),
        ("sha3-512", sha3::Sha3_512::digest(bytes).to_vec()),
        (
            "murmur3",
            murmur3::murmur3_x64_128(&mut &*bytes, 0)
                .unwrap()
                .to_le_bytes()
                .to_vec(),
        ),
    ]
}

/// Digests of a text in every writing.
fn digested(text: &str) -> Vec<(&'static str, String, Bytes)> {
    let mut found = Vec::new();
    for (name, digest) in digests(text.as_bytes()) {
        let hex = HEXLOWER.encode(&digest);
        let url = BASE64URL_NOPAD.encode(&digest);
        let mut add = |family, form: &str, carrier: Bytes| {
            found.push((family, format!("{name} {form}"), carrier))
        };
        add("digest", "hex", hex.clone().into_bytes());
        add("digest", "HEX", hex.to_uppercase().into_bytes());
        add("digest", "base64", BASE64.encode(&digest).into_bytes());
        add("digest", "base64url", url.clone().into_bytes());
        add("digest", "raw", digest.clone());
        add("digest", "gzip of hex", gzip(hex.as_bytes()));
        add("truncated", "hex[..16]", hex.as_bytes()[..16].to_vec());
        add("truncated", "hex[..32]", hex.as_bytes()[..32].to_vec());
        add(
            "truncated",
            "base64url[..16]",
            url.as_bytes()[..16].to_vec(),
        );
        add("truncated", "raw[..16]", digest[..16].to_vec());
        if name == "md5" {
            add("truncated", "hex[8..24]", hex.as_bytes()[8..24].to_vec());
        }
        if name != "murmur3" {
            for (outer, again) in digests(hex.as_bytes())
                .into_iter()
                .filter(|(outer, _)| *outer != "murmur3")
            {
                found.push((
                    "digest of digest",
                    format!("{outer}({name})"),
                    HEXLOWER.encode(&again).into_bytes(),
                ));
            }
        }
    }
    found
}

/// Ciphers with the persona's key; GCM by another library than the detector's.
fn encrypted(text: &str) -> Vec<(&'static str, Bytes)> {
    let plain = format!("{{\"v\":\"{text}\"}}").into_bytes();
    let key = sha2::Sha256::digest(b"canary-key");
    let sealing = ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &key).unwrap();
    let nonce: [u8; 12] = *b"nonce-of-12b";
    let mut sealed = plain.clone();
    ring::aead::LessSafeKey::new(sealing)
        .seal_in_place_append_tag(
            ring::aead::Nonce::assume_unique_for_key(nonce),
            ring::aead::Aad::empty(),
            &mut sealed,
        )
        .unwrap();
    let repeated = b"canary-key".iter().cycle();
    vec![
        ("aes-gcm", [&nonce[..], &sealed].concat()),
        (
            "xor",
            plain.iter().zip(repeated).map(|(a, b)| a ^ b).collect(),
        ),
    ]
}

/// Digests with what the persona gives.
fn keyed(text: &str) -> Vec<(&'static str, String, Bytes)> {
    macro_rules! mac {
        ($digest:ty) => {{
            let mut mac = Hmac::<$digest>::new_from_slice(b"canary-key").unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }};
    }
    let macs = [
        mac!(md5::Md5),
        mac!(sha1::Sha1),
        mac!(sha2::Sha256),
        mac!(sha2::Sha512),
    ];
    let mut found: Vec<_> = macs
        .iter()
        .flat_map(|mac| {
            [
                HEXLOWER.encode(mac).into_bytes(),
                BASE64.encode(mac).into_bytes(),
                mac.clone(),
            ]
        })
        .map(|carrier| ("with key", "hmac".to_owned(), carrier))
        .collect();
    for (name, carrier) in encrypted(text) {
        found.push(("cipher with key", name.to_owned(), carrier.clone()));
        let text = BASE64.encode(&carrier).into_bytes();
        found.push(("cipher with key", format!("base64 of {name}"), text));
    }
    for salted in [
        format!("com.example.app{text}"),
        format!("{text}com.example.app"),
        format!("{text}:com.example.app"),
        format!("com.example.app|{text}"),
    ] {
        for (name, digest) in digests(salted.as_bytes())
            .into_iter()
            .filter(|(name, _)| *name != "murmur3")
        {
            found.push((
                "with salt",
                format!("{name} {salted}"),
                HEXLOWER.encode(&digest).into_bytes(),
            ));
        }
    }
    found
}

/// Binary forms, for the kinds that have them.
fn binary(kind: DatumKind, value: &str) -> Vec<(&'static str, Bytes)> {
    let plain: String = value.chars().filter(char::is_ascii_hexdigit).collect();
    match kind {
        DatumKind::Mac | DatumKind::Uuid | DatumKind::AndroidId => {
            let raw = HEXLOWER.decode(plain.as_bytes()).unwrap();
            vec![("raw", raw.clone()), ("raw, reversed", reverse(&raw))]
        }
        DatumKind::Imei | DatumKind::Imsi | DatumKind::Phone => {
            let digits = value.trim_start_matches('+');
            let number: u64 = digits.parse().unwrap();
            let mut varint = Vec::new();
            let mut rest = number;
            while rest >= 128 {
                varint.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            varint.push(u8::try_from(rest).unwrap());
            let mut tbcd: Bytes = Vec::new();
            for pair in digits.as_bytes().chunks(2) {
                let high = pair.get(1).map_or(15, |digit| digit - b'0');
                tbcd.push(high << 4 | (pair[0] - b'0'));
            }
            vec![
                ("u64 be", number.to_be_bytes().to_vec()),
                ("u64 le", number.to_le_bytes().to_vec()),
                ("varint", [&[0x08], &varint[..], &[0x12, 1, b'x']].concat()),
                ("fixed64", [&[0x09], &number.to_le_bytes()[..]].concat()),
                ("tbcd", tbcd),
            ]
        }
        DatumKind::Iccid => {
            let mut tbcd: Bytes = Vec::new();
            for pair in value.as_bytes().chunks(2) {
                let high = pair.get(1).map_or(15, |digit| digit - b'0');
                tbcd.push(high << 4 | (pair[0] - b'0'));
            }
            vec![("tbcd", tbcd)]
        }
        DatumKind::Location => {
            let latitude: f64 = value.split_once(',').unwrap().0.parse().unwrap();
            vec![
                ("double be", latitude.to_be_bytes().to_vec()),
                ("double le", latitude.to_le_bytes().to_vec()),
            ]
        }
        _ => Vec::new(),
    }
}

fn split(value: &str, at: usize) -> Vec<(&'static str, Bytes)> {
    let (first, rest) = value.split_at(at);
    vec![
        ("form", format!("a={first}&b={rest}").into_bytes()),
        (
            "form, other order",
            format!("zz={rest}&q=1&x={first}").into_bytes(),
        ),
        (
            "json",
            format!("{{\"x\":\"{first}\",\"y\":\"{rest}\"}}").into_bytes(),
        ),
    ]
}

fn cases(values: &[(DatumKind, String)]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (datum, (kind, value)) in values.iter().enumerate() {
        let mut add = |family, form: String, carrier| {
            cases.push(Case {
                family,
                form,
                datum,
                carrier,
            });
        };
        for (number, text) in spellings(*kind, value).iter().enumerate() {
            for (family, form, encode) in ENCODERS {
                if let Some(carrier) = encode(text.as_bytes()) {
                    add(*family, format!("{form} of {text}"), carrier);
                }
            }
            if text.len() < 24 {
                for (form, carrier) in serialised(text) {
                    add("serialisation", format!("{form} of {text}"), carrier);
                }
            }
            if number < 4 {
                for (family, form, carrier) in digested(text) {
                    add(family, format!("{form} of {text}"), carrier);
                }
                for (family, form, carrier) in keyed(text) {
                    add(family, format!("{form} of {text}"), carrier);
                }
                let crc = crc32fast::hash(text.as_bytes());
                add(
                    "weak digest",
                    format!("crc32 of {text}"),
                    format!("{crc:08x}").into_bytes(),
                );
            }
        }
        for (form, carrier) in binary(*kind, value) {
            add("binary", form.to_owned(), carrier.clone());
            add(
                "binary",
                format!("base64 of {form}"),
                BASE64.encode(&carrier).into_bytes(),
            );
        }
        if matches!(
            kind,
            DatumKind::Imei | DatumKind::Imsi | DatumKind::AndroidId
        ) {
            for (form, carrier) in split(value, 8) {
                add("split", form.to_owned(), carrier);
            }
        }
    }
    cases
}

/// What looks like the data and is none of them.
fn look_alikes(random: &mut ChaCha8Rng, values: &[(DatumKind, String)]) -> Vec<Bytes> {
    let mut found: Vec<Bytes> = Vec::new();
    let value = |kind: DatumKind| {
        values
            .iter()
            .find(|(it, _)| *it == kind)
            .unwrap()
            .1
            .as_str()
    };
    let (own, phone) = (value(DatumKind::Imei), value(DatumKind::Phone));
    for _ in 0..60 {
        let other = imei(random, &own[..8]);
        let number = format!("{}{}", &phone[..8], digits(random, 5));
        if other == own || number == phone {
            continue;
        }
        let json = format!("{{\"imei\":\"{other}\",\"to\":\"{number}\"}}");
        found.push(json.clone().into_bytes());
        found.push(BASE64.encode(json.as_bytes()).into_bytes());
        found.push(gzip(json.as_bytes()));
        found.push(
            HEXLOWER
                .encode(&sha2::Sha256::digest(other.as_bytes()))
                .into_bytes(),
        );
        found.push(
            format!(
                "t={}&u=1{own}&v={own}7",
                random.random_range(1_400_000_000_000u64..1_800_000_000_000)
            )
            .into_bytes(),
        );
        found.push(format!("p={}3&q=9{}", &phone[1..], &phone[1..]).into_bytes());
        found.push(BASE64.encode(format!("9{own}").as_bytes()).into_bytes());
        found.push(
            HEXLOWER
                .encode(format!("{}1", &phone[1..]).as_bytes())
                .into_bytes(),
        );
        found.push(hex(random, 48).into_bytes());
        found.push(hex(random, 4).into_bytes());
        let len = random.random_range(3..200usize);
        let noise: Bytes = (0..len).map(|_| random.random()).collect();
        found.push(BASE64.encode(&noise).into_bytes());
        found.push(BASE64URL_NOPAD.encode(&noise).into_bytes());
        found.push(gzip(&noise));
        found.push(noise);
        found.push(
            format!(
                "{},{}",
                random.random_range(10.0..80.0f64),
                -random.random_range(10.0..170.0f64)
            )
            .into_bytes(),
        );
    }
    found
}

fn detector(values: &[(DatumKind, String)]) -> Detector {
    Detector::new(&persona(values))
}

/// Found and all, and what was missed, by family.
type Table = BTreeMap<&'static str, (usize, usize, Vec<String>)>;

fn recall(detector: &Detector, cases: &[Case]) -> Table {
    let mut table = Table::new();
    for case in cases {
        let matches = detector.search(Shape::Free, &case.carrier);
        let (found, all, missed) = table.entry(case.family).or_default();
        *all += 1;
        if matches.hits.iter().any(|hit| hit.datum == case.datum) {
            *found += 1;
        } else {
            let carrier = String::from_utf8_lossy(&case.carrier);
            missed.push(format!("datum-{} {}: {carrier:.80}", case.datum, case.form));
        }
    }
    table
}

fn check(seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let values = values(&mut random);
    let detector = detector(&values);
    let table = recall(&detector, &cases(&values));
    let mut report = String::from("| family | found | of | recall |\n|---|---|---|---|\n");
    let mut missed = Vec::new();
    for (family, (found, all, names)) in &table {
        let thousandths = found * 1000 / all;
        writeln!(
            report,
            "| {family} | {found} | {all} | {}.{:03} |",
            thousandths / 1000,
            thousandths % 1000
        )
        .unwrap();
        missed.extend(names.iter().map(|name| format!("{family}: {name}")));
    }
    println!("seed {seed}\n{report}");
    if seed == TOLD {
        let readme = include_str!("../README.md");
        assert!(
            readme.contains(&report),
            "README tells of another table than\n{report}"
        );
    }
    let mut false_alarms = Vec::new();
    for carrier in look_alikes(&mut random, &values) {
        let matches = detector.search(Shape::Free, &carrier);
        for hit in matches.hits {
            let text = String::from_utf8_lossy(&carrier).into_owned();
            false_alarms.push(format!(
                "datum-{} {:?} in {text:.200}",
                hit.datum, hit.chain
            ));
        }
        assert!(matches.limits.is_empty(), "{:?}", matches.limits);
    }
    assert!(
        false_alarms.is_empty(),
        "{}: {false_alarms:#?}",
        false_alarms.len()
    );
    missed.truncate(60);
    assert!(missed.is_empty(), "{missed:#?}");
}

/// The seed whose table README shows.
const TOLD: u64 = 1;

#[test]
fn everything_is_found_and_nothing_else() {
    for seed in [TOLD, 0x7068_6f6e_6568_6f6d] {
        check(seed);
    }
}
