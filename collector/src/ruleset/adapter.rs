//! The Sigma engine behind detection's seam.

use std::time::Duration;

use watchpost_model::id::EventRef;
use watchpost_model::{Event, Timestamp};
use watchpost_rules::{Changes, Detector, Finding, Restored, RuleSet, Sifted, Subject, Unreadable};

use crate::pipeline::{Engine, Hit, Sieve, Strain};

pub(super) struct Adapter(Detector);

impl Adapter {
    /// An engine that keeps at most so many groups of correlations.
    pub(super) fn new(set: &RuleSet, groups: usize) -> Self {
        Self(Detector::new(set).with_groups(groups))
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

    fn tick(&mut self, now: Timestamp) -> Vec<Hit> {
        self.0.tick(now).into_iter().map(hit).collect()
    }

    fn resume(&mut self, now: Timestamp) {
        self.0.resume(now);
    }

    fn correct(&mut self, now: Timestamp) {
        self.0.correct(now);
    }

    fn is_durable(&self) -> bool {
        true
    }

    fn changed(&self) -> usize {
        self.0.changed()
    }

    fn changes(&mut self) -> Changes {
        self.0.changes()
    }

    fn restore(
        &mut self,
        head: &[u8],
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<Restored, Unreadable> {
        self.0.restore(head, rows)
    }

    fn strain(&self) -> Strain {
        let counters = self.0.counters();
        Strain {
            groups: counters.groups,
            evicted: counters.evicted,
            forgotten: counters.forgotten,
            late: counters.late,
        }
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
        id: finding.id,
        standing: finding.standing,
    }
}
