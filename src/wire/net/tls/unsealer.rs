//! `Unsealer`: one direction's keys over time. TLS 1.3 changes them after the handshake and whenever
//! a side wants to; which are in use is seen by which open the next record, so that a change that
//! was not captured is followed too.

use crate::wire::net::tls::keylog::KeyLog;
use crate::wire::net::tls::opener::{Opened, Opener};
use crate::wire::net::tls::session::{Epoch, Role, Session};

/// After a loss so many records are taken to be among what was lost, at most.
const MAX_LOST_RECORDS: u64 = 64;

/// The shortest record that carries anything: header, one byte, type, tag.
const SHORTEST_RECORD_BYTES: u64 = 5 + 1 + 1 + 16;

/// One direction's keys.
#[derive(Debug, Default)]
pub(super) struct Unsealer {
    opener: Option<Opener>,
    /// The keys in use, in TLS 1.3.
    epoch: Option<Epoch>,
    /// Records that may have been lost since the last one that opened.
    lost: u64,
}

impl Unsealer {
    /// Whether some record has opened.
    pub(super) const fn is_open(&self) -> bool {
        self.opener.is_some()
    }

    /// Takes a ChangeCipherSpec of TLS 1.2 or before.
    pub(super) fn change_12(&mut self, session: &Session, role: Role, keys: &KeyLog) {
        if session.is_13() == Some(false) {
            self.opener = session.opener_12(role, keys);
            self.epoch = None;
            self.lost = 0;
        }
    }

    /// Opens a record; `None` if no key that follows does.
    pub(super) fn open(
        &mut self,
        header: [u8; 5],
        body: &[u8],
        session: &Session,
        role: Role,
        keys: &KeyLog,
    ) -> Option<Opened> {
        if let Some(opener) = &mut self.opener
            && let Some(opened) = opener.open_after_loss(header, body, self.lost)
        {
            self.lost = 0;
            return Some(opened);
        }
        if session.is_13() != Some(false)
            && let Some(opened) = self.open_with_next(header, body, session, role, keys)
        {
            return Some(opened);
        }
        // It may be damaged, and be counted, or be nothing of this connection.
        if let Some(opener) = &mut self.opener {
            opener.pass(body);
            self.lost = (self.lost + 1).min(MAX_LOST_RECORDS);
        }
        None
    }

    /// Says that bytes were not captured.
    pub(super) fn handle_hole(&mut self, len: u64) {
        let lost = len / SHORTEST_RECORD_BYTES + 1;
        self.lost = self.lost.saturating_add(lost).min(MAX_LOST_RECORDS);
    }

    fn open_with_next(
        &mut self,
        header: [u8; 5],
        body: &[u8],
        session: &Session,
        role: Role,
        keys: &KeyLog,
    ) -> Option<Opened> {
        let epochs = [Epoch::Early, Epoch::Handshake, Epoch::Traffic].into_iter();
        let later = epochs.filter(|epoch| self.epoch.is_none_or(|known| *epoch > known));
        let mut candidates: Vec<(Epoch, Opener)> = later
            .flat_map(|epoch| {
                let openers = session.openers_13(epoch, role, keys).into_iter();
                openers.map(move |opener| (epoch, opener))
            })
            .collect();
        if let (Some(Epoch::Traffic), Some(opener)) = (self.epoch, &self.opener) {
            let updated = opener.updated();
            candidates.extend(updated.map(|opener| (Epoch::Traffic, opener)));
        }
        for (epoch, mut opener) in candidates {
            if let Some(opened) = opener.open_after_loss(header, body, self.lost) {
                self.opener = Some(opener);
                self.epoch = Some(epoch);
                self.lost = 0;
                return Some(opened);
            }
        }
        None
    }
}
