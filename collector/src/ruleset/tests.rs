//! Loading, exchanging and refusing rules.

use super::*;
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Kind, Timestamp, field as f};

const RULE: &str = "title: Failed login
id: 6b1f6b1e-0000-4000-8000-000000000001
status: test
level: medium
logsource:
    product: linux
    service: sshd
detection:
    selection:
        event.outcome: failure
    condition: selection
";

fn source(text: &str) -> Source {
    Source { name: "login.yml".into(), text: text.into() }
}

fn login() -> Event {
    let mut event = Event::new(Kind::Auth, Timestamp::EPOCH);
    event.record.set(f::EVENT_PROVIDER, "sshd");
    event.record.set(f::EVENT_OUTCOME, "failure");
    event
}

#[test]
fn a_shipped_rule_finds_what_it_describes() {
    let rules = Ruleset::open(vec![source(RULE)], Vec::new());
    assert_eq!(rules.counts().loaded, 1, "{:?}", rules.rejected());
    let hits = rules.engine().observe(&login(), EventRef { frame: 1, index: 0 });
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].rule.name, "Failed login");
}

#[test]
fn a_bad_reload_keeps_the_last_good_rules() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.yml");
    std::fs::write(&file, RULE).unwrap();
    let rules = Ruleset::open(Vec::new(), vec![dir.path().to_path_buf()]);
    let (hash, generation) = (rules.hash(), rules.generation());
    assert!(!rules.reload().unwrap(), "nothing changed");
    std::fs::write(&file, "title: [").unwrap();
    let error = rules.reload().unwrap_err().to_string();
    assert!(error.contains("own.yml"), "{error}");
    assert_eq!((rules.hash(), rules.generation()), (hash.clone(), generation));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(rules.reload(), Err(Error::Empty)));
    std::fs::write(&file, RULE.replace("medium", "high")).unwrap();
    assert!(rules.reload().unwrap());
    assert_ne!(rules.hash(), hash);
    assert!(rules.generation() > generation);
}
