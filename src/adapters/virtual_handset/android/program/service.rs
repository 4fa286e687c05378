//! `service`: list, check, call. Parcels are written and read as libbinder does.

use super::answer::{Answer, Caller};
use super::service_call::{Parcel, Reply, transact};
use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::kernel::world::World;

/// Services by version and interface, as far as anyone asks for them.
const SERVICES: &[(&str, &str)] = &[
    ("activity", "android.app.IActivityManager"),
    ("connectivity", "android.net.IConnectivityManager"),
    (
        "iphonesubinfo",
        "com.android.internal.telephony.IPhoneSubInfo",
    ),
    ("isms", "com.android.internal.telephony.ISms"),
    ("location", "android.location.ILocationManager"),
    ("package", "android.content.pm.IPackageManager"),
    ("phone", "com.android.internal.telephony.ITelephony"),
    (
        "telephony.registry",
        "com.android.internal.telephony.ITelephonyRegistry",
    ),
    ("wifi", "android.net.wifi.IWifiManager"),
    ("window", "android.view.IWindowManager"),
];

/// Qualcomm's multi-SIM services of 4.x, on handsets with two slots.
const MULTI_SIM: (&str, &str) = (
    "iphonesubinfo_msim",
    "com.android.internal.telephony.msim.IPhoneSubInfoMSim",
);

const USAGE: &str = "Usage: service [-h|-?]
       service list
       service check SERVICE
       service call SERVICE CODE [i32 N | i64 N | f N | d N | s16 STR ] ...
Options:
   i32: Write the 32-bit integer N into the send parcel.
   i64: Write the 64-bit integer N into the send parcel.
   f:   Write the 32-bit single-precision number N into the send parcel.
   d:   Write the 64-bit double-precision number N into the send parcel.
   s16: Write the UTF-16 string STR into the send parcel.
";

fn interface(world: &World, name: &str) -> Option<&'static str> {
    let has_two = world.android.is_old() && world.firmware.sims.len() > 1;
    let extra = has_two.then_some(MULTI_SIM);
    let mut all = SERVICES.iter().copied().chain(extra);
    all.find(|(known, _)| *known == name)
        .map(|(_, interface)| interface)
}

/// `service …`
pub(super) fn service(world: &mut World, caller: &Caller, words: &[String]) -> Answer {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => {
            let mut text = format!("Found {} services:\n", SERVICES.len());
            for (number, (name, interface)) in SERVICES.iter().enumerate() {
                push(&mut text, format_args!("{number}\t{name}: [{interface}]\n"));
            }
            Answer::text(text)
        }
        ["check", name] => {
            let found = if interface(world, name).is_some() {
                "found"
            } else {
                "not found"
            };
            Answer::line(format!("Service {name}: {found}"))
        }
        ["call", name, code, arguments @ ..] => call(world, caller, name, code, arguments),
        _ => Answer::text(USAGE),
    }
}

fn call(world: &mut World, caller: &Caller, name: &str, code: &str, arguments: &[&str]) -> Answer {
    let Some(interface) = interface(world, name) else {
        return Answer::error(format!("service: Service {name} does not exist"), 10);
    };
    // `atoi`: what is no number is 0.
    let code: u32 = code.parse().unwrap_or_default();
    let mut parcel = Parcel::default();
    parcel.write_token(interface, !world.android.is_old());
    let mut arguments = arguments.iter();
    while let Some(kind) = arguments.next() {
        if *kind == "null" {
            parcel.write_null_binder();
            continue;
        }
        let Some(value) = arguments.next() else {
            let text = format!("service: no argument supplied for '{kind}'\n{USAGE}");
            return Answer::error(text.trim_end(), 10);
        };
        match *kind {
            "i32" => parcel.write_i32(wrapped(value)),
            "i64" => parcel.write_i64(value.parse().unwrap_or_default()),
            "f" => parcel.write_bytes(&value.parse::<f32>().unwrap_or_default().to_le_bytes()),
            "d" => parcel.write_bytes(&value.parse::<f64>().unwrap_or_default().to_le_bytes()),
            "s16" => parcel.write_text(Some(value)),
            other => {
                let text = format!("service: unknown option {other}\n{USAGE}");
                return Answer::error(text.trim_end(), 10);
            }
        }
    }
    let reply = transact(world, caller, name, code, &parcel);
    Answer::line(format!("Result: {}", printed(&reply)))
}

/// `atoi` of a 32-bit number, larger ones cut.
fn wrapped(text: &str) -> i32 {
    let number = text.parse::<i64>().unwrap_or_default();
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// `Parcel::print`: a hex dump in words, on one line when it is short (libutils `printHexData`).
fn printed(reply: &Reply) -> String {
    let Reply::Parcel(parcel) = reply else {
        // What `TextOutput << Parcel` makes of a parcel without data.
        return "Parcel(Error: 0xffffffffffffffb6 \"Not a data message\")".to_owned();
    };
    let bytes = parcel.bytes();
    if bytes.is_empty() {
        return "Parcel(NULL)".to_owned();
    }
    let is_short = bytes.len() <= 16;
    let mut text = String::from("Parcel(");
    for (row, line) in bytes.chunks(16).enumerate() {
        if !is_short {
            push(&mut text, format_args!("\n  0x{:08x}: ", row * 16));
        }
        let mut words: Vec<String> = line
            .chunks(4)
            .map(|word| {
                word.iter()
                    .rev()
                    .map(|byte| format!("{byte:02x}"))
                    .collect()
            })
            .collect();
        while words.len() < 4 {
            words.push(if is_short {
                String::new()
            } else {
                " ".repeat(8)
            });
        }
        let letters: String = line
            .iter()
            .map(|byte| {
                if (b' '..127).contains(byte) {
                    char::from(*byte)
                } else {
                    '.'
                }
            })
            .collect();
        let width = if is_short { line.len() } else { 16 };
        push(
            &mut text,
            format_args!("{} '{letters:<width$}'", words.join(" ")),
        );
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dumps that public reports of `service call iphonesubinfo` show, and libutils' `printHexData`.
    #[test]
    fn prints_a_parcel_as_libbinder_does() {
        let mut long = Parcel::default();
        long.write_i32(0);
        long.write_text(Some("355136055555550"));
        let expected = "Parcel(\
            \n  0x00000000: 00000000 0000000f 00350033 00310035 '........3.5.5.1.'\
            \n  0x00000010: 00360033 00350030 00350035 00350035 '3.6.0.5.5.5.5.5.'\
            \n  0x00000020: 00350035 00000030                   '5.5.0...        ')";
        assert_eq!(printed(&Reply::Parcel(long)), expected);
        let mut short = Parcel::default();
        short.write_i32(0);
        short.write_i32(1);
        // Two empty words leave two spaces, as in facts from real handsets.
        assert_eq!(
            printed(&Reply::Parcel(short)),
            "Parcel(00000000 00000001   '........')"
        );
    }
}
