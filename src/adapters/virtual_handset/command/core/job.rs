//! Running others: `env`, `printenv`, `kill`, `nohup`, `setsid`, `time`, `timeout`; and `true`, `false`.

use super::super::lookup::start;
use super::super::support::options;
use super::time::duration;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::kernel::launch::{Child, Launch};
use crate::adapters::virtual_handset::kernel::process::{ERRORS, OUTPUT, Process, Stop};
use crate::adapters::virtual_handset::kernel::signal;
use std::fmt::Write;
use std::time::Duration;

/// `true`, and what has nothing to do.
pub(super) async fn yes_indeed(_: &mut Process) -> Result<u8, Stop> {
    Ok(0)
}

/// `false`
pub(super) async fn no(_: &mut Process) -> Result<u8, Stop> {
    Ok(1)
}

/// Starts a command and waits for it; the exit codes of `execvp` failures are POSIX's.
pub(super) async fn run(
    process: &mut Process,
    arguments: Vec<String>,
    change: impl FnOnce(&mut Launch),
) -> Result<u8, Stop> {
    let name = arguments.first().cloned().unwrap_or_default();
    match start(process, arguments, change) {
        Ok(child) => Ok(process.wait(&child).await?.code()),
        Err(error) => not_run(process, &name, error).await,
    }
}

async fn not_run(process: &mut Process, name: &str, error: FileError) -> Result<u8, Stop> {
    let code = if error == FileError::NotFound {
        127
    } else {
        126
    };
    process.refuse(&format!("exec {name}: {error}"), code).await
}

/// `env [-i] [-u name] [name=value…] [command…]`
pub(super) async fn env(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "i0", "u", &[], true);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let mut environment = process.environment.clone();
    if options.has('i') {
        environment.clear();
    }
    for name in options.values('u') {
        environment.remove(name);
    }
    let mut rest = options.operands.as_slice();
    while let Some((first, after)) = rest.split_first()
        && let Some((name, value)) = first.split_once('=')
    {
        environment.insert(name.to_owned(), value.to_owned());
        rest = after;
    }
    if rest.is_empty() {
        let lines = environment
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"));
        let text: String = lines.collect();
        process.print(text).await?;
        return Ok(0);
    }
    run(process, rest.to_vec(), |launch| {
        launch.environment = environment
    })
    .await
}

/// `printenv [name…]`
pub(super) async fn printenv(process: &mut Process) -> Result<u8, Stop> {
    let names = process.arguments.get(1..).unwrap_or_default();
    let mut code = 0;
    let mut text = String::new();
    if names.is_empty() {
        for (name, value) in &process.environment {
            let _ = writeln!(text, "{name}={value}");
        }
    }
    for name in names {
        match process.environment.get(name) {
            Some(value) => {
                let _ = writeln!(text, "{value}");
            }
            None => code = 1,
        }
    }
    process.print(text).await?;
    Ok(code)
}

/// `kill [-signal] pid…`
pub(super) async fn kill(process: &mut Process) -> Result<u8, Stop> {
    let old = process.is_toolbox();
    let mut number = signal::TERM;
    let mut code = 0;
    let words = process.arguments.get(1..).unwrap_or_default().to_vec();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if let Some(name) = word.strip_prefix('-') {
            let name = if name == "s" {
                words.next().unwrap_or_default()
            } else {
                name.to_owned()
            };
            number = match signal::parse(&name) {
                Some(number) => number,
                None if old => {
                    process
                        .complain(format!("invalid signal name: {name}\n"))
                        .await?;
                    return Ok(255);
                }
                None => return process.refuse(&format!("Unknown signal '{name}'"), 1).await,
            };
            continue;
        }
        let killed = match word.parse() {
            Ok(pid) => process.kill(pid, number),
            Err(_) => Err(FileError::Invalid),
        };
        if let Err(error) = killed {
            code = if old {
                process
                    .complain(format!("could not kill pid {word}: {error}\n"))
                    .await?;
                255
            } else {
                process
                    .refuse(&format!("bad pid '{word}': {error}"), 1)
                    .await?
            };
        }
    }
    Ok(code)
}

/// `nohup command…`
pub(super) async fn nohup(process: &mut Process) -> Result<u8, Stop> {
    let arguments = process.arguments.get(1..).unwrap_or_default().to_vec();
    if arguments.is_empty() {
        return process.usage("Needs 1 argument").await;
    }
    process.ignore(signal::HUP, true);
    if process.is_terminal(OUTPUT) {
        let opened = process.open_to_write("nohup.out", true);
        let opened = opened.or_else(|_| process.open_to_write("/data/local/tmp/nohup.out", true));
        match opened {
            Ok(file) => process.descriptors.insert(OUTPUT, file),
            Err(error) => return process.refuse(&format!("nohup.out: {error}"), 125).await,
        };
    }
    if process.is_terminal(ERRORS)
        && let Some(output) = process.descriptors.get(&OUTPUT).cloned()
    {
        process.descriptors.insert(ERRORS, output);
    }
    run(process, arguments, |_| {}).await
}

/// `setsid command…`: a session of its own, which no hang-up reaches.
pub(super) async fn setsid(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "dwc", "", &[], true);
    let options = match read {
        Ok(options) if !options.operands.is_empty() => options,
        Ok(_) => return process.usage("Needs 1 argument").await,
        Err(problem) => return process.usage(&problem).await,
    };
    let name = options.operands.first().cloned().unwrap_or_default();
    let started = start(process, options.operands.clone(), |launch| {
        launch.group = None
    });
    match started {
        Ok(_) if options.has('d') => Ok(0),
        Ok(child) => Ok(process.wait(&child).await?.code()),
        Err(error) => not_run(process, &name, error).await,
    }
}

/// `time command…`
pub(super) async fn time(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "pv", "", &[], true);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let started = process.handset.with(|world| world.uptime());
    let code = run(process, options.operands, |_| {}).await?;
    let spent = process.handset.with(|world| world.uptime()) - started;
    let seconds = spent.as_secs_f64();
    let text = format!("real {seconds:.6}\nuser 0.000000\nsys 0.000000\n");
    process.complain(text).await?;
    Ok(code)
}

/// `timeout [-k span] [-s signal] span command…`
pub(super) async fn timeout(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "vif", "ks", &[], true);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let Some((span, command)) = options.operands.split_first() else {
        return process.usage("Needs 2 arguments").await;
    };
    let Some(limit) = duration(span) else {
        return process.refuse(&format!("Not a number '{span}'"), 125).await;
    };
    let number = match options.value('s').map(signal::parse) {
        None => signal::TERM,
        Some(Some(number)) => number,
        Some(None) => return process.refuse("bad -s", 125).await,
    };
    let name = command.first().cloned().unwrap_or_default();
    let child = match start(process, command.to_vec(), |_| {}) {
        Ok(child) => child,
        Err(error) => return not_run(process, &name, error).await,
    };
    if let Some(code) = wait_at_most(process, &child, limit).await? {
        return Ok(code);
    }
    // It may have ended at this very moment.
    process.kill(child.pid, number).ok();
    if let Some(grace) = options.value('k').and_then(duration) {
        if wait_at_most(process, &child, grace).await?.is_some() {
            return Ok(124);
        }
        process.kill(child.pid, signal::KILL).ok();
        process.wait(&child).await?;
        return Ok(137);
    }
    process.wait(&child).await?;
    Ok(if number == signal::KILL { 137 } else { 124 })
}

/// Waits for a child; `None` when the limit came first.
async fn wait_at_most(
    process: &mut Process,
    child: &Child,
    limit: Duration,
) -> Result<Option<u8>, Stop> {
    let until = process.handset.with(|world| world.uptime()) + limit;
    let ended = process.wait_before(child, until).await?;
    Ok(ended.map(signal::Status::code))
}
