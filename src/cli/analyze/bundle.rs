//! A run's folder as input: its captures, each with what its own search was told, and held against the
//! run's record. A variant without a capture is told: that nothing was found in it says nothing.

use crate::base::text::printable;
use crate::cli::analyze::inputs::Source;
use crate::cli::error::Rejection;
use crate::cli::input::read_bytes;
use crate::cli::runs::record_in;
use crate::detect::search_record::{self, SearchRecord};
use crate::engine::collector::packets;
use crate::engine::dispatcher::RECORD;
use crate::outcome::run_record::VariantRecord;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Whether a folder is a run's.
pub(crate) fn is_run(folder: &Path) -> bool {
    folder.join(RECORD).is_file()
}

/// Whether a file is the capture of a variant, with what its search was told beside it.
pub(crate) fn has_record(capture: &Path) -> bool {
    let is_capture = capture.file_name().is_some_and(|it| it == packets::FILE);
    is_capture && record_path(capture).is_file()
}

/// What the run's search of this capture was told; why that cannot be read, if it cannot.
pub(crate) fn record_of(source: &Source) -> Result<Option<SearchRecord>, String> {
    let of = |why: &str| format!("its {} cannot be used: {why}", search_record::FILE);
    let Some(path) = source.path.as_deref().filter(|_| source.has_record) else {
        return match source.record_sha256 {
            Some(_) => Err(of("the run kept it, and it is missing")),
            None => Ok(None),
        };
    };
    let bytes = read_bytes(&record_path(path), "search's record");
    let bytes = bytes.map_err(|error: Rejection| of(&error.message))?;
    if let Some(recorded) = &source.record_sha256
        && *recorded != data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes))
    {
        return Err(of("it is not the file that the run kept (SHA-256)"));
    }
    let record = SearchRecord::parse(&bytes).map_err(|error| of(&error.to_string()))?;
    Ok(Some(record))
}

/// Holds a run's captures against its record: the digests that they had, and variants that have none.
/// What cannot be held against anything is returned as a problem.
pub(crate) fn complete(folder: &Path, captures: &mut Vec<Source>) -> Vec<String> {
    let name = folder.display().to_string();
    let record = match record_in(folder, &name) {
        Ok(record) => record,
        Err(error) => {
            let why = printable(&error.to_string(), 500).into_owned();
            return vec![format!("which captures the run made is not known: {why}")];
        }
    };
    for handset in &record.handsets {
        for scenario in &handset.scenarios {
            for variant in &scenario.variants {
                let path = [&handset.name, &scenario.name, &variant.name];
                hold_against(folder, &path.map(String::as_str), variant, captures);
            }
        }
    }
    captures.sort_by(|a, b| a.path.cmp(&b.path));
    Vec::new()
}

fn hold_against(
    folder: &Path,
    path: &[&str; 3],
    variant: &VariantRecord,
    captures: &mut Vec<Source>,
) {
    let within = path.join("/");
    let capture = folder.join(&within).join(packets::FILE);
    let digest = |file: &str| {
        let name = format!("{within}/{file}");
        let known = variant.evidence.iter().find(|it| it.path == name);
        known.map(|it| it.sha256.clone())
    };
    let known = captures
        .iter_mut()
        .find(|it| it.path.as_deref() == Some(&capture));
    if let Some(known) = known {
        known.sha256 = digest(packets::FILE);
        known.record_sha256 = digest(search_record::FILE);
        return;
    }
    let why = variant.gaps.iter().find(|gap| gap.observer == "packets");
    let why = why.map_or("the file is missing", |gap| gap.reason.as_str());
    captures.push(Source {
        path: Some(capture),
        is_of_run: true,
        absent: Some(format!("the run has no capture of it: {why}")),
        ..Source::default()
    });
}

fn record_path(capture: &Path) -> PathBuf {
    capture.with_file_name(search_record::FILE)
}
