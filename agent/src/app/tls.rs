//! TLS handshakes: what the client asks for, and what the server agrees to.

use tls_parser::{
    TlsExtension, TlsVersion, parse_tls_client_hello_extensions, parse_tls_handshake_client_hello,
    parse_tls_handshake_server_hello, parse_tls_server_hello_extensions,
};
use watchpost_model::Timestamp;
use watchpost_model::event::Tls;

use super::Found;
use super::found::TlsExtra;
use super::stream::MOST_BYTES;

/// Protocols kept of an ALPN list.
const MOST_ALPN: usize = 16;

/// Whether bytes begin with a handshake record.
pub(super) fn is_handshake(data: &[u8]) -> bool {
    matches!(data, [0x16, 0x03, 0..=4, ..])
}

/// A handshake in progress.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    hello: Option<Tls>,
    extra: TlsExtra,
    answered: bool,
    told: bool,
    broken: bool,
}

impl Handshake {
    /// Looks at the begin of one direction.
    pub(super) fn read(&mut self, from_originator: bool, data: &[u8], time: Timestamp) {
        let Some(message) = first_message(data) else {
            self.broken |= !is_handshake(data) && data.len() > 3 || data.len() >= MOST_BYTES;
            return;
        };
        match message.split_first_chunk::<4>() {
            Some(([1, ..], body)) if self.hello.is_none() => {
                self.extra.reversed = !from_originator;
                self.hello = client_hello(body, time);
                self.broken |= self.hello.is_none();
            }
            Some(([2, ..], body)) if !self.answered => {
                self.answered = true;
                self.server_hello(body, from_originator, time);
            }
            _ => {}
        }
    }

    fn server_hello(&mut self, body: &[u8], from_originator: bool, time: Timestamp) {
        let Ok((_, hello)) = parse_tls_handshake_server_hello(body) else { return };
        let mut version = hello.version;
        if let Some(bytes) = hello.ext
            && let Ok((_, extensions)) = parse_tls_server_hello_extensions(bytes)
        {
            for extension in &extensions {
                match extension {
                    TlsExtension::SupportedVersions(versions) => {
                        version = versions.first().copied().unwrap_or(version);
                    }
                    TlsExtension::ALPN(names) => {
                        self.extra.next_protocol = names.first().map(|name| text(name)).unwrap_or_default();
                    }
                    _ => {}
                }
            }
        }
        self.extra.cipher = hello
            .cipher
            .get_ciphersuite()
            .map_or_else(|| format!("0x{:04x}", hello.cipher.0), |suite| suite.name.to_owned());
        // Without a client's hello the server's side alone was captured.
        if self.hello.is_none() {
            self.extra.reversed = from_originator;
        }
        self.hello.get_or_insert(Tls { time, ..Tls::default() }).version = version_name(version);
    }

    /// The finding, once the server has answered, or now if `anyway`.
    pub(super) fn take(&mut self, anyway: bool) -> Option<Found> {
        let complete = self.answered && self.hello.is_some();
        if self.told || !(complete || anyway) {
            return None;
        }
        let tls = self.hello.take()?;
        self.told = true;
        Some(Found::Tls(tls, std::mem::take(&mut self.extra)))
    }

    /// Whether all has been said.
    pub(super) const fn is_done(&self) -> bool {
        self.told || (self.broken && self.hello.is_none())
    }
}

/// The first handshake message, put together from the records that carry it. `None` until it is
/// complete; longer ones than [`MOST_BYTES`] never are.
fn first_message(mut data: &[u8]) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    while let Some(([kind, _, _, high, low], rest)) = data.split_first_chunk::<5>() {
        if *kind != 0x16 {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        message.extend_from_slice(rest.get(..length.min(rest.len()))?);
        if let Some([_, a, b, c, ..]) = message.first_chunk::<4>() {
            let wanted = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).ok()?.saturating_add(4);
            if message.len() >= wanted {
                message.truncate(wanted);
                return Some(message);
            }
        }
        data = rest.get(length..)?;
    }
    None
}

fn client_hello(body: &[u8], time: Timestamp) -> Option<Tls> {
    let (_, hello) = parse_tls_handshake_client_hello(body).ok()?;
    let mut tls = Tls { time, ..Tls::default() };
    let mut version = hello.version;
    let extensions = hello.ext.and_then(|bytes| parse_tls_client_hello_extensions(bytes).ok());
    for extension in extensions.map(|parsed| parsed.1).unwrap_or_default() {
        match extension {
            TlsExtension::SNI(names) => {
                tls.server_name =
                    names.first().map(|name| text(name.1).to_ascii_lowercase()).unwrap_or_default();
            }
            TlsExtension::ALPN(names) => {
                tls.alpn = names.into_iter().take(MOST_ALPN).map(text).collect();
            }
            TlsExtension::SupportedVersions(versions) => {
                let real = versions.into_iter().filter(|version| !version_name(*version).is_empty());
                version = real.max_by_key(|version| version_name(*version)).unwrap_or(version);
            }
            _ => {}
        }
    }
    tls.version = version_name(version);
    Some(tls)
}

fn version_name(version: TlsVersion) -> String {
    match version.0 {
        0x0301 => "1.0",
        0x0302 => "1.1",
        0x0303 => "1.2",
        // Drafts of 1.3 number themselves 0x7f and the draft.
        0x0304 | 0x7f00..=0x7fff => "1.3",
        _ => "",
    }
    .to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..bytes.len().min(255)).unwrap_or_default()).into_owned()
}
