//! Whether a finding is a repeat of an alert, and what the alert becomes with it.
//!
//! A repeat within [`MOST_GAP`] of an alert's span joins it. An alert that was handled or closed
//! takes no repeats: if the attack goes on afterwards, someone must look again. One that was
//! judged a false positive or ignored goes on counting in silence.

use std::time::Duration;

use watchpost_model::alert::{Alert, MOST_EVIDENCE, Outcome, Party, Triage};
use watchpost_model::id::EventRef;

/// Longest quiet time between two repeats of one alert.
pub const MOST_GAP: Duration = Duration::from_secs(3_600);

/// Whether `alert` takes `repeat`, which is of the same group, as a repeat.
#[must_use]
pub fn takes(alert: &Alert, repeat: &Alert) -> bool {
    let near = repeat.first_seen <= alert.last_seen.plus(MOST_GAP)
        && repeat.last_seen >= alert.first_seen.minus(MOST_GAP);
    near && !matches!(alert.triage, Triage::Handled | Triage::Closed)
}

/// Adds a repeat to an alert. How many events it had that the alert did not know.
pub fn absorb(alert: &mut Alert, repeat: Alert) -> u64 {
    let new = new_events(alert, &repeat);
    super::amend::revive(alert);
    alert.count = alert.count.saturating_add(new);
    alert.first_seen = alert.first_seen.min(repeat.first_seen);
    alert.last_seen = alert.last_seen.max(repeat.last_seen);
    alert.severity = alert.severity.max(repeat.severity);
    if weight(repeat.outcome) > weight(alert.outcome) {
        alert.outcome = repeat.outcome;
    }
    for event in repeat.events {
        keep(&mut alert.events, event);
    }
    agree(&mut alert.attacker, &repeat.attacker);
    agree(&mut alert.target, &repeat.target);
    new
}

/// How many of a repeat's events the alert has not counted. References rise in the order in
/// which detection sees events, and an alert always keeps its last one.
fn new_events(alert: &Alert, repeat: &Alert) -> u64 {
    let last = alert.events.last();
    let new = repeat.events.iter().filter(|event| last.is_none_or(|last| *event > last)).count();
    if new == repeat.events.len() { repeat.count } else { u64::try_from(new).unwrap_or(u64::MAX) }
}

fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Unknown => 0,
        Outcome::Attempt => 1,
        Outcome::Success => 2,
        Outcome::Compromised => 3,
    }
}

/// Keeps the first half and the last half of the evidence, each event once.
pub(super) fn keep(events: &mut Vec<EventRef>, event: EventRef) {
    let Err(at) = events.binary_search(&event) else { return };
    events.insert(at, event);
    if events.len() > MOST_EVIDENCE {
        events.remove(MOST_EVIDENCE / 2);
    }
}

/// Keeps what both say. The first address stays: it is what incidents are found by.
fn agree(party: &mut Party, other: &Party) {
    fn same<T: PartialEq>(mine: &mut Option<T>, theirs: &Option<T>) {
        if mine != theirs {
            *mine = None;
        }
    }
    same(&mut party.port, &other.port);
    same(&mut party.name, &other.name);
    same(&mut party.user, &other.user);
    same(&mut party.process, &other.process);
}
