//! Folders, both ways: `pull` and `push` of everything below a path. Follows no link to a folder,
//! and makes of a handset's names nothing outside the operator's folder: that is the [`Tree`]'s part.
//!
//! One file that cannot be copied, whichever side is in its way, is a [`Problem`]; a lost connection, a
//! broken protocol or a full disk ends the copy.

use crate::android::quote::quote;
use crate::engine::service::shell::{self, ShellError};
use crate::engine::service::sync::{self, Entry, Manner, Progress, Stat, SyncError, Target};
use crate::ports::clock::Clock;
use crate::ports::store::StoreError;
use crate::ports::transport::Transport;
use crate::ports::tree::{NewFile, Tree, TreeEntry, TreeKind};
use crate::wire::adb::compression::Compression;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Folders deeper than this are not entered.
const MAX_DEPTH: usize = 64;

/// Problems that are told; more are counted.
const MAX_PROBLEMS: usize = 1000;

/// The kind in `st_mode`, and its values.
const KIND: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// What was copied, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Symbolic links, where they are copied as such.
    pub links: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// What was left out; the first ones of many.
    pub problems: Vec<Problem>,
    /// How many were left out.
    pub left_out: u64,
}

/// Something that was not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// On the side that it was to be copied from.
    pub path: String,
    /// Why not.
    pub reason: String,
}

impl Copied {
    fn leave_out(&mut self, path: &str, reason: impl ToString) {
        self.left_out += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem {
                path: path.to_owned(),
                reason: reason.to_string(),
            });
        }
    }
}

/// Why a copy was given up.
#[derive(Debug, Error)]
pub enum TreeError {
    /// The handset's side.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// A folder could not be made on the handset.
    #[error("cannot make folders on the handset")]
    Shell(#[from] ShellError),
    /// This computer's side.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing to copy.
    #[error("there is nothing at `{path}` on the handset")]
    NothingThere {
        /// The path.
        path: String,
    },
}

/// Copies a file or a folder of the handset into `to` of a tree, with its times. A link to a file
/// becomes the file, as with adb.
///
/// # Errors
/// When the connection is lost, the handset breaks the protocol, or nothing can be written here.
pub async fn pull(
    transport: &dyn Transport,
    clock: &dyn Clock,
    from: &str,
    tree: &dyn Tree,
    to: &str,
    manner: Manner,
    progress: Progress<'_>,
) -> Result<Copied, TreeError> {
    let found = sync::stat_followed(transport, clock, from, manner.limits).await?;
    let Some(stat) = found else {
        let path = from.to_owned();
        return Err(TreeError::NothingThere { path });
    };
    let mut puller = Puller {
        transport,
        clock,
        tree,
        manner,
        progress,
        copied: Copied::default(),
    };
    if stat.mode & KIND == FOLDER {
        puller.folders(from, to).await?;
    } else {
        puller.file(from, to, stat).await?;
    }
    Ok(puller.copied)
}

struct Puller<'a> {
    transport: &'a dyn Transport,
    clock: &'a dyn Clock,
    tree: &'a dyn Tree,
    manner: Manner,
    progress: Progress<'a>,
    copied: Copied,
}

impl Puller<'_> {
    /// A folder and those below it, from a list of what waits, so that nothing nests on the stack.
    async fn folders(&mut self, from: &str, to: &str) -> Result<(), TreeError> {
        let mut entered = 0;
        let mut waiting = vec![(from.to_owned(), to.to_owned(), 0)];
        while let Some((from, to, depth)) = waiting.pop() {
            match self.tree.make_folder(&to) {
                Err(error) if depth > 0 => {
                    self.copied.leave_out(&from, told(&error));
                    continue;
                }
                made => made?,
            }
            self.copied.folders += 1;
            let limits = self.manner.limits;
            let entries = match sync::list(self.transport, self.clock, &from, limits).await {
                Ok(entries) => entries,
                Err(error) => {
                    self.leave_out(&from, error)?;
                    continue;
                }
            };
            entered += entries.len();
            if entered > limits.max_entries {
                let limit = u64::try_from(limits.max_entries).unwrap_or(u64::MAX);
                return Err(SyncError::TooLarge { path: from, limit }.into());
            }
            for Entry { name, stat } in entries {
                if name == "." || name == ".." {
                    continue;
                }
                let path = join(&from, &name);
                if name.is_empty() || name.contains(['/', '\0', char::REPLACEMENT_CHARACTER]) {
                    self.copied.leave_out(&path, "its name cannot be used here");
                    continue;
                }
                let inside = join_relative(&to, &name);
                match self.looked_at(&path, stat).await? {
                    Some(stat) if stat.mode & KIND == FOLDER && depth < MAX_DEPTH => {
                        waiting.push((path, inside, depth + 1));
                    }
                    Some(stat) if stat.mode & KIND == FOLDER => {
                        self.copied.leave_out(&path, "it is too deep");
                    }
                    Some(stat) => self.file(&path, &inside, stat).await?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// What an entry is, or what it is a link to; `None` for what is not copied.
    async fn looked_at(
        &mut self,
        path: &str,
        stat: Result<Stat, u32>,
    ) -> Result<Option<Stat>, TreeError> {
        let stat = match stat {
            Ok(stat) => stat,
            Err(errno) => {
                let why = format!("the handset cannot look at it (errno {errno})");
                self.copied.leave_out(path, why);
                return Ok(None);
            }
        };
        match stat.mode & KIND {
            FILE | FOLDER => Ok(Some(stat)),
            LINK => self.linked(path).await,
            _ => {
                let why = "it is neither a file nor a folder";
                self.copied.leave_out(path, why);
                Ok(None)
            }
        }
    }

    async fn linked(&mut self, path: &str) -> Result<Option<Stat>, TreeError> {
        let limits = self.manner.limits;
        let found = match sync::stat_followed(self.transport, self.clock, path, limits).await {
            Ok(found) => found,
            Err(error) => {
                self.leave_out(path, error)?;
                return Ok(None);
            }
        };
        let why = match found {
            Some(stat) if stat.mode & KIND == FILE => return Ok(Some(stat)),
            Some(stat) if stat.mode & KIND == FOLDER => "it is a link to a folder",
            Some(_) => "it is a link to neither a file nor a folder",
            None => "it is a link to nothing",
        };
        self.copied.leave_out(path, why);
        Ok(None)
    }

    async fn file(&mut self, from: &str, to: &str, stat: Stat) -> Result<(), TreeError> {
        let file = match self.tree.create(to) {
            Ok(file) => file,
            Err(error) => {
                self.copied.leave_out(from, told(&error));
                return Ok(());
            }
        };
        let mut writer = Writer(file);
        let before = self.copied.bytes;
        let progress = &mut self.progress;
        let mut add = |bytes| progress(before + bytes);
        let (transport, clock) = (self.transport, self.clock);
        let pulling = sync::pull(transport, clock, from, &mut writer, self.manner, &mut add);
        match pulling.await {
            Ok(bytes) => {
                match writer.0.finish(stat.mtime) {
                    Ok(()) => {
                        self.copied.files += 1;
                        self.copied.bytes += bytes;
                    }
                    Err(error) => self.copied.leave_out(from, told(&error)),
                }
                Ok(())
            }
            Err(error) => self.leave_out(from, error),
        }
    }

    /// Notes what concerns one file only; anything else ends the copy.
    fn leave_out(&mut self, path: &str, error: SyncError) -> Result<(), TreeError> {
        self.copied.leave_out(path, reason_of(error)?);
        Ok(())
    }
}

/// What concerns one file only, as a reason; anything else as an error.
fn reason_of(error: SyncError) -> Result<String, TreeError> {
    match error {
        SyncError::Refused { reason, .. } => Ok(reason),
        SyncError::PathTooLong { .. } | SyncError::TooLarge { .. } => Ok(error.to_string()),
        SyncError::Local {
            action: "read",
            source,
        } => Ok(source.to_string()),
        error => Err(error.into()),
    }
}

/// An error of this computer's side with its cause.
fn told(error: &StoreError) -> String {
    match error {
        StoreError::Io { source, .. } => format!("{error}: {source}"),
        error => error.to_string(),
    }
}

/// Copies a file or a folder of a tree to `to` on the handset, with its times and its links.
///
/// # Errors
/// As [`pull`]; a handset that refuses one file is a [`Problem`].
pub async fn push(
    transport: &dyn Transport,
    clock: &dyn Clock,
    tree: &dyn Tree,
    from: &str,
    to: &str,
    manner: Manner,
    progress: Progress<'_>,
) -> Result<Copied, TreeError> {
    let entry = tree.entry(from)?;
    let mut pusher = Pusher {
        transport,
        clock,
        tree,
        manner,
        progress,
        copied: Copied::default(),
    };
    if entry.kind == TreeKind::Folder {
        pusher.folders(from, to).await?;
    } else {
        pusher.entry(from, to, &entry).await?;
    }
    Ok(pusher.copied)
}

struct Pusher<'a> {
    transport: &'a dyn Transport,
    clock: &'a dyn Clock,
    tree: &'a dyn Tree,
    manner: Manner,
    progress: Progress<'a>,
    copied: Copied,
}

impl Pusher<'_> {
    async fn folders(&mut self, from: &str, to: &str) -> Result<(), TreeError> {
        let mut waiting = vec![(from.to_owned(), to.to_owned(), 0)];
        while let Some((from, to, depth)) = waiting.pop() {
            self.copied.folders += 1;
            let entries = match self.tree.entries(&from) {
                Err(error) if depth > 0 => {
                    self.copied.leave_out(&from, told(&error));
                    continue;
                }
                entries => entries?,
            };
            if entries.is_empty() {
                self.empty_folder(&to).await?;
            }
            for entry in entries {
                let Some(name) = &entry.name else {
                    self.copied
                        .leave_out(&from, "the name of a file in it is no UTF-8");
                    continue;
                };
                let (inside, path) = (join_relative(&from, name), join(&to, name));
                match entry.kind {
                    TreeKind::Folder if depth < MAX_DEPTH => {
                        waiting.push((inside, path, depth + 1));
                    }
                    TreeKind::Folder => self.copied.leave_out(&inside, "it is too deep"),
                    _ => self.entry(&inside, &path, &entry).await?,
                }
            }
        }
        Ok(())
    }

    /// adbd makes folders for files only.
    async fn empty_folder(&mut self, to: &str) -> Result<(), TreeError> {
        let command = format!("mkdir -p {}", quote(to));
        let made = shell::run(
            self.transport,
            self.clock,
            &command,
            shell::Limits::default(),
        );
        let made = made.await?;
        if !made.succeeded() {
            let said = [made.stdout, made.stderr].concat();
            let said = String::from_utf8_lossy(&said).trim().to_owned();
            self.copied.leave_out(to, said);
        }
        Ok(())
    }

    /// A file or a link.
    async fn entry(&mut self, from: &str, to: &str, entry: &TreeEntry) -> Result<(), TreeError> {
        let mut manner = self.manner;
        let (kind, mut reader) = match &entry.kind {
            TreeKind::File => match self.tree.open(from) {
                Ok(file) => (FILE, Reader(file)),
                Err(error) => {
                    self.copied.leave_out(from, told(&error));
                    return Ok(());
                }
            },
            TreeKind::Link(Some(target)) => {
                // adbd wants the NUL of its C string.
                let target = format!("{target}\0").into_bytes();
                manner.compression = Compression::None;
                (LINK, Reader(Box::new(io::Cursor::new(target))))
            }
            TreeKind::Link(None) => {
                self.copied
                    .leave_out(from, "it is a link to what is no UTF-8");
                return Ok(());
            }
            TreeKind::Folder | TreeKind::Other => {
                self.copied
                    .leave_out(from, "it is neither a file nor a folder");
                return Ok(());
            }
        };
        let target = Target {
            path: to,
            mode: kind | (entry.permissions & 0o777),
            // All that the protocol carries.
            mtime: u32::try_from(entry.mtime.max(0)).unwrap_or(u32::MAX),
        };
        let before = self.copied.bytes;
        let progress = &mut self.progress;
        let mut add = |bytes| progress(before + bytes);
        let (transport, clock) = (self.transport, self.clock);
        let pushing = sync::push(transport, clock, target, &mut reader, manner, &mut add);
        match pushing.await {
            Ok(_) if kind == LINK => self.copied.links += 1,
            Ok(bytes) => {
                self.copied.files += 1;
                self.copied.bytes += bytes;
            }
            Err(error) => self.copied.leave_out(from, reason_of(error)?),
        }
        Ok(())
    }
}

fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

fn join_relative(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        join(folder, name)
    }
}

/// A file here, written as a stream; the operating system takes its bytes at once.
struct Writer(Box<dyn NewFile>);

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

/// A file here, read as a stream.
struct Reader(Box<dyn Read + Send>);

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.0.read(out.initialize_unfilled());
        Poll::Ready(read.map(|len| out.advance(len)))
    }
}
