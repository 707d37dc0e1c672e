//! Fields of foreign JSON events.
//!
//! A name is looked for as a key of the event, then as a dotted path, then in the places where
//! Windows keeps it: `Event.EventData`, `Event.UserData.*`, `Event.System`. Lists hold if any
//! element does. Walking is bounded; JSON depth is bounded by its reader.

use serde_json::{Map, Number, Value as Json};

use crate::matcher::{Had, Slot};

/// Values taken from one field or one event: a hostile event can not make rules look at more.
const MOST_VALUES: usize = 10_000;

/// What a process-creation record of the Security log calls Sysmon's fields.
pub(crate) const SECURITY_4688: [(&str, &str); 5] = [
    ("Image", "NewProcessName"),
    ("ParentImage", "ParentProcessName"),
    ("ProcessId", "NewProcessId"),
    ("ParentProcessId", "ProcessId"),
    ("User", "SubjectUserName"),
];

/// Where found values go.
pub(crate) trait Sink<'e> {
    /// The event has the field.
    fn mark(&mut self);
    /// A text.
    fn text(&mut self, text: &'e str);
    /// A number.
    fn number(&mut self, number: &'e Number);
    /// A null.
    fn null(&mut self);
}

impl<'e> Sink<'e> for Slot<'e> {
    fn mark(&mut self) {
        self.present = true;
    }

    fn text(&mut self, text: &'e str) {
        push(self, Had::new(text));
    }

    fn number(&mut self, number: &'e Number) {
        push(self, Had::new(number.to_string()));
    }

    fn null(&mut self) {
        push(self, Had::null());
    }
}

fn push<'e>(slot: &mut Slot<'e>, had: Had<'e>) {
    if slot.values.len() < MOST_VALUES {
        slot.values.push(had);
    }
}

/// The first value of a field, taken without copying.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct First<'e> {
    seen: bool,
    pub(crate) text: Option<&'e str>,
    pub(crate) number: Option<&'e Number>,
}

impl<'e> Sink<'e> for First<'e> {
    fn mark(&mut self) {}

    fn text(&mut self, text: &'e str) {
        if !self.seen {
            (self.seen, self.text) = (true, Some(text));
        }
    }

    fn number(&mut self, number: &'e Number) {
        if !self.seen {
            (self.seen, self.number) = (true, Some(number));
        }
    }

    fn null(&mut self) {
        self.seen = true;
    }
}

/// The first value that the event has under this name.
pub(crate) fn first<'e>(json: &'e Json, name: &str) -> First<'e> {
    let mut first = First::default();
    fill(json, name, &mut first);
    first
}

/// What the event has under this name.
pub(crate) fn slot<'e>(json: &'e Json, name: &str) -> Slot<'e> {
    let mut out = Slot::default();
    if !fill(json, name, &mut out)
        && let Some((_, theirs)) = SECURITY_4688.iter().find(|(ours, _)| *ours == name)
        && is_4688(json)
    {
        fill(json, theirs, &mut out);
    }
    out
}

/// Whether it is a process creation of the Security log.
pub(crate) fn is_4688(json: &Json) -> bool {
    let code = first(json, "EventID");
    code.text == Some("4688") || code.number.and_then(Number::as_u64) == Some(4688)
}

/// Puts what the event has under this name into the sink; whether it has it.
pub(crate) fn fill<'e>(json: &'e Json, name: &str, out: &mut impl Sink<'e>) -> bool {
    let Some(root) = json.as_object() else { return false };
    if let Some(value) = root.get(name) {
        out.mark();
        take(value, out);
        return true;
    }
    if name.contains('.') && path(json, name, out) {
        return true;
    }
    root.get("Event").and_then(Json::as_object).is_some_and(|event| windows(event, name, out))
}

/// Follows a dotted path, through every element of a list on the way; whether it leads somewhere.
pub(crate) fn path<'e>(json: &'e Json, dotted: &str, out: &mut impl Sink<'e>) -> bool {
    match json {
        Json::Array(items) => items.iter().filter(|item| path(item, dotted, out)).count() > 0,
        Json::Object(map) => {
            if let Some(value) = map.get(dotted) {
                out.mark();
                take(value, out);
                return true;
            }
            dotted.match_indices('.').fold(false, |any, (at, _)| {
                let parts = dotted.get(..at).zip(dotted.get(at + 1..));
                let inner = parts.and_then(|(head, rest)| Some((map.get(head)?, rest)));
                inner.is_some_and(|(inner, rest)| path(inner, rest, out)) || any
            })
        }
        _ => false,
    }
}

fn windows<'e>(event: &'e Map<String, Json>, name: &str, out: &mut impl Sink<'e>) -> bool {
    let data = event.get("EventData").and_then(Json::as_object);
    if data.is_some_and(|data| event_data(data, name, out)) {
        return true;
    }
    let user = event.get("UserData").and_then(Json::as_object);
    if let Some(value) = user.and_then(|user| user.values().find_map(|form| form.get(name))) {
        out.mark();
        take(value, out);
        return true;
    }
    let Some(system) = event.get("System").and_then(Json::as_object) else { return false };
    let found = match name {
        "Provider_Name" => system.get("Provider").and_then(|provider| attribute(provider, "Name")),
        _ => system.get(name).or_else(|| {
            let (element, attribute_name) = name.split_once('_')?;
            attribute(system.get(element)?, attribute_name)
        }),
    };
    if let Some(value) = found {
        out.mark();
        take(value, out);
    }
    found.is_some()
}

/// `EventData` is a map of names, or a list of `Data` elements that bear their name.
fn event_data<'e>(data: &'e Map<String, Json>, name: &str, out: &mut impl Sink<'e>) -> bool {
    let exact = data.get(name);
    // Defender writes "Threat Name"; rules write ThreatName.
    let found = exact
        .or_else(|| data.iter().find(|(key, _)| same_without_blanks(key, name)).map(|(_, value)| value))
        .or_else(|| {
            let items = data.get("Data").and_then(Json::as_array)?;
            items.iter().find(|item| attribute(item, "Name").and_then(Json::as_str) == Some(name))
        });
    if let Some(value) = found {
        out.mark();
        take(value, out);
    }
    found.is_some()
}

fn same_without_blanks(key: &str, name: &str) -> bool {
    key.contains(' ') && key.split(' ').flat_map(str::bytes).eq(name.bytes())
}

/// An attribute of an XML element, as the usual converters write it.
pub(crate) fn attribute<'e>(element: &'e Json, name: &str) -> Option<&'e Json> {
    let map = element.as_object()?;
    map.get("#attributes")
        .and_then(|attributes| attributes.get(name))
        .or_else(|| map.iter().find(|(key, _)| key.strip_prefix('@') == Some(name)).map(|(_, value)| value))
}

/// Puts a value's parts into the sink.
pub(crate) fn take<'e>(value: &'e Json, out: &mut impl Sink<'e>) {
    match value {
        Json::Null => out.null(),
        Json::String(text) => out.text(text),
        Json::Bool(yes) => out.text(if *yes { "true" } else { "false" }),
        Json::Number(number) => out.number(number),
        Json::Array(items) => items.iter().for_each(|item| take(item, out)),
        Json::Object(map) => {
            if let Some(text) = map.get("#text") {
                take(text, out);
            }
        }
    }
}

/// Every text of the event, for keywords.
pub(crate) fn everything(json: &Json) -> Slot<'_> {
    let mut out = Slot::default();
    gather(json, &mut out);
    out.present = !out.values.is_empty();
    out
}

/// Puts every text of the event into the sink.
pub(crate) fn gather<'e>(json: &'e Json, out: &mut impl Sink<'e>) {
    match json {
        Json::Object(map) => map.values().for_each(|value| gather(value, out)),
        Json::Array(items) => items.iter().for_each(|item| gather(item, out)),
        Json::Null => {}
        leaf => take(leaf, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(event: &Json, name: &str, want: Option<&str>) {
        assert_eq!(slot(event, name).joined().as_deref(), want, "{name}");
    }

    #[test]
    fn names_are_found_where_events_keep_them() {
        let event = json!({"Event": {
            "System": {"EventID": {"#text": 4104, "#attributes": {"Qualifiers": 0}},
                       "Provider": {"#attributes": {"Name": "P"}}, "Execution": {"#attributes": {"ProcessID": 7}}},
            "EventData": {"ScriptBlockText": "x", "Threat Name": "t"}}});
        check(&event, "ThreatName", Some("t"));
        check(&event, "EventID", Some("4104"));
        check(&event, "Provider_Name", Some("P"));
        check(&event, "Execution_ProcessID", Some("7"));
        check(&event, "ScriptBlockText", Some("x"));
        check(&event, "Missing", None);
        let named = json!({"Event": {"EventData": {"Data": [
            {"#attributes": {"Name": "A"}, "#text": "1"}, {"@Name": "B", "#text": "2"}]}}});
        check(&named, "A", Some("1"));
        check(&named, "B", Some("2"));
        let user = json!({"Event": {"UserData": {"Form": {"Operation": "o"}}}});
        check(&user, "Operation", Some("o"));
    }

    #[test]
    fn dotted_names_are_flat_first_then_nested_through_lists() {
        check(&json!({"a.b": 1, "a": {"b": 2}}), "a.b", Some("1"));
        check(&json!({"a": [{"b": 2}, {"b": [3, 4]}]}), "a.b", Some("2, 3, 4"));
        check(&json!({"a.b": {"c": 5}}), "a.b.c", Some("5"));
    }

    #[test]
    fn process_creation_of_the_security_log_answers_to_sysmons_names() {
        let event = json!({"EventID": 4688, "NewProcessName": "n", "ProcessId": "0x1"});
        check(&event, "Image", Some("n"));
        check(&json!({"EventID": 4624, "NewProcessName": "n"}), "Image", None);
    }
}
