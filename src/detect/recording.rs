//! `Recorder`: the HTTP exchanges of an analysis as they were decoded, for an archive. It keeps what was
//! sent as it was sent, planted values included, within a budget; what is cut or left out is counted.

use crate::evidence::flow::Protection;

/// More of one body than this is not kept.
const MAX_BODY_BYTES: usize = 1 << 20;

/// More exchanges than this are not kept.
const MAX_EXCHANGES: usize = 100_000;

/// What one exchange, field or message takes beside its own bytes.
const OVERHEAD_BYTES: usize = 128;

/// One request and what was answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordedExchange {
    /// The flow's id; `None` if the flow is no part of the result.
    pub flow: Option<u32>,
    /// When the first of it was read, in nanoseconds since the Unix epoch.
    pub first: u64,
    /// When the last of it was read.
    pub last: u64,
    /// It was encrypted on its way.
    pub is_secure: bool,
    /// `GET`; empty if the request was not seen.
    pub method: Vec<u8>,
    /// The request's target as it was sent; of an archive the whole URL.
    pub target: Vec<u8>,
    /// The host that was named.
    pub host: Option<String>,
    /// The answer's status; 0 if there was none.
    pub status: u16,
    /// What was asked.
    pub request: RecordedMessage,
    /// What was answered.
    pub response: RecordedMessage,
    /// Messages of a WebSocket.
    pub frames: Vec<RecordedFrame>,
}

/// A head and a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedMessage {
    /// When the first of it was read, in nanoseconds since the Unix epoch; 0 if nothing was.
    pub first: u64,
    /// Names and values, as they were sent.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body, its codings undone, as much of it as is kept.
    pub body: Vec<u8>,
    /// Bytes that the body had.
    pub body_len: u64,
}

/// A message of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFrame {
    /// When, in nanoseconds since the Unix epoch.
    pub at: u64,
    /// The client sent it.
    pub is_sent: bool,
    /// What was said, as much of it as is kept.
    pub bytes: Vec<u8>,
}

/// Who says something, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: u64,
    pub(crate) is_from_client: bool,
}

/// What is kept so far.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) exchanges: Vec<RecordedExchange>,
    /// Bytes that may still be kept.
    budget: usize,
}

impl Recorder {
    pub(crate) const fn new(budget: usize) -> Self {
        Self {
            exchanges: Vec::new(),
            budget,
        }
    }

    /// Begins an exchange; its number, if there is room for it.
    pub(crate) fn open(
        &mut self,
        flow: u32,
        at: u64,
        protection: Protection,
        method: &[u8],
        target: &[u8],
        host: Option<&str>,
    ) -> Option<u32> {
        let number = u32::try_from(self.exchanges.len()).ok()?;
        let has_room = self.exchanges.len() < MAX_EXCHANGES;
        let line = method.len() + target.len() + host.map_or(0, str::len);
        if !has_room || !self.spend(line) {
            return None;
        }
        self.exchanges.push(RecordedExchange {
            flow: Some(flow),
            first: at,
            last: at,
            is_secure: protection == Protection::Tls,
            method: method.to_vec(),
            target: target.to_vec(),
            host: host.map(str::to_owned),
            ..RecordedExchange::default()
        });
        Some(number)
    }

    /// An answer has begun.
    pub(crate) fn answer(&mut self, number: u32, status: u16, moment: Moment) {
        if let Some(exchange) = self.exchange(number, moment) {
            exchange.status = status;
        }
    }

    /// A header field.
    pub(crate) fn field(&mut self, number: u32, name: &[u8], value: &[u8], moment: Moment) {
        if self.spend(name.len() + value.len())
            && let Some(message) = self.message(number, moment)
        {
            message.fields.push((name.to_vec(), value.to_vec()));
        }
    }

    /// The next bytes of a body, codings undone.
    pub(crate) fn body(&mut self, number: u32, bytes: &[u8], moment: Moment) {
        let budget = self.budget;
        let Some(message) = self.message(number, moment) else {
            return;
        };
        // What was cut stays cut.
        let is_whole = message.body.len() as u64 == message.body_len;
        message.body_len += bytes.len() as u64;
        let room = MAX_BODY_BYTES.saturating_sub(message.body.len());
        let room = if is_whole { room.min(budget) } else { 0 };
        let kept = bytes.get(..room).unwrap_or(bytes);
        message.body.extend_from_slice(kept);
        self.budget -= kept.len();
    }

    /// The next bytes of a message of a WebSocket; `is_new` if it begins.
    pub(crate) fn frame(&mut self, number: u32, bytes: &[u8], is_new: bool, moment: Moment) {
        let room = MAX_BODY_BYTES.min(bytes.len());
        if !self.spend(room) {
            return;
        }
        let Some(exchange) = self.exchange(number, moment) else {
            return;
        };
        let known = exchange.frames.last_mut();
        let known = known.filter(|known| !is_new && known.is_sent == moment.is_from_client);
        let kept = bytes.get(..room).unwrap_or(bytes);
        match known {
            Some(known) => known.bytes.extend_from_slice(kept),
            None => exchange.frames.push(RecordedFrame {
                at: moment.at,
                is_sent: moment.is_from_client,
                bytes: kept.to_vec(),
            }),
        }
    }

    fn spend(&mut self, len: usize) -> bool {
        let left = self.budget.checked_sub(len + OVERHEAD_BYTES);
        self.budget = left.unwrap_or(self.budget);
        left.is_some()
    }

    fn exchange(&mut self, number: u32, moment: Moment) -> Option<&mut RecordedExchange> {
        let exchange = self.exchanges.get_mut(usize::try_from(number).ok()?)?;
        exchange.last = exchange.last.max(moment.at);
        Some(exchange)
    }

    fn message(&mut self, number: u32, moment: Moment) -> Option<&mut RecordedMessage> {
        let exchange = self.exchange(number, moment)?;
        let message = match moment.is_from_client {
            true => &mut exchange.request,
            false => &mut exchange.response,
        };
        if message.first == 0 {
            message.first = moment.at;
        }
        Some(message)
    }
}

impl RecordedExchange {
    /// The bytes that it holds, for a budget.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let of = |message: &RecordedMessage| {
            let fields = message.fields.iter();
            let fields = fields.map(|(name, value)| name.len() + value.len() + OVERHEAD_BYTES);
            message.body.len() + fields.sum::<usize>()
        };
        let frames = self.frames.iter().map(|it| it.bytes.len() + OVERHEAD_BYTES);
        let host = self.host.as_ref().map_or(0, String::len);
        let line = self.method.len() + self.target.len() + host;
        of(&self.request) + of(&self.response) + frames.sum::<usize>() + line + OVERHEAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: Moment = Moment {
        at: 5,
        is_from_client: true,
    };

    #[test]
    fn what_is_kept_is_bounded_and_what_is_cut_is_counted() {
        let mut recorder = Recorder::new(4 << 20);
        let open = |recorder: &mut Recorder| {
            recorder.open(0, 1, Protection::Clear, b"POST", b"/", Some("a.example"))
        };
        let number = open(&mut recorder).unwrap();
        let piece = vec![7; 300_000];
        for _ in 0..100 {
            recorder.body(number, &piece, OUT);
        }
        let body = &recorder.exchanges[0].request;
        assert_eq!((body.body.len(), body.body_len), (1 << 20, 30_000_000));
        let mut opened = 1;
        while let Some(number) = open(&mut recorder) {
            recorder.body(number, &vec![7; 100_000], OUT);
            opened += 1;
            assert!(opened < 100_000);
        }
        let held: usize = recorder
            .exchanges
            .iter()
            .map(RecordedExchange::held_bytes)
            .sum();
        assert!(held <= 4 << 20, "{held}");
        recorder.field(9_999_999, b"a", b"b", OUT);
    }
}
