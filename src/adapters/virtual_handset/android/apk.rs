//! What an APK says of itself: its manifest, in binary XML, out of the zip. Nothing else in it is read;
//! no signature is checked.
//!
//! Format: AOSP `frameworks/base/libs/androidfw/include/androidfw/ResourceTypes.h`.

use crate::base::bytes::Reader;
use std::io::{Cursor, Read};
use thiserror::Error;

/// A manifest larger than this is none.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// All of a manifest's strings together.
const MAX_STRINGS_BYTES: usize = 4 << 20;

const MANIFEST: &str = "AndroidManifest.xml";

/// Chunks of a binary XML file.
const XML: u16 = 0x0003;
const STRINGS: u16 = 0x0001;
const RESOURCES: u16 = 0x0180;
const START: u16 = 0x0102;

/// Flag of a string pool in UTF-8; else it is UTF-16.
const UTF8: u32 = 1 << 8;

/// Attributes by their resource (`public.xml`).
const VERSION_CODE: u32 = 0x0101_021b;
const VERSION_NAME: u32 = 0x0101_021c;
const MIN_SDK: u32 = 0x0101_020c;
const TEST_ONLY: u32 = 0x0101_0272;
const DEBUGGABLE: u32 = 0x0101_000f;
const PERMISSION_NAME: u32 = 0x0101_0003;

/// Permissions that are kept of one manifest.
const MAX_PERMISSIONS: usize = 500;

/// Why a file is no APK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum ApkError {
    /// No zip.
    #[error("no zip file")]
    NotZip,
    /// A zip without a manifest.
    #[error("no manifest")]
    NoManifest,
    /// A manifest that is no binary XML.
    #[error("a manifest that cannot be read")]
    BadManifest,
    /// A manifest without a right package name.
    #[error("no right package name")]
    BadName,
}

/// What an APK says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Apk {
    /// `com.example.app`
    pub(crate) package: String,
    /// The split it is; `None` is the base.
    pub(crate) split: Option<String>,
    /// `versionCode`
    pub(crate) version_code: u32,
    /// `versionName`
    pub(crate) version_name: String,
    /// `minSdkVersion`
    pub(crate) min_sdk: u32,
    /// Installed only where that is asked for.
    pub(crate) test_only: bool,
    /// May be debugged anywhere.
    pub(crate) debuggable: bool,
    /// Permissions it asks for.
    pub(crate) permissions: Vec<String>,
}

/// Reads an APK.
pub(crate) fn parse(bytes: &[u8]) -> Result<Apk, ApkError> {
    let archive = zip::ZipArchive::new(Cursor::new(bytes));
    let mut archive = archive.map_err(|_| ApkError::NotZip)?;
    let entry = archive
        .by_name(MANIFEST)
        .map_err(|_| ApkError::NoManifest)?;
    let mut manifest = Vec::new();
    let read = entry.take(MAX_MANIFEST_BYTES).read_to_end(&mut manifest);
    read.map_err(|_| ApkError::BadManifest)?;
    let apk = manifest_of(&manifest).ok_or(ApkError::BadManifest)?;
    if is_name(&apk.package) {
        Ok(apk)
    } else {
        Err(ApkError::BadName)
    }
}

/// Java words with dots between them, two at least.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        let mut letters = word.chars();
        letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.len() <= 223 && name.contains('.') && name.split('.').all(is_word)
}

/// One value of an attribute.
struct Attribute<'a> {
    name: &'a str,
    resource: u32,
    text: Option<&'a str>,
    number: u32,
}

fn manifest_of(bytes: &[u8]) -> Option<Apk> {
    let mut file = Reader::new(bytes);
    let (kind, header, _) = chunk_head(&mut file)?;
    if kind != XML {
        return None;
    }
    file.take(header.checked_sub(8)?).ok()?;
    let (mut strings, mut resources) = (Vec::new(), Vec::new());
    let (mut apk, mut has_manifest) = (Apk::default(), false);
    while !file.is_empty() {
        let at = file.rest();
        let (kind, header, size) = chunk_head(&mut file)?;
        let body = file.take(size.checked_sub(8)?).ok()?;
        match kind {
            STRINGS => strings = string_pool(at.get(..size)?)?,
            RESOURCES => {
                let words = body.chunks_exact(4);
                resources = words
                    .filter_map(|word| Reader::new(word).u32_le().ok())
                    .collect();
            }
            START => {
                let body = body.get(header.checked_sub(8)?..)?;
                let (name, attributes) = element(body, &strings, &resources)?;
                match name {
                    "manifest" => {
                        has_manifest = true;
                        manifest(&attributes, &mut apk);
                    }
                    "uses-sdk" => {
                        let min = attributes.iter().find(|a| a.resource == MIN_SDK);
                        apk.min_sdk = min.map_or(0, |min| min.number);
                    }
                    "application" => {
                        let is = |what| {
                            attributes
                                .iter()
                                .any(|a| a.resource == what && a.number != 0)
                        };
                        apk.test_only = is(TEST_ONLY);
                        apk.debuggable = is(DEBUGGABLE);
                    }
                    "uses-permission" if apk.permissions.len() < MAX_PERMISSIONS => {
                        let name = attributes.iter().find(|a| a.resource == PERMISSION_NAME);
                        apk.permissions
                            .extend(name.and_then(|name| name.text).map(str::to_owned));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    has_manifest.then_some(apk)
}

fn manifest(attributes: &[Attribute<'_>], apk: &mut Apk) {
    for attribute in attributes {
        let text = || attribute.text.unwrap_or_default().to_owned();
        match (attribute.name, attribute.resource) {
            ("package", 0) => apk.package = text(),
            ("split", 0) => apk.split = Some(text()).filter(|split| !split.is_empty()),
            (_, VERSION_CODE) => apk.version_code = attribute.number,
            (_, VERSION_NAME) => apk.version_name = text(),
            _ => {}
        }
    }
}

/// Type, size of the header, size of the whole.
fn chunk_head(reader: &mut Reader<'_>) -> Option<(u16, usize, usize)> {
    let kind = u16_le(reader)?;
    let header = usize::from(u16_le(reader)?);
    let size = usize::try_from(reader.u32_le().ok()?).ok()?;
    (header >= 8 && size >= header).then_some((kind, header, size))
}

fn u16_le(reader: &mut Reader<'_>) -> Option<u16> {
    reader.array().ok().map(u16::from_le_bytes)
}

/// A string pool, whose offsets count from its own start.
fn string_pool(chunk: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader::new(chunk);
    reader.take(8).ok()?;
    let count = reader.u32_le().ok()?;
    reader.u32_le().ok()?;
    let is_utf8 = reader.u32_le().ok()? & UTF8 != 0;
    let start = usize::try_from(reader.u32_le().ok()?).ok()?;
    reader.u32_le().ok()?;
    let data = chunk.get(start..)?;
    let (mut strings, mut len_bytes) = (Vec::new(), 0);
    for _ in 0..count {
        // The offsets end with the chunk, however many are claimed.
        let offset = usize::try_from(reader.u32_le().ok()?).ok()?;
        let mut string = Reader::new(data.get(offset..)?);
        let string = if is_utf8 {
            utf8(&mut string)?
        } else {
            utf16(&mut string)?
        };
        // Strings may lie over each other, so that a small pool could hold a large sum.
        len_bytes += string.len();
        if len_bytes > MAX_STRINGS_BYTES {
            return None;
        }
        strings.push(string);
    }
    Some(strings)
}

/// Lengths in characters and in bytes, then the bytes.
fn utf8(reader: &mut Reader<'_>) -> Option<String> {
    let mut len = || -> Option<usize> {
        let first = reader.u8().ok()?;
        if first & 0x80 == 0 {
            return Some(first.into());
        }
        let second = reader.u8().ok()?;
        Some(usize::from(first & 0x7f) << 8 | usize::from(second))
    };
    len()?;
    let len = len()?;
    let bytes = reader.take(len).ok()?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// A length in units, then the units.
fn utf16(reader: &mut Reader<'_>) -> Option<String> {
    let first = u16_le(reader)?;
    let len = if first & 0x8000 == 0 {
        usize::from(first)
    } else {
        usize::from(first & 0x7fff) << 16 | usize::from(u16_le(reader)?)
    };
    let bytes = reader.take(len.checked_mul(2)?).ok()?;
    let units = bytes
        .chunks_exact(2)
        .filter_map(|unit| u16_le(&mut Reader::new(unit)));
    Some(String::from_utf16_lossy(&units.collect::<Vec<u16>>()))
}

/// An element's name and attributes.
fn element<'a>(
    body: &[u8],
    strings: &'a [String],
    resources: &[u32],
) -> Option<(&'a str, Vec<Attribute<'a>>)> {
    let string = |index: u32| {
        let string = strings.get(usize::try_from(index).ok()?);
        string.map(String::as_str)
    };
    let mut reader = Reader::new(body);
    reader.u32_le().ok()?;
    let name = string(reader.u32_le().ok()?)?;
    let start = usize::from(u16_le(&mut reader)?);
    let size = usize::from(u16_le(&mut reader)?);
    let count = usize::from(u16_le(&mut reader)?);
    let attributes = body.get(start..)?;
    if size < 20 {
        return (count == 0).then_some((name, Vec::new()));
    }
    let attributes = attributes.chunks_exact(size).take(count);
    let attributes = attributes.map(|bytes| {
        let mut reader = Reader::new(bytes);
        reader.u32_le().ok()?;
        let name = reader.u32_le().ok()?;
        let raw = reader.u32_le().ok()?;
        reader.take(3).ok()?;
        // Text is a string's index, here as in the raw value.
        let is_text = reader.u8().ok()? == 3;
        let number = reader.u32_le().ok()?;
        let at = usize::try_from(name).ok();
        Some(Attribute {
            name: string(name).unwrap_or_default(),
            resource: at.and_then(|at| resources.get(at)).copied().unwrap_or(0),
            text: string(if is_text { number } else { raw }),
            number,
        })
    });
    Some((name, attributes.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: &[u8] = include_bytes!("../../../../tests/data/apk/base-7.apk");
    const SPLIT: &[u8] = include_bytes!("../../../../tests/data/apk/split-7.apk");
    const TEST: &[u8] = include_bytes!("../../../../tests/data/apk/test-1.apk");

    /// Values as `aapt dump badging` prints them.
    #[test]
    fn reads_what_aapt_has_written() {
        let base = parse(BASE).unwrap();
        let small = Apk {
            package: "com.example.small".to_owned(),
            version_code: 7,
            version_name: "1.2".to_owned(),
            min_sdk: 21,
            ..Apk::default()
        };
        assert_eq!(base, small);
        let split = parse(SPLIT).unwrap();
        assert_eq!(split.split.as_deref(), Some("config.en"));
        assert_eq!((split.package, split.version_code), (small.package, 7));
        let test = parse(TEST).unwrap();
        assert_eq!((test.test_only, test.min_sdk), (true, 30));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(parse(b""), Err(ApkError::NotZip));
        assert_eq!(parse(b"PK\x03\x04"), Err(ApkError::NotZip));
        let empty = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
        assert_eq!(parse(&empty), Err(ApkError::NoManifest));
        for name in ["", "a", "a.", "a b.c", "1.a", ".a", "a..b"] {
            assert!(!is_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn damaged_ones_never_panic(at in 0usize..607, put in any::<u8>(), cut in 0usize..607) {
            let mut bytes = BASE.to_vec();
            bytes[at] = put;
            let _ = parse(&bytes);
            let _ = parse(&bytes[..cut]);
        }

        #[test]
        fn damaged_manifests_never_panic(at in 0usize..1176, put in any::<u8>(), cut in 0usize..1176) {
            let mut archive = zip::ZipArchive::new(Cursor::new(BASE)).unwrap();
            let mut manifest = Vec::new();
            archive.by_name(MANIFEST).unwrap().read_to_end(&mut manifest).unwrap();
            manifest[at] = put;
            let _ = manifest_of(&manifest);
            let _ = manifest_of(&manifest[..cut]);
        }
    }
}
