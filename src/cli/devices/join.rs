//! Several ways to the same handset become one handset. Handsets are told apart by what they say of
//! themselves: serial numbers alone need not be unique.

use crate::cli::devices::sighting::{Answer, Facts, Sighting};
use crate::ports::lister::Selector;
use crate::report::handsets::{HandsetEntry, TransportEntry};
use crate::wire::adb::state::State;

/// A way to a handset and what became of asking it; `None` while it has not answered yet.
pub(super) type Known<'a> = (&'a Sighting, Option<&'a Answer>);

/// A handset, with the selector to use.
pub(super) type Joined = (Selector, HandsetEntry);

/// Every handset once. `server_is_here` tells whether the adb server sees this computer's USB.
pub(super) fn join(known: &[Known<'_>], server_is_here: bool) -> Vec<Joined> {
    let mut handsets: Vec<Vec<Known<'_>>> = Vec::new();
    for one in known {
        let same = handsets
            .iter_mut()
            .find(|ways| ways.iter().any(|way| is_same(way, one, server_is_here)));
        match same {
            Some(ways) => ways.push(*one),
            None => handsets.push(vec![*one]),
        }
    }
    let mut entries: Vec<Joined> = handsets.into_iter().filter_map(entry).collect();
    entries.sort_by(|(_, a), (_, b)| a.selector.cmp(&b.selector));
    entries
}

/// Whether two ways lead to the same handset, as far as can be known.
fn is_same(a: &Known<'_>, b: &Known<'_>, server_is_here: bool) -> bool {
    if let (Some(Ok(a)), Some(Ok(b))) = (a.1, b.1) {
        // A boot's id is of one handset alone.
        if let (Some(a), Some(b)) = (&a.boot, &b.boot) {
            return a == b;
        }
    }
    if kind(a) == kind(b) {
        // A place lists a handset once: two with one serial number are clones.
        return false;
    }
    if let (Some(a), Some(b), true) = (&a.0.port, &b.0.port, server_is_here) {
        return a == b;
    }
    // To an adb server the address of a handset on the network is its serial.
    if let (Some(a), Some(b), true) = (network_address(a), network_address(b), server_is_here) {
        return a == b;
    }
    let serial = |known: &Known<'_>| match known.1 {
        Some(Ok(Facts { serial, .. })) if serial.is_some() => serial.clone(),
        _ => known.0.serial.clone(),
    };
    serial(a).is_some() && serial(a) == serial(b)
}

fn network_address<'a>(known: &Known<'a>) -> Option<&'a str> {
    match &known.0.selector {
        Selector::Tcp(address) => Some(address),
        Selector::Server(serial) if serial.contains(':') => Some(serial),
        _ => None,
    }
}

fn kind(known: &Known<'_>) -> &'static str {
    match known.0.selector {
        Selector::Server(_) | Selector::ServerTransport(_) => "server",
        Selector::Usb(_) => "usb",
        Selector::Tcp(_) => "tcp",
        // Never listed: what they name is.
        Selector::Bare(_) | Selector::Virtual(_) => "other",
    }
}

/// One handset of its ways.
fn entry(mut ways: Vec<Known<'_>>) -> Option<Joined> {
    // Ours before another program's, the cable before the network.
    let rank = |known: &Known<'_>| {
        let kinds = ["usb", "server", "tcp"];
        kinds.iter().position(|name| *name == kind(known))
    };
    ways.sort_by_key(|known| (!is_usable(known), rank(known), known.0.selector.clone()));
    let (best, answer) = *ways.first()?;
    let facts = || {
        ways.iter()
            .filter_map(|(_, answer)| answer.and_then(|a| a.as_ref().ok()))
    };
    let fact = |value: fn(&Facts) -> Option<&String>| facts().find_map(value).cloned();
    let listed = |value: fn(&Sighting) -> Option<&String>| {
        ways.iter()
            .find_map(|(sighting, _)| value(sighting))
            .cloned()
    };
    let entry = HandsetEntry {
        selector: best.selector.to_string(),
        usable: is_usable(&(best, answer)),
        state: state(&(best, answer)),
        serial: fact(|facts| facts.serial.as_ref())
            .or_else(|| listed(|sighting| sighting.serial.as_ref())),
        model: fact(|facts| facts.model.as_ref())
            .or_else(|| listed(|sighting| sighting.model.as_ref())),
        android: fact(|facts| facts.android.as_ref()),
        firmware: fact(|facts| facts.firmware.as_ref()),
        transports: ways.iter().map(transport).collect(),
    };
    Some((best.selector.clone(), entry))
}

fn transport(known: &Known<'_>) -> TransportEntry {
    let (sighting, answer) = known;
    let trouble = sighting
        .trouble
        .as_ref()
        .or_else(|| answer.and_then(|answer| answer.as_ref().err()));
    TransportEntry {
        selector: sighting.selector.to_string(),
        kind: kind(known),
        state: state(known),
        usable: is_usable(known),
        place: sighting.port.clone(),
        reason: trouble.map(|trouble| trouble.reason.clone()),
        remedy: trouble.and_then(|trouble| trouble.remedy.clone()),
    }
}

fn is_usable((sighting, answer): &Known<'_>) -> bool {
    sighting.trouble.is_none() && answer.is_some_and(Answer::is_ok)
}

fn state((sighting, answer): &Known<'_>) -> String {
    let word = match (&sighting.trouble, answer) {
        (Some(trouble), _) | (None, Some(Err(trouble))) => &trouble.state,
        (None, Some(Ok(_))) => State::Device.word(),
        (None, None) => "asked",
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::devices::sighting::Trouble;

    fn server(serial: &str) -> Sighting {
        Sighting {
            serial: Some(serial.to_owned()),
            ..Sighting::named(Selector::Server(serial.to_owned()))
        }
    }

    fn tcp(address: &str) -> Sighting {
        Sighting::named(Selector::Tcp(address.to_owned()))
    }

    fn says(serial: &str, boot: Option<&str>) -> Answer {
        Ok(Facts {
            serial: Some(serial.to_owned()),
            boot: boot.map(str::to_owned),
            ..Facts::default()
        })
    }

    fn offline() -> Trouble {
        Trouble::of_state(&State::Offline).unwrap()
    }

    /// The selectors of each handset.
    fn check(known: &[(Sighting, Option<Answer>)], expected: &[&[&str]]) {
        let known: Vec<Known<'_>> = known.iter().map(|(s, a)| (s, a.as_ref())).collect();
        let joined = join(&known, true);
        let selectors: Vec<Vec<&str>> = joined
            .iter()
            .map(|(_, h)| h.transports.iter().map(|t| t.selector.as_str()).collect())
            .collect();
        assert_eq!(selectors, expected);
    }

    #[test]
    fn ways_to_one_handset_are_joined_by_what_it_says() {
        let cases = [
            (server("S1"), Some(says("S1", Some("b1")))),
            (tcp("h:1"), Some(says("S1", Some("b1")))),
            // Another handset with the same serial number, and one that tells no boot id.
            (tcp("h:2"), Some(says("S1", Some("b2")))),
            (tcp("h:3"), Some(says("S9", None))),
        ];
        check(
            &cases,
            &[&["server:S1", "tcp:h:1"], &["tcp:h:2"], &["tcp:h:3"]],
        );
        // Two that tell no boot id, on the same kind of way: clones of one serial number.
        let cases = [
            (tcp("h:1"), Some(says("S1", None))),
            (tcp("h:2"), Some(says("S1", None))),
        ];
        check(&cases, &[&["tcp:h:1"], &["tcp:h:2"]]);
        // Without a boot id the serial number has to do.
        let cases = [
            (server("S1"), Some(says("S1", None))),
            (tcp("h:1"), Some(says("S1", Some("b1")))),
        ];
        check(&cases, &[&["server:S1", "tcp:h:1"]]);
    }

    #[test]
    fn a_way_that_cannot_be_asked_is_joined_by_its_serial_and_comes_last() {
        let silent = Sighting {
            trouble: Some(offline()),
            ..server("S1")
        };
        let cases = [
            (silent.clone(), None),
            (tcp("h:1"), Some(says("S1", Some("b1")))),
            (tcp("h:2"), Some(Err(offline()))),
        ];
        check(&cases, &[&["tcp:h:1", "server:S1"], &["tcp:h:2"]]);
        let refused = Sighting {
            trouble: Some(offline()),
            ..server("h:1")
        };
        let cases = [(refused, None), (tcp("h:1"), Some(Err(offline())))];
        check(&cases, &[&["server:h:1", "tcp:h:1"]]);
        // Two with one serial, neither of which can be asked, may be two handsets.
        let other = Sighting {
            selector: Selector::ServerTransport(7),
            ..silent.clone()
        };
        check(
            &[(silent, None), (other, None)],
            &[&["server:S1"], &["server:transport_id:7"]],
        );
    }
}
