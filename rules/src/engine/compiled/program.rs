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

/// What one test of the rules is made of. Looks are places in [`Program::looks`].
#[derive(Debug)]
pub(crate) enum Atom {
    /// It holds if one of these looks does.
    Looks(u32, u32),
    /// It may hold if one of these looks does; then the test is asked.
    Gated(u32, Box<Test<u32>>, (u32, u32)),
    /// The test is asked when a rule asks for it.
    Lazy(u32, Box<Test<u32>>),
}

/// Every node of a plan.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) nodes: Vec<Node>,
    pub(crate) kids: Vec<NodeId>,
    pub(crate) atoms: Vec<Atom>,
    /// Numbers of looks, by atom.
    pub(crate) looks: Vec<u32>,
    /// Looks that lanes seek; those with higher numbers are asked.
    pub(crate) sought: u32,
    /// Looks that are asked, and of which field.
    pub(crate) asked: Vec<(u32, Look)>,
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
    pub(crate) fn reset(&mut self, program: &Program) {
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
        if self.hits.len() < index(program.sought) {
            self.hits.resize(index(program.sought), false);
        }
        if self.states.len() < program.atoms.len() {
            self.states.resize(program.atoms.len(), State::Unknown);
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

    fn is_hit(&self, look: u32) -> bool {
        self.hits.get(index(look)).copied().unwrap_or(false)
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

    /// Looks of an atom.
    pub(crate) fn looks_of(&self, atom: &Atom) -> &[u32] {
        match atom {
            Atom::Looks(from, to) | Atom::Gated(_, _, (from, to)) => {
                self.looks.get(index(*from)..index(*to)).unwrap_or_default()
            }
            Atom::Lazy(..) => &[],
        }
    }

    fn atom(&self, atom: u32, known: &mut Known, texts: &Texts) -> bool {
        match known.states.get(index(atom)) {
            Some(State::Unknown) => {}
            state => return state == Some(&State::Holds),
        }
        let Some(of) = self.atoms.get(index(atom)) else { return false };
        let looks = || self.looks_of(of).iter().any(|look| self.look(*look, known, texts));
        let holds = match of {
            Atom::Looks(..) => looks(),
            Atom::Gated(field, test, _) => looks() && ask(test, *field, texts),
            Atom::Lazy(field, test) => ask(test, *field, texts),
        };
        known.learn(atom, holds);
        holds
    }

    fn look(&self, look: u32, known: &Known, texts: &Texts) -> bool {
        let Some(asked) = look.checked_sub(self.sought) else { return known.is_hit(look) };
        let asked = self.asked.get(index(asked));
        asked.is_some_and(|(field, look)| texts.values(*field).any(|text| look.fits(text)))
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
