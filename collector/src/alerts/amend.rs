//! What an alert becomes when a later event changes a finding behind it.
//!
//! The alert that took the finding takes the new version too, handled or not: nothing new happened,
//! so nothing is raised, and nothing that an analyst has seen disappears.

use watchpost_model::alert::{Alert, MatchedField};
use watchpost_rules::Standing;

use super::group::keep;

/// Key of the note that a finding was withdrawn.
const WITHDRAWN: &str = "withdrawn";

/// Most notes of this kind in one alert: a group may come and go all day.
const MOST_WITHDRAWN: usize = 8;

/// Puts the version of a finding that an alert counted as `counted` events in the place of the last
/// one. The count that it has now.
pub fn amend(alert: &mut Alert, version: Alert, standing: Standing, counted: u64) -> u64 {
    match standing {
        // Its events did happen, and belong to another finding of the same alert.
        Standing::Absorbed { .. } => counted,
        Standing::Withdrawn => {
            let note = MatchedField {
                field: WITHDRAWN.into(),
                value: version.first_seen.to_string(),
                pattern: String::new(),
            };
            let noted = alert.matched.iter().filter(|had| had.field == WITHDRAWN).count();
            if noted < MOST_WITHDRAWN && !alert.matched.contains(&note) {
                alert.matched.push(note);
            }
            counted
        }
        Standing::New | Standing::Amended { .. } => {
            let first = version.first_seen <= alert.first_seen;
            alert.count = alert.count.saturating_sub(counted).saturating_add(version.count);
            alert.first_seen = alert.first_seen.min(version.first_seen);
            alert.last_seen = alert.last_seen.max(version.last_seen);
            if first {
                alert.matched = version.matched;
            }
            for event in version.events {
                keep(&mut alert.events, event);
            }
            version.count
        }
    }
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
        assert_eq!(had.matched.len(), MOST_WITHDRAWN);
    }
}
