//! What an alert becomes when a later event changes a finding behind it.
//!
//! The alert that took the finding takes the new version too, handled or not: nothing new happened,
//! so nothing is raised, and nothing that an analyst has seen disappears.

use watchpost_model::alert::{Alert, MatchedField};
use watchpost_rules::Standing;

use super::group::keep;

/// Key of the note that a finding was withdrawn.
const WITHDRAWN: &str = "withdrawn";

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
            if !alert.matched.contains(&note) {
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
