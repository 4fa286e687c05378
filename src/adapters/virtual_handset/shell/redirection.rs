//! Redirections: descriptors of the shell's process are changed, and put back by the caller.

use super::state::{Flow, Shell};
use super::syntax::{Redirect, Target, Word};
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::system::OpenMode;
use crate::adapters::virtual_handset::kernel::descriptor::{Descriptor, OpenText};
use std::sync::Arc;

/// A redirection failed and has been complained of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

impl Shell<'_> {
    /// Applies redirections in order.
    pub(super) async fn redirect(
        &mut self,
        redirects: &[Redirect],
    ) -> Result<Result<(), Refused>, Flow> {
        for redirect in redirects {
            let (default, opened) = match &redirect.to {
                Target::Read(word) => (0, self.opened(word, false, reading()).await?),
                Target::Write(word) => {
                    let mode = OpenMode {
                        exclusive: self.state.options.no_clobber,
                        truncate: true,
                        ..writing()
                    };
                    (1, self.opened(word, false, mode).await?)
                }
                Target::Append(word) => (1, self.opened(word, true, writing()).await?),
                Target::ReadWrite(word) => {
                    let mode = OpenMode {
                        read: true,
                        ..writing()
                    };
                    (0, self.opened(word, false, mode).await?)
                }
                Target::Here(body) => {
                    let text = match body.get() {
                        Some(word) => self.text(word).await?,
                        None => String::new(),
                    };
                    (0, Ok(text_descriptor(text)))
                }
                Target::HereString(word) => {
                    let text = self.text(word).await?;
                    (0, Ok(text_descriptor(text + "\n")))
                }
                Target::Duplicate { input, word } => {
                    let default = u32::from(!*input);
                    let number = redirect.descriptor.unwrap_or(default);
                    let source = self.text(word).await?;
                    if source == "-" {
                        self.process.descriptors.remove(&number);
                        continue;
                    }
                    let found = source
                        .parse()
                        .ok()
                        .and_then(|n: u32| self.process.descriptors.get(&n).cloned());
                    let sign = if *input { '<' } else { '>' };
                    let shown = redirect
                        .descriptor
                        .map_or_else(String::new, |n| n.to_string());
                    let refused = format!("{shown}{sign}&{source} : bad file descriptor");
                    (default, found.ok_or(refused))
                }
            };
            match opened {
                Ok(descriptor) => {
                    let number = redirect.descriptor.unwrap_or(default);
                    self.process.descriptors.insert(number, descriptor);
                }
                Err(why) => {
                    self.warn(&why).await?;
                    return Ok(Err(Refused));
                }
            }
        }
        Ok(Ok(()))
    }

    async fn opened(
        &mut self,
        word: &Word,
        append: bool,
        mode: OpenMode,
    ) -> Result<Result<Descriptor, String>, Flow> {
        let path = self.text(word).await?;
        // `noclobber` protects regular files only.
        let is_regular = || {
            self.process
                .metadata(&path, true)
                .is_ok_and(|m| m.is_regular())
        };
        let mode = OpenMode {
            exclusive: mode.exclusive && is_regular(),
            ..mode
        };
        let opened = match self.process.open(&path, mode, append) {
            Ok(Descriptor::Directory) if mode.write => Err(FileError::IsDirectory),
            other => other,
        };
        let old = self.is_old();
        Ok(opened.map_err(|error| {
            let verb = if mode.write { "create" } else { "open" };
            if old {
                format!("can't {verb} {path}: {error}")
            } else {
                format!("{path}: {verb}: {error}")
            }
        }))
    }
}

fn text_descriptor(text: String) -> Descriptor {
    Descriptor::Text(Arc::new(OpenText::new(text.into_bytes())))
}

fn reading() -> OpenMode {
    OpenMode {
        read: true,
        ..OpenMode::default()
    }
}

fn writing() -> OpenMode {
    OpenMode {
        write: true,
        create: Some(0o666),
        ..OpenMode::default()
    }
}
