//! Many texts sought in one, each by its rarest few bytes.
//!
//! Each text is filed under four neighbouring bytes of it (two or one where it is shorter): those
//! that the fewest of the other texts have too, because what many rules seek is what many events
//! have. A search looks once at every place, in a bit map small enough to stay in the nearest
//! cache, and compares whole texts only where a bit is set. Unlike an automaton's, its loads do
//! not wait for one another, so that the number of texts hardly matters.

use std::collections::HashMap;

use super::texts::{index, number};

/// Spreads neighbouring values apart (Knuth's multiplicative hash).
const SPREAD: u32 = 0x9E37_79B1;

/// Bits of the map per text, as a power of two, and places of the table.
const MARKS: u32 = 4;
const BUCKETS: u32 = 1;

/// Texts to be found anywhere.
#[derive(Debug, Default)]
pub(crate) struct Grams {
    texts: Box<[u8]>,
    fours: Option<Table<4>>,
    twos: Option<Table<2>>,
    ones: Option<Table<1>>,
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
        let (mut fours, mut twos, mut ones) = (Filing::new(), Filing::new(), Filing::new());
        for text in sought.clone().map(str::as_bytes) {
            fours.count(text);
            twos.count(text);
            ones.count(text);
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
                1 => ones.file(text, entry),
                2 | 3 => twos.file(text, entry),
                _ => fours.file(text, entry),
            }
        }
        Self { texts: texts.into(), fours: fours.close(), twos: twos.close(), ones: ones.close() }
    }

    /// Tells every text that stands in `text`, at every place where it does.
    pub(crate) fn find(&self, text: &[u8], each: &mut impl FnMut(Found)) {
        if let Some(table) = &self.fours {
            table.find(text, &self.texts, each);
        }
        if let Some(table) = &self.twos {
            table.find(text, &self.texts, each);
        }
        if let Some(table) = &self.ones {
            table.find(text, &self.texts, each);
        }
    }
}

/// One text in a table.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    gram: u32,
    /// Bytes of the text before the gram.
    before: u32,
    from: u32,
    length: u32,
    which: u32,
}

/// Texts by `N` bytes of each.
#[derive(Debug)]
struct Table<const N: usize> {
    /// From a hash to its bit in `marks`.
    shift: u32,
    marks: Box<[u64]>,
    /// By the first bits of the hash: where its entries begin.
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
}

impl<const N: usize> Table<N> {
    fn find(&self, text: &[u8], texts: &[u8], each: &mut impl FnMut(Found)) {
        for (at, window) in text.array_windows::<N>().enumerate() {
            let gram = gram(window);
            let bit = gram.wrapping_mul(SPREAD) >> self.shift;
            let marks = self.marks.get(index(bit >> 6)).copied().unwrap_or(0);
            if marks >> (bit & 63) & 1 == 1 {
                self.compare(text, texts, (at, gram, bit), each);
            }
        }
    }

    #[inline(never)]
    fn compare(&self, text: &[u8], texts: &[u8], place: (usize, u32, u32), each: &mut impl FnMut(Found)) {
        let (at, gram, bit) = place;
        let bucket = index(bit >> (MARKS - BUCKETS));
        let Some([from, to]) = self.starts.get(bucket..bucket + 2) else { return };
        for entry in self.entries.get(index(*from)..index(*to)).unwrap_or_default() {
            let Some(begin) = at.checked_sub(index(entry.before)).filter(|_| entry.gram == gram) else {
                continue;
            };
            let (end, from) = (begin + index(entry.length), index(entry.from));
            let have = text.get(begin..end);
            if have.is_some() && have == texts.get(from..from + index(entry.length)) {
                each(Found { which: entry.which, begin, end });
            }
        }
    }
}

/// `N` bytes as a number.
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
    common: HashMap<u32, u32>,
    entries: Vec<Entry>,
}

impl<const N: usize> Filing<N> {
    fn new() -> Self {
        Self { common: HashMap::new(), entries: Vec::new() }
    }

    fn count(&mut self, text: &[u8]) {
        text.array_windows::<N>().for_each(|window| *self.common.entry(gram(window)).or_default() += 1);
    }

    fn file(&mut self, text: &[u8], entry: Entry) {
        let grams = text.array_windows::<N>().map(gram).enumerate();
        let rarest =
            grams.min_by_key(|(_, gram)| (self.common.get(gram).copied().unwrap_or(0), plain(*gram)));
        if let Some((before, gram)) = rarest {
            self.entries.push(Entry { gram, before: number(before), ..entry });
        }
    }

    fn close(mut self) -> Option<Table<N>> {
        if self.entries.is_empty() {
            return None;
        }
        let size = self.entries.len().next_power_of_two().ilog2();
        let bits = (size + MARKS).max(6);
        let shift = 32 - bits;
        let hash = |entry: &Entry| entry.gram.wrapping_mul(SPREAD) >> shift;
        self.entries.sort_by_key(hash);
        let mut marks = vec![0_u64; 1 << (bits - 6)];
        for bit in self.entries.iter().map(hash) {
            if let Some(word) = marks.get_mut(index(bit >> 6)) {
                *word |= 1 << (bit & 63);
            }
        }
        let buckets = 1_u32 << (bits - MARKS + BUCKETS);
        let before =
            |bucket: u32| self.entries.partition_point(|entry| hash(entry) >> (MARKS - BUCKETS) < bucket);
        let starts = (0..=buckets).map(|bucket| number(before(bucket))).collect();
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
