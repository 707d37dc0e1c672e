//! Incidents: one line each, newest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use watchpost_model::incident::Incident;

use super::{Look, party};
use crate::app::State;
use crate::format;
use crate::report::facts;
use crate::widgets::panel;
use crate::widgets::table::{Cell, Column, Table};

/// Columns from which times carry seconds.
const WIDE: u16 = 110;

/// Draws the list.
pub(super) fn draw(state: &State, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    let words = look.words;
    let rows = state.incidents();
    let data = state.data();
    let title = format!(
        "{} {}{}",
        words.incidents,
        (words.shown_of)(rows.len(), data.incidents.len()),
        super::filter_note(state, look)
    );
    let inner = panel::framed(&title, area, buf, look.theme);
    if rows.is_empty() {
        let text =
            super::empty_note(data.incidents_read, data.incidents.is_empty(), words.empty_incidents, look);
        panel::notice(text, inner, buf, look.theme.label(), look.theme);
        return 0;
    }
    let wide = area.width >= WIDE;
    let columns = [
        Column::fixed(words.col_severity, 8),
        Column::fixed(words.opened, if wide { 19 } else { 11 }),
        Column::share(words.col_host, 2),
        Column::share(words.col_attacker, 2),
        Column::share(words.col_stages, 4),
        Column::fixed(words.col_alerts, 6).right(),
        Column::fixed(words.col_state, 6),
    ];
    let selected = state.selected_incident();
    let at = rows.iter().position(|incident| Some(incident.id) == selected);
    let row = |number: usize| rows.get(number).map_or_else(Vec::new, |incident| cells(incident, look, wide));
    Table { columns: &columns, len: rows.len(), selected: at, row: &row }.draw(inner, buf, look.theme);
    0
}

fn cells(incident: &Incident, look: Look, wide: bool) -> Vec<Cell> {
    let (words, theme) = (look.words, look.theme);
    let done = if incident.closed.is_none() { theme.text() } else { theme.dim() };
    let opened = if wide { format::time(incident.opened) } else { format::short_time(incident.opened) };
    let state = if incident.closed.is_none() { words.is_open } else { words.is_closed };
    vec![
        ((words.severity)(incident.severity).to_owned(), theme.severity(incident.severity)),
        (opened, done),
        (facts::marked(&incident.host, &incident.drill, words), done),
        (
            party::attacker(&incident.attacker, &incident.host).unwrap_or_else(|| words.unknown.to_owned()),
            done,
        ),
        (facts::stages(&incident.stages, words, &format!(" {} ", theme.arrow())), done),
        (incident.alerts.len().to_string(), done),
        (state.to_owned(), if incident.closed.is_none() { theme.caution() } else { done }),
    ]
}
