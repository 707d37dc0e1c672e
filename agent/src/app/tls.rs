//! TLS handshakes: what the client asks for, and what the server agrees to.
//!
//! Messages may be spread over records, and records over segments. A finding is told once the
//! server has said all that it says in the clear: its hello, and before TLS 1.3 its certificate.

use tls_parser::{TlsCipherSuiteID, parse_tls_handshake_server_hello};
use watchpost_model::Timestamp;
use watchpost_model::event::Tls;

use super::Found;
use super::certificate;
use super::fingerprint::{Carrier, ja3, ja4};
use super::found::TlsExtra;
use super::hello::{Hello, extension, is_draft, protocols, text};
use super::stream::MOST_BYTES;

const HANDSHAKE: u8 = 0x16;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_HELLO_DONE: u8 = 14;

/// Extensions of a ServerHello.
const ALPN: u16 = 16;
const VERSIONS: u16 = 43;

const TLS_1_3: u16 = 0x0304;
const DTLS_1_3: u16 = 0xfefc;

/// Whether bytes begin with a handshake record.
pub(super) fn is_handshake(data: &[u8]) -> bool {
    matches!(data, [HANDSHAKE, 0x03, 0..=4, ..])
}

/// A handshake in progress.
#[derive(Debug)]
pub(super) struct Handshake {
    carrier: Carrier,
    hello: Option<Tls>,
    extra: TlsExtra,
    answered: bool,
    /// The server has nothing more to say in the clear.
    settled: bool,
    told: bool,
    broken: bool,
}

impl Handshake {
    /// A handshake of which nothing is known yet.
    pub(super) fn over(carrier: Carrier) -> Self {
        let extra = TlsExtra { carrier, ..TlsExtra::default() };
        Self { carrier, hello: None, extra, answered: false, settled: false, told: false, broken: false }
    }

    /// Looks at the begin of one direction, record by record.
    pub(super) fn read(&mut self, from_originator: bool, data: &[u8], time: Timestamp) {
        let (joined, ended) = join(data);
        let ended = ended || data.len() >= MOST_BYTES;
        let any = self.messages(from_originator, &joined, time);
        if ended && !any {
            self.broken = true;
        }
        // An alert, encryption or silence where the client has already spoken.
        let from_client = from_originator != self.extra.reversed;
        self.settled |= ended && self.hello.is_some() && !from_client;
    }

    /// Reads handshake messages from the begin of a direction; whether there was one.
    pub(super) fn messages(&mut self, from_originator: bool, mut joined: &[u8], time: Timestamp) -> bool {
        let mut any = false;
        while let Some((kind, body, rest)) = message(joined) {
            self.message(from_originator, kind, body, time);
            any = true;
            joined = rest;
        }
        any
    }

    /// Reads one whole handshake message.
    pub(super) fn message(&mut self, from_originator: bool, kind: u8, body: &[u8], time: Timestamp) {
        match kind {
            CLIENT_HELLO if self.hello.is_none() => {
                self.extra.reversed = !from_originator;
                self.client_hello(body, time);
                self.broken |= self.hello.is_none();
            }
            SERVER_HELLO if !self.answered => {
                self.answered = true;
                self.server_hello(body, from_originator, time);
            }
            CERTIFICATE if self.answered && !self.settled => {
                if let Some((subject, issuer)) = certificate::names(body) {
                    self.extra.subject = subject;
                    self.extra.issuer = issuer;
                }
                self.settled = true;
            }
            SERVER_HELLO_DONE if self.answered => self.settled = true,
            _ => {}
        }
    }

    fn client_hello(&mut self, body: &[u8], time: Timestamp) {
        let Some(hello) = Hello::parse(body) else { return };
        self.extra.ja3 = ja3(&hello);
        self.extra.ja4 = ja4(&hello, self.carrier);
        self.hello = Some(Tls {
            time,
            version: version_name(hello.best_version()).to_owned(),
            alpn: hello.alpn.iter().map(|name| text(name)).collect(),
            server_name: hello.server_name,
            ..Tls::default()
        });
    }

    fn server_hello(&mut self, body: &[u8], from_originator: bool, time: Timestamp) {
        let Ok((_, hello)) = parse_tls_handshake_server_hello(body) else {
            self.settled = true;
            return;
        };
        let mut version = hello.version.0;
        let mut rest = hello.ext.unwrap_or_default();
        while let Some((kind, body, next)) = extension(rest) {
            match (kind, body) {
                (VERSIONS, [high, low, ..]) => version = u16::from_be_bytes([*high, *low]),
                (ALPN, [_, _, list @ ..]) => {
                    self.extra.next_protocol =
                        protocols(list).first().map(|name| text(name)).unwrap_or_default();
                }
                _ => {}
            }
            rest = next;
        }
        self.extra.cipher = cipher_name(hello.cipher);
        self.settled |= matches!(version, TLS_1_3 | DTLS_1_3) || is_draft(version);
        // Without a client's hello the server's side alone was captured.
        if self.hello.is_none() {
            self.extra.reversed = from_originator;
        }
        let name = version_name(version).to_owned();
        self.hello.get_or_insert(Tls { time, ..Tls::default() }).version = name;
    }

    /// The finding, once the server has answered, or now if `anyway`.
    pub(super) fn take(&mut self, anyway: bool) -> Option<Found> {
        let complete = self.settled && self.hello.is_some();
        if self.told || !(complete || anyway) {
            return None;
        }
        let tls = self.hello.take()?;
        self.told = true;
        Some(Found::Tls(tls, std::mem::take(&mut self.extra)))
    }

    /// Whether a client's hello was read.
    pub(super) const fn has_hello(&self) -> bool {
        self.hello.is_some()
    }

    /// Whether all has been said.
    pub(super) const fn is_done(&self) -> bool {
        self.told || (self.broken && self.hello.is_none())
    }
}

/// What handshake records carry, up to the first record of another kind, and whether there was one.
fn join(mut data: &[u8]) -> (Vec<u8>, bool) {
    let mut joined = Vec::with_capacity(data.len());
    while let Some(([kind, _, _, high, low], rest)) = data.split_first_chunk::<5>() {
        if *kind != HANDSHAKE {
            return (joined, true);
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (body, next) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        joined.extend_from_slice(body);
        data = next;
    }
    let ended = data.first().is_some_and(|kind| *kind != HANDSHAKE);
    (joined, ended)
}

/// The first handshake message: its type, its body and what follows.
fn message(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([kind, high, middle, low], rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).ok()?;
    let (body, next) = rest.split_at_checked(length)?;
    Some((*kind, body, next))
}

fn cipher_name(cipher: TlsCipherSuiteID) -> String {
    cipher.get_ciphersuite().map_or_else(|| format!("0x{:04x}", cipher.0), |suite| suite.name.to_owned())
}

const fn version_name(version: u16) -> &'static str {
    match version {
        0x0301 => "1.0",
        0x0302 => "1.1",
        // DTLS 1.0 was made after TLS 1.1.
        0xfeff => "1.0",
        0x0303 | 0xfefd => "1.2",
        TLS_1_3 | DTLS_1_3 => "1.3",
        version if is_draft(version) => "1.3",
        _ => "",
    }
}
