//! One alert, told: who, whom, how, when, with what result, why it fired, what to do, and the raw
//! events. A wide window shows the story and the events side by side.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use watchpost_model::alert::{Alert, Outcome};
use watchpost_model::id::AlertId;
use watchpost_model::query::Evidence;

use super::{Look, event, party_or};
use crate::app::State;
use crate::report::facts as told;
use crate::widgets::prose::Page;
use crate::widgets::{cells, panel};
use crate::words::Words;

/// Columns from which the events stand beside the story.
const WIDE: u16 = 110;

/// Draws an alert's page. Returns how far it can be scrolled.
pub(super) fn draw(
    state: &State,
    id: AlertId,
    evidence: Option<&Result<Evidence, String>>,
    look: Look,
    area: Rect,
    buf: &mut Buffer,
) -> usize {
    let (words, theme) = (look.words, look.theme);
    let Some(alert) = state.current_alert().filter(|alert| alert.id == id) else {
        panel::notice(words.loading, area, buf, theme.label(), theme);
        return 0;
    };
    let name = words.lang.pick(&alert.rule.name, &alert.rule.name_zh);
    let title = format!("{} [{}] {name}", words.alert, (words.severity)(alert.severity));
    if area.width < WIDE {
        let inner = panel::framed(&title, area, buf, theme);
        let mut page = Page::new(inner.width, &labels(words), theme);
        story(alert, look, &mut page);
        raw(evidence, look, &mut page);
        return page.draw(state.scroll, inner, buf);
    }
    let half = area.width / 2;
    let left = panel::framed(&title, Rect { width: half, ..area }, buf, theme);
    let mut page = Page::new(left.width, &labels(words), theme);
    story(alert, look, &mut page);
    let first = page.draw(state.scroll, left, buf);
    let right = Rect { x: area.x + half, width: area.width - half, ..area };
    let right = panel::framed(words.event, right, buf, theme);
    let mut page = Page::new(right.width, &[], theme);
    raw(evidence, look, &mut page);
    first.max(page.draw(state.scroll, right, buf))
}

/// The labels of an alert's facts, for their common width.
#[must_use]
pub(super) fn labels(words: &Words) -> [&'static str; 9] {
    [
        words.who,
        words.whom,
        words.how,
        words.when,
        words.result,
        words.category,
        words.handling,
        words.grouped_by,
        words.in_incident,
    ]
}

/// The five answers, then rule, category and handling.
pub(super) fn facts(alert: &Alert, look: Look, page: &mut Page) {
    let (words, theme) = (look.words, look.theme);
    let text = theme.text();
    page.fact(words.who, &party_or(&alert.attacker, words), theme.caution());
    page.fact(words.whom, &party_or(&alert.target, words), text);
    page.fact(words.how, &told::method(alert, words), text);
    page.fact(words.when, &told::when(alert, words), text);
    let bad = matches!(alert.outcome, Outcome::Success | Outcome::Compromised);
    page.fact(words.result, (words.outcome)(alert.outcome), if bad { theme.bad() } else { text });
    page.fact(
        words.rule,
        &format!("{}  {}", words.lang.pick(&alert.rule.name, &alert.rule.name_zh), alert.rule.id),
        text,
    );
    if !alert.rule.category.is_empty() {
        page.fact(words.category, &told::category(&alert.rule.category, words), text);
    }
    page.fact(words.host, &alert.host, text);
    page.fact(words.handling, &handling(alert, words), text);
}

fn handling(alert: &Alert, words: &Words) -> String {
    let mut out = (words.triage)(alert.triage).to_owned();
    for (label, value) in [(words.owner, &alert.owner), (words.reason, &alert.reason)] {
        if !value.is_empty() {
            out.push_str(&format!("  {label}{}{value}", words.colon));
        }
    }
    out
}

fn story(alert: &Alert, look: Look, page: &mut Page) {
    let (words, theme) = (look.words, look.theme);
    facts(alert, look, page);
    if !alert.group.is_empty() {
        let parts: Vec<String> = alert.group.iter().map(|(name, value)| format!("{name}={value}")).collect();
        page.fact(words.grouped_by, &parts.join("  "), theme.text());
    }
    if let Some(incident) = alert.incident {
        page.fact(words.in_incident, &incident.to_string(), theme.text());
    }
    if !alert.drill.is_empty() {
        page.fact(words.drill, &alert.drill, theme.caution());
    }
    page.heading(words.advice);
    let advice = words.lang.pick(&alert.rule.advice, &alert.rule.advice_zh);
    page.paragraph(if advice.trim().is_empty() { words.no_advice } else { advice }, theme.text());
    page.heading(words.why);
    matched(alert, look, page);
    for (label, hash) in [(words.rule_file, &alert.rule.hash), (words.rule_set, &alert.rule.set)] {
        if !hash.is_empty() {
            page.code(&format!("{label}{}SHA-256 {hash}", words.colon), theme.label());
        }
    }
}

/// Field, value and what the rule wanted, in lines that wrap under their own column.
fn matched(alert: &Alert, look: Look, page: &mut Page) {
    let (words, theme) = (look.words, look.theme);
    for field in &alert.matched {
        let wanted = if field.pattern.is_empty() { words.by_correlation } else { &field.pattern };
        page.pieces(&[(field.field.clone(), theme.heading())]);
        let label = cells::width(words.col_wanted).max(cells::width(words.col_value));
        for (name, value) in [(words.col_value, field.value.as_str()), (words.col_wanted, wanted)] {
            let head = cells::fit(name, label, cells::Align::Left, theme.ellipsis());
            page.code(&format!("  {head}  {value}"), theme.text());
        }
    }
}

fn raw(evidence: Option<&Result<Evidence, String>>, look: Look, page: &mut Page) {
    let (words, theme) = (look.words, look.theme);
    match evidence {
        None => page.heading(words.loading),
        Some(Err(why)) => page.paragraph(&(words.failed)(why), theme.bad()),
        Some(Ok(evidence)) => {
            page.heading(&(words.raw_events)(evidence.events.len()));
            if let Some(said) = told::complete(evidence, words) {
                let text = format!("{}{}{said}", words.completeness, words.colon);
                page.paragraph(&text, theme.label());
            }
            for shown in &evidence.events {
                page.gap();
                page.paragraph(&format!("#{}", shown.at), theme.label());
                event::write(&shown.event, look, page);
            }
            if evidence.more > 0 {
                page.gap();
                page.paragraph(&(words.more_events)(evidence.more), theme.caution());
            }
        }
    }
}
