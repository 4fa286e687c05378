//! `Upgrade`: what both directions of a connection speak after HTTP/1's 101 (RFC 9110, 15.2.2).

use crate::detect::traffic::scene::Exchange;
use crate::wire::net::http1::head::Head;

/// Another protocol on the same connection.
#[derive(Clone, Debug)]
pub(crate) enum Upgrade {
    /// RFC 6455.
    WebSocket {
        /// Messages may be compressed (RFC 7692); whether each starts anew: the client's, the server's.
        deflate: Option<[bool; 2]>,
        /// The request that asked for it.
        exchange: Exchange,
    },
    /// RFC 7540, 3.2; the request is the first stream's.
    Http2(Exchange),
}

impl Upgrade {
    /// What a response of 101 agrees to, if that is known here.
    pub(crate) fn of_head(head: &Head<'_>, exchange: &Exchange) -> Option<Self> {
        if head.lists("upgrade", "h2c") {
            return Some(Self::Http2(exchange.clone()));
        }
        if !head.lists("upgrade", "websocket") {
            return None;
        }
        let extensions = head
            .field("sec-websocket-extensions")
            .map(|field| String::from_utf8_lossy(field.value).to_ascii_lowercase());
        let agreed = extensions.as_deref().unwrap_or_default();
        let deflate = agreed.contains("permessage-deflate").then(|| {
            ["client", "server"].map(|side| agreed.contains(&format!("{side}_no_context_takeover")))
        });
        Some(Self::WebSocket {
            deflate,
            exchange: exchange.clone(),
        })
    }
}
