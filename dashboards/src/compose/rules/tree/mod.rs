//! An explanation as a tree in 80 columns: what holds, what fails, and what may be the matter.

use std::borrow::Cow;

use watchpost_rules::explain::{Counted, Explanation, ItemSays, Part, Step};

use super::page::Page;
use crate::format;
use crate::words::explain::Words;

/// Columns that one level is moved in.
const STEP: usize = 2;

/// Columns of a mark and the blank after it.
const MARK: usize = 6;

/// Deeper parts are not moved in further, so that there is room for their text.
const MOST_INDENT: usize = 24;

/// Values told per line.
const MOST_VALUES: usize = 6;

/// One event under one rule.
pub(super) fn explanation(said: &Explanation, number: usize, words: &Words, page: &mut Page) {
    let verdict = if said.fires { words.fires } else { words.quiet };
    let name = words.lang.pick(&said.name, &said.name_zh);
    page.gap();
    page.add(0, 2, &format!("{} · {name} ({}): {verdict}", (words.event)(number), said.rule));
    let logsource = if said.logsource_fits {
        (words.fits)(&said.wanted_logsource)
    } else {
        let event = said.event_logsources.join(" | ");
        let event = if said.knows_logsource { &event } else { words.no_logsource };
        (words.differs)(&said.wanted_logsource, event)
    };
    line(said.logsource_fits, 0, &logsource, words, page);
    if let Some(tree) = &said.tree {
        part(tree, 0, words, page);
    }
    if said.silent {
        page.add(2, 4, words.silent);
    }
}

fn line(holds: bool, indent: usize, text: &str, words: &Words, page: &mut Page) {
    let [yes, no] = words.marks;
    let indent = indent.min(MOST_INDENT);
    page.add(indent, indent + MARK, &format!("{} {text}", if holds { yes } else { no }));
}

fn part(of: &Part, indent: usize, words: &Words, page: &mut Page) {
    let each = |parts: &[Part], page: &mut Page| {
        parts.iter().for_each(|one| part(one, indent + STEP, words, page));
    };
    match of {
        // What stands alone needs no heading.
        Part::All { parts, .. } | Part::Any { parts, .. } if parts.len() == 1 => {
            parts.iter().for_each(|one| part(one, indent, words, page));
        }
        Part::All { holds, parts } => {
            line(*holds, indent, words.all, words, page);
            conjoined(parts, indent + STEP, words, page);
        }
        Part::Any { holds, parts } => {
            line(*holds, indent, words.any, words, page);
            each(parts, page);
        }
        Part::Of { holds, least, found, parts } => {
            line(*holds, indent, &(words.of)(*least, *found, parts.len()), words, page);
            each(parts, page);
        }
        Part::Not { holds, of } => {
            line(*holds, indent, words.not, words, page);
            part(of, indent + STEP, words, page);
        }
        Part::Selection { holds, name, of } => {
            let (name, from) = match name.strip_prefix("filter.") {
                Some(own) => (own, words.filter),
                None => (name.as_str(), ""),
            };
            line(*holds, indent, &format!("{name}{from}"), words, page);
            body(of, indent + STEP, words, page);
        }
        Part::Item(said) => item(said, indent, words, page),
    }
}

/// Parts that must all hold; those of a part that is such a list itself stand among them.
fn conjoined(parts: &[Part], indent: usize, words: &Words, page: &mut Page) {
    for one in parts {
        match one {
            Part::All { parts, .. } => conjoined(parts, indent, words, page),
            other => part(other, indent, words, page),
        }
    }
}

/// A selection's body: that its fields must all hold goes without saying.
fn body(of: &Part, indent: usize, words: &Words, page: &mut Page) {
    match of {
        Part::All { parts, .. } => parts.iter().for_each(|one| part(one, indent, words, page)),
        other => part(other, indent, words, page),
    }
}

fn item(said: &ItemSays, indent: usize, words: &Words, page: &mut Page) {
    line(said.holds, indent, &said.key, words, page);
    let indent = indent.min(MOST_INDENT) + MARK;
    let label = if said.all && said.values > 1 { words.wanted_all } else { words.wanted };
    page.add(indent, indent + STEP, &format!("{label} {}", values(&said.wanted, said.values, words)));
    let name = said.key.split('|').next().unwrap_or_default();
    let name = if name == said.field { "" } else { name };
    match &said.had {
        Some(had) => page.add(indent, indent + STEP, &format!("{} {had}", (words.had)(&said.field))),
        None if said.field != "keywords" => {
            page.add(indent, indent + STEP, &(words.missing)(&said.field, name))
        }
        None => {}
    }
    if said.values > 1 && !said.met.is_empty() {
        page.add(indent, indent + STEP, &(words.met)(&values(&said.met, said.met.len(), words)));
    }
    if said.all && !said.holds && !said.met.is_empty() {
        let unmet: Vec<String> =
            said.wanted.iter().filter(|want| !said.met.contains(want)).cloned().collect();
        page.add(indent, indent + STEP, &(words.unmet)(&values(&unmet, unmet.len(), words)));
    }
    for hint in &said.hints {
        page.add(indent, indent + STEP + 1, &format!("-> {}", (words.hint)(hint)));
    }
}

/// The first values, and how many more there are.
fn values(list: &[String], all: usize, words: &Words) -> String {
    let shown: Vec<Cow<'_, str>> = list.iter().take(MOST_VALUES).map(|value| quoted(value)).collect();
    let mut text = shown.join(" | ");
    if all > shown.len() {
        text.push_str(&format!(" | … {}", (words.more)(all - shown.len())));
    }
    text
}

/// The value; in quotes where its begin or end could not be seen.
fn quoted(value: &str) -> Cow<'_, str> {
    if value.is_empty() || value.trim() != value { format!("\"{value}\"").into() } else { value.into() }
}

/// A correlation over all events.
pub(super) fn counted(said: &Counted, words: &Words, page: &mut Page) {
    let verdict = if said.fires { words.fires } else { words.quiet };
    let name = words.lang.pick(&said.name, &said.name_zh);
    let wanted = said.wanted.join(words.comma);
    page.gap();
    page.add(0, 2, &format!("{name} ({}): {verdict}", said.rule));
    page.add(2, 4, &(words.counting)(said.counts, &said.of.join(words.comma), &wanted));
    let by =
        if said.group_by.is_empty() { words.ungrouped.to_owned() } else { said.group_by.join(words.comma) };
    page.add(2, 4, &(words.window)(said.window, &by));
    for (id, title) in &said.members {
        page.add(2, 4, &format!("{} {title} ({id})", words.counts));
    }
    if !said.chained.is_empty() {
        page.add(2, 4, &(words.chained)(&said.chained.join(words.comma)));
    }
    for one in &said.steps {
        step(one, &wanted, words, page);
    }
}

fn step(said: &Step, wanted: &str, words: &Words, page: &mut Page) {
    let when = format::time(said.time);
    let fired = said.fired.join(words.comma);
    let head = format!("{} {when}  {fired}", (words.event)(said.event + 1));
    line(!said.fired.is_empty(), 0, head.trim_end(), words, page);
    if said.fired.is_empty() {
        return page.add(MARK, MARK + STEP, words.nothing);
    }
    if let Some((field, _)) = said.group.iter().find(|(_, value)| value.is_none()) {
        return page.add(MARK, MARK + STEP, &(words.lacks)(field));
    }
    let group: Vec<String> = said
        .group
        .iter()
        .map(|(field, value)| format!("{field}={}", value.as_deref().unwrap_or_default()))
        .collect();
    if !group.is_empty() {
        page.add(MARK, MARK + STEP, &group.join("  "));
    }
    page.add(MARK, MARK + STEP, &(words.so_far)(said.count, wanted));
    if !said.waiting.is_empty() {
        page.add(MARK, MARK + STEP, &(words.waiting)(&said.waiting.join(words.comma)));
    }
    if said.spoke {
        page.add(MARK, MARK + STEP, &format!("** {} **", words.speaks));
    } else if said.holds {
        page.add(MARK, MARK + STEP, words.spoken);
    }
}

#[cfg(test)]
mod tests;
