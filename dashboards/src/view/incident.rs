//! One incident as a story: what it is, since when it is known, and its alerts in order of time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use watchpost_model::alert::Alert;
use watchpost_model::id::IncidentId;
use watchpost_model::incident::Incident;
use watchpost_model::query::IncidentStory;

use super::{Look, party, party_or};
use crate::app::State;
use crate::format;
use crate::report::facts;
use crate::widgets::panel;
use crate::widgets::prose::Page;

/// Draws the story. Returns how far it can be scrolled.
pub(super) fn draw(
    state: &State,
    id: IncidentId,
    story: Option<&Result<Box<IncidentStory>, String>>,
    look: Look,
    area: Rect,
    buf: &mut Buffer,
) -> usize {
    let (words, theme) = (look.words, look.theme);
    let inner = panel::framed(&format!("{} {id}", words.incident), area, buf, theme);
    let labels = [
        words.drill,
        words.who,
        words.host,
        words.stages,
        words.lasted,
        words.opened,
        words.category,
        words.handling,
    ];
    let mut page = Page::new(inner.width, &labels, theme);
    let known = match story {
        Some(Ok(story)) => Some(&story.incident),
        _ => state.data().incidents.get(&id),
    };
    if let Some(incident) = known {
        write_facts(incident, state, look, &mut page);
    }
    match story {
        None => page.heading(words.loading),
        Some(Err(why)) => page.paragraph(&(words.failed)(why), theme.bad()),
        Some(Ok(story)) => {
            page.heading(words.timeline);
            for alert in &story.alerts {
                write_alert(alert, look, &mut page);
            }
            write_completeness(story, look, &mut page);
        }
    }
    page.draw(state.scroll, inner, buf)
}

fn write_facts(incident: &Incident, state: &State, look: Look, page: &mut Page) {
    let (words, theme) = (look.words, look.theme);
    let text = theme.text();
    page.fact(words.col_severity, (words.severity)(incident.severity), theme.severity(incident.severity));
    if !incident.drill.is_empty() {
        page.fact(words.drill, &incident.drill, theme.caution());
    }
    page.fact(words.who, &party_or(&incident.attacker, words), theme.caution());
    page.fact(words.host, &incident.host, text);
    page.fact(words.stages, &facts::stages(&incident.stages, words, &format!(" {} ", theme.arrow())), text);
    let lasted = format!("{} - {}", format::time(incident.first_seen), format::time(incident.last_seen));
    page.fact(words.lasted, &lasted, text);
    for code in &incident.categories {
        page.fact(words.category, &facts::category(code, words), text);
    }
    match incident.closed {
        Some(closed) => page.fact(words.is_closed, &format::time(closed), text),
        None => {
            page.fact(words.opened, &format::time(incident.opened), text);
            let known = (words.span)(state.now.since(incident.opened).as_secs());
            page.fact("", &(words.known_for)(&known), theme.caution());
        }
    }
}

fn write_alert(alert: &Alert, look: Look, page: &mut Page) {
    let (words, theme) = (look.words, look.theme);
    let name = words.lang.pick(&alert.rule.name, &alert.rule.name_zh);
    page.pieces(&[
        (format!("{}  ", format::time(alert.first_seen)), theme.label()),
        ((words.severity)(alert.severity).to_owned(), theme.severity(alert.severity)),
        (format!("  {name}"), theme.text()),
    ]);
    let line = format!(
        "  {}  {}  {}  {}",
        party::pair(alert, words, theme),
        facts::method(alert, words),
        (words.times)(alert.count),
        (words.outcome)(alert.outcome)
    );
    page.code(&line, theme.label());
}

fn write_completeness(story: &IncidentStory, look: Look, page: &mut Page) {
    let said = facts::completeness(story, look.words);
    page.heading(look.words.completeness);
    for sentence in said {
        page.paragraph(&sentence, look.theme.text());
    }
}
