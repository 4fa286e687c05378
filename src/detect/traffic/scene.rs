//! `Scene`: everything that the reading of one packet may look at and write to.

use crate::detect::carrier::{Carrier, Searched};
use crate::detect::detector::{Detector, Hit, Matches};
use crate::detect::field::Shape;
use crate::detect::finding::{Direction, Finding};
use crate::detect::layer::budget::Limit;
use crate::detect::options::Marks;
use crate::detect::traffic::ledger::Ledger;
use crate::detect::traffic::names::Names;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::record::{FlowRecord, seconds};
use crate::evidence::flow::{Application, Protection};
use crate::wire::net::tls::keylog::KeyLog;
use std::collections::BTreeSet;

/// What surrounds one packet.
pub(crate) struct Scene<'a> {
    pub(crate) detector: &'a Detector,
    pub(crate) marks: Option<&'a Marks>,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) names: &'a mut Names,
    pub(crate) record: &'a mut FlowRecord,
    /// Keys of encrypted connections, as far as somebody gave them.
    pub(crate) keys: &'a KeyLog,
    /// When, in nanoseconds since the Unix epoch.
    pub(crate) at: u64,
    /// The packet comes from the flow's client.
    pub(crate) is_from_client: bool,
    /// That of the bytes being read: of what was decrypted that of its ciphertext.
    pub(crate) protection: Protection,
}

/// The request that a text belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// Method and target, planted values masked.
    pub(crate) request: Option<String>,
    /// The host that it was addressed to.
    pub(crate) host: Option<String>,
}

impl Scene<'_> {
    /// Whether the packet's bytes leave the handset or reach it.
    pub(crate) const fn direction(&self) -> Direction {
        if self.is_from_client == self.record.is_client_handset {
            Direction::Out
        } else {
            Direction::In
        }
    }

    /// Does something with what was decrypted.
    pub(crate) fn inside<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        let outside = std::mem::replace(&mut self.protection, Protection::Tls);
        let done = act(self);
        self.protection = outside;
        done
    }

    /// Notes what the flow speaks.
    pub(crate) fn speaks(&mut self, application: Application) {
        self.record.speaks(application, self.protection);
    }

    /// Counts payload bytes that were seen.
    pub(crate) fn count(&mut self, len: usize) {
        let len = len as u64;
        self.ledger.delivered += len;
        if self.is_from_client {
            self.record.bytes_out += len;
        } else {
            self.record.bytes_in += len;
        }
    }

    /// Counts payload bytes that were not captured.
    pub(crate) fn count_missing(&mut self, len: u64) {
        self.record.gaps = self.record.gaps.saturating_add(1);
        self.ledger.coverage.bytes_missing += len;
    }

    /// Counts payload bytes that could not be read.
    pub(crate) fn count_opaque(&mut self, len: u64) {
        self.ledger.coverage.bytes_opaque += len;
        match self.direction() {
            Direction::Out => self.record.opaque_out += len,
            Direction::In => self.record.opaque_in += len,
        }
    }

    /// Searches a field that is whole, and reports what is in it.
    pub(crate) fn search(
        &mut self,
        place: &Place,
        shape: Shape,
        field: &[u8],
        offset: u64,
        exchange: &Exchange,
    ) {
        let matches = self.detector.search(shape, field);
        self.report_matches(place, matches, offset, exchange);
    }

    /// Reports what was found in a whole field.
    pub(crate) fn report_matches(
        &mut self,
        place: &Place,
        matches: Matches,
        offset: u64,
        exchange: &Exchange,
    ) {
        self.note_limits(&matches.limits);
        for hit in matches.hits {
            self.report(place, hit, self.at, offset, exchange);
        }
    }

    /// Ends a text and reports what was found in it; returns how many of its bytes are no text.
    pub(crate) fn finish(&mut self, carrier: Carrier, place: &Place, exchange: &Exchange) -> u64 {
        let offset = carrier.offset;
        let Searched {
            sightings,
            opaque,
            limits,
        } = carrier.finish(self.detector);
        self.note_limits(&limits);
        for sighting in sightings {
            self.report(place, sighting.hit, sighting.at, offset, exchange);
        }
        opaque
    }

    fn note_limits(&mut self, limits: &BTreeSet<Limit>) {
        for limit in limits {
            self.ledger.limit(limit.name());
        }
    }

    fn report(&mut self, place: &Place, hit: Hit, at: u64, offset: u64, exchange: &Exchange) {
        let mut chain = place.chain.clone();
        chain.extend(hit.chain);
        self.record.has_finding = true;
        let host = exchange.host.as_ref().or(self.record.host.as_ref());
        let finding = Finding {
            datum: self.detector.id(hit.datum).to_owned(),
            kind: self.detector.kind(hit.datum),
            evidence: hit.evidence,
            chain,
            location: place.location,
            direction: self.direction(),
            flow: self.record.index,
            host: host.cloned(),
            server: self.record.server.to_string(),
            protection: self.protection,
            at: seconds(at),
            request: exchange.request.clone(),
            offset,
            trace: hit.trace,
        };
        let is_decoy = self.detector.is_decoy(hit.datum);
        self.ledger.report(finding, is_decoy);
    }
}
