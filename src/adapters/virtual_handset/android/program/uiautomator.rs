//! `uiautomator dump [--compressed] [FILE]`.

use super::answer::{Answer, Caller};
use crate::adapters::virtual_handset::android::ui;
use crate::adapters::virtual_handset::kernel::world::World;

const USAGE: &str = "Usage: uiautomator <subcommand> [options]

Available subcommands:

help: displays help message

runtest: executes UI automation tests

dump: creates an XML dump of current UI hierarchy
    dump [--verbose][file]
      [--compressed]: dumps compressed layout information.
      [file]: the location where the dumped XML should be stored";

/// `uiautomator …`
pub(super) fn uiautomator(world: &mut World, caller: &Caller, words: &[String]) -> Answer {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ["dump", rest @ ..] = words.as_slice() else {
        return Answer::error(USAGE, 1);
    };
    let given = rest.iter().find(|word| !word.starts_with("--"));
    let path = given.map_or_else(
        || format!("{}/window_dump.xml", caller.storage),
        |path| (*path).to_owned(),
    );
    if world.android.display.is_off {
        return Answer::error(
            "ERROR: null root node returned by UiTestAutomationBridge.",
            0,
        );
    }
    let xml = ui::to_xml(&ui::tree(world));
    // AOSP's own typing error.
    let done = format!("UI hierchary dumped to: {path}\n");
    if path == "/dev/tty" {
        return Answer::text(format!("{xml}{done}"));
    }
    match world.files.write(&caller.user, &path, xml) {
        Ok(()) => Answer::text(done),
        Err(error) => Answer {
            stderr: format!("java.io.FileNotFoundException: {path}: open failed: {error}\n"),
            stdout: done,
            code: 0,
        },
    }
}
