//! Progress of an analysis on stderr: one bar over the bytes of all inputs, on a terminal only.

use crate::cli::analyze::inputs::Source;
use crate::cli::terminal::Terminal;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar over these inputs; one that shows nothing where stderr is no terminal.
pub(crate) fn bar(sources: &[Source], terminal: Terminal) -> ProgressBar {
    if !terminal.bars {
        return ProgressBar::hidden();
    }
    let total: Option<u64> = sources.iter().map(|source| source.len_bytes).sum();
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "[{bar:24}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left  {wide_msg}",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {bytes}, {bytes_per_sec}  {wide_msg}",
        ),
    };
    let style = ProgressStyle::with_template(template)
        .expect("the template is well-formed")
        .progress_chars("=> ");
    bar.with_style(style)
}
