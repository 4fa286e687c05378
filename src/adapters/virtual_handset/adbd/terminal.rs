//! A terminal's line discipline: keys in, lines, echo and signals out. Moves no byte itself; line ends of output are the kernel's.
//! As Linux's `N_TTY` with `ECHOCTL`; of its settings `ICANON`, `ECHO`, `ISIG` and `ICRNL` can be off.

use crate::adapters::virtual_handset::kernel::signal;
use crate::adapters::virtual_handset::kernel::terminal::Settings;

/// Bytes of a line; what is typed beyond rings the bell (Linux's limit).
const MAX_LINE: usize = 4095;

/// What a key caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The terminal's readers get this.
    Input(Vec<u8>),
    /// The terminal shows this.
    Echo(Vec<u8>),
    /// One read gets nothing.
    End,
    /// The foreground is sent this.
    Signal(u8),
}

/// The line being typed.
#[derive(Default)]
pub(super) struct LineEditor {
    line: Vec<u8>,
}

impl LineEditor {
    /// Takes keys, in a terminal of these settings.
    pub(super) fn type_keys(&mut self, keys: &[u8], settings: Settings) -> Vec<Effect> {
        if !settings.icanon {
            return self.pass_keys(keys, settings);
        }
        let mut effects = Vec::new();
        let mut echo = Vec::new();
        for key in keys {
            let key = turned(*key, settings);
            let typed = self.type_key(key, settings, &mut echo);
            if !settings.echo {
                echo.clear();
            }
            if let Some(effect) = typed {
                if !echo.is_empty() {
                    effects.push(Effect::Echo(std::mem::take(&mut echo)));
                }
                effects.push(effect);
            }
        }
        if !echo.is_empty() {
            effects.push(Effect::Echo(echo));
        }
        effects
    }

    /// The same where lines are the reader's own concern.
    fn pass_keys(&mut self, keys: &[u8], settings: Settings) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut echo = Vec::new();
        // A line that was begun before belongs to the reader now.
        let mut input = std::mem::take(&mut self.line);
        for key in keys {
            let key = turned(*key, settings);
            if settings.echo {
                show(key, &mut echo);
            }
            match signal_of(key).filter(|_| settings.isig) {
                Some(number) => {
                    input.clear();
                    effects.push(Effect::Signal(number));
                }
                None => input.push(key),
            }
        }
        if !echo.is_empty() {
            effects.insert(0, Effect::Echo(echo));
        }
        if !input.is_empty() {
            effects.push(Effect::Input(input));
        }
        effects
    }

    fn type_key(&mut self, key: u8, settings: Settings, echo: &mut Vec<u8>) -> Option<Effect> {
        if let Some(number) = signal_of(key).filter(|_| settings.isig) {
            self.line.clear();
            show(key, echo);
            return Some(Effect::Signal(number));
        }
        match key {
            b'\n' => {
                echo.push(b'\n');
                self.line.push(b'\n');
                Some(Effect::Input(std::mem::take(&mut self.line)))
            }
            // Ctrl-D
            0x04 if self.line.is_empty() => Some(Effect::End),
            0x04 => Some(Effect::Input(std::mem::take(&mut self.line))),
            // Backspace, whichever of both a terminal sends.
            0x7f | 0x08 => {
                self.erase(echo);
                None
            }
            // Ctrl-U
            0x15 => {
                while self.erase(echo) {}
                None
            }
            // Ctrl-W
            0x17 => {
                while self.line.ends_with(b" ") && self.erase(echo) {}
                while !self.line.is_empty() && !self.line.ends_with(b" ") && self.erase(echo) {}
                None
            }
            _ if self.line.len() >= MAX_LINE => {
                echo.push(0x07);
                None
            }
            key => {
                self.line.push(key);
                show(key, echo);
                None
            }
        }
    }

    /// Takes the last character back; `false` when there is none.
    fn erase(&mut self, echo: &mut Vec<u8>) -> bool {
        let Some(mut key) = self.line.pop() else {
            return false;
        };
        let is_continuation = |key: u8| key & 0xc0 == 0x80;
        while is_continuation(key)
            && let Some(before) = self.line.pop()
        {
            key = before;
        }
        let columns = if is_control(key) { 2 } else { 1 };
        for _ in 0..columns {
            echo.extend(b"\x08 \x08");
        }
        true
    }
}

/// What the settings make of a key before anybody sees it.
const fn turned(key: u8, settings: Settings) -> u8 {
    match key {
        b'\r' if settings.icrnl => b'\n',
        key => key,
    }
}

/// Ctrl-C, Ctrl-\, Ctrl-Z.
const fn signal_of(key: u8) -> Option<u8> {
    match key {
        0x03 => Some(signal::INT),
        0x1c => Some(signal::QUIT),
        0x1a => Some(signal::TSTP),
        _ => None,
    }
}

const fn is_control(key: u8) -> bool {
    key < 0x20 && key != b'\t' && key != b'\n'
}

fn show(key: u8, echo: &mut Vec<u8>) {
    if is_control(key) {
        echo.extend([b'^', key ^ 0x40]);
    } else {
        echo.push(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(keys: &[u8], expected: &[Effect]) {
        check_in(Settings::default(), keys, expected);
    }

    fn check_in(settings: Settings, keys: &[u8], expected: &[Effect]) {
        let effects = LineEditor::default().type_keys(keys, settings);
        assert_eq!(effects, expected, "{keys:?}");
    }

    #[test]
    fn lines_are_edited_as_on_linux() {
        let input = |text: &str| Effect::Input(text.as_bytes().to_vec());
        let echo = |text: &str| Effect::Echo(text.as_bytes().to_vec());
        check(b"ls\r", &[echo("ls\n"), input("ls\n")]);
        check(b"lx\x7fs\n", &[echo("lx\x08 \x08s\n"), input("ls\n")]);
        check(
            "é\x7fe\r".as_bytes(),
            &[echo("é\x08 \x08e\n"), input("e\n")],
        );
        check(b"\x7f", &[]);
        check(
            b"ab\x15c\r",
            &[echo("ab\x08 \x08\x08 \x08c\n"), input("c\n")],
        );
        check(
            b"a bc \x17d\r",
            &[echo("a bc \x08 \x08\x08 \x08\x08 \x08d\n"), input("a d\n")],
        );
        check(b"\x04", &[Effect::End]);
        check(b"ab\x04", &[echo("ab"), input("ab")]);
        check(
            b"ab\x03c\r",
            &[echo("ab^C"), Effect::Signal(2), echo("c\n"), input("c\n")],
        );
        check(b"\x1c", &[echo("^\\"), Effect::Signal(3)]);
        check(b"\x1a", &[echo("^Z"), Effect::Signal(20)]);
        check(b"\x1b[A\x7f", &[echo("^[[A\x08 \x08")]);
        check(b"\x01\x7f", &[echo("^A\x08 \x08\x08 \x08")]);

        let silent = Settings {
            echo: false,
            ..Settings::default()
        };
        check_in(silent, b"lx\x7fs\r", &[input("ls\n")]);
        let raw = Settings::default().raw();
        check_in(raw, b"a\r\x03\x04", &[input("a\r\x03\x04")]);
        let keys = Settings {
            icanon: false,
            ..Settings::default()
        };
        check_in(keys, b"a\r", &[echo("a\n"), input("a\n")]);
        check_in(keys, b"\x03", &[echo("^C"), Effect::Signal(2)]);
    }

    proptest! {
        #[test]
        fn lines_are_bounded_and_keys_come_in_any_chunks(keys in prop::collection::vec(any::<u8>(), 0..300), cut in 1usize..20) {
            let of = |effects: Vec<Effect>| -> (Vec<u8>, Vec<u8>) {
                let mut both = (Vec::new(), Vec::new());
                for effect in effects {
                    match effect {
                        Effect::Input(bytes) => both.0.extend(bytes),
                        Effect::Echo(bytes) => both.1.extend(bytes),
                        Effect::End => both.0.push(0x04),
                        Effect::Signal(number) => both.0.extend([0xff, number]),
                    }
                }
                both
            };
            let cooked = Settings::default();
            let mut editor = LineEditor::default();
            let effects = keys.chunks(cut).flat_map(|keys| editor.type_keys(keys, cooked)).collect();
            prop_assert_eq!(of(effects), of(LineEditor::default().type_keys(&keys, cooked)));
        }

        #[test]
        fn a_line_never_grows_beyond_its_bound(len in 4000usize..5000) {
            let mut editor = LineEditor::default();
            editor.type_keys(&vec![b'x'; len], Settings::default());
            prop_assert_eq!(editor.line.len(), len.min(MAX_LINE));
        }
    }
}
