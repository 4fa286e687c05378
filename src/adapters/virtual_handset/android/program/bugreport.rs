//! `bugreport` and `bugreportz`: what the handset tells of itself, as text or as a zip with its
//! progress. It tells what other commands tell, and no more.
//!
//! Protocol: AOSP `frameworks/native/cmds/bugreportz/readme.md`.

use super::answer::Caller;
use super::{dumpsys, properties};
use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::adapters::virtual_handset::kernel::world::World;
use crate::ports::BoxFuture;
use std::io::{Cursor, Write};
use std::time::Duration;

/// Where the shell's app keeps its reports.
const FOLDER: &str = "/data/user_de/0/com.android.shell/files/bugreports";

/// Steps that the progress is told in, and how long each takes.
const STEPS: u32 = 4;
const STEP: Duration = Duration::from_millis(500);

/// Services whose dumps are in it.
const SERVICES: &[&str] = &[
    "activity",
    "connectivity",
    "netstats",
    "package",
    "power",
    "wifi",
];

/// `bugreport`
pub(super) fn bugreport(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async move {
        let caller = caller(process);
        let text = process.handset.with(|world| report(world, &caller));
        process.print(text).await?;
        Ok(0)
    })
}

/// `bugreportz [-p] [-v]`
pub(super) fn bugreportz(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(run(process))
}

async fn run(process: &mut Process) -> Result<u8, Stop> {
    let mut tells = false;
    for word in process.arguments.get(1..).unwrap_or_default().to_vec() {
        match word.as_str() {
            "-p" => tells = true,
            "-v" => {
                process.complain("1.2\n").await?;
                return Ok(0);
            }
            _ => {
                process.complain("usage: bugreportz [-hpsv]\n").await?;
                return Ok(1);
            }
        }
    }
    let caller = caller(process);
    let name = process.handset.with(|world| name(world));
    let path = format!("{FOLDER}/{name}.zip");
    if tells {
        process.print(format!("BEGIN:{path}\n")).await?;
        for step in 1..STEPS {
            process.sleep(STEP).await?;
            let progress = format!("PROGRESS:{}/{}\n", step * 100 / STEPS, 100);
            process.print(progress).await?;
        }
    }
    let written = process.handset.with(|world| {
        let text = report(world, &caller);
        let bytes = zipped(&name, &text)?;
        let files = &mut world.files;
        // The folder of the app `com.android.shell`, whose user is the shell's own.
        files.put_directory(FOLDER, 0o700, 2000, 2000).ok()?;
        files.put(&path, bytes, 0o644, 2000).ok()
    });
    if written.is_none() {
        process.print("FAIL:could not write the report\n").await?;
        return Ok(1);
    }
    process.print(format!("OK:{path}\n")).await?;
    Ok(0)
}

fn caller(process: &Process) -> Caller {
    Caller {
        user: process.user.clone(),
        pid: process.pid,
        storage: "/sdcard".to_owned(),
    }
}

/// `bugreport-DEVICE-BUILD-TIME`
fn name(world: &World) -> String {
    let property = |name| {
        let value = world.android.property(name).chars();
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '_'
            }
        };
        value.map(plain).collect::<String>()
    };
    let time = jiff::Timestamp::from_second(world.unix_seconds()).unwrap_or_default();
    let time = time.strftime("%Y-%m-%d-%H-%M-%S");
    let (device, build) = (property("ro.product.name"), property("ro.build.id"));
    format!("bugreport-{device}-{build}-{time}")
}

fn report(world: &mut World, caller: &Caller) -> String {
    let time = jiff::Timestamp::from_second(world.unix_seconds()).unwrap_or_default();
    let time = time.strftime("%Y-%m-%d %H:%M:%S");
    let rule = "=".repeat(56);
    let build = world.android.property("ro.build.display.id").to_owned();
    let mut text = format!("{rule}\n== dumpstate: {time}\n{rule}\n\nBuild: {build}\n\n");
    text.push_str("------ SYSTEM PROPERTIES (getprop) ------\n");
    text.push_str(&properties::getprop(world, caller, &[]).stdout);
    for service in SERVICES {
        push(&mut text, format_args!("\nDUMP OF SERVICE {service}:\n"));
        text.push_str(&dumpsys::dumpsys(world, caller, &[(*service).to_owned()]).stdout);
    }
    text
}

fn zipped(name: &str, text: &str) -> Option<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let entry = format!("{name}.txt");
    for (file, content) in [
        ("version.txt", "2.0"),
        ("main_entry.txt", entry.as_str()),
        (entry.as_str(), text),
    ] {
        zip.start_file(file, options).ok()?;
        zip.write_all(content.as_bytes()).ok()?;
    }
    Some(zip.finish().ok()?.into_inner())
}
