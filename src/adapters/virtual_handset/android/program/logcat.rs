//! `logcat`: prints what the buffers hold, and follows them.

use super::logcat_options::{Act, From, Options};
use crate::adapters::virtual_handset::android::log::{Buffer, CAPACITY_BYTES, Line};
use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::adapters::virtual_handset::kernel::world::World;
use crate::ports::BoxFuture;
use jiff::tz::TimeZone;

/// `logcat …`
pub(super) fn logcat(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(run(process))
}

async fn run(process: &mut Process) -> Result<u8, Stop> {
    let words = process.arguments.get(1..).unwrap_or_default().to_vec();
    let parsed = process.handset.with(|world| {
        let zone = TimeZone::get(&world.firmware.time_zone).unwrap_or(TimeZone::UTC);
        let now = world.unix_nanoseconds();
        Options::parse(&words, world.android.is_old(), zone, now)
    });
    let options = match parsed {
        Ok(options) => options,
        Err(message) => {
            process.complain(format!("{message}\n")).await?;
            return Ok(1);
        }
    };
    match options.act {
        Act::Nothing => Ok(0),
        Act::Clear => {
            process.handset.with(|world| {
                for buffer in &options.buffers {
                    world.android.logs.clear(*buffer);
                }
            });
            Ok(0)
        }
        Act::Sizes => {
            let text = process.handset.with(|world| sizes(world, &options));
            process.print(text).await?;
            Ok(0)
        }
        Act::Print => print(process, &options).await,
    }
}

async fn print(process: &mut Process, options: &Options) -> Result<u8, Stop> {
    let mut printer = Printer::new(options);
    let first = process.handset.with(|world| printer.first(world));
    process.print(first).await?;
    if !options.follows {
        return Ok(0);
    }
    loop {
        process.changed().await?;
        let more = process.handset.with(|world| printer.more(world));
        if !more.is_empty() {
            process.print(more).await?;
        }
    }
}

/// What has been printed so far.
struct Printer<'a> {
    options: &'a Options,
    after: u64,
    begun: Vec<Buffer>,
    last: Option<Buffer>,
}

impl<'a> Printer<'a> {
    const fn new(options: &'a Options) -> Self {
        Self {
            options,
            after: 0,
            begun: Vec::new(),
            last: None,
        }
    }

    /// What the buffers hold, from where the options say.
    fn first(&mut self, world: &World) -> String {
        let logs = &world.android.logs;
        let mut lines = logs.since(&self.options.buffers, 0);
        match self.options.from {
            From::Beginning => {}
            From::Last(count) => {
                let skipped = lines.len().saturating_sub(count);
                lines.drain(..skipped);
            }
            From::Time(time) => lines.retain(|line| line.unix_nanoseconds >= time),
        }
        let text = self.print(&lines, world.android.is_old());
        self.after = logs.written();
        text
    }

    /// What came since.
    fn more(&mut self, world: &World) -> String {
        let logs = &world.android.logs;
        let lines = logs.since(&self.options.buffers, self.after);
        let text = self.print(&lines, world.android.is_old());
        self.after = logs.written();
        text
    }

    fn print(&mut self, lines: &[&Line], old: bool) -> String {
        let mut text = String::new();
        for line in lines {
            if !self.options.shows(line) {
                continue;
            }
            self.divide(line.buffer, old, &mut text);
            self.options.format.print(line, &mut text);
        }
        text
    }

    /// 4.3 names a device when it first prints from it and has several; later versions always do.
    fn divide(&mut self, buffer: Buffer, old: bool, text: &mut String) {
        let is_new = !self.begun.contains(&buffer);
        let name = buffer.name();
        if old {
            if is_new && self.options.buffers.len() > 1 {
                push(
                    text,
                    format_args!("--------- beginning of /dev/log/{name}\n"),
                );
            }
        } else if self.last != Some(buffer) && (is_new || self.options.divides) {
            let what = if is_new { "beginning of" } else { "switch to" };
            push(text, format_args!("--------- {what} {name}\n"));
        }
        if is_new {
            self.begun.push(buffer);
        }
        self.last = Some(buffer);
    }
}

fn sizes(world: &World, options: &Options) -> String {
    let size = CAPACITY_BYTES / 1024;
    let line = |buffer: &Buffer| {
        let used = world.android.logs.len_bytes(*buffer).div_ceil(1024);
        let name = buffer.name();
        if world.android.is_old() {
            format!(
                "/dev/log/{name}: ring buffer is {size}Kb ({used}Kb consumed), max entry is 5120b, max payload is 4076b\n"
            )
        } else {
            format!(
                "{name}: ring buffer is {size} KiB ({used} KiB consumed, {used} KiB readable), max entry is 5120 B, max payload is 4068 B\n"
            )
        }
    };
    options.buffers.iter().map(line).collect()
}
