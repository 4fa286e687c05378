//! The bytes of a message: an HTTP request and its answer. Templates are filled here, nowhere else.

use super::due::Circumstances;
use crate::adapters::virtual_handset::android::settings::Namespace;
use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::firmware::model::{Message, Sim};
use crate::adapters::virtual_handset::firmware::template::{Placeholder, Template};
use crate::adapters::virtual_handset::kernel::world::World;
use crate::adapters::virtual_handset::network::exchange::{Exchange, Protection};
use data_encoding::BASE64;

/// What an app says to a host, and what it hears.
pub(super) fn exchange_of(
    world: &World,
    app: &str,
    message: &Message,
    circumstances: &Circumstances,
) -> Exchange {
    Exchange {
        uid: world
            .firmware
            .package(app)
            .map_or(1000, |package| package.uid),
        foreground: world.android.display.is_front(app),
        host: message.host.clone(),
        port: message.port,
        protection: if message.tls {
            Protection::Tls
        } else {
            Protection::Clear
        },
        request: request(world, message, circumstances),
        response: answer(message),
        keep_open: message.keep_open,
    }
}

fn request(world: &World, message: &Message, circumstances: &Circumstances) -> Vec<u8> {
    let fill = |template: &Template| template.render(|name| value(world, name, circumstances));
    let mut bytes = fill(&message.request);
    bytes.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, template) in &message.headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(&fill(template));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("Host: {}\r\n", message.host).as_bytes());
    let Some(body) = &message.body else {
        bytes.extend_from_slice(b"\r\n");
        return bytes;
    };
    let text = fill(&body.text);
    let sent = if body.base64 {
        BASE64.encode(&text).into_bytes()
    } else {
        text
    };
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", sent.len()).as_bytes());
    bytes.extend_from_slice(&sent);
    bytes
}

fn answer(message: &Message) -> Vec<u8> {
    let reason = match message.status {
        200 => "OK",
        204 => "No Content",
        404 => "Not Found",
        _ => "Status",
    };
    let mut head = format!("HTTP/1.1 {} {reason}\r\nServer: nginx\r\n", message.status);
    if message.status != 204 {
        push(
            &mut head,
            format_args!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                message.answer.len()
            ),
        );
    }
    format!("{head}\r\n{}", message.answer).into_bytes()
}

/// What a placeholder stands for now; what can not be read is empty.
fn value(world: &World, name: Placeholder, circumstances: &Circumstances) -> String {
    let slot = |slot: usize, value: fn(&Sim) -> &Option<String>| {
        let sim = world.firmware.sims.get(slot);
        sim.and_then(|sim| value(sim).clone()).unwrap_or_default()
    };
    match name {
        Placeholder::Imei => slot(0, |sim| &sim.imei),
        Placeholder::Imei2 => slot(1, |sim| &sim.imei),
        Placeholder::Imsi => slot(0, |sim| &sim.imsi),
        Placeholder::Iccid => slot(0, |sim| &sim.iccid),
        Placeholder::OwnNumber => slot(0, |sim| &sim.number),
        Placeholder::Operator => slot(0, |sim| &sim.operator),
        Placeholder::Serial => world.serial.clone(),
        Placeholder::AndroidId => world
            .android
            .settings
            .get(Namespace::Secure, "android_id")
            .unwrap_or_default()
            .to_owned(),
        Placeholder::Mac => world.firmware.wifi.mac.clone(),
        Placeholder::Model => world.android.property("ro.product.model").to_owned(),
        Placeholder::Incremental => world
            .android
            .property("ro.build.version.incremental")
            .to_owned(),
        Placeholder::ContactNumber => circumstances.contact_number.clone(),
        Placeholder::ContactName => circumstances
            .raw_contact
            .map(|id| world.android.providers.contacts.name(id))
            .unwrap_or_default(),
        Placeholder::PeerNumber => circumstances.peer_number.clone(),
        Placeholder::MessageText => circumstances.text.clone(),
    }
}
