//! Ids computed from a flow's key: the Community ID that other tools compute too, and our own
//! flow id, which also tells two connections over the same ports apart.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use watchpost_model::Timestamp;

use super::key::{End, Key};

/// Community ID version 1: `1:` and the Base64 of a SHA-1 over seed, ordered addresses,
/// protocol, padding and ordered ports.
#[must_use]
pub fn community_id(key: &Key, seed: u16) -> String {
    let (low, high) = (key.end(End::Low), key.end(End::High));
    let mut hasher = Sha1::new();
    hasher.update(seed.to_be_bytes());
    add_address(&mut hasher, low.ip);
    add_address(&mut hasher, high.ip);
    hasher.update([key.protocol(), 0]);
    // The specification hashes ports of ICMP, TCP, UDP, ICMPv6 and SCTP alone.
    if matches!(key.protocol(), 1 | 6 | 17 | 58 | 132) {
        hasher.update(low.port.to_be_bytes());
        hasher.update(high.port.to_be_bytes());
    }
    let mut text = String::with_capacity(30);
    text.push_str("1:");
    STANDARD.encode_string(hasher.finalize(), &mut text);
    text
}

/// The id shared by all records of one flow: 16 hex digits over the key, the first packet's time
/// and the place of capture. The same capture gives the same ids every time.
#[must_use]
pub fn flow_id(key: &Key, start: Timestamp, place: &str) -> String {
    let (low, high) = (key.end(End::Low), key.end(End::High));
    let mut hasher = Sha1::new();
    hasher.update(start.as_nanos().to_be_bytes());
    hasher.update([key.protocol()]);
    for end in [low, high] {
        add_address(&mut hasher, end.ip);
        hasher.update(end.port.to_be_bytes());
    }
    hasher.update(place.as_bytes());
    hasher.finalize().iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    })
}

fn add_address(hasher: &mut Sha1, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => hasher.update(v4.octets()),
        IpAddr::V6(v6) => hasher.update(v6.octets()),
    }
}
