//! All living flows: finds the one a packet belongs to, writes records when they are due.
//!
//! Time is an argument, so replay, tests and live capture share one path. Each flow stands once
//! in a schedule that is corrected lazily: an entry that fires too early is put back, so a
//! packet costs one look-up and no more. When the table is full the flow that was idle longest
//! among the [`LOOKED_AT`] oldest is ended with reason `pressure` and counted.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use foldhash::fast::RandomState;
use watchpost_model::{Event, Timestamp};

use super::entry::{Flow, Reason};
use super::key::Key;
use super::owner::Owners;
use super::place::Place;
use super::settings::Settings;
use crate::app::{Found, Names};
use crate::decode::Packet;

/// Flows that eviction looks at before it takes the idlest of them: bounds its time.
const LOOKED_AT: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Appointment(Timestamp, Key);

impl Ord for Appointment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Appointment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The flow table of one point of capture.
#[derive(Debug)]
pub struct Table {
    settings: Settings,
    place: Place,
    owners: Option<Box<dyn Owners>>,
    flows: HashMap<Key, Flow, RandomState>,
    schedule: BinaryHeap<Reverse<Appointment>>,
    /// Keys with the time at which they were last queued, oldest first.
    ages: VecDeque<(Timestamp, Key)>,
    names: Names,
    found: Vec<Found>,
    /// Bytes that inspection holds, over all flows.
    held: usize,
    evicted: u64,
    uninspected: u64,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(settings: Settings, place: Place) -> Self {
        Self {
            settings,
            place,
            owners: None,
            flows: HashMap::default(),
            schedule: BinaryHeap::new(),
            ages: VecDeque::new(),
            names: Names::default(),
            found: Vec::new(),
            held: 0,
            evicted: 0,
            uninspected: 0,
        }
    }

    /// Names the owners of flows that this host is an end of.
    #[must_use]
    pub fn with_owners(self, owners: Option<Box<dyn Owners>>) -> Self {
        Self { owners, ..self }
    }

    /// Counts a packet; records that it brings about go to `out`.
    pub fn observe(&mut self, packet: &Packet<'_>, now: Timestamp, out: &mut Vec<Event>) {
        let (key, sender) = Key::of(packet);
        if self.flows.get(&key).is_some_and(|flow| flow.is_replaced_by(packet)) {
            self.close(&key, Reason::End, now, out);
        } else if self.flows.len() >= self.settings.most && !self.flows.contains_key(&key) {
            self.make_room(now, out);
        }
        let flow = match self.flows.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut flow = Flow::open(key, sender, packet, now);
                flow.name = self.names.of(flow.ends().1.ip);
                if let Some(owners) = &mut self.owners {
                    flow.seek_owner(owners.as_mut(), &self.place, now);
                }
                self.ages.push_back((now, key));
                entry.insert(flow)
            }
        };
        let before = flow.held();
        flow.add(sender, packet, now, &mut self.found);
        self.held = self.held.saturating_sub(before).saturating_add(flow.held());
        if self.held > self.settings.inspected {
            self.held = self.held.saturating_sub(flow.held());
            self.uninspected = self.uninspected.saturating_add(1);
            flow.look_away(&mut self.found);
        }
        let due = flow.next(&self.settings).0;
        if due < flow.due {
            flow.due = due;
            self.schedule.push(Reverse(Appointment(due, key)));
        }
        for found in self.found.drain(..) {
            self.names.learn(&found);
            out.push(flow.event_of(found, &self.place));
        }
    }

    /// Writes the records that are due by `now`.
    pub fn expire(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        while let Some(Reverse(Appointment(at, _))) = self.schedule.peek().copied()
            && at <= now
        {
            if let Some(Reverse(Appointment(at, key))) = self.schedule.pop() {
                self.keep(at, &key, now, out);
            }
        }
    }

    /// Keeps the appointment of one flow.
    fn keep(&mut self, at: Timestamp, key: &Key, now: Timestamp, out: &mut Vec<Event>) {
        let Some(flow) = self.flows.get_mut(key).filter(|flow| flow.due == at) else { return };
        let (due, reason) = flow.next(&self.settings);
        if due <= now && reason == Reason::Idle {
            self.close(key, Reason::Idle, now, out);
            return;
        }
        if due <= now {
            tell(flow, reason, now, &self.place, out, &mut self.found);
        }
        // A record just written moves the next one on, so this can not fire again at once.
        flow.due = flow.next(&self.settings).0.max(at.plus(std::time::Duration::from_nanos(1)));
        self.schedule.push(Reverse(Appointment(flow.due, *key)));
    }

    /// Ends all flows, oldest first.
    pub fn drain(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        while let Some((_, key)) = self.ages.pop_front() {
            self.close(&key, Reason::Shutdown, now, out);
        }
        self.schedule.clear();
    }

    /// Living flows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Flows ended because the table was full.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Flows that inspection left alone because it held too much.
    #[must_use]
    pub const fn uninspected(&self) -> u64 {
        self.uninspected
    }

    fn close(&mut self, key: &Key, reason: Reason, now: Timestamp, out: &mut Vec<Event>) {
        if let Some(mut flow) = self.flows.remove(key) {
            self.held = self.held.saturating_sub(flow.held());
            let reason = if flow.ended.is_some() { Reason::End } else { reason };
            tell(&mut flow, reason, now, &self.place, out, &mut self.found);
        }
        self.sweep();
    }

    /// Drops queued ages of flows that are gone, once they outnumber the living.
    fn sweep(&mut self) {
        if self.ages.len() > self.flows.len().saturating_mul(2).saturating_add(1_024) {
            let flows = &self.flows;
            let mut seen = std::collections::HashSet::<Key, RandomState>::default();
            self.ages.retain(|(_, key)| flows.contains_key(key) && seen.insert(*key));
        }
    }

    fn make_room(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        let mut idlest: Option<(Timestamp, Key)> = None;
        let mut looked = 0;
        while looked < LOOKED_AT
            && let Some((queued, key)) = self.ages.pop_front()
        {
            let Some(flow) = self.flows.get(&key) else { continue };
            looked += 1;
            if flow.last <= queued {
                // Silent since it was queued: nothing older is in the table.
                self.ages.extend(idlest.take());
                idlest = Some((flow.last, key));
                break;
            }
            let this = (flow.last, key);
            match idlest {
                Some(best) if best.0 <= this.0 => self.ages.push_back(this),
                other => {
                    self.ages.extend(other);
                    idlest = Some(this);
                }
            }
        }
        if let Some((_, key)) = idlest {
            self.evicted = self.evicted.saturating_add(1);
            self.close(&key, Reason::Pressure, now, out);
        }
    }
}

/// Writes a flow's record, after what inspection still held back.
fn tell(
    flow: &mut Flow,
    reason: Reason,
    now: Timestamp,
    place: &Place,
    out: &mut Vec<Event>,
    found: &mut Vec<Found>,
) {
    flow.flush(found);
    for found in found.drain(..) {
        out.push(flow.event_of(found, place));
    }
    out.extend(flow.report(reason, now, place));
}
