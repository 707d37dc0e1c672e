//! The Sigma engine behind detection's seam.

use std::time::Duration;

use watchpost_model::Event;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, Finding, RuleSet, Subject};

use crate::pipeline::{Engine, Hit};

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

    fn longest_window(&self) -> Duration {
        self.0.longest_window()
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
