//! Fields of our own events, as a rule sees them.

use std::borrow::Cow;

use watchpost_model::{Event, FieldId, Value, field};

use crate::matcher::{Had, Slot};

/// What the event has in a field.
pub(crate) fn slot(event: &Event, id: FieldId) -> Slot<'_> {
    if id == field::EVENT_DATASET {
        return Slot::one(Had::new(event.kind.dataset()));
    }
    if id == field::TIMESTAMP {
        return Slot::one(Had::new(event.time.to_string()));
    }
    event.record.get(id).map(of_value).unwrap_or_default()
}

fn of_value(value: &Value) -> Slot<'_> {
    match value {
        Value::List(items) => Slot { present: true, values: items.iter().map(had).collect() },
        one => Slot::one(had(one)),
    }
}

fn had(value: &Value) -> Had<'_> {
    match value {
        Value::Text(text) => Had::new(text.as_str()),
        other => Had::new(other.to_string()),
    }
}

/// Every text of the event, for keywords.
pub(crate) fn everything(event: &Event) -> Slot<'_> {
    let mut values = Vec::new();
    for (_, value) in event.record.iter() {
        match value {
            Value::Text(text) => values.push(Had::new(text.as_str())),
            Value::List(items) => {
                values.extend(items.iter().filter_map(Value::as_text).map(Had::new));
            }
            _ => {}
        }
    }
    Slot { present: !values.is_empty(), values }
}

/// A key of an audit record that has no field of its own: read from the record's pairs.
pub(crate) fn audit_slot<'e>(event: &'e Event, name: &str) -> Slot<'e> {
    let mut values = Vec::new();
    audit_pairs(event, &mut |key, value| {
        if key == name {
            values.push(Had::new(Cow::Borrowed(value)));
        }
    });
    Slot { present: !values.is_empty(), values }
}

/// Every pair of an audit record.
pub(crate) fn audit_pairs<'e>(event: &'e Event, each: &mut impl FnMut(&'e str, &'e str)) {
    match event.record.get(field::AUDIT_DATA) {
        Some(Value::Text(text)) => pairs(text, each),
        Some(Value::List(items)) => {
            items.iter().filter_map(Value::as_text).for_each(|text| pairs(text, each));
        }
        _ => {}
    }
}

/// The pairs of `key=value key="value with blanks"`.
fn pairs<'e>(text: &'e str, each: &mut impl FnMut(&'e str, &'e str)) {
    let mut left = text.trim_start();
    while let Some((key, rest)) = left.split_once('=') {
        let key = key.rsplit(char::is_whitespace).next().unwrap_or(key);
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        each(key, value);
        left = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchpost_model::{Kind, Timestamp};

    #[test]
    fn audit_pairs_are_read_with_and_without_quotes() {
        let mut event = Event::new(Kind::Audit, Timestamp::EPOCH);
        event.record.set(field::AUDIT_DATA, r#"argc=2 a0="chmod" a1="+x file" a10=z"#);
        assert_eq!(audit_slot(&event, "a1").joined().as_deref(), Some("+x file"));
        assert_eq!(audit_slot(&event, "a0").joined().as_deref(), Some("chmod"));
        assert_eq!(audit_slot(&event, "a10").joined().as_deref(), Some("z"));
        assert!(!audit_slot(&event, "a2").present);
    }
}
