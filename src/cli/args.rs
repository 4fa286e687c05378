//! The command line: names are a contract.

use crate::adapters::fault_injector::Fault;
use crate::adapters::virtual_handset::firmware::model::Auth;
use crate::cli::analyze::args::Analyze;
use crate::cli::selector::{Choice, parse_choice, parse_selector};
use crate::ports::lister::Selector;
use crate::scenario::permission::Permission;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What a phone sends, which app sends it, to whom, in what form, and whether that is still what
/// was agreed.
#[derive(Debug, Parser)]
#[command(name = "phonehome", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to colour the output
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    /// No progress, no summary: errors only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

const AFTER_HELP: &str = "\
Exit codes: 0 pass, 1 fail, 2 usage or invalid file, 3 inconclusive, 4 handset or host failure,
5 golden missing or unreviewed, 6 a handset still needs restoring, 130 cancelled.";

/// Every command that is built.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Handsets over every transport, and why one cannot be used
    Devices(Devices),
    /// Run scenarios on handsets and judge what leaves: the main job
    Audit(Audit),
    /// Find planted data in captures and HTTP archives
    Analyze(Analyze),
    /// Look at pending goldens, accept or reject them
    Review(Review),
    /// Show or convert a finished run
    Report(Report),
    /// Undo what an interrupted run left on a handset
    Restore(Restore),
    /// Validate scenario files
    #[command(subcommand)]
    Scenario(Scenario),
    /// Run a virtual handset that any adb client can use
    Virtual(Virtual),
}

/// `phonehome devices`
#[derive(Debug, Args)]
pub(crate) struct Devices {
    /// Ask this handset too, and fail unless it can be used; repeatable
    #[arg(long = "handset", value_name = "SEL", value_parser = parse_selector)]
    pub(crate) selectors: Vec<Selector>,
    /// Follow what comes, goes and changes, until Ctrl-C (exit code 130)
    #[arg(long)]
    pub(crate) watch: bool,
    /// Start an adb server first, unless one answers (runs `adb start-server`)
    #[arg(long)]
    pub(crate) start_server: bool,
    /// Pair this computer with the handset that shows this address and a code (Android 11 and later)
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["selectors", "watch", "start_server", "format"])]
    pub(crate) pair: Option<String>,
    /// The code that the handset shows; asked for when it is not given
    #[arg(long, value_name = "CODE", requires = "pair")]
    pub(crate) code: Option<String>,
    /// What stdout shows; with --watch, one line of JSON per change
    #[arg(long, value_enum, default_value_t = ListFormat::Human)]
    pub(crate) format: ListFormat,
}

/// `phonehome audit`
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Scenario files
    #[arg(required = true, value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) handsets: Handsets,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Reviewed goldens
    #[arg(long, default_value = "golden", value_name = "DIR")]
    pub(crate) golden: PathBuf,
    /// Data that the handset really holds, and decoys (schema phonehome/persona/1)
    #[arg(long, value_name = "FILE")]
    pub(crate) persona: Option<PathBuf>,
    /// Acts that cost or cannot be undone, granted by name
    #[arg(long, value_delimiter = ',', value_name = "NAME,…", value_parser = permission_names())]
    pub(crate) allow: Vec<String>,
    /// Fixes everything drawn at random
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Also write every packet of our connections down, personal data included: transcript.jsonl
    /// in the handset's folder of the run
    #[arg(long)]
    pub(crate) trace: bool,
    /// A command that switches the port's power off and on when a handset is lost, ended by `;`; {}
    /// in it is the handset's selector. It is run as it is, by no shell
    #[arg(long, num_args = 1.., value_terminator = ";", allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) power_cycle: Vec<String>,
}

/// `phonehome review`
#[derive(Debug, Args)]
pub(crate) struct Review {
    /// Pending goldens to decide on, by any part of their path; all of them when none is named
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Make them the reviewed ones
    #[arg(long, conflicts_with = "reject")]
    pub(crate) accept: bool,
    /// Throw them away
    #[arg(long)]
    pub(crate) reject: bool,
    /// Reviewed goldens
    #[arg(long, default_value = "golden", value_name = "DIR")]
    pub(crate) golden: PathBuf,
}

/// `phonehome report`
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// A run's directory, its id, or `last`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `phonehome restore`
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) handsets: Handsets,
    /// Where runs are kept
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// `phonehome scenario …`
#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Tell every mistake of a file at once
    Check {
        /// Scenario files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// `phonehome virtual`
#[derive(Debug, Args)]
pub(crate) struct Virtual {
    /// A shipped firmware's name, or a file
    #[arg(value_name = "FIRMWARE")]
    pub(crate) firmware: String,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:5555", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Serve a USB port instead: a mounted FunctionFS of a Linux gadget
    #[arg(long, value_name = "DIR", conflicts_with_all = ["listen", "expose", "tls"])]
    pub(crate) usb: Option<PathBuf>,
    /// Allow an address that other machines can reach
    #[arg(long)]
    pub(crate) expose: bool,
    /// What goes wrong at which message, counted from 0 over all connections: drop, stall,
    /// truncate, corrupt, reorder, unplug, refuse, unauthorised or slow; `in` is what the host
    /// sends; repeatable
    #[arg(long = "fault", value_name = "KIND@INDEX[:in|out]")]
    pub(crate) faults: Vec<Fault>,
    /// What its owner answers when asked to allow a computer: allow, deny, ignore, after:5s (and
    /// then allow), or off, so that nobody asks; else as the firmware says
    #[arg(long, value_name = "ANSWER", value_parser = parse_auth)]
    pub(crate) auth: Option<Auth>,
    /// Speak TLS, as wireless debugging does since Android 11: only hosts that it knows get in
    #[arg(long)]
    pub(crate) tls: bool,
    /// A host that it knows, by its public key (`adbkey.pub`); repeatable
    #[arg(long = "trust-key", value_name = "FILE")]
    pub(crate) trusted: Vec<PathBuf>,
    /// Show a pairing code, and wait at this address for the host that has it
    #[arg(long, value_name = "ADDR", requires = "tls")]
    pub(crate) pairing: Option<SocketAddr>,
    /// The code to show [default: six digits, drawn from the seed]
    #[arg(long, value_name = "CODE", requires = "pairing")]
    pub(crate) pairing_code: Option<String>,
    /// Open an emulator's console there, for `adb emu`: adb takes a handset at an odd port from 5555
    /// to 5585 for an emulator, and its console to be at the port below
    #[arg(long, value_name = "ADDR", conflicts_with = "usb")]
    pub(crate) console: Option<SocketAddr>,
    /// The handset's serial number
    #[arg(long, value_name = "SERIAL")]
    pub(crate) serial: Option<String>,
    /// Fixes everything drawn at random
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
}

/// An owner's answer: `allow`, `after:5s`.
fn parse_auth(word: &str) -> Result<Auth, String> {
    match word {
        "off" => Ok(Auth::Off),
        "allow" => Ok(Auth::Accept),
        // A host can not tell them apart.
        "deny" | "ignore" => Ok(Auth::Silent),
        _ => word
            .strip_prefix("after:")
            .and_then(|pause| pause.strip_suffix('s')?.parse().ok())
            .map(|seconds| Auth::AcceptAfter(Duration::from_secs(seconds)))
            .ok_or_else(|| "expected allow, deny, ignore, off or after:SECONDSs".to_owned()),
    }
}

/// Which handsets.
#[derive(Debug, Args)]
pub(crate) struct Handsets {
    /// A handset: virtual:FIRMWARE, usb:SERIAL, tcp:HOST:PORT, server:SERIAL a bare serial,
    /// or `all` that can be used; repeatable
    #[arg(long = "handset", value_name = "SEL", value_parser = parse_choice)]
    pub(crate) choices: Vec<Choice>,
}

/// Where results go.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// What stdout shows
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Also write a report to a file; repeatable
    #[arg(long = "write", value_name = "FORMAT=FILE", value_parser = |text: &str| parse_write::<Format>(text, "junit=results.xml"))]
    pub(crate) writes: Vec<(Format, PathBuf)>,
    /// Where runs are kept
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// A report's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// For scripts (schema phonehome/run/1)
    Json,
    /// For CI servers
    Junit,
}

/// A list's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Human,
    /// For scripts (schema phonehome/devices/1)
    Json,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal only
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

fn permission_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Permission::ALL.iter().map(|(name, _)| *name))
}

/// `FORMAT=FILE` of `--write`, with an example for whoever wrote something else.
pub(crate) fn parse_write<F: ValueEnum>(text: &str, example: &str) -> Result<(F, PathBuf), String> {
    let Some((format, file)) = text.split_once('=') else {
        return Err(format!("expected FORMAT=FILE, such as `{example}`"));
    };
    let format = F::from_str(format, false).map_err(|_| {
        let known = F::value_variants().iter().filter_map(F::to_possible_value);
        let known: Vec<String> = known.map(|it| it.get_name().to_owned()).collect();
        format!(
            "unknown format `{format}`; expected one of {}",
            known.join(", ")
        )
    })?;
    if file.is_empty() {
        return Err("no file after `=`".to_owned());
    }
    Ok((format, PathBuf::from(file)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
