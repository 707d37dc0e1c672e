//! The sensors' seam: what watches the host is started here, and nowhere else.
//!
//! Each sensor gets clones of the feed's ends, starts its threads, and says which rung it stands
//! on and what it can not see. A sensor that can not start is a blind spot, never a reason not to
//! run the others.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::config::{Choice, From, Settings};
use crate::counters::Counters;
use crate::parse::Format;
use crate::queue::Inlet;
use crate::spool::Shared;
use crate::stop::Stop;
use crate::{capture, files, flow, journald, process, state, tail};

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
    /// What waits to be shipped, for the heartbeat.
    pub spool: Shared,
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

/// The file that `watchpost drill` writes its labelled log lines to.
#[must_use]
pub fn drill_log(state_dir: &Path) -> PathBuf {
    state_dir.join("drill.log")
}

/// Starts what the settings ask for.
#[must_use]
pub fn start(settings: &Settings, feed: Feed) -> Sensors {
    let mut sensors = Sensors::default();
    sensors.watch_network(settings, &feed);
    sensors.watch_logs(settings, &feed);
    if settings.process {
        let Feed { inlet, counters, stop, .. } = &feed;
        let running =
            process::start(&process::Settings::default(), inlet.clone(), counters.clone(), stop.clone());
        sensors.add(running);
    } else {
        sensors.blind.push("processes are not watched: process.enabled is false".into());
    }
    sensors.watch_files(settings, &feed);
    sensors.tell_state(settings, feed);
    sensors
}

impl Sensors {
    fn add(&mut self, running: tail::Running) {
        self.sources.extend(running.sources);
        self.blind.extend(running.blind);
        self.threads.extend(running.threads);
    }

    fn watch_network(&mut self, settings: &Settings, feed: &Feed) {
        if !settings.capture.enabled {
            self.rung = "none".into();
            self.blind.push("network flows are not watched: capture.enabled is false".into());
            return;
        }
        let wanted = capture::Settings {
            interfaces: settings.capture.interfaces.clone(),
            exclude: feed.exclude.clone(),
            flow: flow::Settings { most: settings.capture.max_flows, ..flow::Settings::default() },
        };
        match capture::start(wanted, feed.inlet.clone(), feed.counters.clone(), feed.stop.clone()) {
            Ok(running) => {
                self.rung = running.rung;
                self.blind.extend(running.blind);
                self.threads.extend(running.threads);
            }
            Err(error) => {
                self.rung = "none".into();
                self.blind.push(format!("network flows are not watched: {error}"));
            }
        }
    }

    fn watch_logs(&mut self, settings: &Settings, feed: &Feed) {
        let journal = match settings.logs.journald {
            Choice::On => true,
            Choice::Off => false,
            Choice::Auto => journald::is_available(),
        };
        let from = match settings.logs.from {
            From::End => tail::From::End,
            From::Beginning => tail::From::Beginning,
        };
        if journal {
            let wanted = journald::Settings { from, ..journald::Settings::default() };
            let Feed { inlet, counters, stop, resume, .. } = feed;
            self.add(journald::start(&wanted, resume, inlet.clone(), counters.clone(), stop.clone()));
        }
        let files = self.files(settings, journal);
        let wanted = tail::Settings { files, from, ..tail::Settings::default() };
        let Feed { inlet, counters, stop, resume, .. } = feed;
        self.add(tail::start(&wanted, resume, inlet.clone(), counters.clone(), stop.clone()));
    }

    /// The files to read: those configured, else the usual ones; the drill's always.
    fn files(&mut self, settings: &Settings, journal: bool) -> Vec<tail::Files> {
        let mut files = Vec::new();
        for file in &settings.logs.files {
            let format = Format::named(&file.parser).unwrap_or_else(|| {
                let (name, parser) = (&file.name, &file.parser);
                self.blind.push(format!("the log {name} is kept raw: no parser is called {parser}"));
                Format::Syslog
            });
            files.push(tail::Files { name: file.name.clone(), path: file.path.clone().into(), format });
        }
        if files.is_empty() {
            files = tail::default_files(!journal);
        }
        let path = drill_log(&settings.state_dir);
        files.push(tail::Files { name: "drill".into(), path, format: Format::Syslog });
        files
    }

    fn watch_files(&mut self, settings: &Settings, feed: &Feed) {
        if !settings.files.enabled {
            self.blind.push("changes of files are not watched: files.enabled is false".into());
            return;
        }
        let wanted = files::Settings {
            paths: settings.files.paths.clone(),
            sweep: settings.files.sweep.0,
            baseline: settings.state_dir.join("files.json"),
        };
        self.add(files::start(&wanted, feed.inlet.clone(), feed.stop.clone()));
    }

    /// Last, because the heartbeat says what all the others can not see.
    fn tell_state(&mut self, settings: &Settings, feed: Feed) {
        let wanted = state::Settings { every: settings.state_interval, disk: settings.state_dir.clone() };
        let (rung, blind, spool) = (self.rung.clone(), self.blind.clone(), feed.spool);
        let report = move || {
            let waiting = spool.stats();
            state::Report {
                rung: rung.clone(),
                blind: blind.clone(),
                spool_bytes: waiting.bytes,
                spool_batches: waiting.batches,
            }
        };
        self.add(state::start(&wanted, report, feed.inlet, feed.counters, feed.stop));
    }
}
