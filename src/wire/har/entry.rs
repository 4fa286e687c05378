//! One entry of an archive: a request, its response, and the messages of a WebSocket. It reads what
//! browsers and proxies write, not only what the specification asks for.

use crate::wire::har::lenient::{Bounded, number, text};
use core::time::Duration;
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use serde::Deserialize;
use std::borrow::Cow;

/// One exchange.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HarEntry {
    /// When the request began, as ISO 8601.
    #[serde(deserialize_with = "text")]
    pub started_date_time: Option<String>,
    /// How long it all took, in milliseconds.
    #[serde(deserialize_with = "number")]
    pub time: Option<f64>,
    /// What was asked.
    pub request: HarRequest,
    /// What was answered.
    pub response: HarResponse,
    /// The server's address.
    #[serde(rename = "serverIPAddress", deserialize_with = "text")]
    pub server_ip_address: Option<String>,
    /// Messages of a WebSocket, as Chromium writes them.
    #[serde(rename = "_webSocketMessages")]
    pub messages: Bounded<HarMessage>,
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HarRequest {
    /// `GET`.
    #[serde(deserialize_with = "text")]
    pub method: Option<String>,
    /// Absolute, without its fragment.
    #[serde(deserialize_with = "text")]
    pub url: Option<String>,
    /// `HTTP/1.1`, `h2`.
    #[serde(deserialize_with = "text")]
    pub http_version: Option<String>,
    /// Header fields.
    pub headers: Bounded<HarPair>,
    /// Cookies, which the header fields hold too, mostly.
    pub cookies: Bounded<HarPair>,
    /// The query's parts, which the URL holds too, mostly.
    pub query_string: Bounded<HarPair>,
    /// The body.
    pub post_data: Option<HarBody>,
    /// Bytes of the body on the wire; -1 if not known.
    #[serde(deserialize_with = "number")]
    pub body_size: Option<f64>,
}

/// A response.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HarResponse {
    /// `200`.
    #[serde(deserialize_with = "number")]
    pub status: Option<f64>,
    /// Header fields.
    pub headers: Bounded<HarPair>,
    /// Cookies, which the header fields hold too, mostly.
    pub cookies: Bounded<HarPair>,
    /// The body, its content encodings undone.
    pub content: Option<HarBody>,
    /// Bytes of the body on the wire; 0 if it came from a cache, -1 if not known.
    #[serde(deserialize_with = "number")]
    pub body_size: Option<f64>,
}

/// `postData` or `content`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HarBody {
    /// Its type.
    #[serde(deserialize_with = "text")]
    pub mime_type: Option<String>,
    /// The body.
    #[serde(deserialize_with = "text")]
    pub text: Option<String>,
    /// `base64` if `text` is.
    #[serde(deserialize_with = "text")]
    pub encoding: Option<String>,
    /// The parts of a form, where there is no text.
    pub params: Bounded<HarPair>,
    /// Bytes of the content.
    #[serde(deserialize_with = "number")]
    pub size: Option<f64>,
}

/// A name and its value; of a form's file its name and type too.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HarPair {
    /// The name.
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    /// The value.
    #[serde(deserialize_with = "text")]
    pub value: Option<String>,
    /// The name of a file.
    #[serde(deserialize_with = "text")]
    pub file_name: Option<String>,
}

/// A message of a WebSocket.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HarMessage {
    /// `send` or `receive`.
    #[serde(rename = "type", deserialize_with = "text")]
    pub kind: Option<String>,
    /// When, in seconds since the Unix epoch.
    #[serde(deserialize_with = "number")]
    pub time: Option<f64>,
    /// 1 for a text, 2 for bytes in base64.
    #[serde(deserialize_with = "number")]
    pub opcode: Option<f64>,
    /// What was said.
    #[serde(deserialize_with = "text")]
    pub data: Option<String>,
}

impl HarEntry {
    /// Reads an entry.
    ///
    /// # Errors
    /// What is wrong with its JSON, in words, without anything of its content.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        // Bytes that are no UTF-8 are damage of one string, not of the entry.
        let text = String::from_utf8_lossy(json);
        serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("no JSON at its line {line}, column {column}")
        })
    }

    /// When the request began, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn started(&self) -> Option<u64> {
        let at: jiff::Timestamp = self.started_date_time.as_deref()?.trim().parse().ok()?;
        u64::try_from(at.as_nanosecond()).ok()
    }

    /// How long it took.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let seconds = self.time.unwrap_or_default().max(0.0) / 1000.0;
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}

impl HarBody {
    /// The body's bytes; of a base64 that is none the text as it stands.
    #[must_use]
    pub fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        let text = self.text.as_deref().filter(|text| !text.is_empty())?;
        let is_base64 = self
            .encoding
            .as_deref()
            .is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64"));
        Some(match is_base64 {
            true => decoded(text),
            false => Cow::Borrowed(text.as_bytes()),
        })
    }
}

impl HarMessage {
    /// The message's bytes.
    #[must_use]
    pub fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        const BINARY: f64 = 2.0;
        let data = self.data.as_deref().filter(|data| !data.is_empty())?;
        Some(match self.opcode {
            Some(BINARY) => decoded(data),
            _ => Cow::Borrowed(data.as_bytes()),
        })
    }
}

/// What a base64 in any of its alphabets stands for; the text itself if it is none.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    let compact: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let alphabets = [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD];
    let bytes = alphabets.iter().find_map(|it| it.decode(&compact).ok());
    bytes.map_or(Cow::Borrowed(text.as_bytes()), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_is_read() {
        let json = br#"{"startedDateTime":"2014-05-13T18:53:20.500+02:00","time":250.5,"connection":"12",
            "request":{"method":"POST","url":"https://a.example/x?y","httpVersion":"h2","headers":[{"name":"A","value":"b"}],
              "postData":{"mimeType":"text/plain","text":"aGk=","encoding":"base64"},"bodySize":2},
            "response":{"status":"200","headers":null,"content":{"size":2,"text":"{}"}},
            "_webSocketMessages":[{"type":"send","time":1400000000.5,"opcode":2,"data":"AAE="}]}"#;
        let entry = HarEntry::parse(json).unwrap();
        // date -u -d 2014-05-13T16:53:20.5Z +%s
        assert_eq!(entry.started(), Some(1_400_000_000_500_000_000));
        assert_eq!(entry.duration(), Duration::from_micros(250_500));
        assert_eq!(
            entry.request.post_data.unwrap().bytes().unwrap(),
            &b"hi"[..]
        );
        assert_eq!(entry.response.status, Some(200.0));
        assert_eq!(entry.messages.kept[0].bytes().unwrap(), &[0u8, 1][..]);
    }

    #[test]
    fn a_field_of_the_wrong_type_is_none() {
        let json = br#"{"request":{"url":{"no":[1]},"method":7,"headers":[{"name":null,"value":true}],"bodySize":"x"}}"#;
        let request = HarEntry::parse(json).unwrap().request;
        assert_eq!((request.url, request.method.as_deref()), (None, Some("7")));
        assert_eq!(request.headers.kept[0].value.as_deref(), Some("true"));
        assert_eq!(request.body_size, None);
    }

    #[test]
    fn lists_are_bounded() {
        let list = vec!["{}"; 5000].join(",");
        let json = format!(r#"{{"request":{{"headers":[{list}]}}}}"#);
        let headers = HarEntry::parse(json.as_bytes()).unwrap().request.headers;
        assert_eq!((headers.kept.len(), headers.more), (4096, 5000 - 4096));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = HarEntry::parse(&bytes);
        }
    }
}
