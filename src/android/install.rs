//! How a handset is asked to install a package, and what it says then: the command lines of
//! `package` (Android 7 and later) and `pm`, and their answers. Runs nothing.
//!
//! Source: AOSP `frameworks/base`, `PackageManagerShellCommand.java`: `Success`, `Success: created
//! install session [42]`, `Failure [INSTALL_FAILED_X: message]`, `Error: …`.

use crate::base::text::printable;

/// Characters of a handset's words that are kept.
const MAX_WORDS: usize = 500;

/// What a package is installed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstallOptions {
    /// `-r`: an older or equal version is replaced, its data kept.
    pub replace: bool,
    /// `-d`: a newer version may be replaced.
    pub downgrade: bool,
    /// `-g`: every permission that it asks for is granted.
    pub grant: bool,
    /// `-t`: a package that is for tests only is taken.
    pub test: bool,
}

impl InstallOptions {
    /// As arguments.
    #[must_use]
    pub fn arguments(self) -> Vec<&'static str> {
        let all = [
            (self.replace, "-r"),
            (self.downgrade, "-d"),
            (self.grant, "-g"),
            (self.test, "-t"),
        ];
        let given = all.into_iter().filter(|(is_set, _)| *is_set);
        given.map(|(_, letter)| letter).collect()
    }
}

/// How the handset says that it is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallFailure {
    /// `INSTALL_FAILED_VERSION_DOWNGRADE`; `None` when it gave no code.
    pub code: Option<String>,
    /// In its own words, as they may be shown.
    pub words: String,
}

/// Reads the answer to `install`, `install-write` and `install-commit`.
///
/// # Errors
/// The failure that it tells; one without a code for an answer of no known form.
pub fn parse_outcome(text: &str) -> Result<(), InstallFailure> {
    let lines = text.lines().map(str::trim);
    // Before the last word there may be `pkg: /data/local/tmp/x.apk` and warnings.
    for line in lines.rev() {
        if line == "Success" || line.starts_with("Success:") {
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("Failure") {
            return Err(failure(rest));
        }
    }
    Err(InstallFailure {
        code: None,
        words: printable(text.trim(), MAX_WORDS).into_owned(),
    })
}

/// Reads the answer to `install-create`: the session's number.
///
/// # Errors
/// As [`parse_outcome`].
pub fn parse_session(text: &str) -> Result<u32, InstallFailure> {
    parse_outcome(text)?;
    let number = text.split_once('[').and_then(|(_, rest)| {
        let (number, _) = rest.split_once(']')?;
        number.trim().parse().ok()
    });
    number.ok_or_else(|| InstallFailure {
        code: None,
        words: printable(text.trim(), MAX_WORDS).into_owned(),
    })
}

/// ` [CODE: words]`, or without brackets.
fn failure(rest: &str) -> InstallFailure {
    let inside = rest.trim().trim_start_matches('[').trim_end_matches(']');
    let code = inside.split([':', ' ']).next().unwrap_or_default();
    let is_code = !code.is_empty()
        && code
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
    InstallFailure {
        code: is_code.then(|| code.to_owned()),
        words: printable(inside, MAX_WORDS).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let check = |text: &str, expected: Result<(), (Option<&str>, &str)>| {
            let parsed = parse_outcome(text);
            let told = parsed.as_ref().copied();
            let told = told.map_err(|f| (f.code.as_deref(), f.words.as_str()));
            assert_eq!(told, expected, "{text}");
        };
        check("Success\n", Ok(()));
        check("\tpkg: /data/local/tmp/a.apk\r\nSuccess\r\n", Ok(()));
        check("Success: streamed 12 bytes\n", Ok(()));
        let code = "INSTALL_FAILED_VERSION_DOWNGRADE";
        check(
            "Failure [INSTALL_FAILED_VERSION_DOWNGRADE]\r\n",
            Err((Some(code), code)),
        );
        let words = "INSTALL_PARSE_FAILED_NOT_APK: Failed to parse /data/app/vmdl1.tmp/base.apk";
        check(
            &format!("Failure [{words}]\n"),
            Err((Some("INSTALL_PARSE_FAILED_NOT_APK"), words)),
        );
        check("Failure [-99]\n", Err((Some("-99"), "-99")));
        check("Error: no such thing", Err((None, "Error: no such thing")));
        check("", Err((None, "")));
        let created = "Success: created install session [1234]\n";
        assert_eq!(parse_session(created), Ok(1234));
        for lie in ["Success", "Success: [x]", "Success: [99999999999]"] {
            assert!(parse_session(lie).is_err(), "{lie}");
        }
    }
}
