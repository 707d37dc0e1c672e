//! The first promise: nothing acknowledged is lost, nothing is counted twice. Collector and agent
//! are killed with -9, five times each, while lines pour in; in the end every line is in the journal
//! exactly once, and the counts of both ends agree.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use watchpost_collector::journal::{Journal, Settings};
use watchpost_model::{Value, field, wire};
use watchpost_tests::patience::{eventually, within};
use watchpost_tests::site::Site;

/// Lines per second: the pace that the promise names is 2,000.
const PACE: u32 = 2_500;
const KILLS: u32 = 5;

/// Lines that must have reached the spool between two kills, so that each falls in mid-stream.
const BETWEEN: u64 = 4_000;

/// Longest pouring: bounds the log if something hangs.
const MOST_SECONDS: u32 = 180;

/// Writes numbered lines at the pace, from a thread of its own, until told to stop.
fn pour(log: PathBuf, enough: Arc<AtomicBool>) -> JoinHandle<u32> {
    std::thread::spawn(move || {
        let mut file = File::options().create(true).append(true).open(log).unwrap();
        let per_step = PACE / 50;
        let mut steps = 0;
        while steps < MOST_SECONDS * 50 && !enough.load(Ordering::Relaxed) {
            let mut text = String::new();
            for line in 0..per_step {
                let number = steps * per_step + line;
                text.push_str(&format!("Nov 23 10:00:00 web01 app[7]: request number {number}\n"));
            }
            file.write_all(text.as_bytes()).unwrap();
            steps += 1;
            // The pace itself, not a wait for something.
            std::thread::sleep(Duration::from_millis(20));
        }
        steps * per_step
    })
}

/// What the running agent tells of itself.
fn status(site: &Site) -> Option<serde_json::Value> {
    serde_json::from_slice(&std::fs::read(site.path("agent/status.json")).ok()?).ok()
}

/// Waits until the agent has spooled so many events more than `before`; says how many there are.
fn goes_on(site: &Site, before: u64) -> u64 {
    eventually("the stream goes on", || {
        let appended = status(site)?.pointer("/spool/appended")?.as_u64()?;
        (appended >= before + BETWEEN).then_some(appended)
    })
}

struct Found {
    numbers: Vec<u32>,
    events: u64,
    in_order: bool,
}

/// Everything in the journal, read when the collector is down.
fn read_journal(site: &Site) -> Found {
    let (journal, recovery) = Journal::open(site.path("collector/journal"), &Settings::default()).unwrap();
    assert_eq!(recovery.damaged, 0, "no frame is damaged");
    let mut found = Found { numbers: Vec::new(), events: 0, in_order: true };
    let mut next = 1;
    for frame in journal.reader().iter_from(1) {
        let frame = frame.unwrap();
        let batch = wire::unpack(&frame.payload).unwrap();
        found.in_order &= batch.first_event == next;
        next = batch.first_event + u64::try_from(batch.events.len()).unwrap();
        found.events += u64::try_from(batch.events.len()).unwrap();
        for event in &batch.events {
            let message = event.record.get(field::MESSAGE).and_then(Value::as_text).unwrap_or_default();
            if let Some(number) = message.strip_prefix("request number ") {
                found.numbers.push(number.parse().unwrap());
            }
        }
    }
    found
}

#[test]
fn no_line_is_lost_or_doubled_when_both_ends_are_killed_under_load() {
    let mut site = Site::here();
    let log = site.path("app.log");
    File::create(&log).unwrap();
    site.start_agent(&format!(
        "[capture]\nenabled = false\n[process]\nenabled = false\n[logs]\njournald = \"off\"\nfrom = \"beginning\"\n\
         [[logs.files]]\nname = \"app\"\npath = {:?}\nparser = \"syslog\"\n",
        log.to_string_lossy()
    ));
    let enough = Arc::new(AtomicBool::new(false));
    let pouring = pour(log, Arc::clone(&enough));
    let mut spooled = 0;
    for _ in 0..KILLS {
        spooled = goes_on(&site, spooled);
        site.collector.kill();
        // The agent goes on alone for a while, then has a backlog to send again.
        spooled = goes_on(&site, spooled);
        site.restart_collector();
        spooled = goes_on(&site, spooled);
        site.agent.as_mut().unwrap().kill();
        site.restart_agent();
    }
    assert!(!pouring.is_finished(), "every kill fell in mid-stream");
    enough.store(true, Ordering::Relaxed);
    let written = pouring.join().unwrap();

    within(Duration::from_secs(120), "every line has been shipped", || {
        let status = status(&site)?;
        let lines = u64::from(written);
        let journal = site.list(&["hosts"]).first()?.pointer("/ledger")?.clone();
        let passed = |stage: &str| {
            let entry = journal.as_array()?.iter().find(|entry| entry["stage"] == stage)?.clone();
            entry["passed"].as_u64()
        };
        let waiting = status.pointer("/spool/batches")?.as_u64()?;
        (waiting == 0 && passed("journal")? >= lines && passed("detect")? >= lines).then_some(())
    });
    let ended = site.agent.as_mut().unwrap().terminate();
    assert!(ended.is_some_and(|status| status.success()), "the agent ends in order");
    let appended =
        eventually("the agent's last count", || status(&site)?.pointer("/spool/appended")?.as_u64());
    // The agent's last batches are in the collector's hands before it goes down.
    let hosts = eventually("the collector has counted the last batch", || {
        let hosts = site.list(&["hosts"]);
        let entries = hosts.first()?.pointer("/ledger")?.as_array()?.clone();
        let journal = entries.iter().find(|entry| entry["stage"] == "journal")?;
        (journal["passed"].as_u64()? == appended).then(|| entries.clone())
    });
    site.collector.terminate();

    let mut found = read_journal(&site);
    assert!(found.in_order, "event numbers follow each other without a gap");
    assert_eq!(found.numbers.len(), usize::try_from(written).unwrap(), "as many lines as were written");
    found.numbers.sort_unstable();
    found.numbers.dedup();
    assert_eq!(found.numbers.len(), usize::try_from(written).unwrap(), "no line twice");
    assert_eq!(found.numbers.last().copied(), Some(written - 1));
    println!("{written} lines, each once");
    assert_eq!(found.events, appended, "the agent's count of spooled events is the journal's");
    for entry in hosts {
        assert_eq!(entry["lost"], 0, "nothing was lost at {}", entry["stage"]);
    }
}
