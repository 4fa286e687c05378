//! Finds the firmware that an operator names: a shipped one, or a file.

use crate::adapters::virtual_handset::firmware::decode::parse;
use crate::adapters::virtual_handset::firmware::model::Firmware;
use crate::adapters::virtual_handset::firmware::shipped::shipped;
use crate::adapters::virtual_handset::handset::{HandsetError, HandsetOptions, VirtualHandset};
use crate::cli::error::Rejection;
use crate::cli::input::read_text;
use crate::cli::load::{invalid, tell};
use crate::cli::terminal::Terminal;
use crate::ports::clock::Clock;
use std::path::Path;
use std::sync::Arc;

/// The firmware `name`: a shipped name, or the path of a file.
pub(crate) fn load(name: &str, terminal: Terminal) -> Result<Firmware, Rejection> {
    let is_path = name.contains('/') || name.ends_with(".yaml") || name.ends_with(".yml");
    let text = match shipped().iter().find(|(shipped, _)| *shipped == name) {
        Some((_, text)) if !is_path => (*text).to_owned(),
        _ if is_path => read_text(Path::new(name), "firmware")?,
        _ => return Err(unknown(name)),
    };
    parse(&text).map_err(|problems| invalid(tell(Path::new(name), &text, &problems, terminal)))
}

/// Powers a virtual handset on. Its serial number is the firmware's, unless another is given.
pub(crate) fn start(
    firmware: Firmware,
    serial: Option<String>,
    seed: u64,
    clock: Arc<dyn Clock>,
) -> Result<VirtualHandset, HandsetError> {
    let own = || firmware.properties.get("ro.serialno").cloned();
    let serial = serial.or_else(own).unwrap_or_default();
    let options = HandsetOptions {
        serial,
        seed,
        clock,
    };
    VirtualHandset::start(firmware, options)
}

fn unknown(name: &str) -> Rejection {
    let names: Vec<&str> = shipped().iter().map(|(name, _)| *name).collect();
    let distance = |known: &&str| strsim::damerau_levenshtein(known, name);
    let nearest = names.iter().copied().min_by_key(distance);
    let hint = match nearest.filter(|near| distance(near) <= 4) {
        Some(near) => format!("did you mean `{near}`? Shipped are {}", names.join(", ")),
        None => format!(
            "shipped are {}; a path names a file of your own",
            names.join(", ")
        ),
    };
    Rejection::usage(format!("no firmware is named `{name}`")).hint(hint)
}
