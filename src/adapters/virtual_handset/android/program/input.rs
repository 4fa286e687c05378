//! `input`: keys, taps and text.

use super::answer::{Answer, Caller, MINUS_ONE};
use crate::adapters::virtual_handset::android::{display, telephony};
use crate::adapters::virtual_handset::kernel::world::World;

const USAGE: &str = "Usage: input [<source>] <command> [<arg>...]

The commands and default sources are:
      text <string> (Default: touchscreen)
      keyevent [--longpress] <key code number or name> ... (Default: keyboard)
      tap <x> <y> (Default: touchscreen)
      swipe <x1> <y1> <x2> <y2> [duration(ms)] (Default: touchscreen)
      press (Default: trackball)
      roll <dx> <dy> (Default: trackball)";

const SOURCES: &[&str] = &[
    "keyboard",
    "dpad",
    "gamepad",
    "touchscreen",
    "mouse",
    "stylus",
    "trackball",
    "touchpad",
    "touchnavigation",
    "joystick",
];

/// Names of keys that do something here (`KeyEvent`).
const KEYS: &[(&str, i64)] = &[
    ("HOME", 3),
    ("BACK", 4),
    ("CALL", 5),
    ("ENDCALL", 6),
    ("POWER", 26),
    ("ENTER", 66),
    ("DEL", 67),
    ("MENU", 82),
    ("SLEEP", 223),
    ("WAKEUP", 224),
];

/// `input …`
pub(super) fn input(world: &mut World, _: &Caller, words: &[String]) -> Answer {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words = match words.as_slice() {
        [source, rest @ ..] if SOURCES.contains(source) => rest,
        all => all,
    };
    match words {
        ["text", text] => {
            display::type_text(world, &typed(text));
            Answer::silent()
        }
        ["keyevent", keys @ ..] if !keys.is_empty() => press(world, keys),
        ["tap", x, y] => match (coordinate(x), coordinate(y)) {
            (Ok(x), Ok(y)) => {
                display::tap(world, x, y);
                Answer::silent()
            }
            (Err(word), _) | (_, Err(word)) => {
                let old = world.android.is_old();
                let text = format!("java.lang.NumberFormatException: Invalid float: \"{word}\"");
                Answer::error(text, if old { 1 } else { MINUS_ONE })
            }
        },
        ["swipe", _, _, _, _] | ["swipe", _, _, _, _, _] | ["press"] | ["roll", _, _] => {
            Answer::silent()
        }
        [] => Answer::error(USAGE, if world.android.is_old() { 0 } else { MINUS_ONE }),
        [command, ..] => {
            let text = format!("Error: Unknown command: {command}\n{USAGE}");
            Answer::error(text, if world.android.is_old() { 0 } else { MINUS_ONE })
        }
    }
}

/// `%s` is a space.
fn typed(text: &str) -> String {
    text.replace("%s", " ")
}

/// Pixels, from a float as `Float.parseFloat` reads it.
fn coordinate(word: &str) -> Result<i64, &str> {
    let number = word.trim().parse::<f64>().map_err(|_| word)?;
    if !number.is_finite() {
        return Err(word);
    }
    let bounded = number.clamp(-100_000.0, 100_000.0);
    format!("{bounded:.0}").parse().map_err(|_| word)
}

fn press(world: &mut World, keys: &[&str]) -> Answer {
    for key in keys.iter().filter(|key| !key.starts_with("--")) {
        let name = key.strip_prefix("KEYCODE_").unwrap_or(key);
        let known = KEYS.iter().find(|(known, _)| *known == name);
        let code = known.map(|(_, code)| *code).or_else(|| key.parse().ok());
        match code {
            Some(3) => {
                world.android.display.is_off = false;
                display::go_home(world);
            }
            Some(4) => display::back(world),
            Some(6) => telephony::hang_up(world),
            Some(26) => world.android.display.is_off = !world.android.display.is_off,
            Some(67) => display::delete_char(world),
            Some(223) => world.android.display.is_off = true,
            Some(224) => world.android.display.is_off = false,
            // Keys that do nothing here; nobody ever calls, so 5 has nothing to answer.
            Some(0..=400) => {}
            _ => {
                let text = format!("Error: Unknown keycode: {key}\n{USAGE}");
                return Answer::error(text, if world.android.is_old() { 0 } else { MINUS_ONE });
            }
        }
    }
    Answer::silent()
}
