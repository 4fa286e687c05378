//! The arguments of `phonehome analyze`.

use crate::cli::args::parse_write;
use clap::{Args, ValueEnum};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// `phonehome analyze`
#[derive(Debug, Args)]
pub(crate) struct Analyze {
    /// Captures (pcap, pcapng), HTTP archives (HAR), folders of them, or runs (a folder, an id, `last`);
    /// `-` is standard input
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// What to look for, and decoys (schema phonehome/persona/1); a run has its own
    #[arg(long, value_name = "FILE")]
    pub(crate) persona: Option<PathBuf>,
    /// Where runs are kept
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Keys of TLS connections, as SSLKEYLOGFILE has them; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) keylog: Vec<PathBuf>,
    /// Connections are read by so many threads; what is found is the same [default: the processors, at
    /// most 4]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// What stdout shows
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Also write a report to a file; repeatable
    #[arg(long = "write", value_name = "FORMAT=FILE", value_parser = |text: &str| parse_write::<Format>(text, "sarif=findings.sarif"))]
    pub(crate) writes: Vec<(Format, PathBuf)>,
    /// Also copy the captures into one pcapng, with a comment on each packet that carries a finding
    #[arg(long, value_name = "FILE")]
    pub(crate) write_pcapng: Option<PathBuf>,
    /// Follow one finding from the wire to the datum, by its number in the report
    #[arg(long, value_name = "N", conflicts_with = "format", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) explain: Option<u32>,
}

/// A result's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// For scripts (schema phonehome/analysis/1)
    Json,
    /// For CI servers
    Junit,
    /// For tools that gather findings (SARIF 2.1.0)
    Sarif,
    /// What HTTP said, planted values included, with findings as `_phonehome` (HAR 1.2)
    Har,
}
