//! Writes down what crosses a link, packet by packet as it crosses, in the form of
//! `wire::adb::transcript`. It changes nothing, holds no packet back and keeps none. When the
//! transcript can no longer be written the link goes on: whoever gave the file has been told.

use crate::base::deadline::Instant;
use crate::ports::BoxFuture;
use crate::ports::clock::Clock;
use crate::ports::link::{Link, LinkError, LinkReader, LinkWriter, Securer};
use crate::ports::store::Appender;
use crate::wire::adb::packet::{Packet, Sums};
use crate::wire::adb::transcript::{Header, Record, SCHEMA, emit_header, emit_record};
use std::sync::{Arc, Mutex, PoisonError};

/// The same link, with every packet appended to `transcript`.
#[must_use]
pub fn traced(
    link: Link,
    selector: &str,
    transcript: Box<dyn Appender>,
    clock: Arc<dyn Clock>,
) -> Link {
    let tracer = Arc::new(Tracer::new(selector, transcript, clock));
    Link {
        reader: Box::new(TracedReader {
            reader: link.reader,
            tracer: Arc::clone(&tracer),
        }),
        writer: Box::new(TracedWriter {
            writer: link.writer,
            tracer,
        }),
        endpoints: link.endpoints,
    }
}

struct Tracer {
    clock: Arc<dyn Clock>,
    started: Instant,
    /// `None` once it could not be written.
    pages: Mutex<Option<Pages>>,
}

/// What is written, and how many packets are.
struct Pages {
    transcript: Box<dyn Appender>,
    packets: u64,
}

impl Tracer {
    fn new(selector: &str, mut transcript: Box<dyn Appender>, clock: Arc<dyn Clock>) -> Self {
        let header = emit_header(&Header {
            schema: SCHEMA.to_owned(),
            selector: selector.to_owned(),
            started_unix_ns: clock.unix_nanoseconds(),
        });
        let pages = transcript.append(&header).is_ok().then_some(Pages {
            transcript,
            packets: 0,
        });
        Self {
            started: clock.now(),
            clock,
            pages: Mutex::new(pages),
        }
    }

    fn now(&self) -> u64 {
        let elapsed = self.clock.now().since(self.started);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }

    fn take_down(&self, record: &Record) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = pages.as_mut() else { return };
        let line = emit_record(open.packets, record);
        open.packets += 1;
        // A transcript with a hole in it would be taken for a whole one.
        if open.transcript.append(&line).is_err() {
            *pages = None;
        }
    }
}

struct TracedReader {
    reader: Box<dyn LinkReader>,
    tracer: Arc<Tracer>,
}

impl LinkReader for TracedReader {
    fn receive(&mut self) -> BoxFuture<'_, Result<Packet, LinkError>> {
        Box::pin(async {
            let packet = self.reader.receive().await?;
            let now = self.tracer.now();
            let record = Record::received(now, packet.clone(), self.reader.sums());
            self.tracer.take_down(&record);
            Ok(packet)
        })
    }

    fn sums(&self) -> Option<Sums> {
        self.reader.sums()
    }

    fn start_tls<'a>(
        &'a mut self,
        securer: Option<&'a dyn Securer>,
    ) -> BoxFuture<'a, Result<(), LinkError>> {
        self.reader.start_tls(securer)
    }
}

struct TracedWriter {
    writer: Box<dyn LinkWriter>,
    tracer: Arc<Tracer>,
}

impl LinkWriter for TracedWriter {
    fn send(&mut self, packet: Packet, sums: Sums) -> BoxFuture<'_, Result<(), LinkError>> {
        let record = Record::sent(self.tracer.now(), packet.clone(), sums);
        self.tracer.take_down(&record);
        self.writer.send(packet, sums)
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        self.writer.flush()
    }

    fn start_tls(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        self.writer.start_tls()
    }
}
