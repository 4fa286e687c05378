//! Builtins about variables: `export`, `readonly`, `unset`, `local`, `typeset`, `let`, `getopts`.

use super::reader::is_name;
use super::simple::quoted;
use super::state::{Flow, Shell};

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
                Some(value) => text.push_str(&format!("{name} {variable}={}\n", quoted(value))),
                None => text.push_str(&format!("{name} {variable}\n")),
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
        // `OPTIND` may carry the place inside a group of letters after a dot-less second number.
        let (index, letter) = position.split_once('+').unwrap_or((position, "1"));
        let index = index.parse::<usize>().unwrap_or(1).max(1);
        let letter = letter.parse::<usize>().unwrap_or(1).max(1);
        let word: Vec<char> = words
            .get(index - 1)
            .map_or("", String::as_str)
            .chars()
            .collect();
        let is_option = word.first() == Some(&'-') && word.len() > 1 && word != ['-', '-'];
        let Some(option) = word.get(letter).copied().filter(|_| is_option) else {
            let next = if word == ['-', '-'] { index + 1 } else { index };
            self.assign_all(&[("OPTIND", &next.to_string()), (name, "?")])
                .await?;
            return Ok(1);
        };
        let is_last = letter + 1 >= word.len();
        let next = if is_last {
            (index + 1).to_string()
        } else {
            format!("{index}+{}", letter + 1)
        };
        let known = letters
            .trim_start_matches(':')
            .find(option)
            .filter(|_| option != ':');
        let quiet = letters.starts_with(':');
        let Some(at) = known else {
            if !quiet {
                self.complain(&format!("-{option}: unknown option"), 1)
                    .await?;
            }
            let shown = if quiet {
                option.to_string()
            } else {
                String::new()
            };
            self.assign_all(&[("OPTIND", &next), (name, "?"), ("OPTARG", &shown)])
                .await?;
            return Ok(0);
        };
        let after = letters
            .trim_start_matches(':')
            .get(at + option.len_utf8()..);
        if !after.is_some_and(|after| after.starts_with(':')) {
            let option = option.to_string();
            self.assign_all(&[("OPTIND", &next), (name, &option), ("OPTARG", "")])
                .await?;
            return Ok(0);
        }
        let (value, next) = if is_last {
            (words.get(index).cloned(), index + 2)
        } else {
            (
                word.get(letter + 1..).map(|rest| rest.iter().collect()),
                index + 1,
            )
        };
        let next = next.to_string();
        match value {
            Some(value) => {
                let option = option.to_string();
                self.assign_all(&[("OPTIND", &next), (name, &option), ("OPTARG", &value)])
                    .await?;
            }
            None => {
                if !quiet {
                    self.complain(&format!("-{option}: requires an argument"), 1)
                        .await?;
                }
                let shown = if quiet { ":" } else { "?" };
                self.assign_all(&[("OPTIND", &next), (name, shown)]).await?;
            }
        }
        Ok(0)
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
