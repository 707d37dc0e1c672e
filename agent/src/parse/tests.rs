//! Whole lines in, whole events out.

use super::*;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use watchpost_model::{FieldId, Kind, Value};

fn reference() -> Reference {
    Reference { now: Timestamp::parse("2026-11-23T12:00:00Z").unwrap(), zone: TimeZone::UTC }
}

fn read(text: &str) -> Event {
    Reader::new(Format::Syslog).read(Line { text, cut: false }, &reference()).event
}

#[track_caller]
fn check(line: &str, action: &str, outcome: &str, more: &[(FieldId, &str)]) {
    let event = read(line);
    assert_eq!(event.kind, Kind::Auth, "{line}");
    assert_eq!(event.text(f::EVENT_ACTION), Some(action), "{line}");
    assert_eq!(event.text(f::EVENT_OUTCOME), Some(outcome), "{line}");
    assert_eq!(event.text(f::EVENT_ORIGINAL), Some(line));
    for (field, expected) in more {
        let found = event.record.get(*field).map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(*expected), "{}: {line}", field.name());
    }
}

#[test]
fn logins_over_ssh_say_who_and_from_where() {
    check(
        "Nov 22 10:00:00 web sshd[71]: Accepted publickey for bob from 192.0.2.1 port 50022 ssh2: ED25519 SHA256:x",
        "ssh_login",
        "success",
        &[
            (f::USER_NAME, "bob"),
            (f::SOURCE_IP, "192.0.2.1"),
            (f::SOURCE_PORT, "50022"),
            (f::AUTH_METHOD, "publickey"),
            (f::PROCESS_PID, "71"),
            (f::LOG_SYSLOG_HOST, "web"),
            (f::EVENT_PROVIDER, "sshd"),
        ],
    );
    check(
        "2026-11-22T10:00:00.5+00:00 web sshd-session[71]: Failed password for invalid user x y from ::ffff:192.0.2.1 port 5 ssh2",
        "ssh_login",
        "failure",
        &[(f::USER_NAME, "x y"), (f::SOURCE_IP, "192.0.2.1"), (f::AUTH_INVALID_USER, "true")],
    );
    check(
        "Nov 22 10:00:00 web sshd[71]: error: PAM: Authentication failure for bob from host.example",
        "ssh_login",
        "failure",
        &[(f::SOURCE_DOMAIN, "host.example"), (f::SOURCE_ADDRESS, "host.example")],
    );
}

#[test]
fn rights_taken_say_whose() {
    check(
        "Nov 22 10:00:00 web sudo:  bob : TTY=pts/1 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id -u",
        "sudo",
        "success",
        &[
            (f::USER_NAME, "bob"),
            (f::USER_TARGET, "root"),
            (f::PROCESS_COMMAND_LINE, "/usr/bin/id -u"),
            (f::PROCESS_TTY, "pts/1"),
            (f::PROCESS_WORKING_DIRECTORY, "/tmp"),
        ],
    );
    for reason in ["user NOT in sudoers", "3 incorrect password attempts", "command not allowed"] {
        let line = format!(
            "Nov 22 10:00:00 web sudo: bob : {reason} ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/ls"
        );
        check(&line, "sudo", "failure", &[(f::EVENT_REASON, reason)]);
    }
    check(
        "Nov 22 10:00:00 web su: (to root) bob on pts/1",
        "su",
        "success",
        &[(f::USER_TARGET, "root"), (f::USER_NAME, "bob")],
    );
    check(
        "Nov 22 10:00:00 web su[9]: FAILED SU (to root) bob on pts/1",
        "su",
        "failure",
        &[(f::USER_NAME, "bob")],
    );
    check("Nov 22 10:00:00 web su[9]: - pts/1 bob:root", "su", "failure", &[(f::USER_TARGET, "root")]);
    check(
        "Nov 22 10:00:00 web su[9]: BAD SU bob to root on /dev/ttyp0",
        "su",
        "failure",
        &[(f::PROCESS_TTY, "ttyp0")],
    );
}

#[test]
fn sessions_and_refusals_of_pam_are_read() {
    check(
        "Nov 22 10:00:00 web su[9]: pam_unix(su:session): session opened for user root(uid=0) by bob(uid=1000)",
        "session_opened",
        "success",
        &[(f::USER_NAME, "bob"), (f::USER_TARGET, "root")],
    );
    check(
        "Nov 22 10:00:00 web sshd[9]: pam_unix(sshd:session): session closed for user bob",
        "session_closed",
        "success",
        &[],
    );
    check(
        "Nov 22 10:00:00 web vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=bob rhost=192.0.2.1",
        "pam_auth",
        "failure",
        &[(f::USER_NAME, "bob"), (f::SOURCE_IP, "192.0.2.1")],
    );
    check(
        "Nov 22 10:00:00 web su: pam_unix(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=pts/1 ruser=bob rhost=  user=root",
        "pam_auth",
        "failure",
        &[(f::USER_NAME, "bob"), (f::USER_TARGET, "root")],
    );
}

#[test]
fn changes_of_accounts_are_read() {
    check(
        "Nov 22 10:00:00 web useradd[9]: new user: name=eve, UID=1001, GID=1001, home=/home/eve, shell=/bin/sh, from=none",
        "user_added",
        "success",
        &[(f::USER_TARGET, "eve"), (f::EVENT_CATEGORY, "iam")],
    );
    check(
        "Nov 22 10:00:00 web userdel[9]: delete user 'eve'",
        "user_deleted",
        "success",
        &[(f::USER_TARGET, "eve")],
    );
    check(
        "Nov 22 10:00:00 web usermod[9]: add 'eve' to group 'sudo'",
        "group_changed",
        "success",
        &[(f::USER_TARGET, "eve"), (f::GROUP_NAME, "sudo")],
    );
    check(
        "Nov 22 10:00:00 web gpasswd[9]: user eve added by root to group docker",
        "group_changed",
        "success",
        &[(f::GROUP_NAME, "docker"), (f::USER_NAME, "root")],
    );
    check(
        "Nov 22 10:00:00 web usermod[9]: change user 'eve' shell from '/bin/sh' to '/bin/bash'",
        "user_changed",
        "success",
        &[],
    );
    check(
        "Nov 22 10:00:00 web groupadd[9]: new group: name=ops, GID=1005",
        "group_added",
        "success",
        &[(f::GROUP_NAME, "ops")],
    );
    for program in ["passwd", "chpasswd"] {
        let line = format!(
            "Nov 22 10:00:00 web {program}[9]: pam_unix({program}:chauthtok): password changed for eve"
        );
        check(&line, "password_changed", "success", &[(f::USER_TARGET, "eve")]);
    }
}

#[test]
fn cron_says_what_it_ran_and_who_changed_the_table() {
    check(
        "Nov 22 10:00:00 web CRON[9]: (root) CMD (command -v x && (y) )",
        "cron_command",
        "success",
        &[(f::USER_NAME, "root"), (f::PROCESS_COMMAND_LINE, "command -v x && (y) ")],
    );
    check(
        "Nov 22 10:00:00 web crontab[9]: (eve) REPLACE (eve)",
        "crontab_changed",
        "success",
        &[(f::USER_NAME, "eve")],
    );
}

#[test]
fn an_unknown_line_is_kept_raw() {
    let event = read("Nov 22 10:00:00 web kernel: [1.0] something");
    assert_eq!(event.kind, Kind::Log);
    assert_eq!(event.text(f::PARSE), Some("raw"));
    assert_eq!(event.text(f::EVENT_PROVIDER), Some("kernel"));
    assert_eq!(event.text(f::MESSAGE), Some("[1.0] something"));
    assert_eq!(event.time, Timestamp::parse("2026-11-22T10:00:00Z").unwrap());
}

#[test]
fn folded_lines_are_unfolded_within_bounds() {
    let line = |count: &str| {
        format!(
            "Nov 22 10:00:00 web sshd[7]: message repeated {count} times: [ Failed password for root from 192.0.2.1 port 5 ssh2]"
        )
    };
    let times = |count: &str| {
        let parsed = Reader::new(Format::Syslog).read(Line { text: &line(count), cut: false }, &reference());
        assert_eq!(parsed.event.text(f::EVENT_OUTCOME), Some("failure"));
        parsed.times
    };
    assert_eq!(times("4"), 4);
    assert_eq!(times("99999999"), MOST_REPEATS);
    assert_eq!(times("0"), 1);
}

#[test]
fn the_peer_of_an_earlier_line_is_remembered() {
    let mut reader = Reader::new(Format::Syslog);
    let mut next = |text: &str| reader.read(Line { text, cut: false }, &reference()).event;
    next("Nov 22 10:00:00 web sshd[7]: Connection from 192.0.2.1 port 5 on 192.0.2.2 port 22");
    let event = next(
        "Nov 22 10:00:02 web sshd[7]: Disconnecting: Too many authentication failures for root [preauth]",
    );
    assert_eq!(event.text(f::EVENT_OUTCOME), Some("failure"));
    assert_eq!(event.record.get(f::SOURCE_IP).and_then(Value::as_ip), Some("192.0.2.1".parse().unwrap()));
    let other = next(
        "Nov 22 10:00:02 web sshd[8]: Disconnecting: Too many authentication failures for root [preauth]",
    );
    assert_eq!(other.record.get(f::SOURCE_IP), None);
}

#[test]
fn a_secret_in_a_command_does_not_leave_the_host() {
    let event =
        read("Nov 22 10:00:00 web sudo: bob : TTY=x ; PWD=/ ; USER=root ; COMMAND=/bin/x --password hunter2");
    assert!(!event.to_json().to_string().contains("hunter2"));
}

#[test]
fn a_cut_line_says_so() {
    let parsed = Reader::new(Format::Syslog).read(Line { text: "x", cut: true }, &reference());
    assert_eq!(parsed.event.text(f::PARSE), Some("cut"));
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in ".{0,300}", app in "(sshd|sudo|su|CRON|useradd|login|x)", with in any::<bool>()) {
        let line = if with { format!("Nov 22 10:00:00 web {app}[7]: {text}") } else { text };
        for format in [Format::Syslog, Format::Pam, Format::Service, Format::Web] {
            let event = Reader::new(format).read(Line { text: &line, cut: false }, &reference()).event;
            prop_assert!(event.text(f::EVENT_ORIGINAL).is_some() || line.is_empty());
        }
    }

    #[test]
    fn words_of_sshd_in_any_order_do_not_panic(words in prop::collection::vec(
        prop::sample::select(vec!["Failed", "password", "for", "invalid", "user", "from", "192.0.2.1", "port", "22", "ssh2",
            "[preauth]", "error:", "pam_unix(sshd:auth):", "authentication failure;", "rhost=", "user=", ": ", "\u{0}", "é"]), 0..20)) {
        let line = format!("Nov 22 10:00:00 web sshd[7]: {}", words.join(" "));
        let _ = read(&line);
    }
}
