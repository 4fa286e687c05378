//! A mounted FunctionFS folder as a handset's USB port: a link for each host that is plugged in.

use crate::adapters::functionfs::descriptors::{descriptors, strings};
use crate::adapters::functionfs::endpoints::{halt, start};
use crate::adapters::functionfs::event::{EVENT_LEN, Event};
use crate::adapters::functionfs::plug::replug;
use crate::adapters::threaded_link::Threads;
use crate::ports::link::Link;
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use thiserror::Error;
use tokio::sync::mpsc;

/// Events that wait to be looked at.
const QUEUE: usize = 16;

/// Why a folder is no USB port.
#[derive(Debug, Error)]
pub enum GadgetError {
    /// Not a FunctionFS, or not ours to use.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause: `Device or resource busy` when another adbd has it.
        #[source]
        source: io::Error,
    },
    /// FunctionFS refused what we say we are.
    #[error("the kernel does not take the descriptors")]
    Refused(#[source] io::Error),
    /// An endpoint could not be opened though a host is there.
    #[error("cannot open the endpoints")]
    Endpoints(#[source] io::Error),
    /// No more events: the folder was unmounted.
    #[error("the USB port is gone")]
    Gone,
}

/// An open port. It ends with its process: FunctionFS wakes no reader whom nobody wants any more.
pub struct Gadget {
    folder: PathBuf,
    events: mpsc::Receiver<Event>,
}

impl Gadget {
    /// Describes the interface in the FunctionFS that is mounted at `folder`. From then on its gadget
    /// can be bound to a controller.
    ///
    /// # Errors
    /// If there is no FunctionFS, or another program uses it.
    pub fn open(folder: &Path) -> Result<Self, GadgetError> {
        let path = folder.join("ep0");
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let mut control = opened.map_err(|source| GadgetError::Open { path, source })?;
        for described in [descriptors(), strings()] {
            control
                .write_all(&described)
                .map_err(GadgetError::Refused)?;
        }
        let (sender, events) = mpsc::channel(QUEUE);
        let started = thread::Builder::new()
            .name("usb-events".to_owned())
            .spawn(move || watch(control, &sender));
        started.map_err(GadgetError::Refused)?;
        Ok(Self {
            folder: folder.to_owned(),
            events,
        })
    }

    /// Hands a link to `attend` for each host, one after the other, until the folder is unmounted.
    /// An attendance is dropped when the host is unplugged; when one ends by itself, the gadget is
    /// unplugged and plugged in again.
    pub async fn serve<A: Future<Output = ()>>(
        mut self,
        mut attend: impl FnMut(Link) -> A,
    ) -> GadgetError {
        let mut event = self.events.recv().await;
        loop {
            event = match event {
                None => return GadgetError::Gone,
                Some(Event::Enable) => match start(&self.folder) {
                    Ok(threads) => self.attend_all(&threads, &mut attend).await,
                    Err(error) => return GadgetError::Endpoints(error),
                },
                Some(_) => self.events.recv().await,
            };
        }
    }

    /// Serves one host after the other until the plug is pulled, or put in anew; says which.
    async fn attend_all<A: Future<Output = ()>>(
        &mut self,
        threads: &Threads,
        attend: &mut impl FnMut(Link) -> A,
    ) -> Option<Event> {
        loop {
            tokio::select! {
                () = attend(threads.link()) => {}
                event = plug_event(&mut self.events) => return event,
            }
            if threads.have_ended() {
                return plug_event(&mut self.events).await;
            }
            self.part().await;
        }
    }

    /// Tells the host that its conversation is over, as a closed connection would.
    async fn part(&self) {
        let folder = self.folder.clone();
        // Whoever may not touch the gadget can still make the host's next read fail.
        let parted = tokio::task::spawn_blocking(move || {
            replug(&folder).unwrap_or_else(|_| halt(&folder));
        });
        // A thread that could not be had leaves the host waiting, as it would on a dead handset.
        let _ = parted.await;
    }
}

/// The next event that is about the plug.
async fn plug_event(events: &mut mpsc::Receiver<Event>) -> Option<Event> {
    loop {
        let event = events.recv().await?;
        if matches!(event, Event::Enable | Event::Disable | Event::Unbind) {
            return Some(event);
        }
    }
}

/// Passes events on until the folder is unmounted or nobody listens.
fn watch(mut control: File, events: &mpsc::Sender<Event>) {
    let mut bytes = [0; EVENT_LEN];
    loop {
        match control.read(&mut bytes) {
            Ok(EVENT_LEN) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(_) | Err(_) => return,
        }
        let event = Event::parse(bytes);
        if let Event::Setup { is_in, len } = event {
            acknowledge(&mut control, is_in, len);
        }
        if events.blocking_send(event).is_err() {
            return;
        }
    }
}

/// Answers a control request with nothing, as AOSP's adbd does: there is none that ADB defines.
fn acknowledge(control: &mut File, is_in: bool, len: u16) {
    // A host that has given up meanwhile is no concern.
    let _ = if is_in {
        control.write(&[])
    } else {
        control.read(&mut vec![0; usize::from(len)])
    };
}
