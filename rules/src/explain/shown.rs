//! An explanation in a few lines of English, for the report of a rule's cases.

use std::fmt;

use super::{Explanation, ItemSays};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.fires { "fires" } else { "does not fire" };
        writeln!(f, "{} ({}) {verdict}", self.name, self.rule)?;
        let fits = if self.logsource_fits { "fits" } else { "does not fit" };
        let event = self.event_logsources.join(" | ");
        writeln!(f, "  logsource {fits}: wanted {}, event is {event}", self.wanted_logsource)?;
        if !self.condition.is_empty() {
            writeln!(f, "  condition: {}", self.condition)?;
        }
        for selection in &self.selections {
            writeln!(f, "  {} {}", mark(selection.holds), selection.name)?;
            for item in &selection.items {
                write!(f, "{item}")?;
            }
        }
        if !self.counts.is_empty() {
            let names: Vec<&str> = self.counts.iter().map(|(_, name)| name.as_str()).collect();
            writeln!(f, "  it counts findings of: {}", names.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for ItemSays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.all && self.values > 1 { "all of " } else { "" };
        let more = if self.values > self.wanted.len() { " | …" } else { "" };
        writeln!(f, "    {} {} wanted {how}{}{more}", mark(self.holds), self.key, self.wanted.join(" | "))?;
        match (&self.missing, &self.had) {
            (Some(missing), _) => writeln!(f, "        {missing}"),
            (None, Some(had)) => writeln!(f, "        {} had {had:?}", self.field),
            (None, None) => Ok(()),
        }
    }
}

const fn mark(holds: bool) -> &'static str {
    if holds { "yes" } else { "no " }
}
