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
    let rules = Ruleset::open(Origin { shipped: vec![source(RULE)], ..Origin::default() }, Timestamp::EPOCH);
    assert_eq!(rules.counts().loaded, 1, "{:?}", rules.rejected());
    let hits = rules.engine().observe(&login(), EventRef { frame: 1, index: 0 });
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].rule.name, "Failed login");
    assert_eq!(hits[0].rule.set, rules.hash());
    assert_eq!(hits[0].rule.hash.len(), 64);
}

fn in_folder(dir: &tempfile::TempDir) -> Origin {
    Origin { paths: vec![dir.path().to_path_buf()], ..Origin::default() }
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_parts(seconds, 0)
}

#[test]
fn a_bad_reload_keeps_the_last_good_rules() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.yml");
    std::fs::write(&file, RULE).unwrap();
    let rules = Ruleset::open(in_folder(&dir), later(1));
    let (hash, generation) = (rules.hash(), rules.generation());
    assert!(!rules.reload(later(2)).unwrap(), "nothing changed");
    assert_eq!(rules.counts().since, later(1));
    std::fs::write(&file, "title: [").unwrap();
    let error = rules.reload(later(3)).unwrap_err().to_string();
    assert!(error.contains("own.yml"), "{error}");
    assert_eq!((rules.hash(), rules.generation()), (hash.clone(), generation));
    assert_eq!((rules.counts().refused, rules.counts().loaded), (1, 1));
    assert!(rules.standing().contains("refused because of:\n  "), "{}", rules.standing());
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(rules.reload(later(4)), Err(Error::Empty)));
    std::fs::write(&file, RULE.replace("medium", "high")).unwrap();
    assert!(rules.reload(later(5)).unwrap());
    assert_ne!(rules.hash(), hash);
    assert!(rules.generation() > generation);
    assert_eq!((rules.counts().refused, rules.counts().since), (0, later(5)));
}

#[test]
fn what_was_rejected_at_the_start_does_not_stop_a_reload() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.yml"), "title: [").unwrap();
    std::fs::write(dir.path().join("good.yml"), RULE).unwrap();
    let rules = Ruleset::open(in_folder(&dir), later(1));
    assert_eq!((rules.counts().loaded, rules.counts().rejected), (1, 1));
    std::fs::write(dir.path().join("good.yml"), RULE.replace("medium", "high")).unwrap();
    assert!(rules.reload(later(2)).unwrap());
    std::fs::write(dir.path().join("worse.yml"), "title: [").unwrap();
    assert!(matches!(rules.reload(later(3)), Err(Error::Rejected { rejected }) if rejected.len() == 1));
    std::fs::remove_file(dir.path().join("worse.yml")).unwrap();
    std::fs::remove_file(dir.path().join("bad.yml")).unwrap();
    assert!(rules.reload(later(4)).unwrap(), "a mended file is news");
    assert_eq!(rules.counts().rejected, 0);
}

#[test]
fn placeholders_stand_for_configured_values() {
    let rule = RULE.replace("event.outcome: failure", "user.name|expand: '%admins%'");
    let origin = Origin { shipped: vec![source(&rule)], ..Origin::default() };
    assert_eq!(Ruleset::open(origin.clone(), later(1)).counts().loaded, 0);
    let placeholders = [("admins".to_owned(), vec!["ops-*".to_owned()])].into();
    let rules = Ruleset::open(Origin { placeholders, ..origin }, later(1));
    assert_eq!(rules.counts().loaded, 1, "{:?}", rules.rejected());
    let mut event = login();
    event.record.set(f::USER_NAME, "ops-7");
    assert_eq!(rules.engine().observe(&event, EventRef { frame: 1, index: 0 }).len(), 1);
}

#[test]
fn a_pack_is_used_only_with_a_configured_key() {
    let dir = tempfile::tempdir().unwrap();
    let key = pack::SecretKey::parse(&pack::SecretKey::generate().unwrap()).unwrap();
    let sealed = pack::seal("ours", later(1), &[source(RULE)], &key).unwrap();
    std::fs::write(dir.path().join("ours.wpack"), sealed).unwrap();
    let stranger = Ruleset::open(in_folder(&dir), later(1));
    assert_eq!(stranger.counts().loaded, 0);
    assert!(stranger.standing().contains("rules.trusted_keys"), "{}", stranger.standing());
    let trusting = Ruleset::open(Origin { trusted: vec![key.public()], ..in_folder(&dir) }, later(1));
    assert_eq!((trusting.counts().loaded, trusting.counts().rejected), (1, 0));
}
