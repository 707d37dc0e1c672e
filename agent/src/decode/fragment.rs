//! Which ports the later fragments of a datagram belong to.
//!
//! Nothing is reassembled: a first fragment leaves its ports here, later ones pick them up so
//! that their bytes count in the right flow. The memory is bounded; when it is full the oldest
//! datagram is forgotten, which costs a count under `orphan_fragment` and nothing else.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::RandomState;

use super::{Packet, Problem, Transport};

/// Datagrams remembered. A flood of first fragments can not take more than about 100 kB.
const REMEMBERED: usize = 1_024;

type Id = (IpAddr, IpAddr, u8, u32);

/// Ports of the datagrams that are arriving in pieces.
#[derive(Debug, Default)]
pub struct Fragments {
    known: HashMap<Id, Transport, RandomState>,
    order: VecDeque<Id>,
}

impl Fragments {
    /// Notes a first fragment, or gives a later one the transport of its datagram.
    ///
    /// # Errors
    /// [`Problem::OrphanFragment`] where the first fragment was not seen.
    pub fn settle(&mut self, packet: &mut Packet<'_>) -> Result<(), Problem> {
        let Some(fragment) = packet.fragment else { return Ok(()) };
        let id = (packet.source, packet.destination, packet.protocol, fragment.id);
        if fragment.first {
            self.remember(id, packet.transport);
            return Ok(());
        }
        packet.transport = match *self.known.get(&id).ok_or(Problem::OrphanFragment)? {
            // Flags and sequence number belong to the first fragment alone.
            Transport::Tcp { source, destination, .. } => Transport::Ports { source, destination },
            other => other,
        };
        packet.payload = &[];
        Ok(())
    }

    fn remember(&mut self, id: Id, transport: Transport) {
        if self.known.insert(id, transport).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}
