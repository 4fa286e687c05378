//! Messages of a WebSocket: put together from frames, decompressed where both sides agreed on that
//! (RFC 7692), and searched as they stream by.

use crate::detect::layer::budget::Limit;
use crate::detect::traffic::body::Body;
use crate::detect::traffic::expansion::Allowance;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::wire::net::coding::{Inflater, Progress};
use crate::wire::net::websocket::{FrameKind, WebSocketEvent, WebSocketReader};

/// What an inflater holds.
const INFLATER_BYTES: usize = 64 * 1024;

/// One direction of a WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocketDirection {
    reader: WebSocketReader,
    messages: Messages,
}

#[derive(Debug)]
struct Messages {
    exchange: Exchange,
    /// Each compressed message starts anew; `None` if none may be compressed.
    deflate: Option<bool>,
    inflater: Option<Inflater>,
    /// What was compressed is not understood any more.
    is_broken: bool,
    allowance: Allowance,
    message: Option<Message>,
    /// What the control frame that is passing carries, and whether that is no more than a close.
    control: Option<(Body, bool)>,
    is_final: bool,
    loose: Option<Body>,
}

#[derive(Debug)]
struct Message {
    body: Body,
    is_compressed: bool,
    /// Compressed bytes that were not undone.
    lost: u64,
}

impl WebSocketDirection {
    /// `deflate`: whether each compressed message of this direction starts anew, if any may be
    /// compressed.
    pub(crate) fn new(offset: u64, deflate: Option<bool>, exchange: Exchange) -> Self {
        Self {
            reader: WebSocketReader::new(offset),
            messages: Messages {
                exchange,
                deflate,
                inflater: None,
                is_broken: false,
                allowance: Allowance::default(),
                message: None,
                control: None,
                is_final: false,
                loose: None,
            },
        }
    }

    pub(crate) fn handle_bytes(&mut self, bytes: &[u8], scene: &mut Scene<'_>) {
        let Self { reader, messages } = self;
        reader.handle_bytes(bytes, &mut |event| messages.handle_event(&event, scene));
    }

    pub(crate) fn handle_hole(&mut self, len: u64, scene: &mut Scene<'_>) {
        let Self { reader, messages } = self;
        reader.handle_hole(len, &mut |event| messages.handle_event(&event, scene));
    }

    pub(crate) fn finish(&mut self, scene: &mut Scene<'_>) {
        self.messages.end_message(scene);
        self.messages.end_control(scene);
        if let Some(loose) = self.messages.loose.take() {
            loose.finish(&self.messages.exchange, scene);
        }
        if self.messages.inflater.take().is_some() {
            scene.ledger.expansion.release(INFLATER_BYTES);
        }
    }
}

impl Messages {
    fn handle_event(&mut self, event: &WebSocketEvent<'_>, scene: &mut Scene<'_>) {
        match event {
            WebSocketEvent::Frame {
                offset,
                kind,
                is_final,
                is_compressed,
            } => match kind {
                FrameKind::Control | FrameKind::Close => {
                    let body = Body::unknown(Place::control(), *offset);
                    self.control = Some((body, *kind == FrameKind::Close));
                }
                FrameKind::Message => {
                    self.end_message(scene);
                    self.begin(*offset, *is_compressed, scene);
                    self.is_final = *is_final;
                }
                FrameKind::Continuation => {
                    if self.message.is_none() {
                        self.begin(*offset, false, scene);
                    }
                    self.is_final = *is_final;
                }
            },
            WebSocketEvent::Bytes(bytes) => {
                scene.offset = None;
                match &mut self.control {
                    Some((control, _)) => control.handle_bytes(bytes, &self.exchange, scene),
                    None => self.content(bytes, scene),
                }
            }
            WebSocketEvent::Hole => {
                if let Some(message) = &mut self.message {
                    self.is_broken |= message.is_compressed;
                    message.body.handle_hole(&self.exchange, scene);
                }
            }
            WebSocketEvent::End => {
                if self.control.is_some() {
                    self.end_control(scene);
                } else if self.is_final {
                    self.end_message(scene);
                }
            }
            WebSocketEvent::Loose { offset, bytes } => {
                let new = || Body::unknown(Place::tcp_payload(), *offset);
                let loose = self.loose.get_or_insert_with(new);
                scene.offset = Some(*offset);
                loose.handle_bytes(bytes, &self.exchange, scene);
            }
        }
    }

    fn begin(&mut self, offset: u64, is_compressed: bool, scene: &mut Scene<'_>) {
        let is_compressed = is_compressed && self.deflate.is_some();
        let mut place = Place::message();
        if is_compressed {
            place.chain.push("deflate".to_owned());
            if self.inflater.is_none() && !self.is_broken {
                if scene.ledger.expansion.hold(INFLATER_BYTES) {
                    self.inflater = Some(Inflater::default());
                } else {
                    scene
                        .ledger
                        .limit("compressed bodies that are read at the same time");
                    self.is_broken = true;
                }
            }
        }
        self.message = Some(Message {
            body: Body::unknown(place, offset),
            is_compressed,
            lost: 0,
        });
    }

    fn content(&mut self, bytes: &[u8], scene: &mut Scene<'_>) {
        let Some(message) = &mut self.message else {
            return;
        };
        if !message.is_compressed {
            return message.body.handle_bytes(bytes, &self.exchange, scene);
        }
        let Some(inflater) = self.inflater.as_mut().filter(|_| !self.is_broken) else {
            message.lost += bytes.len() as u64;
            return;
        };
        let fed = bytes.len() as u64;
        scene.ledger.expansion.feed(&mut self.allowance, fed);
        let progress = inflater.handle_bytes(bytes, &mut |chunk| {
            let len = chunk.len() as u64;
            let is_allowed = scene.ledger.expansion.spend(&mut self.allowance, len);
            if is_allowed {
                message.body.handle_bytes(chunk, &self.exchange, scene);
            }
            is_allowed
        });
        match progress {
            Progress::Taken | Progress::Ended(_) => {}
            Progress::Broken(_) | Progress::Stopped => {
                if progress == Progress::Stopped {
                    scene.ledger.limit(Limit::Expansion.name());
                }
                self.is_broken = true;
                message.lost += fed;
            }
        }
    }

    fn end_message(&mut self, scene: &mut Scene<'_>) {
        /// What the sender left out at the end of each message (RFC 7692, 7.2.1).
        const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
        if self.message.as_ref().is_some_and(|it| it.is_compressed) && !self.is_broken {
            self.content(&TAIL, scene);
            if let Some(inflater) = self
                .inflater
                .as_mut()
                .filter(|_| self.deflate == Some(true))
            {
                inflater.reset();
            }
        }
        if let Some(message) = self.message.take() {
            message.body.finish(&self.exchange, scene);
            scene.count_opaque(message.lost);
        }
        self.is_final = false;
    }

    fn end_control(&mut self, scene: &mut Scene<'_>) {
        if let Some((mut control, is_close)) = self.control.take() {
            let opaque = control.finish_uncounted(&self.exchange, scene);
            // A close's number is understood; a ping may carry anything.
            if !is_close {
                scene.count_opaque(opaque);
            }
        }
    }
}
