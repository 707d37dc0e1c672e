//! What a report says, free of any format: sections of facts, tables, paragraphs and code.

use std::collections::BTreeSet;

use watchpost_model::Timestamp;
use watchpost_model::alert::{Alert, Outcome};
use watchpost_model::query::{Evidence, IncidentStory};

use super::facts;
use crate::format;
use crate::view::party_or;
use crate::words::{Sentence, Words};

/// Raw events listed in a report for one alert: enough to judge by, few enough to print.
const MOST_EVENTS: usize = 5;

/// Bytes of one raw event in a report.
const MOST_EVENT_BYTES: usize = 4 * 1024;

/// A report.
#[derive(Debug)]
pub struct Document {
    /// Language tag.
    pub lang: &'static str,
    /// Title.
    pub title: String,
    /// What stands above everything.
    pub notice: &'static str,
    /// The sections, in order; the first has no heading.
    pub sections: Vec<Section>,
}

/// A part of a report.
#[derive(Debug)]
pub struct Section {
    /// Heading; empty for the head of the report.
    pub heading: String,
    /// What it holds.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug)]
pub enum Block {
    /// Labels and values.
    Facts(Vec<(String, String)>),
    /// A table.
    Table {
        /// Headings.
        head: Vec<String>,
        /// Rows.
        rows: Vec<Vec<String>>,
    },
    /// A paragraph.
    Paragraph(String),
    /// A smaller heading.
    Subheading(String),
    /// Foreign text, as it came.
    Code(String),
    /// Lines to be filled in by hand.
    Signature(Vec<String>),
}

/// Builds the report of an incident.
#[must_use]
pub fn build(story: &IncidentStory, words: &'static Words, now: Timestamp) -> Document {
    let sections = vec![
        head(story, words, now),
        summary(story, words),
        timeline(story, words),
        alerts(story, words),
        advice(story, words),
        evidence(story, words),
        completeness(story, words),
        clock(story, words, now),
        signature(words),
    ];
    Document {
        lang: words.lang.tag(),
        title: words.report.title.to_owned(),
        notice: words.report.notice,
        sections,
    }
}

fn section(heading: &str, blocks: Vec<Block>) -> Section {
    Section { heading: heading.to_owned(), blocks }
}

fn fact(label: &str, value: impl Into<String>) -> (String, String) {
    (label.to_owned(), value.into())
}

fn long(at: Timestamp, words: &Words) -> String {
    format::pattern(at, words.long_time)
}

fn head(story: &IncidentStory, words: &Words, now: Timestamp) -> Section {
    let (report, incident) = (&words.report, &story.incident);
    let facts = vec![
        fact(report.addressee, report.fill_in),
        fact(report.number, incident.id.to_string()),
        fact(report.made, long(now, words)),
        fact(report.unit, report.fill_in),
        fact(words.host, host(story, words)),
        fact(report.severity, (words.severity)(incident.severity)),
        fact(report.level, report.fill_in),
    ];
    section("", vec![Block::Facts(facts), Block::Paragraph(report.zone.to_owned())])
}

fn host(story: &IncidentStory, words: &Words) -> String {
    let Some(host) = &story.host else { return story.incident.host.clone() };
    let mut parts = vec![host.name.clone()];
    parts.extend(host.ips.iter().cloned());
    if !host.os.is_empty() {
        parts.push(host.os.clone());
    }
    parts.join(words.comma)
}

/// The worst that came of any alert.
#[must_use]
pub fn worst_outcome(story: &IncidentStory) -> Outcome {
    let order = [Outcome::Compromised, Outcome::Success, Outcome::Attempt];
    order
        .into_iter()
        .find(|outcome| story.alerts.iter().any(|alert| alert.outcome == *outcome))
        .unwrap_or_default()
}

/// Events behind all alerts, each once where the alerts still refer to it; what an alert counts
/// beyond the references it keeps is added, so that a flood is not told as fifty events.
fn distinct_events(story: &IncidentStory) -> u64 {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let kept: BTreeSet<_> = story.alerts.iter().flat_map(|alert| &alert.events).collect();
    let beyond = story.alerts.iter().map(|alert| alert.count.saturating_sub(number(alert.events.len())));
    beyond.fold(number(kept.len()), u64::saturating_add)
}

fn summary(story: &IncidentStory, words: &Words) -> Section {
    let incident = &story.incident;
    let attacker = party_or(&incident.attacker, words);
    let outcome = (words.outcome)(worst_outcome(story));
    let stages = facts::stages(&incident.stages, words, words.comma);
    let sentence = (words.report.sentence)(&Sentence {
        first: &long(incident.first_seen, words),
        last: &long(incident.last_seen, words),
        attacker: &attacker,
        host: &incident.host,
        stages: &stages,
        alerts: story.alerts.len(),
        events: distinct_events(story),
        outcome,
    });
    let categories: Vec<String> =
        incident.categories.iter().map(|code| facts::category(code, words)).collect();
    let mut facts = vec![
        fact(words.who, attacker),
        fact(words.whom, targets(story, words)),
        fact(words.how, methods(story, words)),
        fact(
            words.lasted,
            format!("{} - {}", format::time(incident.first_seen), format::time(incident.last_seen)),
        ),
        fact(words.result, outcome),
    ];
    if !categories.is_empty() {
        facts.push(fact(words.category, categories.join(words.comma)));
    }
    if !incident.drill.is_empty() {
        facts.push(fact(words.drill, incident.drill.clone()));
    }
    section(words.report.summary, vec![Block::Paragraph(sentence), Block::Facts(facts)])
}

/// Each different text once, in order.
fn distinct(texts: impl Iterator<Item = String>, joiner: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    for text in texts {
        if !text.is_empty() && !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept.join(joiner)
}

fn targets(story: &IncidentStory, words: &Words) -> String {
    let text = distinct(story.alerts.iter().map(|alert| crate::view::party(&alert.target)), words.comma);
    if text.is_empty() { story.incident.host.clone() } else { text }
}

fn methods(story: &IncidentStory, words: &Words) -> String {
    distinct(story.alerts.iter().map(|alert| facts::method(alert, words)), words.comma)
}

fn title(alert: &Alert, words: &Words) -> String {
    words.lang.pick(&alert.rule.name, &alert.rule.name_zh).to_owned()
}

fn timeline(story: &IncidentStory, words: &Words) -> Section {
    let head =
        [words.report.time_point, words.col_severity, words.col_rule, words.col_count, words.col_outcome];
    let rows = story.alerts.iter().map(|alert| {
        vec![
            format::time(alert.first_seen),
            (words.severity)(alert.severity).to_owned(),
            title(alert, words),
            alert.count.to_string(),
            (words.outcome)(alert.outcome).to_owned(),
        ]
    });
    let table = Block::Table { head: head.map(str::to_owned).to_vec(), rows: rows.collect() };
    section(words.timeline, vec![table])
}

fn alerts(story: &IncidentStory, words: &Words) -> Section {
    let mut blocks = Vec::new();
    for (number, alert) in story.alerts.iter().enumerate() {
        blocks.push(Block::Subheading(format!("{}. {}", number + 1, title(alert, words))));
        let mut facts = vec![
            fact(words.rule, format!("{} ({})", alert.rule.name, alert.rule.id)),
            fact(words.who, party_or(&alert.attacker, words)),
            fact(words.whom, party_or(&alert.target, words)),
            fact(words.how, facts::method(alert, words)),
            fact(words.when, facts::when(alert, words)),
            fact(words.result, (words.outcome)(alert.outcome)),
            fact(words.handling, (words.triage)(alert.triage)),
        ];
        if !alert.rule.category.is_empty() {
            facts.push(fact(words.category, facts::category(&alert.rule.category, words)));
        }
        for (label, hash) in [(words.rule_file, &alert.rule.hash), (words.rule_set, &alert.rule.set)] {
            if !hash.is_empty() {
                facts.push(fact(label, format!("SHA-256 {hash}")));
            }
        }
        if !alert.reason.is_empty() {
            facts.push(fact(words.reason, alert.reason.clone()));
        }
        blocks.push(Block::Facts(facts));
        blocks.push(matched(alert, words));
    }
    section(words.report.alerts, blocks)
}

fn matched(alert: &Alert, words: &Words) -> Block {
    let head = [words.col_field, words.col_value, words.col_wanted].map(str::to_owned).to_vec();
    let rows = alert.matched.iter().map(|field| {
        let wanted = if field.pattern.is_empty() { words.by_correlation } else { &field.pattern };
        vec![field.field.clone(), field.value.clone(), wanted.to_owned()]
    });
    Block::Table { head, rows: rows.collect() }
}

fn advice(story: &IncidentStory, words: &Words) -> Section {
    let said =
        story.alerts.iter().map(|alert| words.lang.pick(&alert.rule.advice, &alert.rule.advice_zh).trim());
    let mut kept: Vec<&str> = Vec::new();
    for text in said {
        if !text.is_empty() && !kept.contains(&text) {
            kept.push(text);
        }
    }
    if kept.is_empty() {
        kept.push(words.no_advice);
    }
    section(words.advice, kept.into_iter().map(|text| Block::Paragraph(text.to_owned())).collect())
}

fn evidence(story: &IncidentStory, words: &Words) -> Section {
    let mut blocks = Vec::new();
    for (number, alert) in story.alerts.iter().enumerate() {
        blocks.push(Block::Subheading(format!("{}. {}", number + 1, title(alert, words))));
        match story.evidence.get(number) {
            Some(evidence) if !evidence.events.is_empty() => events(evidence, words, &mut blocks),
            _ => blocks.push(Block::Paragraph(words.report.no_evidence.to_owned())),
        }
    }
    section(words.report.evidence, blocks)
}

fn events(evidence: &Evidence, words: &Words, blocks: &mut Vec<Block>) {
    for shown in evidence.events.iter().take(MOST_EVENTS) {
        let mut text = serde_json::to_string_pretty(&shown.event).unwrap_or_default();
        if text.len() > MOST_EVENT_BYTES {
            text.truncate(text.floor_char_boundary(MOST_EVENT_BYTES));
            text.push('\n');
            text.push_str(words.cut);
        }
        blocks.push(Block::Code(format!("#{}\n{text}", shown.at)));
    }
    if evidence.events.len() > MOST_EVENTS {
        blocks.push(Block::Paragraph(words.report.shortened.to_owned()));
    }
    if evidence.more > 0 {
        blocks.push(Block::Paragraph((words.more_events)(evidence.more)));
    }
}

fn completeness(story: &IncidentStory, words: &Words) -> Section {
    let mut blocks: Vec<Block> =
        facts::completeness(story, words).into_iter().map(Block::Paragraph).collect();
    if let Some(host) = story.host.as_ref().filter(|host| !host.ledger.0.is_empty()) {
        let rows = host.ledger.0.iter().map(|entry| {
            vec![
                (words.stage)(entry.stage).to_owned(),
                format::digits(entry.passed),
                format::digits(entry.lost),
            ]
        });
        let head = [words.col_stage, words.col_passed, words.lost].map(str::to_owned).to_vec();
        blocks.push(Block::Table { head, rows: rows.collect() });
        blocks.extend(host.blind.iter().map(|what| {
            Block::Paragraph(format!("{}{}{}", words.blind, words.colon, (words.agent_says)(what)))
        }));
    }
    section(words.report.completeness, blocks)
}

fn clock(story: &IncidentStory, words: &Words, now: Timestamp) -> Section {
    let opened = story.incident.opened;
    let known = (words.span)(now.since(opened).as_secs());
    let facts =
        vec![fact(words.opened, long(opened, words)), fact(words.report.clock, (words.known_for)(&known))];
    section(
        words.report.clock,
        vec![Block::Facts(facts), Block::Paragraph(words.report.clock_hint.to_owned())],
    )
}

fn signature(words: &Words) -> Section {
    let report = &words.report;
    let lines =
        [report.signature, report.reviewer, report.date].map(|label| format!("{label}{}", words.colon));
    section("", vec![Block::Signature(lines.to_vec())])
}
