//! How findings of correlations are told: their ids, what later versions are to earlier ones, and
//! how a reader who wants only the last version gets it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use watchpost_model::Timestamp;
use watchpost_model::alert::MatchedField;
use watchpost_model::id::EventRef;

use super::entry::{Arrival, Entry};
use super::group::{Said, Told, What};
use super::{arrive, digest};
use crate::compile::{Core, Joined, Names};
use crate::engine::Finding;

/// Identity of a correlation's finding over all its versions: a digest of the rule, the group, and
/// the time and event at which it was first said. The same events in the same order have the same
/// ids; events in another order have the same findings under other ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId([u8; 16]);

impl FindingId {
    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From the 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a finding is to those said before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Said for the first time.
    #[default]
    New,
    /// A later event changed it: this version stands in the place of the last one.
    Amended {
        /// What the last version counted.
        was: u64,
    },
    /// A later event showed it to be part of another finding; it no longer counts by itself.
    Absorbed {
        /// The other finding.
        into: FindingId,
    },
    /// A later event showed that its condition did not hold.
    Withdrawn,
}

impl Standing {
    /// Whether it is not the first word on this finding.
    #[must_use]
    pub const fn amends(self) -> bool {
        !matches!(self, Self::New)
    }

    /// The word used in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Amended { .. } => "amended",
            Self::Absorbed { .. } => "absorbed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// For readers who want each finding once, in its last version: findings of correlations wait until
/// nothing will change them or the input ends.
#[derive(Debug, Default)]
pub struct Settling {
    waiting: BTreeMap<FindingId, Finding>,
}

impl Settling {
    /// Takes findings as they are said and gives those that need not wait: findings of plain rules.
    pub fn take(&mut self, findings: Vec<Finding>) -> Vec<Finding> {
        let mut out = Vec::new();
        for finding in findings {
            match (finding.id, finding.standing) {
                (None, _) => out.push(finding),
                (Some(id), Standing::Absorbed { .. } | Standing::Withdrawn) => {
                    self.waiting.remove(&id);
                }
                (Some(id), _) => {
                    self.waiting.insert(id, finding);
                }
            }
        }
        out
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Gives up waiting for those that happened before `time`, in order of time. One of them that is
    /// changed after all is given again.
    pub fn before(&mut self, time: Timestamp) -> Vec<Finding> {
        let ready: Vec<FindingId> =
            self.waiting.iter().filter(|(_, finding)| finding.time < time).map(|(id, _)| *id).collect();
        let mut out: Vec<Finding> = ready.iter().filter_map(|id| self.waiting.remove(id)).collect();
        out.sort_by(|a, b| (a.time, &a.rule.meta.id, a.id).cmp(&(b.time, &b.rule.meta.id, b.id)));
        out
    }

    /// The input ended: gives all that wait, in order of time.
    pub fn finish(&mut self) -> Vec<Finding> {
        let mut out: Vec<Finding> = std::mem::take(&mut self.waiting).into_values().collect();
        out.sort_by(|a, b| (a.time, &a.rule.meta.id, a.id).cmp(&(b.time, &b.rule.meta.id, b.id)));
        out
    }
}

/// Leaves of every finding that several steps of one event spoke of only the last version.
pub(crate) fn coalesce(findings: &mut Vec<Finding>) {
    let mut at = 0;
    while let Some(finding) = findings.get(at) {
        let id = finding.id;
        let later = findings.iter().skip(at + 1).position(|other| id.is_some() && other.id == id);
        let Some(later) = later.map(|later| at + 1 + later) else {
            at += 1;
            continue;
        };
        let earlier = findings.remove(at);
        let later = later - 1;
        let Some(last) = findings.get_mut(later) else { continue };
        let gone = matches!(last.standing, Standing::Absorbed { .. } | Standing::Withdrawn);
        match earlier.standing {
            // Nobody heard of it yet.
            Standing::New if gone => drop(findings.remove(later)),
            Standing::New => last.standing = Standing::New,
            _ if gone => {}
            Standing::Amended { was } => last.standing = Standing::Amended { was },
            // It went and came back.
            Standing::Absorbed { .. } | Standing::Withdrawn => {
                last.standing = Standing::Amended { was: earlier.count.unwrap_or(0) };
            }
        }
    }
}

/// The id of a finding that an event made due.
pub(super) fn name(core: &Core, way: &Arrival, time: Timestamp, event: EventRef) -> FindingId {
    let rule = core.rules.get(way.correlation).map_or("", |rule| rule.meta.id.as_str());
    FindingId(digest(&[
        rule.as_bytes(),
        &way.key,
        &time.as_nanos().to_le_bytes(),
        &event.frame.to_le_bytes(),
        &event.index.to_le_bytes(),
        &way.member.to_le_bytes(),
    ]))
}

/// The id of a finding that the end of another one made due.
pub(super) fn name_after(core: &Core, way: &Arrival, time: Timestamp, source: FindingId) -> FindingId {
    let rule = core.rules.get(way.correlation).map_or("", |rule| rule.meta.id.as_str());
    FindingId(digest(&[rule.as_bytes(), &way.key, &time.as_nanos().to_le_bytes(), &source.0]))
}

/// What there is to say of a group that fell silent after `last`.
pub(super) fn silence(core: &Core, joined: &Joined, way: &Arrival, last: Entry) -> Said {
    let time = last.time.plus(joined.timespan);
    let event = last.event();
    let told = Told {
        id: name(core, &Arrival { member: 0, ..way.clone() }, time, event),
        time,
        count: 0,
        print: 0,
        event,
        extra: last.extra,
    };
    Said { what: What::New, told, events: vec![event], class: last.class, member: last.member }
}

/// The finding as everyone outside sees it; nothing where the rule is silent.
pub(super) fn finding(core: &Core, joined: &Joined, way: &Arrival, said: Said) -> Option<Finding> {
    let rule = core.rules.get(way.correlation).filter(|rule| !rule.is_silent)?;
    let names = joined.group.iter().map(|(name, fields)| {
        match (fields.get(usize::from(said.member)), Names::class_at(said.class)) {
            (Some(field), Some(class)) => {
                core.names.field(class, *field).map_or_else(|| core.names.text(*field), |field| field.name())
            }
            (Some(field), None) => core.names.text(*field),
            (None, _) => name,
        }
        .to_owned()
    });
    let group: Vec<(String, String)> = names.zip(arrive::values(&way.key)).collect();
    let plain =
        |field: &str, value: String| MatchedField { field: field.into(), value, pattern: String::new() };
    let mut matched: Vec<MatchedField> =
        group.iter().map(|(name, value)| plain(name, value.clone())).collect();
    matched.push(plain("count", said.told.count.to_string()));
    let standing = match said.what {
        What::New => Standing::New,
        What::Amended(before) => Standing::Amended { was: before.count },
        What::Absorbed(into) => Standing::Absorbed { into },
        What::Withdrawn => Standing::Withdrawn,
    };
    Some(Finding {
        rule: Arc::clone(rule),
        time: said.told.time,
        matched,
        group,
        events: said.events,
        count: Some(said.told.count),
        id: Some(said.told.id),
        standing,
    })
}
