//! A report as one self-contained HTML file: no scripts, no requests, laid out for A4.
//!
//! A Content-Security-Policy forbids everything but the style inside, so that even an escaping
//! mistake could not run. Margins and type follow the layout of official documents: 37 mm above,
//! 28 mm left, a type area of 156 by 225 mm, body in FangSong 16 pt with 28 characters a line. Fonts
//! are named, not bundled.

use super::document::{Block, Document};
use crate::clean;

const STYLE: &str = r#"
:root { --song: "FZXiaoBiaoSong-B05S", "Source Han Serif SC", "Noto Serif CJK SC", SimSun, serif;
  --fang: FangSong, STFangsong, FangSong_GB2312, "Source Han Serif SC", "Noto Serif CJK SC", serif;
  --hei: SimHei, "Source Han Sans SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; }
@page { size: A4; margin: 37mm 26mm 35mm 28mm; }
body { max-width: 156mm; margin: 10mm auto; font: 16pt/1.75 var(--fang); color: #000; background: #fff; }
h1 { font: 22pt/1.5 var(--song); text-align: center; margin: 0 0 10mm; }
h2 { font: 16pt/1.75 var(--hei); margin: 8mm 0 2mm; break-after: avoid; }
h3 { font: bold 14pt/1.6 var(--fang); margin: 5mm 0 1mm; break-after: avoid; }
p { margin: 0 0 3mm; text-indent: 2em; overflow-wrap: anywhere; }
.notice { border: 1px solid #000; padding: 2mm 4mm; font-size: 12pt; text-indent: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 4mm; margin: 0 0 3mm; font-size: 14pt; }
dt { font-family: var(--hei); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: 0 0 4mm; font-size: 11pt; line-height: 1.4; }
th, td { border: 1px solid #000; padding: 1mm 2mm; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
.short { white-space: nowrap; }
th { font-family: var(--hei); font-weight: normal; } tr { break-inside: avoid; }
pre { font: 9pt/1.35 "Sarasa Mono SC", "Noto Sans Mono CJK SC", monospace; border: 1px solid #999;
  padding: 2mm; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 3mm; }
.signature { margin-top: 15mm; break-inside: avoid; } .signature p { text-align: right; padding-right: 50mm; }
"#;

pub(super) fn render(document: &Document) -> String {
    let title = escape(&document.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p class=\"notice\">{}</p>\n",
        document.lang,
        escape(document.notice)
    );
    for section in &document.sections {
        if !section.heading.is_empty() {
            out.push_str(&format!("<h2>{}</h2>\n", escape(&section.heading)));
        }
        section.blocks.iter().for_each(|block| write(block, &mut out));
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn write(block: &Block, out: &mut String) {
    match block {
        Block::Facts(facts) => {
            out.push_str("<dl>\n");
            for (label, value) in facts {
                out.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(label), escape(value)));
            }
            out.push_str("</dl>\n");
        }
        Block::Table { head, rows } => {
            out.push_str("<table>\n<thead>");
            row(head, "th", out);
            out.push_str("</thead>\n<tbody>\n");
            rows.iter().for_each(|cells| row(cells, "td", out));
            out.push_str("</tbody>\n</table>\n");
        }
        Block::Paragraph(text) => {
            text.lines().for_each(|line| out.push_str(&format!("<p>{}</p>\n", escape(line))));
        }
        Block::Subheading(text) => out.push_str(&format!("<h3>{}</h3>\n", escape(text))),
        Block::Code(text) => {
            out.push_str(&format!("<pre>{}</pre>\n", entities(&clean::neutral_lines(text))));
        }
        Block::Signature(lines) => {
            out.push_str("<div class=\"signature\">\n");
            lines.iter().for_each(|line| out.push_str(&format!("<p>{}</p>\n", escape(line))));
            out.push_str("</div>\n");
        }
    }
}

/// Characters up to which a cell is not broken: `2026-11-23 18:05:09` has 19.
const SHORT: usize = 19;

fn row(cells: &[String], tag: &str, out: &mut String) {
    out.push_str("<tr>");
    for cell in cells {
        // A word or a time stays whole; only long values are broken to fit the page.
        let short = if cell.chars().count() <= SHORT { " class=\"short\"" } else { "" };
        out.push_str(&format!("<{tag}{short}>{}</{tag}>", escape(cell)));
    }
    out.push_str("</tr>\n");
}

fn escape(text: &str) -> String {
    entities(&clean::neutral(text))
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
