//! The process's environment, read once. Everything else is handed what it needs from here.

use std::env;
use std::path::PathBuf;

/// What the program takes from its environment; the names mean what they mean to adb.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    /// `HOME`.
    pub(crate) home: Option<PathBuf>,
    /// `ANDROID_SERIAL`: the handset when no `--handset` is given.
    pub(crate) serial: Option<String>,
    /// `ADB_SERVER_SOCKET` (`tcp:HOST:PORT`), or `ANDROID_ADB_SERVER_PORT` on this host.
    pub(crate) adb_server: String,
    /// `ADB_VENDOR_KEYS`: more private keys, separated by colons.
    pub(crate) vendor_keys: Vec<PathBuf>,
    /// `NO_COLOR` is set and not empty.
    pub(crate) no_color: bool,
    /// `COLUMNS`, when the terminal's width cannot be asked for.
    pub(crate) columns: Option<u16>,
}

impl Environment {
    /// Reads the environment.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub(crate) fn read() -> Self {
        let text = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let socket = text("ADB_SERVER_SOCKET")
            .and_then(|socket| socket.strip_prefix("tcp:").map(ToOwned::to_owned))
            .map(|address| match address.parse::<u16>() {
                Ok(port) => format!("127.0.0.1:{port}"),
                Err(_) => address,
            });
        let port = text("ANDROID_ADB_SERVER_PORT").and_then(|port| port.parse::<u16>().ok());
        let by_port = || format!("127.0.0.1:{}", port.unwrap_or(5037));
        Self {
            home: env::var_os("HOME")
                .filter(|home| !home.is_empty())
                .map(PathBuf::from),
            serial: text("ANDROID_SERIAL"),
            adb_server: socket.unwrap_or_else(by_port),
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
