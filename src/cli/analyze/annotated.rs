//! `--write-pcapng`: the captures once more, as one pcapng with a comment on each packet that carries a
//! finding. They are read a second time, and must be what they were.

use crate::base::text::printable;
use crate::cli::analyze::inputs::Source;
use crate::cli::analyze::read::{Analysed, CHUNK_BYTES, open};
use crate::cli::error::Rejection;
use crate::cli::input::plain;
use crate::cli::output_file::OutputFile;
use crate::cli::terminal::Terminal;
use crate::detect::analysis::{Analysis, Input};
use crate::detect::har_analyzer::HarAnalyzer;
use crate::report::comment::comment;
use crate::wire::pcap::annotate::Annotator;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek as _};
use std::path::Path;

const APPLICATION: &str = concat!("phonehome ", env!("CARGO_PKG_VERSION"));

/// Writes the file, whole or not at all.
pub(crate) fn write_pcapng(
    path: &Path,
    sources: &[Source],
    analysed: &mut Analysed,
    terminal: Terminal,
) -> Result<(), Rejection> {
    let mut out = OutputFile::create(path)?;
    let analysis = &analysed.analysis;
    let mut copied = 0;
    let mut left_out = 0;
    for (index, source) in sources.iter().enumerate() {
        let Some(input) = analysis.inputs.get(index) else {
            continue;
        };
        if input.sha256.is_empty() || input.packets == 0 {
            continue;
        }
        let changed = |why: &str| {
            let message = format!("cannot copy `{}`: {why}", source.name());
            Rejection::failure(message)
        };
        let failed = |error: io::Error| changed(&plain(&error));
        let mut file: Box<dyn Read> = match analysed.spooled.remove(&index) {
            Some(mut spooled) => {
                spooled.rewind().map_err(failed)?;
                Box::new(spooled)
            }
            None => open(source).map_err(failed)?,
        };
        let comments = comments(analysis, index);
        let mut copy = Copy {
            annotator: Annotator::new(APPLICATION, &printable(&input.path, 500)),
            digest: Sha256::new(),
        };
        if copy.all(&mut *file, &comments, &mut out, &failed)? {
            copied += 1;
            left_out += copy.annotator.left_out();
            if data_encoding::HEXLOWER.encode(&copy.digest.finalize()) != input.sha256 {
                return Err(changed("it changed while it was analysed"));
            }
        }
    }
    if copied == 0 {
        let message = format!("cannot write `{}`: no input is a capture", path.display());
        return Err(Rejection::failure(message));
    }
    if left_out > 0 {
        let line = format!("warning: {left_out} packets are of a form that has no comments");
        terminal.error(&line);
    }
    out.finish()
}

struct Copy {
    annotator: Annotator,
    digest: Sha256,
}

impl Copy {
    /// Copies all of a file; `false` if it is an archive and no capture.
    fn all(
        &mut self,
        file: &mut dyn Read,
        comments: &BTreeMap<u64, String>,
        out: &mut OutputFile,
        failed: &dyn Fn(io::Error) -> Rejection,
    ) -> Result<bool, Rejection> {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut is_start = true;
        loop {
            let len = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            let bytes = buffer.get(..len).unwrap_or_default();
            if std::mem::take(&mut is_start) && HarAnalyzer::may_start(bytes) {
                return Ok(false);
            }
            self.digest.update(bytes);
            let comment = &mut |packet| comments.get(&packet).cloned();
            out.append(&self.annotator.handle_bytes(bytes, comment))?;
        }
        self.annotator.finish();
        Ok(true)
    }
}

/// What is to be said of each packet of an input.
fn comments(analysis: &Analysis, index: usize) -> BTreeMap<u64, String> {
    let is_its = |flow| {
        let input = analysis.input_of(flow);
        input.is_some_and(|input: &Input| {
            analysis
                .inputs
                .get(index)
                .is_some_and(|own| std::ptr::eq(own, input))
        })
    };
    let mut comments: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let found = (1..).zip(&analysis.findings);
    let found = found.map(|(number, finding)| (Some(number), finding));
    let decoys = analysis.decoys_found.iter().map(|finding| (None, finding));
    for (number, finding) in found.chain(decoys) {
        if let Some(packet) = finding.packet.filter(|_| is_its(finding.flow)) {
            let words = comments.entry(packet).or_default();
            words.push(comment(finding, number));
        }
    }
    let joined = comments.into_iter();
    joined
        .map(|(packet, words)| (packet, words.join("; ")))
        .collect()
}
