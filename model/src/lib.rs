//! The shared words of Watchpost.
//!
//! Everything the agent, the collector, the rules and the console say to each other is
//! defined here: events and the one table of field names, alerts, incidents, hosts,
//! queries and the wire. The crate does no I/O, reads no clock and knows no async runtime;
//! bytes and time always arrive as arguments.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

pub mod alert;
pub mod asset;
pub mod category;
pub mod event;
pub mod field;
pub mod id;
pub mod incident;
pub mod ledger;
pub mod limits;
pub mod query;
pub mod time;
pub mod value;
pub mod wire;

pub use event::{Event, Kind, Record};
pub use field::{FieldId, Type};
pub use time::Timestamp;
pub use value::Value;
