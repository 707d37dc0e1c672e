//! Records and what others read in them, where they are at hand: fields and joined events are held
//! against theirs, so that our own examples are not the only ones we pass.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value as Json;
use watchpost_model::Value;

use super::*;

fn data(path: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let file = std::env::var_os("WATCHPOST_TEST_DATA").map_or_else(beside, PathBuf::from).join(path);
    if file.exists() {
        return Some(file);
    }
    println!("SKIPPED: no test data at {path}; set WATCHPOST_TEST_DATA");
    None
}

fn read(path: &str) -> Option<Json> {
    Some(serde_json::from_slice(&std::fs::read(data(path)?).unwrap()).unwrap())
}

fn list<'a>(json: &'a Json, pointer: &str) -> &'a [Json] {
    json.pointer(pointer).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

fn join(lines: &[Json]) -> Vec<Event> {
    let mut joiner = Joiner::default();
    let records = lines.iter().filter_map(|line| Record::parse(line.as_str()?));
    let mut events: Vec<Event> = records.flat_map(|record| joiner.take(record, Timestamp::EPOCH)).collect();
    events.extend(joiner.finish());
    events
}

/// Right and wrong answers, the wrong ones printed.
#[derive(Default)]
struct Tally {
    right: u32,
    wrong: u32,
}

impl Tally {
    fn check(&mut self, case: &str, what: &str, ours: &str, theirs: &str) {
        if ours == theirs {
            self.right += 1;
        } else {
            self.wrong += 1;
            println!("{case}: {what}: ours {ours:?}, theirs {theirs:?}");
        }
    }

    fn finish(self, least: f64) {
        println!("right {}, wrong {}", self.right, self.wrong);
        assert!(self.right > 0);
        assert!(f64::from(self.right) / f64::from(self.right + self.wrong) >= least);
    }
}

/// Names that they give to what the kernel calls otherwise, or make from several values.
fn is_theirs_alone(key: &str, value: &str) -> bool {
    key.starts_with("subj_")
        || key.starts_with("obj_")
        || key.starts_with("socket_")
        || matches!(key, "result" | "arch" | "syscall" | "sig" | "exit")
        || value == "unset"
}

#[test]
fn pairs_agree_with_another_reader() {
    let Some(all) = read("logs/auditd/golibaudit_expected.json") else { return };
    let mut tally = Tally::default();
    for case in list(&all, "/parse") {
        for (line, expected) in list(case, "/raw").iter().zip(list(case, "/expected")) {
            let Some(record) = line.as_str().and_then(Record::parse) else {
                tally.check(text(case, "/case"), "record", "none", line.as_str().unwrap_or_default());
                continue;
            };
            tally.check(&record.raw, "type", &record.kind.to_lowercase(), text(expected, "/record_type"));
            let Some(pairs) = expected.pointer("/data").and_then(Json::as_object) else { continue };
            for (key, value) in pairs {
                let value = value.as_str().unwrap_or_default();
                if !is_theirs_alone(key, value) {
                    tally.check(&record.raw, key, record.get(key).unwrap_or_default(), value);
                }
            }
        }
    }
    tally.finish(0.98);
}

#[test]
fn joined_events_agree_with_another_reader() {
    let Some(all) = read("logs/auditd/golibaudit_expected.json") else { return };
    let mut tally = Tally::default();
    for case in list(&all, "/coalesce") {
        let (name, expected) = (text(case, "/case"), case.pointer("/expected").unwrap());
        let events = join(list(case, "/raw"));
        tally.check(name, "events", &events.len().to_string(), "1");
        let Some(event) = events.first() else { continue };
        let ours = event.to_json();
        let pid = ours.pointer("/process/pid").map(Json::to_string).unwrap_or_default();
        tally.check(name, "pid", &pid, text(expected, "/process/pid"));
        for (what, at) in [
            ("/process/exe", "/process/executable"),
            ("/process/name", "/process/name"),
            ("/process/cwd", "/process/working_directory"),
            ("/process/title", "/process/command_line"),
            ("/source/ip", "/source/ip"),
        ] {
            if !text(expected, what).is_empty() {
                tally.check(name, what, text(&ours, at), text(expected, what));
            }
        }
        let result = if text(expected, "/result") == "success" { "success" } else { "failure" };
        tally.check(name, "result", text(&ours, "/event/outcome"), result);
        let tags = list(expected, "/tags").iter().filter_map(Json::as_str).collect::<Vec<_>>().join(",");
        let keys =
            event.record.get(watchpost_model::field::AUDIT_KEY).map(Value::to_string).unwrap_or_default();
        tally.check(name, "keys", &keys.replace(", ", ","), &tags);
        let categories = list(expected, "/ecs/event/category");
        let category = text(&ours, "/event/category");
        let agreed = categories.iter().any(|theirs| theirs.as_str() == Some(category));
        tally.check(name, "category", if agreed { "" } else { category }, "");
    }
    tally.finish(0.95);
}

#[test]
fn arguments_agree_with_a_third_reader() {
    let Some(all) = read("logs/auditd/laurel_expected.json") else { return };
    let mut tally = Tally::default();
    for case in list(&all, "/cases") {
        let expected = case.pointer("/expected").unwrap();
        let serial = text(expected, "/ID").rsplit(':').next().unwrap_or_default();
        let events = join(list(case, "/raw"));
        let event = events.iter().find(|event| event.text(watchpost_model::field::EVENT_ID) == Some(serial));
        tally.check(text(case, "/case"), "event", if event.is_some() { "found" } else { "none" }, "found");
        let Some(Value::List(ours)) =
            event.and_then(|event| event.record.get(watchpost_model::field::PROCESS_ARGS))
        else {
            continue;
        };
        let ours: Vec<String> = ours.iter().map(Value::to_string).collect();
        let theirs: Vec<&str> = list(expected, "/EXECVE/ARGV").iter().filter_map(Json::as_str).collect();
        tally.check(text(case, "/case"), "arguments", &ours.join("\n"), &theirs.join("\n"));
    }
    tally.finish(0.98);
}

#[test]
fn events_of_a_disordered_stream_are_those_of_the_ordered_one() {
    let Some(ordered) = data("logs/auditd/golibaudit_stream_normal.log") else { return };
    let Some(disordered) = data("logs/auditd/golibaudit_stream_out_of_order.log") else { return };
    let events = |path: PathBuf| -> BTreeMap<String, Vec<String>> {
        let lines: Vec<Json> = std::fs::read_to_string(path).unwrap().lines().map(Json::from).collect();
        let mut found = BTreeMap::new();
        for event in join(&lines) {
            let mut lines: Vec<String> = event
                .text(watchpost_model::field::EVENT_ORIGINAL)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect();
            lines.sort();
            let id = event.text(watchpost_model::field::EVENT_ID).unwrap().to_owned();
            assert!(found.insert(id, lines).is_none(), "an event was told in parts");
        }
        found
    };
    assert_eq!(events(ordered), events(disordered));
}
