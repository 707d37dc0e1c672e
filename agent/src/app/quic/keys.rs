//! The public keys of Initial packets: derived from the connection id that the client chose first,
//! so whoever sees the first packet can open it (RFC 9001, 5; RFC 9369, 3.3).

use ring::aead::quic::{self, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{self, HKDF_SHA256, Prk, Salt};

use super::header::Header;

const V1: u32 = 1;
pub(super) const V2: u32 = 0x6b33_43cf;

/// Version 1's salt, from the standard, as the others.
const SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
    0xbb, 0x7f, 0x0a,
];
const SALT_2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
    0xbd, 0x2e, 0xd9,
];
/// Drafts 29 to 33.
const SALT_DRAFT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43,
    0x90, 0xa8, 0x99,
];
/// Drafts 23 to 28.
const SALT_DRAFT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe,
    0xf9, 0xf5, 0x02,
];
/// T050 and T051, which browsers spoke before version 1 was settled.
const SALT_T050: [u8; 20] = [
    0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60,
    0x48, 0x83, 0x10,
];
const SALT_T051: [u8; 20] = [
    0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda,
    0x6e, 0x03, 0x3d,
];

/// Whether we know the salt of a version.
pub(super) const fn is_known(version: u32) -> bool {
    salt_of(version).is_some()
}

const fn salt_of(version: u32) -> Option<&'static [u8; 20]> {
    Some(match version {
        V1 | 0xff00_0021 | 0xff00_0022 => &SALT_1,
        V2 => &SALT_2,
        0xff00_001d..=0xff00_0020 => &SALT_DRAFT_29,
        // The second range is what one large site called its drafts 22 to 27.
        0xff00_0017..=0xff00_001c | 0xface_b001..=0xface_b002 => &SALT_DRAFT_23,
        0x5430_3530 => &SALT_T050,
        0x5430_3531 => &SALT_T051,
        _ => return None,
    })
}

/// The keys of both directions.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) client: Keys,
    pub(super) server: Keys,
}

impl Pair {
    /// Keys from the receiver's id on the client's first packet; `None` for unknown versions.
    pub(super) fn of(version: u32, id: &[u8]) -> Option<Self> {
        let initial = Salt::new(HKDF_SHA256, salt_of(version)?).extract(id);
        let side = |label: &str| {
            let secret = Prk::new_less_safe(HKDF_SHA256, &expand::<32>(&initial, label)?);
            Keys::of(&secret, version == V2)
        };
        Some(Self { client: side("client in")?, server: side("server in")? })
    }
}

/// The keys of one direction.
pub(super) struct Keys {
    payload: LessSafeKey,
    header: HeaderProtectionKey,
    iv: [u8; 12],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Keys")
    }
}

impl Keys {
    fn of(secret: &Prk, second: bool) -> Option<Self> {
        let (key, iv, header) = if second {
            ("quicv2 key", "quicv2 iv", "quicv2 hp")
        } else {
            ("quic key", "quic iv", "quic hp")
        };
        let key = UnboundKey::new(&AES_128_GCM, &expand::<16>(secret, key)?).ok()?;
        let header = HeaderProtectionKey::new(&quic::AES_128, &expand::<16>(secret, header)?).ok()?;
        Some(Self { payload: LessSafeKey::new(key), header, iv: expand(secret, iv)? })
    }

    /// The frames of a packet; `None` where it was not sealed with these keys.
    pub(super) fn open(&self, packet: &Header<'_>) -> Option<Vec<u8>> {
        let sample_at = packet.number.checked_add(4)?;
        let sample = packet.packet.get(sample_at..sample_at.checked_add(16)?)?;
        let mask = self.header.new_mask(sample).ok()?;
        let mut bytes = packet.packet.to_vec();
        let first = bytes.first_mut()?;
        *first ^= mask[0] & 0x0f;
        let end = packet.number.checked_add(usize::from(*first & 3).checked_add(1)?)?;
        let mut nonce = self.iv;
        let number = bytes.get_mut(packet.number..end)?;
        for (byte, mask) in number.iter_mut().zip(mask.iter().skip(1)) {
            *byte ^= mask;
        }
        // The nonce's end takes the number, right-aligned. The first numbers are sent whole.
        for (byte, digit) in nonce.iter_mut().rev().zip(number.iter().rev()) {
            *byte ^= digit;
        }
        let (header, sealed) = bytes.split_at_mut_checked(end)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.payload.open_in_place(nonce, Aad::from(header), sealed).ok().map(|frames| frames.to_vec())
    }
}

/// A length that `ring` is to expand a secret to.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// `HKDF-Expand-Label` of TLS 1.3, without context.
fn expand<const N: usize>(secret: &Prk, label: &str) -> Option<[u8; N]> {
    let label = [b"tls13 ", label.as_bytes()].concat();
    let length = u16::try_from(N).ok()?.to_be_bytes();
    let info: [&[u8]; 4] = [&length, &[u8::try_from(label.len()).ok()?], &label, &[0]];
    let mut bytes = [0; N];
    secret.expand(&info, Length(N)).ok()?.fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The connection id of the standards' examples.
    const ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = hex.as_bytes().as_chunks::<2>().0;
        pairs.iter().map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// A client's Initial packet with these frames, sealed and protected.
    pub(in crate::app) fn sealed(version: u32, id: &[u8], number: u8, frames: &[u8]) -> Vec<u8> {
        let keys = Pair::of(version, id).unwrap().client;
        let first = if version == V2 { 0xd3 } else { 0xc3 };
        let mut packet = [&[first][..], &version.to_be_bytes()].concat();
        packet.push(u8::try_from(id.len()).unwrap());
        packet.extend_from_slice(id);
        packet.extend_from_slice(&[0, 0]);
        let length = u16::try_from(4 + frames.len() + 16).unwrap() | 0x4000;
        packet.extend_from_slice(&length.to_be_bytes());
        let at = packet.len();
        packet.extend_from_slice(&[0, 0, 0, number]);
        let mut nonce = keys.iv;
        nonce[11] ^= number;
        let mut body = frames.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        keys.payload.seal_in_place_append_tag(nonce, Aad::from(packet.clone()), &mut body).unwrap();
        packet.extend_from_slice(&body);
        let mask = keys.header.new_mask(packet.get(at + 4..at + 20).unwrap()).unwrap();
        *packet.first_mut().unwrap() ^= mask[0] & 0x0f;
        for (byte, mask) in packet.iter_mut().skip(at).take(4).zip(&mask[1..]) {
            *byte ^= mask;
        }
        packet
    }

    #[test]
    fn keys_are_those_of_the_standards() {
        let first = Pair::of(V1, &ID).unwrap();
        assert_eq!(first.client.iv.to_vec(), bytes("fa044b2f42a3fd3b46fb255c"));
        assert_eq!(first.server.iv.to_vec(), bytes("0ac1493ca1905853b0bba03e"));
        let mask = first.client.header.new_mask(&bytes("d1b1c98dd7689fb8ec11d242b123dc9b")).unwrap();
        assert_eq!(mask.to_vec(), bytes("437b9aec36"));
        assert_eq!(Pair::of(V2, &ID).unwrap().client.iv.to_vec(), bytes("91f73e2351d8fa91660e909f"));
        assert!(Pair::of(0x0a0a_0a0a, &ID).is_none());
    }

    #[test]
    fn the_standards_example_of_an_answer_opens() {
        let packet = bytes(concat!(
            "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb3",
            "8cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84",
            "022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee"
        ));
        let (header, rest) = Header::parse(&packet).unwrap();
        assert!(rest.is_empty() && header.initial);
        let pair = Pair::of(V1, &ID).unwrap();
        let frames = pair.server.open(&header).unwrap();
        // An acknowledgement, then CRYPTO with a ServerHello.
        assert_eq!(frames.get(..10), Some(&[2, 0, 0, 0, 0, 6, 0, 0x40, 0x5a, 2][..]));
        assert!(pair.client.open(&header).is_none());
    }
}
