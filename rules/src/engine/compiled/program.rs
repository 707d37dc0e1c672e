//! Conditions as a flat tree over atoms, and what is known of each atom for the event at hand.

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
    /// A lane tells whether it holds.
    Eager,
    /// A lane tells whether it may hold; then the test is asked.
    Gated(u32, Test<u32>),
    /// The test is asked when a rule asks for it.
    Lazy(u32, Test<u32>),
}

/// Every node of a plan.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) nodes: Vec<Node>,
    pub(crate) kids: Vec<NodeId>,
    pub(crate) atoms: Vec<Atom>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    MayHold,
    Holds,
    Fails,
}

/// What is known of the atoms. Only what was touched is put back, so an event that touches
/// little costs little, whatever the number of rules.
#[derive(Debug, Default)]
pub(crate) struct Known {
    states: Vec<State>,
    touched: Vec<u32>,
}

impl Known {
    pub(crate) fn reset(&mut self, atoms: usize) {
        for atom in self.touched.drain(..) {
            if let Some(state) = self.states.get_mut(index(atom)) {
                *state = State::Unknown;
            }
        }
        if self.states.len() < atoms {
            self.states.resize(atoms, State::Unknown);
        }
    }

    /// A lane hit the atom; whether that is new.
    pub(crate) fn hit(&mut self, atom: u32, program: &Program) -> bool {
        let Some(state) = self.states.get_mut(index(atom)) else { return false };
        if *state != State::Unknown {
            return false;
        }
        *state = match program.atoms.get(index(atom)) {
            Some(Atom::Eager) => State::Holds,
            _ => State::MayHold,
        };
        self.touched.push(atom);
        true
    }

    fn learn(&mut self, atom: u32, holds: bool) {
        if let Some(state) = self.states.get_mut(index(atom)) {
            if *state == State::Unknown {
                self.touched.push(atom);
            }
            *state = if holds { State::Holds } else { State::Fails };
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

    fn atom(&self, atom: u32, known: &mut Known, texts: &Texts) -> bool {
        let state = known.states.get(index(atom)).copied().unwrap_or(State::Fails);
        let (field, test) = match (state, self.atoms.get(index(atom))) {
            (State::Holds, _) => return true,
            (State::MayHold, Some(Atom::Gated(field, test)))
            | (State::Unknown, Some(Atom::Lazy(field, test))) => (*field, test),
            _ => return false,
        };
        let holds = ask(test, field, texts);
        known.learn(atom, holds);
        holds
    }
}

/// Holds a test against a field, as [`Test::held`] does.
fn ask(test: &Test<u32>, field: u32, texts: &Texts) -> bool {
    match test {
        Test::Null => texts.is_null(field),
        Test::Exists(wanted) => texts.is_present(field) == *wanted,
        Test::Not(test) => texts.values(field).next().is_some() && !ask(test, field, texts),
        Test::Field(other, place, cased) => {
            texts.values(field).any(|text| texts.values(*other).any(|want| place.meets(text, want, *cased)))
        }
        _ => texts.values(field).any(|text| test.fits(text)),
    }
}
