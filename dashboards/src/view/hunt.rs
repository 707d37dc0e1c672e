//! Searching raw events: the query, what was found, and whether the answer is complete.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;
use watchpost_model::Timestamp;

use super::{Look, event};
use crate::app::State;
use crate::format;
use crate::widgets::panel;
use crate::widgets::table::{Cell, Column, Table};

/// Draws the search.
pub(super) fn draw(state: &State, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    let (words, theme, hunt) = (look.words, look.theme, &state.hunt);
    let title =
        if hunt.query.is_empty() { words.hunt.to_owned() } else { format!("{}  {}", words.hunt, hunt.query) };
    let inner = panel::framed(&title, area, buf, theme);
    match &hunt.found {
        None if hunt.running => panel::notice(words.hunting, inner, buf, theme.caution(), theme),
        None => panel::notice(words.hunt_hint, inner, buf, theme.label(), theme),
        Some(Err(why)) => panel::notice(&(words.failed)(why), inner, buf, theme.bad(), theme),
        Some(Ok(page)) => {
            let note = u16::from(!page.incomplete.is_empty());
            let list = Rect { height: inner.height.saturating_sub(note), ..inner };
            if page.rows.is_empty() {
                panel::notice(words.nothing_found, list, buf, theme.label(), theme);
            } else {
                draw_rows(&page.rows, hunt.selected, look, list, buf);
            }
            let text = (words.command.incomplete)(&page.incomplete);
            if note > 0 {
                panel::text(&text, (inner.x, list.bottom()), inner, buf, theme.caution(), theme);
            }
        }
    }
    0
}

fn draw_rows(rows: &[Value], selected: usize, look: Look, area: Rect, buf: &mut Buffer) {
    let words = look.words;
    let columns = [
        Column::fixed(words.col_time, 19),
        Column::fixed(words.col_host, 12),
        Column::fixed(words.col_dataset, 10),
        Column::share(words.col_summary, 1),
    ];
    let row = |number: usize| rows.get(number).map_or_else(Vec::new, |json| cells(json, look));
    Table { columns: &columns, len: rows.len(), selected: Some(selected), row: &row }
        .draw(area, buf, look.theme);
}

fn cells(json: &Value, look: Look) -> Vec<Cell> {
    let text = look.theme.text();
    let stamp = event::text_at(json, "@timestamp").unwrap_or_default();
    let time = Timestamp::parse(&stamp).map_or(stamp, format::time);
    vec![
        (time, text),
        (event::text_at(json, "host.name").unwrap_or_default(), text),
        (event::text_at(json, "event.dataset").unwrap_or_default(), text),
        (event::summary(json, look.theme.arrow()), text),
    ]
}
