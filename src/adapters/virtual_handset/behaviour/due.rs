//! What of the apps' and the radio's doings is due.

use super::request;
use super::routine;
use super::trigger::holds;
use crate::adapters::virtual_handset::android::log::{Buffer, Level};
use crate::adapters::virtual_handset::android::state::log;
use crate::adapters::virtual_handset::android::{apps, telephony};
use crate::adapters::virtual_handset::kernel::world::{Event, World};
use crate::adapters::virtual_handset::network::exchange::exchange;
use std::sync::Arc;
use std::time::Duration;

/// Between two messages of one reaction.
const BETWEEN: Duration = Duration::from_millis(700);

/// Something an app or the radio does later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A reaction's message is sent.
    Send {
        /// Its place in the firmware.
        reaction: usize,
        /// Which of its messages.
        message: usize,
        /// What set it off.
        circumstances: Circumstances,
    },
    /// A reaction that repeats is due, unless it was put off or brought forward since.
    Repeat {
        /// Its place in the firmware.
        reaction: usize,
    },
    /// Whoever is called answers.
    CallAnswered {
        /// Which call.
        id: u64,
    },
    /// The network has accepted a text message.
    MessageSent {
        /// Its row.
        id: i64,
        /// To whom.
        number: String,
        /// What it says.
        text: String,
    },
}

/// What a message about an occasion can carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Circumstances {
    pub(crate) raw_contact: Option<i64>,
    pub(crate) contact_number: String,
    pub(crate) peer_number: String,
    pub(crate) text: String,
}

/// Does what is due.
pub(crate) fn handle(world: &mut World, due: Due) {
    match due {
        Due::Send {
            reaction,
            message,
            circumstances,
        } => send(world, reaction, message, circumstances),
        Due::Repeat { reaction } => routine::repeat(world, reaction),
        Due::CallAnswered { id } => telephony::answered(world, id),
        Due::MessageSent { id, number, text } => telephony::message_sent(world, id, number, text),
    }
}

/// Sends one message, if the app still wants to, and lets the next one follow.
fn send(world: &mut World, reaction: usize, number: usize, circumstances: Circumstances) {
    let firmware = Arc::clone(&world.firmware);
    let Some(wanted) = firmware.reactions.get(reaction) else {
        return;
    };
    let Some(message) = wanted.send.get(number) else {
        return;
    };
    if !holds(world, wanted) {
        return;
    }
    let wish = request::exchange_of(world, &wanted.app, message, &circumstances);
    if let Err(error) = exchange(world, wish) {
        let writer = apps::writer(world, &wanted.app);
        let text = format!("java.net.UnknownHostException: {error}");
        log(
            world,
            Buffer::Main,
            writer,
            (Level::Warning, "System.err"),
            &text,
        );
    }
    if number + 1 < wanted.send.len() {
        let at = world.uptime() + BETWEEN;
        let next = Due::Send {
            reaction,
            message: number + 1,
            circumstances,
        };
        world.schedule(at, Event::Behaviour(next));
    }
}

#[cfg(test)]
mod tests {
    use crate::adapters::virtual_handset::android::testing::{Lab, contains};
    use crate::adapters::virtual_handset::kernel::user::User;

    const JULY: &str = "redmi-1s-2014-07";
    const AUGUST: &str = "redmi-1s-2014-08";
    const PREFERENCES: &str =
        "/data/data/com.android.mms/shared_prefs/com.android.mms_preferences.xml";
    const SCREEN: &str = "com.android.mms/.ui.MessagingPreferenceActivity";

    /// Everything that July's firmware tells when nobody does anything.
    /// Digests by `printf IMEI | openssl dgst -sha1 -binary | basenc --base64url | cut -c-16`.
    const ACTIVATION: &[&str] = &[
        "GET /pass/activate/dev/3XIE5HZ3Y0H-4ntj/activating?imsi=vJ8H9jlWWHulkqhm HTTP/1.1\r\n",
        "Host: api.account.xiaomi.com\r\n",
        "operator=Example%20Mobile&imei=001017007345823&phone=%2B447700900871",
    ];

    async fn add_contact(lab: &Lab, number: &str) {
        let raw = "content://com.android.contacts/raw_contacts";
        let data = "content://com.android.contacts/data";
        for words in [
            vec![
                "content",
                "insert",
                "--uri",
                raw,
                "--bind",
                "account_type:s:",
                "--bind",
                "account_name:s:",
            ],
            vec![
                "content",
                "insert",
                "--uri",
                data,
                "--bind",
                "raw_contact_id:i:1",
                "--bind",
                "mimetype:s:vnd.android.cursor.item/phone_v2",
                "--bind",
                &format!("data1:s:{number}"),
                "--bind",
                "data2:i:2",
            ],
        ] {
            let printed = lab.shell(&words).await;
            assert_eq!((printed.out.as_str(), printed.err.as_str()), ("", ""));
        }
    }

    async fn receive(lab: &Lab, number: &str) {
        let words = [
            "content",
            "insert",
            "--uri",
            "content://sms/inbox",
            "--bind",
            &format!("address:s:{number}"),
            "--bind",
            "body:s:hello there",
        ];
        let printed = lab.root(&words).await;
        assert_eq!((printed.out.as_str(), printed.err.as_str()), ("", ""));
    }

    /// Writes the switch into the app's file as a lab does: root, same owner and mode.
    fn set(lab: &Lab, on: bool) {
        let text = format!(
            "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<map>\n<boolean name=\"pref_key_enable_mx\" value=\"{on}\" />\n</map>\n"
        );
        lab.0
            .with(|world| world.files.write(&User::root(), PREFERENCES, text))
            .unwrap();
    }

    async fn restart(lab: &Lab) {
        lab.shell(&["am", "force-stop", "com.android.mms"]).await;
        lab.shell(&["am", "start", "-n", SCREEN]).await;
    }

    /// What the app's own screen says of the switch.
    async fn shown(lab: &Lab) -> bool {
        lab.shell(&["am", "start", "-n", SCREEN]).await;
        lab.shell(&["uiautomator", "dump", "/sdcard/d.xml"]).await;
        let xml = String::from_utf8(lab.read("/sdcard/d.xml")).unwrap();
        let (_, row) = xml.split_once("text=\"Cloud Messaging\"").unwrap();
        let (_, state) = row.split_once(" checked=\"").unwrap();
        // The first node after the title is its check box.
        let (_, state) = state.split_once(" checked=\"").unwrap();
        state.starts_with("true")
    }

    #[tokio::test]
    async fn july_tells_everything_unasked() {
        let lab = Lab::new(JULY);
        let seen = lab.capture(150).await;
        for text in ACTIVATION {
            assert!(contains(&seen, text), "{text}");
        }
        assert!(shown(&lab).await);
        // Background traffic of others: clear, and TLS by its server's name.
        assert!(contains(&seen, "Host: weather.example.net\r\n"));
        assert!(contains(&seen, "play.example.net"));
        assert!(!contains(&seen, "selfUpdate"));
    }

    #[tokio::test]
    async fn july_looks_up_every_number() {
        let lab = Lab::new(JULY);
        add_contact(&lab, "+447700900123").await;
        receive(&lab, "+447700900456").await;
        let call = [
            "am",
            "start",
            "-a",
            "android.intent.action.CALL",
            "-d",
            "tel:+447700900789",
        ];
        lab.shell(&call).await;
        lab.shell(&["input", "keyevent", "6"]).await;
        let seen = lab.capture(20).await;
        for number in ["123", "456", "789"] {
            let request =
                format!("GET /pass/user@id?type=MXPH&externalId=%2B447700900{number} HTTP/1.1\r\n");
            assert!(contains(&seen, &request), "{number}");
        }
    }

    #[tokio::test]
    async fn off_is_silent_once_the_app_has_restarted_and_not_before() {
        let lab = Lab::new(JULY);
        lab.pass(5).await;
        set(&lab, false);
        assert!(
            shown(&lab).await,
            "the running app has not read its file again"
        );
        receive(&lab, "+447700900456").await;
        let before = lab.capture(90).await;
        assert!(contains(&before, "externalId=%2B447700900456"));
        restart(&lab).await;
        assert!(!shown(&lab).await);
        // What was on its way has left.
        lab.pass(10).await;
        add_contact(&lab, "+447700900123").await;
        receive(&lab, "+447700900456").await;
        let after = lab.capture(300).await;
        assert!(!contains(&after, "xiaomi"));
        assert!(contains(&after, "weather.example.net"));
        set(&lab, true);
        restart(&lab).await;
        assert!(contains(&lab.capture(30).await, "imei=001017007345823"));
    }

    #[tokio::test]
    async fn august_is_silent_until_switched_on_and_then_opaque() {
        let lab = Lab::new(AUGUST);
        assert!(!shown(&lab).await);
        add_contact(&lab, "+447700900123").await;
        receive(&lab, "+447700900456").await;
        let untouched = lab.capture(200).await;
        assert!(!contains(&untouched, "xiaomi"));
        assert!(contains(&untouched, "play.example.net"));
        set(&lab, true);
        restart(&lab).await;
        assert!(shown(&lab).await);
        receive(&lab, "+447700900456").await;
        let on = lab.capture(200).await;
        assert!(contains(&on, "api.account.xiaomi.com"));
        for hidden in ["001017007345823", "7700900456", "Example", "pass/v3"] {
            assert!(!contains(&on, hidden), "{hidden}");
        }
    }

    #[tokio::test]
    async fn a_tap_turns_the_switch_at_once() {
        let lab = Lab::new(AUGUST);
        lab.shell(&["am", "start", "-n", SCREEN]).await;
        lab.shell(&["input", "tap", "300", "190"]).await;
        assert!(shown(&lab).await);
        let file = String::from_utf8(lab.read(PREFERENCES)).unwrap();
        assert!(
            file.contains("<boolean name=\"pref_key_enable_mx\" value=\"true\" />"),
            "{file}"
        );
        assert!(contains(&lab.capture(10).await, "api.account.xiaomi.com"));
    }

    #[tokio::test]
    async fn a_file_the_app_can_not_read_counts_for_nothing() {
        let lab = Lab::new(JULY);
        for (contents, mode) in [("<map><boolean", 0o660), ("<map />", 0o600)] {
            set(&lab, false);
            lab.0.with(|world| {
                let root = User::root();
                world.files.write(&root, PREFERENCES, contents).unwrap();
                world.files.set_mode(&root, PREFERENCES, mode).unwrap();
                world
                    .files
                    .set_owner(&root, PREFERENCES, Some(0), Some(0), true)
                    .unwrap();
            });
            restart(&lab).await;
            assert!(shown(&lab).await, "{contents}");
        }
    }

    #[tokio::test]
    async fn without_wifi_nothing_leaves_and_joining_is_an_occasion() {
        let lab = Lab::new(JULY);
        lab.pass(5).await;
        lab.shell(&["svc", "wifi", "disable"]).await;
        lab.pass(10).await;
        let off = lab.capture(200).await;
        assert!(!contains(&off, "xiaomi") && !contains(&off, "example.net"));
        lab.shell(&["svc", "wifi", "enable"]).await;
        assert!(contains(&lab.capture(10).await, "imei=001017007345823"));
    }

    #[tokio::test]
    async fn android_14_sends_and_tells_nothing_personal() {
        let lab = Lab::new("android-14");
        add_contact(&lab, "+447700900123").await;
        receive(&lab, "+447700900456").await;
        let seen = lab.capture(400).await;
        assert!(contains(&seen, "GET /generate_204 HTTP/1.1\r\n"));
        assert!(contains(&seen, "play.example.net"));
        for personal in ["7700900", "001017009341176", "PH14A0C7F2", "Example"] {
            assert!(!contains(&seen, personal), "{personal}");
        }
    }

    #[tokio::test]
    async fn a_day_of_rest_is_short_and_a_touch_ends_it() {
        let lab = Lab::new(AUGUST);
        lab.pass(86_400).await;
        lab.shell(&["getprop", "ro.serialno"]).await;
        assert!(contains(&lab.capture(300).await, "weather.example.net"));
    }
}
