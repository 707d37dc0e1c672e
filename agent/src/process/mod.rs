//! Programs that begin to run.
//!
//! With enough rights the kernel tells every exec ([`connector`]), and `/proc` is read at once;
//! without, `/proc` is compared four times a second, which misses what lives shorter, and this is
//! said in [`Running::blind`]. Events are offered: a process does not wait for us. What the agent
//! starts itself is not reported.

mod connector;
mod snapshot;
mod users;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use watchpost_model::ledger::Stage;

use crate::clock;
use crate::counters::Counters;
use crate::queue::Inlet;
use crate::stop::Stop;
use crate::tail::Running;
use connector::{Connector, Notice};
use snapshot::Proc;
pub(crate) use users::Users;

/// How processes are watched.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Span between two looks where the kernel does not tell.
    pub scan: Duration,
    /// Whether to ask the kernel at all.
    pub connector: bool,
    /// Where the kernel shows processes.
    pub proc: PathBuf,
    /// The list of users.
    pub passwd: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scan: Duration::from_millis(250),
            connector: true,
            proc: "/proc".into(),
            passwd: "/etc/passwd".into(),
        }
    }
}

/// Milliseconds for which the connector waits before we look whether to stop.
const PATIENCE: i64 = 200;

/// Starts watching. The connector is opened before this returns, so rights may be dropped after.
#[must_use]
pub fn start(settings: &Settings, inlet: Inlet, counters: Arc<Counters>, stop: Stop) -> Running {
    let mut blind = Vec::new();
    let connector = if settings.connector { open(&mut blind) } else { Err(()) };
    if connector.is_err() && blind.is_empty() {
        blind.push(missed("it was not asked for"));
    }
    let watcher = Watcher {
        proc: Proc::new(&settings.proc),
        users: Users::new(&settings.passwd),
        own: std::process::id(),
        inlet,
        counters,
        stop,
    };
    let source = if connector.is_ok() { "process:connector" } else { "process:scan" };
    let scan = settings.scan;
    let spawned = thread::Builder::new().name("process".to_owned()).spawn(move || match connector {
        Ok(connector) => watcher.listen(&connector, scan),
        Err(()) => watcher.scan(scan),
    });
    match spawned {
        Ok(handle) => Running { threads: vec![handle], sources: vec![source.to_owned()], blind },
        Err(error) => {
            blind.push(format!("processes are not seen: the thread could not be started ({error})"));
            Running { threads: Vec::new(), sources: Vec::new(), blind }
        }
    }
}

fn open(blind: &mut Vec<String>) -> Result<Connector, ()> {
    Connector::open().map_err(|error| blind.push(missed(&error.to_string())))
}

fn missed(why: &str) -> String {
    format!("processes that live shorter than the scan are missed: the kernel does not tell of them ({why})")
}

struct Watcher {
    proc: Proc,
    users: Users,
    own: u32,
    inlet: Inlet,
    counters: Arc<Counters>,
    stop: Stop,
}

impl Watcher {
    fn listen(mut self, connector: &Connector, scan: Duration) {
        while !self.stop.is_stopped() {
            match connector.next(PATIENCE) {
                Ok(Some(Notice::Exec(pid))) => self.tell(pid),
                Ok(Some(Notice::Overrun)) => self.counters.lose(Stage::Queue, 1),
                Ok(Some(Notice::Acknowledged(_)) | None) => {}
                Err(error) => {
                    tracing::warn!(%error, "the process connector failed; comparing /proc from now on");
                    return self.scan(scan);
                }
            }
        }
    }

    fn scan(mut self, span: Duration) {
        let mut known = self.all();
        while !self.stop.sleep(span) {
            let now = self.all();
            for (pid, began) in &now {
                if known.get(pid) != Some(began) {
                    self.tell(*pid);
                }
            }
            known = now;
        }
    }

    fn all(&self) -> HashMap<u32, u64> {
        self.proc.pids().into_iter().filter_map(|pid| Some((pid, self.proc.began(pid)?))).collect()
    }

    fn tell(&mut self, pid: u32) {
        let Some(snapshot) = self.proc.snapshot(pid) else { return };
        if snapshot.parent == self.own || snapshot.pid == self.own {
            return;
        }
        let parent = self.proc.snapshot(snapshot.parent);
        let event = snapshot.event(parent, &mut self.users, clock::now());
        self.inlet.offer(event);
    }
}

/// Whether the kernel tells of processes here.
#[must_use]
pub fn is_told() -> bool {
    Connector::open().is_ok() && Path::new("/proc/self/exe").exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::queue;
    use std::process::{Command, Stdio};
    use watchpost_model::field as f;

    /// Runs a shell that runs a program, and waits for the event of that program.
    fn sees_a_program(settings: &Settings) -> bool {
        let counters = Arc::new(Counters::default());
        let (inlet, outlet) = queue(10_000, counters.clone());
        let stop = Stop::default();
        let running = start(settings, inlet, counters, stop.clone());
        let mark = format!("8{:06}", std::process::id() % 1_000_000);
        // The inner shell is a grandchild: children of the agent are not reported.
        let script = format!("sh -c 'sleep {mark} & echo; wait'; true");
        let mut child = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut found = false;
        for _ in 0..2_000 {
            let Ok(Some(item)) = outlet.take(Duration::from_secs(5)) else { break };
            let command = item.event.text(f::PROCESS_COMMAND_LINE).unwrap_or_default();
            if command == format!("sleep {mark}") {
                assert_eq!(item.event.text(f::PROCESS_NAME).map(|name| !name.is_empty()), Some(true));
                assert!(item.event.text(f::PROCESS_PARENT_COMMAND_LINE).unwrap_or_default().contains(&mark));
                let pid =
                    item.event.record.get(f::PROCESS_PID).and_then(watchpost_model::Value::as_uint).unwrap();
                let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
                found = true;
                break;
            }
        }
        if !found {
            let _ = child.kill();
        }
        let _ = child.wait();
        stop.stop();
        for thread in running.threads {
            thread.join().unwrap();
        }
        found
    }

    #[test]
    fn the_scan_sees_a_program_that_lasts_and_says_what_it_misses() {
        let settings = Settings { connector: false, scan: Duration::from_millis(20), ..Settings::default() };
        assert!(sees_a_program(&settings));
        let counters = Arc::new(Counters::default());
        let (inlet, _outlet) = queue(1, counters.clone());
        let stop = Stop::default();
        stop.stop();
        let running = start(&settings, inlet, counters, stop);
        assert!(running.blind.iter().any(|sentence| sentence.contains("missed")));
    }

    #[test]
    fn the_kernel_tells_of_a_program_at_once() {
        if !is_told() {
            println!("SKIPPED: the process connector needs root in the first namespaces");
            return;
        }
        assert!(sees_a_program(&Settings::default()));
    }
}
