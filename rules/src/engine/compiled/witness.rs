//! The witness of a rule: atoms of which at least one is hit by every event that the rule fires
//! on. A rule is looked at only when one of its witnesses is hit.
//!
//! Of several witnesses the one is taken that will be hit least, by guess: long texts are rare,
//! short ones and small numbers are everywhere.

use super::lane::Look;
use super::program::{Atom, Node, NodeId, Program};
use super::texts::index;

/// `None` where nothing is known; a rule without a witness is always looked at.
pub(crate) type Witness = Option<(u64, Vec<u32>)>;

/// Atoms in one witness; with more, always looking is as cheap.
const MOST_ATOMS: usize = 4_096;

/// How often one look will be hit, roughly, in events per million.
pub(crate) fn cost(look: &Look) -> u64 {
    let part = |text: &str| {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX).max(1);
        20 + 60_000 / length.saturating_pow(3) + if length < 3 { 50_000 } else { 0 }
    };
    match look {
        Look::Exact(_) => 20,
        Look::Number(_) => 4_000,
        Look::Begin(text) | Look::Inside(text) => part(text),
        Look::End(text) => 10 + part(text) / 2,
    }
}

/// Finds witnesses in one program.
pub(crate) struct Finder<'p> {
    pub(crate) program: &'p Program,
    /// By atom.
    pub(crate) costs: &'p [u64],
    /// By node, filled on the way: a selection that a condition names often is judged once.
    pub(crate) seen: std::collections::HashMap<NodeId, Witness>,
}

impl Finder<'_> {
    /// The witness of a node.
    pub(crate) fn of(&mut self, node: NodeId) -> Witness {
        if let Some(known) = self.seen.get(&node) {
            return known.clone();
        }
        let program = self.program;
        let found = match program.nodes.get(index(node)) {
            Some(Node::Atom(atom)) => match program.atoms.get(index(*atom)) {
                Some(Atom::Looks(..) | Atom::Gated(..)) => {
                    Some((self.costs.get(index(*atom)).copied().unwrap_or(0), vec![*atom]))
                }
                _ => None,
            },
            Some(Node::All(from, to)) => {
                let parts = program.kids(*from, *to).iter().map(|kid| self.of(*kid));
                parts.flatten().min_by_key(|found| found.0)
            }
            Some(Node::Any(from, to)) => {
                let parts: Vec<Witness> = program.kids(*from, *to).iter().map(|kid| self.of(*kid)).collect();
                union(parts.into_iter())
            }
            Some(Node::AtLeast(least, from, to)) => self.at_least(index(*least), *from, *to),
            Some(Node::Not(_)) | None => None,
        };
        self.seen.insert(node, found.clone());
        found
    }

    /// If so many of n hold, one of any n - least + 1 of them does.
    fn at_least(&mut self, least: usize, from: u32, to: u32) -> Witness {
        if least == 0 {
            return None;
        }
        let mut parts: Vec<Witness> = self.program.kids(from, to).iter().map(|kid| self.of(*kid)).collect();
        parts.sort_by_key(|part| part.as_ref().map_or(u64::MAX, |part| part.0));
        parts.truncate((parts.len() + 1).saturating_sub(least).max(1));
        union(parts.into_iter())
    }
}

/// All of them together; nothing where one is unknown. Of no parts nothing holds, so nothing is
/// a witness that never wakes.
fn union(parts: impl Iterator<Item = Witness>) -> Witness {
    let (mut sum, mut atoms) = (0_u64, Vec::new());
    for part in parts {
        let (cost, more) = part?;
        sum = sum.saturating_add(cost);
        atoms.extend(more);
    }
    (atoms.len() <= MOST_ATOMS).then_some((sum, atoms))
}
