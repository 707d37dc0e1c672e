//! What the console knows of a collector: the trait that a real one, a replay and a test share.

use serde_json::Value;
use watchpost_model::alert::Alert;
use watchpost_model::asset::Host;
use watchpost_model::id::{AlertId, IncidentId};
use watchpost_model::incident::Incident;
use watchpost_model::query::{
    AlertQuery, Drill, EventQuery, Evidence, IncidentQuery, IncidentStory, Live, Overview, Page,
    TriageChange, UnderWay,
};

use super::Error;

/// The live stream: blocks for the next message, ends with an error or when the collector closes.
pub type Lives = Box<dyn Iterator<Item = Result<Live, Error>> + Send>;

/// Answers the console's questions. All calls block.
#[expect(
    clippy::missing_errors_doc,
    reason = "every call fails alike: out of reach, refused, or not understood"
)]
pub trait Source: Send + Sync {
    /// Where it is, for people.
    fn address(&self) -> String;
    /// The situation in numbers.
    fn overview(&self) -> Result<Overview, Error>;
    /// Alerts, newest first.
    fn alerts(&self, query: &AlertQuery) -> Result<Page<Alert>, Error>;
    /// One alert.
    fn alert(&self, id: AlertId) -> Result<Alert, Error>;
    /// The raw events behind an alert.
    fn evidence(&self, id: AlertId) -> Result<Evidence, Error>;
    /// Changes an alert's handling; answers the alert as it is then.
    fn triage(&self, id: AlertId, change: &TriageChange) -> Result<Alert, Error>;
    /// Incidents, newest first.
    fn incidents(&self, query: &IncidentQuery) -> Result<Page<Incident>, Error>;
    /// An incident with all it is made of.
    fn story(&self, id: IncidentId) -> Result<IncidentStory, Error>;
    /// All hosts.
    fn hosts(&self) -> Result<Vec<Host>, Error>;
    /// Raw events, newest first.
    fn events(&self, query: &EventQuery) -> Result<Page<Value>, Error>;
    /// Announces a drill; without it nothing is marked as one.
    fn announce(&self, drill: &Drill) -> Result<UnderWay, Error>;
    /// Opens the live stream.
    fn stream(&self) -> Result<Lives, Error>;
}
