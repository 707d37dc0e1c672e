//! What a text must contain for a regex to be found in it, so that most texts need not be
//! searched: a few literals, folded, of which every match has at least one.
//!
//! The regex is read as if it ignored case and its dot and anchors took everything: then what it
//! needs holds whatever flags it was built with. A guess on the safe side: a text that has a
//! literal still is searched.

use std::cmp::Reverse;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::matcher::lower;

/// Literals that one regex may be sought by.
const MOST_LITERALS: usize = 32;

/// Characters that one place of a regex may be, to be told one by one.
const MOST_CHARS: usize = 10;

/// Literals shorter than this are everywhere.
const LEAST_BYTES: usize = 2;

/// The literals; nothing where the regex may be found in a text without any of them.
pub(crate) fn literals(regex: &str) -> Option<Vec<String>> {
    let mut parser = ParserBuilder::new().case_insensitive(true).dot_matches_new_line(true).build();
    let needs = needs(&parser.parse(regex).ok()?);
    let found = better(needs.whole, needs.inside)?;
    (worth(&found) >= LEAST_BYTES).then_some(found)
}

/// What is known of the matches of a part of a regex.
#[derive(Clone, Debug, Default)]
struct Needs {
    /// Every match is one of these.
    whole: Option<Vec<String>>,
    /// Every match contains one of these.
    inside: Option<Vec<String>>,
}

fn needs(of: &Hir) -> Needs {
    match of.kind() {
        HirKind::Empty | HirKind::Look(_) => whole(vec![String::new()]),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => whole(vec![text.chars().map(lower).collect()]),
            Err(_) => Needs::default(),
        },
        HirKind::Class(Class::Unicode(class)) => {
            let count = class.ranges().iter().map(|range| range.len()).fold(0, usize::saturating_add);
            if count > MOST_CHARS {
                return Needs::default();
            }
            let chars = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            let mut texts: Vec<String> = chars.map(|c| lower(c).to_string()).collect();
            texts.sort_unstable();
            texts.dedup();
            whole(texts)
        }
        HirKind::Class(Class::Bytes(_)) => Needs::default(),
        HirKind::Capture(group) => needs(&group.sub),
        HirKind::Repetition(some) if some.min == 0 => Needs::default(),
        HirKind::Repetition(some) => {
            let part = needs(&some.sub);
            if some.min == 1 && some.max == Some(1) {
                return part;
            }
            Needs { whole: None, inside: better(part.whole, part.inside) }
        }
        HirKind::Concat(parts) => sequence(parts),
        HirKind::Alternation(parts) => alternatives(parts),
    }
}

fn whole(texts: Vec<String>) -> Needs {
    Needs { whole: Some(texts), inside: None }
}

/// Neighbours whose matches are all known are joined for as long as that gives few texts.
fn sequence(parts: &[Hir]) -> Needs {
    let mut run = vec![String::new()];
    let (mut best, mut all) = (None, true);
    for part in parts {
        let part = needs(part);
        all &= part.whole.is_some();
        match part.whole {
            Some(texts) if run.len() * texts.len() <= MOST_LITERALS => run = joined(&run, &texts),
            Some(texts) => {
                all = false;
                best = better(best, Some(std::mem::replace(&mut run, texts)));
            }
            None => {
                let before = std::mem::replace(&mut run, vec![String::new()]);
                best = better(better(best, Some(before)), part.inside);
            }
        }
    }
    if all {
        return whole(run);
    }
    Needs { whole: None, inside: better(best, Some(run)) }
}

fn joined(heads: &[String], tails: &[String]) -> Vec<String> {
    heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).collect()
}

fn alternatives(parts: &[Hir]) -> Needs {
    let (mut whole, mut inside) = (Some(Vec::new()), Some(Vec::new()));
    for part in parts.iter().map(needs) {
        inside = both(inside, better(part.whole.clone(), part.inside));
        whole = both(whole, part.whole);
    }
    Needs { whole, inside }
}

fn both(one: Option<Vec<String>>, other: Option<Vec<String>>) -> Option<Vec<String>> {
    let (mut one, other) = one.zip(other)?;
    one.extend(other);
    (one.len() <= MOST_LITERALS).then_some(one)
}

/// Of two sets the one whose shortest text is longer, and of equal ones the smaller.
fn better(one: Option<Vec<String>>, other: Option<Vec<String>>) -> Option<Vec<String>> {
    match (one, other) {
        (Some(one), Some(other)) if rank(&other) > rank(&one) => Some(other),
        (None, found) | (found, _) => found,
    }
}

fn rank(texts: &[String]) -> (usize, Reverse<usize>) {
    (worth(texts), Reverse(texts.len()))
}

fn worth(texts: &[String]) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::fold;
    use proptest::prelude::*;
    use regex::RegexBuilder;

    #[test]
    fn a_regex_is_sought_by_its_longest_literals() {
        let check = |regex: &str, want: &[&str]| {
            let found = literals(regex).unwrap_or_default();
            assert_eq!(found, want, "{regex}");
        };
        check(r"cmd.*\^.*Rundll32\.exe", &["rundll32.exe"]);
        check(r"(net|net1)\s+uer", &["uer"]);
        check(r"(net|cmd)\s+", &["net", "cmd"]);
        check(r"^-[ab]{2,3}Enc$", &["enc"]);
        check(r"[a-z]+x?", &[]);
        check(r"a|", &[]);
    }

    #[test]
    fn letters_that_only_ignoring_case_makes_equal_are_kept() {
        // The Kelvin sign is a k, and the long s an s, to a regex that ignores case.
        assert_eq!(literals("kkk"), Some(vec!["kkk".to_owned()]));
        assert!(literals("ss").is_some_and(|found| found.contains(&"\u{17f}s".to_owned())));
    }

    proptest! {
        #[test]
        fn what_a_regex_is_found_in_has_one_of_its_literals(
            regex in "([a-cks.]|[a-ck]{1,2}[*+?]|\\((a|bK|s)(k|ab|c*)\\)|\\[ab\\]|x\\{1,2\\}|\\||\\^){1,8}",
            text in "[abcksABCKS\u{17f}\u{212a}x\n]{0,12}", ignore in any::<bool>(), dot in any::<bool>(),
        ) {
            let built = RegexBuilder::new(&regex).case_insensitive(ignore).dot_matches_new_line(dot).build();
            if let (Ok(built), Some(literals)) = (built, literals(&regex)) && built.is_match(&text) {
                let folded = fold(&text);
                prop_assert!(literals.iter().any(|one| folded.contains(one.as_str())), "{:?}", literals);
            }
        }
    }
}
