//! How the state changes: `update(state, message, now)`.
//!
//! Invariant: a message never blocks and never fails. What must be done outside comes back as
//! effects, at most a few per message.

use std::time::Duration;

use watchpost_model::Timestamp;
use watchpost_model::alert::Triage;
use watchpost_model::query::{EventQuery, Live, TriageChange};

use super::effect::Effect;
use super::message::{Answer, Link, Message};
use super::state::{
    Ask, Data, Hunt, MOST_INPUT, MOST_ROWS, Notice, NoticeText, Open, Order, Prompt, State, Tab,
};
use crate::keymap::{self, Action, Key};

/// How long a notice stays.
const NOTICE: Duration = Duration::from_secs(6);

/// Rows that the frame and a table's heading take from a page.
const CHROME: usize = 5;

/// Applies a message; returns what to do outside.
pub fn update(state: &mut State, message: Message, now: Timestamp) -> Vec<Effect> {
    state.now = now;
    match message {
        Message::Key(key) => return on_key(state, key),
        Message::Paste(text) => paste(state, &text),
        Message::Resize(columns, rows) => state.size = (columns, rows),
        Message::Tick => {
            if state.notice.as_ref().is_some_and(|notice| notice.until <= now) {
                state.notice = None;
            }
        }
        Message::Live(live) => return on_live(state, live),
        Message::Link(link) => return on_link(state, link),
        Message::Answer(answer) => return on_answer(state, answer),
        // With help open the frame tells how far the keys can be scrolled, not the page below.
        Message::Drawn(most) if state.help => state.help_scroll = state.help_scroll.min(most),
        Message::Drawn(most) => {
            state.scroll_most = most;
            state.scroll = state.scroll.min(most);
        }
    }
    Vec::new()
}

fn on_link(state: &mut State, link: Link) -> Vec<Effect> {
    let came = link == Link::Online && state.link != Link::Online;
    match (&mut state.link, link) {
        // The clock of an outage runs from its first failure, not from the last attempt.
        (Link::Offline { error, .. }, Link::Offline { error: newer, .. }) => *error = newer,
        (kept, link) => *kept = link,
    }
    if came { vec![Effect::Refresh] } else { Vec::new() }
}

fn on_live(state: &mut State, live: Live) -> Vec<Effect> {
    let data = &mut state.live;
    match live {
        Live::Alert(alert) => {
            data.alerts.insert(alert.id, *alert);
            bound(&mut data.alerts);
        }
        Live::Incident(incident) => {
            data.incidents.insert(incident.id, *incident);
            bound(&mut data.incidents);
        }
        Live::Overview(overview) => data.overview = Some(overview),
        Live::Hosts(hosts) => set_hosts(data, hosts),
        Live::Missed(count) => {
            say(state, NoticeText::Missed(count));
            return vec![Effect::Refresh];
        }
    }
    Vec::new()
}

fn set_hosts(data: &mut Data, mut hosts: Vec<watchpost_model::asset::Host>) {
    hosts.sort_by(|a, b| (&a.name, a.agent).cmp(&(&b.name, b.agent)));
    data.hosts = hosts;
    data.hosts_read = true;
}

/// Drops the oldest rows over the bound.
fn bound<K: Ord, V>(rows: &mut std::collections::BTreeMap<K, V>) {
    while rows.len() > MOST_ROWS {
        rows.pop_first();
    }
}

fn on_answer(state: &mut State, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Overview(overview) => state.live.overview = Some(overview),
        Answer::Alerts(page) => {
            state.live.alerts.extend(page.rows.into_iter().map(|alert| (alert.id, alert)));
            state.live.alerts_read = true;
            bound(&mut state.live.alerts);
        }
        Answer::Incidents(page) => {
            state.live.incidents.extend(page.rows.into_iter().map(|incident| (incident.id, incident)));
            state.live.incidents_read = true;
            bound(&mut state.live.incidents);
        }
        Answer::Hosts(hosts) => set_hosts(&mut state.live, hosts),
        Answer::Evidence(of, answer) => {
            for page in &mut state.pages {
                if let Open::Alert { id, evidence } = page
                    && *id == of
                {
                    *evidence = Some(answer.clone());
                }
            }
        }
        Answer::Story(of, answer) => {
            if let Ok(story) = &answer {
                state.live.alerts.extend(story.alerts.iter().map(|alert| (alert.id, alert.clone())));
                bound(&mut state.live.alerts);
            }
            for page in &mut state.pages {
                if let Open::Incident { id, story } = page
                    && *id == of
                {
                    *story = Some(answer.clone());
                }
            }
        }
        Answer::Triaged(alert) => {
            say(state, NoticeText::Triaged(alert.triage));
            if let Some(frozen) = &mut state.frozen {
                frozen.alerts.insert(alert.id, (*alert).clone());
            }
            state.live.alerts.insert(alert.id, *alert);
        }
        Answer::Hunt(query, found) => {
            if state.hunt.query == query {
                state.hunt = Hunt { query, running: false, found: Some(found), selected: 0 };
            }
        }
        Answer::Reported(path) => say(state, NoticeText::Reported(path)),
        Answer::Failed(what) => say(state, NoticeText::Failed(what)),
        Answer::Busy => say(state, NoticeText::Busy),
    }
    Vec::new()
}

fn say(state: &mut State, text: NoticeText) {
    state.notice = Some(Notice { text, until: state.now.plus(NOTICE) });
}

fn paste(state: &mut State, text: &str) {
    if let Some(prompt) = &mut state.prompt {
        let room = MOST_INPUT.saturating_sub(prompt.text.chars().count());
        prompt.text.extend(text.chars().filter(|c| !c.is_control()).take(room));
    }
}

fn on_key(state: &mut State, key: Key) -> Vec<Effect> {
    if state.prompt.is_some() {
        return on_prompt_key(state, key);
    }
    match keymap::action(key) {
        Some(action) => act(state, action),
        None => Vec::new(),
    }
}

fn on_prompt_key(state: &mut State, key: Key) -> Vec<Effect> {
    let Some(prompt) = &mut state.prompt else { return Vec::new() };
    match key {
        Key::Char(c) if prompt.text.chars().count() < MOST_INPUT => prompt.text.push(c),
        Key::Backspace => {
            prompt.text.pop();
        }
        Key::Control('u') => prompt.text.clear(),
        Key::Control('c') => return vec![Effect::Quit],
        Key::Esc => state.prompt = None,
        Key::Enter => return submit(state),
        _ => {}
    }
    if let Some(Prompt { ask: Ask::Filter, text }) = &state.prompt {
        state.filter = text.trim().to_lowercase();
    }
    Vec::new()
}

fn submit(state: &mut State) -> Vec<Effect> {
    let Some(prompt) = state.prompt.take() else { return Vec::new() };
    let text = prompt.text.trim().to_owned();
    match prompt.ask {
        Ask::Filter => {
            state.filter = text.to_lowercase();
            Vec::new()
        }
        Ask::Hunt => {
            state.hunt = Hunt { query: text.clone(), running: true, found: None, selected: 0 };
            vec![Effect::Hunt(Box::new(EventQuery { q: text, ..EventQuery::default() }))]
        }
        Ask::Reason(id, triage) if text.is_empty() => {
            say(state, NoticeText::ReasonNeeded);
            state.prompt = Some(Prompt { ask: Ask::Reason(id, triage), text });
            Vec::new()
        }
        Ask::Reason(id, triage) => vec![Effect::Triage(id, TriageChange { triage, reason: text })],
    }
}

fn act(state: &mut State, action: Action) -> Vec<Effect> {
    if state.help && action != Action::Quit {
        act_on_help(state, action);
        return Vec::new();
    }
    match action {
        Action::Tab(index) => go(state, Tab::ALL.get(index).copied().unwrap_or_default()),
        Action::NextTab => go(state, state.tab.step(1)),
        Action::PreviousTab => go(state, state.tab.step(Tab::ALL.len() - 1)),
        Action::Up => walk(state, Walk::Back(1)),
        Action::Down => walk(state, Walk::On(1)),
        Action::PageUp => walk(state, Walk::Back(page(state))),
        Action::PageDown => walk(state, Walk::On(page(state))),
        Action::First => walk(state, Walk::Back(usize::MAX)),
        Action::Last => walk(state, Walk::On(usize::MAX)),
        Action::Open => return open(state),
        Action::Back => back(state),
        Action::Filter => ask(state),
        Action::OnlyOpen => state.only_open = !state.only_open,
        Action::Sort => {
            state.order = if state.order == Order::Newest { Order::Worst } else { Order::Newest };
        }
        Action::Freeze => {
            state.frozen = if state.frozen.is_some() { None } else { Some(Box::new(state.live.clone())) };
        }
        Action::Refresh => return refresh(state),
        Action::Triage(triage) => return set_triage(state, triage),
        Action::Report => return state.current_incident().map(Effect::Report).into_iter().collect(),
        Action::Incident => return open_incident(state),
        Action::Help => (state.help, state.help_scroll) = (true, 0),
        Action::Quit => return vec![Effect::Quit],
    }
    Vec::new()
}

/// The keys are walked through like any page; any other key puts them away.
fn act_on_help(state: &mut State, action: Action) {
    let walk = match action {
        Action::Up => Walk::Back(1),
        Action::Down => Walk::On(1),
        Action::PageUp | Action::First => Walk::Back(usize::MAX),
        Action::PageDown | Action::Last => Walk::On(usize::MAX),
        _ => return state.help = false,
    };
    state.help_scroll = walk.from(state.help_scroll, usize::MAX);
}

fn page(state: &State) -> usize {
    usize::from(state.size.1).saturating_sub(CHROME).max(1)
}

fn go(state: &mut State, tab: Tab) {
    if state.tab != tab {
        state.filter.clear();
    }
    state.tab = tab;
    state.pages.clear();
    state.scroll = 0;
}

/// How far the cursor goes.
#[derive(Clone, Copy)]
enum Walk {
    Back(usize),
    On(usize),
}

impl Walk {
    fn from(self, at: usize, last: usize) -> usize {
        match self {
            Self::Back(steps) => at.saturating_sub(steps),
            Self::On(steps) => at.saturating_add(steps).min(last),
        }
    }
}

fn walk(state: &mut State, walk: Walk) {
    if !state.pages.is_empty() {
        state.scroll = walk.from(state.scroll, state.scroll_most);
        return;
    }
    match state.tab {
        Tab::Overview => {}
        Tab::Alerts => {
            state.alert = moved(walk, state.selected_alert(), state.alerts().iter().map(|alert| alert.id));
        }
        Tab::Incidents => {
            let rows = state.incidents();
            state.incident = moved(walk, state.selected_incident(), rows.iter().map(|incident| incident.id));
        }
        Tab::Hosts => {
            state.host = moved(walk, state.selected_host(), state.hosts().iter().map(|host| host.agent));
        }
        Tab::Hunt => {
            let last = state.found().len().saturating_sub(1);
            state.hunt.selected = walk.from(state.hunt.selected, last);
        }
    }
}

fn moved<T: Copy + PartialEq>(walk: Walk, at: Option<T>, rows: impl Iterator<Item = T>) -> Option<T> {
    let rows: Vec<T> = rows.collect();
    let index = rows.iter().position(|row| Some(*row) == at).unwrap_or(0);
    rows.get(walk.from(index, rows.len().saturating_sub(1))).copied()
}

fn open(state: &mut State) -> Vec<Effect> {
    if let Some(Open::Incident { story: Some(Ok(story)), .. }) = state.pages.last() {
        // From the story on to its first alert; the rest is reached from the queue.
        return story.alerts.first().map(|alert| alert.id).map_or_else(Vec::new, |id| open_alert(state, id));
    }
    if !state.pages.is_empty() {
        return Vec::new();
    }
    match state.tab {
        Tab::Overview => {
            go(state, Tab::Alerts);
            Vec::new()
        }
        Tab::Alerts => state.selected_alert().map_or_else(Vec::new, |id| open_alert(state, id)),
        Tab::Incidents => state.selected_incident().map_or_else(Vec::new, |id| open_story(state, id)),
        Tab::Hosts => show_host_alerts(state),
        Tab::Hunt => {
            let event = state.found().get(state.hunt.selected).cloned();
            if let Some(event) = event {
                push(state, Open::Event(Box::new(event)));
            }
            Vec::new()
        }
    }
}

fn show_host_alerts(state: &mut State) -> Vec<Effect> {
    let id = state.selected_host();
    let name = state.hosts().iter().find(|host| Some(host.agent) == id).map(|host| host.name.to_lowercase());
    if let Some(name) = name {
        go(state, Tab::Alerts);
        state.filter = name;
    }
    Vec::new()
}

fn open_alert(state: &mut State, id: watchpost_model::id::AlertId) -> Vec<Effect> {
    push(state, Open::Alert { id, evidence: None });
    vec![Effect::Evidence(id)]
}

fn open_story(state: &mut State, id: watchpost_model::id::IncidentId) -> Vec<Effect> {
    push(state, Open::Incident { id, story: None });
    vec![Effect::Story(id)]
}

fn open_incident(state: &mut State) -> Vec<Effect> {
    match state.pages.last() {
        Some(Open::Incident { .. }) => Vec::new(),
        _ => state.current_incident().map_or_else(Vec::new, |id| open_story(state, id)),
    }
}

/// Pages deep: alert → incident → alert is as far as anyone goes.
const MOST_PAGES: usize = 8;

fn push(state: &mut State, page: Open) {
    if state.pages.len() >= MOST_PAGES {
        state.pages.remove(0);
    }
    state.pages.push(page);
    state.scroll = 0;
    state.scroll_most = 0;
}

fn back(state: &mut State) {
    if state.pages.pop().is_some() {
        state.scroll = 0;
    } else {
        state.filter.clear();
    }
}

fn ask(state: &mut State) {
    if !state.pages.is_empty() {
        return;
    }
    state.prompt = match state.tab {
        Tab::Overview => None,
        Tab::Hunt => Some(Prompt { ask: Ask::Hunt, text: state.hunt.query.clone() }),
        _ => Some(Prompt { ask: Ask::Filter, text: state.filter.clone() }),
    };
}

fn refresh(state: &State) -> Vec<Effect> {
    let mut effects = vec![Effect::Refresh];
    match state.pages.last() {
        Some(Open::Alert { id, .. }) => effects.push(Effect::Evidence(*id)),
        Some(Open::Incident { id, .. }) => effects.push(Effect::Story(*id)),
        _ => {}
    }
    effects
}

fn set_triage(state: &mut State, triage: Triage) -> Vec<Effect> {
    let Some(id) = state.current_alert().map(|alert| alert.id) else { return Vec::new() };
    if triage.needs_reason() {
        state.prompt = Some(Prompt { ask: Ask::Reason(id, triage), text: String::new() });
        return Vec::new();
    }
    vec![Effect::Triage(id, TriageChange { triage, reason: String::new() })]
}
