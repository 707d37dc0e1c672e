//! A page of wrapped text: headings, labelled facts, paragraphs, code; scrolled by lines.
//!
//! A page is built for a width and then drawn from any line on, so what can be scrolled to is
//! known exactly. Labels are as wide as the widest one, in cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::cells::{self, Align};
use crate::theme::Theme;

/// A page being built.
#[derive(Debug)]
pub struct Page {
    width: usize,
    label: usize,
    theme: Theme,
    lines: Vec<Line<'static>>,
}

impl Page {
    /// An empty page of so many cells, with room for labels of so many.
    #[must_use]
    pub fn new(width: u16, labels: &[&str], theme: Theme) -> Self {
        let widest = labels.iter().map(|label| cells::width(label)).max().unwrap_or(0);
        Self {
            width: usize::from(width),
            label: widest.min(usize::from(width) / 3),
            theme,
            lines: Vec::new(),
        }
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.lines.push(Line::default());
    }

    /// A heading, after an empty line.
    pub fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.gap();
        }
        for line in cells::wrap(text, self.width) {
            self.lines.push(Line::styled(line, self.theme.heading()));
        }
    }

    /// A labelled value; lines after the first are indented under the value.
    pub fn fact(&mut self, label: &str, value: &str, style: Style) {
        let indent = self.label + 2;
        let mut label = cells::fit(label, self.label, Align::Left, self.theme.ellipsis()) + "  ";
        for line in cells::wrap(value, self.width.saturating_sub(indent)) {
            let head = Span::styled(std::mem::replace(&mut label, " ".repeat(indent)), self.theme.label());
            self.lines.push(Line::from(vec![head, Span::styled(line, style)]));
        }
    }

    /// A paragraph; its own line breaks are kept.
    pub fn paragraph(&mut self, text: &str, style: Style) {
        for part in text.lines() {
            for line in cells::wrap(part, self.width) {
                self.lines.push(Line::styled(line, style));
            }
        }
    }

    /// Code: line breaks and indentation kept, long lines continued under their indentation.
    pub fn code(&mut self, text: &str, style: Style) {
        for part in text.split('\n') {
            let depth = part.chars().take_while(|c| *c == ' ').count().min(self.width / 2);
            let mut indent = depth;
            for line in cells::wrap(part.trim_start(), self.width.saturating_sub(depth + 2)) {
                self.lines.push(Line::styled(format!("{}{line}", " ".repeat(indent)), style));
                indent = depth + 2;
            }
        }
    }

    /// A line made of differently styled pieces, cut to the page's width.
    pub fn pieces(&mut self, pieces: &[(String, Style)]) {
        let mut room = self.width;
        let mut spans = Vec::new();
        for (text, style) in pieces {
            let shown = cells::clip(text, room, self.theme.ellipsis());
            room = room.saturating_sub(cells::width(&shown));
            spans.push(Span::styled(shown, *style));
        }
        self.lines.push(Line::from(spans));
    }

    /// Lines so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Draws from line `scroll` on, but never past the end. Returns how far one can scroll.
    pub fn draw(&self, scroll: usize, area: Rect, buf: &mut Buffer) -> usize {
        let most = self.lines.len().saturating_sub(usize::from(area.height));
        let shown = self.lines.iter().skip(scroll.min(most));
        for (y, line) in (area.top()..area.bottom()).zip(shown) {
            buf.set_line(area.x, y, line, area.width);
        }
        most
    }
}
