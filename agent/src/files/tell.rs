//! Changes as events: one each, unless there are so many that one sentence says more.

use std::path::PathBuf;

use watchpost_model::event::File;
use watchpost_model::{Event, Timestamp, field as f};

use super::baseline::Change;
use crate::process::Users;

/// Changes below one configured path, in one sweep, that are told one by one; of more only a sum
/// is told besides.
const MOST_EACH: usize = 50;

/// The events of one sweep's changes.
pub(super) fn events(changes: &[Change], paths: &[PathBuf], users: &mut Users, now: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    let mut left: Vec<&Change> = changes.iter().collect();
    for path in paths {
        let (below, rest): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|change| change.path.starts_with(path));
        left = rest;
        events.extend(below.iter().take(MOST_EACH).map(|change| event(change, users, now)));
        if below.len() > MOST_EACH {
            events.push(storm(path.display().to_string(), &below, now));
        }
    }
    // What fits a pattern, not a plain path.
    events.extend(left.iter().take(MOST_EACH).map(|change| event(change, users, now)));
    if left.len() > MOST_EACH {
        events.push(storm("several paths".to_owned(), &left, now));
    }
    events
}

fn event(change: &Change, users: &mut Users, now: Timestamp) -> Event {
    let gone = change.what == "deletion";
    let mut event = Event::from(File {
        time: now,
        change: change.what,
        path: change.path.to_string_lossy().into_owned(),
        sha256: if gone { String::new() } else { change.look.sha256.clone() },
        size: (!gone).then_some(change.look.size),
    });
    let record = &mut event.record;
    record.set(f::EVENT_PROVIDER, "files");
    record.set(f::FILE_OWNER, users.name(change.look.uid, now));
    record.set(f::FILE_MODE, change.look.rights());
    if !change.reasons.is_empty() {
        record.set(f::EVENT_REASON, change.reasons.join(", "));
    }
    event
}

/// Many changes at once, in one event.
fn storm(path: String, changes: &[&Change], now: Timestamp) -> Event {
    let count = |what| changes.iter().filter(|change| change.what == what).count();
    let (created, changed, deleted) = (count("creation"), count("change"), count("deletion"));
    let message = format!(
        "{} changes at once below {path}: {created} created, {changed} changed, {deleted} deleted; the first {MOST_EACH} are told one by one",
        changes.len(),
    );
    let mut event = Event::from(File { time: now, change: "change", path, ..File::default() });
    event.record.set(f::EVENT_PROVIDER, "files");
    event.record.set(f::EVENT_ACTION, "file_storm");
    event.record.set(f::MESSAGE, message);
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::look::Look;

    fn change(path: &str, what: &'static str) -> Change {
        Change { path: path.into(), what, reasons: Vec::new(), look: Look::default() }
    }

    #[test]
    fn a_storm_is_told_as_a_sum_and_does_not_hide_other_files() {
        let mut changes: Vec<_> = (0..500).map(|n| change(&format!("/a/{n}"), "deletion")).collect();
        changes.push(change("/b/x", "creation"));
        let mut users = Users::new("/nowhere".as_ref());
        let told = events(&changes, &["/a".into(), "/b".into()], &mut users, Timestamp::EPOCH);
        assert_eq!(told.len(), MOST_EACH + 2);
        let storm = told.iter().find(|event| event.text(f::EVENT_ACTION) == Some("file_storm")).unwrap();
        assert!(storm.text(f::MESSAGE).unwrap().contains("0 created, 0 changed, 500 deleted"));
        assert_eq!(told.last().and_then(|event| event.text(f::FILE_PATH)), Some("/b/x"));
    }
}
