//! A recorded break-in, seen by four sensors: capture, connections by program, Sysmon and audit.
//! Agent and collector run with the public rule corpus beside our own rules; what the four saw must
//! stand in ONE incident whose steps are in the order of what happened.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use watchpost_tests::patience::eventually;
use watchpost_tests::site::Site;
use watchpost_tests::{program, skipped, test_data};

/// Bytes of rules that are unpacked at most.
const MOST_RULES: u64 = 256 * 1_024 * 1_024;

/// Rules of the public corpus that independent engines found in the recording.
fn given(data: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(data.join("sigma/reference-matches.json")).unwrap();
    let json: Json = serde_json::from_str(&text).unwrap();
    let rows = json["expected"]["sysmon_linux.ndjson"].as_array().unwrap();
    let matches = rows.iter().flat_map(|row| row["match"].as_array().unwrap());
    matches.map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Unpacks an archive of rules.
fn unpack(archive: &Path, into: &Path) {
    std::fs::create_dir_all(into).unwrap();
    let plain = zstd::stream::read::Decoder::new(std::fs::File::open(archive).unwrap()).unwrap();
    let tar = into.join("rules.tar");
    std::io::copy(&mut plain.take(MOST_RULES), &mut std::fs::File::create(&tar).unwrap()).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(into).status().unwrap().success());
    std::fs::remove_file(tar).unwrap();
}

/// What each sensor saw, as files that an agent can follow.
fn sensors(data: &Path, home: &Path) -> Vec<PathBuf> {
    let flows = home.join("flows.json");
    let capture = data.join("pcap/attack/otrf_log4shell_jndi_reference.pcap");
    let mut read = Command::new(program::path("watchpost-agent"));
    read.args(["flows", "--read"]).arg(capture).stdout(std::fs::File::create(&flows).unwrap());
    assert!(read.stderr(Stdio::null()).status().unwrap().success());
    let mut files = vec![flows];
    for entry in std::fs::read_dir(data.join("logs/incident_log4shell")).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "json") && !path.ends_with("upstream_metadata.json") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// A folder of its own: the site's is made only after the collector has its rules.
fn rules(data: &Path) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    unpack(&data.join("sigma/sigmahq-rules.tar.zst"), home.path());
    home
}

fn rule(alert: &Json) -> &str {
    alert.pointer("/rule/id").and_then(Json::as_str).unwrap_or_default()
}

#[test]
fn a_recorded_break_in_is_one_incident_with_its_steps_in_order() {
    let Some(data) = test_data() else {
        return skipped("real_incident", "the external test data is not there");
    };
    let given = given(&data);
    assert_eq!(given.len(), 3, "four matches of three rules: one fires twice");
    let rules = rules(&data);
    let mut site = Site::configured(&format!("[rules]\npaths = [{:?}]\n", rules.path().to_string_lossy()));
    let mut configuration =
        "[capture]\nenabled = false\n[process]\nenabled = false\n[files]\nenabled = false\n\
         [logs]\njournald = \"off\"\nfrom = \"beginning\"\n"
            .to_owned();
    for (number, file) in sensors(&data, &site.path("")).iter().enumerate() {
        let path = file.to_string_lossy();
        writeln!(
            configuration,
            "[[logs.files]]\nname = \"sensor{number}\"\npath = {path:?}\nparser = \"json\""
        )
        .unwrap();
    }
    site.start_agent(&configuration);

    let steps = [
        "61ca5d5e-71b0-464a-8d81-91c2b7107227", // our own, on the capture: the lookup that began it,
        "b85bd515-47b4-4613-8119-ba16a0a282f9", // and the class that it made the server load
        "e2072cab-8c9a-459b-b63c-40ae79e27031", // the command is decoded
        "676381a6-15ca-4d73-a9c8-6a22e970b90d", // a shell starts and asks for its groups
        "83dcd9f6-9ca8-4af7-a16e-a1c7a6b51871", // and calls back
    ];
    assert!(given.iter().all(|id| steps.contains(&id.as_str())), "{given:?}");
    let alerts = eventually("every step raises its alert", || {
        let alerts = site.list(&["alerts"]);
        let found: BTreeSet<&str> = alerts.iter().map(rule).collect();
        let groups = alerts.iter().find(|alert| rule(alert) == steps[3])?;
        (steps.iter().all(|id| found.contains(id)) && groups["count"] == 2).then_some(alerts)
    });
    let incidents = site.list(&["incidents"]);
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let incident = &incidents[0];
    let place = |id: &str| {
        let alert = alerts.iter().find(|alert| rule(alert) == id).unwrap();
        assert_eq!(alert["incident"], incident["id"], "{id}");
        incident["alerts"].as_array().unwrap().iter().position(|had| *had == alert["id"]).unwrap()
    };
    let places = steps.map(place);
    assert!(places.is_sorted(), "in the order of what happened: {places:?}");
    assert_eq!(incident["severity"], "critical");
    // Who sent the lookup, not the server that was made to call back.
    let lookup = alerts.iter().find(|alert| rule(alert) == steps[0]).unwrap();
    assert_eq!(incident["attacker"]["ip"], lookup["attacker"]["ip"]);
    let stages: Vec<&str> = incident["stages"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
    assert_eq!(stages.first(), Some(&"initial_access"), "{stages:?}");
}
