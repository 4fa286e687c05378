//! Which of Android's commands there are, by name and by version.

use super::answer::{Answer, Caller, Command};
use super::{
    activity, appops, bugreport, cmd, content, dumpsys, input, install, logcat, maintenance,
    package, properties, radio, screencap, service, settings, uiautomator,
};
use crate::adapters::virtual_handset::behaviour::routine;
use crate::adapters::virtual_handset::kernel::process::{Process, Program, Stop};
use crate::ports::BoxFuture;

/// All commands. [`exists`] says which of them a userland has.
pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("am", |process| run(process, activity::am)),
    ("appops", |process| run(process, appops::appops)),
    ("bu", maintenance::bu),
    ("bugreport", bugreport::bugreport),
    ("bugreportz", bugreport::bugreportz),
    ("cmd", |process| package_or(process, 2, cmd::cmd)),
    ("content", |process| run(process, content::content)),
    ("disable-verity", |process| {
        run(process, maintenance::disable_verity)
    }),
    ("dumpsys", |process| run(process, dumpsys::dumpsys)),
    ("enable-verity", |process| {
        run(process, maintenance::enable_verity)
    }),
    ("getprop", |process| run(process, properties::getprop)),
    ("input", |process| run(process, input::input)),
    ("logcat", logcat::logcat),
    ("pm", |process| package_or(process, 1, package::pm)),
    ("reboot", maintenance::reboot),
    ("remount", |process| run(process, maintenance::remount)),
    ("screencap", screencap::screencap),
    ("service", |process| run(process, service::service)),
    ("setprop", |process| run(process, properties::setprop)),
    ("settings", |process| run(process, settings::settings)),
    ("svc", |process| run(process, radio::svc)),
    ("uiautomator", |process| {
        run(process, uiautomator::uiautomator)
    }),
    ("wm", |process| run(process, radio::wm)),
];

/// Commands that came after 4.3, with their first API level.
const LATER: &[(&str, u32)] = &[
    ("appops", 21),
    ("bugreportz", 24),
    ("cmd", 24),
    ("disable-verity", 21),
    ("enable-verity", 22),
];

/// Whether `/system/bin` of this API level has a command of [`PROGRAMS`].
pub(crate) fn exists(name: &str, sdk: u32) -> bool {
    LATER
        .iter()
        .all(|(later, first)| *later != name || sdk >= *first)
}

/// The package manager reads what it installs; its words begin at `from`.
fn package_or(
    process: &mut Process,
    from: usize,
    command: Command,
) -> BoxFuture<'_, Result<u8, Stop>> {
    let words = process.arguments.get(from..).unwrap_or_default().to_vec();
    let is_package = from == 1
        || process
            .arguments
            .get(1)
            .is_some_and(|word| word == "package");
    if !is_package || !install::is_install(&words) {
        return run(process, command);
    }
    Box::pin(async move { install::run(process, &words).await })
}

fn run(process: &mut Process, command: Command) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async move {
        let caller = Caller {
            user: process.user.clone(),
            pid: process.pid,
            storage: process
                .environment
                .get("EXTERNAL_STORAGE")
                .cloned()
                .unwrap_or_else(|| "/sdcard".to_owned()),
        };
        let words = process.arguments.get(1..).unwrap_or_default().to_vec();
        let Answer {
            stdout,
            stderr,
            code,
        } = process.handset.with(|world| {
            routine::touch(world);
            command(world, &caller, &words)
        });
        if !stderr.is_empty() {
            process.complain(stderr).await?;
        }
        if !stdout.is_empty() {
            process.print(stdout).await?;
        }
        Ok(code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::android::testing::firmware;
    use crate::adapters::virtual_handset::android::testing::{Lab, world};
    use crate::adapters::virtual_handset::kernel::user::User;
    use proptest::prelude::*;

    const OLD: &str = "redmi-1s-2014-07";
    const NEW: &str = "android-14";

    /// A command line split at blanks, `_` standing for a blank inside a word.
    fn words(line: &str) -> Vec<String> {
        line.split(' ')
            .map(|word| word.replace('_', " ").replace('\u{1}', "_"))
            .collect()
    }

    /// Runs each line as the shell user and compares output, errors and exit code.
    async fn check(name: &str, cases: &[(&str, &str, &str, u8)]) {
        let lab = Lab::new(name);
        for (line, out, err, code) in cases {
            let words = words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let printed = lab.shell(&words).await;
            assert_eq!(printed.out, *out, "output of {line}");
            assert_eq!(printed.err, *err, "errors of {line}");
            assert_eq!(printed.code, *code, "code of {line}");
        }
    }

    /// Expected by SettingsCmd of its time (AOSP `cmds/settings`, before `delete` and `list` came).
    #[tokio::test]
    async fn settings_of_4_3() {
        let usage = "usage:  settings [--user NUM] get namespace key\n        settings [--user NUM] put namespace key value\n\n'namespace' is one of {system, secure, global}, case-insensitive\nIf '--user NUM' is not given, the operations are performed on the owner user.\n";
        let invalid = format!("Invalid command: delete\n{usage}");
        let namespace = format!("Invalid namespace 'here'\n{usage}");
        let many = format!("Too many arguments\n{usage}");
        check(
            OLD,
            &[
                (
                    "settings get secure android\u{1}id",
                    "9b3f5c71d20e64a8\n",
                    "",
                    0,
                ),
                ("settings get global nothing", "null\n", "", 0),
                ("settings --user 0 get GLOBAL nothing", "null\n", "", 0),
                ("settings put global x a_b", "", "", 0),
                ("settings get global x", "a b\n", "", 0),
                ("settings delete global x", "", &invalid, 0),
                ("settings get here x", "", &namespace, 0),
                ("settings get global x y", "", &many, 0),
                ("settings list global", "", usage, 0),
            ],
        )
        .await;
    }

    /// Expected by SettingsService (facts: 8 and later).
    #[tokio::test]
    async fn settings_of_14() {
        check(
            NEW,
            &[
                ("settings put secure x 1", "", "", 0),
                ("settings get secure x", "1\n", "", 0),
                ("settings delete secure x", "Deleted 1 rows\n", "", 0),
                ("settings delete secure x", "Deleted 0 rows\n", "", 0),
                ("settings get secure x", "null\n", "", 0),
                ("settings put system screen\u{1}brightness 5", "", "", 0),
                (
                    "settings list SYSTEM",
                    "screen_brightness=5\nscreen_off_timeout=60000\ntime_12_24=24\n",
                    "",
                    0,
                ),
                ("settings frob", "", "Invalid command: frob\n", 255),
                ("settings get", "", "Bad arguments\n", 255),
                ("settings get here x", "", "Invalid namespace 'here'\n", 255),
                ("settings get global x y", "", "Too many arguments\n", 255),
                ("cmd settings get secure location\u{1}mode", "0\n", "", 0),
                ("cmd connectivity airplane-mode", "disabled\n", "", 0),
                ("cmd connectivity airplane-mode enable", "", "", 0),
                ("cmd connectivity airplane-mode", "enabled\n", "", 0),
                ("settings get global airplane\u{1}mode\u{1}on", "1\n", "", 0),
                (
                    "cmd phone get-imei",
                    "",
                    "Device IMEI: Permission denied.\n",
                    255,
                ),
                ("cmd frob", "", "cmd: Can't find service: frob\n", 20),
            ],
        )
        .await;
    }

    /// Expected by `Content.java` of 4.2 and 4.3, its typing error included.
    #[tokio::test]
    async fn content_of_4_3() {
        let people = "content://com.android.contacts";
        let denied = "Error while accessing provider:sms\njava.lang.SecurityException: Permission Denial: reading com.android.providers.telephony.SmsProvider uri content://sms from pid=PID, uid=2000 requires android.permission.READ_SMS, or grantUriPermission()\n";
        let lab = Lab::new(OLD);
        let run = async |line: &str| {
            let words = words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            lab.shell(&words).await
        };
        let query = format!(
            "content query --uri {people}/raw\u{1}contacts --projection \u{1}id:display\u{1}name"
        );
        assert_eq!(run(&query).await.out, "No reuslt found.\n");
        for insert in [
            "raw\u{1}contacts --bind account\u{1}type:s: --bind account\u{1}name:s:",
            "data --bind raw\u{1}contact\u{1}id:i:1 --bind mimetype:s:vnd.android.cursor.item/name --bind data1:s:Ada_Example",
            "data --bind raw\u{1}contact\u{1}id:i:1 --bind mimetype:s:vnd.android.cursor.item/phone\u{1}v2 --bind data1:s:+447700900123 --bind data2:i:2",
        ] {
            let printed = run(&format!("content insert --uri {people}/{insert}")).await;
            assert_eq!(
                (printed.out.as_str(), printed.err.as_str()),
                ("", ""),
                "{insert}"
            );
        }
        assert_eq!(
            run(&query).await.out,
            "Row: 0 _id=1, display_name=Ada Example\n"
        );
        let phones = format!(
            "content query --uri {people}/data/phones --projection data1:data2:data4:display\u{1}name --where data1_LIKE_'%123'"
        );
        assert_eq!(
            run(&phones).await.out,
            "Row: 0 data1=+447700900123, data2=2, data4=+447700900123, display_name=Ada Example\n"
        );
        let printed = run("content query --uri content://sms").await;
        let pid = printed
            .err
            .split("pid=")
            .nth(1)
            .unwrap()
            .split(',')
            .next()
            .unwrap();
        let expected = denied.replace("PID", pid);
        assert!(printed.err.starts_with(&expected), "{}", printed.err);
        assert_eq!(printed.code, 0);
        let printed = run("content query --uri content://nobody").await;
        assert!(printed.err.starts_with("Error while accessing provider:nobody\njava.lang.IllegalStateException: Could not find provider: nobody\n"));
        let printed = run("content frob").await;
        assert!(
            printed
                .out
                .ends_with("\n[ERROR] Unsupported operation: frob\n")
        );
        let printed = run("content insert --uri content://x").await;
        assert!(
            printed
                .out
                .ends_with("[ERROR] Bindings not specified. Did you specify --bind argument(s)?\n")
        );
        run(&format!("content delete --uri {people}/raw\u{1}contacts/1")).await;
        assert_eq!(run(&phones).await.out, "No reuslt found.\n");
        assert_eq!(run(&query).await.out, "No reuslt found.\n");
    }

    #[tokio::test]
    async fn content_of_settings_and_its_errors() {
        let lab = Lab::new(NEW);
        let run = async |line: &str| {
            let words = words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            lab.shell(&words).await
        };
        let secure = "--uri content://settings/secure";
        run(&format!(
            "content insert {secure} --bind name:s:planted --bind value:s:1"
        ))
        .await;
        let query =
            format!("content query {secure} --projection name:value --where name='planted'");
        assert_eq!(run(&query).await.out, "Row: 0 name=planted, value=1\n");
        run(&format!(
            "content update {secure} --bind value:s:2 --where name='planted'"
        ))
        .await;
        assert_eq!(run(&query).await.out, "Row: 0 name=planted, value=2\n");
        run(&format!("content delete {secure} --where name='planted'")).await;
        assert_eq!(run(&query).await.out, "No result found.\n");
        let printed = run("content query --uri content://sms --where nothing=1").await;
        assert!(
            printed
                .err
                .contains("SQLiteException: no such column: nothing (code 1)"),
            "{}",
            printed.err
        );
    }

    /// From 4.4 on a write to the messages needs the app-op, and is dropped without a word.
    #[tokio::test]
    async fn messages_of_14_are_guarded_by_an_app_op() {
        let insert = "content insert --uri content://sms/inbox --bind address:s:+447700900456 --bind body:s:it's_me,_ok --bind date:l:1406001101000 --bind read:i:0";
        let query =
            "content query --uri content://sms --projection \u{1}id:address:body:date:type:read";
        let row = "Row: 0 _id=1, address=+447700900456, body=it's me, ok, date=1406001101000, type=1, read=0\n";
        check(
            NEW,
            &[
                (insert, "", "", 0),
                (query, "No result found.\n", "", 0),
                (
                    "appops get com.android.shell WRITE\u{1}SMS",
                    "No operations.\nDefault mode: ignore\n",
                    "",
                    0,
                ),
                (
                    "appops set com.android.shell WRITE\u{1}SMS allow",
                    "",
                    "",
                    0,
                ),
                (
                    "appops get com.android.shell WRITE\u{1}SMS",
                    "WRITE_SMS: allow\n",
                    "",
                    0,
                ),
                (insert, "", "", 0),
                (query, row, "", 0),
                ("content delete --uri content://sms/1", "", "", 0),
                (query, "No result found.\n", "", 0),
                (
                    "appops set com.android.shell WRITE\u{1}SMS default",
                    "",
                    "",
                    0,
                ),
                (
                    "appops set com.android.shell FROB allow",
                    "",
                    "Error: Unknown operation string: FROB\n",
                    255,
                ),
                (
                    "appops get com.example",
                    "",
                    "Error: No UID for com.example in user 0\n",
                    255,
                ),
            ],
        )
        .await;
    }

    /// Codes are the order of methods in IPhoneSubInfo.aidl of 4.3, and of 11 to 14.
    #[expect(clippy::too_many_lines, reason = "a table of calls and answers")]
    #[tokio::test]
    async fn the_subscriber_service() {
        // UTF-16 in a hex dump's margin: each digit, then the dot of its zero byte.
        let text = |digits: &str| -> String { digits.chars().flat_map(|c| [c, '.']).collect() };
        for (name, line, digits) in [
            (OLD, "service call iphonesubinfo 1", "001017007345823"),
            (OLD, "service call iphonesubinfo 3", "001010123456789"),
            (OLD, "service call iphonesubinfo 5", "8900101012345678904"),
            (OLD, "service call iphonesubinfo 6", "+447700900871"),
            (
                NEW,
                "service call iphonesubinfo 1 s16 com.android.shell",
                "001017009341176",
            ),
            (
                NEW,
                "service call iphonesubinfo 4 i32 0 s16 com.android.shell i32 -1",
                "001017009341176",
            ),
            (
                NEW,
                "service call iphonesubinfo 5 i32 1 s16 com.android.shell i32 -1",
                "001017009341176",
            ),
            (
                NEW,
                "service call iphonesubinfo 10 i32 1 s16 com.android.shell i32 -1",
                "001019876543210",
            ),
            (
                NEW,
                "service call iphonesubinfo 13 s16 com.android.shell i32 -1",
                "8900101098765432104",
            ),
            (
                NEW,
                "service call iphonesubinfo 15 s16 com.android.shell i32 -1",
                "+447700900642",
            ),
        ] {
            let lab = Lab::new(name);
            let words = words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let printed = lab.shell(&words).await;
            assert_eq!(printed.code, 0);
            let letters: String = printed
                .out
                .lines()
                .filter_map(|line| line.split('\'').nth(1))
                .collect();
            assert!(letters.contains(&text(digits)), "{line}: {letters}");
            assert!(
                printed
                    .out
                    .starts_with("Result: Parcel(\n  0x00000000: 00000000 000000"),
                "{}",
                printed.out
            );
        }
        check(
            NEW,
            &[
                ("service check isms", "Service isms: found\n", "", 0),
                ("service check frob", "Service frob: not found\n", "", 0),
                (
                    "service call frob 1",
                    "",
                    "service: Service frob does not exist\n",
                    10,
                ),
                (
                    "service call iphonesubinfo 4 i32 7 s16 com.android.shell i32 -1",
                    "Result: Parcel(00000000 ffffffff   '........')\n",
                    "",
                    0,
                ),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn an_identifier_that_is_null_is_not_readable() {
        let mut firmware = firmware(OLD);
        firmware.sims[0].imsi = None;
        let lab = Lab::of(firmware);
        let printed = lab.shell(&["service", "call", "iphonesubinfo", "3"]).await;
        assert_eq!(
            printed.out,
            "Result: Parcel(00000000 ffffffff   '........')\n"
        );
    }

    /// `am` of 4.3 prints the intent with its numbers hidden (`Uri.toSafeString`).
    #[tokio::test]
    async fn am_of_4_3() {
        check(
            OLD,
            &[
                (
                    "am start -a android.intent.action.SENDTO -d sms:+447700900123 --es sms\u{1}body hello",
                    "Starting: Intent { act=android.intent.action.SENDTO dat=sms:xxxxxxxxxxxxx (has extras) }\n",
                    "",
                    0,
                ),
                (
                    "am start -n com.android.mms/.ui.MessagingPreferenceActivity",
                    "Starting: Intent { cmp=com.android.mms/.ui.MessagingPreferenceActivity }\n",
                    "",
                    0,
                ),
                (
                    "am start -n com.android.mms/.ui.MessagingPreferenceActivity",
                    "Starting: Intent { cmp=com.android.mms/.ui.MessagingPreferenceActivity }\n",
                    "Warning: Activity not started, intent has been delivered to currently running top-most instance.\n",
                    0,
                ),
                (
                    "am start -n com.android.mms/.Nothing",
                    "Starting: Intent { cmp=com.android.mms/.Nothing }\n",
                    "Error type 3\nError: Activity class {com.android.mms/com.android.mms.Nothing} does not exist.\n",
                    0,
                ),
                (
                    "am start -a com.example.NOTHING",
                    "Starting: Intent { act=com.example.NOTHING }\n",
                    "Error: Activity not started, unable to resolve Intent { act=com.example.NOTHING flg=0x10000000 }\n",
                    0,
                ),
                ("am force-stop com.android.mms", "", "", 0),
                ("am force-stop com.example.nothing", "", "", 0),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn packages_and_properties() {
        check(
            NEW,
            &[
                ("pm list packages com.android.messaging", "package:com.android.messaging\n", "", 0),
                (
                    "pm list packages -f -U messaging",
                    "package:/product/app/messaging/messaging.apk=com.android.messaging uid:10083\n",
                    "",
                    0,
                ),
                ("cmd package list packages -3", "", "", 0),
                ("pm path com.android.phone", "package:/system/priv-app/TeleService/TeleService.apk\n", "", 0),
                ("pm path com.example.nothing", "", "", 1),
                ("getprop ro.build.version.sdk", "34\n", "", 0),
                ("getprop ro.serialno", "0123456789\n", "", 0),
                ("getprop nothing", "\n", "", 0),
                ("getprop nothing else", "else\n", "", 0),
                ("setprop debug.x 1", "", "", 0),
                ("getprop debug.x", "1\n", "", 0),
                (
                    "setprop ro.x 1",
                    "",
                    "setprop: failed to set property 'ro.x' to '1'. See dmesg for error reason.\n",
                    1,
                ),
                ("wm size", "Physical size: 1080x2400\n", "", 0),
            ],
        )
        .await;
        let lab = Lab::new(OLD);
        let all = lab.shell(&["getprop"]).await.out;
        assert!(
            all.contains("[gsm.operator.alpha]: [Example Mobile]\n"),
            "{all}"
        );
        assert!(all.contains("[ro.product.device]: [armani]\n"));
    }

    /// The owner writes a message on 4.x: the composer opens, Send is tapped, the app stores it.
    #[tokio::test]
    async fn a_message_is_sent_from_the_screen_of_4_3() {
        let lab = Lab::new(OLD);
        let start = [
            "am",
            "start",
            "-a",
            "android.intent.action.SENDTO",
            "-d",
            "sms:+447700900123",
            "--es",
            "sms_body",
            "it's 5 & <more>",
            "--ez",
            "exit_on_sent",
            "true",
        ];
        lab.shell(&start).await;
        let dump = lab.shell(&["uiautomator", "dump", "/sdcard/d.xml"]).await;
        assert_eq!(dump.out, "UI hierchary dumped to: /sdcard/d.xml\n");
        let xml = String::from_utf8(lab.read("/sdcard/d.xml")).unwrap();
        assert!(xml.contains("text=\"it's 5 &amp; &lt;more&gt;\" resource-id=\"com.android.mms:id/embedded_text_editor\""), "{xml}");
        assert!(xml.contains(
            "text=\"+447700900123\" resource-id=\"com.android.mms:id/recipients_editor\""
        ));
        let (_, button) = xml.split_once("com.android.mms:id/send_button\"").unwrap();
        let (_, bounds) = button.split_once("bounds=\"[").unwrap();
        let corner = bounds.split(']').next().unwrap();
        let (x, y) = corner.split_once(',').unwrap();
        let sent = [
            "content",
            "query",
            "--uri",
            "content://sms/sent",
            "--projection",
            "address:body:type",
        ];
        lab.shell(&["input", "tap", x, y]).await;
        assert_eq!(
            lab.root(&sent).await.out,
            "No reuslt found.\n",
            "it is still on its way"
        );
        lab.pass(2).await;
        assert_eq!(
            lab.root(&sent).await.out,
            "Row: 0 address=+447700900123, body=it's 5 & <more>, type=2\n"
        );
        // The composer has closed.
        let window = lab.shell(&["dumpsys", "window"]).await.out;
        assert!(
            window.contains(
                "mCurrentFocus=Window{41a9d0b8 u0 com.miui.home/com.miui.home.launcher.Launcher}"
            ),
            "{window}"
        );
    }

    /// ISms.sendTextForSubscriber of 11 and later: the platform stores what the shell sends.
    #[tokio::test]
    async fn a_message_is_sent_through_the_service_of_14() {
        let lab = Lab::new(NEW);
        let line = "service call isms 5 i32 1 s16 com.android.shell i32 -1 s16 +447700900123 i32 -1 s16 it's_me i32 0 i32 0 i32 1 i64 0";
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(
            lab.shell(&words).await.out,
            "Result: Parcel(00000000    '....')\n"
        );
        lab.pass(2).await;
        let query = [
            "content",
            "query",
            "--uri",
            "content://sms/sent",
            "--projection",
            "address:body:creator",
        ];
        assert_eq!(
            lab.shell(&query).await.out,
            "Row: 0 address=+447700900123, body=it's me, creator=com.android.shell\n"
        );
    }

    #[tokio::test]
    async fn a_call_is_made_ended_and_logged() {
        for (name, indent) in [(OLD, "  "), (NEW, "    ")] {
            let lab = Lab::new(name);
            let state = async |expected: u8| {
                let dump = lab.shell(&["dumpsys", "telephony.registry"]).await.out;
                assert!(
                    dump.contains(&format!("\n{indent}mCallState={expected}\n")),
                    "{dump}"
                );
            };
            state(0).await;
            lab.shell(&[
                "am",
                "start",
                "-a",
                "android.intent.action.CALL",
                "-d",
                "tel:+447700900123",
            ])
            .await;
            state(2).await;
            lab.pass(8).await;
            lab.shell(&["input", "keyevent", "6"]).await;
            state(0).await;
            let query = [
                "content",
                "query",
                "--uri",
                "content://call_log/calls",
                "--projection",
                "number:type:duration",
            ];
            // Three seconds of the eight it rang.
            assert_eq!(
                lab.root(&query).await.out,
                "Row: 0 number=+447700900123, type=2, duration=5\n"
            );
        }
    }

    /// 4.3 heads each device when there are several; 14 heads each buffer, and prints `threadtime`.
    #[tokio::test]
    async fn logs_are_printed_counted_cleared_and_followed() {
        let lab = Lab::new(OLD);
        let all = lab.root(&["logcat", "-d", "-b", "system"]).await.out;
        assert!(all.starts_with("I/SystemServer("), "{all}");
        let two = lab.root(&["logcat", "-d", "-v", "time"]).await.out;
        assert!(
            two.starts_with("--------- beginning of /dev/log/system\n"),
            "{two}"
        );
        let some = lab
            .root(&["logcat", "-d", "-s", "ActivityManager:I"])
            .await
            .out;
        assert!(
            some.contains("Start proc com.android.mms for") && !some.contains("SystemServer"),
            "{some}"
        );
        let last = lab.root(&["logcat", "-t", "1", "-b", "system"]).await.out;
        assert_eq!(last.lines().count(), 1);
        lab.root(&["logcat", "-c"]).await;
        assert_eq!(lab.root(&["logcat", "-d"]).await.out, "");
        let bad = lab.root(&["logcat", "-b", "crash", "-d"]).await;
        assert_eq!((bad.code, bad.out.as_str()), (1, ""));
        let follower = lab.start(User::root(), &["logcat", "-v", "brief"], "logcat");
        lab.pass(1).await;
        lab.shell(&["am", "force-stop", "com.android.mms"]).await;
        lab.pass(1).await;
        let followed = String::from_utf8(lab.read("/logcat.out")).unwrap();
        assert!(
            followed.contains("Force stopping package com.android.mms appid=10023 user=0"),
            "{followed}"
        );
        assert_eq!(follower.status(), None);
        let lab = Lab::new(NEW);
        let all = lab.root(&["logcat", "-d", "-b", "all"]).await.out;
        assert!(all.starts_with("--------- beginning of system\n"), "{all}");
        let after = lab.root(&["logcat", "-d", "-T", "99999999999.0"]).await.out;
        assert_eq!(after, "");
        let sizes = lab.root(&["logcat", "-g", "-b", "events"]).await.out;
        assert!(
            sizes.starts_with("events: ring buffer is 256 KiB ("),
            "{sizes}"
        );
    }

    /// What an audit's own readers make of the answers.
    #[tokio::test]
    async fn the_answers_can_be_read() {
        use crate::android::telephony::CallState;
        use crate::android::{connectivity, telephony, uiautomator};
        for (name, activity) in [
            (
                OLD,
                "com.android.mms/com.android.mms.ui.MessagingPreferenceActivity",
            ),
            (
                NEW,
                "com.android.messaging/.ui.conversationlist.ConversationListActivity",
            ),
        ] {
            let lab = Lab::new(name);
            let started = lab.shell(&["am", "start", "-n", activity]).await;
            assert_eq!(started.err, "");
            lab.shell(&["uiautomator", "dump", "/sdcard/d.xml"]).await;
            let xml = String::from_utf8(lab.read("/sdcard/d.xml")).unwrap();
            let screen = uiautomator::Screen::parse(&xml).unwrap();
            if name == OLD {
                let node = screen.check_box("Cloud Messaging").unwrap();
                assert!(node.checked);
                assert!(!screen.check_box("Delivery reports").unwrap().checked);
            }
            let registry = lab.shell(&["dumpsys", "telephony.registry"]).await.out;
            assert_eq!(telephony::call_state(&registry), Some(CallState::Idle));
            let wifi = lab.shell(&["dumpsys", "wifi"]).await.out;
            assert_eq!(connectivity::wifi_is_on(&wifi), Some(true));
        }
        let lab = Lab::new(OLD);
        let location = async || {
            let dump = lab.shell(&["dumpsys", "location"]).await.out;
            connectivity::location_dump_is_on(&dump)
        };
        assert_eq!(location().await, Some(false));
        let put = [
            "settings",
            "put",
            "secure",
            "location_providers_allowed",
            "gps,network",
        ];
        lab.shell(&put).await;
        assert_eq!(location().await, Some(true));
        let start = lab.shell(&["am", "start", "com.android.mms"]).await;
        assert_eq!(
            start.out,
            "Starting: Intent { act=android.intent.action.MAIN cat=[android.intent.category.LAUNCHER] pkg=com.android.mms }\n"
        );
        assert_eq!(start.err, "");
        let none = lab.shell(&["am", "start", "com.xiaomi.xmsf"]).await;
        assert!(
            none.err
                .starts_with("Error: Activity not started, unable to resolve Intent")
        );
    }

    #[tokio::test]
    async fn a_thread_goes_with_its_last_message() {
        let lab = Lab::new(OLD);
        let insert = [
            "content",
            "insert",
            "--uri",
            "content://sms/inbox",
            "--bind",
            "address:s:+447700900456",
            "--bind",
            "body:s:x",
        ];
        lab.root(&insert).await;
        let threads = [
            "content",
            "query",
            "--uri",
            "content://mms-sms/conversations?simple=true",
            "--projection",
            "_id:message_count",
        ];
        assert_eq!(
            lab.root(&threads).await.out,
            "Row: 0 _id=1, message_count=1\n"
        );
        lab.root(&[
            "content",
            "delete",
            "--uri",
            "content://sms",
            "--where",
            "_id = 1",
        ])
        .await;
        assert_eq!(lab.root(&threads).await.out, "No reuslt found.\n");
    }

    #[test]
    fn a_userland_has_what_its_time_had() {
        assert!(!exists("cmd", 23));
        assert!(exists("cmd", 24));
        assert!(exists("am", 18));
    }

    fn command(name: &str) -> Command {
        match name {
            "am" => activity::am,
            "appops" => appops::appops,
            "cmd" => cmd::cmd,
            "content" => content::content,
            "dumpsys" => dumpsys::dumpsys,
            "getprop" => properties::getprop,
            "input" => input::input,
            "pm" => package::pm,
            "service" => service::service,
            "setprop" => properties::setprop,
            "settings" => settings::settings,
            "svc" => radio::svc,
            "uiautomator" => uiautomator::uiautomator,
            _ => radio::wm,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// Whatever is asked, in whatever order, is answered.
        #[test]
        fn no_words_are_too_strange(
            old in any::<bool>(),
            root in any::<bool>(),
            lines in prop::collection::vec(
                (
                    prop::sample::select(PROGRAMS.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
                    prop::collection::vec(
                        prop_oneof![
                            prop::sample::select(vec![
                                "start", "call", "query", "insert", "update", "delete", "--uri", "--bind", "--where", "get",
                                "put", "set", "list", "packages", "-a", "-d", "-n", "-e", "--es", "tap", "text", "keyevent",
                                "content://sms", "content://com.android.contacts/raw_contacts", "content://com.android.contacts/data",
                                "content://call_log/calls", "content://settings/global", "iphonesubinfo", "isms", "s16", "i32",
                                "i64", "5", "-1", "99999999999999999999", "a:s:b", "_id:i:7", "raw_contact_id:i:1",
                                "mimetype:s:x", "android.intent.action.CALL", "tel:+1", "sms:1", "com.android.mms",
                                "com.android.mms/.ui.MessagingPreferenceActivity", "dump", "package", "wifi", "enable", "--sort", "",
                            ]).prop_map(str::to_owned),
                            ".{0,12}",
                        ],
                        0..9,
                    ),
                ),
                1..12,
            )
        ) {
            let mut world = world(firmware(if old { OLD } else { NEW }));
            let user = if root { User::root() } else { User::shell() };
            let caller = Caller { user, pid: 4000, storage: "/sdcard".to_owned() };
            for (name, words) in lines {
                if name != "logcat" {
                    command(name)(&mut world, &caller, &words);
                }
            }
        }
    }
}
