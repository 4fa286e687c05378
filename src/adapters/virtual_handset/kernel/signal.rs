//! Signals by number and name, and how a process ended. Nothing here delivers one.

/// Hang-up.
pub(crate) const HUP: u8 = 1;
/// Interrupt (Ctrl-C).
pub(crate) const INT: u8 = 2;
/// Quit (Ctrl-\).
pub(crate) const QUIT: u8 = 3;
/// Kill; can not be caught.
pub(crate) const KILL: u8 = 9;
/// A pipe without a reader.
pub(crate) const PIPE: u8 = 13;
/// Goes on after a stop.
pub(crate) const CONT: u8 = 18;
/// Stop (Ctrl-Z).
pub(crate) const TSTP: u8 = 20;
/// The window's size has changed.
pub(crate) const WINCH: u8 = 28;
/// Terminate.
pub(crate) const TERM: u8 = 15;

/// Linux's names, as `kill -l` prints them.
const NAMES: &[(u8, &str)] = &[
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (17, "CHLD"),
    (18, "CONT"),
    (19, "STOP"),
    (20, "TSTP"),
    (21, "TTIN"),
    (22, "TTOU"),
    (28, "WINCH"),
];

/// A signal by number or name, `SIG` optional.
pub(crate) fn parse(text: &str) -> Option<u8> {
    if let Ok(number) = text.parse::<u8>() {
        return (number <= 64).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    NAMES
        .iter()
        .find(|(_, name)| *name == bare)
        .map(|(number, _)| *number)
}

/// Whether the default action stops the process until it is told to go on.
pub(crate) const fn is_stop(signal: u8) -> bool {
    matches!(signal, 19..=22)
}

/// Whether the default action leaves the process running.
pub(crate) const fn is_harmless(signal: u8) -> bool {
    matches!(signal, 0 | 17..=22 | 23 | 28)
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// By itself.
    Exited(u8),
    /// By a signal.
    Signaled(u8),
}

impl Status {
    /// `$?` as a shell reports it.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128u8.wrapping_add(signal),
        }
    }
}

/// What a shell says of a process that a signal ended.
pub(crate) const fn description(signal: u8) -> &'static str {
    match signal {
        1 => "Hangup",
        3 => "Quit",
        4 => "Illegal instruction",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        9 => "Killed",
        10 => "User signal 1",
        11 => "Segmentation fault",
        12 => "User signal 2",
        14 => "Alarm clock",
        15 => "Terminated",
        _ => "Unknown signal",
    }
}

/// A signal's name without `SIG`.
pub(crate) fn name(signal: u8) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(number, _)| *number == signal)
        .map(|(_, name)| *name)
}
