//! Grouping, triage and the board.

use super::*;
use watchpost_model::alert::{Alert, MOST_EVIDENCE, Outcome, RuleRef, Severity, Triage};
use watchpost_model::id::{AgentId, EventRef};
use watchpost_model::query::TriageChange;
use watchpost_model::{Event, Kind, Timestamp, field as f};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + seconds, 0)
}

fn login(seconds: i64, user: &str) -> Event {
    let mut event = Event::new(Kind::Auth, at(seconds));
    event.record.set(f::SOURCE_IP, std::net::Ipv4Addr::new(198, 51, 100, 7));
    event.record.set(f::USER_NAME, user);
    event.record.set(f::EVENT_OUTCOME, "failure");
    event
}

fn draft_of(event: &Event, index: u32, group_by: &[watchpost_model::FieldId]) -> Draft {
    draft_in("", event, index, group_by)
}

fn draft_in(drill: &str, event: &Event, index: u32, group_by: &[watchpost_model::FieldId]) -> Draft {
    let rule = RuleRef { id: "r".into(), name: "Rule".into(), ..RuleRef::default() };
    let at = EventRef { frame: 1, index };
    let sighting = Sighting {
        rule: &rule,
        severity: Severity::High,
        outcome: Outcome::Unknown,
        group_by,
        group: Vec::new(),
        correlated: false,
        count: None,
        matched: Vec::new(),
        events: vec![at],
        time: event.time,
        event,
        at,
        agent: AgentId::from_bytes([1; 16]),
        host: "h",
        drill: drill.into(),
    };
    Draft::of(sighting, at_now())
}

fn at_now() -> Timestamp {
    at(10_000)
}

fn first() -> Alert {
    draft_of(&login(0, "root"), 0, &[]).alert
}

#[test]
fn the_same_finding_has_the_same_id_and_another_event_another() {
    let one = draft_of(&login(0, "root"), 0, &[]);
    assert_eq!(one, draft_of(&login(0, "root"), 0, &[]));
    assert_ne!(one.alert.id, draft_of(&login(0, "root"), 1, &[]).alert.id);
    assert_eq!(one.key, draft_of(&login(9, "root"), 1, &[]).key);
}

#[test]
fn repeats_are_grouped_by_what_the_rule_says_or_the_default() {
    let other_user = login(1, "admin");
    assert_ne!(draft_of(&login(0, "root"), 0, &[]).key, draft_of(&other_user, 1, &[]).key);
    let by_ip = [f::SOURCE_IP];
    assert_eq!(draft_of(&login(0, "root"), 0, &by_ip).key, draft_of(&other_user, 1, &by_ip).key);
}

#[test]
fn a_drill_never_shares_a_group_with_the_real_thing() {
    let drill = draft_in("d", &login(1, "root"), 1, &[]);
    assert_ne!(draft_of(&login(0, "root"), 0, &[]).key, drill.key);
    assert_eq!(drill.alert.drill, "d");
}

#[test]
fn a_repeat_is_taken_within_the_gap_and_while_nobody_has_finished() {
    let repeat = |seconds| draft_of(&login(seconds, "root"), 1, &[]).alert;
    let table = [
        (0, 3_600, Triage::New, true),
        (0, 3_601, Triage::New, false),
        (3_600, 0, Triage::Investigating, true),
        (3_601, 0, Triage::New, false),
        (0, 1, Triage::FalsePositive, true),
        (0, 1, Triage::Ignored, true),
        (0, 1, Triage::Handled, false),
        (0, 1, Triage::Closed, false),
    ];
    for (opened, repeated, triage, expected) in table {
        let alert = Alert { triage, ..repeat(opened) };
        assert_eq!(takes(&alert, &repeat(repeated)), expected, "{opened} {repeated} {triage:?}");
    }
}

#[test]
fn evidence_keeps_the_first_and_the_last_and_counts_all() {
    let mut alert = first();
    for index in 1..200 {
        absorb(&mut alert, draft_of(&login(i64::from(index), "root"), index, &[]).alert);
    }
    assert_eq!(alert.count, 200);
    assert_eq!(alert.last_seen, at(199));
    let kept: Vec<u32> = alert.events.iter().map(|event| event.index).collect();
    let expected: Vec<u32> = (0..25).chain(175..200).collect();
    assert_eq!(kept, expected);
    assert_eq!(kept.len(), MOST_EVIDENCE);
    absorb(&mut alert, draft_of(&login(199, "root"), 199, &[]).alert);
    assert_eq!(alert.events.len(), MOST_EVIDENCE, "the same event is evidence once");
}

#[test]
fn a_correlation_counts_each_event_once_however_its_windows_overlap() {
    let refs = |range: std::ops::Range<u32>| range.map(|index| EventRef { frame: 1, index }).collect();
    let finding = |range: std::ops::Range<u32>, count| {
        let mut alert = draft_of(&login(0, "root"), range.start, &[]).alert;
        (alert.count, alert.events) = (count, refs(range));
        alert
    };
    let mut alert = finding(0..10, 10);
    absorb(&mut alert, finding(1..11, 10));
    assert_eq!(alert.count, 11, "one new event");
    absorb(&mut alert, finding(1..11, 10));
    assert_eq!(alert.count, 11, "nothing new");
    absorb(&mut alert, finding(20..30, 400));
    assert_eq!(alert.count, 411, "a window of its own counts as the rule counted");
    let mut silent = draft_of(&login(0, "root"), 0, &[]).alert;
    silent.events.clear();
    let again = silent.clone();
    absorb(&mut silent, again);
    assert_eq!(silent.count, 2, "without references each firing counts");
}

#[test]
fn an_alert_keeps_what_all_its_repeats_say() {
    let mut alert = first();
    let mut second = draft_of(&login(1, "admin"), 1, &[]).alert;
    second.outcome = Outcome::Success;
    absorb(&mut alert, second);
    assert_eq!(alert.target.user, None, "two users: naming one would mislead");
    assert!(alert.attacker.ip.is_some());
    assert_eq!(alert.outcome, Outcome::Success, "the worst outcome stays");
    absorb(&mut alert, draft_of(&login(2, "root"), 2, &[]).alert);
    assert_eq!(alert.outcome, Outcome::Success);
}

#[test]
fn a_false_positive_needs_a_reason_and_a_change_names_its_owner() {
    let mut alert = first();
    let mut wanted = TriageChange { triage: Triage::FalsePositive, reason: "  ".into() };
    assert_eq!(change(&mut alert, &wanted, "zhang"), Err(RefusedTriage::NoReason));
    assert_eq!(alert.triage, Triage::New);
    wanted.reason = "known scanner".into();
    change(&mut alert, &wanted, "zhang").unwrap();
    assert_eq!((alert.owner.as_str(), alert.reason.as_str()), ("zhang", "known scanner"));
    wanted.reason = "x".repeat(2_001);
    assert_eq!(change(&mut alert, &wanted, "zhang"), Err(RefusedTriage::LongReason(2_001)));
}

#[test]
fn the_board_counts_open_alerts_and_forgets_finished_ones() {
    let mut board = Board::default();
    let mut alert = first();
    board.raise(&alert);
    board.raise(&draft_of(&login(0, "admin"), 1, &[]).alert);
    assert_eq!(board.open(), [0, 0, 0, 2, 0]);
    assert_eq!(board.tops(5).attackers, [("198.51.100.7".to_owned(), 2)]);
    assert_eq!(board.tops(5).rules, [("Rule".to_owned(), String::new(), 2)]);
    alert.triage = Triage::Closed;
    board.note(&alert);
    assert_eq!(board.open(), [0, 0, 0, 1, 0]);
    assert_eq!(board.by_agent().values().sum::<u64>(), 1);
    let hourly = board.hourly(at_now());
    assert_eq!((hourly.len(), hourly.last().copied()), (24, Some(2)));
    assert_eq!(board.hourly(at(10_000 + 3_600 * 23)).first(), Some(&2));
    assert_eq!(board.hourly(at(10_000 + 3_600 * 24)).iter().sum::<u64>(), 0);
}

#[test]
fn an_alert_of_which_nothing_is_left_says_so_until_a_repeat_comes_and_to_nobody_who_judged_it() {
    use watchpost_rules::{FindingId, Standing};
    let reason = |alert: &Alert| alert.reason.clone();
    let mut alert = first();
    amend(&mut alert, first(), Standing::Withdrawn, 1);
    assert!(reason(&alert).starts_with("withdrawn by detection"), "{}", alert.reason);
    let notes = |alert: &Alert, key: &str| alert.matched.iter().filter(|field| field.field == key).count();
    assert_eq!((notes(&alert, "withdrawn"), alert.severity), (1, Severity::High));
    absorb(&mut alert, draft_of(&login(5, "root"), 5, &[]).alert);
    assert_eq!(reason(&alert), "");
    amend(&mut alert, first(), Standing::Withdrawn, 1);
    assert_eq!(reason(&alert), "", "the repeat stands");
    amend(&mut alert, first(), Standing::Absorbed { into: FindingId::from_bytes([7; 16]) }, 1);
    assert_eq!((notes(&alert, "withdrawn"), notes(&alert, "absorbed")), (1, 1));
    for second in 0..40 {
        let version = draft_of(&login(second, "root"), 0, &[]).alert;
        amend(&mut alert, version, Standing::Withdrawn, 1);
    }
    assert_eq!(notes(&alert, "withdrawn"), 8);
    let mut judged = Alert { triage: Triage::Handled, reason: "seen".into(), ..first() };
    amend(&mut judged, first(), Standing::Withdrawn, 1);
    assert_eq!(reason(&judged), "seen");
}
