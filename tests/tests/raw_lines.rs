//! The public rule corpus over raw lines: what our own parsers make of Sysmon in wrapped syslog,
//! audit records and access logs must wake exactly the rules that independent engines found on the
//! fields which others read from the same lines.
//!
//! Sysmon and web lines are compared line by line. Audit records are compared by the event or file
//! that they belong to, since our events join the records that theirs keep apart.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panic, and counts must be seen"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use watchpost_agent::parse::{Format, Line, Reader, Reference};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Timestamp};
use watchpost_rules::{Detector, RuleSet, Subject, pack};
use watchpost_tests::{skipped, test_data};

type Ids = BTreeSet<String>;

/// The corpus, unpacked and loaded.
fn corpus(data: &Path) -> RuleSet {
    let home = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    let mut tar = tar.arg("-x").arg("-C").arg(home.path()).stdin(Stdio::piped()).spawn().unwrap();
    let archive = std::fs::File::open(data.join("sigma/sigmahq-rules.tar.zst")).unwrap();
    let mut plain = zstd::stream::read::Decoder::new(archive).unwrap();
    std::io::copy(&mut plain, tar.stdin.as_mut().unwrap()).unwrap();
    tar.stdin.take().unwrap().flush().unwrap();
    assert!(tar.wait().unwrap().success());
    RuleSet::load(&pack::read_paths(&[home.path().to_path_buf()]).0)
}

fn read(path: &Path) -> Json {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn list<'j>(json: &'j Json, key: &str) -> impl Iterator<Item = &'j Json> {
    json.get(key).and_then(Json::as_array).into_iter().flatten()
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

/// What engines found, by file of fields: id of the line and rules.
struct Found {
    rows: BTreeMap<String, Vec<(String, Ids)>>,
    undecided: Ids,
}

impl Found {
    fn load(data: &Path) -> Self {
        let json = read(&data.join("sigma/reference-matches.json"));
        let row = |row: &Json| (text(&row["id"]), list(row, "match").map(text).collect());
        let files = json["expected"].as_object().unwrap().iter();
        let rows =
            files.map(|(file, rows)| (file.clone(), rows.as_array().unwrap().iter().map(row).collect()));
        Self { rows: rows.collect(), undecided: list(&json, "undecided_rules").map(text).collect() }
    }
}

struct Bench {
    data: std::path::PathBuf,
    theirs: Found,
    detector: Detector,
}

impl Bench {
    fn ready(test: &str) -> Option<Self> {
        let Some(data) = test_data() else {
            skipped(test, "the external test data is not there");
            return None;
        };
        let detector = Detector::new(&corpus(&data));
        Some(Self { theirs: Found::load(&data), detector, data })
    }

    /// The rules that these lines wake, and which of them by words sought anywhere in the event:
    /// those the engines behind the reference look for in fewer places than the language says.
    fn ours(&mut self, format: Format, lines: &[String]) -> (Ids, Ids) {
        let reference = Reference { now: Timestamp::EPOCH, zone: jiff::tz::TimeZone::UTC };
        let mut reader = Reader::new(format);
        let mut events: Vec<Event> = Vec::new();
        for line in lines {
            events.extend(reader.take(Line { text: line, cut: false }, &reference));
        }
        events.extend(reader.finish());
        let (mut all, mut by_words) = (Ids::new(), Ids::new());
        for event in &events {
            let at = EventRef { frame: 0, index: 0 };
            for finding in self.detector.observe(&Subject::Typed(event), at, event.time) {
                let id = finding.rule.meta.id.clone();
                if finding.matched.iter().any(|field| field.field == "keywords") {
                    by_words.insert(id.clone());
                }
                all.insert(id);
            }
        }
        all.retain(|id| !self.theirs.undecided.contains(id));
        (all, by_words)
    }

    /// Compares, and prints and counts what differs.
    fn compare(&mut self, format: Format, cases: Vec<(String, Vec<String>, Ids)>) {
        assert!(!cases.is_empty(), "there are lines to compare");
        let (mut wrong, mut pairs, total) = (Vec::new(), 0, cases.len());
        for (name, lines, theirs) in cases {
            let theirs: Ids = theirs.difference(&self.theirs.undecided).cloned().collect();
            let (ours, by_words) = self.ours(format, &lines);
            let ours: Ids =
                ours.into_iter().filter(|id| theirs.contains(id) || !by_words.contains(id)).collect();
            pairs += theirs.len();
            if ours != theirs {
                let missing: Vec<_> = theirs.difference(&ours).collect();
                let extra: Vec<_> = ours.difference(&theirs).collect();
                wrong.push(format!("{name}: missing {missing:?}, extra {extra:?}"));
            }
        }
        println!("{} of {total} as others found them, {pairs} matches", total - wrong.len());
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

fn lines_of(path: &Path) -> Vec<String> {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).lines().map(str::to_owned).collect()
}

/// `file:7` into the file and 7.
fn numbered(id: &str) -> (&str, usize) {
    let (name, number) = id.rsplit_once(':').unwrap();
    (name, number.parse().unwrap())
}

#[test]
fn sysmon_for_linux_in_wrapped_syslog_wakes_the_rules_that_others_found() {
    let Some(mut bench) = Bench::ready("raw_lines: sysmon") else { return };
    let folder = bench.data.join("logs/incident_log4shell");
    let file = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let file = file.into_iter().find(|path| path.to_string_lossy().contains("sysmon")).unwrap();
    let lines = lines_of(&file);
    let rows = bench.theirs.rows["sysmon_linux.ndjson"].clone();
    let case = |(id, theirs): (String, Ids)| {
        let line = lines[numbered(&id).1].clone();
        (id, vec![line], theirs)
    };
    bench.compare(Format::Structured, rows.into_iter().map(case).collect());
}

#[test]
fn access_logs_wake_the_rules_that_others_found() {
    let Some(mut bench) = Bench::ready("raw_lines: web") else { return };
    let rows = bench.theirs.rows["web.ndjson"].clone();
    let case = |(id, theirs): (String, Ids)| {
        let (file, line) = numbered(&id);
        let line = lines_of(&bench.data.join(file))[line - 1].clone();
        (id, vec![line], theirs)
    };
    let cases = rows.into_iter().map(case).collect();
    bench.compare(Format::Web, cases);
}

/// The lines of a case by the name that the reference gives it.
fn audit_lines(data: &Path, name: &str) -> Option<Vec<String>> {
    let logs = data.join("logs");
    let of = |json: &Json, key: &str, case: &str, lines: &str| {
        let found = list(json, key).find(|row| row["case"] == case)?;
        Some(list(found, lines).map(text).collect::<Vec<_>>())
    };
    let (group, rest) = name.split_once('/')?;
    if group == "crowdsec" {
        return Some(lines_of(&logs.join("crowdsec").join(format!("{rest}.log"))));
    }
    if group != "auditd" {
        return None;
    }
    if let Some(case) = rest.strip_prefix("golibaudit_expected/") {
        let json = read(&logs.join("auditd/golibaudit_expected.json"));
        return of(&json, "parse", case, "raw").or_else(|| of(&json, "coalesce", case, "raw"));
    }
    if let Some(case) = rest.strip_prefix("laurel_expected/") {
        return of(&read(&logs.join("auditd/laurel_expected.json")), "cases", case, "raw");
    }
    Some(lines_of(&logs.join(name)))
}

#[test]
fn audit_records_wake_the_rules_that_others_found() {
    let Some(mut bench) = Bench::ready("raw_lines: auditd") else { return };
    let mut theirs: BTreeMap<String, Ids> = BTreeMap::new();
    for (id, rules) in &bench.theirs.rows["auditd.ndjson"] {
        let name = id.strip_prefix("auditd:").and_then(|id| Some(id.rsplit_once(':')?.0)).unwrap();
        theirs.entry(name.to_owned()).or_default().extend(rules.iter().cloned());
    }
    let of = |(name, theirs): (String, Ids)| Some((name.clone(), audit_lines(&bench.data, &name)?, theirs));
    let cases: Vec<_> = theirs.into_iter().filter_map(of).collect();
    bench.compare(Format::Audit, cases);
}
