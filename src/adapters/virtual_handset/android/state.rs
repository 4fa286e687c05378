//! `Android`: what the framework knows. It starts from the firmware.

use crate::adapters::virtual_handset::firmware::model::Firmware;
use std::collections::BTreeMap;

/// The framework's state.
pub(crate) struct Android {
    /// System properties.
    pub(crate) properties: BTreeMap<String, String>,
}

impl Android {
    /// The state at power-on.
    pub(crate) fn new(firmware: &Firmware, serial: &str) -> Self {
        let mut properties = firmware.properties.clone();
        properties.insert("ro.serialno".to_owned(), serial.to_owned());
        Self { properties }
    }
}
