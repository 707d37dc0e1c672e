//! A bucket as correlations.
//!
//! A leaky bucket of capacity N that loses one event every T overflows at an event when, for some
//! earlier event d before it, the events from there on number more than N + d/T. With k of them
//! that is: k ≥ N+1+m within less than (m+1)·T, for some m = 0, 1, 2…; our windows are open at
//! their begin, so `event_count` of k within a timespan of (m+1)·T is the same condition, and a
//! log of L lines needs m only up to L-N-1. With distinct values the bucket takes each value once,
//! and `value_count` stands in for `event_count`: the two differ only where a value comes again
//! long after it came first. A trigger is the base rule alone. A conditional bucket keeps its
//! events for its leak speed; its condition is not among the parameters: several base rules must
//! all come (`temporal`), one must come as often as the alert says.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use watchpost_model::{Event, FieldId, field as f};
use watchpost_rules::{RuleSet, Source};

use crate::log::{findings, value};
use crate::text;

/// Cases that must pass at least; fewer would mean that we had stopped reading something.
pub(crate) const LEAST_PASSED: usize = 55;

/// Hundredths of the sources that our shipped rules must tell of.
pub(crate) const LEAST_SHARE: usize = 65;

/// Correlations made for one bucket at most.
const MOST_STEPS: u64 = 200;

/// Base rules, one file per log family; documents are separated by `---` and named by scenario.
const BASE: [&str; 2] = [include_str!("base/web.yml"), include_str!("base/services.yml")];

/// One scenario over one log.
pub(crate) struct Bucket {
    set: RuleSet,
    /// The field whose value the alert calls its source.
    shown: FieldId,
}

impl Bucket {
    /// The rules for a scenario, from its name and the parameters in its alerts.
    pub(crate) fn of(scenario: &str, alerts: &[&Json], events: usize) -> Result<Self, String> {
        let rule = alerts.iter().find_map(|alert| alert.get("rule")).unwrap_or(&Json::Null);
        let bases = bases(scenario);
        if bases.is_empty() {
            return Err("no base rule of ours".into());
        }
        let kind = text(rule, "/type");
        let group = group(text(rule, "/groupby"))?;
        let shape = Shape { kind, names: bases.iter().map(|(name, _)| *name).collect(), group };
        let correlations = match kind {
            "trigger" => Vec::new(),
            "leaky" => leaky(&shape, rule, events)?,
            "conditional" => vec![conditional(&shape, rule, alerts)?],
            "" => return Err("the case has no parameters".into()),
            other => return Err(format!("buckets of type {other}")),
        };
        let mut documents: Vec<String> = bases.into_iter().map(|(_, text)| text.to_owned()).collect();
        documents.extend(correlations);
        let source = Source { name: format!("{scenario}.yml"), text: documents.join("\n---\n") };
        let set = RuleSet::load(&[source]);
        let said: Vec<_> = set.rejected().iter().map(|rejected| &rejected.reason).collect();
        assert!(said.is_empty(), "{scenario}: {said:?}");
        Ok(Self {
            set,
            shown: shown(text(alerts.first().unwrap_or(&rule), "/scope"), text(rule, "/groupby")),
        })
    }

    /// The sources that it tells of in these events.
    pub(crate) fn told(&self, events: &[Event]) -> BTreeSet<String> {
        let told = findings(events, &self.set).into_iter().filter_map(|(_, event)| value(event, self.shown));
        told.collect()
    }
}

struct Shape<'a> {
    kind: &'a str,
    names: Vec<&'a str>,
    group: Vec<&'static str>,
}

impl Shape<'_> {
    /// One correlation over the base rules.
    fn correlation(&self, step: u64, kind: &str, seconds: u64, condition: &str) -> String {
        let list = |items: &[&str]| items.iter().map(|item| format!("\n    - {item}")).collect::<String>();
        format!(
            "title: {} {step}\ncorrelation:\n  type: {kind}\n  rules:{}\n  group-by:{}\n  timespan: {seconds}s\n{condition}level: high\n",
            self.kind,
            list(&self.names),
            list(&self.group),
        )
    }

    fn counted(&self, step: u64, distinct: Option<&str>, seconds: u64, least: u64) -> String {
        match distinct {
            Some(field) => {
                let condition = format!("  condition:\n    field: {field}\n    gte: {least}\n");
                self.correlation(step, "value_count", seconds, &condition)
            }
            None => {
                self.correlation(step, "event_count", seconds, &format!("  condition:\n    gte: {least}\n"))
            }
        }
    }
}

fn leaky(shape: &Shape<'_>, rule: &Json, events: usize) -> Result<Vec<String>, String> {
    let capacity = rule["capacity"].as_u64().ok_or("no capacity")?;
    let speed = seconds(text(rule, "/leakspeed"))?;
    let distinct = distinct(rule)?;
    let lines = u64::try_from(events).unwrap_or(MOST_STEPS);
    let steps = lines.saturating_sub(capacity).clamp(1, MOST_STEPS);
    Ok((0..steps).map(|m| shape.counted(m, distinct, (m + 1) * speed, capacity + 1 + m)).collect())
}

fn conditional(shape: &Shape<'_>, rule: &Json, alerts: &[&Json]) -> Result<String, String> {
    let speed = seconds(text(rule, "/leakspeed"))?;
    if shape.names.len() > 1 {
        return Ok(shape.correlation(0, "temporal", speed, ""));
    }
    let least = alerts.iter().filter_map(|alert| alert["events"].as_u64()).min();
    Ok(shape.counted(0, distinct(rule)?, speed, least.ok_or("its condition is not among the parameters")?))
}

/// The documents for a scenario: those named like it, or like it with `+1`, `+2` behind.
fn bases(scenario: &str) -> Vec<(&'static str, &'static str)> {
    let documents = BASE.iter().flat_map(|file| file.split("\n---\n"));
    let named = documents.filter_map(|document| {
        let line = document.lines().find_map(|line| line.strip_prefix("name: "))?;
        Some((line, document))
    });
    named.filter(|(name, _)| name.split_once('+').map_or(*name, |(before, _)| before) == scenario).collect()
}

/// Fields that a key is made of.
fn group(key: &str) -> Result<Vec<&'static str>, String> {
    let parts = key.split('+').map(str::trim).filter(|part| !part.is_empty() && !part.starts_with('\''));
    let mut fields = Vec::new();
    for part in parts {
        match part {
            "evt.Meta.source_ip" | "evt.Parsed.source_ip" => fields.push("source.ip"),
            "evt.Meta.target_user" | "evt.Meta.user" => fields.push("user.name"),
            "evt.Meta.pid" => fields.push("process.pid"),
            "evt.Meta.ppid" => fields.push("process.parent.pid"),
            // The log of one site does not name it; then it does not divide the key either.
            "evt.Parsed.target_fqdn" | "evt.Meta.service" => {}
            other => return Err(format!("no field for the key {other}")),
        }
    }
    Ok(fields)
}

fn distinct(rule: &Json) -> Result<Option<&'static str>, String> {
    Ok(match text(rule, "/distinct") {
        "" | "evt.Meta.log_type" => None,
        "evt.Meta.http_path" | "evt.Parsed.request" => Some("url.path"),
        "evt.Parsed.http_args" => Some("url.query"),
        "evt.Parsed.dst_port" => Some("destination.port"),
        "evt.Meta.suricata_alert_signature_id" => Some("event.code"),
        "evt.Meta.target_user" | "evt.Meta.user" | "evt.Meta.username" | "evt.Parsed.dovecot_user" => {
            Some("user.name")
        }
        other => return Err(format!("no field for the distinct value {other}")),
    })
}

/// What an alert of this scope calls its source.
fn shown(scope: &str, key: &str) -> FieldId {
    match (scope, key) {
        ("exe", _) => f::PROCESS_EXECUTABLE,
        ("pid", _) => f::PROCESS_PARENT_PID,
        ("system_account" | "username", _) => f::USER_NAME,
        _ => f::SOURCE_IP,
    }
}

/// `10s`, `5m`, `4h` in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let number = |unit: char| text.strip_suffix(unit).and_then(|digits| digits.parse::<u64>().ok());
    number('s')
        .or_else(|| number('m').map(|minutes| minutes * 60))
        .or_else(|| number('h').map(|hours| hours * 3_600))
        .ok_or_else(|| format!("no whole seconds in {text:?}"))
}
