//! Leaky buckets of another detector, written as Sigma correlations: for every log whose format we
//! read, an alert for each source that it names and for none else; and what our own rules make of
//! the same attacks.
//!
//! The base rules (`base/`) are ours; capacity, speed, grouping and distinct values come from the
//! case. How a bucket becomes correlations says [`bucket`]. What we do not read is listed, with
//! the reason, and never counted as passed. Needs the external test data; skips loudly without.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod bucket;
mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bucket::Bucket;
use log::Read;
use serde_json::Value as Json;
use watchpost_model::alert::Severity;
use watchpost_rules::{RuleSet, shipped::shipped};

/// What became of one case.
enum Verdict {
    /// Every source told and none else.
    Passed,
    /// Something missing or too much.
    Failed(String),
    /// We can not judge it, and why.
    Unsupported(String),
}

fn text<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

fn rows<'a>(json: &'a Json, pointer: &str) -> &'a [Json] {
    json.pointer(pointer).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// `crowd/ssh-bf` is the scenario `ssh-bf`.
fn scenario(alert: &Json) -> &str {
    let name = text(alert, "/scenario");
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

/// Sources that a list of alerts names, addresses in one spelling.
fn sources<'a>(alerts: impl Iterator<Item = &'a Json>) -> BTreeSet<String> {
    let names = alerts.flat_map(|alert| rows(alert, "/sources")).filter_map(Json::as_str);
    names.map(log::one_spelling).collect()
}

/// Alerts of a case by scenario.
fn by_scenario(case: &Json) -> BTreeMap<&str, Vec<&Json>> {
    let mut groups: BTreeMap<&str, Vec<&Json>> = BTreeMap::new();
    for alert in rows(case, "/alerts") {
        groups.entry(scenario(alert)).or_default().push(alert);
    }
    groups
}

fn judge(data: &Path, case: &Json) -> Verdict {
    let read = match Read::open(data, case) {
        Ok(read) => read,
        Err(why) => return Verdict::Unsupported(why),
    };
    let mut wrong = Vec::new();
    for (name, alerts) in by_scenario(case) {
        let bucket = match Bucket::of(name, &alerts, read.events.len()) {
            Ok(bucket) => bucket,
            Err(why) => return Verdict::Unsupported(format!("{name}: {why}")),
        };
        let (told, wanted) = (bucket.told(&read.events), sources(alerts.into_iter()));
        if told != wanted {
            wrong.push(format!("{name}: wanted {wanted:?}, told {told:?}"));
        }
    }
    if wrong.is_empty() { Verdict::Passed } else { Verdict::Failed(wrong.join("; ")) }
}

/// Cases that name at least one source.
fn cases(all: &Json) -> Vec<&Json> {
    rows(all, "/cases").iter().filter(|case| !rows(case, "/alerts").is_empty()).collect()
}

fn expected(test: &str) -> Option<(std::path::PathBuf, Json)> {
    let folder = watchpost_tests::test_data().map(|data| data.join("logs"));
    let file = folder.as_ref().map(|folder| folder.join("crowdsec/expected.json"));
    match (folder, file.and_then(|file| std::fs::read(file).ok())) {
        (Some(folder), Some(bytes)) => Some((folder, serde_json::from_slice(&bytes).unwrap())),
        _ => {
            watchpost_tests::skipped(test, "logs/crowdsec is not there; set WATCHPOST_TEST_DATA");
            None
        }
    }
}

#[test]
fn every_bucket_over_a_log_we_read_tells_its_sources_and_no_others() {
    let Some((data, all)) = expected("buckets as correlations") else { return };
    let (mut passed, mut failed, mut unsupported) = (0, Vec::new(), Vec::new());
    for case in cases(&all) {
        let name = format!("{} ({})", text(case, "/case"), text(case, "/log_type"));
        match judge(&data, case) {
            Verdict::Passed => {
                println!("passed       {name}");
                passed += 1;
            }
            Verdict::Failed(why) => failed.push(format!("{name}: {why}")),
            Verdict::Unsupported(why) => unsupported.push(format!("unsupported  {name}: {why}")),
        }
    }
    println!("{}", unsupported.join("\n"));
    println!("passed {passed}, failed {}, unsupported {}", failed.len(), unsupported.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(passed >= bucket::LEAST_PASSED, "only {passed} cases are supported");
}

/// Sources that our own rules tell of, at any level but informational.
fn told_by_ours(read: &Read, set: &RuleSet) -> BTreeMap<String, BTreeSet<String>> {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (finding, event) in read.findings(set) {
        if finding.rule.severity >= Severity::Low {
            for source in log::values(event, &finding) {
                told.entry(source).or_default().insert(finding.rule.meta.name.clone());
            }
        }
    }
    told
}

#[test]
fn shipped_rules_tell_of_most_sources_that_another_detector_tells_of() {
    let Some((data, all)) = expected("shipped rules over attack logs") else { return };
    let set = RuleSet::load(&shipped());
    let (mut wanted, mut found) = (0_usize, 0_usize);
    for case in cases(&all) {
        let Ok(read) = Read::open(&data, case) else { continue };
        let told = told_by_ours(&read, &set);
        for source in sources(rows(case, "/alerts").iter().filter(|alert| text(alert, "/scope") != "pid")) {
            wanted += 1;
            found += usize::from(told.contains_key(&source));
            let names = told.get(&source).map(|names| names.iter().cloned().collect::<Vec<_>>().join(", "));
            println!("{:30} {source:28} {}", text(case, "/case"), names.unwrap_or("MISSED".into()));
        }
    }
    println!("shipped rules tell of {found} of {wanted} sources");
    assert!(wanted > 0);
    assert!(found * 100 >= wanted * bucket::LEAST_SHARE, "{found} of {wanted}");
}
