//! The rules in force: those shipped with the program and those in the configured places.
//!
//! Loaded once at start and again on request. A reload that rejects what was not rejected before,
//! or that leaves nothing, is refused and the last good set stays in force: a typing error must not
//! switch detection off. At the first load there is no last good set, so what can be used is used
//! and the rest reported; what was rejected then does not stop later reloads.

mod adapter;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use watchpost_model::Timestamp;
use watchpost_rules::pack::{self, PublicKey};
use watchpost_rules::parse::Placeholders;
use watchpost_rules::{Rejected, RuleSet, Source};

use crate::pipeline::{Counts, Engine, Rules};

/// Rejections told in one answer; the rest is counted.
const MOST_TOLD: usize = 20;

/// Groups of correlations kept unless the configuration says otherwise: half a gigabyte at most.
pub const GROUPS: usize = 1_000_000;

/// Why a reload was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Files or documents that can not be used and were not rejected before.
    #[error("reload refused, the old rules stay: {} newly rejected; correct them and reload:\n{}", rejected.len(), told(rejected))]
    Rejected {
        /// Each with file, line and reason.
        rejected: Vec<Rejected>,
    },
    /// Nothing was left.
    #[error("no rule could be loaded; check the configured rule paths, the old rules stay")]
    Empty,
}

/// Where rules come from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Those that come with the program.
    pub shipped: Vec<Source>,
    /// Files, folders and packs.
    pub paths: Vec<PathBuf>,
    /// Whose packs are used.
    pub trusted: Vec<PublicKey>,
    /// What stands for placeholders.
    pub placeholders: Placeholders,
}

/// One set in force.
#[derive(Debug)]
struct Loaded {
    set: RuleSet,
    rejected: Vec<Rejected>,
    counts: Counts,
}

impl Loaded {
    fn load(origin: &Origin, now: Timestamp) -> Self {
        let (found, unread) = pack::read_trusted(&origin.paths, &origin.trusted);
        let sources: Vec<Source> = origin.shipped.iter().cloned().chain(found).collect();
        let set = RuleSet::load_with(&sources, &origin.placeholders);
        // Now, not when the first event of a class waits for it.
        set.prepare();
        let rejected: Vec<Rejected> = unread.into_iter().chain(set.rejected().iter().cloned()).collect();
        let counts = Counts {
            loaded: count(set.rules().len()),
            blind: count(set.blind().len()),
            rejected: count(rejected.len()),
            refused: 0,
            hash: set.hash().to_owned(),
            since: now,
        };
        Self { set, rejected, counts }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// See the module.
#[derive(Debug)]
pub struct Ruleset {
    origin: Origin,
    groups: usize,
    current: ArcSwap<Loaded>,
    /// What stopped the last reload.
    refused: ArcSwap<Vec<Rejected>>,
    generation: AtomicU64,
}

impl Ruleset {
    /// Loads what can be loaded.
    #[must_use]
    pub fn open(origin: Origin, now: Timestamp) -> Self {
        let loaded = Loaded::load(&origin, now);
        for rejected in &loaded.rejected {
            tracing::warn!(rule = %named(rejected), "a rule was rejected");
        }
        let (current, refused) = (ArcSwap::from_pointee(loaded), ArcSwap::default());
        Self { origin, groups: GROUPS, current, refused, generation: AtomicU64::new(1) }
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
    /// Something was newly rejected or nothing is left; the old rules stay in force.
    pub fn reload(&self, now: Timestamp) -> Result<bool, Error> {
        let loaded = Loaded::load(&self.origin, now);
        let current = self.current.load();
        let is_known = |rejected: &Rejected| current.rejected.iter().any(|known| known == rejected);
        let new: Vec<Rejected> = loaded.rejected.iter().filter(|one| !is_known(one)).cloned().collect();
        self.refused.store(Arc::new(new.clone()));
        if !new.is_empty() {
            return Err(Error::Rejected { rejected: new });
        }
        if loaded.set.rules().is_empty() {
            return Err(Error::Empty);
        }
        if loaded.set.hash() == current.set.hash() && loaded.rejected == current.rejected {
            return Ok(false);
        }
        self.current.store(Arc::new(loaded));
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

    /// What is in force, since when, and what is not, in lines.
    #[must_use]
    pub fn standing(&self) -> String {
        let (current, refused) = (self.current.load(), self.refused.load());
        let Counts { loaded, blind, rejected, hash, since, .. } = &current.counts;
        let mut out = format!(
            "rule set {hash}\nin force since {since}\n{loaded} rules loaded, {blind} blind, {rejected} rejected"
        );
        for (head, list) in
            [("rejected", &current.rejected), ("the last reload was refused because of", &**refused)]
        {
            if !list.is_empty() {
                out.push_str(&format!("\n{head}:\n{}", told(list)));
            }
        }
        out
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
        Counts { refused: count(self.refused.load().len()), ..self.current.load().counts.clone() }
    }
}

/// Rejections, one a line; more than a few are counted.
fn told(list: &[Rejected]) -> String {
    let mut lines: Vec<String> = list.iter().take(MOST_TOLD).map(|one| format!("  {}", named(one))).collect();
    if list.len() > MOST_TOLD {
        lines.push(format!("  and {} more", list.len() - MOST_TOLD));
    }
    lines.join("\n")
}

fn named(rejected: &Rejected) -> String {
    match rejected.line {
        Some(line) => format!("{}:{line}: {}", rejected.file, rejected.reason),
        None => format!("{}: {}", rejected.file, rejected.reason),
    }
}

#[cfg(test)]
mod tests;
