//! References: contacts, peers, data and groups, held against what the scenario plants.

use crate::base::document::decode::{Problems, shown, text};
use crate::base::document::node::{Node, Span};
use crate::base::document::suggest;
use crate::persona::datum::{DatumKind, Group};
use crate::scenario::expectation::DatumRef;

/// How many of each the scenario plants; `None` where the file is wrong about it, so that nobody
/// complains of what follows from that.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Planted {
    pub(crate) contacts: Option<u32>,
    pub(crate) peers: Option<u32>,
    pub(crate) messages: Option<u32>,
}

/// Somebody or something that is planted in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Contact,
    Peer,
    Message,
}

impl Sort {
    const ALL: [Self; 3] = [Self::Contact, Self::Peer, Self::Message];

    const fn word(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Peer => "peer",
            Self::Message => "message",
        }
    }

    /// What a planted one has: `contact-1.phone`.
    const fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Contact => &["name", "phone"],
            Self::Peer => &["phone"],
            Self::Message => &["text"],
        }
    }

    const fn count(self, planted: &Planted) -> Option<u32> {
        match self {
            Self::Contact => planted.contacts,
            Self::Peer => planted.peers,
            Self::Message => planted.messages,
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.word() == word)
    }
}

/// `contact-1` or `peer-1`: the number. It is there even when it is too high, which is reported.
pub(crate) fn person(
    node: &Node,
    sort: Sort,
    planted: &Planted,
    problems: &mut Problems,
) -> Option<u32> {
    let word = text(node, problems)?;
    let number = word
        .strip_prefix(sort.word())
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(number);
    if let Some(number) = number {
        check_planted(node.span, sort, number, planted, problems);
        return Some(number);
    }
    let message = format!("expected a {}, found `{}`", sort.word(), shown(word));
    let known: Vec<String> = (1..=sort.count(planted).unwrap_or(1).clamp(1, 20))
        .map(|number| format!("{}-{number}", sort.word()))
        .collect();
    let hint = suggest::nearest(word, known.iter().map(String::as_str)).map_or_else(
        || format!("for example `{}-1`", sort.word()),
        |near| format!("did you mean `{near}`?"),
    );
    problems.push(node.span, message, Some(hint));
    None
}

/// A group, the id of a datum, or a planted person with all that is theirs.
pub(crate) fn datum(node: &Node, planted: &Planted, problems: &mut Problems) -> Option<DatumRef> {
    let word = text(node, problems)?;
    let group = Group::ALL.iter().find(|(name, _)| *name == word);
    if let Some((_, group)) = group {
        return Some(DatumRef::Group(*group));
    }
    let (owner, part) = match word.split_once('.') {
        Some((owner, part)) => (owner, Some(part)),
        None => (word, None),
    };
    let Some((sort, number)) = owner
        .rsplit_once('-')
        .and_then(|(sort, digits)| Some((sort, number(digits)?)))
    else {
        return unknown_datum(node, word, problems);
    };
    match (Sort::of(sort), part) {
        (Some(sort), part) => {
            check_planted(node.span, sort, number, planted, problems);
            check_part(node.span, sort, owner, part, problems)?;
        }
        (None, None) if is_read_or_given(sort) => {}
        (None, _) => return unknown_datum(node, word, problems),
    }
    Some(DatumRef::Id(word.to_owned()))
}

/// Whether data of that name are read from the handset or may be given by the operator.
fn is_read_or_given(word: &str) -> bool {
    Group::ALL.iter().any(|(name, _)| *name == word)
        || DatumKind::ALL.iter().any(|(name, _)| *name == word)
}

fn check_planted(span: Span, sort: Sort, number: u32, planted: &Planted, problems: &mut Problems) {
    let Some(count) = sort.count(planted) else {
        return;
    };
    if number <= count {
        return;
    }
    let word = sort.word();
    let known = match count {
        0 => String::new(),
        1 => format!("the only one is `{word}-1`; "),
        _ => format!("they end at `{word}-{count}`; "),
    };
    let remedy = match sort {
        Sort::Message => {
            "a message is planted by each `send_sms` and `receive_sms` step".to_owned()
        }
        _ => format!("plant it: `persona: {{ {word}s: {number} }}`"),
    };
    let message = format!("there is no `{word}-{number}`");
    problems.push(span, message, Some(known + &remedy));
}

fn check_part(
    span: Span,
    sort: Sort,
    owner: &str,
    part: Option<&str>,
    problems: &mut Problems,
) -> Option<()> {
    let Some(part) = part.filter(|part| !sort.parts().contains(part)) else {
        return Some(());
    };
    let message = format!("a {} has no `{}`", sort.word(), shown(part));
    let known: Vec<String> = sort
        .parts()
        .iter()
        .map(|part| format!("`{owner}.{part}`"))
        .collect();
    problems.push(span, message, Some(format!("write {}", known.join(" or "))));
    None
}

fn unknown_datum(node: &Node, word: &str, problems: &mut Problems) -> Option<DatumRef> {
    let groups = Group::ALL.iter().map(|(name, _)| *name);
    let numbered: Vec<String> = groups
        .clone()
        .chain(Sort::ALL.map(Sort::word))
        .map(|name| format!("{name}-1"))
        .collect();
    let known = groups.chain(numbered.iter().map(String::as_str));
    let hint = suggest::nearest(word, known).map_or_else(
        || {
            let groups: Vec<&str> = Group::ALL.iter().map(|(name, _)| *name).collect();
            format!(
                "groups are {}; ids are such as `contact-1.phone` or `imei-1`",
                suggest::listed(&groups)
            )
        },
        |near| format!("did you mean `{near}`?"),
    );
    let message = format!("there is no datum or group `{}`", shown(word));
    problems.push(node.span, message, Some(hint));
    None
}

/// A number from 1 on, without a leading zero.
fn number(digits: &str) -> Option<u32> {
    let is_plain = !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| is_plain)
}
