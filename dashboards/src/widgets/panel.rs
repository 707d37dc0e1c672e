//! A titled box, and one line of styled text: the two things every view is made of.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Clear, Widget};

use super::cells;
use crate::theme::Theme;

/// Draws a box with a title and returns the room inside it.
pub fn framed(title: &str, area: Rect, buf: &mut Buffer, theme: Theme) -> Rect {
    let room = usize::from(area.width.saturating_sub(4));
    let title = if title.is_empty() {
        String::new()
    } else {
        format!(" {} ", cells::clip(title, room, theme.ellipsis()))
    };
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(theme.border())
        .border_style(theme.dim())
        .title(Line::styled(title, theme.heading()));
    let inner = block.inner(area);
    block.render(area, buf);
    inner
}

/// The same over whatever was drawn before.
pub fn popup(title: &str, area: Rect, buf: &mut Buffer, theme: Theme) -> Rect {
    Clear.render(area, buf);
    framed(title, area, buf, theme)
}

/// Draws one line of text, cut to the room from `x` to the right end of `area`; returns the
/// cells used.
pub fn text(text: &str, (x, y): (u16, u16), area: Rect, buf: &mut Buffer, style: Style, theme: Theme) -> u16 {
    if y < area.top() || y >= area.bottom() || x >= area.right() || x < area.left() {
        return 0;
    }
    let room = area.right() - x;
    let shown = cells::clip(text, usize::from(room), theme.ellipsis());
    let (end, _) = buf.set_stringn(x, y, &shown, usize::from(room), style);
    end.saturating_sub(x)
}

/// A text in the middle of an area, for empty lists.
pub fn notice(message: &str, area: Rect, buf: &mut Buffer, style: Style, theme: Theme) {
    let lines = cells::wrap(message, usize::from(area.width));
    let count = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let mut y = area.y + area.height.saturating_sub(count) / 2;
    for line in &lines {
        let cells = u16::try_from(cells::width(line)).unwrap_or(0);
        let x = area.x + area.width.saturating_sub(cells) / 2;
        text(line, (x, y), area, buf, style, theme);
        y = y.saturating_add(1);
    }
}

/// A box of at most the wanted size in the middle of an area.
#[must_use]
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
