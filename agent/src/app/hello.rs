//! A ClientHello, read tolerantly: every extension in its order, whatever its body is worth.
//!
//! Fingerprints are made of the order and the numbers of extensions, so a list that stops at the
//! first body that a typed parser dislikes would fingerprint wrongly. Framing is left to
//! tls-parser; bodies are read here, each within its own bounds, and a bad one reads as empty.

use tls_parser::parse_tls_handshake_client_hello;

/// Protocols kept of an ALPN list.
const MOST_ALPN: usize = 16;

/// Bytes kept of a name.
const MOST_NAME: usize = 255;

const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURES: u16 = 13;
const ALPN: u16 = 16;
const VERSIONS: u16 = 43;

/// What a client says of itself. Numbers as on the wire, reserved ones (GREASE) included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hello {
    /// The version of the message, frozen at 1.2 since TLS 1.3.
    pub(super) version: u16,
    pub(super) ciphers: Vec<u16>,
    /// Types of all extensions, in order.
    pub(super) extensions: Vec<u16>,
    pub(super) groups: Vec<u16>,
    pub(super) point_formats: Vec<u8>,
    pub(super) signatures: Vec<u16>,
    /// Versions offered by extension.
    pub(super) versions: Vec<u16>,
    /// Lower case; empty where there was none.
    pub(super) server_name: String,
    pub(super) alpn: Vec<Vec<u8>>,
}

impl Hello {
    /// Reads the body of the message; `None` where it is not one.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (_, message) = parse_tls_handshake_client_hello(body).ok()?;
        let mut hello = Self {
            version: message.version.0,
            ciphers: message.ciphers.iter().map(|cipher| cipher.0).collect(),
            ..Self::default()
        };
        let mut rest = message.ext.unwrap_or_default();
        while let Some((kind, body, next)) = extension(rest) {
            hello.take(kind, body);
            rest = next;
        }
        Some(hello)
    }

    fn take(&mut self, kind: u16, body: &[u8]) {
        self.extensions.push(kind);
        match kind {
            SERVER_NAME => self.server_name = server_name(body).unwrap_or_default(),
            GROUPS => self.groups = sized(body).map(|(list, _)| words(list)).unwrap_or_default(),
            POINT_FORMATS => self.point_formats = short(body).unwrap_or_default().to_vec(),
            SIGNATURES => self.signatures = sized(body).map(|(list, _)| words(list)).unwrap_or_default(),
            VERSIONS => self.versions = short(body).map(words).unwrap_or_default(),
            ALPN => self.alpn = sized(body).map(|(list, _)| protocols(list)).unwrap_or_default(),
            _ => {}
        }
    }

    /// The highest version offered that is a version.
    pub(super) fn best_version(&self) -> u16 {
        let real = self.versions.iter().copied().filter(|version| !is_grease(*version));
        real.max_by_key(|version| rank(*version)).unwrap_or(self.version)
    }

    /// Whether the client named a server at all.
    pub(super) fn has_server_name(&self) -> bool {
        self.extensions.contains(&SERVER_NAME)
    }
}

/// Orders versions by age. DTLS counts down from 0xffff.
const fn rank(version: u16) -> u16 {
    match version {
        version if is_draft(version) => 0x0304,
        0xfe00..=0xfeff => u16::MAX.saturating_sub(version),
        version => version,
    }
}

/// Numbers reserved so that servers stay tolerant (RFC 8701).
pub(super) const fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

/// Drafts of TLS 1.3 number themselves 0x7f and the draft.
pub(super) const fn is_draft(version: u16) -> bool {
    version >> 8 == 0x7f
}

/// The first extension: its type, its body and what follows.
pub(super) fn extension(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let ([high, low], rest) = bytes.split_first_chunk::<2>()?;
    let (body, next) = sized(rest)?;
    Some((u16::from_be_bytes([*high, *low]), body, next))
}

/// Bytes with their length in two bytes before them, and what follows.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([high, low], rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))
}

/// Bytes with their length in one byte before them.
fn short(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first()?;
    rest.get(..usize::from(*length))
}

fn words(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
}

/// The first host name of a list.
fn server_name(body: &[u8]) -> Option<String> {
    let (list, _) = sized(body)?;
    let (name, _) = sized(list.get(1..)?)?;
    Some(text(name).to_ascii_lowercase())
}

/// An ALPN list.
pub(super) fn protocols(mut list: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(name) = short(list)
        && found.len() < MOST_ALPN
    {
        found.push(name.to_vec());
        list = list.get(name.len().saturating_add(1)..).unwrap_or_default();
    }
    found
}

/// Bytes as text, bounded.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..bytes.len().min(MOST_NAME)).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_numbers_are_told_from_real_ones() {
        assert!(is_grease(0x0a0a) && is_grease(0xfafa));
        assert!(!is_grease(0x0a1a) && !is_grease(0x1301) && !is_grease(0xefef));
    }

    #[test]
    fn an_extension_cut_short_ends_the_list() {
        assert_eq!(extension(&[0, 43, 0, 3, 2, 3, 4, 9]), Some((43, &[2, 3, 4][..], &[9][..])));
        assert_eq!(extension(&[0, 43, 0, 3, 2, 3]), None);
    }

    #[test]
    fn a_body_that_lies_about_its_length_reads_as_empty() {
        let mut hello = Hello::default();
        hello.take(GROUPS, &[0, 9, 0, 29]);
        hello.take(VERSIONS, &[9, 3, 4]);
        assert_eq!(hello.extensions, [GROUPS, VERSIONS]);
        assert!(hello.groups.is_empty() && hello.versions.is_empty());
    }
}
