//! Every view as it stands on a screen of 80x24 and of 120x40, in both languages, and that no
//! foreign text can break a line or reach the terminal raw.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use watchpost_model::alert::Triage;
use watchpost_model::query::{Live, Page};

use super::{Look, draw};
use crate::app::{Answer, Effect, Link, Message, State, update};
use crate::keymap::Key;
use crate::samples;
use crate::theme::Theme;
use crate::widgets::cells;
use crate::words::Lang;

const PLAIN: Theme = Theme { color: false, ascii: false };

/// The dashboard after the collector has told all it knows.
fn filled() -> State {
    let mut state = State { size: (80, 24), ..State::default() };
    say(&mut state, Message::Link(Link::Online));
    for answer in [
        Answer::Overview(Box::new(samples::overview())),
        Answer::Alerts(page(samples::alerts())),
        Answer::Incidents(page(vec![samples::incident()])),
        Answer::Hosts(samples::hosts()),
    ] {
        say(&mut state, Message::Answer(answer));
    }
    state
}

fn page<T>(rows: Vec<T>) -> Page<T> {
    Page { rows, total: None, incomplete: String::new() }
}

fn say(state: &mut State, message: Message) -> Vec<Effect> {
    update(state, message, samples::now())
}

fn press(state: &mut State, keys: &str) {
    for c in keys.chars() {
        let key = match c {
            '\n' => Key::Enter,
            '\x1b' => Key::Esc,
            c => Key::Char(c),
        };
        for effect in say(state, Message::Key(key)) {
            let answer = match effect {
                Effect::Evidence(id) => Answer::Evidence(id, Ok(samples::evidence())),
                Effect::Story(id) => Answer::Story(id, Ok(Box::new(samples::story()))),
                Effect::Hunt(query) => {
                    let rows = samples::evidence().events.into_iter().map(|event| event.event).collect();
                    Answer::Hunt(
                        query.q,
                        Ok(Page { rows, total: None, incomplete: "stopped after 3 s".into() }),
                    )
                }
                _ => continue,
            };
            say(state, Message::Answer(answer));
        }
    }
}

/// The rows of a screen as they look, without trailing spaces.
fn rows(state: &State, look: Look, width: u16, height: u16) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    draw(state, look, area, &mut buf);
    (0..height)
        .map(|y| {
            let (mut line, mut skip) = (String::new(), 0);
            for x in 0..width {
                if skip == 0 {
                    let symbol = buf[(x, y)].symbol();
                    skip = cells::width(symbol).saturating_sub(1);
                    line.push_str(symbol);
                } else {
                    skip -= 1;
                }
            }
            assert!(cells::width(&line) <= usize::from(width), "row {y} is too wide: {line}");
            assert!(!line.chars().any(char::is_control), "row {y} has a control character: {line:?}");
            line.trim_end().to_owned()
        })
        .collect()
}

/// Both languages, both sizes.
fn shown(name: &str, state: &State) {
    for lang in Lang::ALL {
        for (width, height) in [(80, 24), (120, 40)] {
            let screen = rows(state, Look::new(lang, PLAIN), width, height).join("\n");
            insta::assert_snapshot!(format!("{name}_{}_{width}x{height}", lang.tag()), screen);
        }
    }
}

fn after(keys: &str) -> State {
    let mut state = filled();
    press(&mut state, keys);
    state
}

#[test]
fn the_overview_tells_the_situation() {
    shown("overview", &filled());
}

#[test]
fn the_queue_tells_each_alert_in_a_line() {
    shown("alerts", &after("2"));
}

#[test]
fn an_alert_is_told_in_full() {
    shown("alert", &after("2jj\n"));
}

#[test]
fn an_alert_of_hostile_text_is_told_harmlessly() {
    shown("alert_hostile", &after("2j\n"));
}

#[test]
fn incidents_are_listed() {
    shown("incidents", &after("3"));
}

#[test]
fn an_incident_is_told_as_a_story() {
    shown("incident", &after("3\n"));
}

#[test]
fn hosts_tell_their_health_and_losses() {
    shown("hosts", &after("4"));
}

#[test]
fn a_host_tells_what_it_cannot_see() {
    shown("host_blind", &after("4j"));
}

#[test]
fn a_hunt_lists_events_and_says_if_it_stopped_early() {
    shown("hunt", &after("5/user.name=root\n"));
}

#[test]
fn an_event_is_shown_raw() {
    shown("event", &after("5/root\n\n"));
}

#[test]
fn help_lists_the_keys() {
    shown("help", &after("?"));
}

#[test]
fn a_reason_is_asked_for() {
    shown("reason", &after("2f巡检脚本触发"));
}

#[test]
fn before_any_answer_it_says_so() {
    shown("loading", &State { tab: crate::app::state::Tab::Alerts, now: samples::now(), ..State::default() });
}

#[test]
fn an_empty_installation_says_what_to_do() {
    let mut state = State::default();
    say(&mut state, Message::Answer(Answer::Hosts(vec![])));
    say(&mut state, Message::Answer(Answer::Alerts(page(vec![]))));
    say(&mut state, Message::Live(Live::Overview(Box::default())));
    press(&mut state, "4");
    shown("empty_hosts", &state);
    press(&mut state, "2");
    shown("empty_alerts", &state);
    press(&mut state, "1");
    shown("empty_overview", &state);
}

#[test]
fn a_broken_connection_is_on_every_screen() {
    let mut state = after("2");
    let error = "cannot reach collector 192.0.2.1:7443: connection refused".to_owned();
    say(&mut state, Message::Link(Link::Offline { since: samples::earlier(95), error }));
    shown("disconnected", &state);
}

#[test]
fn a_refused_request_is_told_on_its_page() {
    let mut state = after("2");
    let id = state.selected_alert().unwrap();
    say(&mut state, Message::Key(Key::Enter));
    let why = "collector 192.0.2.1:7443 answered 403: this certificate may not read events".to_owned();
    say(&mut state, Message::Answer(Answer::Evidence(id, Err(why))));
    shown("refused", &state);
}

#[test]
fn a_filter_and_a_freeze_are_seen() {
    shown("filtered_frozen", &after("2 /ssh\n"));
}

#[test]
fn columns_align_whatever_a_host_is_called() {
    for lang in Lang::ALL {
        let screen = rows(&after("4"), Look::new(lang, PLAIN), 80, 24);
        let ends: Vec<usize> = screen[2..5].iter().map(|row| cells::width(row)).collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{screen:#?}");
    }
}

#[test]
fn no_size_of_window_panics() {
    let pages = ["", "2", "2j\n", "3", "3\n", "4", "5/x\n", "5/x\n\n", "?", "2f理由"];
    for keys in pages {
        let state = after(keys);
        for width in (0..130).step_by(7) {
            for height in (0..45).step_by(3) {
                rows(&state, Look::new(Lang::ZhCn, PLAIN), width, height);
            }
        }
    }
}

#[test]
fn ascii_mode_draws_only_ascii_where_the_data_is_ascii() {
    let theme = Theme { color: false, ascii: true };
    let mut state = filled();
    state.live.hosts.truncate(1);
    state.live.alerts.retain(|_, alert| alert.host == "web-01");
    if let Some(overview) = &mut state.live.overview {
        overview.top_targets.truncate(1);
    }
    for keys in ["1", "2", "3", "4", "2\n", "?"] {
        press(&mut state, keys);
        for row in rows(&state, Look::new(Lang::En, theme), 80, 24) {
            assert!(row.is_ascii(), "{keys:?}: {row}");
        }
    }
}

#[test]
fn a_host_that_never_spoke_is_unknown_and_not_well() {
    let mut state = after("4");
    let mut host = samples::hosts().remove(0);
    (host.last_heard, host.liveness) = (None, watchpost_model::asset::Liveness::Never);
    (host.cpu, host.memory, host.ledger) = (0.0, 0.0, watchpost_model::ledger::Ledger::default());
    say(&mut state, Message::Answer(Answer::Hosts(vec![host])));
    for (lang, said) in [(Lang::En, "unknown: has not reported yet"), (Lang::ZhCn, "未知：尚未上报")] {
        let look = Look::new(lang, PLAIN);
        let screen = rows(&state, look, 120, 40).join("\n");
        assert!(screen.contains(said), "{screen}");
        assert!(!screen.contains(look.words.not_blind) && !screen.contains("0%"), "{screen}");
    }
}

#[test]
fn the_way_out_and_the_most_used_keys_are_never_cut() {
    for keys in ["1", "2", "2\n", "3", "3\n", "4", "5"] {
        for lang in Lang::ALL {
            let look = Look::new(lang, PLAIN);
            let screen = rows(&after(keys), look, 80, 24);
            let (foot, words) = (screen.last().unwrap(), &look.words.keys);
            assert!(foot.contains(&format!("q {}", words.quit)), "{keys:?}: {foot}");
            assert!(!foot.contains('…'), "{keys:?}: {foot}");
            if keys.starts_with('2') {
                assert!(foot.contains(words.report) || foot.contains(words.mark), "{foot}");
                assert!(foot.contains(words.mark) || foot.contains((look.words.triage)(Triage::Closed)));
            }
        }
    }
}

#[test]
fn every_key_of_the_help_can_be_read_at_any_size() {
    for (width, height) in [(80, 24), (76, 20), (40, 10)] {
        for lang in Lang::ALL {
            let look = Look::new(lang, PLAIN);
            let mut state = after("2?");
            let mut seen = rows(&state, look, width, height).join("\n");
            assert!(!seen.contains("mark…"), "{seen}");
            for _ in 0..30 {
                press(&mut state, "j");
                seen.push_str(&rows(&state, look, width, height).join("\n"));
            }
            assert!(state.help, "walking does not put the keys away");
            for (_, does) in crate::keymap::help(look.words, state.place()) {
                assert!(seen.contains(&does), "{does:?} at {width}x{height}");
            }
        }
    }
}

#[test]
fn an_incident_of_a_drill_is_marked_in_the_list_and_on_its_page() {
    let mut incident = samples::incident();
    incident.drill = "watchpost-drill-7".into();
    for lang in Lang::ALL {
        let look = Look::new(lang, PLAIN);
        let mut state = after("3");
        say(&mut state, Message::Answer(Answer::Incidents(page(vec![incident.clone()]))));
        let list = rows(&state, look, 80, 24).join("\n");
        assert!(list.contains(&format!("[{}]", look.words.drill_mark)), "{list}");
        let id = samples::incident_id();
        say(&mut state, Message::Key(Key::Enter));
        let story = watchpost_model::query::IncidentStory { incident: incident.clone(), ..samples::story() };
        say(&mut state, Message::Answer(Answer::Story(id, Ok(Box::new(story)))));
        let told = rows(&state, look, 80, 24).join("\n");
        assert!(told.contains("watchpost-drill-7") && told.contains(look.words.drill), "{told}");
    }
}
