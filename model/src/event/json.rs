//! Events as nested ECS JSON, and back.

use serde_json::{Map, Value as Json};

use super::{Event, Kind, Record};
use crate::field::{self, FieldId, Type};
use crate::time::Timestamp;
use crate::value::Value;

impl Event {
    /// Nested ECS JSON: `{"@timestamp": …, "source": {"ip": …}}`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut root = Map::new();
        root.insert("@timestamp".into(), Json::from(self.time.to_string()));
        put(&mut root, field::EVENT_DATASET.name(), Json::from(self.kind.dataset()));
        for (id, value) in self.record.iter() {
            put(&mut root, id.name(), value.to_json());
        }
        Json::Object(root)
    }

    /// Reads JSON that [`Event::to_json`] (or anything that writes ECS, nested or dotted) made.
    /// `None` where there is no known `event.dataset` or no `@timestamp`; fields that the table
    /// does not have, or whose value does not fit, are left out.
    #[must_use]
    pub fn from_json(json: &Json) -> Option<Self> {
        let object = json.as_object()?;
        let time = Timestamp::parse(object.get("@timestamp")?.as_str()?)?;
        let mut record = Record::default();
        collect(object, &mut String::new(), &mut record, 0);
        let kind = match record.remove(field::EVENT_DATASET)? {
            Value::Text(name) => Kind::from_dataset(&name)?,
            _ => return None,
        };
        record.remove(field::TIMESTAMP);
        Some(Self { kind, time, record })
    }
}

/// Puts a value at a dotted name, making the folders on the way.
fn put(root: &mut Map<String, Json>, dotted: &str, value: Json) {
    match dotted.split_once('.') {
        None => {
            root.insert(dotted.into(), value);
        }
        Some((folder, rest)) => {
            let inner = root.entry(folder).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// Deeper than any name in the table; stops a hostile nesting.
const MOST_DEPTH: usize = 8;

fn collect(object: &Map<String, Json>, prefix: &mut String, record: &mut Record, depth: usize) {
    for (key, json) in object {
        let kept = prefix.len();
        if !prefix.is_empty() {
            prefix.push('.');
        }
        prefix.push_str(key);
        match json {
            Json::Object(inner) if depth < MOST_DEPTH => collect(inner, prefix, record, depth + 1),
            _ => {
                if let Some(id) = FieldId::named(prefix)
                    && let Some(value) = typed(id, json)
                {
                    record.set(id, value);
                }
            }
        }
        prefix.truncate(kept);
    }
}

fn typed(id: FieldId, json: &Json) -> Option<Value> {
    if let Json::Array(items) = json {
        return Some(Value::List(items.iter().filter_map(|item| typed(id, item)).collect()));
    }
    match id.row()?.kind {
        Type::Text => match json {
            Json::String(text) => Some(Value::Text(text.clone())),
            Json::Number(n) => Some(Value::Text(n.to_string())),
            Json::Bool(b) => Some(Value::Text(b.to_string())),
            _ => None,
        },
        Type::Uint => json.as_u64().or_else(|| json.as_str()?.parse().ok()).map(Value::Uint),
        Type::Int => json.as_i64().or_else(|| json.as_str()?.parse().ok()).map(Value::Int),
        Type::Float => json.as_f64().map(Value::Float),
        Type::Bool => json.as_bool().map(Value::Bool),
        Type::Ip => json.as_str()?.parse().ok().map(Value::Ip),
        Type::Time => Timestamp::parse(json.as_str()?).map(Value::Time),
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may stop where it fails")]
mod tests {
    use super::*;

    #[test]
    fn json_is_nested_and_comes_back() {
        let mut event = Event::new(Kind::Dns, Timestamp::from_millis(1_700_000_000_123));
        event.record.set(field::DNS_QUESTION_NAME, "example.org");
        event.record.set(field::SOURCE_IP, std::net::Ipv4Addr::new(192, 0, 2, 1));
        event.record.set(field::DNS_ANSWERS_DATA, vec!["a".to_owned(), "b".to_owned()]);
        let json = event.to_json();
        assert_eq!(json["dns"]["question"]["name"], "example.org");
        assert_eq!(json["source"]["ip"], "192.0.2.1");
        assert_eq!(Event::from_json(&json), Some(event));
    }

    #[test]
    fn json_without_a_kind_is_not_an_event_of_ours() {
        assert_eq!(Event::from_json(&serde_json::json!({"@timestamp": "2026-01-01T00:00:00Z"})), None);
        assert_eq!(Event::from_json(&serde_json::json!([1])), None);
    }
}
