//! `ping`, as iputils on Android: names by DNS, echo requests and replies as packets.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use etherparse::{IcmpEchoHeader, Icmpv4Type};
use rand::Rng;

use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::adapters::virtual_handset::kernel::world::World;
use crate::ports::BoxFuture;

use super::frame::{self, Carries, Frame, Interface, Owner, Route};
use super::plan::{between, lookup, pass_at};

/// Requests of a ping without `-c`, and at most: nobody waits longer here.
const MAX_COUNT: u64 = 100_000;

/// How long a reply is waited for after the last request.
const LINGER: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq)]
struct Options {
    count: u64,
    interval: Duration,
    bytes: usize,
    deadline: Option<Duration>,
    linger: Duration,
    quiet: bool,
    host: String,
}

/// `ping`
pub(super) fn ping(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(run(process))
}

async fn run(process: &mut Process) -> Result<u8, Stop> {
    let arguments = process.arguments.get(1..).unwrap_or_default().to_vec();
    let Some(options) = parse(&arguments) else {
        process.complain(USAGE).await?;
        return Ok(2);
    };
    let uid = process.user.uid;
    let host = options.host.clone();
    let found = process.handset.with(|world| lookup(world, uid, &host));
    process.sleep_until(found.at).await?;
    let Some(address) = found.addresses.first().copied() else {
        process
            .complain(format!("ping: unknown host {host}\n"))
            .await?;
        return Ok(2);
    };
    if !process.handset.with(|world| world.network.is_connected()) {
        process
            .complain("connect: Network is unreachable\n")
            .await?;
        return Ok(2);
    }
    process
        .print(format!(
            "PING {host} ({address}) {}({}) bytes of data.\n",
            options.bytes,
            options.bytes + 28
        ))
        .await?;
    let (sent, times) = echo(process, &options, address).await?;
    process.print(summary(&host, sent, &times)).await?;
    Ok(u8::from(times.round_trips.is_empty()))
}

#[derive(Debug, Default)]
struct Times {
    round_trips: Vec<Duration>,
    total: Duration,
}

/// Requests at the interval, replies as they come. SIGINT ends it in good order.
async fn echo(
    process: &mut Process,
    options: &Options,
    address: Ipv4Addr,
) -> Result<(u64, Times), Stop> {
    let start = process.handset.with(|world| world.uptime());
    let identifier = process.handset.with(|world| world.random.random());
    let mut times = Times::default();
    let mut sent = 0;
    let mut due = start;
    for sequence in 1..=options.count {
        let deadline = options.deadline.map(|limit| start.saturating_add(limit));
        if deadline.is_some_and(|deadline| due >= deadline) {
            break;
        }
        let waited = one_echo(process, options, (address, due), (identifier, sequence)).await;
        sent = sequence;
        match waited {
            Ok(Some(reply)) => times.round_trips.push(reply),
            Ok(None) => {}
            Err(stop) => {
                if process.take_signal().is_none() {
                    return Err(stop);
                }
                break;
            }
        }
        due = due.saturating_add(options.interval);
    }
    let end = process.handset.with(|world| world.uptime());
    times.total = end.saturating_sub(start);
    Ok((sent, times))
}

/// Sends at `due`, waits for the reply, prints it.
async fn one_echo(
    process: &mut Process,
    options: &Options,
    (address, due): (Ipv4Addr, Duration),
    (identifier, sequence): (u16, u64),
) -> Result<Option<Duration>, Stop> {
    process.sleep_until(due).await?;
    let uid = process.user.uid;
    let number = u16::try_from(sequence % 65_536).unwrap_or(0);
    let reply = process
        .handset
        .with(|world| request(world, uid, address, (identifier, number), options.bytes));
    let Some((at, round_trip, hops)) = reply else {
        process.sleep(options.linger).await?;
        return Ok(None);
    };
    process.sleep_until(at).await?;
    // What went away with the network never arrives.
    if !process.handset.with(|world| world.network.is_connected()) {
        process.sleep(options.linger).await?;
        return Ok(None);
    }
    if !options.quiet {
        let line = format!(
            "{} bytes from {address}: icmp_seq={sequence} ttl={hops} time={} ms\n",
            options.bytes + 8,
            three_digits(round_trip)
        );
        process.print(line).await?;
    }
    Ok(Some(round_trip))
}

/// Plans one request and its reply: when it arrives, after how long, with which time to live.
fn request(
    world: &mut World,
    uid: u32,
    address: Ipv4Addr,
    (identifier, number): (u16, u16),
    bytes: usize,
) -> Option<(Duration, Duration, u8)> {
    if !world.network.is_connected() {
        return None;
    }
    let now = world.uptime();
    let here = world.network.config.address;
    let round_trip = between(&mut world.random, 20_000..60_000);
    let hops = 51;
    let payload: Vec<u8> = (0..=u8::MAX).cycle().take(bytes).collect();
    let echo = IcmpEchoHeader {
        id: identifier,
        seq: number,
    };
    let mut message = |outgoing: bool| {
        let (source, destination, hops, kind) = if outgoing {
            (here, address, 64, Icmpv4Type::EchoRequest(echo))
        } else {
            (address, here, hops, Icmpv4Type::EchoReply(echo))
        };
        let route = Route {
            source: SocketAddr::new(IpAddr::V4(source), 0),
            destination: SocketAddr::new(IpAddr::V4(destination), 0),
            hops,
            identification: world.random.random(),
        };
        Frame {
            interface: Interface::Wifi,
            outgoing,
            owner: Owner::background(uid),
            carries: Carries::Other,
            packet: frame::icmp(route, kind, &payload),
        }
    };
    let (request, reply) = (message(true), message(false));
    pass_at(world, now, request, None);
    pass_at(world, now + round_trip, reply, None);
    Some((now + round_trip, round_trip, hops))
}

fn summary(host: &str, sent: u64, times: &Times) -> String {
    let received = u64::try_from(times.round_trips.len()).unwrap_or(sent);
    let lost = (sent - received.min(sent)) * 100 / sent.max(1);
    let mut text = format!(
        "\n--- {host} ping statistics ---\n{sent} packets transmitted, {received} received, {lost}% packet loss, time {}ms\n",
        times.total.as_millis()
    );
    let micros: Vec<u128> = times.round_trips.iter().map(Duration::as_micros).collect();
    if let (Some(least), Some(most)) = (micros.iter().min(), micros.iter().max()) {
        let count = u128::from(received.max(1));
        let mean = micros.iter().sum::<u128>() / count;
        let squares = micros.iter().map(|time| time * time).sum::<u128>() / count;
        let deviation = squares.saturating_sub(mean * mean).isqrt();
        let shown = [*least, mean, *most, deviation]
            .map(|time| format!("{}.{:03}", time / 1000, time % 1000))
            .join("/");
        let _ = writeln!(text, "rtt min/avg/max/mdev = {shown} ms");
    } else {
        text.push('\n');
    }
    text
}

/// Milliseconds with three significant digits, as ping shows them.
fn three_digits(time: Duration) -> String {
    let micros = time.as_micros();
    if micros >= 100_000 {
        format!("{}", micros / 1000)
    } else if micros >= 10_000 {
        format!("{}.{}", micros / 1000, micros % 1000 / 100)
    } else {
        format!("{}.{:02}", micros / 1000, micros % 1000 / 10)
    }
}

const USAGE: &str = "Usage: ping [-aAbBdDfhLnOqrRUvV] [-c count] [-i interval] [-I interface]\n            \
                     [-m mark] [-M pmtudisc_option] [-l preload] [-p pattern] [-Q tos]\n            \
                     [-s packetsize] [-S sndbuf] [-t ttl] [-T timestamp_option]\n            \
                     [-w deadline] [-W timeout] [hop1 ...] destination\n";

fn parse(arguments: &[String]) -> Option<Options> {
    let mut options = Options {
        count: MAX_COUNT,
        interval: Duration::from_secs(1),
        bytes: 56,
        deadline: None,
        linger: LINGER,
        quiet: false,
        host: String::new(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(letters) = argument.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            options.host.clone_from(argument);
            continue;
        };
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            if !"ciswWtIpQSmMlT".contains(letter) {
                match letter {
                    'q' => options.quiet = true,
                    'n' | 'v' | 'a' | 'A' | 'O' | 'D' | 'U' | 'r' | 'b' | 'B' | 'f' | 'L' | 'd' => {
                    }
                    _ => return None,
                }
                continue;
            }
            let attached: String = letters.by_ref().collect();
            let value = if attached.is_empty() {
                rest.next()?.clone()
            } else {
                attached
            };
            parse_value(letter, &value, &mut options)?;
        }
    }
    (!options.host.is_empty()).then_some(options)
}

fn parse_value(letter: char, value: &str, options: &mut Options) -> Option<()> {
    let seconds = || {
        let seconds = value.parse::<f64>().ok()?;
        (0.0..=1e6)
            .contains(&seconds)
            .then(|| Duration::from_secs_f64(seconds))
    };
    match letter {
        'c' => {
            let count = value.parse::<u64>().ok()?;
            options.count = (1..=MAX_COUNT).contains(&count).then_some(count)?;
        }
        'i' => options.interval = seconds()?,
        's' => options.bytes = value.parse().ok().filter(|bytes| *bytes <= 1472)?,
        'w' => options.deadline = Some(seconds()?),
        'W' => options.linger = seconds()?,
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_reads_as_pings() {
        let times = Times {
            round_trips: [20, 40].map(Duration::from_millis).to_vec(),
            total: Duration::from_millis(1001),
        };
        let expected = "\n--- example.org ping statistics ---\n2 packets transmitted, 2 received, 0% packet loss, time 1001ms\nrtt min/avg/max/mdev = 20.000/30.000/40.000/10.000 ms\n";
        assert_eq!(summary("example.org", 2, &times), expected);
        assert_eq!(three_digits(Duration::from_micros(23_456)), "23.4");
        assert_eq!(three_digits(Duration::from_micros(3_456)), "3.45");
        assert_eq!(three_digits(Duration::from_micros(123_456)), "123");
    }

    #[test]
    fn options_are_read() {
        let words = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
        let options = parse(&words("-c1 -W 2 example.org")).unwrap();
        assert_eq!((options.count, options.host.as_str()), (1, "example.org"));
        assert_eq!(options.linger, Duration::from_secs(2));
        for line in ["-c", "-c 0 a", "-c x a", "-Z a", "-c 1"] {
            assert_eq!(parse(&words(line)), None, "{line}");
        }
    }

    use crate::adapters::virtual_handset::firmware::model::{Faults, Userland};
    use crate::adapters::virtual_handset::kernel::signal::Status;
    use crate::adapters::virtual_handset::kernel::user::User;
    use crate::adapters::virtual_handset::network::due::set_wifi;
    use crate::adapters::virtual_handset::network::testing::{handset, run};

    #[tokio::test]
    async fn known_hosts_answer_and_unknown_ones_are_said_to_be_unknown() {
        let handset = handset(Userland::Toolbox43, Faults::default());
        let user = User::shell();
        let (status, out, _) = run(&handset, ping, "ping -c 2 api.example.org", user.clone()).await;
        assert_eq!(status, Status::Exited(0));
        let first = "PING api.example.org (203.0.113.7) 56(84) bytes of data.";
        assert_eq!(out.lines().next(), Some(first));
        assert!(
            out.contains("64 bytes from 203.0.113.7: icmp_seq=2 ttl="),
            "{out}"
        );
        assert!(
            out.contains("2 packets transmitted, 2 received, 0% packet loss"),
            "{out}"
        );
        let totals = || handset.with(|world| world.network.counters.packets(Interface::Wifi));
        let before = totals();
        let (status, out, said) =
            run(&handset, ping, "ping -c 1 q7.example.org", user.clone()).await;
        assert_eq!((status, out.as_str()), (Status::Exited(2), ""));
        assert_eq!(said, "ping: unknown host q7.example.org\n");
        let asked = totals().since(before);
        assert_eq!((asked.sent.packets, asked.received.packets), (1, 1));
        handset.with(|world| set_wifi(world, false));
        let before = totals();
        let (status, ..) = run(&handset, ping, "ping -c 1 q8.example.org", user).await;
        assert_eq!(status, Status::Exited(2));
        assert!(totals().since(before).is_empty());
    }
}
