//! Everything below IP: link headers and the tags between them and IP.
//!
//! Written by hand because the tags that mirrors and provider networks add (MPLS, PPPoE, 802.3
//! with SNAP) are what the packet library does not peel. Each step consumes bytes, and at most
//! [`MAX_TAGS`] are taken, so a frame made of nothing but tags ends quickly.

use super::Problem;

/// Tags on one frame before it is called malformed. Provider networks use up to four.
const MAX_TAGS: usize = 8;

/// What a frame begins with. Numbers are those of the tcpdump registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Ethernet.
    Ethernet,
    /// Linux "cooked" capture, version 1.
    Cooked,
    /// Linux "cooked" capture, version 2.
    Cooked2,
    /// An IP header directly.
    RawIp,
    /// BSD loopback: an address family in the capturing host's byte order.
    Loopback,
    /// PPP, with or without HDLC framing.
    Ppp,
    /// Cisco HDLC.
    CiscoHdlc,
    /// Any other number.
    Unknown(u32),
}

impl Link {
    /// From a capture file's link type.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Ethernet,
            113 => Self::Cooked,
            276 => Self::Cooked2,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            0 | 108 => Self::Loopback,
            9 | 50 => Self::Ppp,
            104 => Self::CiscoHdlc,
            other => Self::Unknown(other),
        }
    }
}

/// A frame without what is below IP.
#[derive(Debug, Default)]
pub(super) struct Stripped<'a> {
    pub(super) ip: &'a [u8],
    pub(super) vlan: Option<u16>,
    pub(super) macs: Option<([u8; 6], [u8; 6])>,
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(data: &[u8]) -> Result<(&[u8; N], &[u8]), Problem> {
    data.split_first_chunk::<N>().ok_or(Problem::Truncated)
}

pub(super) fn strip(link: Link, data: &[u8]) -> Result<Stripped<'_>, Problem> {
    match link {
        Link::Ethernet => ethernet(data),
        Link::Cooked => {
            let (head, rest) = take::<16>(data)?;
            let [.., high, low] = *head;
            tagged(u16::from_be_bytes([high, low]), rest)
        }
        Link::Cooked2 => {
            let ([high, low, ..], rest) = take::<20>(data)?;
            tagged(u16::from_be_bytes([*high, *low]), rest)
        }
        Link::RawIp => bare(data),
        Link::Loopback => bare(take::<4>(data)?.1),
        Link::Ppp => ppp(data),
        Link::CiscoHdlc => {
            let ([_, _, high, low], rest) = take::<4>(data)?;
            tagged(u16::from_be_bytes([*high, *low]), rest)
        }
        Link::Unknown(_) => Err(Problem::UnknownLink),
    }
}

fn ethernet(data: &[u8]) -> Result<Stripped<'_>, Problem> {
    let (destination, rest) = take::<6>(data)?;
    let (source, rest) = take::<6>(rest)?;
    let ([high, low], rest) = take::<2>(rest)?;
    let mut stripped = tagged(u16::from_be_bytes([*high, *low]), rest)?;
    stripped.macs = Some((*source, *destination));
    Ok(stripped)
}

/// An IP header, told by its version.
fn bare(data: &[u8]) -> Result<Stripped<'_>, Problem> {
    match data.first().map(|byte| byte >> 4) {
        Some(4 | 6) => Ok(Stripped { ip: data, ..Stripped::default() }),
        Some(_) => Err(Problem::NotIp),
        None => Err(Problem::Truncated),
    }
}

/// PPP: optional address and control bytes, then a protocol of one or two bytes.
fn ppp(data: &[u8]) -> Result<Stripped<'_>, Problem> {
    let data = data.strip_prefix(&[0xff, 0x03]).unwrap_or(data);
    let ([high, low], rest) = take::<2>(data)?;
    match (*high, *low) {
        (0x00, 0x21 | 0x57) => bare(rest),
        (0x02, 0x81) => mpls(rest),
        (0x21 | 0x57, _) => bare(data.get(1..).unwrap_or_default()),
        _ => Err(Problem::NotIp),
    }
}

/// Peels tags until IP appears.
fn tagged(mut kind: u16, mut data: &[u8]) -> Result<Stripped<'_>, Problem> {
    let mut vlan = None;
    for _ in 0..MAX_TAGS {
        match kind {
            0x0800 | 0x86dd => return Ok(Stripped { ip: data, vlan, macs: None }),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                let ([tag_high, tag_low, high, low], rest) = take::<4>(data)?;
                let id = u16::from_be_bytes([*tag_high, *tag_low]) & 0x0fff;
                vlan = vlan.or(Some(id).filter(|id| *id != 0));
                (kind, data) = (u16::from_be_bytes([*high, *low]), rest);
            }
            0x8847 | 0x8848 => return Ok(Stripped { vlan, ..mpls(data)? }),
            0x8864 => return Ok(Stripped { vlan, ..ppp(take::<6>(data)?.1)? }),
            0..=1500 => (kind, data) = snap(data)?,
            _ => return Err(Problem::NotIp),
        }
    }
    Err(Problem::Malformed)
}

/// 802.2 with the sub-network access header, which carries an EtherType.
fn snap(data: &[u8]) -> Result<(u16, &[u8]), Problem> {
    match take::<8>(data)? {
        ([0xaa, 0xaa, 0x03, 0, 0, 0, high, low], rest) => Ok((u16::from_be_bytes([*high, *low]), rest)),
        _ => Err(Problem::NotIp),
    }
}

/// A stack of labels, then IP or (behind a control word) another Ethernet frame.
fn mpls(mut data: &[u8]) -> Result<Stripped<'_>, Problem> {
    for _ in 0..MAX_TAGS {
        let ([_, _, third, _], rest) = take::<4>(data)?;
        data = rest;
        if third & 1 == 1 {
            return match data.first().map(|byte| byte >> 4) {
                Some(0) => pseudowire(take::<4>(data)?.1),
                _ => bare(data),
            };
        }
    }
    Err(Problem::Malformed)
}

/// An Ethernet frame inside MPLS; only one level, so the depth is bounded.
fn pseudowire(data: &[u8]) -> Result<Stripped<'_>, Problem> {
    let (_, rest) = take::<12>(data)?;
    let ([high, low], rest) = take::<2>(rest)?;
    match u16::from_be_bytes([*high, *low]) {
        0x0800 | 0x86dd => bare(rest),
        _ => Err(Problem::NotIp),
    }
}
