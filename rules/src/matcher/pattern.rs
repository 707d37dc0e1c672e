//! Text with wildcards: `*` any characters (line breaks too), `?` one character, and the dashes
//! that `windash` lets stand for each other.
//!
//! A pattern is sorted at load into the cheapest shape that says the same. The general shape is
//! a list of segments between `*`; segments have a fixed number of characters, so the leftmost
//! place of each is the best one and no backtracking is needed.

use super::had::{Had, Text, fold};

/// The characters that `windash` takes for one another.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// These characters.
    Text(String),
    /// Any characters, or none.
    Many,
    /// Any one character.
    One,
    /// Any one dash.
    Dash,
}

/// A prepared pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    cased: bool,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Anything,
    Exact(String),
    Begin(String),
    End(String),
    Inside(String),
    Glob(Vec<Vec<Token>>),
}

impl Pattern {
    /// A pattern of tokens; `cased` keeps the case.
    #[must_use]
    pub fn new(tokens: Vec<Token>, cased: bool) -> Self {
        let tokens = joined(tokens, cased);
        let shape = match tokens.as_slice() {
            [] => Shape::Exact(String::new()),
            [Token::Many] => Shape::Anything,
            [Token::Text(text)] => Shape::Exact(text.clone()),
            [Token::Text(text), Token::Many] => Shape::Begin(text.clone()),
            [Token::Many, Token::Text(text)] => Shape::End(text.clone()),
            [Token::Many, Token::Text(text), Token::Many] => Shape::Inside(text.clone()),
            _ => Shape::Glob(tokens.split(|token| *token == Token::Many).map(<[Token]>::to_vec).collect()),
        };
        Self { cased, shape }
    }

    /// Whether the value fits.
    #[must_use]
    pub fn matches(&self, had: &Had<'_>) -> bool {
        self.fits(had.lent())
    }

    /// Whether the value fits.
    #[must_use]
    pub fn fits(&self, text: Text<'_>) -> bool {
        if text.null {
            return false;
        }
        let text = if self.cased { text.raw } else { text.folded };
        match &self.shape {
            Shape::Anything => true,
            Shape::Exact(want) => text == want,
            Shape::Begin(want) => text.starts_with(want.as_str()),
            Shape::End(want) => text.ends_with(want.as_str()),
            Shape::Inside(want) => text.contains(want.as_str()),
            Shape::Glob(segments) => glob(segments, text),
        }
    }

    /// What every fitting value has, folded; see [`Pattern::is_plain`].
    #[must_use]
    pub fn edge(&self) -> Edge {
        match &self.shape {
            Shape::Anything => Edge::Unknown,
            Shape::Exact(text) => Edge::Exact(fold(text)),
            Shape::Begin(text) => Edge::Begin(fold(text)),
            Shape::End(text) => Edge::End(fold(text)),
            Shape::Inside(text) => Edge::Inside(fold(text)),
            Shape::Glob(segments) => segments
                .iter()
                .flatten()
                .filter_map(|token| match token {
                    Token::Text(text) => Some(fold(text)),
                    _ => None,
                })
                .max_by_key(String::len)
                .map_or(Edge::Unknown, Edge::Inside),
        }
    }

    /// Whether a value that has the [`Pattern::edge`] fits without a further look.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        !self.cased && !matches!(self.shape, Shape::Glob(_) | Shape::Anything)
    }
}

/// What can be said of every value that fits a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge {
    /// It is this text.
    Exact(String),
    /// It begins so.
    Begin(String),
    /// It ends so.
    End(String),
    /// It contains this.
    Inside(String),
    /// Nothing.
    Unknown,
}

/// Joins neighbouring texts and stars, and folds.
fn joined(tokens: Vec<Token>, cased: bool) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        match (token, out.last_mut()) {
            (Token::Text(text), _) if text.is_empty() => {}
            (Token::Text(text), Some(Token::Text(last))) => last.push_str(&folded(text, cased)),
            (Token::Text(text), _) => out.push(Token::Text(folded(text, cased))),
            (Token::Many, Some(Token::Many)) => {}
            (token, _) => out.push(token),
        }
    }
    out
}

fn folded(text: String, cased: bool) -> String {
    if cased { text } else { fold(&text) }
}

/// Whether `text` is the segments with anything between them. The first segment stands at the
/// begin and the last at the end.
fn glob(segments: &[Vec<Token>], text: &str) -> bool {
    let Some((first, rest)) = segments.split_first() else { return text.is_empty() };
    let Some(mut left) = eat(first, text) else { return false };
    let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
    for segment in middle {
        match find(segment, left) {
            Some(after) => left = after,
            None => return false,
        }
    }
    tail(last, left)
}

/// What is left of `text` after the segment at its begin.
fn eat<'t>(segment: &[Token], text: &'t str) -> Option<&'t str> {
    let mut left = text;
    for token in segment {
        left = match token {
            Token::Text(want) => left.strip_prefix(want.as_str())?,
            Token::Dash => left.strip_prefix(DASHES)?,
            Token::One | Token::Many => {
                let mut chars = left.chars();
                chars.next()?;
                chars.as_str()
            }
        };
    }
    Some(left)
}

/// What is left of `text` after the leftmost place of the segment.
fn find<'t>(segment: &[Token], text: &'t str) -> Option<&'t str> {
    if let Some((Token::Text(head), rest)) = segment.split_first() {
        // A segment that begins with text is sought by that text.
        let mut from = text;
        loop {
            let at = from.find(head.as_str())?;
            let place = from.get(at..)?;
            if let Some(left) = place.strip_prefix(head.as_str()).and_then(|after| eat(rest, after)) {
                return Some(left);
            }
            let mut chars = place.chars();
            chars.next()?;
            from = chars.as_str();
        }
    }
    let mut from = text;
    loop {
        if let Some(left) = eat(segment, from) {
            return Some(left);
        }
        let mut chars = from.chars();
        chars.next()?;
        from = chars.as_str();
    }
}

/// Whether `text` ends with the segment.
fn tail(segment: &[Token], text: &str) -> bool {
    let count: usize = segment
        .iter()
        .map(|token| match token {
            Token::Text(want) => want.chars().count(),
            _ => 1,
        })
        .sum();
    if count == 0 {
        return true;
    }
    text.char_indices()
        .rev()
        .nth(count - 1)
        .and_then(|(at, _)| text.get(at..))
        .is_some_and(|end| eat(segment, end) == Some(""))
}
