//! Lines that name their values: JSON lines (Suricata EVE, Zeek, anything else), Zeek's columns, CEF.
//!
//! Each is first made into flat pairs, bounded in number and depth; tables then say which pair is
//! which field. What has no field stays in `event.original`. A line of another form is no event of
//! ours: the caller keeps it raw.

mod cef;
mod tables;
mod zeek;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value as Json;
use watchpost_model::field::{self as f, Type};
use watchpost_model::{Event, FieldId, Kind, Timestamp, Value};

use super::stamp::Reference;
use super::{mask, stamp};
pub(super) use zeek::Columns;

/// Pairs of one line that are looked at.
const MOST_PAIRS: usize = 512;
/// How deep JSON is followed.
const DEPTH: usize = 8;

/// Pairs by dotted name; of a list all values.
type Pairs = BTreeMap<String, Vec<String>>;

/// The event of a line; `None` where it has none of the forms.
pub(super) fn parse(
    text: &str,
    original: &str,
    columns: &mut Columns,
    reference: &Reference,
) -> Option<Event> {
    let (dialect, pairs) = if text.trim_start().starts_with('{') {
        let json: Json = serde_json::from_str(text).ok()?;
        let mut pairs = Pairs::new();
        flatten(&json, "", DEPTH, &mut pairs);
        (tables::dialect(&pairs), pairs)
    } else if let Some(pairs) = cef::pairs(text) {
        (&tables::CEF, pairs)
    } else {
        (&tables::ZEEK, columns.pairs(text)?)
    };
    Some(event(dialect, &pairs, original, reference))
}

/// Whether a line only describes those that follow.
pub(super) fn describes(text: &str, columns: &mut Columns) -> bool {
    columns.take(text)
}

fn flatten(json: &Json, name: &str, depth: usize, pairs: &mut Pairs) {
    if pairs.len() >= MOST_PAIRS || depth == 0 {
        return;
    }
    let mut push = |text: String| pairs.entry(name.to_owned()).or_default().push(text);
    match json {
        Json::Null => {}
        Json::String(text) => push(text.clone()),
        Json::Bool(yes) => push(yes.to_string()),
        Json::Number(number) => push(number.to_string()),
        Json::Array(items) => {
            for item in items.iter().take(watchpost_model::limits::LIST_ITEMS) {
                flatten(item, name, depth - 1, pairs);
            }
        }
        Json::Object(map) => {
            for (key, value) in map {
                let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(value, &inner, depth - 1, pairs);
            }
        }
    }
}

/// How one source names its values.
struct Dialect {
    provider: &'static str,
    /// Keys of the time, the first that is there counts.
    time: &'static [&'static str],
    /// Which pair, or which value of a pair, makes which kind of event.
    kinds: &'static [(&'static str, &'static str, Kind, &'static str)],
    fields: &'static [(&'static str, FieldId)],
}

fn first<'p>(pairs: &'p Pairs, key: &str) -> Option<&'p str> {
    pairs.get(key).and_then(|values| values.first()).map(String::as_str)
}

fn event(dialect: &Dialect, pairs: &Pairs, original: &str, reference: &Reference) -> Event {
    let time = dialect.time.iter().find_map(|key| moment(first(pairs, key)?, reference));
    let fits = |key: &str, value: &str| first(pairs, key).is_some_and(|had| value.is_empty() || had == value);
    let row = dialect.kinds.iter().find(|(key, value, ..)| fits(key, value));
    let (kind, action) = row.map_or((Kind::Log, "log"), |(.., kind, action)| (*kind, *action));
    let mut event = Event::new(kind, time.unwrap_or(reference.now));
    let record = &mut event.record;
    record.set(f::EVENT_PROVIDER, dialect.provider);
    record.set(f::EVENT_ACTION, action);
    record.set(f::EVENT_ORIGINAL, original);
    for (key, field) in dialect.fields {
        if let Some(values) = pairs.get(*key)
            && record.get(*field).is_none()
        {
            record.set_some(*field, typed(*field, values));
        }
    }
    if action == "ids_alert" {
        record.set(f::EVENT_CATEGORY, "intrusion_detection");
    }
    if matches!(kind, Kind::Http | Kind::Web) {
        address(&mut event);
    }
    if kind == Kind::Flow {
        span(&mut event, first(pairs, "duration"));
    }
    event
}

/// Path, query and outcome of a request, as rules for web servers want them.
fn address(event: &mut Event) {
    let target = event.text(f::URL_ORIGINAL).unwrap_or_default().to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let record = &mut event.record;
    for (field, text) in [(f::URL_PATH, path), (f::URL_QUERY, query)] {
        if !text.is_empty() {
            record.set(field, text);
        }
    }
    let status = record.get(f::HTTP_STATUS).and_then(Value::as_uint);
    record.set_some(f::EVENT_OUTCOME, status.map(|status| if status < 400 { "success" } else { "failure" }));
}

/// Begin, end and length of a flow whose time is its begin.
fn span(event: &mut Event, seconds: Option<&str>) {
    let start = event.time;
    let length = seconds.and_then(|text| text.parse::<f64>().ok());
    let length =
        length.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default();
    let end = start.plus(length);
    event.time = end;
    let record = &mut event.record;
    record.set(f::EVENT_TYPE, "connection");
    record.set(f::EVENT_START, start);
    record.set(f::EVENT_END, end);
    record.set(f::EVENT_DURATION, length);
}

/// Seconds since 1970 with a fraction, or a date.
fn moment(text: &str, reference: &Reference) -> Option<Timestamp> {
    if let Some((seconds, fraction)) = text.split_once('.')
        && let (Ok(seconds), true) = (seconds.parse::<i64>(), fraction.bytes().all(|b| b.is_ascii_digit()))
    {
        let nanos =
            format!("{fraction:0<9}").get(..9).and_then(|digits| digits.parse().ok()).unwrap_or_default();
        return (0..=253_402_300_799).contains(&seconds).then(|| Timestamp::from_parts(seconds, nanos));
    }
    stamp::iso(text, reference).map(|(time, _)| time)
}

/// Values in the type of a field; `None` where they are of another.
fn typed(field: FieldId, values: &[String]) -> Option<Value> {
    let kind = field.row()?.kind;
    let mut found: Vec<Value> = values.iter().filter_map(|text| one(field, kind, text)).collect();
    match found.len() {
        0 => None,
        1 => found.pop(),
        _ => Some(Value::List(found)),
    }
}

fn one(field: FieldId, kind: Type, text: &str) -> Option<Value> {
    match kind {
        Type::Ip => text.parse::<IpAddr>().ok().map(|ip| Value::Ip(ip.to_canonical())),
        Type::Uint => text.parse::<u64>().ok().map(Value::Uint),
        Type::Int => text.parse::<i64>().ok().map(Value::Int),
        Type::Float => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::Float),
        Type::Bool => matches!(text, "true" | "T").then_some(Value::Bool(true)),
        Type::Time => None,
        Type::Text if [f::NETWORK_TRANSPORT, f::DNS_QUESTION_NAME, f::TLS_SERVER_NAME].contains(&field) => {
            Some(Value::Text(text.trim_end_matches('.').to_lowercase()))
        }
        Type::Text => Some(Value::Text(mask(text).into_owned())),
    }
}

#[cfg(test)]
mod tests;
