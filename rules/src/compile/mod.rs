//! From documents to a set that can be matched: names become numbers, filters join their rules,
//! correlations find their base rules, rules are sorted into buckets by logsource.
//!
//! Loading never fails: what can not be used is listed with its reason, the rest works.

mod core;
mod names;
mod rule;
mod set;

pub(crate) use core::{Body, Core, Joined};
pub(crate) use names::{NameId, Names};
pub use rule::Rule;
pub use set::RuleSet;
pub(crate) use set::Twin;
