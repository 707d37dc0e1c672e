//! Lines and verdicts of others, where they are at hand: what we call a failure is held against
//! what another tool calls one, so that our own examples are not the only ones we pass.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::*;

/// The folder of test data, unless it is absent.
fn data(path: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let file = std::env::var_os("WATCHPOST_TEST_DATA").map_or_else(beside, PathBuf::from).join(path);
    if file.exists() {
        return Some(file);
    }
    println!("SKIPPED: no test data at {path}; set WATCHPOST_TEST_DATA");
    None
}

fn text<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

/// Our failures against theirs: right, too many, missed.
fn compare(filter: &Json, format: Format) -> (u32, u32, u32) {
    let entries = filter.pointer("/entries").and_then(Json::as_array).unwrap();
    let wanted = |entry: &Json| entry.pointer("/expect/match").and_then(Json::as_bool);
    let mut verdicts: HashMap<&str, HashSet<Option<bool>>> = HashMap::new();
    for entry in entries {
        verdicts.entry(text(entry, "/line").trim()).or_default().insert(wanted(entry));
    }
    let reference = Reference { now: Timestamp::parse("2026-11-23T00:00:00Z").unwrap(), zone: TimeZone::UTC };
    let mut reader = Reader::new(format);
    let mut failed: HashSet<&str> = HashSet::new();
    for entry in entries {
        let line = text(entry, "/line");
        let event = reader.read(Line { text: line, cut: false }, &reference).event;
        if event.text(f::EVENT_OUTCOME) == Some("failure") {
            failed.insert(line.trim());
        }
    }
    let (mut right, mut many, mut missed) = (0, 0, 0);
    for entry in entries {
        let line = text(entry, "/line").trim();
        let undecided = verdicts.get(line).is_none_or(|found| found.len() != 1);
        match (wanted(entry), failed.contains(line)) {
            (Some(true), true) if !undecided => right += 1,
            (Some(true), false) if !undecided => missed += 1,
            (Some(false), true) if !undecided => many += 1,
            _ => {}
        }
    }
    (right, many, missed)
}

#[test]
fn failures_of_ssh_and_pam_agree_with_another_tools_verdicts() {
    let Some(file) = data("logs/fail2ban/expected.json") else { return };
    let all: Json = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let (mut right, mut many, mut missed) = (0, 0, 0);
    for filter in all.pointer("/filters").and_then(Json::as_array).unwrap() {
        let format = match text(filter, "/filter") {
            "sshd" | "sshd-journal" => Format::Syslog,
            "pam-generic" => Format::Pam,
            _ => continue,
        };
        let found = compare(filter, format);
        (right, many, missed) = (right + found.0, many + found.1, missed + found.2);
    }
    println!("right {right}, too many {many}, missed {missed}");
    assert!(right > 0);
    assert!(f64::from(right) / f64::from(right + many) >= 0.98, "precision: {many} too many of {right}");
    assert!(f64::from(right) / f64::from(right + missed) >= 0.95, "recall: {missed} missed of {right}");
}
