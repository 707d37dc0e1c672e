//! IP and what lies on it: a header that is cut or contradicts itself still gives addresses and
//! sizes, because a flow record that misses odd packets would miss exactly what an attacker sends.
//!
//! Headers are read through the packet library's *checked* slices one by one. Its iterator over
//! IPv6 extensions trusts lengths of a packet sliced laxly and reads past the end of a cut one,
//! so the walk over extensions is ours.

use std::net::IpAddr;

use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
    TcpSlice,
};

use super::{Flags, Fragment, Packet, Problem, Transport};

/// Extension headers on one packet. More is an evasion; the walk then stops where it is.
const MAX_EXTENSIONS: usize = 16;

const HOP_BY_HOP: u8 = 0;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const ICMP6: u8 = 58;
const DESTINATION_OPTIONS: u8 = 60;

/// Protocols whose header begins with source and destination port: DCCP, SCTP, UDP-Lite.
const WITH_PORTS: [u8; 4] = [UDP, 33, 132, 136];

/// Decodes what begins with an IP header. `on_wire` is the size to trust where the header has none.
pub(super) fn decode(data: &[u8], on_wire: usize) -> Result<Packet<'_>, Problem> {
    if data.len() < 20 {
        return Err(Problem::Truncated);
    }
    let Opened { mut packet, header, next, body } = match data.first().map(|byte| byte >> 4) {
        Some(4) => of_v4(data, on_wire)?,
        Some(6) => of_v6(data, on_wire)?,
        _ => return Err(Problem::Malformed),
    };
    let inner = behind_extensions(packet.source.is_ipv6(), next, body);
    packet.protocol = inner.protocol;
    packet.payload = inner.payload;
    packet.fragment = packet.fragment.or(inner.fragment);
    let extensions = body.len().saturating_sub(inner.payload.len());
    let above_ip = packet.bytes.saturating_sub(size(header.saturating_add(extensions)));
    if packet.fragment.is_some_and(|fragment| !fragment.first) {
        packet.payload_bytes = above_ip;
        return Ok(packet);
    }
    let header = transport(&mut packet);
    packet.payload_bytes = above_ip.saturating_sub(size(header));
    Ok(packet)
}

fn size(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn empty<'a>(source: IpAddr, destination: IpAddr, bytes: usize) -> Packet<'a> {
    Packet {
        source,
        destination,
        protocol: 0,
        bytes: size(bytes),
        payload_bytes: 0,
        vlan: None,
        macs: None,
        transport: Transport::Other,
        fragment: None,
        payload: &[],
    }
}

/// An IP header taken off.
struct Opened<'a> {
    packet: Packet<'a>,
    /// Its size.
    header: usize,
    /// What follows, by protocol number, and its captured bytes without link padding.
    next: u8,
    body: &'a [u8],
}

fn of_v4(data: &[u8], on_wire: usize) -> Result<Opened<'_>, Problem> {
    let slice = Ipv4HeaderSlice::from_slice(data).map_err(|_| Problem::Malformed)?;
    let header = slice.slice().len();
    let total = usize::from(slice.total_len());
    // A length of zero is what a host sees of a segment that its network card will cut.
    let bytes = if total < header { on_wire } else { total };
    let mut packet = empty(slice.source_addr().into(), slice.destination_addr().into(), bytes);
    let first = slice.fragments_offset().value() == 0;
    if !first || slice.more_fragments() {
        packet.fragment = Some(Fragment { id: slice.identification().into(), first });
    }
    let body = data.get(header..bytes.min(data.len())).unwrap_or_default();
    Ok(Opened { packet, header, next: slice.protocol().0, body })
}

fn of_v6(data: &[u8], on_wire: usize) -> Result<Opened<'_>, Problem> {
    let slice = Ipv6HeaderSlice::from_slice(data).map_err(|_| Problem::Truncated)?;
    let header = slice.slice().len();
    let length = usize::from(slice.payload_length());
    let bytes = if length == 0 { on_wire } else { length.saturating_add(header) };
    let packet = empty(slice.source_addr().into(), slice.destination_addr().into(), bytes);
    let body = data.get(header..bytes.min(data.len())).unwrap_or_default();
    Ok(Opened { packet, header, next: slice.next_header().0, body })
}

/// What lies behind extension and authentication headers.
struct Inner<'a> {
    protocol: u8,
    payload: &'a [u8],
    fragment: Option<Fragment>,
}

fn behind_extensions(v6: bool, next: u8, body: &[u8]) -> Inner<'_> {
    let mut inner = Inner { protocol: next, payload: body, fragment: None };
    for _ in 0..MAX_EXTENSIONS {
        let Some((next, length)) = extension(v6, &mut inner) else { break };
        inner.protocol = next;
        inner.payload = inner.payload.get(length..).unwrap_or_default();
        if inner.fragment.is_some_and(|fragment| !fragment.first) {
            break;
        }
    }
    inner
}

/// The extension at the front: what follows it, and its size. `None` where there is none, or
/// where it is cut.
fn extension(v6: bool, inner: &mut Inner<'_>) -> Option<(u8, usize)> {
    let data = inner.payload;
    match inner.protocol {
        HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS if v6 => {
            let slice = Ipv6RawExtHeaderSlice::from_slice(data).ok()?;
            Some((slice.next_header().0, slice.slice().len()))
        }
        FRAGMENT if v6 => {
            let slice = Ipv6FragmentHeaderSlice::from_slice(data).ok()?;
            if slice.is_fragmenting_payload() {
                let first = slice.fragment_offset().value() == 0;
                inner.fragment = Some(Fragment { id: slice.identification(), first });
            }
            Some((slice.next_header().0, slice.slice().len()))
        }
        AUTHENTICATION => {
            let slice = IpAuthHeaderSlice::from_slice(data).ok()?;
            Some((slice.next_header().0, slice.slice().len()))
        }
        _ => None,
    }
}

/// Fills in the transport part, moves `payload` behind its header and returns the header's size.
fn transport(packet: &mut Packet<'_>) -> usize {
    let data = packet.payload;
    let (transport, header) = match packet.protocol {
        TCP => tcp(data),
        ICMP | ICMP6 => match data {
            [kind, code, ..] => (Transport::Icmp { kind: *kind, code: *code }, 8),
            _ => (Transport::Other, 0),
        },
        number if WITH_PORTS.contains(&number) => match ports(data) {
            Some((source, destination)) => (Transport::Ports { source, destination }, ports_header(number)),
            None => (Transport::Other, 0),
        },
        _ => (Transport::Other, 0),
    };
    packet.transport = transport;
    packet.payload = data.get(header..).unwrap_or_default();
    if packet.protocol == UDP {
        packet.payload = within_udp(data, packet.payload);
    }
    header
}

const fn ports_header(protocol: u8) -> usize {
    match protocol {
        132 | 33 => 12,
        _ => 8,
    }
}

/// Cuts what lies behind the length that the UDP header names.
fn within_udp<'a>(datagram: &[u8], payload: &'a [u8]) -> &'a [u8] {
    let Some([_, _, _, _, high, low, ..]) = datagram.first_chunk::<8>() else { return payload };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    match length.checked_sub(8) {
        Some(length) => payload.get(..length).unwrap_or(payload),
        None => payload,
    }
}

fn ports(data: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = *data.first_chunk::<4>()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

fn tcp(data: &[u8]) -> (Transport, usize) {
    if let Ok(slice) = TcpSlice::from_slice(data) {
        let flags = data.get(13).copied().unwrap_or(0);
        let transport = Transport::Tcp {
            source: slice.source_port(),
            destination: slice.destination_port(),
            flags: Flags(flags),
            sequence: slice.sequence_number(),
        };
        return (transport, slice.header_slice().len());
    }
    cut_tcp(data)
}

/// A TCP header that is cut, or whose length contradicts itself: ports, and flags if captured.
fn cut_tcp(data: &[u8]) -> (Transport, usize) {
    let Some((source, destination)) = ports(data) else { return (Transport::Other, 0) };
    let sequence = data.get(4..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    let header = data.get(12).map_or(20, |byte| usize::from(byte >> 4).saturating_mul(4).max(20));
    let flags = Flags(data.get(13).copied().unwrap_or(0));
    (Transport::Tcp { source, destination, flags, sequence }, header)
}
