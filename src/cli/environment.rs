//! The process's environment, read once. Everything else is handed what it needs from here.

use crate::cli::error::Rejection;
use crate::wire::adb::server::address::{AddressError, ServerAddress};
use std::env;
use std::path::PathBuf;

/// What the program takes from its environment; the names mean what they mean to adb.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    /// `HOME`.
    pub(crate) home: Option<PathBuf>,
    /// Where locks are: below `XDG_STATE_HOME`, or else `~/.local/state`. Not `XDG_RUNTIME_DIR`,
    /// which a job of cron and a person at the screen do not share.
    pub(crate) locks: Option<PathBuf>,
    /// Whether handsets are looked for on USB: `ADB_USB` is not 0. One that is named by `usb:` is
    /// found all the same.
    pub(crate) usb: bool,
    /// `ANDROID_SERIAL`: the handset when no `--handset` is given.
    pub(crate) serial: Option<String>,
    /// `ADB_SERVER_SOCKET`, or else `ANDROID_ADB_SERVER_ADDRESS` and `ANDROID_ADB_SERVER_PORT`; an
    /// error is told when a server is needed.
    adb_server: Result<ServerAddress, BadVariable>,
    /// `ADB_VENDOR_KEYS`: more private keys, separated by colons.
    pub(crate) vendor_keys: Vec<PathBuf>,
    /// `NO_COLOR` is set and not empty.
    pub(crate) no_color: bool,
    /// `COLUMNS`, when the terminal's width cannot be asked for.
    pub(crate) columns: Option<u16>,
}

/// A variable that holds nothing it can mean.
#[derive(Clone, Debug)]
struct BadVariable {
    name: &'static str,
    error: AddressError,
}

impl Environment {
    /// Where the adb server listens.
    pub(crate) fn adb_server(&self) -> Result<ServerAddress, Rejection> {
        self.adb_server
            .clone()
            .map_err(|BadVariable { name, error }| {
                Rejection::usage(format!("{name} says where no adb server can be: {error}"))
                    .hint(format!("unset {name}, or correct it"))
            })
    }
    /// Reads the environment.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub(crate) fn read() -> Self {
        // What is no UTF-8 is kept, to be refused where it is used.
        let text = |name: &str| {
            let value = env::var_os(name).filter(|value| !value.is_empty());
            value.map(|value| value.to_string_lossy().into_owned())
        };
        let adb_server = server_address(
            text("ADB_SERVER_SOCKET").as_deref(),
            text("ANDROID_ADB_SERVER_ADDRESS").as_deref(),
            text("ANDROID_ADB_SERVER_PORT").as_deref(),
        );
        let folder = |name: &str| {
            let value = env::var_os(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        let home = folder("HOME");
        let state = folder("XDG_STATE_HOME").filter(|path| path.is_absolute());
        let state = state.or_else(|| Some(home.as_ref()?.join(".local/state")));
        Self {
            home,
            locks: state.map(|state| state.join("phonehome/locks")),
            usb: text("ADB_USB").is_none_or(|value| value != "0"),
            serial: text("ANDROID_SERIAL"),
            adb_server,
            vendor_keys: env::var_os("ADB_VENDOR_KEYS")
                .map(|keys| env::split_paths(&keys).collect::<Vec<_>>())
                .unwrap_or_default()
                .into_iter()
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
            no_color: text("NO_COLOR").is_some(),
            columns: text("COLUMNS").and_then(|columns| columns.parse().ok()),
        }
    }
}

/// As adb reads its variables: the socket alone, if it is set.
fn server_address(
    socket: Option<&str>,
    host: Option<&str>,
    port: Option<&str>,
) -> Result<ServerAddress, BadVariable> {
    if let Some(socket) = socket {
        let name = "ADB_SERVER_SOCKET";
        return ServerAddress::parse(socket).map_err(|error| BadVariable { name, error });
    }
    ServerAddress::of_parts(host, port).map_err(|error| {
        let name = if matches!(error, AddressError::Port { .. }) {
            "ANDROID_ADB_SERVER_PORT"
        } else {
            "ANDROID_ADB_SERVER_ADDRESS"
        };
        BadVariable { name, error }
    })
}
