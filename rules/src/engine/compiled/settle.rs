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

/// A look at a field.
#[derive(Debug)]
pub(crate) struct Sought {
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
    pub(crate) looks: Vec<Sought>,
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
        self.order(&costs);
        let (wakes, always) = self.wakes(&witnesses);
        let mut lanes: Vec<Looks> = Vec::new();
        lanes.resize_with(self.count, Looks::default);
        for (at, look) in self.looks.into_iter().enumerate() {
            if sought.get(at) == Some(&true)
                && let Some(lane) = lanes.get_mut(index(look.field))
            {
                lane.add(look.look, number(at));
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

    /// Turns atoms that need not be sought into such as are asked; by look, whether it is sought.
    fn choose(&mut self, witnesses: &[Witness]) -> Vec<bool> {
        let mut sought = vec![false; self.looks.len()];
        let program = &self.program;
        let mut seek = |atom: &Atom| {
            for look in program.looks_of(atom) {
                if let Some(sought) = sought.get_mut(index(*look)) {
                    *sought = true;
                }
            }
        };
        let atoms = witnesses.iter().flatten().flat_map(|(_, atoms)| atoms);
        atoms.filter_map(|atom| program.atoms.get(index(*atom))).for_each(&mut seek);
        let dear = |look: &u32| self.looks.get(index(*look)).is_some_and(|look| !look.look.is_cheap());
        let many = |atom: &&Atom| {
            matches!(atom, Atom::Gated(..))
                || program.looks_of(atom).iter().filter(|look| dear(look)).count() > FEW
        };
        program.atoms.iter().filter(many).for_each(&mut seek);
        let mut asked = Vec::new();
        for (at, atom) in program.atoms.iter().enumerate() {
            let looks = program.looks_of(atom);
            let unsought = |look: &u32| sought.get(index(*look)) == Some(&false) && dear(look);
            let first = looks.first().and_then(|first| self.looks.get(index(*first)));
            if let Some(first) = first.filter(|_| looks.iter().any(unsought)) {
                let looks = looks.iter().filter_map(|look| Some(self.looks.get(index(*look))?.look.clone()));
                asked.push((at, Atom::Asked(first.field, looks.collect())));
                continue;
            }
            for look in looks {
                if let Some(sought) = sought.get_mut(index(*look)) {
                    *sought = true;
                }
            }
        }
        for (at, atom) in asked {
            if let Some(place) = self.program.atoms.get_mut(at) {
                *place = atom;
            }
        }
        sought
    }

    /// Of what must all hold, what fails most and costs least to know comes first; of what one is
    /// enough, what holds most.
    fn order(&mut self, costs: &[u64]) {
        let Program { nodes, kids, atoms, .. } = &mut self.program;
        let effort = |kid: &NodeId| {
            let Some(Node::Atom(atom)) = nodes.get(index(*kid)) else { return (2, 0) };
            let often = costs.get(index(*atom)).copied().unwrap_or(0);
            match atoms.get(index(*atom)) {
                Some(Atom::Sought(..)) => (0, often),
                Some(Atom::Asked(..) | Atom::Gated(..)) => (1, often),
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
    fn of(looks: &[Sought]) -> Self {
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
    fn by(&self, one: &Sought) -> u64 {
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
