//! What can happen to the dashboard.

use serde_json::Value;
use watchpost_model::Timestamp;
use watchpost_model::alert::Alert;
use watchpost_model::asset::Host;
use watchpost_model::id::{AlertId, IncidentId};
use watchpost_model::incident::Incident;
use watchpost_model::query::{Evidence, IncidentStory, Live, Overview, Page};

use crate::keymap::Key;

/// Something happened.
#[derive(Clone, Debug)]
pub enum Message {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The window has so many columns and rows.
    Resize(u16, u16),
    /// A second passed.
    Tick,
    /// The live stream said something.
    Live(Live),
    /// The live stream came or went.
    Link(Link),
    /// A request was answered.
    Answer(Answer),
    /// A frame was drawn, and its page can be scrolled this far.
    Drawn(usize),
}

/// Whether the collector is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// First attempt under way.
    #[default]
    Connecting,
    /// The stream is open.
    Online,
    /// The stream is down, since when and why.
    Offline {
        /// Since when.
        since: Timestamp,
        /// Why, for people.
        error: String,
    },
}

/// What came of an effect.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The numbers.
    Overview(Box<Overview>),
    /// Alerts, newest first.
    Alerts(Page<Alert>),
    /// Incidents, newest first.
    Incidents(Page<Incident>),
    /// All hosts.
    Hosts(Vec<Host>),
    /// The evidence of an alert, or why there is none.
    Evidence(AlertId, Result<Evidence, String>),
    /// The story of an incident, or why there is none.
    Story(IncidentId, Result<Box<IncidentStory>, String>),
    /// An alert's handling has changed.
    Triaged(Box<Alert>),
    /// Events found for a query, or why not.
    Hunt(String, Result<Page<Value>, String>),
    /// A report was written here.
    Reported(String),
    /// Something failed, for people.
    Failed(String),
    /// The queue of requests is full.
    Busy,
}
