//! One raw event as indented JSON, and one in a line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;

use super::Look;
use crate::widgets::panel;
use crate::widgets::prose::Page;

/// Bytes of one event's JSON that are laid out. An event may carry 64 KiB of text per field; the
/// rest is in the journal and in a hunt by command line.
const MOST_BYTES: usize = 16 * 1024;

/// Draws the page of one event.
pub(super) fn draw(json: &Value, scroll: usize, look: Look, area: Rect, buf: &mut Buffer) -> usize {
    let inner = panel::framed(look.words.event, area, buf, look.theme);
    let mut page = Page::new(inner.width, &[], look.theme);
    write(json, look, &mut page);
    page.draw(scroll, inner, buf)
}

/// Writes an event on a page.
pub(super) fn write(json: &Value, look: Look, page: &mut Page) {
    let mut text = serde_json::to_string_pretty(json).unwrap_or_default();
    let cut = text.len() > MOST_BYTES;
    if cut {
        text.truncate(text.floor_char_boundary(MOST_BYTES));
    }
    page.code(&text, look.theme.text());
    if cut {
        page.paragraph(look.words.cut, look.theme.caution());
    }
}

/// The text at a dotted name, where there is one.
#[must_use]
pub fn text_at(json: &Value, name: &str) -> Option<String> {
    let mut at = json;
    for part in name.split('.') {
        at = at.get(part)?;
    }
    match at {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// What an event says, in one line: its original text, else its telling fields.
#[must_use]
pub fn summary(json: &Value, arrow: &str) -> String {
    let original = text_at(json, "message").or_else(|| text_at(json, "event.original"));
    original.unwrap_or_else(|| told(json, arrow))
}

/// Fields that tell what an event without text is about, in the order of reading.
const TELLING: [&str; 10] = [
    "event.action",
    "dns.question.name",
    "tls.client.server_name",
    "http.request.method",
    "url.path",
    "process.command_line",
    "process.executable",
    "file.path",
    "user.name",
    "network.transport",
];

fn told(json: &Value, arrow: &str) -> String {
    let end = |side: &str| {
        let ip = text_at(json, &format!("{side}.ip"))?;
        Some(text_at(json, &format!("{side}.port")).map_or_else(|| ip.clone(), |port| format!("{ip}:{port}")))
    };
    let mut parts = Vec::new();
    match (end("source"), end("destination")) {
        (Some(from), Some(to)) => parts.push(format!("{from} {arrow} {to}")),
        (Some(one), None) | (None, Some(one)) => parts.push(one),
        (None, None) => {}
    }
    parts.extend(TELLING.iter().filter_map(|name| text_at(json, name)));
    if parts.is_empty() { json.to_string() } else { parts.join("  ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_log_line_is_its_own_summary_and_a_flow_is_told_by_its_ends() {
        assert_eq!(
            summary(&json!({"message": "Failed password", "user": {"name": "x"}}), "->"),
            "Failed password"
        );
        let flow = json!({"source": {"ip": "192.0.2.1", "port": 5}, "destination": {"ip": "192.0.2.2"},
            "network": {"transport": "tcp"}});
        assert_eq!(summary(&flow, "->"), "192.0.2.1:5 -> 192.0.2.2  tcp");
        assert_eq!(summary(&json!({"odd": 1}), "->"), "{\"odd\":1}");
    }
}
