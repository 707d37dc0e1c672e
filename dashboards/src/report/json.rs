//! A report as JSON: the facts with their evidence, for other tools. Text is left as it came; JSON
//! escapes what could hurt a parser, and whoever shows it must neutralise it as we do.

use serde::Serialize;
use watchpost_model::Timestamp;
use watchpost_model::query::IncidentStory;

use super::document;
use super::facts;
use crate::words::Lang;

/// Version of this layout. Goes up when a field changes its meaning or goes away.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    language: &'static str,
    title: &'static str,
    generated: Timestamp,
    known_since: Timestamp,
    outcome: watchpost_model::alert::Outcome,
    categories: Vec<String>,
    completeness: Vec<String>,
    #[serde(flatten)]
    story: &'a IncidentStory,
}

pub(super) fn render(story: &IncidentStory, lang: Lang, now: Timestamp) -> String {
    let words = lang.words();
    let report = Report {
        version: VERSION,
        language: lang.tag(),
        title: words.report.title,
        generated: now,
        known_since: story.incident.opened,
        outcome: document::worst_outcome(story),
        categories: story.incident.categories.iter().map(|code| facts::category(code, words)).collect(),
        completeness: facts::completeness(story, words),
        story,
    };
    let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text.push('\n');
    text
}
