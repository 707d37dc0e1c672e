//! Text for people in 80 columns: wrapped under its own indent, foreign text neutralised.

use crate::clean;
use crate::widgets::cells;

/// Columns of a page.
const WIDTH: usize = 80;

/// Lines that grow.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// Adds a paragraph that begins at column `first` and goes on at column `then`.
    pub(super) fn add(&mut self, first: usize, then: usize, text: &str) {
        let mut indent = first;
        for part in text.lines() {
            // The first line of a paragraph may be longer than the rest; both must fit.
            for line in cells::wrap(part, WIDTH.saturating_sub(first.max(then))) {
                self.0.push_str(&" ".repeat(indent));
                self.0.push_str(line.trim_end());
                self.0.push('\n');
                indent = then;
            }
        }
    }

    /// Adds a line that must stay whole: a path is for copying.
    pub(super) fn whole(&mut self, indent: usize, text: &str) {
        self.0.push_str(&" ".repeat(indent));
        self.0.push_str(&clean::neutral(text));
        self.0.push('\n');
    }

    /// Adds an empty line, unless the page is empty.
    pub(super) fn gap(&mut self) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}
