//! A terminal's input side: line editing, echo, signals from the keyboard. Its output side is the
//! kernel's `Terminal`, which turns line ends.

use crate::adapters::virtual_handset::kernel::descriptor::Terminal;

/// Bytes of one line that is being typed.
const MAX_LINE: usize = 4096;

/// What typed bytes lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    /// For the process.
    pub(super) input: Vec<u8>,
    /// For the screen, line ends already turned.
    pub(super) echo: Vec<u8>,
    /// Ctrl-C was typed.
    pub(super) interrupt: bool,
    /// Ctrl-D was typed at the start of a line.
    pub(super) end: bool,
}

/// The line being typed.
#[derive(Default)]
pub(super) struct Discipline {
    line: Vec<u8>,
}

impl Discipline {
    /// Takes bytes from the host.
    pub(super) fn type_in(&mut self, terminal: &Terminal, bytes: &[u8]) -> Typed {
        let mut typed = Typed::default();
        if terminal.is_raw() {
            typed.input = std::mem::take(&mut self.line);
            typed.input.extend_from_slice(bytes);
            return typed;
        }
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => {
                    typed.echo.extend_from_slice(b"\r\n");
                    typed.input.append(&mut self.line);
                    typed.input.push(b'\n');
                }
                0x03 => {
                    typed.echo.extend_from_slice(b"^C\r\n");
                    self.line.clear();
                    typed.interrupt = true;
                }
                0x04 if self.line.is_empty() => typed.end = true,
                0x04 => typed.input.append(&mut self.line),
                0x08 | 0x7f => {
                    if self.line.pop().is_some() {
                        typed.echo.extend_from_slice(b"\x08 \x08");
                    }
                }
                0x15 => {
                    for _ in self.line.drain(..) {
                        typed.echo.extend_from_slice(b"\x08 \x08");
                    }
                }
                byte if self.line.len() < MAX_LINE => {
                    self.line.push(*byte);
                    if *byte < 0x20 && *byte != b'\t' {
                        typed.echo.extend_from_slice(&[b'^', byte + 0x40]);
                    } else {
                        typed.echo.push(*byte);
                    }
                }
                _ => typed.echo.push(0x07),
            }
        }
        typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], input: &[u8], echo: &[u8]) -> Typed {
        let typed = Discipline::default().type_in(&Terminal::default(), bytes);
        assert_eq!(typed.input, input, "{bytes:?}");
        assert_eq!(typed.echo, echo, "{bytes:?}");
        typed
    }

    #[test]
    fn lines_are_edited_and_echoed() {
        check(b"id\r", b"id\n", b"id\r\n");
        check(b"idx\x7f\n", b"id\n", b"idx\x08 \x08\r\n");
        check(
            b"abc\x15id\n",
            b"id\n",
            b"abc\x08 \x08\x08 \x08\x08 \x08id\r\n",
        );
        check(b"half", b"", b"half");
        assert!(check(b"x\x03", b"", b"x^C\r\n").interrupt);
        assert!(check(b"\x04", b"", b"").end);
    }

    #[test]
    fn a_raw_terminal_passes_everything() {
        let terminal = Terminal::default();
        terminal.set_raw(true);
        let typed = Discipline::default().type_in(&terminal, b"a\r\x03");
        assert_eq!(typed.input, b"a\r\x03");
        assert_eq!(typed.echo, b"");
    }
}
