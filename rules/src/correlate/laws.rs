//! Laws of correlations, on events of chance: neither the order of events nor a restart matters.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Kind, Timestamp, field};

use crate::pack::Source;
use crate::{Detector, Finding, FindingId, RuleSet, Settling, Subject};

const BASE: &str = "
title: login failed
name: failed
logsource: {product: linux, service: sshd}
detection: {s: {event.outcome: failure}, condition: s}
---
title: login came through
name: passed
logsource: {product: linux, service: sshd}
detection: {s: {event.outcome: success}, condition: s}
---
title: any login
name: login
logsource: {product: linux, service: sshd}
detection: {s: {source.ip|exists: true}, condition: s}
---
";

/// Every type of correlation, in forms that rise only and in forms that later events deny.
const EVERY: &[&str] = &[
    "type: event_count, rules: [failed], condition: {gte: 3}",
    "type: event_count, rules: [failed, passed], condition: {gt: 1, lte: 3}",
    "type: event_count, rules: [failed], condition: {eq: 2}",
    "type: value_count, rules: [failed], condition: {field: user.name, gte: 2}",
    "type: value_count, rules: [login], condition: {field: [user.name, event.outcome], gte: 3}",
    "type: temporal, rules: [failed, passed]",
    "type: temporal, rules: [failed, passed, login], condition: {gte: 2}",
    "type: temporal, rules: [failed, passed], condition: passed and not failed",
    "type: temporal_ordered, rules: [failed, passed]",
    "type: temporal_ordered, rules: [passed, failed, login], condition: passed and (failed or login)",
    "type: value_sum, rules: [login], condition: {field: source.bytes, gte: 30}",
    "type: value_avg, rules: [login], condition: {field: source.bytes, lt: 4}",
    "type: value_median, rules: [login], condition: {field: source.bytes, gte: 7}",
    "type: value_percentile, rules: [login], condition: {field: source.bytes, percentile: 80, gte: 8}",
];

fn single(of: &str) -> String {
    format!("title: one\ncorrelation: {{{of}, group-by: [source.ip], timespan: 20s}}\n")
}

const CHAIN: &str = "title: many
name: many
generate: true
correlation: {type: event_count, rules: [failed], group-by: [source.ip], timespan: 20s, condition: {gte: 3}}
---
title: often
name: often
correlation: {type: event_count, rules: [many], group-by: [user.name], timespan: 2m, condition: {gte: 2}}
---
title: got in
correlation: {type: temporal_ordered, rules: [often, passed], group-by: [user.name], timespan: 3m}
---
title: denied
correlation: {type: event_count, rules: [many], group-by: [source.ip], timespan: 1m, condition: {eq: 1}}
";

const SILENCE: &str = "title: gone
correlation: {type: event_count, rules: [login], group-by: [source.ip], timespan: 40s, condition: {lt: 1}}
watchpost: {absence: true}
";

fn set(correlations: &str) -> RuleSet {
    let set = RuleSet::load(&[Source { name: "c.yml".into(), text: format!("{BASE}{correlations}") }]);
    assert_eq!(set.rejected(), []);
    set
}

/// One event of chance: second, address, user, whether it failed, bytes, and by how many seconds it
/// comes late.
type Login = (i64, u8, u8, bool, u64, i64);

/// An event and its place in the ordered run.
type Placed = (usize, Login);

fn logins() -> impl Strategy<Value = Vec<Login>> {
    let one = (0_i64..240, 0_u8..2, 0_u8..3, any::<bool>(), 0_u64..12, 0_i64..=300);
    proptest::collection::vec(one, 1..60)
}

fn event(login: &Login) -> (Event, Timestamp) {
    let (second, ip, user, failed, bytes, _) = *login;
    let time = Timestamp::from_parts(second, 0);
    let mut event = Event::new(Kind::Auth, time);
    event.record.set(field::EVENT_PROVIDER, "sshd");
    event.record.set(field::EVENT_OUTCOME, if failed { "failure" } else { "success" });
    event.record.set(field::SOURCE_IP, Ipv4Addr::new(192, 0, 2, ip));
    event.record.set(field::USER_NAME, format!("user{user}"));
    event.record.set(field::SOURCE_BYTES, bytes);
    (event, time)
}

/// An event with the place it has in the journal of the ordered run, which is its name.
fn observe(detector: &mut Detector, at: usize, login: &Login) -> Vec<Finding> {
    let (event, time) = event(login);
    let index = u32::try_from(at).unwrap();
    detector.observe(&Subject::Typed(&event), EventRef { frame: 1, index }, time)
}

/// What is left of all that was said, without the ids.
fn last_words(said: Vec<Finding>) -> Vec<String> {
    let mut settling = Settling::default();
    // Plain rules say what they have to at once.
    let _ = settling.take(said);
    let show = |f: Finding| {
        let id = format!("{:?}", (f.time, &f.rule.meta.name, f.count, &f.group, &f.events));
        id
    };
    let mut out: Vec<String> = settling.finish().into_iter().map(show).collect();
    out.sort();
    out
}

fn run(set: &RuleSet, logins: &[Placed]) -> Vec<String> {
    let mut detector = Detector::new(set);
    let mut said: Vec<Finding> =
        logins.iter().flat_map(|(at, login)| observe(&mut detector, *at, login)).collect();
    said.extend(detector.finish());
    assert_eq!(detector.counters().late, 0);
    last_words(said)
}

/// The same events as they happened, and as they came.
fn both_ways(mut logins: Vec<Login>) -> (Vec<Placed>, Vec<Placed>) {
    logins.sort_by_key(|login| login.0);
    let ordered: Vec<Placed> = logins.into_iter().enumerate().collect();
    let mut shuffled = ordered.clone();
    shuffled.sort_by_key(|(at, login)| (login.0 + login.5, std::cmp::Reverse(*at)));
    (ordered, shuffled)
}

/// Rows as a state keeps them.
#[derive(Default)]
struct Kept {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    head: Vec<u8>,
}

impl Kept {
    fn save(&mut self, detector: &mut Detector) {
        let changes = detector.changes();
        for key in changes.delete {
            assert!(self.rows.remove(&key).is_some(), "only what is there is deleted");
        }
        self.rows.extend(changes.put);
        self.head = changes.head;
    }

    fn load(&self, set: &RuleSet) -> Detector {
        let mut detector = Detector::new(set);
        let restored = detector.restore(&self.head, &mut self.rows.clone().into_iter()).unwrap();
        assert_eq!((restored.foreign.len(), restored.unknown), (0, 0));
        detector
    }
}

fn whole(said: &[Finding]) -> Vec<String> {
    said.iter().map(|f| format!("{:?}", (f.id, f.standing, f.time, f.count, &f.events, &f.group))).collect()
}

/// Runs with a checkpoint every so many events and a kill after so many; what is said after the kill.
fn killed(set: &RuleSet, logins: &[Placed], every: usize, kill: usize) -> Vec<Finding> {
    let (mut kept, mut saved) = (Kept::default(), 0);
    let mut detector = Detector::new(set);
    kept.save(&mut detector);
    for (place, (at, login)) in logins.iter().enumerate().take(kill) {
        observe(&mut detector, *at, login);
        if (place + 1) % every == 0 {
            kept.save(&mut detector);
            saved = place + 1;
        }
    }
    let mut detector = kept.load(set);
    let said = |detector: &mut Detector, part: &[Placed]| -> Vec<Finding> {
        part.iter().flat_map(|(at, login)| observe(detector, *at, login)).collect()
    };
    let kill = kill.min(logins.len());
    said(&mut detector, &logins[saved..kill]);
    let mut out = said(&mut detector, &logins[kill..]);
    out.extend(detector.finish());
    out
}

proptest! {
    #[test]
    fn the_order_of_events_does_not_matter(logins in logins(), which in 0..EVERY.len()) {
        let (ordered, shuffled) = both_ways(logins);
        let set = set(&single(EVERY[which]));
        prop_assert_eq!(run(&set, &ordered), run(&set, &shuffled), "{}", EVERY[which]);
    }

    #[test]
    fn nor_for_correlations_of_correlations(logins in logins()) {
        let (ordered, shuffled) = both_ways(logins);
        let set = set(CHAIN);
        prop_assert_eq!(run(&set, &ordered), run(&set, &shuffled));
    }

    #[test]
    fn nor_for_silence(logins in logins()) {
        let (ordered, shuffled) = both_ways(logins);
        let set = set(SILENCE);
        prop_assert_eq!(run(&set, &ordered), run(&set, &shuffled));
    }

    #[test]
    fn a_kill_at_any_moment_is_not_noticed(
        logins in logins(), which in 0..=EVERY.len() + 1, every in 1_usize..20, kill in 0_usize..60,
    ) {
        let rule = match EVERY.get(which) {
            Some(of) => single(of),
            None if which == EVERY.len() => CHAIN.to_owned(),
            None => SILENCE.to_owned(),
        };
        let set = set(&rule);
        let (_, shuffled) = both_ways(logins);
        let kill = kill.min(shuffled.len());
        let mut detector = Detector::new(&set);
        for (at, login) in &shuffled[..kill] {
            observe(&mut detector, *at, login);
        }
        let mut undisturbed: Vec<Finding> =
            shuffled[kill..].iter().flat_map(|(at, login)| observe(&mut detector, *at, login)).collect();
        undisturbed.extend(detector.finish());
        prop_assert_eq!(whole(&killed(&set, &shuffled, every, kill)), whole(&undisturbed), "{}", rule);
    }

    #[test]
    fn every_group_given_up_is_counted(users in proptest::collection::vec(0_u32..40, 1..200), most in 1_usize..30) {
        let rule = "title: one\ncorrelation: {type: event_count, rules: [failed], group-by: [user.name], timespan: 20s, condition: {gte: 3}}\n";
        let mut detector = Detector::new(&set(rule)).with_groups(most);
        let (mut live, mut evicted): (Vec<u32>, u64) = (Vec::new(), 0);
        for (at, user) in users.iter().enumerate() {
            let (mut event, time) = event(&(i64::try_from(at / 7).unwrap(), 1, 0, true, 0, 0));
            event.record.set(field::USER_NAME, format!("{user}"));
            let index = u32::try_from(at).unwrap();
            detector.observe(&Subject::Typed(&event), EventRef { frame: 1, index }, time);
            if live.contains(user) {
                live.retain(|other| other != user);
            } else if live.len() == most {
                live.remove(0);
                evicted += 1;
            }
            live.push(*user);
        }
        let counters = detector.counters();
        prop_assert_eq!((counters.evicted, counters.groups), (evicted, u64::try_from(live.len()).unwrap()));
    }
}

#[test]
fn ids_follow_from_events_alone() {
    let set = set(&single(EVERY[0]));
    let logins: Vec<Placed> = (0..9).map(|at| (at, (at as i64 * 4, 1, 0, true, 0, 0))).collect();
    let ids = || -> Vec<Option<FindingId>> {
        let mut detector = Detector::new(&set);
        logins.iter().flat_map(|(at, login)| observe(&mut detector, *at, login)).map(|f| f.id).collect()
    };
    assert!(!ids().is_empty());
    assert_eq!(ids(), ids());
}
