//! What an event had in a field: its values as text, folded once for comparing without case.

use std::borrow::Cow;

/// One value. Folding is done when the value is taken from the event, once per event and field.
#[derive(Clone, Debug)]
pub struct Had<'e> {
    raw: Cow<'e, str>,
    // None where folding changes nothing.
    folded: Option<Cow<'e, str>>,
    null: bool,
}

impl<'e> Had<'e> {
    /// A value with this text.
    #[must_use]
    pub fn new(raw: impl Into<Cow<'e, str>>) -> Self {
        let raw = raw.into();
        let folded = folded(&raw).map(|folded| Cow::Owned(folded.into()));
        Self { raw, folded, null: false }
    }

    /// A value that was folded before.
    pub(crate) const fn of(text: Text<'e>) -> Self {
        Self { raw: Cow::Borrowed(text.raw), folded: Some(Cow::Borrowed(text.folded)), null: text.null }
    }

    /// A null.
    #[must_use]
    pub const fn null() -> Self {
        Self { raw: Cow::Borrowed(""), folded: None, null: true }
    }

    /// Whether it is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        self.null
    }

    /// Lent as plain texts.
    #[must_use]
    pub fn lent(&self) -> Text<'_> {
        Text { raw: &self.raw, folded: self.folded(), null: self.null }
    }

    /// The text as the event has it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.raw
    }

    /// The text folded.
    #[must_use]
    pub fn folded(&self) -> &str {
        self.folded.as_deref().unwrap_or(&self.raw)
    }

    /// The text as a number.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        self.lent().number()
    }
}

/// One value, borrowed: as it is and folded.
#[derive(Clone, Copy, Debug)]
pub struct Text<'t> {
    /// As the event has it.
    pub raw: &'t str,
    /// Folded.
    pub folded: &'t str,
    /// Whether it is null.
    pub null: bool,
}

impl Text<'_> {
    /// The text as a number.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        let text = self.raw.trim();
        // "inf" and "nan" are words to a rule, not numbers.
        text.bytes().next().filter(|first| first.is_ascii_digit() || b"+-.".contains(first))?;
        text.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// Everything an event had in one field.
#[derive(Clone, Debug, Default)]
pub struct Slot<'e> {
    /// Whether the event has the field at all.
    pub present: bool,
    /// Its values; several where the event has a list.
    pub values: Vec<Had<'e>>,
}

impl<'e> Slot<'e> {
    /// A field with one value.
    #[must_use]
    pub fn one(had: Had<'e>) -> Self {
        Self { present: true, values: vec![had] }
    }

    /// Missing, empty or null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        !self.present || self.values.iter().all(Had::is_null)
    }

    /// The values as one text; `None` where there is none.
    #[must_use]
    pub fn joined(&self) -> Option<String> {
        let texts: Vec<&str> = self.values.iter().filter(|had| !had.is_null()).map(Had::text).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }
}

/// Folds text for comparing without case: lower case, character by character, so that patterns
/// and values fold alike wherever they are cut.
#[must_use]
pub fn fold(text: &str) -> String {
    folded(text).map_or_else(|| text.to_owned(), String::from)
}

/// Folds text as [`fold`] does, onto the end of a buffer.
pub fn fold_into(text: &str, out: &mut String) {
    if text.is_ascii() {
        let from = out.len();
        out.push_str(text);
        if let Some(added) = out.get_mut(from..) {
            added.make_ascii_lowercase();
        }
    } else {
        out.extend(text.chars().map(lower));
    }
}

fn folded(text: &str) -> Option<Box<str>> {
    if text.is_ascii() {
        return text.bytes().any(|b| b.is_ascii_uppercase()).then(|| text.to_ascii_lowercase().into());
    }
    let lower: String = text.chars().map(lower).collect();
    (lower != text).then(|| lower.into())
}

/// The lower case of a character, where that is one character.
pub(crate) fn lower(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}
