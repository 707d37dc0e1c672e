//! Every word that people read, in every language we speak.
//!
//! One struct, one constant per language: a text that one language lacks does not compile. Views
//! and reports hold no literal words; what differs in grammar is a function here, not a format
//! string there. The Chinese terms follow the glossary that responders and regulations use.

pub mod drill;
mod en;
pub mod explain;
pub mod rules;
mod zh_cn;

use watchpost_model::alert::{Outcome, Severity, Triage};
use watchpost_model::asset::Liveness;
use watchpost_model::ledger::Stage;

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// Simplified Chinese, the default.
    #[default]
    ZhCn,
    /// English.
    En,
}

impl Lang {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::ZhCn, Self::En];

    /// The tag used by `--lang`, in HTML and in file names.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::ZhCn => "zh-CN",
            Self::En => "en",
        }
    }

    /// The language a tag or a locale (`zh_CN.UTF-8`, `en`, `C`) asks for.
    #[must_use]
    pub fn named(tag: &str) -> Option<Self> {
        let tag = tag.to_ascii_lowercase();
        if tag.starts_with("zh") {
            Some(Self::ZhCn)
        } else if tag.starts_with("en") || tag == "c" || tag == "posix" || tag.starts_with("c.") {
            Some(Self::En)
        } else {
            None
        }
    }

    /// The language to use: the flag, else `WATCHPOST_LANG`, else `LANG` where it is Chinese or
    /// English, else Chinese. `LANG=C` says nothing about a reader, so it is not taken as English.
    #[must_use]
    pub fn choose(flag: Option<Self>, variable: Option<&str>, locale: Option<&str>) -> Self {
        let from_locale =
            locale.filter(|locale| locale.len() > 1 && !locale.starts_with("C.")).and_then(Self::named);
        flag.or_else(|| variable.and_then(Self::named)).or(from_locale).unwrap_or_default()
    }

    /// Its words.
    #[must_use]
    pub const fn words(self) -> &'static Words {
        match self {
            Self::ZhCn => &zh_cn::WORDS,
            Self::En => &en::WORDS,
        }
    }

    /// A rule's title, advice or the like in this language, or the other where it has none.
    #[must_use]
    pub fn pick<'a>(self, en: &'a str, zh: &'a str) -> &'a str {
        match self {
            Self::ZhCn if !zh.is_empty() => zh,
            Self::En if en.is_empty() => zh,
            _ => en,
        }
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)*) => {
        /// The words of one language.
        #[derive(Debug)]
        pub struct Words {
            $($(#[$doc])* pub $name: $kind,)*
        }
    };
}

type Text = &'static str;

words! {
    /// The language.
    lang: Lang,
    /// The product's name.
    product: Text,
    /// Heading: incidents.
    incidents: Text,
    /// Heading: hosts.
    hosts: Text,
    /// Names of the tabs, in order.
    tabs: [Text; 5],
    /// Word for a severity.
    severity: fn(Severity) -> Text,
    /// Word for a state of handling.
    triage: fn(Triage) -> Text,
    /// Word for an outcome.
    outcome: fn(Outcome) -> Text,
    /// Word for a host's liveness.
    liveness: fn(Liveness) -> Text,
    /// Name of a stage of the loss ledger.
    stage: fn(Stage) -> Text,
    /// Name of an ATT&CK tactic, by its tag; the tag where it is unknown.
    tactic: fn(&str) -> String,
    /// A span of so many seconds, short.
    span: fn(u64) -> String,
    /// "so long ago".
    ago: fn(u64) -> String,
    /// A big number in prose.
    big: fn(u64) -> String,
    /// strftime pattern of a time in a document.
    long_time: Text,
    /// Separator between items in prose.
    comma: Text,
    /// Separator between label and value.
    colon: Text,

    /// Connected to the collector.
    online: Text,
    /// Connecting for the first time.
    connecting: Text,
    /// Not connected, and why, and for how many seconds.
    offline: fn(u64) -> String,
    /// The screen is frozen.
    frozen: Text,
    /// A filter is on.
    filtered: Text,
    /// Nothing to show yet.
    loading: Text,
    /// The list is empty.
    empty_alerts: Text,
    /// The list is empty.
    empty_incidents: Text,
    /// The list is empty.
    empty_hosts: Text,
    /// Nothing matches the filter.
    no_match: Text,
    /// The live stream left messages out.
    missed: fn(u64) -> String,
    /// The window is too small.
    too_small: Text,
    /// So many shown of so many.
    shown_of: fn(usize, usize) -> String,

    /// Heading: open alerts by severity.
    open_alerts: Text,
    /// Heading: alerts of the last day by hour.
    last_day: Text,
    /// "most in one hour".
    peak: fn(u64) -> String,
    /// Axis: a day ago.
    day_ago: Text,
    /// Axis: now.
    now: Text,
    /// Heading: the platform's own state.
    platform: Text,
    /// Heading: attackers.
    top_attackers: Text,
    /// Heading: targets.
    top_targets: Text,
    /// Heading: rules.
    top_rules: Text,
    /// Label: hosts online.
    hosts_online: Text,
    /// Label: hosts silent.
    hosts_silent: Text,
    /// Label: open incidents.
    open_incidents: Text,
    /// Label: events per second.
    rate: Text,
    /// Label: events in the journal.
    events_stored: Text,
    /// Label: events lost.
    lost: Text,
    /// Label: journal size.
    journal: Text,
    /// Label: rules loaded.
    rules: Text,
    /// So many rules without a source.
    blind_rules: fn(u64) -> String,
    /// Label: the rule set, by its hash.
    rule_set: Text,
    /// Label: the file that a rule stands in, by its hash.
    rule_file: Text,
    /// Label: since when the rule set is in force.
    rules_since: Text,
    /// Label: events waiting for detection.
    backlog: Text,
    /// Label: running for.
    uptime: Text,
    /// Heading: warnings.
    warnings: Text,

    /// Column: severity.
    col_severity: Text,
    /// Column: time.
    col_time: Text,
    /// Column: rule.
    col_rule: Text,
    /// Column: attacker and target.
    col_parties: Text,
    /// Column: count.
    col_count: Text,
    /// Column: outcome.
    col_outcome: Text,
    /// Column: handling.
    col_triage: Text,
    /// Column: host.
    col_host: Text,
    /// Column: attacker.
    col_attacker: Text,
    /// Column: stages.
    col_stages: Text,
    /// Column: alerts.
    col_alerts: Text,
    /// Column: state.
    col_state: Text,
    /// Column: last heard.
    col_heard: Text,
    /// Column: capture rung.
    col_rung: Text,
    /// Column: CPU.
    col_cpu: Text,
    /// Column: memory.
    col_memory: Text,
    /// Column: what the agent costs.
    col_cost: Text,
    /// Column: events.
    col_events: Text,
    /// Column: dataset of an event.
    col_dataset: Text,
    /// Column: what an event says.
    col_summary: Text,
    /// Column: stage of the ledger.
    col_stage: Text,
    /// Column: passed.
    col_passed: Text,
    /// Column: field.
    col_field: Text,
    /// Column: value.
    col_value: Text,
    /// Column: what the rule wanted.
    col_wanted: Text,
    /// Column: ATT&CK.
    col_attack: Text,
    /// Column: category.
    col_category: Text,

    /// Heading of an alert's page.
    alert: Text,
    /// Heading of an incident's page.
    incident: Text,
    /// Label: who.
    who: Text,
    /// Label: whom.
    whom: Text,
    /// Label: how.
    how: Text,
    /// Label: when.
    when: Text,
    /// Label: result.
    result: Text,
    /// Label: rule.
    rule: Text,
    /// Label: category.
    category: Text,
    /// A code that has not been checked against the standard's annex.
    unverified: Text,
    /// Label: the name of the category's standard.
    aligned: Text,
    /// Label: host.
    host: Text,
    /// Label: handling.
    handling: Text,
    /// Label: handler.
    owner: Text,
    /// Label: reason.
    reason: Text,
    /// Label: grouping.
    grouped_by: Text,
    /// Label: incident.
    in_incident: Text,
    /// Label: drill.
    drill: Text,
    /// The same in a list, as short as can be.
    drill_mark: Text,
    /// So many times.
    times: fn(u64) -> String,
    /// Part of a party: user.
    user: Text,
    /// Part of a party: process.
    process: Text,
    /// Not known.
    unknown: Text,
    /// No ATT&CK technique named.
    no_technique: Text,
    /// Heading: matched fields.
    why: Text,
    /// Heading: advice.
    advice: Text,
    /// No advice in the rule.
    no_advice: Text,
    /// Heading: raw events.
    raw_events: fn(usize) -> String,
    /// Counted but not kept.
    more_events: fn(u64) -> String,
    /// Text of an event was cut here.
    cut: Text,
    /// Label: completeness of the data.
    completeness: Text,
    /// A correlation's count, no pattern.
    by_correlation: Text,

    /// Label: opened, the moment of knowledge.
    opened: Text,
    /// Label: first and last event.
    lasted: Text,
    /// Label: stages.
    stages: Text,
    /// State of an incident: open.
    is_open: Text,
    /// State of an incident: closed.
    is_closed: Text,
    /// Heading: the story in order of time.
    timeline: Text,
    /// Known for so long, and what that means for the legal clocks.
    known_for: fn(&str) -> String,

    /// Label: addresses.
    addresses: Text,
    /// Label: system.
    system: Text,
    /// Label: version of the agent.
    version: Text,
    /// Heading: what it cannot see.
    blind: Text,
    /// It sees all.
    not_blind: Text,
    /// An agent's own sentence, which is English: marked as a quotation in other languages.
    agent_says: fn(&str) -> String,
    /// Known losses of a host, by stage.
    lost_at: fn(&str) -> String,
    /// A collector's own sentence, likewise.
    collector_says: fn(&str) -> String,
    /// What it sees is not known, as it never spoke.
    never_heard: Text,
    /// Heading: loss ledger.
    ledger: Text,
    /// No counts yet.
    no_ledger: Text,

    /// Heading: hunt.
    hunt: Text,
    /// How to write a query.
    hunt_hint: Text,
    /// Running.
    hunting: Text,
    /// Nothing found.
    nothing_found: Text,
    /// Heading: one event.
    event: Text,

    /// Prompt: filter.
    ask_filter: Text,
    /// Prompt: query.
    ask_hunt: Text,
    /// Prompt: reason for a state of handling.
    ask_reason: fn(Text) -> String,
    /// A reason is mandatory.
    reason_needed: Text,
    /// Changed the handling.
    triaged: fn(Text) -> String,
    /// Wrote a report.
    reported: fn(&str) -> String,
    /// What was asked failed.
    failed: fn(&str) -> String,
    /// Too many requests waiting.
    busy: Text,

    /// Heading: help.
    help: Text,
    /// Keys: what each does, by [`crate::keymap::Action`].
    keys: KeyWords,
    /// Report words.
    report: ReportWords,
    /// Command line words.
    command: CommandWords,
}

/// What each key does.
#[derive(Debug)]
pub struct KeyWords {
    /// Switch tab.
    pub tab: Text,
    /// Move.
    pub walk: Text,
    /// Move by a page.
    pub page: Text,
    /// First and last.
    pub ends: Text,
    /// Open.
    pub open: Text,
    /// Back.
    pub back: Text,
    /// Filter.
    pub filter: Text,
    /// Only open alerts, or all.
    pub only_open: Text,
    /// Sort.
    pub sort: Text,
    /// Freeze.
    pub freeze: Text,
    /// Refresh.
    pub refresh: Text,
    /// New query.
    pub query: Text,
    /// Report.
    pub report: Text,
    /// Go to the incident.
    pub incident: Text,
    /// Help.
    pub help: Text,
    /// Quit.
    pub quit: Text,
    /// Clear what was typed.
    pub clear: Text,
    /// All keys that set a state of handling, in the footer where there is no room for each.
    pub mark: Text,
    /// Set the state of handling to this one.
    pub triage: fn(Text) -> String,
}

/// Words of a report.
#[derive(Debug)]
pub struct ReportWords {
    /// Title.
    pub title: Text,
    /// Label: number.
    pub number: Text,
    /// Label: made at.
    pub made: Text,
    /// Label: unit.
    pub unit: Text,
    /// To be filled in by hand.
    pub fill_in: Text,
    /// Label: addressed to.
    pub addressee: Text,
    /// Section: summary.
    pub summary: Text,
    /// Section: alerts.
    pub alerts: Text,
    /// Section: evidence.
    pub evidence: Text,
    /// Section: completeness.
    pub completeness: Text,
    /// Section: legal clock.
    pub clock: Text,
    /// What the clock means.
    pub clock_hint: Text,
    /// Label: signature.
    pub signature: Text,
    /// Label: reviewed by.
    pub reviewer: Text,
    /// Label: date.
    pub date: Text,
    /// What must never be entered, and who sends the report.
    pub notice: Text,
    /// Times are given in.
    pub zone: Text,
    /// The summary in one sentence: attacker, host, first, last, alerts, events.
    pub sentence: fn(&Sentence<'_>) -> String,
    /// The evidence was shortened.
    pub shortened: Text,
    /// No events kept.
    pub no_evidence: Text,
    /// Nothing is known of how complete the data was.
    pub completeness_unknown: Text,
    /// Label: severity of the worst alert.
    pub severity: Text,
    /// Level of the incident, to be judged by a person.
    pub level: Text,
    /// The rule's text is in another language.
    pub time_point: Text,
}

/// What the summary sentence of a report speaks of.
#[derive(Debug)]
pub struct Sentence<'a> {
    /// First event.
    pub first: &'a str,
    /// Last event.
    pub last: &'a str,
    /// Who.
    pub attacker: &'a str,
    /// Host concerned.
    pub host: &'a str,
    /// Tactics, joined.
    pub stages: &'a str,
    /// Alerts.
    pub alerts: usize,
    /// Events.
    pub events: u64,
    /// Worst outcome.
    pub outcome: Text,
}

/// Words of the command line.
#[derive(Debug)]
pub struct CommandWords {
    /// Headless mode watches.
    pub watching: fn(&str) -> String,
    /// Headless mode lost the collector.
    pub lost_link: fn(&str) -> String,
    /// The answer is incomplete.
    pub incomplete: fn(&str) -> String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_then_the_variable_then_the_locale() {
        let choose = Lang::choose;
        assert_eq!(choose(Some(Lang::En), Some("zh-CN"), Some("zh_CN.UTF-8")), Lang::En);
        assert_eq!(choose(None, Some("en"), Some("zh_CN.UTF-8")), Lang::En);
        assert_eq!(choose(None, None, Some("en_GB.UTF-8")), Lang::En);
        assert_eq!(choose(None, None, Some("zh_CN.UTF-8")), Lang::ZhCn);
        assert_eq!(choose(None, None, Some("C.UTF-8")), Lang::ZhCn);
        assert_eq!(choose(None, Some("klingon"), None), Lang::ZhCn);
    }

    #[test]
    fn a_rule_without_a_chinese_title_shows_its_english_one() {
        assert_eq!(Lang::ZhCn.pick("Port scan", ""), "Port scan");
        assert_eq!(Lang::ZhCn.pick("Port scan", "端口扫描"), "端口扫描");
        assert_eq!(Lang::En.pick("Port scan", "端口扫描"), "Port scan");
    }

    #[test]
    fn the_glossary_terms_are_used() {
        let zh = Lang::ZhCn.words();
        assert_eq!(Severity::ALL.map(zh.severity), ["提示", "低危", "中危", "高危", "严重"]);
        assert_eq!((zh.triage)(Triage::FalsePositive), "误报");
        assert_eq!((zh.outcome)(Outcome::Compromised), "失陷");
        assert_eq!((zh.tactic)("command-and-control"), "命令与控制");
        assert_eq!((zh.tactic)("x_unheard_of"), "x_unheard_of");
    }

    #[test]
    fn big_numbers_use_the_units_of_their_language() {
        let zh = Lang::ZhCn.words();
        assert_eq!((zh.big)(9_999), "9999");
        assert_eq!((zh.big)(12_345), "1.2万");
        assert_eq!((zh.big)(350_000_000), "3.5亿");
        assert_eq!((Lang::En.words().big)(12_345), "12.3k");
    }
}
