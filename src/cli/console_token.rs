//! The token of emulators' consoles, in the owner's home folder: read, or made as an emulator makes it.

use crate::adapters::virtual_handset::console::ConsoleToken;
use crate::cli::error::Rejection;
use crate::cli::input::{plain, read_text};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use std::io::{self, Write as _};
use std::path::Path;

const NAME: &str = ".emulator_console_auth_token";

/// Random bytes of a token, two characters each.
const LEN: usize = 8;

/// The token below a home folder; an empty one lets anyone in.
pub(crate) fn load_or_create(home: Option<&Path>) -> Result<ConsoleToken, Rejection> {
    let Some(home) = home else {
        let message = "there is no HOME, so there is no token for the console";
        let hint = format!("set HOME; the token is in $HOME/{NAME}");
        return Err(Rejection::usage(message).hint(hint));
    };
    let path = home.join(NAME);
    if !path.exists() {
        create(home, &path).map_err(|error| {
            let message = format!("`{}` cannot be made: {}", path.display(), plain(&error));
            Rejection::failure(message).hint("the console asks for the token that it holds")
        })?;
    }
    Ok(ConsoleToken {
        token: read_text(&path, "token")?.trim().to_owned(),
        path: path.display().to_string(),
    })
}

/// Makes one, for the owner alone to read; one that another program makes meanwhile wins.
fn create(home: &Path, path: &Path) -> io::Result<()> {
    let mut random = [0; LEN];
    OsRng
        .try_fill_bytes(&mut random)
        .map_err(io::Error::other)?;
    let token = random.map(|byte| format!("{byte:02x}")).concat();
    let mut file = tempfile::NamedTempFile::new_in(home)?;
    file.write_all(token.as_bytes())?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_read_from_then_on() {
        let home = tempfile::tempdir().unwrap();
        let made = load_or_create(Some(home.path())).unwrap().token;
        assert_eq!(made.len(), 2 * LEN);
        assert_eq!(load_or_create(Some(home.path())).unwrap().token, made);
        assert!(load_or_create(None).is_err());
    }
}
