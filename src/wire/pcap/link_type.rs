//! What a captured frame starts with, by the numbers of the tcpdump group's registry
//! (<https://www.tcpdump.org/linktypes.html>). It names link types; `wire::net::link` reads them.

use std::fmt;

/// A link type's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: the address family in the capturing host's byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without its address and control bytes.
    pub const PPP: Self = Self(9);
    /// PPP as HDLC frames it.
    pub const PPP_SERIAL: Self = Self(50);
    /// PPPoE's session stage, without Ethernet.
    pub const PPP_ETHER: Self = Self(51);
    /// Cisco's HDLC.
    pub const C_HDLC: Self = Self(104);
    /// Wi-Fi.
    pub const WLAN: Self = Self(105);
    /// Wi-Fi behind a Prism or AVS header.
    pub const PRISM: Self = Self(119);
    /// Wi-Fi behind a radiotap header.
    pub const RADIOTAP: Self = Self(127);
    /// Wi-Fi behind an AVS header.
    pub const AVS: Self = Self(163);
    /// PPP behind a byte that tells the direction.
    pub const PPP_WITH_DIRECTION: Self = Self(204);
    /// Linux netfilter's log.
    pub const NFLOG: Self = Self(239);
    /// Raw IP, as OpenBSD numbers it.
    pub const RAW_BSD: Self = Self(14);
    /// Raw IP, as most others number it in memory.
    pub const RAW_DLT: Self = Self(12);
    /// Raw IP.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: the address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture: `tcpdump -i any` and modems' interfaces.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
