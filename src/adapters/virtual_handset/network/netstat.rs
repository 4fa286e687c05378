//! `netstat` of toolbox and of toybox: the socket table as text.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::ports::BoxFuture;

use super::sockets::{Protocol, Socket, State};
use super::state::Network;

/// `netstat`
pub(super) fn netstat(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async {
        let words = process.arguments.get(1..).unwrap_or_default().to_vec();
        let text = process.handset.with(|world| {
            let now = world.uptime();
            if world.network.config.is_old() {
                toolbox(&world.network, now)
            } else {
                toybox(&world.network, now, &words)
            }
        });
        process.print(text).await?;
        Ok(0)
    })
}

/// Toolbox takes no options: all sockets, the four files one after the other.
fn toolbox(network: &Network, now: Duration) -> String {
    let mut text =
        String::from("Proto Recv-Q Send-Q Local Address          Foreign Address        State\n");
    for (protocol, six, label) in [
        (Protocol::Tcp, false, "tcp"),
        (Protocol::Udp, false, "udp"),
        (Protocol::Tcp, true, "tcp6"),
        (Protocol::Udp, true, "udp6"),
    ] {
        let listed = network.sockets.list(now);
        for socket in listed.filter(|it| it.protocol == protocol && it.six == six) {
            let _ = writeln!(
                text,
                "{label:>4}  {:>6} {:>6} {:<22} {:<22} {}",
                0,
                0,
                shown(socket.local, six, true),
                shown(socket.remote, six, true),
                socket.state.word()
            );
        }
    }
    text
}

/// Toybox: `-t`, `-u`, `-l`, `-a`, `-n`, `-p`, `-e` in any mixture; names are never shown.
fn toybox(network: &Network, now: Duration, words: &[String]) -> String {
    let has = |letter: char| {
        words
            .iter()
            .any(|word| word.starts_with('-') && word.contains(letter))
    };
    let (tcp, udp) = match (has('t'), has('u')) {
        (false, false) => (true, true),
        chosen => chosen,
    };
    let kind = match (has('a'), has('l')) {
        (true, _) => "(established and servers)",
        (false, true) => "(only servers)",
        (false, false) => "(w/o servers)",
    };
    let mut text = format!(
        "Active Internet connections {kind}\nProto Recv-Q Send-Q Local Address           Foreign Address         State      \n"
    );
    let wanted = |socket: &Socket| {
        let listens = socket.state == State::Listen;
        let protocol = match socket.protocol {
            Protocol::Tcp => tcp,
            Protocol::Udp => udp,
        };
        protocol && (has('a') || listens == has('l'))
    };
    for (protocol, six, label) in [
        (Protocol::Tcp, false, "tcp"),
        (Protocol::Tcp, true, "tcp6"),
        (Protocol::Udp, false, "udp"),
        (Protocol::Udp, true, "udp6"),
    ] {
        let listed = network.sockets.list(now);
        for socket in listed.filter(|it| it.protocol == protocol && it.six == six && wanted(it)) {
            let _ = writeln!(
                text,
                "{label:<6}{:>6} {:>6} {:<23} {:<23} {:<11}",
                0,
                0,
                shown(socket.local, six, false),
                shown(socket.remote, six, false),
                socket.state.word()
            );
        }
    }
    text
}

/// An address as the tool writes it; an IPv6 socket's IPv4 peer is mapped.
fn shown(address: SocketAddr, six: bool, old: bool) -> String {
    let port = match address.port() {
        0 => "*".to_owned(),
        port => port.to_string(),
    };
    let ip = match address.ip() {
        IpAddr::V4(ip) if six && ip.is_unspecified() => "::".to_owned(),
        IpAddr::V4(ip) if six => format!("::ffff:{ip}"),
        ip => ip.to_string(),
    };
    let brackets = !old && six;
    if brackets {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::firmware::model::{Faults, Userland};
    use crate::adapters::virtual_handset::kernel::user::User;
    use crate::adapters::virtual_handset::network::adb::{adb_listening, adb_opened};
    use crate::adapters::virtual_handset::network::testing::{handset, run};

    #[tokio::test]
    async fn each_generation_lists_its_own_way() {
        for (userland, line, expected) in [
            (
                Userland::Toolbox43,
                "netstat",
                // The format of toolbox's netstat.c: "%4s  %6d %6d %-22s %-22s %s".
                " tcp       0      0 0.0.0.0:5555           0.0.0.0:*              LISTEN",
            ),
            (
                Userland::Toybox14,
                "netstat -ltn",
                "tcp6       0      0 [::]:5555               [::]:*                  LISTEN     ",
            ),
        ] {
            let handset = handset(userland, Faults::default());
            handset.with(|world| {
                adb_listening(world, 5555, 2000);
                let local = "192.168.1.2:5555".parse().unwrap();
                adb_opened(world, local, "192.168.1.9:40123".parse().unwrap());
            });
            let (_, out, _) = run(&handset, netstat, line, User::shell()).await;
            assert!(out.lines().any(|found| found == expected), "{out}");
            assert_eq!(out.contains("ESTABLISHED"), line == "netstat", "{out}");
        }
    }
}
