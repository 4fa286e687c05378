//! `Scene`: everything that the reading of one packet may look at and write to.

use crate::detect::carrier::{Carrier, Provenance, Searched};
use crate::detect::detector::{Detector, Hit, Matches};
use crate::detect::field::Shape;
use crate::detect::finding::{Direction, Finding};
use crate::detect::layer::budget::Limit;
use crate::detect::options::Marks;
use crate::detect::recording::{Moment, Recorder};
use crate::detect::traffic::ledger::Ledger;
use crate::detect::traffic::names::Names;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::record::{FlowRecord, seconds};
use crate::detect::traffic::trail::Trail;
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
    /// The number of the packet whose bytes are read, from 1; 0 if it is not known.
    pub(crate) packet: u64,
    /// Where the bytes that are read start in their direction; `None` if they are not as they were
    /// sent, or nobody has counted.
    pub(crate) offset: Option<u64>,
    /// Fields are searched as they were sent, byte for byte.
    pub(crate) is_verbatim: bool,
    /// The packets that the direction's latest bytes came in.
    pub(crate) trail: Trail,
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
    /// Its number in what is kept for an archive.
    pub(crate) number: Option<u32>,
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

    /// Where the bytes that are read come from.
    pub(crate) const fn origin(&self) -> Provenance {
        Provenance {
            at: self.at,
            packet: self.packet,
            offset: self.offset,
        }
    }

    /// Begins an exchange that is kept for an archive, if one is wanted; its number.
    pub(crate) fn open_exchange(
        &mut self,
        method: &[u8],
        target: &[u8],
        host: Option<&str>,
    ) -> Option<u32> {
        let (flow, at) = (self.record.index, self.at);
        let recorder = self.ledger.recorder.as_mut()?;
        recorder.open(flow, at, self.protection, method, target, host)
    }

    /// Keeps something of an exchange for an archive, if one is wanted.
    pub(crate) fn keep(
        &mut self,
        exchange: &Exchange,
        act: impl FnOnce(&mut Recorder, u32, Moment),
    ) {
        let moment = Moment {
            at: self.at,
            is_from_client: self.is_from_client,
        };
        if let (Some(recorder), Some(number)) = (&mut self.ledger.recorder, exchange.number) {
            act(recorder, number, moment);
        }
    }

    /// Does something with a direction whose latest packets are known.
    pub(crate) fn on<R>(&mut self, trail: &mut Trail, act: impl FnOnce(&mut Self) -> R) -> R {
        std::mem::swap(trail, &mut self.trail);
        let done = act(self);
        std::mem::swap(trail, &mut self.trail);
        done
    }

    /// Does something with fields that stood in another form: of those only the form's start is known.
    pub(crate) fn formed<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        let was = std::mem::replace(&mut self.is_verbatim, false);
        let done = act(self);
        self.is_verbatim = was;
        done
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
            let within = if self.is_verbatim {
                hit.extent.start
            } else {
                0
            };
            let offset = offset + within as u64;
            // Offsets of what was decrypted count other bytes.
            let known = match self.protection {
                Protection::Tls => None,
                Protection::Clear | Protection::Opaque => self.trail.of(offset),
            };
            let origin = Provenance {
                offset: Some(offset),
                ..known.unwrap_or_else(|| self.origin())
            };
            self.report(place, hit, origin, exchange);
        }
    }

    /// Ends a text and reports what was found in it; returns how many of its bytes are no text.
    pub(crate) fn finish(&mut self, carrier: Carrier, place: &Place, exchange: &Exchange) -> u64 {
        let Searched {
            sightings,
            opaque,
            limits,
        } = carrier.finish(self.detector);
        self.note_limits(&limits);
        for sighting in sightings {
            self.report(place, sighting.hit, sighting.origin, exchange);
        }
        opaque
    }

    fn note_limits(&mut self, limits: &BTreeSet<Limit>) {
        for limit in limits {
            self.ledger.limit(limit.name());
        }
    }

    fn report(&mut self, place: &Place, hit: Hit, origin: Provenance, exchange: &Exchange) {
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
            at: seconds(origin.at),
            request: exchange.request.clone(),
            offset: origin.offset.unwrap_or_default(),
            packet: Some(origin.packet).filter(|packet| *packet > 0),
            exchange: exchange.number,
            trace: hit.trace,
        };
        let is_decoy = self.detector.is_decoy(hit.datum);
        self.ledger.report(finding, is_decoy);
    }
}
