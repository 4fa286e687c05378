//! `SearchRecord`: what a run's search was told beside the capture itself, schema `phonehome/search/1`:
//! its persona, its marks, its own connections, who owned which socket. It lies beside the capture, so
//! that the same search can be made again. It holds planted and read values as they are, as the
//! capture does; everything else refuses to.

use crate::base::secret::Secret;
use crate::detect::options::{Exclusion, Marks, Options, SocketOwner};
use crate::evidence::gap::Gap;
use crate::persona::datum::{Datum, DatumKind, Group, Key, Origin, Persona, UnknownDatum};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The evidence file.
pub const FILE: &str = "search.json";

/// Everything that one search was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRecord {
    /// What was searched for.
    pub persona: Persona,
    /// The lookups that bound the run, and its steps.
    pub marks: Vec<String>,
    /// Our own connections.
    pub exclude: Vec<Exclusion>,
    /// Bytes of our own that the capture left out by itself.
    pub bytes_filtered: u64,
    /// Who owned which socket.
    pub owners: Vec<SocketOwner>,
    /// The handset's own addresses.
    pub handset_addresses: Vec<IpAddr>,
    /// What the collectors missed.
    pub gaps: Vec<Gap>,
}

/// Why a file is not a search's record.
#[derive(Debug, Error)]
pub enum SearchRecordError {
    /// It is not JSON, or not of this shape. The cause is not kept: it may repeat a value.
    #[error("it is not a search's record (line {line}, column {column})")]
    Shape {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// It is of another schema.
    #[error("its schema is not `{}`", SearchRecord::SCHEMA)]
    Schema,
}

impl SearchRecord {
    /// The schema's name.
    pub const SCHEMA: &'static str = "phonehome/search/1";

    /// As the file has it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(&File::of(self)).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// Reads what [`Self::to_json`] wrote.
    pub fn parse(json: &[u8]) -> Result<Self, SearchRecordError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let shape = |error: serde_json::Error| SearchRecordError::Shape {
            line: error.line(),
            column: error.column(),
        };
        let head: Head = serde_json::from_slice(json).map_err(shape)?;
        if head.schema != Self::SCHEMA {
            return Err(SearchRecordError::Schema);
        }
        let file: File = serde_json::from_slice(json).map_err(shape)?;
        Ok(file.into_record())
    }

    /// How the capture is to be read; `input` is its path, for the record.
    #[must_use]
    pub fn options(&self, input: String) -> Options {
        Options {
            input,
            exclude: self.exclude.clone(),
            window: Some(Marks {
                names: self.marks.clone(),
            }),
            owners: self.owners.clone(),
            handset_addresses: self.handset_addresses.clone(),
            ..Options::default()
        }
    }
}

/// The file: types of its own, so that the domain may change and the file may not.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    data: Vec<FileDatum>,
    decoys: Vec<FileDatum>,
    keys: Vec<FileKey>,
    salts: Vec<FileKey>,
    unknown: Vec<UnknownDatum>,
    marks: Vec<String>,
    exclude: Vec<Exclusion>,
    bytes_filtered: u64,
    handset_addresses: Vec<IpAddr>,
    gaps: Vec<Gap>,
    owners: Vec<SocketOwner>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDatum {
    id: String,
    kind: DatumKind,
    value: String,
    group: Option<Group>,
    origin: Origin,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKey {
    id: String,
    value: String,
}

impl File {
    fn of(record: &SearchRecord) -> Self {
        let SearchRecord {
            persona,
            marks,
            exclude,
            bytes_filtered,
            owners,
            handset_addresses,
            gaps,
        } = record;
        let data = |data: &[Datum]| data.iter().map(FileDatum::of).collect();
        let keys = |keys: &[Key]| keys.iter().map(FileKey::of).collect();
        Self {
            schema: SearchRecord::SCHEMA.to_owned(),
            data: data(&persona.data),
            decoys: data(&persona.decoys),
            keys: keys(&persona.keys),
            salts: keys(&persona.salts),
            unknown: persona.unknown.clone(),
            marks: marks.clone(),
            exclude: exclude.clone(),
            bytes_filtered: *bytes_filtered,
            handset_addresses: handset_addresses.clone(),
            gaps: gaps.clone(),
            owners: owners.clone(),
        }
    }

    fn into_record(self) -> SearchRecord {
        let data = |data: Vec<FileDatum>| data.into_iter().map(FileDatum::into_datum).collect();
        let keys = |keys: Vec<FileKey>| keys.into_iter().map(FileKey::into_key).collect();
        SearchRecord {
            persona: Persona {
                data: data(self.data),
                decoys: data(self.decoys),
                unknown: self.unknown,
                keys: keys(self.keys),
                salts: keys(self.salts),
            },
            marks: self.marks,
            exclude: self.exclude,
            bytes_filtered: self.bytes_filtered,
            owners: self.owners,
            handset_addresses: self.handset_addresses,
            gaps: self.gaps,
        }
    }
}

impl FileDatum {
    fn of(datum: &Datum) -> Self {
        Self {
            id: datum.id.clone(),
            kind: datum.kind,
            value: datum.value.expose().clone(),
            group: datum.group,
            origin: datum.origin,
        }
    }

    fn into_datum(self) -> Datum {
        Datum {
            id: self.id,
            kind: self.kind,
            value: Secret::new(self.value),
            group: self.group,
            origin: self.origin,
        }
    }
}

impl FileKey {
    fn of(key: &Key) -> Self {
        Self {
            id: key.id.clone(),
            value: key.value.expose().clone(),
        }
    }

    fn into_key(self) -> Key {
        Key {
            id: self.id,
            value: Secret::new(self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::detector::Detector;
    use crate::detect::field::Shape;
    use crate::evidence::flow::{App, FlowProtocol};
    use crate::evidence::gap::Observer;
    use proptest::prelude::*;

    fn record() -> SearchRecord {
        let datum = |id: &str, kind, value: &str, origin| Datum {
            id: id.to_owned(),
            kind,
            value: Secret::new(value.to_owned()),
            group: Group::of(id, kind),
            origin,
        };
        let key = |id: &str, value: &str| Key {
            id: id.to_owned(),
            value: Secret::new(value.to_owned()),
        };
        SearchRecord {
            persona: Persona {
                data: vec![
                    datum("imei-1", DatumKind::Imei, "490154203237518", Origin::Read),
                    datum(
                        "peer-1.name",
                        DatumKind::Name,
                        "Zoë \"Q\"\n",
                        Origin::Planted,
                    ),
                ],
                decoys: vec![datum(
                    "decoy-1",
                    DatumKind::Phone,
                    "+447700900456",
                    Origin::Given,
                )],
                unknown: vec![UnknownDatum {
                    id: "imsi-1".to_owned(),
                    group: Some(Group::Imsi),
                    reason: "no SIM".to_owned(),
                }],
                keys: vec![key("hook-1", "canary")],
                salts: vec![key("salt-1", "com.example")],
            },
            marks: vec!["a.example".to_owned(), "b.example".to_owned()],
            exclude: vec![Exclusion {
                handset_port: 5555,
                peer_address: Some(IpAddr::from([192, 0, 2, 1])),
                peer_port: None,
            }],
            bytes_filtered: 77,
            owners: vec![SocketOwner {
                protocol: FlowProtocol::Tcp,
                local: "[2001:db8::1]:40001".parse().unwrap(),
                remote: "[2001:db8::2]:443".parse().unwrap(),
                app: App {
                    uid: 10_042,
                    package: Some("com.example".to_owned()),
                },
            }],
            handset_addresses: vec!["2001:db8::1".parse().unwrap()],
            gaps: vec![Gap {
                observer: Observer::Packets,
                reason: "the handset's kernel dropped packets".to_owned(),
                detail: Some("3 packets".to_owned()),
            }],
        }
    }

    #[test]
    fn a_record_comes_back() {
        for record in [record(), SearchRecord::default()] {
            let parsed = SearchRecord::parse(&record.to_json()).unwrap();
            assert_eq!(parsed, record);
        }
    }

    #[test]
    fn says_what_is_wrong_and_repeats_no_value() {
        let whole = String::from_utf8(record().to_json()).unwrap();
        let newer = whole.replace("search/1", "search/2");
        let wrong = whole.replace("\"imei\"", "490154203237518");
        let more = whole.replace("\"marks\"", "\"markers\"");
        let cases = [
            ("", "it is not a search's record (line 1, column 0)"),
            (
                "{\"schema\":\"phonehome/search/1\"}",
                "it is not a search's record (line 1, column 31)",
            ),
            (newer.as_str(), "its schema is not `phonehome/search/1`"),
        ];
        for (text, expected) in cases {
            let error = SearchRecord::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        for text in [&wrong, &more] {
            let error = SearchRecord::parse(text.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("4901542"));
        }
        for len in 0..whole.len() - 2 {
            assert!(
                SearchRecord::parse(&whole.as_bytes()[..len]).is_err(),
                "{len}"
            );
        }
    }

    proptest! {
        /// Whoever changes a bundle can put anything into a persona.
        #[test]
        fn a_persona_of_anything_is_survived(value: String, at in 0..DatumKind::ALL.len(), key: String) {
            let mut record = record();
            record.persona.data[0].kind = DatumKind::ALL[at].1;
            record.persona.data[0].value = Secret::new(value.clone());
            record.persona.keys[0].value = Secret::new(key.clone());
            record.persona.salts[0].value = Secret::new(key);
            let detector = Detector::new(&record.persona);
            let _ = detector.search(Shape::Free, value.as_bytes());
        }
    }
}
