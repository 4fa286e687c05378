//! A line being typed at a prompt, as mksh's emacs mode edits it: keys in, a screen's bytes out. It reads no key itself,
//! runs nothing, and knows no file: who drives it does the completing.
//!
//! Source: mksh R59, `edit.c`; the screen's bytes are those that a real mksh sends.

/// Bytes of a line (mksh's `LINE`, less the room it keeps).
const MAX_LINE: usize = 4096;

/// Columns of a window whose size nobody knows.
const COLUMNS: u16 = 80;

/// Fewer than that can not be edited in.
const MIN_COLUMNS: usize = 12;

/// What a key leads to, besides what the screen shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The line is done.
    Line(String),
    /// Ctrl-C: the line is given up.
    GivenUp,
    /// Ctrl-D on an empty line.
    End,
    /// The word before the cursor is to be completed.
    Complete,
}

/// A line being typed.
pub(super) struct Editor<'a> {
    prompt: String,
    columns: usize,
    line: Vec<char>,
    /// The cursor.
    at: usize,
    /// The first character in the window.
    start: usize,
    /// The cursor's column on the screen.
    column: usize,
    /// How often the window has moved.
    moves: u64,
    may_move: bool,
    history: &'a [String],
    /// Which line of the history is shown; its length is the line typed now.
    shown: usize,
    /// The line typed before the history was looked at.
    own: Vec<char>,
    killed: Vec<char>,
    pending: Vec<u8>,
    state: Keys,
    screen: Vec<u8>,
}

/// What the next byte belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Keys {
    #[default]
    Plain,
    /// After Ctrl-V.
    Literal,
    /// After Escape.
    Escape,
    /// After `ESC [` or `ESC O`, with what came since.
    Sequence(String),
}

impl<'a> Editor<'a> {
    /// An empty line behind a prompt, which it shows.
    pub(super) fn new(prompt: &str, columns: u16, history: &'a [String]) -> Self {
        let columns = if columns == 0 { COLUMNS } else { columns };
        let mut editor = Self {
            prompt: prompt.to_owned(),
            columns: usize::from(columns).max(MIN_COLUMNS),
            line: Vec::new(),
            at: 0,
            start: 0,
            column: 0,
            moves: 0,
            may_move: true,
            history,
            shown: history.len(),
            own: Vec::new(),
            killed: Vec::new(),
            pending: Vec::new(),
            state: Keys::Plain,
            screen: Vec::new(),
        };
        editor.screen.extend(prompt.as_bytes());
        editor.column = editor.prompt_columns();
        editor
    }

    /// What is to be sent to the screen since this was last asked.
    pub(super) fn take_screen(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.screen)
    }

    /// The line up to the cursor.
    pub(super) fn before_cursor(&self) -> String {
        self.line.iter().take(self.at).collect()
    }

    /// Takes a byte that was typed.
    pub(super) fn type_byte(&mut self, byte: u8) -> Option<Step> {
        match std::mem::take(&mut self.state) {
            Keys::Plain => self.plain(byte),
            Keys::Literal => {
                self.character(byte);
                None
            }
            Keys::Escape => {
                self.escape(byte);
                None
            }
            Keys::Sequence(text) => {
                self.sequence(text, byte);
                None
            }
        }
    }

    /// Inserts a text at the cursor.
    pub(super) fn insert_text(&mut self, text: &str) {
        for character in text.chars() {
            self.insert(character);
        }
    }

    /// Shows something below the line, and the line again.
    pub(super) fn list(&mut self, text: &str) {
        self.screen.extend(b"\r\n");
        self.screen.extend(text.as_bytes());
        self.redraw(false);
    }

    /// Rings the bell.
    pub(super) fn bell(&mut self) {
        self.screen.push(0x07);
    }

    fn plain(&mut self, byte: u8) -> Option<Step> {
        match byte {
            b'\r' | b'\n' => {
                self.screen.extend(b"\r\n");
                return Some(Step::Line(self.line.iter().collect()));
            }
            0x03 | 0x07 => {
                self.screen.extend([b'^', byte ^ 0x40, b'\n']);
                return Some(Step::GivenUp);
            }
            0x04 if self.line.is_empty() => {
                self.screen.extend(b"^D\r\n");
                return Some(Step::End);
            }
            b'\t' => return Some(Step::Complete),
            0x01 => self.go_to(0),
            0x02 => self.go_to(self.at.saturating_sub(1)),
            0x04 => self.delete_forward(1, false),
            0x05 => self.go_to(self.line.len()),
            0x06 => self.go_to((self.at + 1).min(self.line.len())),
            0x08 | 0x7f => self.delete_back(1, false),
            0x0b => self.delete_forward(self.line.len() - self.at.min(self.line.len()), true),
            0x0c => self.redraw(true),
            0x0e => self.look_up(self.shown + 1),
            0x10 => match self.shown.checked_sub(1) {
                Some(earlier) => self.look_up(earlier),
                None => self.bell(),
            },
            0x15 => {
                self.killed = std::mem::take(&mut self.line);
                (self.at, self.start) = (0, 0);
                self.redraw(false);
            }
            0x16 => self.state = Keys::Literal,
            0x17 => self.delete_back(self.at - self.word_back(), true),
            0x19 => {
                for character in self.killed.clone() {
                    self.insert(character);
                }
            }
            0x1b => self.state = Keys::Escape,
            0x00..=0x1f => {}
            byte => self.character(byte),
        }
        None
    }

    /// A byte of a character, which may be only a part of it.
    fn character(&mut self, byte: u8) {
        self.pending.push(byte);
        match std::str::from_utf8(&self.pending).map(|text| text.chars().next()) {
            Ok(Some(character)) => {
                self.pending.clear();
                self.insert(character);
            }
            Ok(None) => {}
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                self.pending.clear();
                self.insert(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    fn escape(&mut self, byte: u8) {
        match byte {
            b'[' | b'O' => self.state = Keys::Sequence(String::new()),
            b'b' => self.go_to(self.word_back()),
            b'f' => self.go_to(self.word_forward()),
            b'd' => self.delete_forward(self.word_forward() - self.at, true),
            0x08 | 0x7f => self.delete_back(self.at - self.word_back(), true),
            b'<' => self.look_up(0),
            b'>' => self.look_up(self.history.len()),
            _ => {}
        }
    }

    fn sequence(&mut self, mut text: String, byte: u8) {
        if byte.is_ascii_digit() || byte == b';' {
            // Nobody types a longer one; the rest would be a key's own letters.
            if text.len() < 8 {
                text.push(char::from(byte));
                self.state = Keys::Sequence(text);
            }
            return;
        }
        match (text.as_str(), byte) {
            ("", b'A') => {
                self.plain(0x10);
            }
            ("", b'B') => {
                self.plain(0x0e);
            }
            ("", b'C') => self.go_to((self.at + 1).min(self.line.len())),
            ("", b'D') => self.go_to(self.at.saturating_sub(1)),
            ("", b'H') | ("1" | "7", b'~') => self.go_to(0),
            ("", b'F') | ("4" | "8", b'~') => self.go_to(self.line.len()),
            ("3", b'~') => self.delete_forward(1, false),
            ("1;5" | "1;3", b'C') => self.go_to(self.word_forward()),
            ("1;5" | "1;3", b'D') => self.go_to(self.word_back()),
            _ => {}
        }
    }

    fn word_back(&self) -> usize {
        let mut at = self.at;
        let word = |at: usize| self.line.get(at).is_some_and(|c| is_word(*c));
        while at > 0 && !word(at - 1) {
            at -= 1;
        }
        while at > 0 && word(at - 1) {
            at -= 1;
        }
        at
    }

    fn word_forward(&self) -> usize {
        let mut at = self.at;
        let word = |at: usize| self.line.get(at).is_some_and(|c| is_word(*c));
        while at < self.line.len() && !word(at) {
            at += 1;
        }
        while at < self.line.len() && word(at) {
            at += 1;
        }
        at
    }

    /// Shows another line of the history, or the own one again.
    fn look_up(&mut self, which: usize) {
        if which > self.history.len() || which == self.shown {
            return self.bell();
        }
        if self.shown == self.history.len() {
            self.own.clone_from(&self.line);
        }
        self.shown = which;
        self.line = match self.history.get(which) {
            // A command of several lines is one line here.
            Some(line) => line.replace('\n', ";").chars().collect(),
            None => std::mem::take(&mut self.own),
        };
        (self.at, self.start) = (self.line.len(), 0);
        if self.last_visible() < self.line.len() {
            self.move_window();
        } else {
            self.redraw(false);
        }
    }

    fn insert(&mut self, character: char) {
        if self.line.len() >= MAX_LINE {
            return self.bell();
        }
        let (from, moves) = (self.at, self.moves);
        self.line.insert(from, character);
        self.at += 1;
        let visible = self.last_visible();
        self.may_move = self.at >= visible;
        self.show(from, visible);
        if moves == self.moves {
            self.back(self.at, visible);
        }
        if self.last_visible() + 1 == self.line.len() {
            self.redraw(false);
        }
        self.may_move = true;
    }

    fn delete_back(&mut self, count: usize, kills: bool) {
        if self.at == 0 {
            return self.bell();
        }
        self.go_to(self.at.saturating_sub(count));
        self.delete_forward(count, kills);
    }

    fn delete_forward(&mut self, count: usize, kills: bool) {
        let end = self.line.len().min(self.at + count);
        let gone: Vec<char> = self.line.drain(self.at.min(end)..end).collect();
        let mut blank: usize = gone.iter().map(|c| width(*c)).sum();
        if kills {
            self.killed = gone;
        }
        let visible = self.last_visible();
        self.may_move = self.at >= visible;
        self.show(self.at, visible);
        let room = (self.columns - 2).saturating_sub(self.column);
        if room > 0 || visible == self.line.len() {
            blank = blank.min(room);
            for _ in 0..blank {
                self.put(' ');
            }
            if self.column == self.columns - 2 {
                self.put(self.marker());
                blank += 1;
            }
            for _ in 0..blank {
                self.put_back();
            }
        }
        self.may_move = true;
        self.back(self.at, visible);
    }

    fn go_to(&mut self, to: usize) {
        if to < self.start || to > self.last_visible() {
            self.at = to;
            self.move_window();
        } else if to < self.at {
            let from = self.at;
            self.at = to;
            self.back(to, from);
        } else {
            let from = self.at;
            self.at = to;
            self.show(from, to);
        }
    }

    /// Lets the window begin so that the cursor is at three quarters of it.
    fn move_window(&mut self) {
        self.moves += 1;
        let mut left = self.columns * 3 / 4;
        self.start = self.at;
        while self.start > 0 && left > 0 {
            self.start -= 1;
            left = left.saturating_sub(self.line.get(self.start).map_or(1, |c| width(*c)));
        }
        self.redraw(false);
    }

    /// Shows the line anew, below itself if asked.
    fn redraw(&mut self, below: bool) {
        self.may_move = false;
        self.screen.push(if below { b'\n' } else { b'\r' });
        self.column = 0;
        if self.start == 0 {
            let prompt = self.prompt.rsplit('\n').next().unwrap_or_default();
            self.screen.extend(prompt.as_bytes());
            self.column = self.prompt_columns();
        }
        let visible = self.last_visible();
        self.show(self.start, visible);
        if !below {
            let mut blank = 0;
            while self.column < self.columns - 2 {
                self.put(' ');
                blank += 1;
            }
            self.put(self.marker());
            for _ in 0..=blank {
                self.put_back();
            }
        }
        self.back(self.at, visible);
        self.may_move = true;
    }

    /// What stands at the window's right edge.
    fn marker(&self) -> char {
        match (self.start > 0, self.last_visible() < self.line.len()) {
            (true, true) => '*',
            (false, true) => '>',
            (true, false) => '<',
            (false, false) => ' ',
        }
    }

    /// Where the window ends.
    fn last_visible(&self) -> usize {
        let prompt = if self.start == 0 {
            self.prompt_columns()
        } else {
            0
        };
        let room = (self.columns - 2).saturating_sub(prompt);
        let mut used = 0;
        let mut at = self.start;
        while let Some(character) = self.line.get(at).filter(|_| used < room) {
            used += width(*character);
            at += 1;
        }
        at
    }

    fn prompt_columns(&self) -> usize {
        let last = self.prompt.rsplit('\n').next().unwrap_or_default();
        last.chars().map(width).sum()
    }

    /// Prints the characters of a range, until the window moves.
    fn show(&mut self, from: usize, to: usize) {
        let moves = self.moves;
        let part = self.line.get(from..to).unwrap_or_default().to_vec();
        for character in part {
            if character.is_ascii_control() {
                self.put('^');
                self.put(control_letter(character));
            } else {
                self.put(character);
            }
            if moves != self.moves {
                return;
            }
        }
    }

    /// Moves the cursor back over a range.
    fn back(&mut self, to: usize, from: usize) {
        let part = self.line.get(to..from).unwrap_or_default();
        let columns: usize = part.iter().map(|c| width(*c)).sum();
        for _ in 0..columns {
            self.put_back();
        }
    }

    fn put(&mut self, character: char) {
        let mut bytes = [0; 4];
        self.screen
            .extend(character.encode_utf8(&mut bytes).as_bytes());
        self.column += 1;
        if self.may_move && self.column >= self.columns - 2 {
            self.move_window();
        }
    }

    fn put_back(&mut self) {
        self.screen.push(0x08);
        self.column = self.column.saturating_sub(1);
    }
}

/// mksh's words: names and the sign of a variable.
fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

const fn width(character: char) -> usize {
    if character.is_ascii_control() { 2 } else { 1 }
}

fn control_letter(character: char) -> char {
    u8::try_from(character).map_or('?', |byte| char::from(byte ^ 0x40))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each pair is what was typed and what a real mksh R59 (Debian's, 80 columns, prompt `# `) then sent; its tty turns
    /// LF into CR LF, which is taken back here.
    fn check(history: &[&str], typed: &[(&[u8], &str)]) {
        let history: Vec<String> = history.iter().map(|line| (*line).to_owned()).collect();
        let mut editor = Editor::new("# ", 80, &history);
        assert_eq!(editor.take_screen(), b"# ");
        for (keys, expected) in typed {
            for key in *keys {
                editor.type_byte(*key);
            }
            let screen = String::from_utf8(editor.take_screen()).unwrap();
            assert_eq!(screen.replace('\n', "\r\n"), *expected, "{keys:?}");
        }
    }

    /// A line drawn anew in 80 columns, the cursor at its end.
    fn drawn(line: &str, marker: char) -> String {
        let back = "\x08".repeat(79 - line.len());
        format!("\r{line:<78}{marker}{back}")
    }

    #[test]
    fn a_line_is_edited_as_mksh_does_it() {
        check(
            &[],
            &[
                (b"ab", "ab"),
                (b"\x7f", "\x08 \x08"),
                (b"c", "c"),
                (b"\x02", "\x08"),
                (b"x", "xc\x08"),
                (b"\x01", "\x08\x08"),
                (b"y", "yaxc\x08\x08\x08"),
                (b"\x05", "axc"),
                (b"z", "z"),
                (b"\x17", "\x08\x08\x08\x08\x08     \x08\x08\x08\x08\x08"),
                (b"q w e", "q w e"),
                (b"\x17", "\x08 \x08"),
                (b"\x15", &drawn("# ", ' ')),
                (b"\x04", "^D\r\r\n"),
            ],
        );
        check(
            &[],
            &[
                (b"abc def", "abc def"),
                (b"\x1bb", "\x08\x08\x08"),
                (b"\x1b[D", "\x08"),
                (b"\x1b[C", " "),
                (b"\x0b", "   \x08\x08\x08"),
                (b"\x19", "def"),
                (b"\x0c", "\r\n# abc def"),
                (b"\x1b[H", "\x08\x08\x08\x08\x08\x08\x08"),
                (b"\x1b[3~", "bc def \x08\x08\x08\x08\x08\x08\x08"),
                (b"\x1b[1~", ""),
                (b"\x1b[4~", "bc def"),
                (b"\r", "\r\r\n"),
            ],
        );
        check(
            &[],
            &[
                ("é".as_bytes(), "é"),
                (b"\x7f", "\x08 \x08"),
                (b"\x0e", "\x07"),
                (b"\x07", "^G\r\n"),
            ],
        );
    }

    #[test]
    fn earlier_lines_come_back() {
        check(
            &["echo 1", "echo 2"],
            &[
                (b"\x1b[A", &drawn("# echo 2", ' ')),
                (b"\x1b[A", &drawn("# echo 1", ' ')),
                (b"\x1b[B", &drawn("# echo 2", ' ')),
                (b"\x03", "^C\r\n"),
            ],
        );
    }

    #[test]
    fn a_long_line_scrolls() {
        let (x, y) = ("x".repeat(70), "y".repeat(6));
        let first = format!("{}{y}", "x".repeat(54));
        let second = format!("{}yyyyyyyzzzz{}", "x".repeat(36), "w".repeat(13));
        check(
            &[],
            &[
                (x.as_bytes(), &x),
                (b"yyyyyyy", &format!("{y}{}y", drawn(&first, '<'))),
                (b"zzzz", "zzzz"),
                (
                    b"wwwwwwwwwwwwwww",
                    &format!("{}{}ww", "w".repeat(13), drawn(&second, '<')),
                ),
                (b"\x01", &format!("\r# {x}{y}>{}", "\x08".repeat(77))),
            ],
        );
    }

    proptest! {
        #[test]
        fn any_keys_are_borne(keys in prop::collection::vec(any::<u8>(), 0..200), columns in 0u16..120) {
            let history = vec!["one".to_owned(), "x".repeat(200)];
            let mut editor = Editor::new("p$ ", columns, &history);
            for key in keys {
                editor.type_byte(key);
                prop_assert!(editor.at <= editor.line.len());
                prop_assert!(editor.start <= editor.at);
            }
        }
    }
}
