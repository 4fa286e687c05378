//! Finds runs that the operator names: by folder, by id, or `last`; and reads their records.

use crate::adapters::fs_store::FsStore;
use crate::base::causes::causes;
use crate::cli::error::Rejection;
use crate::engine::dispatcher::RECORD;
use crate::outcome::run_record::RunRecord;
use crate::ports::store::{Store as _, StoreError};
use crate::report::json::read;
use std::path::{Path, PathBuf};

/// The largest record that is read.
const MAX_RECORD: u64 = 256 << 20;

/// The folder of a run: a path, an id below `out`, or `last` for the one there that began last.
pub(crate) fn folder_of(run: &str, out: &Path) -> anyhow::Result<PathBuf> {
    let as_path = Path::new(run);
    if run == "last" {
        let id = last(&FsStore::new(out.to_owned()))?.ok_or_else(|| {
            Rejection::usage(format!("there is no run below `{}`", out.display()))
                .hint("run one with `phonehome audit`, or name its folder with `--out`")
        })?;
        Ok(out.join(id))
    } else if as_path.components().count() > 1 || as_path.is_dir() {
        Ok(as_path.to_owned())
    } else {
        Ok(out.join(run))
    }
}

/// The record in a run's folder; `run` is what the operator called it.
pub(crate) fn record_in(folder: &Path, run: &str) -> anyhow::Result<RunRecord> {
    let store = FsStore::new(folder.to_owned());
    let bytes = store.read(RECORD, MAX_RECORD);
    let bytes = bytes.map_err(|error| missing(run, &error))?;
    read(&bytes).map_err(|error| {
        let message = format!("the record of `{run}` cannot be read: {}", causes(&error));
        Rejection::usage(message).into()
    })
}

fn missing(run: &str, error: &StoreError) -> Rejection {
    Rejection::usage(format!("there is no run `{run}`: {error}"))
        .hint("give a run's folder, its id, or `last`")
}

/// The id of the run that began last; ids begin with the time.
fn last(store: &FsStore) -> Result<Option<String>, StoreError> {
    let files = store.list("")?;
    let ids = files.iter().filter_map(|name| {
        let (id, file) = name.split_once('/')?;
        (file == RECORD).then(|| id.to_owned())
    });
    Ok(ids.max())
}
