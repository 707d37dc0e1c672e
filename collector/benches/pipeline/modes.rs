//! What is measured, mode by mode.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use watchpost_collector::clock;
use watchpost_collector::config::{RuleSettings, Settings};
use watchpost_collector::journal::Journal;
use watchpost_collector::pipeline::Rules as _;
use watchpost_collector::run::{self, Handle};

use crate::direct::{Site, caught_up};
use crate::measure::{self, Spans};
use crate::network::{self, Line, Sent};
use crate::supply::Supply;
use crate::traffic::Source;
use crate::{Wanted, supply};

fn make(wanted: &Wanted, directory: &Path) -> Arc<Supply> {
    let agents = 0..wanted.agents;
    let supply = Supply::make(directory, agents, wanted.events, wanted.size, clock::now());
    println!(
        "{} events of {} agents in batches of {}, {:.0} bytes an event packed",
        supply.events,
        wanted.agents,
        wanted.size,
        supply.bytes as f64 / supply.events as f64
    );
    Arc::new(supply)
}

/// Says rate, price and memory of `events` events.
fn say(events: u64, span: Duration, cpu: f64, threads: &[(String, f64)]) {
    let millions = events as f64 / 1e6;
    println!(
        "  {:.0} events/s over {:.2} s; {:.2} CPU s per million events; {:.1} cores busy",
        events as f64 / span.as_secs_f64(),
        span.as_secs_f64(),
        cpu / millions,
        cpu / span.as_secs_f64()
    );
    let by: Vec<String> =
        threads.iter().map(|(name, used)| format!("{name} {:.2}", used / millions)).collect();
    println!("  of it by thread: {}", by.join(", "));
    println!("  memory {:.0} MiB now, {:.0} MiB at most", measure::memory("VmRSS"), measure::memory("VmHWM"));
}

pub(crate) fn direct(wanted: &Wanted, directory: &Path) {
    let supply = make(wanted, directory);
    let rules = wanted.ruleset();
    println!("rules: {}", rules.counts().loaded);
    let mut site = Site::open(directory, rules);
    let desk = site.detect();
    measure::forget_peak();
    let (threads, cpu, begun) = (measure::threads(), measure::cpu(), clock::monotonic());
    let mut poured = site.pour(&supply, None);
    let behind = desk.journal.last().saturating_sub(desk.detected());
    let lag = caught_up(&desk);
    let span = begun.elapsed();
    println!(
        "direct: all acknowledged after {:.2} s, detection then {behind} batches behind, done {:.2} s later",
        poured.span.as_secs_f64(),
        lag.as_secs_f64()
    );
    say(supply.events, span, measure::cpu() - cpu, &measure::since(&threads));
    println!("  acknowledgement {}", poured.acks.say());
    outcome(&desk);
    site.close();
}

fn outcome(desk: &watchpost_collector::pipeline::Desk) {
    let overview = desk.overview(clock::now());
    println!(
        "  open alerts {:?}, incidents {}, hosts {}, lost {}, warnings {:?}",
        overview.open, overview.incidents, overview.online, overview.lost, overview.warnings
    );
    for top in &overview.top_rules {
        println!("    {top:?}");
    }
}

fn running(wanted: &Wanted, directory: &Path) -> (Handle, String) {
    let settings = Settings {
        data_dir: directory.join("data"),
        listen: ([127, 0, 0, 1], 0).into(),
        rules: RuleSettings { paths: wanted.rule_paths(), ..RuleSettings::default() },
        ..Settings::default()
    };
    let handle = run::start(&settings).unwrap();
    let ca = std::fs::read_to_string(settings.data_dir.join("ca.crt")).unwrap();
    (handle, ca)
}

/// Shares agents out to threads; each thread sends for its own.
fn clients(
    agents: Vec<Line>,
    threads: usize,
    next: impl Fn(usize, usize) -> Option<(Vec<u8>, Option<Instant>)> + Sync,
) -> (Spans, f64) {
    let mut shares: Vec<Vec<(usize, Line)>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, agent) in agents.into_iter().enumerate() {
        shares[number % threads].push((number, agent));
    }
    let (mut spans, mut cpu) = (Spans::default(), 0.0);
    std::thread::scope(|scope| {
        let next = &next;
        let senders: Vec<_> =
            shares.into_iter().map(|share| scope.spawn(move || network::send(share, next))).collect();
        for sender in senders {
            let Sent { acks, cpu: used } = sender.join().unwrap();
            spans.0.extend(acks);
            cpu += used;
        }
    });
    (spans, cpu)
}

pub(crate) fn network(wanted: &Wanted, directory: &Path) {
    let supply = make(wanted, directory);
    let (handle, ca) = running(wanted, directory);
    let agents = network::agents(&handle, &ca, wanted.agents);
    measure::forget_peak();
    let (threads, cpu, begun) = (measure::threads(), measure::cpu(), clock::monotonic());
    let rounds = supply.rounds();
    let (mut acks, of_clients) = clients(agents, wanted.clients, |agent, round| {
        (round < rounds).then(|| (supply.batch(agent, round), None))
    });
    let poured = begun.elapsed();
    let behind = handle.journal.last().saturating_sub(handle.desk.detected());
    let lag = caught_up(&handle.desk);
    let span = begun.elapsed();
    println!(
        "network: {} connections on {} client threads, all acknowledged after {:.2} s, detection then {behind} \
         batches behind, done {:.2} s later; the clients' own {:.2} CPU s per million are taken off",
        wanted.agents,
        wanted.clients,
        poured.as_secs_f64(),
        lag.as_secs_f64(),
        of_clients / supply.events as f64 * 1e6,
    );
    say(supply.events, span, measure::cpu() - cpu - of_clients, &measure::since(&threads));
    println!("  acknowledgement {}", acks.say());
    outcome(&handle.desk);
    handle.stop();
}

/// Marks stand in events as addresses of 240.0.0.0/8, one for each moment.
fn mark(number: u32) -> IpAddr {
    std::net::Ipv4Addr::from_bits(0xf000_0000 + number).into()
}

pub(crate) fn pace(wanted: &Wanted, directory: &Path) {
    let (handle, ca) = running(wanted, directory);
    let agents = network::agents(&handle, &ca, wanted.agents);
    let rounds = (wanted.rate * wanted.seconds).div_ceil(wanted.agents * wanted.size) as usize;
    let every = Duration::from_secs_f64((wanted.agents * wanted.size) as f64 / wanted.rate as f64);
    let sources: Vec<Mutex<Source>> = (0..wanted.agents)
        .map(|number| Mutex::new(Source::new(supply::agent(number), number, clock::now())))
        .collect();
    let sent: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let told = listen(&handle, Arc::clone(&sent));
    measure::forget_peak();
    let (threads, cpu, begun) = (measure::threads(), measure::cpu(), clock::monotonic());
    let (mut acks, of_clients) = clients(agents, wanted.clients, |agent, round| {
        (round < rounds).then(|| {
            let share = agent as f64 / wanted.agents as f64;
            let at = begun + every.mul_f64(round as f64 + share);
            let mut source = sources[agent].lock().unwrap();
            let mut events = source.events(wanted.size);
            if (agent + round) % 20 == 0 {
                let from = mark((round * sources.len() + agent) as u32);
                for event in events.iter_mut().take(40) {
                    *event = source.login(event.time, "root", from, false);
                }
                sent.lock().unwrap().insert(from.to_string(), at);
            }
            (source.pack(events), Some(at))
        })
    });
    let span = begun.elapsed();
    caught_up(&handle.desk);
    let events = rounds as u64 * wanted.agents * wanted.size;
    println!("pace: {} events/s wanted for {} s, made while they were sent", wanted.rate, wanted.seconds);
    say(events, span, measure::cpu() - cpu - of_clients, &measure::since(&threads));
    println!("  acknowledgement {}", acks.say());
    std::thread::sleep(Duration::from_millis(500));
    let marks = sent.lock().unwrap().len();
    let mut told = told.lock().unwrap();
    println!("  of {marks} marked attacks {} were told; sent to told {}", told.0.len(), told.say());
    drop(told);
    handle.stop();
}

/// Hears the live stream: how long after its sending each marked attack was first told.
fn listen(handle: &Handle, sent: Arc<Mutex<HashMap<String, Instant>>>) -> Arc<Mutex<Spans>> {
    let told: Arc<Mutex<Spans>> = Arc::default();
    let mut reader = handle.desk.hub.subscribe();
    let hearing = Arc::clone(&told);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut seen = std::collections::HashSet::new();
        while let Some(message) = runtime.block_on(reader.next()) {
            let alert: serde_json::Value = serde_json::from_str(&message.json).unwrap();
            let ip = find_ip(&alert).unwrap_or_default();
            if let Some(at) = sent.lock().unwrap().get(&ip).copied()
                && message.name == "alert"
                && seen.insert(ip)
            {
                hearing.lock().unwrap().0.push(clock::monotonic().saturating_duration_since(at));
            }
        }
    });
    told
}

/// The marked address that a message names.
fn find_ip(json: &serde_json::Value) -> Option<String> {
    match json {
        serde_json::Value::String(text) if text.starts_with("240.") => Some(text.clone()),
        serde_json::Value::Object(map) => map.values().find_map(find_ip),
        serde_json::Value::Array(items) => items.iter().find_map(find_ip),
        _ => None,
    }
}

pub(crate) fn backlog(wanted: &Wanted, directory: &Path) {
    let supply = make(wanted, directory);
    let mut site = Site::open(directory, wanted.ruleset());
    let poured = site.pour(&supply, None);
    println!(
        "backlog: {} events journaled in {:.2} s with detection off",
        supply.events,
        poured.span.as_secs_f64()
    );
    let later = directory.join("later");
    std::fs::create_dir(&later).unwrap();
    // Hosts of their own: a batch that repeats a sequence would be recognised and dropped.
    let others = wanted.agents..wanted.agents * 2;
    let fresh = Supply::make(&later, others, wanted.rate * wanted.seconds, wanted.size, clock::now());
    let fresh = Arc::new(fresh);
    measure::forget_peak();
    let (threads, cpu, begun) = (measure::threads(), measure::cpu(), clock::monotonic());
    let desk = site.detect();
    let waiting = desk.overview(clock::now()).backlog;
    let goal = desk.journal.last();
    std::thread::scope(|scope| {
        let pouring = scope.spawn(|| site.pour(&fresh, Some(wanted.rate)));
        while desk.detected() < goal {
            std::thread::sleep(Duration::from_millis(5));
        }
        let old = begun.elapsed();
        println!("  backlog shown {waiting}; dealt with after {:.2} s", old.as_secs_f64());
        let mut poured = pouring.join().unwrap();
        println!(
            "  meanwhile {} events a second came in: acknowledgement {}",
            wanted.rate,
            poured.acks.say()
        );
    });
    let lag = caught_up(&desk);
    println!("  level {:.2} s after the last batch", lag.as_secs_f64());
    let events = supply.events + fresh.events;
    say(events, begun.elapsed(), measure::cpu() - cpu, &measure::since(&threads));
    outcome(&desk);
    site.close();
}

pub(crate) fn start(wanted: &Wanted, directory: &Path) {
    let supply = make(wanted, directory);
    let site = Site::open(directory, wanted.ruleset());
    site.pour(&supply, None);
    site.close();
    drop(supply);
    for _ in 0..2 {
        let before = measure::memory("VmRSS");
        let (cpu, begun) = (measure::cpu(), clock::monotonic());
        let (journal, recovery) =
            Journal::open(directory.join("data/journal"), &Settings::default().journal()).unwrap();
        println!(
            "start: {} frames, {:.1} MiB of journal opened in {:.0} ms ({:.0} ms CPU), {:.1} MiB more memory",
            recovery.frames,
            journal.reader().bytes() as f64 / 1024.0 / 1024.0,
            begun.elapsed().as_secs_f64() * 1e3,
            (measure::cpu() - cpu) * 1e3,
            measure::memory("VmRSS") - before
        );
    }
}
