//! Which key does what.
//!
//! The app speaks of actions; only this table knows keys, and the help page is drawn from it, so
//! the two cannot differ. While a prompt is open keys are text and this table is not asked.

use watchpost_model::alert::Triage;

use crate::words::Words;

/// A key, free of any terminal library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// A character with Control.
    Control(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Backspace.
    Backspace,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
}

/// What the analyst wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Go to a tab, counted from 0.
    Tab(usize),
    /// Go to the next tab.
    NextTab,
    /// Go to the tab before.
    PreviousTab,
    /// One up.
    Up,
    /// One down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
    /// Open what is under the cursor.
    Open,
    /// Back out of a page, filter or help.
    Back,
    /// Write a filter, or a query on the hunt tab.
    Filter,
    /// Show only open alerts, or all.
    OnlyOpen,
    /// Sort by time or by severity.
    Sort,
    /// Freeze or thaw the screen.
    Freeze,
    /// Read the lists again.
    Refresh,
    /// Set an alert's handling.
    Triage(Triage),
    /// Write the report of an incident.
    Report,
    /// Go to the incident of an alert.
    Incident,
    /// Show the keys.
    Help,
    /// Leave.
    Quit,
}

/// The action of a key.
#[must_use]
pub fn action(key: Key) -> Option<Action> {
    Some(match key {
        Key::Char(digit @ '1'..='5') => Action::Tab(usize::try_from(u32::from(digit) - u32::from('1')).ok()?),
        Key::Tab | Key::Right => Action::NextTab,
        Key::BackTab | Key::Left => Action::PreviousTab,
        Key::Up | Key::Char('k') => Action::Up,
        Key::Down | Key::Char('j') => Action::Down,
        Key::PageUp | Key::Control('b') => Action::PageUp,
        Key::PageDown | Key::Control('f') => Action::PageDown,
        Key::Home | Key::Char('g') => Action::First,
        Key::End | Key::Char('G') => Action::Last,
        Key::Enter => Action::Open,
        Key::Esc | Key::Backspace => Action::Back,
        Key::Char(' ') => Action::Freeze,
        Key::Control('c') => Action::Quit,
        Key::Char(letter) => return lettered(letter),
        Key::Control(_) => return None,
    })
}

fn lettered(letter: char) -> Option<Action> {
    Some(match letter {
        '/' => Action::Filter,
        'o' => Action::OnlyOpen,
        's' => Action::Sort,
        'r' => Action::Refresh,
        'w' => Action::Report,
        'n' => Action::Incident,
        '?' => Action::Help,
        'q' => Action::Quit,
        _ => return triage(letter).map(Action::Triage),
    })
}

/// Triage keys, in the order of an alert's life.
pub const TRIAGE: [(char, Triage); 7] = [
    ('u', Triage::New),
    ('i', Triage::Investigating),
    ('h', Triage::Handling),
    ('d', Triage::Handled),
    ('f', Triage::FalsePositive),
    ('x', Triage::Ignored),
    ('c', Triage::Closed),
];

fn triage(letter: char) -> Option<Triage> {
    TRIAGE.iter().find(|(key, _)| *key == letter).map(|(_, triage)| *triage)
}

/// Where the analyst is: a tab, or a page over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The tab of the situation.
    Overview,
    /// The queue of alerts.
    Alerts,
    /// The list of incidents.
    Incidents,
    /// The list of hosts.
    Hosts,
    /// The search.
    Hunt,
    /// An alert's page.
    Alert,
    /// An incident's page.
    Incident,
    /// An event's page.
    Event,
}

impl Place {
    fn is_page(self) -> bool {
        matches!(self, Self::Alert | Self::Incident | Self::Event)
    }

    /// Whether what is shown changes by itself, so that it can be frozen.
    #[must_use]
    pub fn is_live(self) -> bool {
        !matches!(self, Self::Hunt | Self::Event)
    }

    /// Whether rows can be narrowed by a filter.
    fn has_filter(self) -> bool {
        matches!(self, Self::Alerts | Self::Incidents | Self::Hosts)
    }

    /// Whether there is an alert whose handling can be set.
    fn has_alert(self) -> bool {
        matches!(self, Self::Alerts | Self::Alert)
    }
}

/// The help page of a place: the keys that do something there, and what they do.
#[must_use]
pub fn help(words: &Words, at: Place) -> Vec<(String, String)> {
    let keys = &words.keys;
    let moves = at != Place::Overview;
    let opens = !matches!(at, Place::Alert | Place::Event);
    let searches = at == Place::Hunt;
    let leads = at.has_alert() || at == Place::Incidents;
    let mut rows: Vec<(String, String)> = [
        ("1-5  Tab", keys.tab, true),
        ("j k  ↑ ↓", keys.walk, moves),
        ("PgUp PgDn", keys.page, moves),
        ("g G", keys.ends, moves),
        ("Enter", keys.open, opens),
        ("Esc", keys.back, at.is_page() || at.has_filter()),
        ("/", if searches { keys.query } else { keys.filter }, searches || at.has_filter()),
        ("Ctrl-U", keys.clear, searches || at.has_filter()),
        ("o", keys.only_open, at == Place::Alerts),
        ("s", keys.sort, at == Place::Alerts),
        ("Space", keys.freeze, at.is_live()),
        ("r", keys.refresh, at.is_live()),
        ("n", keys.incident, at.has_alert()),
        ("w", keys.report, leads || at == Place::Incident),
    ]
    .into_iter()
    .filter(|(_, _, works)| *works)
    .map(|(key, does, _)| (key.to_owned(), does.to_owned()))
    .collect();
    if at.has_alert() {
        rows.extend(TRIAGE.map(|(key, triage)| (key.to_string(), (keys.triage)((words.triage)(triage)))));
    }
    rows.extend([("?", keys.help), ("q", keys.quit)].map(|(key, does)| (key.to_owned(), does.to_owned())));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_triage_state_has_one_key_and_none_hides_another_action() {
        for (key, triage) in TRIAGE {
            assert_eq!(action(Key::Char(key)), Some(Action::Triage(triage)));
        }
        assert_eq!(action(Key::Char('5')), Some(Action::Tab(4)));
        assert_eq!(action(Key::Char('6')), None);
        assert_eq!(action(Key::Control('c')), Some(Action::Quit));
    }

    #[test]
    fn the_help_of_a_place_names_only_keys_that_work_there() {
        let words = crate::words::Lang::En.words();
        let keys = |at| help(words, at).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(keys(Place::Overview), ["1-5  Tab", "Enter", "Space", "r", "?", "q"]);
        assert!(!keys(Place::Hosts).iter().any(|key| ["w", "n", "c", "s"].contains(&key.as_str())));
        assert!(keys(Place::Alerts).contains(&"c".to_owned()));
        assert!(!keys(Place::Event).contains(&"/".to_owned()));
    }
}
