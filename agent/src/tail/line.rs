//! Bytes into lines, within bounds: a line longer than the limit is cut, never collected.

use std::borrow::Cow;

use crate::parse::LINE_BYTES;

/// Collects the bytes of one line at a time.
#[derive(Debug)]
pub struct LineBuffer {
    bound: usize,
    kept: Vec<u8>,
    /// Bytes of the current line so far, kept or not.
    length: u64,
}

/// One line without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine {
    bytes: Vec<u8>,
    /// Whether it was longer than [`LINE_BYTES`] and has been cut.
    pub cut: bool,
    /// Bytes it takes in its file, line end included.
    pub length: u64,
}

impl Default for LineBuffer {
    fn default() -> Self {
        Self::with_bound(LINE_BYTES)
    }
}

impl LineBuffer {
    /// A buffer that keeps at most `bound` bytes of a line.
    #[must_use]
    pub fn with_bound(bound: usize) -> Self {
        Self { bound, kept: Vec::new(), length: 0 }
    }

    /// Takes bytes from the front of `rest` up to a line end; the line once it is complete.
    pub fn feed(&mut self, rest: &mut &[u8]) -> Option<RawLine> {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (head, tail) = rest.split_at(end.unwrap_or(rest.len()));
        self.keep(head);
        if end.is_none() {
            *rest = tail;
            return None;
        }
        self.length += 1;
        *rest = tail.get(1..).unwrap_or_default();
        Some(self.take(1))
    }

    /// The last line of a file that ends without a line end.
    pub fn finish(&mut self) -> Option<RawLine> {
        (self.length > 0).then(|| self.take(0))
    }

    /// Bytes waiting for their line end.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.length
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        let room = self.bound.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    fn take(&mut self, line_end: u64) -> RawLine {
        let mut bytes = std::mem::take(&mut self.kept);
        let length = std::mem::take(&mut self.length);
        let cut = length - line_end > bytes.len() as u64;
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        RawLine { bytes, cut, length }
    }
}

impl RawLine {
    /// The bytes as they were.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text; bytes that are no UTF-8 are replaced. At most [`LINE_BYTES`].
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let text = String::from_utf8_lossy(&self.bytes);
        if text.len() <= LINE_BYTES {
            return text;
        }
        // Replacing grows the text: one bad byte becomes three.
        let end = (0..=LINE_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        Cow::Owned(text.get(..end).unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<(String, bool, u64)> {
        let mut buffer = LineBuffer::default();
        let mut found = Vec::new();
        for chunk in chunks {
            let mut rest = *chunk;
            while let Some(line) = buffer.feed(&mut rest) {
                found.push((line.text().into_owned(), line.cut, line.length));
            }
        }
        found.extend(buffer.finish().map(|line| (line.text().into_owned(), line.cut, line.length)));
        found
    }

    #[test]
    fn lines_are_put_together_across_reads() {
        let found = lines(&[b"on", b"e\r\ntwo\n", b"\n", b"rest"]);
        let expected = [("one", 5), ("two", 4), ("", 1), ("rest", 4)];
        assert_eq!(found, expected.map(|(text, length)| (text.to_owned(), false, length)));
    }

    #[test]
    fn a_long_line_is_cut_but_counted_whole() {
        let long = vec![b'x'; LINE_BYTES + 10];
        let found = lines(&[&long, b"y\nz\n"]);
        assert_eq!(
            found.first().map(|line| (line.0.len(), line.1, line.2)),
            Some((LINE_BYTES, true, LINE_BYTES as u64 + 12))
        );
        assert_eq!(found.get(1).map(|line| line.0.as_str()), Some("z"));
    }

    #[test]
    fn bad_bytes_are_replaced_within_the_bound() {
        assert_eq!(lines(&[b"a\xffb\n"]).first().map(|line| line.0.clone()), Some("a\u{fffd}b".to_owned()));
        let bad = vec![0xff; LINE_BYTES];
        assert!(lines(&[&bad]).iter().all(|line| line.0.len() <= LINE_BYTES));
    }
}
