//! One group of a correlation: its recent entries, and what was said about them.
//!
//! The findings of a group are a function of the *set* of its entries. At every time that has an
//! entry the condition is asked of the window that ends there. A finding is due where it becomes
//! true, and again each time a whole timespan has passed while it stays true. An entry that comes
//! late changes windows that were judged before; what was said about those is then amended,
//! absorbed by another finding, or withdrawn.
//!
//! Invariants: `entries` is sorted by [`Entry::order`]; every entry that a window ending at or
//! after the watermark can see is there, unless it was counted as forgotten; `told` is sorted by
//! time and holds what may still change.

use std::sync::Arc;

use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;

use super::FindingId;
use super::entry::{Entry, Extra};
use super::sweep::{Sweep, Verdict};
use crate::ast::{Counting, Figure};
use crate::compile::Joined;
use watchpost_model::alert::MOST_EVIDENCE;

/// Entries kept where the threshold does not need more. More would only sharpen the count of an
/// attack that is already told, and cost time with each event of a flood.
const MOST_ENTRIES: usize = 1_024;

/// Entries kept where their numbers make a sum or a mean. A sum over more is too low.
const MOST_FIGURES: usize = 8_192;

/// Entries kept where their numbers must be sorted.
const MOST_RANKS: usize = 2_048;

/// The time of what never happened.
pub(super) const NEVER: Timestamp = Timestamp::from_nanos(i64::MIN);

/// The entries of one group. `Default` is a group that has seen nothing.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) entries: Vec<Entry>,
    /// Findings that a late entry may still change.
    pub(super) told: Vec<Told>,
    /// Time of the newest entry there ever was.
    pub(super) newest: Timestamp,
    /// Time of the last finding that nothing can change any more.
    pub(super) spoken: Timestamp,
    /// Whether the condition held at the last entry that is gone.
    pub(super) held: bool,
}

/// A finding as it was last said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) id: FindingId,
    pub(super) time: Timestamp,
    pub(super) count: u64,
    /// Tells two versions apart.
    pub(super) print: u64,
    /// The event that completed it.
    pub(super) event: EventRef,
    /// That event's way on.
    pub(super) extra: Option<Arc<Extra>>,
}

/// Something to say.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) what: What,
    pub(super) told: Told,
    /// Evidence, oldest first.
    pub(super) events: Vec<EventRef>,
    pub(super) class: u8,
    pub(super) member: u16,
}

/// What became of a finding.
#[derive(Debug)]
pub(super) enum What {
    New,
    Amended(Box<Told>),
    Absorbed(FindingId),
    Withdrawn,
}

/// What an entry led to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) said: Vec<Said>,
    pub(super) forgotten: u64,
    pub(super) late: bool,
}

/// A window end at which a finding is due: its last entry's place, and the verdict where the
/// window was judged just now.
struct Due {
    at: usize,
    time: Timestamp,
    verdict: Option<Verdict>,
}

impl Default for Group {
    fn default() -> Self {
        Self { entries: Vec::new(), told: Vec::new(), newest: NEVER, spoken: NEVER, held: false }
    }
}

impl Group {
    /// Takes an entry; `name` gives a new finding its id.
    pub(super) fn insert(
        &mut self,
        entry: Entry,
        rule: &Joined,
        name: &dyn Fn(Timestamp) -> FindingId,
    ) -> Outcome {
        let time = entry.time;
        if time < self.watermark(rule) {
            return Outcome { late: true, ..Outcome::default() };
        }
        let at = self.entries.partition_point(|other| other.order() <= entry.order());
        if at.checked_sub(1).and_then(|at| self.entries.get(at)).is_some_and(|before| before.is_same(&entry))
        {
            return Outcome::default();
        }
        if self.entries.is_empty() {
            // Most groups see one entry and no other.
            self.entries.reserve_exact(1);
        }
        self.entries.insert(at, entry);
        self.newest = self.newest.max(time);
        let over = self.entries.len().saturating_sub(most(rule));
        let forgotten = self.drop_oldest(over);
        let said = if at < over { Vec::new() } else { self.judge(time, rule, name) };
        self.settle(rule);
        Outcome { said, forgotten, late: false }
    }

    /// Takes back the entry that another correlation's finding was.
    pub(super) fn remove(
        &mut self,
        source: FindingId,
        rule: &Joined,
        name: &dyn Fn(Timestamp) -> FindingId,
    ) -> Vec<Said> {
        let Some(at) = self.entries.iter().rposition(|entry| entry.is_of(source)) else {
            return Vec::new();
        };
        let gone = self.entries.remove(at);
        if gone.time < self.watermark(rule) { Vec::new() } else { self.judge(gone.time, rule, name) }
    }

    /// No window that ends before this is judged again.
    pub(super) fn watermark(&self, rule: &Joined) -> Timestamp {
        if self.newest == NEVER { NEVER } else { self.newest.minus(rule.allowance) }
    }

    /// Judges the windows that an entry at `changed` lies in, decides which findings are due from
    /// there on, and compares them with what was said.
    fn judge(
        &mut self,
        changed: Timestamp,
        rule: &Joined,
        name: &dyn Fn(Timestamp) -> FindingId,
    ) -> Vec<Said> {
        let from = self.told.partition_point(|told| told.time < changed);
        let due = self.due(changed, rule);
        if due.is_empty() && from == self.told.len() {
            return Vec::new();
        }
        let old = self.told.split_off(from);
        self.reconcile(old, &due, changed, rule, name)
    }

    fn due(&mut self, changed: Timestamp, rule: &Joined) -> Vec<Due> {
        let first = self.entries.partition_point(|entry| entry.time < changed);
        let until = changed.plus(rule.timespan);
        let mut prior =
            first.checked_sub(1).and_then(|at| self.entries.get(at)).map_or(self.held, |e| e.held);
        let mut last =
            self.told.iter().rev().map(|told| told.time).find(|time| *time < changed).unwrap_or(self.spoken);
        let mut sweep =
            self.can_hold(changed, until, rule).then(|| Sweep::from(&self.entries, changed, rule));
        let mut out = Vec::new();
        let mut at = first;
        while let Some(time) = self.entries.get(at).map(|entry| entry.time) {
            at += self.entries.iter().skip(at).take_while(|entry| entry.time == time).count();
            let touched = time < until;
            let verdict = if touched {
                Some(sweep.as_mut().map_or_else(Verdict::default, |sweep| sweep.at(&self.entries, time)))
            } else {
                None
            };
            let Some(end) = self.entries.get_mut(at - 1) else { break };
            end.held = verdict.map_or(end.held, |verdict| verdict.holds);
            let held = end.held;
            if held && (!prior || last == NEVER || time.since(last) >= rule.timespan) {
                out.push(Due { at: at - 1, time, verdict });
                last = time;
            }
            prior = held;
        }
        out
    }

    /// Whether there are entries enough for any window that ends in `changed..until`.
    fn can_hold(&self, changed: Timestamp, until: Timestamp, rule: &Joined) -> bool {
        let begin = changed.minus(rule.timespan);
        let from = self.entries.partition_point(|entry| entry.time <= begin);
        let to = self.entries.partition_point(|entry| entry.time < until);
        u64::try_from(to - from).unwrap_or(u64::MAX) >= rule.least
    }

    /// What must be said so that `due` stands in the place of `old`.
    fn reconcile(
        &mut self,
        old: Vec<Told>,
        due: &[Due],
        changed: Timestamp,
        rule: &Joined,
        name: &dyn Fn(Timestamp) -> FindingId,
    ) -> Vec<Said> {
        let (mut old, partners) = pair(old, due, rule);
        let untouched = changed.plus(rule.timespan);
        let mut said = Vec::new();
        for (due, partner) in due.iter().zip(partners) {
            let before = partner.and_then(|at| old.get_mut(at)?.take());
            let before = match before {
                Some(told) if told.time == due.time && due.time >= untouched => {
                    self.told.push(told);
                    continue;
                }
                before => before,
            };
            let Some(mut now) = self.say(due, rule) else { continue };
            now.told.id = before.as_ref().map_or_else(|| name(due.time), |told| told.id);
            self.told.push(now.told.clone());
            match before {
                Some(told) if told == now.told => continue,
                Some(told) => now.what = What::Amended(Box::new(told)),
                None => {}
            }
            said.push(now);
        }
        // What goes is said first, so that correlations further on never count it twice.
        let gone = old.into_iter().flatten().map(|told| self.gone(told));
        gone.chain(said).collect()
    }

    /// A finding that is no longer due: another one covers it, or its condition no longer holds.
    fn gone(&self, told: Told) -> Said {
        let to = self.entries.partition_point(|entry| entry.time <= told.time);
        let end = to.checked_sub(1).and_then(|at| self.entries.get(at));
        let held = end.is_some_and(|end| end.held && end.time == told.time);
        let cover = self.told.iter().rev().find(|other| other.time <= told.time);
        let what = match cover {
            Some(cover) if held => What::Absorbed(cover.id),
            _ => What::Withdrawn,
        };
        let (class, member) = end.map_or((super::entry::FOREIGN, 0), |end| (end.class, end.member));
        Said { what, told, events: Vec::new(), class, member }
    }

    /// The finding that is due, with its content.
    fn say(&self, due: &Due, rule: &Joined) -> Option<Said> {
        let verdict = due.verdict.unwrap_or_else(|| {
            let mut sweep = Sweep::from(&self.entries, due.time, rule);
            sweep.at(&self.entries, due.time)
        });
        let begin = due.time.minus(rule.timespan);
        let from = self.entries.partition_point(|entry| entry.time <= begin);
        let inside = self.entries.get(from..=due.at)?;
        let end = inside.last()?;
        let events = evidence(inside);
        let told = Told {
            id: FindingId::default(),
            time: due.time,
            count: verdict.count,
            print: print(inside.len(), &events),
            event: end.event(),
            extra: end.extra.clone(),
        };
        Some(Said { what: What::New, told, events, class: end.class, member: end.member })
    }

    /// Forgets what the watermark has passed.
    fn settle(&mut self, rule: &Joined) {
        let watermark = self.watermark(rule);
        let settled = self.told.partition_point(|told| told.time < watermark);
        if let Some(last) = settled.checked_sub(1).and_then(|at| self.told.get(at)) {
            self.spoken = last.time;
            self.told.drain(..settled);
        }
        let begin = watermark.minus(rule.timespan);
        let unseen = self.entries.partition_point(|entry| entry.time <= begin);
        // Not one by one: moving the rest costs more than keeping a few.
        if unseen >= 8 || unseen * 4 >= self.entries.len().max(1) {
            self.drop_oldest(unseen);
        }
    }

    fn drop_oldest(&mut self, count: usize) -> u64 {
        let Some(last) = count.checked_sub(1).and_then(|at| self.entries.get(at)) else { return 0 };
        self.held = last.held;
        self.entries.drain(..count);
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

/// For each finding that is due, the one said before that it takes the place of: of the same time
/// if there is one, else the nearest that is less than a timespan away.
fn pair(old: Vec<Told>, due: &[Due], rule: &Joined) -> (Vec<Option<Told>>, Vec<Option<usize>>) {
    let mut partners = vec![None; due.len()];
    let mut left: Vec<usize> = Vec::new();
    for (at, told) in old.iter().enumerate() {
        match due.binary_search_by_key(&told.time, |due| due.time) {
            Ok(same) => {
                if let Some(partner) = partners.get_mut(same) {
                    *partner = Some(at);
                }
            }
            Err(_) => left.push(at),
        }
    }
    for at in left {
        let Some(told) = old.get(at) else { continue };
        let apart = |due: &Due| due.time.since(told.time).max(told.time.since(due.time));
        let free = due.iter().zip(partners.iter_mut()).filter(|(_, partner)| partner.is_none());
        let nearest = free.map(|(due, partner)| (apart(due), partner)).min_by_key(|(apart, _)| *apart);
        if let Some((_, partner)) = nearest.filter(|(apart, _)| *apart < rule.timespan) {
            *partner = Some(at);
        }
    }
    (old.into_iter().map(Some).collect(), partners)
}

fn most(rule: &Joined) -> usize {
    match rule.kind {
        Counting::Figure(Figure::Percentile(_), _) => MOST_RANKS,
        Counting::Figure(..) => MOST_FIGURES,
        _ => {
            let threshold = rule.bounds.iter().map(|(_, number)| *number).max().unwrap_or(0);
            usize::try_from(threshold).unwrap_or(usize::MAX).saturating_mul(2).max(MOST_ENTRIES)
        }
    }
}

/// The first events and the last.
fn evidence(inside: &[Entry]) -> Vec<EventRef> {
    let first = inside.iter().take(MOST_EVIDENCE - 1);
    let last = inside.iter().skip(MOST_EVIDENCE - 1).last();
    first.chain(last).map(Entry::event).collect()
}

fn print(entries: usize, events: &[EventRef]) -> u64 {
    use std::hash::{Hash as _, Hasher as _};
    // The fixed hasher of the standard library: equal in every process of one build, and a change
    // of it costs one needless amendment.
    let mut hasher = std::hash::DefaultHasher::new();
    (entries, events).hash(&mut hasher);
    hasher.finish()
}
