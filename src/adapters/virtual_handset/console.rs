//! The console of an emulator: lines beside adb's port by which its operator has things happen to it.
//! Knows `auth`, `help`, `ping`, `avd name`, `avd status`, `sms send` and `quit`, and none of the others.
//!
//! Source: AOSP `external/qemu`, `android/console.c`, `android/telephony/sms.c`.

use super::android::telephony::message_received;
use super::kernel::handset::Handset;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Bytes of a line, as long as the emulator takes.
const MAX_LINE: u64 = 4096;

/// Who may talk at once.
const MAX_CLIENTS: usize = 16;

const PROMPT: &str = "Android Console: type 'help' for a list of commands\r\nOK\r\n";

const HELP: &str = "Android console command help:\r\n\r\n    help|h|?         print a list of commands\r\n    ping             check if the emulator is alive\r\n    auth             user authentication for the emulator console\r\n    avd              control virtual device execution\r\n    sms              SMS related commands\r\n    quit|exit        quit control session\r\n\r\ntry 'help <command>' for command-specific help\r\nOK\r\n";

const BAD_TEXT: &str = "message must be utf8 and can use the following escapes:\r\n    \\n      for a newline\r\n    \\xNN    where NN are two hexadecimal numbers\r\n    \\uNNNN  where NNNN are four hexadecimal numbers\r\n    \\\\     to send a '\\' character\r\n\r\n    anything else is an error\r\nKO: badly formatted text\r\n";

/// Who may use a console.
#[derive(Clone, Debug)]
pub struct ConsoleToken {
    /// What a client has to know; anyone may where it is empty.
    pub token: String,
    /// The file that it stands in, which the greeting names.
    pub path: String,
}

pub(super) struct Console {
    pub(super) handset: Handset,
    pub(super) token: ConsoleToken,
    /// What `avd name` says.
    pub(super) name: String,
}

/// One client's conversation.
struct Talk {
    console: Arc<Console>,
    is_known: bool,
}

/// Serves whoever connects, until it is dropped.
pub(super) async fn serve(listener: TcpListener, console: Console) {
    let console = Arc::new(console);
    let mut clients = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            return;
        };
        while clients.try_join_next().is_some() {}
        if clients.len() < MAX_CLIENTS {
            let talk = Talk {
                is_known: console.token.token.is_empty(),
                console: Arc::clone(&console),
            };
            // A client that goes away ends its own conversation alone.
            clients.spawn(async move { talk.hold(socket).await.unwrap_or_default() });
        }
    }
}

impl Talk {
    async fn hold(mut self, socket: TcpStream) -> io::Result<()> {
        let mut socket = BufReader::new(socket);
        socket.write_all(self.greeting().as_bytes()).await?;
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut socket).take(MAX_LINE);
            if bounded.read_until(b'\n', &mut line).await? == 0 || line.last() != Some(&b'\n') {
                return Ok(());
            }
            let Ok(line) = str::from_utf8(&line) else {
                let said = b"KO: Forbidden binary request. Aborting\r\n";
                return socket.write_all(said).await;
            };
            let line = line.trim_end_matches(['\r', '\n']);
            // What a page in a browser could be made to send.
            if line.contains(" HTTP/") {
                let said = b"KO: Forbidden HTTP request. Aborting\r\n";
                return socket.write_all(said).await;
            }
            let Some(said) = self.answer(line) else {
                return socket.shutdown().await;
            };
            socket.write_all(said.as_bytes()).await?;
        }
    }

    fn greeting(&self) -> String {
        if self.is_known {
            return PROMPT.to_owned();
        }
        let path = &self.console.token.path;
        format!(
            "Android Console: Authentication required\r\nAndroid Console: type 'auth <auth_token>' to authenticate\r\nAndroid Console: you can find your <auth_token> in \r\n'{path}'\r\nOK\r\n"
        )
    }

    /// What is said to a line; nothing to a client that takes its leave.
    fn answer(&mut self, line: &str) -> Option<String> {
        let (command, rest) = split(line);
        let said = match command {
            "" => String::new(),
            "quit" | "exit" => return None,
            "help" | "h" | "?" => HELP.to_owned(),
            "ping" => "I am alive!\r\nOK\r\n".to_owned(),
            "auth" => self.authenticate(rest).to_owned(),
            "avd" if self.is_known => self.device(rest),
            "sms" if self.is_known => self.message(rest).to_owned(),
            _ => "KO: unknown command, try 'help'\r\n".to_owned(),
        };
        Some(said)
    }

    fn authenticate(&mut self, token: &str) -> &'static str {
        if token.is_empty() {
            return "KO: missing authentication token\r\n";
        }
        if !self.is_known && token != self.console.token.token {
            return "KO: authentication token does not match ~/.emulator_console_auth_token\r\n";
        }
        self.is_known = true;
        PROMPT
    }

    fn device(&self, command: &str) -> String {
        match command {
            "name" => format!("{}\r\nOK\r\n", self.console.name),
            "status" => "virtual device is running\r\nOK\r\n".to_owned(),
            "" => "KO: missing sub-command\r\n".to_owned(),
            _ => "KO:  bad sub-command\r\n".to_owned(),
        }
    }

    fn message(&self, command: &str) -> &'static str {
        let (command, arguments) = split(command);
        match command {
            "send" => {}
            "" => return "KO: missing sub-command\r\n",
            _ => return "KO:  bad sub-command\r\n",
        }
        let Some((number, text)) = arguments.split_once(' ') else {
            return "KO: missing argument, try 'sms send <phonenumber> <text message>'\r\n";
        };
        let digits = number.strip_prefix('+').unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
            return "KO: bad phone number format, must be [+](0-9)*\r\n";
        }
        let Some(text) = unescaped(text) else {
            return BAD_TEXT;
        };
        let arrived = self
            .console
            .handset
            .with(|world| message_received(world, number, &text));
        match arrived {
            Ok(()) => "OK\r\n",
            Err(_) => "KO: internal error when creating SMS-DELIVER PDUs\r\n",
        }
    }
}

/// The first word, and what follows the blanks behind it.
fn split(line: &str) -> (&str, &str) {
    let line = line.trim_start_matches([' ', '\t']);
    let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    (word, rest.trim_start_matches([' ', '\t']))
}

/// A message's text, without its escapes.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.extend_from_slice(before.as_bytes());
        let kind = after.chars().next()?;
        let digits = match kind {
            'n' | '\\' => 0,
            'x' => 2,
            'u' => 4,
            _ => return None,
        };
        let code = after.get(1..=digits)?;
        if !code.bytes().all(|it| it.is_ascii_hexdigit()) {
            return None;
        }
        match kind {
            'n' => plain.push(b'\n'),
            '\\' => plain.push(b'\\'),
            'x' => plain.push(u8::from_str_radix(code, 16).ok()?),
            _ => {
                let character = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
                plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        rest = after.get(1 + digits..)?;
    }
    plain.extend_from_slice(rest.as_bytes());
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::firmware::model::{Root, Userland};
    use crate::adapters::virtual_handset::kernel::handset::tests::{StillClock, plain_firmware};
    use crate::adapters::virtual_handset::kernel::world::World;

    #[test]
    fn escapes_are_the_emulators() {
        for (text, plain) in [
            ("hi there", Some("hi there")),
            (r"a\nb\\c", Some("a\nb\\c")),
            (r"\x41\u00e9", Some("Aé")),
            (r"\xc3\xa9", Some("é")),
            (r"\xff", None),
            (r"\ud800", None),
            (r"\x4", None),
            (r"\t", None),
            (r"\", None),
            (r"\xé1", None),
        ] {
            assert_eq!(unescaped(text).as_deref(), plain, "{text}");
        }
    }

    #[tokio::test]
    async fn only_who_knows_the_token_sends() {
        let firmware = Arc::new(plain_firmware(Userland::Toybox14, Root::Adb));
        let world = World::new(firmware, "S1", 7, Arc::new(StillClock));
        let token = ConsoleToken {
            token: "secret".to_owned(),
            path: "/home/me/.emulator_console_auth_token".to_owned(),
        };
        let console = Arc::new(Console {
            handset: Handset::start(world, Arc::new(StillClock)),
            token,
            name: "plain".to_owned(),
        });
        let mut talk = Talk {
            console,
            is_known: false,
        };
        assert!(
            talk.greeting()
                .starts_with("Android Console: Authentication required\r\n")
        );
        for (line, said) in [
            ("ping", "I am alive!\r\nOK\r\n"),
            (
                "sms send +447700900456 hi",
                "KO: unknown command, try 'help'\r\n",
            ),
            ("auth", "KO: missing authentication token\r\n"),
            (
                "auth wrong",
                "KO: authentication token does not match ~/.emulator_console_auth_token\r\n",
            ),
            ("auth secret", PROMPT),
            ("sms send +447700900456 hi", "OK\r\n"),
            (
                "sms send peer hi",
                "KO: bad phone number format, must be [+](0-9)*\r\n",
            ),
            (
                "sms send +447700900456",
                "KO: missing argument, try 'sms send <phonenumber> <text message>'\r\n",
            ),
            (r"sms send 1 \q", BAD_TEXT),
            ("sms", "KO: missing sub-command\r\n"),
            ("avd name", "plain\r\nOK\r\n"),
            ("kill", "KO: unknown command, try 'help'\r\n"),
        ] {
            assert_eq!(talk.answer(line).as_deref(), Some(said), "{line}");
        }
        assert_eq!(talk.answer("quit"), None);
    }
}
