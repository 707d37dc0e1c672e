//! Text measured in terminal cells.
//!
//! A Chinese character takes two cells, a combining mark none. Cutting never halves a character:
//! where only one cell is left for a wide one, a space fills it. All functions neutralise their
//! input first and stop reading as soon as the width is full, so a long line costs no more than a
//! short one.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::clean;

/// Characters looked at for one cell of width at most: an ASCII text needs one, marks a few.
const CHARS_PER_CELL: usize = 8;

/// Width in cells of a text that has been neutralised.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// At most the first `chars` characters, on a character boundary.
fn head(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// The text, neutralised and cut to `width` cells; `mark` ends it where something was cut off.
#[must_use]
pub fn clip(text: &str, width: usize, mark: &str) -> String {
    let shown = clean::neutral(head(text, width.saturating_mul(CHARS_PER_CELL).saturating_add(8)));
    if self::width(&shown) <= width {
        return shown.into_owned();
    }
    let room = width.saturating_sub(self::width(mark));
    let mut out = String::new();
    let mut used = 0;
    for c in shown.chars() {
        let cells = char_width(c);
        if used + cells > room {
            break;
        }
        out.push(c);
        used += cells;
    }
    if width >= self::width(mark) {
        out.push_str(mark);
    }
    out
}

/// Which end of a cell the text sits at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// At the start.
    #[default]
    Left,
    /// At the end: numbers.
    Right,
}

/// The text cut and filled to exactly `width` cells.
#[must_use]
pub fn fit(text: &str, width: usize, align: Align, mark: &str) -> String {
    let cut = clip(text, width, mark);
    let space = " ".repeat(width.saturating_sub(self::width(&cut)));
    match align {
        Align::Left => cut + &space,
        Align::Right => space + &cut,
    }
}

/// The text broken into lines of at most `width` cells: at spaces where it can, between wide
/// characters anywhere, inside a word only where the word alone is too long.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let shown = clean::neutral(text);
    let mut lines = Vec::new();
    let mut line = Breaker::default();
    for c in shown.chars() {
        line.push(c, width, &mut lines);
    }
    if !line.text.is_empty() || lines.is_empty() {
        lines.push(line.text);
    }
    lines
}

/// The line being filled, and where it may be broken.
#[derive(Default)]
struct Breaker {
    text: String,
    used: usize,
    /// Byte position and width up to the last place where the line may end.
    chance: Option<(usize, usize)>,
}

impl Breaker {
    fn push(&mut self, c: char, width: usize, lines: &mut Vec<String>) {
        let cells = char_width(c);
        if cells == 2 {
            self.chance_here();
        }
        if self.used + cells > width {
            if c == ' ' {
                self.end(lines);
                return;
            }
            self.break_line(lines);
        }
        self.text.push(c);
        self.used += cells;
        if c == ' ' || cells == 2 {
            self.chance_here();
        }
    }

    fn chance_here(&mut self) {
        if !self.text.is_empty() {
            self.chance = Some((self.text.len(), self.used));
        }
    }

    fn end(&mut self, lines: &mut Vec<String>) {
        lines.push(std::mem::take(&mut self.text).trim_end().to_owned());
        self.used = 0;
        self.chance = None;
    }

    fn break_line(&mut self, lines: &mut Vec<String>) {
        let Some((at, used)) = self.chance.take() else {
            self.end(lines);
            return;
        };
        let rest = self.text.split_off(at);
        let left = self.used - used;
        self.end(lines);
        self.text = rest;
        self.used = left;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wide_character_is_never_halved() {
        assert_eq!(clip("暴力破解", 8, "…"), "暴力破解");
        assert_eq!(clip("暴力破解", 7, "…"), "暴力破…");
        assert_eq!(clip("暴力破解", 6, "…"), "暴力…");
        assert_eq!(fit("暴力破解", 6, Align::Left, "…"), "暴力… ");
        assert_eq!(fit("12", 5, Align::Right, "…"), "   12");
    }

    #[test]
    fn lines_break_at_spaces_and_between_wide_characters() {
        assert_eq!(wrap("block the address now", 10), ["block the", "address", "now"]);
        assert_eq!(wrap("立即封禁该地址", 6), ["立即封", "禁该地", "址"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,60}|[\u{0}-\u{9f}a中 ]{0,60}", room in 2_usize..40) {
            prop_assert!(width(&clip(&text, room, "…")) <= room);
            prop_assert_eq!(width(&fit(&text, room, Align::Left, "…")), room);
            for line in wrap(&text, room) {
                prop_assert!(width(&line) <= room, "{:?}", line);
            }
        }

        #[test]
        fn wrapping_loses_no_letter(text in "[a-z中文 ]{0,80}", room in 2_usize..30) {
            let letters = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&wrap(&text, room).concat()), letters(&text));
        }
    }
}
