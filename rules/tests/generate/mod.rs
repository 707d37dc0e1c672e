//! Rules and events drawn at random over the whole language: every modifier in the chains that
//! make sense, lists, maps, keywords, conditions; events with nested maps, lists, nulls, empty
//! and very long texts.
//!
//! Texts come from a small alphabet, so that rules and events meet. Strategies are built from
//! small parts, so that a failure shrinks to few of them. Shared by the tests that hold the
//! compiled way against the plain way and against another engine.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json, json};

/// Field names that rules and events share.
const FIELDS: [&str; 8] = ["a", "b", "c", "d.e", "d", "g h", "x.y.z", "Image"];

/// Parts that texts are made of, on both sides: case pairs of one and of several bytes, folding
/// that is not one to one, dashes, escapes, what regexes and YAML take for special.
const PARTS: [&str; 30] = [
    "x", "y", "X", "Y", "xy", "é", "É", "ß", "ẞ", "Σ", "ς", "İ", "ı", "K", "-", "/", "–", " ", "\n", "1",
    "2", ".", "\\", "%", "\"", "'", "#", ":", "😀", "[",
];

/// Parts that only rules have a meaning for.
const WILD: [&str; 6] = ["*", "?", "\\*", "\\?", "\\\\", "\\\\*"];

/// Texts that encodings, networks and times of [`item`] may meet.
const SPECIAL: [&str; 16] = [
    "Zm9v",
    "eHk=",
    "cABpAG4AZwA=",
    "xZm9vYmFyx",
    "eGZvb2Jhcg==",
    "eABpAG4AZwA=",
    "10.1.2.3",
    "192.0.2.200",
    "fe80::1",
    "::ffff:10.1.2.3",
    "2026-03-04T05:30:10Z",
    "2020-12-31T23:59:59Z",
    "-x /y",
    "–x",
    "aab",
    "x.exe",
];

/// One document of a detection rule, without title and id.
pub(crate) fn rule() -> impl Strategy<Value = Json> {
    let logsource = select(vec![json!({}), json!({"product": "linux"}), json!({"category": "dns"})]);
    (vec(selection(), 3), condition(), logsource).prop_map(|(selections, condition, logsource)| {
        let mut detection: Map<String, Json> =
            (1..).zip(selections).map(|(n, body)| (format!("s{n}"), body)).collect();
        detection.insert("condition".into(), condition);
        json!({"logsource": logsource, "detection": detection})
    })
}

/// One event.
pub(crate) fn event() -> impl Strategy<Value = Json> {
    let key = select(vec!["a", "b", "c", "d.e", "d", "e", "g h", "x", "y", "Image", "other"]);
    vec((key, value()), 0..6)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => vec(select(PARTS.to_vec()), 0..5).prop_map(|parts| parts.concat()),
        2 => select(SPECIAL.to_vec()).prop_map(str::to_owned),
        1 => Just(String::new()),
    ]
}

fn leaf() -> impl Strategy<Value = Json> {
    prop_oneof![
        10 => text().prop_map(Json::from),
        2 => (-2..4_i64).prop_map(Json::from),
        1 => select(vec![json!(1.0), json!(1.5), json!(-0.0), json!(9_007_199_254_740_993_i64), json!(u64::MAX), json!(1e300)]),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(Json::Null),
        1 => (text(), 0..3_usize, text()).prop_map(|(begin, size, end)| {
            Json::from(format!("{begin}{}{end}", "xy ".repeat(size * 2_000)))
        }),
    ]
}

fn value() -> impl Strategy<Value = Json> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        let key = select(vec!["e", "y", "z", "a"]);
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Json::from),
            vec((key, inner), 0..3).prop_map(|pairs| {
                pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

/// A text as a rule writes it, wildcards and escapes included, of so many parts.
fn pattern(parts: Range<usize>) -> impl Strategy<Value = String> + Clone {
    let part = prop_oneof![3 => select(PARTS.to_vec()), 1 => select(WILD.to_vec())];
    vec(part, parts).prop_map(|parts| parts.concat())
}

/// One value or a list of them.
fn listed(one: impl Strategy<Value = Json> + Clone + 'static) -> impl Strategy<Value = Json> {
    prop_oneof![2 => one.clone(), 1 => vec(one, 1..4).prop_map(Json::from)]
}

/// A key and its values.
pub(crate) type Item = (String, Json);

fn field() -> impl Strategy<Value = &'static str> {
    select(FIELDS.to_vec())
}

fn texts() -> impl Strategy<Value = Item> {
    let chain = (
        select(vec!["", "|contains", "|startswith", "|endswith"]),
        select(vec!["", "", "", "|windash"]),
        select(vec!["", "", "", "|cased"]),
        select(vec!["", "", "", "|neq"]),
        select(vec!["", "", "|all"]),
    );
    let value = prop_oneof![
        8 => pattern(0..5).prop_map(Json::from),
        1 => (-2..4_i64).prop_map(Json::from),
        1 => select(vec![json!(1.5), json!(true), json!(false), json!(9_007_199_254_740_993_i64)]),
    ];
    (field(), chain, listed(value)).prop_map(|(field, (place, dash, cased, neq, all), value)| {
        (format!("{field}{dash}{place}{cased}{neq}{all}"), value)
    })
}

fn nothing() -> impl Strategy<Value = Item> {
    let exists =
        (field(), any::<bool>()).prop_map(|(field, wanted)| (format!("{field}|exists"), Json::from(wanted)));
    let null = field().prop_map(|field| (field.to_owned(), Json::Null));
    prop_oneof![exists, null]
}

fn regexes() -> impl Strategy<Value = Item> {
    let regex = select(vec![
        "x.*y", "^x", "y$", "^$", "[xy]{2}", "(x|é)+", "\\.", "^\\s*x", "x\\\\", "É", "^.y", "\\d+", "[^x]",
        "(?i)É", "ß",
    ]);
    let flags = select(vec!["", "", "|i", "|m", "|s", "|i|m|s"]);
    let rest = select(vec!["", "", "|neq", "|all"]);
    (field(), flags, rest, listed(regex.prop_map(Json::from)))
        .prop_map(|(field, flags, rest, value)| (format!("{field}|re{flags}{rest}"), value))
}

fn networks() -> impl Strategy<Value = Item> {
    let net = select(vec!["10.0.0.0/8", "192.0.2.128/25", "0.0.0.0/0", "fe80::/10", "::/0", "10.1.2.3/32"]);
    (field(), select(vec!["", "|neq", "|all"]), listed(net.prop_map(Json::from)))
        .prop_map(|(field, rest, value)| (format!("{field}|cidr{rest}"), value))
}

fn numbers() -> impl Strategy<Value = Item> {
    let number =
        prop_oneof![(-2..4_i64).prop_map(Json::from), select(vec![json!(1.5), json!(-0.5), json!("2")])];
    (field(), select(vec!["gt", "gte", "lt", "lte"]), number)
        .prop_map(|(field, how, value)| (format!("{field}|{how}"), value))
}

fn times() -> impl Strategy<Value = Item> {
    let part = select(vec![
        ("minute", 30),
        ("hour", 5),
        ("hour", 23),
        ("day", 4),
        ("week", 53),
        ("month", 3),
        ("year", 2026),
    ]);
    (field(), part).prop_map(|(field, (part, number))| (format!("{field}|{part}"), number.into()))
}

fn references() -> impl Strategy<Value = Item> {
    let place = select(vec!["", "|contains", "|startswith", "|endswith"]);
    let rest = select(vec!["", "", "|cased", "|neq"]);
    (field(), place, rest, field())
        .prop_map(|(field, place, rest, other)| (format!("{field}|fieldref{place}{rest}"), other.into()))
}

fn encoded() -> impl Strategy<Value = Item> {
    let chain = select(vec![
        "|base64",
        "|base64|contains",
        "|base64offset|contains",
        "|wide|base64offset|contains",
        "|utf16le|base64",
        "|utf16be|base64offset|contains",
        "|utf16|base64offset|contains",
        "|base64offset|contains|cased",
        "|base64offset|contains|all",
    ]);
    let value = select(vec!["foo", "xy", "ping", "foobar"]);
    (field(), chain, listed(value.prop_map(Json::from)))
        .prop_map(|(field, chain, value)| (format!("{field}{chain}"), value))
}

/// A field with its modifiers and values.
pub(crate) fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        8 => texts(),
        2 => nothing(),
        2 => regexes(),
        1 => networks(),
        1 => numbers(),
        1 => times(),
        1 => references(),
        1 => encoded(),
    ]
}

/// A keyword; an empty one is refused.
fn word() -> impl Strategy<Value = Json> {
    prop_oneof![6 => pattern(1..5).prop_map(Json::from), 1 => (1..3_i64).prop_map(Json::from)]
}

fn map() -> impl Strategy<Value = Json> {
    vec(item(), 1..4).prop_map(|items| items.into_iter().collect())
}

fn selection() -> impl Strategy<Value = Json> {
    prop_oneof![
        6 => map(),
        2 => vec(map(), 1..4).prop_map(Json::from),
        1 => vec(word(), 1..4).prop_map(Json::from),
        1 => vec(word(), 1..3).prop_map(|words| json!({"|all": words})),
        1 => (word(), map()).prop_map(|(word, map)| json!([word, map])),
    ]
}

fn condition() -> impl Strategy<Value = Json> {
    let name = select(vec![
        "s1",
        "s2",
        "s3",
        "1 of s*",
        "all of s*",
        "1 of them",
        "all of them",
        "any of s*",
        "2 of s*",
        "1 of *2",
        "all of *",
    ]);
    let text = name.prop_map(str::to_owned).prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("{one} and {two}")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("{one} or {two}")),
            inner.clone().prop_map(|one| format!("not {one}")),
            inner.prop_map(|one| format!("({one})")),
        ]
    });
    prop_oneof![6 => text.clone().prop_map(Json::from), 1 => vec(text, 1..3).prop_map(Json::from)]
}
