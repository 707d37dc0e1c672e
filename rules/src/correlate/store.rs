//! Every live group: found by its key, given up stalest first, and marked when it changed.
//!
//! Groups lie in one slab. Each correlation has a list of its groups in the order in which they
//! were last touched, so that what is stale is found at the head and never looked for.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use watchpost_model::Timestamp;

use super::group::Group;

/// No place in the slab.
const NONE: u32 = u32::MAX;

/// One live group.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: Box<[u8]>,
    pub(super) group: Group,
    /// When it was last touched, by the clock of the windows.
    pub(super) touched: Timestamp,
    /// Position in the rule set.
    pub(super) correlation: u32,
    prev: u32,
    next: u32,
    live: bool,
    /// Whether it changed since the last checkpoint.
    dirty: bool,
    /// Whether a checkpoint knows it.
    pub(super) saved: bool,
}

/// Correlation and key of a group that is no more.
pub(super) type Gone = (u32, Box<[u8]>);

/// Ends of one correlation's list: the stalest group and the freshest.
#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Store {
    table: HashTable<u32>,
    // Keys are made by strangers: seeded, so that none can be made to collide.
    hasher: RandomState,
    slots: Vec<Slot>,
    free: Vec<u32>,
    lists: Vec<List>,
    /// Changed groups, where anyone wants to know.
    dirty: Option<Vec<u32>>,
    /// Groups that a checkpoint knows and that are no more.
    gone: Vec<Gone>,
}

impl Store {
    /// An empty store for as many rules.
    pub(super) fn new(rules: usize) -> Self {
        Self { lists: vec![List { head: NONE, tail: NONE }; rules], ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// From now on changes are remembered; what is there already counts as changed.
    pub(super) fn track(&mut self) {
        if self.dirty.is_none() {
            self.dirty = Some(Vec::new());
            for at in self.places() {
                self.mark(at);
            }
        }
    }

    /// How many groups changed or went since the last checkpoint.
    pub(super) fn changes(&self) -> usize {
        self.dirty.as_ref().map_or(0, Vec::len) + self.gone.len()
    }

    fn hash(&self, correlation: u32, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        correlation.hash(&mut hasher);
        key.hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn find(&self, correlation: u32, key: &[u8]) -> Option<u32> {
        let same =
            |at: &u32| self.get(*at).is_some_and(|slot| slot.correlation == correlation && *slot.key == *key);
        self.table.find(self.hash(correlation, key), same).copied()
    }

    pub(super) fn get(&self, at: u32) -> Option<&Slot> {
        self.slots.get(place(at)).filter(|slot| slot.live)
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Slot> {
        self.slots.get_mut(place(at)).filter(|slot| slot.live)
    }

    /// Adds a group that is not there yet, as the freshest of its correlation.
    pub(super) fn add(&mut self, correlation: u32, key: &[u8], now: Timestamp) -> u32 {
        let slot = Slot {
            key: key.into(),
            group: Group::default(),
            touched: now,
            correlation,
            prev: NONE,
            next: NONE,
            live: true,
            dirty: false,
            saved: false,
        };
        let at = if let Some(at) = self.free.pop() {
            if let Some(old) = self.slots.get_mut(place(at)) {
                *old = slot;
            }
            at
        } else {
            self.slots.push(slot);
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        };
        let hash = self.hash(correlation, key);
        let rehash = |at: &u32| {
            let slot = self.slots.get(place(*at));
            slot.map_or(0, |slot| {
                let mut hasher = self.hasher.build_hasher();
                slot.correlation.hash(&mut hasher);
                slot.key.hash(&mut hasher);
                hasher.finish()
            })
        };
        self.table.insert_unique(hash, at, rehash);
        self.append(at);
        at
    }

    /// Makes a group the freshest of its correlation.
    pub(super) fn touch(&mut self, at: u32, now: Timestamp) {
        let Some(slot) = self.get_mut(at) else { return };
        slot.touched = now;
        if slot.next != NONE {
            self.unlink(at);
            self.append(at);
        }
    }

    /// Remembers that a group changed.
    pub(super) fn mark(&mut self, at: u32) {
        let Some(dirty) = &mut self.dirty else { return };
        if let Some(slot) = self.slots.get_mut(place(at))
            && !slot.dirty
        {
            slot.dirty = true;
            dirty.push(at);
        }
    }

    /// Takes a group out.
    pub(super) fn remove(&mut self, at: u32) {
        let Some(slot) = self.get(at) else { return };
        let hash = self.hash(slot.correlation, &slot.key);
        if let Ok(entry) = self.table.find_entry(hash, |other| *other == at) {
            entry.remove();
        }
        self.unlink(at);
        let Some(slot) = self.slots.get_mut(place(at)) else { return };
        slot.live = false;
        slot.group = Group::default();
        let key = std::mem::take(&mut slot.key);
        if slot.saved && self.dirty.is_some() {
            self.gone.push((slot.correlation, key));
        }
        if !slot.dirty {
            self.free.push(at);
        }
    }

    /// The stalest group of a correlation.
    pub(super) fn stalest(&self, correlation: u32) -> Option<(u32, Timestamp)> {
        let head = self.lists.get(place(correlation))?.head;
        self.get(head).map(|slot| (head, slot.touched))
    }

    /// Every live group.
    pub(super) fn places(&self) -> Vec<u32> {
        self.table.iter().copied().collect()
    }

    /// Takes the list of what changed: live groups, and keys of those that are no more.
    pub(super) fn take_changes(&mut self) -> (Vec<u32>, Vec<Gone>) {
        let dirty = self.dirty.as_mut().map(std::mem::take).unwrap_or_default();
        let mut live = Vec::with_capacity(dirty.len());
        for at in dirty {
            let Some(slot) = self.slots.get_mut(place(at)) else { continue };
            slot.dirty = false;
            if slot.live {
                slot.saved = true;
                live.push(at);
            } else {
                self.free.push(at);
            }
        }
        // A key that came back is written, not deleted.
        let gone = std::mem::take(&mut self.gone);
        let gone = gone.into_iter().filter(|(correlation, key)| self.find(*correlation, key).is_none());
        (live, gone.collect())
    }

    fn append(&mut self, at: u32) {
        let Some(correlation) = self.get(at).map(|slot| slot.correlation) else { return };
        let Some(list) = self.lists.get_mut(place(correlation)) else { return };
        let tail = std::mem::replace(&mut list.tail, at);
        if tail == NONE {
            list.head = at;
        }
        if let Some(before) = self.slots.get_mut(place(tail)) {
            before.next = at;
        }
        if let Some(slot) = self.slots.get_mut(place(at)) {
            (slot.prev, slot.next) = (tail, NONE);
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some(slot) = self.slots.get(place(at)) else { return };
        let (correlation, prev, next) = (slot.correlation, slot.prev, slot.next);
        if let Some(before) = self.slots.get_mut(place(prev)) {
            before.next = next;
        }
        if let Some(after) = self.slots.get_mut(place(next)) {
            after.prev = prev;
        }
        let Some(list) = self.lists.get_mut(place(correlation)) else { return };
        if list.head == at {
            list.head = next;
        }
        if list.tail == at {
            list.tail = prev;
        }
    }
}

/// `NONE` is beyond every slab.
fn place(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
