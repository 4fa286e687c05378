//! `xargs`: arguments from standard input.

use super::super::lookup::start;
use super::super::support::options;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::kernel::descriptor::Descriptor;
use crate::adapters::virtual_handset::kernel::process::{INPUT, Process, Stop};

/// Bytes of arguments one command gets.
const MAX_BYTES: usize = 100_000;

/// `xargs [-0prt] [-n count] [-s bytes] [command…]`
pub(super) async fn xargs(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "0prto", "nsEP", &[], true);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let input = process.read_operand("-").await?.unwrap_or_default();
    let text = String::from_utf8_lossy(&input).into_owned();
    // toybox knows no quotes here.
    let words: Vec<String> = if options.has('0') {
        let words = text.split('\0').filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    } else {
        text.split_whitespace().map(str::to_owned).collect()
    };
    let mut command = options.operands.clone();
    if command.is_empty() {
        command.push("echo".to_owned());
    }
    let per_call = match (
        options.value('I'),
        options.value('n').map(str::parse::<usize>),
    ) {
        (Some(_), _) => 1,
        (_, None) => usize::MAX,
        (_, Some(Ok(count))) if count > 0 => count,
        _ => return process.usage("bad -n").await,
    };
    if words.is_empty() && (options.has('r') || options.value('I').is_some()) {
        return Ok(0);
    }
    run_all(process, &command, &words, per_call, options.has('t')).await
}

/// Runs the command on as many words at a time as fit.
async fn run_all(
    process: &mut Process,
    command: &[String],
    words: &[String],
    per_call: usize,
    told: bool,
) -> Result<u8, Stop> {
    let mut code = 0;
    let mut rest = words;
    loop {
        let mut bytes = 0;
        let fits = rest
            .iter()
            .take(per_call)
            .take_while(|word| {
                bytes += word.len() + 1;
                bytes <= MAX_BYTES
            })
            .count()
            .max(1)
            .min(rest.len());
        let (batch, after) = rest.split_at(fits);
        rest = after;
        let call: Vec<String> = command.iter().chain(batch).cloned().collect();
        if told {
            process.complain(format!("{}\n", call.join(" "))).await?;
        }
        let name = call.first().cloned().unwrap_or_default();
        let started = start(process, call, |launch| {
            launch.descriptors.insert(INPUT, Descriptor::Null);
        });
        match started {
            Ok(child) => match process.wait(&child).await?.code() {
                0 => {}
                255 => return Ok(124),
                _ => code = 123,
            },
            Err(error) => {
                let code = if error == FileError::NotFound {
                    127
                } else {
                    126
                };
                return process.refuse(&format!("exec {name}: {error}"), code).await;
            }
        }
        if rest.is_empty() {
            return Ok(code);
        }
    }
}
