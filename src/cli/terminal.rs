//! What the program may show where: results on stdout, progress and errors on stderr, colour and
//! bars on a terminal only.

use crate::cli::args::Color;
use crate::cli::environment::Environment;
use std::io::{self, IsTerminal, Write};

/// How output is shaped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Colour on stdout.
    pub(crate) color: bool,
    /// Colour on stderr.
    pub(crate) color_errors: bool,
    /// Progress bars on stderr.
    pub(crate) bars: bool,
    /// Stdout is a terminal, whose screen can be drawn again.
    pub(crate) is_screen: bool,
    /// Columns.
    pub(crate) width: usize,
    /// Errors only.
    pub(crate) quiet: bool,
}

/// Columns where no terminal tells.
const DEFAULT_WIDTH: usize = 100;

impl Terminal {
    /// Asks the standard streams what they are.
    pub(crate) fn new(color: Color, quiet: bool, environment: &Environment) -> Self {
        let on_terminal = |is_terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !environment.no_color,
        };
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let asked = out.then(comfy_width).flatten();
        let width = asked
            .or(environment.columns)
            .map_or(DEFAULT_WIDTH, usize::from);
        Self {
            color: on_terminal(out),
            color_errors: on_terminal(err),
            bars: err && !quiet,
            is_screen: out,
            width: width.clamp(60, 200),
            quiet,
        }
    }

    /// Writes a result to stdout. A reader that went away is no error.
    pub(crate) fn result(self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        match stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
        {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Writes a line for the operator to stderr, unless quiet.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// Writes a line to stderr. Nobody can be told when that fails.
    pub(crate) fn error(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

fn comfy_width() -> Option<u16> {
    comfy_table::Table::new().width()
}
