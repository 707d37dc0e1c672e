//! The last step of a plan: which looks are worth seeking in every event, and what they wake.
//!
//! Rules hang on their witnesses, and only looks of witnesses must be sought. A test that is in
//! none and has few parts is cheaper to ask when a woken rule comes to it; what looking up tells
//! costs nothing either way.

use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::fill::Fields;
use super::lane::{Look, Looks};
use super::program::{Atom, Node, NodeId, Program};
use super::texts::{index, number};
use super::witness::{Finder, Witness, cost};
use super::{Entry, Plan, Wakes};

/// What each further test that asks the same adds to the cost of a look as a witness: what many
/// rules ask for is what many events have.
const SHARED: u64 = 10;

/// Parts of a test that may be asked one by one.
const FEW: usize = 4;

/// A text with fewer bytes is sought only where a rule wakes by it: it is found all the time.
const SHORT: usize = 3;

/// A look at a field.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) field: u32,
    pub(crate) look: Look,
    /// How many tests ask for it.
    pub(crate) times: u32,
}

/// Everything that rules ask for.
#[derive(Debug)]
pub(crate) struct Wishes {
    pub(crate) fields: Fields,
    /// How many fields there are.
    pub(crate) count: usize,
    pub(crate) program: Program,
    pub(crate) looks: Vec<Asked>,
    pub(crate) entries: Vec<Entry>,
}

impl Wishes {
    /// The plan.
    pub(crate) fn settle(mut self) -> Plan {
        // In the order of rules, so that findings come in one order whatever woke them.
        self.entries.sort_by_key(|entry| entry.rule);
        let costs = self.costs();
        let mut finder = Finder { program: &self.program, costs: &costs, seen: HashMap::new() };
        let witnesses: Vec<Witness> = self.entries.iter().map(|entry| finder.of(entry.root)).collect();
        let sought = self.choose(&witnesses);
        self.renumber(&sought);
        self.order(&costs);
        let (wakes, always) = self.wakes(&witnesses);
        let mut lanes: Vec<Looks> = Vec::new();
        lanes.resize_with(self.count, Looks::default);
        for (at, Asked { field, look, .. }) in (0..).zip(self.looks) {
            if at >= self.program.sought {
                self.program.asked.push((field, look));
            } else if let Some(lane) = lanes.get_mut(index(field)) {
                lane.add(look, at);
            }
        }
        let lanes = lanes.into_iter().map(Looks::build).collect();
        Plan { fields: self.fields, lanes, program: self.program, wakes, always, entries: self.entries }
    }

    /// By atom: how often its looks hit, roughly.
    fn costs(&self) -> Vec<u64> {
        let shared = Shared::of(&self.looks);
        let looks: Vec<u64> =
            self.looks.iter().map(|one| cost(&one.look).saturating_add(SHARED * shared.by(one))).collect();
        let sum = |at: &[u32]| {
            at.iter()
                .filter_map(|at| looks.get(index(*at)))
                .fold(0, |sum: u64, cost| sum.saturating_add(*cost))
        };
        self.program.atoms.iter().map(|atom| sum(self.program.looks_of(atom))).collect()
    }

    /// By look, whether it is sought: because a rule wakes by it or a regex needs it, because it
    /// costs nothing, or because asking for it with all its neighbours would cost more.
    fn choose(&self, witnesses: &[Witness]) -> Vec<bool> {
        let Program { atoms, .. } = &self.program;
        let mut sought: Vec<bool> = self.looks.iter().map(|one| one.look.is_cheap()).collect();
        let length = |look: &u32| self.looks.get(index(*look)).map_or(0, |one| one.look.length());
        let dear = |look: &u32| self.looks.get(index(*look)).is_some_and(|one| !one.look.is_cheap());
        let mut seek = |atom: &Atom, least: usize| {
            for look in self.program.looks_of(atom).iter().filter(|look| length(look) >= least) {
                if let Some(sought) = sought.get_mut(index(*look)) {
                    *sought = true;
                }
            }
        };
        let wake = witnesses.iter().flatten().flat_map(|(_, atoms)| atoms);
        wake.filter_map(|atom| atoms.get(index(*atom))).for_each(|atom| seek(atom, 0));
        for atom in atoms {
            match atom {
                Atom::Gated(..) => seek(atom, 0),
                _ if self.program.looks_of(atom).iter().filter(|look| dear(look)).count() > FEW => {
                    seek(atom, SHORT);
                }
                _ => {}
            }
        }
        sought
    }

    /// Gives looks that are sought the lower numbers, and puts them first in every atom.
    fn renumber(&mut self, sought: &[bool]) {
        let mut order: Vec<usize> = (0..self.looks.len()).collect();
        order.sort_by_key(|at| sought.get(*at) != Some(&true));
        self.program.sought = number(sought.iter().filter(|sought| **sought).count());
        let mut new = vec![0; order.len()];
        for (to, from) in (0..).zip(&order) {
            if let Some(place) = new.get_mut(*from) {
                *place = to;
            }
        }
        for look in &mut self.program.looks {
            *look = new.get(index(*look)).copied().unwrap_or(*look);
        }
        let mut looks: Vec<_> = std::mem::take(&mut self.looks).into_iter().zip(new).collect();
        looks.sort_by_key(|(_, new)| *new);
        self.looks = looks.into_iter().map(|(look, _)| look).collect();
        for atom in &self.program.atoms {
            if let Atom::Looks(from, to) | Atom::Gated(_, _, (from, to)) = atom
                && let Some(looks) = self.program.looks.get_mut(index(*from)..index(*to))
            {
                looks.sort_unstable();
            }
        }
    }

    /// Of what must all hold, what fails most and costs least to know comes first; of what one is
    /// enough, what holds most.
    fn order(&mut self, costs: &[u64]) {
        let Program { nodes, kids, atoms, looks, sought, .. } = &mut self.program;
        let is_known = |from: u32, to: u32| {
            looks.get(index(from)..index(to)).is_some_and(|looks| looks.last() < Some(sought))
        };
        let effort = |kid: &NodeId| {
            let Some(Node::Atom(atom)) = nodes.get(index(*kid)) else { return (2, 0) };
            let often = costs.get(index(*atom)).copied().unwrap_or(0);
            match atoms.get(index(*atom)) {
                Some(Atom::Looks(from, to)) if is_known(*from, *to) => (0, often),
                Some(Atom::Looks(..) | Atom::Gated(..)) => (1, often),
                _ => (3, 0),
            }
        };
        for node in nodes.iter() {
            let (Node::All(from, to) | Node::Any(from, to)) = node else { continue };
            let Some(kids) = kids.get_mut(index(*from)..index(*to)) else { continue };
            if matches!(node, Node::All(..)) {
                kids.sort_by_key(effort);
            } else {
                kids.sort_by_key(|kid| {
                    let (effort, often) = effort(kid);
                    (effort, Reverse(often))
                });
            }
        }
    }

    /// What each look wakes, and what is always awake.
    fn wakes(&self, witnesses: &[Witness]) -> (Wakes, Vec<u32>) {
        let mut by_look: Vec<Vec<u32>> = vec![Vec::new(); self.looks.len()];
        let mut always = Vec::new();
        for (at, witness) in (0..).zip(witnesses) {
            let Some((_, atoms)) = witness else {
                always.push(at);
                continue;
            };
            let atoms = atoms.iter().filter_map(|atom| self.program.atoms.get(index(*atom)));
            for look in atoms.flat_map(|atom| self.program.looks_of(atom)) {
                if let Some(woken) = by_look.get_mut(index(*look))
                    && woken.last() != Some(&at)
                {
                    woken.push(at);
                }
            }
        }
        let mut wakes = Wakes { starts: vec![0], entries: Vec::new() };
        for woken in by_look {
            wakes.entries.extend(woken);
            wakes.starts.push(number(wakes.entries.len()));
        }
        (wakes, always)
    }
}

/// How many tests ask for texts that have the same few bytes in the same field.
struct Shared(HashMap<(u32, usize, [u8; 4]), u64, RandomState>);

impl Shared {
    fn of(looks: &[Asked]) -> Self {
        let mut counts: HashMap<_, u64, _> = HashMap::default();
        for one in looks {
            for size in [1, 2, 4] {
                for gram in grams(&one.look, size) {
                    *counts.entry((one.field, size, gram)).or_default() += u64::from(one.times);
                }
            }
        }
        Self(counts)
    }

    /// No more than so many tests ask for something that has this look in it.
    fn by(&self, one: &Asked) -> u64 {
        let size = match &one.look {
            Look::Begin(text) | Look::End(text) | Look::Inside(text) if !one.look.is_cheap() => text.len(),
            _ => return u64::from(one.times),
        };
        let size = if size >= 4 { 4 } else { size.min(2) };
        let count = |gram| self.0.get(&(one.field, size, gram)).copied().unwrap_or(0);
        grams(&one.look, size).map(count).min().unwrap_or(0)
    }
}

fn grams(look: &Look, size: usize) -> impl Iterator<Item = [u8; 4]> {
    let text = match look {
        Look::Exact(text) | Look::Begin(text) | Look::End(text) | Look::Inside(text) => text.as_bytes(),
        Look::Number(_) => &[],
    };
    text.windows(size).map(|window| {
        let mut gram = [0; 4];
        gram.iter_mut().zip(window).for_each(|(to, from)| *to = *from);
        gram
    })
}
