//! What detection needs of a rules engine: a seam, so that tests can put a rule of three lines
//! or an engine that panics in its place.

use std::time::Duration;

use watchpost_model::alert::{MatchedField, Outcome, RuleRef, Severity};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, FieldId, Timestamp};
use watchpost_rules::{Changes, FindingId, Restored, Sifted, Standing, Unreadable};

/// A rule fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The rule.
    pub rule: RuleRef,
    /// How bad the rule calls it.
    pub severity: Severity,
    /// What the rule says came of it.
    pub outcome: Outcome,
    /// What the rule wants repeats grouped by; empty for the default.
    pub group_by: Vec<FieldId>,
    /// Group values of a correlation.
    pub group: Vec<(String, String)>,
    /// Whether several events made it.
    pub correlated: bool,
    /// What a correlation counted; absent for a plain rule.
    pub count: Option<u64>,
    /// Why it fired.
    pub matched: Vec<MatchedField>,
    /// The events that made it fire.
    pub events: Vec<EventRef>,
    /// When it happened, by the host's clock.
    pub time: Timestamp,
    /// Identity of a correlation's finding over its versions; absent for a plain rule.
    pub id: Option<FindingId>,
    /// What it is to versions told before.
    pub standing: Standing,
}

/// What an engine lost, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strain {
    /// Groups of correlations that are live.
    pub groups: u64,
    /// Groups given up because there were too many.
    pub evicted: u64,
    /// Events given up inside groups because there were too many.
    pub forgotten: u64,
    /// Events that came too late for their correlation.
    pub late: u64,
}

/// Looks at one event after the other; keeps the windows of correlations.
pub trait Engine: Send {
    /// What fires on this event.
    fn observe(&mut self, event: &Event, at: EventRef) -> Vec<Hit>;

    /// A sieve for this engine's events, one for each thread that looks ahead. `None` where the
    /// engine must see every event itself.
    fn sieve(&self) -> Option<Box<dyn Sieve>> {
        None
    }

    /// What fires on this event, of which a sieve of this engine said what it wakes.
    fn conclude(&mut self, event: &Event, at: EventRef, _sifted: &Sifted) -> Vec<Hit> {
        self.observe(event, at)
    }

    /// The longest window of any correlation: how far to read back after a start.
    fn longest_window(&self) -> Duration;

    /// It is `now`, by the collector's clock: which groups have been silent for too long.
    fn tick(&mut self, _now: Timestamp) -> Vec<Hit> {
        Vec::new()
    }

    /// It is `now` and nobody listened since the last tick: that time is no silence of anyone.
    fn resume(&mut self, _now: Timestamp) {}

    /// It is `now` and not later: ticks from a future that did not come are taken back.
    fn correct(&mut self, _now: Timestamp) {}

    /// Whether its windows can be saved and restored.
    fn is_durable(&self) -> bool {
        false
    }

    /// How many rows changed since they were last asked for.
    fn changed(&self) -> usize {
        0
    }

    /// What changed in the windows since the last call; everything the first time.
    fn changes(&mut self) -> Changes {
        Changes::default()
    }

    /// Puts back what [`Engine::changes`] gave.
    ///
    /// # Errors
    /// The rows can not be read; the engine is then of no use.
    fn restore(
        &mut self,
        _head: &[u8],
        _rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<Restored, Unreadable> {
        Err(Unreadable)
    }

    /// What it lost, and what it holds.
    fn strain(&self) -> Strain {
        Strain::default()
    }
}

/// Looks at one event alone, on any thread, and remembers none.
pub trait Sieve: Send {
    /// What the event wakes.
    fn sift(&mut self, event: &Event) -> Sifted;
}

/// What screens say about the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rules loaded.
    pub loaded: u64,
    /// Rules that nothing feeds.
    pub blind: u64,
    /// Files or documents refused.
    pub rejected: u64,
    /// Files or documents for which the last reload was refused; 0 where it was not.
    pub refused: u64,
    /// SHA-256 of the set in force, hex.
    pub hash: String,
    /// When it was put in force.
    pub since: Timestamp,
}

/// The rules in force. They may be exchanged at any time.
pub trait Rules: Send + Sync {
    /// Rises with every exchange.
    fn generation(&self) -> u64;

    /// A fresh engine for the rules in force, with empty windows.
    fn engine(&self) -> Box<dyn Engine>;

    /// Numbers about the rules in force.
    fn counts(&self) -> Counts;
}
