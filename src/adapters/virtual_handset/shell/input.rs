//! Scripts read bit by bit: from standard input, or typed at a prompt.

use super::edit::{Editor, Step};
use super::parser::parse;
use super::state::{Flow, Shell, Source};
use super::syntax::{List, SyntaxError};
use crate::adapters::virtual_handset::kernel::process::{INPUT, Stop};
use crate::adapters::virtual_handset::kernel::signal;
use crate::adapters::virtual_handset::kernel::terminal::Settings;
use crate::adapters::virtual_handset::kernel::user::name_of;

/// Commands that can be typed again (Android's `HISTSIZE` is the same).
const MAX_HISTORY: usize = 500;

/// Bytes of one command that spans lines.
const MAX_COMMAND: usize = 1 << 20;

impl Shell<'_> {
    /// Runs standard input command by command, so that commands can read what follows them.
    pub(super) async fn run_input(&mut self) -> Result<u8, Flow> {
        self.state.source = if self.state.options.interactive {
            Source::Argument
        } else {
            Source::Input
        };
        let mut text = String::new();
        let mut first_line = 1;
        let mut line_number = 0u32;
        loop {
            let line = match self.next_line(text.is_empty()).await {
                Err(Flow::Stop(Stop::Killed(number)))
                    if self.state.options.interactive && number == signal::INT =>
                {
                    self.process.take_signal();
                    text.clear();
                    self.state.status = 130;
                    continue;
                }
                Err(Flow::Fail(code)) if self.state.options.interactive => {
                    text.clear();
                    self.state.status = code;
                    continue;
                }
                other => other?,
            };
            let Some(line) = line else {
                if self.stays_for_jobs().await? {
                    continue;
                }
                return self.end_of_input(&text).await;
            };
            line_number += 1;
            if text.is_empty() {
                first_line = line_number;
            }
            text.push_str(&line);
            let list = match parse(&text) {
                Err(
                    SyntaxError::UnexpectedEnd
                    | SyntaxError::Unmatched(_)
                    | SyntaxError::NoClosingQuote
                    | SyntaxError::HereDocument(_),
                ) if text.len() < MAX_COMMAND => continue,
                Err(_) if text.ends_with("\\\n") && text.len() < MAX_COMMAND => continue,
                Ok(_) if text.ends_with("\\\n") => continue,
                other => other,
            };
            if self.state.options.interactive {
                self.remember(&text);
            }
            text.clear();
            self.run_read(list, (first_line, line_number)).await?;
        }
    }

    /// Runs a command that was read, or complains of it; at a prompt no failure ends the shell.
    async fn run_read(
        &mut self,
        read: Result<List, SyntaxError>,
        (first_line, last_line): (u32, u32),
    ) -> Result<(), Flow> {
        let ran = match read {
            Ok(list) => {
                self.state.lines_before = first_line - 1;
                self.list(&list).await
            }
            Err(error) => {
                self.state.line = last_line;
                let said = error.text(self.is_old());
                Err(self.fail(&said, 1).await)
            }
        };
        self.state.status = match ran {
            Ok(status) => status,
            Err(Flow::Fail(code) | Flow::Return(code)) if self.state.options.interactive => code,
            Err(flow) => return Err(flow),
        };
        Ok(())
    }

    async fn end_of_input(&mut self, text: &str) -> Result<u8, Flow> {
        if text.is_empty() {
            return Ok(self.state.status);
        }
        match parse(text) {
            Ok(list) => self.list(&list).await,
            Err(error) => {
                let said = error.text(self.is_old());
                Err(self.fail(&said, 1).await)
            }
        }
    }

    /// The next line: read, or asked for at a prompt.
    async fn next_line(&mut self, fresh: bool) -> Result<Option<String>, Flow> {
        if !self.state.options.interactive {
            return self.input_line().await;
        }
        self.tell_ended_jobs().await?;
        let prompt = if fresh {
            self.prompt_text()
        } else {
            self.state.variables.value("PS2").unwrap_or("> ").to_owned()
        };
        let terminal = match self.process.descriptors.get(&INPUT) {
            Some(descriptor) => descriptor.terminal().cloned(),
            None => None,
        };
        let Some(terminal) = terminal else {
            self.process.complain(prompt).await?;
            return self.input_line().await;
        };
        let before = terminal.settings();
        self.know_window(before);
        terminal.change(|settings| {
            // Keys come as they are typed; what is shown still has its line ends turned.
            (settings.icanon, settings.echo) = (false, false);
            (settings.isig, settings.icrnl) = (false, false);
        });
        let edited = self.edit_line(&prompt, before.columns).await;
        terminal.change(|settings| {
            let Settings { rows, columns, .. } = *settings;
            *settings = Settings {
                rows,
                columns,
                ..before
            };
        });
        edited
    }

    /// `COLUMNS` and `LINES` are those of the window, where it has any.
    fn know_window(&mut self, settings: Settings) {
        for (name, count) in [("COLUMNS", settings.columns), ("LINES", settings.rows)] {
            if count > 0 {
                // Who made it read-only keeps what it is.
                self.state.variables.assign(name, count.to_string()).ok();
            }
        }
    }

    async fn edit_line(&mut self, prompt: &str, columns: u16) -> Result<Option<String>, Flow> {
        let history = self.state.history.clone();
        let mut editor = Editor::new(prompt, columns, &history);
        loop {
            self.process.complain(editor.take_screen()).await?;
            let Some(byte) = self.read_byte(INPUT).await? else {
                return Ok(None);
            };
            let step = editor.type_byte(byte);
            if step == Some(Step::Complete) {
                self.complete(&mut editor);
                continue;
            }
            let Some(step) = step else {
                continue;
            };
            self.process.complain(editor.take_screen()).await?;
            return match step {
                Step::Line(line) => Ok(Some(line + "\n")),
                // As if the terminal had sent the signal.
                Step::GivenUp => Err(Flow::Fail(130)),
                Step::End | Step::Complete => Ok(None),
            };
        }
    }

    /// Keeps a command to be typed again, and to name a job by.
    fn remember(&mut self, text: &str) {
        let command = text.trim();
        self.state.typed = command.to_owned();
        if command.is_empty() {
            return;
        }
        if self.state.history.len() >= MAX_HISTORY {
            self.state.history.remove(0);
        }
        self.state.history.push(command.to_owned());
    }

    /// What Android's `mkshrc` makes of `PS1`: how the last command failed comes first.
    fn prompt_text(&self) -> String {
        let user = &self.process.user;
        let sign = if user.is_root() { '#' } else { '$' };
        let own = self.state.variables.value("PS1").unwrap_or_default();
        if own != format!("{sign} ") {
            return own.to_owned();
        }
        let failed = match self.state.status {
            0 => String::new(),
            code => format!("{code}|"),
        };
        let directory = &self.process.directory;
        let host = self
            .process
            .handset
            .with(|world| world.firmware.property("ro.product.device").to_owned());
        let host = if host.is_empty() { "android" } else { &host };
        if self.is_old() {
            format!("{failed}{}@{host}:{directory} {sign} ", name_of(user.uid))
        } else {
            format!("{failed}{host}:{directory} {sign} ")
        }
    }

    /// One line with its end; `None` at the end of the input.
    async fn input_line(&mut self) -> Result<Option<String>, Flow> {
        let mut bytes = Vec::new();
        while let Some(byte) = self.read_byte(INPUT).await? {
            bytes.push(byte);
            if byte == b'\n' || bytes.len() >= MAX_COMMAND {
                break;
            }
        }
        if let Some(stop) = self.pending() {
            return Err(stop.into());
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok((!bytes.is_empty()).then_some(text))
    }
}
