//! Correlations: counting findings of base rules in windows of event time.
//!
//! The findings of a group are a function of the set of its entries (`group`), so the order in
//! which events come does not matter as long as none comes later than the *allowance* of its
//! correlation: the timespan, but at least five minutes and at most an hour, behind the newest
//! event of its group. What is later is counted and judged apart, among what is as late. A finding is said as soon as its
//! condition is true; a late event amends it, and never repeats it.
//!
//! Correlations that count correlations get the same treatment: an entry there is a finding here,
//! and is moved or taken back when that finding is.
//!
//! State is bounded: so many groups in all, so many entries in each. A group is dropped when time
//! has passed it by a timespan and an allowance; if there are still too many, the stalest are given
//! up. Everything given up is counted. Groups can be saved and restored (`persist`).

mod absence;
mod arrive;
mod cursor;
mod entry;
mod group;
mod orders;
mod persist;
mod store;
mod sweep;
mod tally;
mod told;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;

use crate::ast::Counting;
use crate::compile::{Body, Core, Joined, Names};
use crate::engine::{Finding, View};
use entry::{Arrival, Entry, Extra};
use group::{NEVER, Outcome, Said, What};
use store::Store;

pub use arrive::partition;
pub use persist::{Changes, Restored, Unreadable};
pub(crate) use told::coalesce;
pub use told::{FindingId, Settling, Standing};

/// Groups kept over all correlations unless told otherwise.
pub(crate) const MOST_GROUPS: usize = 1_000_000;

/// While there are fewer groups than this, nothing is dropped for its age where time is only what
/// events say: one event from the future must not empty every window.
const FEW_GROUPS: usize = 65_536;

/// Groups looked at for their age with each arrival; keeps an arrival's cost even.
const DROPS_PER_ARRIVAL: usize = 64;

/// Groups dropped for their age in one tick, per correlation.
const DROPS_PER_TICK: usize = 10_000;

/// Groups whose windows are kept as counted. More floods than this at one time are counted anew.
const MOST_CURSORS: usize = 1_024;

/// Silences told in one tick, per absence; the rest with the next.
const SILENCES_PER_TICK: usize = 1_000;

/// Shortest and longest time by which an event may come late.
const ALLOWANCE: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(3_600));

/// How late an event may come to a window of this length.
pub(crate) fn allowance(timespan: Duration) -> Duration {
    timespan.clamp(ALLOWANCE.0, ALLOWANCE.1)
}

/// Key of the windows for what comes too late: one byte more than lengths and values can end with.
fn behind(key: &[u8]) -> Box<[u8]> {
    [key, &[1]].concat().into()
}

/// What was given up, and what there is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) ungrouped: u64,
    pub(crate) evicted: u64,
    pub(crate) forgotten: u64,
    pub(crate) late: u64,
}

/// Every group of every correlation.
#[derive(Debug)]
pub(crate) struct Windows {
    store: Store,
    /// Positions of the correlations in the rule set.
    correlations: Vec<u32>,
    /// The newest time there was.
    clock: Timestamp,
    /// Whether someone else says what time it is.
    ticked: bool,
    most: usize,
    longest: Duration,
    counters: Counters,
    /// What an arrival still has to do.
    queue: VecDeque<Step>,
    /// Groups whose windows are kept as counted, the longest so first.
    cursors: VecDeque<u32>,
    key: Vec<u8>,
}

/// One change to one group.
#[derive(Debug)]
enum Step {
    Insert(Arrival, Entry),
    Remove(Arrival, FindingId),
}

impl Windows {
    pub(crate) fn new(core: &Core) -> Self {
        let joined = |body: &Body| match body {
            Body::Correlation(joined) => Some(joined.timespan.saturating_add(joined.allowance)),
            Body::Detection(_) => None,
        };
        let correlations = core.bodies.iter().zip(0_u32..).filter(|(body, _)| joined(body).is_some());
        Self {
            store: Store::new(core.bodies.len()),
            correlations: correlations.map(|(_, at)| at).collect(),
            clock: NEVER,
            ticked: false,
            most: MOST_GROUPS,
            longest: core.bodies.iter().filter_map(joined).max().unwrap_or_default(),
            counters: Counters::default(),
            queue: VecDeque::new(),
            cursors: VecDeque::new(),
            key: Vec::new(),
        }
    }

    /// Keeps at most so many groups.
    pub(crate) fn limit(&mut self, groups: usize) {
        self.most = groups.max(1);
    }

    pub(crate) const fn longest(&self) -> Duration {
        self.longest
    }

    pub(crate) const fn counters(&self) -> Counters {
        self.counters
    }

    /// Groups that are live.
    pub(crate) fn groups(&self) -> usize {
        self.store.len()
    }

    /// Takes one finding of a base rule through every correlation that counts it; what they have
    /// to say about it.
    pub(crate) fn arrive(
        &mut self,
        core: &Core,
        rule: usize,
        view: &View<'_>,
        event: EventRef,
        time: Timestamp,
    ) -> Vec<Finding> {
        let Some(feeds) = core.feeds.get(rule).filter(|feeds| !feeds.is_empty()) else { return Vec::new() };
        if !self.ticked {
            self.clock = self.clock.max(time);
        }
        let class = view.class().map_or(entry::FOREIGN, Names::place);
        let mut onward: Option<Arc<Extra>> = None;
        for correlation in feeds {
            let Some(way) = self.way(core, *correlation, rule, view) else { continue };
            let mut entry = Entry::new(time, event, &way, class);
            if core.feeds.get(*correlation).is_some_and(|further| !further.is_empty()) {
                let extra = onward.get_or_insert_with(|| {
                    Arc::new(Extra { source: None, onward: self.onward(core, rule, view) })
                });
                entry.extra = Some(Arc::clone(extra));
            }
            self.queue.push_back(Step::Insert(way, entry));
        }
        self.work(core)
    }

    /// Does what is queued, and what that leads to. Ends because a correlation only counts rules
    /// that were loaded before it.
    fn work(&mut self, core: &Core) -> Vec<Finding> {
        let mut out = Vec::new();
        while let Some(step) = self.queue.pop_front() {
            let way = match &step {
                Step::Insert(way, _) | Step::Remove(way, _) => way.clone(),
            };
            let Some(Body::Correlation(joined)) = core.bodies.get(way.correlation) else { continue };
            let said = match step {
                Step::Insert(way, entry) if matches!(joined.kind, Counting::Silence) => {
                    self.beat(core, joined, &way, entry)
                }
                Step::Insert(way, entry) => self.insert(core, joined, &way, entry),
                Step::Remove(way, source) => self.remove(core, joined, &way, source),
            };
            for said in said {
                self.pass_on(core, way.correlation, &said);
                out.extend(told::finding(core, joined, &way, said));
            }
        }
        out
    }

    fn insert(&mut self, core: &Core, joined: &Joined, way: &Arrival, entry: Entry) -> Vec<Said> {
        let at = self.lane(joined, way, entry.time);
        let event = entry.event();
        let name = |time| told::name(core, way, time, event);
        let Some(slot) = self.store.get_mut(at) else { return Vec::new() };
        let kept = slot.group.cursor.is_some();
        let Outcome { said, forgotten } = slot.group.insert(entry, joined, &name);
        let keeps = !kept && slot.group.cursor.is_some();
        self.counters.forgotten += forgotten;
        self.store.mark(at);
        if keeps {
            self.keep_cursor(at);
        }
        said
    }

    /// The group for an entry of this time. What is too late for its group's windows is judged apart,
    /// in windows and by a watermark of its own: a single sender with a fast clock, or a spool that is
    /// sent hours later, must not blind a group. What is too late even there begins those windows anew.
    fn lane(&mut self, joined: &Joined, way: &Arrival, time: Timestamp) -> u32 {
        let correlation = u32::try_from(way.correlation).unwrap_or(u32::MAX);
        let known = self.store.find(correlation, &way.key).and_then(|at| self.store.get(at));
        if !known.is_some_and(|slot| slot.group.is_late(time, joined)) {
            return self.open(joined, correlation, &way.key);
        }
        self.counters.late += 1;
        let at = self.open(joined, correlation, &behind(&way.key));
        if let Some(slot) = self.store.get_mut(at).filter(|slot| slot.group.is_late(time, joined)) {
            slot.group = group::Group::default();
        }
        at
    }

    /// Of too many groups whose windows are kept as counted, the first gives its up.
    fn keep_cursor(&mut self, at: u32) {
        self.cursors.push_back(at);
        if self.cursors.len() > MOST_CURSORS
            && let Some(first) = self.cursors.pop_front()
            && let Some(slot) = self.store.get_mut(first)
        {
            slot.group.cursor = None;
        }
    }

    fn remove(&mut self, core: &Core, joined: &Joined, way: &Arrival, source: FindingId) -> Vec<Said> {
        let correlation = u32::try_from(way.correlation).unwrap_or(u32::MAX);
        let mut out = Vec::new();
        for key in [way.key.clone(), behind(&way.key)] {
            let Some(at) = self.store.find(correlation, &key) else { continue };
            // Named after what is taken back: no event of its own leads here.
            let name = |time| told::name_after(core, way, time, source);
            let Some(slot) = self.store.get_mut(at) else { continue };
            let kept = slot.group.cursor.is_some();
            out.extend(slot.group.remove(source, joined, &name));
            let keeps = !kept && slot.group.cursor.is_some();
            self.store.mark(at);
            if keeps {
                self.keep_cursor(at);
            }
        }
        out
    }

    /// The group of this key, made if there is none; fresh from now on.
    fn open(&mut self, joined: &Joined, correlation: u32, key: &[u8]) -> u32 {
        self.drop_old(correlation, joined, DROPS_PER_ARRIVAL);
        if let Some(at) = self.store.find(correlation, key) {
            self.store.touch(at, self.clock);
            return at;
        }
        while self.store.len() >= self.most {
            let stalest = self.correlations.iter().filter_map(|of| self.store.stalest(*of));
            let Some((at, _)) = stalest.min_by_key(|(_, touched)| *touched) else { break };
            self.store.remove(at);
            self.counters.evicted += 1;
        }
        self.store.add(correlation, key, self.clock)
    }

    /// Drops groups that no event within the allowance can reach any more.
    fn drop_old(&mut self, correlation: u32, joined: &Joined, most: usize) {
        let silence = matches!(joined.kind, Counting::Silence);
        if silence || (!self.ticked && self.store.len() < FEW_GROUPS) {
            return;
        }
        let keep = joined.timespan.saturating_add(joined.allowance);
        for _ in 0..most {
            match self.store.stalest(correlation) {
                Some((at, touched)) if touched.plus(keep) < self.clock => self.store.remove(at),
                _ => return,
            }
        }
    }

    /// Queues what a finding means to the correlations that count this one.
    fn pass_on(&mut self, core: &Core, from: usize, said: &Said) {
        let further = core.feeds.get(from).is_some_and(|further| !further.is_empty());
        if !further {
            return;
        }
        let before = match &said.what {
            What::New => None,
            What::Amended(before) if before.time == said.told.time && before.event == said.told.event => {
                return;
            }
            What::Amended(before) => Some(before.as_ref()),
            What::Absorbed(_) | What::Withdrawn => Some(&said.told),
        };
        if let Some(before) = before {
            for way in arrive::ways(core, from, before.extra.as_deref()) {
                self.queue.push_back(Step::Remove(way.clone(), before.id));
            }
        }
        if matches!(said.what, What::Absorbed(_) | What::Withdrawn) {
            return;
        }
        let Some(extra) = said.told.extra.as_deref() else { return };
        let onward = Arc::new(Extra { source: Some(said.told.id), onward: Arc::clone(&extra.onward) });
        let mut reached = 0;
        for way in arrive::ways(core, from, Some(extra)) {
            reached += 1;
            let mut entry = Entry::new(said.told.time, said.told.event, way, said.class);
            entry.extra = Some(Arc::clone(&onward));
            self.queue.push_back(Step::Insert(way.clone(), entry));
        }
        let wanted = core.feeds.get(from).map_or(0, Vec::len);
        self.counters.ungrouped += u64::try_from(wanted.saturating_sub(reached)).unwrap_or(u64::MAX);
    }

    fn beat(&mut self, core: &Core, joined: &Joined, way: &Arrival, mut entry: Entry) -> Vec<Said> {
        let allowed = if self.ticked { Duration::ZERO } else { joined.allowance };
        if self.ticked {
            // Heard now, whatever the sender's clock says.
            entry.time = self.clock;
        }
        let correlation = u32::try_from(way.correlation).unwrap_or(u32::MAX);
        let at = self.open(joined, correlation, &way.key);
        let Some(slot) = self.store.get_mut(at) else { return Vec::new() };
        let beat = slot.group.beat(entry, joined, allowed);
        self.counters.late += u64::from(beat.late);
        self.counters.forgotten += beat.forgotten;
        self.store.mark(at);
        beat.gaps.into_iter().map(|last| told::silence(core, joined, way, last)).collect()
    }

    /// It is `now`: drops what is old, and says which groups have been silent for too long. From
    /// the first tick on, time is what is said here and no longer what events say.
    pub(crate) fn tick(&mut self, core: &Core, now: Timestamp) -> Vec<Finding> {
        let first = !std::mem::replace(&mut self.ticked, true);
        self.clock = self.clock.max(now);
        let mut out = Vec::new();
        for correlation in self.correlations.clone() {
            let at = usize::try_from(correlation).unwrap_or(usize::MAX);
            let Some(Body::Correlation(joined)) = core.bodies.get(at) else { continue };
            if matches!(joined.kind, Counting::Silence) {
                out.extend(self.silent(core, joined, correlation, first));
            } else {
                self.drop_old(correlation, joined, DROPS_PER_TICK);
            }
        }
        out.extend(self.work(core));
        out
    }

    /// Nobody listened between the last tick and `now`: that time counts for no absence, and everyone
    /// has a while to be heard again, but nobody longer than if it was heard now.
    pub(crate) fn resume(&mut self, core: &Core, now: Timestamp) {
        if !self.ticked || self.clock >= now {
            return;
        }
        let missed = now.since(self.clock).saturating_add(ALLOWANCE.0);
        self.retime(core, |time| time.plus(missed).min(now).max(time));
        self.clock = now;
    }

    /// It is not later than `now`: windows whose clock ran ahead by more than the allowance go back.
    pub(crate) fn correct(&mut self, core: &Core, now: Timestamp) {
        if !self.ticked || self.clock <= now.plus(ALLOWANCE.0) {
            return;
        }
        self.retime(core, |time| time.min(now));
        self.clock = now;
    }

    /// Moves what was measured by the clock. `to` must keep the order of times.
    fn retime(&mut self, core: &Core, to: impl Fn(Timestamp) -> Timestamp) {
        for at in self.store.places() {
            let Some(slot) = self.store.get_mut(at) else { continue };
            slot.touched = to(slot.touched);
            let of = usize::try_from(slot.correlation).unwrap_or(usize::MAX);
            if let Some(Body::Correlation(joined)) = core.bodies.get(of)
                && matches!(joined.kind, Counting::Silence)
            {
                slot.group.retime(&to);
            }
            self.store.mark(at);
        }
    }

    /// The time up to which windows have seen events; ticking it says that nothing more comes.
    pub(crate) const fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Groups of one absence that time has passed by. While time was what events say, a group may
    /// be stale without being touched last, so then all are looked at.
    fn silent(&mut self, core: &Core, joined: &Joined, correlation: u32, all: bool) -> Vec<Finding> {
        let mut at: Vec<u32> = Vec::new();
        if all {
            at = self.store.places();
            at.retain(|at| self.store.get(*at).is_some_and(|slot| slot.correlation == correlation));
            // In an order that does not depend on where groups lie.
            at.sort_by(|a, b| self.store.get(*a).map(|s| &s.key).cmp(&self.store.get(*b).map(|s| &s.key)));
        }
        let mut all = all.then(|| at.into_iter());
        let (mut out, mut looked) = (Vec::new(), 0);
        loop {
            let next = match &mut all {
                Some(all) => all.next(),
                None if looked >= SILENCES_PER_TICK => None,
                None => {
                    looked += 1;
                    let stalest = self.store.stalest(correlation);
                    stalest
                        .filter(|(_, touched)| touched.plus(joined.timespan) <= self.clock)
                        .map(|(at, _)| at)
                }
            };
            let Some(at) = next else { return out };
            let Some(slot) = self.store.get_mut(at) else { continue };
            let gaps = slot.group.silent(self.clock, joined);
            let over = slot.group.entries.is_empty();
            let way = Arrival {
                correlation: usize::try_from(correlation).unwrap_or(usize::MAX),
                member: 0,
                key: slot.key.clone(),
                counted: 0,
            };
            if over {
                self.store.remove(at);
            } else {
                self.store.mark(at);
                // A group whose last sign came after the clock waits for its turn.
                self.store.touch(at, self.clock);
            }
            for last in gaps {
                let said = told::silence(core, joined, &way, last);
                self.pass_on(core, way.correlation, &said);
                out.extend(told::finding(core, joined, &way, said));
            }
        }
    }
}

/// The first half of a digest.
fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    let whole: [u8; 32] = hasher.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(whole.first_chunk::<16>().unwrap_or(&[0; 16]));
    half
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
