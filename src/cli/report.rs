//! `phonehome report`: shows a finished run again, from its record alone.

use crate::adapters::fs_store::FsStore;
use crate::base::causes::causes;
use crate::cli::args::Report;
use crate::cli::error::Rejection;
use crate::cli::exit_code::Exit;
use crate::cli::present::present;
use crate::cli::terminal::Terminal;
use crate::engine::dispatcher::RECORD;
use crate::outcome::run_record::RunRecord;
use crate::ports::store::{Store, StoreError};
use crate::report::json::read;
use std::path::Path;

/// The largest record that is read.
const MAX_RECORD: u64 = 256 << 20;

/// Runs the command. It ends as the run ended.
pub(crate) fn report(args: &Report, terminal: Terminal) -> anyhow::Result<Exit> {
    let record = find(&args.run, &args.output.out)?;
    Ok(present(&record, &args.output, terminal))
}

/// The record of a run: by its folder, by its id below `out`, or the last one there.
fn find(run: &str, out: &Path) -> anyhow::Result<RunRecord> {
    let as_path = Path::new(run);
    let store = FsStore::new(out.to_owned());
    let bytes = if run == "last" {
        let id = last(&store)?.ok_or_else(|| {
            Rejection::usage(format!("there is no run below `{}`", out.display()))
                .hint("run one with `phonehome audit`, or name its folder with `--out`")
        })?;
        store.read(&format!("{id}/{RECORD}"), MAX_RECORD)?
    } else if as_path.components().count() > 1 || as_path.is_dir() {
        FsStore::new(as_path.to_owned())
            .read(RECORD, MAX_RECORD)
            .map_err(|error| missing(run, &error))?
    } else {
        store
            .read(&format!("{run}/{RECORD}"), MAX_RECORD)
            .map_err(|error| missing(run, &error))?
    };
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
