//! `shared_prefs` files: read as SharedPreferencesImpl reads them, all or nothing, and written back.

use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::firmware::model::PreferenceValue;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::BTreeMap;

/// What an app holds of one file.
pub(crate) type Preferences = BTreeMap<String, PreferenceValue>;

/// A longer file is taken as unreadable.
const MAX_BYTES: usize = 1024 * 1024;

/// Reads a file. Anything that Android's parser refuses makes all of it `None`.
pub(crate) fn parse(bytes: &[u8]) -> Option<Preferences> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let mut reader = Reader::from_str(text);
    let mut values = Preferences::new();
    let mut text_of: Option<(String, String)> = None;
    let mut depth = 0usize;
    let mut seen_map = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                depth += 1;
                match (depth, tag.name().as_ref()) {
                    (1, b"map") => seen_map = true,
                    (2, b"string") => text_of = Some((attribute(&tag, "name")?, String::new())),
                    (2, _) => insert(&tag, &mut values)?,
                    // Members of a set are not kept.
                    (3, b"string") => {}
                    _ => return None,
                }
            }
            Event::Empty(tag) if depth == 1 => insert(&tag, &mut values)?,
            Event::Empty(tag) if depth == 0 && tag.name().as_ref() == b"map" => seen_map = true,
            Event::Empty(_) if depth == 2 => {}
            Event::Empty(_) => return None,
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                if depth == 1
                    && let Some((name, text)) = text_of.take()
                {
                    values.insert(name, PreferenceValue::Text(text));
                }
            }
            Event::Text(part) => {
                if let Some((_, text)) = &mut text_of {
                    text.push_str(&part.decode().ok()?);
                }
            }
            Event::GeneralRef(name) => {
                if let Some((_, text)) = &mut text_of {
                    text.push_str(&entity(&name.decode().ok()?)?);
                }
            }
            Event::Eof => return (seen_map && depth == 0).then_some(values),
            _ => {}
        }
    }
}

/// Writes a file as `XmlUtils.writeMapXml` does; 4.3 did not indent.
pub(crate) fn write(values: &Preferences, indented: bool) -> String {
    let indent = if indented { "    " } else { "" };
    let mut text =
        String::from("<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<map>\n");
    for (name, value) in values {
        let name = escaped(name);
        let line = match value {
            PreferenceValue::Boolean(value) => {
                format!("<boolean name=\"{name}\" value=\"{value}\" />")
            }
            PreferenceValue::Integer(value) if i32::try_from(*value).is_ok() => {
                format!("<int name=\"{name}\" value=\"{value}\" />")
            }
            PreferenceValue::Integer(value) => {
                format!("<long name=\"{name}\" value=\"{value}\" />")
            }
            PreferenceValue::Text(value) => {
                format!("<string name=\"{name}\">{}</string>", escaped(value))
            }
        };
        text.push_str(indent);
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str("</map>\n");
    text
}

fn insert(tag: &BytesStart<'_>, values: &mut Preferences) -> Option<()> {
    let name = attribute(tag, "name")?;
    let kind = tag.name();
    let value = match kind.as_ref() {
        // `Boolean.valueOf`: everything but `true` is false.
        b"boolean" => {
            PreferenceValue::Boolean(attribute(tag, "value")?.eq_ignore_ascii_case("true"))
        }
        b"int" | b"long" => PreferenceValue::Integer(attribute(tag, "value")?.parse().ok()?),
        b"string" => PreferenceValue::Text(String::new()),
        b"float" => {
            let value = attribute(tag, "value")?;
            value.parse::<f32>().ok()?;
            PreferenceValue::Text(value)
        }
        b"set" | b"null" => return Some(()),
        _ => return None,
    };
    values.insert(name, value);
    Some(())
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.try_get_attribute(name).ok()??;
    found.unescape_value().ok().map(|value| value.into_owned())
}

fn entity(name: &str) -> Option<String> {
    let known = match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => digits.parse().ok()?,
            };
            return char::from_u32(code).map(String::from);
        }
    };
    Some(known.to_owned())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() && c != '\n' && c != '\t' => {
                push(&mut escaped, format_args!("&#{};", u32::from(c)));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_android_writes() {
        let text = "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<map>\n\
            <string name=\"a\">it&apos;s &lt;b&gt; &#65;</string>\n\
            <boolean name=\"pref_key_enable_mx\" value=\"true\" />\n\
            <int name=\"n\" value=\"-5\" />\n<float name=\"f\" value=\"1.5\" />\n\
            <set name=\"s\">\n<string>x</string>\n</set>\n</map>\n";
        let values = parse(text.as_bytes()).unwrap();
        assert_eq!(values["a"], PreferenceValue::Text("it's <b> A".to_owned()));
        assert_eq!(values["pref_key_enable_mx"], PreferenceValue::Boolean(true));
        assert_eq!(values["n"], PreferenceValue::Integer(-5));
        assert_eq!(parse(b"<map />").map(|values| values.len()), Some(0));
    }

    #[test]
    fn refuses_all_of_a_broken_file() {
        for broken in [
            "",
            "<map>",
            "<map><boolean name=\"a\" value=\"true\" />",
            "<map><boolean value=\"true\" /></map>",
            "<map><int name=\"a\" value=\"x\" /></map>",
            "<map></map></map>",
            "<other />",
            "\u{0}\u{1}",
        ] {
            assert_eq!(parse(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn writes_what_android_4_3_writes() {
        let values = Preferences::from([
            ("b".to_owned(), PreferenceValue::Boolean(false)),
            ("t".to_owned(), PreferenceValue::Text("a<b&c".to_owned())),
        ]);
        let expected = "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<map>\n\
            <boolean name=\"b\" value=\"false\" />\n<string name=\"t\">a&lt;b&amp;c</string>\n</map>\n";
        assert_eq!(write(&values, false), expected);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            values in prop::collection::btree_map("[a-z_]{1,8}", "[ -~\n]{0,20}", 0..6)
        ) {
            let values: Preferences = values
                .into_iter()
                .map(|(name, text)| (name, PreferenceValue::Text(text)))
                .collect();
            prop_assert_eq!(parse(write(&values, true).as_bytes()), Some(values));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes);
        }
    }
}
