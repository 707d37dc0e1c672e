//! From packets to flow records.
//!
//! A flow is what two ends exchange over one pair of ports. Each record carries the packets and
//! bytes *since the previous record of that flow*, so adding up all records of a flow gives what
//! was on the wire; `event.start` is always the first packet of the whole flow.

mod community;
mod entry;
mod key;
mod owner;
mod place;
mod settings;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use community::{community_id, flow_id};
pub use entry::Reason;
pub use key::{End, Endpoint, Key};
pub use owner::{Owner, Owners};
pub use place::Place;
pub use settings::Settings;
pub use state::Tcp;
pub use table::Table;
