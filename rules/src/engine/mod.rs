//! The detector: events in, findings out.
//!
//! An event meets only the rules of its logsources. Findings of base rules go on into the
//! correlations that count them. Time is the event's own, handed in; nothing here reads a clock.
//! Rules are found the quick way ([`compiled`]); the plain way ([`eval`]) says why one fired, and
//! is the judge that the quick way must agree with.

mod compiled;
mod eval;
mod route;
mod sieve;
mod view;

pub(crate) use eval::{condition, cut, expr, holds, item_holds};
pub(crate) use route::Plans;
pub use sieve::{Sieve, Sifted};
pub(crate) use view::{Facts, View};

use std::sync::Arc;
use std::time::Duration;

use watchpost_model::alert::MatchedField;
use watchpost_model::field::sigma::{Class, Logsource};
use watchpost_model::field::{self, sigma};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Timestamp};

use compiled::{Entry, Scratch};
use route::Routes;

use crate::compile::{Body, Core, Rule, RuleSet};
use crate::correlate::{Changes, FindingId, Restored, Standing, Unreadable, Windows, coalesce};
use crate::taxonomy::{OwnedLogsource, Subject, infer};

/// A rule that fired.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: Arc<Rule>,
    /// When, by the event that completed it.
    pub time: Timestamp,
    /// Why: fields, or the group and count of a correlation.
    pub matched: Vec<MatchedField>,
    /// What it belongs together with: field and value.
    pub group: Vec<(String, String)>,
    /// Evidence, at most [`watchpost_model::alert::MOST_EVIDENCE`].
    pub events: Vec<EventRef>,
    /// What a correlation counted.
    pub count: Option<u64>,
    /// Identity of a correlation's finding over all its versions; absent for a plain rule, whose
    /// event says it all.
    pub id: Option<FindingId>,
    /// What it is to versions said before.
    pub standing: Standing,
}

/// What a detector did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events seen.
    pub events: u64,
    /// Events that no rule's logsource wanted.
    pub unwanted: u64,
    /// Times a detection rule was held against an event.
    pub tried: u64,
    /// Findings given out.
    pub findings: u64,
    /// Findings of base rules that lacked a field their correlation groups by or counts.
    pub ungrouped: u64,
    /// Windows given up because there were too many.
    pub evicted: u64,
    /// Events given up inside windows because there were too many.
    pub forgotten: u64,
    /// Events that came later than their correlation's allowance.
    pub late: u64,
    /// Findings amended, absorbed or withdrawn because of a late event.
    pub amended: u64,
    /// Groups of correlations that are live.
    pub groups: u64,
}

/// Holds events against a rule set and keeps the windows of its correlations.
#[derive(Debug)]
pub struct Detector {
    core: Arc<Core>,
    windows: Windows,
    counters: Counters,
    way: Way,
    routes: Routes,
    scratch: Scratch,
}

/// How rules are held against an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Compiled together.
    Compiled,
    /// Each in turn.
    Plain,
}

/// One event on its way through the rules.
struct Pass<'e> {
    subject: Subject<'e>,
    at: EventRef,
    time: Timestamp,
    fired: Vec<usize>,
    findings: Vec<Finding>,
    counting: Counting,
}

/// Whether correlations count what fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    /// They do.
    Now,
    /// They do not, and none would.
    Unasked,
    /// They do not, but at least one would.
    Put,
}

/// What base rules find in one event, with no correlation counting it.
#[derive(Clone, Debug)]
pub struct Alone {
    /// Findings of base rules, in the order of rules.
    pub findings: Vec<Finding>,
    /// Whether a correlation counts one of the rules that fired, be it silent: then the event has
    /// to be [observed](Detector::observe) in its turn, which gives all findings again.
    pub is_counted: bool,
}

impl Detector {
    /// A detector with empty windows.
    #[must_use]
    pub fn new(set: &RuleSet) -> Self {
        let core = Arc::clone(&set.core);
        let windows = Windows::new(&core);
        Self {
            core,
            windows,
            counters: Counters::default(),
            way: Way::Compiled,
            routes: Routes::default(),
            scratch: Scratch::default(),
        }
    }

    /// A detector that holds every event against every rule of its logsource: slow, and what the
    /// quick one must agree with.
    #[must_use]
    pub fn plain(set: &RuleSet) -> Self {
        Self { way: Way::Plain, ..Self::new(set) }
    }

    /// Holds one event against the rules. Findings come in the order of rules.
    pub fn observe(&mut self, subject: &Subject<'_>, at: EventRef, time: Timestamp) -> Vec<Finding> {
        self.pass(subject, at, time, Counting::Now).findings
    }

    /// Holds one event against the base rules alone. It depends on nothing seen before, so events
    /// may be held in any order and by several detectors of one set; windows stay as they are.
    pub fn observe_alone(&mut self, subject: &Subject<'_>, at: EventRef, time: Timestamp) -> Alone {
        let pass = self.pass(subject, at, time, Counting::Unasked);
        Alone { is_counted: pass.counting == Counting::Put, findings: pass.findings }
    }

    fn pass<'e>(
        &mut self,
        subject: &Subject<'e>,
        at: EventRef,
        time: Timestamp,
        counting: Counting,
    ) -> Pass<'e> {
        self.counters.events += 1;
        let core = Arc::clone(&self.core);
        let mut pass =
            Pass { subject: *subject, at, time, fired: Vec::new(), findings: Vec::new(), counting };
        match self.way {
            Way::Plain => self.plainly(&core, &mut pass),
            Way::Compiled => self.compiled(&core, &mut pass),
        }
        pass.findings = self.said(std::mem::take(&mut pass.findings));
        pass
    }

    /// It is `now`: gives up windows that no event can reach any more, and says which groups have
    /// been silent for too long ([`crate::correlate`]). From the first tick on a silence is measured
    /// by when events were handed in; without ticks, by the events' own time.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Finding> {
        let core = Arc::clone(&self.core);
        let findings = self.windows.tick(&core, now);
        self.said(findings)
    }

    /// It is `now` and nobody listened since the last tick: that time is no silence of anyone.
    pub fn resume(&mut self, now: Timestamp) {
        let core = Arc::clone(&self.core);
        self.windows.resume(&core, now);
    }

    /// It is `now` and not later: ticks from a future that did not come are taken back.
    pub fn correct(&mut self, now: Timestamp) {
        let core = Arc::clone(&self.core);
        self.windows.correct(&core, now);
    }

    /// No more events will come: says which groups were silent up to the newest event.
    pub fn finish(&mut self) -> Vec<Finding> {
        self.tick(self.windows.clock())
    }

    /// How many rows [`Detector::changes`] would give now.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.windows.changed()
    }

    /// What changed in the windows of correlations since the last call; everything the first time.
    /// From then on changes are remembered, so call it again and again or not at all.
    pub fn changes(&mut self) -> Changes {
        let core = Arc::clone(&self.core);
        self.windows.changes(&core)
    }

    /// Puts back what [`Detector::changes`] gave, of this rule set or another: `rows` are all that
    /// were put and not deleted since, `head` is the last one. Windows of correlations that mean the
    /// same are replaced; those of others are left as they are.
    ///
    /// # Errors
    /// The bytes can not be read. The detector is then of no use.
    pub fn restore(
        &mut self,
        head: &[u8],
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<Restored, Unreadable> {
        let core = Arc::clone(&self.core);
        self.windows.restore(&core, head, rows)
    }

    /// Keeps at most so many groups of correlations; the stalest are given up first, and counted.
    #[must_use]
    pub fn with_groups(mut self, most: usize) -> Self {
        self.windows.limit(most);
        self
    }

    fn said(&mut self, mut findings: Vec<Finding>) -> Vec<Finding> {
        coalesce(&mut findings);
        let count = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
        self.counters.findings += count(findings.len());
        self.counters.amended += count(findings.iter().filter(|f| f.standing.amends()).count());
        findings
    }

    /// The longest window of any correlation: how far back events must be read again to have
    /// the same windows after a restart.
    #[must_use]
    pub fn longest_window(&self) -> Duration {
        self.windows.longest()
    }

    /// What it did so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let windows = self.windows.counters();
        Counters {
            ungrouped: windows.ungrouped,
            evicted: windows.evicted,
            forgotten: windows.forgotten,
            late: windows.late,
            groups: u64::try_from(self.windows.groups()).unwrap_or(u64::MAX),
            ..self.counters
        }
    }

    fn compiled(&mut self, core: &Core, pass: &mut Pass<'_>) {
        let plan = match pass.subject {
            Subject::Typed(event) => self.routes.typed(core, event),
            Subject::Foreign { json, logsource } => self.routes.foreign(core, json, logsource),
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        self.counters.unwanted += u64::from(plan.is_empty());
        self.counters.tried += match pass.subject {
            Subject::Typed(event) => plan.typed(event, &mut scratch),
            Subject::Foreign { json, .. } => plan.foreign(json, &mut scratch),
        };
        let mut seen = None;
        for Entry { rule, class, .. } in plan.fired(&scratch) {
            let view = match seen.take() {
                Some((known, view)) if known == class => view,
                _ => View::taken(facts(&pass.subject, class), &core.names, plan.taken(&scratch)),
            };
            self.fire(core, rule, &view, pass);
            seen = Some((class, view));
        }
        self.scratch = scratch;
    }

    /// Each rule in turn.
    fn plainly(&mut self, core: &Core, pass: &mut Pass<'_>) {
        let meets = match pass.subject {
            Subject::Typed(event) => route::typed_meets(core, event),
            Subject::Foreign { json, logsource } => route::foreign_meets(core, json, logsource),
        };
        let views: Vec<View<'_>> =
            meets.iter().map(|(class, _)| View::new(facts(&pass.subject, *class), &core.names)).collect();
        let buckets = |of: &[usize]| -> Vec<usize> {
            of.iter()
                .filter_map(|at| core.buckets.get(*at))
                .flat_map(|bucket| &bucket.rules)
                .copied()
                .collect()
        };
        let mut rules: Vec<(usize, usize)> = Vec::new();
        for (nth, (_, of)) in meets.iter().enumerate() {
            rules.extend(buckets(of).into_iter().map(|rule| (rule, nth)));
        }
        rules.sort_unstable();
        self.counters.unwanted += u64::from(rules.is_empty());
        for (rule, nth) in rules {
            self.counters.tried += 1;
            if let (Some(Body::Detection(detection)), Some(view)) = (core.bodies.get(rule), views.get(nth))
                && holds(detection, view)
            {
                self.fire(core, rule, view, pass);
            }
        }
    }

    fn fire(&mut self, core: &Core, at: usize, view: &View<'_>, pass: &mut Pass<'_>) {
        let (Some(rule), Some(Body::Detection(detection))) = (core.rules.get(at), core.bodies.get(at)) else {
            return;
        };
        // One event may meet a rule as several classes; it fires once.
        if pass.fired.contains(&at) {
            return;
        }
        pass.fired.push(at);
        if !rule.is_silent {
            pass.findings.push(Finding {
                rule: Arc::clone(rule),
                time: pass.time,
                matched: eval::matched(detection, view),
                group: group(rule, view),
                events: vec![pass.at],
                count: None,
                id: None,
                standing: Standing::New,
            });
        }
        match pass.counting {
            Counting::Now => pass.findings.extend(self.windows.arrive(core, at, view, pass.at, pass.time)),
            _ if core.feeds.get(at).is_some_and(|feeds| !feeds.is_empty()) => pass.counting = Counting::Put,
            _ => {}
        }
    }
}

fn facts<'e>(subject: &Subject<'e>, class: Option<Class>) -> Facts<'e> {
    match (subject, class) {
        (Subject::Typed(event), class) => Facts::Typed(event, class.unwrap_or(Class::Own)),
        (Subject::Foreign { json, .. }, _) => Facts::Foreign(json),
    }
}

/// What a detection's findings belong together with.
fn group(rule: &Rule, view: &View<'_>) -> Vec<(String, String)> {
    let of = |field: &watchpost_model::FieldId| {
        let value = view.field(*field).joined()?;
        Some((field.name().to_owned(), cut(&value).to_owned()))
    };
    rule.group_by.iter().filter_map(of).collect()
}

/// The logsources that an event of ours has in a class.
pub(crate) fn logsources(event: &Event, class: Class) -> Vec<Logsource<'_>> {
    let plain = sigma::logsource(class);
    if class != Class::LinuxLog {
        return vec![plain];
    }
    let provider = event.text(field::EVENT_PROVIDER).unwrap_or_default();
    let own = Some(provider).filter(|provider| !provider.is_empty());
    let mut services: Vec<&str> = own.into_iter().collect();
    services.extend(sigma::services(provider).iter().filter(|service| Some(**service) != own));
    services.into_iter().map(|service| Logsource { service: Some(service), ..plain }).collect()
}

/// The logsources that a foreign event has. One that nothing is known of still meets rules that
/// name no logsource.
pub(crate) fn foreign_logsources(
    json: &serde_json::Value,
    given: Option<&OwnedLogsource>,
) -> Vec<OwnedLogsource> {
    let mut found = given.map_or_else(|| infer(json), |given| vec![given.clone()]);
    if found.is_empty() {
        found.push(OwnedLogsource::default());
    }
    found
}

#[cfg(test)]
mod tests;
