//! Values and their modifiers become tests.
//!
//! Modifiers are applied in the order written: encodings first make new text or bytes, then the
//! place (`contains`, `startswith`, `endswith`) and the kind of comparison decide the test.
//! Put right against the library: `windash` takes every dash or slash that begins a word,
//! whichever of them the rule is written with; keywords with `|all` are sought one by one in
//! the whole event.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::RegexBuilder;
use rsigma_parser::{DetectionItem, FieldSpec, Modifier, SigmaString, SigmaValue, SpecialChar, StringPart};

use super::Placeholders;
use super::{FILE_VALUES, Refusal};
use crate::ast::{Compare, Item, Link, Want};
use crate::matcher::{Net, Part, Pattern, Test, Token, Where};

/// Memory of one compiled regex. Stops `(\w{1000}){1000}`; lets `\w{1,64}` of public rules pass.
const REGEX_BYTES: usize = 8 * 1024 * 1024;

/// Memory that searching with one regex may use for its cache.
const REGEX_CACHE_BYTES: usize = 1024 * 1024;

/// Regexes of one file; public rules have at most a dozen.
const FILE_REGEXES: usize = 128;

/// Memory of a regex of the usual kind. Larger ones are counted apart, so that a file of
/// [`FILE_REGEXES`] can not take as many times [`REGEX_BYTES`].
const SMALL_REGEX_BYTES: usize = 512 * 1024;

/// Larger regexes of one file.
const FILE_LARGE_REGEXES: usize = 8;

/// Modifiers of one key. Every value meets each of them.
const MOST_MODIFIERS: usize = 16;

/// Encodings of one key: each may double a value, `base64offset` gives three for one.
const MOST_ENCODINGS: usize = 4;

/// Single wildcards (`?`, or a dash with `windash`) of one value: at every place of an event's
/// text, so many characters may have to be looked at.
const MOST_SINGLES: usize = 256;

/// Bytes that the values of one file may come to when their placeholders are filled.
const FILE_FILLED: usize = 16 * 1024 * 1024;

/// What one file may still use up, and what its placeholders stand for.
pub(super) struct Budget<'p> {
    values: usize,
    regexes: usize,
    large_regexes: usize,
    filled: usize,
    placeholders: &'p Placeholders,
}

impl<'p> Budget<'p> {
    pub(super) const fn new(placeholders: &'p Placeholders) -> Self {
        Self {
            values: FILE_VALUES,
            regexes: FILE_REGEXES,
            large_regexes: FILE_LARGE_REGEXES,
            filled: FILE_FILLED,
            placeholders,
        }
    }

    fn value(&mut self) -> Result<(), Refusal> {
        self.values = self.values.checked_sub(1).ok_or(Refusal::TooManyValues)?;
        Ok(())
    }

    fn regex(&mut self) -> Result<(), Refusal> {
        self.regexes = self.regexes.checked_sub(1).ok_or(Refusal::TooManyRegexes { most: FILE_REGEXES })?;
        Ok(())
    }

    fn large_regex(&mut self) -> Result<(), Refusal> {
        let left = self.large_regexes.checked_sub(1);
        self.large_regexes = left.ok_or(Refusal::TooManyRegexes { most: FILE_LARGE_REGEXES })?;
        Ok(())
    }

    fn fill(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.filled = self.filled.checked_sub(bytes).ok_or(Refusal::TooManyValues)?;
        Ok(())
    }
}

/// The tokens of text with Sigma's wildcards and escapes.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token> {
    parts(&SigmaString::new(text))
}

fn parts(text: &SigmaString) -> Vec<Token> {
    text.parts
        .iter()
        .map(|part| match part {
            StringPart::Plain(plain) => Token::Text(plain.clone()),
            StringPart::Special(SpecialChar::WildcardMulti) => Token::Many,
            StringPart::Special(SpecialChar::WildcardSingle) => Token::One,
        })
        .collect()
}

/// The first `%name%` of a text, with what stands before and after. A per cent sign after a
/// backslash is itself, as is one that begins no name.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find('%') {
        let at = from + found;
        from = at + 1;
        let (before, rest) = (text.get(..at)?, text.get(from..)?);
        if before.ends_with('\\') {
            continue;
        }
        if let Some((name, after)) = rest.split_once('%')
            && !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
        {
            return Some((before, name, after));
        }
    }
    None
}

/// The text with its escaped per cent signs, and those of configured values, put back.
fn value_text(text: &str) -> String {
    text.replace("\\%", "%").replace('\u{0}', "%")
}

/// A keyword list: any of the words, anywhere in the event.
pub(super) fn keywords(words: &[SigmaValue], budget: &mut Budget<'_>) -> Result<Item<String>, Refusal> {
    let is_nothing = |word: &SigmaValue| match word {
        SigmaValue::Null => true,
        SigmaValue::String(text) => text.original.is_empty(),
        _ => false,
    };
    if words.iter().any(is_nothing) {
        return Err(Refusal::Nothing { what: "a keyword".into() });
    }
    let item = DetectionItem { field: FieldSpec::new(None, Vec::new()), values: words.to_vec() };
    self::item(&item, budget)
}

/// One field with its values.
pub(super) fn item(from: &DetectionItem, budget: &mut Budget<'_>) -> Result<Item<String>, Refusal> {
    let field = from.field.name.as_ref().map(|name| name.replace("\\[", "[").replace("\\]", "]"));
    let key = Key { shown: shown(&from.field, field.as_deref()), spec: &from.field };
    key.check()?;
    if from.values.is_empty() {
        return Err(key.wrong("it has no value; give it one or take it out"));
    }
    let mut wants = Vec::with_capacity(from.values.len());
    let expanded = if from.field.has_modifier(Modifier::Expand) {
        Some(key.expand(&from.values, budget)?)
    } else {
        None
    };
    for value in expanded.as_ref().unwrap_or(&from.values) {
        budget.value()?;
        wants.push(Want { shown: value.to_string(), test: key.test(value, budget)? });
    }
    // Different from several values means from each of them.
    let all = from.field.has_modifier(Modifier::All) || from.field.has_modifier(Modifier::Neq);
    let link = if all { Link::All } else { Link::Any };
    Ok(Item { field, shown: key.shown, link, wants })
}

fn shown(spec: &FieldSpec, field: Option<&str>) -> String {
    let mut shown = field.unwrap_or_default().to_owned();
    for modifier in &spec.modifiers {
        shown.push('|');
        shown.push_str(modifier_name(*modifier));
    }
    if shown.is_empty() { "keywords".to_owned() } else { shown }
}

const fn modifier_name(modifier: Modifier) -> &'static str {
    match modifier {
        Modifier::Contains => "contains",
        Modifier::StartsWith => "startswith",
        Modifier::EndsWith => "endswith",
        Modifier::All => "all",
        Modifier::Base64 => "base64",
        Modifier::Base64Offset => "base64offset",
        Modifier::Wide => "wide",
        Modifier::Utf16be => "utf16be",
        Modifier::Utf16 => "utf16",
        Modifier::WindAsh => "windash",
        Modifier::Re => "re",
        Modifier::Cidr => "cidr",
        Modifier::Cased => "cased",
        Modifier::Exists => "exists",
        Modifier::Expand => "expand",
        Modifier::FieldRef => "fieldref",
        Modifier::Gt => "gt",
        Modifier::Gte => "gte",
        Modifier::Lt => "lt",
        Modifier::Lte => "lte",
        Modifier::Neq => "neq",
        Modifier::IgnoreCase => "i",
        Modifier::Multiline => "m",
        Modifier::DotAll => "s",
        Modifier::Minute => "minute",
        Modifier::Hour => "hour",
        Modifier::Day => "day",
        Modifier::Week => "week",
        Modifier::Month => "month",
        Modifier::Year => "year",
    }
}

/// A key: field and modifiers.
struct Key<'a> {
    shown: String,
    spec: &'a FieldSpec,
}

impl Key<'_> {
    fn has(&self, modifier: Modifier) -> bool {
        self.spec.has_modifier(modifier)
    }

    fn bad(&self, value: &SigmaValue, why: impl Into<String>) -> Refusal {
        Refusal::Value { key: self.shown.clone(), value: value.to_string(), why: why.into() }
    }

    fn wrong(&self, why: &'static str) -> Refusal {
        Refusal::Modifiers { key: self.shown.clone(), why }
    }

    /// Refuses modifiers of which one would be read over.
    fn check(&self) -> Result<(), Refusal> {
        let count = |is: fn(Modifier) -> bool| self.spec.modifiers.iter().filter(|one| is(**one)).count();
        let (places, kinds, encodings) = (count(is_place), count(is_kind), count(is_encoding));
        let compares = count(is_comparison);
        if self.spec.modifiers.len() > MOST_MODIFIERS || encodings > MOST_ENCODINGS {
            return Err(self.wrong("it has more than 16 modifiers, or 4 encodings; keep those that count"));
        }
        if count(|one| one == Modifier::Base64Offset) > 1 {
            return Err(self.wrong("base64offset stands twice; keep one"));
        }
        if places > 1 {
            return Err(self.wrong("contains, startswith and endswith exclude each other; keep one"));
        }
        if kinds > 1 || compares > 1 {
            return Err(self.wrong("two modifiers say how to compare; keep one"));
        }
        if compares > 0 && kinds > 0 && self.part().is_none() {
            return Err(self.wrong("gt, gte, lt and lte compare numbers; take the other modifier out"));
        }
        if count(is_regex_flag) > 0 && !self.has(Modifier::Re) {
            return Err(self.wrong("i, m and s belong to re; add it or take them out"));
        }
        if encodings > 0 && kinds + compares > 0 {
            return Err(self.wrong("an encoding needs plain text; take the other modifier out"));
        }
        if places > 0 && kinds + compares > 0 && !self.has(Modifier::FieldRef) {
            return Err(self.wrong("contains, startswith and endswith need plain text; take them out"));
        }
        if self.has(Modifier::Exists) && self.has(Modifier::Neq) {
            return Err(self.wrong("exists takes false for not; take neq out"));
        }
        Ok(())
    }

    /// Puts the configured values in the place of `%name%`, each in turn.
    fn expand(&self, values: &[SigmaValue], budget: &mut Budget<'_>) -> Result<Vec<SigmaValue>, Refusal> {
        let mut out = Vec::with_capacity(values.len());
        let mut left: Vec<String> = values.iter().rev().map(ToString::to_string).collect();
        while let Some(text) = left.pop() {
            budget.value()?;
            budget.fill(text.len())?;
            let Some((before, name, after)) = placeholder(&text) else {
                let filled = value_text(&text);
                let raw = self.has(Modifier::Re);
                let value = if raw { SigmaString::from_raw(&filled) } else { SigmaString::new(&filled) };
                out.push(SigmaValue::String(value));
                continue;
            };
            let known = budget.placeholders.get(name).filter(|known| !known.is_empty());
            let known = known
                .ok_or_else(|| Refusal::Placeholder { key: self.shown.clone(), name: name.to_owned() })?;
            // A value is not looked through for further placeholders, so this ends.
            for value in known.iter().rev() {
                budget.fill(text.len() + value.len())?;
                let value = value.replace('%', "\u{0}");
                left.push(format!("{before}{value}{after}"));
            }
        }
        Ok(out)
    }

    fn test(&self, value: &SigmaValue, budget: &mut Budget<'_>) -> Result<Test<String>, Refusal> {
        if is_container(value) {
            return Err(self.bad(value, "write a text, a number or a list of them"));
        }
        let test = self.straight(value, budget)?;
        Ok(if self.has(Modifier::Neq) { Test::Not(Box::new(test)) } else { test })
    }

    /// The test without `neq`.
    fn straight(&self, value: &SigmaValue, budget: &mut Budget<'_>) -> Result<Test<String>, Refusal> {
        if self.has(Modifier::Exists) {
            let wanted = match value {
                SigmaValue::Bool(wanted) => Some(*wanted),
                other => other.to_string().parse().ok(),
            };
            return wanted.map(Test::Exists).ok_or_else(|| self.bad(value, "write true or false"));
        }
        if self.has(Modifier::Re) {
            budget.regex()?;
            return self.regex(value, budget);
        }
        if self.has(Modifier::Cidr) {
            let net = Net::parse(&value.to_string());
            return net.map(Test::Cidr).ok_or_else(|| self.bad(value, "write a network such as 10.0.0.0/8"));
        }
        if self.has(Modifier::FieldRef) {
            let name = value.to_string();
            if name.is_empty() {
                return Err(self.bad(value, "write the name of a field"));
            }
            return Ok(Test::Field(name, self.place(), self.has(Modifier::Cased)));
        }
        if let Some(part) = self.part() {
            let number = value.to_string().parse();
            let how = self.comparison().unwrap_or(Compare::Eq);
            return number.map(|n| Test::Time(part, how, n)).map_err(|_| self.bad(value, "write a number"));
        }
        self.compared(value)
    }

    fn place(&self) -> Where {
        if self.has(Modifier::Contains) {
            Where::Inside
        } else if self.has(Modifier::StartsWith) {
            Where::Begin
        } else if self.has(Modifier::EndsWith) {
            Where::End
        } else {
            Where::Whole
        }
    }

    fn part(&self) -> Option<Part> {
        self.spec.modifiers.iter().find_map(|modifier| match modifier {
            Modifier::Minute => Some(Part::Minute),
            Modifier::Hour => Some(Part::Hour),
            Modifier::Day => Some(Part::Day),
            Modifier::Week => Some(Part::Week),
            Modifier::Month => Some(Part::Month),
            Modifier::Year => Some(Part::Year),
            _ => None,
        })
    }

    fn comparison(&self) -> Option<Compare> {
        self.spec.modifiers.iter().find_map(|modifier| match modifier {
            Modifier::Gt => Some(Compare::Gt),
            Modifier::Gte => Some(Compare::Gte),
            Modifier::Lt => Some(Compare::Lt),
            Modifier::Lte => Some(Compare::Lte),
            _ => None,
        })
    }

    fn compared(&self, value: &SigmaValue) -> Result<Test<String>, Refusal> {
        let Some(how) = self.comparison() else { return self.text(value) };
        let number = value.to_string().parse().ok().filter(|number: &f64| number.is_finite());
        number.map(|n| Test::Compare(how, n)).ok_or_else(|| self.bad(value, "write a number"))
    }

    fn regex(&self, value: &SigmaValue, budget: &mut Budget<'_>) -> Result<Test<String>, Refusal> {
        let text = value.to_string();
        let build = |bytes: usize| {
            RegexBuilder::new(&text)
                .case_insensitive(self.has(Modifier::IgnoreCase))
                .multi_line(self.has(Modifier::Multiline))
                .dot_matches_new_line(self.has(Modifier::DotAll))
                .size_limit(bytes)
                .dfa_size_limit(REGEX_CACHE_BYTES)
                .build()
        };
        let built = match build(SMALL_REGEX_BYTES) {
            Err(regex::Error::CompiledTooBig(_)) => {
                budget.large_regex()?;
                build(REGEX_BYTES)
            }
            built => built,
        };
        match built {
            Ok(regex) => Ok(Test::Regex(Arc::new(regex))),
            Err(error) => {
                Err(self.bad(value, format!("{error}; look-around and back-references do not exist here")))
            }
        }
    }

    fn text(&self, value: &SigmaValue) -> Result<Test<String>, Refusal> {
        let is_plain =
            |modifier: &Modifier| matches!(modifier, Modifier::All | Modifier::Cased | Modifier::Neq);
        let plain = self.spec.modifiers.iter().all(is_plain);
        let text = match value {
            SigmaValue::Null => return Ok(Test::Null),
            SigmaValue::Integer(n) if plain && self.spec.name.is_some() && n.unsigned_abs() < 1 << 53 => {
                #[expect(clippy::cast_precision_loss, reason = "below 2^53 every integer is a float")]
                return Ok(Test::Number(*n as f64));
            }
            SigmaValue::Float(n) if plain && self.spec.name.is_some() => return Ok(Test::Number(*n)),
            SigmaValue::String(text) => text.clone(),
            other => SigmaString::from_raw(&other.to_string()),
        };
        let mut forms = self.encoded(Form::Tokens(parts(&text)), value)?;
        let is_single = |token: &&Token| matches!(token, Token::One | Token::Dash);
        if forms.iter().any(|form| form.iter().filter(is_single).count() > MOST_SINGLES) {
            return Err(self.bad(value, "write fewer single wildcards"));
        }
        let cased = self.has(Modifier::Cased);
        let only = forms.len() == 1;
        match forms.pop() {
            Some(form) if only => Ok(Test::Text(self.placed(form, cased))),
            last => {
                let all = forms.into_iter().chain(last);
                Ok(Test::OneOf(all.map(|form| self.placed(form, cased)).collect()))
            }
        }
    }

    /// Puts stars where the place wants them. A keyword is sought anywhere.
    fn placed(&self, form: Vec<Token>, cased: bool) -> Pattern {
        let inside = self.has(Modifier::Contains) || self.spec.name.is_none();
        let mut tokens = Vec::with_capacity(form.len() + 2);
        if inside || self.has(Modifier::EndsWith) {
            tokens.push(Token::Many);
        }
        tokens.extend(form);
        if inside || self.has(Modifier::StartsWith) {
            tokens.push(Token::Many);
        }
        Pattern::new(tokens, cased)
    }

    /// Applies the encodings in the order written.
    fn encoded(&self, form: Form, value: &SigmaValue) -> Result<Vec<Vec<Token>>, Refusal> {
        let mut forms = vec![form];
        for modifier in &self.spec.modifiers {
            let mut next = Vec::with_capacity(forms.len());
            for form in forms {
                match modifier {
                    Modifier::WindAsh => next.push(form.dashed()),
                    Modifier::Wide => {
                        next.push(Form::Bytes(wide(&self.bytes(form, value)?, u16::to_le_bytes)))
                    }
                    Modifier::Utf16be => {
                        next.push(Form::Bytes(wide(&self.bytes(form, value)?, u16::to_be_bytes)))
                    }
                    Modifier::Utf16 => {
                        let mut bytes = vec![0xff, 0xfe];
                        bytes.extend(wide(&self.bytes(form, value)?, u16::to_le_bytes));
                        next.push(Form::Bytes(bytes));
                    }
                    Modifier::Base64 => next.push(Form::text(STANDARD.encode(self.bytes(form, value)?))),
                    Modifier::Base64Offset => {
                        let bytes = self.bytes(form, value)?;
                        // Of one byte, nothing is certain at one of the offsets: it would be found anywhere.
                        if bytes.len() < 2 {
                            return Err(self.bad(value, "write at least two characters"));
                        }
                        next.extend(offsets(&bytes));
                    }
                    _ => next.push(form),
                }
            }
            forms = next;
        }
        forms.into_iter().map(|form| self.tokens(form, value)).collect()
    }

    fn bytes(&self, form: Form, value: &SigmaValue) -> Result<Vec<u8>, Refusal> {
        match form {
            Form::Bytes(bytes) => Ok(bytes),
            Form::Tokens(tokens) => tokens
                .into_iter()
                .map(|token| match token {
                    Token::Text(text) => Ok(text.into_bytes()),
                    _ => Err(self.bad(value, "wildcards can not be encoded; write the text without them")),
                })
                .collect::<Result<Vec<_>, _>>()
                .map(|parts| parts.concat()),
        }
    }

    fn tokens(&self, form: Form, value: &SigmaValue) -> Result<Vec<Token>, Refusal> {
        match form {
            Form::Tokens(tokens) => Ok(tokens),
            Form::Bytes(bytes) => String::from_utf8(bytes)
                .map(|text| vec![Token::Text(text)])
                .map_err(|_| self.bad(value, "its encoding is not text; add base64 or base64offset")),
        }
    }
}

const fn is_place(modifier: Modifier) -> bool {
    matches!(modifier, Modifier::Contains | Modifier::StartsWith | Modifier::EndsWith)
}

const fn is_comparison(modifier: Modifier) -> bool {
    matches!(modifier, Modifier::Gt | Modifier::Gte | Modifier::Lt | Modifier::Lte)
}

const fn is_regex_flag(modifier: Modifier) -> bool {
    matches!(modifier, Modifier::IgnoreCase | Modifier::Multiline | Modifier::DotAll)
}

/// Whether it makes a value something else than text.
const fn is_kind(modifier: Modifier) -> bool {
    matches!(
        modifier,
        Modifier::Re
            | Modifier::Cidr
            | Modifier::Exists
            | Modifier::FieldRef
            | Modifier::Minute
            | Modifier::Hour
            | Modifier::Day
            | Modifier::Week
            | Modifier::Month
            | Modifier::Year
    )
}

const fn is_encoding(modifier: Modifier) -> bool {
    matches!(
        modifier,
        Modifier::Base64
            | Modifier::Base64Offset
            | Modifier::Wide
            | Modifier::Utf16
            | Modifier::Utf16be
            | Modifier::WindAsh
    )
}

/// Whether the library gives a list or map, which it does not know as a value, in its own words.
fn is_container(value: &SigmaValue) -> bool {
    let SigmaValue::String(text) = value else { return false };
    ["Sequence [", "Mapping {", "TaggedValue {", "Tagged("].iter().any(|word| text.original.starts_with(word))
}

/// A value on its way through the encodings.
enum Form {
    Tokens(Vec<Token>),
    Bytes(Vec<u8>),
}

impl Form {
    fn text(text: String) -> Self {
        Self::Tokens(vec![Token::Text(text)])
    }

    /// Lets every dash or slash that begins a word be any dash.
    fn dashed(self) -> Self {
        match self {
            Self::Tokens(tokens) => Self::Tokens(tokens.into_iter().flat_map(dashed).collect()),
            bytes @ Self::Bytes(_) => bytes,
        }
    }
}

fn dashed(token: Token) -> Vec<Token> {
    let Token::Text(text) = token else { return vec![token] };
    let mut out = Vec::new();
    let mut plain = String::new();
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let begins = !before.is_some_and(is_word) && chars.peek().copied().is_some_and(is_word);
        if matches!(c, '-' | '/' | '\u{2013}' | '\u{2014}' | '\u{2015}') && begins {
            out.push(Token::Text(std::mem::take(&mut plain)));
            out.push(Token::Dash);
        } else {
            plain.push(c);
        }
        before = Some(c);
    }
    out.push(Token::Text(plain));
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn wide(bytes: &[u8], order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).encode_utf16().flat_map(order).collect()
}

/// The three texts that base64 may have for these bytes inside a longer text, without the
/// characters that depend on what stands before and after.
fn offsets(bytes: &[u8]) -> Vec<Form> {
    [(0_usize, 0_usize), (1, 2), (2, 3)]
        .into_iter()
        .map(|(shift, skip)| {
            let mut shifted = vec![b' '; shift];
            shifted.extend_from_slice(bytes);
            let cut = match shifted.len() % 3 {
                0 => 0,
                1 => 3,
                _ => 2,
            };
            let text = STANDARD.encode(&shifted);
            let kept = text.get(skip..text.len().saturating_sub(cut)).unwrap_or_default();
            Form::text(kept.to_owned())
        })
        .collect()
}
