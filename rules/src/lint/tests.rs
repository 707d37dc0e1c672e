//! Faults that are found, and near misses that are not.

use super::*;

fn source(name: &str, detection: &str) -> Source {
    let text = format!(
        "title: {name}\nid: {name}\nlogsource: {{category: process_creation, product: linux}}\ndetection:\n{detection}"
    );
    Source { name: format!("{name}.yml"), text }
}

fn linted(sources: &[Source]) -> Lint {
    let set = RuleSet::load(sources);
    assert_eq!(set.rejected(), []);
    lint(&set, sources)
}

/// Kind and line of the dead parts of one rule.
fn dead_in(detection: &str) -> Vec<(&'static str, usize)> {
    let found = linted(&[source("one", detection)]).dead;
    found.iter().map(|note| (note.fault.kind(), note.line.unwrap())).collect()
}

#[test]
fn a_selection_that_nobody_asks_is_told_with_its_line() {
    assert_eq!(dead_in("  a: {Image: x}\n  b: {Image: y}\n  condition: a\n"), [("unused_selection", 6)]);
    assert_eq!(dead_in("  a: {Image: x}\n  b: {Image: y}\n  condition: 1 of them\n"), []);
}

#[test]
fn a_condition_that_contradicts_itself_is_told() {
    let two = "  a: {Image: x}\n  b: {User: y}\n";
    for condition in
        ["a and b and not b", "a and b and not (a or b)", "not a and all of them", "a and not 1 of them"]
    {
        let found = dead_in(&format!("{two}  condition: {condition}\n"));
        assert_eq!(found, [("never_true", 7)], "{condition}");
    }
    for condition in ["a and not b", "a or not a or b", "(a or b) and not a", "1 of them and not b"] {
        assert_eq!(dead_in(&format!("{two}  condition: {condition}\n")), [], "{condition}");
    }
}

#[test]
fn two_values_for_one_field_exclude_each_other() {
    let both = |one: &str, other: &str| dead_in(&format!("  a:\n    {one}\n    {other}\n  condition: a\n"));
    for (one, other) in [
        ("Image: /bin/a", "Image|endswith: /b"),
        ("Image|startswith: /usr/", "Image|startswith|cased: /opt/"),
        ("Image: ", "Image|contains: x"),
        ("ProcessId|gt: 5", "ProcessId|lt: 3"),
        ("ProcessId: 7", "ProcessId|gte: 8"),
        ("Image|exists: false", "Image|contains: x"),
    ] {
        assert_eq!(both(one, other), [("contradiction", 5)], "{one}, {other}");
    }
    for (one, other) in [
        ("Image|startswith: /usr/", "Image|startswith|cased: /usr/bin"),
        ("Image|startswith: /usr/", "Image|endswith: /opt"),
        ("Image: /bin/a", "User: /bin/b"),
        ("ProcessId|gt: 5", "ProcessId|lt: 7"),
        ("Image|contains: a", "Image|contains|cased: B"),
    ] {
        assert_eq!(both(one, other), [], "{one}, {other}");
    }
    assert_eq!(dead_in("  a:\n    Image|all: [x, y]\n  condition: a\n"), [("contradiction", 5)]);
    assert_eq!(dead_in("  a: {Image: x}\n  b: {Image: y}\n  condition: a and b\n"), [("clash", 7)]);
}

#[test]
fn a_filter_that_takes_everything_is_told() {
    let with = |filter: &str| {
        dead_in(&format!(
            "  sel:\n    Image|endswith: [/curl, /wget]\n    User: root\n  filter:\n    {filter}\n  condition: sel and not 1 of filter*\n"
        ))
    };
    assert_eq!(with("User: ROOT"), [("swallowed", 8)]);
    assert_eq!(with("Image|contains: [curl, wget]"), [("swallowed", 8)]);
    assert_eq!(with("Image|endswith: /curl"), []);
    assert_eq!(with("User|cased: ROOT"), []);
    assert_eq!(with("User|re: ^root$"), [], "what can not be decided is not told");
}

#[test]
fn a_value_that_a_broader_one_covers_is_told() {
    let list =
        "  a:\n    CommandLine|contains:\n      - curl\n      - /curl -s\n      - wget\n  condition: a\n";
    let found = linted(&[source("one", list)]).dead;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].line, Some(8));
    assert!(found[0].fault.reason().contains("'/curl -s' is already covered by 'curl'"), "{:?}", found[0]);
    let all = "  a: {CommandLine|contains|all: [xyz, xy]}\n  condition: a\n";
    assert!(
        linted(&[source("one", all)]).dead[0].fault.reason().contains("'xy' is already covered by 'xyz'")
    );
    assert_eq!(dead_in("  a: {Image: [x, y, X]}\n  condition: a\n"), [("subsumed_value", 5)]);
    assert_eq!(dead_in("  a: {Image: [x, y, x]}\n  condition: a\n"), [("repeated_value", 5)]);
    assert_eq!(dead_in("  a: {Image|endswith: [/sh, /bash]}\n  condition: a\n"), []);
    assert_eq!(dead_in("  a: {ProcessId: [1, 11]}\n  condition: a\n"), []);
}

#[test]
fn rules_that_say_the_same_are_told_whatever_they_are_called() {
    let one = source("one", "  a: {Image|endswith: [/x, /y], User: root}\n  condition: a\n");
    let other =
        source("other", "  s1: {User: ROOT}\n  s2: {Image: ['*/Y', '*/x']}\n  condition: all of s*\n");
    let third = source("third", "  a: {Image|endswith: [/x, /y], User: root}\n  condition: not a\n");
    let found = linted(&[one, other, third]).duplicates;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].rule.as_str(), found[0].fault.kind()), ("other", "same_detection"));
    assert!(found[0].fault.reason().contains("one in one.yml"));
}

#[test]
fn an_id_that_stands_twice_is_told() {
    let first = source("one", "  a: {Image: x}\n  condition: a\n");
    let again = Source { name: "again.yml".into(), text: first.text.clone() };
    let sources = [first, again];
    let set = RuleSet::load(&sources);
    assert_eq!(set.rejected().len(), 1);
    let found = lint(&set, &sources).duplicates;
    assert_eq!(
        (found[0].file.as_str(), found[0].line, found[0].fault.kind()),
        ("again.yml", Some(2), "same_id")
    );
}

#[test]
fn regexes_without_a_text_to_look_for_are_slow() {
    let slow = |regex: &str| {
        let rule = source("one", &format!("  a:\n    CommandLine|re: '{regex}'\n  condition: a\n"));
        let found = linted(&[rule]).slow;
        found.iter().map(|note| note.fault.kind()).collect::<Vec<_>>()
    };
    for regex in ["[a-z]{8}", "ab.cd", "(curl|wg)", "(abc)?", "\\d+x", "(?i)ab"] {
        assert_eq!(slow(regex), ["regex_without_literal"], "{regex}");
    }
    for regex in ["curl", "(curl|wget)", "a(bc)d", "(?i)curl", "x{3}abc", "[Cc][Uu][Rr]"] {
        assert_eq!(slow(regex), Vec::<&str>::new(), "{regex}");
    }
    assert_eq!(slow(".*curl"), ["regex_leading_wildcard"]);
    let words = linted(&[source("one", "  a: [x, y]\n  condition: a\n")]).slow;
    assert_eq!(words[0].fault, Fault::Keywords { words: 2 });
    assert!(words[0].cost.unwrap() >= 400);
}

#[test]
fn the_text_that_every_match_contains_is_found() {
    assert_eq!(literal("^/(usr|opt)/bin/curl$"), "/bin/curl");
    assert_eq!(literal("(curl|wget)"), "");
    assert_eq!(literal("(?i)Curl -\\w"), "curl -");
}

#[test]
fn blind_rules_say_what_would_light_them() {
    let text = |logsource: &str| Source {
        name: format!("{logsource}.yml"),
        text: format!(
            "title: a rule\nlogsource: {{{logsource}}}\ndetection: {{a: {{Odd: x}}, condition: a}}\n"
        ),
    };
    let needs = |logsource: &str| linted(&[text(logsource)]).blind.first().map(|blind| blind.needs.clone());
    assert_eq!(needs("product: windows, service: security"), Some(Need::Windows));
    assert_eq!(needs("product: aws, service: cloudtrail"), Some(Need::Cloud("aws".into())));
    assert_eq!(needs("product: zeek, service: smb"), Some(Need::Zeek("smb".into())));
    assert_eq!(needs("category: dns"), Some(Need::Fields(vec!["Odd".into()])));
    assert_eq!(needs("product: linux, service: auditd"), None, "audit records keep every key");
    let blind = &linted(&[text("product: windows")]).blind[0];
    let json = serde_json::to_value(blind).unwrap();
    assert!(json["needs"].as_str().unwrap().contains("--input evtx"), "{json}");
}

#[test]
fn tags_that_a_report_needs_are_asked_for() {
    let rule = |tags: &str| {
        let rule = source("one", "  a: {Image: x}\n  condition: a\n");
        linted(&[Source { text: format!("{}tags: [{tags}]\n", rule.text), ..rule }])
    };
    let good = rule("attack.t1059.004, gbt20986.02005");
    assert_eq!((good.uncategorised, good.untagged), (vec![], vec![]));
    let bad = rule("gbt20986.99999");
    assert_eq!(bad.uncategorised[0].fault, Fault::BadCategory { code: "99999".into() });
    assert_eq!(bad.untagged[0].fault, Fault::NoTechnique);
    assert_eq!(bad.untagged[0].line, Some(7));
}

#[test]
fn many_filters_do_not_make_the_search_long() {
    let mut text = String::from("  sel: {Image|contains: x}\n");
    for n in 0..60 {
        text.push_str(&format!("  filter_{n}: {{CommandLine|contains: 'a{n}b', User|contains: 'u{n}'}}\n"));
    }
    text.push_str("  condition: sel and not 1 of filter_*\n");
    assert_eq!(dead_in(&text), []);
}
