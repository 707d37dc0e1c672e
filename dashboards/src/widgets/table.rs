//! A table of rows, one line each, measured in cells.
//!
//! Every cell is drawn at its column's own place, so whatever one cell holds, the next column
//! starts where it should. Rows are asked for by number and only for what is visible, so a list of
//! thousands costs what one screen costs. The cursor stays near the middle while the list moves.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::cells::{self, Align};
use crate::theme::Theme;

/// How wide a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// So many cells.
    Cells(u16),
    /// A share of what the fixed columns leave.
    Share(u16),
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Its width.
    pub width: Width,
    /// Where its text sits.
    pub align: Align,
}

impl Column {
    /// A column of fixed width.
    #[must_use]
    pub const fn fixed(title: &'static str, cells: u16) -> Self {
        Self { title, width: Width::Cells(cells), align: Align::Left }
    }

    /// A column that takes a share of the room left.
    #[must_use]
    pub const fn share(title: &'static str, share: u16) -> Self {
        Self { title, width: Width::Share(share), align: Align::Left }
    }

    /// The same with its text at the right end: numbers.
    #[must_use]
    pub const fn right(mut self) -> Self {
        self.align = Align::Right;
        self
    }
}

/// A cell: text and style.
pub type Cell = (String, Style);

/// What a table shows.
pub struct Table<'a> {
    /// The columns.
    pub columns: &'a [Column],
    /// How many rows there are.
    pub len: usize,
    /// Which row the cursor is on.
    pub selected: Option<usize>,
    /// The cells of a row.
    pub row: &'a dyn Fn(usize) -> Vec<Cell>,
}

impl Table<'_> {
    /// Draws the heading and as many rows as fit.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, theme: Theme) {
        let places = places(self.columns, area);
        if area.height == 0 {
            return;
        }
        for (column, (x, width)) in self.columns.iter().zip(&places) {
            put(column.title, (*x, area.y, *width), column.align, theme.label(), buf, theme);
        }
        let height = usize::from(area.height - 1);
        let first = first_row(self.selected.unwrap_or(0), self.len, height);
        for (y, number) in (area.y + 1..area.bottom()).zip(first..self.len) {
            self.draw_row(number, y, &places, area, buf, theme);
        }
    }

    fn draw_row(
        &self,
        number: usize,
        y: u16,
        places: &[(u16, u16)],
        area: Rect,
        buf: &mut Buffer,
        theme: Theme,
    ) {
        for ((column, (x, width)), (text, style)) in self.columns.iter().zip(places).zip((self.row)(number)) {
            put(&text, (*x, y, *width), column.align, style, buf, theme);
        }
        if self.selected == Some(number) {
            buf.set_string(area.x, y, theme.cursor(), Style::new());
            buf.set_style(Rect { y, height: 1, ..area }, theme.selected());
        }
    }
}

fn put(
    text: &str,
    (x, y, width): (u16, u16, u16),
    align: Align,
    style: Style,
    buf: &mut Buffer,
    theme: Theme,
) {
    let shown = cells::fit(text, usize::from(width), align, theme.ellipsis());
    buf.set_stringn(x, y, shown, usize::from(width), style);
}

/// The first visible row, such that the cursor is visible and the screen is full where it can be.
#[must_use]
pub fn first_row(selected: usize, len: usize, height: usize) -> usize {
    selected.saturating_sub(height / 2).min(len.saturating_sub(height))
}

/// Start and width of every column, one cell apart, after one cell for the cursor.
fn places(columns: &[Column], area: Rect) -> Vec<(u16, u16)> {
    let gaps = u16::try_from(columns.len()).unwrap_or(0);
    let mut fixed = gaps;
    let mut shares = 0;
    for column in columns {
        match column.width {
            Width::Cells(cells) => fixed += cells,
            Width::Share(share) => shares += share,
        }
    }
    let mut left = area.width.saturating_sub(fixed);
    let mut shares_left = shares;
    let mut x = area.x.saturating_add(1);
    let mut out = Vec::with_capacity(columns.len());
    for column in columns {
        let wanted = match column.width {
            Width::Cells(cells) => cells,
            Width::Share(share) => {
                let cells = left * share / shares_left.max(1);
                left -= cells;
                shares_left -= share;
                cells
            }
        };
        let width = wanted.min(area.right().saturating_sub(x));
        out.push((x, width));
        x = x.saturating_add(width).saturating_add(1).min(area.right());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] =
        [Column::fixed("A", 6), Column::share("B", 1), Column::fixed("N", 5).right()];

    fn drawn(width: u16, rows: &[[&str; 3]]) -> Vec<String> {
        let area = Rect::new(0, 0, width, 4);
        let mut buf = Buffer::empty(area);
        let row = |at: usize| rows[at].iter().map(|text| ((*text).to_owned(), Style::new())).collect();
        Table { columns: &COLUMNS, len: rows.len(), selected: Some(0), row: &row }.draw(
            area,
            &mut buf,
            Theme { color: false, ascii: false },
        );
        (0..4)
            .map(|y| {
                let mut line = String::new();
                let mut skip = 0;
                for x in 0..width {
                    if skip > 0 {
                        skip -= 1;
                        continue;
                    }
                    let symbol = buf[(x, y)].symbol();
                    skip = cells::width(symbol).saturating_sub(1);
                    line.push_str(symbol);
                }
                line
            })
            .collect()
    }

    /// Column in cells at which a text starts.
    fn starts(line: &str, text: &str) -> usize {
        cells::width(line.split(text).next().unwrap())
    }

    #[test]
    fn columns_align_whatever_the_script() {
        let lines = drawn(
            30,
            &[["严重", "暴力破解攻击成功暴力破解攻击", "7"], ["low", "e\u{301}vil\u{202e}x", "12345"]],
        );
        assert!(lines.iter().all(|line| cells::width(line) == 30), "{lines:#?}");
        assert_eq!(starts(&lines[1], "暴"), starts(&lines[2], "e\u{301}"));
        assert!(lines[1].trim_end().ends_with('7') && lines[2].trim_end().ends_with("12345"));
        assert_eq!(cells::width(lines[1].trim_end()), cells::width(lines[2].trim_end()));
    }

    #[test]
    fn a_table_too_narrow_does_not_panic() {
        for width in 0..12 {
            drawn(width, &[["严重", "暴力", "1"]]);
        }
    }

    #[test]
    fn the_cursor_is_always_on_the_screen() {
        for len in 0..40_usize {
            for selected in 0..len {
                let first = first_row(selected, len, 7);
                assert!((first..first + 7).contains(&selected));
                assert!(first + 7 <= len.max(7));
            }
        }
    }
}
