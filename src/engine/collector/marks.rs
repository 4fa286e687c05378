//! Marks: names drawn at random that the handset looks up, so that the capture itself shows when
//! each step began and that packets were seen before the first and after the last.

use rand::RngCore as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// The zone the names lie in: reserved for documentation, so nobody's.
const ZONE: &str = "example.org";

/// The names of one variant, in the order they are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Before the first step, before each further one, and after the last.
    pub names: Vec<String>,
}

impl Marks {
    /// Draws the marks of a variant with `steps` steps.
    #[must_use]
    pub fn draw(seed: [u8; 32], steps: usize) -> Self {
        let mut random = ChaCha8Rng::from_seed(seed);
        let name = |_| format!("m{:016x}.{ZONE}", random.next_u64());
        Self {
            names: (0..=steps).map(name).collect(),
        }
    }

    /// The mark before the step with this place, from 0; the last is after all steps.
    #[must_use]
    pub fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }
}

/// The command that looks a name up. That nobody answers to it is expected.
#[must_use]
pub fn lookup_command(name: &str) -> String {
    format!("ping -c 1 -w 1 {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn marks_differ_from_each_other_and_from_another_seeds() {
        let marks = [Marks::draw([1; 32], 3), Marks::draw([2; 32], 3)];
        assert_eq!(marks[0], Marks::draw([1; 32], 3));
        let all: BTreeSet<&String> = marks.iter().flat_map(|marks| &marks.names).collect();
        assert_eq!(all.len(), 8);
    }
}
