//! Alerts: what a rule found, told as who, whom, how and with what result, with repeats grouped.
//!
//! `party` reads the story out of one event, `draft` makes the alert that a finding would raise,
//! `group` decides whether it is a repeat, and `board` keeps the numbers that screens ask for
//! every second; `drills` knows which marks of drills may be believed. All of it is pure: time arrives as an argument, storage is someone else's.
//!
//! Promise: the same events in the same order give the same alerts with the same ids, so a
//! detection that is repeated after a crash counts nothing twice.

mod amend;
mod board;
mod draft;
mod drills;
mod group;
mod party;
mod triage;

pub use amend::amend;
pub use board::{Board, Tops};
pub(crate) use draft::id;
pub use draft::{Draft, Key, Sighting};
pub use drills::{DRILL_SPAN, Drills, RefusedDrill};
pub use group::{MOST_GAP, absorb, takes};
pub use party::{Story, story};
pub use triage::{RefusedTriage, change};

#[cfg(test)]
mod tests;
