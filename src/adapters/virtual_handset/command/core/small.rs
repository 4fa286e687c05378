//! Programs of a few lines: `fsync`, `log`, `nice`, `unlink`, `usleep`.

use super::super::support::options;
use super::job;
use crate::adapters::virtual_handset::android::log::{Buffer, Level, Writer};
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use std::time::Duration;

/// `log [-p priority] [-t tag] message…`: a line in the main log.
pub(super) async fn log(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "", "pt", &[], true);
    let options = match read {
        Ok(options) if !options.operands.is_empty() => options,
        Ok(_) => return process.usage("Needs 1 argument").await,
        Err(problem) => return process.usage(&problem).await,
    };
    let letter = options.value('p').unwrap_or("i");
    let Some(level) = Level::from_letter(letter.get(..1).unwrap_or_default()) else {
        return process.refuse(&format!("bad -p '{letter}'"), 1).await;
    };
    let tag = options.value('t').unwrap_or("log").to_owned();
    let message = options.operands.join(" ");
    let writer = Writer {
        uid: process.user.uid,
        pid: process.pid,
    };
    process.handset.with(|world| {
        let now = world.unix_nanoseconds();
        let logs = &mut world.android.logs;
        logs.write(Buffer::Main, now, writer, (level, &tag), &message);
        // Whoever follows the log sees it.
        world.announce();
    });
    Ok(0)
}

/// `usleep microseconds`
pub(super) async fn usleep(process: &mut Process) -> Result<u8, Stop> {
    let Some(count) = process.arguments.get(1).and_then(|text| text.parse().ok()) else {
        return process.usage("Needs 1 argument").await;
    };
    let total = Duration::from_micros(count);
    process.handset.live_through(total);
    process.sleep(total).await?;
    Ok(0)
}

/// `unlink file`
pub(super) async fn unlink(process: &mut Process) -> Result<u8, Stop> {
    let [_, name] = process.arguments.as_slice() else {
        return process.usage("Needs 1 argument").await;
    };
    let name = name.clone();
    let path = process.path(&name);
    let user = process.user.clone();
    let removed = process
        .handset
        .with(|world| world.files.remove_file(&user, &path));
    match removed {
        Ok(_) => Ok(0),
        Err(error) => {
            let text = format!("couldn't unlink '{name}': {error}");
            process.refuse(&text, 1).await
        }
    }
}

/// `fsync [-d] file…`: what was written is on the disk already.
pub(super) async fn fsync(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "d", "", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let mut code = 0;
    for name in &options.operands {
        if let Err(error) = process.open_to_read(name) {
            code = process.refuse(&format!("{name}: {error}"), 1).await?;
        }
    }
    Ok(code)
}

/// `nice [-n priority] command…`: every process has the same share here.
pub(super) async fn nice(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "", "n", &[], true);
    match read {
        Ok(options) if options.operands.is_empty() => {
            process.print("0\n").await?;
            Ok(0)
        }
        Ok(options) => job::run(process, options.operands, |_| {}).await,
        Err(problem) => process.usage(&problem).await,
    }
}
