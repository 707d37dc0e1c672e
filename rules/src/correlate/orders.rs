//! Which rules fired one after the other: told for many windows in one pass over their entries.
//!
//! For every way to begin an order the latest entry is kept at which it could have begun. An order
//! lies in a window if it ends there and began no earlier than the window does.

use super::entry::Entry;
use super::tally::number;
use crate::ast::Turn;

/// One past the place at which an order began; 0 where there is none.
type Begun = usize;

/// A pass over entries.
#[derive(Debug)]
pub(super) struct Orders {
    /// The next entry to look at.
    next: usize,
    paths: Paths,
}

#[derive(Debug)]
enum Paths {
    /// By length less one, then by rule that came last.
    Chain(Vec<Vec<Begun>>),
    /// By turn: the rules needed, and by how many of them fired.
    Turns(Vec<(Vec<usize>, Vec<Begun>)>),
}

impl Orders {
    /// For the most rules that fired in the order listed, in windows that begin at `left` or later.
    pub(super) fn chain(members: usize, left: usize) -> Self {
        Self { next: left, paths: Paths::Chain((0..members).map(|_| vec![0; members]).collect()) }
    }

    /// For turns, in windows that begin at `left` or later.
    pub(super) fn turns(turns: &[Turn], left: usize) -> Self {
        let path = |turn: &Turn| (turn.needs.clone(), vec![0; turn.needs.len()]);
        Self { next: left, paths: Paths::Turns(turns.iter().map(path).collect()) }
    }

    /// Goes on to entries before `right`.
    pub(super) fn advance(&mut self, entries: &[Entry], right: usize) {
        for (at, entry) in entries.iter().enumerate().take(right).skip(self.next) {
            let member = usize::from(entry.member);
            match &mut self.paths {
                Paths::Chain(by_length) => extend_chain(by_length, member, at + 1),
                Paths::Turns(turns) => {
                    turns.iter_mut().for_each(|(needs, begun)| extend_turn(needs, begun, member, at + 1));
                }
            }
        }
        self.next = self.next.max(right);
    }

    /// The most rules that fired in the order listed in the window from `left` on.
    pub(super) fn longest(&self, left: usize) -> u64 {
        let Paths::Chain(by_length) = &self.paths else { return 0 };
        let within = |begun: &Vec<Begun>| begun.iter().any(|begun| *begun > left);
        number(by_length.iter().rposition(within).map_or(0, |at| at + 1))
    }

    /// Whether the rules of a turn fired one after the other in the window from `left` on.
    pub(super) fn taken(&self, turn: usize, left: usize) -> bool {
        let Paths::Turns(turns) = &self.paths else { return false };
        turns.get(turn).is_some_and(|(_, begun)| begun.last().is_none_or(|begun| *begun > left))
    }
}

fn extend_chain(by_length: &mut [Vec<Begun>], member: usize, here: Begun) {
    let mut begun = here;
    for of_length in by_length.iter_mut().take(member + 1) {
        let shorter = of_length.iter().take(member).copied().max().unwrap_or(0);
        if let Some(last) = of_length.get_mut(member) {
            *last = (*last).max(begun);
        }
        if shorter == 0 {
            return;
        }
        begun = shorter;
    }
}

fn extend_turn(needs: &[usize], begun: &mut [Begun], member: usize, here: Begun) {
    // From the end, as one entry is only one of them.
    for at in (0..needs.len()).rev() {
        if needs.get(at) != Some(&member) {
            continue;
        }
        let before = if at == 0 { here } else { begun.get(at - 1).copied().unwrap_or(0) };
        if let Some(begun) = begun.get_mut(at) {
            *begun = (*begun).max(before);
        }
    }
}
