//! DNS messages as the handset's resolver and its server write them. Bytes by hickory-proto; no sockets.

use std::net::Ipv4Addr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// How long an answer may be remembered, in seconds.
pub(super) const TTL_SECONDS: u32 = 300;

/// The bytes of a query for a name and those of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    /// What the handset asks.
    pub(super) query: Vec<u8>,
    /// What the server answers.
    pub(super) answer: Vec<u8>,
}

/// The two messages for `name`; no addresses mean NXDOMAIN. `None` when it is no name at all (a resolver then asks nobody).
pub(super) fn lookup(id: u16, name: &str, addresses: &[Ipv4Addr]) -> Option<Lookup> {
    let mut fqdn = Name::from_ascii(name).ok()?;
    fqdn.set_fqdn(true);
    if fqdn.is_root() {
        return None;
    }
    let mut query = Message::new(id, MessageType::Query, OpCode::Query);
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(fqdn.clone(), RecordType::A));
    let mut answer = Message::response(id, OpCode::Query);
    answer.metadata.recursion_desired = true;
    answer.metadata.recursion_available = true;
    answer.add_query(Query::query(fqdn.clone(), RecordType::A));
    if addresses.is_empty() {
        answer.metadata.response_code = ResponseCode::NXDomain;
        answer.add_authority(start_of_authority(&fqdn)?);
    }
    for address in addresses.iter().take(16) {
        let record = RData::A(A(*address));
        answer.add_answer(Record::from_rdata(fqdn.clone(), TTL_SECONDS, record));
    }
    Some(Lookup {
        query: query.to_vec().ok()?,
        answer: answer.to_vec().ok()?,
    })
}

/// The record that lets a resolver remember that a name does not exist: its top-level domain's.
fn start_of_authority(name: &Name) -> Option<Record> {
    let zone = name.trim_to(1);
    let server = Name::from_ascii("a.root-servers.net.").ok()?;
    let mailbox = Name::from_ascii("nstld.verisign-grs.com.").ok()?;
    let soa = SOA::new(server, mailbox, 2_014_080_100, 1800, 900, 604_800, 86_400);
    Some(Record::from_rdata(zone, 900, RData::SOA(soa)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_answered_and_an_unknown_one_denied() {
        let address = Ipv4Addr::new(203, 0, 113, 7);
        let known = lookup(0x1234, "api.example.org", &[address]).unwrap();
        // RFC 1035, section 4.1: id, flags (RD), one question, the name in labels, A, IN.
        let expected = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03api\x07example\x03org\x00\x00\x01\x00\x01";
        assert_eq!(known.query, expected);
        let answer = Message::from_vec(&known.answer).unwrap();
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
        assert_eq!(answer.answers.len(), 1);
        assert!(known.answer.ends_with(&[203, 0, 113, 7]));

        let unknown = lookup(9, "k3j9.example.invalid", &[]).unwrap();
        // Flags: response, RD, RA, rcode 3.
        assert_eq!(unknown.answer.get(2..4), Some(&[0x81, 0x83][..]));
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        let long = "a".repeat(64);
        for name in ["", ".", "a..b", &format!("{long}.org")] {
            assert_eq!(lookup(1, name, &[]), None, "{name}");
        }
    }
}
