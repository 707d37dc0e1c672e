//! The Sigma engine behind detection's seam.

use std::time::Duration;

use watchpost_model::Event;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, Finding, RuleSet, Sifted, Subject};

use crate::pipeline::{Engine, Hit, Sieve};

pub(super) struct Adapter(Detector);

impl Adapter {
    pub(super) fn new(set: &RuleSet) -> Self {
        Self(Detector::new(set))
    }
}

impl Engine for Adapter {
    fn observe(&mut self, event: &Event, at: EventRef) -> Vec<Hit> {
        let findings = self.0.observe(&Subject::Typed(event), at, event.time);
        findings.into_iter().map(hit).collect()
    }

    fn sieve(&self) -> Option<Box<dyn Sieve>> {
        Some(Box::new(Mesh(self.0.sieve())))
    }

    fn conclude(&mut self, event: &Event, at: EventRef, sifted: &Sifted) -> Vec<Hit> {
        let findings = self.0.conclude(&Subject::Typed(event), at, event.time, sifted);
        findings.into_iter().map(hit).collect()
    }

    fn longest_window(&self) -> Duration {
        self.0.longest_window()
    }
}

struct Mesh(watchpost_rules::Sieve);

impl Sieve for Mesh {
    fn sift(&mut self, event: &Event) -> Sifted {
        self.0.sift(&Subject::Typed(event))
    }
}

fn hit(finding: Finding) -> Hit {
    let rule = &finding.rule;
    Hit {
        rule: rule.meta.clone(),
        severity: rule.severity,
        outcome: rule.outcome,
        group_by: rule.group_by.clone(),
        correlated: rule.is_correlation,
        group: finding.group,
        count: finding.count,
        matched: finding.matched,
        events: finding.events,
        time: finding.time,
    }
}
