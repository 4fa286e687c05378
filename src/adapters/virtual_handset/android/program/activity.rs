//! `am`: start, force-stop, broadcast, and what little else is needed.

use super::answer::{Answer, Caller, MINUS_ONE, Words};
use super::intent::{Intent, Manner};
use crate::adapters::virtual_handset::android::display::{self, Draft, Opening};
use crate::adapters::virtual_handset::android::log::{Buffer, Level};
use crate::adapters::virtual_handset::android::state::log;
use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::android::{apps, telephony};
use crate::adapters::virtual_handset::firmware::model::{Activity, Screen};
use crate::adapters::virtual_handset::kernel::world::World;
use std::sync::Arc;

const USAGE: &str = "usage: am [subcommand] [options]
usage: am start [-D] [-W] [-P <FILE>] [--start-profiler <FILE>]
               [--R COUNT] [-S] [--opengl-trace]
               [--user <USER_ID> | current] <INTENT>
       am startservice [--user <USER_ID> | current] <INTENT>
       am force-stop [--user <USER_ID> | all | current] <PACKAGE>
       am kill [--user <USER_ID> | all | current] <PACKAGE>
       am kill-all
       am broadcast [--user <USER_ID> | all | current] <INTENT>
";

/// `am …`
pub(super) fn am(world: &mut World, caller: &Caller, words: &[String]) -> Answer {
    let mut words = Words::new(words);
    let old = world.android.is_old();
    let Some(verb) = words.next() else {
        return usage(old, None);
    };
    match verb {
        "start" | "start-activity" => match Intent::parse(&mut words) {
            Ok((intent, manner)) => start(world, caller, &intent, manner),
            Err(message) => refused(old, &message),
        },
        "startservice" | "start-service" | "start-foreground-service" => {
            match Intent::parse(&mut words) {
                Ok((intent, _)) => start_service(world, &intent),
                Err(message) => refused(old, &message),
            }
        }
        "broadcast" => match Intent::parse(&mut words) {
            Ok((intent, _)) => broadcast(world, caller, &intent),
            Err(message) => refused(old, &message),
        },
        "force-stop" | "kill" => match package(&mut words) {
            Some(package) => {
                apps::force_stop(world, package);
                Answer::silent()
            }
            None => refused(old, "Argument required"),
        },
        "kill-all" => Answer::silent(),
        "get-current-user" if !old => Answer::line("0"),
        "idle-maintenance" | "wait-for-broadcast-idle" if !old => Answer::silent(),
        other => usage(old, Some(other)),
    }
}

/// The operand after the options that name a user.
fn package<'a>(words: &mut Words<'a>) -> Option<&'a str> {
    loop {
        match words.next()? {
            "--user" => {
                words.next()?;
            }
            word if word.starts_with("--") => {}
            word => return Some(word),
        }
    }
}

fn usage(old: bool, unknown: Option<&str>) -> Answer {
    let stderr = match unknown {
        Some(unknown) if old => format!("{USAGE}Error: Unknown command: {unknown}\n"),
        Some(unknown) => format!("Unknown command: {unknown}\n"),
        None => USAGE.to_owned(),
    };
    Answer {
        stderr,
        code: if old { 0 } else { MINUS_ONE },
        ..Answer::default()
    }
}

fn refused(old: bool, message: &str) -> Answer {
    if old {
        return Answer::error(format!("{USAGE}Error: {message}"), 0);
    }
    if message.starts_with("Unknown option") {
        return Answer::error(format!("Error: {message}"), MINUS_ONE);
    }
    let text = format!(
        "\nException occurred while executing 'start':\njava.lang.IllegalArgumentException: {message}"
    );
    Answer::error(text, MINUS_ONE)
}

fn start(world: &mut World, caller: &Caller, intent: &Intent, manner: Manner) -> Answer {
    let firmware = Arc::clone(&world.firmware);
    let old = world.android.is_old();
    let mut answer = Answer::line(format!("Starting: Intent {{ {} }}", intent.shown()));
    let failed = |line: String, mut answer: Answer| {
        answer.stderr = line;
        answer.code = u8::from(!old);
        answer
    };
    let Some(activity) = intent.resolve(&firmware) else {
        let line = match &intent.component {
            Some(component) => format!(
                "Error type 3\nError: Activity class {{{}/{}}} does not exist.\n",
                component.package, component.class
            ),
            None => format!(
                "Error: Activity not started, unable to resolve Intent {{ {} flg=0x10000000 }}\n",
                intent.shown()
            ),
        };
        return failed(line, answer);
    };
    let is_call = activity.shows == Screen::Call;
    if is_call && !caller.may(world, "android.permission.CALL_PHONE") {
        let line = format!(
            "java.lang.SecurityException: Permission Denial: starting Intent {{ {} }} from null (pid={}, uid={}) requires android.permission.CALL_PHONE\n",
            intent.shown(),
            caller.pid,
            caller.user.uid
        );
        return failed(line, answer);
    }
    let package = &activity.component.package;
    if manner.stops_first {
        answer.stdout = format!("Stopping: {package}\n{}", answer.stdout);
        apps::force_stop(world, package);
    }
    launch(world, caller, intent, activity, manner, &mut answer);
    answer
}

fn launch(
    world: &mut World,
    caller: &Caller,
    intent: &Intent,
    activity: &Activity,
    manner: Manner,
    answer: &mut Answer,
) {
    let component = &activity.component;
    let old = world.android.is_old();
    let from = if old {
        format!("from pid {}", caller.pid)
    } else {
        format!(
            "with LAUNCH_MULTIPLE from uid {} result code=0",
            caller.user.uid
        )
    };
    let message = format!("START u0 {{{}}} {from}", intent.logged(component));
    let tag = if old {
        "ActivityManager"
    } else {
        "ActivityTaskManager"
    };
    log(world, Buffer::System, None, (Level::Info, tag), &message);
    let opening = if activity.shows == Screen::Call {
        telephony::call(world, &intent.number());
        display::open(world, activity, Draft::default())
    } else {
        display::open(world, activity, draft(intent))
    };
    let warning = "Warning: Activity not started, intent has been delivered to currently running top-most instance.\n";
    if opening == Opening::Delivered {
        if old {
            answer.stderr.push_str(warning);
        } else {
            answer.stdout.push_str(warning);
        }
    }
    if manner.waits {
        push(
            &mut answer.stdout,
            format_args!(
                "Status: ok\nActivity: {}\nThisTime: 287\nTotalTime: 287\nComplete\n",
                component.short()
            ),
        );
    }
}

fn draft(intent: &Intent) -> Draft {
    let text = |name: &str| intent.extras.get(name).cloned();
    Draft {
        to: intent.number(),
        text: text("sms_body")
            .or_else(|| text("android.intent.extra.TEXT"))
            .unwrap_or_default(),
        exit_on_sent: text("exit_on_sent").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        types_recipient: false,
    }
}

fn start_service(world: &mut World, intent: &Intent) -> Answer {
    let answer = Answer::line(format!("Starting service: Intent {{ {} }}", intent.shown()));
    let package = intent
        .component
        .as_ref()
        .map(|component| component.package.clone());
    let started = package.and_then(|package| apps::start(world, &package, "service"));
    if started.is_some() {
        return answer;
    }
    let code = if world.android.is_old() { 0 } else { MINUS_ONE };
    Answer {
        stderr: "Error: Not found; no service started.\n".to_owned(),
        code,
        ..answer
    }
}

/// Broadcasts that only the system may send.
const PROTECTED: &[&str] = &[
    "android.intent.action.AIRPLANE_MODE",
    "android.intent.action.BOOT_COMPLETED",
    "android.intent.action.SIM_STATE_CHANGED",
    "android.provider.Telephony.SMS_RECEIVED",
];

fn broadcast(world: &mut World, caller: &Caller, intent: &Intent) -> Answer {
    let action = intent.action.as_deref().unwrap_or_default();
    if PROTECTED.contains(&action) && !caller.user.is_root() {
        let text = format!(
            "java.lang.SecurityException: Permission Denial: not allowed to send broadcast {action} from pid={}, uid={}",
            caller.pid, caller.user.uid
        );
        let code = if world.android.is_old() { 1 } else { MINUS_ONE };
        return Answer::error(text, code);
    }
    if action == "android.intent.action.AIRPLANE_MODE" {
        let state = intent.extras.get("state");
        let on = state.is_some_and(|value| value.eq_ignore_ascii_case("true"));
        super::radio::set_airplane(world, on);
    }
    Answer::text(format!(
        "Broadcasting: Intent {{ {} }}\nBroadcast completed: result=0\n",
        intent.shown()
    ))
}
