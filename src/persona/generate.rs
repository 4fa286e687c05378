//! Draws what is planted from a seed: the same seed and request give the same persona.
//!
//! Numbers come from +44 7700 900000–900999 alone, which Ofcom reserves for fiction, and never
//! twice; it refuses to draw more than are free rather than to repeat one.

use super::datum::{Datum, DatumKind, Group, Origin, Persona};
use super::{luhn, words};
use crate::base::secret::Secret;
use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeSet;

/// What a scenario asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Fixes everything drawn.
    pub seed: u64,
    /// `contact-1.name`, `contact-1.phone` and so on.
    pub contacts: u32,
    /// `peer-1.phone` and so on.
    pub peers: u32,
    /// `message-1.text` and so on.
    pub messages: u32,
}

/// Why no persona can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// The reserved range is too small.
    #[error(
        "{wanted} phone numbers are needed for planting and decoys, {free} of the range reserved for fiction are free"
    )]
    NumbersExhausted {
        /// Data and decoys together.
        wanted: usize,
        /// Numbers that nobody has.
        free: usize,
    },
}

/// Completes `known` (what was read from the handset, and what the operator gave) with what the
/// request asks for, and gives every datum a decoy alike.
///
/// An id that is known already is not drawn again, so an operator's `peer-1.phone` stays.
///
/// # Errors
/// When more numbers are wanted than the reserved range has.
pub fn generate(request: &Request, known: Persona) -> Result<Persona, GenerateError> {
    let mut draw = Draw::new(request.seed, &known);
    let mut persona = known;
    let wanted = planted_ids(request);
    let missing: Vec<(String, DatumKind)> = wanted
        .into_iter()
        .filter(|(id, _)| persona.datum(id).is_none())
        .collect();
    draw.check_numbers(&missing, &persona.data)?;
    for (id, kind) in missing {
        let group = Group::of(&id, kind);
        persona.data.extend(draw.planted(kind).map(|value| Datum {
            id,
            kind,
            value: Secret::new(value),
            group,
            origin: Origin::Planted,
        }));
    }
    let decoys: Vec<(DatumKind, String)> = persona
        .data
        .iter()
        .filter_map(|datum| {
            let value = draw.alike(datum.kind, datum.value.expose())?;
            Some((datum.kind, value))
        })
        .collect();
    let ids: BTreeSet<String> = persona
        .decoys
        .iter()
        .map(|decoy| decoy.id.clone())
        .collect();
    let fresh_ids = (1_usize..)
        .map(|number| format!("decoy-{number}"))
        .filter(|id| !ids.contains(id));
    persona
        .decoys
        .extend(fresh_ids.zip(decoys).map(|(id, (kind, value))| Datum {
            id,
            kind,
            value: Secret::new(value),
            group: None,
            origin: Origin::Planted,
        }));
    Ok(persona)
}

fn planted_ids(request: &Request) -> Vec<(String, DatumKind)> {
    let contacts = (1..=request.contacts).flat_map(|number| {
        [
            (format!("contact-{number}.name"), DatumKind::Name),
            (format!("contact-{number}.phone"), DatumKind::Phone),
        ]
    });
    let peers =
        (1..=request.peers).map(|number| (format!("peer-{number}.phone"), DatumKind::Phone));
    let messages =
        (1..=request.messages).map(|number| (format!("message-{number}.text"), DatumKind::Text));
    contacts.chain(peers).chain(messages).collect()
}

const GIVEN_NAMES: &[&str] = &[
    "Ada", "Bruno", "Clara", "Dario", "Edith", "Felix", "Greta", "Hugo", "Irene", "Jonas", "Karin",
    "Lukas", "Marta", "Nils", "Olga", "Paul", "Rosa", "Simon", "Thea", "Viktor",
];

/// Generators of their own for each sort of value, so that one more message changes no number.
struct Draw {
    free_numbers: Vec<u32>,
    used: BTreeSet<String>,
    names: ChaCha20Rng,
    texts: ChaCha20Rng,
    alike: ChaCha20Rng,
}

impl Draw {
    fn new(seed: u64, known: &Persona) -> Self {
        let stream = |number| {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            rng.set_stream(number);
            rng
        };
        let all = || known.data.iter().chain(&known.decoys);
        let numbers: BTreeSet<String> = all()
            .map(|datum| last_digits(datum.value.expose()))
            .collect();
        let mut free_numbers: Vec<u32> = (0..1000)
            .filter(|number| !numbers.contains(&last_digits(&fiction(*number))))
            .collect();
        free_numbers.shuffle(&mut stream(1));
        Self {
            free_numbers,
            used: all().map(|datum| datum.value.expose().clone()).collect(),
            names: stream(2),
            texts: stream(3),
            alike: stream(4),
        }
    }

    /// Every phone number, drawn or known, needs a decoy beside it.
    fn check_numbers(
        &self,
        missing: &[(String, DatumKind)],
        known: &[Datum],
    ) -> Result<(), GenerateError> {
        let phones = |kind: &DatumKind| *kind == DatumKind::Phone;
        let drawn = missing.iter().filter(|(_, kind)| phones(kind)).count();
        let there = known.iter().filter(|datum| phones(&datum.kind)).count();
        let wanted = 2 * drawn + there;
        let free = self.free_numbers.len();
        if wanted > free {
            return Err(GenerateError::NumbersExhausted { wanted, free });
        }
        Ok(())
    }

    fn planted(&mut self, kind: DatumKind) -> Option<String> {
        match kind {
            DatumKind::Phone => self.free_numbers.pop().map(fiction),
            DatumKind::Name => self.unique(Self::name),
            DatumKind::Text => self.unique(Self::message),
            _ => None,
        }
    }

    /// A value of the same look that is nowhere; `None` where nobody could tell it from chance, or
    /// where the kind has no look of its own.
    fn alike(&mut self, kind: DatumKind, value: &str) -> Option<String> {
        match kind {
            DatumKind::Phone | DatumKind::Name | DatumKind::Text => self.planted(kind),
            DatumKind::Imei => self.unique(|draw| draw.same_start(value, 8, 15, true)),
            DatumKind::Imsi => {
                let length = value.len();
                self.unique(|draw| draw.same_start(value, 5, length, false))
            }
            DatumKind::Iccid => {
                let length = value.len();
                self.unique(|draw| draw.same_start(value, 7, length, true))
            }
            DatumKind::AndroidId => self.unique(|draw| words::hex(&mut draw.alike, 16)),
            DatumKind::Mac => self.unique(|draw| draw.mac(value)),
            _ => None,
        }
    }

    /// Draws until the value is new. Every kind has far more values than a persona asks for, so
    /// that the bound is never reached but by a defect.
    fn unique(&mut self, draw: impl Fn(&mut Self) -> String) -> Option<String> {
        for _ in 0..1000 {
            let value = draw(self);
            if !value.is_empty() && self.used.insert(value.clone()) {
                return Some(value);
            }
        }
        None
    }

    fn name(&mut self) -> String {
        let given = GIVEN_NAMES.choose(&mut self.names).copied();
        let surname = words::surname(&mut self.names, 4);
        format!("{} {surname}", given.unwrap_or_default())
    }

    /// Plain letters, so that one text message holds it and no shell or encoding touches it.
    fn message(&mut self) -> String {
        let rng = &mut self.texts;
        let who = words::surname(rng, 3);
        let what = words::word(rng, 3);
        let place = words::surname(rng, 3);
        let token = words::token(rng, 12);
        format!("{who} asks for the {what} at {place} code {token}")
    }

    /// `length` digits that begin as `value` does.
    fn same_start(&mut self, value: &str, same: usize, length: usize, checked: bool) -> String {
        let start: String = value.chars().take(same).collect();
        let free = length
            .saturating_sub(start.len())
            .saturating_sub(usize::from(checked));
        let mut digits = start + &words::digits(&mut self.alike, free);
        if checked {
            let check = luhn::check_digit(&digits).and_then(|digit| char::from_digit(digit, 10));
            digits.extend(check);
        }
        digits
    }

    /// A MAC address of the same maker.
    fn mac(&mut self, value: &str) -> String {
        let maker: String = value.chars().take(8).collect();
        let rest: Vec<String> = (0..3).map(|_| words::hex(&mut self.alike, 2)).collect();
        format!("{maker}:{}", rest.join(":"))
    }
}

/// <https://www.ofcom.org.uk/phones-and-broadband/phone-numbers/numbers-for-drama>
fn fiction(number: u32) -> String {
    format!("+447700900{number:03}")
}

/// What is the same in every spelling of a phone number.
fn last_digits(value: &str) -> String {
    let digits: Vec<char> = value.chars().filter(char::is_ascii_digit).collect();
    let start = digits.len().saturating_sub(10);
    digits.iter().skip(start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datum(id: &str, kind: DatumKind, value: &str) -> Datum {
        Datum {
            id: id.to_owned(),
            kind,
            value: Secret::new(value.to_owned()),
            group: Group::of(id, kind),
            origin: Origin::Read,
        }
    }

    fn known() -> Persona {
        let data = vec![
            datum("imei-1", DatumKind::Imei, "490154203237518"),
            datum("imsi-1", DatumKind::Imsi, "310150123456789"),
            datum("iccid-1", DatumKind::Iccid, "8944110068256270054"),
            datum("mac-1", DatumKind::Mac, "64:cc:2e:12:34:56"),
            datum("android_id-1", DatumKind::AndroidId, "9774d56d682e549c"),
            datum("own_phone-1", DatumKind::Phone, "+447700900123"),
            datum("peer-1.phone", DatumKind::Phone, "07700 900456"),
            datum("operator-1", DatumKind::Operator, "Vodafone"),
        ];
        Persona {
            data,
            ..Persona::default()
        }
    }

    fn request(seed: u64) -> Request {
        Request {
            seed,
            contacts: 2,
            peers: 2,
            messages: 3,
        }
    }

    fn values(data: &[Datum], kind: DatumKind) -> Vec<&str> {
        data.iter()
            .filter(|datum| datum.kind == kind)
            .map(|datum| datum.value.expose().as_str())
            .collect()
    }

    #[test]
    fn draws_what_is_asked_and_keeps_what_is_known() {
        let persona = generate(&request(1), known()).unwrap();
        let ids: Vec<&str> = persona.data.iter().map(|datum| datum.id.as_str()).collect();
        let expected = [
            "imei-1",
            "imsi-1",
            "iccid-1",
            "mac-1",
            "android_id-1",
            "own_phone-1",
            "peer-1.phone",
            "operator-1",
            "contact-1.name",
            "contact-1.phone",
            "contact-2.name",
            "contact-2.phone",
            "peer-2.phone",
            "message-1.text",
            "message-2.text",
            "message-3.text",
        ];
        assert_eq!(ids, expected);
        assert_eq!(persona.datum("peer-1.phone").unwrap().origin, Origin::Read);
        let drawn = persona.datum("contact-2.phone").unwrap();
        assert_eq!(drawn.origin, Origin::Planted);
        assert_eq!(drawn.group, Some(Group::Contacts));
        let group = |id: &str| persona.datum(id).unwrap().group;
        assert_eq!(group("peer-2.phone"), Some(Group::Peers));
        assert_eq!(group("message-1.text"), Some(Group::Messages));
        // All kinds but the operator's have a decoy.
        assert_eq!(persona.decoys.len(), ids.len() - 1);
    }

    #[test]
    fn refuses_to_repeat_a_number() {
        let many = Request {
            contacts: 250,
            peers: 251,
            ..request(1)
        };
        let refused = generate(&many, Persona::default()).unwrap_err();
        let expected = GenerateError::NumbersExhausted {
            wanted: 1002,
            free: 1000,
        };
        assert_eq!(refused, expected);
        let most = Request { peers: 250, ..many };
        assert!(generate(&most, Persona::default()).is_ok());
    }

    #[test]
    fn one_message_more_changes_nothing_else() {
        let few = generate(&request(7), Persona::default()).unwrap();
        let more = Request {
            messages: 4,
            ..request(7)
        };
        let more = generate(&more, Persona::default()).unwrap();
        assert_eq!(few.data, more.data[..few.data.len()]);
    }

    proptest! {
        #[test]
        fn a_persona_is_fixed_by_its_seed_and_holds_nothing_twice(seed: u64, other: u64) {
            let persona = generate(&request(seed), known()).unwrap();
            prop_assert_eq!(&persona, &generate(&request(seed), known()).unwrap());
            if seed != other {
                let different = generate(&request(other), known()).unwrap();
                let text = |persona: &Persona| persona.datum("message-1.text").cloned();
                prop_assert_ne!(text(&persona), text(&different));
            }
            let all: Vec<&Datum> = persona.data.iter().chain(&persona.decoys).collect();
            let distinct: BTreeSet<&str> = all.iter().map(|d| d.value.expose().as_str()).collect();
            prop_assert_eq!(distinct.len(), all.len());
            let numbers: Vec<String> = all
                .iter()
                .filter(|datum| datum.kind == DatumKind::Phone)
                .map(|datum| last_digits(datum.value.expose()))
                .collect();
            prop_assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len());
        }

        #[test]
        fn drawn_values_have_the_look_of_their_kind(seed: u64) {
            let persona = generate(&request(seed), known()).unwrap();
            let drawn: Vec<Datum> = persona
                .data
                .iter()
                .chain(&persona.decoys)
                .filter(|datum| datum.origin == Origin::Planted)
                .cloned()
                .collect();
            for phone in values(&drawn, DatumKind::Phone) {
                let number: u32 = phone.strip_prefix("+447700").unwrap().parse().unwrap();
                prop_assert!((900_000..=900_999).contains(&number));
            }
            for imei in values(&drawn, DatumKind::Imei) {
                prop_assert!(luhn::is_valid(imei) && imei.len() == 15 && imei.starts_with("49015420"));
            }
            for imsi in values(&drawn, DatumKind::Imsi) {
                prop_assert!(imsi.len() == 15 && imsi.starts_with("31015"));
            }
            for iccid in values(&drawn, DatumKind::Iccid) {
                prop_assert!(luhn::is_valid(iccid) && iccid.len() == 19);
            }
            for mac in values(&drawn, DatumKind::Mac) {
                prop_assert!(mac.len() == 17 && mac.starts_with("64:cc:2e:"));
            }
            for name in values(&drawn, DatumKind::Name) {
                let (given, surname) = name.split_once(' ').unwrap();
                prop_assert!(given.len() >= 3 && surname.len() >= 8, "{}", name);
            }
            for text in values(&drawn, DatumKind::Text) {
                let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ');
                prop_assert!(is_plain && (40..=160).contains(&text.len()), "{}", text);
            }
        }
    }
}
