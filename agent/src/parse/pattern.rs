//! A regular expression of ours: compiled once, linear in time, and never a reason to panic.
//!
//! All patterns are constants. One that does not compile matches nothing, and the tests of each
//! file assert that all of its patterns do compile, so that this can not ship unseen.

use regex::{Captures, Regex};

/// A constant pattern.
#[derive(Debug)]
pub(super) struct Pattern(Option<Regex>);

impl Pattern {
    /// Compiles `text`.
    pub(super) fn new(text: &str) -> Self {
        Self(Regex::new(text).ok())
    }

    /// The groups, if the whole pattern is found.
    pub(super) fn find<'t>(&self, text: &'t str) -> Option<Groups<'t>> {
        self.0.as_ref()?.captures(text).map(Groups)
    }

    /// Replaces every occurrence; borrows where there is none.
    pub(super) fn replace<'t>(&self, text: &'t str, with: &str) -> std::borrow::Cow<'t, str> {
        self.0.as_ref().map_or(std::borrow::Cow::Borrowed(text), |regex| regex.replace_all(text, with))
    }

    /// Whether it compiled.
    #[cfg(test)]
    pub(super) fn is_sound(&self) -> bool {
        self.0.is_some()
    }
}

/// What the groups of a pattern found.
#[derive(Debug)]
pub(super) struct Groups<'t>(Captures<'t>);

impl<'t> Groups<'t> {
    /// The text of a named group; empty where it took no part.
    pub(super) fn text(&self, name: &str) -> &'t str {
        self.0.name(name).map_or("", |group| group.as_str())
    }

    /// Whether a named group took part.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.name(name).is_some()
    }

    /// A named group as a number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name).parse().ok()
    }
}
