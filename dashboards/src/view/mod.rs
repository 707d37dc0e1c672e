//! What the screen shows: the frame around every view, and the views.
//!
//! A view draws from the state and returns how far its page can be scrolled; it changes nothing.
//! Tabs, connection, clock, freeze, filter, prompt, notices and help belong to the frame, so no
//! view can forget them. No word, colour or key stands here: they come from `words`, `theme` and
//! `keymap`.

mod alert;
mod alerts;
mod event;
mod frame;
mod hosts;
mod hunt;
mod incident;
mod incidents;
mod overview;
mod party;

#[cfg(test)]
mod tests;

pub use event::{summary as event_summary, text_at};
pub use frame::draw;
pub use party::{pair, party, party_or, summary};

use crate::app::State;
use crate::theme::Theme;
use crate::words::{Lang, Words};

/// In which words and looks to draw.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The words.
    pub words: &'static Words,
    /// The looks.
    pub theme: Theme,
}

impl Look {
    /// Of a language and a theme.
    #[must_use]
    pub fn new(lang: Lang, theme: Theme) -> Self {
        Self { words: lang.words(), theme }
    }
}

/// What an empty list says: still reading, nothing there, or nothing that fits the filter.
fn empty_note(read: bool, none_at_all: bool, none: &'static str, look: Look) -> &'static str {
    match (read, none_at_all) {
        (false, true) => look.words.loading,
        (true, true) => none,
        (_, false) => look.words.no_match,
    }
}

/// The filter in force, for a list's title.
fn filter_note(state: &State, look: Look) -> String {
    if state.filter.is_empty() {
        return String::new();
    }
    format!(" · {}{}{}", look.words.filtered, look.words.colon, state.filter)
}
