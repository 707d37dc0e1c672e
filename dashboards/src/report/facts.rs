//! The facts of alerts and incidents in words: the same sentence on the screen and in a report.

use watchpost_model::alert::Alert;
use watchpost_model::category;
use watchpost_model::query::{Evidence, IncidentStory};

use crate::format;
use crate::words::{Lang, Words};

/// Tactics and techniques: how.
#[must_use]
pub fn method(alert: &Alert, words: &Words) -> String {
    let tactics = stages(&alert.rule.tactics, words, words.comma);
    let techniques = alert.rule.techniques.join(words.comma);
    match (tactics.is_empty(), techniques.is_empty()) {
        (true, true) => words.no_technique.to_owned(),
        (false, true) => tactics,
        (true, false) => format!("ATT&CK {techniques}"),
        (false, false) => format!("{tactics}  ATT&CK {techniques}"),
    }
}

/// Tactics joined.
#[must_use]
pub fn stages(tags: &[String], words: &Words, joiner: &str) -> String {
    tags.iter().map(|tag| (words.tactic)(tag)).collect::<Vec<_>>().join(joiner)
}

/// A title, marked where it is a drill's: nobody may take an exercise for an attack.
#[must_use]
pub fn marked(title: &str, drill: &str, words: &Words) -> String {
    if drill.is_empty() { title.to_owned() } else { format!("[{}] {title}", words.drill_mark) }
}

/// First and last event and how often.
#[must_use]
pub fn when(alert: &Alert, words: &Words) -> String {
    let times = (words.times)(alert.count);
    if alert.first_seen == alert.last_seen {
        return format!("{}  {times}", format::time(alert.first_seen));
    }
    format!("{} - {}  {times}", format::time(alert.first_seen), format::time(alert.last_seen))
}

/// A category: code, name and how sure the code is.
#[must_use]
pub fn category(code: &str, words: &Words) -> String {
    let Some(row) = category::find(code) else {
        return format!("{code} ({})", words.unknown);
    };
    let name = if words.lang == Lang::ZhCn { row.zh } else { row.en };
    if row.verified {
        format!("{code} {name} ({})", words.aligned)
    } else {
        format!("{code} {name} ({}{}{})", words.aligned, words.comma, words.unverified)
    }
}

/// How complete one alert's data was: known losses in our words, else what the collector says.
#[must_use]
pub fn complete(evidence: &Evidence, words: &Words) -> Option<String> {
    if evidence.losses.is_empty() {
        let sentence = &evidence.completeness;
        return (!sentence.is_empty()).then(|| (words.collector_says)(sentence));
    }
    let losses = evidence.losses.iter();
    let stages = losses.map(|entry| format!("{} {}", (words.stage)(entry.stage), format::digits(entry.lost)));
    Some((words.lost_at)(&stages.collect::<Vec<_>>().join(words.comma)))
}

/// How complete the data was: each different sentence once, in order.
#[must_use]
pub fn completeness(story: &IncidentStory, words: &Words) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for evidence in &story.evidence {
        if let Some(sentence) = complete(evidence, words).filter(|sentence| !said.contains(sentence)) {
            said.push(sentence);
        }
    }
    if said.is_empty() {
        said.push(words.report.completeness_unknown.to_owned());
    }
    said
}

#[cfg(test)]
mod tests {
    use watchpost_model::ledger::{Entry, Stage};

    use super::*;

    #[test]
    fn known_losses_are_told_in_the_readers_language() {
        let losses = vec![Entry { stage: Stage::Queue, passed: 9, lost: 2 }];
        let evidence = Evidence { losses, ..crate::samples::evidence() };
        for lang in Lang::ALL {
            let words = lang.words();
            let said = complete(&evidence, words).unwrap();
            assert!(said.contains(&format!("{} 2", (words.stage)(Stage::Queue))), "{said}");
            assert!(!said.contains(&evidence.completeness), "{said}");
        }
    }
}
