//! Scenarios: a folder each under `tests/scenarios/`, with an input, what must be found in it and
//! a README that says where it comes from. `watchpost detect` reads the input with the shipped
//! rules; the set of rules that fire must be exactly the one named.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use watchpost_tests::program;

/// Rules (by title) that fire on the input of one scenario.
fn fired(folder: &Path, scenario: &toml::Table) -> BTreeSet<String> {
    let text = |key: &str| scenario.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    let mut command = Command::new(program::path("watchpost"));
    command.arg("detect").arg("--read").arg(folder.join(text("read").unwrap()));
    for key in ["input", "source", "logsource"] {
        if let Some(value) = text(key) {
            command.arg(format!("--{key}")).arg(value);
        }
    }
    let output = command.output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let found: BTreeSet<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|json| json["rule"]["name"].as_str().unwrap().to_owned())
        .collect();
    // 0 nothing found, 1 something found; a scenario with broken input names its own code.
    let usual = i64::from(!found.is_empty());
    let exit = scenario.get("exit").and_then(toml::Value::as_integer).unwrap_or(usual);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code().map(i64::from), Some(exit), "{}: {words}", folder.display());
    found
}

#[test]
fn every_scenario_finds_what_it_names_and_nothing_else() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(home).unwrap().flatten() {
        let folder = entry.path();
        let scenario: toml::Table =
            std::fs::read_to_string(folder.join("scenario.toml")).unwrap().parse().unwrap();
        assert!(folder.join("README.md").exists(), "{} says where it comes from", folder.display());
        let expected: BTreeSet<String> = scenario
            .get("expect")
            .and_then(|value| value.as_array())
            .unwrap()
            .iter()
            .map(|title| title.as_str().unwrap().to_owned())
            .collect();
        let found = fired(&folder, &scenario);
        if found != expected {
            wrong.push(format!("{}: expected {expected:?}, found {found:?}", folder.display()));
        }
        seen += 1;
    }
    assert!(seen > 0, "there are scenarios");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
