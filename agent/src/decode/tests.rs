//! Hand-made frames through every link type, and bytes that mean nothing.
#![expect(clippy::indexing_slicing, reason = "a test may stop where it fails")]

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

/// An IPv4 TCP SYN from 10.0.0.1:4660 to 10.0.0.2:80, with `extra` bytes of payload.
fn ipv4(extra: usize) -> Vec<u8> {
    let total = u16::try_from(40 + extra).unwrap().to_be_bytes();
    let mut ip = vec![0x45, 0, total[0], total[1], 0, 7, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    ip.extend_from_slice(&[0x12, 0x34, 0, 80, 0, 0, 0, 9, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0]);
    ip.resize(40 + extra, b'x');
    ip
}

fn ethernet(tags: &[u8], inner: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], tags, inner].concat()
}

fn read(link: Link, data: &[u8]) -> Result<Packet<'_>, Problem> {
    decode(Frame { link, data, original: data.len() })
}

#[test]
fn every_link_type_and_tag_leads_to_the_same_packet() {
    let ip = ipv4(3);
    let snap = [0, 51, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    for (name, link, data) in [
        ("ethernet", Link::Ethernet, ethernet(&[8, 0], &ip)),
        ("vlan", Link::Ethernet, ethernet(&[0x81, 0, 0, 9, 8, 0], &ip)),
        ("stacked vlan", Link::Ethernet, ethernet(&[0x88, 0xa8, 0, 9, 0x81, 0, 0, 3, 8, 0], &ip)),
        ("mpls", Link::Ethernet, ethernet(&[0x88, 0x47, 0, 1, 0, 64, 0, 1, 1, 64], &ip)),
        ("pppoe", Link::Ethernet, ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 45, 0, 0x21], &ip)),
        ("snap", Link::Ethernet, ethernet(&snap, &ip)),
        ("cooked", Link::Cooked, [&[0; 14][..], &[8, 0], &ip].concat()),
        ("cooked 2", Link::Cooked2, [&[8, 0][..], &[0; 18], &ip].concat()),
        ("raw", Link::RawIp, ip.clone()),
        ("loopback", Link::Loopback, [&[2, 0, 0, 0][..], &ip].concat()),
        ("ppp", Link::Ppp, [&[0xff, 3, 0, 0x21][..], &ip].concat()),
        ("cisco hdlc", Link::CiscoHdlc, [&[0x0f, 0, 8, 0][..], &ip].concat()),
    ] {
        let packet = read(link, &data).unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        assert_eq!(packet.source, Ipv4Addr::new(10, 0, 0, 1), "{name}");
        assert_eq!((packet.bytes, packet.payload_bytes, packet.payload), (43, 3, &b"xxx"[..]), "{name}");
        let expected = Transport::Tcp { source: 0x1234, destination: 80, flags: Flags::SYN, sequence: 9 };
        assert_eq!(packet.transport, expected, "{name}");
        assert_eq!(packet.vlan, name.contains("vlan").then_some(9), "{name}");
    }
}

#[test]
fn link_padding_is_not_counted_and_a_snap_length_changes_no_size() {
    let padded = ethernet(&[8, 0], &[ipv4(0), vec![0; 6]].concat());
    assert_eq!(read(Link::Ethernet, &padded).unwrap().payload_bytes, 0);
    let whole = ethernet(&[8, 0], &ipv4(1_000));
    for kept in [34 + 20, 34 + 14, 34 + 4] {
        let cut = Frame { link: Link::Ethernet, data: &whole[..kept], original: whole.len() };
        let packet = decode(cut).unwrap();
        assert_eq!((packet.bytes, packet.payload_bytes), (1_040, 1_000), "kept {kept}");
        assert!(matches!(packet.transport, Transport::Tcp { source: 0x1234, destination: 80, .. }));
    }
}

#[test]
fn a_length_of_zero_means_what_was_on_the_wire() {
    let mut ip = ipv4(3_000);
    ip[2] = 0;
    ip[3] = 0;
    assert_eq!(read(Link::RawIp, &ip).unwrap().bytes, 3_040);
}

/// A UDP datagram in two IPv4 fragments.
fn fragments() -> [Vec<u8>; 2] {
    let head = |more: u8, offset: u8| {
        vec![0x45, 0, 0, 28, 0, 42, more, offset, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
    };
    let first = [&head(0x20, 0)[..], &[0x12, 0x34, 0, 53, 0, 16, 0, 0]].concat();
    let second = [&head(0, 1)[..], &[b'y'; 8]].concat();
    [first, second]
}

#[test]
fn later_fragments_join_the_flow_of_the_first() {
    let [first, second] = fragments();
    let mut memory = Fragments::default();
    let mut packet = read(Link::RawIp, &second).unwrap();
    assert_eq!(memory.settle(&mut packet), Err(Problem::OrphanFragment));
    let mut packet = read(Link::RawIp, &first).unwrap();
    assert_eq!(memory.settle(&mut packet), Ok(()));
    let mut packet = read(Link::RawIp, &second).unwrap();
    assert_eq!(memory.settle(&mut packet), Ok(()));
    assert_eq!(packet.transport, Transport::Ports { source: 0x1234, destination: 53 });
    assert_eq!((packet.bytes, packet.payload_bytes), (28, 8));
}

#[test]
fn extension_headers_are_walked_even_when_cut() {
    let mut ip = vec![0x60, 0, 0, 0, 0, 24, 0, 64];
    ip.extend_from_slice(&[0; 15]);
    ip.push(1);
    ip.extend_from_slice(&[0; 15]);
    ip.push(2);
    // Hop-by-hop, destination options, then UDP.
    ip.extend_from_slice(&[60, 0, 1, 4, 0, 0, 0, 0]);
    ip.extend_from_slice(&[17, 0, 1, 4, 0, 0, 0, 0]);
    ip.extend_from_slice(&[0, 7, 0, 9, 0, 8, 0, 0]);
    let packet = read(Link::RawIp, &ip).unwrap();
    assert_eq!((packet.protocol, packet.bytes, packet.payload_bytes), (17, 64, 0));
    assert_eq!(packet.transport, Transport::Ports { source: 7, destination: 9 });
    for kept in 40..ip.len() {
        assert_eq!(read(Link::RawIp, &ip[..kept]).unwrap().bytes, 64);
    }
}

#[test]
fn what_is_not_ip_is_told_from_what_is_broken() {
    assert_eq!(read(Link::Ethernet, &ethernet(&[8, 6], &[0; 28])), Err(Problem::NotIp));
    assert_eq!(read(Link::Ethernet, &[0; 13]), Err(Problem::Truncated));
    assert_eq!(read(Link::RawIp, &[0x45; 19]), Err(Problem::Truncated));
    assert_eq!(read(Link::Ethernet, &ethernet(&[0x81, 0, 0, 1].repeat(20), &[])), Err(Problem::Malformed));
    assert_eq!(read(Link::Unknown(147), &[0; 64]), Err(Problem::UnknownLink));
}

const LINKS: [u32; 10] = [0, 1, 9, 12, 50, 101, 104, 108, 113, 276];

proptest! {
    #[test]
    fn any_bytes_on_any_link_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), link in prop::sample::select(&LINKS[..])) {
        let _ = read(Link::from_number(link), &bytes);
    }

    #[test]
    fn a_damaged_packet_is_survived(at in 0..40_usize, to in any::<u8>(), kept in 0..60_usize) {
        let mut ip = ipv4(20);
        ip[at] = to;
        ip.truncate(kept);
        if let Ok(packet) = read(Link::RawIp, &ip) {
            prop_assert!(packet.payload.len() <= ip.len());
            prop_assert!(packet.payload_bytes <= packet.bytes);
        }
    }
}
