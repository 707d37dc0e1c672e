//! Rules and configurations that can not be used, and an environment that is broken.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value as Json;
use watchpost_tests::patience::eventually;
use watchpost_tests::program::Program;

use crate::{say, text};

const GOOD_RULE: &str = "title: Good\nid: 0c8a2c3e-6b1f-4b8e-9f57-2a4f1c9d7e01\nlevel: low\n\
    logsource:\n  product: linux\n  service: sshd\ndetection:\n  selection:\n    message|contains: needle\n  \
    condition: selection\n";

#[test]
fn wrong_rules_are_named_and_the_good_one_beside_them_loads() {
    let home = tempfile::tempdir().unwrap();
    let unknown = GOOD_RULE.replace("|contains", "|sounds_like").replace("7e01", "7e02");
    let files: [(&str, &[u8], &str); 6] = [
        ("yaml.yml", b"title: Broken\ndetection:\n  selection: [unclosed\n", ""),
        ("modifier.yml", unknown.as_bytes(), "sounds_like"),
        ("other.yml", b"shopping:\n  - milk\n", ""),
        ("list.yml", b"- 1\n- 2\n", ""),
        ("empty.yml", b"", ""),
        ("bytes.yml", b"title: \xff\xfe\n", "UTF-8"),
    ];
    for (name, bytes, _) in files {
        fs::write(home.path().join(name), bytes).unwrap();
    }
    fs::write(home.path().join("good.yml"), GOOD_RULE).unwrap();
    let said = say("watchpost", &["rules", "check", text(home.path())]);
    said.expect(1, &[]);
    let report: Json = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["loaded"], 1, "{}", said.out);
    let rejected = report["rejected"].as_array().unwrap();
    for (name, _, word) in files {
        let found = rejected.iter().find(|one| one["file"].as_str().unwrap().ends_with(name));
        let reason =
            found.unwrap_or_else(|| panic!("{name} is not named: {}", said.out))["reason"].as_str().unwrap();
        assert!(!reason.is_empty() && reason.contains(word), "{name}: {reason}");
    }
    for (name, line) in [("yaml.yml", 3), ("modifier.yml", 8)] {
        let found = rejected.iter().find(|one| one["file"].as_str().unwrap().ends_with(name)).unwrap();
        let told = found["line"].as_u64().unwrap_or_else(|| panic!("{name} has no line: {found}"));
        assert!(told.abs_diff(line) <= 1, "{found}");
    }
    let good = home.path().join("good.yml");
    say("watchpost", &["rules", "check", text(&good)]).expect(0, &[]);

    // A search with the same rules goes on with the good one and does not hide the others.
    let events = home.path().join("events.log");
    fs::write(&events, "Nov 23 10:00:00 web01 sshd[7]: a needle\n").unwrap();
    let search = ["detect", "--source", "sshd", "--read", text(&events), "--rules"];
    let said = say("watchpost", &[&search[..], &[text(home.path())]].concat());
    said.expect(1, &["6 rules rejected", "rules check"]);
    assert_eq!(said.rows().len(), 1, "{}", said.out);
    let broken = home.path().join("yaml.yml");
    say("watchpost", &[&search[..], &[text(&broken)]].concat())
        .expect(3, &["no rule could be loaded", text(&broken)]);
}

#[test]
fn wrong_configurations_are_refused_by_file_line_and_key() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str, mode: u32| {
        let path = home.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good.toml", "", 0o644);
    let typo = file("typo.toml", "# a comment\nstate_dirr = \"x\"\n", 0o644);
    let broken = file("broken.toml", "a = [\n", 0o644);
    let open = file("open.toml", "", 0o666);
    let gone = text(&home.path().join("gone.toml")).to_owned();
    let data = text(&home.path().join("data")).to_owned();
    for name in ["watchpost-agent", "watchpost-collector"] {
        say(name, &["config", "check", "--config", &good]).expect(0, &[]);
        let cases: [(&str, &[&str]); 4] = [
            (&typo, &["state_dirr", "line 2"]),
            (&broken, &["line"]),
            (&open, &["everyone", "chmod o-w"]),
            (&gone, &[]),
        ];
        for (path, words) in cases {
            let run: &[&str] = match name {
                "watchpost-agent" => &["run", "--config", path, "--state-dir", &data],
                _ => &["run", "--config", path, "--data-dir", &data],
            };
            for (code, arguments) in [(1, &["config", "check", "--config", path][..]), (3, run)] {
                let said = say(name, arguments);
                said.expect(code, &[path]);
                said.expect(code, words);
            }
            assert!(!Path::new(&data).exists(), "nothing is begun with {path}");
        }
        say(name, &["config", "check", "--no-such-flag"]).expect(2, &["--no-such-flag"]);
    }
}

#[test]
fn a_collector_starts_without_the_rules_that_are_wrong_and_names_them() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| home.path().join(name);
    fs::write(file("good.yml"), GOOD_RULE).unwrap();
    fs::write(file("wrong.yml"), GOOD_RULE.replace("|contains", "|sounds_like")).unwrap();
    fs::write(
        file("collector.toml"),
        format!("[rules]\npaths = [{:?}, {:?}]\n", file("good.yml"), file("wrong.yml")),
    )
    .unwrap();
    let (configuration, data) = (file("collector.toml"), file("data"));
    let arguments =
        ["--config", text(&configuration), "--data-dir", text(&data), "--listen", "127.0.0.1:0", "run"];
    let mut collector = Program::start("watchpost-collector", &arguments, &file("log"));
    eventually("the collector listens", || collector.printed().contains("collector listens").then_some(()));
    let printed = collector.printed();
    let told = printed.lines().find(|line| line.contains("a rule was rejected")).unwrap();
    assert!(told.contains("wrong.yml:") && told.contains("sounds_like"), "{told}");
    assert!(!printed.contains("good.yml"), "{printed}");

    let again = say("watchpost-collector", &arguments);
    again.expect(3, &["in use by another collector", text(&data)]);
    assert!(collector.terminate().is_some_and(|status| status.success()), "it ends in order");
}

#[test]
fn a_broken_environment_is_named_when_a_program_starts() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = home.path().join("data");
    say("watchpost-collector", &["--data-dir", text(&data), "--listen", &address, "run"])
        .expect(3, &[&address]);
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    say("watchpost-collector", &["--data-dir", text(&file), "run"]).expect(3, &[text(&file)]);
    say("watchpost-agent", &["run", "--state-dir", text(&file)]).expect(3, &[text(&file)]);
    let state = home.path().join("state");
    let run = ["run", "--state-dir", text(&state), "--collector", &address];
    say("watchpost-agent", &run).expect(3, &["enrol"]);
    fs::write(state.join("identity.json"), "junk").unwrap();
    say("watchpost-agent", &run).expect(3, &["identity.json"]);
}
