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
            record.set(field, value);
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
}
