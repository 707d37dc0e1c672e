//! Frames in, events out: decoding, fragments and the flow table of one point of capture.

use std::net::{IpAddr, SocketAddr};

use watchpost_model::{Event, Timestamp};

use super::Captured;
use crate::decode::{Fragments, Packet, Problem, Problems, Transport, decode};
use crate::flow::{Owners, Place, Settings, Table};

/// A point of capture.
#[derive(Debug)]
pub struct Sensor {
    table: Table,
    fragments: Fragments,
    exclude: Vec<SocketAddr>,
    problems: Problems,
    frames: u64,
    excluded: u64,
    clock: Timestamp,
}

impl Sensor {
    /// A sensor that leaves traffic with `exclude` out: what the agent itself sends, which would
    /// otherwise make records of its own records.
    #[must_use]
    pub fn new(settings: Settings, place: Place, exclude: Vec<SocketAddr>) -> Self {
        Self {
            table: Table::new(settings, place),
            fragments: Fragments::default(),
            exclude,
            problems: Problems::default(),
            frames: 0,
            excluded: 0,
            clock: Timestamp::EPOCH,
        }
    }

    /// Names the owners of flows that this host is an end of.
    #[must_use]
    pub fn with_owners(self, owners: Option<Box<dyn Owners>>) -> Self {
        Self { table: self.table.with_owners(owners), ..self }
    }

    /// Takes a frame; events that it brings about are appended.
    pub fn take(&mut self, captured: &Captured<'_>, out: &mut Vec<Event>) {
        self.frames = self.frames.saturating_add(1);
        self.clock = captured.time;
        self.table.expire(captured.time, out);
        match self.packet(captured) {
            Ok(packet) if self.is_excluded(&packet) => self.excluded = self.excluded.saturating_add(1),
            Ok(packet) => self.table.observe(&packet, captured.time, out),
            Err(problem) => self.problems.count(problem),
        }
    }

    fn packet<'a>(&mut self, captured: &Captured<'a>) -> Result<Packet<'a>, Problem> {
        let mut packet = decode(captured.frame)?;
        self.fragments.settle(&mut packet)?;
        Ok(packet)
    }

    fn is_excluded(&self, packet: &Packet<'_>) -> bool {
        let (Transport::Tcp { source, destination, .. } | Transport::Ports { source, destination }) =
            packet.transport
        else {
            return false;
        };
        let matches = |at: &SocketAddr, ip: IpAddr, port: u16| at.ip() == ip && at.port() == port;
        self.exclude
            .iter()
            .any(|at| matches(at, packet.source, source) || matches(at, packet.destination, destination))
    }

    /// Time passes without frames.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        self.clock = now;
        self.table.expire(now, out);
    }

    /// Ends all flows.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        self.table.drain(self.clock, out);
    }

    /// Frames taken.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames that gave no packet.
    #[must_use]
    pub const fn problems(&self) -> Problems {
        self.problems
    }

    /// Packets of the agent's own that were left out.
    #[must_use]
    pub const fn excluded(&self) -> u64 {
        self.excluded
    }

    /// Flows ended because the table was full.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.table.evicted()
    }
}
