//! An event: what happened on a host, at one moment, as a small record of known fields.
//!
//! Producers fill a typed form (`Flow`, `Dns`, `Auth`…), so that they can not forget
//! a field or misspell a name; every consumer (rules, journal, wire, screens) sees one
//! [`Record`] keyed by the field table. Both are the same facts: a form turns into an event,
//! and JSON is made from the record.

mod forms;
mod json;
mod record;

pub use forms::{Auth, Dns, File, Flow, HostState, Http, Log, Loss, Process, Side, Ssh, Tls, Web};
pub use record::Record;

use crate::field;
use crate::time::Timestamp;

/// What kind of record an event is. The number stands on the wire and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A network flow, or an interim record of a long one.
    Flow = 1,
    /// A DNS question or answer.
    Dns = 2,
    /// A TLS handshake.
    Tls = 3,
    /// An HTTP request with its answer.
    Http = 4,
    /// An SSH handshake.
    Ssh = 5,
    /// A process began or ended.
    Process = 6,
    /// A file changed.
    File = 7,
    /// Someone logged in, tried to, or changed rights.
    Auth = 8,
    /// A log line without a kind of its own.
    Log = 9,
    /// A record of the kernel's audit.
    Audit = 10,
    /// A line of a web server's access log.
    Web = 11,
    /// How the host and the agent are.
    HostState = 12,
    /// Records were lost, and how many.
    Loss = 13,
}

impl Kind {
    /// Every kind, in wire order.
    pub const ALL: [Self; 13] = [
        Self::Flow,
        Self::Dns,
        Self::Tls,
        Self::Http,
        Self::Ssh,
        Self::Process,
        Self::File,
        Self::Auth,
        Self::Log,
        Self::Audit,
        Self::Web,
        Self::HostState,
        Self::Loss,
    ];

    /// The kind with this wire number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == number)
    }

    /// The name used in `event.dataset`.
    #[must_use]
    pub const fn dataset(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::Process => "process",
            Self::File => "file",
            Self::Auth => "auth",
            Self::Log => "log",
            Self::Audit => "audit",
            Self::Web => "web",
            Self::HostState => "host_state",
            Self::Loss => "loss",
        }
    }

    /// The kind with this `event.dataset`.
    #[must_use]
    pub fn from_dataset(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.dataset() == name)
    }

    /// The ECS category this kind belongs to by default.
    #[must_use]
    pub const fn category(self) -> &'static str {
        match self {
            Self::Flow | Self::Dns | Self::Tls | Self::Http | Self::Ssh => "network",
            Self::Process | Self::Audit => "process",
            Self::File => "file",
            Self::Auth => "authentication",
            Self::Web => "web",
            Self::Log | Self::HostState | Self::Loss => "host",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What kind of record it is.
    pub kind: Kind,
    /// When it happened, by the host's clock.
    pub time: Timestamp,
    /// Its fields. `@timestamp` and `event.dataset` are not repeated here.
    pub record: Record,
}

impl Event {
    /// An event with the category of its kind and no other field.
    #[must_use]
    pub fn new(kind: Kind, time: Timestamp) -> Self {
        let mut record = Record::default();
        record.set(field::EVENT_CATEGORY, kind.category());
        Self { kind, time, record }
    }

    /// The text of a field, if the event has it as text.
    #[must_use]
    pub fn text(&self, field: crate::FieldId) -> Option<&str> {
        self.record.get(field).and_then(crate::Value::as_text)
    }
}
