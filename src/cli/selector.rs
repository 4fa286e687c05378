//! Reads a handset selector from the command line.

use crate::ports::lister::Selector;

/// Every form that this version knows, for messages.
const FORMS: &str =
    "`virtual:FIRMWARE`, `usb:SERIAL`, `tcp:HOST:PORT`, `server:SERIAL`, or a bare serial";

/// What an operator asks for by `--handset`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// `all`: every handset that can be used.
    All,
    /// One handset.
    One(Selector),
}

/// The choice that `text` spells, or one sentence on what is wrong with it.
pub(crate) fn parse_choice(text: &str) -> Result<Choice, String> {
    match text {
        "all" => Ok(Choice::All),
        text => parse_selector(text).map(Choice::One),
    }
}

/// The selector that `text` spells, or one sentence on what is wrong with it and what would be right.
pub(crate) fn parse_selector(text: &str) -> Result<Selector, String> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return bare(text);
    };
    if rest.is_empty() {
        return Err(format!("nothing after `{scheme}:`; expected {FORMS}"));
    }
    match scheme {
        "virtual" => Ok(Selector::Virtual(rest.to_owned())),
        "server" => server(rest),
        "tcp" => tcp(rest),
        "usb" => Ok(Selector::Usb(rest.to_owned())),
        // A bare serial may hold a colon: adb's own `127.0.0.1:5555`.
        _ if rest.parse::<u16>().is_ok() => Ok(Selector::Server(text.to_owned())),
        _ => Err(unknown_scheme(scheme, rest)),
    }
}

fn bare(text: &str) -> Result<Selector, String> {
    match text {
        "" => Err(format!("empty; expected {FORMS}")),
        "all" => Err("`all` is not one handset; expected a selector of one".to_owned()),
        serial => Ok(Selector::Bare(serial.to_owned())),
    }
}

fn server(rest: &str) -> Result<Selector, String> {
    let Some(id) = rest.strip_prefix("transport_id:") else {
        return Ok(Selector::Server(rest.to_owned()));
    };
    let id = id.parse().map(Selector::ServerTransport);
    id.map_err(|_| format!("`{rest}` has no number; write `server:transport_id:7`"))
}

fn tcp(address: &str) -> Result<Selector, String> {
    let example = "write `tcp:HOST:PORT`, such as `tcp:127.0.0.1:5555` or `tcp:[::1]:5555`";
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(format!("`{address}` has no port; {example}"));
    };
    let is_bare_ipv6 = host.contains(':') && !host.starts_with('[');
    if host.is_empty() || is_bare_ipv6 || !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err(format!("`{address}` is no address; {example}"));
    }
    Ok(Selector::Tcp(address.to_owned()))
}

fn unknown_scheme(scheme: &str, rest: &str) -> String {
    let known = ["virtual", "usb", "tcp", "server"];
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(scheme, name), *name))
        .min();
    match nearest {
        Some((distance, name)) if distance <= 2 => {
            format!("unknown kind `{scheme}`; did you mean `{name}:{rest}`?")
        }
        _ => format!("unknown kind `{scheme}`; expected {FORMS}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_read_as_documented() {
        let tcp = |s: &str| Some(Selector::Tcp(s.to_owned()));
        let server = |s: &str| Some(Selector::Server(s.to_owned()));
        let cases = [
            (
                "virtual:android-14",
                Some(Selector::Virtual("android-14".to_owned())),
            ),
            ("tcp:127.0.0.1:5555", tcp("127.0.0.1:5555")),
            ("tcp:[::1]:5555", tcp("[::1]:5555")),
            ("tcp:::1:5555", None),
            ("tcp:localhost", None),
            ("tcp:localhost:0", None),
            ("tcp:localhost:70000", None),
            ("server:emulator-5554", server("emulator-5554")),
            ("server:127.0.0.1:5555", server("127.0.0.1:5555")),
            ("server:transport_id:7", Some(Selector::ServerTransport(7))),
            ("server:transport_id:x", None),
            (
                "emulator-5554",
                Some(Selector::Bare("emulator-5554".to_owned())),
            ),
            ("all", None),
            ("127.0.0.1:5555", server("127.0.0.1:5555")),
            ("usb:0123", Some(Selector::Usb("0123".to_owned()))),
            ("usb:1-2.3", Some(Selector::Usb("1-2.3".to_owned()))),
            ("usb:", None),
            ("virtaul:x", None),
            ("virtual:", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_selector(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_choice_is_one_handset_or_all() {
        assert_eq!(parse_choice("all"), Ok(Choice::All));
        let serial = Selector::Bare("0123".to_owned());
        assert_eq!(parse_choice("0123"), Ok(Choice::One(serial)));
        assert!(parse_choice("virtaul:x").is_err());
    }

    #[test]
    fn a_misspelt_kind_is_suggested() {
        let error = parse_selector("virtaul:android-14").unwrap_err();
        assert!(
            error.contains("did you mean `virtual:android-14`?"),
            "{error}"
        );
    }
}
