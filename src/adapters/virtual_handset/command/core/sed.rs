//! `sed`: the commands that scripts use: `s`, `p`, `d`, `q`, `=`, `y`, `a`, `i`, `c`, with addresses.

use super::super::regex::compile;
use super::super::support::{lines, options};
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use regex::bytes::{Captures, Regex};
use std::collections::VecDeque;

/// Commands of one script.
const MAX_COMMANDS: usize = 1000;

/// Bytes one line may become.
const MAX_LINE: usize = 8 << 20;

/// Where a command applies.
enum Address {
    Line(usize),
    Last,
    Match(Regex),
}

struct Command {
    from: Option<Address>,
    to: Option<Address>,
    negated: bool,
    /// Inside a range that has begun.
    active: bool,
    action: Action,
}

enum Action {
    Substitute {
        regex: Regex,
        replacement: Vec<Part>,
        global: bool,
        print: bool,
        nth: usize,
    },
    Translate(Vec<char>, Vec<char>),
    Print,
    Delete,
    Quit,
    Number,
    Append(String),
    Insert(String),
    Change(String),
}

/// A piece of a replacement.
enum Part {
    Text(Vec<u8>),
    Group(usize),
}

/// `sed [-nErisz] [-e script] [-f file] [script] [file…]`
pub(super) async fn sed(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "nErisz", "ef", &[], false);
    let mut options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let mut scripts: Vec<String> = options.values('e').map(str::to_owned).collect();
    for name in options.values('f').map(str::to_owned).collect::<Vec<_>>() {
        match process.read_operand(&name).await? {
            Ok(bytes) => scripts.push(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => return process.refuse(&format!("{name}: {error}"), 1).await,
        }
    }
    if scripts.is_empty() {
        if options.operands.is_empty() {
            return process.usage("no pattern").await;
        }
        scripts.push(options.operands.remove(0));
    }
    let extended = options.has('E') || options.has('r');
    let script = scripts.join("\n");
    let mut commands = match parse(&script, extended) {
        Ok(commands) => commands,
        Err(at) => {
            let text = format!("bad pattern '{script}'@{at}");
            return process.refuse(&text, 1).await;
        }
    };
    let quiet = options.has('n');
    let (files, failed) = process.read_operands(&options.operands).await?;
    if options.has('i') {
        for (name, bytes) in files {
            let out = run(&mut commands, &bytes, quiet);
            if let Err(error) = process.write_file(&name, out) {
                return process.refuse(&format!("{name}: {error}"), 1).await;
            }
        }
        return Ok(u8::from(failed));
    }
    let all: Vec<u8> = files
        .iter()
        .flat_map(|(_, bytes)| bytes.iter().copied())
        .collect();
    let out = run(&mut commands, &all, quiet);
    process.print(out).await?;
    Ok(u8::from(failed))
}

fn run(commands: &mut [Command], bytes: &[u8], quiet: bool) -> Vec<u8> {
    let (all, ended) = lines(bytes);
    let mut out = Vec::new();
    let count = all.len();
    for (index, line) in all.iter().enumerate() {
        let is_last = index + 1 == count;
        let newline = !is_last || ended;
        let quits = cycle(
            commands,
            line,
            (index + 1, is_last, newline),
            quiet,
            &mut out,
        );
        if quits {
            break;
        }
    }
    out
}

/// Runs the script on one line; `true` when it ends there.
fn cycle(
    commands: &mut [Command],
    line: &[u8],
    (number, is_last, newline): (usize, bool, bool),
    quiet: bool,
    out: &mut Vec<u8>,
) -> bool {
    let mut space = line.to_vec();
    let mut after = Vec::new();
    let put = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend_from_slice(bytes);
        if newline {
            out.push(b'\n');
        }
    };
    for command in commands {
        if !applies(command, &space, number, is_last) {
            continue;
        }
        match &command.action {
            Action::Print => put(out, &space),
            Action::Delete => {
                out.append(&mut after);
                return false;
            }
            Action::Quit => {
                if !quiet {
                    put(out, &space);
                }
                out.append(&mut after);
                return true;
            }
            Action::Number => out.extend_from_slice(format!("{number}\n").as_bytes()),
            Action::Append(text) => after.extend_from_slice(format!("{text}\n").as_bytes()),
            Action::Insert(text) => out.extend_from_slice(format!("{text}\n").as_bytes()),
            Action::Change(text) => {
                out.extend_from_slice(format!("{text}\n").as_bytes());
                return false;
            }
            Action::Translate(from, to) => space = translate(&space, from, to),
            Action::Substitute {
                regex,
                replacement,
                global,
                print,
                nth,
            } => {
                if let Some(changed) = substitute(&space, regex, replacement, *global, *nth) {
                    space = changed;
                    if *print {
                        put(out, &space);
                    }
                }
            }
        }
    }
    if !quiet {
        put(out, &space);
    }
    out.append(&mut after);
    false
}

fn applies(command: &mut Command, line: &[u8], number: usize, is_last: bool) -> bool {
    let fits = |address: &Address| match address {
        Address::Line(line) => *line == number,
        Address::Last => is_last,
        Address::Match(regex) => regex.is_match(line),
    };
    let within = match (&command.from, &command.to) {
        (None, _) => true,
        (Some(from), None) => fits(from),
        (Some(from), Some(to)) => {
            if command.active {
                let past = matches!(to, Address::Line(line) if number > *line);
                command.active = !(fits(to) || past);
                !past
            } else if fits(from) {
                let over = matches!(to, Address::Line(line) if *line <= number);
                command.active = !over;
                true
            } else {
                false
            }
        }
    };
    within != command.negated
}

fn translate(line: &[u8], from: &[char], to: &[char]) -> Vec<u8> {
    String::from_utf8_lossy(line)
        .chars()
        .map(|c| {
            let at = from.iter().position(|known| *known == c);
            at.and_then(|at| to.get(at).copied()).unwrap_or(c)
        })
        .collect::<String>()
        .into_bytes()
}

fn substitute(
    line: &[u8],
    regex: &Regex,
    replacement: &[Part],
    global: bool,
    nth: usize,
) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut changed = false;
    for (index, captures) in regex.captures_iter(line).enumerate() {
        if index + 1 < nth || (!global && index + 1 > nth) {
            continue;
        }
        let whole = captures.get(0)?;
        out.extend_from_slice(line.get(at..whole.start())?);
        fill(&mut out, replacement, &captures);
        at = whole.end();
        changed = true;
        if out.len() > MAX_LINE {
            break;
        }
    }
    out.extend_from_slice(line.get(at..)?);
    changed.then_some(out)
}

fn fill(out: &mut Vec<u8>, replacement: &[Part], captures: &Captures<'_>) {
    for part in replacement {
        match part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Group(number) => {
                if let Some(group) = captures.get(*number) {
                    out.extend_from_slice(group.as_bytes());
                }
            }
        }
    }
}

/// Reads a script; an error is the place where it stopped making sense.
fn parse(script: &str, extended: bool) -> Result<Vec<Command>, usize> {
    let mut chars: VecDeque<char> = script.chars().collect();
    let len = chars.len();
    let mut commands = Vec::new();
    loop {
        while chars
            .front()
            .is_some_and(|c| c.is_whitespace() || *c == ';' || *c == '}')
        {
            chars.pop_front();
        }
        if chars.is_empty() {
            return Ok(commands);
        }
        let command = command(&mut chars, extended).ok_or(len - chars.len())?;
        commands.push(command);
        if commands.len() > MAX_COMMANDS {
            return Err(len - chars.len());
        }
    }
}

fn command(chars: &mut VecDeque<char>, extended: bool) -> Option<Command> {
    let from = address(chars, extended)?;
    let mut to = None;
    if from.is_some() && chars.front() == Some(&',') {
        chars.pop_front();
        to = Some(address(chars, extended)??);
    }
    blanks(chars);
    let negated = chars.front() == Some(&'!');
    if negated {
        chars.pop_front();
        blanks(chars);
    }
    let action = match chars.pop_front()? {
        'p' => Action::Print,
        'd' => Action::Delete,
        'q' => Action::Quit,
        '=' => Action::Number,
        's' => substitution(chars, extended)?,
        'y' => {
            let mark = chars.pop_front()?;
            let from: Vec<char> = delimited(chars, mark)?.chars().collect();
            let to: Vec<char> = delimited(chars, mark)?.chars().collect();
            if from.len() != to.len() {
                return None;
            }
            Action::Translate(from, to)
        }
        'a' => Action::Append(text(chars)),
        'i' => Action::Insert(text(chars)),
        'c' => Action::Change(text(chars)),
        _ => return None,
    };
    blanks(chars);
    if chars
        .front()
        .is_some_and(|c| !matches!(c, ';' | '\n' | '}' | '#'))
    {
        return None;
    }
    Some(Command {
        from,
        to,
        negated,
        active: false,
        action,
    })
}

fn blanks(chars: &mut VecDeque<char>) {
    while matches!(chars.front(), Some(' ' | '\t')) {
        chars.pop_front();
    }
}

/// The text of `a`, `i` and `c`: to the end of the line.
fn text(chars: &mut VecDeque<char>) -> String {
    blanks(chars);
    if chars.front() == Some(&'\\') {
        chars.pop_front();
        if chars.front() == Some(&'\n') {
            chars.pop_front();
        }
    }
    let mut text = String::new();
    while let Some(c) = chars.front().copied().filter(|c| *c != '\n') {
        text.push(c);
        chars.pop_front();
    }
    text
}

#[expect(
    clippy::option_option,
    reason = "no address, a bad one and a good one are three things"
)]
fn address(chars: &mut VecDeque<char>, extended: bool) -> Option<Option<Address>> {
    match chars.front().copied() {
        Some('$') => {
            chars.pop_front();
            Some(Some(Address::Last))
        }
        Some(c) if c.is_ascii_digit() => {
            let mut number = 0usize;
            while let Some(digit) = chars.front().and_then(|c| c.to_digit(10)) {
                number = number
                    .saturating_mul(10)
                    .saturating_add(usize::try_from(digit).ok()?);
                chars.pop_front();
            }
            Some(Some(Address::Line(number)))
        }
        Some('/') => {
            chars.pop_front();
            let pattern = delimited(chars, '/')?;
            Some(Some(Address::Match(
                compile(&pattern, extended, false).ok()?,
            )))
        }
        Some('\\') => {
            chars.pop_front();
            let mark = chars.pop_front()?;
            let pattern = delimited(chars, mark)?;
            Some(Some(Address::Match(
                compile(&pattern, extended, false).ok()?,
            )))
        }
        _ => Some(None),
    }
}

/// Text up to a delimiter, which is taken; an escaped delimiter stands for itself.
fn delimited(chars: &mut VecDeque<char>, mark: char) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.pop_front()? {
            c if c == mark => return Some(text),
            '\\' => match chars.pop_front()? {
                c if c == mark => text.push(c),
                c => text.extend(['\\', c]),
            },
            c => text.push(c),
        }
    }
}

fn substitution(chars: &mut VecDeque<char>, extended: bool) -> Option<Action> {
    let mark = chars.pop_front()?;
    let pattern = delimited(chars, mark)?;
    let replacement = parts(&delimited(chars, mark)?)?;
    let (mut global, mut print, mut ignore_case, mut nth) = (false, false, false, 1);
    while let Some(flag) = chars.front().copied() {
        match flag {
            'g' => global = true,
            'p' => print = true,
            'i' | 'I' => ignore_case = true,
            c if c.is_ascii_digit() => nth = usize::try_from(c.to_digit(10)?).ok()?.max(1),
            _ => break,
        }
        chars.pop_front();
    }
    Some(Action::Substitute {
        regex: compile(&pattern, extended, ignore_case).ok()?,
        replacement,
        global,
        print,
        nth,
    })
}

fn parts(text: &str) -> Option<Vec<Part>> {
    let mut parts = vec![Part::Text(Vec::new())];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let group = match c {
            '&' => Some(0),
            '\\' => {
                let next = chars.next()?;
                match next {
                    '0'..='9' => Some(usize::try_from(next.to_digit(10)?).ok()?),
                    'n' => {
                        literal(&mut parts, '\n');
                        None
                    }
                    't' => {
                        literal(&mut parts, '\t');
                        None
                    }
                    next => {
                        literal(&mut parts, next);
                        None
                    }
                }
            }
            c => {
                literal(&mut parts, c);
                None
            }
        };
        if let Some(group) = group {
            parts.push(Part::Group(group));
        }
    }
    Some(parts)
}

fn literal(parts: &mut Vec<Part>, c: char) {
    let mut buffer = [0; 4];
    let bytes = c.encode_utf8(&mut buffer).as_bytes();
    match parts.last_mut() {
        Some(Part::Text(text)) => text.extend_from_slice(bytes),
        _ => parts.push(Part::Text(bytes.to_vec())),
    }
}
