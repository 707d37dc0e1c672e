//! The sensors' seam: what watches the host is started here, and nowhere else.
//!
//! Each sensor gets clones of the feed's ends, starts its threads, and says which rung it stands
//! on and what it can not see. A sensor that can not start is a blind spot, never a reason not to
//! run the others.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::config::Settings;
use crate::counters::Counters;
use crate::queue::Inlet;
use crate::stop::Stop;

/// What sensors are given.
#[derive(Debug)]
pub struct Feed {
    /// Where events go.
    pub inlet: Inlet,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// The wish to end.
    pub stop: Stop,
    /// Where each log source may resume.
    pub resume: HashMap<String, String>,
    /// The collector's addresses: traffic with them is not watched, or every report would make
    /// another.
    pub exclude: Vec<SocketAddr>,
}

/// What the sensors are.
#[derive(Debug, Default)]
pub struct Sensors {
    /// Capture rung in force; empty for none.
    pub rung: String,
    /// What is read.
    pub sources: Vec<String>,
    /// What can not be seen, and why; one sentence each.
    pub blind: Vec<String>,
    /// Threads that end once the agent stops.
    pub threads: Vec<JoinHandle<()>>,
}

/// Starts what the settings ask for.
#[must_use]
pub fn start(settings: &Settings, feed: Feed) -> Sensors {
    let mut sensors = Sensors::default();
    for (wanted, what) in [
        (settings.capture.enabled, "network flows are not watched by this build"),
        (true, "logs are not read by this build"),
        (settings.process, "processes are not watched by this build"),
    ] {
        if wanted {
            sensors.blind.push(what.into());
        }
    }
    drop(feed);
    sensors
}
