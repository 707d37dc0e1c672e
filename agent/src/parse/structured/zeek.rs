//! Zeek's own form: lines of columns under a head that names them.
//!
//! The names come from the last `#fields` line; without one (reading resumed in the middle of a
//! file) lines are no pairs and stay raw.

use super::{MOST_PAIRS, Pairs};

/// The names of the columns that follow.
#[derive(Debug, Default)]
pub(crate) struct Columns(Vec<String>);

impl Columns {
    /// Takes a line of the head; whether it was one.
    pub(super) fn take(&mut self, line: &str) -> bool {
        const HEAD: [&str; 9] = [
            "#separator",
            "#set_separator",
            "#empty_field",
            "#unset_field",
            "#path",
            "#open",
            "#fields",
            "#types",
            "#close",
        ];
        if let Some(names) = line.strip_prefix("#fields\t") {
            self.0 = names.split('\t').take(MOST_PAIRS).map(str::to_owned).collect();
        }
        HEAD.iter().any(|word| line.starts_with(word))
    }

    /// The pairs of a line; `None` where it has not the columns of the head.
    pub(super) fn pairs(&self, line: &str) -> Option<Pairs> {
        let mut values = line.split('\t');
        let mut pairs = Pairs::new();
        for name in &self.0 {
            let value = values.next()?;
            if !matches!(value, "-" | "(empty)") {
                pairs.insert(name.clone(), value.split(',').map(str::to_owned).collect());
            }
        }
        let whole =
            |name: &str| matches!(name, "uri" | "user_agent" | "referrer" | "subject" | "issuer" | "msg");
        for (name, value) in self.0.iter().zip(line.split('\t')).filter(|(name, _)| whole(name)) {
            pairs.entry(name.clone()).and_modify(|values| *values = vec![value.to_owned()]);
        }
        (!self.0.is_empty() && values.next().is_none()).then_some(pairs)
    }
}
