//! The one thread that writes the journal.
//!
//! It takes all batches that wait, up to a bound, appends them as one group with one sync, and
//! then answers them all. While one group syncs the next one gathers, so the group grows with
//! the load and a lone batch waits for nobody.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use watchpost_model::id::AgentId;

use super::{Accepted, Counts, Refused, ledger};
use crate::clock;
use crate::journal::{Journal, Mark, NewFrame, Recovery};
use crate::state::State;

/// Batches of one group.
const GROUP: usize = 64;

/// Bytes of one group: bounds memory and the time of one write.
const GROUP_BYTES: usize = 16 * 1024 * 1024;

type Reply = oneshot::Sender<Result<Accepted, Refused>>;

/// What the thread is asked to do.
pub(super) enum Job {
    Append(NewFrame, Reply),
    Retain,
}

pub(super) struct Writer {
    journal: Journal,
    marks: HashMap<(AgentId, u64), Mark>,
    state: Arc<dyn State>,
    counts: Counts,
}

/// Batches that are written together.
#[derive(Default)]
struct Group {
    frames: Vec<NewFrame>,
    bytes: usize,
    replies: Vec<(Reply, Accepted)>,
    /// The marks as they will be once the group is durable.
    marks: HashMap<(AgentId, u64), Mark>,
    lost: HashMap<AgentId, u64>,
}

impl Writer {
    pub(super) fn new(journal: Journal, recovery: &Recovery, state: Arc<dyn State>, counts: Counts) -> Self {
        let marks = recovery.high_water.iter().map(|(key, mark)| (*key, *mark)).collect();
        Self { journal, marks, state, counts }
    }

    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) -> Journal {
        while let Some(first) = queue.blocking_recv() {
            let mut group = Group::default();
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Append(frame, reply) => self.admit(&mut group, frame, reply),
                    Job::Retain => self.retain(),
                }
                let room = group.frames.len() < GROUP && group.bytes < GROUP_BYTES;
                next = if room { queue.try_recv().ok() } else { None };
            }
            self.write(group);
        }
        self.journal
    }

    /// Puts a batch into the group, or recognises it as a repeat. A repeat of a batch in this
    /// very group is answered with it, so that it too is durable when acknowledged.
    fn admit(&self, group: &mut Group, frame: NewFrame, reply: Reply) {
        let key = (frame.agent, frame.epoch);
        let known = group.marks.get(&key).or_else(|| self.marks.get(&key)).copied();
        if known.is_some_and(|mark| frame.sequence <= mark.sequence) {
            group.replies.push((reply, Accepted { repeated: true }));
            return;
        }
        let mut mark = known.unwrap_or_else(Mark::begin);
        let lost = mark.advance(frame.sequence, frame.first_event, frame.events);
        if lost > 0 {
            let so_far = group.lost.entry(frame.agent).or_default();
            *so_far = so_far.saturating_add(lost);
        }
        group.marks.insert(key, mark);
        group.bytes = group.bytes.saturating_add(frame.payload.len());
        group.frames.push(frame);
        group.replies.push((reply, Accepted { repeated: false }));
    }

    fn write(&mut self, group: Group) {
        let result = self.journal.append(&group.frames).map(|_| ()).map_err(|error| {
            tracing::error!(%error, "a group of batches was not written");
            Refused(error.to_string())
        });
        if result.is_ok() {
            self.count(&group);
            self.marks.extend(group.marks);
        }
        for (reply, accepted) in group.replies {
            // A repeat of what was durable before needs no write, but telling it apart from a
            // repeat within the group is not worth the trouble: its agent asks again.
            let _ = reply.send(result.clone().map(|()| accepted));
        }
    }

    fn count(&self, group: &Group) {
        for frame in &group.frames {
            self.counts.add(frame.agent, u64::from(frame.events), 0);
        }
        for (agent, lost) in &group.lost {
            tracing::warn!(%agent, lost, "an agent's spool gave up events before they were sent");
            let total = self.counts.add(*agent, 0, *lost);
            if let Err(error) = ledger::keep(self.state.as_ref(), *agent, total) {
                tracing::error!(%error, "a loss was counted in memory only");
            }
        }
    }

    fn retain(&mut self) {
        match self.journal.retain(clock::now()) {
            Ok(0) => {}
            Ok(segments) => tracing::info!(segments, "journal segments beyond their term deleted"),
            Err(error) => tracing::error!(%error, "old journal segments were not deleted"),
        }
    }
}
