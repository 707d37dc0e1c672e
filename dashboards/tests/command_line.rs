//! The command line as scripts lean on it: what goes to stdout, and how each command ends.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::process::{Command, Output};

use serde_json::Value as Json;

fn watchpost(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
    // No profile of whoever runs the tests.
    command.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME").env_remove("XDG_STATE_HOME");
    command.args(arguments).output().unwrap()
}

fn json_lines(output: &Output) -> Vec<Json> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const RULE: &str = "title: Odd query\nid: 11111111-2222-4333-8444-555555555555\nstatus: test\n\
    logsource:\n  category: dns\ndetection:\n  name:\n    query|endswith: .bad.example\n  condition: name\nlevel: high\n";

/// A folder with a rule, and events of which the second matches.
fn case() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rule.yml"), RULE).unwrap();
    let event = |name: &str| {
        format!(
            "{{\"@timestamp\":\"2026-01-01T00:00:00Z\",\"event\":{{\"dataset\":\"dns\"}},\
             \"dns\":{{\"question\":{{\"name\":\"{name}\"}}}}}}\n"
        )
    };
    let events = format!("{}{}not json\n", event("good.example"), event("x.bad.example"));
    std::fs::write(folder.path().join("events.ndjson"), events).unwrap();
    folder
}

#[test]
fn detect_prints_one_object_a_match_and_ends_with_one() {
    let folder = case();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let output = watchpost(&["detect", "--rules", &path("rule.yml"), "--read", &path("events.ndjson")]);
    assert_eq!(output.status.code(), Some(1));
    let found = json_lines(&output);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["rule"]["id"], "11111111-2222-4333-8444-555555555555");
    assert_eq!(found[0]["rule"]["level"], "high");
    assert_eq!(found[0]["event"]["index"], 1);
    assert!(found[0]["fields"].to_string().contains("x.bad.example"));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("3 events, 1 unreadable, 1 matches"), "{words}");
}

#[test]
fn rules_check_tells_what_is_rejected_and_where() {
    let folder = case();
    std::fs::write(folder.path().join("broken.yml"), "title: [\n").unwrap();
    let output = watchpost(&["rules", "check", &folder.path().to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1));
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["loaded"], 1);
    assert!(report["rejected"][0]["file"].as_str().unwrap().ends_with("broken.yml"));
    assert!(!report["rejected"][0]["reason"].as_str().unwrap().is_empty());
    let shipped = watchpost(&["rules", "check"]);
    assert_eq!(shipped.status.code(), Some(0), "every shipped rule loads");
}

#[test]
fn rules_explain_says_which_part_fails() {
    let folder = case();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let output = watchpost(&["rules", "explain", &path("rule.yml"), "--event", &path("events.ndjson")]);
    // The last line is not JSON: said, with the file.
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("events.ndjson"));
    std::fs::write(
        folder.path().join("one.json"),
        std::fs::read_to_string(path("events.ndjson")).unwrap().lines().next().unwrap(),
    )
    .unwrap();
    let output = watchpost(&["rules", "explain", &path("rule.yml"), "--event", &path("one.json")]);
    assert_eq!(output.status.code(), Some(1), "it does not fire");
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(tree.contains(".bad.example") && tree.contains("good.example"), "{tree}");
}

#[test]
fn wrong_use_ends_with_two_and_a_broken_environment_with_three() {
    assert_eq!(watchpost(&["detect"]).status.code(), Some(2));
    assert_eq!(watchpost(&["no-such-command"]).status.code(), Some(2));
    assert_eq!(watchpost(&["detect", "--read", "/nonexistent/file.ndjson"]).status.code(), Some(3));
    assert_eq!(watchpost(&["detect", "--read", "/nonexistent/file.pcap"]).status.code(), Some(3));
    let lost = watchpost(&["alerts", "--collector", "127.0.0.1:1", "--identity", "/nonexistent/me.pem"]);
    assert_eq!(lost.status.code(), Some(3));
    let words = String::from_utf8_lossy(&lost.stderr);
    assert!(words.contains("/nonexistent/me.pem"), "{words}");
}

#[test]
fn a_file_of_which_nothing_can_be_read_is_no_clean_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "\nhello\nworld\n").unwrap();
    let output = watchpost(&["detect", "--read", &file.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(3));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("line 2: expected value;"), "{words}");
}

#[test]
fn rules_that_are_not_there_or_not_usable_are_named() {
    let folder = case();
    let broken = folder.path().join("broken.yml");
    std::fs::write(&broken, "title: [\n").unwrap();
    let (broken, gone) = (broken.to_string_lossy().into_owned(), "/nonexistent/rules");
    let events = folder.path().join("events.ndjson").to_string_lossy().into_owned();
    let data = folder.path().join("data").to_string_lossy().into_owned();
    for (arguments, said) in [
        (vec!["rules", "check", gone], "/nonexistent/rules is not found"),
        (vec!["rules", "explain", &broken, "--event", &events], "broken.yml:"),
        (vec!["detect", "--rules", &broken, "--read", &events], "broken.yml:"),
        (vec!["up", "--headless", "--data", &data, "--rules", gone], "/nonexistent/rules is not found"),
        (vec!["up", "--headless", "--data", &data, "--rules", &broken], "broken.yml:"),
    ] {
        let output = watchpost(&arguments);
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {words}");
        assert!(words.contains(said), "{arguments:?}: {words}");
    }
    assert!(!folder.path().join("data").exists(), "nothing was made before the rules were looked at");
}

#[test]
fn placeholders_make_rules_load_for_check_and_detect() {
    let folder = case();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let rule = RULE.replace("query|endswith: .bad.example", "query|endswith|expand: '%listed%'");
    std::fs::write(path("rule.yml"), rule).unwrap();
    std::fs::write(path("values.toml"), "listed = [\".bad.example\", \".worse.example\"]\n").unwrap();
    let without = watchpost(&["rules", "check", &path("rule.yml")]);
    assert_eq!(without.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&without.stdout).contains("placeholder 'listed'"));
    let with = watchpost(&["rules", "check", &path("rule.yml"), "--placeholders", &path("values.toml")]);
    assert_eq!(with.status.code(), Some(0), "{}", String::from_utf8_lossy(&with.stderr));
    let report: Json = serde_json::from_slice(&with.stdout).unwrap();
    assert_eq!((&report["loaded"], &report["rejected"]), (&1.into(), &Json::Array(Vec::new())));
    assert_eq!(report["untagged"][0]["kind"], "no_technique");
    let events = path("events.ndjson");
    let found = watchpost(&[
        "detect",
        "--rules",
        &path("rule.yml"),
        "--placeholders",
        &path("values.toml"),
        "--read",
        &events,
    ]);
    assert_eq!(json_lines(&found).len(), 1, "{}", String::from_utf8_lossy(&found.stderr));
}

#[test]
fn a_signed_pack_is_searched_with_only_where_its_key_is_trusted() {
    let folder = case();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::create_dir(path("rules")).unwrap();
    std::fs::rename(path("rule.yml"), path("rules/rule.yml")).unwrap();
    let good = |arguments: &[&str]| {
        let output = watchpost(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    };
    good(&["rules", "pack", "key", &path("key")]);
    good(&["rules", "pack", "sign", "--key", &path("key"), &path("rules"), "-o", &path("ours.wpack")]);
    good(&["rules", "pack", "verify", "--key", &path("key.pub"), &path("ours.wpack")]);
    let (pack, events, public) = (path("ours.wpack"), path("events.ndjson"), path("key.pub"));
    let trusted = watchpost(&["detect", "--rules", &pack, "--trust", &public, "--read", &events]);
    assert_eq!(json_lines(&trusted).len(), 1, "{}", String::from_utf8_lossy(&trusted.stderr));
    let stranger = watchpost(&["detect", "--rules", &pack, "--read", &events]);
    assert_eq!(stranger.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&stranger.stderr).contains("not trusted"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for arguments in [vec!["rules", "check", "--all", "--format", "table"], vec!["rules", "check"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchpost"));
        command.env("HOME", "/nonexistent").args(&arguments).stdout(writer);
        let output =
            command.stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*words), (Some(0), ""), "{arguments:?}");
    }
}
