//! What the services behind `service call` do: `iphonesubinfo` and `isms`, codes by version.
//! Other services answer every call with a permission error, as they would to the wrong caller.

use super::answer::Caller;
use crate::adapters::virtual_handset::android::telephony;
use crate::adapters::virtual_handset::firmware::model::Sim;
use crate::adapters::virtual_handset::kernel::world::World;
use crate::base::bytes::Reader;

/// Bytes of one parcel (the binder buffer is a megabyte).
const MAX_BYTES: usize = 1 << 20;

/// A parcel's data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parcel {
    bytes: Vec<u8>,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Parcel(Parcel),
    /// The service knows no such code.
    Unknown,
}

impl Parcel {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn write_bytes(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() <= MAX_BYTES {
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub(super) fn write_i32(&mut self, value: i32) {
        self.write_bytes(&value.to_le_bytes());
    }

    pub(super) fn write_i64(&mut self, value: i64) {
        self.write_bytes(&value.to_le_bytes());
    }

    /// `writeString16`: length, UTF-16, a terminating zero, padding to four bytes; null is -1.
    pub(super) fn write_text(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            self.write_i32(-1);
            return;
        };
        let units: Vec<u16> = text.encode_utf16().collect();
        self.write_i32(i32::try_from(units.len()).unwrap_or(i32::MAX));
        let mut bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        bytes.extend([0, 0]);
        while !bytes.len().is_multiple_of(4) {
            bytes.push(0);
        }
        self.write_bytes(&bytes);
    }

    /// The interface token; later versions add the work source and a marker before the name.
    pub(super) fn write_token(&mut self, interface: &str, modern: bool) {
        self.write_i32(0);
        if modern {
            self.write_i32(-1);
            self.write_bytes(b"TSYS");
        }
        self.write_text(Some(interface));
    }

    /// A null `flat_binder_object`.
    pub(super) fn write_null_binder(&mut self) {
        self.write_bytes(&[0; 24]);
    }
}

/// Reads what a caller has put into a parcel.
struct Arguments<'a>(Reader<'a>);

impl<'a> Arguments<'a> {
    fn after_token(parcel: &'a Parcel, modern: bool) -> Option<Self> {
        let mut arguments = Self(Reader::new(parcel.bytes()));
        arguments.i32()?;
        if modern {
            arguments.i32()?;
            arguments.i32()?;
        }
        arguments.text()?;
        Some(arguments)
    }

    fn i32(&mut self) -> Option<i32> {
        self.0.array().ok().map(i32::from_le_bytes)
    }

    /// A string; the inner `None` is null.
    fn text(&mut self) -> Option<Option<String>> {
        let len = self.i32()?;
        let Ok(len) = usize::try_from(len) else {
            return Some(None);
        };
        let bytes = len
            .checked_add(1)?
            .checked_mul(2)?
            .checked_next_multiple_of(4)?;
        let taken = self.0.take(bytes).ok()?;
        let units: Vec<u16> = taken
            .chunks_exact(2)
            .take(len)
            .filter_map(|unit| Some(u16::from_le_bytes(unit.try_into().ok()?)))
            .collect();
        Some(Some(String::from_utf16_lossy(&units)))
    }
}

/// What the subscriber service can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Imei,
    Svn,
    Imsi,
    Iccid,
    Line1,
    Nothing,
}

/// The methods of IPhoneSubInfo of 4.3, in order from 1.
const SUBINFO_43: &[Asked] = &[
    Asked::Imei,
    Asked::Svn,
    Asked::Imsi,
    Asked::Nothing,
    Asked::Iccid,
    Asked::Line1,
    Asked::Nothing,
    Asked::Nothing,
    Asked::Nothing,
];

/// The methods of IPhoneSubInfo of 5.1 to 9, in order from 1; 10 dropped the one at [`GROUP_51`].
const SUBINFO_51: &[(Asked, First)] = &[
    (Asked::Imei, First::Package),
    (Asked::Nothing, First::Subscription),
    (Asked::Imei, First::Slot),
    (Asked::Imei, First::Subscription),
    (Asked::Svn, First::Package),
    (Asked::Svn, First::Subscription),
    (Asked::Imsi, First::Package),
    (Asked::Imsi, First::Subscription),
    (Asked::Nothing, First::Package),
    (Asked::Nothing, First::Subscription),
    (Asked::Iccid, First::Package),
    (Asked::Iccid, First::Subscription),
    (Asked::Line1, First::Package),
    (Asked::Line1, First::Subscription),
    (Asked::Nothing, First::Package),
    (Asked::Nothing, First::Subscription),
];

/// From this API level on a caller names its attribution tag too.
const FIRST_WITH_ATTRIBUTION: u32 = 30;

/// The place of `getGroupIdLevel1(String)`, from 0.
const GROUP_51: usize = 8;

/// The method at a place, from 0, of 5.1 and later.
fn subscriber_method(sdk: u32, index: usize) -> Option<(Asked, First)> {
    match sdk {
        ..29 => SUBINFO_51.get(index).copied(),
        29 => {
            let index = if index < GROUP_51 { index } else { index + 1 };
            SUBINFO_51.get(index).copied()
        }
        30.. => SUBINFO_11.get(index).copied(),
    }
}

/// Where `sendTextForSubscriber` stands among the methods of ISms, from 0; 4.3 has `sendText` there.
const fn send_method(sdk: u32) -> usize {
    match sdk {
        23..30 => 6,
        _ => 4,
    }
}

/// What comes before the package's name in the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Package,
    Slot,
    Subscription,
}

/// The methods of IPhoneSubInfo from 11 on, in order from 1.
const SUBINFO_11: &[(Asked, First)] = &[
    (Asked::Imei, First::Package),
    (Asked::Imei, First::Package),
    (Asked::Nothing, First::Subscription),
    (Asked::Imei, First::Slot),
    (Asked::Imei, First::Subscription),
    (Asked::Svn, First::Package),
    (Asked::Svn, First::Subscription),
    (Asked::Imsi, First::Package),
    (Asked::Imsi, First::Package),
    (Asked::Imsi, First::Subscription),
    (Asked::Nothing, First::Subscription),
    (Asked::Iccid, First::Package),
    (Asked::Iccid, First::Package),
    (Asked::Iccid, First::Subscription),
    (Asked::Line1, First::Package),
    (Asked::Line1, First::Subscription),
    (Asked::Nothing, First::Package),
    (Asked::Nothing, First::Subscription),
];

/// Calls a service.
pub(super) fn transact(
    world: &mut World,
    caller: &Caller,
    service: &str,
    code: u32,
    parcel: &Parcel,
) -> Reply {
    let old = world.android.is_old();
    let sdk = world.firmware.sdk;
    let Some(mut arguments) = Arguments::after_token(parcel, !old) else {
        return exception(-1, "Binder invocation to an incorrect interface");
    };
    let index = usize::try_from(code)
        .ok()
        .and_then(|code| code.checked_sub(1));
    match (service, index) {
        ("iphonesubinfo", Some(index)) if old => match SUBINFO_43.get(index) {
            Some(asked) => subscriber(world, caller, *asked, 0),
            None => Reply::Unknown,
        },
        ("iphonesubinfo_msim", Some(index)) => {
            let slot = arguments.i32().and_then(|slot| usize::try_from(slot).ok());
            match (SUBINFO_43.get(index), slot) {
                (Some(asked), Some(slot)) => subscriber(world, caller, *asked, slot),
                _ => Reply::Unknown,
            }
        }
        ("iphonesubinfo", Some(index)) => match subscriber_method(sdk, index) {
            Some(method) => subscriber_51(world, caller, method, &mut arguments),
            None => Reply::Unknown,
        },
        ("isms", Some(index)) if index == send_method(sdk) => {
            if old {
                send_43(world, caller, &mut arguments)
            } else {
                send_51(world, caller, &mut arguments)
            }
        }
        _ if code == 0 || code > 200 => Reply::Unknown,
        _ => exception(-1, "Permission denial"),
    }
}

fn subscriber_51(
    world: &World,
    caller: &Caller,
    (asked, first): (Asked, First),
    arguments: &mut Arguments<'_>,
) -> Reply {
    let slot = match first {
        First::Package => Some(0),
        // Subscriptions count from 1; -1 and the largest int are the default one.
        First::Subscription => match arguments.i32() {
            Some(-1 | i32::MAX) => Some(0),
            number => number.and_then(|number| usize::try_from(number).ok()?.checked_sub(1)),
        },
        First::Slot => arguments.i32().and_then(|slot| usize::try_from(slot).ok()),
    };
    let package = arguments.text().flatten();
    if package.as_deref() != Some("com.android.shell") && !caller.user.is_root() {
        let name = package.unwrap_or_else(|| "null".to_owned());
        let text = format!("Package {name} does not belong to {}", caller.user.uid);
        return exception(-1, &text);
    }
    match slot {
        Some(slot) => subscriber(world, caller, asked, slot),
        None => subscriber(world, caller, Asked::Nothing, 0),
    }
}

fn subscriber(world: &World, caller: &Caller, asked: Asked, slot: usize) -> Reply {
    let permission = if world.android.is_old() || asked == Asked::Line1 {
        "android.permission.READ_PHONE_STATE"
    } else {
        "android.permission.READ_PRIVILEGED_PHONE_STATE"
    };
    if !caller.may(world, permission) {
        let text = format!(
            "Requires READ_PHONE_STATE: Neither user {} nor current process has {permission}.",
            caller.user.uid
        );
        return exception(-1, &text);
    }
    let of = |value: fn(&Sim) -> &Option<String>| {
        let sim = world.firmware.sims.get(slot);
        sim.and_then(|sim| value(sim).clone())
    };
    let value = match asked {
        Asked::Imei => of(|sim| &sim.imei),
        Asked::Svn => of(|sim| &sim.imei).map(|_| "01".to_owned()),
        Asked::Imsi => of(|sim| &sim.imsi),
        Asked::Iccid => of(|sim| &sim.iccid),
        Asked::Line1 => of(|sim| &sim.number),
        Asked::Nothing => None,
    };
    let mut reply = Parcel::default();
    reply.write_i32(0);
    reply.write_text(value.as_deref());
    Reply::Parcel(reply)
}

/// `sendText(callingPkg, destAddr, scAddr, text, …)` of 4.3: the radio sends, nobody stores.
fn send_43(world: &World, caller: &Caller, arguments: &mut Arguments<'_>) -> Reply {
    if !caller.may(world, "android.permission.SEND_SMS") {
        return exception(-1, "Sending SMS message");
    }
    let texts = (
        arguments.text(),
        arguments.text(),
        arguments.text(),
        arguments.text(),
    );
    match texts {
        (Some(_), Some(Some(_)), Some(_), Some(Some(_))) => done(),
        _ => exception(-4, "null destination or text"),
    }
}

/// `sendTextForSubscriber`: the platform stores what a caller sends that is not the messaging app.
fn send_51(world: &mut World, caller: &Caller, arguments: &mut Arguments<'_>) -> Reply {
    if !caller.may(world, "android.permission.SEND_SMS") {
        return exception(-1, "Sending SMS message");
    }
    let Some(_subscription) = arguments.i32() else {
        return exception(-1, "Sending SMS message");
    };
    let package = arguments.text().flatten();
    if world.firmware.sdk >= FIRST_WITH_ATTRIBUTION {
        arguments.text();
    }
    let (number, _centre, text) = (arguments.text(), arguments.text(), arguments.text());
    let (Some(Some(number)), Some(Some(text))) = (number, text) else {
        return exception(-3, "Invalid destinationAddress");
    };
    let package = package.unwrap_or_default();
    if package != caller.package() && !caller.user.is_root() {
        let text = format!("Package {package} does not belong to {}", caller.user.uid);
        return exception(-1, &text);
    }
    if super::appops::mode(world, &package, "SEND_SMS") == "allow" {
        telephony::send_message(world, &number, &text, &package);
    }
    done()
}

fn done() -> Reply {
    let mut reply = Parcel::default();
    reply.write_i32(0);
    Reply::Parcel(reply)
}

/// `Parcel.writeException`: -1 security, -3 illegal argument, -4 null pointer.
fn exception(code: i32, message: &str) -> Reply {
    let mut reply = Parcel::default();
    reply.write_i32(code);
    reply.write_text(Some(message));
    // No remote stack trace.
    reply.write_i32(0);
    Reply::Parcel(reply)
}
