//! DNS messages of a flow: names asked for are searched, addresses answered are remembered, and the
//! run's own marks are noted and left out.

use crate::detect::field::Shape;
use crate::detect::options::Marks;
use crate::detect::traffic::names::host_name;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::evidence::flow::Application;
use crate::wire::net::dns::DnsMessage;

/// Reads one message; `false` if the bytes are none.
pub(crate) fn handle_message(bytes: &[u8], offset: u64, scene: &mut Scene<'_>) -> bool {
    let Some(message) = DnsMessage::parse(bytes) else {
        return false;
    };
    scene.record.application = Application::Dns;
    scene.record.messages += 1;
    let marks: Vec<&String> = message
        .questions
        .iter()
        .filter_map(|name| mark(scene.marks?, name))
        .collect();
    if !marks.is_empty() {
        scene.record.marks += 1;
        for name in marks {
            let at = scene.at;
            let first = scene.ledger.marks.entry(name.clone()).or_insert(at);
            *first = at.min(*first);
        }
        return true;
    }
    let nothing = Exchange::default();
    if !message.is_response {
        for name in &message.questions {
            scene.formed(|scene| {
                let (place, name) = (Place::question(), name.as_bytes());
                scene.search(&place, Shape::Free, name, offset, &nothing);
            });
        }
    }
    let asked = message.questions.first();
    for (name, address) in &message.addresses {
        // An alias leads to the address; what was asked for is what the app wanted.
        if let Some(name) = host_name(asked.unwrap_or(name)) {
            scene.names.insert(*address, &name);
        }
    }
    let told = message.addresses.iter().map(|(name, _)| name);
    let mut texts: Vec<&String> = message.texts.iter().chain(told).collect();
    texts.retain(|text| !message.questions.contains(text));
    texts.dedup();
    for text in texts {
        scene.formed(|scene| {
            let (place, text) = (Place::answer(), text.as_bytes());
            scene.search(&place, Shape::Free, text, offset, &nothing);
        });
    }
    true
}

/// The mark that a name is, as it is or with a search domain behind it.
fn mark<'a>(marks: &'a Marks, name: &str) -> Option<&'a String> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    marks.names.iter().find(|mark| {
        let mark = mark.trim_end_matches('.').to_ascii_lowercase();
        let rest = name.strip_prefix(&mark);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}
