//! The one table of field names.
//!
//! Every name an event may carry stands here once: its number on the wire, its ECS name, its
//! type, its unit and what it means. Sigma's own names for the same thing are in [`sigma`].
//! JSON output, rule compilation, the wire and `docs/fields.md` all read this table, so that a
//! name can not mean two things.
//!
//! Invariant: a number, once released, never changes its meaning and is never used again.

mod doc;
pub mod sigma;
mod table;

pub use doc::markdown;
pub use table::*;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// The number of a field: its identity in memory and on the wire. 1 to 65,535.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u16);

/// What kind of value a field holds. A list of that kind is always allowed too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// UTF-8 text.
    Text,
    /// Unsigned number.
    Uint,
    /// Signed number.
    Int,
    /// Real number.
    Float,
    /// Yes or no.
    Bool,
    /// IPv4 or IPv6 address.
    Ip,
    /// Point in time.
    Time,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Identity.
    pub id: FieldId,
    /// Dotted ECS name, or `watchpost.*` where ECS has none.
    pub name: &'static str,
    /// Kind of value.
    pub kind: Type,
    /// What it means, with its unit and range.
    pub meaning: &'static str,
}

impl FieldId {
    /// The row of this field; `None` for a number that a newer peer sent and we do not know.
    #[must_use]
    pub fn row(self) -> Option<&'static Field> {
        BY_ID.get(usize::from(self.0)).copied().flatten()
    }

    /// Dotted name; `watchpost.unknown` for a number that we do not know.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("watchpost.unknown", |row| row.name)
    }

    /// The field with this dotted name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        BY_NAME.get(name).copied()
    }
}

impl fmt::Debug for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name(), self.0)
    }
}

static BY_NAME: LazyLock<HashMap<&'static str, FieldId>> =
    LazyLock::new(|| TABLE.iter().map(|row| (row.name, row.id)).collect());

static BY_ID: LazyLock<Vec<Option<&'static Field>>> = LazyLock::new(|| {
    let last = TABLE.iter().map(|row| usize::from(row.id.0)).max().unwrap_or(0);
    let mut rows = vec![None; last + 1];
    for row in TABLE {
        if let Some(slot) = rows.get_mut(usize::from(row.id.0)) {
            *slot = Some(row);
        }
    }
    rows
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        let mut ids: Vec<_> = TABLE.iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), TABLE.len());
        assert_eq!(BY_NAME.len(), TABLE.len());
    }

    #[test]
    fn a_name_leads_to_its_row_and_back() {
        assert_eq!(FieldId::named("source.ip"), Some(SOURCE_IP));
        assert_eq!(SOURCE_IP.name(), "source.ip");
        assert_eq!(FieldId(65_000).name(), "watchpost.unknown");
    }

    #[test]
    fn no_name_is_also_a_folder_of_another() {
        for row in TABLE {
            let prefix = format!("{}.", row.name);
            assert!(
                !TABLE.iter().any(|other| other.name.starts_with(&prefix)),
                "{} is leaf and folder",
                row.name
            );
        }
    }

    #[test]
    fn the_printed_table_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fields.md");
        if std::env::var_os("WATCHPOST_BLESS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let shown = std::fs::read_to_string(path).unwrap_or_default();
        assert!(shown == markdown(), "docs/fields.md differs from the table; run with WATCHPOST_BLESS=1");
    }
}
