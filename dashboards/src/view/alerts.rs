//! The queue of alerts: one line each; on a tall window the alert under the cursor is told below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use watchpost_model::alert::{Alert, Outcome, Severity, Triage};

use super::{Look, alert, party};
use crate::app::State;
use crate::format;
use crate::report::facts;
use crate::widgets::cells;
use crate::widgets::panel;
use crate::widgets::prose::Page;
use crate::widgets::table::{Cell, Column, Table};

/// Rows of the window from which the alert under the cursor is shown below.
const TALL: u16 = 30;

/// Columns of the window from which dates carry seconds and words are spelt out.
const WIDE: u16 = 110;

/// Draws the queue.
pub(super) fn draw(state: &State, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    let rows = state.alerts();
    let below = if area.height >= TALL && !rows.is_empty() { area.height / 3 } else { 0 };
    let list = Rect { height: area.height - below, ..area };
    let inner = panel::framed(&title(state, rows.len(), look), list, buf, look.theme);
    if rows.is_empty() {
        let data = state.data();
        let text = super::empty_note(data.alerts_read, data.alerts.is_empty(), look.words.empty_alerts, look);
        panel::notice(text, inner, buf, look.theme.label(), look.theme);
        return 0;
    }
    let selected = state.selected_alert();
    let at = rows.iter().position(|alert| Some(alert.id) == selected);
    let wide = area.width >= WIDE;
    let columns = columns(look, wide);
    let row = |number: usize| rows.get(number).map_or_else(Vec::new, |alert| cells(alert, look, wide));
    Table { columns: &columns, len: rows.len(), selected: at, row: &row }.draw(inner, buf, look.theme);
    if let Some(shown) = at.and_then(|at| rows.get(at)).filter(|_| below > 0) {
        let area = Rect { y: list.bottom(), height: below, ..area };
        let inner = panel::framed(look.words.alert, area, buf, look.theme);
        let mut page = Page::new(inner.width, &alert::labels(look.words), look.theme);
        alert::facts(shown, look, &mut page);
        page.draw(0, inner, buf);
    }
    0
}

fn title(state: &State, shown: usize, look: Look) -> String {
    let mut title =
        format!("{} {}", look.words.col_alerts, (look.words.shown_of)(shown, state.data().alerts.len()));
    if state.only_open {
        title.push_str(&format!(" · {}", look.words.open_alerts));
    }
    title + &super::filter_note(state, look)
}

fn columns(look: Look, wide: bool) -> [Column; 7] {
    let words = look.words;
    let widest = |names: &[&str], most: usize| {
        let cells = names.iter().map(|name| cells::width(name)).max().unwrap_or(4);
        u16::try_from(cells.min(most)).unwrap_or(8)
    };
    let outcomes =
        [Outcome::Unknown, Outcome::Attempt, Outcome::Success, Outcome::Compromised].map(words.outcome);
    let triages =
        [Triage::New, Triage::Investigating, Triage::FalsePositive, Triage::Handled].map(words.triage);
    let most = if wide { 14 } else { 8 };
    [
        Column::fixed(words.col_severity, widest(&Severity::ALL.map(words.severity), 8)),
        Column::fixed(words.col_time, if wide { 19 } else { 11 }),
        Column::share(words.col_rule, 2),
        Column::share(words.col_parties, if wide { 2 } else { 3 }),
        Column::fixed(words.col_count, 5).right(),
        Column::fixed(words.col_outcome, widest(&outcomes, most)),
        Column::fixed(words.col_triage, widest(&triages, most)),
    ]
}

fn cells(alert: &Alert, look: Look, wide: bool) -> Vec<Cell> {
    let (words, theme) = (look.words, look.theme);
    let time = if wide { format::time(alert.last_seen) } else { format::short_time(alert.last_seen) };
    let name = words.lang.pick(&alert.rule.name, &alert.rule.name_zh);
    let name = facts::marked(name, &alert.drill, words);
    let done = if alert.triage.is_open() { theme.text() } else { theme.dim() };
    let result =
        if matches!(alert.outcome, Outcome::Success | Outcome::Compromised) { theme.bad() } else { done };
    vec![
        ((words.severity)(alert.severity).to_owned(), theme.severity(alert.severity)),
        (time, done),
        (name, done),
        (party::pair(alert, words, theme), done),
        (alert.count.to_string(), done),
        ((words.outcome)(alert.outcome).to_owned(), result),
        (
            (words.triage)(alert.triage).to_owned(),
            if alert.triage == Triage::New { theme.caution() } else { done },
        ),
    ]
}
