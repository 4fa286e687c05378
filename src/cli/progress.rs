//! Progress on stderr: a bar for each handset on a terminal, a line for each variant elsewhere.

use crate::base::text::printable;
use crate::cli::terminal::Terminal;
use crate::engine::dispatcher::Watcher;
use crate::engine::event::{Event, What};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::time::Duration;

/// A watcher that shows the progress of handsets with these names, `variants` on each.
pub(crate) fn watcher(terminal: Terminal, names: &[String], variants: usize) -> Watcher {
    if terminal.quiet {
        return Box::new(|_| {});
    }
    if terminal.bars {
        return bars(names, variants);
    }
    let names = names.to_vec();
    Box::new(move |event| {
        let name = names.get(event.handset).map_or("?", String::as_str);
        if let What::VariantStarted {
            scenario,
            variant,
            index,
            ..
        } = &event.what
        {
            let place = format!("{}/{variants}", index + 1);
            terminal.note(&format!("{name}: {place} {scenario}, {variant}"));
        }
    })
}

fn bars(names: &[String], variants: usize) -> Watcher {
    let all = MultiProgress::new();
    let style = ProgressStyle::with_template("{prefix:.bold} {spinner} [{bar:12}] {wide_msg}")
        .expect("the template is well-formed")
        .progress_chars("=> ");
    let bar = |name: &String| {
        let bar = all.add(ProgressBar::new(1).with_style(style.clone()));
        bar.set_prefix(name.clone());
        bar.set_message("connecting");
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    };
    let bars: Vec<ProgressBar> = names.iter().map(bar).collect();
    let mut titles = vec![String::new(); names.len()];
    Box::new(move |event| {
        // The display lives as long as its bars.
        let _ = &all;
        let (Some(bar), Some(title)) = (bars.get(event.handset), titles.get_mut(event.handset))
        else {
            return;
        };
        show(bar, title, event, variants);
    })
}

fn show(bar: &ProgressBar, title: &mut String, event: &Event, variants: usize) {
    match &event.what {
        What::Attached(facts) => {
            let model = facts.model.as_deref().unwrap_or("attached");
            bar.set_message(printable(model, 40).into_owned());
        }
        What::VariantStarted {
            scenario,
            variant,
            index,
            steps,
        } => {
            *title = format!("{}/{variants} {scenario}, {variant}", index + 1);
            bar.set_length((steps * variants) as u64);
            bar.set_position((steps * index) as u64);
            bar.set_message(title.clone());
        }
        What::StepStarted { step } => {
            bar.inc(1);
            bar.set_message(format!("{title}: {}", printable(step, 60)));
        }
        What::Failed(_) | What::Finished => bar.finish_and_clear(),
        What::Judged { .. } | What::Restored(_) => {}
    }
}
