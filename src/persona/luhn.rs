//! The check digit of IMEIs and ICCIDs (ISO/IEC 7812-1, annex B).

/// The digit that makes `digits` with it valid; `None` when they are no digits.
#[must_use]
pub fn check_digit(digits: &str) -> Option<u32> {
    let mut sum = 0;
    for (place, c) in digits.chars().rev().enumerate() {
        let digit = c.to_digit(10)?;
        sum += match (place % 2, digit) {
            (0, 5..) => 2 * digit - 9,
            (0, _) => 2 * digit,
            _ => digit,
        };
    }
    Some((10 - sum % 10) % 10)
}

/// Whether the last digit is the check digit of those before it.
#[must_use]
pub fn is_valid(digits: &str) -> bool {
    let mut before = digits.chars();
    let last = before.next_back().and_then(|c| c.to_digit(10));
    last.is_some() && check_digit(before.as_str()) == last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_are_valid() {
        // The worked examples of <https://en.wikipedia.org/wiki/Luhn_algorithm>, and the
        // IMEI that handset makers' documentation uses.
        for number in ["490154203237518", "17893729974"] {
            assert!(is_valid(number), "{number}");
        }
        for number in ["490154203237517", "490154203237581", "", "8a"] {
            assert!(!is_valid(number), "{number}");
        }
    }

    #[test]
    fn the_check_digit_follows_the_digits() {
        assert_eq!(check_digit("49015420323751"), Some(8));
        assert_eq!(check_digit("7992739871"), Some(3));
        assert_eq!(check_digit("4901542032375x"), None);
    }
}
