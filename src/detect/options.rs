//! What an analysis is told beside the capture itself: what to leave out, what bounds it, who owns
//! the sockets. Nothing here is learnt from packets.

use crate::detect::traffic::share::{NAMES, SHARES};
use crate::evidence::flow::{App, FlowProtocol};
use crate::wire::net::tls::keylog::KeyLog;
use core::net::{IpAddr, SocketAddr};
use serde::{Deserialize, Serialize};

/// How to read a capture.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The capture's path, for the record.
    pub input: String,
    /// Connections of our own, left out of packets, findings and byte counts.
    pub exclude: Vec<Exclusion>,
    /// The lookups that bound the run; `None` for a capture that was made without them.
    pub window: Option<Marks>,
    /// Who owned which socket.
    pub owners: Vec<SocketOwner>,
    /// The handset's own addresses, if known: what they send goes out, and what goes from loopback
    /// to loopback stays inside. Without them the side that opened a flow is taken for the handset.
    pub handset_addresses: Vec<IpAddr>,
    /// So many bytes of what HTTP said are kept for an archive; 0 for none.
    pub record_bytes: usize,
    /// Keys of TLS connections, beside those that the capture itself holds.
    pub keys: KeyLog,
    /// Which connections are read, where several analyses share the work.
    pub portion: Portion,
}

/// A portion of a capture's connections: one of several analyses of the same bytes reads it, and what
/// they found is joined ([`Part::join`]). What it comes to does not depend on their number.
///
/// [`Part::join`]: crate::detect::part::Part::join
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    number: usize,
    of: usize,
}

impl Default for Portion {
    fn default() -> Self {
        Self { number: 0, of: 1 }
    }
}

impl Portion {
    /// More portions than this are of no use.
    pub const MOST: usize = SHARES;

    /// A capture in so many portions, at least one and at most [`Portion::MOST`].
    pub fn all(of: usize) -> impl Iterator<Item = Self> {
        let of = of.clamp(1, Self::MOST);
        (0..of).map(move |number| Self { number, of })
    }

    /// Whether it tells what all portions see.
    pub(crate) const fn is_first(self) -> bool {
        self.number == 0
    }

    /// Whether a share is read.
    pub(crate) const fn reads(self, share: usize) -> bool {
        share == NAMES || share % self.of == self.number
    }

    /// Whether what was found in a share is told: by one of those that read it.
    pub(crate) const fn tells(self, share: usize) -> bool {
        match share {
            NAMES => self.is_first(),
            share => self.reads(share),
        }
    }
}

/// One TCP connection of our own to the handset, or every one to a port of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// The port on the handset: that of adbd.
    pub handset_port: u16,
    /// Our side's address as the handset sees it; `None` for any.
    pub peer_address: Option<IpAddr>,
    /// Our side's port as the handset sees it; `None` for any.
    pub peer_port: Option<u16>,
}

/// The names that the handset looks up, in this order: before the first step, before each further
/// step, and after the last. The first and the last bound what a capture can be trusted for; the
/// others say when each step began, by the capture's own clock ([`Outcome::marks`]).
///
/// [`Outcome::marks`]: crate::detect::analyzer::Outcome::marks
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Each drawn at random, so that nobody else asks for it.
    pub names: Vec<String>,
}

/// One socket on the handset and the app it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketOwner {
    /// TCP or UDP.
    pub protocol: FlowProtocol,
    /// The handset's side; an unspecified address stands for any.
    pub local: SocketAddr,
    /// The other side; an unspecified address with port 0 stands for any.
    pub remote: SocketAddr,
    /// The owner.
    pub app: App,
}
