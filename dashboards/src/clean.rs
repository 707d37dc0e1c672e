//! Makes foreign text harmless before it reaches a terminal or a document.
//!
//! Host names, log lines, user names and URLs are written by attackers. A control character could
//! move the cursor, retitle the window or hide a line; a bidirectional override or a zero-width
//! character could make one address read as another. All of them are shown by name (`<U+202E>`)
//! rather than dropped, so that an analyst sees that they were there. Nothing else is changed.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Combining marks that one base character may carry. Real scripts need two or three; stacks of
/// dozens only serve to smear neighbouring rows.
const MOST_MARKS: usize = 3;

/// The text with every dangerous character named. Line breaks and tabs become `\n` and `\t`:
/// the result is always one line.
#[must_use]
pub fn neutral(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        let zero = c.width() == Some(0);
        marks = if zero { marks + 1 } else { 0 };
        if is_dangerous(c) || marks > MOST_MARKS {
            push_named(c, &mut out);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The same for text of several lines: line breaks stay, tabs become two spaces.
#[must_use]
pub fn neutral_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| neutral(&line.trim_end_matches('\r').replace('\t', "  ")).into_owned())
        .collect();
    lines.join("\n")
}

fn push_named(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => {
            out.push_str("<U+");
            out.push_str(&format!("{:04X}>", u32::from(c)));
        }
    }
}

/// Characters that act on a terminal or hide in a line: controls, format characters, fillers,
/// variation selectors, tags and private use.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0x00ad | 0x034f | 0x061c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
            | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f
            | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a
            | 0xe000..=0xf8ff | 0xe0000..=0xe0fff | 0xf_0000..=0x10_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        assert_eq!(neutral(input), expected);
    }

    #[test]
    fn escape_sequences_are_shown_not_obeyed() {
        check("\x1b[2Jroot", "<U+001B>[2Jroot");
        check("a\u{9b}31m", "a<U+009B>31m");
        check("bell\x07\x7f", "bell<U+0007><U+007F>");
        check("one\r\ntwo\t3", "one\\r\\ntwo\\t3");
    }

    #[test]
    fn hidden_and_reordering_characters_are_shown() {
        check("evil\u{202e}gpj.exe", "evil<U+202E>gpj.exe");
        check("pay\u{200b}pal", "pay<U+200B>pal");
        check("a\u{feff}b\u{2066}c", "a<U+FEFF>b<U+2066>c");
        check("x\u{e0041}", "x<U+E0041>");
    }

    #[test]
    fn ordinary_text_of_any_script_stays() {
        for text in ["plain", "登录失败 用户=张三", "naïve", "Zürich", "ไทย", "हिन्दी"]
        {
            check(text, text);
        }
        assert!(matches!(neutral("plain ascii"), Cow::Borrowed(_)));
    }

    #[test]
    fn stacked_marks_are_cut_off_from_the_letter() {
        let shown = neutral("e\u{301}\u{301}\u{301}\u{301}").into_owned();
        assert_eq!(shown, "e\u{301}\u{301}\u{301}<U+0301>");
    }

    #[test]
    fn several_lines_stay_several_lines() {
        assert_eq!(neutral_lines("a\tb\r\nc\x1b"), "a  b\nc<U+001B>");
    }
}
