//! Hosts: whether each lives, what its agent can see and what it costs, and below the one under
//! the cursor with what it cannot see and its loss ledger.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use watchpost_model::asset::Host;

use super::Look;
use crate::app::State;
use crate::format;
use crate::widgets::cells::{self, Align};
use crate::widgets::panel;
use crate::widgets::prose::Page;
use crate::widgets::table::{Cell, Column, Table};

/// Draws the hosts.
pub(super) fn draw(state: &State, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    let words = look.words;
    let rows = state.hosts();
    let data = state.data();
    let below = if rows.is_empty() { 0 } else { (area.height / 2).max(9).min(area.height.saturating_sub(6)) };
    let title = format!(
        "{} {}{}",
        words.hosts,
        (words.shown_of)(rows.len(), data.hosts.len()),
        super::filter_note(state, look)
    );
    let inner = panel::framed(&title, Rect { height: area.height - below, ..area }, buf, look.theme);
    if rows.is_empty() {
        let text = super::empty_note(data.hosts_read, data.hosts.is_empty(), words.empty_hosts, look);
        panel::notice(text, inner, buf, look.theme.label(), look.theme);
        return 0;
    }
    let selected = state.selected_host();
    let at = rows.iter().position(|host| Some(host.agent) == selected);
    let row = |number: usize| rows.get(number).map_or_else(Vec::new, |host| cells(host, state, look));
    Table { columns: &columns(look), len: rows.len(), selected: at, row: &row }.draw(inner, buf, look.theme);
    if let Some(host) = at.and_then(|at| rows.get(at)) {
        draw_host(host, look, Rect { y: area.bottom() - below, height: below, ..area }, buf);
    }
    0
}

fn columns(look: Look) -> [Column; 9] {
    let words = look.words;
    [
        Column::share(words.col_host, 3),
        Column::fixed(words.col_state, 7),
        Column::fixed(words.col_heard, 9),
        Column::share(words.col_rung, 2),
        Column::fixed(words.col_cpu, 4).right(),
        Column::fixed(words.col_memory, 4).right(),
        Column::fixed(words.col_events, 8).right(),
        Column::fixed(words.lost, 7).right(),
        Column::fixed(words.col_alerts, 6).right(),
    ]
}

fn cells(host: &Host, state: &State, look: Look) -> Vec<Cell> {
    let (words, theme) = (look.words, look.theme);
    let text = theme.text();
    let heard = host.last_heard.map_or_else(String::new, |at| (words.span)(state.now.since(at).as_secs()));
    let lost = host.ledger.lost();
    // Figures of a host that never spoke are not zero, they are unknown.
    let known = |figure: String| if host.last_heard.is_some() { figure } else { "-".to_owned() };
    vec![
        (host.name.clone(), text),
        ((words.liveness)(host.liveness).to_owned(), theme.liveness(host.liveness)),
        (heard, text),
        (host.rung.clone(), if host.blind.is_empty() { text } else { theme.caution() }),
        (known(format::percent(host.cpu)), text),
        (known(format::percent(host.memory)), text),
        ((words.big)(host.events), text),
        (known((words.big)(lost)), if lost > 0 { theme.bad() } else { text }),
        (host.open_alerts.to_string(), if host.open_alerts > 0 { theme.caution() } else { text }),
    ]
}

fn draw_host(host: &Host, look: Look, area: Rect, buf: &mut Buffer) {
    let (words, theme) = (look.words, look.theme);
    let half = area.width / 2;
    let inner = panel::framed(&host.name, Rect { width: half, ..area }, buf, theme);
    let labels = [words.addresses, words.system, words.version, words.col_cost, words.blind];
    let mut page = Page::new(inner.width, &labels, theme);
    if host.last_heard.is_none() {
        page.fact(words.blind, words.never_heard, theme.caution());
    } else {
        write_heard(host, look, &mut page);
    }
    page.draw(0, inner, buf);
    draw_ledger(host, look, Rect { x: area.x + half, width: area.width - half, ..area }, buf);
}

fn write_heard(host: &Host, look: Look, page: &mut Page) {
    let (words, theme) = (look.words, look.theme);
    page.fact(words.addresses, &host.ips.join(words.comma), theme.text());
    page.fact(words.system, &host.os, theme.text());
    page.fact(words.version, &host.version, theme.text());
    let cost = format!("CPU {}  {}", format::percent(host.agent_cpu), format::bytes(host.agent_memory));
    page.fact(words.col_cost, &cost, theme.text());
    if host.blind.is_empty() {
        page.fact(words.blind, words.not_blind, theme.good());
    }
    for (number, what) in host.blind.iter().enumerate() {
        let label = if number == 0 { words.blind } else { "" };
        page.fact(label, &(words.agent_says)(what), theme.caution());
    }
}

fn draw_ledger(host: &Host, look: Look, area: Rect, buf: &mut Buffer) {
    let (words, theme) = (look.words, look.theme);
    let inner = panel::framed(words.ledger, area, buf, theme);
    if host.ledger.0.is_empty() {
        panel::notice(words.no_ledger, inner, buf, theme.label(), theme);
        return;
    }
    let columns = [
        Column::share(words.col_stage, 1),
        Column::fixed(words.col_passed, 12).right(),
        Column::fixed(words.lost, 9).right(),
    ];
    let row = |number: usize| {
        host.ledger.0.get(number).map_or_else(Vec::new, |entry| {
            let bad = if entry.lost > 0 { theme.bad() } else { theme.text() };
            vec![
                ((words.stage)(entry.stage).to_owned(), theme.text()),
                (cells::fit(&format::digits(entry.passed), 12, Align::Right, theme.ellipsis()), theme.text()),
                (format::digits(entry.lost), bad),
            ]
        })
    };
    Table { columns: &columns, len: host.ledger.0.len(), selected: None, row: &row }.draw(inner, buf, theme);
}
