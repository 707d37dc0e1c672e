//! The `sockets` rung: once a second, the kernel's list of TCP and connected UDP sockets. Needs
//! no privilege; sees neither packets nor connections shorter than the pause between two polls.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use foldhash::fast::RandomState;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_sys::{Socket, protocols::NETLINK_SOCK_DIAG};
use watchpost_model::ledger::Stage;

use super::watch::{Connection, Watch, plain};
use super::{Error, Feed, Running, Settings};
use crate::clock;
use crate::flow::{Endpoint, Place};

/// The pause between two polls.
const EVERY: Duration = Duration::from_secs(1);

/// Messages read of one answer: stops a kernel that never ends one.
const MOST_READS: usize = 65_536;

const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const SYN_RECEIVED: u8 = 3;
const TIME_WAIT: u8 = 6;
const CLOSED: u8 = 7;
const LISTEN: u8 = 10;

/// What one poll brings.
#[derive(Default)]
struct Poll {
    connections: Vec<Connection>,
    listening: HashSet<(u16, u8), RandomState>,
}

/// Starts polling.
pub(super) fn start(settings: &Settings, feed: &Feed) -> Result<Running, Error> {
    let mut socket = open().map_err(Error::Sockets)?;
    poll(&mut socket).map_err(Error::Sockets)?;
    let own = pnet_datalink::interfaces().into_iter().flat_map(|interface| interface.ips);
    let place = Place {
        rung: "sockets",
        interface: None,
        own: std::sync::Arc::new(own.map(|network| network.ip()).collect()),
    };
    let exclude = settings.exclude.clone();
    let thread = {
        let feed = feed.clone();
        feed.clone()
            .spawn("capture sockets".into(), move || run(socket, Watch::new(place), &exclude, &feed))?
    };
    let blind = [
        "connections that begin and end within one second are missed",
        "packets and IP bytes are not counted, only the payload bytes of TCP connections",
        "attempts that no socket answers, such as port scans from outside, are not seen",
        "DNS, TLS, HTTP and SSH are not looked into",
        "connections of other network namespaces, such as containers, are not seen",
    ];
    Ok(Running { rung: "sockets".into(), blind: blind.map(str::to_owned).to_vec(), threads: vec![thread] })
}

fn run(mut socket: Socket, mut watch: Watch, exclude: &[SocketAddr], feed: &Feed) {
    let mut events = Vec::new();
    let mut refused = 0;
    loop {
        match poll(&mut socket) {
            Ok(mut poll) => {
                poll.connections.retain(|connection| !is_excluded(connection, exclude));
                watch.update(clock::now(), &poll.connections, &poll.listening, &mut events);
                let seen = u64::try_from(poll.connections.len()).unwrap_or(u64::MAX);
                feed.counters.pass(Stage::Kernel, seen);
            }
            Err(error) => {
                tracing::warn!(%error, "the kernel's list of sockets can not be read; trying again")
            }
        }
        feed.counters.lose(Stage::Kernel, watch.refused().saturating_sub(refused));
        refused = watch.refused();
        feed.offer(&mut events);
        if feed.stop.sleep(EVERY) {
            break;
        }
    }
    watch.finish(clock::now(), &mut events);
    feed.offer(&mut events);
}

fn is_excluded(connection: &Connection, exclude: &[SocketAddr]) -> bool {
    let is = |end: &Endpoint, at: &SocketAddr| end.ip == at.ip() && end.port == at.port();
    exclude.iter().any(|at| is(&connection.local, at) || is(&connection.remote, at))
}

fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}

fn poll(socket: &mut Socket) -> io::Result<Poll> {
    let mut poll = Poll::default();
    for (family, protocol) in
        [(AF_INET, IPPROTO_TCP), (AF_INET6, IPPROTO_TCP), (AF_INET, IPPROTO_UDP), (AF_INET6, IPPROTO_UDP)]
    {
        ask(socket, family, protocol)?;
        collect(socket, protocol, &mut poll)?;
    }
    Ok(poll)
}

fn ask(socket: &Socket, family: u8, protocol: u8) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let request = InetRequest {
        family,
        protocol,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::all(),
        socket_id: if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() },
    };
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0).map(drop)
}

/// Reads one answer to its end.
fn collect(socket: &Socket, protocol: u8, poll: &mut Poll) -> io::Result<()> {
    for _ in 0..MOST_READS {
        let (bytes, _) = match socket.recv_from_full() {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut rest = bytes.as_slice();
        while rest.len() >= 16
            && let Ok(message) = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
        {
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    take(&response, protocol, poll);
                }
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
            let length = usize::try_from(message.header.length).unwrap_or(0).max(16);
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    Ok(())
}

fn take(response: &InetResponse, protocol: u8, poll: &mut Poll) {
    let header = &response.header;
    let id = &header.socket_id;
    let end = |ip: IpAddr, port| Endpoint { ip: plain(ip), port };
    let listens = header.state == LISTEN || (protocol == IPPROTO_UDP && header.state == CLOSED);
    if listens {
        poll.listening.insert((id.source_port, protocol));
    } else if id.destination_port != 0 && !matches!(header.state, TIME_WAIT | CLOSED) {
        let bytes = response.nlas.iter().find_map(|nla| match nla {
            Nla::TcpInfo(info) => bytes_of(info),
            _ => None,
        });
        poll.connections.push(Connection {
            local: end(id.source_address, id.source_port),
            remote: end(id.destination_address, id.destination_port),
            protocol,
            established: header.state == ESTABLISHED || !matches!(header.state, SYN_SENT | SYN_RECEIVED),
            bytes,
        });
    }
}

/// Bytes acknowledged by the peer and bytes received, from `struct tcp_info`. The kernel only ever
/// appends to it, so the places hold while its size does not.
fn bytes_of(info: &[u8]) -> Option<(u64, u64)> {
    let at = |place: usize| info.get(place..place + 8)?.try_into().ok().map(u64::from_ne_bytes);
    Some((at(120)?, at(128)?))
}
