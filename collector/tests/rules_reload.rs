//! The real program, told by a signal to read its rules again.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const RULE: &str =
    "title: Own\nid: own\nlogsource: {category: dns}\ndetection: {s: {query: x}, condition: s}\n";

/// Ends the program with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost-collector"));
    command.arg("--config").arg(folder.join("collector.toml"));
    command.env_remove("WATCHPOST_LOG").env_remove("WATCHPOST_COLLECTOR_CONFIG");
    command
}

/// What `rules status` says; nothing while the collector is not there yet.
fn status(folder: &Path) -> Option<String> {
    // Before it runs, asking would open its data directory.
    folder.join("data/admin.sock").exists().then_some(())?;
    let output = program(folder).args(["rules", "status"]).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Asks again until the answer is as wanted, for at most a minute.
#[track_caller]
fn until(folder: &Path, what: &str, wanted: impl Fn(&str) -> bool) -> String {
    for _ in 0..600 {
        if let Some(said) = status(folder).filter(|said| wanted(said)) {
            return said;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("waited in vain for: {what}");
}

#[test]
fn a_hangup_reads_the_rules_again_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rule = folder.join("own.yml");
    std::fs::write(&rule, RULE).unwrap();
    let settings = format!(
        "data_dir = {:?}\nlisten = \"127.0.0.1:0\"\n[rules]\nshipped = false\npaths = [{:?}]\n[rules.placeholders]\nhosts = [\"x\"]\n",
        folder.join("data"),
        rule
    );
    std::fs::write(folder.join("collector.toml"), settings).unwrap();
    let child = program(folder).arg("run").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = Running(child);
    let hangup = || {
        let sent = Command::new("kill").args(["-HUP", &running.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    let first = until(folder, "the first rules", |said| said.contains("1 rules loaded"));

    std::fs::write(&rule, RULE.replace("query: x", "query|expand: '%hosts%'")).unwrap();
    hangup();
    let second = until(folder, "the new rules", |said| said.lines().next() != first.lines().next());
    assert!(second.contains("1 rules loaded, 0 blind, 0 rejected"), "{second}");

    std::fs::write(&rule, "title: [").unwrap();
    hangup();
    let third = until(folder, "the refusal", |said| said.contains("refused because of"));
    assert_eq!(third.lines().next(), second.lines().next(), "the last good rules stay");
    assert!(third.contains("own.yml"), "{third}");
}
