//! IP and what lies on it, through the packet library's lax slices: a header that is cut or
//! contradicts itself still gives addresses and sizes, because a flow record that misses odd
//! packets would miss exactly what an attacker sends.

use std::net::IpAddr;

use etherparse::{Ipv6ExtensionSlice, LaxIpSlice, LaxIpv4Slice, LaxIpv6Slice, TcpSlice};

use super::{Flags, Fragment, Packet, Problem, Transport};

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP6: u8 = 58;

/// Protocols whose header begins with source and destination port: DCCP, SCTP, UDP-Lite.
const WITH_PORTS: [u8; 4] = [UDP, 33, 132, 136];

/// Decodes what begins with an IP header. `on_wire` is the size to trust where the header has none.
pub(super) fn decode(data: &[u8], on_wire: usize) -> Result<Packet<'_>, Problem> {
    if data.len() < 20 {
        return Err(Problem::Truncated);
    }
    let (ip, _stop) = LaxIpSlice::from_slice(data).map_err(|_| Problem::Malformed)?;
    let payload = ip.payload();
    let mut packet = match &ip {
        LaxIpSlice::Ipv4(v4) => of_v4(v4, on_wire),
        LaxIpSlice::Ipv6(v6) => of_v6(v6, on_wire),
    };
    packet.protocol = payload.ip_number.0;
    packet.payload = payload.payload;
    let before = offset(data, payload.payload);
    let above_ip = packet.bytes.saturating_sub(size(before));
    if packet.fragment.is_some_and(|fragment| !fragment.first) {
        packet.payload_bytes = above_ip;
        return Ok(packet);
    }
    let header = transport(&mut packet);
    packet.payload_bytes = above_ip.saturating_sub(size(header));
    Ok(packet)
}

/// Where `inner` begins in `outer`.
fn offset(outer: &[u8], inner: &[u8]) -> usize {
    (inner.as_ptr() as usize).saturating_sub(outer.as_ptr() as usize).min(outer.len())
}

fn size(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn empty<'a>(source: IpAddr, destination: IpAddr, bytes: u64) -> Packet<'a> {
    Packet {
        source,
        destination,
        protocol: 0,
        bytes,
        payload_bytes: 0,
        vlan: None,
        macs: None,
        transport: Transport::Other,
        fragment: None,
        payload: &[],
    }
}

fn of_v4<'a>(slice: &LaxIpv4Slice<'_>, on_wire: usize) -> Packet<'a> {
    let header = slice.header();
    let total = usize::from(header.total_len());
    // A length of zero is what a host sees of a segment that its network card will cut.
    let bytes = if total < header.slice().len() { on_wire } else { total };
    let mut packet = empty(header.source_addr().into(), header.destination_addr().into(), size(bytes));
    let first = header.fragments_offset().value() == 0;
    if !first || header.more_fragments() {
        packet.fragment = Some(Fragment { id: header.identification().into(), first });
    }
    packet
}

fn of_v6<'a>(slice: &LaxIpv6Slice<'_>, on_wire: usize) -> Packet<'a> {
    let header = slice.header();
    let length = usize::from(header.payload_length());
    let bytes = if length == 0 { on_wire } else { length.saturating_add(40) };
    let mut packet = empty(header.source_addr().into(), header.destination_addr().into(), size(bytes));
    packet.fragment = slice.extensions().clone().into_iter().find_map(|extension| match extension {
        Ipv6ExtensionSlice::Fragment(part) if part.is_fragmenting_payload() => {
            Some(Fragment { id: part.identification(), first: part.fragment_offset().value() == 0 })
        }
        _ => None,
    });
    packet
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
