//! How the core behaves, told as stories of messages.

use watchpost_model::alert::Triage;
use watchpost_model::id::AlertId;
use watchpost_model::query::{Live, Page};

use super::state::{MOST_ROWS, NoticeText, Tab};
use super::{Answer, Effect, Link, Message, State, update};
use crate::keymap::Key;
use crate::samples;

fn say(state: &mut State, message: Message) -> Vec<Effect> {
    update(state, message, samples::now())
}

fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    let key = |c| if c == '\n' { Key::Enter } else { Key::Char(c) };
    keys.chars().flat_map(|c| say(state, Message::Key(key(c)))).collect()
}

fn queue() -> State {
    let mut state = State { size: (80, 24), tab: Tab::Alerts, ..State::default() };
    let page = Page { rows: samples::alerts(), total: None, incomplete: String::new() };
    say(&mut state, Message::Answer(Answer::Alerts(page)));
    state
}

fn newer() -> Message {
    let mut alert = samples::alerts()[0].clone();
    alert.id = AlertId::derive(samples::now(), &[b"newer"]);
    Message::Live(Live::Alert(Box::new(alert)))
}

#[test]
fn the_cursor_stays_on_its_alert_while_new_ones_arrive() {
    let mut state = queue();
    press(&mut state, "jj");
    let chosen = state.selected_alert();
    say(&mut state, newer());
    assert_eq!(state.alerts().len(), 6);
    assert_eq!(state.selected_alert(), chosen);
}

#[test]
fn a_frozen_screen_keeps_its_rows_and_thaws_to_all() {
    let mut state = queue();
    press(&mut state, " ");
    say(&mut state, newer());
    assert_eq!(state.alerts().len(), 5);
    press(&mut state, " ");
    assert_eq!(state.alerts().len(), 6);
}

#[test]
fn a_reason_is_mandatory_where_the_model_says_so() {
    let mut state = queue();
    let id = state.selected_alert().unwrap();
    assert_eq!(press(&mut state, "f\n"), []);
    assert_eq!(state.notice.as_ref().unwrap().text, NoticeText::ReasonNeeded);
    let effects = press(&mut state, "scanner\n");
    let [Effect::Triage(of, change)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((*of, change.triage, change.reason.as_str()), (id, Triage::FalsePositive, "scanner"));
    let effects = press(&mut state, "i");
    assert!(matches!(effects.as_slice(), [Effect::Triage(..)]));
}

#[test]
fn keys_typed_into_a_prompt_are_text() {
    let mut state = queue();
    press(&mut state, "/qqq");
    assert!(state.alerts().is_empty());
    assert_eq!(say(&mut state, Message::Key(Key::Esc)), []);
    assert_eq!(press(&mut state, "q"), [Effect::Quit]);
}

#[test]
fn a_filter_searches_attacker_title_and_technique_in_any_case() {
    for (text, found) in [("198.51", 4), ("SSH BRUTE", 1), ("t1110", 1), ("数据库", 1), ("critical", 1)] {
        let mut state = queue();
        press(&mut state, &format!("/{text}\n"));
        assert_eq!(state.alerts().len(), found, "{text}");
    }
}

#[test]
fn the_list_is_bounded_and_drops_the_oldest() {
    let mut state = queue();
    let oldest = samples::alerts()[0].id;
    for number in 0..MOST_ROWS {
        let mut alert = samples::alerts()[4].clone();
        alert.id = AlertId::derive(samples::now(), &[number.to_string().as_bytes()]);
        say(&mut state, Message::Live(Live::Alert(Box::new(alert))));
    }
    assert_eq!(state.live.alerts.len(), MOST_ROWS);
    assert!(!state.live.alerts.contains_key(&oldest));
}

#[test]
fn coming_online_reads_all_lists_once() {
    let mut state = State::default();
    assert_eq!(say(&mut state, Message::Link(Link::Online)), [Effect::Refresh]);
    assert_eq!(say(&mut state, Message::Link(Link::Online)), []);
    assert_eq!(say(&mut state, Message::Live(Live::Missed(3))), [Effect::Refresh]);
}

#[test]
fn an_outage_is_timed_from_its_first_failure() {
    let mut state = State::default();
    let offline = |ago, error: &str| Link::Offline { since: samples::earlier(ago), error: error.into() };
    say(&mut state, Message::Link(offline(90, "refused")));
    say(&mut state, Message::Link(offline(5, "timed out")));
    assert_eq!(state.link, offline(90, "timed out"));
}

#[test]
fn a_late_answer_to_an_older_query_is_ignored() {
    let mut state = State { tab: Tab::Hunt, ..State::default() };
    press(&mut state, "/a\n");
    press(&mut state, "/b\n");
    let empty = Page { rows: vec![], total: None, incomplete: String::new() };
    say(&mut state, Message::Answer(Answer::Hunt("a".into(), Ok(empty))));
    assert!(state.hunt.running, "query is {}", state.hunt.query);
}

#[test]
fn worst_first_puts_the_critical_alert_on_top() {
    let mut state = queue();
    press(&mut state, "s");
    assert_eq!(state.alerts()[0].rule.name, "Login after brute force");
    press(&mut state, "o");
    assert_eq!(state.alerts().len(), 4);
}

#[test]
fn scrolling_stops_where_the_page_ends() {
    let mut state = queue();
    press(&mut state, "\n");
    say(&mut state, Message::Drawn(3));
    press(&mut state, "jjjjjjjj");
    assert_eq!(state.scroll, 3);
    press(&mut state, "k");
    assert_eq!(state.scroll, 2);
}
