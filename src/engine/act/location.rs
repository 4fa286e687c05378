//! Whether apps may know where the handset is.

use crate::android::connectivity::{LocationWay, location_dump_is_on, mode_is_on, providers_allow};
use crate::engine::act::error::ActError;
use crate::engine::act::evidence::{ActEvidence, Actor, Verified};
use crate::engine::act::setting;
use crate::engine::session::Session;
use crate::engine::undo::Undo;

const PROVIDERS: &str = "location_providers_allowed";
const MODE: &str = "location_mode";
const READ_PROVIDERS: &str = "settings get secure location_providers_allowed";
const READ_MODE: &str = "settings get secure location_mode";

/// Switches location.
pub async fn switch(actor: &mut Actor<'_>, on: bool) -> Result<ActEvidence, ActError> {
    let session = actor.session;
    let way = LocationWay::of(session.version().api);
    let providers = setting::read(session, "secure", PROVIDERS).await?;
    let mode = setting::read(session, "secure", MODE).await?;
    if is_on(way, providers.as_deref(), mode.as_deref()) == Some(on) {
        let verified = seen(session, way, on).await?;
        return Ok(actor.evidence("it was so already", verified, vec![]));
    }
    actor.journal.intend(Undo::Location { providers, mode })?;
    let command = way.set(on);
    session.shell(&command).await?;
    let verified = seen(session, way, on).await?;
    Ok(actor.evidence(command, verified, vec![]))
}

/// Puts location back.
pub(crate) async fn restore(
    session: &Session,
    providers: Option<&str>,
    mode: Option<&str>,
) -> Result<(), ActError> {
    let way = LocationWay::of(session.version().api);
    if way == LocationWay::Providers {
        setting::restore(session, "secure", PROVIDERS, providers).await?;
        return Ok(());
    }
    if way == LocationWay::Command
        && let Some(on) = mode.and_then(mode_is_on)
    {
        let now = setting::read(session, "secure", MODE).await?;
        if now.as_deref().and_then(mode_is_on) != Some(on) {
            session.shell(&way.set(on)).await?;
        }
    }
    // The command knows on and off only; the row may have held a mode between.
    setting::restore(session, "secure", MODE, mode).await?;
    Ok(())
}

/// What the settings say.
fn is_on(way: LocationWay, providers: Option<&str>, mode: Option<&str>) -> Option<bool> {
    match way {
        LocationWay::Providers => Some(providers.is_some_and(providers_allow)),
        LocationWay::Mode | LocationWay::Command => mode.and_then(mode_is_on),
    }
}

/// Sees the state elsewhere than where it was written: in the location service's own list on 4.3
/// (in the row, where it has no list), in the other setting later.
async fn seen(session: &Session, way: LocationWay, on: bool) -> Result<Verified, ActError> {
    let by_dump = match way {
        LocationWay::Providers => {
            let dump = session.shell("dumpsys location").await?;
            location_dump_is_on(&dump.text)
        }
        LocationWay::Mode | LocationWay::Command => None,
    };
    let (state, by) = match (way, by_dump) {
        (LocationWay::Providers, Some(state)) => (Some(state), "dumpsys location"),
        (LocationWay::Providers | LocationWay::Mode, _) => {
            let row = setting::read(session, "secure", PROVIDERS).await?;
            let is_on = row.as_deref().is_some_and(providers_allow);
            (Some(is_on), READ_PROVIDERS)
        }
        (LocationWay::Command, _) => {
            let row = setting::read(session, "secure", MODE).await?;
            (row.as_deref().and_then(mode_is_on), READ_MODE)
        }
    };
    let why = match state {
        Some(_) => format!("`{by}` shows the other state"),
        None => format!("`{by}` does not tell"),
    };
    Ok(Verified::of(state == Some(on), by, &why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::restore;
    use crate::engine::testing::{Line, ScriptedHandset, does, says};

    fn row(key: &str, value: &str) -> Line {
        says(&format!("settings get secure {key}"), &format!("{value}\n"))
    }

    #[tokio::test]
    async fn android_4_3_has_a_list_of_providers() {
        let undo = Undo::Location {
            providers: Some(String::new()),
            mode: None,
        };
        let lines = vec![
            row(PROVIDERS, ""),
            row(MODE, "null"),
            Line::Intend(undo.clone()),
            does("settings put secure location_providers_allowed gps,network"),
            says(
                "dumpsys location",
                "  Enabled Providers:\n    gps\n    network\n    passive\n",
            ),
            // undone
            row(PROVIDERS, "gps,network"),
            does("settings put secure location_providers_allowed ''"),
            row(PROVIDERS, ""),
            // and undone again
            row(PROVIDERS, ""),
        ];
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        let evidence = switch(&mut handset.actor(&session), true).await.unwrap();
        assert!(evidence.verified.is_yes(), "{evidence:?}");
        restore::apply(&session, &undo).await.unwrap();
        restore::apply(&session, &undo).await.unwrap();
        handset.finish();
    }

    #[tokio::test]
    async fn android_14_has_a_command() {
        let undo = Undo::Location {
            providers: None,
            mode: Some("0".to_owned()),
        };
        let lines = vec![
            row(PROVIDERS, "null"),
            row(MODE, "0"),
            Line::Intend(undo.clone()),
            does("cmd location set-location-enabled true"),
            row(MODE, "3"),
            // undone
            row(MODE, "3"),
            does("cmd location set-location-enabled false"),
            row(MODE, "0"),
        ];
        let (session, mut handset) = ScriptedHandset::attach(34, lines).await;
        let evidence = switch(&mut handset.actor(&session), true).await.unwrap();
        assert!(evidence.verified.is_yes(), "{evidence:?}");
        restore::apply(&session, &undo).await.unwrap();
        handset.finish();
    }
}
