//! What is due of the apps' behaviour.

use crate::adapters::virtual_handset::kernel::world::World;

/// Something an app does later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The handset has started.
    Boot,
}

/// Does what is due.
pub(crate) fn handle(world: &mut World, due: Due) {
    match due {
        Due::Boot => world.announce(),
    }
}
