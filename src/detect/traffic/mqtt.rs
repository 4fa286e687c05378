//! MQTT of a flow: names that a client gives itself, topics, and what is published, are searched
//! where they are.

use crate::detect::field::Shape;
use crate::detect::traffic::body::Body;
use crate::detect::traffic::dialogue::Shared;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::wire::net::mqtt::{MqttEvent, MqttField, MqttReader};

/// One direction of an MQTT connection.
#[derive(Debug)]
pub(crate) struct MqttDirection {
    reader: MqttReader,
    content: Option<Body>,
}

impl MqttDirection {
    pub(crate) fn new(offset: u64) -> Self {
        Self {
            reader: MqttReader::new(offset),
            content: None,
        }
    }

    pub(crate) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        shared: &mut Shared,
        scene: &mut Scene<'_>,
    ) {
        if let Some(version) = shared.mqtt {
            self.reader.set_version(version);
        }
        let Self { reader, content } = self;
        reader.handle_bytes(bytes, &mut |event| {
            handle_event(&event, content, shared, scene);
        });
    }

    pub(crate) fn handle_hole(&mut self, len: u64, shared: &mut Shared, scene: &mut Scene<'_>) {
        let Self { reader, content } = self;
        reader.handle_hole(len, &mut |event| {
            handle_event(&event, content, shared, scene);
        });
    }

    pub(crate) fn finish(&mut self, scene: &mut Scene<'_>) {
        end(&mut self.content, scene);
    }
}

fn handle_event(
    event: &MqttEvent<'_>,
    content: &mut Option<Body>,
    shared: &mut Shared,
    scene: &mut Scene<'_>,
) {
    let nothing = Exchange::default();
    match event {
        MqttEvent::Version(version) => shared.mqtt = Some(*version),
        MqttEvent::Field {
            offset,
            field,
            bytes,
        } => {
            let word = match field {
                MqttField::ClientId => "mqtt.client-id",
                MqttField::Username => "mqtt.username",
                MqttField::Password => "mqtt.password",
                MqttField::Will => "mqtt.will",
                MqttField::Topic => "mqtt.topic",
                MqttField::Property => "mqtt.property",
            };
            scene.search(&Place::mqtt(word), Shape::Free, bytes, *offset, &nothing);
        }
        MqttEvent::Content(offset) => {
            end(content, scene);
            *content = Some(Body::unknown(Place::mqtt("mqtt.payload"), *offset));
        }
        MqttEvent::Bytes(bytes) => {
            if let Some(content) = content {
                scene.offset = None;
                content.handle_bytes(bytes, &nothing, scene);
            }
        }
        MqttEvent::Hole => {
            if let Some(content) = content {
                content.handle_hole(&nothing, scene);
            }
        }
        MqttEvent::End => end(content, scene),
        MqttEvent::Loose { offset, bytes } => {
            let new = || Body::unknown(Place::tcp_payload(), *offset);
            let loose = content.get_or_insert_with(new);
            scene.offset = Some(*offset);
            loose.handle_bytes(bytes, &nothing, scene);
        }
    }
}

fn end(content: &mut Option<Body>, scene: &mut Scene<'_>) {
    if let Some(content) = content.take() {
        content.finish(&Exchange::default(), scene);
    }
}
