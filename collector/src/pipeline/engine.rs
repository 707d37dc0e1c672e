//! What detection needs of a rules engine: a seam, so that tests can put a rule of three lines
//! or an engine that panics in its place.

use std::time::Duration;

use watchpost_model::alert::{MatchedField, Outcome, RuleRef, Severity};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, FieldId, Timestamp};
use watchpost_rules::Sifted;

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
