//! The whole sensor over a folder of its own: what is told, when, and what is not.

use super::*;
use crate::counters::Counters;
use crate::queue::{Outlet, queue};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use watchpost_model::{Event, field as f};

struct Rig {
    stop: Stop,
    outlet: Outlet,
    running: Running,
}

impl Rig {
    fn start(root: &Path, sweep: Duration) -> Self {
        let settings = Settings {
            paths: vec![root.join("etc/passwd"), root.join("etc/cron.d"), root.join("home/*/.ssh/keys")],
            sweep,
            baseline: root.join("baseline.json"),
        };
        let (inlet, outlet) = queue(10_000, Arc::new(Counters::default()));
        let stop = Stop::default();
        let running = super::start(&settings, inlet, stop.clone());
        Self { stop, outlet, running }
    }

    fn next(&self) -> Event {
        self.outlet.take(Duration::from_secs(20)).unwrap().expect("an event within 20 s").event
    }

    fn end(self) {
        self.stop.stop();
        for thread in self.running.threads {
            thread.join().unwrap();
        }
        assert!(self.outlet.take(Duration::ZERO).is_err(), "nothing was told twice");
    }
}

fn wait_for(path: &Path) {
    for _ in 0..2_000 {
        if path.exists() {
            return;
        }
        Stop::default().sleep(Duration::from_millis(10));
    }
    panic!("{} did not appear", path.display());
}

fn place() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for folder in ["etc/cron.d", "home/eve"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    fs::write(root.path().join("etc/passwd"), "root:x:0:0\n").unwrap();
    root
}

#[track_caller]
fn check(event: &Event, action: &str, path: &Path) {
    assert_eq!(event.text(f::EVENT_ACTION), Some(action));
    assert_eq!(event.text(f::FILE_PATH), path.to_str());
}

#[test]
fn changes_are_told_at_once_and_only_those_that_matter() {
    let root = place();
    let at = |path: &str| root.path().join(path);
    let rig = Rig::start(root.path(), Duration::from_hours(1));
    // The first look is the baseline.
    wait_for(&at("baseline.json"));
    fs::write(at("etc/hosts"), "not watched").unwrap();
    fs::write(at("etc/cron.d/job"), "* * * * * root x").unwrap();
    let event = rig.next();
    check(&event, "file_creation", &at("etc/cron.d/job"));
    assert_eq!(event.text(f::FILE_HASH).map(str::len), Some(64));
    fs::write(at("etc/passwd+"), "root:x:0:0\neve:x:0:0\n").unwrap();
    fs::rename(at("etc/passwd+"), at("etc/passwd")).unwrap();
    let event = rig.next();
    check(&event, "file_change", &at("etc/passwd"));
    assert!(event.text(f::EVENT_REASON).unwrap().contains("content"));
    fs::set_permissions(at("etc/passwd"), fs::Permissions::from_mode(0o666)).unwrap();
    let event = rig.next();
    assert_eq!((event.text(f::EVENT_REASON), event.text(f::FILE_MODE)), (Some("mode"), Some("0666")));
    fs::create_dir(at("home/eve/.ssh")).unwrap();
    fs::write(at("home/eve/.ssh/keys"), "ssh-ed25519 A").unwrap();
    check(&rig.next(), "file_creation", &at("home/eve/.ssh/keys"));
    fs::remove_file(at("etc/cron.d/job")).unwrap();
    check(&rig.next(), "file_deletion", &at("etc/cron.d/job"));
    rig.end();
}

#[test]
fn what_changes_between_two_lives_is_told_in_the_second() {
    let root = place();
    let rig = Rig::start(root.path(), Duration::from_hours(1));
    wait_for(&root.path().join("baseline.json"));
    rig.end();
    fs::write(root.path().join("etc/passwd"), "eve:x:0:0\n").unwrap();
    let rig = Rig::start(root.path(), Duration::from_hours(1));
    check(&rig.next(), "file_change", &root.path().join("etc/passwd"));
    rig.end();
    let rig = Rig::start(root.path(), Duration::from_hours(1));
    rig.end();
}
