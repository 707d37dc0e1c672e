//! Promises of single tests.

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::new(crate::parse::tokens(text), false)
}

fn check(want: &str, had: &str, fits: bool) {
    assert_eq!(pattern(want).matches(&Had::new(had)), fits, "{want:?} against {had:?}");
}

#[test]
fn text_is_compared_without_case() {
    check("WhoAmI.EXE", "whoami.exe", true);
    check("ÄRGER", "ärger", true);
    check("whoami", "whoami ", false);
    assert!(!Pattern::new(vec![Token::Text("A".into())], true).matches(&Had::new("a")));
}

#[test]
fn wildcards_cross_line_breaks_and_need_no_backtracking() {
    check("a*b*c", "a\nxb\nyc", true);
    check("a*b*c", "acb", false);
    check("*?b", "b", false);
    check("?", "é", true);
    check("a*ab", "ab", false);
    check("*aab*", "aaab", true);
    check("x*ab?d*", "x..abcd..", true);
    check("*", "", true);
    check("", "", true);
    check("", "x", false);
}

#[test]
fn an_escaped_wildcard_is_itself() {
    check(r"a\*b", "a*b", true);
    check(r"a\*b", "axb", false);
    check(r"C:\\Windows\\*", r"c:\windows\x", true);
    check(r"C:\Windows\*", r"c:\windows*", true);
}

#[test]
fn a_network_takes_its_own_addresses_only() {
    let net = Net::parse("10.0.0.0/8").unwrap();
    assert!(net.contains("10.255.0.1".parse().unwrap()));
    assert!(net.contains("::ffff:10.0.0.1".parse().unwrap()));
    assert!(!net.contains("11.0.0.1".parse().unwrap()));
    assert!(Net::parse("0.0.0.0/0").unwrap().contains("8.8.8.8".parse().unwrap()));
    assert!(Net::parse("fe80::/10").unwrap().contains("fe80::1".parse().unwrap()));
    assert_eq!(Net::parse("10.0.0.0/33"), None);
    assert_eq!(Net::parse("10.0.0"), None);
}

#[test]
fn parts_of_time_follow_the_calendar() {
    assert_eq!(Part::Hour.of("2024-02-29T23:59:58Z"), Some(23));
    assert_eq!(Part::Day.of("2024-02-29 23:59:58"), Some(29));
    assert_eq!(Part::Month.of("2024-02-29T23:59:58Z"), Some(2));
    assert_eq!(Part::Year.of("2024-02-29T23:59:58Z"), Some(2024));
    assert_eq!(Part::Week.of("2021-01-03T00:00:00Z"), Some(53));
    assert_eq!(Part::Week.of("2021-01-04T00:00:00Z"), Some(1));
    assert_eq!(Part::Week.of("yesterday"), None);
}

#[test]
fn words_are_not_numbers() {
    assert_eq!(Had::new("nan").number(), None);
    assert_eq!(Had::new("inf").number(), None);
    assert_eq!(Had::new("-4.5").number(), Some(-4.5));
    assert_eq!(Had::new("0443").number(), Some(443.0));
}
