//! What each app did, so that a variant can be held against the one that left a toggle untouched.
//!
//! An app counts as changed when the hosts it speaks to (each with its protection) or the data
//! found in its traffic differ. Byte and flow counts do not count: they differ between any two runs.

use crate::evidence::flow::{Flow, Protection};
use crate::outcome::app_label::app_label;
use crate::outcome::disclosure::has_payload;
use crate::outcome::observed::Observed;
use std::collections::{BTreeMap, BTreeSet};

/// The other side of a comparison: one toggle as it was found, everything else alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untouched {
    /// The toggle that this variant switched.
    pub toggle: String,
    /// What was seen with it untouched; `None` when that variant is not in the scenario or was not run.
    pub traffic: Option<Traffic>,
}

/// What was seen of every app in one variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Contacts by the app's label.
    pub apps: BTreeMap<String, BTreeSet<Contact>>,
    /// Contacts whose app is not known.
    pub nobody: BTreeSet<Contact>,
    /// Whether nothing was missed.
    pub complete: bool,
}

/// One thing an app did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contact {
    /// It spoke to a host.
    Spoke {
        /// The host, or the address where no name is known.
        to: String,
        /// Whether it could be read on the path.
        protection: Protection,
    },
    /// A datum was found in what it sent.
    Carried {
        /// The datum's id.
        datum: String,
        /// The host, or the address.
        to: String,
    },
}

impl Traffic {
    /// What `observed` shows of each app. `complete` says whether packets are missing.
    #[must_use]
    pub fn of(observed: &Observed, complete: bool) -> Self {
        let mut traffic = Self {
            complete,
            ..Self::default()
        };
        let Some(analysis) = &observed.analysis else {
            return traffic;
        };
        let flows: BTreeMap<u32, &Flow> = analysis.flows.iter().map(|f| (f.id, f)).collect();
        for flow in analysis.flows.iter().filter(|flow| has_payload(flow)) {
            traffic.add(Some(flow), spoke(flow));
        }
        for finding in &analysis.findings {
            let to = peer(finding.host.as_deref(), &finding.server);
            let datum = finding.datum.clone();
            let flow = flows.get(&finding.flow).copied();
            traffic.add(flow, Contact::Carried { datum, to });
        }
        traffic
    }

    fn add(&mut self, flow: Option<&Flow>, contact: Contact) {
        match flow.and_then(|flow| flow.app.as_ref()) {
            Some(app) => self.apps.entry(app_label(Some(app))).or_default(),
            None => &mut self.nobody,
        }
        .insert(contact);
    }
}

/// The contact that a flow is.
#[must_use]
pub fn spoke(flow: &Flow) -> Contact {
    Contact::Spoke {
        to: peer(flow.host.as_deref(), &flow.server),
        protection: flow.protection,
    }
}

/// What a server is called: its name in lower case, or its address without the port.
#[must_use]
pub fn peer(host: Option<&str>, server: &str) -> String {
    match host {
        Some(host) => host.trim_end_matches('.').to_ascii_lowercase(),
        None => address(server).to_owned(),
    }
}

/// `ip:port` or `[ip6]:port` without its port.
fn address(server: &str) -> &str {
    let ip = server.rsplit_once(':').map_or(server, |(ip, _)| ip);
    ip.strip_prefix('[')
        .and_then(|ip| ip.strip_suffix(']'))
        .unwrap_or(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_called_by_its_name_or_its_address() {
        let cases = [
            (Some("API.Example."), "198.51.100.7:443", "api.example"),
            (None, "198.51.100.7:443", "198.51.100.7"),
            (None, "[2001:db8::7]:443", "2001:db8::7"),
            (None, "nonsense", "nonsense"),
            (None, "", ""),
        ];
        for (host, server, expected) in cases {
            assert_eq!(peer(host, server), expected);
        }
    }
}
