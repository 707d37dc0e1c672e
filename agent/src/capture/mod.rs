//! Packets, however this host lets us have them.

mod replay;
mod sensor;
mod source;

pub use replay::{Replay, ReplayError};
pub use sensor::Sensor;
pub use source::{Captured, PacketSource};
