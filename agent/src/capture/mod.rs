//! Packets, however this host lets us have them.
//!
//! [`start`] climbs down a ladder: `ring` and `pnet` need the right to open packet sockets and see
//! everything on the wire, the first in blocks; `sockets` needs no right at all and sees
//! which connections exist. [`Replay`] reads capture files. Whatever a rung can not see it says, one
//! sentence each, so that nobody mistakes silence for peace.

mod drops;
mod interfaces;
mod live;
mod replay;
mod ring;
mod sensor;
mod sockets;
mod source;
#[cfg(test)]
mod tests;
mod watch;
mod worker;

pub use replay::{Replay, ReplayError};
pub use sensor::Sensor;
pub use source::{Captured, PacketSource};

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::counters::Counters;
use crate::flow;
use crate::queue::Inlet;
use crate::stop::Stop;

/// What to capture.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Interfaces by name; empty for all that are up.
    pub interfaces: Vec<String>,
    /// Ends whose traffic is left out: the collector's, or every report would make another.
    pub exclude: Vec<SocketAddr>,
    /// The flow table of each interface.
    pub flow: flow::Settings,
}

/// Capture under way.
#[derive(Debug)]
pub struct Running {
    /// The rung in force: `ring`, `pnet` or `sockets`.
    pub rung: String,
    /// What it can not see, one sentence each.
    pub blind: Vec<String>,
    /// Its threads; they end when told to stop, after writing out what they hold.
    pub threads: Vec<JoinHandle<()>>,
}

/// No rung could be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Named interfaces that do not exist, or none is up.
    #[error("no interface to capture on: {0}; check `interfaces` against `ip link`")]
    NoInterface(String),
    /// A packet socket was refused.
    #[error("can not open a packet socket on {interface}: {source}; it needs CAP_NET_RAW")]
    Open {
        /// Where.
        interface: String,
        /// Why.
        source: std::io::Error,
    },
    /// The kernel's list of sockets was refused.
    #[error("can not ask the kernel for its sockets: {0}")]
    Sockets(std::io::Error),
    /// A thread could not be started.
    #[error("can not start a capture thread: {0}")]
    Thread(std::io::Error),
}

/// Starts capture on the best rung that this host allows.
///
/// # Errors
/// Only where no rung can be taken. A named interface that is missing is an error; the others
/// fall through to the next rung, and the reason stands among what is not seen.
pub fn start(
    settings: Settings,
    inlet: Inlet,
    counters: Arc<Counters>,
    stop: Stop,
) -> Result<Running, Error> {
    let feed = Feed { inlet, counters, stop };
    let refused = match ring::start(&settings, &feed) {
        Ok(running) => return Ok(running),
        Err(error) => error,
    };
    if matches!(refused, Error::NoInterface(_) | Error::Thread(_)) && !settings.interfaces.is_empty() {
        return Err(refused);
    }
    if let Ok(mut running) = live::start(&settings, &feed) {
        tracing::warn!(error = %refused, "no packet ring; reading packets one by one");
        running.blind.push(format!("packets cost more to read than they need to: {refused}"));
        return Ok(running);
    }
    tracing::warn!(error = %refused, "no packet capture; falling back to the list of sockets");
    let mut running = sockets::start(&settings, &feed)?;
    running.blind.insert(0, format!("packets are not seen at all: {refused}"));
    Ok(running)
}

/// Where a capture thread puts its events, and what tells it to end.
#[derive(Clone, Debug)]
struct Feed {
    inlet: Inlet,
    counters: Arc<Counters>,
    stop: Stop,
}

impl Feed {
    /// Hands events on; a full queue drops and counts them.
    fn offer(&self, events: &mut Vec<watchpost_model::Event>) {
        for event in events.drain(..) {
            self.inlet.offer(event);
        }
    }

    /// A named thread.
    fn spawn(&self, name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
        std::thread::Builder::new().name(name).spawn(work).map_err(Error::Thread)
    }
}
