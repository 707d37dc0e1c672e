//! `rules check`: everything that is wrong with rules, as JSON for programs or told to people.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;
use watchpost_rules::lint::{self, Lint, Note};
use watchpost_rules::{Blind, Rejected};

use super::Error;
use super::load::{From, Loaded};
use super::page::Page;
use crate::commands::Output;
use crate::words::Lang;
use crate::words::rules::{Words, words};

/// Notes told per section unless all are wanted.
const MOST_TOLD: usize = 10;

/// Whether every rule loads.
pub(super) fn check(
    from: &From,
    output: Output,
    all: bool,
    lang: Lang,
    out: &mut dyn Write,
) -> Result<bool, Error> {
    let loaded = from.load()?;
    let found = lint::lint(&loaded.set, &loaded.sources);
    match output {
        Output::Json => {
            as_json(&loaded, &found, out)?;
            writeln!(out)?;
        }
        Output::Table => {
            let most = if all { usize::MAX } else { MOST_TOLD };
            out.write_all(table(&loaded, &found, most, words(lang)).text().as_bytes())?;
        }
    }
    Ok(loaded.rejected.is_empty())
}

fn as_json(loaded: &Loaded, found: &Lint, out: &mut dyn Write) -> Result<(), Error> {
    let report = json!({
        "loaded": loaded.set.rules().len(),
        "hash": loaded.set.hash(),
        "rejected": loaded.rejected,
        "blind": found.blind,
        "duplicates": found.duplicates,
        "dead": found.dead,
        "slow": found.slow,
        "uncategorised": found.uncategorised,
        "untagged": found.untagged,
    });
    Ok(serde_json::to_writer_pretty(&mut *out, &report)?)
}

fn table(loaded: &Loaded, found: &Lint, most: usize, words: &Words) -> Page {
    let mut page = Page::default();
    page.add(0, 2, &(words.summary)(loaded.set.rules().len(), loaded.rejected.len(), found.blind.len()));
    page.add(0, 2, &format!("{} {}", words.set, loaded.set.hash()));
    rejected(&loaded.rejected, most, words, &mut page);
    blind(&found.blind, most, words, &mut page);
    let sections = [
        (words.duplicates, &found.duplicates),
        (words.dead, &found.dead),
        (words.slow, &found.slow),
        (words.uncategorised, &found.uncategorised),
        (words.untagged, &found.untagged),
    ];
    for (head, notes) in sections {
        if !notes.is_empty() {
            section(head, notes, most, words, &mut page);
        }
    }
    if loaded.rejected.is_empty() && sections.iter().all(|(_, notes)| notes.is_empty()) {
        page.gap();
        page.add(0, 2, words.clean);
    }
    page
}

fn head(text: &str, count: usize, page: &mut Page) {
    page.gap();
    page.add(0, 2, &format!("{text} ({count})"));
}

fn rest(count: usize, most: usize, words: &Words, page: &mut Page) {
    if count > most {
        page.add(2, 4, &(words.more)(count - most));
    }
}

fn rejected(list: &[Rejected], most: usize, words: &Words, page: &mut Page) {
    if list.is_empty() {
        return;
    }
    head(words.rejected, list.len(), page);
    for one in list.iter().take(most) {
        page.whole(2, &place(&one.file, one.line));
        page.add(4, 6, &one.reason);
    }
    rest(list.len(), most, words, page);
}

/// Blind rules by what would light them, most first.
fn blind(list: &[Blind], most: usize, words: &Words, page: &mut Page) {
    if list.is_empty() {
        return;
    }
    head(words.blind, list.len(), page);
    let mut by_need: BTreeMap<String, Vec<&Blind>> = BTreeMap::new();
    for one in list {
        by_need.entry((words.need)(&one.needs)).or_default().push(one);
    }
    let mut needs: Vec<_> = by_need.into_iter().collect();
    needs.sort_by_key(|(_, rules)| std::cmp::Reverse(rules.len()));
    for (need, rules) in needs.iter().take(most) {
        page.add(2, 10, &format!("{:>6}  {need}", rules.len()));
        if let [only] = rules.as_slice() {
            page.add(10, 12, &only.name);
            page.whole(10, &only.file);
        }
    }
    rest(needs.len(), most, words, page);
}

fn place(file: &str, line: Option<usize>) -> String {
    line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
}

/// Notes rule by rule, so that a rule with several is named once.
fn section(title: &str, notes: &[Note], most: usize, words: &Words, page: &mut Page) {
    head(title, notes.len(), page);
    let mut last: Option<&Note> = None;
    for note in notes.iter().take(most) {
        if last.is_none_or(|last| last.rule != note.rule) {
            page.add(2, 4, &note.name);
        }
        page.whole(4, &place(&note.file, note.line));
        page.add(6, 8, &(words.fault)(&note.fault));
        if let Some(cost) = note.cost {
            page.add(6, 8, &(words.cost)(cost));
        }
        page.add(6, 8, &format!("-> {}", (words.hint)(&note.fault)));
        last = Some(note);
    }
    rest(notes.len(), most, words, page);
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "title: Many faults
id: faulty
logsource: {category: process_creation, product: linux}
detection:
  sel:
    CommandLine|contains:
      - curl
      - curl -s
    User|re: '.*[a-z]+'
  unused:
    Image: x
  condition: sel
---
title: Blind
id: blind
logsource: {product: windows, service: security}
detection: {s: {EventID: 4625}, condition: s}
tags: [attack.t1110, gbt20986.02006]
";

    #[test]
    fn people_read_what_is_wrong_where_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("faulty.yml");
        std::fs::write(&file, RULES).unwrap();
        for lang in Lang::ALL {
            let from = From { paths: vec![file.clone()], ..From::default() };
            let mut out = Vec::new();
            assert!(check(&from, Output::Table, false, lang, &mut out).unwrap());
            let text = String::from_utf8(out).unwrap().replace(&*folder.path().to_string_lossy(), "FOLDER");
            assert!(text.lines().all(|line| crate::widgets::cells::width(line) <= 80), "{text}");
            insta::assert_snapshot!(format!("check_{}", lang.tag()), text);
        }
    }
}
