//! `Trace`: how one datum was seen in a field, layer by layer, for whoever wants to follow it. It holds
//! lengths and covered neighbours, never a value.

use crate::detect::detector::Detector;
use core::ops::Range;

/// So many neighbours of a match are shown on each side.
const NEIGHBOURS_BYTES: usize = 24;

/// One layer that was undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// Its words in the chain.
    pub words: Vec<String>,
    /// Bytes before it was undone.
    pub before: usize,
    /// Bytes after.
    pub after: usize,
}

/// How a datum was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What was undone, outermost first.
    pub undone: Vec<Undone>,
    /// How many words at the chain's end say in what form the datum stands in the last layer.
    pub form: usize,
    /// Bytes of the last layer.
    pub len: usize,
    /// Where in it the datum is.
    pub range: Range<usize>,
    /// It and its neighbours, planted values covered.
    pub context: String,
}

/// A match with its neighbours, every planted value covered by its id.
pub(crate) fn context(
    detector: &Detector,
    bytes: &[u8],
    range: &Range<usize>,
    datum: usize,
) -> String {
    let covered = |part: Range<usize>| -> Vec<(Range<usize>, usize)> {
        // A value that reaches into the neighbours is whole in this.
        let wide = part.start.saturating_sub(detector.reach())
            ..(part.end + detector.reach()).min(bytes.len());
        let extents = detector.extents(bytes.get(wide.clone()).unwrap_or_default());
        let moved = extents
            .into_iter()
            .map(|(it, datum)| (it.start + wide.start..it.end + wide.start, datum));
        // A part that holds the match says nothing of its neighbours.
        let is_around = |it: &Range<usize>| it.start <= range.start && range.end <= it.end;
        moved.filter(|(it, _)| !is_around(it)).collect()
    };
    let from = range.start.saturating_sub(NEIGHBOURS_BYTES);
    let to = range.end.saturating_add(NEIGHBOURS_BYTES).min(bytes.len());
    let mut extents = covered(from..to);
    extents.push((range.clone(), datum));
    extents.sort_by_key(|(it, _)| (it.start, core::cmp::Reverse(it.end)));
    let mut text = String::new();
    let mut next = from;
    let plain = |part: Range<usize>| structure(bytes.get(part).unwrap_or_default());
    for (extent, datum) in extents {
        if extent.start >= to || extent.end <= next {
            continue;
        }
        if extent.start > next {
            text.push_str(&plain(next..extent.start));
        }
        if extent.start >= next || extent == *range {
            text.push('<');
            text.push_str(detector.id(datum));
            text.push('>');
        }
        next = extent.end;
    }
    if next < to {
        text.push_str(&plain(next..to));
    }
    let front = if from > 0 { "…" } else { "" };
    let back = if to < bytes.len() { "…" } else { "" };
    format!("{front}{text}{back}")
}

/// What separates values, as it is; everything else is covered, since it may be a value in a form that
/// nobody knows.
fn structure(bytes: &[u8]) -> String {
    const SEPARATORS: &[u8] = b" \"&,/:;<=>?[]{}";
    let mut text = String::new();
    for byte in bytes {
        match SEPARATORS.contains(byte) {
            true => text.push(char::from(*byte)),
            false => text.push('·'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::field::Shape;
    use crate::persona::file::parse_persona;

    fn detector() -> Detector {
        let text = "schema: phonehome/persona/1\ndata:\n  - { id: imei-1, kind: imei, value: \"490154203237518\" }\n  - { id: contact-1.phone, kind: phone, value: \"+447700900123\" }\n";
        Detector::new(&parse_persona(text).0.unwrap()).explaining()
    }

    fn traces(field: &str) -> Vec<(String, Trace)> {
        let detector = detector();
        let found = detector.search(Shape::Free, field.as_bytes());
        let mut traces: Vec<_> = found
            .hits
            .iter()
            .map(|hit| {
                let trace = hit.trace.clone().expect("every hit is traced");
                (detector.id(hit.datum).to_owned(), *trace)
            })
            .collect();
        traces.sort_by(|a, b| a.0.cmp(&b.0));
        traces
    }

    #[test]
    fn a_hit_is_followed_through_its_layers() {
        let found = traces(r#"{"p":"\u002b44\u0037700900123"}"#);
        let [(id, trace)] = found.as_slice() else {
            panic!("{found:#?}");
        };
        assert_eq!(id, "contact-1.phone");
        let [undone] = trace.undone.as_slice() else {
            panic!("{trace:#?}");
        };
        assert_eq!(
            (undone.words.as_slice(), undone.before),
            (&["json".to_owned()][..], 31)
        );
        assert_eq!(undone.after, trace.len);
        // Two escapes of six bytes become one byte each; what is around the string may be cut off.
        assert!(undone.after <= 21, "{undone:?}");
        assert_eq!(trace.range.len(), "+447700900123".len());
        assert!(
            trace.context.contains(r#""·":"<contact-1.phone>"#),
            "{}",
            trace.context
        );
    }

    #[test]
    fn neighbours_show_no_value() {
        let found = traces("a=490154203237518&b=447700900123&c=xyz");
        for (_, trace) in &found {
            assert!(!trace.context.contains("4901542"), "{}", trace.context);
            assert!(!trace.context.contains("7700"), "{}", trace.context);
        }
        assert_eq!(found[1].1.context, "·=<imei-1>&·=<contact-1.phone>&·=···");
        assert_eq!(found[0].1.form, 0);
    }

    #[test]
    fn a_digest_is_a_form() {
        // printf 490154203237518 | openssl sha1 -binary | basenc --base64url | cut -c-16
        let [(_, trace)] = &traces("/dev/l6IQUjLsyHVvA6Ap/activating")[..] else {
            panic!("one hit");
        };
        assert_eq!((trace.form, trace.undone.len()), (2, 0));
        assert_eq!(trace.context, "/···/<imei-1>/··········");
    }
}
