//! Junk in a log that a running agent follows.

use std::fs;

use watchpost_model::limits;
use watchpost_tests::patience::eventually;
use watchpost_tests::site::Site;

use crate::{append, kept, line_arrives, only_log, peak, scenario, status};

#[test]
fn junk_in_a_followed_log_arrives_line_by_line_and_later_lines_still_raise_alerts() {
    let mut site = Site::here();
    let log = site.path("auth.log");
    let junk = [&fs::read(scenario("hostile_log/junk.log")).unwrap()[..], b"\n"].concat();
    append(&log, &junk);
    site.start_agent(&only_log(&log, "auth"));
    line_arrives(&site, "newline");
    let good = fs::read(scenario("ssh_guessed/auth.log")).unwrap();
    append(&log, &good);
    eventually("the alert on the good lines", || {
        let wanted = "SSH login succeeded after brute force from the same source";
        site.list(&["alerts"]).iter().any(|alert| alert["rule"]["name"] == wanted).then_some(())
    });
    let all = [junk, good].concat();
    let lines: Vec<_> = all.split_inclusive(|byte| *byte == b'\n').collect();
    let written = lines.len() as u64;
    eventually("every line is counted", || {
        let ledger = status(&site)?["ledger"].as_array()?.clone();
        let entry = ledger.iter().find(|entry| entry["stage"] == "lines")?.clone();
        assert_eq!(entry["lost"], 0, "no line is lost");
        (entry["passed"] == written).then_some(())
    });
    let blank = lines.iter().filter(|line| String::from_utf8_lossy(line).trim().is_empty()).count();
    assert_eq!(kept(&mut site).len(), lines.len() - blank, "every line that says something arrived");
}

/// Bytes that an agent may hold while a line passes that is far longer.
const MOST_MEMORY: u64 = 128 << 20;

#[test]
fn a_line_without_end_is_cut_in_bounded_memory_and_the_next_one_arrives() {
    let mut site = Site::here();
    let log = site.path("app.log");
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-before\n");
    site.start_agent(&only_log(&log, "syslog"));
    line_arrives(&site, "line-before");
    let endless = vec![b'x'; 16 << 20];
    for _ in 0..12 {
        append(&log, &endless);
    }
    append(&log, b"\nNov 23 10:00:00 web01 app[7]: line-after\n");
    line_arrives(&site, "line-after");
    let peak = peak(site.agent.as_ref().unwrap());
    assert!(peak < MOST_MEMORY, "the agent held {} MiB", peak >> 20);
    let kept = kept(&mut site);
    assert_eq!(kept.len(), 3);
    assert_eq!((kept[0].as_str(), kept[2].as_str()), ("line-before", "line-after"));
    assert!(kept[1].starts_with("xxx") && kept[1].len() <= limits::TEXT_BYTES);
}
