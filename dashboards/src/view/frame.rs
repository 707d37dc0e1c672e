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

/// Draws everything. Returns how far the top page, or the help over it, can be scrolled.
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
    if state.help { draw_help(state, look, body, buf) } else { most }
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
        let hints = hints(state, look, usize::from(area.width));
        panel::text(&hints, (area.x, area.y), area, buf, theme.label(), theme);
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

/// Names of keys for the footer, the most used first. Where there is no room for every state of
/// handling they share one name, and what still does not fit is left out whole.
fn hints(state: &State, look: Look, room: usize) -> String {
    let keys = &look.words.keys;
    let mut parts = vec![format!("? {}", keys.help), format!("q {}", keys.quit)];
    if state.pages.is_empty() {
        parts.push(format!("Enter {}", keys.open));
        if state.tab == Tab::Hunt {
            parts.push(format!("/ {}", keys.query));
        } else if state.tab != Tab::Overview {
            parts.push(format!("/ {}", keys.filter));
        }
    } else {
        parts.push(format!("Esc {}", keys.back));
    }
    if state.current_incident().is_some() {
        parts.push(format!("w {}", keys.report));
    }
    let space = state.place().is_live().then(|| format!("Space {}", keys.freeze));
    let [full, short] = triage_hints(state, look)
        .map(|triage| [parts.as_slice(), triage.as_slice(), space.as_slice()].concat());
    let fits = cells::width(&full.join("  ")) <= room;
    whole(if fits { full } else { short }, room)
}

/// The keys of handling, one by one and in one.
fn triage_hints(state: &State, look: Look) -> [Vec<String>; 2] {
    if state.current_alert().is_none() {
        return [Vec::new(), Vec::new()];
    }
    let states = keymap::TRIAGE.iter().skip(1);
    let each = states.clone().map(|(key, triage)| format!("{key} {}", (look.words.triage)(*triage)));
    let letters: Vec<String> = states.map(|(key, _)| key.to_string()).collect();
    [each.collect(), vec![format!("{} {}", letters.join("/"), look.words.keys.mark)]]
}

/// As many parts as fit, none of them cut.
fn whole(mut parts: Vec<String>, room: usize) -> String {
    while parts.len() > 1 && cells::width(&parts.join("  ")) > room {
        parts.pop();
    }
    parts.join("  ")
}

/// Columns of the keys' box, borders included.
const HELP: u16 = 76;

/// Columns of a key's name.
const KEY: u16 = 11;

/// Draws the keys that work here. Returns how far they can be scrolled.
fn draw_help(state: &State, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    let rows = keymap::help(look.words, state.place());
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(2);
    let narrow = area.width < HELP;
    let columns = if height > area.height && !narrow { 2 } else { 1 };
    let each = rows.len().div_ceil(columns);
    let height = u16::try_from(each).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    let width = if columns == 2 { HELP } else { 50.min(area.width) };
    let inner = panel::popup(look.words.help, panel::centred(area, width, height), buf, look.theme);
    let seen = usize::from(inner.height);
    let most = each.saturating_sub(seen);
    let above = state.help_scroll.min(most);
    let width = inner.width / u16::try_from(columns).unwrap_or(1);
    for (number, column) in (0_u16..).zip(rows.chunks(each)) {
        let part = Rect { x: inner.x + width * number, width, ..inner };
        for (y, (key, does)) in (inner.y..).zip(column.iter().skip(above).take(seen)) {
            let key = if look.theme.ascii { key.replace(" ↑ ↓", "") } else { key.clone() };
            panel::text(&key, (part.x, y), part, buf, look.theme.heading(), look.theme);
            panel::text(does, (part.x + KEY, y), part, buf, look.theme.text(), look.theme);
        }
    }
    most
}
