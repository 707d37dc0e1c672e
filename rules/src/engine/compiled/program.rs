//! Conditions as a flat tree over atoms, and what is known of each atom for the event at hand.

use super::lane::Look;
use super::texts::{Texts, index};
use crate::matcher::Test;

/// A node's number.
pub(crate) type NodeId = u32;

/// One node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    /// This atom holds.
    Atom(u32),
    /// All of these nodes hold; of none, all do.
    All(u32, u32),
    /// One of these nodes holds.
    Any(u32, u32),
    /// The node does not hold.
    Not(NodeId),
    /// So many of these nodes hold.
    AtLeast(u32, u32, u32),
}

/// What one test of the rules is made of.
#[derive(Debug)]
pub(crate) enum Atom {
    /// It holds if one of these looks hit (places in [`Program::sought`]).
    Sought(u32, u32),
    /// It holds if a look of these fits the field; they are asked when a rule asks.
    Asked(u32, Box<[Look]>),
    /// It may hold if one of these looks hit; then the test is asked.
    Gated(u32, Test<u32>, (u32, u32)),
    /// The test is asked when a rule asks for it.
    Lazy(u32, Test<u32>),
}

/// Every node of a plan.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) nodes: Vec<Node>,
    pub(crate) kids: Vec<NodeId>,
    pub(crate) atoms: Vec<Atom>,
    /// Numbers of looks, by atom.
    pub(crate) sought: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Holds,
    Fails,
}

/// What is known of looks and atoms. Only what was touched is put back, so an event that touches
/// little costs little, whatever the number of rules.
#[derive(Debug, Default)]
pub(crate) struct Known {
    hits: Vec<bool>,
    hit: Vec<u32>,
    states: Vec<State>,
    touched: Vec<u32>,
}

impl Known {
    pub(crate) fn reset(&mut self, looks: usize, atoms: usize) {
        for look in self.hit.drain(..) {
            if let Some(hit) = self.hits.get_mut(index(look)) {
                *hit = false;
            }
        }
        for atom in self.touched.drain(..) {
            if let Some(state) = self.states.get_mut(index(atom)) {
                *state = State::Unknown;
            }
        }
        if self.hits.len() < looks {
            self.hits.resize(looks, false);
        }
        if self.states.len() < atoms {
            self.states.resize(atoms, State::Unknown);
        }
    }

    /// A lane hit the look; whether that is new.
    pub(crate) fn hit(&mut self, look: u32) -> bool {
        let Some(hit) = self.hits.get_mut(index(look)) else { return false };
        let is_new = !*hit;
        if is_new {
            *hit = true;
            self.hit.push(look);
        }
        is_new
    }

    fn one_of(&self, looks: &[u32]) -> bool {
        looks.iter().any(|look| self.hits.get(index(*look)).copied().unwrap_or(false))
    }

    fn learn(&mut self, atom: u32, holds: bool) {
        if let Some(state) = self.states.get_mut(index(atom)) {
            *state = if holds { State::Holds } else { State::Fails };
            self.touched.push(atom);
        }
    }
}

impl Program {
    /// Whether a node holds. Nesting is bounded when rules are read.
    pub(crate) fn holds(&self, node: NodeId, known: &mut Known, texts: &Texts) -> bool {
        match self.nodes.get(index(node)) {
            Some(Node::Atom(atom)) => self.atom(*atom, known, texts),
            Some(Node::All(from, to)) => {
                self.kids(*from, *to).iter().all(|kid| self.holds(*kid, known, texts))
            }
            Some(Node::Any(from, to)) => {
                self.kids(*from, *to).iter().any(|kid| self.holds(*kid, known, texts))
            }
            Some(Node::Not(kid)) => !self.holds(*kid, known, texts),
            Some(Node::AtLeast(least, from, to)) => {
                let mut left = *least;
                left == 0
                    || self.kids(*from, *to).iter().any(|kid| {
                        left -= u32::from(self.holds(*kid, known, texts));
                        left == 0
                    })
            }
            None => false,
        }
    }

    pub(crate) fn kids(&self, from: u32, to: u32) -> &[NodeId] {
        self.kids.get(index(from)..index(to)).unwrap_or_default()
    }

    fn looks(&self, from: u32, to: u32) -> &[u32] {
        self.sought.get(index(from)..index(to)).unwrap_or_default()
    }

    /// Looks that an atom seeks.
    pub(crate) fn looks_of(&self, atom: &Atom) -> &[u32] {
        match atom {
            Atom::Sought(from, to) | Atom::Gated(_, _, (from, to)) => self.looks(*from, *to),
            Atom::Asked(..) | Atom::Lazy(..) => &[],
        }
    }

    fn atom(&self, atom: u32, known: &mut Known, texts: &Texts) -> bool {
        match known.states.get(index(atom)) {
            Some(State::Unknown) => {}
            state => return state == Some(&State::Holds),
        }
        let holds = match self.atoms.get(index(atom)) {
            Some(Atom::Sought(from, to)) => known.one_of(self.looks(*from, *to)),
            Some(Atom::Asked(field, looks)) => {
                texts.values(*field).any(|text| looks.iter().any(|look| look.fits(text)))
            }
            Some(Atom::Gated(field, test, (from, to))) => {
                known.one_of(self.looks(*from, *to)) && ask(test, *field, texts)
            }
            Some(Atom::Lazy(field, test)) => ask(test, *field, texts),
            None => false,
        };
        known.learn(atom, holds);
        holds
    }
}

/// Holds a test against a field, as [`Test::held`] does.
fn ask(test: &Test<u32>, field: u32, texts: &Texts) -> bool {
    match test {
        Test::Null => texts.is_null(field),
        Test::Exists(wanted) => texts.is_present(field) == *wanted,
        Test::Differs(pattern) => {
            let mut values = texts.values(field).peekable();
            values.peek().is_some() && !values.any(|text| pattern.fits(text))
        }
        Test::Field(other, place) => texts.values(field).any(|text| {
            !text.null && texts.values(*other).any(|want| !want.null && place.holds(text.folded, want.folded))
        }),
        _ => texts.values(field).any(|text| test.fits(text)),
    }
}
