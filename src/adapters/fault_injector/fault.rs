//! A fault as an operator writes it: `KIND@INDEX[:in|out]`. Does nothing.

use crate::wire::adb::transcript::Direction;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The message is lost; nobody is told.
    Drop,
    /// From the message on nothing moves in its direction, and the link stays up.
    Stall,
    /// The message loses its last bytes; what follows comes in their place.
    Truncate,
    /// One bit of the message is flipped.
    Corrupt,
    /// The message comes after the next one.
    Reorder,
    /// The link is gone, and the message with it.
    Unplug,
    /// The first open from the message on is refused, or the first stream ended.
    Refuse,
    /// The owner has withdrawn the authorisation: the link ends, and no later one gets anywhere.
    Unauthorised,
    /// The message comes late, by [`SLOW`](super::SLOW).
    Slow,
}

impl FaultKind {
    /// Every kind with its name.
    pub const ALL: [(&str, Self); 9] = [
        ("drop", Self::Drop),
        ("stall", Self::Stall),
        ("truncate", Self::Truncate),
        ("corrupt", Self::Corrupt),
        ("reorder", Self::Reorder),
        ("unplug", Self::Unplug),
        ("refuse", Self::Refuse),
        ("unauthorised", Self::Unauthorised),
        ("slow", Self::Slow),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let of = |(_, kind): &&(&str, Self)| *kind == self;
        Self::ALL.iter().find(of).map_or("", |(name, _)| name)
    }
}

/// One thing that goes wrong once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// At which message of its direction, counted from 0 over all connections.
    pub index: u64,
    /// Which way that message goes, seen from the side that owns the link.
    pub direction: Direction,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        write!(f, "{}@{}:{direction}", self.kind.name(), self.index)
    }
}

/// Why a text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FaultParseError {
    /// No `@` between kind and message.
    #[error("expected KIND@INDEX, such as `unplug@40` or `drop@12:out`")]
    NoIndex,
    /// No such kind.
    #[error(
        "unknown fault `{found}`; known are drop, stall, truncate, corrupt, reorder, unplug, refuse, unauthorised and slow"
    )]
    UnknownKind {
        /// As given.
        found: String,
    },
    /// Not a number.
    #[error("`{found}` is no message's number")]
    BadIndex {
        /// As given.
        found: String,
    },
    /// Neither way.
    #[error("`{found}` is no direction; expected `in` or `out`")]
    BadDirection {
        /// As given.
        found: String,
    },
}

impl FromStr for Fault {
    type Err = FaultParseError;

    fn from_str(text: &str) -> Result<Self, FaultParseError> {
        let (kind, place) = text.split_once('@').ok_or(FaultParseError::NoIndex)?;
        let known = FaultKind::ALL.iter().find(|(name, _)| *name == kind);
        let (_, kind) = known.ok_or_else(|| FaultParseError::UnknownKind {
            found: kind.to_owned(),
        })?;
        let (index, direction) = match place.split_once(':') {
            None | Some((_, "in")) => (place.trim_end_matches(":in"), Direction::In),
            Some((index, "out")) => (index, Direction::Out),
            Some((_, found)) => {
                let found = found.to_owned();
                return Err(FaultParseError::BadDirection { found });
            }
        };
        let index = index.parse().map_err(|_| FaultParseError::BadIndex {
            found: index.to_owned(),
        })?;
        Ok(Self {
            kind: *kind,
            index,
            direction,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_it_is_read() {
        for (name, kind) in FaultKind::ALL {
            for (direction, suffix) in [(Direction::In, "in"), (Direction::Out, "out")] {
                let text = format!("{name}@17:{suffix}");
                let fault: Fault = text.parse().unwrap();
                let expected = Fault {
                    kind,
                    index: 17,
                    direction,
                };
                assert_eq!((fault, fault.to_string()), (expected, text));
            }
        }
        assert_eq!("drop@0".parse::<Fault>().unwrap().to_string(), "drop@0:in");
        for (text, error) in [
            ("drop", FaultParseError::NoIndex),
            (
                "dorp@1",
                FaultParseError::UnknownKind {
                    found: "dorp".to_owned(),
                },
            ),
            (
                "drop@-1",
                FaultParseError::BadIndex {
                    found: "-1".to_owned(),
                },
            ),
            (
                "drop@1:up",
                FaultParseError::BadDirection {
                    found: "up".to_owned(),
                },
            ),
        ] {
            assert_eq!(text.parse::<Fault>(), Err(error));
        }
    }
}
