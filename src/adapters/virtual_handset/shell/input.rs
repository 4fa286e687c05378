//! Scripts read bit by bit: from standard input, or typed at a prompt.

use super::parser::parse;
use super::state::{Flow, Shell, Source};
use super::syntax::SyntaxError;
use crate::adapters::virtual_handset::kernel::process::{INPUT, Stop};
use crate::adapters::virtual_handset::kernel::signal;
use crate::adapters::virtual_handset::kernel::user::name_of;

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
            if self.state.options.interactive {
                self.prompt(text.is_empty()).await?;
            }
            let line = match self.input_line().await {
                Err(Flow::Stop(Stop::Killed(number)))
                    if self.state.options.interactive && number == signal::INT =>
                {
                    self.process.take_signal();
                    text.clear();
                    self.state.status = 130;
                    continue;
                }
                other => other?,
            };
            let Some(line) = line else {
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
            text.clear();
            match list {
                Ok(list) => {
                    self.state.lines_before = first_line - 1;
                    match self.list(&list).await {
                        Ok(status) => self.state.status = status,
                        Err(Flow::Fail(code) | Flow::Return(code))
                            if self.state.options.interactive =>
                        {
                            self.state.status = code;
                        }
                        Err(flow) => return Err(flow),
                    }
                }
                Err(error) => {
                    self.state.line = line_number;
                    let said = error.text(self.is_old());
                    let flow = self.fail(&said, 1).await;
                    if !self.state.options.interactive {
                        return Err(flow);
                    }
                    self.state.status = 1;
                }
            }
        }
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

    async fn prompt(&mut self, fresh: bool) -> Result<(), Flow> {
        let text = if fresh {
            self.prompt_text()
        } else {
            "> ".to_owned()
        };
        self.process.complain(text).await?;
        Ok(())
    }

    /// What Android's `mkshrc` makes of `PS1`.
    fn prompt_text(&self) -> String {
        let user = &self.process.user;
        let sign = if user.is_root() { '#' } else { '$' };
        let directory = &self.process.directory;
        let host = self
            .process
            .handset
            .with(|world| world.firmware.property("ro.product.device").to_owned());
        let host = if host.is_empty() { "android" } else { &host };
        if self.is_old() {
            format!("{}@{host}:{directory} {sign} ", name_of(user.uid))
        } else {
            format!("{host}:{directory} {sign} ")
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
