//! From an event into the texts of a plan, in one walk over what the event has.
//!
//! The plan knows which of its fields a key means; keys that no rule asks for cost one look-up.
//! Invariant: fills what `taxonomy::slot` and `taxonomy::typed_slot` would find, field by field;
//! tests hold the two against each other.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde_json::{Map, Number, Value as Json};
use watchpost_model::{Event, FieldId, Value, field};

use super::texts::Texts;
use crate::taxonomy::{self, Sink};

/// Where a plan's fields come from.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// Names of foreign fields, or keys of audit records.
    pub(crate) by_name: HashMap<Box<str>, u32, RandomState>,
    /// Those with a dot, which may lead through nested maps.
    pub(crate) dotted: Vec<(Box<str>, u32)>,
    /// Those that a process-creation record of the Security log calls otherwise.
    pub(crate) renamed: Vec<(&'static str, u32)>,
    /// By number of a field of ours.
    pub(crate) by_field: Vec<Option<u32>>,
    /// The whole event, for keywords.
    pub(crate) everything: Option<u32>,
}

struct Into<'t> {
    texts: &'t mut Texts,
    field: u32,
}

impl<'e> Sink<'e> for Into<'_> {
    fn mark(&mut self) {
        self.texts.mark(self.field);
    }

    fn text(&mut self, text: &'e str) {
        self.texts.text(self.field, text);
    }

    fn number(&mut self, number: &'e Number) {
        match number.as_u64() {
            Some(number) => self.texts.whole(self.field, number),
            None => self.texts.display(self.field, number),
        }
    }

    fn null(&mut self) {
        self.texts.null(self.field);
    }
}

/// Fills the texts from a foreign event. `joined` is a buffer for names made of two.
pub(crate) fn foreign(json: &Json, fields: &Fields, texts: &mut Texts, joined: &mut String) {
    let Some(root) = json.as_object() else {
        if let Some(field) = fields.everything {
            taxonomy::gather(json, &mut Into { texts, field });
        }
        return;
    };
    let mut walk = Walk { fields, texts, joined };
    match fields.everything {
        Some(everything) => root.iter().for_each(|(key, value)| walk.both(key, value, everything)),
        None => walk.map(root),
    }
    // A path leads through maps and lists; most events are flat.
    let nested = !fields.dotted.is_empty()
        && root.values().any(|value| matches!(value, Json::Object(_) | Json::Array(_)));
    for (name, field) in fields.dotted.iter().filter(|_| nested) {
        if !walk.texts.is_present(*field) {
            taxonomy::path(json, name, &mut Into { texts: walk.texts, field: *field });
        }
    }
    if let Some(event) = root.get("Event").and_then(Json::as_object) {
        walk.windows(event);
    }
    let missing = |texts: &Texts| fields.renamed.iter().any(|(_, field)| !texts.is_present(*field));
    if missing(walk.texts) && taxonomy::is_4688(json) {
        for (theirs, field) in &fields.renamed {
            if !walk.texts.is_present(*field) {
                taxonomy::fill(json, theirs, &mut Into { texts: walk.texts, field: *field });
            }
        }
    }
}

struct Walk<'w> {
    fields: &'w Fields,
    texts: &'w mut Texts,
    joined: &'w mut String,
}

impl Walk<'_> {
    /// Takes the value unless an earlier place already had the name.
    fn offer(&mut self, name: &str, value: &Json) {
        if let Some(field) = self.fields.by_name.get(name)
            && !self.texts.is_present(*field)
        {
            let mut into = Into { texts: self.texts, field: *field };
            into.mark();
            taxonomy::take(value, &mut into);
        }
    }

    /// Takes the value of a root key for keywords too; most are plain, and copied once.
    fn both(&mut self, name: &str, value: &Json, everything: u32) {
        let count = self.texts.count();
        taxonomy::gather(value, &mut Into { texts: self.texts, field: everything });
        let plain = matches!(value, Json::String(_) | Json::Number(_) | Json::Bool(_));
        match self.fields.by_name.get(name) {
            Some(field) if plain && self.texts.count() == count + 1 => self.texts.again(*field),
            Some(_) => self.offer(name, value),
            None => {}
        }
    }

    fn map(&mut self, map: &Map<String, Json>) {
        map.iter().for_each(|(key, value)| self.offer(key, value));
    }

    fn windows(&mut self, event: &Map<String, Json>) {
        if let Some(data) = event.get("EventData").and_then(Json::as_object) {
            self.map(data);
            for (key, value) in data.iter().filter(|(key, _)| key.contains(' ')) {
                let mut joined = std::mem::take(self.joined);
                joined.clear();
                joined.extend(key.split(' '));
                self.offer(&joined, value);
                *self.joined = joined;
            }
            for item in data.get("Data").and_then(Json::as_array).into_iter().flatten() {
                if let Some(name) = taxonomy::attribute(item, "Name").and_then(Json::as_str) {
                    self.offer(name, item);
                }
            }
        }
        for form in event.get("UserData").and_then(Json::as_object).into_iter().flat_map(Map::values) {
            form.as_object().into_iter().for_each(|form| self.map(form));
        }
        if let Some(system) = event.get("System").and_then(Json::as_object) {
            self.system(system);
        }
    }

    fn system(&mut self, system: &Map<String, Json>) {
        for (key, value) in system.iter().filter(|(key, _)| *key != "Provider_Name") {
            self.offer(key, value);
        }
        for (element, value) in system.iter().filter(|(element, _)| !element.contains('_')) {
            let Some(map) = value.as_object() else { continue };
            let plain = map.get("#attributes").and_then(Json::as_object);
            for (name, value) in plain.into_iter().flatten() {
                self.attribute(element, name, value);
            }
            for (key, value) in map {
                if let Some(name) = key.strip_prefix('@') {
                    self.attribute(element, name, value);
                }
            }
        }
    }

    fn attribute(&mut self, element: &str, name: &str, value: &Json) {
        let mut joined = std::mem::take(self.joined);
        joined.clear();
        joined.extend([element, "_", name]);
        self.offer(&joined, value);
        *self.joined = joined;
    }
}

/// Fills the texts from an event of ours.
pub(crate) fn typed(event: &Event, fields: &Fields, texts: &mut Texts) {
    let place = |id: FieldId| fields.by_field.get(usize::from(id.0)).copied().flatten();
    for (id, value) in event.record.iter() {
        if let Some(field) = fields.everything {
            everything(value, field, texts);
        }
        if let Some(field) = place(id).filter(|_| id != field::EVENT_DATASET && id != field::TIMESTAMP) {
            texts.mark(field);
            match value {
                Value::List(items) => items.iter().for_each(|item| one(item, field, texts)),
                value => one(value, field, texts),
            }
        }
    }
    if let Some(field) = place(field::EVENT_DATASET) {
        texts.text(field, event.kind.dataset());
    }
    if let Some(field) = place(field::TIMESTAMP) {
        texts.display(field, event.time);
    }
    if !fields.by_name.is_empty() {
        taxonomy::audit_pairs(event, &mut |name, value| {
            if let Some(field) = fields.by_name.get(name) {
                texts.text(*field, value);
            }
        });
    }
}

fn one(value: &Value, field: u32, texts: &mut Texts) {
    match value {
        Value::Text(text) => texts.text(field, text),
        other => texts.display(field, other),
    }
}

fn everything(value: &Value, field: u32, texts: &mut Texts) {
    match value {
        Value::Text(text) => texts.text(field, text),
        Value::List(items) => {
            items.iter().filter_map(Value::as_text).for_each(|text| texts.text(field, text));
        }
        _ => {}
    }
}
