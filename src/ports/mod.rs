//! Traits through which the engine reaches the world. Nothing here performs anything.

pub mod clock;
pub mod console;
pub mod link;
pub mod lister;
pub mod lock;
pub mod signer;
pub mod store;
pub mod transport;
pub mod tree;

use std::future::Future;
use std::pin::Pin;

/// A boxed future, so that the traits stay object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
