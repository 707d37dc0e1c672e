//! Bounds that must hold before the parser library sees a file: a stack overflow can not be
//! caught, and neither memory nor time can be given back. What a look at the bytes can not tell
//! (aliases, escaped text) is told by reading the YAML once without keeping any of it; files of
//! the usual kind are spared that.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use yaml_serde::Value;

use super::Refusal;

/// Nesting of one condition. Public rules stay below 10.
const MOST_DEPTH: usize = 48;

/// Opening brackets in one file. The YAML scanner takes time with the square of how many are
/// open: 11 s for 128 kB in a debug build of `{a: `. Which are closed again can not be told without scanning, so
/// all are counted. Public rules have at most 124, most of them in regexes.
const MOST_BRACKETS: usize = 8_192;

/// What a file may come to when its aliases are written out: bytes of text, and [`NODE_BYTES`]
/// for each value. The library stops only at a hundred aliases per value, each of which may stand
/// for the whole file.
const MOST_EXPANDED: usize = 16 * 1024 * 1024;

/// What one value costs apart from its text.
const NODE_BYTES: usize = 64;

/// Bytes that `action: global` or `repeat` may copy: each document then carries the text of
/// another one.
const MOST_COPIED: usize = 4 * 1024 * 1024;

/// Refuses a file that would take more of stack, memory or time than rules are worth. YAML that
/// can not be read is left to the parser to report.
pub(super) fn check(text: &str) -> Result<(), Refusal> {
    if text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count() > MOST_BRACKETS {
        return Err(Refusal::TooManyBrackets { most: MOST_BRACKETS });
    }
    let escapes = escapes(text);
    copied(text, escapes > 0)?;
    if has_anchor(text) {
        expanded(text)?;
    }
    let parens = text.bytes().filter(|byte| *byte == b'(').count();
    let nots = text.match_indices("not").count();
    if parens.max(nots).max(escapes) <= MOST_DEPTH {
        return Ok(());
    }
    for document in yaml_serde::Deserializer::from_str(text) {
        let Ok(value) = Value::deserialize(document) else { break };
        walk(&value)?;
    }
    Ok(())
}

/// Characters that double quotes let be written by their number, any of which may be a bracket.
fn escapes(text: &str) -> usize {
    let mut before = ' ';
    let numbered = |(c, before): (char, char)| before == '\\' && matches!(c, 'x' | 'u' | 'U');
    text.chars().map(|c| (c, std::mem::replace(&mut before, c))).filter(|pair| numbered(*pair)).count()
}

/// Whether an anchor may stand in the text: `&` where a value may begin.
fn has_anchor(text: &str) -> bool {
    let mut before = '\n';
    text.chars().any(|c| {
        let begins = before.is_whitespace() || "[{,:-?\u{feff}".contains(before);
        before = c;
        c == '&' && begins
    })
}

/// What collection actions would copy: a global document into each other one, or, with `repeat`,
/// everything before into each.
fn copied(text: &str, is_escaped: bool) -> Result<(), Refusal> {
    if !is_escaped && !text.contains("action") {
        return Ok(());
    }
    let (mut documents, mut longest, mut length) = (1_usize, 0_usize, 0_usize);
    for line in text.split('\n') {
        if line.starts_with("---") || line.starts_with("...") {
            documents += 1;
            length = 0;
        }
        length += line.len();
        longest = longest.max(length);
    }
    let each = if is_escaped || text.contains("repeat") { text.len() } else { longest };
    if each.saturating_mul(documents) > MOST_COPIED { Err(Refusal::TooMuchCopied) } else { Ok(()) }
}

/// Reads the YAML with its aliases written out, keeping nothing.
fn expanded(text: &str) -> Result<(), Refusal> {
    let mut left = Some(MOST_EXPANDED);
    for document in yaml_serde::Deserializer::from_str(text) {
        if (Weigh { left: &mut left }).deserialize(document).is_err() {
            break;
        }
    }
    left.map(|_| ()).ok_or(Refusal::TooManyValues)
}

/// Takes the weight of every value from what is left; `None` once there is not enough.
struct Weigh<'l> {
    left: &'l mut Option<usize>,
}

impl Weigh<'_> {
    fn spend<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        *self.left = self.left.and_then(|left| left.checked_sub(bytes.saturating_add(NODE_BYTES)));
        if self.left.is_some() { Ok(()) } else { Err(E::custom("too much")) }
    }

    const fn inner(&mut self) -> Weigh<'_> {
        Weigh { left: self.left }
    }
}

impl<'de> DeserializeSeed<'de> for Weigh<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Weigh<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(mut self, _: bool) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_i64<E: Error>(mut self, _: i64) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_u64<E: Error>(mut self, _: u64) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_f64<E: Error>(mut self, _: f64) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        self.spend(text.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.spend(0)?;
        while items.next_element_seed(self.inner())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        self.spend(0)?;
        while entries.next_key_seed(self.inner())?.is_some() {
            entries.next_value_seed(self.inner())?;
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(mut self, tagged: A) -> Result<(), A::Error> {
        self.spend(0)?;
        let (_, value) = tagged.variant::<String>()?;
        value.newtype_variant_seed(self)
    }
}

fn walk(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Mapping(map) => map.iter().try_for_each(|(key, inner)| {
            if key.as_str() == Some("condition") { strings(inner) } else { walk(inner) }
        }),
        Value::Sequence(items) => items.iter().try_for_each(walk),
        Value::Tagged(tagged) => walk(&tagged.value),
        _ => Ok(()),
    }
}

fn strings(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::String(text) if depth(text) > MOST_DEPTH => {
            Err(Refusal::TooDeep { what: "condition", most: MOST_DEPTH })
        }
        Value::Sequence(items) => items.iter().try_for_each(strings),
        Value::Tagged(tagged) => strings(&tagged.value),
        Value::Mapping(_) => walk(value),
        _ => Ok(()),
    }
}

/// The deepest nesting of parentheses, or the longest run of `not`, whichever is more.
fn depth(text: &str) -> usize {
    let (mut open, mut deepest, mut run) = (0_usize, 0_usize, 0_usize);
    for token in text.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
        match token {
            "(" => open += 1,
            ")" => open = open.saturating_sub(1),
            "not" => run += 1,
            _ => run = 0,
        }
        deepest = deepest.max(open).max(run);
    }
    deepest
}
