//! What happens to a gadget, as FunctionFS tells it on `ep0`.
//!
//! Format: `struct usb_functionfs_event` in Linux `include/uapi/linux/usb/functionfs.h`.

/// Bytes of an event.
pub(super) const EVENT_LEN: usize = 12;

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A host chose the configuration: endpoints carry bytes from now on.
    Enable,
    /// They do no more: unplugged, reset, or another configuration.
    Disable,
    /// The gadget lost its controller.
    Unbind,
    /// A control request that the kernel does not answer itself.
    Setup {
        /// Whether the host wants bytes.
        is_in: bool,
        /// How many, or how many it sends.
        len: u16,
    },
    /// Bound, suspended, resumed, or unknown: nothing to do.
    Other,
}

impl Event {
    /// Reads one.
    pub(super) const fn parse(bytes: [u8; EVENT_LEN]) -> Self {
        let [kind, _, _, _, _, _, low, high, event, ..] = bytes;
        match event {
            1 => Self::Unbind,
            2 => Self::Enable,
            3 => Self::Disable,
            4 => Self::Setup {
                is_in: kind & 0x80 != 0,
                len: u16::from_le_bytes([low, high]),
            },
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_as_functionfs_h_numbers_them() {
        let of = |event| Event::parse([0x81, 0, 0, 0, 0, 0, 2, 1, event, 0, 0, 0]);
        let setup = Event::Setup {
            is_in: true,
            len: 258,
        };
        let expected = [
            Event::Other,
            Event::Unbind,
            Event::Enable,
            Event::Disable,
            setup,
            Event::Other,
            Event::Other,
            Event::Other,
        ];
        assert_eq!((0..8).map(of).collect::<Vec<_>>(), expected);
    }
}
