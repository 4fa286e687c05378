//! Which of Android's commands there are, by name and by version.

use super::answer::{Answer, Caller, Command};
use super::{
    activity, appops, cmd, content, dumpsys, input, logcat, package, properties, radio, service,
    settings, uiautomator,
};
use crate::adapters::virtual_handset::behaviour::routine;
use crate::adapters::virtual_handset::firmware::model::Userland;
use crate::adapters::virtual_handset::kernel::process::{Process, Program, Stop};
use crate::ports::BoxFuture;

/// All commands. [`exists`] says which of them a userland has.
pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("am", |process| run(process, activity::am)),
    ("appops", |process| run(process, appops::appops)),
    ("cmd", |process| run(process, cmd::cmd)),
    ("content", |process| run(process, content::content)),
    ("dumpsys", |process| run(process, dumpsys::dumpsys)),
    ("getprop", |process| run(process, properties::getprop)),
    ("input", |process| run(process, input::input)),
    ("logcat", logcat::logcat),
    ("pm", |process| run(process, package::pm)),
    ("service", |process| run(process, service::service)),
    ("setprop", |process| run(process, properties::setprop)),
    ("settings", |process| run(process, settings::settings)),
    ("svc", |process| run(process, radio::svc)),
    ("uiautomator", |process| {
        run(process, uiautomator::uiautomator)
    }),
    ("wm", |process| run(process, radio::wm)),
];

/// Commands that came after 4.3: `appops` with 5.0, `cmd` with 7.0.
const NOT_IN_43: &[&str] = &["appops", "cmd"];

/// Whether `/system/bin` of this userland has a command of [`PROGRAMS`].
pub(crate) fn exists(name: &str, userland: Userland) -> bool {
    userland != Userland::Toolbox43 || !NOT_IN_43.contains(&name)
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
