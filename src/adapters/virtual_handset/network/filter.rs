//! The filter language of tcpdump, as far as phones need it: `host`, `net`, `port`, `portrange`, protocols, directions,
//! `less`, `greater`, `and`, `or`, `not`, parentheses.
//!
//! By pcap-filter(7): negation binds tightest; `and` and `or` have equal rank and associate to the left; an id without
//! qualifiers takes those of the id before it. Byte offsets (`tcp[13]`) are refused as syntax errors.

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

use super::view::{Kind, View};

/// Words of an expression, and depth of its parentheses.
const MAX_WORDS: usize = 512;
const MAX_DEPTH: usize = 64;

/// Why an expression is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum FilterError {
    /// Not the language.
    #[error("syntax error")]
    Syntax,
    /// A host that is no address; names are not resolved.
    #[error("unknown host '{0}'")]
    UnknownHost(String),
    /// A port that is neither a number nor a well-known name.
    #[error("unknown port '{0}'")]
    UnknownPort(String),
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// Every packet.
    All,
    /// Of this kind.
    Kind(Kind),
    /// With this address.
    Host(Direction, IpAddr),
    /// With an address in this network.
    Net(Direction, IpAddr, u8),
    /// With a port in this range, of this protocol.
    Ports(Direction, Option<Kind>, u16, u16),
    /// At least this long.
    Greater(usize),
    /// At most this long.
    Less(usize),
    /// Not.
    Not(Box<Self>),
    /// Both.
    And(Box<Self>, Box<Self>),
    /// Either.
    Or(Box<Self>, Box<Self>),
}

/// Which end is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Either,
    Source,
    Destination,
    Both,
}

impl Filter {
    /// The expression of these words (tcpdump joins its last arguments with spaces).
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        let words = words(text)?;
        if words.is_empty() {
            return Ok(Self::All);
        }
        let mut parser = Parser {
            words: &words,
            at: 0,
            last: None,
            depth: 0,
        };
        let filter = parser.expression()?;
        if parser.at < words.len() {
            return Err(FilterError::Syntax);
        }
        Ok(filter)
    }

    /// Whether a packet passes.
    pub(super) fn accepts(&self, view: &View) -> bool {
        match self {
            Self::All => true,
            Self::Kind(kind) => view.is(*kind),
            Self::Host(direction, host) => {
                direction.holds(|end| end.ip() == *host, (view.source, view.destination))
            }
            Self::Net(direction, network, prefix) => direction.holds(
                |end| in_network(end.ip(), *network, *prefix),
                (view.source, view.destination),
            ),
            Self::Ports(direction, kind, low, high) => {
                let carries_ports = matches!(view.kind, Some(Kind::Tcp | Kind::Udp));
                carries_ports
                    && kind.is_none_or(|kind| view.is(kind))
                    && direction.holds(
                        |end| (*low..=*high).contains(&end.port()),
                        (view.source, view.destination),
                    )
            }
            Self::Greater(length) => view.link_bytes >= *length,
            Self::Less(length) => view.link_bytes <= *length,
            Self::Not(inner) => !inner.accepts(view),
            Self::And(left, right) => left.accepts(view) && right.accepts(view),
            Self::Or(left, right) => left.accepts(view) || right.accepts(view),
        }
    }
}

impl Direction {
    fn holds(self, test: impl Fn(SocketAddr) -> bool, ends: (SocketAddr, SocketAddr)) -> bool {
        let (source, destination) = ends;
        match self {
            Self::Either => test(source) || test(destination),
            Self::Source => test(source),
            Self::Destination => test(destination),
            Self::Both => test(source) && test(destination),
        }
    }
}

/// What comes before an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Qualifiers {
    protocol: Option<Kind>,
    direction: Direction,
    noun: Noun,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noun {
    Host,
    Net,
    Port,
    PortRange,
}

struct Parser<'a> {
    words: &'a [String],
    at: usize,
    last: Option<Qualifiers>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Option<&'a str> {
        let word = self.peek();
        self.at += 1;
        word
    }

    fn expression(&mut self) -> Result<Filter, FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(FilterError::Syntax);
        }
        let mut left = self.term()?;
        while let Some(operator) = self.peek() {
            let both = match operator {
                "and" | "&&" => true,
                "or" | "||" => false,
                _ => break,
            };
            self.at += 1;
            let right = self.term()?;
            left = if both {
                Filter::And(Box::new(left), Box::new(right))
            } else {
                Filter::Or(Box::new(left), Box::new(right))
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn term(&mut self) -> Result<Filter, FilterError> {
        let mut negations = 0_usize;
        while matches!(self.peek(), Some("not" | "!")) {
            self.at += 1;
            negations += 1;
        }
        let filter = if self.peek() == Some("(") {
            self.at += 1;
            let inner = self.expression()?;
            if self.next() != Some(")") {
                return Err(FilterError::Syntax);
            }
            inner
        } else {
            self.primitive()?
        };
        Ok(if negations % 2 == 1 {
            Filter::Not(Box::new(filter))
        } else {
            filter
        })
    }

    fn primitive(&mut self) -> Result<Filter, FilterError> {
        let word = self.peek().ok_or(FilterError::Syntax)?;
        if matches!(word, "less" | "greater") {
            self.at += 1;
            let length = self.next().and_then(|text| text.parse().ok());
            let length = length.ok_or(FilterError::Syntax)?;
            return Ok(if word == "less" {
                Filter::Less(length)
            } else {
                Filter::Greater(length)
            });
        }
        let protocol = kind(word);
        if protocol.is_some() {
            self.at += 1;
        }
        let direction = self.direction();
        let noun = self.noun();
        let qualifiers = match (protocol, direction, noun) {
            (Some(protocol), None, None) if self.peek().is_none_or(ends_primitive) => {
                return Ok(Filter::Kind(protocol));
            }
            // An id alone takes the qualifiers of the one before it; without one, it is a host.
            (None, None, None) => self.last.unwrap_or(Qualifiers {
                protocol: None,
                direction: Direction::Either,
                noun: Noun::Host,
            }),
            (protocol, direction, noun) => Qualifiers {
                protocol,
                direction: direction.unwrap_or(Direction::Either),
                noun: noun.unwrap_or(Noun::Host),
            },
        };
        let id = self.next().ok_or(FilterError::Syntax)?;
        if ends_primitive(id) || is_keyword(id) {
            return Err(FilterError::Syntax);
        }
        self.last = Some(qualifiers);
        qualified(qualifiers, id)
    }

    fn direction(&mut self) -> Option<Direction> {
        let first = match self.peek()? {
            "src" => Direction::Source,
            "dst" => Direction::Destination,
            _ => return None,
        };
        self.at += 1;
        let operator = self.peek();
        let second = self.words.get(self.at + 1).map(String::as_str);
        let direction = match (operator, second) {
            (Some("or" | "||"), Some("src" | "dst")) => Direction::Either,
            (Some("and" | "&&"), Some("src" | "dst")) => Direction::Both,
            _ => return Some(first),
        };
        self.at += 2;
        Some(direction)
    }

    fn noun(&mut self) -> Option<Noun> {
        let noun = match self.peek()? {
            "host" => Noun::Host,
            "net" => Noun::Net,
            "port" => Noun::Port,
            "portrange" => Noun::PortRange,
            _ => return None,
        };
        self.at += 1;
        Some(noun)
    }
}

fn qualified(qualifiers: Qualifiers, id: &str) -> Result<Filter, FilterError> {
    let direction = qualifiers.direction;
    let ports = |low, high| match qualifiers.protocol {
        None | Some(Kind::Tcp | Kind::Udp) => {
            Ok(Filter::Ports(direction, qualifiers.protocol, low, high))
        }
        Some(_) => Err(FilterError::Syntax),
    };
    let address = match qualifiers.noun {
        Noun::Port => {
            let port = port(id)?;
            return ports(port, port);
        }
        Noun::PortRange => {
            let (low, high) = id.split_once('-').ok_or(FilterError::Syntax)?;
            return ports(port(low)?, port(high)?);
        }
        Noun::Host => Filter::Host(
            direction,
            id.parse()
                .map_err(|_| FilterError::UnknownHost(id.to_owned()))?,
        ),
        Noun::Net => {
            let (network, prefix) = network(id)?;
            Filter::Net(direction, network, prefix)
        }
    };
    Ok(match qualifiers.protocol {
        Some(protocol) => Filter::And(Box::new(Filter::Kind(protocol)), Box::new(address)),
        None => address,
    })
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "ip" => Kind::Ip,
        "ip6" => Kind::Ip6,
        "arp" => Kind::Arp,
        "tcp" => Kind::Tcp,
        "udp" => Kind::Udp,
        "icmp" => Kind::Icmp,
        "icmp6" => Kind::Icmp6,
        _ => return None,
    })
}

fn is_keyword(word: &str) -> bool {
    kind(word).is_some()
        || matches!(
            word,
            "src"
                | "dst"
                | "host"
                | "net"
                | "port"
                | "portrange"
                | "less"
                | "greater"
                | "not"
                | "!"
                | "("
        )
}

fn ends_primitive(word: &str) -> bool {
    matches!(word, "and" | "&&" | "or" | "||" | ")")
}

fn port(text: &str) -> Result<u16, FilterError> {
    let named = match text {
        "domain" => Some(53),
        "http" => Some(80),
        "https" => Some(443),
        "ntp" => Some(123),
        number => number.parse().ok(),
    };
    named.ok_or_else(|| FilterError::UnknownPort(text.to_owned()))
}

fn network(text: &str) -> Result<(IpAddr, u8), FilterError> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, prefix.parse().ok()),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| FilterError::Syntax)?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match (prefix, text.contains('/')) {
        (Some(prefix), true) if prefix <= longest => prefix,
        (None, false) => longest,
        _ => return Err(FilterError::Syntax),
    };
    Ok((address, prefix))
}

fn in_network(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    let prefix = u32::from(prefix);
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differ = address.to_bits() ^ network.to_bits();
            differ.leading_zeros() >= prefix
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differ = address.to_bits() ^ network.to_bits();
            differ.leading_zeros() >= prefix
        }
        _ => false,
    }
}

/// The words of an expression: parentheses and operators stand alone.
fn words(text: &str) -> Result<Vec<String>, FilterError> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let symbol = match c {
            '(' | ')' | '!' => c.to_string(),
            '&' | '|' if characters.peek() == Some(&c) => {
                characters.next();
                format!("{c}{c}")
            }
            c if c.is_ascii_whitespace() => String::new(),
            c if c.is_ascii_alphanumeric() || ".:-_/".contains(c) => {
                word.push(c);
                continue;
            }
            _ => return Err(FilterError::Syntax),
        };
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if !symbol.is_empty() {
            words.push(symbol);
        }
        if words.len() > MAX_WORDS {
            return Err(FilterError::Syntax);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(kind: Kind, source: &str, destination: &str) -> View {
        View {
            kind: Some(kind),
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            link_bytes: 100,
        }
    }

    #[test]
    fn expressions_mean_what_the_manual_says() {
        let adb = view(Kind::Tcp, "192.168.1.107:5555", "192.168.1.2:40000");
        let web = view(Kind::Tcp, "192.168.1.107:41000", "203.0.113.7:80");
        let dns = view(Kind::Udp, "192.168.1.107:41001", "192.168.1.1:53");
        let ping = view(Kind::Icmp, "192.168.1.107:0", "203.0.113.7:0");
        let cases: &[(&str, [bool; 4])] = &[
            ("", [true, true, true, true]),
            ("not port 5555", [false, true, true, true]),
            (
                "not (tcp port 5555 and host 192.168.1.2)",
                [false, true, true, true],
            ),
            (
                "not (tcp port 5555 and host 192.168.1.3)",
                [true, true, true, true],
            ),
            ("tcp", [true, true, false, false]),
            ("udp or icmp", [false, false, true, true]),
            ("port 53 or 80", [false, true, true, false]),
            ("src port 5555", [true, false, false, false]),
            ("tcp dst port 80", [false, true, false, false]),
            ("src or dst port 80", [false, true, false, false]),
            ("host 203.0.113.7 && !tcp", [false, false, false, true]),
            ("net 203.0.113.0/24", [false, true, false, true]),
            ("portrange 50-90", [false, true, true, false]),
            // Equal rank, from the left: (udp or tcp) and port 80.
            ("udp or tcp and port 80", [false, true, false, false]),
            ("192.168.1.1", [false, false, true, false]),
            ("ip6", [false, false, false, false]),
            ("greater 101", [false, false, false, false]),
            ("less 100", [true, true, true, true]),
            ("not not tcp", [true, true, false, false]),
        ];
        for (text, expected) in cases {
            let filter = Filter::parse(text).unwrap();
            let found = [adb, web, dns, ping].map(|view| filter.accepts(&view));
            assert_eq!(found, *expected, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "not",
            "port",
            "tcp and",
            "( tcp",
            "tcp )",
            "and tcp",
            "tcp tcp",
            "tcp[13]",
            "icmp port 3",
        ] {
            assert_eq!(Filter::parse(text), Err(FilterError::Syntax), "{text}");
        }
        let deep = "(".repeat(100);
        assert_eq!(Filter::parse(&deep), Err(FilterError::Syntax));
        let unknown = FilterError::UnknownHost("nobody".to_owned());
        assert_eq!(Filter::parse("host nobody"), Err(unknown));
        let unknown = FilterError::UnknownPort("70000".to_owned());
        assert_eq!(Filter::parse("port 70000"), Err(unknown));
    }
}
