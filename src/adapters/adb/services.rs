//! What one side of a connection serves to the other: [`Services`], and how an open is answered.
//! What a service does is not known here.

use crate::adapters::adb::shared::{Phase, Shared};
use crate::adapters::adb::stream::AdbStream;
use crate::ports::BoxFuture;
use crate::wire::adb::event::StreamId;
use std::sync::Arc;
use std::task::{Context, Waker};

/// What runs behind an accepted stream. It owns the stream; when it returns the stream is closed.
pub type ServiceBody = Box<dyn FnOnce(AdbStream) -> BoxFuture<'static, ()> + Send>;

/// The services of a handset, or those of a host that a handset may open (reversed ports).
pub trait Services: Send + Sync {
    /// Decides about an open: the body that will serve it, or `None` to refuse. Must not block.
    ///
    /// A body runs in a task of its own, but for its first poll. When the peer leaves, its stream's next read or write
    /// fails and [`AdbStream::closed`] returns; the body is not cancelled. It can open streams to
    /// the peer in turn ([`AdbStream::peer`]).
    fn open(&self, service: &str) -> Option<ServiceBody>;
}

/// Answers a peer's open: accepts it and starts its body, or refuses it.
pub(super) fn answer(
    shared: &Arc<Shared>,
    services: &dyn Services,
    stream: StreamId,
    service: &str,
) {
    let Some(body) = services.open(service) else {
        shared.with(|state| state.connection.refuse(stream));
        return;
    };
    shared.with(|state| {
        state.install(stream, Phase::Open);
        state.connection.serve(stream);
    });
    let stream = AdbStream::new(Arc::clone(shared), stream, None);
    let mut body = body(stream);
    // What it says at once leaves together with the answer: a host whose own input is at its end
    // closes the stream as soon as it is open.
    let mut context = Context::from_waker(Waker::noop());
    if body.as_mut().poll(&mut context).is_pending() {
        tokio::spawn(body);
    }
}
