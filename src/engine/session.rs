//! `Session`: one handset held for a run, what is known about it, and commands on it.
//!
//! A session asks; it changes nothing by itself. It runs nothing as root unless that was granted by
//! name, and never restarts adbd.

use crate::android::getprop::{self, Properties};
use crate::android::quote;
use crate::android::version::{OLDEST_API, Version};
use crate::engine::service::shell::{self, Limits, Output, ShellError};
use crate::engine::service::sync::{self, SyncError, Target};
use crate::ports::clock::Clock;
use crate::ports::console::Console;
use crate::ports::transport::Transport;
use crate::scenario::permission::Permission;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thiserror::Error;

/// Why a handset cannot be held, or a command not be run.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The shell service failed: the connection or the protocol.
    #[error("the command did not run to its end")]
    Shell(#[source] ShellError),
    /// A command ran too long. Which one is not said: it may hold personal data.
    #[error("a command did not end within {} s", after.as_secs_f64())]
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// A command's output is not whole: too long, or the shell was cut off.
    #[error("a command's output is not whole: {reason}")]
    Incomplete {
        /// What is missing.
        reason: &'static str,
    },
    /// A file could not be transferred.
    #[error("the file was not transferred")]
    Sync(#[source] SyncError),
    /// The handset does not say which Android it runs.
    #[error("the handset does not tell its Android version (no readable `ro.build.version.sdk`)")]
    NoVersion,
    /// The handset is older than what is driven.
    #[error(
        "Android {release} (API {api}) is older than the oldest one supported, 4.3 (API {OLDEST_API})"
    )]
    TooOld {
        /// Its release.
        release: String,
        /// Its API level.
        api: u32,
    },
    /// A command as root is needed, and the operator did not grant it.
    #[error("this needs a command as root; `--allow root` grants it")]
    NotGranted,
    /// A command as root is needed, and the handset has no way to one.
    #[error("this needs a command as root, and the handset gives none: {reason}")]
    NoRoot {
        /// What was tried.
        reason: String,
    },
}

/// How commands run as root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootAccess {
    /// adbd itself runs as root.
    Adbd,
    /// `su -c COMMAND`, as the superuser apps install it.
    Su,
    /// `su 0 sh -c COMMAND`, as AOSP's userdebug builds have it.
    SuUid,
    /// Not tried, because it was not granted.
    NotGranted,
    /// There is none; what was tried.
    None(String),
}

/// Whom a command runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// The user of adbd's shell.
    Shell,
    /// Root.
    Root,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shell => "shell",
            Self::Root => "root",
        })
    }
}

/// What a command printed, as text. Bytes that are no UTF-8 are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its output; on an old handset, with its complaints among it.
    pub text: String,
    /// Its complaints, where the handset tells them apart.
    pub complaints: String,
    /// Its exit status.
    pub exit: u8,
}

impl Answer {
    /// Output and complaints, whichever way the handset keeps them.
    #[must_use]
    pub fn all(&self) -> String {
        format!("{}{}", self.text, self.complaints)
    }

    /// Its output, or its complaints where it printed nothing else.
    #[must_use]
    pub fn said(&self) -> &str {
        if self.text.trim().is_empty() && !self.complaints.trim().is_empty() {
            &self.complaints
        } else {
            &self.text
        }
    }

    /// The first line that says something, for a message.
    #[must_use]
    pub fn first_line(&self) -> &str {
        let mut lines = self
            .complaints
            .lines()
            .chain(self.text.lines())
            .map(str::trim);
        lines.find(|line| !line.is_empty()).unwrap_or("no output")
    }

    /// Whether the command said that it succeeded.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        self.exit == 0
    }
}

/// The limits of an ordinary command.
pub const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(60),
    max_output: 16 << 20,
};

/// One handset, held.
pub struct Session {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    grants: BTreeSet<Permission>,
    properties: Properties,
    version: Version,
    root: RootAccess,
    used_root: AtomicBool,
}

impl Session {
    /// Reads what the handset is, and whether commands can run as root.
    ///
    /// # Errors
    /// When it cannot be reached, tells no version, or is older than 4.3.
    pub async fn attach(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        grants: BTreeSet<Permission>,
    ) -> Result<Self, SessionError> {
        let run = async |command: &str| answer(&*transport, &*clock, command, LIMITS).await;
        let properties = Properties::parse(&run(getprop::COMMAND).await?.text);
        let version = Version::parse(&properties).ok_or(SessionError::NoVersion)?;
        if version.api < OLDEST_API {
            return Err(SessionError::TooOld {
                release: version.release,
                api: version.api,
            });
        }
        let is_root = |answer: &Answer| answer.text.trim_start().starts_with("uid=0(");
        let root = if is_root(&run("id").await?) {
            RootAccess::Adbd
        } else if !grants.contains(&Permission::Root) {
            RootAccess::NotGranted
        } else {
            let with_c = run("su -c id").await?;
            let with_uid = if is_root(&with_c) {
                Answer::default()
            } else {
                run("su 0 sh -c id").await?
            };
            if is_root(&with_c) {
                RootAccess::Su
            } else if is_root(&with_uid) {
                RootAccess::SuUid
            } else {
                RootAccess::None(format!("`su -c id` says: {}", with_c.first_line()))
            }
        };
        Ok(Self {
            transport,
            clock,
            grants,
            properties,
            version,
            root,
            used_root: AtomicBool::new(false),
        })
    }

    /// The console of the emulator that the handset is, if it is one with a console in reach.
    #[must_use]
    pub fn console(&self) -> Option<&dyn Console> {
        self.transport.console()
    }

    /// Runs a command as the shell's user.
    pub async fn shell(&self, command: &str) -> Result<Answer, SessionError> {
        self.shell_within(command, LIMITS).await
    }

    /// The same with limits of its own.
    pub async fn shell_within(
        &self,
        command: &str,
        limits: Limits,
    ) -> Result<Answer, SessionError> {
        answer(&*self.transport, &*self.clock, command, limits).await
    }

    /// Runs a command as root.
    ///
    /// # Errors
    /// When root is not granted, or the handset gives none.
    pub async fn root_shell(&self, command: &str) -> Result<Answer, SessionError> {
        self.shell(&self.root_command(command)?).await
    }

    /// The bytes of a file that root may read.
    ///
    /// On a handset whose shell is a terminal, line breaks are rewritten on the way: hold the length
    /// against the file's own.
    pub async fn root_cat(&self, path: &str) -> Result<Vec<u8>, SessionError> {
        let command = self.root_command(&quote::command(["cat", path]))?;
        let output = bytes(&*self.transport, &*self.clock, &command, LIMITS).await?;
        Ok(output.stdout)
    }

    /// Runs a command as one user or the other.
    pub async fn run(&self, user: User, command: &str) -> Result<Answer, SessionError> {
        match user {
            User::Shell => self.shell(command).await,
            User::Root => self.root_shell(command).await,
        }
    }

    /// The command line that runs `command` as root from the shell.
    pub fn root_command(&self, command: &str) -> Result<String, SessionError> {
        let wrapped = self.wrapped(command)?;
        self.used_root.store(true, Ordering::Relaxed);
        Ok(wrapped)
    }

    fn wrapped(&self, command: &str) -> Result<String, SessionError> {
        if !self.grants.contains(&Permission::Root) {
            return Err(SessionError::NotGranted);
        }
        match &self.root {
            RootAccess::Adbd => Ok(command.to_owned()),
            RootAccess::Su => Ok(format!("su -c {}", quote::quote(command))),
            RootAccess::SuUid => Ok(format!("su 0 sh -c {}", quote::quote(command))),
            RootAccess::NotGranted => Err(SessionError::NotGranted),
            RootAccess::None(reason) => Err(SessionError::NoRoot {
                reason: reason.clone(),
            }),
        }
    }

    /// Writes a file as the shell's user. What it was is lost: journal first.
    pub async fn push(&self, path: &str, mode: u32, bytes: &[u8]) -> Result<(), SessionError> {
        let civil = self.clock.unix_nanoseconds() / 1_000_000_000;
        let target = Target {
            path,
            mode: 0o100_000 | mode,
            mtime: u32::try_from(civil).unwrap_or_default(),
        };
        let mut reader = bytes;
        let limits = sync::Limits::default();
        sync::push(
            &*self.transport,
            &*self.clock,
            target,
            &mut reader,
            limits,
            &mut |_| {},
        )
        .await
        .map(|_| ())
        .map_err(SessionError::Sync)
    }

    /// Waits on the handset, by its own clock.
    pub async fn wait(&self, seconds: u64) -> Result<(), SessionError> {
        let limits = Limits {
            timeout: LIMITS
                .timeout
                .saturating_add(Duration::from_secs(seconds.saturating_mul(2))),
            ..LIMITS
        };
        self.shell_within(&format!("sleep {seconds}"), limits)
            .await
            .map(|_| ())
    }

    /// Whether commands can run as root, grant included.
    #[must_use]
    pub fn has_root(&self) -> bool {
        self.wrapped("id").is_ok()
    }

    /// Whether a command was made to run as root since this was last asked.
    #[must_use]
    pub fn take_used_root(&self) -> bool {
        self.used_root.swap(false, Ordering::Relaxed)
    }

    /// How commands run as root.
    #[must_use]
    pub const fn root(&self) -> &RootAccess {
        &self.root
    }

    /// What the operator granted.
    #[must_use]
    pub const fn grants(&self) -> &BTreeSet<Permission> {
        &self.grants
    }

    /// The handset's properties as they were when it was attached.
    #[must_use]
    pub const fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Its Android version.
    #[must_use]
    pub const fn version(&self) -> &Version {
        &self.version
    }

    /// Its serial number, as it says it itself; `None` for a handset that has none: `unknown`, as
    /// Android puts it, is what all of those say.
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        ["ro.serialno", "ro.boot.serialno"]
            .iter()
            .filter_map(|name| self.properties.value(name))
            .find(|serial| !matches!(*serial, "" | "unknown"))
    }

    /// The transport, for services of their own.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// The host's clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

async fn answer(
    transport: &dyn Transport,
    clock: &dyn Clock,
    command: &str,
    limits: Limits,
) -> Result<Answer, SessionError> {
    let output = bytes(transport, clock, command, limits).await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Answer {
        text: text(output.stdout),
        complaints: text(output.stderr),
        exit: output.exit.unwrap_or_default(),
    })
}

/// A command's output, if it is whole.
async fn bytes(
    transport: &dyn Transport,
    clock: &dyn Clock,
    command: &str,
    limits: Limits,
) -> Result<Output, SessionError> {
    let output = match shell::run(transport, clock, command, limits).await {
        Ok(output) => output,
        Err(ShellError::TimedOut { after, .. }) => return Err(SessionError::TimedOut { after }),
        Err(error) => return Err(SessionError::Shell(error)),
    };
    if output.truncated {
        let reason = "it is longer than is read";
        return Err(SessionError::Incomplete { reason });
    }
    if output.exit.is_none() {
        let reason = "the shell ended without an exit status";
        return Err(SessionError::Incomplete { reason });
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{Line, ScriptedHandset, does, says};

    const OLD: &str = "[ro.build.version.sdk]: [18]\n[ro.build.version.release]: [4.3]\n";

    fn is_send<T: Send>(value: T) -> T {
        value
    }

    #[tokio::test]
    async fn nothing_runs_as_root_ungranted() {
        let id = says("id", "uid=2000(shell) gid=2000(shell)\n");
        let handset = ScriptedHandset::new(vec![says("getprop", OLD), id]);
        let session = is_send(handset.session(BTreeSet::new())).await.unwrap();
        assert_eq!(*session.root(), RootAccess::NotGranted);
        let error = session.root_shell("reboot").await.unwrap_err();
        assert!(matches!(error, SessionError::NotGranted), "{error}");
        handset.finish();
    }

    #[tokio::test]
    async fn adbd_as_root_needs_the_grant_too() {
        let id = says("id", "uid=0(root) gid=0(root)\n");
        let handset = ScriptedHandset::new(vec![says("getprop", OLD), id]);
        let session = handset.session(BTreeSet::new()).await.unwrap();
        assert!(!session.has_root());
        handset.finish();
    }

    #[tokio::test]
    async fn finds_each_way_to_root() {
        let shell = "uid=2000(shell) gid=2000(shell)\n";
        let root = "uid=0(root) gid=0(root)\n";
        let refused = || {
            Line::Shell(
                "su -c id".to_owned(),
                "su: invalid uid/gid '-c'\n".to_owned(),
                1,
            )
        };
        let cases = [
            (vec![says("id", root)], Some("a 'b'")),
            (
                vec![says("id", shell), says("su -c id", root)],
                Some(r"su -c 'a '\''b'\'''"),
            ),
            (
                vec![says("id", shell), refused(), says("su 0 sh -c id", root)],
                Some(r"su 0 sh -c 'a '\''b'\'''"),
            ),
            (
                vec![says("id", shell), refused(), does("su 0 sh -c id")],
                None,
            ),
        ];
        for (lines, expected) in cases {
            let mut all = vec![says("getprop", OLD)];
            all.extend(lines);
            all.extend(expected.map(does));
            let handset = ScriptedHandset::new(all);
            let session = handset.session([Permission::Root].into()).await.unwrap();
            match expected {
                Some(_) => assert!(session.root_shell("a 'b'").await.unwrap().succeeded()),
                None => {
                    let error = session.root_shell("a 'b'").await.unwrap_err();
                    assert!(matches!(error, SessionError::NoRoot { .. }), "{error}");
                }
            }
            handset.finish();
        }
    }

    #[tokio::test]
    async fn refuses_what_is_too_old_or_says_nothing() {
        let old = ScriptedHandset::new(vec![says("getprop", "[ro.build.version.sdk]: [17]\n")]);
        let error = old.session(BTreeSet::new()).await.err();
        assert!(matches!(error, Some(SessionError::TooOld { api: 17, .. })));
        let mute = ScriptedHandset::new(vec![does("getprop")]);
        let error = mute.session(BTreeSet::new()).await.err();
        assert!(matches!(error, Some(SessionError::NoVersion)));
    }
}
