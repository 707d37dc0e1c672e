//! A report as Markdown. Foreign text is escaped so that it can neither break a table nor become a
//! link, an image or HTML; code fences are longer than any run of backticks inside.

use super::document::{Block, Document};
use crate::clean;

pub(super) fn render(document: &Document) -> String {
    let mut out = format!("# {}\n\n> {}\n", escape(&document.title), escape(document.notice));
    for section in &document.sections {
        if !section.heading.is_empty() {
            out.push_str(&format!("\n## {}\n", escape(&section.heading)));
        }
        for block in &section.blocks {
            out.push('\n');
            write(block, &mut out);
        }
    }
    out
}

fn write(block: &Block, out: &mut String) {
    match block {
        Block::Facts(facts) => {
            for (label, value) in facts {
                out.push_str(&format!("- **{}** {}\n", escape(label), escape(value)));
            }
        }
        Block::Table { head, rows } => {
            row(head, out);
            row(&vec!["---".to_owned(); head.len()], out);
            rows.iter().for_each(|cells| row(cells, out));
        }
        Block::Paragraph(text) => {
            for line in text.lines() {
                out.push_str(&escape(line));
                out.push_str("\n\n");
            }
            out.pop();
        }
        Block::Subheading(text) => out.push_str(&format!("### {}\n", escape(text))),
        Block::Code(text) => {
            let fence = "`".repeat(longest_run(text).max(2) + 1);
            out.push_str(&format!("{fence}\n{}\n{fence}\n", clean::neutral_lines(text)));
        }
        Block::Signature(lines) => {
            for line in lines {
                out.push_str(&format!("{} ____________________\n\n", escape(line)));
            }
            out.pop();
        }
    }
}

fn row(cells: &[String], out: &mut String) {
    out.push('|');
    for cell in cells {
        let text = if cell == "---" { cell.clone() } else { escape(cell) };
        out.push_str(&format!(" {text} |"));
    }
    out.push('\n');
}

fn longest_run(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// One line of text that Markdown shows as it is. Characters that mean something only at the start
/// of a line are harmless, because nothing foreign ever starts one.
fn escape(text: &str) -> String {
    let shown = clean::neutral(text);
    let mut out = String::with_capacity(shown.len() + 8);
    for c in shown.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '!' | '#' => {
                out.push('\\');
                out.push(c);
            }
            // An address with `://` becomes a link by itself in many viewers.
            ':' => out.push_str(if out.ends_with("http") || out.ends_with("https") { "&#58;" } else { ":" }),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        assert_eq!(escape("a|b`c`"), "a\\|b\\`c\\`");
        assert_eq!(escape("<img src=x onerror=1>"), "&lt;img src=x onerror=1&gt;");
        assert_eq!(escape("![x](http://e)"), "\\!\\[x\\](http&#58;//e)");
        assert_eq!(escape("two\nlines"), "two\\\\nlines");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        let mut out = String::new();
        write(&Block::Code("```` x".into()), &mut out);
        assert!(out.starts_with("`````\n"));
    }
}
