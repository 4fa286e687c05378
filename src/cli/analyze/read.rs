//! Streams inputs through the analysis. An input that cannot be read, or not to its end, is told and
//! stays in the result with what is wrong with it; the others are analysed all the same.

use crate::base::text::printable;
use crate::cli::analyze::bundle;
use crate::cli::analyze::inputs::Source;
use crate::cli::analyze::workers::Workers;
use crate::cli::input::plain;
use crate::cli::terminal::Terminal;
use crate::detect::analysis::{Analysis, Input};
use crate::detect::analyzer::Outcome;
use crate::detect::detector::Detector;
use crate::detect::har_analyzer::HarAnalyzer;
use crate::detect::options::{Marks, Options};
use crate::detect::recording::RecordedExchange;
use crate::detect::search_record::SearchRecord;
use crate::persona::datum::Persona;
use crate::report::analysis::Searched;
use crate::wire::net::tls::keylog::KeyLog;
use crate::wire::pcap::problem::CaptureProblem;
use indicatif::ProgressBar;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::thread::{self, Scope};

/// So much is read at once.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// So much of what HTTP said is kept for an archive, of all inputs.
const MAX_RECORDED_BYTES: usize = 32 << 20;

/// What the inputs gave.
#[derive(Debug, Default)]
pub(crate) struct Analysed {
    /// Everything that was found, in all of them.
    pub(crate) analysis: Analysis,
    /// What was looked for, in any of them.
    pub(crate) searched: Searched,
    /// Inputs that are none, or could not be read to their end.
    pub(crate) unreadable: usize,
    /// Copies of what can be read once only, by the source's place.
    pub(crate) spooled: BTreeMap<usize, File>,
}

/// What is searched for, and the keys of what is encrypted.
pub(crate) struct Search {
    /// The operator's persona; without one each capture of a run has its own.
    pub(crate) given: Option<Persona>,
    pub(crate) keys: KeyLog,
    /// Findings are to say how they were seen.
    pub(crate) explains: bool,
    /// Sources are to be read again.
    pub(crate) keeps: bool,
    /// What HTTP said is to be kept for an archive.
    pub(crate) records: bool,
    /// Threads that read a capture.
    pub(crate) jobs: usize,
}

/// What one input is searched with.
#[derive(Clone, Copy)]
struct With<'a> {
    detector: &'a Detector,
    keys: &'a KeyLog,
    /// So many bytes of what HTTP said are kept.
    record_bytes: usize,
    /// What the run's own search was told, if it is of a run.
    told: Option<&'a SearchRecord>,
    jobs: usize,
}

/// Analyses every source.
pub(crate) fn analyse(
    sources: &[Source],
    search: &Search,
    bar: &ProgressBar,
    terminal: Terminal,
) -> Analysed {
    let mut all = Analysed::default();
    // The captures of one run mostly have one persona.
    let mut made: Option<(Persona, Detector)> = None;
    for (index, source) in sources.iter().enumerate() {
        let name = source.name();
        bar.set_message(printable(&name, 60).into_owned());
        let (mut analysis, problem) = match prepare(source, search, &mut made) {
            Ok((detector, told)) => {
                let (persona, detector) = detector;
                note(&mut all, persona, detector);
                let held = all.analysis.exchanges.iter();
                let held = held.map(RecordedExchange::held_bytes).sum();
                let left = MAX_RECORDED_BYTES.saturating_sub(held);
                let with = With {
                    detector,
                    keys: &search.keys,
                    record_bytes: if search.records { left } else { 0 },
                    told: told.as_ref(),
                    jobs: search.jobs,
                };
                let spooled = search.keeps.then_some((index, &mut all.spooled));
                analyse_one(source, &name, with, spooled, bar)
            }
            Err(Unsearched { why, is_error }) => (unread(&name, &why), is_error.then_some(why)),
        };
        if let Some(why) = problem {
            let line = format!("error: cannot read `{name}`: {why}");
            bar.suspend(|| terminal.error(&printable(&line, 5000)));
            all.unreadable += 1;
        } else if let (Some(expected), Some(input)) = (&source.sha256, analysis.inputs.first_mut())
            && !input.sha256.is_empty()
            && *expected != input.sha256
        {
            let told = "it is not the file that the run kept (SHA-256)";
            input.problems.push(told.to_owned());
        }
        all.analysis.append(analysis);
    }
    bar.finish_and_clear();
    all
}

/// Why an input is not searched, and whether that is an error: a run may have ended early.
struct Unsearched {
    why: String,
    is_error: bool,
}

/// What a source is to be searched for, and what its run's search was told.
fn prepare<'m>(
    source: &Source,
    search: &Search,
    made: &'m mut Option<(Persona, Detector)>,
) -> Result<(&'m (Persona, Detector), Option<SearchRecord>), Unsearched> {
    if let Some(why) = source.absent.clone() {
        let is_error = false;
        return Err(Unsearched { why, is_error });
    }
    let told = bundle::record_of(source).map_err(|why| Unsearched {
        why,
        is_error: true,
    })?;
    let persona = search.given.as_ref();
    let Some(persona) = persona.or_else(|| told.as_ref().map(|told| &told.persona)) else {
        let why = "the run ended before it kept what it searched for; give `--persona`".to_owned();
        let is_error = false;
        return Err(Unsearched { why, is_error });
    };
    if persona.data.is_empty() {
        let why = "the run searched for nothing; give `--persona`".to_owned();
        let is_error = false;
        return Err(Unsearched { why, is_error });
    }
    let made = match made.take() {
        Some(known) if known.0 == *persona => made.insert(known),
        _ => {
            let detector = Detector::new(persona);
            let detector = match search.explains {
                true => detector.explaining(),
                false => detector,
            };
            made.insert((persona.clone(), detector))
        }
    };
    Ok((made, told))
}

/// Notes what was searched for, and what could not be.
fn note(all: &mut Analysed, persona: &Persona, detector: &Detector) {
    let Searched { data, decoys } = &mut all.searched;
    for (ids, from) in [(data, &persona.data), (decoys, &persona.decoys)] {
        let known: BTreeSet<&String> = ids.iter().collect();
        let new = from.iter().map(|datum| &datum.id);
        let new: Vec<String> = new.filter(|id| !known.contains(id)).cloned().collect();
        ids.extend(new);
    }
    let too_short = detector.too_short().iter();
    let too_short = too_short.map(|id| format!("{id} is too short to be told from chance"));
    let unknown = persona.unknown.iter();
    let unknown = unknown.map(|it| format!("{} is not known: {}", it.id, it.reason));
    let problems = &mut all.analysis.coverage.problems;
    for problem in too_short.chain(unknown) {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

fn analyse_one(
    source: &Source,
    name: &str,
    with: With<'_>,
    spooled: Option<(usize, &mut BTreeMap<usize, File>)>,
    bar: &ProgressBar,
) -> (Analysis, Option<String>) {
    let opened = open(source).and_then(|mut file| {
        // What is no file of a known length can be read once only.
        let Some((index, spooled)) = spooled.filter(|_| source.len_bytes.is_none()) else {
            return Ok(file);
        };
        let mut copy = tempfile::tempfile()?;
        io::copy(&mut file, &mut copy)?;
        copy.rewind()?;
        spooled.insert(index, copy.try_clone()?);
        Ok(Box::new(copy) as Box<dyn Read>)
    });
    match opened {
        Ok(mut file) => thread::scope(|scope| stream(&mut *file, name, (with, scope), bar)),
        Err(error) => {
            let why = plain(&error);
            (
                unread(name, &format!("it cannot be read: {why}")),
                Some(why),
            )
        }
    }
}

fn unread(name: &str, why: &str) -> Analysis {
    let mut analysis = Analysis::default();
    let input = Input::unreadable(name.to_owned(), why.to_owned());
    analysis.inputs.push(input);
    analysis
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator named this file; it belongs to no store"
)]
pub(crate) fn open(source: &Source) -> io::Result<Box<dyn Read>> {
    Ok(match &source.path {
        Some(path) => Box::new(File::open(path)?),
        None => Box::new(io::stdin().lock()),
    })
}

/// Analyses one input, in chunks; what was found, and why the input could not be read to its end.
fn stream<'scope, 'd: 'scope>(
    source: &mut dyn Read,
    name: &str,
    (with, scope): (With<'d>, &'scope Scope<'scope, '_>),
    bar: &ProgressBar,
) -> (Analysis, Option<String>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut reading: Option<Reading<'scope, 'd>> = None;
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
                    reading = Some(Reading::of(&start, name, (with, scope)));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(plain(&error)),
        }
    };
    start.truncate(CHUNK_BYTES);
    let reading = reading.unwrap_or_else(|| Reading::of(&start, name, (with, scope)));
    let (mut analysis, is_none) = reading.finish(with.told);
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
enum Reading<'scope, 'd> {
    Capture(Workers<'scope, 'd>),
    Archive(Box<HarAnalyzer<'d>>),
}

impl<'scope, 'd: 'scope> Reading<'scope, 'd> {
    fn of(start: &[u8], name: &str, (with, scope): (With<'d>, &'scope Scope<'scope, '_>)) -> Self {
        let (input, detector) = (name.to_owned(), with.detector);
        let mut reading = if HarAnalyzer::may_start(start) {
            let analyzer = HarAnalyzer::new(detector, input).recording(with.record_bytes);
            Self::Archive(Box::new(analyzer))
        } else {
            let options = match with.told {
                Some(told) => told.options(input),
                None => Options {
                    input,
                    ..Options::default()
                },
            };
            let options = Options {
                keys: with.keys.clone(),
                record_bytes: with.record_bytes,
                ..options
            };
            Self::Capture(Workers::start(scope, detector, options, with.jobs))
        };
        reading.handle_bytes(start);
        reading
    }

    fn handle_bytes(&mut self, bytes: &[u8]) {
        match self {
            Self::Capture(workers) => workers.handle_bytes(bytes),
            Self::Archive(analyzer) => analyzer.handle_bytes(bytes),
        }
    }

    /// What was found, and why the input is none if it is none.
    fn finish(self, told: Option<&SearchRecord>) -> (Analysis, Option<&'static str>) {
        match self {
            Self::Capture(workers) => {
                let outcome = workers.finish();
                let analysis = match told {
                    Some(told) => as_the_run(outcome, told),
                    None => outcome.analysis,
                };
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

/// The capture of a run between the run's marks, and with what the run could not see.
fn as_the_run(mut outcome: Outcome, told: &SearchRecord) -> Analysis {
    let window = Marks {
        names: told.marks.clone(),
    };
    outcome.keep_window(&window);
    let gaps = told.gaps.iter().cloned().chain(outcome.mark_gaps(&window));
    let gaps: BTreeSet<String> = gaps.map(|gap| gap.to_string()).collect();
    let coverage = &mut outcome.analysis.coverage;
    coverage.problems.extend(gaps);
    coverage.bytes_excluded = coverage.bytes_excluded.saturating_add(told.bytes_filtered);
    outcome.analysis
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
