//! An ordinary day on Linux hosts: package upgrades, configuration management, builds, containers,
//! monitors, backups, boots and administrators at work.
//!
//! The quiet cases beside each rule show what is near to that rule. These traces are near to none,
//! and every shipped rule of level medium or worse must stay quiet on all of them: the noise of a
//! set of rules is what people switch it off for.

use watchpost_model::alert::Severity;
use watchpost_rules::shipped::shipped;
use watchpost_rules::{RuleSet, Source, cases};

const DAY: &str = include_str!("everyday/linux.cases.yml");

#[test]
fn an_ordinary_day_makes_no_alert_of_level_medium_or_worse() {
    let all = shipped();
    let set = RuleSet::load(&all);
    let speaks = |source: &Source| {
        let mut rules = set.rules().iter().filter(|rule| rule.file == source.name && !rule.is_silent);
        rules.any(|rule| rule.severity >= Severity::Medium)
    };
    let loud: Vec<Source> = all.iter().filter(|source| speaks(source)).cloned().collect();
    assert!(loud.len() >= 100, "only {} rules are of level medium or worse", loud.len());
    let day = Source { name: "everyday.cases.yml".to_owned(), text: DAY.to_owned() };
    let results = cases::run(&loud, &day);
    assert!(results.len() >= 9, "only {} traces were run", results.len());
    let broken: Vec<String> = results
        .into_iter()
        .filter(|result| !result.passed)
        .map(|result| format!("{}: {}", result.name, result.detail))
        .collect();
    assert!(broken.is_empty(), "alerts on an ordinary day:\n  {}", broken.join("\n  "));
}
