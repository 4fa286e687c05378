//! The console of an emulator on this computer, as an adb server names emulators: `emulator-5554` has it
//! at port 5554. Speaks through `adb_client`, which waits for ever and reads a closed connection without
//! end: the console is looked at before, and what then hangs is left behind in a thread of its own.
//!
//! Source: AOSP `external/qemu`, `android/console.c`.

use crate::base::text::printable;
use crate::ports::BoxFuture;
use crate::ports::clock::{Clock, within};
use crate::ports::console::{Console, ConsoleError};
use adb_client::RustADBError;
use adb_client::emulator::ADBEmulatorDevice;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How a console greets that wants a token; one that wants none greets otherwise.
const GREETING: &str = "Android Console: Authentication required";

/// Bytes of a command's line that a console takes.
const MAX_LINE: usize = 4096;

/// Bytes of a greeting's first line.
const MAX_GREETING: u64 = 200;

/// The console of one emulator.
pub(super) struct EmulatorConsole {
    serial: String,
    port: u16,
    clock: Arc<dyn Clock>,
}

impl EmulatorConsole {
    /// Of a handset with an emulator's serial number.
    pub(super) fn of(serial: &str, clock: Arc<dyn Clock>) -> Option<Self> {
        let port = serial.strip_prefix("emulator-")?.parse().ok()?;
        let serial = serial.to_owned();
        Some(Self {
            serial,
            port,
            clock,
        })
    }

    /// Whether something there greets as a console that can be used.
    async fn greets(&self) -> Result<(), ConsoleError> {
        let unusable = |reason: String| ConsoleError::Unusable { reason };
        let greeting = async {
            let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
            let mut line = String::new();
            let mut reader = BufReader::new(socket).take(MAX_GREETING);
            reader.read_line(&mut line).await.map(|_| line)
        };
        let line = within(&*self.clock, LIMIT, "the emulator's console", greeting)
            .await
            .map_err(|late| unusable(late.to_string()))?
            .map_err(|error| unusable(format!("port {}: {error}", self.port)))?;
        if line.trim_end() == GREETING {
            return Ok(());
        }
        let shown = printable(line.trim_end(), 100);
        Err(unusable(format!(
            "port {} greets with `{shown}`, and not for a token",
            self.port
        )))
    }
}

impl Console for EmulatorConsole {
    fn receive_sms<'a>(
        &'a self,
        from: &'a str,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), ConsoleError>> {
        Box::pin(async move {
            let (from, text) = (number(from)?, escaped(text));
            if "sms send  \n".len() + from.len() + text.len() > MAX_LINE {
                let reason = format!("it takes no line of more than {MAX_LINE} bytes");
                return Err(ConsoleError::Unusable { reason });
            }
            self.greets().await?;
            let serial = self.serial.clone();
            let (done, ended) = oneshot::channel();
            // A thread of its own, since one of tokio's would be waited for at the end.
            let thread = thread::Builder::new().name("emulator-console".to_owned());
            let started = thread.spawn(move || {
                let sent = ADBEmulatorDevice::new(serial, None)
                    .and_then(|mut emulator| emulator.send_sms(&from, &text));
                // Nobody listens where the limit has passed.
                let _ = done.send(sent);
            });
            started.map_err(|error| ConsoleError::Unusable {
                reason: error.to_string(),
            })?;
            let answer = within(&*self.clock, LIMIT, "the emulator's console", ended).await?;
            let lost = |_| ConsoleError::Unanswered {
                reason: "its client ended early".to_owned(),
            };
            answer.map_err(lost)?.map_err(of_client)
        })
    }
}

fn of_client(error: RustADBError) -> ConsoleError {
    let text = |text: &str| printable(text.trim(), 200).into_owned();
    match error {
        RustADBError::ADBRequestFailed(said) => ConsoleError::Refused { said: text(&said) },
        RustADBError::NoHomeDirectory => ConsoleError::Unusable {
            reason: "there is no home directory with its token".to_owned(),
        },
        RustADBError::IOError(error) if error.kind() == std::io::ErrorKind::NotFound => {
            ConsoleError::Unusable {
                reason: "there is no `~/.emulator_console_auth_token`".to_owned(),
            }
        }
        error => ConsoleError::Unanswered {
            reason: text(&error.to_string()),
        },
    }
}

/// A number as the console takes it, without what people write between the digits.
fn number(number: &str) -> Result<String, ConsoleError> {
    let digits: String = number
        .chars()
        .filter(|it| !matches!(it, ' ' | '-' | '(' | ')'))
        .collect();
    let rest = digits.strip_prefix('+').unwrap_or(&digits);
    if rest.is_empty() || !rest.bytes().all(|it| it.is_ascii_digit()) {
        return Err(ConsoleError::Unusable {
            reason: "it takes a number of digits only".to_owned(),
        });
    }
    Ok(digits)
}

/// A text on one line, as the console reads it.
fn escaped(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        match character {
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            control if control.is_ascii_control() => {
                let _ = write!(line, "\\x{:02x}", u32::from(control));
            }
            other => line.push(other),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::system_clock::SystemClock;

    #[test]
    fn only_an_emulators_serial_names_a_console() {
        for (serial, port) in [
            ("emulator-5554", Some(5554)),
            ("emulator-", None),
            ("emulator-99999", None),
            ("127.0.0.1:5555", None),
        ] {
            let console = EmulatorConsole::of(serial, Arc::new(SystemClock::new()));
            assert_eq!(console.map(|it| it.port), port, "{serial}");
        }
    }

    #[test]
    fn nothing_in_a_message_is_another_command() {
        assert_eq!(escaped("a\nkill\r\\b é"), "a\\nkill\\x0d\\\\b é");
        assert_eq!(number("+44 (7700) 900-456").unwrap(), "+447700900456");
        for bad in ["", "+", "12\nkill", "peer"] {
            assert!(number(bad).unwrap_err().is_harmless(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_is_not_sent() {
        let console = EmulatorConsole::of("emulator-1", Arc::new(SystemClock::new())).unwrap();
        let text = "\u{53d1}".repeat(1400);
        let error = console.receive_sms("+447700900456", &text).await;
        let error = error.unwrap_err();
        assert!(
            error.is_harmless() && error.to_string().contains("4096"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_is_no_console_is_not_asked() {
        for greeting in [
            "SSH-2.0-x\r\n",
            "Android Console: type 'help'\r\nOK\r\n",
            "",
        ] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let console =
                EmulatorConsole::of(&format!("emulator-{port}"), Arc::new(SystemClock::new()));
            let serving = tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut socket, greeting.as_bytes())
                    .await
                    .unwrap();
            });
            let error = console.unwrap().receive_sms("+447700900456", "hello").await;
            assert!(error.unwrap_err().is_harmless(), "{greeting}");
            serving.await.unwrap();
        }
    }
}
