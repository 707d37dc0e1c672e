//! A finding of inspection on its way to become an event.

use std::net::IpAddr;

use watchpost_model::event::{Dns, Http, Ssh, Tls};
use watchpost_model::{Event, field};

use super::fingerprint::Carrier;

/// What was found, without the two ends, which the flow knows.
#[derive(Clone, Debug)]
pub enum Found {
    /// A DNS message.
    Dns(Dns, DnsExtra),
    /// A TLS handshake.
    Tls(Tls, TlsExtra),
    /// An HTTP request.
    Http(Http, HttpExtra),
    /// Two SSH banners, and the HASSH of the client where it was seen.
    Ssh(Ssh, String),
}

/// Header fields of a DNS message beyond the form.
#[derive(Clone, Debug, Default)]
pub struct DnsExtra {
    /// `QUERY`, `NOTIFY`, `UPDATE` or the number.
    pub opcode: String,
    /// `IN`, `CH` or `CLASS` and the number.
    pub class: String,
    /// `AA TC RD RA AD CD`, those set.
    pub flags: Vec<String>,
    /// Whether the client is the flow's responder: capture began with an answer.
    pub reversed: bool,
}

/// What a TLS handshake shows beyond the form.
#[derive(Clone, Debug, Default)]
pub struct TlsExtra {
    /// Cipher suite agreed on.
    pub cipher: String,
    /// ALPN protocol agreed on.
    pub next_protocol: String,
    /// Whether the client is the flow's responder: capture began in mid-flow.
    pub reversed: bool,
    /// What it travelled over.
    pub carrier: Carrier,
    /// JA3 of the client, hex.
    pub ja3: String,
    /// JA4 of the client.
    pub ja4: String,
    /// Subject of the server's certificate.
    pub subject: String,
    /// Issuer of the server's certificate.
    pub issuer: String,
}

/// What an HTTP exchange shows beyond the form. Empty where it was not said.
#[derive(Clone, Debug, Default)]
pub struct HttpExtra {
    /// `1.0` or `1.1`, of the request.
    pub version: String,
    /// Where the client came from, secrets masked.
    pub referrer: String,
    /// Length of the request's body, as it says.
    pub request_bytes: Option<u64>,
    /// Length of the answer's body, as it says.
    pub response_bytes: Option<u64>,
    /// Content type of the answer, without parameters.
    pub mime: String,
}

type End = (IpAddr, u16);

impl Found {
    /// The name that a client asked this server for.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        let name = match self {
            Self::Tls(tls, _) => &tls.server_name,
            Self::Http(http, _) => &http.host,
            Self::Dns(..) | Self::Ssh(..) => return None,
        };
        Some(name.as_str()).filter(|name| !name.is_empty())
    }

    /// The event, between a flow's originator and its responder.
    #[must_use]
    pub fn into_event(self, originator: End, responder: End) -> Event {
        let (source, destination) = (Some(originator), Some(responder));
        match self {
            Self::Dns(dns, extra) => {
                let (source, destination) = turned(extra.reversed, originator, responder);
                dns_event(Dns { source, destination, ..dns }, extra)
            }
            Self::Tls(tls, extra) => {
                let (source, destination) = turned(extra.reversed, originator, responder);
                tls_event(Tls { source, destination, ..tls }, extra)
            }
            Self::Http(http, extra) => http_event(Http { source, destination, ..http }, extra),
            Self::Ssh(ssh, hassh) => {
                let mut event = Event::from(Ssh { source, destination, ..ssh });
                event.record.set_some(field::SSH_HASSH, Some(hassh).filter(|hassh| !hassh.is_empty()));
                event
            }
        }
    }
}

/// Client and server.
const fn turned(reversed: bool, originator: End, responder: End) -> (Option<End>, Option<End>) {
    if reversed { (Some(responder), Some(originator)) } else { (Some(originator), Some(responder)) }
}

fn dns_event(dns: Dns, extra: DnsExtra) -> Event {
    let mut event = Event::from(dns);
    let r = &mut event.record;
    r.set(field::DNS_OPCODE, extra.opcode);
    if !extra.class.is_empty() {
        r.set(field::DNS_QUESTION_CLASS, extra.class);
    }
    if !extra.flags.is_empty() {
        r.set(field::DNS_HEADER_FLAGS, extra.flags);
    }
    event
}

fn http_event(http: Http, extra: HttpExtra) -> Event {
    let mut event = Event::from(http);
    let r = &mut event.record;
    for (id, text) in [
        (field::HTTP_VERSION, extra.version),
        (field::HTTP_REFERRER, extra.referrer),
        (field::HTTP_MIME, extra.mime),
    ] {
        if !text.is_empty() {
            r.set(id, text);
        }
    }
    r.set_some(field::HTTP_REQUEST_BYTES, extra.request_bytes);
    r.set_some(field::HTTP_RESPONSE_BYTES, extra.response_bytes);
    event
}

fn tls_event(tls: Tls, extra: TlsExtra) -> Event {
    let mut event = Event::from(tls);
    let r = &mut event.record;
    if extra.carrier != Carrier::Tcp {
        r.set(field::NETWORK_TRANSPORT, "udp");
        r.set(field::NETWORK_PROTOCOL, extra.carrier.protocol());
    }
    for (id, text) in [
        (field::TLS_CIPHER, extra.cipher),
        (field::TLS_NEXT_PROTOCOL, extra.next_protocol),
        (field::TLS_JA3, extra.ja3),
        (field::TLS_JA4, extra.ja4),
        (field::TLS_SERVER_SUBJECT, extra.subject),
        (field::TLS_SERVER_ISSUER, extra.issuer),
    ] {
        if !text.is_empty() {
            r.set(id, text);
        }
    }
    event
}
