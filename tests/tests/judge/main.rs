//! The compiled engine against its judge: each event held against each rule in turn, slowly.
//!
//! All public and shipped rules; events of other engines' tests as JSON, and events that our own
//! readers make of captures and logs. Each event goes once the way it would really go (its
//! logsources, correlations counting), and once past every rule there is, whatever the rule's
//! logsource. What fires, why, and what it belongs together with must be the same. Needs the
//! external test data; skips loudly without. The counts are printed (`--nocapture`).
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod events;
mod sets;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::LazyLock;

use events::Held;
use sets::Sets;
use watchpost_model::alert::MatchedField;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, Finding, RuleSet};

/// Typed events that go past every rule, taken evenly from all there are: the judge takes some ten
/// milliseconds for each in a debug build.
const MOST_TYPED: usize = 6_000;

/// What was compared.
#[derive(Clone, Copy, Default)]
struct Compared {
    events: u64,
    /// Times the judge held a rule against an event.
    pairs: u64,
    /// Times the compiled way did, after what it could leave out.
    tried: u64,
    findings: u64,
}

impl Compared {
    fn and(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            pairs: self.pairs + other.pairs,
            tried: self.tried + other.tried,
            findings: self.findings + other.findings,
        }
    }

    fn said(self, of: &str) -> String {
        let Self { events, pairs, tried, findings } = self;
        format!(
            "{of}: {events} events, {pairs} pairs of rule and event ({tried} left by the compiled way), \
             {findings} findings, all equal"
        )
    }
}

/// How events are held.
#[derive(Clone, Copy)]
enum Way {
    /// In turn, and correlations count.
    Counted,
    /// Each for itself.
    Alone,
}

type Told<'f> = (&'f str, &'f [MatchedField], &'f [(String, String)], Option<u64>, &'f [EventRef]);

fn told(findings: &[Finding]) -> Vec<Told<'_>> {
    findings.iter().map(of).collect()
}

fn of(finding: &Finding) -> Told<'_> {
    (&finding.rule.meta.id, &finding.matched, &finding.group, finding.count, &finding.events)
}

/// Both ways over some events, by one pair of detectors.
fn part<'e>(set: &RuleSet, events: impl Iterator<Item = (u64, &'e Held)>, way: Way) -> Compared {
    let (mut compiled, mut plain) = (Detector::new(set), Detector::plain(set));
    for (number, held) in events {
        let at = EventRef { frame: number, index: 0 };
        let look = |detector: &mut Detector| match way {
            Way::Counted => detector.observe(&held.subject(), at, held.time()),
            Way::Alone => detector.observe_alone(&held.subject(), at, held.time()).findings,
        };
        let (quick, slow) = (look(&mut compiled), look(&mut plain));
        assert_eq!(told(&quick), told(&slow), "compiled (left) and plain (right) differ on {}", held.name());
    }
    let (quick, slow) = (compiled.counters(), plain.counters());
    assert_eq!((quick.events, quick.findings), (slow.events, slow.findings));
    assert_eq!((quick.ungrouped, quick.late, quick.groups), (slow.ungrouped, slow.late, slow.groups));
    Compared { events: slow.events, pairs: slow.tried, tried: quick.tried, findings: slow.findings }
}

/// Both ways over all events, on every processor.
fn agree(set: &RuleSet, events: &[&Held], way: Way) -> Compared {
    let parts = std::thread::available_parallelism().map_or(2, NonZero::get);
    std::thread::scope(|scope| {
        let start = |first: usize| {
            let mine = (0..).zip(events.iter().copied()).skip(first).step_by(parts);
            scope.spawn(move || part(set, mine, way))
        };
        let running: Vec<_> = (0..parts).map(start).collect();
        running.into_iter().map(|part| part.join().unwrap()).fold(Compared::default(), Compared::and)
    })
}

/// Evenly `most` of all.
fn some(events: &[Held], most: usize) -> Vec<&Held> {
    let most = most.min(events.len());
    (0..most).map(|nth| &events[nth * events.len() / most]).collect()
}

/// Loaded once: in a debug build that takes longer than many an event.
static SETS: LazyLock<Option<Sets>> = LazyLock::new(|| Sets::open(&watchpost_tests::test_data()?));

fn given(test: &str) -> Option<(PathBuf, &'static Sets)> {
    let given = watchpost_tests::test_data().zip(SETS.as_ref());
    if given.is_none() {
        watchpost_tests::skipped(test, "no public rules, or no `tar`; set WATCHPOST_TEST_DATA");
    }
    given
}

#[test]
fn on_events_of_other_engines_the_compiled_rules_say_what_the_plain_ones_say() {
    let Some((data, sets)) = given("compiled against plain, foreign events") else { return };
    let events = events::foreign(&data);
    let all = some(&events, usize::MAX);
    println!("{}", sets.counts());
    let routed = agree(&sets.routed, &all, Way::Counted);
    let every = agree(&sets.everywhere, &all, Way::Alone);
    println!("{}", routed.said("foreign events, by logsource"));
    println!("{}", every.said("foreign events, every rule"));
    assert!(all.len() > 800, "only {} events were read", all.len());
    assert_eq!(every.pairs, every.events * sets.detections());
    assert!(routed.findings > 400 && every.findings > routed.findings);
}

#[test]
fn on_events_of_ours_the_compiled_rules_say_what_the_plain_ones_say() {
    let Some((data, sets)) = given("compiled against plain, events of ours") else { return };
    let events = events::typed(&data);
    let all = some(&events, usize::MAX);
    println!("{}", sets.counts());
    let routed = agree(&sets.routed, &all, Way::Counted);
    let past = some(&events, MOST_TYPED);
    let every = agree(&sets.everywhere, &past, Way::Alone);
    println!("{}", routed.said("events of ours, by logsource"));
    println!("{}", every.said(&format!("{} of {} events of ours, every rule", past.len(), events.len())));
    assert!(all.len() > 10_000, "only {} events were read", all.len());
    // An event of ours meets a rule once for each class that it has.
    assert!(every.pairs >= every.events * sets.detections());
    assert!(routed.findings > 500 && every.findings > 0);
}
