//! Flow records from what the kernel says about its sockets: the pure half of the `sockets`
//! rung. Each poll brings all connections that exist; what is new opened, what is gone ended.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::RandomState;
use watchpost_model::event::{Flow as Form, Side};
use watchpost_model::{Event, Timestamp, field};

use crate::flow::{Endpoint, Key, Place, Reason, community_id, flow_id};

/// Connections followed at once; a host with more is told about the first so many.
const MOST: usize = 65_536;

/// Interim records of connections that go on.
const ACTIVE: Duration = Duration::from_secs(60);

/// A connection as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
    pub(super) protocol: u8,
    /// Whether the handshake is done.
    pub(super) established: bool,
    /// Payload bytes sent and received so far, where the kernel counts them.
    pub(super) bytes: Option<(u64, u64)>,
}

#[derive(Debug)]
struct Known {
    start: Timestamp,
    seen: Connection,
    inbound: bool,
    reported: Option<Timestamp>,
    told: (u64, u64),
}

/// The connections of the last poll.
#[derive(Debug)]
pub(super) struct Watch {
    place: Place,
    known: HashMap<(Endpoint, Endpoint, u8), Known, RandomState>,
    refused: u64,
}

impl Watch {
    pub(super) fn new(place: Place) -> Self {
        Self { place, known: HashMap::default(), refused: 0 }
    }

    /// Takes in a poll: all connections, and the local ports (with protocol) that listen.
    pub(super) fn update(
        &mut self,
        now: Timestamp,
        connections: &[Connection],
        listening: &HashSet<(u16, u8), RandomState>,
        out: &mut Vec<Event>,
    ) {
        let mut present = HashSet::<_, RandomState>::default();
        for connection in connections {
            let id = (connection.local, connection.remote, connection.protocol);
            if self.known.len() >= MOST && !self.known.contains_key(&id) {
                self.refused = self.refused.saturating_add(1);
                continue;
            }
            present.insert(id);
            let inbound = listening.contains(&(connection.local.port, connection.protocol));
            let known = self.known.entry(id).or_insert(Known {
                start: now,
                seen: *connection,
                inbound,
                reported: None,
                told: (0, 0),
            });
            known.seen = Connection { bytes: connection.bytes.or(known.seen.bytes), ..*connection };
            if known.reported.is_none_or(|at| now.since(at) >= ACTIVE) {
                out.push(known.record(Reason::Active, now, &self.place));
            }
        }
        let place = &self.place;
        self.known.retain(|id, known| {
            let stays = present.contains(id);
            if !stays {
                out.push(known.record(Reason::End, now, place));
            }
            stays
        });
    }

    /// Ends all.
    pub(super) fn finish(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        for (_, mut known) in self.known.drain() {
            out.push(known.record(Reason::Shutdown, now, &self.place));
        }
    }

    /// Connections that were one too many.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }
}

impl Known {
    fn record(&mut self, reason: Reason, now: Timestamp, place: &Place) -> Event {
        let (source, destination) = if self.inbound {
            (self.seen.remote, self.seen.local)
        } else {
            (self.seen.local, self.seen.remote)
        };
        let (key, _) = Key::between(source, destination, self.seen.protocol);
        let (sent, received) = self.fresh_bytes();
        let tcp = self.seen.protocol == 6;
        let mut event = Event::from(Form {
            start: self.start,
            end: now,
            source: (source.ip, source.port),
            destination: (destination.ip, destination.port),
            transport: if tcp { "tcp" } else { "udp" },
            protocol_number: self.seen.protocol,
            sent: Side { payload: sent, ..Side::default() },
            received: Side { payload: received, ..Side::default() },
            community_id: &community_id(&key, 0),
            state: self.state(reason),
            reason: reason.word(),
        });
        self.reported = Some(now);
        let r = &mut event.record;
        // This rung counts no packets; a zero would claim that there were none.
        for absent in [
            field::SOURCE_PACKETS,
            field::SOURCE_BYTES,
            field::DESTINATION_PACKETS,
            field::DESTINATION_BYTES,
            field::NETWORK_BYTES,
            field::NETWORK_PACKETS,
        ] {
            r.remove(absent);
        }
        r.set(field::FLOW_ID, flow_id(&key, self.start, place.name()));
        r.set(field::NETWORK_DIRECTION, place.direction(source.ip, destination.ip));
        place.mark(r);
        event
    }

    /// Payload bytes since the last record, as source and destination.
    fn fresh_bytes(&mut self) -> (u64, u64) {
        let Some((sent, received)) = self.seen.bytes else { return (0, 0) };
        let fresh = (sent.saturating_sub(self.told.0), received.saturating_sub(self.told.1));
        self.told = (sent, received);
        if self.inbound { (fresh.1, fresh.0) } else { fresh }
    }

    const fn state(&self, reason: Reason) -> &'static str {
        match (self.seen.established, reason) {
            (true, Reason::End) => "SF",
            (true, _) => "S1",
            (false, _) => "S0",
        }
    }
}

/// Addresses that IPv6 sockets show for IPv4 peers, as IPv4.
pub(super) fn plain(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}
