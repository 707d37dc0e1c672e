//! The rules in force: those shipped with the program and those in the configured places.
//!
//! Loaded once at start and again on request. A reload that loses or rejects rules is refused
//! and the last good set stays in force: a typing error must not switch detection off. At the
//! first load there is no last good set, so what can be used is used and the rest reported.

mod adapter;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use watchpost_rules::{Rejected, RuleSet, Source, pack};

use crate::pipeline::{Counts, Engine, Rules};

/// Groups of correlations kept unless the configuration says otherwise: half a gigabyte at most.
pub const GROUPS: usize = 1_000_000;

/// Why a reload was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Files or documents that can not be used.
    #[error(
        "{count} rules or files were rejected, first {first}; correct them and reload, the old rules stay"
    )]
    Rejected {
        /// How many.
        count: usize,
        /// The first, with file, line and reason.
        first: String,
    },
    /// Nothing was left.
    #[error("no rule could be loaded; check the configured rule paths, the old rules stay")]
    Empty,
}

/// One set in force.
#[derive(Debug)]
struct Loaded {
    set: RuleSet,
    rejected: Vec<Rejected>,
    counts: Counts,
}

impl Loaded {
    fn load(shipped: &[Source], paths: &[PathBuf]) -> Self {
        let (found, unread) = pack::read_paths(paths);
        let sources: Vec<Source> = shipped.iter().cloned().chain(found).collect();
        let set = RuleSet::load(&sources);
        // Now, not when the first event of a class waits for it.
        set.prepare();
        let rejected: Vec<Rejected> = unread.into_iter().chain(set.rejected().iter().cloned()).collect();
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let counts = Counts {
            loaded: count(set.rules().len()),
            blind: count(set.blind().len()),
            rejected: count(rejected.len()),
        };
        Self { set, rejected, counts }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Ruleset {
    shipped: Vec<Source>,
    paths: Vec<PathBuf>,
    groups: usize,
    current: ArcSwap<Loaded>,
    generation: AtomicU64,
}

impl Ruleset {
    /// Loads what can be loaded.
    #[must_use]
    pub fn open(shipped: Vec<Source>, paths: Vec<PathBuf>) -> Self {
        let loaded = Loaded::load(&shipped, &paths);
        for rejected in &loaded.rejected {
            tracing::warn!(rule = %named(rejected), "a rule was rejected");
        }
        Self {
            shipped,
            paths,
            groups: GROUPS,
            current: ArcSwap::from_pointee(loaded),
            generation: AtomicU64::new(1),
        }
    }

    /// Keeps at most so many groups of correlations; those heard of longest ago are given up first.
    #[must_use]
    pub const fn with_groups(mut self, most: usize) -> Self {
        self.groups = most;
        self
    }

    /// Reads the files again and puts the new rules in force. True if they differ from the old.
    ///
    /// # Errors
    /// Something was rejected or nothing is left; the old rules stay in force.
    pub fn reload(&self) -> Result<bool, Error> {
        let loaded = Loaded::load(&self.shipped, &self.paths);
        if let Some(first) = loaded.rejected.first() {
            return Err(Error::Rejected { count: loaded.rejected.len(), first: named(first) });
        }
        if loaded.set.rules().is_empty() {
            return Err(Error::Empty);
        }
        if loaded.set.hash() == self.hash() {
            return Ok(false);
        }
        self.current.store(std::sync::Arc::new(loaded));
        self.generation.fetch_add(1, Ordering::Release);
        Ok(true)
    }

    /// SHA-256 of the rules in force, hex.
    #[must_use]
    pub fn hash(&self) -> String {
        self.current.load().set.hash().to_owned()
    }

    /// What the set in force could not use, with file, line and reason.
    #[must_use]
    pub fn rejected(&self) -> Vec<Rejected> {
        self.current.load().rejected.clone()
    }
}

impl Rules for Ruleset {
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn engine(&self) -> Box<dyn Engine> {
        Box::new(adapter::Adapter::new(&self.current.load().set, self.groups))
    }

    fn counts(&self) -> Counts {
        self.current.load().counts.clone()
    }
}

fn named(rejected: &Rejected) -> String {
    match rejected.line {
        Some(line) => format!("{}:{line}: {}", rejected.file, rejected.reason),
        None => format!("{}: {}", rejected.file, rejected.reason),
    }
}

#[cfg(test)]
mod tests;
