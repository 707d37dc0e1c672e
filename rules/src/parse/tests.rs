//! Promises of the parser.

use proptest::prelude::*;

use super::*;
use crate::{Detector, RuleSet, Subject};

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
    refused("title: [", "line", Some(1));
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
    refused(&rule("value_avg", "condition: {gte: 1}"), "value_avg", Some(1));
    refused(
        &rule("value_percentile", "condition: {gte: 1, field: a, percentile: 101}"),
        "percentile",
        Some(2),
    );
    refused(&rule("event_count", "condition: {lt: 5}"), "lower bound", Some(1));
    refused(&rule("temporal", "condition: a and b"), "'b'", Some(2));
    refused(&rule("temporal", "condition: not a"), "nothing happened", Some(2));
    refused(&rule("event_count", "condition: a"), "event_count", Some(2));
    let ten = "rules: [a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13]";
    let either = (0..7).map(|n| format!("(a{} or a{})", 2 * n, 2 * n + 1)).collect::<Vec<_>>().join(" and ");
    let ordered = rule("temporal_ordered", &format!("condition: {either}")).replace("rules: [a]", ten);
    refused(&ordered, "alternatives", Some(1));
    refused(&rule("forecast", "condition: {gte: 1}"), "forecast", Some(1));
    refused(&rule("value_count", "condition: {gte: 5}"), "field", Some(1));
}

#[test]
fn an_absence_is_written_so_that_other_tools_never_fire() {
    let rule = |condition: &str| {
        format!(
            "title: t\ncorrelation: {{type: event_count, rules: [a], timespan: 1h, condition: {condition}}}\nwatchpost: {{absence: true}}\n"
        )
    };
    assert_eq!(read(&rule("{lt: 1}")).documents.len(), 1);
    assert_eq!(read(&rule("{eq: 0}")).documents.len(), 1);
    refused(&rule("{gte: 1}"), "lt: 1", Some(1));
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
fn deeply_nested_yaml_is_refused_and_does_not_overflow() {
    for open in ["[", "{a: ", "- ", "? ", "a:\n ", "!x [", "&a [", "'"] {
        let text = open.repeat((FILE_BYTES / 32 / open.len()).min(8_000));
        assert!(!read(&text).rejected.is_empty(), "{open:?}");
    }
    refused(&"{a: ".repeat(FILE_BYTES / 4), "brackets", Some(1));
    let nested = (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>();
    assert_eq!(read(&nested).rejected.len(), 1);
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

#[test]
fn a_placeholder_stands_for_each_of_its_values() {
    let text =
        "title: t\ndetection:\n  s:\n    a|expand: 'x-%who%-%where%'\n    b|expand|contains: '%sign%'\n  condition: s\n".to_owned();
    let source = Source { name: "e.yml".into(), text };
    let values = |names: &[(&str, &[&str])]| -> Placeholders {
        let of = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        names.iter().map(|(name, values)| ((*name).to_owned(), of(values))).collect()
    };
    let all = values(&[("who", &["root", "adm*"]), ("where", &["tty"]), ("sign", &["100%", "%who%"])]);
    let set = RuleSet::load_with(std::slice::from_ref(&source), &all);
    assert_eq!(set.rejected(), []);
    let mut detector = Detector::new(&set);
    let mut fires = |a: &str, b: &str| {
        let json = serde_json::json!({"a": a, "b": b});
        let subject = Subject::Foreign { json: &json, logsource: None };
        let at = watchpost_model::id::EventRef { frame: 1, index: 0 };
        !detector.observe(&subject, at, watchpost_model::Timestamp::EPOCH).is_empty()
    };
    assert!(fires("x-ROOT-tty", "it is 100% sure"));
    assert!(fires("x-admin-tty", "a %who% is not looked into"));
    assert!(!fires("x-bob-tty", "100%") && !fires("x-root-tty", "root"));
    let some = RuleSet::load_with(std::slice::from_ref(&source), &values(&[("who", &["root"])]));
    assert!(some.rejected()[0].reason.contains("'where'"), "{:?}", some.rejected());
    assert_ne!(some.hash(), RuleSet::load(&[source]).hash());
}
