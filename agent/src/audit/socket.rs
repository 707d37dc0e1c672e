//! The socket address of a record, which the kernel writes as the bytes of its own structure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::decode;

/// An address as a system call was given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Internet(IpAddr, u16),
    Unix(String),
}

impl Address {
    /// Reads `saddr`. Families other than Unix and Internet are not known.
    pub(super) fn parse(hex: &str) -> Option<Self> {
        let bytes = decode::bytes(hex)?;
        let family: [u8; 2] = bytes.get(..2)?.try_into().ok()?;
        let port = || Some(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?));
        // The kernel's own byte order, and logs of other machines are read too.
        match u16::from_le_bytes(family).min(u16::from_be_bytes(family)) {
            1 => {
                let path = bytes.get(2..)?;
                let end = path.iter().skip(1).position(|byte| *byte == 0).map_or(path.len(), |at| at + 1);
                Some(Self::Unix(String::from_utf8_lossy(path.get(..end)?).replace('\0', "@")))
            }
            2 => {
                let ip: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
                Some(Self::Internet(Ipv4Addr::from(ip).into(), port()?))
            }
            10 => {
                let ip: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
                Some(Self::Internet(IpAddr::from(Ipv6Addr::from(ip)).to_canonical(), port()?))
            }
            _ => None,
        }
    }
}

/// An address as pairs for rules: family, and address and port, or path.
pub(super) fn described(hex: &str) -> Vec<(String, String)> {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    match Address::parse(hex) {
        Some(Address::Internet(ip, port)) => {
            let family = if ip.is_ipv4() { "ipv4" } else { "ipv6" };
            vec![
                pair("family", family.to_owned()),
                pair("addr", ip.to_string()),
                pair("port", port.to_string()),
            ]
        }
        Some(Address::Unix(path)) => vec![pair("family", "unix".to_owned()), pair("path", path)],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_families_are_read_and_short_ones_refused() {
        let ip = |text: &str, port| Some(Address::Internet(text.parse().unwrap(), port));
        assert_eq!(Address::parse("02000050C00002050000000000000000"), ip("192.0.2.5", 80));
        assert_eq!(Address::parse("00020050C00002050000000000000000"), ip("192.0.2.5", 80));
        assert_eq!(
            Address::parse("0A0001BB0000000020010DB800000000000000000000000100000000"),
            ip("2001:db8::1", 443)
        );
        assert_eq!(Address::parse("01002F72756E2F780000"), Some(Address::Unix("/run/x".into())));
        assert_eq!(Address::parse("0100006162"), Some(Address::Unix("@ab".into())));
        for text in ["", "02", "0200", "02000050C000", "FFFF", "xx"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
