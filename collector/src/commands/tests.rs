//! Administration, with and without a running collector.

use clap::Parser as _;

use super::*;
use crate::config::{Settings, StateSettings};
use crate::run;
use crate::serve::tests::{House, problem_of};
use crate::state::Backend;

fn say(directory: &std::path::Path, arguments: &[&str]) -> anyhow::Result<String> {
    let head = ["watchpost-collector", "--data-dir", directory.to_str().unwrap()];
    let cli = Cli::try_parse_from(head.iter().chain(arguments))?;
    let mut out = Vec::new();
    execute(cli, &mut out)?;
    Ok(String::from_utf8(out)?)
}

#[test]
fn the_same_commands_work_with_and_without_a_running_collector() {
    let house = House::open();
    let data = house.settings.data_dir.clone();
    let file = house.directory.path().join("ann.pem");
    let token = say(&data, &["token", "--ttl", "5m"]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    assert!(house.ask_in(&token, &key).status().is_success());
    say(&data, &["users", "add", "ann", "--out", file.to_str().unwrap()]).unwrap();
    let bundle = std::fs::read_to_string(&file).unwrap();
    assert_eq!(bundle.matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(bundle.matches("BEGIN PRIVATE KEY").count(), 1);
    let pass = crate::serve::tests::Pass { certificate: bundle.clone(), key: bundle };
    let answer = house.client(Some(&pass)).get(house.url("/v1/x")).send().unwrap();
    assert_eq!(problem_of(answer).0.as_u16(), 404);
    house.handle.stop();

    assert!(say(&data, &["agents", "list"]).unwrap().contains("web-1"));
    let listed = say(&data, &["users", "list"]).unwrap();
    assert!(listed.contains("ann\tanalyst") && listed.contains("in force"), "{listed}");
    say(&data, &["users", "revoke", "ann"]).unwrap();
    assert!(say(&data, &["users", "list"]).unwrap().contains("revoked"));
    let nobody = say(&data, &["users", "revoke", "ann"]).unwrap_err();
    assert!(nobody.to_string().contains("users list"), "{nobody}");
}

#[test]
fn a_backup_of_a_running_collector_restores_into_the_other_store() {
    let house = House::open();
    let (enrolled, _) = house.agent();
    let (copy, fresh) = (house.directory.path().join("copy"), house.directory.path().join("fresh"));
    say(&house.settings.data_dir, &["backup", copy.to_str().unwrap()]).unwrap();
    let again = say(&house.settings.data_dir, &["backup", copy.to_str().unwrap()]).unwrap_err();
    assert!(again.to_string().contains("does not exist yet"), "{again}");
    house.handle.stop();
    let state = StateSettings { backend: Backend::Sled };
    let settings = Settings { data_dir: fresh, state, ..house.settings };
    restore(&settings, &copy).unwrap();
    let opened = run::open(&settings).unwrap();
    let records = opened.door.register.list();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].agent, Some(enrolled.agent));
    assert_eq!(opened.door.authority.pem(), enrolled.ca);
}

#[test]
fn names_that_would_be_trouble_are_refused() {
    let house = House::open();
    let add = |name: &str| {
        house.handle.office.add_user(name, watchpost_model::query::Role::Viewer, crate::clock::now())
    };
    for name in ["", "../x", ".hidden", "a b", "a\nb", &"x".repeat(65)] {
        assert!(add(name).is_err(), "{name:?}");
    }
    assert!(add("ann@example.org").is_ok());
    house.handle.stop();
}

#[test]
fn a_token_out_of_range_is_wrong_use_and_the_range_is_named() {
    for (flag, value, range) in [
        ("--uses", "0", "1..=10000"),
        ("--uses", "10001", "1..=10000"),
        ("--ttl", "31d", "1s to 30d"),
        ("--ttl", "0s", "1s to 30d"),
    ] {
        let refused = Cli::try_parse_from(["watchpost-collector", "token", flag, value]).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
        assert!(refused.to_string().contains(range), "{refused}");
    }
}

#[test]
fn rules_are_reloaded_through_the_socket_and_a_refusal_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.yml");
    let rule = "title: Own\nid: own\nlogsource: {category: dns}\ndetection: {s: {query: x}, condition: s}\n";
    std::fs::write(&file, rule).unwrap();
    let data = folder.path().join("data");
    let rules = crate::config::RuleSettings {
        shipped: false,
        paths: vec![file.clone()],
        ..crate::config::RuleSettings::default()
    };
    let settings =
        Settings { data_dir: data.clone(), listen: ([127, 0, 0, 1], 0).into(), rules, ..Settings::default() };
    let handle = run::start(&settings).unwrap();
    let status = say(&data, &["rules", "status"]).unwrap();
    assert!(status.contains("1 rules loaded, 0 blind, 0 rejected"), "{status}");
    assert!(say(&data, &["rules", "reload"]).unwrap().starts_with("nothing changed"));
    std::fs::write(&file, rule.replace("query: x", "query: y")).unwrap();
    assert!(say(&data, &["rules", "reload"]).unwrap().starts_with("new rules are in force"));
    std::fs::write(&file, "title: [").unwrap();
    let refused = say(&data, &["rules", "reload"]).unwrap_err().to_string();
    assert!(refused.contains("own.yml:") && refused.contains("the old rules stay"), "{refused}");
    handle.stop();
    let alone = say(&data, &["rules", "reload"]).unwrap_err().to_string();
    assert!(alone.contains("no collector runs"), "{alone}");
}

#[test]
fn a_rule_file_with_an_escape_in_its_name_does_not_act_on_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("\u{1b}[2J\u{202e}.yml"), "title: [").unwrap();
    let data = folder.path().join("data");
    let of_ours = crate::config::RuleSettings {
        shipped: false,
        paths: vec![rules.clone()],
        ..crate::config::RuleSettings::default()
    };
    let listen = ([127, 0, 0, 1], 0).into();
    let settings = Settings { data_dir: data.clone(), listen, rules: of_ours, ..Settings::default() };
    let handle = run::start(&settings).unwrap();
    let status = say(&data, &["rules", "status"]).unwrap();
    std::fs::write(rules.join("\u{9b}31m.yml"), "title: [").unwrap();
    let refused = say(&data, &["rules", "reload"]).unwrap_err().to_string();
    handle.stop();
    assert!(status.contains("<U+001B>[2J<U+202E>.yml"), "{status:?}");
    assert!(refused.contains("<U+009B>31m.yml"), "{refused:?}");
    assert!([status, refused].concat().chars().all(|c| c == '\n' || !c.is_control()));
}
