//! Sending a message from the messaging app's own screen, as the owner does.

use crate::android::quote;
use crate::base::secret::Secret;
use crate::engine::act::error::ActError;
use crate::engine::act::screen;
use crate::engine::session::Session;

/// Send buttons by resource id: AOSP and MIUI, then Google Messages.
const SEND_IDS: &[&str] = &[
    "com.android.mms:id/send_button_sms",
    "com.android.mms:id/send_button",
    "com.google.android.apps.messaging:id/send_message_button_icon",
    "Compose:Draft:Send",
];

/// Send buttons by what they show or read out.
const SEND_WORDS: &[&str] = &["Send", "SEND", "Send SMS", "Send message", "发送"];

/// Opens the messaging app with the message and taps Send. Says how.
pub(crate) async fn send(
    session: &Session,
    peer: &Secret<String>,
    text: &Secret<String>,
) -> Result<String, ActError> {
    screen::wake(session).await?;
    let uri = format!("sms:{}", peer.expose());
    let intent = [
        "am",
        "start",
        "-a",
        "android.intent.action.SENDTO",
        "-d",
        &uri,
    ];
    let message = [
        "--es",
        "sms_body",
        text.expose(),
        "--ez",
        "exit_on_sent",
        "true",
    ];
    let compose = quote::command(intent.into_iter().chain(message));
    screen::start(session, &compose, "am start SENDTO").await?;
    let button = screen::wait_for(session, "the Send button", |screen| {
        let by_id = SEND_IDS.iter().find_map(|id| screen.by_resource_id(id));
        let by_word = || {
            screen.nodes.iter().position(|node| {
                let says = |word: &&str| node.text == *word || node.description == *word;
                node.clickable && SEND_WORDS.iter().any(says)
            })
        };
        let node = screen.nodes.get(by_id.or_else(by_word)?)?;
        if node.enabled {
            node.bounds.center()
        } else {
            None
        }
    });
    let button = button.await?;
    screen::tap(session, button).await?;
    Ok("sent from the messaging app: SENDTO, then a tap on Send".to_owned())
}

/// Leaves the app.
pub(crate) async fn leave(session: &Session) -> Result<(), ActError> {
    screen::home(session).await
}
