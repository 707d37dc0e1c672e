//! Windows event logs of the public test data: each wakes the rule that it was recorded for, all
//! samples can be read, and damage costs what is damaged alone.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use watchpost_dashboards::compose::detect::evtx::{Found, decode};
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, RuleSet, Subject, pack};
use watchpost_tests::{skipped, test_data};

/// Bytes before the first chunk, and of a chunk.
const HEADER: usize = 4_096;
const CHUNK: usize = 65_536;

fn unpacked(archive: &Path) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    let mut tar = tar.arg("-x").arg("-C").arg(home.path()).stdin(Stdio::piped()).spawn().unwrap();
    let mut plain = zstd::stream::read::Decoder::new(std::fs::File::open(archive).unwrap()).unwrap();
    std::io::copy(&mut plain, tar.stdin.as_mut().unwrap()).unwrap();
    tar.stdin.take().unwrap().flush().unwrap();
    assert!(tar.wait().unwrap().success());
    home
}

/// Every event log below a folder.
fn logs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            logs(&path, found);
        } else if path.extension().is_some_and(|end| end == "evtx") {
            found.push(path);
        }
    }
    found.sort();
}

/// Records of a log, and what can not be read.
fn records(bytes: &[u8]) -> (Vec<Json>, Vec<String>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let chunks = bytes.get(HEADER..).unwrap_or_default().chunks(CHUNK);
    for (chunk, number) in chunks.zip(0..).filter(|(chunk, _)| chunk.iter().any(|byte| *byte != 0)) {
        decode(chunk.to_vec(), number, &mut |found| match found {
            Found::Record(json) => good.push(json),
            Found::Unreadable(reason) | Found::Odd(reason) => bad.push(reason),
        });
    }
    (good, bad)
}

#[test]
fn each_recorded_log_wakes_the_rule_that_it_was_recorded_for() {
    let Some(data) = test_data() else {
        return skipped("event_logs: rules", "the external test data is not there");
    };
    let corpus = unpacked(&data.join("sigma/sigmahq-rules.tar.zst"));
    let mut detector = Detector::new(&RuleSet::load(&pack::read_paths(&[corpus.path().to_path_buf()]).0));
    let home = unpacked(&data.join("sigma/regression-evtx.tar.zst"));
    let mut found = Vec::new();
    logs(home.path(), &mut found);
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let paths: BTreeMap<String, PathBuf> = found.into_iter().map(|path| (name(&path), path)).collect();
    let (mut total, mut silent) = (0, Vec::new());
    for line in std::fs::read_to_string(data.join("sigma/regression.jsonl")).unwrap().lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let ids: BTreeSet<&str> =
            case["rule_ids"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
        for log in case["evtx"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            let Some(path) = paths.get(log.rsplit('/').next().unwrap()) else { continue };
            total += 1;
            let (events, bad) = records(&std::fs::read(path).unwrap());
            let mut fires = |json: &Json| {
                let subject = Subject::Foreign { json, logsource: None };
                let at = EventRef { frame: 0, index: 0 };
                let found = detector.observe(&subject, at, Timestamp::EPOCH);
                found.iter().any(|finding| ids.contains(finding.rule.meta.id.as_str()))
            };
            if !bad.is_empty() || !events.iter().any(&mut fires) {
                silent.push(format!("{log}: {} events, {bad:?}", events.len()));
            }
        }
    }
    println!("{} of {total} logs wake their rule", total - silent.len());
    assert!(total > 0 && silent.is_empty(), "{silent:#?}");
}

#[test]
fn every_sample_is_read_to_its_end() {
    let Some(data) = test_data() else {
        return skipped("event_logs: samples", "the external test data is not there");
    };
    let home = unpacked(&data.join("evtx/evtx-attack-samples.tar.zst"));
    let mut found = Vec::new();
    logs(home.path(), &mut found);
    let mut events = 0;
    for path in &found {
        let (good, bad) = records(&std::fs::read(path).unwrap());
        assert!(!good.is_empty() && bad.is_empty(), "{}: {} events, {bad:?}", path.display(), good.len());
        assert!(good.iter().all(|json| json.pointer("/Event/System/EventID").is_some()));
        events += good.len();
    }
    println!("{events} events of {} logs", found.len());
}

#[test]
fn damage_costs_what_is_damaged_alone_and_is_named() {
    let Some(data) = test_data() else {
        return skipped("event_logs: damage", "the external test data is not there");
    };
    let home = unpacked(&data.join("evtx/evtx-attack-samples.tar.zst"));
    let mut found = Vec::new();
    logs(home.path(), &mut found);
    let all = found.iter().map(|path| std::fs::read(path).unwrap());
    let whole = all.max_by_key(|bytes| records(bytes).0.len()).unwrap();
    let count = records(&whole).0.len();
    assert!(count > 3, "a log with several records");
    // The second record loses its mark: it alone is lost.
    let mark = [0x2a, 0x2a, 0, 0];
    let places: Vec<usize> =
        whole.windows(4).zip(0..).filter(|(four, _)| *four == mark).map(|at| at.1).collect();
    let mut scratched = whole.clone();
    scratched[places[1]..places[1] + 4].fill(0xff);
    let (good, bad) = records(&scratched);
    assert_eq!(good.len(), count - 1, "{bad:?}");
    assert!(bad.iter().any(|reason| reason.contains("chunk 0")), "{bad:?}");
    // The chunk loses its mark: all of its records are lost, and that is said.
    let mut headless = whole.clone();
    headless[HEADER..HEADER + 8].fill(0);
    let (good, bad) = records(&headless);
    assert!(good.len() < count && !bad.is_empty());
    // Every single flipped byte of the first records leaves the program standing.
    for at in (HEADER..HEADER + 6_000).step_by(7) {
        let mut flipped = whole.get(..HEADER + CHUNK).unwrap().to_vec();
        flipped[at] ^= 0x55;
        let _ = records(&flipped);
    }
    // Cut off in the middle of the chunk: what stands before the cut is read.
    let (good, bad) = records(&whole[..places[2] + 8]);
    assert!(good.len() >= 2 && bad.iter().any(|reason| reason.contains("cut off")), "{} {bad:?}", good.len());
}
