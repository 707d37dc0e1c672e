//! Detection in two halves: what an event alone decides, and what needs all events in order.
//!
//! Most events wake no rule at all. Which rules an event fires depends on nothing but the event
//! and the rule set, so any number of [`Sieve`]s may look at events on as many threads, in any
//! order. The [`Detector`] then takes only the events that fired something, in their order, and
//! does the rest: writes findings down and counts them in windows. Both halves together find
//! exactly what [`Detector::observe`] finds.

use std::sync::Arc;

use watchpost_model::Timestamp;
use watchpost_model::field::sigma::Class;
use watchpost_model::id::EventRef;

use super::compiled::{Entry, Scratch};
use super::route::Routes;
use super::{Detector, Finding, Pass, View, Way, facts};
use crate::compile::{Core, RuleSet};
use crate::taxonomy::Subject;

/// Looks at events one by one and remembers none.
#[derive(Debug)]
pub struct Sieve {
    core: Arc<Core>,
    routes: Routes,
    scratch: Scratch,
}

/// What an event alone decided. Means something only to a detector of the same rule set.
#[derive(Clone, Debug, Default)]
pub struct Sifted {
    /// Rules that fired, each seen as a class.
    fired: Vec<(usize, Option<Class>)>,
    tried: u64,
    unwanted: bool,
}

impl Sifted {
    /// Whether the detector need not hear of the event.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.fired.is_empty()
    }
}

impl Sieve {
    /// A sieve for events on their way to a detector of this set.
    #[must_use]
    pub fn new(set: &RuleSet) -> Self {
        Self { core: Arc::clone(&set.core), routes: Routes::default(), scratch: Scratch::default() }
    }

    /// Which rules the event fires. Allocates nothing where none does.
    pub fn sift(&mut self, subject: &Subject<'_>) -> Sifted {
        let plan = match subject {
            Subject::Typed(event) => self.routes.typed(&self.core, event),
            Subject::Foreign { json, logsource } => self.routes.foreign(&self.core, json, *logsource),
        };
        let tried = match subject {
            Subject::Typed(event) => plan.typed(event, &mut self.scratch),
            Subject::Foreign { json, .. } => plan.foreign(json, &mut self.scratch),
        };
        let fired = plan.fired(&self.scratch).map(|Entry { rule, class, .. }| (rule, class)).collect();
        Sifted { fired, tried, unwanted: plan.is_empty() }
    }
}

impl Detector {
    /// A sieve for this detector's events.
    #[must_use]
    pub fn sieve(&self) -> Sieve {
        Sieve { core: Arc::clone(&self.core), routes: Routes::default(), scratch: Scratch::default() }
    }

    /// What [`Detector::observe`] would say, for an event that a sieve of the same rule set has
    /// looked at. Events must come in order; quiet ones may be left out, then only
    /// [`super::Counters::events`] and its like miss them.
    pub fn conclude(
        &mut self,
        subject: &Subject<'_>,
        at: EventRef,
        time: Timestamp,
        sifted: &Sifted,
    ) -> Vec<Finding> {
        if self.way == Way::Plain {
            return self.observe(subject, at, time);
        }
        self.counters.events += 1;
        self.counters.tried += sifted.tried;
        self.counters.unwanted += u64::from(sifted.unwanted);
        let core = Arc::clone(&self.core);
        let counting = super::Counting::Now;
        let mut pass =
            Pass { subject: *subject, at, time, fired: Vec::new(), findings: Vec::new(), counting };
        let mut seen: Option<(Option<Class>, View<'_>)> = None;
        for (rule, class) in &sifted.fired {
            let view = match seen.take() {
                Some((known, view)) if known == *class => view,
                _ => View::new(facts(&pass.subject, *class), &core.names),
            };
            self.fire(&core, *rule, &view, &mut pass);
            seen = Some((*class, view));
        }
        self.said(pass.findings)
    }
}

#[cfg(test)]
mod tests;
