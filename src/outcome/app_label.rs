//! How an app is called in verdicts, goldens and reports. Guesses nothing: an app that is not
//! known is called so.

use crate::evidence::flow::App;

/// What stands for an app that is not known.
pub const UNKNOWN_APP: &str = "unknown app";

/// The package's name, or `uid 10023` where only that is known.
#[must_use]
pub fn app_label(app: Option<&App>) -> String {
    match app {
        Some(App {
            package: Some(package),
            ..
        }) => package.clone(),
        Some(App { uid, package: None }) => format!("uid {uid}"),
        None => UNKNOWN_APP.to_owned(),
    }
}
