//! Bad input through the real programs: cut and wrong files, junk in logs, wrong rules and
//! configurations, hostile batches, strangers at the door. Each gives a clear error or a counted
//! problem, with the exit code that scripts lean on, and disturbs nothing else: the collector goes
//! on serving, the agent goes on shipping, and no event that was good is lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod batches;
mod files;
mod followed;
mod peers;
mod settings;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use watchpost_collector::journal::{Journal, Settings};
use watchpost_model::event::{Event, Kind};
use watchpost_model::wire::{self, Batch};
use watchpost_model::{Timestamp, Value, field};
use watchpost_tests::patience::eventually;
use watchpost_tests::program::{self, Program};
use watchpost_tests::site::Site;

/// What a program said, and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn rows(&self) -> Vec<Json> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Fails unless the program ended with `code` and every word stands on stderr.
    #[track_caller]
    fn expect(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not said: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

fn say(name: &str, arguments: &[&str]) -> Said {
    let output = Command::new(program::path(name)).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn scenario(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An agent that follows one log and does nothing else.
fn only_log(path: &Path, parser: &str) -> String {
    format!(
        "[capture]\nenabled = false\n[process]\nenabled = false\n[logs]\njournald = \"off\"\n\
         from = \"beginning\"\n[[logs.files]]\nname = \"watched\"\npath = {:?}\nparser = {parser:?}\n",
        text(path)
    )
}

fn append(path: &Path, bytes: &[u8]) {
    File::options().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// What the running agent tells of itself.
fn status(site: &Site) -> Option<Json> {
    serde_json::from_slice(&fs::read(site.path("agent/status.json")).ok()?).ok()
}

/// Waits until the agent's link stands so, and gives the sentence that says why.
#[track_caller]
fn link_becomes(site: &Site, link: &str) -> String {
    eventually(&format!("the agent's link is {link}"), || {
        let status = status(site).filter(|status| status["shipping"]["link"] == link)?;
        Some(status["shipping"]["last_error"].as_str().unwrap_or_default().to_owned())
    })
}

#[track_caller]
fn line_arrives(site: &Site, words: &str) {
    eventually(&format!("the line {words:?} is in the journal"), || {
        (!site.list(&["hunt", words]).is_empty()).then_some(())
    });
}

/// Messages of the followed log in the journal, in order. Ends both programs first.
fn kept(site: &mut Site) -> Vec<String> {
    if let Some(agent) = &mut site.agent {
        agent.terminate();
    }
    site.collector.terminate();
    let (journal, recovery) = Journal::open(site.path("collector/journal"), &Settings::default()).unwrap();
    assert_eq!(recovery.damaged, 0, "no frame is damaged");
    let mut messages = Vec::new();
    for frame in journal.reader().iter_from(1) {
        for event in wire::unpack(&frame.unwrap().payload).unwrap().events {
            let of = |id| event.record.get(id).and_then(Value::as_text).unwrap_or_default().to_owned();
            // The notice that a file is read now has no place in the file.
            if of(field::LOG_SOURCE) == "watched" && event.record.get(field::LOG_OFFSET).is_some() {
                messages.push(of(field::MESSAGE));
            }
        }
    }
    messages
}

/// The most resident bytes that a program ever held.
fn peak(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// A good batch of one event, as nobody but a test would send it.
fn batch(sequence: u64) -> Vec<u8> {
    let mut event = Event::new(Kind::Log, Timestamp::from_millis(1_790_000_000_000));
    event.record.set(field::MESSAGE, format!("sent-by-hand-{sequence}"));
    let batch = Batch {
        epoch: 77,
        sequence,
        first_event: sequence,
        host: "hand".into(),
        events: vec![event],
        ..Batch::default()
    };
    wire::pack(&batch).unwrap()
}
