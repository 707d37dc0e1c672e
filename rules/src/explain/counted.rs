//! A correlation followed over several events: which rule it counts fires on each, which group the
//! event falls into, and how far the count has come within the window.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;

use super::views;
use crate::ast::{Compare, Counting, Figure, Turn};
use crate::compile::{Body, Core, Joined, NameId, RuleSet};
use crate::engine::{Detector, View, condition, cut, holds};
use crate::matcher::Had;
use crate::taxonomy::Subject;

/// How a correlation stands to some events.
#[derive(Clone, Debug, Serialize)]
pub struct Counted {
    /// The rule's id.
    pub rule: String,
    /// Its title.
    pub name: String,
    /// Its title in Chinese, where it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name_zh: String,
    /// Whether it fires on any of the events.
    pub fires: bool,
    /// What it counts: `event_count`, `value_count`, `temporal`…
    pub counts: &'static str,
    /// Fields whose values are counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<String>,
    /// What the count must be: `>= 5`.
    pub wanted: Vec<String>,
    /// Length of the window in seconds.
    pub window: u64,
    /// What separates groups.
    pub group_by: Vec<String>,
    /// The rules it counts: id and title.
    pub members: Vec<(String, String)>,
    /// Titles of members that are correlations themselves, whose findings can not be followed here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chained: Vec<String>,
    /// Each event, in the order of time.
    pub steps: Vec<Step>,
}

/// One event on its way through a correlation.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Which event, counted from 0 as given.
    pub event: usize,
    /// When.
    pub time: Timestamp,
    /// Titles of the counted rules that fire on it.
    pub fired: Vec<String>,
    /// What separates groups, and what the event has there; none where it lacks the field.
    pub group: Vec<(String, Option<String>)>,
    /// The count in the window that ends with this event.
    pub count: u64,
    /// Rules that have not been seen in that window, of a temporal correlation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// Whether the condition holds with this event.
    pub holds: bool,
    /// Whether the correlation spoke on this event.
    pub spoke: bool,
}

/// One finding of a member.
struct Entry {
    time: Timestamp,
    member: usize,
    group: Vec<String>,
    counted: String,
}

/// Follows the correlation with this id over the events. `None` where there is no such correlation.
#[must_use]
pub fn count(set: &RuleSet, rule_id: &str, events: &[(Subject<'_>, Timestamp)]) -> Option<Counted> {
    let core = &*set.core;
    let at = core.find(rule_id)?;
    let (rule, Body::Correlation(joined)) = (core.rules.get(at)?, core.bodies.get(at)?) else { return None };
    let members: Vec<_> = joined.members.iter().filter_map(|member| core.rules.get(*member)).collect();
    let mut out = Counted {
        rule: rule.meta.id.clone(),
        name: rule.meta.name.clone(),
        name_zh: rule.meta.name_zh.clone(),
        fires: false,
        counts: kind(&joined.kind),
        of: fields(joined),
        wanted: joined.bounds.iter().map(|(how, number)| format!("{} {number}", sign(*how))).collect(),
        window: joined.timespan.as_secs(),
        group_by: joined.group.iter().map(|(name, _)| name.clone()).collect(),
        members: members.iter().map(|rule| (rule.meta.id.clone(), rule.meta.name.clone())).collect(),
        chained: members
            .iter()
            .filter(|rule| rule.is_correlation)
            .map(|rule| rule.meta.name.clone())
            .collect(),
        steps: Vec::new(),
    };
    let mut order: Vec<usize> = (0..events.len()).collect();
    order.sort_by_key(|at| events.get(*at).map(|(_, time)| *time));
    let (mut detector, mut entries) = (Detector::plain(set), Vec::new());
    for event in order {
        let Some((subject, time)) = events.get(event) else { continue };
        let reference = EventRef { frame: u64::try_from(event).unwrap_or(u64::MAX), index: 0 };
        let spoke =
            detector.observe(subject, reference, *time).iter().any(|found| found.rule.meta.id == rule_id);
        let mut step = step(core, joined, (event, subject, *time), &mut entries);
        step.spoke = spoke;
        out.fires |= spoke;
        out.steps.push(step);
    }
    Some(out)
}

fn step(
    core: &Core,
    joined: &Joined,
    (event, subject, time): (usize, &Subject<'_>, Timestamp),
    entries: &mut Vec<Entry>,
) -> Step {
    let mut out = Step {
        event,
        time,
        fired: Vec::new(),
        group: Vec::new(),
        count: 0,
        waiting: Vec::new(),
        holds: false,
        spoke: false,
    };
    for (member, at) in joined.members.iter().enumerate() {
        let (Some(rule), Some(Body::Detection(detection))) = (core.rules.get(*at), core.bodies.get(*at))
        else {
            continue;
        };
        let (best, _) = views(&rule.logsource, subject);
        let view = View::new(best.facts, &core.names);
        if !best.fits || !holds(detection, &view) {
            continue;
        }
        out.fired.push(rule.meta.name.clone());
        let value = |name: Option<&NameId>| view.slot(*name?).joined().map(|text| cut(&text).to_owned());
        out.group = joined.group.iter().map(|(name, by)| (name.clone(), value(by.get(member)))).collect();
        let group: Option<Vec<String>> = out.group.iter().map(|(_, value)| value.clone()).collect();
        let counted = counted(joined, member, &view);
        if let (Some(group), Some(counted)) = (group, counted) {
            entries.push(Entry { time, member, group: group.clone(), counted });
            judge(core, joined, entries, &group, &mut out);
        }
    }
    out
}

/// What an entry counts as; none where the event lacks a field that is counted.
fn counted(joined: &Joined, member: usize, view: &View<'_>) -> Option<String> {
    let slot = |fields: &Vec<NameId>| fields.get(member).map(|field| view.slot(*field));
    match &joined.kind {
        Counting::Values(_) => {
            let texts: Option<Vec<String>> =
                joined.counted.iter().map(|fields| slot(fields)?.joined()).collect();
            texts.map(|texts| texts.join("\u{0}"))
        }
        Counting::Figure(..) => slot(joined.counted.first()?)?
            .values
            .iter()
            .find_map(Had::number)
            .map(|number| number.to_string()),
        _ => Some(String::new()),
    }
}

/// The count in the window that ends now, and whether the condition holds in it.
fn judge(core: &Core, joined: &Joined, entries: &[Entry], group: &[String], out: &mut Step) {
    let inside: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.group == group && out.time.since(entry.time) < joined.timespan)
        .collect();
    let members: BTreeSet<usize> = inside.iter().map(|entry| entry.member).collect();
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let bounded = |count: u64| joined.bounds.iter().all(|(how, bound)| how.holds(&count, bound));
    (out.count, out.holds) = match &joined.kind {
        Counting::Events => (number(inside.len()), bounded(number(inside.len()))),
        Counting::Values(_) => {
            let distinct: BTreeSet<&str> = inside.iter().map(|entry| entry.counted.as_str()).collect();
            (number(distinct.len()), bounded(number(distinct.len())))
        }
        Counting::Rules(_) => (number(members.len()), members.len() == joined.members.len()),
        Counting::When(of, turns) => {
            let taken = turns.is_empty() || turns.iter().any(|turn| is_taken(turn, &inside));
            (number(members.len()), taken && condition(of, &|at| members.contains(&at)))
        }
        // Time alone can fulfil it.
        Counting::Silence => (number(inside.len()), false),
        Counting::Figure(figure, _) => {
            let count =
                figured(*figure, inside.iter().filter_map(|entry| entry.counted.parse().ok()).collect());
            (count, bounded(count))
        }
    };
    if let Counting::Rules(_) | Counting::When(..) = joined.kind {
        let unseen = joined.members.iter().enumerate().filter(|(member, _)| !members.contains(member));
        let names = unseen.filter_map(|(_, at)| core.rules.get(*at)).map(|rule| rule.meta.name.clone());
        out.waiting = names.collect();
    }
}

/// Whether the entries, which come in order of time, took this way through an ordered condition.
fn is_taken(turn: &Turn, inside: &[&Entry]) -> bool {
    let mut needs = turn.needs.iter().peekable();
    for entry in inside {
        if needs.peek().is_some_and(|wanted| **wanted == entry.member) {
            needs.next();
        }
    }
    needs.peek().is_none() && !inside.iter().any(|entry| turn.lacks.contains(&entry.member))
}

/// The figure rounded; 0 of no numbers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "shown to a person; a cast of a float saturates"
)]
fn figured(figure: Figure, mut numbers: Vec<f64>) -> u64 {
    numbers.sort_by(f64::total_cmp);
    let sum: f64 = numbers.iter().sum();
    let shown = match figure {
        Figure::Sum => sum,
        Figure::Average => sum / (numbers.len().max(1) as f64),
        Figure::Percentile(rank) => {
            let at = (numbers.len() * usize::from(rank)).div_ceil(100).saturating_sub(1);
            numbers.get(at).copied().unwrap_or(0.0)
        }
    };
    shown.round() as u64
}

fn kind(of: &Counting) -> &'static str {
    match of {
        Counting::Events => "event_count",
        Counting::Values(_) => "value_count",
        Counting::Rules(crate::ast::Order::AsListed) => "temporal_ordered",
        Counting::When(_, turns) if !turns.is_empty() => "temporal_ordered",
        Counting::Rules(crate::ast::Order::Any) | Counting::When(..) => "temporal",
        Counting::Silence => "absence",
        Counting::Figure(Figure::Sum, _) => "value_sum",
        Counting::Figure(Figure::Average, _) => "value_avg",
        Counting::Figure(Figure::Percentile(_), _) => "value_percentile",
    }
}

fn fields(joined: &Joined) -> Vec<String> {
    match &joined.kind {
        Counting::Values(fields) => fields.clone(),
        Counting::Figure(_, field) => vec![field.clone()],
        _ => Vec::new(),
    }
}

const fn sign(how: Compare) -> &'static str {
    match how {
        Compare::Lt => "<",
        Compare::Lte => "<=",
        Compare::Gt => ">",
        Compare::Gte => ">=",
        Compare::Eq => "=",
        Compare::Neq => "!=",
    }
}

/// The window of a correlation, for callers that want to say how far events may lie apart.
impl Counted {
    /// Length of the window.
    #[must_use]
    pub const fn span(&self) -> Duration {
        Duration::from_secs(self.window)
    }
}
