//! Lint speaks of "never" and "always": here that is held against random values and conditions.

use proptest::prelude::*;

use super::relation::{excludes, implies};
use super::satisfy::Known;
use crate::ast::{Compare, Condition};
use crate::compile::NameId;
use crate::engine::condition;
use crate::matcher::{Had, Net, Pattern, Slot, Test, Token};

/// Short texts over few letters, so that they often meet.
fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[abAB]{0,3}", "[0-3]", Just("10.0.0.1".to_owned()), Just("10.1.0.1".to_owned())]
}

fn token() -> impl Strategy<Value = Token> {
    prop_oneof![
        3 => word().prop_map(Token::Text),
        2 => Just(Token::Many),
        1 => Just(Token::One),
        1 => Just(Token::Dash),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    (prop::collection::vec(token(), 0..4), any::<bool>())
        .prop_map(|(tokens, cased)| Pattern::new(tokens, cased))
}

fn compare() -> impl Strategy<Value = Compare> {
    use Compare::{Eq, Gt, Gte, Lt, Lte, Neq};
    prop::sample::select(vec![Lt, Lte, Gt, Gte, Eq, Neq])
}

fn test() -> impl Strategy<Value = Test<NameId>> {
    let net = prop::sample::select(vec!["10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16"]);
    prop_oneof![
        6 => pattern().prop_map(Test::Text),
        1 => prop::collection::vec(pattern(), 1..3).prop_map(Test::OneOf),
        2 => (0_u8..4).prop_map(|n| Test::Number(f64::from(n))),
        1 => Just(Test::Null),
        1 => any::<bool>().prop_map(Test::Exists),
        1 => net.prop_map(|net| Test::Cidr(Net::parse(net).unwrap())),
        2 => (compare(), 0_u8..4).prop_map(|(how, n)| Test::Compare(how, f64::from(n))),
    ]
}

/// Nothing, null, or one value.
fn value() -> impl Strategy<Value = Option<Option<String>>> {
    prop::option::weighted(0.9, prop::option::weighted(0.9, word()))
}

fn holds(test: &Test<NameId>, value: &Option<Option<String>>) -> bool {
    let slot = match value {
        None => Slot::default(),
        Some(None) => Slot::one(Had::null()),
        Some(Some(text)) => Slot::one(Had::new(text.clone())),
    };
    let none = Slot::default();
    test.held(&slot, &|_| &none).is_some()
}

const SELECTIONS: usize = 4;

fn condition_of() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        3 => (0..SELECTIONS).prop_map(Condition::Is),
        1 => (1_usize..3, prop::collection::vec(0..SELECTIONS, 1..4)).prop_map(|(n, at)| Condition::AtLeast(n, at)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::Any),
            inner.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_is_said_to_follow_follows(one in test(), other in test(), value in value()) {
        if implies(&one, &other) && holds(&one, &value) {
            prop_assert!(holds(&other, &value), "{one:?} {other:?} {value:?}");
        }
    }

    #[test]
    fn what_is_said_to_exclude_excludes(one in test(), other in test(), value in value()) {
        if excludes(&one, &other) {
            prop_assert!(!(holds(&one, &value) && holds(&other, &value)), "{one:?} {other:?} {value:?}");
        }
    }

    #[test]
    fn a_condition_counts_as_possible_exactly_where_some_truth_values_satisfy_it(
        of in condition_of(),
        never in prop::collection::vec(prop::bool::weighted(0.2), SELECTIONS),
    ) {
        let known = Known::bare(never.clone());
        let allowed = |bits: usize| (0..SELECTIONS).all(|at| !(never[at] && bits >> at & 1 == 1));
        let some = (0..1 << SELECTIONS).any(|bits| allowed(bits) && condition(&of, &|at| bits >> at & 1 == 1));
        prop_assert_eq!(known.possible(&of), some, "{:?} {:?}", of, never);
    }
}
