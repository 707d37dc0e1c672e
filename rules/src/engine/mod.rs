//! The detector: events in, findings out.
//!
//! An event meets only the rules of its logsources. Findings of base rules go on into the
//! correlations that count them. Time is the event's own, handed in; nothing here reads a clock.
//! Rules are found the quick way ([`compiled`]); the plain way ([`eval`]) says why one fired, and
//! is the judge that the quick way must agree with.

mod compiled;
mod eval;
mod route;
mod view;

pub(crate) use eval::{condition, cut, expr, holds, item_holds};
pub(crate) use route::Plans;
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
use crate::correlate::{Arrival, Windows};
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
    /// Events older than what their window still remembers.
    pub late: u64,
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
        self.counters.events += 1;
        let core = Arc::clone(&self.core);
        let mut pass = Pass { subject: *subject, at, time, fired: Vec::new(), findings: Vec::new() };
        match self.way {
            Way::Plain => self.plainly(&core, &mut pass),
            Way::Compiled => self.compiled(&core, &mut pass),
        }
        self.counters.findings += u64::try_from(pass.findings.len()).unwrap_or(u64::MAX);
        pass.findings
    }

    /// The longest window of any correlation: how far back events must be read again to have
    /// the same windows after a restart.
    #[must_use]
    pub fn longest_window(&self) -> Duration {
        self.windows.longest()
    }

    /// What it did so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        let windows = self.windows.counters();
        Counters {
            ungrouped: windows.ungrouped,
            evicted: windows.evicted,
            forgotten: windows.forgotten,
            late: windows.late,
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
            });
        }
        self.join(core, at, view, pass);
    }

    /// Hands a finding on to the correlations that count it, and what completes them on to those
    /// that count these. Ends because a correlation only counts rules that were loaded before it.
    fn join(&mut self, core: &Core, from: usize, view: &View<'_>, pass: &mut Pass<'_>) {
        let mut ready = vec![from];
        while let Some(at) = ready.pop() {
            for correlation in core.feeds.get(at).into_iter().flatten() {
                let arrival =
                    Arrival { correlation: *correlation, rule: at, event: pass.at, time: pass.time };
                let Some(finding) = self.windows.arrive(core, arrival, view) else { continue };
                ready.push(*correlation);
                if !finding.rule.is_silent {
                    pass.findings.push(finding);
                }
            }
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
