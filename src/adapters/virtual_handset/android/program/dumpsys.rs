//! `dumpsys`: which service is asked. What each tells is `dumpsys_text`'s; netstats' is the network's.

use super::answer::{Answer, Caller, Words};
use super::dumpsys_text as text;
use crate::adapters::virtual_handset::kernel::world::World;
use crate::adapters::virtual_handset::network::programs::dump_netstats;

/// Services that tell something.
const SERVICES: &[&str] = &[
    "activity",
    "connectivity",
    "iphonesubinfo",
    "location",
    "netstats",
    "package",
    "power",
    "telephony.registry",
    "wifi",
    "window",
];

/// `dumpsys [-t TIMEOUT] [-l | SERVICE [ARGUMENT…]]`
pub(super) fn dumpsys(world: &mut World, caller: &Caller, words: &[String]) -> Answer {
    let mut words = Words::new(words);
    while let Some(option) = words.option() {
        match option {
            "-l" => {
                let list = SERVICES.join("\n  ");
                return Answer::text(format!("Currently running services:\n  {list}\n"));
            }
            "-t" | "-T" | "--priority" => {
                words.next();
            }
            _ => {}
        }
    }
    let Some(service) = words.next() else {
        let list = SERVICES.join("\n  ");
        return Answer::text(format!("Currently running services:\n  {list}\n"));
    };
    if !SERVICES.contains(&service) {
        let code = if world.android.is_old() { 0 } else { 1 };
        return Answer::error(format!("Can't find service: {service}"), code);
    }
    if !caller.may(world, "android.permission.DUMP") {
        return Answer::line(format!(
            "Permission Denial: can't dump {service} from from pid={}, uid={} due to missing android.permission.DUMP permission",
            caller.pid, caller.user.uid
        ));
    }
    let rest = words.rest();
    Answer::text(match service {
        "activity" => text::activity(world),
        "connectivity" => text::connectivity(world),
        "iphonesubinfo" => text::subscriber(world),
        "location" => text::location(world),
        "netstats" => dump_netstats(world, rest),
        "package" => text::package(world, rest.first().map(String::as_str)),
        "power" => text::power(world),
        "telephony.registry" => text::registry(world),
        "window" => text::window(world),
        _ => text::wifi(world),
    })
}
