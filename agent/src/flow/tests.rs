//! The state machine by table, the table's promises by example and by property.
#![expect(clippy::indexing_slicing, reason = "a test may stop where it fails")]

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use sha1::{Digest, Sha1};
use watchpost_model::{Event, FieldId, Kind, Timestamp, Value, field};

use super::*;
use crate::decode::{Flags, Packet, Transport};

const CLIENT: u8 = 1;
const SERVER: u8 = 2;

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

fn packet<'a>(from: (u8, u16), to: (u8, u16), protocol: u8, transport: Transport) -> Packet<'a> {
    Packet {
        source: ip(from.0),
        destination: ip(to.0),
        protocol,
        bytes: 60,
        payload_bytes: 20,
        vlan: None,
        macs: None,
        transport,
        fragment: None,
        payload: &[],
    }
}

fn tcp<'a>(from: (u8, u16), to: (u8, u16), flags: u8) -> Packet<'a> {
    let transport = Transport::Tcp { source: from.1, destination: to.1, flags: Flags(flags), sequence: 1 };
    packet(from, to, 6, transport)
}

fn udp(from: (u8, u16), to: (u8, u16)) -> Packet<'static> {
    packet(from, to, 17, Transport::Ports { source: from.1, destination: to.1 })
}

fn place() -> Place {
    Place { rung: "replay", ..Place::default() }
}

fn number(event: &Event, id: FieldId) -> u64 {
    event.record.get(id).and_then(Value::as_uint).unwrap_or(0)
}

fn packets(event: &Event) -> (u64, u64) {
    (number(event, field::SOURCE_PACKETS), number(event, field::DESTINATION_PACKETS))
}

/// A conversation in Zeek's letters: upper case from the originator. S = SYN, H = SYN and ACK,
/// A = ACK, F = FIN and ACK, R = RST.
fn state_of(history: &str) -> &'static str {
    let mut tcp = Tcp::default();
    for letter in history.chars() {
        let flags = match letter.to_ascii_uppercase() {
            'S' => 0x02,
            'H' => 0x12,
            'A' => 0x10,
            'F' => 0x11,
            'R' => 0x04,
            other => panic!("no such letter: {other}"),
        };
        tcp.step(letter.is_ascii_uppercase(), Flags(flags));
    }
    tcp.word()
}

#[test]
fn histories_give_the_states_that_zeek_names() {
    for (history, state) in [
        ("S", "S0"),
        ("SSS", "S0"),
        ("Sr", "REJ"),
        ("Sh", "S1"),
        ("ShA", "S1"),
        ("ShAaAa", "S1"),
        ("ShAFafA", "SF"),
        ("ShAfFa", "SF"),
        ("ShAF", "S2"),
        ("ShAFa", "S2"),
        ("ShAf", "S3"),
        ("ShAR", "RSTO"),
        ("ShAaFR", "RSTO"),
        ("ShAr", "RSTR"),
        ("ShAFfR", "SF"),
        ("SR", "RSTOS0"),
        ("SF", "SH"),
        ("h", "SHR"),
        ("hr", "RSTRH"),
        ("A", "OTH"),
        ("Aa", "OTH"),
        ("", "OTH"),
    ] {
        assert_eq!(state_of(history), state, "history {history}");
    }
}

#[test]
fn a_community_id_is_the_digest_of_the_ordered_ends() {
    let mut bytes = vec![0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 6, 0];
    bytes.extend_from_slice(&[0x9c, 0x40, 0x00, 0x50]);
    let digest = Sha1::digest(&bytes);
    let expected =
        format!("1:{}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest));
    let there = Key::of(&tcp((CLIENT, 40_000), (SERVER, 80), 2)).0;
    let back = Key::of(&tcp((SERVER, 80), (CLIENT, 40_000), 0x12)).0;
    assert_eq!(there, back);
    assert_eq!(community_id(&there, 0), expected);
    assert_ne!(community_id(&there, 1), expected);
}

#[test]
fn an_echo_and_its_reply_are_one_flow_and_an_unreachable_is_another() {
    let echo = packet((CLIENT, 0), (SERVER, 0), 1, Transport::Icmp { kind: 8, code: 0 });
    let reply = packet((SERVER, 0), (CLIENT, 0), 1, Transport::Icmp { kind: 0, code: 0 });
    let unreachable = packet((SERVER, 0), (CLIENT, 0), 1, Transport::Icmp { kind: 3, code: 1 });
    assert_eq!(Key::of(&echo).0, Key::of(&reply).0);
    assert_ne!(Key::of(&echo).0, Key::of(&unreachable).0);
}

struct Bench {
    table: Table,
    out: Vec<Event>,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        Self { table: Table::new(settings, place()), out: Vec::new() }
    }

    fn feed(&mut self, millis: i64, packet: &Packet<'_>) {
        self.table.expire(at(millis), &mut self.out);
        self.table.observe(packet, at(millis), &mut self.out);
    }

    fn told(&mut self, millis: i64) -> Vec<Event> {
        self.table.expire(at(millis), &mut self.out);
        std::mem::take(&mut self.out)
    }
}

#[test]
fn an_unanswered_syn_is_told_after_a_second_and_counted_once() {
    let mut bench = Bench::new(Settings::default());
    bench.feed(0, &tcp((CLIENT, 40_000), (SERVER, 80), 0x02));
    assert!(bench.told(900).is_empty());
    let first = bench.told(1_000);
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].text(field::FLOW_STATE), Some("S0"));
    assert_eq!(packets(&first[0]), (1, 0));
    bench.feed(1_500, &tcp((CLIENT, 40_000), (SERVER, 80), 0x02));
    let later = bench.told(400_000);
    assert_eq!(later.iter().map(|event| packets(event).0).sum::<u64>(), 1);
    assert_eq!(later[0].text(field::FLOW_ID), first[0].text(field::FLOW_ID));
    assert!(bench.table.is_empty());
}

#[test]
fn a_finished_connection_is_told_within_a_second_and_stragglers_open_no_flow() {
    let mut bench = Bench::new(Settings::default());
    let (client, server) = ((CLIENT, 40_000), (SERVER, 80));
    for (millis, from_client, flags) in
        [(0, true, 2), (1, false, 0x12), (2, true, 0x10), (3, true, 0x11), (4, false, 0x11)]
    {
        let packet = if from_client { tcp(client, server, flags) } else { tcp(server, client, flags) };
        bench.feed(millis, &packet);
    }
    let told = bench.told(500);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].text(field::FLOW_STATE), Some("SF"));
    assert_eq!(told[0].text(field::FLOW_REASON), Some("end"));
    assert_eq!(packets(&told[0]), (3, 2));
    bench.feed(600, &tcp(client, server, 0x10));
    assert_eq!(bench.table.len(), 1);
    let rest = bench.told(60_000);
    assert_eq!(rest.len(), 1);
    assert_eq!(packets(&rest[0]), (1, 0));
    assert_eq!(rest[0].text(field::FLOW_ID), told[0].text(field::FLOW_ID));
}

#[test]
fn a_new_syn_over_the_ports_of_a_closed_flow_opens_another() {
    let mut bench = Bench::new(Settings::default());
    let (client, server) = ((CLIENT, 40_000), (SERVER, 80));
    bench.feed(0, &tcp(client, server, 0x02));
    bench.feed(1, &tcp(server, client, 0x14));
    bench.feed(2, &tcp(client, server, 0x02));
    bench.feed(3, &tcp(server, client, 0x14));
    let told = bench.told(1_000);
    assert_eq!(told.len(), 2);
    assert!(
        told.iter().all(|event| event.text(field::FLOW_STATE) == Some("REJ") && packets(event) == (1, 1))
    );
    assert_ne!(told[0].text(field::FLOW_ID), told[1].text(field::FLOW_ID));
}

#[test]
fn an_answer_seen_first_does_not_make_the_server_the_source() {
    for first in [tcp((SERVER, 80), (CLIENT, 40_000), 0x12), udp((SERVER, 53), (CLIENT, 40_000))] {
        let mut bench = Bench::new(Settings::offline());
        bench.feed(0, &first);
        bench.table.drain(at(1), &mut bench.out);
        assert_eq!(bench.out[0].record.get(field::SOURCE_IP), Some(&Value::Ip(ip(CLIENT))));
        assert_eq!(packets(&bench.out[0]), (0, 1));
    }
}

#[test]
fn a_long_flow_is_told_every_minute_with_what_is_new() {
    let mut bench = Bench::new(Settings::default());
    for second in 0..150 {
        bench.feed(second * 1_000, &udp((CLIENT, 40_000), (SERVER, 4_000)));
    }
    bench.table.drain(at(150_000), &mut bench.out);
    let counts: Vec<u64> = bench.out.iter().map(|event| packets(event).0).collect();
    assert_eq!(counts.iter().sum::<u64>(), 150);
    assert_eq!(counts.len(), 4, "one early, two a minute apart, one at the end: {counts:?}");
    assert!(bench.out.iter().all(|event| event.record.get(field::EVENT_START) == Some(&Value::Time(at(0)))));
}

#[test]
fn a_full_table_ends_the_idlest_flow_and_counts_it() {
    let mut bench = Bench::new(Settings { most: 3, early: None, ..Settings::default() });
    for (millis, port) in [(0, 2_001), (1, 2_002), (2, 2_003), (3, 2_001)] {
        bench.feed(millis, &udp((CLIENT, port), (SERVER, 4_000)));
    }
    bench.feed(4, &udp((CLIENT, 2_004), (SERVER, 4_000)));
    assert_eq!(bench.table.evicted(), 1);
    assert_eq!(bench.out.len(), 1);
    assert_eq!(number(&bench.out[0], field::SOURCE_PORT), 2_002);
    assert_eq!(bench.out[0].text(field::FLOW_REASON), Some("pressure"));
}

#[test]
fn half_sent_handshakes_can_not_fill_memory() {
    let most = 64 * 1_024;
    let mut bench = Bench::new(Settings { inspected: most, ..Settings::offline() });
    let half = [&[0x16, 3, 1, 0x3f, 0xff][..], &[1; 1_400]].concat();
    for port in 2_000..4_000 {
        let mut packet = tcp((CLIENT, port), (SERVER, 443), 0x18);
        packet.payload = &half;
        bench.feed(0, &packet);
    }
    assert_eq!(bench.table.len(), 2_000);
    assert!(bench.table.uninspected() > 1_900);
}

#[test]
fn directions_are_seen_from_the_host() {
    let mut place = place();
    assert_eq!(place.direction(ip(1), ip(2)), "internal");
    assert_eq!(place.direction(ip(1), Ipv4Addr::new(9, 9, 9, 9).into()), "outbound");
    place.own = std::sync::Arc::new([ip(1)].into_iter().collect());
    assert_eq!(place.direction(ip(1), ip(2)), "outbound");
    assert_eq!(place.direction(ip(2), ip(1)), "inbound");
    assert_eq!(place.direction(ip(2), ip(3)), "external");
}

proptest! {
    /// Whatever comes in whatever order, and however small the table: adding up all records
    /// gives the packets and bytes that were fed.
    #[test]
    fn records_add_up_to_what_was_fed(
        steps in prop::collection::vec((0..4_u8, 0..4_u8, 0..3_u16, 0..3_u16, 0..64_u8, any::<bool>(), -500..90_000_i64), 1..200),
        most in 1..8_usize,
        live in any::<bool>(),
    ) {
        let settings = if live { Settings::default() } else { Settings::offline() };
        let mut bench = Bench::new(Settings { most, ..settings });
        let mut now = 0_i64;
        for (from, to, a, b, flags, is_tcp, pause) in &steps {
            now += pause / 10;
            let (from, to) = ((*from, 79 + a), (*to, 4_000 + b));
            bench.feed(now, &if *is_tcp { tcp(from, to, *flags) } else { udp(from, to) });
            prop_assert!(bench.table.len() <= most);
        }
        bench.table.drain(at(now), &mut bench.out);
        prop_assert!(bench.table.is_empty());
        let flows = bench.out.iter().filter(|event| event.kind == Kind::Flow);
        let (mut count, mut bytes) = (0, 0);
        for event in flows {
            count += number(event, field::NETWORK_PACKETS);
            bytes += number(event, field::NETWORK_BYTES);
        }
        prop_assert_eq!(count, u64::try_from(steps.len()).unwrap());
        prop_assert_eq!(bytes, 60 * count);
    }

    /// A schedule can not run away: nothing is left to do right after it was done.
    #[test]
    fn expiry_comes_to_rest(times in prop::collection::vec(0..200_000_i64, 1..50)) {
        let mut bench = Bench::new(Settings::default());
        for (index, millis) in times.iter().enumerate() {
            let port = 1_024 + u16::try_from(index % 5).unwrap();
            bench.feed(*millis, &tcp((CLIENT, port), (SERVER, 80), if index % 3 == 0 { 2 } else { 0x11 }));
        }
        bench.told(1_000_000);
        prop_assert!(bench.told(1_000_000).is_empty());
        prop_assert!(bench.table.is_empty());
    }
}
