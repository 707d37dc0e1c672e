//! The fields of one event: a small sorted list, found by binary search.

use crate::field::FieldId;
use crate::value::Value;

/// Fields with their values, each at most once, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    // Invariant: sorted by field, no field twice.
    entries: Vec<(FieldId, Value)>,
}

impl Record {
    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: FieldId) -> Option<&Value> {
        let at = self.entries.binary_search_by_key(&field, |entry| entry.0).ok()?;
        self.entries.get(at).map(|entry| &entry.1)
    }

    /// Sets a field, replacing what it held.
    pub fn set(&mut self, field: FieldId, value: impl Into<Value>) {
        let value = value.into();
        match self.entries.binary_search_by_key(&field, |entry| entry.0) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.entries.insert(at, (field, value)),
        }
    }

    /// A record with room for this many fields.
    #[must_use]
    pub fn with_room(fields: usize) -> Self {
        Self { entries: Vec::with_capacity(fields) }
    }

    /// Sets a field; at once where fields come in the order of their numbers.
    pub fn push(&mut self, field: FieldId, value: Value) {
        match self.entries.last() {
            Some((last, _)) if *last >= field => self.set(field, value),
            _ => self.entries.push((field, value)),
        }
    }

    /// Adds a field if its number is beyond all others'. False where it is not, and nothing changes.
    #[inline]
    pub fn append(&mut self, field: FieldId, value: impl FnOnce() -> Value) -> bool {
        let beyond = self.entries.last().is_none_or(|(last, _)| *last < field);
        if beyond {
            self.entries.push((field, value()));
        }
        beyond
    }

    /// Sets several fields, given in the order of their numbers, in one pass.
    pub fn overlay<const N: usize>(&mut self, fields: [(FieldId, Value); N]) {
        let had = self.entries.len();
        let foreign = |(field, _): &(FieldId, Value)| {
            self.entries.binary_search_by_key(field, |entry| entry.0).is_err()
        };
        if !fields.iter().all(foreign) || !fields.is_sorted_by(|a, b| a.0 < b.0) {
            return fields.into_iter().for_each(|(field, value)| self.set(field, value));
        }
        // From the end: what is there moves up as far as fields are still to come before it.
        self.entries.resize(had + N, (FieldId(0), Value::Bool(false)));
        let (mut from, mut to) = (had, had + N);
        for (field, value) in fields.into_iter().rev() {
            while from > 0 && self.entries.get(from - 1).is_some_and(|entry| entry.0 > field) {
                (from, to) = (from - 1, to - 1);
                self.entries.swap(from, to);
            }
            to -= 1;
            if let Some(entry) = self.entries.get_mut(to) {
                *entry = (field, value);
            }
        }
    }

    /// Sets a field if there is a value.
    pub fn set_some(&mut self, field: FieldId, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(field, value);
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, field: FieldId) -> Option<Value> {
        let at = self.entries.binary_search_by_key(&field, |entry| entry.0).ok()?;
        Some(self.entries.remove(at).1)
    }

    /// Takes all fields out, in the order of their numbers; the room for them stays.
    pub fn drain(&mut self) -> impl Iterator<Item = (FieldId, Value)> {
        self.entries.drain(..)
    }

    /// Fields in the order of their numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (FieldId, &Value)> {
        self.entries.iter().map(|(field, value)| (*field, value))
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl FromIterator<(FieldId, Value)> for Record {
    /// From pairs in any order; of a field given twice, the last one stays.
    fn from_iter<I: IntoIterator<Item = (FieldId, Value)>>(pairs: I) -> Self {
        let mut record = Self::default();
        for (field, value) in pairs {
            record.push(field, value);
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field;

    #[test]
    fn keeps_fields_sorted_and_single() {
        let mut record = Record::default();
        record.set(field::SOURCE_PORT, 2_u16);
        record.set(field::SOURCE_IP, std::net::Ipv4Addr::LOCALHOST);
        record.set(field::SOURCE_PORT, 3_u16);
        assert_eq!(record.len(), 2);
        assert_eq!(record.get(field::SOURCE_PORT).and_then(Value::as_uint), Some(3));
        assert!(record.iter().map(|entry| entry.0).is_sorted());
        assert_eq!(record.remove(field::SOURCE_PORT), Some(Value::Uint(3)));
        assert_eq!(record.get(field::SOURCE_PORT), None);
    }
    proptest::proptest! {
        #[test]
        fn fields_laid_over_at_once_are_as_fields_set_one_by_one(
            had in proptest::collection::vec((1_u16..40, 0_u64..9), 0..30),
            mut over in proptest::array::uniform4((1_u16..40, 100_u64..109)),
            sorted in proptest::bool::ANY,
        ) {
            if sorted {
                over.sort_unstable();
            }
            let pair = |(id, n): &(u16, u64)| (FieldId(*id), Value::Uint(*n));
            let mut at_once: Record = had.iter().map(pair).collect();
            let mut one_by_one = at_once.clone();
            over.iter().map(pair).for_each(|(field, value)| one_by_one.set(field, value));
            at_once.overlay(over.each_ref().map(pair));
            proptest::prop_assert_eq!(&at_once, &one_by_one);
            proptest::prop_assert!(at_once.iter().is_sorted_by(|a, b| a.0 < b.0));
        }
    }
}
