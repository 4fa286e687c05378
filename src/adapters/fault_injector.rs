//! A link on which something goes wrong at a chosen message: what cables, hubs, radios and adbd do to
//! a connection, on demand and the same each time. It repairs nothing, and without a fault that is
//! due it passes every packet on.
//!
//! Faults act on a packet's bytes as a wire would: a receiver sees what AOSP's would make of them.

use crate::ports::BoxFuture;
use crate::ports::clock::Clock;
use crate::ports::link::{Endpoints, Link, LinkError, LinkReader, LinkWriter, Securer};
use crate::wire::adb::packet::{Packet, PacketError, Sums};
use crate::wire::adb::transcript::Direction;
use plan::{Deal, LinkState, Next};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

pub use fault::{Fault, FaultKind, FaultParseError};
pub use plan::{Faults, Owner};

mod fault;
mod plan;
#[cfg(test)]
mod tests;

/// How late a slow message comes.
pub const SLOW: Duration = Duration::from_secs(2);

/// The same link with what `faults` has for it. `owner` is the side that owns the link.
#[must_use]
pub fn injected(link: Link, faults: &Faults, owner: Owner, clock: Arc<dyn Clock>) -> Link {
    let Endpoint {
        reader,
        writer,
        endpoints,
    } = Endpoint::of(link);
    let wire = Arc::new(Wire {
        faults: faults.clone(),
        state: Mutex::new(LinkState::new(owner)),
        clock,
        writer: tokio::sync::Mutex::new(writer),
        inbox: Mutex::default(),
        delivered: Notify::new(),
        is_cut: watch::Sender::new(false),
    });
    Link {
        reader: Box::new(FaultyReader {
            wire: Arc::clone(&wire),
            idle: Some(reader),
            receiving: None,
            broken: None,
        }),
        writer: Box::new(FaultyWriter(wire)),
        endpoints,
    }
}

/// A link's parts.
struct Endpoint {
    reader: Box<dyn LinkReader>,
    writer: Box<dyn LinkWriter>,
    endpoints: Option<Endpoints>,
}

impl Endpoint {
    fn of(link: Link) -> Self {
        Self {
            reader: link.reader,
            writer: link.writer,
            endpoints: link.endpoints,
        }
    }
}

/// What both halves share.
struct Wire {
    faults: Faults,
    state: Mutex<LinkState>,
    clock: Arc<dyn Clock>,
    /// The reader answers some packets itself.
    writer: tokio::sync::Mutex<Box<dyn LinkWriter>>,
    /// Answers that the writer made up, for the reader.
    inbox: Mutex<VecDeque<Packet>>,
    delivered: Notify,
    is_cut: watch::Sender<bool>,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inbox(&self) -> MutexGuard<'_, VecDeque<Packet>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deal(&self, direction: Direction, packet: &Packet) -> Deal {
        let deal = self.faults.deal(&mut self.state(), direction, packet);
        if deal.next == Next::Cut {
            self.is_cut.send_replace(true);
        }
        deal
    }

    async fn cut(&self) {
        // The sender lives as long as this.
        let _ = self.is_cut.subscribe().wait_for(|is_cut| *is_cut).await;
    }

    /// Waits as long as a message is late, or stuck for ever.
    async fn hold(&self, next: Next) -> Result<(), LinkError> {
        match next {
            Next::Go => Ok(()),
            Next::Cut => Err(LinkError::Closed),
            Next::Late => {
                let until = self.clock.now().after(SLOW);
                self.clock.sleep_until(until).await;
                Ok(())
            }
            Next::Stall => {
                self.cut().await;
                Err(LinkError::Closed)
            }
        }
    }
}

/// A receive that outlives being waited for; it gives the reader back.
type Receiving = BoxFuture<'static, (Box<dyn LinkReader>, Result<Packet, LinkError>)>;

fn receive(mut reader: Box<dyn LinkReader>) -> Receiving {
    Box::pin(async move {
        let received = reader.receive().await;
        (reader, received)
    })
}

struct FaultyReader {
    wire: Arc<Wire>,
    /// The reader, while it receives nothing.
    idle: Option<Box<dyn LinkReader>>,
    receiving: Option<Receiving>,
    broken: Option<PacketError>,
}

impl LinkReader for FaultyReader {
    fn receive(&mut self) -> BoxFuture<'_, Result<Packet, LinkError>> {
        Box::pin(async {
            loop {
                if *self.wire.is_cut.borrow() {
                    return Err(LinkError::Closed);
                }
                let waiting = self.wire.inbox().pop_front();
                if let Some(packet) = waiting {
                    return Ok(packet);
                }
                if let Some(error) = self.broken.take() {
                    return Err(LinkError::Malformed(error));
                }
                if let Some(reader) = self.idle.take() {
                    self.receiving = Some(receive(reader));
                }
                let Some(receiving) = self.receiving.as_mut() else {
                    return Err(LinkError::Closed);
                };
                let (reader, received) = tokio::select! {
                    biased;
                    () = self.wire.cut() => return Err(LinkError::Closed),
                    () = self.wire.delivered.notified() => continue,
                    received = receiving => received,
                };
                self.receiving = None;
                let received = match received {
                    Ok(packet) => packet,
                    Err(error) => {
                        // What is no packet may be the start of TLS.
                        self.idle = Some(reader);
                        return Err(error);
                    }
                };
                let deal = self.wire.deal(Direction::In, &received);
                self.wire.hold(deal.next).await?;
                if !deal.back.is_empty() {
                    let mut writer = self.wire.writer.lock().await;
                    for packet in deal.back {
                        writer.send(packet, Sums::Sent).await?;
                    }
                    writer.flush().await?;
                }
                self.wire.inbox().extend(deal.onward);
                self.broken = deal.broken;
                if self.broken.is_none() {
                    self.idle = Some(reader);
                }
            }
        })
    }

    /// What goes wrong goes wrong inside TLS.
    fn start_tls<'a>(
        &'a mut self,
        securer: Option<&'a dyn Securer>,
    ) -> BoxFuture<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let reader = self.idle.as_mut().ok_or(LinkError::NoTls)?;
            reader.start_tls(securer).await
        })
    }
}

struct FaultyWriter(Arc<Wire>);

impl LinkWriter for FaultyWriter {
    fn send(&mut self, packet: Packet, sums: Sums) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let wire = &self.0;
            if *wire.is_cut.borrow() {
                return Err(LinkError::Closed);
            }
            let deal = wire.deal(Direction::Out, &packet);
            if deal.next == Next::Late {
                // What was kept back before it is not late.
                self.flush().await?;
            }
            let wire = &self.0;
            wire.hold(deal.next).await?;
            if !deal.back.is_empty() {
                wire.inbox().extend(deal.back);
                wire.delivered.notify_one();
            }
            let mut writer = wire.writer.lock().await;
            for packet in deal.onward {
                writer.send(packet, sums).await?;
            }
            if deal.broken.is_some() {
                // The other side hangs up on what is no packet.
                writer.flush().await?;
                wire.is_cut.send_replace(true);
                return Err(LinkError::Closed);
            }
            Ok(())
        })
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async {
            let mut writer = self.0.writer.lock().await;
            writer.flush().await
        })
    }
    fn start_tls(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async {
            let mut writer = self.0.writer.lock().await;
            writer.start_tls().await
        })
    }
}
