//! What the folders of a run are called. Makes none.

use crate::ports::lister::Selector;
use std::collections::BTreeSet;

/// A folder name for each selector: fit for any file system, each once.
pub(crate) fn folder_names(selectors: &[Selector]) -> Vec<String> {
    let mut used = BTreeSet::new();
    let name = |selector: &Selector| {
        let keep = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        };
        let text: String = selector.to_string().chars().map(keep).collect();
        let base: String = text.trim_matches(['-', '.']).chars().take(80).collect();
        let mut name = base.clone();
        for number in 2.. {
            if used.insert(name.clone()) {
                break;
            }
            name = format!("{base}-{number}");
        }
        name
    };
    selectors.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_are_fit_for_files_and_differ() {
        let selectors = [
            Selector::Virtual("android-14".to_owned()),
            Selector::Virtual("android-14".to_owned()),
            Selector::Virtual("../../etc/passwd".to_owned()),
            Selector::Tcp("[::1]:5555".to_owned()),
        ];
        let expected = [
            "virtual-android-14",
            "virtual-android-14-2",
            "virtual-..-..-etc-passwd",
            "tcp----1--5555",
        ];
        assert_eq!(folder_names(&selectors), expected);
    }
}
