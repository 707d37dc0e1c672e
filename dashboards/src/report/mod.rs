//! One incident on paper: for a responder, a superior, an authority.
//!
//! The content is built once as a [`document::Document`]; Markdown and HTML only differ in how they
//! write it, and JSON carries the facts for other tools. Reports are drafts: fields that only a
//! person can fill (unit, level, signature) are left open and say so.

pub mod document;
pub mod facts;
mod html;
mod json;
mod markdown;
#[cfg(test)]
mod tests;

use watchpost_model::Timestamp;
use watchpost_model::query::IncidentStory;

use crate::words::Lang;

/// The shape of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Markdown.
    Markdown,
    /// One self-contained HTML file, laid out for A4.
    Html,
    /// The facts as JSON.
    Json,
}

impl Format {
    /// The end of a file's name.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Json => "json",
        }
    }

    /// The format of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "md" | "markdown" => Some(Self::Markdown),
            "html" => Some(Self::Html),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// The report of an incident, made at `now`.
#[must_use]
pub fn render(story: &IncidentStory, lang: Lang, now: Timestamp, format: Format) -> String {
    match format {
        Format::Markdown => markdown::render(&document::build(story, lang.words(), now)),
        Format::Html => html::render(&document::build(story, lang.words(), now)),
        Format::Json => json::render(story, lang, now),
    }
}
