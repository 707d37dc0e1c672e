//! The examples beside a rule (`*.cases.yml`): events on which it must fire, and events on which
//! it must stay quiet.
//!
//! Every case runs alone, with fresh windows. A case that can not be read fails with the reason:
//! an example that silently tests nothing is worse than none.

mod format;

use std::time::Duration;

use serde::Serialize;
use serde_json::Value as Json;
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Timestamp};

use crate::compile::RuleSet;
use crate::correlate::Settling;
use crate::engine::{Detector, Finding};
use crate::explain::explain;
use crate::pack::Source;
use crate::taxonomy::Subject;
use format::{Case, Events, File};

/// What came of one case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// The cases file.
    pub file: String,
    /// The rule's id; empty where the cases are not for one rule.
    pub rule: String,
    /// The case's name, or its place: `fire[0]`.
    pub name: String,
    /// Whether it went as it should.
    pub passed: bool,
    /// What happened, for people; empty where it passed.
    pub detail: String,
}

/// Runs the cases of one file against rules.
#[must_use]
pub fn run(rule_sources: &[Source], cases: &Source) -> Vec<CaseResult> {
    let set = RuleSet::load(rule_sources);
    let fail = |name: &str, detail: String| {
        vec![CaseResult {
            file: cases.name.clone(),
            rule: String::new(),
            name: name.into(),
            passed: false,
            detail,
        }]
    };
    let file = match format::read(&cases.text) {
        Ok(file) => file,
        Err(error) => return fail("file", error.to_string()),
    };
    if let Some(rejected) = set.rejected().first() {
        let line = rejected.line.map_or_else(String::new, |line| format!(":{line}"));
        return fail("rule", format!("rule is not loaded: {}{line}: {}", rejected.file, rejected.reason));
    }
    let wanted = match rules(&set, &file, &cases.name) {
        Ok(wanted) => wanted,
        Err(detail) => return fail("rule", detail),
    };
    if file.fire.is_empty() && file.quiet.is_empty() {
        return fail("file", "file has no case; write 'fire' and 'quiet' lists".into());
    }
    let run = Run { set: &set, file: &cases.name, wanted: &wanted };
    let fire = file.fire.iter().enumerate().map(|(at, case)| run.case(case, &format!("fire[{at}]"), true));
    let quiet =
        file.quiet.iter().enumerate().map(|(at, case)| run.case(case, &format!("quiet[{at}]"), false));
    fire.chain(quiet).collect()
}

/// The rules that the cases are about: the one named, else those in the file of the same name,
/// else all. Of several, a correlation is meant rather than the base rules that only feed it.
fn rules(set: &RuleSet, file: &File, cases: &str) -> Result<Vec<String>, String> {
    let stem = base(cases).replace(".cases.yml", "").replace(".cases.yaml", "");
    let of = |name: &str| -> Vec<String> {
        let name = base(name);
        let name = name.trim_end_matches(".yml").trim_end_matches(".yaml");
        let speaking = set.rules().iter().filter(|rule| !rule.is_silent);
        let same = speaking.filter(|rule| {
            rule.meta.id == name
                || base(&rule.file).trim_end_matches(".yml").trim_end_matches(".yaml") == name
        });
        same.map(|rule| rule.meta.id.clone()).collect()
    };
    let found = of(file.rule.as_deref().unwrap_or(&stem));
    if !found.is_empty() {
        return Ok(found);
    }
    if let Some(name) = &file.rule {
        return Err(format!("no rule has the id or file name '{name}'; correct 'rule'"));
    }
    let all: Vec<String> =
        set.rules().iter().filter(|rule| !rule.is_silent).map(|rule| rule.meta.id.clone()).collect();
    if all.is_empty() { Err("no rule was given; name the rule's file".into()) } else { Ok(all) }
}

fn base(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

struct Run<'a> {
    set: &'a RuleSet,
    file: &'a str,
    wanted: &'a [String],
}

impl Run<'_> {
    fn case(&self, case: &Case, place: &str, fire: bool) -> CaseResult {
        let name = case.name.clone().unwrap_or_else(|| place.to_owned());
        let rule = if let [only] = self.wanted { only.clone() } else { String::new() };
        let detail = match case.expand() {
            Ok(events) => self.judge(case, &events, fire),
            Err(reason) => Some(reason),
        };
        let passed = detail.is_none();
        CaseResult { file: self.file.to_owned(), rule, name, passed, detail: detail.unwrap_or_default() }
    }

    /// What went wrong, if anything.
    fn judge(&self, case: &Case, events: &Events, fire: bool) -> Option<String> {
        let found = match case.wait().and_then(|wait| self.findings(events, wait)) {
            Ok(found) => found,
            Err(reason) => return Some(reason),
        };
        let count = found.len();
        match (fire, case.count) {
            (false, _) if count > 0 => {
                Some(format!("must stay quiet, but fired {count} times{}", why(&found)))
            }
            (true, Some(wanted)) if count != wanted => {
                Some(format!("must fire {wanted} times, but fired {count} times"))
            }
            (true, None) if count == 0 => {
                Some(format!("must fire, but stayed quiet\n{}", self.explained(events)))
            }
            _ => None,
        }
    }

    /// Each finding once, in its last version.
    fn findings(&self, events: &Events, wait: Option<Duration>) -> Result<Vec<Finding>, String> {
        let mut detector = Detector::new(self.set);
        let (mut found, mut settling) = (Vec::new(), Settling::default());
        let mut last = Timestamp::EPOCH;
        for (index, json) in events.iter().enumerate() {
            let event = Event::from_json(json).ok_or_else(|| {
                format!("event {index} is not an event of ours; it needs a known 'event.dataset'")
            })?;
            known(json, &event, index)?;
            let at = EventRef { frame: 1, index: u32::try_from(index).unwrap_or(u32::MAX) };
            last = last.max(event.time);
            found.extend(settling.take(detector.observe(&Subject::Typed(&event), at, event.time)));
        }
        if let Some(wait) = wait {
            found.extend(settling.take(detector.tick(last.plus(wait))));
        }
        found.extend(settling.finish());
        found.retain(|finding| self.wanted.contains(&finding.rule.meta.id));
        Ok(found)
    }

    fn explained(&self, events: &Events) -> String {
        let Some(event) = events.first().and_then(Event::from_json) else { return String::new() };
        let of = |id: &String| explain(self.set, id, &Subject::Typed(&event)).map(|said| said.to_string());
        self.wanted.iter().filter_map(of).collect()
    }
}

fn why(found: &[Finding]) -> String {
    found.first().map_or_else(String::new, |finding| {
        let fields = finding.matched.iter().map(|field| format!("{}={:?}", field.field, field.value));
        format!(": {} on {}", finding.rule.meta.name, fields.collect::<Vec<_>>().join(", "))
    })
}

/// Refuses an event with a field that our events do not have: it was misspelt, or its value does
/// not fit, and the case would test something else than it says.
fn known(json: &Json, event: &Event, index: usize) -> Result<(), String> {
    let mut names = Vec::new();
    leaves(json, "", &mut names);
    let unknown = names.into_iter().find(|name| {
        !matches!(name.as_str(), "@timestamp" | "event.dataset")
            && watchpost_model::FieldId::named(name).is_none_or(|id| event.record.get(id).is_none())
    });
    match unknown {
        Some(name) => Err(format!(
            "event {index} has '{name}', which is not a field of ours or not of its type; see the field table"
        )),
        None => Ok(()),
    }
}

fn leaves(json: &Json, prefix: &str, out: &mut Vec<String>) {
    let Json::Object(map) = json else { return };
    for (key, value) in map {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if value.is_object() { leaves(value, &name, out) } else { out.push(name) }
    }
}

/// The time of the `index`th event of a case that does not say its own.
pub(crate) fn default_time(index: usize, every: std::time::Duration) -> Timestamp {
    let steps = u32::try_from(index).unwrap_or(u32::MAX);
    Timestamp::EPOCH.plus(every.saturating_mul(steps))
}

#[cfg(test)]
mod tests;
