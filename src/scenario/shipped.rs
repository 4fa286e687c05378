//! The toggles that are embedded in the binary.

use super::parse::parse_toggle;
use super::toggle::Toggle;

const TOGGLES: &[&str] = &[include_str!("../../scenarios/toggles/cloud_messaging.yaml")];

/// Every shipped toggle, in the order of their names.
#[must_use]
pub fn shipped_toggles() -> Vec<Toggle> {
    TOGGLES
        .iter()
        .filter_map(|text| parse_toggle(text).0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_toggle_is_right() {
        for text in TOGGLES {
            let (toggle, problems) = parse_toggle(text);
            assert_eq!(problems, [], "{text}");
            assert!(toggle.is_some());
        }
        let names: Vec<String> = shipped_toggles().into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["cloud_messaging"]);
    }
}
