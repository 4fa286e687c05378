//! Builtins about variables: `export`, `readonly`, `unset`, `local`, `typeset`, `let`, `getopts`.

use super::reader::is_name;
use super::simple::quoted;
use super::state::{Flow, Shell};
use std::fmt::Write;

impl Shell<'_> {
    /// Runs one of these builtins.
    pub(super) async fn variable_builtin(
        &mut self,
        name: &str,
        arguments: &[String],
    ) -> Result<u8, Flow> {
        match name {
            "unset" => self.unset(arguments).await,
            "let" => {
                let mut value = 0;
                for expression in arguments {
                    value = self.calculate(expression).await?;
                }
                Ok(u8::from(value == 0))
            }
            "getopts" => self.getopts(arguments).await,
            _ => self.declare(name, arguments).await,
        }
    }

    async fn declare(&mut self, name: &str, arguments: &[String]) -> Result<u8, Flow> {
        let (mut export, mut protect, mut integer) = (name == "export", name == "readonly", false);
        let mut names: Vec<&String> = Vec::new();
        let mut print = arguments.is_empty();
        for argument in arguments {
            match argument.strip_prefix('-') {
                Some(letters) if names.is_empty() => {
                    export |= letters.contains('x');
                    protect |= letters.contains('r');
                    integer |= letters.contains('i');
                    print |= letters == "p";
                }
                _ => names.push(argument),
            }
        }
        if print && names.is_empty() {
            return self.print_declared(name).await;
        }
        for argument in names {
            let (variable, value) = match argument.split_once('=') {
                Some((variable, value)) => (variable, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            if !is_name(variable) {
                let text = format!("{name}: {argument}: not an identifier");
                return Err(self.fail(&text, 1).await);
            }
            if matches!(name, "local" | "typeset") {
                self.state.variables.localize(variable);
            }
            if let Some(mut value) = value {
                if integer {
                    value = self.calculate(&value).await?.to_string();
                }
                if self.state.variables.assign(variable, value).is_err() {
                    return Err(self.fail(&format!("read-only: {variable}"), 2).await);
                }
            }
            if export {
                self.state.variables.export(variable);
            }
            if protect {
                self.state.variables.protect(variable);
            }
        }
        Ok(0)
    }

    async fn print_declared(&mut self, name: &str) -> Result<u8, Flow> {
        let mut text = String::new();
        for (variable, state) in self.state.variables.iter() {
            let listed = match name {
                "export" => state.exported,
                "readonly" => state.read_only,
                _ => true,
            };
            if !listed {
                continue;
            }
            match &state.value {
                Some(value) => {
                    let _ = writeln!(text, "{name} {variable}={}", quoted(value));
                }
                None => {
                    let _ = writeln!(text, "{name} {variable}");
                }
            }
        }
        self.process.print(text).await?;
        Ok(0)
    }

    async fn unset(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let mut functions = false;
        for argument in arguments {
            match argument.as_str() {
                "-f" => functions = true,
                "-v" => functions = false,
                name if functions => {
                    self.state.functions.remove(name);
                }
                name => {
                    if self.state.variables.unset(name).is_err() {
                        return Err(self.fail(&format!("unset: read-only: {name}"), 1).await);
                    }
                }
            }
        }
        Ok(0)
    }

    /// `getopts letters name [argument…]`
    async fn getopts(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let (Some(letters), Some(name)) = (arguments.first(), arguments.get(1)) else {
            return self.complain("getopts: missing options argument", 1).await;
        };
        let words = match arguments.get(2..) {
            Some(words) if !words.is_empty() => words.to_vec(),
            _ => self.state.positional.clone(),
        };
        let position = self.state.variables.value("OPTIND").unwrap_or("1");
        let next = next_option(letters, &words, position);
        if let Some(complaint) = &next.complaint {
            self.complain(complaint, 1).await?;
        }
        self.assign_all(&[("OPTIND", &next.position), (name, &next.option)])
            .await?;
        if let Some(argument) = &next.argument {
            self.assign_all(&[("OPTARG", argument)]).await?;
        }
        Ok(u8::from(next.is_end))
    }

    async fn assign_all(&mut self, pairs: &[(&str, &str)]) -> Result<(), Flow> {
        for (name, value) in pairs {
            if self.state.variables.assign(name, *value).is_err() {
                return Err(self.fail(&format!("read-only: {name}"), 2).await);
            }
        }
        Ok(())
    }
}

/// One step of `getopts`.
#[derive(Default)]
struct NextOption {
    /// The new `OPTIND`. Inside a group of letters a plus sign and the place in it follow.
    position: String,
    option: String,
    argument: Option<String>,
    complaint: Option<String>,
    is_end: bool,
}

fn next_option(letters: &str, words: &[String], position: &str) -> NextOption {
    let (index, letter) = position.split_once('+').unwrap_or((position, "1"));
    let index = index.parse::<usize>().unwrap_or(1).max(1);
    let letter = letter.parse::<usize>().unwrap_or(1).max(1);
    let word = words.get(index - 1).map_or("", String::as_str);
    let chars: Vec<char> = word.chars().collect();
    let is_option = word.starts_with('-') && word.len() > 1 && word != "--";
    let Some(option) = chars.get(letter).copied().filter(|_| is_option) else {
        return NextOption {
            position: (index + usize::from(word == "--")).to_string(),
            option: "?".to_owned(),
            is_end: true,
            ..NextOption::default()
        };
    };
    let is_last = letter + 1 >= chars.len();
    let after_letter = if is_last {
        (index + 1).to_string()
    } else {
        format!("{index}+{}", letter + 1)
    };
    let quiet = letters.starts_with(':');
    let known = letters.trim_start_matches(':');
    let Some(at) = known.find(option).filter(|_| option != ':') else {
        return NextOption {
            position: after_letter,
            option: "?".to_owned(),
            argument: Some(if quiet {
                option.to_string()
            } else {
                String::new()
            }),
            complaint: (!quiet).then(|| format!("-{option}: unknown option")),
            is_end: false,
        };
    };
    let takes_argument = known
        .get(at + option.len_utf8()..)
        .is_some_and(|after| after.starts_with(':'));
    if !takes_argument {
        return NextOption {
            position: after_letter,
            option: option.to_string(),
            argument: Some(String::new()),
            ..NextOption::default()
        };
    }
    let (argument, position) = if is_last {
        (words.get(index).cloned(), index + 2)
    } else {
        (
            chars.get(letter + 1..).map(|rest| rest.iter().collect()),
            index + 1,
        )
    };
    let missing = argument.is_none();
    NextOption {
        position: position.to_string(),
        option: match (missing, quiet) {
            (false, _) => option.to_string(),
            (true, true) => ":".to_owned(),
            (true, false) => "?".to_owned(),
        },
        argument,
        complaint: (missing && !quiet).then(|| format!("-{option}: requires an argument")),
        is_end: false,
    }
}
