//! The compiled set, shared by the rule list, detectors, explain and lint.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use watchpost_model::field::sigma::Logsource;

use super::names::{NameId, Names};
use super::rule::Rule;
use crate::ast::{Compare, Counting, Detection};
use crate::engine::Plans;
use crate::taxonomy::OwnedLogsource;

/// Everything that matching needs, unchanging once built.
#[derive(Debug, Default)]
pub(crate) struct Core {
    pub(crate) names: Names,
    pub(crate) rules: Vec<Arc<Rule>>,
    /// By rule; same positions as `rules`.
    pub(crate) bodies: Vec<Body>,
    pub(crate) buckets: Vec<Bucket>,
    /// By rule: the correlations that count it, as positions in `rules`.
    pub(crate) feeds: Vec<Vec<usize>>,
    pub(crate) by_id: HashMap<String, usize>,
    pub(crate) plans: Plans,
}

/// What a rule does.
#[derive(Debug)]
pub(crate) enum Body {
    /// Looks at events.
    Detection(Detection<NameId>),
    /// Counts findings.
    Correlation(Joined),
}

/// A correlation whose base rules are known.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) kind: Counting,
    /// Base rules, as positions in `Core::rules`, in the order listed.
    pub(crate) members: Vec<usize>,
    /// What separates windows: name shown, and the field by member.
    pub(crate) group: Vec<(String, Vec<NameId>)>,
    /// Fields whose values are counted, by member.
    pub(crate) counted: Vec<Vec<NameId>>,
    pub(crate) timespan: Duration,
    /// How late an event may come.
    pub(crate) allowance: Duration,
    pub(crate) bounds: Vec<(Compare, u64)>,
    /// Entries without which the condition can not hold.
    pub(crate) least: u64,
    /// Equal as long as the correlation and all that it counts mean the same.
    pub(crate) digest: [u8; 16],
}

/// Rules of one logsource.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) logsource: OwnedLogsource,
    pub(crate) rules: Vec<usize>,
}

impl Core {
    /// Buckets whose rules want an event of any of these logsources, each once, by position.
    pub(crate) fn wanting(&self, event: &[Logsource<'_>]) -> Vec<usize> {
        let wants = |bucket: &Bucket| event.iter().any(|one| bucket.logsource.view().wants(one));
        self.buckets.iter().enumerate().filter(|(_, bucket)| wants(bucket)).map(|(at, _)| at).collect()
    }

    /// The rule with this id.
    pub(crate) fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }
}
