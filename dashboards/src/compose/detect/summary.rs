//! What came of a search, for people.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use watchpost_model::Timestamp;
use watchpost_model::alert::Severity;
use watchpost_rules::Finding;

use super::Error;

/// Rules named as those that fired most often.
const TOP: usize = 10;

/// Problems said one by one.
const MOST_PROBLEMS: usize = 20;

/// What came of it.
#[derive(Debug, Default)]
pub struct Summary {
    /// Events, with those that can not be read.
    pub events: u64,
    /// Lines and records that can not be read.
    pub unreadable: u64,
    /// Events that do not say when they happened; correlations do not count them.
    pub timeless: u64,
    /// Chunks of event logs that are not as they were written, but were read.
    pub odd: u64,
    /// Matches printed.
    pub findings: u64,
    /// Matches by level, the gravest first.
    pub levels: BTreeMap<std::cmp::Reverse<Severity>, u64>,
    /// Matches by rule: title, level and how many.
    pub by_rule: BTreeMap<String, (String, Severity, u64)>,
    /// Time of the oldest event and of the newest.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Inputs searched to their end.
    pub files: u64,
    /// Bytes taken from disk.
    pub bytes: u64,
    /// Events that came so late that a correlation could not count them.
    pub late: u64,
    /// Findings that lacked a field their correlation groups by or counts.
    pub ungrouped: u64,
    /// The first thing wrong with each input: file, line (0 where there are none), reason.
    pub problems: Vec<(PathBuf, u64, String)>,
    /// Inputs that can not be read, or not to their end.
    pub failed: Vec<Error>,
    /// Rules in force.
    pub rules: usize,
    /// Rules that could not be used.
    pub rejected: usize,
    /// Detection rules that want a logsource of which no event came.
    pub unmet: usize,
    /// SHA-256 of the rule set, hex.
    pub rule_set: String,
}

impl Summary {
    pub(super) fn found(&mut self, finding: &Finding) {
        self.findings += 1;
        let rule = &finding.rule;
        *self.levels.entry(std::cmp::Reverse(rule.severity)).or_default() += 1;
        let entry = self
            .by_rule
            .entry(rule.meta.id.clone())
            .or_insert_with(|| (rule.meta.name.clone(), rule.severity, 0));
        entry.2 += 1;
    }

    /// The lines for stderr.
    #[must_use]
    pub fn told(&self) -> String {
        let mut out = String::new();
        let Self { events, unreadable, findings, rejected, .. } = self;
        // Writing to a text does not fail.
        let _ = writeln!(out, "{events} events, {unreadable} unreadable, {findings} matches");
        self.told_findings(&mut out);
        self.told_problems(&mut out);
        let set = self.rule_set.get(..12).unwrap_or_default();
        let _ = writeln!(
            out,
            "{} rules (set {set}); no event of this input has the logsource of {} of them",
            self.rules, self.unmet
        );
        if *rejected > 0 {
            let _ = writeln!(
                out,
                "{rejected} rules rejected; run `watchpost rules check` on the same paths to see why"
            );
        }
        out
    }

    fn told_findings(&self, out: &mut String) {
        if let Some((from, to)) = self.span {
            let _ = writeln!(out, "from {from} to {to}");
        }
        if self.findings == 0 {
            return;
        }
        let levels: Vec<String> =
            self.levels.iter().map(|(level, count)| format!("{count} {}", level.0.name())).collect();
        let _ = writeln!(out, "by level: {}", levels.join(", "));
        let mut rules: Vec<_> = self.by_rule.values().collect();
        rules.sort_by(|a, b| (b.2, b.1).cmp(&(a.2, a.1)).then_with(|| a.0.cmp(&b.0)));
        for (name, level, count) in rules.iter().take(TOP) {
            let _ = writeln!(out, "{count:>8} {:<13} {name}", level.name());
        }
        if rules.len() > TOP {
            let _ = writeln!(out, "         and {} other rules", rules.len() - TOP);
        }
    }

    fn told_problems(&self, out: &mut String) {
        for (path, line, reason) in self.problems.iter().take(MOST_PROBLEMS) {
            let at = if *line > 0 { format!(":{line}") } else { String::new() };
            let _ = writeln!(out, "{}{at}: {reason}", path.display());
        }
        if self.problems.len() > MOST_PROBLEMS {
            let _ = writeln!(out, "and {} other inputs with problems", self.problems.len() - MOST_PROBLEMS);
        }
        if self.odd > 0 {
            let _ = writeln!(out, "{} damaged chunks, of which the rest was read", self.odd);
        }
        if self.timeless > 0 {
            let _ = writeln!(
                out,
                "{} events have no time that is known here: correlations did not count them",
                self.timeless
            );
        }
        if self.late > 0 {
            let _ = writeln!(out, "{} events came too late for a correlation to count them", self.late);
        }
    }
}
