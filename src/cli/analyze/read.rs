//! Streams inputs through the analysis. An input that cannot be read, or not to its end, is told and
//! stays in the result with what is wrong with it; the others are analysed all the same.

use crate::base::text::printable;
use crate::cli::analyze::inputs::Source;
use crate::cli::input::plain;
use crate::cli::terminal::Terminal;
use crate::detect::analysis::{Analysis, Input};
use crate::detect::analyzer::Analyzer;
use crate::detect::detector::Detector;
use crate::detect::har_analyzer::HarAnalyzer;
use crate::detect::options::Options;
use crate::wire::net::tls::keylog::KeyLog;
use crate::wire::pcap::problem::CaptureProblem;
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{self, Read};

/// So much is read at once.
const CHUNK_BYTES: usize = 256 << 10;

/// What the inputs gave.
#[derive(Debug, Default)]
pub(crate) struct Analysed {
    /// Everything that was found, in all of them.
    pub(crate) analysis: Analysis,
    /// Inputs that are none, or could not be read to their end.
    pub(crate) unreadable: usize,
}

/// What is searched for, and the keys of what is encrypted.
pub(crate) struct Search<'d> {
    pub(crate) detector: &'d Detector,
    pub(crate) keys: KeyLog,
}

/// Analyses every source.
pub(crate) fn analyse(
    sources: &[Source],
    search: &Search<'_>,
    bar: &ProgressBar,
    terminal: Terminal,
) -> Analysed {
    let mut all = Analysed::default();
    for source in sources {
        let name = source.name();
        bar.set_message(printable(&name, 60).into_owned());
        let (analysis, problem) = match open(source) {
            Ok(mut file) => stream(&mut *file, &name, search, bar),
            Err(error) => {
                let why = plain(&error);
                let mut analysis = Analysis::default();
                let input = Input::unreadable(name.clone(), format!("it cannot be read: {why}"));
                analysis.inputs.push(input);
                (analysis, Some(why))
            }
        };
        if let Some(why) = problem {
            let line = format!("error: cannot read `{name}`: {why}");
            bar.suspend(|| terminal.error(&printable(&line, 5000)));
            all.unreadable += 1;
        }
        all.analysis.append(analysis);
    }
    bar.finish_and_clear();
    all
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator named this file; it belongs to no store"
)]
fn open(source: &Source) -> io::Result<Box<dyn Read>> {
    Ok(match &source.path {
        Some(path) => Box::new(File::open(path)?),
        None => Box::new(io::stdin().lock()),
    })
}

/// Analyses one input, in chunks; what was found, and why the input could not be read to its end.
fn stream(
    source: &mut dyn Read,
    name: &str,
    search: &Search<'_>,
    bar: &ProgressBar,
) -> (Analysis, Option<String>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut reading: Option<Reading<'_>> = None;
    let mut start = Vec::new();
    let failed = loop {
        match source.read(&mut buffer) {
            Ok(0) => break None,
            Ok(len) => {
                let bytes = buffer.get(..len).unwrap_or_default();
                bar.inc(len as u64);
                if let Some(reading) = &mut reading {
                    reading.handle_bytes(bytes);
                    continue;
                }
                start.extend_from_slice(bytes);
                // Of a pipe the first bytes may come one by one.
                if start.len() >= MAGIC_BYTES {
                    reading = Some(Reading::of(&start, name, search));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(plain(&error)),
        }
    };
    start.truncate(CHUNK_BYTES);
    let reading = reading.unwrap_or_else(|| Reading::of(&start, name, search));
    let (mut analysis, is_none) = reading.finish();
    let mut problem = failed;
    for input in &mut analysis.inputs {
        if let Some(why) = &problem {
            let told = format!("it could not be read on: {why}");
            input.problems.push(told);
        } else if let Some(why) = &is_none {
            let told = match start.as_slice() {
                [] => "it is empty".to_owned(),
                start => format!("{why}, but {}", looks_like(start)),
            };
            input.problems = vec![told.clone()];
            problem = Some(told);
        }
    }
    (analysis, problem)
}

/// An input of a kind that is known by its first bytes.
enum Reading<'d> {
    Capture(Box<Analyzer<'d>>),
    Archive(Box<HarAnalyzer<'d>>),
}

impl<'d> Reading<'d> {
    fn of(start: &[u8], name: &str, search: &Search<'d>) -> Self {
        let (input, detector) = (name.to_owned(), search.detector);
        let mut reading = if HarAnalyzer::may_start(start) {
            Self::Archive(Box::new(HarAnalyzer::new(detector, input)))
        } else {
            let options = Options {
                input,
                keys: search.keys.clone(),
                ..Options::default()
            };
            Self::Capture(Box::new(Analyzer::new(detector, options)))
        };
        reading.handle_bytes(start);
        reading
    }

    fn handle_bytes(&mut self, bytes: &[u8]) {
        match self {
            Self::Capture(analyzer) => analyzer.handle_bytes(bytes),
            Self::Archive(analyzer) => analyzer.handle_bytes(bytes),
        }
    }

    /// What was found, and why the input is none if it is none.
    fn finish(self) -> (Analysis, Option<&'static str>) {
        match self {
            Self::Capture(analyzer) => {
                let analysis = analyzer.finish().analysis;
                let not_a_capture = [CaptureProblem::NotACapture, CaptureProblem::Empty];
                let is_none = not_a_capture.map(|problem| problem.to_string());
                let told = analysis.inputs.iter().flat_map(|input| &input.problems);
                let is_none = told.clone().any(|problem| is_none.contains(problem));
                (analysis, is_none.then_some("it is no pcap, pcapng or HAR"))
            }
            Self::Archive(analyzer) => {
                let (analysis, problem) = analyzer.finish();
                let is_none = problem.map(|_| "it is no HAR (it has no `log.entries`)");
                (analysis, is_none)
            }
        }
    }
}

/// Enough of a file's start to say what it is.
const MAGIC_BYTES: usize = 16;

/// What a file that is no capture seems to be.
fn looks_like(start: &[u8]) -> String {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "gzip: unpack it first"),
        (b"\x28\xb5\x2f\xfd", "zstd: unpack it first"),
        (b"\xfd7zXZ\0", "xz: unpack it first"),
        (b"BZh", "bzip2: unpack it first"),
        (b"PK\x03\x04", "a zip archive: unpack it first"),
        (b"\x7fELF", "a program (ELF)"),
        (b"\x89PNG", "a picture (PNG)"),
        (b"%PDF", "a PDF"),
        (b"SQLite format 3\0", "a SQLite database"),
        (b"{", "other JSON"),
    ];
    let known = KNOWN.iter().find(|(magic, _)| start.starts_with(magic));
    known.map_or_else(
        || {
            let bytes = start.iter().take(8).map(|byte| format!("{byte:02x}"));
            let bytes: Vec<String> = bytes.collect();
            format!("begins with the bytes {}", bytes.join(" "))
        },
        |(_, what)| (*what).to_owned(),
    )
}
