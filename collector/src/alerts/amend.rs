//! What an alert becomes when a later event changes a finding behind it.
//!
//! The alert that took the finding takes the new version too, handled or not: nothing new happened,
//! so nothing is raised, and nothing that an analyst has seen disappears.

use watchpost_model::alert::{Alert, MatchedField, Triage};
use watchpost_rules::Standing;

use super::group::keep;

/// Keys of the notes on what became of a finding.
const WITHDRAWN: &str = "withdrawn";
const ABSORBED: &str = "absorbed";

/// Notes of one key that an alert keeps, the latest.
const MOST_NOTES: usize = 8;

/// What an alert is given as its reason when nothing of it is left and nobody has looked yet.
const NOTHING_LEFT: &str = "withdrawn by detection: events that came late showed that the rule's condition did not hold; the events themselves did happen";

/// Puts the version of a finding that an alert counted as `counted` events in the place of the last
/// one. The count that it has now.
pub fn amend(alert: &mut Alert, version: Alert, standing: Standing, counted: u64) -> u64 {
    match standing {
        // Its events did happen, and belong to another finding of the same alert.
        Standing::Absorbed { into } => {
            let said = format!("the finding of {} is part of finding {into}", version.first_seen);
            note(alert, ABSORBED, said);
            counted
        }
        Standing::Withdrawn => {
            let said = format!(
                "the finding of {}: events that came late showed that its condition did not hold",
                version.first_seen
            );
            note(alert, WITHDRAWN, said);
            // Its severity stays: it is the rule's word, and lists must not reorder behind a reader.
            if counted >= alert.count && alert.triage == Triage::New && alert.reason.is_empty() {
                NOTHING_LEFT.clone_into(&mut alert.reason);
            }
            counted
        }
        Standing::New | Standing::Amended { .. } => {
            let first = version.first_seen <= alert.first_seen;
            alert.count = alert.count.saturating_sub(counted).saturating_add(version.count);
            alert.first_seen = alert.first_seen.min(version.first_seen);
            alert.last_seen = alert.last_seen.max(version.last_seen);
            if first {
                let notes = std::mem::replace(&mut alert.matched, version.matched);
                alert.matched.extend(notes.into_iter().filter(is_note));
            }
            for event in version.events {
                keep(&mut alert.events, event);
            }
            version.count
        }
    }
}

/// A repeat came: the alert has something again.
pub(super) fn revive(alert: &mut Alert) {
    if alert.reason == NOTHING_LEFT {
        alert.reason.clear();
    }
}

fn is_note(field: &MatchedField) -> bool {
    field.pattern.is_empty() && (field.field == WITHDRAWN || field.field == ABSORBED)
}

fn note(alert: &mut Alert, key: &str, value: String) {
    let note = MatchedField { field: key.into(), value, pattern: String::new() };
    if alert.matched.contains(&note) {
        return;
    }
    let of_key = |had: &MatchedField| is_note(had) && had.field == key;
    if alert.matched.iter().filter(|had| of_key(had)).count() >= MOST_NOTES
        && let Some(first) = alert.matched.iter().position(of_key)
    {
        alert.matched.remove(first);
    }
    alert.matched.push(note);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::{Draft, Sighting};
    use watchpost_model::alert::{Outcome, RuleRef, Severity};
    use watchpost_model::id::{AgentId, EventRef};
    use watchpost_model::{Event, Kind, Timestamp};

    fn alert(second: i64) -> Alert {
        let time = Timestamp::from_parts(second, 0);
        let event = Event::new(Kind::Auth, time);
        let at = EventRef { frame: 1, index: 0 };
        let sighting = Sighting {
            rule: &RuleRef::default(),
            severity: Severity::High,
            outcome: Outcome::Unknown,
            group_by: &[],
            group: Vec::new(),
            correlated: true,
            count: None,
            matched: Vec::new(),
            events: vec![at],
            time,
            event: &event,
            at,
            agent: AgentId::from_bytes([1; 16]),
            host: "h",
            drill: String::new(),
        };
        Draft::of(sighting, time).alert
    }

    #[test]
    fn notes_of_what_was_withdrawn_do_not_grow_without_end() {
        let mut had = alert(0);
        for second in 0..100 {
            let _ = amend(&mut had, alert(second), Standing::Withdrawn, 1);
        }
        assert_eq!(had.matched.len(), MOST_NOTES);
    }
}
