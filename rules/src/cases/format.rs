//! The file format of cases, and short forms for many events.
//!
//! ```yaml
//! rule: brute_force.yml      # optional: file name or id
//! fire:
//!   - name: six failures      # optional
//!     repeat: 6               # the events, so often
//!     every: 1s               # between repeats
//!     vary: {source.port: "40000..40005"}   # a list, or a range, used in turn
//!     count: 1                # optional: findings expected
//!     wait: 10m               # optional: nothing more comes for so long
//!     events:
//!       - {event.dataset: auth, event.outcome: failure, source.ip: 192.0.2.1}
//! quiet: []
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::default_time;

/// Events that one case may expand to.
const MOST_EVENTS: usize = 100_000;

/// The events of a case.
pub(super) type Events = Vec<Json>;

/// A cases file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) rule: Option<String>,
    #[serde(default)]
    pub(super) fire: Vec<Case>,
    #[serde(default)]
    pub(super) quiet: Vec<Case>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: Option<String>,
    pub(super) events: Vec<Json>,
    pub(super) count: Option<usize>,
    repeat: Option<usize>,
    every: Option<String>,
    wait: Option<String>,
    #[serde(default)]
    vary: BTreeMap<String, Vary>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Vary {
    List(Vec<Json>),
    Range(String),
}

/// Reads a file.
pub(super) fn read(text: &str) -> Result<File, yaml_serde::Error> {
    yaml_serde::from_str(text)
}

impl Case {
    /// The events with repeats, varied fields and times filled in.
    pub(super) fn expand(&self) -> Result<Events, String> {
        let repeat = self.repeat.unwrap_or(1);
        if self.events.is_empty() || repeat == 0 {
            return Err("case has no event; write at least one under 'events'".into());
        }
        if repeat.saturating_mul(self.events.len()) > MOST_EVENTS {
            return Err(format!("case has more than {MOST_EVENTS} events; use a smaller 'repeat'"));
        }
        let every = self.every.as_deref().map_or(Ok(Duration::from_secs(1)), |text| span("every", text))?;
        let mut vary = Vec::with_capacity(self.vary.len());
        for (field, values) in &self.vary {
            vary.push((field.as_str(), values.list(field)?));
        }
        let mut out = Vec::with_capacity(repeat * self.events.len());
        for round in 0..repeat {
            for event in &self.events {
                out.push(self.one(event, round, out.len(), every, &vary)?);
            }
        }
        Ok(out)
    }

    /// For how long nothing more comes after the events.
    pub(super) fn wait(&self) -> Result<Option<Duration>, String> {
        let wait = self.wait.as_deref().map(|text| span("wait", text));
        wait.transpose()
    }

    fn one(
        &self,
        event: &Json,
        round: usize,
        index: usize,
        every: Duration,
        vary: &[(&str, Vec<Json>)],
    ) -> Result<Json, String> {
        let mut event = event.clone();
        let map = event.as_object_mut().ok_or("an event must be a map of fields")?;
        for (field, values) in vary {
            if let Some(value) = values.iter().cycle().nth(round % values.len().max(1)) {
                map.insert((*field).to_owned(), value.clone());
            }
        }
        let given = map.get("@timestamp").and_then(Json::as_str).map(str::to_owned);
        let time = match given {
            None => default_time(index, every),
            Some(text) => {
                let begin = watchpost_model::Timestamp::parse(&text).ok_or_else(|| {
                    format!("'@timestamp' is {text:?}; write RFC 3339 such as 2026-01-01T00:00:00Z")
                })?;
                begin.plus(every.saturating_mul(u32::try_from(round).unwrap_or(u32::MAX)))
            }
        };
        map.insert("@timestamp".into(), json!(time.to_string()));
        Ok(event)
    }
}

impl Vary {
    fn list(&self, field: &str) -> Result<Vec<Json>, String> {
        match self {
            Self::List(values) if !values.is_empty() => Ok(values.clone()),
            Self::List(_) => {
                Err(format!("'vary' of '{field}' is empty; write values or a range such as \"1..200\""))
            }
            Self::Range(text) => range(text).ok_or_else(|| {
                format!("'vary' of '{field}' is {text:?}; write a list or a range such as \"1..200\"")
            }),
        }
    }
}

/// `1..200`, both ends included; with text around it (`192.0.2.1..9`, `host1..5`) that text is kept.
fn range(text: &str) -> Option<Vec<Json>> {
    let (head, last) = text.split_once("..")?;
    let digits = head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (prefix, first) = head.split_at_checked(digits)?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.trim().parse().ok()?);
    if last < first || last - first > u64::try_from(MOST_EVENTS).unwrap_or(u64::MAX) {
        return None;
    }
    let value = |n: u64| if prefix.is_empty() { json!(n) } else { json!(format!("{prefix}{n}")) };
    Some((first..=last).map(value).collect())
}

/// `500ms`, `1s`, `2m`, `1h`.
fn span(key: &str, text: &str) -> Result<Duration, String> {
    let bad = || format!("'{key}' is {text:?}; write a number with ms, s, m or h");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let (number, unit) = text.split_at_checked(at).ok_or_else(bad)?;
    let number: u64 = number.parse().map_err(|_| bad())?;
    match unit.trim() {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3_600))),
        _ => Err(bad()),
    }
}
