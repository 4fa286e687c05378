//! DNS messages as a listener sees them: the names asked for, and what addresses they were told to
//! have. What can be read of a damaged message is read. It resolves nothing.

use core::net::IpAddr;
use hickory_proto::op::{Header, MessageType, Query};
use hickory_proto::rr::{Name, RData, Record};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// More records than this in one message are not read.
const MAX_RECORDS: u16 = 1024;

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsMessage {
    /// It answers, rather than asks.
    pub is_response: bool,
    /// Names asked for, without the last dot. A name is bytes; what is not UTF-8 is replaced.
    pub questions: Vec<String>,
    /// Names and addresses, as answered.
    pub addresses: Vec<(String, IpAddr)>,
    /// Other names and texts in the records: aliases, pointers, text records.
    pub texts: Vec<String>,
}

impl DnsMessage {
    /// Reads a message. `None` if its questions can not be read: then it is something else.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut decoder = BinDecoder::new(bytes);
        let header = Header::read(&mut decoder).ok()?;
        let mut message = Self {
            is_response: header.metadata.message_type == MessageType::Response,
            ..Self::default()
        };
        for _ in 0..header.counts.queries.min(MAX_RECORDS) {
            let query = Query::read(&mut decoder).ok()?;
            message.questions.push(dotted(query.name()));
        }
        let records = [
            header.counts.answers,
            header.counts.authorities,
            header.counts.additionals,
        ];
        let records = records
            .into_iter()
            .fold(0u16, u16::saturating_add)
            .min(MAX_RECORDS);
        if header.counts.queries == 0 && records == 0 {
            return None;
        }
        for number in 0..records {
            match Record::<RData>::read(&mut decoder) {
                Ok(record) => message.add(&record),
                // Neither question nor record could be read.
                Err(_) if number == 0 && header.counts.queries == 0 => return None,
                Err(_) => break,
            }
        }
        Some(message)
    }

    fn add(&mut self, record: &Record) {
        let name = dotted(&record.name);
        match &record.data {
            RData::A(address) => self.addresses.push((name, IpAddr::V4(address.0))),
            RData::AAAA(address) => self.addresses.push((name, IpAddr::V6(address.0))),
            RData::CNAME(alias) => self.texts.extend([name, dotted(&alias.0)]),
            RData::PTR(target) => self.texts.extend([name, dotted(&target.0)]),
            RData::SRV(service) => self.texts.extend([name, dotted(&service.target)]),
            RData::TXT(text) => {
                let text = text
                    .txt_data
                    .iter()
                    .map(|part| String::from_utf8_lossy(part));
                self.texts.extend(text.map(std::borrow::Cow::into_owned));
                self.texts.push(name);
            }
            _ => self.texts.push(name),
        }
    }
}

/// Labels as they are, joined by dots; hickory's own form escapes what is not a host name.
fn dotted(name: &Name) -> String {
    let labels: Vec<_> = name.iter().map(String::from_utf8_lossy).collect();
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    /// Written by hand after RFC 1035, 4.1: `api.example.org`, type A.
    const QUERY: &str = "12340100000100000000000003617069076578616d706c65036f72670000010001";
    /// The same with an answer: an alias `cdn.example.org` and its address, by compressed names.
    const RESPONSE: &str = "\
        12348180000100020000000003617069076578616d706c65036f72670000010001\
        c00c000500010000003c00060363646ec010c02d000100010000003c00042a3e3007";

    fn bytes(hex: &str) -> Vec<u8> {
        HEXLOWER.decode(hex.as_bytes()).unwrap()
    }

    #[test]
    fn reads_a_question_and_its_answer() {
        let query = DnsMessage::parse(&bytes(QUERY)).unwrap();
        assert!(!query.is_response);
        assert_eq!(query.questions, ["api.example.org"]);
        let response = DnsMessage::parse(&bytes(RESPONSE)).unwrap();
        assert!(response.is_response);
        assert_eq!(response.questions, ["api.example.org"]);
        let address = "42.62.48.7".parse().unwrap();
        assert_eq!(
            response.addresses,
            [("cdn.example.org".to_owned(), address)]
        );
        assert_eq!(response.texts, ["api.example.org", "cdn.example.org"]);
    }

    #[test]
    fn a_cut_message_is_read_as_far_as_it_goes() {
        let whole = bytes(RESPONSE);
        let question_end = bytes(QUERY).len();
        for len in 0..whole.len() {
            let read = DnsMessage::parse(&whole[..len]);
            assert_eq!(read.is_some(), len >= question_end, "{len}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = DnsMessage::parse(&bytes);
        }

        #[test]
        fn a_damaged_message_is_survived(at in 0usize..67, byte: u8, counts: [u8; 8]) {
            let mut message = bytes(RESPONSE);
            message[at] = byte;
            let _ = DnsMessage::parse(&message);
            message[4..12].copy_from_slice(&counts);
            let _ = DnsMessage::parse(&message);
        }
    }
}
