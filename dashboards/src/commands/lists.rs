//! `alerts`, `incidents`, `hosts`, `hunt`: what the collector knows, as lines.

use serde::Serialize;
use watchpost_model::Timestamp;
use watchpost_model::alert::{Alert, Severity};
use watchpost_model::asset::Host;
use watchpost_model::id::{AlertId, IncidentId};
use watchpost_model::incident::Incident;
use watchpost_model::query::{AlertQuery, EventQuery, IncidentQuery};

use super::{Desk, Error, Output};
use crate::clean;
use crate::exit::Exit;
use crate::format;
use crate::report::facts;
use crate::view::{event_summary, pair, party_or, text_at};
use crate::widgets::cells::{self, Align};

/// Which alerts to list.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AlertArgs {
    /// At least this severity: informational, low, medium, high, critical.
    #[arg(long, value_parser = severity)]
    pub severity: Option<Severity>,
    /// Only alerts that still wait for someone.
    #[arg(long)]
    pub open: bool,
    /// Only this rule, by id.
    #[arg(long)]
    pub rule: Option<String>,
    /// Only alerts whose title, host, attacker or target contain this text.
    #[arg(long)]
    pub text: Option<String>,
    /// Only alerts older than this one, by id (the next page).
    #[arg(long)]
    pub before: Option<AlertId>,
    /// Rows wanted, 1000 at most.
    #[arg(long)]
    pub limit: Option<usize>,
}

fn severity(name: &str) -> Result<Severity, String> {
    Severity::named(name)
        .ok_or_else(|| format!("no severity {name:?}: informational, low, medium, high or critical"))
}

/// Which incidents to list.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct IncidentArgs {
    /// Only incidents older than this one, by id (the next page).
    #[arg(long)]
    pub before: Option<IncidentId>,
    /// Rows wanted, 1000 at most.
    #[arg(long)]
    pub limit: Option<usize>,
}

/// What to search.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct HuntArgs {
    /// Terms that must all hold: field=value (with * as wildcard) or bare words.
    pub query: String,
    /// Not before this time (RFC 3339).
    #[arg(long, value_parser = time)]
    pub from: Option<Timestamp>,
    /// Not after this time (RFC 3339).
    #[arg(long, value_parser = time)]
    pub to: Option<Timestamp>,
    /// Rows wanted, 1000 at most.
    #[arg(long)]
    pub limit: Option<usize>,
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| format!("not a time: {text:?}, write 2026-11-23T18:05:09+08:00"))
}

/// Lists alerts, newest first.
///
/// # Errors
/// The collector cannot be asked, or the output fails.
pub fn alerts(args: &AlertArgs, desk: &mut Desk<'_>) -> Result<Exit, Error> {
    let page = desk.source.alerts(&AlertQuery {
        severity: args.severity,
        open: args.open,
        agent: None,
        rule: args.rule.clone(),
        text: args.text.clone(),
        before: args.before,
        limit: args.limit,
    })?;
    let words = desk.lang.words();
    let head = [
        words.col_severity,
        words.col_time,
        words.col_rule,
        words.col_parties,
        words.col_count,
        words.col_outcome,
        words.col_triage,
        "ID",
    ];
    let theme = desk.theme;
    let row = |alert: &Alert| {
        vec![
            (words.severity)(alert.severity).to_owned(),
            format::time(alert.last_seen),
            facts::marked(words.lang.pick(&alert.rule.name, &alert.rule.name_zh), &alert.drill, words),
            pair(alert, words, theme),
            alert.count.to_string(),
            (words.outcome)(alert.outcome).to_owned(),
            (words.triage)(alert.triage).to_owned(),
            alert.id.to_string(),
        ]
    };
    list(&head, &page.rows, row, desk)?;
    complete(&page.incomplete, desk)
}

/// Lists incidents, newest first.
///
/// # Errors
/// The collector cannot be asked, or the output fails.
pub fn incidents(args: &IncidentArgs, desk: &mut Desk<'_>) -> Result<Exit, Error> {
    let page = desk.source.incidents(&IncidentQuery { before: args.before, limit: args.limit })?;
    let words = desk.lang.words();
    let head = [
        words.col_severity,
        words.opened,
        words.col_host,
        words.col_attacker,
        words.col_stages,
        words.col_alerts,
        words.col_state,
        "ID",
    ];
    let row = |incident: &Incident| {
        vec![
            (words.severity)(incident.severity).to_owned(),
            format::time(incident.opened),
            facts::marked(&incident.host, &incident.drill, words),
            party_or(&incident.attacker, words),
            facts::stages(&incident.stages, words, words.comma),
            incident.alerts.len().to_string(),
            if incident.closed.is_none() { words.is_open } else { words.is_closed }.to_owned(),
            incident.id.to_string(),
        ]
    };
    list(&head, &page.rows, row, desk)?;
    complete(&page.incomplete, desk)
}

/// Lists all hosts.
///
/// # Errors
/// The collector cannot be asked, or the output fails.
pub fn hosts(desk: &mut Desk<'_>) -> Result<Exit, Error> {
    let hosts = desk.source.hosts()?;
    let words = desk.lang.words();
    let head = [
        words.col_host,
        words.col_state,
        words.col_heard,
        words.col_rung,
        words.col_events,
        words.lost,
        words.col_alerts,
        words.blind,
        "ID",
    ];
    let row = |host: &Host| {
        vec![
            host.name.clone(),
            (words.liveness)(host.liveness).to_owned(),
            host.last_heard.map(format::time).unwrap_or_default(),
            host.rung.clone(),
            host.events.to_string(),
            host.ledger.lost().to_string(),
            host.open_alerts.to_string(),
            if host.last_heard.is_some() { host.blind.join("; ") } else { words.never_heard.to_owned() },
            host.agent.to_string(),
        ]
    };
    list(&head, &hosts, row, desk)?;
    Ok(Exit::Fine)
}

/// Searches raw events, newest first.
///
/// # Errors
/// The query is wrong, the collector cannot be asked, or the output fails.
pub fn hunt(args: &HuntArgs, desk: &mut Desk<'_>) -> Result<Exit, Error> {
    let page = desk.source.events(&EventQuery {
        q: args.query.clone(),
        agent: None,
        from: args.from,
        to: args.to,
        limit: args.limit,
    })?;
    let words = desk.lang.words();
    let head = [words.col_time, words.col_host, words.col_dataset, words.col_summary];
    let arrow = desk.theme.arrow();
    let row = |json: &serde_json::Value| {
        let stamp = text_at(json, "@timestamp").unwrap_or_default();
        vec![
            Timestamp::parse(&stamp).map_or(stamp, format::time),
            text_at(json, "host.name").unwrap_or_default(),
            text_at(json, "event.dataset").unwrap_or_default(),
            event_summary(json, arrow),
        ]
    };
    list(&head, &page.rows, row, desk)?;
    complete(&page.incomplete, desk)
}

/// Says on standard error when an answer is not whole.
fn complete(incomplete: &str, desk: &mut Desk<'_>) -> Result<Exit, Error> {
    if !incomplete.is_empty() {
        let said = (desk.lang.words().command.incomplete)(incomplete);
        writeln!(desk.err, "{}", clean::neutral(&said))?;
    }
    Ok(Exit::Fine)
}

/// Cells of one column of a printed table; a longer text is cut, JSON has it whole.
const MOST_CELLS: usize = 60;

fn list<T: Serialize>(
    head: &[&str],
    rows: &[T],
    row: impl Fn(&T) -> Vec<String>,
    desk: &mut Desk<'_>,
) -> Result<(), Error> {
    if desk.output == Output::Json {
        for row in rows {
            writeln!(desk.out, "{}", serde_json::to_string(row)?)?;
        }
        return Ok(());
    }
    let mark = desk.theme.ellipsis();
    let head = head.iter().map(|text| (*text).to_owned()).collect();
    let table: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows.iter().map(row))
        .map(|cells| cells.iter().map(|text| cells::clip(text, MOST_CELLS, mark)).collect())
        .collect();
    let columns = table.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            table.iter().filter_map(|row| row.get(at)).map(|text| cells::width(text)).max().unwrap_or(0)
        })
        .collect();
    for row in &table {
        let parts: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(text, width)| cells::fit(text, *width, Align::Left, mark))
            .collect();
        writeln!(desk.out, "{}", parts.join("  ").trim_end())?;
    }
    Ok(())
}
