//! The Wi-Fi radio: switched, and seen in the service's own state instead of in the setting.

use crate::android::connectivity;
use crate::engine::act::error::ActError;
use crate::engine::act::evidence::{ActEvidence, Actor, Verified};
use crate::engine::session::Session;
use crate::engine::undo::Undo;

/// How often the radio is looked at until it is what it should be, a second apart.
const TRIES: u32 = 20;

/// Switches Wi-Fi.
pub async fn wifi(actor: &mut Actor<'_>, on: bool) -> Result<ActEvidence, ActError> {
    let session = actor.session;
    let before = state(session).await?;
    let by = connectivity::WIFI_STATE;
    if before == on {
        let verified = Verified::of(true, by, "");
        return Ok(actor.evidence("it was so already", verified, vec![]));
    }
    actor.journal.intend(Undo::Wifi { on: before })?;
    let command = connectivity::set_wifi(session.version().api, on);
    let is_reached = switch(session, on).await?;
    let why = format!("`{by}` does not show the radio {}", word(on));
    Ok(actor.evidence(command, Verified::of(is_reached, by, &why), vec![]))
}

/// Puts Wi-Fi back.
pub(crate) async fn restore(session: &Session, on: bool) -> Result<(), ActError> {
    if state(session).await? == on || switch(session, on).await? {
        return Ok(());
    }
    Err(ActError::NotRestored {
        what: format!("Wi-Fi is to be {}", word(on)),
        found: word(!on).to_owned(),
    })
}

async fn switch(session: &Session, on: bool) -> Result<bool, ActError> {
    let command = connectivity::set_wifi(session.version().api, on);
    session.shell(command).await?;
    for _ in 0..TRIES {
        let answer = session.shell(connectivity::WIFI_STATE).await?;
        if connectivity::wifi_is_on(&answer.text) == Some(on) {
            return Ok(true);
        }
        session.wait(1).await?;
    }
    Ok(false)
}

/// The radio's state; waits out a change that is under way.
async fn state(session: &Session) -> Result<bool, ActError> {
    let mut said = String::new();
    for _ in 0..TRIES {
        let answer = session.shell(connectivity::WIFI_STATE).await?;
        if let Some(on) = connectivity::wifi_is_on(&answer.text) {
            return Ok(on);
        }
        answer.first_line().clone_into(&mut said);
        session.wait(1).await?;
    }
    Err(ActError::StateUnknown {
        what: "the Wi-Fi radio's state",
        said,
    })
}

const fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::restore;
    use crate::engine::testing::{Line, ScriptedHandset, does, says};

    #[tokio::test]
    async fn switches_wifi_and_looks_at_the_radio() {
        let state = |state: &str| says("dumpsys wifi", &format!("Wi-Fi is {state}\n"));
        let lines = vec![
            state("disabled"),
            Line::Intend(Undo::Wifi { on: false }),
            does("svc wifi enable"),
            state("enabling"),
            does("sleep 1"),
            state("enabled"),
            // undone
            state("enabled"),
            does("svc wifi disable"),
            state("disabled"),
            // and undone again
            state("disabled"),
        ];
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        let evidence = wifi(&mut handset.actor(&session), true).await.unwrap();
        assert!(evidence.verified.is_yes());
        restore::apply(&session, &Undo::Wifi { on: false })
            .await
            .unwrap();
        restore::apply(&session, &Undo::Wifi { on: false })
            .await
            .unwrap();
        handset.finish();
    }
}
