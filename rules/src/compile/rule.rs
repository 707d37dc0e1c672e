//! A loaded rule, as everyone outside this crate sees it.

use watchpost_model::FieldId;
use watchpost_model::alert::{Outcome, RuleRef, Severity};

use crate::ast::Head;
use crate::taxonomy::OwnedLogsource;

/// A loaded rule: detection or correlation.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What an alert keeps of it.
    pub meta: RuleRef,
    /// How bad a finding is.
    pub severity: Severity,
    /// The file it came from.
    pub file: String,
    /// What findings are grouped by; empty where the rule does not say.
    pub group_by: Vec<FieldId>,
    /// What a finding says about the attack's success.
    pub outcome: Outcome,
    /// Which events it wants; empty for a correlation.
    pub logsource: OwnedLogsource,
    /// Whether it counts other rules' findings.
    pub is_correlation: bool,
    /// Whether it never fires by itself, being only counted by correlations.
    pub is_silent: bool,
}

/// A rule's public part from its head. Without an id the name, then the title stands in.
pub(super) fn rule(head: &Head, file: &str) -> Rule {
    let id = [&head.id, &head.name, &head.title].into_iter().find(|text| !text.is_empty());
    let tagged = |prefix: &str| -> Vec<String> {
        let tags = head.tags.iter().filter_map(|tag| tag.strip_prefix(prefix));
        tags.map(str::to_owned).collect()
    };
    let attack = tagged("attack.");
    let is_technique = |tag: &&String| {
        tag.strip_prefix('t').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let is_other = |tag: &&String| {
        tag.strip_prefix(['g', 's', 'c', 'm'])
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let techniques = attack.iter().filter(is_technique).map(|tag| tag.to_ascii_uppercase()).collect();
    let tactics = attack
        .iter()
        .filter(|tag| !is_technique(tag) && !is_other(tag))
        .map(|tag| tag.replace('-', "_"))
        .collect();
    Rule {
        meta: RuleRef {
            id: id.cloned().unwrap_or_default(),
            name: head.title.clone(),
            name_zh: head.ours.title_zh.clone(),
            tactics,
            techniques,
            category: tagged("gbt20986.").into_iter().next().unwrap_or_default(),
            advice: head.ours.advice.clone(),
            advice_zh: head.ours.advice_zh.clone(),
            ..RuleRef::default()
        },
        severity: head.severity,
        file: file.to_owned(),
        group_by: head.ours.group_by.iter().filter_map(|name| FieldId::named(name)).collect(),
        outcome: head.ours.outcome,
        logsource: OwnedLogsource::default(),
        is_correlation: false,
        is_silent: false,
    }
}
