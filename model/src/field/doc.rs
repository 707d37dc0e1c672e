//! Prints the field table as `docs/fields.md`, so that the document can not drift.

use std::fmt::Write;

use super::{TABLE, sigma};

/// The whole table as Markdown, Sigma aliases included.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Fields\n\nMade from the field table in `model/src/field/`; change it there and bless.\n\n\
         | number | name | type | meaning | Sigma names |\n| --- | --- | --- | --- | --- |\n",
    );
    for row in TABLE {
        let mut aliases: Vec<&str> =
            sigma::ALIASES.iter().filter(|a| a.field == row.id).map(|a| a.name).collect();
        aliases.sort_unstable();
        aliases.dedup();
        // Writing to a String can not fail.
        let _ = writeln!(
            out,
            "| {} | `{}` | {:?} | {} | {} |",
            row.id.0,
            row.name,
            row.kind,
            row.meaning,
            aliases.join(", ")
        );
    }
    out
}
