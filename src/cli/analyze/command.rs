//! `phonehome analyze`: checks what can be checked before reading, analyses, reports.

use crate::base::text::printable;
use crate::cli::analyze::args::Analyze;
use crate::cli::analyze::inputs::sources;
use crate::cli::analyze::present::present;
use crate::cli::analyze::progress;
use crate::cli::analyze::read::{Search, analyse};
use crate::cli::error::Rejection;
use crate::cli::exit_code::Exit;
use crate::cli::input::read_bytes;
use crate::cli::load;
use crate::cli::terminal::Terminal;
use crate::detect::detector::Detector;
use crate::persona::datum::{Datum, Persona};
use crate::report::analysis::Searched;
use crate::wire::net::tls::keylog::KeyLog;

/// What a persona file looks like, for whoever has none.
const EXAMPLE: &str = r#"    schema: phonehome/persona/1
    data:
      - { id: imei-1, kind: imei, value: "490154203237518" }
      - { id: contact-1.phone, kind: phone, value: "+447700900123" }"#;

/// Runs the command.
pub(crate) fn analyze(args: &Analyze, terminal: Terminal) -> anyhow::Result<Exit> {
    let persona = persona(args, terminal)?;
    let keys = key_log(args, terminal)?;
    let sources = sources(&args.inputs)?;
    let detector = Detector::new(&persona);
    let detector = match args.explain {
        Some(_) => detector.explaining(),
        None => detector,
    };
    let bar = progress::bar(&sources, terminal);
    let search = Search {
        detector: &detector,
        keys,
    };
    let mut analysed = analyse(&sources, &search, &bar, terminal);
    let too_short = detector.too_short().iter();
    let problems = too_short.map(|id| format!("{id} is too short to be told from chance"));
    analysed.analysis.coverage.problems.extend(problems);
    let ids = |data: &[Datum]| data.iter().map(|datum| datum.id.clone()).collect();
    let searched = Searched {
        data: ids(&persona.data),
        decoys: ids(&persona.decoys),
    };
    Ok(present(&analysed, &searched, args, terminal))
}

/// The keys that the operator gives. A damaged line is told; the others are used all the same.
fn key_log(args: &Analyze, terminal: Terminal) -> Result<KeyLog, Rejection> {
    let mut keys = KeyLog::default();
    for path in &args.keylog {
        let reading = keys.add(&read_bytes(path, "key log")?);
        let path = path.display();
        if let Some(problem) = reading.problem() {
            let line = format!("warning: key log `{path}`: {problem}");
            terminal.error(&printable(&line, 5000));
        } else if reading.secrets == 0 {
            let line = format!("warning: key log `{path}`: no secret of TLS 1.0 to 1.3 is in it");
            terminal.error(&printable(&line, 5000));
        }
    }
    Ok(keys)
}

fn persona(args: &Analyze, terminal: Terminal) -> Result<Persona, Rejection> {
    let Some(path) = &args.persona else {
        let message = "what to look for is not said: there is no `--persona`";
        return Err(Rejection::usage(message)
            .hint("write what is on the handset into a file, and name it with `--persona FILE`:")
            .example(EXAMPLE));
    };
    let persona = load::persona(path, terminal)?;
    if persona.data.is_empty() && persona.decoys.is_empty() {
        let message = format!("the persona `{}` has nothing to look for", path.display());
        return Err(Rejection::usage(message).hint("give it `data`"));
    }
    Ok(persona)
}
