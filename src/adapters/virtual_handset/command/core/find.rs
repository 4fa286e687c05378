//! `find`: walks a tree and tests what it meets.

use super::super::lookup::start;
use super::file::remove;
use super::path::size;
use crate::adapters::virtual_handset::files::node::Metadata;
use crate::adapters::virtual_handset::files::path::base;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::adapters::virtual_handset::kernel::user::id_of;
use crate::adapters::virtual_handset::shell::pattern::{matches, unquoted};
use std::cmp::Ordering;

/// Paths one call visits.
const MAX_PATHS: usize = 200_000;

/// What is asked of a path.
enum Test {
    Name(String, bool),
    Path(String),
    Type(char),
    Size(Ordering, u64),
    Minutes(Ordering, i64),
    Newer(i64),
    User(u32),
    Mode(u32, bool),
    Empty,
    Not(Box<Self>),
    Or(Vec<Self>, Vec<Self>),
    Print,
    PrintZero,
    Prune,
    Delete,
    Execute(Vec<String>),
}

/// A call's plan.
struct Plan {
    tests: Vec<Test>,
    min_depth: usize,
    max_depth: usize,
    deepest_first: bool,
}

/// `find [path…] [expression]`
pub(super) async fn find(process: &mut Process) -> Result<u8, Stop> {
    let words = process.arguments.get(1..).unwrap_or_default().to_vec();
    let is_test = |word: &String| word.starts_with('-') || word == "!" || word == "(";
    let split = words.iter().position(is_test).unwrap_or(words.len());
    let (paths, expression) = words.split_at(split);
    let mut plan = match plan(process, expression) {
        Ok(plan) => plan,
        Err(word) => return process.refuse(&format!("bad arg '{word}'"), 1).await,
    };
    if !plan.tests.iter().any(acts) {
        plan.tests.push(Test::Print);
    }
    let here = [String::from(".")];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut code = 0;
    for path in paths {
        let mut pending = vec![(path.clone(), 0usize, false)];
        let mut seen = 0;
        while let Some((path, depth, done)) = pending.pop() {
            seen += 1;
            if seen > MAX_PATHS {
                break;
            }
            let found = match process.metadata(&path, false) {
                Ok(found) => found,
                Err(error) => {
                    code = process.refuse(&format!("'{path}': {error}"), 1).await?;
                    continue;
                }
            };
            let descends = found.is_directory() && depth < plan.max_depth;
            if plan.deepest_first && descends && !done {
                pending.push((path.clone(), depth, true));
            }
            let mut pruned = false;
            if (!plan.deepest_first || !descends || done) && depth >= plan.min_depth {
                pruned = judge(process, &plan.tests, &path, &found).await?.1;
            }
            if descends && !done && !pruned {
                let full = process.path(&path);
                let user = process.user.clone();
                let listed = process.handset.with(|world| world.files.list(&user, &full));
                match listed {
                    Ok(entries) => {
                        let trimmed = path.trim_end_matches('/');
                        for (name, _) in entries.iter().rev() {
                            pending.push((format!("{trimmed}/{name}"), depth + 1, false));
                        }
                    }
                    Err(error) => {
                        code = process.refuse(&format!("{path}: {error}"), 1).await?;
                    }
                }
            }
        }
    }
    Ok(code)
}

/// Whether a test does something, so that printing is not implied.
fn acts(test: &Test) -> bool {
    match test {
        Test::Print | Test::PrintZero | Test::Delete | Test::Execute(_) => true,
        Test::Not(inner) => acts(inner),
        Test::Or(left, right) => left.iter().chain(right).any(acts),
        _ => false,
    }
}

/// Runs tests until one fails; also whether what is below is to be left out.
fn judge<'a>(
    process: &'a mut Process,
    tests: &'a [Test],
    path: &'a str,
    found: &'a Metadata,
) -> crate::ports::BoxFuture<'a, Result<(bool, bool), Stop>> {
    Box::pin(async move {
        let mut pruned = false;
        for test in tests {
            let holds = match test {
                Test::Or(left, right) => {
                    let (holds, prunes) = judge(process, left, path, found).await?;
                    pruned |= prunes;
                    if holds {
                        true
                    } else {
                        let (holds, prunes) = judge(process, right, path, found).await?;
                        pruned |= prunes;
                        holds
                    }
                }
                Test::Not(inner) => {
                    !judge(process, std::slice::from_ref(inner), path, found)
                        .await?
                        .0
                }
                Test::Print => {
                    process.print(format!("{path}\n")).await?;
                    true
                }
                Test::PrintZero => {
                    process.print(format!("{path}\0")).await?;
                    true
                }
                Test::Prune => {
                    pruned = true;
                    true
                }
                Test::Delete => {
                    let full = process.path(path);
                    match remove(process, &full, false, 0) {
                        Ok(()) => true,
                        Err(_) => {
                            let user = process.user.clone();
                            let removed = process
                                .handset
                                .with(|world| world.files.remove_directory(&user, &full));
                            removed.is_ok()
                        }
                    }
                }
                Test::Execute(words) => {
                    let words: Vec<String> =
                        words.iter().map(|word| word.replace("{}", path)).collect();
                    match start(process, words, |_| {}) {
                        Ok(child) => process.wait(&child).await?.code() == 0,
                        Err(_) => false,
                    }
                }
                test => holds(process, test, path, found),
            };
            if !holds {
                return Ok((false, pruned));
            }
        }
        Ok((true, pruned))
    })
}

fn holds(process: &Process, test: &Test, path: &str, found: &Metadata) -> bool {
    let fits =
        |pattern: &str, text: &str| matches(&unquoted(pattern), &text.chars().collect::<Vec<_>>());
    match test {
        Test::Name(pattern, false) => fits(pattern, base(path)),
        Test::Name(pattern, true) => fits(&pattern.to_lowercase(), &base(path).to_lowercase()),
        Test::Path(pattern) => fits(pattern, path),
        Test::Type('f') => found.is_regular(),
        Test::Type('d') => found.is_directory(),
        Test::Type('l') => found.is_symlink(),
        Test::Type('c') => found.device.is_some(),
        Test::Size(ordering, len) => found.len.cmp(len) == *ordering,
        Test::Minutes(ordering, minutes) => {
            let now = process.handset.with(|world| world.unix_seconds());
            ((now - found.mtime) / 60).cmp(minutes) == *ordering
        }
        Test::Newer(time) => found.mtime > *time,
        Test::User(uid) => found.uid == *uid,
        Test::Mode(bits, true) => found.mode & bits == *bits,
        Test::Mode(bits, false) => found.mode & 0o7777 == *bits,
        Test::Empty => {
            let full = process.path(path);
            let user = &process.user;
            let listed = process.handset.with(|world| world.files.list(user, &full));
            if found.is_directory() {
                listed.is_ok_and(|entries| entries.is_empty())
            } else {
                found.len == 0
            }
        }
        _ => false,
    }
}

fn plan(process: &Process, words: &[String]) -> Result<Plan, String> {
    let mut plan = Plan {
        tests: Vec::new(),
        min_depth: 0,
        max_depth: usize::MAX,
        deepest_first: false,
    };
    let mut words = words.iter().cloned();
    plan.tests = sequence(process, &mut words, &mut plan, 0)?;
    Ok(plan)
}

/// Tests up to the end, or to a closing parenthesis.
fn sequence(
    process: &Process,
    words: &mut dyn Iterator<Item = String>,
    plan: &mut Plan,
    depth: usize,
) -> Result<Vec<Test>, String> {
    let mut tests: Vec<Test> = Vec::new();
    let mut negated = false;
    while let Some(word) = words.next() {
        let test = match word.as_str() {
            ")" => break,
            "!" | "-not" => {
                negated = !negated;
                continue;
            }
            "-a" | "-and" => continue,
            "-o" | "-or" if depth < 20 => {
                let right = sequence(process, words, plan, depth + 1)?;
                return Ok(vec![Test::Or(tests, right)]);
            }
            "(" if depth < 20 => {
                let inner = sequence(process, words, plan, depth + 1)?;
                Test::Or(
                    inner,
                    vec![Test::Not(Box::new(Test::Or(Vec::new(), Vec::new())))],
                )
            }
            "-depth" | "-xdev" => {
                plan.deepest_first |= word == "-depth";
                continue;
            }
            "-mindepth" | "-maxdepth" => {
                let number = words
                    .next()
                    .and_then(|text| text.parse().ok())
                    .ok_or(&word)?;
                if word == "-mindepth" {
                    plan.min_depth = number;
                } else {
                    plan.max_depth = number;
                }
                continue;
            }
            _ => {
                plan.deepest_first |= word == "-delete";
                test(process, &word, words).ok_or(word)?
            }
        };
        tests.push(if std::mem::take(&mut negated) {
            Test::Not(Box::new(test))
        } else {
            test
        });
    }
    Ok(tests)
}

fn test(process: &Process, word: &str, words: &mut dyn Iterator<Item = String>) -> Option<Test> {
    Some(match word {
        "-print" => Test::Print,
        "-print0" => Test::PrintZero,
        "-prune" => Test::Prune,
        "-delete" => Test::Delete,
        "-empty" => Test::Empty,
        "-name" => Test::Name(words.next()?, false),
        "-iname" => Test::Name(words.next()?, true),
        "-path" => Test::Path(words.next()?),
        "-type" => Test::Type(words.next()?.chars().next()?),
        "-newer" => Test::Newer(process.metadata(&words.next()?, true).ok()?.mtime),
        "-user" => Test::User(id_of(&words.next()?)?),
        "-size" => {
            let text = words.next()?;
            let (ordering, text) = compared(&text);
            let len = if text.ends_with(|c: char| c.is_ascii_digit()) {
                size(text)?.checked_mul(512)?
            } else {
                size(text)?
            };
            Test::Size(ordering, len)
        }
        "-mmin" | "-mtime" => {
            let text = words.next()?;
            let (ordering, text) = compared(&text);
            let unit = if word == "-mtime" { 24 * 60 } else { 1 };
            Test::Minutes(ordering, text.parse::<i64>().ok()?.checked_mul(unit)?)
        }
        "-perm" => {
            let text = words.next()?;
            let bits = u32::from_str_radix(text.trim_start_matches(['-', '/']), 8).ok()?;
            Test::Mode(bits, text.starts_with('-'))
        }
        "-exec" | "-execdir" => {
            let mut command = Vec::new();
            loop {
                match words.next()?.as_str() {
                    ";" | "+" => break,
                    word => command.push(word.to_owned()),
                }
            }
            Test::Execute(command)
        }
        _ => return None,
    })
}

fn compared(text: &str) -> (Ordering, &str) {
    match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (Ordering::Greater, rest),
        (_, Some(rest)) => (Ordering::Less, rest),
        _ => (Ordering::Equal, text),
    }
}
