//! Findings of `detect` are the same, in the same order, whatever the number of workers, and whether
//! the input is packed, piped or cut into several files.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

/// A rule, silent by itself, and one that counts it; and one that speaks for itself.
const RULES: &str = "
title: Login failed
name: failed
id: 6f0f6f2e-93a5-4f3a-9d43-3a2a9b6f7c01
status: test
logsource: {category: test}
detection:
  it: {outcome: failure}
  condition: it
level: low
---
title: Many logins failed
id: 6f0f6f2e-93a5-4f3a-9d43-3a2a9b6f7c02
status: test
correlation:
  type: event_count
  rules: [failed]
  group-by: [source]
  timespan: 1m
  condition: {gte: 20}
level: high
---
title: Odd name
id: 6f0f6f2e-93a5-4f3a-9d43-3a2a9b6f7c03
status: test
logsource: {category: test}
detection:
  it: {name|endswith: '77'}
  condition: it
level: medium
";

const EVENTS: usize = 20_000;

fn events() -> String {
    let mut text = String::new();
    for number in 0..EVENTS {
        let outcome = if number % 3 == 0 { "failure" } else { "success" };
        let (minute, second) = (number / 600 % 60, number / 10 % 60);
        writeln!(
            text,
            "{{\"timestamp\":\"2026-01-01T00:{minute:02}:{second:02}Z\",\"outcome\":\"{outcome}\",\
             \"source\":\"192.0.2.{}\",\"name\":\"n{number}\",\"padding\":\"{:>60}\"}}",
            number % 7,
            number
        )
        .unwrap();
    }
    text
}

fn detect(folder: &std::path::Path, arguments: &[&str], input: Option<&[u8]>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    command.args(["detect", "--logsource", "category=test", "--input", "ndjson", "--rules"]);
    command.arg(folder.join("rules.yml")).args(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = input.unwrap_or_default().to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    let _ = feeder.join();
    output
}

#[test]
fn findings_do_not_depend_on_threads_packing_or_pipes() {
    let home = tempfile::tempdir().unwrap();
    let text = events();
    std::fs::write(home.path().join("rules.yml"), RULES).unwrap();
    let plain = home.path().join("events.ndjson");
    std::fs::write(&plain, &text).unwrap();
    let packed = home.path().join("events.ndjson.zst");
    std::fs::write(&packed, zstd::bulk::compress(text.as_bytes(), 1).unwrap()).unwrap();
    let (plain, packed) = (plain.to_string_lossy().into_owned(), packed.to_string_lossy().into_owned());
    let one = detect(home.path(), &["--threads", "1", "--read", &plain], None);
    assert_eq!(one.status.code(), Some(1));
    let rows: Vec<Json> = String::from_utf8_lossy(&one.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = |level: &str| rows.iter().filter(|row| row["rule"]["level"] == level).count();
    assert_eq!(count("medium"), EVENTS / 100, "one name of a hundred ends so");
    assert!(count("high") > 0 && count("low") == 0, "what is only counted stays silent");
    let indexes: Vec<u64> = rows.iter().filter_map(|row| row["event"]["index"].as_u64()).collect();
    assert!(indexes.is_sorted(), "in the order of the input");
    for (arguments, input) in [
        (vec!["--threads", "2", "--read", &plain], None),
        (vec!["--threads", "7", "--read", &plain], None),
        (vec!["--threads", "3", "--read", &packed], None),
        (vec!["--read", "-"], Some(text.as_bytes())),
    ] {
        let other = detect(home.path(), &arguments, input);
        assert!(other.stdout == one.stdout, "{arguments:?}: {}", String::from_utf8_lossy(&other.stderr));
    }
    let words = String::from_utf8_lossy(&one.stderr);
    assert!(words.contains(&format!("{EVENTS} events, 0 unreadable")), "{words}");
}

#[test]
fn a_reader_that_goes_away_ends_the_search() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("rules.yml"), RULES.replace("20}", "1}")).unwrap();
    let plain = home.path().join("events.ndjson");
    std::fs::write(&plain, events()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    command.args(["detect", "--logsource", "category=test", "--threads", "2", "--rules"]);
    command.arg(home.path().join("rules.yml")).arg("--read").arg(&plain);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().code().is_some(), "it ends by itself");
}
