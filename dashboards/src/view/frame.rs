//! The frame: tabs and connection above, the view, keys or prompt or notice below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Look, alert, alerts, event, hosts, hunt, incident, incidents, overview};
use crate::app::Link;
use crate::app::state::{Ask, NoticeText, Open, State, Tab};
use crate::format;
use crate::keymap;
use crate::widgets::{cells, panel};

/// Columns from which the tabs' names stand apart.
const ROOMY: u16 = 100;

/// Draws everything. Returns how far the top page can be scrolled.
pub fn draw(state: &State, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    if area.width < 40 || area.height < 10 {
        panel::notice(look.words.too_small, area, buf, look.theme.caution(), look.theme);
        return 0;
    }
    let head = Rect { height: 1, ..area };
    let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
    let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    draw_head(state, look, head, buf);
    let most = draw_body(state, look, body, buf);
    draw_foot(state, look, foot, buf);
    if state.help {
        draw_help(look, body, buf);
    }
    most
}

fn draw_body(state: &State, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    match (state.pages.last(), state.tab) {
        (Some(Open::Alert { id, evidence }), _) => {
            alert::draw(state, *id, evidence.as_ref(), look, area, buf)
        }
        (Some(Open::Incident { id, story }), _) => {
            incident::draw(state, *id, story.as_ref(), look, area, buf)
        }
        (Some(Open::Event(json)), _) => event::draw(json, state.scroll, look, area, buf),
        (None, Tab::Overview) => overview::draw(state, look, area, buf),
        (None, Tab::Alerts) => alerts::draw(state, look, area, buf),
        (None, Tab::Incidents) => incidents::draw(state, look, area, buf),
        (None, Tab::Hosts) => hosts::draw(state, look, area, buf),
        (None, Tab::Hunt) => hunt::draw(state, look, area, buf),
    }
}

fn draw_head(state: &State, look: Look, area: Rect, buf: &mut Buffer) {
    let (words, theme) = (look.words, look.theme);
    let mut x = area.x + panel::text(words.product, (area.x, area.y), area, buf, theme.heading(), theme) + 1;
    for (number, name) in words.tabs.iter().enumerate() {
        let text = if area.width < ROOMY {
            format!("{} {name} ", number + 1)
        } else {
            format!(" {} {name} ", number + 1)
        };
        let style = if state.tab.index() == number { theme.selected() } else { theme.text() };
        x += panel::text(&text, (x, area.y), area, buf, style, theme);
    }
    draw_state(state, look, Rect { x, width: area.right().saturating_sub(x), ..area }, buf);
}

/// At the right end: connection, frozen, clock; where there is no room for all, the clock goes
/// first.
fn draw_state(state: &State, look: Look, area: Rect, buf: &mut Buffer) {
    let (words, theme) = (look.words, look.theme);
    let (link, style) = match &state.link {
        Link::Connecting => (words.connecting.to_owned(), theme.caution()),
        Link::Online => (words.online.to_owned(), theme.good()),
        Link::Offline { since, .. } => ((words.offline)(state.now.since(*since).as_secs()), theme.bad()),
    };
    let mut parts = vec![(link, style)];
    if state.frozen.is_some() {
        parts.push((words.frozen.to_owned(), theme.caution().patch(theme.selected())));
    }
    parts.push((format::clock(state.now), theme.text()));
    let mut right = area.right();
    for (text, style) in parts {
        let width = u16::try_from(cells::width(&text)).unwrap_or(0);
        let Some(x) = right.checked_sub(width).filter(|x| *x > area.x) else { return };
        panel::text(&text, (x, area.y), area, buf, style, theme);
        right = x.saturating_sub(1);
    }
}

fn draw_foot(state: &State, look: Look, area: Rect, buf: &mut Buffer) {
    let theme = look.theme;
    if let Some(prompt) = &state.prompt {
        let label = match prompt.ask {
            Ask::Filter => look.words.ask_filter.to_owned(),
            Ask::Hunt => look.words.ask_hunt.to_owned(),
            Ask::Reason(_, triage) => (look.words.ask_reason)((look.words.triage)(triage)),
        };
        draw_prompt(&label, &prompt.text, look, area, buf);
    } else if let Some(notice) = &state.notice {
        let (text, style) = worded(&notice.text, look);
        panel::text(&text, (area.x, area.y), area, buf, style, theme);
    } else if let Link::Offline { error, .. } = &state.link {
        panel::text(error, (area.x, area.y), area, buf, theme.bad(), theme);
    } else {
        panel::text(&hints(state, look), (area.x, area.y), area, buf, theme.label(), theme);
    }
}

/// The end of a long text stays visible: that is where one types.
fn draw_prompt(label: &str, text: &str, look: Look, area: Rect, buf: &mut Buffer) {
    let theme = look.theme;
    let label = format!("{label}{}", look.words.colon);
    let x = area.x + panel::text(&label, (area.x, area.y), area, buf, theme.heading(), theme);
    let room = usize::from(area.right().saturating_sub(x)).saturating_sub(1);
    let mut shown = text;
    while cells::width(shown) > room {
        let mut rest = shown.chars();
        rest.next();
        shown = rest.as_str();
    }
    let end = x + panel::text(shown, (x, area.y), area, buf, theme.text(), theme);
    panel::text(" ", (end, area.y), area, buf, theme.selected(), theme);
}

fn worded(notice: &NoticeText, look: Look) -> (String, Style) {
    let (words, theme) = (look.words, look.theme);
    match notice {
        NoticeText::Triaged(triage) => ((words.triaged)((words.triage)(*triage)), theme.good()),
        NoticeText::Reported(path) => ((words.reported)(path), theme.good()),
        NoticeText::Failed(what) => ((words.failed)(what), theme.bad()),
        NoticeText::Missed(count) => ((words.missed)(*count), theme.caution()),
        NoticeText::ReasonNeeded => (words.reason_needed.to_owned(), theme.caution()),
        NoticeText::Busy => (words.busy.to_owned(), theme.caution()),
    }
}

fn hints(state: &State, look: Look) -> String {
    let (words, keys) = (look.words, &look.words.keys);
    let mut parts = vec![format!("? {}", keys.help)];
    if state.pages.is_empty() {
        parts.push(format!("Enter {}", keys.open));
        if state.tab == Tab::Hunt {
            parts.push(format!("/ {}", keys.query));
        } else if state.tab != Tab::Overview {
            parts.push(format!("/ {}", keys.filter));
        }
        parts.push(format!("Space {}", keys.freeze));
    } else {
        parts.push(format!("Esc {}", keys.back));
    }
    if state.current_alert().is_some() {
        parts.extend(
            keymap::TRIAGE.iter().skip(1).map(|(key, triage)| format!("{key} {}", (words.triage)(*triage))),
        );
    }
    if state.current_incident().is_some() {
        parts.push(format!("w {}", keys.report));
    }
    parts.push(format!("q {}", keys.quit));
    parts.join("  ")
}

fn draw_help(look: Look, area: Rect, buf: &mut Buffer) {
    let rows = keymap::help(look.words);
    let height = u16::try_from(rows.len()).unwrap_or(0) + 2;
    let inner = panel::popup(look.words.help, panel::centred(area, 56, height), buf, look.theme);
    let (theme, columns) = (look.theme, if usize::from(inner.height) < rows.len() { 2 } else { 1 });
    let each = rows.len().div_ceil(columns);
    let width = inner.width / u16::try_from(columns).unwrap_or(1);
    for (number, (key, does)) in rows.iter().enumerate() {
        let x = inner.x + width * u16::try_from(number / each).unwrap_or(0);
        let y = inner.y + u16::try_from(number % each).unwrap_or(0);
        let part = Rect { x, width, ..inner };
        let key = if theme.ascii { key.replace(" ↑ ↓", "") } else { key.clone() };
        panel::text(&key, (x, y), part, buf, theme.heading(), theme);
        panel::text(does, (x + 11, y), part, buf, theme.text(), theme);
    }
}
