//! `netcfg` and `ifconfig` of toolbox; `ip` and `ifconfig` of newer handsets, as far as they only look.

use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::ports::BoxFuture;

use super::config::{Config, PREFIX, show_mac};
use super::frame::Interface;
use super::state::Network;

/// `IFF_UP | IFF_BROADCAST | IFF_RUNNING | IFF_MULTICAST`, `IFF_UP | IFF_LOOPBACK | IFF_RUNNING`, and `wlan0` when down.
const WIFI_UP: u32 = 0x1043;
const WIFI_DOWN: u32 = 0x1002;
const LOOPBACK_UP: u32 = 0x49;

/// `netcfg`
pub(super) fn netcfg(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async {
        if process.arguments.len() > 1 {
            process
                .complain("usage: netcfg [<interface> {dhcp|up|down}]\n")
                .await?;
            return Ok(1);
        }
        let text = process.handset.with(|world| show_netcfg(&world.network));
        process.print(text).await?;
        Ok(0)
    })
}

/// `ifconfig`
pub(super) fn ifconfig(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async {
        let name = process.arguments.get(1).cloned();
        let shown = process
            .handset
            .with(|world| show_ifconfig(&world.network, name.as_deref()));
        match shown {
            Ok(text) => {
                process.print(text).await?;
                Ok(0)
            }
            Err((complaint, code)) => {
                process.complain(complaint).await?;
                Ok(code)
            }
        }
    })
}

/// `ip`
pub(super) fn ip(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async {
        let words = process.arguments.get(1..).unwrap_or_default().to_vec();
        let shown = process
            .handset
            .with(|world| show_ip(&world.network, &words));
        match shown {
            Ok(text) => {
                process.print(text).await?;
                Ok(0)
            }
            Err((complaint, code)) => {
                process.complain(complaint).await?;
                Ok(code)
            }
        }
    })
}

fn show_netcfg(network: &Network) -> String {
    let mut text = String::new();
    let nowhere = Ipv4Addr::UNSPECIFIED;
    let wifi = if network.is_connected() {
        ("UP  ", network.config.address, PREFIX, WIFI_UP)
    } else {
        ("DOWN", nowhere, 0, WIFI_DOWN)
    };
    let rows = [
        ("lo", ("UP  ", Ipv4Addr::LOCALHOST, 8, LOOPBACK_UP), [0; 6]),
        ("wlan0", wifi, network.config.mac),
        ("rmnet0", ("DOWN", nowhere, 0, 0), [0; 6]),
    ];
    for (name, (state, address, prefix, flags), mac) in rows {
        // The formats of netcfg.c: "%-8s %s  ", "%40s", "/%-4d", "0x%08x ", then the hardware address.
        let _ = writeln!(
            text,
            "{name:<8} {state}  {:>40}/{prefix:<4}0x{flags:08x} {}",
            address.to_string(),
            show_mac(mac)
        );
    }
    text
}

fn show_ifconfig(network: &Network, name: Option<&str>) -> Result<String, (String, u8)> {
    let old = network.config.is_old();
    let missing = |name: &str| {
        if old {
            (format!("{name}: No such device\n"), 255)
        } else {
            (format!("ifconfig: {name}: No such device\n"), 1)
        }
    };
    let chosen: Vec<Interface> = match name {
        // Toolbox's prints nothing without a name.
        None if old => Vec::new(),
        None | Some("-a") => Interface::ALL.to_vec(),
        Some(name) => {
            let found = Interface::ALL.into_iter().find(|it| it.name() == name);
            vec![found.ok_or_else(|| missing(name))?]
        }
    };
    let mut text = String::new();
    for interface in chosen {
        if old {
            text.push_str(&ifconfig_old(network, interface)?);
        } else {
            text.push_str(&ifconfig_new(network, interface));
        }
    }
    Ok(text)
}

fn ifconfig_old(network: &Network, interface: Interface) -> Result<String, (String, u8)> {
    match interface {
        Interface::Loopback => {
            Ok("lo: ip 127.0.0.1 mask 255.0.0.0 flags [up loopback running]\n".to_owned())
        }
        Interface::Wifi if network.is_connected() => Ok(format!(
            "wlan0: ip {} mask {} flags [up broadcast running multicast]\n",
            network.config.address,
            Config::mask()
        )),
        Interface::Wifi => Err(("wlan0: Cannot assign requested address\n".to_owned(), 255)),
    }
}

fn ifconfig_new(network: &Network, interface: Interface) -> String {
    let totals = network.counters.device(interface);
    let config = &network.config;
    let mut text = match interface {
        Interface::Loopback => "lo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0 \n          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n".to_owned(),
        Interface::Wifi => {
            let mut text = format!("wlan0     Link encap:Ethernet  HWaddr {}\n", show_mac(config.mac));
            if network.is_connected() {
                let _ = writeln!(
                    text,
                    "          inet addr:{}  Bcast:{}  Mask:{} \n          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1",
                    config.address,
                    config.broadcast(),
                    Config::mask()
                );
            } else {
                text.push_str("          BROADCAST MULTICAST  MTU:1500  Metric:1\n");
            }
            text
        }
    };
    let (received, sent) = (totals.received, totals.sent);
    let _ = writeln!(
        text,
        "          RX packets:{} errors:0 dropped:0 overruns:0 frame:0 \n          TX packets:{} errors:0 dropped:0 overruns:0 carrier:0 \n          collisions:0 txqueuelen:1000 \n          RX bytes:{} TX bytes:{} \n",
        received.packets, sent.packets, received.bytes, sent.bytes
    );
    text
}

fn show_ip(network: &Network, words: &[String]) -> Result<String, (String, u8)> {
    let words = without_options(words);
    let mut words = words.into_iter();
    let object = words.next().unwrap_or_default();
    let verb = words.next().unwrap_or("show");
    if !matches!(verb, "show" | "list" | "ls" | "s" | "get") {
        return Err(("RTNETLINK answers: Operation not permitted\n".to_owned(), 2));
    }
    let device = words.find(|word| *word != "dev");
    let known = |name: &str| Interface::ALL.iter().any(|it| it.name() == name);
    if let Some(name) = device.filter(|name| object != "route" && !known(name)) {
        return Err((format!("Device \"{name}\" does not exist.\n"), 1));
    }
    let chosen = Interface::ALL
        .into_iter()
        .filter(|it| device.is_none_or(|name| name == it.name()));
    match object {
        "addr" | "address" | "a" => Ok(chosen.map(|it| ip_link(network, it, true)).collect()),
        "link" | "l" => Ok(chosen.map(|it| ip_link(network, it, false)).collect()),
        "route" | "r" => Ok(ip_route(network)),
        "" => Err((
            "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\nwhere  OBJECT := { link | address | route }\n"
                .to_owned(),
            255,
        )),
        other => Err((
            format!("Object \"{other}\" is unknown, try \"ip help\".\n"),
            1,
        )),
    }
}

/// The words without `-4`, `-o`, `-f FAMILY` and their like; every address here is IPv4 anyway.
fn without_options(words: &[String]) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-f" | "-family" => {
                words.next();
            }
            option if option.starts_with('-') => {}
            word => kept.push(word),
        }
    }
    kept
}

fn ip_link(network: &Network, interface: Interface, addresses: bool) -> String {
    let config = &network.config;
    let up = network.is_up(interface);
    let (flags, rest, link, mac, inet) = match interface {
        Interface::Loopback => (
            "LOOPBACK,UP,LOWER_UP",
            "mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000",
            "loopback",
            "00:00:00:00:00:00 brd 00:00:00:00:00:00".to_owned(),
            "    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n"
                .to_owned(),
        ),
        Interface::Wifi => (
            if up {
                "BROADCAST,MULTICAST,UP,LOWER_UP"
            } else {
                "BROADCAST,MULTICAST"
            },
            if up {
                "mtu 1500 qdisc mq state UP group default qlen 3000"
            } else {
                "mtu 1500 qdisc mq state DOWN group default qlen 3000"
            },
            "ether",
            format!("{} brd ff:ff:ff:ff:ff:ff", show_mac(config.mac)),
            format!(
                "    inet {}/{PREFIX} brd {} scope global wlan0\n       valid_lft forever preferred_lft forever\n",
                config.address,
                config.broadcast()
            ),
        ),
    };
    let mut text = format!(
        "{}: {}: <{flags}> {rest}\n    link/{link} {mac}\n",
        interface.index(),
        interface.name()
    );
    if addresses && up {
        text.push_str(&inet);
    }
    text
}

fn ip_route(network: &Network) -> String {
    let config = &network.config;
    if !network.is_connected() {
        return String::new();
    }
    let (network, address) = (config.network(), config.address);
    if config.is_old() {
        return format!(
            "default via {} dev wlan0 \n{network}/{PREFIX} dev wlan0  proto kernel  scope link  src {address} \n",
            config.gateway
        );
    }
    // The default route lives in wlan0's own table, which `ip route` does not show.
    format!("{network}/{PREFIX} dev wlan0 proto kernel scope link src {address} \n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::firmware::model::{Faults, Userland};
    use crate::adapters::virtual_handset::network::testing::firmware;

    fn network(userland: Userland, wifi: bool) -> Network {
        let mut firmware = firmware(userland, Faults::default());
        firmware.wifi.on = wifi;
        Network::new(&firmware)
    }

    #[test]
    fn netcfg_prints_in_the_columns_of_its_source() {
        let up = show_netcfg(&network(Userland::Toolbox43, true));
        let line = format!(
            "wlan0    UP    {:>40}/24  0x00001043 02:00:00:00:00:02",
            "192.168.1.2"
        );
        assert_eq!(up.lines().nth(1), Some(line.as_str()));
        let down = show_netcfg(&network(Userland::Toolbox43, false));
        let line = format!(
            "wlan0    DOWN  {:>40}/0   0x00001002 02:00:00:00:00:02",
            "0.0.0.0"
        );
        assert_eq!(down.lines().nth(1), Some(line.as_str()));
    }

    #[test]
    fn ip_shows_an_address_only_while_there_is_one() {
        let words =
            |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
        let up = network(Userland::Toybox14, true);
        let text = show_ip(&up, &words("addr show wlan0")).unwrap();
        assert_eq!(
            show_ip(&up, &words("-f inet addr show dev wlan0")),
            Ok(text.clone())
        );
        assert!(
            text.contains("    inet 192.168.1.2/24 brd 192.168.1.255 scope global wlan0\n"),
            "{text}"
        );
        let text = show_ip(&up, &words("route")).unwrap();
        assert_eq!(
            text,
            "192.168.1.0/24 dev wlan0 proto kernel scope link src 192.168.1.2 \n"
        );
        let down = network(Userland::Toybox14, false);
        assert!(!show_ip(&down, &words("a")).unwrap().contains("192.168"));
        assert_eq!(show_ip(&down, &words("addr show eth7")).unwrap_err().1, 1);
    }

    #[test]
    fn ifconfig_of_toolbox_knows_one_interface_at_a_time() {
        let up = network(Userland::Toolbox43, true);
        assert_eq!(show_ifconfig(&up, None).unwrap(), "");
        let text = show_ifconfig(&up, Some("wlan0")).unwrap();
        assert_eq!(
            text,
            "wlan0: ip 192.168.1.2 mask 255.255.255.0 flags [up broadcast running multicast]\n"
        );
        let missing = show_ifconfig(&up, Some("eth7")).unwrap_err();
        assert_eq!(missing, ("eth7: No such device\n".to_owned(), 255));
    }
}
