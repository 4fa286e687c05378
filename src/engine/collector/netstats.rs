//! Byte counters per app, before and after: what a capture must hold at least.

use crate::android::netstats::difference::{Difference, difference};
use crate::android::netstats::dump::{DUMP, Netstats, POLL};
use crate::engine::folder::Folder;
use crate::engine::session::{Session, SessionError};
use crate::evidence::gap::{Gap, Observer};
use crate::ports::store::StoreError;

/// The evidence files.
pub const BEFORE: &str = "netstats-before.txt";
/// The second of them.
pub const AFTER: &str = "netstats-after.txt";

/// One reading.
#[derive(Debug)]
pub struct Counters(Result<Netstats, String>);

/// Reads the counters and keeps what the handset printed. They are polled first: without that they
/// are as old as half an hour.
pub async fn read(session: &Session, folder: &Folder, file: &str) -> Result<Counters, StoreError> {
    match dump(session).await {
        Ok(text) => {
            folder.write(file, text.as_bytes())?;
            let netstats = Netstats::parse(&text);
            let is_empty = netstats.records.is_empty();
            let none = || Err("the handset printed no counters".to_owned());
            Ok(Counters(if is_empty { none() } else { Ok(netstats) }))
        }
        Err(error) => Ok(Counters(Err(error.to_string()))),
    }
}

async fn dump(session: &Session) -> Result<String, SessionError> {
    session.shell(POLL).await?;
    Ok(session.shell(DUMP).await?.text)
}

/// What was counted between two readings, or why that is not known.
pub fn counted(before: &Counters, after: &Counters) -> Result<Difference, Gap> {
    let gap = |detail: &str| Gap {
        observer: Observer::Netstats,
        reason: "the byte counters could not be read".to_owned(),
        detail: Some(detail.to_owned()),
    };
    let before = before.0.as_ref().map_err(|why| gap(why))?;
    let after = after.0.as_ref().map_err(|why| gap(why))?;
    let difference = difference(before, after);
    if difference.reset.is_empty() {
        Ok(difference)
    } else {
        Err(Gap {
            observer: Observer::Netstats,
            reason: "the byte counters were reset in between".to_owned(),
            detail: Some(format!("uids {:?}", difference.reset)),
        })
    }
}
