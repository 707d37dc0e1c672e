//! Detection is killed with -9 in mid-stream, again and again, and finds what it would have found.
//!
//! One agent's batches go to two collectors: logins guessed over a minute, the guessed password at
//! last used, ports swept slowly. One collector runs undisturbed; the other is killed while batches
//! pour in, right after a start, and between two checkpoints of its windows, so that it has to read
//! them back and replay. In the end both tell the same alerts: rule, group, reasons, counts,
//! evidence, times.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::cell::Cell;
use std::io::{BufReader, Cursor};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value as Json;
use watchpost_agent::clock;
use watchpost_agent::commands::logs;
use watchpost_collector::state::{self, Memory, State as _, Table};
use watchpost_model::event::{Event, Flow, Side};
use watchpost_model::wire::{self, Batch};
use watchpost_model::{Timestamp, field};
use watchpost_tests::patience::eventually;
use watchpost_tests::site::Site;
use watchpost_tests::wire_client::WireClient;

/// Addresses that guess, each a password every five seconds; some guess right in the end.
const GUESSERS: u8 = 16;
const GUESSES: u8 = 12;

/// Addresses that sweep a port a second.
const SWEEPERS: u8 = 8;
const PORTS: u16 = 45;

/// One, so that the stream is long: between two checkpoints some hundred batches may be sent.
const BATCH_EVENTS: usize = 1;

/// Batches poured while the collector is killed among them, and how many of them it takes before.
const POURED: usize = 40;
const BEFORE: usize = 12;

/// A line of the system log as our parser reads it.
fn line(at: Timestamp, text: &str) -> Event {
    let mut events = Vec::new();
    let text = format!("{at} web01 {text}\n");
    let mut keep = |event: Event| {
        events.push(event);
        Ok(())
    };
    logs::each_from("auth", Cursor::new(text), Path::new("auth.log"), &mut keep).unwrap();
    let event = events.pop().unwrap();
    assert_eq!(event.time, at, "{}", event.to_json());
    assert!(event.text(field::EVENT_OUTCOME).is_some(), "{}", event.to_json());
    event
}

fn seconds(number: impl Into<u64>) -> Duration {
    Duration::from_secs(number.into())
}

/// One address that guesses for a minute. Every fourth gives up too early to be told of, and every
/// fourth gets in.
fn guesser(number: u8, begin: Timestamp) -> Vec<Event> {
    let begin = begin.plus(seconds(2 * number));
    let source = Ipv4Addr::new(203, 0, 113, 10 + number);
    let tried = if number % 4 == 3 { 5 } else { GUESSES };
    let failed = |nth: u8| {
        let text = format!(
            "sshd[{}]: Failed password for root from {source} port {} ssh2",
            2000 + u32::from(nth),
            40_000 + u32::from(nth)
        );
        line(begin.plus(seconds(5 * nth)), &text)
    };
    let mut events: Vec<Event> = (0..tried).map(failed).collect();
    if number.is_multiple_of(4) {
        let text = format!("sshd[2100]: Accepted password for root from {source} port 41999 ssh2");
        events.push(line(begin.plus(seconds(5 * tried + 2)), &text));
    }
    events
}

/// One address that tries ports of one host; every fourth too few.
fn sweeper(number: u8, begin: Timestamp) -> Vec<Event> {
    let begin = begin.plus(seconds(6 * number));
    let source = IpAddr::from([198, 51, 100, 10 + number]);
    let ports = if number % 4 == 3 { 20 } else { PORTS };
    let tried = |nth: u16| {
        let at = begin.plus(seconds(nth));
        Event::from(Flow {
            start: at,
            end: at,
            source: (source, 50_000 + nth),
            destination: (IpAddr::from([192, 0, 2, 7]), 1_000 + 7 * nth),
            transport: "tcp",
            protocol_number: 6,
            sent: Side { packets: 1, bytes: 60, payload: 0 },
            received: Side::default(),
            community_id: "",
            state: "S0",
            reason: "end",
        })
    };
    (0..ports).map(tried).collect()
}

/// The batches of the stream, ready to be sent, and how many events they hold.
fn batches() -> (Vec<Vec<u8>>, u64) {
    let begin = Timestamp::from_parts(clock::now().as_seconds(), 0).minus(seconds(100_u64));
    let guessed = (0..GUESSERS).flat_map(|number| guesser(number, begin));
    let mut events: Vec<Event> =
        guessed.chain((0..SWEEPERS).flat_map(|number| sweeper(number, begin))).collect();
    events.sort_by_key(|event| event.time);
    let pack = |(nth, events): (u64, &[Event])| {
        let first_event = nth * u64::try_from(BATCH_EVENTS).unwrap() + 1;
        let batch = Batch {
            epoch: 7,
            sequence: nth + 1,
            first_event,
            host: "web01".into(),
            events: events.to_vec(),
            ..Batch::default()
        };
        wire::pack(&batch).unwrap()
    };
    ((0..).zip(events.chunks(BATCH_EVENTS)).map(pack).collect(), u64::try_from(events.len()).unwrap())
}

/// A collector, and how far the stream to it has come.
struct Fed<'b> {
    site: Site,
    client: WireClient,
    batches: &'b [Vec<u8>],
    taken: AtomicUsize,
    looked: Cell<u32>,
}

/// What a start would go on from.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    /// The last frame that detection is done with.
    cursor: u64,
    /// The frame that the saved windows stand for.
    windows: u64,
}

/// Sends batches in order up to `upto`, each again and again until it is taken.
fn send(client: &WireClient, batches: &[Vec<u8>], taken: &AtomicUsize, upto: usize) {
    for batch in &batches[taken.load(Ordering::SeqCst)..upto] {
        eventually("the batch is taken", || {
            let answer = client.post("/v1/batches", batch.clone()).ok()?;
            (answer.status == 200).then_some(())
        });
        taken.fetch_add(1, Ordering::SeqCst);
    }
}

impl<'b> Fed<'b> {
    fn new(batches: &'b [Vec<u8>]) -> Self {
        let site = Site::here();
        site.enroll("");
        let client = WireClient::of_agent(&site.path("agent"), &site.address());
        Self { site, client, batches, taken: AtomicUsize::new(0), looked: Cell::new(0) }
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    fn send(&self, some: usize) {
        let upto = self.taken().saturating_add(some).min(self.batches.len());
        send(&self.client, self.batches, &self.taken, upto);
    }

    /// What the running collector has committed, out of a backup.
    fn kept(&self) -> Kept {
        let nth = self.looked.replace(self.looked.get() + 1);
        let folder = self.site.path(&format!("backup-{nth}"));
        let made = self.site.administer(&["backup", folder.to_str().unwrap()]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let copy = Memory::default();
        let export = std::fs::File::open(folder.join("state.ndjson")).unwrap();
        state::import(&copy, &mut BufReader::new(export)).unwrap();
        let read = |key: &str| -> Option<Json> {
            serde_json::from_slice(&copy.get(Table::Meta, key.as_bytes()).unwrap()?).ok()
        };
        let frame = |json: Option<Json>| json.and_then(|json| json.as_u64()).unwrap_or_default();
        Kept {
            cursor: frame(read("detect.cursor")),
            windows: frame(read("detect.windows").map(|head| head[0].clone())),
        }
    }

    /// Waits until detection is done with all that was taken.
    fn settled(&self) -> Kept {
        eventually("detection is done with what came", || {
            let (taken, kept) = (u64::try_from(self.taken()).unwrap(), self.kept());
            (kept.cursor == taken).then_some(kept)
        })
    }

    /// Kills the collector in mid-stream, and starts it again.
    fn kill(&mut self) {
        self.site.collector.kill();
        assert!(self.taken() < self.batches.len(), "the kill fell in mid-stream");
        self.site.restart_collector();
    }

    /// Kills the collector while batches pour in.
    fn kill_under_load(&mut self) {
        let (from, client, batches, taken) = (self.taken(), &self.client, self.batches, &self.taken);
        let (site, upto) = (&mut self.site, (from + POURED).min(batches.len()));
        std::thread::scope(|scope| {
            let pouring = scope.spawn(move || send(client, batches, taken, upto));
            eventually("some batches are taken", || {
                (taken.load(Ordering::SeqCst) >= from + BEFORE).then_some(())
            });
            site.collector.kill();
            assert!(taken.load(Ordering::SeqCst) < upto, "the kill fell among the batches");
            site.restart_collector();
            pouring.join().unwrap();
        });
    }

    /// Sends on, slowly, until a later checkpoint of the windows than the first one after a start has
    /// been written.
    fn checkpoint(&self) -> Kept {
        self.send(1);
        let first = self.settled();
        eventually("the windows are saved again", || {
            self.send(1);
            Some(self.settled()).filter(|kept| kept.windows > first.windows)
        })
    }

    /// Everything told of in the end, but for what differs from one installation to the next.
    fn told(&self) -> Vec<String> {
        let host = self.site.list(&["hosts"]).pop().unwrap();
        let agent = host["agent"].as_str().unwrap().to_owned();
        let plain = |mut alert: Json| {
            let fields = alert.as_object_mut().unwrap();
            for own in ["id", "agent", "incident", "raised"] {
                fields.remove(own).unwrap();
            }
            alert.to_string().replace(&agent, "the agent")
        };
        let mut told: Vec<String> =
            self.site.list(&["alerts", "--limit", "1000"]).into_iter().map(plain).collect();
        told.sort();
        told
    }

    /// What a stage of the collector has let pass and lost.
    fn ledger(&self, stage: &str) -> (u64, u64) {
        let host = self.site.list(&["hosts"]).pop().unwrap();
        let entry =
            host["ledger"].as_array().unwrap().iter().find(|entry| entry["stage"] == stage).unwrap().clone();
        (entry["passed"].as_u64().unwrap(), entry["lost"].as_u64().unwrap())
    }
}

/// Alerts of a rule.
fn of<'t>(told: &'t [String], rule: &str) -> Vec<&'t String> {
    told.iter().filter(|alert| alert.contains(&format!("{rule:?}"))).collect()
}

#[test]
fn a_collector_killed_in_mid_stream_finds_what_an_undisturbed_one_finds() {
    let (batches, events) = batches();
    let calm = Fed::new(&batches);
    calm.send(usize::MAX);
    calm.settled();
    let wanted = calm.told();

    let mut killed = Fed::new(&batches);
    killed.send(9);
    killed.kill();
    killed.kill_under_load();
    // Between two checkpoints: some frames stand behind the saved windows.
    killed.checkpoint();
    killed.send(3);
    let kept = killed.settled();
    assert!(kept.windows > 0 && kept.windows < kept.cursor, "frames must be replayed: {kept:?}");
    killed.kill();
    // Before anything new has come.
    killed.send(1);
    killed.kill();
    killed.kill_under_load();
    // Right on a checkpoint.
    killed.checkpoint();
    killed.kill();
    killed.kill_under_load();
    let at = killed.taken();
    killed.send(usize::MAX);
    killed.settled();
    let found = killed.told();

    println!(
        "{events} events in {} batches; 7 kills, the last near batch {at}; {} alerts",
        batches.len(),
        found.len()
    );
    assert_eq!(found, wanted);
    for stage in ["journal", "detect"] {
        assert_eq!(killed.ledger(stage), (events, 0), "{stage}");
    }
    let guessers = usize::from(GUESSERS);
    assert_eq!(of(&found, "SSH brute force from one source").len(), guessers * 3 / 4);
    assert_eq!(of(&found, "SSH login succeeded after brute force from the same source").len(), guessers / 4);
    assert_eq!(of(&found, "Port scan of one host").len(), usize::from(SWEEPERS) * 3 / 4);
}
