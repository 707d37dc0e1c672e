//! Torture: rotations of all kinds, restarts at any place, and yet each line once and in order.

use super::follow::Follow;
use super::*;
use proptest::prelude::*;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// A log that is written and rotated.
struct Writer {
    path: PathBuf,
    file: File,
    written: usize,
}

impl Writer {
    fn new(folder: &Path) -> Self {
        let path = folder.join("a.log");
        Self { file: append(&path), path, written: 0 }
    }

    fn write(&mut self, count: usize) {
        for _ in 0..count {
            // Lines differ from the first byte on, as lines with a time do.
            writeln!(self.file, "{:06} some text {}", self.written, "x".repeat(self.written % 90)).unwrap();
            self.written += 1;
        }
    }

    fn shift(&self) {
        for number in (1..8).rev() {
            let from = self.path.with_extension(format!("log.{number}"));
            if from.exists() {
                fs::rename(&from, self.path.with_extension(format!("log.{}", number + 1))).unwrap();
            }
        }
    }

    fn rename(&mut self) {
        self.shift();
        fs::rename(&self.path, self.path.with_extension("log.1")).unwrap();
        self.file = append(&self.path);
    }

    fn copy_and_truncate(&mut self) {
        self.shift();
        fs::copy(&self.path, self.path.with_extension("log.1")).unwrap();
        self.file.set_len(0).unwrap();
    }
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

/// A reader that can be killed: only what is below `durable` survives.
struct Follower {
    follow: Follow,
    seen: Vec<String>,
    places: Vec<Option<Checkpoint>>,
}

impl Follower {
    fn new(path: &Path) -> Self {
        Self { follow: Follow::fresh(path, From::Beginning).unwrap(), seen: Vec::new(), places: Vec::new() }
    }

    fn poll(&mut self) {
        let Self { follow, seen, places } = self;
        follow
            .poll(&mut |entry| {
                seen.push(entry.placed.line.text().into_owned());
                places.push(entry.checkpoint.cloned());
                Ok(())
            })
            .unwrap();
    }

    /// Forgets all after the first `durable` lines and starts again from there.
    fn kill(&mut self, path: &Path, durable: usize) {
        self.seen.truncate(durable);
        self.places.truncate(durable);
        let last = self.places.iter().rev().find_map(Option::as_ref);
        let last = last.map(|place| Checkpoint::parse(&place.to_value()).unwrap());
        self.follow = match last {
            Some(checkpoint) => Follow::resume(path, &checkpoint).unwrap(),
            None => Follow::fresh(path, From::Beginning).unwrap(),
        };
    }

    #[track_caller]
    fn check(&self, written: usize) {
        let numbers: Vec<usize> = self.seen.iter().map(|line| line[..6].parse().unwrap()).collect();
        assert_eq!(numbers, (0..written).collect::<Vec<_>>());
    }
}

#[derive(Clone, Debug)]
enum Deed {
    Write(usize),
    Poll,
    Rename,
    CopyTruncate,
    Kill(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (1_usize..40).prop_map(Deed::Write),
        4 => Just(Deed::Poll),
        1 => Just(Deed::Rename),
        1 => Just(Deed::CopyTruncate),
        1 => (1_usize..30).prop_map(Deed::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn each_line_comes_once_and_in_order(deeds in prop::collection::vec(deed(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(folder.path());
        let mut follower = Follower::new(&writer.path.clone());
        // One line is read first: without any place no rotation can be told from a new file.
        writer.write(1);
        follower.poll();
        let mut rotations_unread = 0;
        for deed in deeds {
            match deed {
                Deed::Write(count) => writer.write(count),
                Deed::Poll => {
                    follower.poll();
                    rotations_unread = 0;
                }
                // A rotation of an empty file, or more of them at once than are kept, is not of this world.
                Deed::Rename | Deed::CopyTruncate if rotations_unread > 4 || fs::metadata(&writer.path).unwrap().len() == 0 => {}
                // A file of which no byte was read can not be told from its truncated self.
                Deed::CopyTruncate if follower.follow.checkpoint().is_some_and(|place| place.offset == 0) => {}
                Deed::Rename => {
                    writer.rename();
                    rotations_unread += 1;
                }
                Deed::CopyTruncate => {
                    writer.copy_and_truncate();
                    rotations_unread += 1;
                }
                Deed::Kill(back) if rotations_unread == 0 => {
                    let durable = follower.seen.len().saturating_sub(back).max(1);
                    follower.kill(&writer.path, durable);
                }
                Deed::Kill(_) => {}
            }
        }
        for _ in 0..8 {
            follower.poll();
        }
        follower.check(writer.written);
    }
}

#[test]
fn a_line_without_its_end_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path());
    let mut follower = Follower::new(&writer.path.clone());
    write!(writer.file, "000000 a").unwrap();
    follower.poll();
    assert!(follower.seen.is_empty());
    writeln!(writer.file, "b").unwrap();
    follower.poll();
    assert_eq!(follower.seen, ["000000 ab"]);
}

#[test]
fn lines_written_late_to_a_rotated_file_are_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path());
    let mut follower = Follower::new(&writer.path.clone());
    writer.write(3);
    follower.poll();
    let mut old = writer.file.try_clone().unwrap();
    writer.rename();
    follower.poll();
    writeln!(old, "000003 late").unwrap();
    follower.poll();
    follower.check(4);
}

#[test]
fn a_file_that_is_there_at_the_first_start_is_read_from_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path());
    writer.write(5);
    write!(writer.file, "half a ").unwrap();
    let mut follower = Follower::new(&writer.path.clone());
    follower.follow = Follow::fresh(&writer.path, From::End).unwrap();
    writeln!(writer.file, "line").unwrap();
    writer.write(2);
    follower.poll();
    assert_eq!(follower.seen.len(), 2);
    assert!(follower.seen.first().is_some_and(|line| line.starts_with("000005")));
}

#[test]
fn a_file_emptied_without_copy_is_read_from_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path());
    let mut follower = Follower::new(&writer.path.clone());
    writer.write(5);
    follower.poll();
    writer.file.set_len(0).unwrap();
    writer.write(20);
    follower.poll();
    follower.check(25);
}

mod running {
    use super::super::*;
    use super::append;
    use crate::counters::Counters;
    use crate::queue::{Item, Outlet, queue};
    use crate::stop::Stop;
    use std::collections::HashMap;
    use std::io::Write;
    use std::sync::Arc;
    use watchpost_model::ledger::Stage;
    use watchpost_model::{Value, field as f};

    struct Bench {
        folder: tempfile::TempDir,
        counters: Arc<Counters>,
        outlet: Outlet,
        stop: Stop,
        running: Running,
    }

    impl Bench {
        fn new(folder: tempfile::TempDir, from: From, resume: &HashMap<String, String>) -> Self {
            Self::of(Format::Syslog, folder, from, resume)
        }

        fn of(
            format: Format,
            folder: tempfile::TempDir,
            from: From,
            resume: &HashMap<String, String>,
        ) -> Self {
            let counters = Arc::new(Counters::default());
            let (inlet, outlet) = queue(100, counters.clone());
            let stop = Stop::default();
            let files = vec![Files { name: "auth".into(), path: folder.path().join("*.log"), format }];
            let settings = Settings { files, from, poll: Duration::from_millis(5) };
            let running = start(&settings, resume, inlet, counters.clone(), stop.clone());
            Self { folder, counters, outlet, stop, running }
        }

        fn next(&self) -> Item {
            self.outlet.take(Duration::from_secs(20)).unwrap().expect("an event in time")
        }

        fn end(self) -> tempfile::TempDir {
            self.stop.stop();
            for thread in self.running.threads {
                thread.join().unwrap();
            }
            self.folder
        }
    }

    #[test]
    fn lines_become_events_with_places_and_go_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.log");
        let mut file = append(&path);
        writeln!(file, "Nov 22 10:00:00 web sshd[7]: Accepted password for bob from 192.0.2.1 port 5 ssh2")
            .unwrap();
        let bench = Bench::new(folder, From::Beginning, &HashMap::new());
        assert_eq!(bench.running.sources, [format!("file:{}", path.display())]);
        assert_eq!(bench.next().event.text(f::EVENT_ACTION), Some("log_source_opened"));
        let login = bench.next();
        assert_eq!(login.event.text(f::EVENT_ACTION), Some("ssh_login"));
        assert_eq!(login.event.text(f::LOG_SOURCE), Some("auth"));
        assert_eq!(login.event.record.get(f::LOG_OFFSET), Some(&Value::Uint(0)));
        assert_eq!(bench.counters.ledger().get(Stage::Lines).passed, 1);
        let folder = bench.end();

        writeln!(file, "Nov 22 10:00:01 web su: (to root) bob on pts/0").unwrap();
        let place = login.position.unwrap();
        let bench = Bench::new(folder, From::End, &HashMap::from([(place.source.to_string(), place.value)]));
        assert_eq!(bench.next().event.text(f::EVENT_ACTION), Some("su"));
        bench.end();
    }

    #[test]
    fn no_place_lies_behind_audit_records_that_are_not_told_yet() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = append(&folder.path().join("audit.log"));
        let id = "msg=audit(1700000000.100:7):";
        writeln!(file, "type=SYSCALL {id} syscall=59 success=yes items=1 pid=11 exe=\"/bin/a\"").unwrap();
        writeln!(file, "type=USER_LOGIN msg=audit(1700000000.100:8): pid=5 msg='acct=\"bob\" res=failed'")
            .unwrap();
        writeln!(file, "type=EOE {id}").unwrap();
        let bench = Bench::of(Format::Audit, folder, From::Beginning, &HashMap::new());
        assert_eq!(bench.next().event.text(f::EVENT_ACTION), Some("log_source_opened"));
        let login = bench.next();
        assert_eq!(login.event.text(f::USER_NAME), Some("bob"));
        assert!(login.position.is_none(), "the program's records would be lost in a crash");
        let program = bench.next();
        assert_eq!(program.event.text(f::PROCESS_EXECUTABLE), Some("/bin/a"));
        assert!(program.position.is_some());
        // Its end never comes: it is told after a moment, with a place.
        writeln!(file, "type=SYSCALL msg=audit(1700000000.200:9): syscall=59 pid=12 exe=\"/bin/b\"").unwrap();
        let late = bench.next();
        assert_eq!(late.event.text(f::PROCESS_EXECUTABLE), Some("/bin/b"));
        assert!(late.position.is_some() && late.event.text(f::LOG_FILE_PATH).is_some());
        bench.end();
    }

    #[test]
    fn a_file_that_appears_later_is_read_from_its_start() {
        let bench = Bench::new(tempfile::tempdir().unwrap(), From::End, &HashMap::new());
        writeln!(append(&bench.folder.path().join("new.log")), "one\ntwo").unwrap();
        assert_eq!(bench.next().event.text(f::EVENT_ACTION), Some("log_source_opened"));
        for text in ["one", "two"] {
            assert_eq!(bench.next().event.text(f::MESSAGE), Some(text));
        }
        bench.end();
    }
}
