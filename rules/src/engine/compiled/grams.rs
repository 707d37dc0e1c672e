//! Many texts sought in one, each by its rarest few bytes.
//!
//! Each text is filed under four neighbouring bytes of it (two where it has fewer than three):
//! those that the fewest of the other texts have too, because what many rules seek is what many
//! events have. A search looks once at every place, in a bit map small enough to stay in the
//! nearest caches, and compares whole texts only where a bit is set. Unlike an automaton's, its
//! loads do not wait for one another, so that the number of texts hardly matters.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::texts::{index, number};

/// Spreads neighbouring values apart (Knuth's multiplicative hash).
const SPREAD: u32 = 0x9E37_79B1;

/// Words of a map that stays in the nearest cache, as a power of two (16 KiB).
const NEAR: u32 = 11;

/// Bits per word of a map.
const WORD: u32 = 64;

/// Texts to be found anywhere.
#[derive(Debug, Default)]
pub(crate) struct Grams {
    texts: Box<[u8]>,
    long: Option<Table<4>>,
    short: Option<Table<2>>,
}

/// A text that was found: which, and from where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) which: u32,
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

impl Grams {
    /// Prepares a search; a text is known by its position. Empty ones are found nowhere.
    pub(crate) fn new<'t>(sought: impl Iterator<Item = &'t str> + Clone) -> Self {
        let mut texts = Vec::new();
        let (mut long, mut short) = (Filing::<4>::new(), Filing::<2>::new());
        for text in sought.clone().map(str::as_bytes) {
            long.count(text);
            short.count(text);
        }
        for (which, text) in sought.map(str::as_bytes).enumerate() {
            let entry = Entry {
                from: number(texts.len()),
                length: number(text.len()),
                which: number(which),
                ..Entry::default()
            };
            texts.extend_from_slice(text);
            match text.len() {
                0 => {}
                1 | 2 => short.file(text, entry),
                _ => long.file(text, entry),
            }
        }
        Self { texts: texts.into(), long: long.close(), short: short.close() }
    }

    /// Tells every text that stands in `text`, at every place where it does.
    pub(crate) fn find(&self, text: &[u8], each: &mut impl FnMut(Found)) {
        if let Some(table) = &self.long {
            table.find(text, &self.texts, each);
        }
        if let Some(table) = &self.short {
            table.find(text, &self.texts, each);
        }
    }
}

/// One text in a table.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    gram: u32,
    /// Which bits of the gram count: the last byte does not where the text is too short for it.
    mask: u32,
    /// Bytes of the text before the gram.
    before: u32,
    from: u32,
    length: u32,
    which: u32,
}

/// Texts by `N` bytes of each. All bytes but the last choose a word of the map and the last a bit
/// of it; a text of `N - 1` bytes fills its word.
#[derive(Debug)]
struct Table<const N: usize> {
    /// From a hash to its word.
    shift: u32,
    marks: Box<[u64]>,
    /// By word: where its entries begin.
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
}

impl<const N: usize> Table<N> {
    const LAST: u32 = 8 * (number_of::<N>() - 1);
    const HEAD: u32 = (1 << Self::LAST) - 1;

    fn word(gram: u32, shift: u32) -> u32 {
        (gram & Self::HEAD).wrapping_mul(SPREAD) >> shift
    }

    fn find(&self, text: &[u8], texts: &[u8], each: &mut impl FnMut(Found)) {
        for (at, window) in text.array_windows::<N>().enumerate() {
            let gram = gram(window);
            let word = Self::word(gram, self.shift);
            let marks = self.marks.get(index(word)).copied().unwrap_or(0);
            if marks >> ((gram >> Self::LAST) % WORD) & 1 == 1 {
                self.compare(text, texts, (at, gram, word), each);
            }
        }
        // The last place has no last byte.
        if let Some(at) = (text.len() + 1).checked_sub(N)
            && let Some(left) = text.get(at..)
        {
            let mut bytes = [0; N];
            bytes.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
            let gram = gram(&bytes);
            let word = Self::word(gram, self.shift);
            if self.marks.get(index(word)) == Some(&u64::MAX) {
                self.compare(text, texts, (at, gram, word), each);
            }
        }
    }

    #[inline(never)]
    fn compare(&self, text: &[u8], texts: &[u8], place: (usize, u32, u32), each: &mut impl FnMut(Found)) {
        let (at, gram, word) = (place.0, place.1, index(place.2));
        let Some([from, to]) = self.starts.get(word..word + 2) else { return };
        for entry in self.entries.get(index(*from)..index(*to)).unwrap_or_default() {
            if (entry.gram ^ gram) & entry.mask != 0 {
                continue;
            }
            let Some(begin) = at.checked_sub(index(entry.before)) else { continue };
            let (end, from) = (begin + index(entry.length), index(entry.from));
            let have = text.get(begin..end);
            if have.is_some() && have == texts.get(from..from + index(entry.length)) {
                each(Found { which: entry.which, begin, end });
            }
        }
    }
}

const fn number_of<const N: usize>() -> u32 {
    if N == 4 { 4 } else { 2 }
}

/// Bytes as a number.
fn gram<const N: usize>(window: &[u8; N]) -> u32 {
    let mut bytes = [0; 4];
    for (to, from) in bytes.iter_mut().zip(window) {
        *to = *from;
    }
    u32::from_le_bytes(bytes)
}

/// A table being filled.
struct Filing<const N: usize> {
    /// How many texts have a gram.
    common: HashMap<u32, u32, RandomState>,
    entries: Vec<Entry>,
}

impl<const N: usize> Filing<N> {
    fn new() -> Self {
        Self { common: HashMap::default(), entries: Vec::new() }
    }

    fn count(&mut self, text: &[u8]) {
        text.array_windows::<N>().for_each(|window| *self.common.entry(gram(window)).or_default() += 1);
    }

    fn file(&mut self, text: &[u8], entry: Entry) {
        let grams = text.array_windows::<N>().map(gram).enumerate();
        let rarest =
            grams.min_by_key(|(_, gram)| (self.common.get(gram).copied().unwrap_or(0), plain(*gram)));
        let entry = match rarest {
            Some((before, gram)) => Entry { gram, mask: u32::MAX, before: number(before), ..entry },
            None => {
                let mut bytes = [0; N];
                bytes.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
                Entry { gram: gram(&bytes), mask: Table::<N>::HEAD, ..entry }
            }
        };
        self.entries.push(entry);
    }

    fn close(mut self) -> Option<Table<N>> {
        if self.entries.is_empty() {
            return None;
        }
        // Four words per text, so that few places are looked at in vain, as long as the map stays
        // in the nearest cache; then half a word, which spoils one place in thirty.
        let size = self.entries.len().next_power_of_two().ilog2();
        let bits = (size + 2).min(NEAR.max(size.saturating_sub(1))).min(Table::<N>::LAST);
        let shift = u32::BITS - bits;
        let word = |entry: &Entry| Table::<N>::word(entry.gram, shift);
        self.entries.sort_by_key(word);
        let mut marks = vec![0_u64; 1 << bits];
        for entry in &self.entries {
            if let Some(marks) = marks.get_mut(index(word(entry))) {
                let bit = 1 << ((entry.gram >> Table::<N>::LAST) % WORD);
                *marks |= if entry.mask == u32::MAX { bit } else { u64::MAX };
            }
        }
        let before = |bucket: u32| self.entries.partition_point(|entry| word(entry) < bucket);
        let starts = (0..=1 << bits).map(|bucket| number(before(bucket))).collect();
        Some(Table { shift, marks: marks.into(), starts, entries: self.entries.into() })
    }
}

/// Letters are what texts are made of; of two grams the one with fewer of them is rarer.
fn plain(gram: u32) -> usize {
    gram.to_le_bytes().iter().filter(|byte| byte.is_ascii_alphabetic() || b"\\/ .".contains(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plainly(sought: &[String], text: &str) -> Vec<(u32, usize)> {
        let mut out = Vec::new();
        for (which, one) in sought.iter().enumerate().filter(|(_, one)| !one.is_empty()) {
            let places = text.as_bytes().windows(one.len()).enumerate();
            out.extend(places.filter(|(_, have)| *have == one.as_bytes()).map(|(at, _)| (number(which), at)));
        }
        out.sort_unstable();
        out
    }

    proptest! {
        #[test]
        fn finds_what_looking_for_each_text_at_each_place_finds(
            sought in prop::collection::vec("[abx/é]{0,7}", 0..40), text in "[abx/é]{0,30}",
        ) {
            let mut found = Vec::new();
            Grams::new(sought.iter().map(String::as_str)).find(text.as_bytes(), &mut |one| {
                assert_eq!(text.as_bytes().get(one.begin..one.end), sought.get(index(one.which)).map(String::as_bytes));
                found.push((one.which, one.begin));
            });
            found.sort_unstable();
            prop_assert_eq!(found, plainly(&sought, &text));
        }
    }

    #[test]
    fn thousands_of_texts_are_told_apart() {
        let sought: Vec<String> = (0..5_000).map(|n| format!("tool-{n:04}.exe")).collect();
        let grams = Grams::new(sought.iter().map(String::as_str));
        let mut found = Vec::new();
        grams.find(b"run tool-0417.exe and tool-4999.exe, not tool-5000.exe", &mut |one| {
            found.push(one.which)
        });
        assert_eq!(found, [417, 4_999]);
    }
}
