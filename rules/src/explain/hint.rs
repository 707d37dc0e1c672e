//! What may be the matter with an item that fails: another name, another field, another case, a
//! value that is nearly right.
//!
//! Hints are guesses for a person, bounded in number and time; nothing decides by them.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::ast::{Item, Want};
use crate::compile::{NameId, Names};
use crate::engine::{View, cut};
use crate::lint::literal;
use crate::matcher::{Edge, Had, Pattern, Slot, Test};
use crate::taxonomy::Subject;

/// Hints per item.
const MOST_HINTS: usize = 3;

/// Fields of an event that are looked through.
const MOST_FIELDS: usize = 500;

/// Wanted values that are compared with what the event had.
const MOST_VALUES: usize = 500;

/// Characters of texts whose distance is measured.
const MOST_CHARS: usize = 120;

/// Shorter texts stand in many fields by chance.
const LEAST_TEXT: usize = 4;

/// What may be the matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The event has a field of a similar name.
    NamedOtherwise {
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
    /// A wanted value stands in another field.
    Elsewhere {
        /// What is wanted.
        wanted: String,
        /// Where it stands.
        field: String,
        /// The value there.
        value: String,
    },
    /// Only the case differs.
    Case {
        /// What is wanted.
        wanted: String,
    },
    /// The text stands in the value, but not where it is wanted.
    Place {
        /// The text.
        wanted: String,
        /// Where it is wanted.
        place: Place,
    },
    /// The nearest of the wanted values.
    Near {
        /// The value.
        wanted: String,
        /// Characters that differ.
        edits: usize,
    },
    /// The regex needs a text that the value does not have.
    Lacks {
        /// The text.
        text: String,
    },
    /// Not an address at all.
    NotAnAddress,
    /// Not a number at all.
    NotANumber,
    /// The value of the field that it is compared with; none where the event lacks that too.
    OtherField {
        /// That field.
        field: String,
        /// Its value.
        value: Option<String>,
    },
}

/// Where in a value a text is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// As the whole.
    Whole,
    /// At its begin.
    Begin,
    /// At its end.
    End,
}

impl Hint {
    /// A word for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NamedOtherwise { .. } => "named_otherwise",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Case { .. } => "case",
            Self::Place { .. } => "place",
            Self::Near { .. } => "near",
            Self::Lacks { .. } => "lacks",
            Self::NotAnAddress => "not_an_address",
            Self::NotANumber => "not_a_number",
            Self::OtherField { .. } => "other_field",
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NamedOtherwise { field, value } => write!(f, "the event has {field}: {value}"),
            Self::Elsewhere { wanted, field, value } => write!(f, "{wanted} stands in {field}: {value}"),
            Self::Case { wanted } => write!(f, "only the case differs from {wanted}"),
            Self::Place { wanted, place } => {
                let place = match place {
                    Place::Whole => "as the whole value",
                    Place::Begin => "at its begin",
                    Place::End => "at its end",
                };
                write!(f, "the value contains {wanted}, but not {place}")
            }
            Self::Near { wanted, edits } => write!(f, "nearest is {wanted}, {edits} character(s) away"),
            Self::Lacks { text } => write!(f, "every match contains {text}, the value does not"),
            Self::NotAnAddress => write!(f, "the value is not an IP address"),
            Self::NotANumber => write!(f, "the value is not a number"),
            Self::OtherField { field, value: Some(value) } => write!(f, "{field} is {value}"),
            Self::OtherField { field, value: None } => write!(f, "the event has no {field} either"),
        }
    }
}

impl Serialize for Hint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut out = serializer.serialize_struct("Hint", 2)?;
        out.serialize_field("kind", self.kind())?;
        out.serialize_field("text", &self.to_string())?;
        out.end()
    }
}

/// Every field of an event with its value as text.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let mut out = Vec::new();
        match subject {
            Subject::Foreign { json, .. } => leaves(json, &mut String::new(), &mut out),
            Subject::Typed(event) => {
                let texts = event.record.iter().map(|(id, value)| (id.name().to_owned(), value.to_string()));
                out.extend(texts.take(MOST_FIELDS));
            }
        }
        Self(out)
    }

    /// A field whose name resembles this one.
    fn like(&self, name: &str, but: &str) -> Option<&(String, String)> {
        let wanted = plain(name);
        let others = || self.0.iter().filter(|(field, _)| field != but);
        let same = |field: &str| plain(field) == wanted || plain(last(field)) == wanted;
        let near = |field: &str| {
            let field = plain(last(field));
            wanted.len() > LEAST_TEXT && distance(&field, &wanted) <= 2
                || wanted.len() >= LEAST_TEXT
                    && field.len() >= LEAST_TEXT
                    && (field.contains(&wanted) || wanted.contains(&field))
        };
        others().find(|(field, _)| same(field)).or_else(|| others().find(|(field, _)| near(field)))
    }
}

/// The leaves of a JSON event under their dotted names.
fn leaves(json: &Json, prefix: &mut String, out: &mut Vec<(String, String)>) {
    if out.len() >= MOST_FIELDS {
        return;
    }
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                let length = prefix.len();
                if !prefix.is_empty() {
                    prefix.push('.');
                }
                prefix.push_str(key);
                leaves(value, prefix, out);
                prefix.truncate(length);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| leaves(item, prefix, out)),
        Json::Null => {}
        Json::String(text) => out.push((prefix.clone(), text.clone())),
        other => out.push((prefix.clone(), other.to_string())),
    }
}

/// Hints for an item that does not hold.
pub(super) fn hints(
    item: &Item<NameId>,
    name: &str,
    slot: &Slot<'_>,
    view: &View<'_>,
    names: &Names,
    fields: &Fields,
) -> Vec<Hint> {
    let mut out = Vec::new();
    let field = item.field.map_or("", |field| view.shown(field));
    // A name that leads to a field of ours is no slip of the pen: the event just lacks it.
    if item.field.is_some() && slot.values.is_empty() && field == name {
        let like = fields.like(name, field);
        out.extend(
            like.map(|(field, value)| Hint::NamedOtherwise { field: field.clone(), value: short(value) }),
        );
    }
    if let Some(had) = slot.values.first().filter(|had| item.field.is_some() && !had.is_null()) {
        let lacking = || item.wants.iter().filter(|want| !met(want, slot, view)).take(MOST_VALUES);
        out.extend(
            lacking().find_map(|want| about(want, had, view, names)).or_else(|| nearest(lacking(), had)),
        );
    }
    if out.is_empty() && item.field.is_some() {
        out.extend(elsewhere(item, field, fields));
    }
    out.truncate(MOST_HINTS);
    out
}

fn met(want: &Want<NameId>, slot: &Slot<'_>, view: &View<'_>) -> bool {
    want.test.held(slot, &|field| view.slot(*field)).is_some()
}

/// What can be said of one wanted value and what the event had.
fn about(want: &Want<NameId>, had: &Had<'_>, view: &View<'_>, names: &Names) -> Option<Hint> {
    let wanted = || short(&want.shown);
    match &want.test {
        Test::Text(pattern) => misplaced(pattern, had, wanted()),
        Test::Regex(regex) => {
            let text = literal(regex.as_str());
            let lacks = text.len() > 2 && !had.folded().contains(&text);
            lacks.then(|| Hint::Lacks { text: short(&text) })
        }
        Test::Cidr(_) => had.text().parse::<std::net::IpAddr>().is_err().then_some(Hint::NotAnAddress),
        Test::Compare(..) | Test::Number(_) => had.number().is_none().then_some(Hint::NotANumber),
        Test::Field(field, ..) => Some(Hint::OtherField {
            field: names.text(*field).to_owned(),
            value: view.slot(*field).joined().map(|value| short(&value)),
        }),
        _ => None,
    }
}

/// The right text in the wrong case or the wrong place.
fn misplaced(pattern: &Pattern, had: &Had<'_>, wanted: String) -> Option<Hint> {
    let folded = had.folded();
    let (text, place) = match pattern.edge() {
        Edge::Exact(text) => (text, Place::Whole),
        Edge::Begin(text) => (text, Place::Begin),
        Edge::End(text) => (text, Place::End),
        Edge::Inside(text) => {
            return (!pattern.is_plain() && folded.contains(&text) && text.len() >= LEAST_TEXT)
                .then_some(Hint::Case { wanted });
        }
        Edge::Unknown => return None,
    };
    let there = match place {
        Place::Whole => folded == text,
        Place::Begin => folded.starts_with(&text),
        Place::End => folded.ends_with(&text),
    };
    if there {
        return Some(Hint::Case { wanted });
    }
    (text.len() >= LEAST_TEXT && folded.contains(&text)).then_some(Hint::Place { wanted, place })
}

/// The wanted value that differs least, where it does not differ much.
fn nearest<'w>(wants: impl Iterator<Item = &'w Want<NameId>>, had: &Had<'_>) -> Option<Hint> {
    let folded: String = had.folded().chars().take(MOST_CHARS).collect();
    let text = |want: &Want<NameId>| match &want.test {
        Test::Text(pattern) => match pattern.edge() {
            Edge::Exact(text) => Some((text, folded.clone())),
            Edge::Begin(text) => {
                let begin = folded.chars().take(text.chars().count()).collect();
                Some((text, begin))
            }
            Edge::End(text) => {
                let skipped = folded.chars().count().saturating_sub(text.chars().count());
                let end = folded.chars().skip(skipped).collect();
                Some((text, end))
            }
            Edge::Inside(_) | Edge::Unknown => None,
        },
        _ => None,
    };
    wants
        .filter_map(|want| {
            let (text, part) = text(want)?;
            let length = text.chars().count();
            let edits = if length > MOST_CHARS { usize::MAX } else { distance(&text, &part) };
            // Where half of a short word or a third of a long one differs it is another word.
            let near = if edits <= 2 { edits * 2 < length } else { edits <= 4 && edits * 3 <= length };
            (edits > 0 && near).then(|| (edits, short(&want.shown)))
        })
        .min()
        .map(|(edits, wanted)| Hint::Near { wanted, edits })
}

/// Another field that has a wanted value.
fn elsewhere(item: &Item<NameId>, field: &str, fields: &Fields) -> Option<Hint> {
    let telling = |want: &&Want<NameId>| match &want.test {
        Test::Text(pattern) => match pattern.edge() {
            Edge::Exact(text) | Edge::Begin(text) | Edge::End(text) | Edge::Inside(text) => {
                text.chars().count() >= LEAST_TEXT
            }
            Edge::Unknown => false,
        },
        Test::Regex(regex) => literal(regex.as_str()).len() >= LEAST_TEXT,
        _ => false,
    };
    item.wants.iter().filter(telling).take(MOST_VALUES).find_map(|want| {
        let fits = |value: &str| want.test.fits(Had::new(value).lent());
        let (field, value) = fields.0.iter().find(|(name, value)| name != field && fits(value))?;
        Some(Hint::Elsewhere { wanted: short(&want.shown), field: field.clone(), value: short(value) })
    })
}

fn short(text: &str) -> String {
    cut(text).chars().take(MOST_CHARS).collect()
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// A name without case and punctuation: `CommandLine` and `command_line` are one.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(MOST_CHARS).collect()
}

/// Characters to change, add or take away to get from one text to the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(MOST_CHARS).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, a) in one.chars().take(MOST_CHARS).enumerate() {
        let (mut diagonal, mut left) = (at, at + 1);
        let mut next = vec![left];
        for (b, above) in other.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(a != *b)).min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_changes() {
        for (one, other, edits) in [("", "abc", 3), ("kitten", "sitting", 3), ("a", "a", 0), ("ab", "ba", 2)]
        {
            assert_eq!(distance(one, other), edits, "{one} {other}");
            assert_eq!(distance(other, one), edits, "{other} {one}");
        }
    }
}
