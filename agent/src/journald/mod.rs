//! The systemd journal, followed through `journalctl`.
//!
//! The journal's files have no stable format that we could promise to read; its own program does.
//! It runs as a child, prints records as JSON, and is started again after a pause that doubles when
//! it dies. With each event goes the journal's cursor, so that a restart neither loses nor repeats
//! a record. A cursor that the journal no longer knows (it has been vacuumed) is given up after
//! `MOST_REFUSALS` tries, which is counted.

mod record;

use std::collections::HashMap;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use watchpost_model::ledger::Stage;
use watchpost_model::{Event, field as f};

use crate::clock;
use crate::counters::Counters;
use crate::parse::{Format, Header, Reader};
use crate::queue::{Closed, Inlet, Position};
use crate::stop::Stop;
use crate::tail::{From, LineBuffer, Running};
use record::{FIELDS, Record};

/// The source's name in positions and in `watchpost.log.source`.
pub const SOURCE: &str = "journal";

/// Bytes of one record as JSON: a message of the greatest length, escaped.
const RECORD_BYTES: usize = 512 * 1024;
/// Starts without a single record after which a cursor is given up.
const MOST_REFUSALS: u32 = 3;
/// The longest pause between two starts.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How often a quiet journal lets us look whether to stop.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// How to follow the journal.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Program and first arguments.
    pub command: Vec<String>,
    /// Where to begin at the agent's very first start.
    pub from: From,
    /// The first pause before the program is started again.
    pub pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { command: vec!["journalctl".to_owned()], from: From::End, pause: Duration::from_secs(1) }
    }
}

/// Whether this host has a journal that can be followed.
#[must_use]
pub fn is_available() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join("journalctl").is_file());
    found && Path::new("/run/systemd/journal").is_dir()
}

/// Starts following. `resume` holds the last durable position of each source.
#[must_use]
pub fn start(
    settings: &Settings,
    resume: &HashMap<String, String>,
    inlet: Inlet,
    counters: Arc<Counters>,
    stop: Stop,
) -> Running {
    let follower = Follower {
        settings: settings.clone(),
        cursor: resume.get(SOURCE).cloned(),
        reader: Reader::new(Format::Syslog),
        source: SOURCE.into(),
        inlet,
        counters,
        stop,
    };
    match thread::Builder::new().name("journal".to_owned()).spawn(move || follower.run()) {
        Ok(handle) => Running { threads: vec![handle], sources: vec![SOURCE.to_owned()], blind: Vec::new() },
        Err(error) => {
            let blind = vec![format!("the journal is not read: the thread could not be started ({error})")];
            Running { threads: Vec::new(), sources: Vec::new(), blind }
        }
    }
}

struct Follower {
    settings: Settings,
    cursor: Option<String>,
    reader: Reader,
    source: Arc<str>,
    inlet: Inlet,
    counters: Arc<Counters>,
    stop: Stop,
}

impl Follower {
    fn run(mut self) {
        let (mut pause, mut refusals) = (self.settings.pause, 0);
        loop {
            let records = match self.follow() {
                Ok(records) => records,
                Err(Closed) => return,
            };
            if records > 0 {
                (pause, refusals) = (self.settings.pause, 0);
            } else if self.cursor.is_some() {
                refusals += 1;
            }
            if refusals >= MOST_REFUSALS {
                tracing::warn!("the journal does not know our cursor any more; reading on from its end");
                self.counters.lose(Stage::Lines, 1);
                (self.cursor, refusals, self.settings.from) = (None, 0, From::End);
            }
            if self.stop.sleep(pause) {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One life of the program; how many records it gave.
    fn follow(&mut self) -> Result<u64, Closed> {
        if self.stop.is_stopped() {
            return Err(Closed);
        }
        let mut child = match self.spawn() {
            Ok(child) => child,
            Err(error) => {
                tracing::warn!(%error, "the journal's program could not be started");
                return Ok(0);
            }
        };
        let given = match child.stdout.take() {
            Some(output) => self.read(output),
            None => Ok(0),
        };
        // It may have ended by itself; then there is nothing to kill, only to reap.
        let _ = child.kill();
        let _ = child.wait();
        given
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let (program, first) = self.settings.command.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(first).args(["--follow", "--output=json", "--all", "--no-pager", "--quiet"]);
        command.arg(format!("--output-fields={FIELDS}"));
        match (&self.cursor, self.settings.from) {
            (Some(cursor), _) => command.arg(format!("--after-cursor={cursor}")).arg("--no-tail"),
            (None, From::End) => command.arg("--lines=0"),
            (None, From::Beginning) => command.arg("--no-tail"),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
    }

    fn read(&mut self, mut output: ChildStdout) -> Result<u64, Closed> {
        let (mut buffer, mut chunk, mut records) =
            (LineBuffer::with_bound(RECORD_BYTES), vec![0; 64 * 1024], 0);
        loop {
            if self.stop.is_stopped() {
                return Err(Closed);
            }
            if !is_ready(&output) {
                continue;
            }
            let count = match output.read(&mut chunk) {
                Ok(0) => return Ok(records),
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => return Ok(records),
            };
            let mut rest = chunk.get(..count).unwrap_or_default();
            while let Some(line) = buffer.feed(&mut rest) {
                records += u64::from(self.line(line.bytes())?);
            }
        }
    }

    /// Takes one record; whether it was one.
    fn line(&mut self, line: &[u8]) -> Result<bool, Closed> {
        let Some(record) = Record::parse(line) else {
            self.counters.lose(Stage::Lines, 1);
            return Ok(false);
        };
        self.counters.pass(Stage::Lines, 1);
        let (event, times) = self.event(&record);
        for at in 1..=times {
            let position =
                (at == times).then(|| Position { source: self.source.clone(), value: record.cursor.clone() });
            self.inlet.put(event.clone(), position, &self.stop)?;
        }
        self.cursor = Some(record.cursor);
        Ok(true)
    }

    fn event(&mut self, record: &Record) -> (Event, u16) {
        let header = record.header();
        let forged = record.is_forged();
        // Without its name no parser takes the message, so that it stays raw.
        let shown = if forged { Header { app: "", ..header } } else { header };
        let mut parsed = self.reader.read_message(shown, clock::now());
        let fields = &mut parsed.event.record;
        if forged {
            fields.set(f::LOG_SYSLOG_APP, record.app.as_str());
            fields.set(f::EVENT_REASON, "written by a user under the name of sshd");
        }
        if !record.unit.is_empty() {
            fields.set(f::JOURNALD_UNIT, record.unit.as_str());
        }
        if record.cut {
            fields.set(f::PARSE, "cut");
        }
        fields.set(f::LOG_SOURCE, SOURCE);
        (parsed.event, parsed.times)
    }
}

fn is_ready(output: &ChildStdout) -> bool {
    let fd = output.as_fd();
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut fds, Some(&PATIENCE)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{Item, Outlet, queue};

    struct Bench {
        outlet: Outlet,
        stop: Stop,
        running: Running,
        counters: Arc<Counters>,
    }

    /// Follows a shell script that plays the journal's program.
    fn bench(script: &str, resume: &HashMap<String, String>) -> Bench {
        let counters = Arc::new(Counters::default());
        let (inlet, outlet) = queue(100, counters.clone());
        let stop = Stop::default();
        let settings = Settings {
            command: ["/bin/sh", "-c", script, "sh"].map(str::to_owned).to_vec(),
            from: From::End,
            pause: Duration::from_millis(1),
        };
        let running = start(&settings, resume, inlet, counters.clone(), stop.clone());
        Bench { outlet, stop, running, counters }
    }

    impl Bench {
        fn next(&self) -> Item {
            self.outlet.take(Duration::from_secs(20)).unwrap().expect("an event in time")
        }

        fn end(self) {
            self.stop.stop();
            for thread in self.running.threads {
                thread.join().unwrap();
            }
        }
    }

    #[test]
    fn a_program_that_dies_is_started_again_after_the_last_cursor() {
        // Each life prints one record whose message is its own arguments.
        let script = r#"n=$(printf %s "$*" | wc -c); echo "{\"__CURSOR\":\"c$n\",\"SYSLOG_IDENTIFIER\":\"x\",\"MESSAGE\":\"$*\"}""#;
        let bench = bench(script, &HashMap::new());
        let first = bench.next();
        assert!(first.event.text(f::MESSAGE).unwrap().ends_with("--lines=0"));
        let place = first.position.unwrap();
        assert_eq!(&*place.source, SOURCE);
        let second = bench.next();
        let expected = format!("--after-cursor={} --no-tail", place.value);
        assert!(second.event.text(f::MESSAGE).unwrap().ends_with(&expected));
        bench.end();
    }

    #[test]
    fn records_go_through_the_same_parsers_and_rubbish_is_counted() {
        let script = r#"echo rubbish; echo '{"__CURSOR":"c","SYSLOG_IDENTIFIER":"sshd","_UID":"0","_PID":"7","MESSAGE":"Failed password for root from 192.0.2.1 port 5 ssh2"}'
            echo '{"__CURSOR":"d","SYSLOG_IDENTIFIER":"sshd","_UID":"1000","MESSAGE":"Accepted password for root from 192.0.2.1 port 5 ssh2"}'; exec sleep 1000"#;
        let bench = bench(script, &HashMap::new());
        assert_eq!(bench.next().event.text(f::EVENT_ACTION), Some("ssh_login"));
        let forged = bench.next().event;
        assert_eq!((forged.text(f::EVENT_ACTION), forged.text(f::PARSE)), (None, Some("raw")));
        assert_eq!(bench.counters.ledger().get(Stage::Lines).lost, 1);
        bench.end();
    }

    #[test]
    fn a_cursor_that_is_refused_is_given_up() {
        let script = r#"case "$*" in *after-cursor=old*) exit 1;; esac; echo '{"__CURSOR":"new","MESSAGE":"x"}'; exec sleep 1000"#;
        let bench = bench(script, &HashMap::from([(SOURCE.to_owned(), "old".to_owned())]));
        assert_eq!(bench.next().position.unwrap().value, "new");
        assert_eq!(bench.counters.ledger().get(Stage::Lines).lost, 1);
        bench.end();
    }
}
