//! One flow: what was counted since its last record, and how its next record looks.

use std::sync::Arc;

use watchpost_model::event::{Flow as Form, Side};
use watchpost_model::{Event, Timestamp, field};

use super::community::{community_id, flow_id};
use super::key::{End, Endpoint, Key};
use super::owner::{Owner, Owners};
use super::place::Place;
use super::settings::Settings;
use super::state::{Tcp, word_of_speech};
use crate::app::{Found, Inspector};
use crate::decode::{Flags, Packet, Transport};

/// Ports below this belong to services; a packet from there to above is taken for an answer.
const SERVICE_PORTS: u16 = 1_024;

/// Why a record is written. The words are the contract of `watchpost.flow.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The connection ended.
    End,
    /// Nothing came for a while.
    Idle,
    /// It goes on.
    Active,
    /// The table was full.
    Pressure,
    /// Capture ended.
    Shutdown,
}

impl Reason {
    /// The word on the record.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Pressure => "pressure",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A living flow.
#[derive(Debug)]
pub(super) struct Flow {
    key: Key,
    originator: End,
    start: Timestamp,
    pub(super) last: Timestamp,
    /// When the last record was written, and with which state.
    reported: Option<(Timestamp, &'static str)>,
    pub(super) ended: Option<Timestamp>,
    /// The earliest entry of the schedule that speaks of this flow.
    pub(super) due: Timestamp,
    sent: Side,
    received: Side,
    spoke: (bool, bool),
    flags: (Flags, Flags),
    tcp: Option<Tcp>,
    vlan: Option<u16>,
    macs: Option<([u8; 6], [u8; 6])>,
    inspector: Option<Box<Inspector>>,
    protocol: Option<&'static str>,
    pub(super) name: Option<Box<str>>,
    owner: Option<Arc<Owner>>,
}

impl Flow {
    /// Opens a flow with its first packet, which is not counted yet.
    pub(super) fn open(key: Key, sender: End, packet: &Packet<'_>, now: Timestamp) -> Self {
        let originator = opener(&key, sender, packet);
        let tcp = key.protocol() == 6;
        Self {
            key,
            originator,
            start: now,
            last: now,
            reported: None,
            ended: None,
            due: Timestamp::from_nanos(i64::MAX),
            sent: Side::default(),
            received: Side::default(),
            spoke: (false, false),
            flags: (Flags::default(), Flags::default()),
            tcp: tcp.then(Tcp::default),
            vlan: packet.vlan,
            macs: packet.macs.map(|(from, to)| if originator == sender { (from, to) } else { (to, from) }),
            inspector: Inspector::suiting(
                key.protocol(),
                key.end(originator.other()).port,
                key.end(originator).port,
            )
            .map(Box::new),
            protocol: None,
            name: None,
            owner: None,
        }
    }

    /// Asks who on this host opened the flow or, where it comes from outside, who listens.
    pub(super) fn seek_owner(&mut self, owners: &mut dyn Owners, place: &Place, now: Timestamp) {
        let protocol = self.key.protocol();
        if self.owner.is_some() || !matches!(protocol, 6 | 17) {
            return;
        }
        let (source, destination) = self.ends();
        self.owner = if place.is_own(source.ip) {
            owners.find(protocol, source, Some(destination), now)
        } else if place.is_own(destination.ip) {
            // A connection that nobody has accepted yet belongs to no process; its listener does.
            owners.find(protocol, destination, Some(source).filter(|_| protocol == 17), now)
        } else {
            None
        };
    }

    /// Whether `packet` opens a new connection over the ports of this one, which is over or was
    /// never seen to begin.
    pub(super) fn is_replaced_by(&self, packet: &Packet<'_>) -> bool {
        let Transport::Tcp { flags, .. } = packet.transport else { return false };
        let opens =
            flags.has(Flags::SYN) && !flags.has(Flags::ACK.with(Flags::RST)) && !flags.has(Flags::ACK);
        opens && self.tcp.is_some_and(|tcp| tcp.is_over() || tcp.is_partial())
    }

    /// Counts a packet and looks into it.
    pub(super) fn add(&mut self, sender: End, packet: &Packet<'_>, now: Timestamp, found: &mut Vec<Found>) {
        let from_originator = sender == self.originator;
        self.last = self.last.max(now);
        let side = if from_originator { &mut self.sent } else { &mut self.received };
        side.packets = side.packets.saturating_add(1);
        side.bytes = side.bytes.saturating_add(packet.bytes);
        side.payload = side.payload.saturating_add(packet.payload_bytes);
        self.spoke = (self.spoke.0 | from_originator, self.spoke.1 | !from_originator);
        if let Transport::Tcp { flags, .. } = packet.transport {
            self.step(from_originator, flags, now);
        }
        self.inspect(from_originator, packet, now, found);
    }

    fn step(&mut self, from_originator: bool, flags: Flags, now: Timestamp) {
        let seen = if from_originator { &mut self.flags.0 } else { &mut self.flags.1 };
        *seen = seen.with(flags);
        if let Some(tcp) = &mut self.tcp {
            tcp.step(from_originator, flags);
            if tcp.is_over() {
                self.ended.get_or_insert(now);
            }
        }
    }

    fn inspect(
        &mut self,
        from_originator: bool,
        packet: &Packet<'_>,
        now: Timestamp,
        found: &mut Vec<Found>,
    ) {
        let Some(inspector) = &mut self.inspector else { return };
        inspector.feed(from_originator, packet, now, found);
        self.protocol = inspector.protocol().or(self.protocol);
        if inspector.is_done() {
            self.inspector = None;
        }
        if let Some(name) = found.iter().find_map(Found::server_name) {
            self.name = Some(name.into());
        }
    }

    /// Memory that inspection uses.
    pub(super) fn held(&self) -> usize {
        self.inspector.as_ref().map_or(0, |inspector| inspector.held())
    }

    /// Looks no further, after telling what is known.
    pub(super) fn look_away(&mut self, found: &mut Vec<Found>) {
        self.flush(found);
        self.inspector = None;
    }

    /// What inspection holds back, waiting for an answer.
    pub(super) fn flush(&mut self, found: &mut Vec<Found>) {
        if let Some(inspector) = &mut self.inspector {
            inspector.flush(found);
            self.protocol = inspector.protocol().or(self.protocol);
        }
    }

    /// When something has to be done about this flow next, and what if nothing came until then.
    pub(super) fn next(&self, settings: &Settings) -> (Timestamp, Reason) {
        let idle = match self.key.protocol() {
            6 => settings.idle_tcp,
            1 | 58 => settings.idle_icmp,
            _ => settings.idle_udp,
        };
        if let Some(ended) = self.ended {
            let linger = ended.plus(settings.linger);
            let told = self.reported.is_some_and(|(at, _)| at >= linger);
            return if told { (linger.plus(settings.grave), Reason::Idle) } else { (linger, Reason::End) };
        }
        let over = self.last.plus(idle);
        let interim = match (self.reported, settings.early) {
            (None, Some(early)) => self.start.plus(early),
            (None, None) => self.start.plus(settings.active),
            (Some((at, _)), _) => at.plus(settings.active),
        };
        if interim < over { (interim, Reason::Active) } else { (over, Reason::Idle) }
    }

    /// The state in Zeek's words.
    pub(super) fn word(&self) -> &'static str {
        match &self.tcp {
            Some(tcp) => tcp.word(),
            None if self.key.is_icmp() => "OTH",
            None => word_of_speech(self.spoke.0, self.spoke.1),
        }
    }

    /// Writes a record of what came since the last one, if there is anything to say.
    pub(super) fn report(&mut self, reason: Reason, now: Timestamp, place: &Place) -> Option<Event> {
        let state = self.word();
        let known = self.reported.replace((now, state)).map(|entry| entry.1);
        let news = self.sent.packets > 0 || self.received.packets > 0;
        let ending = known.is_some_and(|known| known != state);
        if !news && !ending {
            return None;
        }
        let event = self.record(reason, state, place);
        self.sent = Side::default();
        self.received = Side::default();
        Some(event)
    }

    fn record(&self, reason: Reason, state: &'static str, place: &Place) -> Event {
        let (source, destination) = self.ends();
        let number = self.key.protocol();
        let numeral = number.to_string();
        let mut event = Event::from(Form {
            start: self.start,
            end: self.last,
            source: (source.ip, source.port),
            destination: (
                destination.ip,
                if self.key.is_icmp() { self.icmp_code() } else { destination.port },
            ),
            transport: transport_name(number).unwrap_or(&numeral),
            protocol_number: number,
            sent: self.sent,
            received: self.received,
            community_id: "",
            state,
            reason: reason.word(),
        });
        self.mark(&mut event, place);
        let r = &mut event.record;
        r.set_some(field::NETWORK_PROTOCOL, self.protocol);
        r.set_some(field::DESTINATION_DOMAIN, self.name.as_deref().map(str::to_owned));
        if self.tcp.is_some() {
            r.set(field::FLOW_SOURCE_FLAGS, self.flags.0.letters());
            r.set(field::FLOW_DESTINATION_FLAGS, self.flags.1.letters());
        }
        if let Some((from, to)) = self.macs {
            r.set(field::SOURCE_MAC, mac(from));
            r.set(field::DESTINATION_MAC, mac(to));
        }
        event
    }

    /// Puts what all records of a flow share on one of them.
    pub(super) fn mark(&self, event: &mut Event, place: &Place) {
        let (source, destination) = self.ends();
        let r = &mut event.record;
        r.set(field::NETWORK_COMMUNITY_ID, community_id(&self.key, 0));
        r.set(field::FLOW_ID, flow_id(&self.key, self.start, place.name()));
        r.set(field::NETWORK_DIRECTION, place.direction(source.ip, destination.ip));
        r.set_some(field::NETWORK_VLAN_ID, self.vlan.map(|id| id.to_string()));
        place.mark(r);
        if let Some(owner) = &self.owner {
            owner.mark(r);
        }
    }

    /// An event of what inspection found.
    pub(super) fn event_of(&self, found: Found, place: &Place) -> Event {
        let (source, destination) = self.ends();
        let mut event = found.into_event((source.ip, source.port), (destination.ip, destination.port));
        self.mark(&mut event, place);
        event
    }

    /// Originator and responder.
    pub(super) const fn ends(&self) -> (Endpoint, Endpoint) {
        (self.key.end(self.originator), self.key.end(self.originator.other()))
    }

    /// The code of an ICMP flow: messages with an answer have none but zero in practice.
    const fn icmp_code(&self) -> u16 {
        let (source, destination) = self.ends();
        let answered = matches!((self.key.protocol(), source.port), (1, 0 | 8..=10 | 13..=18) | (58, 128..=136 | 139..=145));
        if answered { 0 } else { destination.port }
    }
}

/// Which end opened the flow, by its first packet.
fn opener(key: &Key, sender: End, packet: &Packet<'_>) -> End {
    let (from, to) = (key.end(sender).port, key.end(sender.other()).port);
    let answers = match packet.transport {
        Transport::Tcp { flags, .. } if flags.has(Flags::SYN) => flags.has(Flags::ACK),
        Transport::Tcp { .. } | Transport::Ports { .. } => from < SERVICE_PORTS && to >= SERVICE_PORTS,
        Transport::Icmp { kind, .. } => is_icmp_answer(packet.source.is_ipv4(), kind),
        Transport::Other => false,
    };
    if answers { sender.other() } else { sender }
}

const fn is_icmp_answer(v4: bool, kind: u8) -> bool {
    if v4 { matches!(kind, 0 | 14 | 16 | 18) } else { matches!(kind, 129 | 140 | 145) }
}

const fn transport_name(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "icmp",
        6 => "tcp",
        17 => "udp",
        58 => "ipv6-icmp",
        132 => "sctp",
        _ => return None,
    })
}

fn mac(bytes: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = bytes;
    format!("{a:02X}-{b:02X}-{c:02X}-{d:02X}-{e:02X}-{f:02X}")
}
