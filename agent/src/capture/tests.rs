//! Replay of hand-made captures, and live capture on the loopback.
#![expect(clippy::indexing_slicing, reason = "a test may stop where it fails")]

use std::io::Cursor;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use watchpost_model::ledger::Stage;
use watchpost_model::{Event, Kind, field};

use super::*;
use crate::clock;
use crate::queue::{Outlet, queue};

/// An Ethernet frame with a UDP datagram of two bytes.
fn frame() -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame
        .extend_from_slice(&[0x08, 0x00, 0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend_from_slice(&[0x30, 0x39, 0x00, 0x35, 0, 10, 0, 0, 1, 2]);
    frame
}

fn legacy(magic: u32, swapped: bool, fraction: u32) -> Vec<u8> {
    let word = |value: u32| if swapped { value.to_be_bytes() } else { value.to_le_bytes() };
    let half = |value: u16| if swapped { value.to_be_bytes() } else { value.to_le_bytes() };
    let data = frame();
    let length = u32::try_from(data.len()).unwrap();
    let mut file = word(magic).to_vec();
    file.extend([half(2), half(4)].concat());
    file.extend(
        [word(0), word(0), word(65_535), word(1), word(100), word(fraction), word(length), word(length)]
            .concat(),
    );
    file.extend(data);
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut padded = body.to_vec();
    padded.resize(body.len().next_multiple_of(4), 0);
    let length = u32::try_from(padded.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &padded, &length].concat()
}

/// Two interfaces: Ethernet in microseconds, raw IP in nanoseconds.
fn next_generation() -> Vec<u8> {
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let ethernet = [1, 0, 0, 0, 0, 0, 0, 0];
    let raw = [&[101, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0][..], &[0; 4]].concat();
    let packet = |interface: u32, units: u64, data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap();
        let high = u32::try_from(units >> 32).unwrap();
        let low = u32::try_from(units & 0xffff_ffff).unwrap();
        let head: Vec<u8> =
            [interface, high, low, length, length].into_iter().flat_map(u32::to_le_bytes).collect();
        block(6, &[&head[..], data].concat())
    };
    let data = frame();
    [
        block(0x0a0d_0d0a, &section),
        block(1, &ethernet),
        block(1, &raw),
        packet(0, 100_000_001, &data),
        packet(1, 100_000_000_007, &data[14..]),
    ]
    .concat()
}

fn times_and_sizes(file: Vec<u8>) -> (Vec<(i64, usize)>, Option<ReplayError>) {
    let mut replay = Replay::from_reader(Cursor::new(file)).unwrap();
    let mut seen = Vec::new();
    loop {
        match replay.next_packet() {
            Ok(Some(captured)) => {
                crate::decode::decode(captured.frame).unwrap();
                seen.push((captured.time.as_nanos(), captured.frame.data.len()));
            }
            Ok(None) => return (seen, None),
            Err(error) => return (seen, Some(error)),
        }
    }
}

#[test]
fn pcap_of_both_byte_orders_and_precisions_gives_the_same_frame() {
    for (magic, swapped, fraction) in [
        (0xa1b2_c3d4, false, 5),
        (0xa1b2_c3d4, true, 5),
        (0xa1b2_3c4d, false, 5_000),
        (0xa1b2_3c4d, true, 5_000),
    ] {
        let (seen, problem) = times_and_sizes(legacy(magic, swapped, fraction));
        assert_eq!(seen, [(100_000_005_000, 44)], "magic {magic:x} swapped {swapped}");
        assert!(problem.is_none());
    }
}

#[test]
fn pcapng_interfaces_keep_their_own_link_type_and_resolution() {
    let (seen, problem) = times_and_sizes(next_generation());
    assert_eq!(seen, [(100_000_001_000, 44), (100_000_000_007, 30)]);
    assert!(problem.is_none());
}

#[test]
fn a_cut_file_gives_what_came_before_and_says_where_it_broke() {
    let mut file = legacy(0xa1b2_c3d4, false, 5);
    let whole = file.len();
    file.extend_from_within(24..60);
    let (seen, problem) = times_and_sizes(file);
    assert_eq!(seen.len(), 1);
    assert!(matches!(problem, Some(ReplayError::Cut { at }) if at == whole));
}

#[test]
fn a_foreign_file_is_refused() {
    assert!(matches!(
        Replay::from_reader(Cursor::new(b"GIF89a, not a capture".to_vec())),
        Err(ReplayError::Foreign)
    ));
}

/// Whether packet sockets can be opened here; says so loudly if not.
fn may_capture() -> bool {
    let may = rustix::process::geteuid().is_root();
    if !may {
        println!("SKIPPED: live capture needs root");
    }
    may
}

fn wait_for(outlet: &Outlet, mut wanted: impl FnMut(&Event) -> bool) -> Option<Event> {
    let began = clock::monotonic();
    while began.elapsed() < Duration::from_secs(10) {
        if let Ok(Some(item)) = outlet.take(Duration::from_millis(100))
            && wanted(&item.event)
        {
            return Some(item.event);
        }
    }
    None
}

fn port(event: &Event, id: watchpost_model::FieldId) -> Option<u64> {
    event.record.get(id).and_then(watchpost_model::Value::as_uint)
}

struct Rig {
    counters: Arc<Counters>,
    outlet: Outlet,
    stop: Stop,
    running: Running,
}

fn rig(exclude: Vec<SocketAddr>) -> Rig {
    rig_on("lo", exclude)
}

fn rig_on(interface: &str, exclude: Vec<SocketAddr>) -> Rig {
    rig_with(interface, exclude, |settings, feed| {
        let Feed { inlet, counters, stop } = feed;
        start(settings, inlet, counters, stop)
    })
}

fn rig_with(
    interface: &str,
    exclude: Vec<SocketAddr>,
    start: impl FnOnce(Settings, Feed) -> Result<Running, Error>,
) -> Rig {
    let counters = Arc::new(Counters::default());
    let (inlet, outlet) = queue(10_000, Arc::clone(&counters));
    let stop = Stop::default();
    let settings = Settings { interfaces: vec![interface.into()], exclude, ..Settings::default() };
    let feed = Feed { inlet, counters: Arc::clone(&counters), stop: stop.clone() };
    let running = start(settings, feed).unwrap();
    Rig { counters, outlet, stop, running }
}

impl Rig {
    fn end(self) {
        self.stop.stop();
        for thread in self.running.threads {
            thread.join().unwrap();
        }
    }
}

#[test]
fn the_ring_is_the_first_rung_and_tells_a_refused_connection_once_within_two_seconds() {
    if may_capture() {
        see_a_refusal(rig(Vec::new()), "ring");
    }
}

#[test]
fn packets_read_one_by_one_tell_the_same() {
    if may_capture() {
        see_a_refusal(rig_with("lo", Vec::new(), |settings, feed| live::start(&settings, &feed)), "pnet");
    }
}

fn see_a_refusal(rig: Rig, rung: &str) {
    assert_eq!(rig.running.rung, rung);
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let began = clock::monotonic();
    assert!(TcpStream::connect(closed).is_err());
    let flow = wait_for(&rig.outlet, |event| {
        event.kind == Kind::Flow && port(event, field::DESTINATION_PORT) == Some(closed.port().into())
    })
    .expect("no flow came");
    assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
    assert_eq!(flow.text(field::FLOW_STATE), Some("REJ"));
    assert_eq!(port(&flow, field::SOURCE_PACKETS), Some(1));
    assert_eq!(port(&flow, field::DESTINATION_PACKETS), Some(1));
    assert_eq!(flow.text(field::NETWORK_DIRECTION), Some("internal"));
    assert!(rig.counters.ledger().get(Stage::Kernel).passed >= 2);
    rig.end();
}

#[test]
fn a_flow_names_the_process_and_the_user_that_opened_it() {
    if !may_capture() {
        return;
    }
    let rig = rig(Vec::new());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let client = TcpStream::connect(at).unwrap();
    let flow = wait_for(&rig.outlet, |event| {
        event.kind == Kind::Flow && port(event, field::DESTINATION_PORT) == Some(at.port().into())
    })
    .expect("no flow came");
    drop((client, listener));
    let program = std::env::current_exe().unwrap();
    assert_eq!(port(&flow, field::PROCESS_PID), Some(std::process::id().into()));
    assert_eq!(flow.text(field::PROCESS_EXECUTABLE), program.to_str());
    assert_eq!(flow.text(field::USER_NAME), Some("root"));
    rig.end();
}

#[test]
fn excluded_ends_make_no_records() {
    if !may_capture() {
        return;
    }
    let hidden = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (hidden, open) = (hidden.local_addr().unwrap(), open.local_addr().unwrap());
    let rig = rig(vec![hidden]);
    let _ = TcpStream::connect(hidden);
    let _ = TcpStream::connect(open);
    let flow = wait_for(&rig.outlet, |event| {
        let port = port(event, field::DESTINATION_PORT);
        assert_ne!(port, Some(hidden.port().into()));
        port == Some(open.port().into())
    });
    assert!(flow.is_some(), "the other connection was not seen");
    rig.end();
}

#[test]
fn the_list_of_sockets_shows_an_open_connection_and_its_end() {
    let counters = Arc::new(Counters::default());
    let (inlet, outlet) = queue(100_000, Arc::clone(&counters));
    let stop = Stop::default();
    let feed = Feed { inlet, counters, stop: stop.clone() };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let client = TcpStream::connect(at).unwrap();
    let server = listener.accept().unwrap();
    let running = sockets::start(&Settings::default(), &feed).unwrap();
    let is_ours = |event: &Event| port(event, field::DESTINATION_PORT) == Some(at.port().into());
    let open = wait_for(&outlet, is_ours).expect("the connection was not seen");
    assert_eq!(open.text(field::FLOW_STATE), Some("S1"));
    assert_eq!(port(&open, field::SOURCE_PACKETS), None);
    drop((client, server));
    let ended = wait_for(&outlet, |event| is_ours(event) && event.text(field::FLOW_REASON) == Some("end"));
    assert!(ended.is_some(), "its end was not seen");
    stop.stop();
    for thread in running.threads {
        thread.join().unwrap();
    }
}

#[test]
fn the_kernel_tells_what_it_dropped_on_a_full_socket() {
    if !may_capture() {
        return;
    }
    let all = rustix::net::Protocol::from_raw(std::num::NonZeroU32::new(u32::from(3_u16.to_be())).unwrap());
    let family = rustix::net::AddressFamily::PACKET;
    let socket = rustix::net::socket(family, rustix::net::SocketType::DGRAM, Some(all)).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 4_096).unwrap();
    let Some(meter) = drops::Meter::of(&socket) else {
        println!("SKIPPED: this kernel has no diagnostics of packet sockets");
        return;
    };
    let sender = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for _ in 0..200 {
        sender.send_to(&[0; 512], sender.local_addr().unwrap()).unwrap();
    }
    assert!(meter.read().unwrap() > 100);
}

/// Two ends of a virtual wire, the far one in a network namespace of its own.
struct Wire {
    namespace: String,
    near: String,
}

fn ip(arguments: &str) -> bool {
    let run = std::process::Command::new("ip").args(arguments.split(' ')).output();
    run.is_ok_and(|output| output.status.success())
}

impl Wire {
    fn lay() -> Option<Self> {
        let id = std::process::id();
        let wire = Self { namespace: format!("wptest{id}"), near: format!("wpa{id}") };
        let Self { namespace, near } = &wire;
        let laid = ip(&format!("netns add {namespace}"))
            && ip(&format!("link add {near} type veth peer name far netns {namespace}"))
            && ip(&format!("addr add 192.0.2.1/30 dev {near}"))
            && ip(&format!("link set {near} up"))
            && ip(&format!("-n {namespace} addr add 192.0.2.2/30 dev far"))
            && ip(&format!("-n {namespace} link set far up"));
        laid.then_some(wire)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.namespace));
        ip(&format!("link del {}", self.near));
    }
}

/// What the kernel counts as sent on an interface of this network namespace.
fn packets_sent(interface: &str) -> u64 {
    let table = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let prefix = format!("{interface}:");
    let row = table.lines().find_map(|line| line.trim().strip_prefix(&prefix)).unwrap();
    row.split_whitespace().nth(9).unwrap().parse().unwrap()
}

#[test]
fn a_scan_over_a_wire_is_seen_packet_by_packet() {
    if !may_capture() {
        return;
    }
    let Some(wire) = Wire::lay() else {
        println!("SKIPPED: no network namespaces here");
        return;
    };
    let rig = rig_on(&wire.near, Vec::new());
    let began = clock::monotonic();
    // Datagrams: a host's own rules may turn connections elsewhere.
    let probe = std::net::UdpSocket::bind((Ipv4Addr::new(192, 0, 2, 1), 0)).unwrap();
    for to in 2_000..2_050 {
        // A refusal of an earlier probe may be reported here; the datagram goes out the next time.
        let far = (Ipv4Addr::new(192, 0, 2, 2), to);
        if probe.send_to(b"probe", far).is_err() {
            probe.send_to(b"probe", far).unwrap();
        }
    }
    if packets_sent(&wire.near) < 50 {
        println!("SKIPPED: this host's own rules keep the probes off the wire");
        rig.end();
        return;
    }
    let mut seen = std::collections::HashSet::new();
    wait_for(&rig.outlet, |event| {
        let to = port(event, field::DESTINATION_PORT).filter(|to| (2_000..2_050).contains(to));
        if let (Kind::Flow, Some(to)) = (event.kind, to) {
            assert_eq!(event.text(field::FLOW_STATE), Some("S0"));
            assert_eq!(event.text(field::NETWORK_DIRECTION), Some("outbound"));
            assert_eq!(port(event, field::NETWORK_PACKETS), Some(1));
            assert!(event.text(field::SOURCE_MAC).is_some());
            assert!(seen.insert(to), "port {to} was told twice");
        }
        seen.len() == 50
    })
    .expect("some of the scan was not seen");
    assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
    rig.end();
}
