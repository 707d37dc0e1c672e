//! The `pnet` rung: a packet socket per interface, one thread each.
//!
//! The socket is ours (with a large receive buffer, which is what decides how many packets a
//! busy host loses) and pnet reads it. On the loopback every packet passes a catch-all socket
//! twice, once out and once in; sockets for one protocol see only what comes in, so there we
//! open one for IPv4 and one for IPv6.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pnet_datalink::{Channel, ChannelType, Config, DataLinkReceiver, NetworkInterface};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
use watchpost_model::ledger::Stage;

use super::drops::Meter;
use super::{Captured, Error, Feed, PacketSource, Running, Sensor, Settings};
use crate::clock;
use crate::decode::{Frame, Link};
use crate::flow::Place;

/// Kernel memory for packets that wait for us: about 100 ms of a full gigabit.
const RECEIVE_BUFFER: usize = 16 * 1_024 * 1_024;

/// Room for one packet. The largest that the kernel joins from segments is 64 KiB by default.
const READ_BUFFER: usize = 128 * 1_024;

/// How long a read waits, and with it how late a record may be written on a silent wire.
const PATIENCE: Duration = Duration::from_millis(50);

/// Packets after which counters are published and the wish to stop is looked at.
const ROUND: u32 = 256;

/// How often the kernel is asked what it dropped.
const DROPS_EVERY: Duration = Duration::from_secs(2);

/// A pause after the interface went down, before it is read again.
const DOWN: Duration = Duration::from_secs(1);

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
    let all = pnet_datalink::interfaces();
    let own: Arc<HashSet<IpAddr, _>> =
        Arc::new(all.iter().flat_map(|interface| &interface.ips).map(|network| network.ip()).collect());
    let wanted = choose(all, &settings.interfaces)?;
    let mut opened = Vec::new();
    for interface in &wanted {
        let place =
            Place { rung: "pnet", interface: Some(interface.name.as_str().into()), own: Arc::clone(&own) };
        for source in open(interface)? {
            opened.push((source, place.clone()));
        }
    }
    let metered = opened.iter().all(|(source, _)| source.meter.is_some());
    let threads = opened
        .into_iter()
        .map(|(source, place)| spawn(source, place, settings, feed))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Running { rung: "pnet".into(), blind: blind(metered, &wanted), threads })
}

fn blind(metered: bool, wanted: &[NetworkInterface]) -> Vec<String> {
    let names: Vec<&str> = wanted.iter().map(|interface| interface.name.as_str()).collect();
    let mut blind = vec![
        format!("interfaces that appear after the start are not captured; these are: {}", names.join(", ")),
        "a packet that passes several interfaces of this host is counted once on each".into(),
        "encrypted payloads and the contents of tunnels are not looked into".into(),
    ];
    if !metered {
        blind.push("the kernel does not tell how many packets it dropped before we read them".into());
    }
    blind
}

fn choose(all: Vec<NetworkInterface>, names: &[String]) -> Result<Vec<NetworkInterface>, Error> {
    if let Some(missing) = names.iter().find(|name| !all.iter().any(|interface| interface.name == **name)) {
        return Err(Error::NoInterface(format!("{missing} does not exist")));
    }
    let wanted: Vec<_> = all
        .into_iter()
        .filter(|interface| interface.is_up() && (names.is_empty() || names.contains(&interface.name)))
        .collect();
    if wanted.is_empty() { Err(Error::NoInterface("none is up".into())) } else { Ok(wanted) }
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

/// What packets of an interface begin with, by the kernel's hardware type.
fn link_of(name: &str) -> Link {
    let kind = std::fs::read_to_string(format!("/sys/class/net/{name}/type")).unwrap_or_default();
    match kind.trim() {
        // Point-to-point: ppp, the IP tunnels, tun and wireguard.
        "512" | "768" | "769" | "776" | "778" | "65534" => Link::RawIp,
        _ => Link::Ethernet,
    }
}

fn spawn(source: Live, place: Place, settings: &Settings, feed: &Feed) -> Result<JoinHandle<()>, Error> {
    let sensor = Sensor::new(settings.flow, place.clone(), settings.exclude.clone());
    let worker = Worker { source, sensor, feed: feed.clone(), known: Counted::default() };
    feed.spawn(format!("capture {}", place.name()), move || worker.run())
}

/// What has been published so far.
#[derive(Debug, Default)]
struct Counted {
    frames: u64,
    lost: u64,
    dropped: u64,
}

struct Worker {
    source: Live,
    sensor: Sensor,
    feed: Feed,
    known: Counted,
}

impl Worker {
    fn run(mut self) {
        let mut events = Vec::new();
        let mut asked = clock::monotonic();
        while !self.feed.stop.is_stopped() {
            if let Err(error) = self.round(&mut events) {
                tracing::warn!(%error, "the interface can not be read; trying again");
                self.feed.stop.sleep(DOWN);
            }
            self.sensor.tick(clock::now(), &mut events);
            self.feed.offer(&mut events);
            if asked.elapsed() >= DROPS_EVERY {
                asked = clock::monotonic();
                self.ask_drops();
            }
            self.publish();
        }
        self.ask_drops();
        self.sensor.finish(&mut events);
        self.feed.offer(&mut events);
        self.publish();
    }

    /// Reads until nothing comes or a round is full.
    fn round(&mut self, events: &mut Vec<watchpost_model::Event>) -> io::Result<()> {
        for _ in 0..ROUND {
            let Some(captured) = self.source.next_packet()? else { return Ok(()) };
            self.sensor.take(&captured, events);
        }
        Ok(())
    }

    fn ask_drops(&mut self) {
        if let Some(dropped) = self.source.dropped() {
            let fresh = dropped.saturating_sub(self.known.dropped);
            self.feed.counters.lose(Stage::Kernel, fresh);
            self.known.dropped = self.known.dropped.max(dropped);
        }
    }

    fn publish(&mut self) {
        let frames = self.sensor.frames().saturating_sub(self.known.frames);
        let lost = self.sensor.problems().lost().saturating_sub(self.known.lost);
        self.feed.counters.pass(Stage::Kernel, frames);
        self.feed.counters.pass(Stage::Decode, frames.saturating_sub(lost));
        self.feed.counters.lose(Stage::Decode, lost);
        self.known.frames = self.known.frames.saturating_add(frames);
        self.known.lost = self.known.lost.saturating_add(lost);
    }
}
