//! The situation on one screen: what is open, how the day went, who and whom, and whether the
//! platform itself sees everything. No score: only numbers that can be followed to their alerts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use watchpost_model::alert::Severity;
use watchpost_model::query::Overview;

use super::Look;
use crate::app::State;
use crate::format;
use crate::widgets::cells::{self, Align};
use crate::widgets::{panel, spark};

/// Draws the overview.
pub(super) fn draw(state: &State, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    let Some(overview) = &state.data().overview else {
        panel::notice(look.words.loading, area, buf, look.theme.label(), look.theme);
        return 0;
    };
    let warnings = u16::try_from(overview.warnings.len()).unwrap_or(0).min(3);
    let [top, middle, bottom] = heights(area);
    let half = top.width / 2;
    draw_open(overview, look, Rect { width: half, ..top }, buf);
    draw_platform(overview, look, Rect { x: top.x + half, width: top.width - half, ..top }, buf);
    draw_day(overview, look, middle, buf);
    draw_tops(overview, look, Rect { height: bottom.height.saturating_sub(warnings), ..bottom }, buf);
    for (number, warning) in (0..warnings).zip(&overview.warnings) {
        let y = bottom.bottom() - warnings + number;
        let text = format!("! {}{}{warning}", look.words.warnings, look.words.colon);
        panel::text(&text, (area.x, y), area, buf, look.theme.caution(), look.theme);
    }
    0
}

/// Three bands: the middle one grows on a tall window, the last takes the rest.
fn heights(area: Rect) -> [Rect; 3] {
    let top = 8.min(area.height);
    let middle = if area.height >= 30 { 8 } else { 4 }.min(area.height - top);
    let rest = area.height - top - middle;
    [
        Rect { height: top, ..area },
        Rect { y: area.y + top, height: middle, ..area },
        Rect { y: area.y + top + middle, height: rest, ..area },
    ]
}

fn draw_open(overview: &Overview, look: Look, area: Rect, buf: &mut Buffer) {
    let (words, theme) = (look.words, look.theme);
    let total: u64 = overview.open.iter().sum();
    let inner = panel::framed(&format!("{} {}", words.open_alerts, format::digits(total)), area, buf, theme);
    let top = overview.open.iter().copied().max().unwrap_or(0);
    let label =
        Severity::ALL.iter().map(|severity| cells::width((words.severity)(*severity))).max().unwrap_or(0);
    let rows = Severity::ALL.iter().zip(&overview.open).rev();
    for (y, (severity, count)) in (inner.top()..inner.bottom()).zip(rows) {
        let name = cells::fit((words.severity)(*severity), label, Align::Left, theme.ellipsis());
        let x = inner.x + panel::text(&name, (inner.x, y), inner, buf, theme.severity(*severity), theme) + 1;
        let x = x + panel::text(&format!("{count:>7} "), (x, y), inner, buf, theme.text(), theme);
        let bar = spark::bar(*count, top, usize::from(inner.right().saturating_sub(x)), theme.ascii);
        buf.set_stringn(x, y, bar, usize::from(inner.right().saturating_sub(x)), bar_style(*severity, look));
    }
}

fn bar_style(severity: Severity, look: Look) -> Style {
    // The word of the worst severity is white on red; as a bar that would be a white bar.
    if severity == Severity::Critical { look.theme.bad() } else { look.theme.severity(severity) }
}

fn draw_platform(overview: &Overview, look: Look, area: Rect, buf: &mut Buffer) {
    let (words, theme) = (look.words, look.theme);
    let inner = panel::framed(words.platform, area, buf, theme);
    let alarm = |wrong: bool| if wrong { theme.bad() } else { theme.text() };
    let uptime = (words.span)(overview.now.since(overview.since).as_secs());
    let rules = if overview.blind_rules == 0 {
        overview.rules.to_string()
    } else {
        format!("{} ({})", overview.rules, (words.blind_rules)(overview.blind_rules))
    };
    let loaded = overview.rules_loaded.map(|at| (words.span)(overview.now.since(at).as_secs()));
    let loaded = loaded.unwrap_or_default();
    let facts = [
        (words.hosts_online, overview.online.to_string(), theme.text()),
        (words.hosts_silent, overview.silent.to_string(), alarm(overview.silent > 0)),
        (words.open_incidents, overview.incidents.to_string(), alarm(overview.incidents > 0)),
        (words.rules, rules, theme.text()),
        (words.uptime, uptime, theme.text()),
        (words.rule_set, short(&overview.rules_hash), alarm(overview.rejected_rules > 0)),
        (words.rate, format!("{:.1}", overview.rate), theme.text()),
        (words.events_stored, (words.big)(overview.events), theme.text()),
        (words.lost, (words.big)(overview.lost), alarm(overview.lost > 0)),
        (words.backlog, (words.big)(overview.backlog), alarm(overview.backlog > 10_000)),
        (words.journal, format::bytes(overview.journal_bytes), theme.text()),
        (words.rules_since, loaded, theme.text()),
    ];
    let half = inner.width / 2;
    let rows = 6;
    for (number, (label, value, style)) in (0_u16..).zip(facts) {
        let column = Rect { x: inner.x + half * (number / rows), width: half, ..inner };
        draw_fact(label, &value, style, number % rows, look, column, buf);
    }
}

/// The begin of a hash: enough to see that two differ.
fn short(hash: &str) -> String {
    hash.chars().take(8).collect()
}

fn draw_fact(label: &str, value: &str, style: Style, row: u16, look: Look, area: Rect, buf: &mut Buffer) {
    let y = area.y + row;
    let used = panel::text(label, (area.x, y), area, buf, look.theme.label(), look.theme);
    let room = area.width.saturating_sub(used + 2);
    let shown = cells::fit(value, usize::from(room), Align::Right, look.theme.ellipsis());
    panel::text(&shown, (area.x + used + 1, y), area, buf, style, look.theme);
}

fn draw_day(overview: &Overview, look: Look, area: Rect, buf: &mut Buffer) {
    let (words, theme) = (look.words, look.theme);
    let peak = overview.hourly.iter().copied().max().unwrap_or(0);
    let title = format!("{}  {}", words.last_day, (words.peak)(peak));
    let inner = panel::framed(&title, area, buf, theme);
    if inner.height < 2 {
        return;
    }
    let hours = overview.hourly.len().max(1);
    let each = (usize::from(inner.width) / hours).max(1);
    let rows = inner.height - 1;
    draw_columns(&overview.hourly, each, Rect { height: rows, ..inner }, look, buf);
    let axis = Rect { y: inner.y + rows, height: 1, ..inner };
    panel::text(words.day_ago, (axis.x, axis.y), axis, buf, theme.label(), theme);
    let end = u16::try_from(each * hours).unwrap_or(axis.width).min(axis.width);
    let now = u16::try_from(cells::width(words.now)).unwrap_or(0);
    panel::text(words.now, (axis.x + end.saturating_sub(now), axis.y), axis, buf, theme.label(), theme);
}

/// Columns of several rows: each row shows its own slice of the value as a sparkline step.
fn draw_columns(values: &[u64], each: usize, area: Rect, look: Look, buf: &mut Buffer) {
    let rows = u64::from(area.height.max(1));
    let top = values.iter().copied().max().unwrap_or(0).max(1);
    for row in 0..area.height {
        let below = rows - 1 - u64::from(row);
        // Each value in eighths of a row over the whole height, cut to this row's eighths; a last
        // full step keeps the scale of the sparkline fixed.
        let mut slice: Vec<u64> = values.iter().map(|value| eighths(*value, top, rows, below)).collect();
        slice.push(7);
        let mut line = spark::line(&slice, each, look.theme.ascii);
        for _ in 0..each {
            line.pop();
        }
        buf.set_stringn(area.x, area.y + row, line, usize::from(area.width), look.theme.heading());
    }
}

fn eighths(value: u64, top: u64, rows: u64, below: u64) -> u64 {
    let all = u64::try_from(u128::from(value) * u128::from(rows) * 7 / u128::from(top)).unwrap_or(0);
    let least = u64::from(value > 0 && below == 0);
    all.saturating_sub(below * 7).min(7).max(least)
}

fn draw_tops(overview: &Overview, look: Look, area: Rect, buf: &mut Buffer) {
    let (words, lang) = (look.words, look.words.lang);
    let rules: Vec<(String, u64)> =
        overview.top_rules.iter().map(|(en, zh, count)| (lang.pick(en, zh).to_owned(), *count)).collect();
    let width = area.width / 3;
    let lists = [
        (words.top_attackers, &overview.top_attackers),
        (words.top_targets, &overview.top_targets),
        (words.top_rules, &rules),
    ];
    for (number, (title, rows)) in (0_u16..).zip(lists) {
        let x = area.x + width * number;
        let width = if number == 2 { area.right() - x } else { width };
        let inner = panel::framed(title, Rect { x, width, ..area }, buf, look.theme);
        for (y, (name, count)) in (inner.top()..inner.bottom()).zip(rows) {
            let count = count.to_string();
            let room = usize::from(inner.width).saturating_sub(count.len() + 1);
            let name = cells::fit(name, room, Align::Left, look.theme.ellipsis());
            panel::text(&format!("{name} {count}"), (inner.x, y), inner, buf, look.theme.text(), look.theme);
        }
    }
}
