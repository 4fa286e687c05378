//! `Undo`: everything needed to put one change back, with nothing but a session at hand.
//!
//! An entry is written before its change. So applying it must be harmless when the change never
//! happened, and when it has been applied already. Rows are found by the planted values that they
//! hold and by being newer than anything that was there before: no row of the owner's matches.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How one change is put back.
///
/// `Debug` and `Display` say what it is, never the values in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "snake_case", deny_unknown_fields)]
pub enum Undo {
    /// A planted contact goes.
    DeleteRawContact {
        /// The display name it was given.
        name: String,
        /// The highest raw contact id before; 0 when there was none.
        newest_before: i64,
    },
    /// A planted or sent message goes, and its thread if that is empty then.
    DeleteSms {
        /// The other party's number, as given.
        address: String,
        /// The text.
        body: String,
        /// The highest message id before; 0 when there was none.
        newest_before: i64,
    },
    /// A call's row goes from the call log.
    DeleteCall {
        /// The number called, as given.
        number: String,
        /// The highest row id before; 0 when there was none.
        newest_before: i64,
    },
    /// A call that may still be up is ended.
    HangUp,
    /// A file becomes what it was, owner and mode included.
    RestoreFile {
        /// Its path on the handset.
        path: String,
        /// What it was; `None`: it did not exist.
        before: Option<FileBefore>,
        /// The package that must be stopped while it is written, and started again if it ran.
        restart: Option<String>,
    },
    /// A file of our own goes.
    DeleteFile {
        /// Its path on the handset.
        path: String,
        /// Whether root made it.
        root: bool,
    },
    /// A row of `settings` becomes what it was.
    RestoreSetting {
        /// `system`, `secure` or `global`.
        namespace: String,
        /// Its name.
        key: String,
        /// What it was; `None`: it did not exist.
        before: Option<String>,
        /// The package that must be restarted to see it.
        restart: Option<String>,
    },
    /// The Wi-Fi radio becomes what it was.
    Wifi {
        /// Whether it was on.
        on: bool,
    },
    /// Location becomes what it was.
    Location {
        /// `settings secure location_providers_allowed` before; `None` where there is no such row.
        providers: Option<String>,
        /// `settings secure location_mode` before; `None` where there is no such row.
        mode: Option<String>,
    },
    /// An app operation's mode becomes what it was.
    AppOp {
        /// The package.
        package: String,
        /// The operation: `WRITE_SMS`.
        operation: String,
        /// `allow`, `ignore`, `deny` or `default`.
        mode: String,
    },
    /// The scenario's author says what undoes it.
    RunCommand {
        /// The command line.
        command: String,
        /// Whether it runs as root.
        root: bool,
    },
}

/// A file as it was.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileBefore {
    /// Its bytes, in base64.
    pub base64: String,
    /// Its owner's name or number, as `ls -l` shows it.
    pub owner: String,
    /// Its group's name or number, as `ls -l` shows it.
    pub group: String,
    /// Its permissions, in octal: `660`.
    pub mode: String,
}

impl fmt::Debug for FileBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {}", self.owner, self.group, self.mode)
    }
}

impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeleteRawContact { .. } => f.write_str("delete the planted contact"),
            Self::DeleteSms { .. } => f.write_str("delete the planted message"),
            Self::DeleteCall { .. } => f.write_str("delete the call from the call log"),
            Self::HangUp => f.write_str("end the call"),
            Self::RestoreFile { path, .. } => write!(f, "restore the file `{path}`"),
            Self::DeleteFile { path, .. } => write!(f, "delete the file `{path}`"),
            Self::RestoreSetting { namespace, key, .. } => {
                write!(f, "restore the setting `{namespace} {key}`")
            }
            Self::Wifi { on } => write!(f, "switch Wi-Fi {}", if *on { "on" } else { "off" }),
            Self::Location { .. } => f.write_str("restore the location setting"),
            Self::AppOp {
                package,
                operation,
                mode,
            } => write!(
                f,
                "set the app operation {operation} of `{package}` to `{mode}`"
            ),
            Self::RunCommand { command, .. } => write!(f, "run `{command}`"),
        }
    }
}

impl fmt::Debug for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "undo({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_shows_no_planted_value() {
        let undo = Undo::DeleteSms {
            address: "+447700900123".to_owned(),
            body: "meet me at nine".to_owned(),
            newest_before: 7,
        };
        let shown = format!("{undo} {undo:?}");
        assert!(!shown.contains("7700900123"), "{shown}");
        assert!(!shown.contains("nine"), "{shown}");
    }

    #[test]
    fn survives_the_journal() {
        let undo = Undo::RestoreFile {
            path: "/data/data/com.example/shared_prefs/a.xml".to_owned(),
            before: Some(FileBefore {
                base64: "PG1hcCAvPg==".to_owned(),
                owner: "u0_a7".to_owned(),
                group: "u0_a7".to_owned(),
                mode: "660".to_owned(),
            }),
            restart: None,
        };
        let line = serde_json::to_string(&undo).unwrap();
        assert!(line.contains(r#""undo":"restore_file""#), "{line}");
        assert_eq!(serde_json::from_str::<Undo>(&line).unwrap(), undo);
    }
}
