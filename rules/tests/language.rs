//! Over the whole language, on generated rules and events: what is generated loads, and the
//! compiled way finds what the plain way finds, whatever other rules are there.
//!
//! 256 cases each; `PROPTEST_CASES=100000` runs longer.
#![expect(clippy::unwrap_used, reason = "a test may fail its helpers")]

mod generate;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::Value as Json;
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;
use watchpost_rules::{Counters, Detector, OwnedLogsource, RuleSet, Source, Subject};

fn load(rules: &[Json]) -> RuleSet {
    let numbered = rules.iter().enumerate().map(|(n, rule)| {
        let mut rule = rule.clone();
        rule["title"] = format!("r{n}").into();
        rule["id"] = format!("r{n}").into();
        yaml_serde::to_string(&rule).unwrap()
    });
    let texts: Vec<String> = numbered.collect();
    RuleSet::load(&[Source { name: "generated.yml".into(), text: texts.join("---\n") }])
}

fn ids(detector: &mut Detector, subject: &Subject<'_>) -> Vec<String> {
    let found = detector.observe(subject, EventRef { frame: 1, index: 0 }, Timestamp::EPOCH);
    found.iter().map(|finding| finding.rule.meta.id.clone()).collect()
}

/// Not to keep seeds in files: a failure becomes a case of its own.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_ways_find_the_same(
        rules in vec(generate::rule(), 1..8),
        events in vec(generate::event(), 1..6),
    ) {
        let set = load(&rules);
        prop_assert_eq!(set.rejected(), &[], "{}", &Json::from(rules));
        let (mut quick, mut plain) = (Detector::new(&set), Detector::plain(&set));
        let linux = OwnedLogsource::parse("product=linux");
        for json in &events {
            for logsource in [None, linux.as_ref()] {
                let subject = Subject::Foreign { json, logsource };
                prop_assert_eq!(ids(&mut quick, &subject), ids(&mut plain, &subject), "{} {}", json, Json::from(rules));
            }
        }
    }

    #[test]
    fn a_rule_fires_alone_as_it_fires_among_others(
        rules in vec(generate::rule(), 2..8),
        json in generate::event(),
    ) {
        let linux = OwnedLogsource::parse("product=linux");
        let subject = Subject::Foreign { json: &json, logsource: linux.as_ref() };
        let together = ids(&mut Detector::new(&load(&rules)), &subject);
        let alone: Vec<String> = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| !ids(&mut Detector::new(&load(std::slice::from_ref(rule))), &subject).is_empty())
            .map(|(n, _)| format!("r{n}"))
            .collect();
        prop_assert_eq!(together, alone, "{} {}", json, Json::from(rules));
    }
}

/// A generator whose rules never fire would prove nothing.
#[test]
fn what_is_generated_fires_now_and_then() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut held, mut fired) = (0, 0);
    for _ in 0..200 {
        let rules = vec(generate::rule(), 4).new_tree(&mut runner).unwrap().current();
        let events = vec(generate::event(), 4).new_tree(&mut runner).unwrap().current();
        let set = load(&rules);
        let linux = OwnedLogsource::parse("product=linux");
        let mut detector = Detector::plain(&set);
        for json in &events {
            fired += ids(&mut detector, &Subject::Foreign { json, logsource: linux.as_ref() }).len();
        }
        let Counters { tried, .. } = detector.counters();
        held += usize::try_from(tried).unwrap();
    }
    println!("{fired} of {held} fired");
    assert!(fired * 20 > held && fired * 20 < held * 19, "{fired} of {held}");
}
