//! One exact question to the kernel: which socket has these ends.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use crate::flow::Endpoint;

/// A cookie that the kernel does not compare.
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// What the kernel says of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its inode; never 0, which is a socket that no process holds.
    pub(super) inode: u32,
    pub(super) uid: u32,
}

/// An open line to the kernel.
#[derive(Debug)]
pub(super) struct Diag {
    socket: Socket,
}

impl Diag {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // The kernel answers within the question; waiting for more would be waiting for ever.
        socket.set_non_blocking(true)?;
        Ok(Self { socket })
    }

    /// The socket of a connection; without `remote`, the one that listens.
    pub(super) fn ask(&self, protocol: u8, local: Endpoint, remote: Option<Endpoint>) -> Option<Found> {
        let nobody = if local.ip.is_ipv4() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        };
        let remote = remote.unwrap_or(Endpoint { ip: nobody, port: 0 });
        // For datagrams the kernel takes the ends the other way round.
        let (source, destination) = if protocol == IPPROTO_UDP { (remote, local) } else { (local, remote) };
        let request = InetRequest {
            family: if local.ip.is_ipv4() { AF_INET } else { AF_INET6 },
            protocol,
            extensions: ExtensionFlags::empty(),
            states: StateFlags::all(),
            socket_id: SocketId {
                source_port: source.port,
                destination_port: destination.port,
                source_address: source.ip,
                destination_address: destination.ip,
                interface_id: 0,
                cookie: NO_COOKIE,
            },
        };
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).ok()?;
        let (answer, _) = self.socket.recv_from_full().ok()?;
        read(&answer)
    }
}

fn read(answer: &[u8]) -> Option<Found> {
    match NetlinkMessage::<SockDiagMessage>::deserialize(answer).ok()?.payload {
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
            let (inode, uid) = (response.header.inode, response.header.uid);
            (inode != 0).then_some(Found { inode, uid })
        }
        _ => None,
    }
}
