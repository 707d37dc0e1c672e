//! Packed batches in a file, made before the clock runs, so that neither making them nor holding
//! them is measured.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use watchpost_model::Timestamp;
use watchpost_model::id::AgentId;

use crate::traffic::Source;

/// One batch's place.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    bytes: usize,
}

/// The batches of some agents, each agent's in order.
#[derive(Debug)]
pub(crate) struct Supply {
    file: File,
    places: Vec<Vec<Place>>,
    pub(crate) agents: Vec<AgentId>,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

/// Sixteen bytes that name an agent.
pub(crate) fn agent(number: u64) -> AgentId {
    let mut bytes = [0x5a; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    AgentId::from_bytes(bytes)
}

impl Supply {
    /// About `events` events in batches of `size` from these agents, the last ones of now.
    pub(crate) fn make(directory: &Path, agents: Range<u64>, events: u64, size: u64, now: Timestamp) -> Self {
        let rounds = events.div_ceil((agents.end - agents.start) * size).max(1);
        let begin = now.minus(std::time::Duration::from_secs(rounds));
        let mut sources: Vec<Source> =
            agents.map(|number| Source::new(agent(number), number, begin)).collect();
        let path = directory.join("supply");
        let mut out = BufWriter::new(File::create(&path).unwrap());
        let mut places = vec![Vec::new(); sources.len()];
        let mut offset = 0;
        for _ in 0..rounds {
            for (source, places) in sources.iter_mut().zip(&mut places) {
                let packed = source.batch(size);
                out.write_all(&packed).unwrap();
                places.push(Place { offset, bytes: packed.len() });
                offset += packed.len() as u64;
            }
        }
        out.flush().unwrap();
        let agents: Vec<AgentId> = sources.iter().map(|source| source.agent).collect();
        let events = rounds * size * agents.len() as u64;
        Self { file: File::open(&path).unwrap(), places, agents, events, bytes: offset }
    }

    /// Batches of each agent.
    pub(crate) fn rounds(&self) -> usize {
        self.places.first().map_or(0, Vec::len)
    }

    /// An agent's batch; the first is 0.
    pub(crate) fn batch(&self, agent: usize, round: usize) -> Vec<u8> {
        let place = self.places[agent][round];
        let mut bytes = vec![0; place.bytes];
        self.file.read_exact_at(&mut bytes, place.offset).unwrap();
        bytes
    }

    /// The agents that sender `of` of `senders` speaks for.
    pub(crate) fn share(&self, of: usize, senders: usize) -> Vec<usize> {
        (of..self.agents.len()).step_by(senders).collect()
    }
}
