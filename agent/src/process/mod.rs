//! Programs that begin to run.
//!
//! With enough rights the kernel tells every exec (`connector`), and `/proc` is read at once;
//! without, `/proc` is compared four times a second, which misses what lives shorter, and this is
//! said in [`Running::blind`]. Events are offered: a process does not wait for us. What the agent
//! starts itself is not reported.

mod connector;
pub(crate) mod snapshot;
mod users;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use watchpost_model::event::Process;
use watchpost_model::ledger::Stage;
use watchpost_model::{Event, Timestamp, field as f};

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

/// Processes whose end is waited for; of more the end is not told.
const MOST_TOLD: usize = 32_768;
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
        told: HashMap::new(),
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

/// What is remembered of a process until it ends.
#[derive(Clone, Debug)]
struct Told {
    name: String,
    user: String,
    began: Timestamp,
}

impl Told {
    fn of(event: &Event) -> Self {
        let text = |field| event.text(field).unwrap_or_default().to_owned();
        Self { name: text(f::PROCESS_NAME), user: text(f::USER_NAME), began: event.time }
    }

    /// The event of its end: who it was and how it ended. Program and command line are told with
    /// the beginning only, or rules about what was started would match twice.
    fn end(self, pid: u32, code: Option<i32>, now: Timestamp) -> Event {
        let form = Process { time: now, pid, user: self.user, exit_code: code, ..Process::default() };
        let mut event = Event::from(form);
        let record = &mut event.record;
        record.set(f::EVENT_ACTION, "exit");
        record.set(f::EVENT_TYPE, "end");
        record.set(f::EVENT_PROVIDER, "process");
        record.set(f::EVENT_DURATION, now.since(self.began));
        if !self.name.is_empty() {
            record.set(f::PROCESS_NAME, self.name);
        }
        event
    }
}

/// What a shell would call the exit code: the number, or 128 and the signal.
fn exit_code(status: u32) -> i32 {
    let code = match status & 0x7f {
        0 => (status >> 8) & 0xff,
        signal => 128 + signal,
    };
    i32::try_from(code).unwrap_or(i32::MAX)
}

struct Watcher {
    proc: Proc,
    users: Users,
    own: u32,
    told: HashMap<u32, Told>,
    inlet: Inlet,
    counters: Arc<Counters>,
    stop: Stop,
}

impl Watcher {
    fn listen(mut self, connector: &Connector, scan: Duration) {
        while !self.stop.is_stopped() {
            match connector.next(PATIENCE) {
                Ok(Some(Notice::Exec(pid))) => drop(self.tell(pid)),
                Ok(Some(Notice::Exit(pid, status))) => self.tell_end(pid, Some(exit_code(status))),
                Ok(Some(Notice::Overrun)) => {
                    self.counters.lose(Stage::Queue, 1);
                    // Ends may be among what was lost; they must not be waited for.
                    let alive: HashSet<u32> = self.proc.pids().into_iter().collect();
                    self.told.retain(|pid, _| alive.contains(pid));
                }
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
        let mut fresh: HashMap<u32, String> = HashMap::new();
        while !self.stop.sleep(span) {
            let now = self.all();
            // A process may have been met between its fork and its exec: look at it once more.
            for (pid, told) in std::mem::take(&mut fresh) {
                let same = known.get(&pid) == now.get(&pid);
                if same && self.proc.snapshot(pid).is_some_and(|snapshot| snapshot.runs() != told) {
                    self.tell(pid);
                }
            }
            for (pid, began) in &now {
                if known.get(pid) != Some(began)
                    && let Some(runs) = self.tell(*pid)
                {
                    fresh.insert(*pid, runs);
                }
            }
            for pid in known.keys().filter(|pid| !now.contains_key(pid)) {
                self.tell_end(*pid, None);
            }
            known = now;
        }
    }

    fn all(&self) -> HashMap<u32, u64> {
        self.proc.pids().into_iter().filter_map(|pid| Some((pid, self.proc.began(pid)?))).collect()
    }

    /// Tells the beginning of a process; gives what it ran.
    fn tell(&mut self, pid: u32) -> Option<String> {
        let snapshot = self.proc.snapshot(pid)?;
        if snapshot.parent == self.own || snapshot.pid == self.own {
            return None;
        }
        let runs = snapshot.runs();
        let parent = self.proc.snapshot(snapshot.parent);
        let (pid, now) = (snapshot.pid, clock::now());
        let event = snapshot.event(parent, &mut self.users, now);
        if self.told.len() < MOST_TOLD || self.told.contains_key(&pid) {
            self.told.insert(pid, Told::of(&event));
        }
        self.inlet.offer(event);
        Some(runs)
    }

    /// Tells the end of a process whose beginning was told; `code` is absent where nobody knows it.
    fn tell_end(&mut self, pid: u32, code: Option<i32>) {
        let Some(told) = self.told.remove(&pid) else { return };
        self.inlet.offer(told.end(pid, code, clock::now()));
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
    fn the_end_of_a_process_says_how_it_ended_and_not_what_it_ran() {
        let began = Timestamp::EPOCH;
        let start = Event::from(Process {
            time: began,
            pid: 7,
            executable: "/bin/nc".into(),
            command_line: "nc -l".into(),
            user: "bob".into(),
            ..Process::default()
        });
        let end = Told::of(&start).end(7, Some(exit_code(9)), began.plus(Duration::from_secs(2)));
        let text = |field| end.record.get(field).map(ToString::to_string);
        assert_eq!(text(f::PROCESS_EXIT_CODE).as_deref(), Some("137"));
        assert_eq!((end.text(f::EVENT_ACTION), end.text(f::PROCESS_NAME)), (Some("exit"), Some("nc")));
        assert_eq!(text(f::EVENT_DURATION).as_deref(), Some("2000000000"));
        assert_eq!((text(f::PROCESS_EXECUTABLE), text(f::PROCESS_COMMAND_LINE)), (None, None));
        assert_eq!((exit_code(0x0100), exit_code(0)), (1, 0));
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
