//! Promises of the parser.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Parsed {
    parse(&Source { name: "test.yml".into(), text: text.into() })
}

fn refused(text: &str, reason: &str, line: Option<usize>) {
    let parsed = read(text);
    let [rejected] = parsed.rejected.as_slice() else { panic!("{parsed:?}") };
    assert!(rejected.reason.contains(reason), "{} does not say {reason}", rejected.reason);
    assert_eq!(rejected.line, line, "{}", rejected.reason);
}

const HEAD: &str = "title: t\nlogsource: {category: dns}\ndetection:\n";

#[test]
fn refusals_say_line_reason_and_what_to_do() {
    refused("title: [", "line", Some(2));
    refused(&format!("{HEAD}  s: {{a: 1}}\n  condition: s and gone\n"), "'gone'", Some(5));
    refused(&format!("{HEAD}  s:\n    a|expand: '%x%'\n  condition: s\n"), "placeholder", Some(5));
    refused(&format!("{HEAD}  s:\n    a|re: '(?=x)'\n  condition: s\n"), "look-around", Some(5));
    refused(&format!("{HEAD}  s:\n    a|cidr: 10.0.0/8\n  condition: s\n"), "10.0.0.0/8", Some(5));
    refused(&format!("{HEAD}  s:\n    a|kontains: x\n  condition: s\n"), "kontains", Some(5));
    refused("", "no rule", Some(1));
    refused("- 1\n", "mapping", Some(1));
}

#[test]
fn a_second_document_is_blamed_on_its_own_line() {
    let good = format!("{HEAD}  s: {{a: 1}}\n  condition: s\n");
    let bad = "title: second\nlogsource: {category: dns}\ndetection:\n  s:\n    a|gt: many\n  condition: s\n";
    let parsed = read(&format!("{good}---\n{bad}"));
    assert_eq!(parsed.documents.len(), 1);
    assert_eq!(parsed.rejected[0].line, Some(11));
}

#[test]
fn unsupported_correlations_are_refused_by_name() {
    let rule = |kind: &str, rest: &str| {
        format!("title: t\ncorrelation: {{type: {kind}, rules: [a], timespan: 1m, {rest}}}\n")
    };
    refused(&rule("value_avg", "condition: {gte: 1, field: a}"), "value_avg", Some(2));
    refused(&rule("event_count", "condition: {lt: 5}"), "lower bound", Some(1));
    refused(&rule("temporal", "condition: a and b"), "condition", Some(2));
    refused(&rule("value_count", "condition: {gte: 5}"), "field", Some(1));
}

#[test]
fn a_typing_mistake_in_the_head_is_remarked_and_the_rule_used() {
    let parsed =
        read(&format!("{HEAD}  s: {{a: 1}}\n  condition: s\nstatus: nice\nwatchpost: {{colour: red}}\n"));
    assert_eq!(parsed.documents.len(), 1);
    assert_eq!(parsed.remarks.len(), 2);
}

#[test]
fn hostile_files_end_in_a_refusal() {
    let body = |condition: &str| format!("{HEAD}  s: {{a: 1}}\n  condition: {condition}\n");
    let deep = |n: usize| body(&format!("{}s{}", "(".repeat(n), ")".repeat(n)));
    assert!(read(&deep(20)).rejected.is_empty());
    refused(&deep(20_000), "nested deeper", Some(5));
    refused(&body(&format!("{}s", "not ".repeat(15_000))), "nested deeper", Some(5));
    refused(&"x".repeat(FILE_BYTES + 1), "bytes", Some(1));
    let many = vec!["x"; FILE_VALUES + 1].join(",");
    refused(&format!("{HEAD}  s: {{a: [{many}]}}\n  condition: s\n"), "values", Some(1));
    refused(&format!("{HEAD}  s:\n    a|re: '(\\w{{900}}){{900}}'\n  condition: s\n"), "size limit", Some(5));
    let selections: String = (0..400).map(|n| format!("  s{n}: {{a: {n}}}\n")).collect();
    let condition = vec!["1 of them"; 400].join(" or ");
    refused(&format!("{HEAD}{selections}  condition: {condition}\n"), "selections", Some(1));
}

#[test]
fn aliases_that_multiply_do_not_fill_memory() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..12 {
        let before = format!("*a{}", n - 1);
        text.push_str(&format!("a{n}: &a{n} [{}]\n", vec![before; 10].join(",")));
    }
    text.push_str("title: t\ndetection: {s: {f: *a11}, condition: s}\n");
    assert_eq!(read(&text).rejected.len(), 1);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn no_condition_panics(condition in "(s|t|not|and|or|1 of|all of|them|s\\*|\\(|\\)| |[0-9]|'|\"|-){0,40}") {
        let _ = read(&format!("{HEAD}  s: {{a: 1}}\n  t: [x]\n  condition: {condition}\n"));
    }

    #[test]
    fn no_key_or_value_panics(key in "[a-z|\\[\\].*]{0,30}", value in "[-/*?\\\\a-z0-9%\u{2013}]{0,20}") {
        let _ = read(&format!("{HEAD}  s:\n    '{key}': '{value}'\n  condition: s\n"));
        let with = format!("{HEAD}  s:\n    'a|windash|contains|{key}': ['{value}']\n  condition: s\n");
        let _ = read(&with);
    }
}
