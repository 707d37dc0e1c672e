//! How the host and the agent are, as a heartbeat: the first one at once, then one per span.
//!
//! It says what the agent can not see, so that silence is never taken for safety. What other rooms
//! know (the capture rung, blind spots, the spool) comes through a closure that is asked each time.

mod losses;
mod measure;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use watchpost_model::event::HostState;
use watchpost_model::{Event, Timestamp, Value, field as f, limits};

use crate::clock;
use crate::counters::Counters;
use crate::queue::Inlet;
use crate::stop::Stop;
use crate::tail::Running;
use losses::Losses;
use measure::{Ticks, kilobytes, ratio, read};

/// How often the state is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Span between two heartbeats.
    pub every: Duration,
    /// A path on the file system that holds the spool.
    pub disk: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self { every: Duration::from_secs(10), disk: "/var".into() }
    }
}

/// What only others know; asked for each heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Capture rung in force: `ring`, `pnet`, `sockets`, `none`.
    pub rung: String,
    /// What the agent can not see, and why; one sentence each.
    pub blind: Vec<String>,
    /// Bytes waiting in the spool.
    pub spool_bytes: u64,
    /// Batches waiting in the spool.
    pub spool_batches: u64,
}

/// Starts telling: how the host is, and what of `counters` was lost since.
#[must_use]
pub fn start<R>(settings: &Settings, report: R, inlet: Inlet, counters: Arc<Counters>, stop: Stop) -> Running
where
    R: Fn() -> Report + Send + 'static,
{
    let settings = settings.clone();
    let every = settings.every;
    let mut sampler = Sampler::new(settings);
    let mut losses = Losses::since(counters.ledger());
    let spawned = thread::Builder::new().name("state".to_owned()).spawn(move || {
        loop {
            inlet.offer(sampler.sample(report(), clock::now(), clock::monotonic()));
            for event in losses.tell(counters.ledger(), clock::now()) {
                // A full queue is the usual reason of a loss: this one waits.
                if inlet.put(event, None, &stop).is_err() {
                    return;
                }
            }
            if stop.sleep(every) {
                return;
            }
        }
    });
    match spawned {
        Ok(handle) => Running { threads: vec![handle], sources: vec!["state".to_owned()], blind: Vec::new() },
        Err(error) => {
            let blind =
                vec![format!("the host's state is not told: the thread could not be started ({error})")];
            Running { threads: Vec::new(), sources: Vec::new(), blind }
        }
    }
}

/// Keeps the last figures, as shares are those of the time between two samples.
#[derive(Debug)]
pub struct Sampler {
    settings: Settings,
    ticks: Ticks,
    own: Option<(u64, Instant)>,
    os: String,
    kernel: String,
}

impl Sampler {
    /// A sampler that has not measured yet: its first processor share is that since boot.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let os = ["/etc/os-release", "/usr/lib/os-release"].map(|path| measure::os_name(&read(path)));
        Self {
            settings,
            ticks: Ticks::default(),
            own: None,
            os: os.into_iter().find(|name| !name.is_empty()).unwrap_or_default(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        }
    }

    /// The state now.
    pub fn sample(&mut self, report: Report, now: Timestamp, at: Instant) -> Event {
        let memory = read("/proc/meminfo");
        let ticks = measure::ticks(&read("/proc/stat"));
        let mut blind = report.blind;
        blind.truncate(limits::LIST_ITEMS);
        let mut event = Event::from(HostState {
            time: now,
            uptime: measure::uptime(&read("/proc/uptime")),
            cpu: ticks.share_since(self.ticks),
            memory_total: kilobytes(&memory, "MemTotal"),
            memory_available: kilobytes(&memory, "MemAvailable"),
            load: measure::load(&read("/proc/loadavg")),
            agent_memory: kilobytes(&read("/proc/self/status"), "VmRSS"),
            agent_cpu: self.own_share(at),
            rung: report.rung,
            blind,
        });
        self.ticks = ticks;
        event.record.set(f::SPOOL_BYTES, report.spool_bytes);
        event.record.set(f::SPOOL_BATCHES, report.spool_batches);
        self.note_host(&mut event);
        event
    }

    /// The share of one core that the agent used since the last sample.
    fn own_share(&mut self, at: Instant) -> f64 {
        let used = measure::used(&read("/proc/self/stat"));
        let before = self.own.replace((used, at));
        let Some((earlier, then)) = before else { return 0.0 };
        let millis = u64::try_from(at.saturating_duration_since(then).as_millis()).unwrap_or(u64::MAX);
        let spent = used.saturating_sub(earlier).saturating_mul(1_000);
        ratio(spent, millis.saturating_mul(rustix::param::clock_ticks_per_second()))
    }

    fn note_host(&self, event: &mut Event) {
        let record = &mut event.record;
        record.set(f::AGENT_VERSION, env!("CARGO_PKG_VERSION"));
        record.set(f::AGENT_PLATFORM, format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS));
        for (field, text) in [(f::HOST_OS_FULL, &self.os), (f::HOST_OS_KERNEL, &self.kernel)] {
            if !text.is_empty() {
                record.set(field, text.as_str());
            }
        }
        let addresses = addresses();
        if !addresses.is_empty() {
            record.set(f::HOST_IP, addresses);
        }
        if let Ok(disk) = rustix::fs::statvfs(&self.settings.disk) {
            record.set(f::HOST_DISK_TOTAL, disk.f_blocks.saturating_mul(disk.f_frsize));
            record.set(f::HOST_DISK_FREE, disk.f_bavail.saturating_mul(disk.f_frsize));
        }
    }
}

/// The host's own addresses, without those that every host has.
fn addresses() -> Vec<Value> {
    let interfaces = pnet_datalink::interfaces();
    let found: BTreeSet<IpAddr> = interfaces
        .iter()
        .flat_map(|interface| interface.ips.iter().map(|network| network.ip()))
        .filter(|ip| !ip.is_loopback())
        .collect();
    found.into_iter().take(limits::LIST_ITEMS).map(Value::Ip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::queue;
    use watchpost_model::Kind;

    #[test]
    fn the_first_heartbeat_comes_at_once_and_says_what_is_blind() {
        let counters = Arc::new(Counters::default());
        let (inlet, outlet) = queue(4, counters.clone());
        let stop = Stop::default();
        let report =
            || Report { rung: "none".into(), blind: vec!["all".into()], spool_bytes: 7, spool_batches: 1 };
        let settings = Settings { every: Duration::from_hours(1), disk: "/".into() };
        let running = start(&settings, report, inlet, counters, stop.clone());
        let event = outlet.take(Duration::from_secs(20)).unwrap().unwrap().event;
        stop.stop();
        for thread in running.threads {
            thread.join().unwrap();
        }
        assert_eq!(event.kind, Kind::HostState);
        let number = |field| event.record.get(field).and_then(Value::as_uint).unwrap();
        assert_eq!(number(f::SPOOL_BYTES), 7);
        assert!(number(f::HOST_MEMORY_TOTAL) > number(f::AGENT_MEMORY) && number(f::AGENT_MEMORY) > 0);
        assert!(number(f::HOST_DISK_TOTAL) > 0 && number(f::HOST_UPTIME) > 0);
        assert_eq!(event.record.get(f::AGENT_BLIND).map(ToString::to_string).as_deref(), Some("all"));
    }

    #[test]
    fn the_agents_share_is_that_of_the_time_between() {
        let mut sampler = Sampler::new(Settings::default());
        let at = clock::monotonic();
        sampler.sample(Report::default(), Timestamp::EPOCH, at);
        let event = sampler.sample(Report::default(), Timestamp::EPOCH, at + Duration::from_hours(1));
        let Some(Value::Float(share)) = event.record.get(f::AGENT_CPU) else { panic!("no share") };
        assert!((0.0..0.1).contains(share), "{share}");
    }
}
