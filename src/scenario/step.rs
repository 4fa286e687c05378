//! Steps: the closed set of acts that a scenario may ask for.

use crate::scenario::permission::Permission;
use crate::scenario::toggle::ToggleState;
use std::time::Duration;

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// `on`
    On,
    /// `off`
    Off,
}

/// What a step does. Contacts and peers are numbered from 1, as in `contact-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Wi-Fi radio.
    Wifi(Switch),
    /// Location.
    Location(Switch),
    /// The owner adds a planted contact.
    AddContact {
        /// Which.
        contact: u32,
    },
    /// A text message arrives from a peer.
    ReceiveSms {
        /// Which peer.
        from: u32,
    },
    /// The owner sends a text message to a peer.
    SendSms {
        /// Which peer.
        to: u32,
    },
    /// The owner calls a peer.
    Call {
        /// Which peer.
        to: u32,
        /// How long until the owner hangs up.
        duration: Duration,
    },
    /// Time passes on the handset.
    Idle(Duration),
    /// The tester switches a privacy setting.
    Toggle {
        /// The toggle's name.
        name: String,
        /// What it becomes.
        state: ToggleState,
    },
    /// The tester runs a shell command. Needs [`Permission::Raw`].
    Shell {
        /// The command line.
        command: String,
        /// What it leaves behind.
        changes: Changes,
    },
}

/// What a raw step leaves behind on the handset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Nothing, says the author.
    Nothing,
    /// Something that this command undoes.
    UndoneBy(String),
    /// The author does not say: the run ends as *changes unknown*.
    Unknown,
}

/// One step with its place in the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Unique in the scenario, stable across runs: `setup.1:wifi`, `steps.3:send_sms`.
    pub id: String,
    /// What it does.
    pub act: Act,
    /// The longest it may take on the host's clock, `Idle` and `Call` apart from their own length.
    pub timeout: Duration,
}

impl Act {
    /// The step's name in a scenario file.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Wifi(_) => "wifi",
            Self::Location(_) => "location",
            Self::AddContact { .. } => "add_contact",
            Self::ReceiveSms { .. } => "receive_sms",
            Self::SendSms { .. } => "send_sms",
            Self::Call { .. } => "call",
            Self::Idle(_) => "idle",
            Self::Toggle { .. } => "toggle",
            Self::Shell { .. } => "shell",
        }
    }

    /// The longest it may take when the scenario does not say; see [`Step::timeout`].
    #[must_use]
    pub const fn default_timeout(&self) -> Duration {
        match self {
            Self::Toggle { .. } => Duration::from_secs(120),
            Self::AddContact { .. } | Self::Location(_) => Duration::from_secs(30),
            _ => Duration::from_secs(60),
        }
    }

    /// The grant it needs, whatever the handset.
    #[must_use]
    pub const fn permission(&self) -> Option<Permission> {
        match self {
            Self::SendSms { .. } => Some(Permission::Sms),
            Self::Call { .. } => Some(Permission::Call),
            Self::Shell { .. } => Some(Permission::Raw),
            _ => None,
        }
    }
}
