//! `ls -l -d` of one path: toolbox (Android 4.x) and toybox (later) print different columns.

use crate::android::quote;

/// The command.
#[must_use]
pub fn command(path: &str) -> String {
    quote::command(["ls", "-l", "-d", path])
}

/// What one path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Whether it is a regular file.
    pub is_file: bool,
    /// Permissions in octal, set-id and sticky bits included: `660`, `2770`.
    pub mode: String,
    /// The owner's name or number.
    pub owner: String,
    /// The group's name or number.
    pub group: String,
    /// Its length; toolbox tells none for a directory.
    pub len: Option<u64>,
}

/// What the listing says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It exists.
    Listed(Listing),
    /// It does not.
    Absent,
    /// Neither is known; the output's first line.
    Unreadable(String),
}

/// Reads the output of [`command`].
#[must_use]
pub fn parse(output: &str) -> Found {
    for line in output
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        if let Some(listing) = listing(line) {
            return Found::Listed(listing);
        }
        if line.ends_with("No such file or directory") {
            return Found::Absent;
        }
    }
    Found::Unreadable(output.lines().next().unwrap_or_default().trim().to_owned())
}

/// The owner and group stand before the length, which stands before the date; toybox counts links
/// before them.
fn listing(line: &str) -> Option<Listing> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (first, rest) = words.split_first()?;
    let mode = octal(first)?;
    let date = rest.iter().position(|word| is_date(word))?;
    let before = rest.get(..date)?;
    let (owner, group, len) = match before {
        [owner, group] => (owner, group, None),
        [owner, group, len] => (owner, group, Some(len)),
        [_links, owner, group, len] => (owner, group, Some(len)),
        // A device's numbers: `1, 3`.
        _ => return None,
    };
    Some(Listing {
        is_file: first.starts_with('-'),
        mode,
        owner: (*owner).to_owned(),
        group: (*group).to_owned(),
        len: len.and_then(|len| len.parse().ok()),
    })
}

fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let lens: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lens == [4, 2, 2] && parts.concat().bytes().all(|byte| byte.is_ascii_digit())
}

fn octal(text: &str) -> Option<String> {
    let mut chars = text.chars();
    if !matches!(chars.next()?, '-' | 'd' | 'l' | 'c' | 'b' | 's' | 'p') {
        return None;
    }
    let bits: Vec<char> = chars.take(9).collect();
    let mut mode = 0u32;
    for (place, triple) in bits.chunks_exact(3).enumerate() {
        let [read, write, execute] = *triple else {
            return None;
        };
        let set_id = 0o4000 >> place;
        let (run, special) = match execute {
            '-' => (0, 0),
            'x' => (1, 0),
            's' | 't' => (1, set_id),
            'S' | 'T' => (0, set_id),
            _ => return None,
        };
        let flag = |found: char, letter: char, value: u32| match found {
            '-' => Some(0),
            c if c == letter => Some(value),
            _ => None,
        };
        let digit = flag(read, 'r', 4)? + flag(write, 'w', 2)? + run;
        mode |= digit << (6 - 3 * place) | special;
    }
    (bits.len() == 9).then(|| format!("{mode:o}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(mode: &str, owner: &str, len: Option<u64>, is_file: bool) -> Found {
        Found::Listed(Listing {
            is_file,
            mode: mode.to_owned(),
            owner: owner.to_owned(),
            group: owner.to_owned(),
            len,
        })
    }

    #[test]
    fn reads_toolbox_and_toybox() {
        let cases = [
            (
                "-rw-rw---- u0_a23   u0_a23        312 2014-08-10 12:00 com.android.mms_preferences.xml\r\n",
                file("660", "u0_a23", Some(312), true),
            ),
            (
                "drwxrwx--x u0_a23   u0_a23            2014-08-10 12:00 shared_prefs\r\n",
                file("771", "u0_a23", None, false),
            ),
            (
                "-rw-rw---- 1 u0_a123 u0_a123 312 2024-01-02 12:00 /data/data/x/shared_prefs/a b.xml\n",
                file("660", "u0_a123", Some(312), true),
            ),
            (
                "drwxrws--T 2 10023 10023 3452 2024-01-02 12:00 /x\n",
                file("3770", "10023", Some(3452), false),
            ),
            ("/x: No such file or directory\r\n", Found::Absent),
            ("ls: /x: No such file or directory\n", Found::Absent),
            (
                "ls: /x: Permission denied\n",
                Found::Unreadable("ls: /x: Permission denied".to_owned()),
            ),
            ("", Found::Unreadable(String::new())),
        ];
        for (output, expected) in cases {
            assert_eq!(parse(output), expected, "{output}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "([-drwxst]{10} |2014-08-10 |[a-z0-9]{1,4} |.|\n)*") {
            let _ = parse(&text);
        }
    }
}
