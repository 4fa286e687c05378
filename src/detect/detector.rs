//! `Detector`: a persona made ready to be searched for. Built once, used for any number of captures.

use crate::persona::datum::Persona;

/// Everything to search for, in every form.
#[derive(Clone, Debug)]
pub struct Detector {
    too_short: Vec<String>,
}

impl Detector {
    /// Makes a persona's data and decoys ready to be searched for.
    #[must_use]
    pub fn new(_persona: &Persona) -> Self {
        Self {
            too_short: Vec::new(),
        }
    }

    /// Ids of data that are too short to be told from chance; nothing can be said of them.
    #[must_use]
    pub fn too_short(&self) -> &[String] {
        &self.too_short
    }
}
