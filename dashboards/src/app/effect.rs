//! What the core wants done outside: requests to the collector, files, leaving.
//!
//! The core never waits for an effect; its outcome comes back as a message.

use watchpost_model::id::{AlertId, IncidentId};
use watchpost_model::query::{EventQuery, TriageChange};

/// Something to do outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read the overview and all lists.
    Refresh,
    /// Read the evidence of an alert.
    Evidence(AlertId),
    /// Read an incident's story.
    Story(IncidentId),
    /// Change an alert's handling.
    Triage(AlertId, TriageChange),
    /// Search events.
    Hunt(Box<EventQuery>),
    /// Write the report of an incident.
    Report(IncidentId),
    /// Leave.
    Quit,
}
