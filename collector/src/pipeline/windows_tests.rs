//! A worker that is thrown away without notice, at any step, leaves the alerts of one that was not.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use watchpost_model::alert::Alert;
use watchpost_model::{Event, field as f};

use super::tests::{Site, at, failure};
use super::{Desk, Rules, Settings, Worker, record};
use crate::ruleset::{Origin, Ruleset};
use crate::state::{State, Table, Writes};

const RULES: &str = "title: Failed login
name: failed_login
id: 6b1f6b1e-0000-4000-8000-000000000001
level: low
logsource: {product: linux, service: sshd}
detection: {s: {event.outcome: failure}, condition: s}
---
title: Login
name: login
id: 6b1f6b1e-0000-4000-8000-000000000002
level: low
logsource: {product: linux, service: sshd}
detection: {s: {event.outcome: success}, condition: s}
---
title: Guessing
name: guessing
id: 6b1f6b1e-0000-4000-8000-000000000003
level: high
correlation: {type: event_count, rules: [failed_login], group-by: [source.ip], timespan: 30s, condition: {gte: 4}}
---
title: Exactly two
id: 6b1f6b1e-0000-4000-8000-000000000004
level: medium
correlation: {type: event_count, rules: [failed_login], group-by: [source.ip], timespan: 20s, condition: {eq: 2}}
---
title: Guessed
id: 6b1f6b1e-0000-4000-8000-000000000005
level: critical
generate: true
correlation: {type: temporal_ordered, rules: [guessing, login], group-by: [source.ip], timespan: 5m}
";

const SILENT: &str = "---
title: Nobody fails any more
id: 6b1f6b1e-0000-4000-8000-000000000006
level: low
correlation: {type: event_count, rules: [failed_login], group-by: [user.name], timespan: 40s, condition: {lt: 1}}
watchpost: {absence: true}
";

fn ruleset(text: &str) -> Arc<Ruleset> {
    let shipped = vec![watchpost_rules::Source { name: "own.yml".into(), text: text.into() }];
    let rules = Ruleset::open(Origin { shipped, ..Origin::default() }, at(0));
    assert_eq!(rules.counts().rejected, 0, "{:?}", rules.rejected());
    Arc::new(rules)
}

fn worker(site: &Site, rules: &Arc<Ruleset>, every: u64) -> Worker {
    started(site, rules, every, 0)
}

fn started(site: &Site, rules: &Arc<Ruleset>, every: u64, since: i64) -> Worker {
    let (state, rules): (Arc<dyn State>, Arc<dyn Rules>) = (site.state.clone(), rules.clone());
    let desk = Desk::open(site.journal.reader(), state, rules, site.hub.clone(), at(since)).unwrap();
    let settings = Settings { save_every: Duration::from_secs(every), ..Settings::default() };
    Worker::open(Arc::new(desk), settings).unwrap()
}

fn alerts(site: &Site) -> Vec<Alert> {
    let mut alerts = Vec::new();
    record::walk(site.state.as_ref(), Table::Alerts, |_, alert: Alert| {
        // When detection got to it is no part of what happened.
        alerts.push(Alert { raised: at(0), ..alert });
    })
    .unwrap();
    alerts
}

/// One login: second, by how much it comes late, address, and whether it failed.
type Login = (i64, i64, u8, bool);

fn event(&(second, _, ip, failed): &Login) -> Event {
    let mut event = failure(second);
    event.record.set(f::EVENT_PROVIDER, "sshd");
    event.record.set(f::SOURCE_IP, std::net::Ipv4Addr::new(198, 51, 100, ip));
    event.record.set(f::EVENT_OUTCOME, if failed { "failure" } else { "success" });
    event
}

/// One frame for every login, in the order in which they come; returns when it comes.
fn append(site: &mut Site, login: &Login) -> i64 {
    let received = login.0 + login.1;
    site.append(vec![event(login)], received);
    received
}

/// Runs over all logins. After the frames where `kills` says so the worker is thrown away; steps are
/// made where `steps` says so, else frames pile up.
fn run(logins: &[Login], rules: &Arc<Ruleset>, every: u64, kills: &[bool], steps: &[bool]) -> Site {
    let mut logins = logins.to_vec();
    logins.sort_by_key(|login| login.0 + login.1);
    let mut site = Site::new();
    let mut live = worker(&site, rules, every);
    let said = |flags: &[bool], place: usize| flags.get(place % flags.len().max(1)) == Some(&true);
    for (place, login) in logins.iter().enumerate() {
        let received = append(&mut site, login);
        if said(steps, place) || place + 1 == logins.len() {
            site.run(&mut live, received);
        }
        if said(kills, place) {
            live = worker(&site, rules, every);
        }
    }
    site
}

fn logins() -> impl Strategy<Value = Vec<Login>> {
    let one = (0_i64..150, 0_i64..60, 0_u8..2, prop::bool::weighted(0.8));
    proptest::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_kill_changes_an_alert(
        logins in logins(), every in 0_u64..60,
        kills in proptest::collection::vec(any::<bool>(), 1..8),
        steps in proptest::collection::vec(any::<bool>(), 1..8),
    ) {
        let rules = ruleset(&format!("{RULES}{SILENT}"));
        let undisturbed = run(&logins, &rules, every, &[], &[true]);
        let killed = run(&logins, &rules, every, &kills, &steps);
        prop_assert_eq!(alerts(&killed), alerts(&undisturbed));
    }
}

fn guesses(from: i64, count: i64) -> Vec<Login> {
    (from..from + count).map(|second| (second, 0, 7, true)).collect()
}

#[test]
fn a_late_event_amends_the_alert_and_raises_no_other() {
    let rules = ruleset(RULES);
    let mut site = run(&guesses(10, 4), &rules, 5, &[], &[true]);
    let mut worker = worker(&site, &rules, 5);
    let of = |site: &Site| {
        let all = alerts(site);
        let guessing: Vec<Alert> = all.into_iter().filter(|alert| alert.rule.name == "Guessing").collect();
        assert_eq!(guessing.len(), 1, "{guessing:#?}");
        guessing[0].clone()
    };
    let before = of(&site);
    assert_eq!((before.count, before.first_seen), (4, at(13)));
    append(&mut site, &(9, 11, 7, true));
    site.run(&mut worker, 20);
    let after = of(&site);
    assert_eq!(after.id, before.id);
    assert_eq!((after.count, after.first_seen, after.events.len()), (4, at(12), 5));
    assert_eq!(after.incident, before.incident);
}

#[test]
fn saved_windows_that_can_not_be_read_are_rebuilt_from_the_journal() {
    let rules = ruleset(RULES);
    let mut site = run(&guesses(10, 3), &rules, 0, &[], &[true]);
    let rows = site.state.range(Table::Windows, &[], None, false, 100).unwrap();
    assert_eq!(rows.len(), 2, "one group in each correlation");
    let mut damage = Writes::default();
    damage.put(Table::Windows, rows[0].0.clone(), vec![0xff; 40]);
    site.state.commit(damage).unwrap();
    let mut worker = worker(&site, &rules, 0);
    append(&mut site, &(13, 0, 7, true));
    site.run(&mut worker, 13);
    assert!(alerts(&site).iter().any(|alert| alert.rule.name == "Guessing"));
}

#[test]
fn a_start_needs_no_event_from_before_the_checkpoint() {
    let rules = ruleset(RULES);
    let mut site = run(&guesses(10, 3), &rules, 0, &[], &[true]);
    let (state, force): (Arc<dyn State>, Arc<dyn Rules>) = (site.state.clone(), rules.clone());
    let desk = Desk::open(site.journal.reader(), state, force, site.hub.clone(), at(0)).unwrap();
    let settings = Settings { read_back: 0, ..Settings::default() };
    let mut worker = Worker::open(Arc::new(desk), settings).unwrap();
    append(&mut site, &(13, 0, 7, true));
    site.run(&mut worker, 13);
    let guessing = alerts(&site).into_iter().find(|alert| alert.rule.name == "Guessing").unwrap();
    assert_eq!((guessing.count, guessing.events.len()), (4, 4));
}

#[test]
fn a_reload_keeps_windows_that_mean_the_same_and_reads_back_new_ones() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.yml");
    std::fs::write(&file, RULES).unwrap();
    let paths = vec![dir.path().to_path_buf()];
    let rules = Arc::new(Ruleset::open(Origin { paths, ..Origin::default() }, at(0)));
    let mut site = Site::new();
    let mut worker = worker(&site, &rules, 3_600);
    for login in guesses(10, 3) {
        let received = append(&mut site, &login);
        site.run(&mut worker, received);
    }
    std::fs::write(
        dir.path().join("more.yml"),
        "title: Three\nid: 6b1f6b1e-0000-4000-8000-000000000009\nlevel: high\ncorrelation: {type: event_count, rules: [failed_login], group-by: [user.name], timespan: 60s, condition: {gte: 4}}\n",
    )
    .unwrap();
    assert!(rules.reload(at(50)).unwrap());
    append(&mut site, &(13, 0, 7, true));
    site.run(&mut worker, 13);
    let names: Vec<String> = alerts(&site).into_iter().map(|alert| alert.rule.name).collect();
    assert!(names.iter().any(|name| name == "Guessing"), "kept: {names:?}");
    assert!(names.iter().any(|name| name == "Three"), "read back: {names:?}");
}

#[test]
fn silence_raises_one_alert_while_nothing_comes_and_not_again_after_a_kill() {
    let rules = ruleset(&format!("{RULES}{SILENT}"));
    let site = run(&guesses(10, 1), &rules, 3_600, &[], &[true]);
    let mut first = worker(&site, &rules, 3_600);
    let silent = |site: &Site| alerts(site).iter().filter(|a| a.rule.name.starts_with("Nobody")).count();
    first.turn(|| at(11));
    first.turn(|| at(50));
    assert_eq!(silent(&site), 0);
    first.turn(|| at(53));
    assert_eq!(silent(&site), 1);
    let alert = alerts(&site).into_iter().find(|a| a.rule.name.starts_with("Nobody")).unwrap();
    assert_eq!(alert.group, [("user.name".to_owned(), "root".to_owned())]);
    assert_eq!((alert.count, alert.first_seen), (1, at(50)));
    drop(first);
    let mut second = worker(&site, &rules, 3_600);
    second.turn(|| at(60));
    second.turn(|| at(160));
    assert_eq!(alerts(&site).iter().filter(|a| a.id == alert.id).count(), 1);
    assert_eq!(silent(&site), 1);
}

#[test]
fn a_rule_that_is_edited_during_an_attack_tells_what_lies_behind_and_tells_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.yml");
    let most = RULES.replace("{gte: 4}", "{gte: 100}");
    std::fs::write(&file, &most).unwrap();
    let paths = vec![dir.path().to_path_buf()];
    let rules = Arc::new(Ruleset::open(Origin { paths, ..Origin::default() }, at(0)));
    let mut site = Site::new();
    let mut live = worker(&site, &rules, 3_600);
    let feed = |site: &mut Site, worker: &mut Worker, from, count| {
        for login in guesses(from, count) {
            let received = append(site, &login);
            site.run(worker, received);
        }
    };
    let guessing = |site: &Site| {
        let found = alerts(site).into_iter().filter(|alert| alert.rule.name == "Guessing");
        found.collect::<Vec<_>>()
    };
    feed(&mut site, &mut live, 10, 6);
    assert_eq!(guessing(&site), []);
    std::fs::write(&file, most.replace("{gte: 100}", "{gte: 5}")).unwrap();
    assert!(rules.reload(at(50)).unwrap());
    feed(&mut site, &mut live, 16, 6);
    let told = guessing(&site);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((told[0].first_seen, told[0].count), (at(14), 5));
    // The same once more: an edit that changes nothing of what was told.
    std::fs::write(
        &file,
        most.replace("timespan: 30s, condition: {gte: 100}", "timespan: 31s, condition: {gte: 5}"),
    )
    .unwrap();
    assert!(rules.reload(at(60)).unwrap());
    feed(&mut site, &mut live, 22, 1);
    assert_eq!(guessing(&site), told);
}

fn silences(site: &Site) -> Vec<Alert> {
    alerts(site).into_iter().filter(|alert| alert.rule.name.starts_with("Nobody")).collect()
}

#[test]
fn the_time_in_which_no_collector_listened_is_no_silence() {
    let rules = ruleset(&format!("{RULES}{SILENT}"));
    let mut site = run(&guesses(10, 2), &rules, 0, &[], &[true]);
    let mut live = started(&site, &rules, 3_600, 900);
    live.turn(|| at(903));
    assert_eq!(silences(&site), [], "nobody had a chance to be heard");
    append(&mut site, &(905, 0, 7, true));
    site.run(&mut live, 905);
    // Killed once more: what was granted is neither lost nor granted twice.
    let mut live = started(&site, &rules, 3_600, 900);
    live.turn(|| at(944));
    assert_eq!(silences(&site), []);
    live.turn(|| at(948));
    assert_eq!(silences(&site).len(), 1, "now it really is");
}

#[test]
fn a_clock_that_jumped_ahead_and_came_back_hears_silence_again() {
    let rules = ruleset(&format!("{RULES}{SILENT}"));
    let mut site = run(&guesses(10, 1), &rules, 3_600, &[], &[true]);
    let mut live = worker(&site, &rules, 3_600);
    live.turn(|| at(90_000));
    let before = silences(&site).len();
    append(&mut site, &(20, 0, 7, true));
    site.run(&mut live, 20);
    live.turn(|| at(58));
    assert_eq!(silences(&site).len(), before);
    live.turn(|| at(63));
    let told = silences(&site);
    assert!(told.iter().any(|alert| alert.last_seen == at(60) || alert.first_seen == at(60)), "{told:#?}");
}

#[test]
fn a_silence_is_told_when_its_last_event_is_no_longer_in_the_journal() {
    let rules = ruleset(&format!("{RULES}{SILENT}"));
    let mut site = Site::new();
    let quiet = event(&(10, 0, 7, false));
    site.append(vec![quiet.clone(), quiet.clone(), event(&(10, 0, 7, true))], 10);
    let mut live = worker(&site, &rules, 0);
    site.run(&mut live, 10);
    // The same state beside a journal that has no such event.
    let mut bare = Site::new();
    bare.state = site.state.clone();
    bare.append(vec![quiet], 10);
    let mut live = worker(&bare, &rules, 3_600);
    live.round(at(70)).unwrap();
    let told = silences(&bare);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].group, [("user.name".to_owned(), "root".to_owned())]);
    assert_eq!(told[0].attacker.user.as_deref(), Some("root"));
}
