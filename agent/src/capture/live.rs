//! The `pnet` rung: a packet socket per interface, one thread each. For kernels without the ring.
//!
//! The socket is ours (with a large receive buffer, which is what decides how many packets a
//! busy host loses) and pnet reads it. On the loopback every packet passes a catch-all socket
//! twice, once out and once in; sockets for one protocol see only what comes in, so there we
//! open one for IPv4 and one for IPv6.

use std::io;
use std::os::fd::IntoRawFd;
use std::time::Duration;

use pnet_datalink::{Channel, ChannelType, Config, DataLinkReceiver, NetworkInterface};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

use super::drops::Meter;
use super::interfaces::{Wanted, link_of};
use super::{Captured, Error, Feed, PacketSource, Running, Settings, worker};
use crate::clock;
use crate::decode::{Frame, Link};
use crate::owner;

/// Kernel memory for packets that wait for us: about 100 ms of a full gigabit.
const RECEIVE_BUFFER: usize = 16 * 1_024 * 1_024;

/// Room for one packet. The largest that the kernel joins from segments is 64 KiB by default.
const READ_BUFFER: usize = 128 * 1_024;

/// How long a read waits, and with it how late a record may be written on a silent wire.
const PATIENCE: Duration = Duration::from_millis(50);

/// IPv4 and IPv6, as Ethernet numbers them.
const PROTOCOLS: [u16; 2] = [0x0800, 0x86dd];

/// An open packet socket.
struct Live {
    receiver: Box<dyn DataLinkReceiver>,
    link: Link,
    meter: Option<Meter>,
}

impl PacketSource for Live {
    type Error = io::Error;

    fn next_packet(&mut self) -> Result<Option<Captured<'_>>, io::Error> {
        let link = self.link;
        match self.receiver.next() {
            Ok(data) => {
                Ok(Some(Captured { time: clock::now(), frame: Frame { link, data, original: data.len() } }))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }

    fn dropped(&self) -> Option<u64> {
        self.meter.as_ref()?.read()
    }
}

/// Opens sockets on all interfaces wanted and starts their threads.
pub(super) fn start(settings: &Settings, feed: &Feed) -> Result<Running, Error> {
    let wanted = Wanted::choose(&settings.interfaces)?;
    let mut opened = Vec::new();
    for interface in &wanted.interfaces {
        for source in open(interface)? {
            opened.push((source, wanted.place("pnet", interface)));
        }
    }
    let metered = opened.iter().all(|(source, _)| source.meter.is_some());
    let (notes, listener) = owner::listen(feed.stop.clone());
    let mut threads = opened
        .into_iter()
        .map(|(source, place)| worker::spawn(source, place, settings, feed, &notes))
        .collect::<Result<Vec<_>, _>>()?;
    threads.extend(listener);
    Ok(Running { rung: "pnet".into(), blind: wanted.blind(metered), threads })
}

fn open(interface: &NetworkInterface) -> Result<Vec<Live>, Error> {
    let kinds: Vec<(ChannelType, Link)> = if interface.is_loopback() {
        PROTOCOLS.into_iter().map(|protocol| (ChannelType::Layer3(protocol), Link::RawIp)).collect()
    } else {
        vec![(ChannelType::Layer2, link_of(&interface.name))]
    };
    kinds
        .into_iter()
        .map(|(kind, link)| {
            open_one(interface, kind, link)
                .map_err(|source| Error::Open { interface: interface.name.clone(), source })
        })
        .collect()
}

fn open_one(interface: &NetworkInterface, kind: ChannelType, link: Link) -> io::Result<Live> {
    let shape = if kind == ChannelType::Layer2 { SocketType::RAW } else { SocketType::DGRAM };
    // No protocol yet: packets flow only once pnet has bound it to the interface.
    let socket = socket_with(AddressFamily::PACKET, shape, SocketFlags::CLOEXEC, None)?;
    if sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
        sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
    }
    let meter = Meter::of(&socket);
    let config = Config {
        read_buffer_size: READ_BUFFER,
        write_buffer_size: 0,
        read_timeout: Some(PATIENCE),
        channel_type: kind,
        promiscuous: false,
        socket_fd: Some(socket.into_raw_fd()),
        ..Config::default()
    };
    match pnet_datalink::channel(interface, config)? {
        Channel::Ethernet(_, receiver) => Ok(Live { receiver, link, meter }),
        _ => Err(io::Error::other("pnet opened a channel of a kind it did not have before")),
    }
}
