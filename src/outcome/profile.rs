//! The device profile: which goldens belong to a handset. What it is, never how it is reached.

/// The longest part of a profile.
const MAX_PART: usize = 60;

/// Sanitised `ro.product.device` and `ro.build.version.incremental`: `armani-JHCCNBF33.0`. Both come
/// from the handset, and become a folder's name.
#[must_use]
pub fn device_profile(device: Option<&str>, incremental: Option<&str>) -> String {
    format!("{}-{}", part(device), part(incremental))
}

fn part(text: Option<&str>) -> String {
    let keep = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '_'
        }
    };
    let text: String = text
        .unwrap_or_default()
        .chars()
        .take(MAX_PART)
        .map(keep)
        .collect();
    let text = text.trim_matches('.');
    if text.is_empty() {
        "unknown".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_fit_for_a_folder() {
        let cases = [
            (Some("armani"), Some("JHCCNBF33.0"), "armani-JHCCNBF33.0"),
            (Some("../../etc"), Some("a/b"), "_.._etc-a_b"),
            (None, Some(".."), "unknown-unknown"),
            (Some("gerät"), Some("eng.root.2014"), "ger_t-eng.root.2014"),
        ];
        for (device, incremental, expected) in cases {
            assert_eq!(device_profile(device, incremental), expected);
        }
    }
}
