//! The kernel's table of sockets, as `/proc/net/tcp` and its kin list it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How many sockets the table holds; the oldest gives way.
const MAX_SOCKETS: usize = 4096;

/// How long a closed connection lingers.
const TIME_WAIT: Duration = Duration::from_secs(60);

/// A socket's state, with Linux's numbers (`include/net/tcp_states.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// 1
    Established,
    /// 2
    SynSent,
    /// 4
    FinWait1,
    /// 6
    TimeWait,
    /// 7, also an unconnected UDP socket.
    Closed,
    /// 8
    CloseWait,
    /// 9
    LastAck,
    /// 10
    Listen,
}

impl State {
    /// Linux's number.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Established => 1,
            Self::SynSent => 2,
            Self::FinWait1 => 4,
            Self::TimeWait => 6,
            Self::Closed => 7,
            Self::CloseWait => 8,
            Self::LastAck => 9,
            Self::Listen => 10,
        }
    }

    /// netstat's word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::SynSent => "SYN_SENT",
            Self::FinWait1 => "FIN_WAIT1",
            Self::TimeWait => "TIME_WAIT",
            Self::Closed => "CLOSE",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Listen => "LISTEN",
        }
    }
}

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// A socket's number in the table; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SocketId(u64);

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    /// TCP or UDP.
    pub(super) protocol: Protocol,
    /// Its own address.
    pub(super) local: SocketAddr,
    /// The peer's, or the unspecified one.
    pub(super) remote: SocketAddr,
    /// Whether it was made as an IPv6 socket: Java's are, adbd's is on newer versions. IPv4 peers then show as mapped.
    pub(super) six: bool,
    /// Its state.
    pub(super) state: State,
    /// Who made it.
    pub(super) uid: u32,
    /// Its inode; 0 while it lingers.
    pub(super) inode: u32,
    expires: Option<Duration>,
}

/// All sockets, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Sockets {
    table: BTreeMap<SocketId, Socket>,
    made: u64,
}

impl Sockets {
    /// Adds a socket.
    pub(super) fn open(
        &mut self,
        protocol: Protocol,
        (local, remote): (SocketAddr, SocketAddr),
        (uid, six): (u32, bool),
        state: State,
    ) -> SocketId {
        if self.table.len() >= MAX_SOCKETS {
            self.table.pop_first();
        }
        self.made += 1;
        let id = SocketId(self.made);
        let socket = Socket {
            protocol,
            local,
            remote,
            six: six || local.is_ipv6(),
            state,
            uid,
            inode: u32::try_from(self.made % 1_000_000)
                .unwrap_or(0)
                .saturating_add(5_000),
            expires: None,
        };
        self.table.insert(id, socket);
        id
    }

    /// Moves a socket to a state; a closed TCP socket disappears, a lingering one later.
    pub(super) fn change(&mut self, id: SocketId, state: State, now: Duration) {
        self.expire(now);
        if state == State::Closed {
            self.table.remove(&id);
            return;
        }
        let Some(socket) = self.table.get_mut(&id) else {
            return;
        };
        socket.state = state;
        if state == State::TimeWait {
            socket.expires = Some(now.saturating_add(TIME_WAIT));
            // The kernel keeps neither owner nor inode of a lingering connection.
            socket.uid = 0;
            socket.inode = 0;
        }
    }

    /// Forgets a socket.
    pub(super) fn remove(&mut self, id: SocketId) {
        self.table.remove(&id);
    }

    /// Forgets the sockets that a test names.
    pub(super) fn remove_where(&mut self, test: impl Fn(&Socket) -> bool) {
        self.table.retain(|_, socket| !test(socket));
    }

    /// The sockets that exist at `now`.
    pub(super) fn list(&self, now: Duration) -> impl Iterator<Item = &Socket> {
        self.table
            .values()
            .filter(move |socket| socket.expires.is_none_or(|expires| expires > now))
    }

    fn expire(&mut self, now: Duration) {
        self.table
            .retain(|_, socket| socket.expires.is_none_or(|expires| expires > now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_connection_lingers_for_a_minute_without_owner() {
        let mut sockets = Sockets::default();
        let addresses = (
            "192.168.1.107:40000".parse().unwrap(),
            "203.0.113.7:443".parse().unwrap(),
        );
        let id = sockets.open(Protocol::Tcp, addresses, (10052, true), State::SynSent);
        let at = Duration::from_secs;
        sockets.change(id, State::Established, at(1));
        assert_eq!(sockets.list(at(1)).next().unwrap().uid, 10052);
        sockets.change(id, State::TimeWait, at(2));
        let lingering = sockets.list(at(61)).next().unwrap();
        assert_eq!((lingering.uid, lingering.inode), (0, 0));
        assert_eq!(sockets.list(at(62)).count(), 0);
    }
}
