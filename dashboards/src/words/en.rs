//! English words: plain, short, the same word for the same thing as in the documentation.

use watchpost_model::alert::{Outcome, Severity, Triage};
use watchpost_model::asset::Liveness;
use watchpost_model::ledger::Stage;

use super::{CommandWords, KeyWords, Lang, ReportWords, Sentence, Text, Words};
use crate::format::as_float;

fn severity(severity: Severity) -> Text {
    match severity {
        Severity::Informational => "Info",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

fn triage(triage: Triage) -> Text {
    match triage {
        Triage::New => "New",
        Triage::Investigating => "Investigating",
        Triage::Handling => "Handling",
        Triage::Handled => "Handled",
        Triage::FalsePositive => "False positive",
        Triage::Ignored => "Ignored",
        Triage::Closed => "Closed",
    }
}

fn outcome(outcome: Outcome) -> Text {
    match outcome {
        Outcome::Unknown => "Unknown",
        Outcome::Attempt => "Attempt",
        Outcome::Success => "Success",
        Outcome::Compromised => "Compromised",
    }
}

fn liveness(liveness: Liveness) -> Text {
    match liveness {
        Liveness::Online => "Online",
        Liveness::Silent => "Silent",
        Liveness::Never => "Never",
        Liveness::Revoked => "Revoked",
    }
}

fn stage(stage: Stage) -> Text {
    match stage {
        Stage::Kernel => "kernel capture",
        Stage::Decode => "decoding",
        Stage::Lines => "log lines",
        Stage::Queue => "agent queue",
        Stage::Spool => "agent spool",
        Stage::Wire => "wire",
        Stage::Journal => "journal",
        Stage::Detect => "detection",
    }
}

fn tactic(tag: &str) -> String {
    let mut words = tag.replace(['-', '_'], " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

fn big(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1}k", as_float(n) / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}M", as_float(n) / 1e6),
        _ => format!("{:.1}G", as_float(n) / 1e9),
    }
}

fn sentence(s: &Sentence<'_>) -> String {
    let stages = if s.stages.is_empty() { String::new() } else { format!(" Attack stages: {}.", s.stages) };
    format!(
        "From {} to {}, {} attacked host {}: {} alert(s) over {} event(s).{stages} Result: {}.",
        s.first,
        s.last,
        s.attacker,
        s.host,
        s.alerts,
        big(s.events),
        s.outcome
    )
}

pub(super) const WORDS: Words = Words {
    lang: Lang::En,
    product: "Watchpost",
    incidents: "Incidents",
    hosts: "Hosts",
    tabs: ["Overview", "Alerts", "Incidents", "Hosts", "Hunt"],
    severity,
    triage,
    outcome,
    liveness,
    stage,
    tactic,
    span,
    ago: |seconds| format!("{} ago", span(seconds)),
    big,
    long_time: "%Y-%m-%d %H:%M",
    comma: ", ",
    colon: ": ",

    online: "online",
    connecting: "connecting",
    offline: |seconds| format!("offline {}", span(seconds)),
    frozen: "FROZEN",
    filtered: "filter",
    loading: "Loading...",
    empty_alerts: "No alerts. The rules are watching; a new alert appears here at once.",
    empty_incidents: "No incidents.",
    empty_hosts: "No host yet. Make a token on the collector, then run watchpost-agent enroll on a host.",
    no_match: "Nothing matches the filter. Esc removes it.",
    missed: |n| format!("too slow for the stream, {n} messages left out; lists read again"),
    too_small: "Window too small: 40 columns by 10 rows at least",
    shown_of: |shown, all| format!("{shown}/{all}"),

    open_alerts: "Open alerts",
    last_day: "Alerts, last 24 hours",
    peak: |n| format!("peak {n} per hour"),
    day_ago: "24 h ago",
    now: "now",
    platform: "Platform",
    top_attackers: "Top attackers",
    top_targets: "Top targets",
    top_rules: "Top rules",
    hosts_online: "Hosts online",
    hosts_silent: "Hosts silent",
    open_incidents: "Open incidents",
    rate: "Events per s",
    events_stored: "Events stored",
    lost: "Lost",
    journal: "Journal",
    rules: "Rules",
    blind_rules: |n| format!("{n} blind"),
    rule_set: "Rule set",
    rule_file: "Rule file",
    rules_since: "In force",
    backlog: "Undetected",
    uptime: "Running for",
    warnings: "Warnings",

    col_severity: "Sev",
    col_time: "Time",
    col_rule: "Rule",
    col_parties: "Attacker / target",
    col_count: "Count",
    col_outcome: "Result",
    col_triage: "State",
    col_host: "Host",
    col_attacker: "Attacker",
    col_stages: "Stages",
    col_alerts: "Alerts",
    col_state: "State",
    col_heard: "Heard",
    col_rung: "Capture",
    col_cpu: "CPU",
    col_memory: "Mem",
    col_cost: "Agent cost",
    col_events: "Events",
    col_dataset: "Dataset",
    col_summary: "Summary",
    col_stage: "Stage",
    col_passed: "Passed",
    col_field: "Field",
    col_value: "Value",
    col_wanted: "Rule wants",
    col_attack: "ATT&CK",
    col_category: "Category",

    alert: "Alert",
    incident: "Incident",
    who: "Who",
    whom: "Whom",
    how: "How",
    when: "When",
    result: "Result",
    rule: "Rule",
    category: "Category",
    unverified: "code unverified",
    aligned: "aligned with GB/T 20986-2023",
    host: "Host",
    handling: "Handling",
    owner: "Handler",
    reason: "Reason",
    grouped_by: "Grouped by",
    in_incident: "Incident",
    drill: "Drill",
    drill_mark: "Drill",
    times: |n| if n == 1 { "once".to_owned() } else { format!("{n} times") },
    user: "user",
    process: "process",
    unknown: "unknown",
    no_technique: "not tagged in the rule",
    why: "Why it fired",
    advice: "What to do",
    no_advice: "The rule gives no advice.",
    raw_events: |n| format!("Raw events ({n})"),
    more_events: |n| format!("{n} more counted, not kept by reference"),
    cut: "(too long, cut here)",
    completeness: "Data completeness",
    by_correlation: "(correlation)",

    opened: "Known since",
    lasted: "First to last",
    stages: "Stages",
    is_open: "open",
    is_closed: "closed",
    timeline: "Timeline",
    known_for: |span| format!("known for {span}; check the reporting deadline if graded level III or above"),

    addresses: "Addresses",
    system: "System",
    version: "Agent version",
    blind: "Cannot see",
    not_blind: "no blind spots",
    agent_says: str::to_owned,
    lost_at: |stages| format!("the host lost records since its counting began: {stages}"),
    collector_says: str::to_owned,
    never_heard: "unknown: has not reported yet",
    ledger: "Loss ledger",
    no_ledger: "The agent has reported no counts yet.",

    hunt: "Hunt",
    hunt_hint: "Press / and write terms, for example source.ip=192.0.2.* sshd; all must hold",
    hunting: "Searching...",
    nothing_found: "No event matches.",
    event: "Event",

    ask_filter: "Filter",
    ask_hunt: "Query",
    ask_reason: |state| format!("Reason for \"{state}\""),
    reason_needed: "This state needs a reason",
    triaged: |state| format!("Now: {state}"),
    reported: |path| format!("Report written: {path}"),
    failed: |what| format!("Failed: {what}"),
    busy: "Too many requests waiting, try again",

    help: "Keys",
    keys: KeyWords {
        tab: "switch tab",
        walk: "move",
        page: "page",
        ends: "first / last",
        open: "open",
        back: "back",
        filter: "filter",
        only_open: "only open / all",
        sort: "by time / by severity",
        freeze: "freeze",
        refresh: "read again",
        query: "write a query",
        report: "report",
        incident: "go to its incident",
        help: "help",
        quit: "quit",
        clear: "clear what was typed",
        mark: "mark",
        triage: |state| format!("mark {state}"),
    },
    report: ReportWords {
        title: "Cyberattack incident report",
        number: "Incident",
        made: "Generated",
        unit: "Unit",
        fill_in: "(to be filled in)",
        addressee: "To",
        summary: "Summary",
        alerts: "Alerts",
        evidence: "Evidence: raw events",
        completeness: "Data completeness",
        clock: "Reporting deadline",
        clock_hint: "The legal clock starts when the incident is known. An incident that a person grades level III or \
            above must be reported within the limit that applies to the unit. Watchpost drafts and keeps time; it \
            does not report to any authority.",
        signature: "Prepared by",
        reviewer: "Reviewed by",
        date: "Date",
        notice: "Compiled by Watchpost; to be verified by a person before use. Never enter classified information.",
        zone: "All times are China Standard Time (UTC+8).",
        sentence,
        shortened: "Only the first events are listed here; the rest can be found in the console.",
        no_evidence: "No raw events were kept.",
        completeness_unknown: "Nothing is known about how complete the data was.",
        severity: "Worst severity",
        level: "Incident level (judged by a person)",
        time_point: "Time",
    },
    command: CommandWords {
        watching: |address| format!("watching {address}"),
        lost_link: |why| format!("lost the collector: {why}"),
        incomplete: |why| format!("incomplete answer: {why}"),
    },
};
