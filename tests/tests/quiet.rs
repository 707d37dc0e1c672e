//! What ordinary life makes of the shipped rules: harmless captures, flows and logs, all rules.
//!
//! Nothing of level high or critical, and at most one finding of level medium per thousand flows.
//! The captures are those of protocol decoders: applications of all kinds, and oddities. Needs the external test data; skips
//! loudly without. The counts per rule are printed (`--nocapture`).
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use watchpost_agent::commands::{flows, logs};
use watchpost_model::alert::Severity;
use watchpost_model::event::{Flow, Side};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Kind, Timestamp, field as f};
use watchpost_rules::{Detector, RuleSet, Subject, shipped::shipped};

/// What was seen and said so far.
#[derive(Default)]
struct Tally {
    inputs: usize,
    events: u64,
    flows: u64,
    told: BTreeMap<(Severity, String), Vec<String>>,
}

impl Tally {
    fn of(&self, least: Severity) -> usize {
        self.told.iter().filter(|((level, _), _)| *level >= least).map(|(_, told)| told.len()).sum()
    }

    /// The counts, a rule a line, the gravest first.
    fn table(&self) -> String {
        let rows = self.told.iter().rev().map(|((level, rule), told)| {
            format!("\n{:8} {:3}  {rule}: {}", level.name(), told.len(), told.first().unwrap())
        });
        format!(
            "{} inputs, {} events, {} flows{}",
            self.inputs,
            self.events,
            self.flows,
            rows.collect::<String>()
        )
    }
}

/// All rules over one input; windows begin anew with each.
struct Watch<'a> {
    name: String,
    detector: Detector,
    tally: &'a mut Tally,
}

impl<'a> Watch<'a> {
    fn new(name: &Path, set: &RuleSet, tally: &'a mut Tally) -> Self {
        tally.inputs += 1;
        let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, detector: Detector::new(set), tally }
    }

    fn see(&mut self, event: &Event) {
        let at = EventRef { frame: self.tally.events, index: 0 };
        self.tally.events += 1;
        self.tally.flows += u64::from(event.kind == Kind::Flow);
        for finding in self.detector.observe(&Subject::Typed(event), at, event.time) {
            let key = (finding.rule.severity, finding.rule.meta.name.clone());
            let why: Vec<_> =
                finding.matched.iter().map(|had| format!("{}={}", had.field, had.value)).collect();
            let why: String = format!("{}: {}", self.name, why.join(" ")).chars().take(240).collect();
            self.tally.told.entry(key).or_default().push(why);
        }
    }
}

fn captures(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let ordinary = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        [".pcap", ".pcapng", ".cap"].iter().any(|ending| name.ends_with(ending))
    };
    let mut paths: Vec<PathBuf> = entries.filter(ordinary).collect();
    paths.sort();
    paths
}

/// A compressed text as a file of its own, which our readers can open.
fn unpacked(path: &Path, folder: &Path) -> PathBuf {
    let target = folder.join(path.file_stem().unwrap());
    let mut packed = std::fs::File::open(path).unwrap();
    let mut reader = zstd::stream::read::Decoder::new(&mut packed).unwrap();
    std::io::copy(&mut reader, &mut std::fs::File::create(&target).unwrap()).unwrap();
    target
}

/// Zeek's word for Argus' flags of a TCP connection.
fn state(transport: &str, argus: &str) -> &'static str {
    let (from, to) = argus.split_once('_').unwrap_or((argus, ""));
    match (transport, from, to) {
        ("udp", ..) if argus == "CON" => "SF",
        ("tcp", from, "") if from.contains('S') => "S0",
        ("tcp", "S", "RA" | "R") => "REJ",
        ("tcp", _, to) if to.contains('R') => "RSTR",
        ("tcp", from, _) if from.contains('R') => "RSTO",
        ("tcp", from, to) if from.contains('S') && to.contains('S') => "SF",
        ("udp", ..) => "S0",
        _ => "OTH",
    }
}

/// One row of Argus' table of flows: begin, length, transport, source, port, way, destination,
/// port, state, two types of service, packets, bytes, bytes of the source.
fn argus(row: &str) -> Option<Event> {
    let column: Vec<&str> = row.split(',').collect();
    let at = |index: usize| column.get(index).map(|text| text.trim());
    let start = Timestamp::parse(&format!("{}Z", at(0)?.replace('/', "-").replacen(' ', "T", 1)))?;
    let end = start.plus(Duration::try_from_secs_f64(at(1)?.parse().ok()?).ok()?);
    let transport = at(2).filter(|name| ["tcp", "udp"].contains(name))?;
    let ends =
        |ip: usize, port: usize| Some((at(ip)?.parse::<IpAddr>().ok()?, at(port)?.parse::<u16>().ok()?));
    let number = |index: usize| at(index).and_then(|text| text.parse::<u64>().ok());
    let (all, sent) = (number(12)?, number(13)?);
    let mut event = Event::from(Flow {
        start,
        end,
        source: ends(3, 4)?,
        destination: ends(6, 7)?,
        transport,
        protocol_number: if transport == "tcp" { 6 } else { 17 },
        sent: Side { packets: number(11)? / 2, bytes: sent, payload: sent },
        received: Side { packets: number(11)? / 2, bytes: all - sent.min(all), payload: all - sent.min(all) },
        community_id: "",
        state: state(transport, at(8)?),
        reason: "end",
    });
    let inside = |ip: Option<(IpAddr, u16)>| matches!(ip, Some((IpAddr::V4(ip), _)) if ip.is_private());
    let direction = match (inside(ends(3, 4)), inside(ends(6, 7))) {
        (true, true) => "internal",
        (true, false) => "outbound",
        (false, true) => "inbound",
        (false, false) => "external",
    };
    event.record.set(f::NETWORK_DIRECTION, direction);
    Some(event)
}

fn see_captures(data: &Path, set: &RuleSet, tally: &mut Tally) {
    for path in ["pcap/zeek", "pcap/ndpi", "pcap/suricata", "pcap/ja4"]
        .iter()
        .flat_map(|folder| captures(&data.join(folder)))
    {
        let mut watch = Watch::new(&path, set, tally);
        let mut take = |event: Event| {
            watch.see(&event);
            Ok(())
        };
        // A capture that is cut on purpose still tells of its whole packets.
        let _ = flows::each(&path, &mut take);
    }
}

fn see_days(data: &Path, set: &RuleSet, tally: &mut Tally) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ctu_normal_7.binetflow.zst", "ctu_normal_dns_2015-03-24.binetflow.zst"] {
        let path = data.join("flows").join(name);
        if !path.exists() {
            watchpost_tests::skipped("harmless days", name);
            continue;
        }
        let text = std::fs::read_to_string(unpacked(&path, folder.path())).unwrap();
        let mut watch = Watch::new(&path, set, tally);
        let mut rows: Vec<Event> = text.lines().filter_map(argus).collect();
        rows.sort_by_key(|event| event.time);
        assert!(rows.len() > 500, "{name} is read");
        rows.iter().for_each(|event| watch.see(event));
    }
}

fn see_logs(data: &Path, set: &RuleSet, tally: &mut Tally) {
    let folder = tempfile::tempdir().unwrap();
    let entries = std::fs::read_dir(data.join("logs/benign")).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("apache_access") && name.ends_with(".zst") {
            let text = unpacked(&path, folder.path());
            let mut watch = Watch::new(&path, set, tally);
            let mut take = |event: Event| {
                watch.see(&event);
                Ok(())
            };
            logs::each("apache", &text, &mut take).unwrap();
        }
    }
}

fn data(test: &str) -> Option<PathBuf> {
    let data = watchpost_tests::test_data();
    if data.is_none() {
        watchpost_tests::skipped(test, "no test data; set WATCHPOST_TEST_DATA");
    }
    data
}

/// Findings of a level and above, one a line.
fn said(tally: &Tally, least: Severity) -> String {
    let loud = tally.told.iter().filter(|((level, _), _)| *level >= least);
    loud.map(|((_, rule), told)| format!("{rule}: {}", told.join("\n    "))).collect::<Vec<_>>().join("\n  ")
}

#[test]
fn harmless_traffic_raises_nothing_grave_and_little_else() {
    let Some(data) = data("harmless traffic") else { return };
    let set = RuleSet::load(&shipped());
    let mut tally = Tally::default();
    see_captures(&data, &set, &mut tally);
    see_days(&data, &set, &mut tally);
    println!("{}", tally.table());
    assert!(tally.flows > 1_000, "only {} flows were seen", tally.flows);
    assert_eq!(tally.of(Severity::High), 0, "grave on harmless traffic:\n  {}", said(&tally, Severity::High));
    let medium = u64::try_from(tally.of(Severity::Medium)).unwrap();
    assert!(
        medium * 1_000 <= tally.flows,
        "{medium} of level medium over {} flows:\n  {}",
        tally.flows,
        said(&tally, Severity::Medium)
    );
}

#[test]
fn an_ordinary_web_server_raises_nothing_above_low() {
    let Some(data) = data("an ordinary web server") else { return };
    let mut tally = Tally::default();
    see_logs(&data, &RuleSet::load(&shipped()), &mut tally);
    println!("{}", tally.table());
    assert_eq!(tally.of(Severity::Medium), 0, "{}", said(&tally, Severity::Medium));
}
