//! The Sigma language and its engine.
//!
//! Rules are read ([`pack`]), parsed and compiled ([`RuleSet::load`]), and held against events
//! ([`Detector::observe`]): events of ours through the model's field table, foreign JSON events
//! on the names they bear. [`explain`](mod@explain) says why a rule fires or does not, [`cases`] runs the
//! examples that stand beside a rule. No sockets, no clock; files are read by [`pack`] alone.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod ast;
pub mod cases;
mod compile;
pub mod correlate;
pub mod coverage;
mod engine;
pub mod explain;
pub mod lint;
pub mod matcher;
pub mod pack;
pub mod parse;
pub mod shipped;
pub mod taxonomy;

pub use compile::{Rule, RuleSet};
pub use correlate::{Changes, FindingId, Restored, Settling, Standing, Unreadable};
pub use engine::{Alone, Counters, Detector, Finding, Sieve, Sifted};
pub use pack::{Blind, Rejected, Source};
pub use taxonomy::{OwnedLogsource, Subject};
