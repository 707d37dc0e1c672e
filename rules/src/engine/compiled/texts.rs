//! What one event has in the fields of a plan: texts as they are and folded, in two buffers.
//!
//! The buffers outlive the event, so that taking an event apart allocates nothing once they have
//! grown. Values of one field are chained, since a record may bear the same key twice.

use std::fmt::{Display, Write};

use crate::matcher::{Text, fold_into};

/// Bytes that a buffer may keep between events; one giant event must not stay in memory.
const KEPT_BYTES: usize = 1024 * 1024;

/// Values taken from one field: a hostile event can not make rules look at more.
pub(crate) const MOST_VALUES: u32 = 10_000;

const NONE: u32 = u32::MAX;

/// The event's texts by field of the plan.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    raw: String,
    folded: String,
    values: Vec<Value>,
    slots: Vec<Slot>,
    filled: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Value {
    raw: (usize, usize),
    folded: (usize, usize),
    null: bool,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    present: bool,
    first: u32,
    last: u32,
    count: u32,
}

const EMPTY: Slot = Slot { present: false, first: NONE, last: NONE, count: 0 };

impl Texts {
    /// Forgets the last event and makes room for `fields` fields.
    pub(crate) fn reset(&mut self, fields: usize) {
        for field in self.filled.drain(..) {
            if let Some(slot) = self.slots.get_mut(index(field)) {
                *slot = EMPTY;
            }
        }
        if self.slots.len() < fields {
            self.slots.resize(fields, EMPTY);
        }
        self.values.clear();
        for buffer in [&mut self.raw, &mut self.folded] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
    }

    /// Fields that the event has.
    pub(crate) fn filled(&self) -> &[u32] {
        &self.filled
    }

    /// Values taken so far, of all fields.
    pub(crate) const fn count(&self) -> usize {
        self.values.len()
    }

    /// Whether the event has the field.
    pub(crate) fn is_present(&self, field: u32) -> bool {
        self.slot(field).present
    }

    /// Whether nothing but nulls stands there.
    pub(crate) fn is_null(&self, field: u32) -> bool {
        !self.is_present(field) || self.values(field).all(|text| text.null)
    }

    /// The values of a field.
    pub(crate) fn values(&self, field: u32) -> impl Iterator<Item = Text<'_>> {
        let mut at = self.slot(field).first;
        std::iter::from_fn(move || {
            let value = self.values.get(index(at))?;
            at = value.next;
            Some(Text {
                raw: self.raw.get(value.raw.0..value.raw.1)?,
                folded: self.folded.get(value.folded.0..value.folded.1)?,
                null: value.null,
            })
        })
    }

    /// Says that the event has the field.
    pub(crate) fn mark(&mut self, field: u32) {
        if let Some(slot) = self.slots.get_mut(index(field))
            && !slot.present
        {
            slot.present = true;
            self.filled.push(field);
        }
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, field: u32, text: &str) {
        if self.is_full(field) {
            return;
        }
        let from = (self.raw.len(), self.folded.len());
        self.raw.push_str(text);
        fold_into(text, &mut self.folded);
        self.close(field, from, false);
    }

    /// Adds what prints.
    pub(crate) fn display(&mut self, field: u32, what: impl Display) {
        if self.is_full(field) {
            return;
        }
        let from = (self.raw.len(), self.folded.len());
        // Writing into a String can not fail.
        let _ = write!(self.raw, "{what}");
        fold_into(self.raw.get(from.0..).unwrap_or_default(), &mut self.folded);
        self.close(field, from, false);
    }

    /// Adds a number.
    pub(crate) fn whole(&mut self, field: u32, number: u64) {
        // From the last digit on; u64::MAX has twenty.
        let (mut digits, mut at, mut left) = ([b'0'; 20], 20, number);
        while left > 0 || at == 20 {
            at -= 1;
            if let (Some(digit), Ok(last)) = (digits.get_mut(at), u8::try_from(left % 10)) {
                *digit += last;
            }
            left /= 10;
        }
        self.text(
            field,
            digits.get(at..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default(),
        );
    }

    /// Adds the value that was added last, whatever its field, to this field too.
    pub(crate) fn again(&mut self, field: u32) {
        if let Some(value) = self.values.last().filter(|_| !self.is_full(field)) {
            self.link(field, Value { next: NONE, ..*value });
        }
    }

    /// Adds a null.
    pub(crate) fn null(&mut self, field: u32) {
        if !self.is_full(field) {
            self.close(field, (self.raw.len(), self.folded.len()), true);
        }
    }

    fn is_full(&self, field: u32) -> bool {
        self.slot(field).count >= MOST_VALUES
    }

    fn close(&mut self, field: u32, from: (usize, usize), null: bool) {
        let raw = (from.0, self.raw.len());
        self.link(field, Value { raw, folded: (from.1, self.folded.len()), null, next: NONE });
    }

    fn link(&mut self, field: u32, value: Value) {
        self.mark(field);
        let at = number(self.values.len());
        self.values.push(value);
        let Some(slot) = self.slots.get_mut(index(field)) else { return };
        let last = std::mem::replace(&mut slot.last, at);
        slot.count += 1;
        if last == NONE {
            slot.first = at;
        } else if let Some(before) = self.values.get_mut(index(last)) {
            before.next = at;
        }
    }

    fn slot(&self, field: u32) -> Slot {
        self.slots.get(index(field)).copied().unwrap_or(EMPTY)
    }
}

/// A number of ours as a position.
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A position as a number of ours. Rule files are bounded far below the limit.
pub(crate) fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
