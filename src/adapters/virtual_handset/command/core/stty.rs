//! `stty`: a terminal's settings, told and changed. What a simulated terminal has no use for stands as Linux makes it.
//!
//! Source: toybox 0.8, `stty.c`.

use crate::adapters::virtual_handset::kernel::process::{INPUT, Process, Stop};
use crate::adapters::virtual_handset::kernel::terminal::{Settings, Terminal};
use std::sync::Arc;

/// Columns after which a line of settings is broken.
const WIDTH: usize = 80;

/// Special characters, by name.
const CHARACTERS: &str = "intr = ^C;quit = ^\\;erase = ^?;kill = ^U;eof = ^D;eol = <undef>;eol2 = <undef>;\
                          swtch = <undef>;start = ^Q;stop = ^S;susp = ^Z;rprnt = ^R;werase = ^W;lnext = ^V;\
                          discard = ^O;min = 1;time = 0;";

/// Flags by name, as a fresh pseudo-terminal has them: control, input, output, local.
const FLAGS: [&str; 4] = [
    "-parenb -parodd -cmspar cs8 -hupcl -cstopb cread -clocal -crtscts",
    "-ignbrk -brkint -ignpar -parmrk -inpck -istrip -inlcr -igncr icrnl ixon -ixoff -iuclc -ixany -imaxbel -iutf8",
    "opost -olcuc -ocrnl onlcr -onocr -onlret -ofill -ofdel nl0 cr0 tab0 bs0 vt0 ff0",
    "isig icanon iexten echo echoe echok -echonl -noflsh -xcase -tostop -echoprt echoctl echoke -flusho -extproc",
];

/// `stty [-ag] [-F device] [setting…]`
pub(super) async fn stty(process: &mut Process) -> Result<u8, Stop> {
    let mut arguments = process.arguments.get(1..).unwrap_or_default().to_vec();
    if arguments.first().is_some_and(|word| word == "-F") {
        // There is one terminal to be seen from here, whatever it is called.
        arguments.drain(..arguments.len().min(2));
    }
    let Some(terminal) = terminal_of(process) else {
        return process.refuse("tcgetattr: Not a typewriter", 1).await;
    };
    let settings = terminal.settings();
    match arguments.first().map(String::as_str) {
        None => process.print(told(settings, false)).await?,
        Some("-a") => process.print(told(settings, true)).await?,
        Some("-g") => process.print(coded(settings)).await?,
        Some(_) => return change(process, &terminal, &arguments).await,
    }
    Ok(0)
}

fn terminal_of(process: &Process) -> Option<Arc<Terminal>> {
    process.descriptors.get(&INPUT)?.terminal().cloned()
}

async fn change(
    process: &mut Process,
    terminal: &Terminal,
    arguments: &[String],
) -> Result<u8, Stop> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "size" => {
                let Settings { rows, columns, .. } = terminal.settings();
                process.print(format!("{rows} {columns}\n")).await?;
            }
            "speed" => process.print("38400\n").await?,
            "rows" | "cols" | "columns" => {
                let Some(count) = words.next().and_then(|count| count.parse().ok()) else {
                    return process
                        .refuse(&format!("missing argument to {word}"), 1)
                        .await;
                };
                terminal.change(|settings| match word.as_str() {
                    "rows" => settings.rows = count,
                    _ => settings.columns = count,
                });
            }
            word => {
                let mut settings = terminal.settings();
                if !set(&mut settings, word) {
                    return process.refuse(&format!("unknown option: {word}"), 1).await;
                }
                terminal.change(|now| *now = settings);
            }
        }
    }
    Ok(0)
}

/// Makes one change; `false` for a word that is none.
fn set(settings: &mut Settings, word: &str) -> bool {
    let (name, on) = match word.strip_prefix('-') {
        Some(name) => (name, false),
        None => (word, true),
    };
    match name {
        "raw" if on => *settings = settings.raw(),
        "raw" | "cooked" | "sane" => {
            let Settings { rows, columns, .. } = *settings;
            *settings = Settings {
                rows,
                columns,
                ..Settings::default()
            };
        }
        "cbreak" => settings.icanon = !on,
        "nl" => (settings.icrnl, settings.onlcr) = (!on, !on),
        _ => match flag(settings, name) {
            Some(flag) => *flag = on,
            None => return is_known(name),
        },
    }
    true
}

fn flag<'a>(settings: &'a mut Settings, name: &str) -> Option<&'a mut bool> {
    Some(match name {
        "icanon" => &mut settings.icanon,
        "echo" => &mut settings.echo,
        "isig" => &mut settings.isig,
        "icrnl" => &mut settings.icrnl,
        "opost" => &mut settings.opost,
        "onlcr" => &mut settings.onlcr,
        _ => return None,
    })
}

/// What has a name and no effect here.
fn is_known(name: &str) -> bool {
    let flags = FLAGS.iter().flat_map(|line| line.split(' '));
    let mut names = flags.map(|flag| flag.strip_prefix('-').unwrap_or(flag));
    names.any(|known| known == name) || matches!(name, "evenp" | "oddp" | "parity" | "ek")
}

/// What it prints without a change to make: all, or what is not as `sane` would make it.
fn told(mut settings: Settings, all: bool) -> String {
    let size = match all {
        true => format!("rows {}; columns {}; ", settings.rows, settings.columns),
        false => String::new(),
    };
    let mut text = format!("speed 38400 baud; {size}line = 0;\n");
    if all {
        text += &broken(CHARACTERS.split_inclusive(';').map(str::to_owned));
    }
    for line in FLAGS {
        let shown = line.split(' ').filter_map(|word| {
            let (name, sane) = match word.strip_prefix('-') {
                Some(name) => (name, false),
                None => (word, true),
            };
            let on = flag(&mut settings, name).map_or(sane, |on| *on);
            let sign = if on { "" } else { "-" };
            // `sane` has these two, a fresh pseudo-terminal does not.
            let differs = on != sane || matches!(name, "brkint" | "imaxbel");
            (all || differs).then(|| format!("{sign}{name}"))
        });
        text += &broken(shown);
    }
    text
}

/// Words in lines that are not too long.
fn broken(words: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    let mut column = 0;
    for word in words {
        if column > 0 && column + 1 + word.len() >= WIDTH {
            text.push('\n');
            column = 0;
        }
        if column > 0 {
            text.push(' ');
            column += 1;
        }
        column += word.len();
        text += &word;
    }
    if column > 0 {
        text.push('\n');
    }
    text
}

/// All of it in a form that only `stty` reads: the flags of `termios` as Linux numbers them.
fn coded(settings: Settings) -> String {
    let bit = |on: bool, bit: u32| if on { bit } else { 0 };
    let input = 0x400 | bit(settings.icrnl, 0x100);
    let output = bit(settings.opost, 1) | bit(settings.onlcr, 4);
    let local = 0x8a30 | bit(settings.isig, 1) | bit(settings.icanon, 2) | bit(settings.echo, 8);
    format!("{input:x}:{output:x}:bf:{local:x}:3:1c:7f:15:4:0:1:0:11:13:1a:0:12:f:17:16:0:0:0\n")
}
