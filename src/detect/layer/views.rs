//! Views: everything that bytes hold one layer down. The caller nests them to a depth, within a
//! budget. What is surely a layer, by its form, is told from what is only tried.

use crate::detect::layer::base::runs;
use crate::detect::layer::base85::base85;
use crate::detect::layer::budget::{Budget, Limit};
use crate::detect::layer::compression::Compression;
use crate::detect::layer::escape::{escapes, json_text};
use crate::detect::layer::promise::may_be_xored;
use crate::detect::layer::structure::leaves;
use crate::detect::layer::tokens::Tokens;
use crate::detect::layer::units::{is_text, look_up, units};
use crate::detect::obfuscation::likely_keys;
use std::borrow::Cow;

/// One layer to look into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer<'a> {
    pub(crate) tokens: &'a Tokens<'a>,
    /// In a form a plus stands for a space.
    pub(crate) is_form: bool,
    /// What hid it already, none of which is tried twice.
    pub(crate) hidden_by: Hidden,
    /// Something had to be undone to see it.
    pub(crate) is_nested: bool,
    /// How many steps in a row may still be mere trials.
    pub(crate) trials: usize,
}

/// So many steps in a row may be mere trials, which nothing but a value found at the end confirms.
const MAX_TRIALS: usize = 2;

impl<'a> Layer<'a> {
    /// A layer under which nothing was undone yet.
    pub(crate) fn new(tokens: &'a Tokens<'a>, is_form: bool) -> Self {
        Self {
            tokens,
            is_form,
            hidden_by: Hidden::default(),
            is_nested: false,
            trials: MAX_TRIALS,
        }
    }
}

impl View {
    /// What a cipher gave, if there is room for it.
    pub(crate) fn decrypted(
        layer: Layer<'_>,
        step: String,
        bytes: Vec<u8>,
        budget: &mut Budget,
    ) -> Option<Self> {
        budget.spend(bytes.len(), false).then(|| Self {
            steps: vec![step.into()],
            bytes,
            hidden_by: layer.hidden_by,
            is_sure: false,
            trials: layer.trials,
        })
    }

    /// The layer that it is.
    pub(crate) fn layer<'a>(&self, tokens: &'a Tokens<'a>) -> Layer<'a> {
        Layer {
            tokens,
            is_form: true,
            hidden_by: self.hidden_by,
            is_nested: true,
            trials: self.trials,
        }
    }
}

/// Ways of hiding that were undone on the way to a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hidden {
    pub(crate) reversed: bool,
    pub(crate) rotated: bool,
    pub(crate) xored: bool,
}

impl Hidden {
    /// Whether a chain begins with what was undone already, so that it is back where it was.
    pub(crate) fn undoes(self, chain: &[String]) -> bool {
        chain.first().is_some_and(|step| match step.as_str() {
            "reversed" | "raw" | "raw-le" => self.reversed,
            "rot13" => self.rotated,
            step => self.xored && step.starts_with("xor["),
        })
    }
}

/// One decoded text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// How it was decoded, in the chain's words.
    pub(crate) steps: Vec<Cow<'static, str>>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) hidden_by: Hidden,
    /// It is a layer beyond doubt.
    pub(crate) is_sure: bool,
    /// As in [`Layer`].
    pub(crate) trials: usize,
}

/// How far a step is from being a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sureness {
    /// What came out proves that it, and all before it, is right.
    Proven,
    /// Its form tells, as of an escape.
    Formal,
    /// Only tried.
    Tried,
}

/// What decoding base-N proves.
fn of_decoded(decoded: &[u8]) -> Sureness {
    // Twelve bytes of noise are text once in a hundred thousand times, eight once in two thousand.
    match decoded.len() {
        12.. if is_text(decoded) => Sureness::Proven,
        8.. if is_text(decoded) => Sureness::Formal,
        _ if Compression::of(decoded).is_some_and(|kind| kind != Compression::Zlib)
            || decoded.starts_with(b"bplist0")
            || utf16(decoded).is_some() =>
        {
            Sureness::Formal
        }
        _ => Sureness::Tried,
    }
}

type Sink<'s> = &'s mut dyn FnMut(View, &mut Budget);
type Give<'s> = &'s mut dyn FnMut(Cow<'static, str>, Vec<u8>, Sureness, &mut Budget);

/// Hands everything that a layer holds one layer down to `sink`; of noise only what `may_hold`
/// something as it is, or has a layer of its own.
pub(crate) fn views(
    layer: Layer<'_>,
    may_hold: &dyn Fn(&[u8]) -> bool,
    budget: &mut Budget,
    sink: Sink<'_>,
) {
    const MIN_BYTES: usize = 8;
    const MIN_NOISE_RUN: usize = 16;
    let bytes = layer.tokens.bytes;
    if bytes.len() < MIN_BYTES {
        return;
    }
    let mut give =
        |step: Cow<'static, str>, bytes: Vec<u8>, sureness: Sureness, budget: &mut Budget| {
            let mut hidden_by = layer.hidden_by;
            hidden_by.reversed |= step == "reversed";
            hidden_by.rotated |= step == "rot13";
            let trials = match sureness {
                Sureness::Proven => Some(MAX_TRIALS),
                Sureness::Formal => Some(layer.trials),
                Sureness::Tried => layer.trials.checked_sub(1),
            };
            let is_sure = sureness == Sureness::Proven;
            if let Some(trials) = trials
                && !bytes.is_empty()
                && budget.spend(bytes.len(), is_sure)
            {
                let view = View {
                    steps: vec![step],
                    bytes,
                    hidden_by,
                    is_sure,
                    trials,
                };
                sink(view, budget);
            }
        };
    let is_binary = !layer.tokens.is_text;
    let is_noise = is_binary && layer.is_nested;
    if !is_noise {
        escapes(bytes, layer.is_form, &mut |step, text| {
            give(step.into(), text, Sureness::Formal, budget);
        });
    }
    let min_run = if is_noise { MIN_NOISE_RUN } else { MIN_BYTES };
    let by = layer.hidden_by;
    runs(layer.tokens, min_run, may_hold, &mut |step, decoded| {
        let is_again = (step == "reversed" && by.reversed) || (step == "rot13" && by.rotated);
        if !is_again {
            let sureness = match step {
                "reversed" | "rot13" => Sureness::Tried,
                _ => of_decoded(&decoded),
            };
            give(step.into(), decoded, sureness, budget);
        }
    });
    if is_binary {
        compressed(bytes, layer.trials, budget, &mut give);
        if let Some((step, text)) = utf16(bytes) {
            give(step.into(), text.into_bytes(), Sureness::Proven, budget);
        }
        for leaf in leaves(bytes) {
            give(leaf.step.into(), leaf.bytes, Sureness::Formal, budget);
        }
    }
    if layer.trials > 0 {
        hidden(layer, may_hold, budget, sink);
    }
}

/// What is compressed, by its first bytes at any place, or the whole if it can be read to its end.
fn compressed(bytes: &[u8], trials: usize, budget: &mut Budget, give: Give<'_>) {
    const MIN_BYTES: usize = 6;
    const MIN_TRIED_BYTES: usize = 8;
    const MOST_PLACES: usize = 64;
    const MAX_TRIED_BYTES: usize = 64 * 1024;
    // Less of it may be noise that begins like something compressed.
    const MIN_CUT_BYTES: usize = 256;
    let mut places = 0;
    let mut next = 0;
    while let Some(rest) = bytes.get(next..).filter(|rest| rest.len() >= MIN_BYTES) {
        next += 1;
        let Some(kind) = Compression::of(rest) else {
            continue;
        };
        if places == MOST_PLACES {
            budget.reach(Limit::Work);
            break;
        }
        let is_first = next == 1;
        let expanded = kind.expand(rest, budget.room(true));
        // Two bytes are too few to tell zlib's header from noise.
        let is_it = expanded.is_whole || expanded.is_cut || kind != Compression::Zlib || is_first;
        if expanded.bytes.is_empty() || !is_it {
            continue;
        }
        places += 1;
        if expanded.is_cut {
            budget.reach(Limit::Expansion);
        } else if !expanded.is_whole && expanded.bytes.len() >= MIN_CUT_BYTES {
            budget.reach(Limit::Window);
        }
        let is_proven = expanded.is_whole || expanded.is_cut || expanded.bytes.len() >= 256;
        let sureness = if is_proven {
            Sureness::Proven
        } else {
            Sureness::Formal
        };
        give(kind.name().into(), expanded.bytes, sureness, budget);
    }
    if places > 0 || trials == 0 || !(MIN_TRIED_BYTES..=MAX_TRIED_BYTES).contains(&bytes.len()) {
        return;
    }
    for kind in Compression::TRIED {
        if !kind.may_be(bytes) {
            continue;
        }
        let expanded = kind.expand(bytes, budget.room(false));
        let is_it = expanded.is_whole || (expanded.bytes.len() >= 32 && is_text(&expanded.bytes));
        if is_it && !expanded.bytes.is_empty() {
            let sureness =
                match expanded.is_whole && of_decoded(&expanded.bytes) == Sureness::Proven {
                    true => Sureness::Proven,
                    false => Sureness::Tried,
                };
            give(kind.name().into(), expanded.bytes, sureness, budget);
        }
    }
}

/// UTF-16 of mostly ASCII, by its zeros.
fn utf16(bytes: &[u8]) -> Option<(&'static str, String)> {
    const MIN_BYTES: usize = 12;
    if bytes.iter().filter(|byte| **byte == 0).count() * 3 < bytes.len() {
        return None;
    }
    let zeros = |parity: usize| {
        let own = bytes.iter().skip(parity).step_by(2);
        own.filter(|byte| **byte == 0).count()
    };
    let half = bytes.len() / 2;
    let (even, odd) = (zeros(0), zeros(1));
    if bytes.len() < MIN_BYTES || even.max(odd) * 3 < half * 2 || even.min(odd) * 3 > half {
        return None;
    }
    let is_little = odd > even;
    let units = bytes.chunks_exact(2).filter_map(|pair| {
        let pair: [u8; 2] = pair.try_into().ok()?;
        Some(match is_little {
            true => u16::from_le_bytes(pair),
            false => u16::from_be_bytes(pair),
        })
    });
    let text = char::decode_utf16(units).map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER));
    let step = if is_little { "utf-16le" } else { "utf-16be" };
    Some((step, text.collect()))
}

/// What each unit of a layer hides: base85, XOR.
fn hidden(layer: Layer<'_>, may_hold: &dyn Fn(&[u8]) -> bool, budget: &mut Budget, sink: Sink<'_>) {
    const MAX_BINARY_BYTES: usize = 8 * 1024;
    let bytes = layer.tokens.bytes;
    let is_binary = !layer.tokens.is_text;
    let by = layer.hidden_by;
    let mut look = |unit: &[u8]| {
        let (unit, escape) = unescaped(unit);
        hidden_unit(
            &unit,
            is_binary,
            by,
            may_hold,
            &mut |step, bytes, hidden_by| {
                if budget.spend(bytes.len(), false) {
                    let escape = escape.map(Cow::Borrowed);
                    let view = View {
                        steps: escape.into_iter().chain([step]).collect(),
                        bytes,
                        hidden_by,
                        is_sure: false,
                        trials: layer.trials.saturating_sub(1),
                    };
                    sink(view, budget);
                }
            },
        );
    };
    match is_binary {
        true if bytes.len() <= MAX_BINARY_BYTES => look(bytes),
        true => {}
        false => units(bytes, &mut look),
    }
}

fn hidden_unit(
    unit: &[u8],
    is_binary: bool,
    by: Hidden,
    may_hold: &dyn Fn(&[u8]) -> bool,
    give: &mut dyn FnMut(Cow<'static, str>, Vec<u8>, Hidden),
) {
    const MOST_KEYS: usize = 4;
    if !is_binary {
        base85(unit, may_hold, &mut |step, decoded| {
            give(step.into(), decoded, by);
        });
    }
    let may_be_xored = match is_binary {
        true => may_be_xored(unit),
        false => is_odd(unit),
    };
    if !by.xored && may_be_xored {
        let xored_by = Hidden { xored: true, ..by };
        for key in likely_keys(unit, !is_binary, MOST_KEYS) {
            let bytes = unit.iter().map(|byte| byte ^ key).collect();
            give(format!("xor[{key:02x}]").into(), bytes, xored_by);
        }
    }
}

/// Signs that values which were meant to be read hardly have.
static ODD: [u8; 256] = {
    let mut table = [1; 256];
    let mut byte = 0u8;
    while byte < 0x80 {
        if byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b' ' | b'-' | b'_' | b'.' | b'/' | b':' | b',' | b'%' | b'+' | b'='
            )
        {
            clear(&mut table, byte);
        }
        byte += 1;
    }
    table
};

#[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
const fn clear(table: &mut [u8; 256], byte: u8) {
    table[byte as usize] = 0;
}

/// Whether a text is made up as no value is that was meant to be read: a quarter of it is signs.
fn is_odd(unit: &[u8]) -> bool {
    const MAX_BYTES: usize = 512;
    let signs = || unit.iter().map(|byte| usize::from(look_up(&ODD, *byte)));
    unit.len() <= MAX_BYTES && signs().sum::<usize>() * 4 >= unit.len()
}

/// A unit with the escapes of JSON undone, if it has any and is no more than one text.
fn unescaped(unit: &[u8]) -> (Cow<'_, [u8]>, Option<&'static str>) {
    match json_text(unit) {
        Some(text) => (Cow::Owned(text), Some("json")),
        None => (Cow::Borrowed(unit), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        views(
            Layer::new(&Tokens::of(bytes), false),
            &|_| true,
            &mut Budget::for_len(bytes.len()),
            &mut |view, _| {
                found.push((view.steps.join(" "), view.bytes));
            },
        );
        found
    }

    #[test]
    fn a_gzip_member_is_found_anywhere() {
        // printf 'hello world' | gzip -n | xxd -p
        let gzip = "1f8b0800000000000003cb48cdc9c95728cf2fca49010085114a0d0b000000";
        let gzip = data_encoding::HEXLOWER.decode(gzip.as_bytes()).unwrap();
        let found = all(&[&b"\x0a\x05"[..], &gzip, b"\x08\x01"].concat());
        let expected = ("gzip".to_owned(), b"hello world".to_vec());
        assert!(found.contains(&expected), "{found:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = all(&bytes);
        }

        #[test]
        fn any_text_is_survived(text in "[0-9A-Za-z+/=&%:;.,<>\"\\\\ \n-]{0,300}") {
            let _ = all(text.as_bytes());
        }
    }
}
