//! The words of a hunt: `field=value` with `*`, and bare words, all of which must hold.
//!
//! Case never matters. `"…"` keeps spaces together and makes a bare word of anything. A field
//! name that the table does not have is refused rather than silently matching nothing.

use watchpost_model::field::{EVENT_DATASET, TIMESTAMP};
use watchpost_model::{Event, FieldId, Value};

/// Terms of one query: a hunt with more is a mistake or an attack.
const MOST_TERMS: usize = 32;

/// Characters of one query.
const MOST_TEXT: usize = 2_000;

/// Why a query is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadQuery {
    #[error("there is no field {0:?}; docs/fields.md lists them, and quotes make it a plain word")]
    Field(String),
    #[error("the query has more than {MOST_TERMS} terms or {MOST_TEXT} characters; shorten it")]
    TooLong,
    #[error("a quote is not closed; add the closing quote")]
    Quote,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Field(FieldId, Pattern),
    Word(String),
}

/// A parsed query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms(Vec<Term>);

impl Terms {
    pub(super) fn parse(query: &str) -> Result<Self, BadQuery> {
        if query.chars().count() > MOST_TEXT {
            return Err(BadQuery::TooLong);
        }
        let words = split(query)?;
        if words.len() > MOST_TERMS {
            return Err(BadQuery::TooLong);
        }
        words.into_iter().map(term).collect::<Result<_, _>>().map(Self)
    }

    /// Whether all terms hold for the event.
    pub(super) fn hold(&self, event: &Event) -> bool {
        self.0.iter().all(|term| match term {
            Term::Field(EVENT_DATASET, pattern) => pattern.matches(event.kind.dataset()),
            Term::Field(TIMESTAMP, pattern) => pattern.matches(&event.time.to_string()),
            Term::Field(field, pattern) => {
                event.record.get(*field).is_some_and(|value| any(value, &|text| pattern.matches(text)))
            }
            Term::Word(word) => {
                event.kind.dataset() == word
                    || event.record.iter().any(|(_, value)| any(value, &|text| has(text, word)))
            }
        })
    }
}

/// Whether a value, or an element of a list, passes as text.
fn any(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Text(text) => test(text),
        Value::List(items) => items.iter().any(|item| any(item, test)),
        other => test(&other.to_string()),
    }
}

fn has(text: &str, lower: &str) -> bool {
    text.to_lowercase().contains(lower)
}

/// One word of a query, and whether it began with a quote.
type Word = (String, bool);

fn split(query: &str) -> Result<Vec<Word>, BadQuery> {
    let (mut words, mut word, mut plain, mut quoted) = (Vec::new(), String::new(), false, false);
    for c in query.chars() {
        match c {
            '"' => {
                plain |= word.is_empty() && !quoted;
                quoted = !quoted;
            }
            c if c.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push((std::mem::take(&mut word), plain));
                }
                plain = false;
            }
            c => word.push(c),
        }
    }
    if quoted {
        return Err(BadQuery::Quote);
    }
    if !word.is_empty() {
        words.push((word, plain));
    }
    Ok(words)
}

fn term((word, plain): Word) -> Result<Term, BadQuery> {
    match word.split_once('=') {
        Some((name, value)) if !plain => {
            let field = FieldId::named(name).ok_or_else(|| BadQuery::Field(name.to_owned()))?;
            Ok(Term::Field(field, Pattern::new(value)))
        }
        _ => Ok(Term::Word(word.to_lowercase())),
    }
}

/// Lower-case parts between the `*`s; the text must begin with the first and end with the last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<String>);

impl Pattern {
    fn new(text: &str) -> Self {
        Self(text.to_lowercase().split('*').map(str::to_owned).collect())
    }

    fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let (first, rest) = match self.0.as_slice() {
            [] => return true,
            [only] => return text == *only,
            [first, rest @ ..] => (first, rest),
        };
        let Some(mut left) = text.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
        for part in middle {
            match left.find(part.as_str()).and_then(|at| left.get(at + part.len()..)) {
                Some(after) => left = after,
                None => return false,
            }
        }
        left.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchpost_model::{Kind, Timestamp, field as f};

    fn check(query: &str, expected: bool) {
        let mut event = Event::new(Kind::Dns, Timestamp::EPOCH);
        event.record.set(f::DNS_QUESTION_NAME, "Login.Evil.example");
        event.record.set(f::SOURCE_IP, std::net::Ipv4Addr::new(192, 0, 2, 10));
        event.record.set(f::SOURCE_PORT, 5_353_u16);
        event.record.set(f::DNS_ANSWERS_DATA, vec!["a=b c".to_owned(), "second".to_owned()]);
        assert_eq!(Terms::parse(query).unwrap().hold(&event), expected, "{query}");
    }

    #[test]
    fn terms_hold_as_the_reference_says() {
        check("", true);
        check("dns.question.name=login.evil.example", true);
        check("dns.question.name=evil", false);
        check("dns.question.name=*evil*", true);
        check("dns.question.name=log*EXAMPLE", true);
        check("dns.question.name=log*evil", false);
        check("dns.question.name=login.e*l*.example", true);
        check("dns.question.name=login.e*e*.example", false);
        check("source.ip=192.0.2.* source.port=5353", true);
        check("source.ip=192.0.2.* source.port=53", false);
        check("event.dataset=dns evil", true);
        check("dns.answers.data=second", true);
        check("\"a=b c\"", true);
        check("dns.answers.data=\"a=b c\"", true);
        check("nowhere", false);
        check("user.name=*", false);
    }

    #[test]
    fn a_star_between_equal_parts_needs_both() {
        assert!(!Pattern::new("ab*ab").matches("ab"));
        assert!(Pattern::new("ab*ab").matches("abab"));
        assert!(Pattern::new("*").matches(""));
    }

    #[test]
    fn an_unknown_field_and_an_open_quote_are_refused() {
        assert_eq!(Terms::parse("sorce.ip=1"), Err(BadQuery::Field("sorce.ip".into())));
        assert_eq!(Terms::parse("\"a b"), Err(BadQuery::Quote));
        assert_eq!(Terms::parse(&"a ".repeat(40)), Err(BadQuery::TooLong));
    }
}
