//! The list of handsets that `phonehome devices` shows: for people, and as JSON of schema
//! `phonehome/devices/1`. Makes text from what it is given; every name in it may be a handset's own,
//! so nothing reaches a screen unescaped.

use crate::base::text::printable;
use crate::report::json::escaped;
use crate::report::matrix::{heading, lines, table};
use crate::report::style::{Style, paint};
use comfy_table::Cell;
use serde::Serialize;
use std::fmt::Write as _;

/// The schema of the JSON form.
pub const SCHEMA: &str = "phonehome/devices/1";

/// The longest name from a handset that is shown, in characters.
const MAX_NAME: usize = 120;

/// The longest explanation that is shown, in characters.
const MAX_TEXT: usize = 600;

/// Everything that was found, and where it was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HandsetList {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Each handset once, whatever ways lead to it.
    pub handsets: Vec<HandsetEntry>,
    /// Where it was looked, and what was there.
    pub looked_at: Vec<PlaceEntry>,
}

/// One handset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HandsetEntry {
    /// The selector to use: the best of its transports'.
    pub selector: String,
    /// Whether it can be used, by that selector.
    pub usable: bool,
    /// The state of that transport.
    pub state: String,
    /// Its serial number (`ro.serialno`), or the one its transport knows it by.
    pub serial: Option<String>,
    /// `ro.product.model`.
    pub model: Option<String>,
    /// `ro.build.version.release`.
    pub android: Option<String>,
    /// `ro.build.fingerprint`.
    pub firmware: Option<String>,
    /// Every way that leads to it, the best first.
    pub transports: Vec<TransportEntry>,
}

/// One way to a handset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransportEntry {
    /// What names it.
    pub selector: String,
    /// `usb`, `server` or `tcp`.
    pub kind: &'static str,
    /// ADB's word for its state, or `unresponsive`, `unreachable`, `held` and the like.
    pub state: String,
    /// Whether a command ran on it just now.
    pub usable: bool,
    /// Where it is plugged in: `1-2`.
    pub place: Option<String>,
    /// Why it cannot be used.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// A place where handsets are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlaceEntry {
    /// `server` or `usb`.
    pub kind: &'static str,
    /// What it is called: `the adb server at 127.0.0.1:5037`.
    pub name: String,
    /// Whether it could be asked.
    pub found: bool,
    /// How many handsets it had.
    pub handsets: usize,
    /// More about it: its version, or why it could not be asked.
    pub detail: Option<String>,
    /// What can be done where it could not be asked.
    pub remedy: Option<String>,
}

impl HandsetList {
    /// The JSON form, over several lines.
    ///
    /// # Errors
    /// Never for what this holds; the error is serde's.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(escaped(&serde_json::to_string_pretty(self)?))
    }

    /// The JSON form in one line.
    ///
    /// # Errors
    /// Never for what this holds; the error is serde's.
    pub fn json_line(&self) -> serde_json::Result<String> {
        Ok(escaped(&serde_json::to_string(self)?))
    }

    /// The form for people, `width` columns wide.
    #[must_use]
    pub fn human(&self, width: usize, style: &Style) -> String {
        let mut text = String::new();
        if self.handsets.is_empty() {
            text.push_str("no handset found\n");
        } else {
            text.push_str(&self.overview(width, style));
            for handset in &self.handsets {
                text.push_str(&explanation(handset, width, style));
            }
        }
        text.push('\n');
        for place in &self.looked_at {
            text.push_str(&looked_at(place, width, style));
        }
        text
    }

    fn overview(&self, width: usize, style: &Style) -> String {
        let mut table = table(u16::try_from(width).unwrap_or(u16::MAX), style);
        table.set_header(
            ["handset", "state", "model", "Android", "firmware"].map(|name| heading(name, style)),
        );
        for handset in &self.handsets {
            let name =
                |value: &Option<String>| value.as_deref().map_or_else(|| "·".to_owned(), shown);
            let color = if handset.usable {
                style.good
            } else {
                style.bad
            };
            let word = if handset.usable {
                "usable"
            } else {
                &handset.state
            };
            table.add_row([
                Cell::new(shown(&handset.selector)),
                Cell::new(paint(color, shown(word))),
                Cell::new(name(&handset.model)),
                Cell::new(name(&handset.android)),
                Cell::new(name(&handset.firmware)),
            ]);
        }
        lines(&table)
    }
}

/// Why a handset cannot be used, and what other ways lead to it.
fn explanation(handset: &HandsetEntry, width: usize, style: &Style) -> String {
    let mut text = String::new();
    for (at, transport) in handset.transports.iter().enumerate() {
        let selector = shown(&transport.selector);
        // An adb server that serves a handset holds its USB: nothing to tell.
        let is_expected = handset.usable && transport.state == "held";
        if (at == 0 && transport.usable) || is_expected {
            continue;
        }
        let also = if at == 0 {
            String::new()
        } else {
            format!("the same handset as {}, ", shown(&handset.selector))
        };
        let state = shown(if transport.usable {
            "usable"
        } else {
            &transport.state
        });
        let reason = transport.reason.as_ref();
        let reason = reason.map(|reason| format!(": {}", told(reason)));
        let line = format!("{selector}: {also}{state}{}", reason.unwrap_or_default());
        let _ = write!(text, "\n{}", wrapped(&line, "", width));
        if let Some(remedy) = transport.remedy.as_ref().filter(|_| !transport.usable) {
            let hint = format!("hint: {}", told(remedy));
            text.push_str(&paint(style.faint, wrapped(&hint, "  ", width).trim_end()));
            text.push('\n');
        }
    }
    text
}

fn looked_at(place: &PlaceEntry, width: usize, style: &Style) -> String {
    let detail = place.detail.as_ref().map(|detail| told(detail));
    let line = if place.found {
        let detail = detail
            .map(|detail| format!(" ({detail})"))
            .unwrap_or_default();
        let many = match place.handsets {
            0 => "no handset".to_owned(),
            1 => "1 handset".to_owned(),
            many => format!("{many} handsets"),
        };
        format!("looked at {}{detail}: {many}", told(&place.name))
    } else {
        let remedy = place
            .remedy
            .as_ref()
            .map(|remedy| format!("; {}", told(remedy)));
        format!(
            "looked at {}: {}{}",
            told(&place.name),
            detail.unwrap_or_default(),
            remedy.unwrap_or_default()
        )
    };
    paint(style.faint, wrapped(&line, "", width).trim_end()) + "\n"
}

/// A name as a screen may show it.
fn shown(name: &str) -> String {
    printable(name, MAX_NAME).into_owned()
}

/// An explanation as a screen may show it.
fn told(text: &str) -> String {
    printable(text, MAX_TEXT).into_owned()
}

/// `text` in lines of at most `width` columns, where its words allow, each after `indent`, all but
/// the first two columns further in.
fn wrapped(text: &str, indent: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut line = indent.to_owned();
    let mut is_fresh = true;
    for word in text.split(' ') {
        if !is_fresh && line.chars().count() + 1 + word.chars().count() > width {
            lines.push_str(&line);
            lines.push('\n');
            line = format!("{indent}  ");
            is_fresh = true;
        }
        if !is_fresh {
            line.push(' ');
        }
        line.push_str(word);
        is_fresh = false;
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(selector: &str, state: &str) -> TransportEntry {
        let usable = state == "device";
        let some = |text: &str| (!usable).then(|| text.to_owned());
        TransportEntry {
            selector: selector.to_owned(),
            kind: "server",
            state: state.to_owned(),
            usable,
            place: None,
            reason: some("its owner has not allowed this computer"),
            remedy: some("unlock it and tap `Allow`"),
        }
    }

    fn handset(transports: Vec<TransportEntry>) -> HandsetEntry {
        HandsetEntry {
            selector: transports[0].selector.clone(),
            usable: transports[0].usable,
            state: transports[0].state.clone(),
            serial: Some("0123".to_owned()),
            model: None,
            android: None,
            firmware: None,
            transports,
        }
    }

    fn list(handsets: Vec<HandsetEntry>) -> HandsetList {
        let looked_at = vec![
            PlaceEntry {
                kind: "server",
                name: "the adb server at 127.0.0.1:5037".to_owned(),
                found: true,
                handsets: 2,
                detail: Some("version 41".to_owned()),
                remedy: None,
            },
            PlaceEntry {
                kind: "usb",
                name: "USB".to_owned(),
                found: false,
                handsets: 0,
                detail: Some("this computer has none".to_owned()),
                remedy: None,
            },
        ];
        HandsetList {
            schema: SCHEMA,
            handsets,
            looked_at,
        }
    }

    #[test]
    fn people_see_what_can_be_used_and_why_the_rest_cannot() {
        let usable = HandsetEntry {
            model: Some("HM 1SW".to_owned()),
            android: Some("4.3".to_owned()),
            ..handset(vec![
                transport("server:0123", "device"),
                transport("tcp:192.0.2.7:5555", "unauthorized"),
            ])
        };
        let other = handset(vec![transport("server:4567", "unauthorized")]);
        let expected = " handset      state         model   Android  firmware
──────────────────────────────────────────────────────
 server:0123  usable        HM 1SW  4.3      ·
 server:4567  unauthorized  ·       ·        ·

tcp:192.0.2.7:5555: the same handset as server:0123, unauthorized: its owner
  has not allowed this computer
  hint: unlock it and tap `Allow`

server:4567: unauthorized: its owner has not allowed this computer
  hint: unlock it and tap `Allow`

looked at the adb server at 127.0.0.1:5037 (version 41): 2 handsets
looked at USB: this computer has none
";
        let text = list(vec![usable, other]).human(76, &Style::plain());
        assert_eq!(text, expected);
        let text = list(Vec::new()).human(76, &Style::plain());
        assert!(text.starts_with("no handset found\n\nlooked at"), "{text}");
    }

    #[test]
    fn a_hostile_name_is_escaped() {
        let evil = "\u{1b}[2J\u{202e}\nserver:fake  usable";
        let entry = HandsetEntry {
            model: Some(evil.to_owned()),
            firmware: Some("x".repeat(5000)),
            serial: Some(evil.to_owned()),
            ..handset(vec![transport(evil, "offline")])
        };
        for style in [Style::plain(), Style::colored()] {
            let text = list(vec![entry.clone()]).human(80, &style);
            assert!(
                !text.contains("\u{1b}[2J") && !text.contains('\u{202e}'),
                "{text}"
            );
            assert!(
                !text.lines().any(|line| line.starts_with("server:fake")),
                "{text}"
            );
            assert!(text.len() < 4000, "{text}");
        }
        let json = list(vec![entry]).json_line().unwrap();
        assert!(
            !json.contains('\u{1b}') && json.lines().count() == 1,
            "{json}"
        );
    }

    #[test]
    fn programs_get_every_key_each_time() {
        let entry = handset(vec![transport("server:0123", "device")]);
        let json: serde_json::Value =
            serde_json::from_str(&list(vec![entry]).json().unwrap()).unwrap();
        assert_eq!(json["schema"], "phonehome/devices/1");
        assert_eq!(json["handsets"][0]["transports"][0]["usable"], true);
        assert!(json["handsets"][0]["model"].is_null());
        assert_eq!(json["looked_at"][1]["found"], false);
    }
}
