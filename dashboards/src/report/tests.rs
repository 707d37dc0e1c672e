//! Reports as they are printed, and that nothing foreign comes alive in them.

use super::{Format, render};
use crate::samples;
use crate::words::Lang;

#[test]
fn reports_read_as_pinned_in_both_languages() {
    for lang in Lang::ALL {
        for format in [Format::Markdown, Format::Html, Format::Json] {
            let text = render(&samples::story(), lang, samples::now(), format);
            insta::assert_snapshot!(format!("{}_{}", lang.tag(), format.extension()), text);
        }
    }
}

#[test]
fn hostile_text_stays_text() {
    let mut story = samples::story();
    let nasty = "</pre><script>alert(1)</script>\u{1b}[31m|\u{202e}![x](http://e)";
    story.incident.host = nasty.into();
    story.alerts[0].rule.name = nasty.into();
    story.alerts[0].rule.name_zh = nasty.into();
    story.alerts[0].matched[0].value = nasty.into();
    story.evidence[0].events[0].event = serde_json::json!({ "message": nasty });
    for lang in Lang::ALL {
        let html = render(&story, lang, samples::now(), Format::Html);
        assert!(!html.contains("<script") && html.matches("</pre>").count() == html.matches("<pre>").count());
        let markdown = render(&story, lang, samples::now(), Format::Markdown);
        for text in [&html, &markdown] {
            assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']));
        }
        let table_rows = markdown.lines().filter(|line| line.starts_with('|'));
        for row in table_rows {
            let bars = row.replace("\\|", "").matches('|').count();
            assert!(matches!(bars, 4 | 6), "{row}");
        }
        // Inside a fence text is shown as it is; outside it must be escaped.
        let outside: String = markdown.split("```").step_by(2).collect();
        assert!(!outside.contains("![x]") && !outside.contains("<script"), "{outside}");
    }
}

#[test]
fn json_reports_can_be_read_back() {
    let text = render(&samples::story(), Lang::En, samples::now(), Format::Json);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["incident"]["host"], "web-01");
    assert_eq!(value["outcome"], "compromised");
}
