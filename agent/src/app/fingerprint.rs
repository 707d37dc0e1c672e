//! Fingerprints of TLS clients: JA3 and JA4.
//!
//! JA3 is the MD5 of the hello's numbers in the order sent. JA4 (FoxIO, BSD-3-Clause; only the TLS
//! client fingerprint, the rest of that family has another licence) sorts ciphers and extensions,
//! so that clients that shuffle them keep one fingerprint. Both leave reserved numbers (GREASE) out.

use std::fmt::Write;

use md5::Md5;
use sha2::{Digest, Sha256};

use super::hello::{Hello, is_draft, is_grease};

/// Extensions that JA4 counts but does not hash: server name and ALPN depend on the destination.
const NOT_HASHED: [u16; 2] = [0, 16];

/// What a hello travelled over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carrier {
    /// A TCP connection.
    #[default]
    Tcp,
    /// QUIC, over UDP.
    Quic,
    /// Datagrams with TLS's own reliability.
    Dtls,
}

impl Carrier {
    /// The protocol's name on a record.
    #[must_use]
    pub const fn protocol(self) -> &'static str {
        match self {
            Self::Tcp => "tls",
            Self::Quic => "quic",
            Self::Dtls => "dtls",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Tcp => 't',
            Self::Quic => 'q',
            Self::Dtls => 'd',
        }
    }
}

/// JA3, 32 hex digits.
pub(super) fn ja3(hello: &Hello) -> String {
    let formats: Vec<u16> = hello.point_formats.iter().map(|format| u16::from(*format)).collect();
    let lists = [&hello.ciphers, &hello.extensions, &hello.groups, &formats];
    let mut text = hello.version.to_string();
    for list in lists {
        text.push(',');
        let numbers: Vec<String> = real(list).map(|number| number.to_string()).collect();
        text.push_str(&numbers.join("-"));
    }
    hex(&Md5::digest(text), 32)
}

/// JA4, for example `t13d1516h2_8daaf6152771_e5627efa2ab1`.
pub(super) fn ja4(hello: &Hello, carrier: Carrier) -> String {
    let mut ciphers: Vec<u16> = real(&hello.ciphers).collect();
    ciphers.sort_unstable();
    let count = real(&hello.extensions).count();
    let mut extensions: Vec<u16> =
        real(&hello.extensions).filter(|number| !NOT_HASHED.contains(number)).collect();
    extensions.sort_unstable();
    let signatures: Vec<u16> = real(&hello.signatures).collect();
    let mut hashed = listed(&extensions);
    if !signatures.is_empty() {
        hashed.push('_');
        hashed.push_str(&listed(&signatures));
    }
    format!(
        "{}{}{}{:02}{:02}{}_{}_{}",
        carrier.letter(),
        version(hello.best_version()),
        if hello.has_server_name() { 'd' } else { 'i' },
        ciphers.len().min(99),
        count.min(99),
        alpn(hello.alpn.first().map_or(&[], Vec::as_slice)),
        short_hash(&listed(&ciphers), ciphers.is_empty()),
        short_hash(&hashed, extensions.is_empty()),
    )
}

fn real(numbers: &[u16]) -> impl Iterator<Item = u16> {
    numbers.iter().copied().filter(|number| !is_grease(*number))
}

const fn version(number: u16) -> &'static str {
    match number {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        number if is_draft(number) => "13",
        _ => "00",
    }
}

/// First and last character of a protocol's name; of its hex form where they are not alphanumeric.
/// That is what the description says; early tools wrote 99 instead, so those few differ on purpose.
fn alpn(name: &[u8]) -> String {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return "00".into() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [*first, *last].map(char::from).iter().collect();
    }
    let (first, last) = (format!("{first:02x}"), format!("{last:02x}"));
    first.chars().take(1).chain(last.chars().skip(1)).collect()
}

fn listed(numbers: &[u16]) -> String {
    let words: Vec<String> = numbers.iter().map(|number| format!("{number:04x}")).collect();
    words.join(",")
}

/// The first 12 digits of SHA-256; zeros where there was nothing to hash.
fn short_hash(text: &str, empty: bool) -> String {
    if empty { "0".repeat(12) } else { hex(&Sha256::digest(text), 12) }
}

/// The first `digits` of a hash.
pub(super) fn hex(bytes: &[u8], digits: usize) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(digits);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the published description of JA4.
    fn example() -> Hello {
        Hello {
            version: 0x0303,
            ciphers: vec![
                0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
                0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
            ],
            extensions: vec![
                0x3a3a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
                0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
            ],
            signatures: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            versions: vec![0x6a6a, 0x0304, 0x0303],
            alpn: vec![b"h2".to_vec()],
            ..Hello::default()
        }
    }

    #[test]
    fn ja4_of_the_published_example() {
        assert_eq!(ja4(&example(), Carrier::Tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn ja4_is_the_same_whatever_the_order() {
        let mut shuffled = example();
        shuffled.ciphers.reverse();
        shuffled.extensions.rotate_left(5);
        assert_eq!(ja4(&shuffled, Carrier::Tcp), ja4(&example(), Carrier::Tcp));
        assert_ne!(ja3(&shuffled), ja3(&example()));
        assert!(ja4(&example(), Carrier::Quic).starts_with('q'));
    }

    #[test]
    fn an_empty_hello_has_zeros() {
        let hello = Hello { version: 0x0301, ..Hello::default() };
        assert_eq!(ja4(&hello, Carrier::Tcp), "t10i000000_000000000000_000000000000");
    }

    #[test]
    fn ja3_of_the_published_example() {
        // 769,4-5-10-9-100-98-3-6-19-18-99,,, stands in the original description.
        let hello =
            Hello { version: 769, ciphers: vec![4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], ..Hello::default() };
        assert_eq!(ja3(&hello), "de350869b8c85de67a350c8d186f11e6");
    }

    #[test]
    fn a_protocol_beyond_letters_is_told_in_hex() {
        assert_eq!(alpn(&[0xab]), "ab");
        assert_eq!(alpn(&[0xab, 0xcd]), "ad");
        assert_eq!(alpn(b"0\xab"), "3b");
        assert_eq!(alpn(b"h"), "hh");
        assert_eq!(alpn(b"http/1.1"), "h1");
    }
}
