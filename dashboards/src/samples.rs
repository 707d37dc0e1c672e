//! A made-up situation for tests: two hosts, a brute force that came through, a drill, hostile text.
//! Everything is fixed, so snapshots are too. Addresses are from the documentation ranges.

use std::time::Duration;

use serde_json::json;
use watchpost_model::Timestamp;
use watchpost_model::alert::{Alert, MatchedField, Outcome, Party, RuleRef, Severity, Triage};
use watchpost_model::asset::{Host, Liveness};
use watchpost_model::id::{AgentId, AlertId, EventRef, IncidentId};
use watchpost_model::incident::Incident;
use watchpost_model::ledger::{Ledger, Stage};
use watchpost_model::query::{
    AlertQuery, Drill, EventQuery, Evidence, EvidenceEvent, IncidentQuery, IncidentStory, Live, Overview,
    Page, TriageChange, UnderWay,
};

use crate::client::{Error, Lives, Source};

/// 2026-11-23 18:05:09 in Beijing.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T10:05:09Z").unwrap()
}

pub(crate) fn earlier(seconds: u64) -> Timestamp {
    now().minus(Duration::from_secs(seconds))
}

pub(crate) fn agent(number: u8) -> AgentId {
    AgentId::from_bytes([number; 16])
}

pub(crate) fn incident_id() -> IncidentId {
    IncidentId::derive(earlier(900), &[b"incident"])
}

fn rule(id: &str, name: &str, name_zh: &str, tactic: &str, technique: &str, category: &str) -> RuleRef {
    RuleRef {
        id: id.into(),
        name: name.into(),
        name_zh: name_zh.into(),
        tactics: vec![tactic.into()],
        techniques: vec![technique.into()],
        category: category.into(),
        advice: "Block the source address, reset the account's password and read its later sessions.".into(),
        advice_zh: "立即封禁攻击源地址，重置该账号口令，并核查其后续登录会话与操作记录。".into(),
        hash: "3f".repeat(32),
        set: "a1".repeat(32),
    }
}

fn alert(seconds: u64, rule: RuleRef, severity: Severity) -> Alert {
    let at = earlier(seconds);
    Alert {
        id: AlertId::derive(at, &[rule.id.as_bytes()]),
        rule,
        severity,
        first_seen: earlier(seconds + 60),
        last_seen: at,
        raised: at,
        count: 1,
        agent: agent(1),
        host: "web-01".into(),
        attacker: Party { ip: Some("198.51.100.7".parse().unwrap()), ..Party::default() },
        target: Party { user: Some("root".into()), name: Some("web-01".into()), ..Party::default() },
        outcome: Outcome::Unknown,
        group: vec![("source.ip".into(), "198.51.100.7".into())],
        matched: vec![MatchedField {
            field: "message".into(),
            value: "Failed password for root from 198.51.100.7 port 50122 ssh2".into(),
            pattern: "contains 'Failed password'".into(),
        }],
        events: vec![EventRef { frame: 7, index: 3 }],
        triage: Triage::New,
        owner: String::new(),
        reason: String::new(),
        incident: None,
        drill: String::new(),
    }
}

/// Five alerts, oldest first: scan, brute force, success, one by a hostile name, one drill.
pub(crate) fn alerts() -> Vec<Alert> {
    let mut scan = alert(
        900,
        rule(
            "7a1c",
            "Port scan of many services",
            "端口扫描探测多个服务",
            "reconnaissance",
            "T1046",
            "02001",
        ),
        Severity::Medium,
    );
    scan.outcome = Outcome::Attempt;
    scan.incident = Some(incident_id());
    let mut brute = alert(
        600,
        rule("88b0", "SSH brute force", "SSH 暴力破解攻击", "credential_access", "T1110.001", "02006"),
        Severity::High,
    );
    brute.count = 1_204;
    brute.outcome = Outcome::Attempt;
    brute.triage = Triage::Investigating;
    brute.incident = Some(incident_id());
    let mut success = alert(
        540,
        rule("91d2", "Login after brute force", "暴力破解后登录成功", "initial_access", "T1078", "02018"),
        Severity::Critical,
    );
    success.outcome = Outcome::Compromised;
    success.incident = Some(incident_id());
    let mut hostile =
        alert(300, rule("a0ff", "Odd user name", "", "defense_evasion", "T1036", ""), Severity::Low);
    hostile.attacker = Party { user: Some("\u{1b}[2Jev\u{202e}il|<b>用户</b>".into()), ..Party::default() };
    hostile.host = "数据库服务器-02".into();
    hostile.target =
        Party { name: Some("数据库服务器-02".into()), port: Some(3306), ..Party::default() };
    hostile.triage = Triage::FalsePositive;
    hostile.reason = "巡检脚本".into();
    let mut drill = alert(
        60,
        rule("b7e1", "Connection to mining pool", "连接矿池", "impact", "T1496", "01008"),
        Severity::High,
    );
    drill.drill = "2026-Q4".into();
    vec![scan, brute, success, hostile, drill]
}

pub(crate) fn evidence() -> Evidence {
    Evidence {
        events: vec![EvidenceEvent {
            at: EventRef { frame: 7, index: 3 },
            event: json!({
                "@timestamp": "2026-11-23T09:54:09.25Z",
                "event": {"dataset": "auth", "outcome": "failure"},
                "host": {"name": "web-01"},
                "message": "Failed password for root from 198.51.100.7 port 50122 ssh2",
                "source": {"ip": "198.51.100.7", "port": 50122},
                "user": {"name": "root\u{1b}]0;x\u{7}"}
            }),
        }],
        more: 1_154,
        completeness: "no loss at any stage between 17:53 and 18:05".into(),
        losses: Vec::new(),
    }
}

pub(crate) fn incident() -> Incident {
    let alerts = alerts();
    Incident {
        id: incident_id(),
        agent: agent(1),
        host: "web-01".into(),
        attacker: alerts[1].attacker.clone(),
        severity: Severity::Critical,
        first_seen: earlier(960),
        last_seen: earlier(540),
        opened: earlier(890),
        closed: None,
        alerts: alerts[..3].iter().map(|alert| alert.id).collect(),
        stages: ["reconnaissance", "credential_access", "initial_access"].map(str::to_owned).to_vec(),
        categories: ["02001", "02006", "02018"].map(str::to_owned).to_vec(),
        drill: String::new(),
    }
}

pub(crate) fn story() -> IncidentStory {
    IncidentStory {
        incident: incident(),
        alerts: alerts()[..3].to_vec(),
        host: hosts().into_iter().next(),
        evidence: vec![
            evidence(),
            evidence(),
            Evidence { events: vec![], more: 0, completeness: String::new(), losses: Vec::new() },
        ],
    }
}

pub(crate) fn hosts() -> Vec<Host> {
    let mut ledger = Ledger::default();
    for (stage, passed, lost) in [
        (Stage::Kernel, 18_220_113, 42),
        (Stage::Decode, 18_220_000, 113),
        (Stage::Lines, 91_200, 0),
        (Stage::Queue, 410_233, 0),
        (Stage::Spool, 410_233, 0),
        (Stage::Wire, 410_200, 0),
        (Stage::Journal, 410_200, 0),
        (Stage::Detect, 410_199, 0),
    ] {
        ledger.set(stage, passed, lost);
    }
    let host = Host {
        agent: agent(1),
        name: "web-01".into(),
        enrolled: earlier(864_000),
        last_heard: Some(earlier(2)),
        liveness: Liveness::Online,
        version: "0.1.0".into(),
        os: "Kylin Linux Advanced Server V10".into(),
        ips: vec!["192.0.2.10".into(), "2001:db8::10".into()],
        rung: "packet-ring".into(),
        blind: vec![],
        cpu: 0.231,
        memory: 0.48,
        agent_memory: 31 * 1024 * 1024,
        agent_cpu: 0.014,
        events: 410_200,
        open_alerts: 3,
        ledger,
    };
    let silent = Host {
        agent: agent(2),
        name: "数据库服务器-02".into(),
        last_heard: Some(earlier(3_700)),
        liveness: Liveness::Silent,
        rung: "sockets".into(),
        blind: vec!["packets: no CAP_NET_RAW, run the agent as a service".into()],
        ledger: Ledger::default(),
        events: 0,
        open_alerts: 0,
        ..host.clone()
    };
    vec![host, silent]
}

pub(crate) fn overview() -> Overview {
    Overview {
        now: now(),
        since: earlier(180_000),
        version: "0.1.0".into(),
        open: [0, 2, 1, 12, 1],
        hourly: vec![0, 0, 1, 0, 0, 3, 0, 0, 0, 2, 8, 5, 1, 0, 0, 0, 0, 4, 9, 12, 7, 3, 1, 20],
        incidents: 1,
        online: 1,
        silent: 1,
        events: 1_234_567,
        rate: 231.46,
        lost: 155,
        journal_bytes: 5_368_709_120,
        rules: 412,
        blind_rules: 37,
        rejected_rules: 0,
        rules_hash: "a1".repeat(32),
        rules_loaded: Some(earlier(3_600)),
        backlog: 0,
        top_attackers: vec![("198.51.100.7".into(), 12), ("2001:db8:ffff:ffff:ffff:ffff:ffff:7".into(), 1)],
        top_targets: vec![("web-01".into(), 13), ("数据库服务器-02".into(), 1)],
        top_rules: vec![
            ("SSH brute force".into(), "SSH 暴力破解攻击".into(), 9),
            ("Odd user name".into(), String::new(), 1),
        ],
        warnings: vec!["the clock of web-01 is 12 s ahead".into()],
    }
}

/// A collector that answers with the samples and remembers how alerts were handled.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) changes: std::sync::Mutex<Vec<TriageChange>>,
    /// What each opened stream says, last first; a missing one is a refusal.
    pub(crate) streams: std::sync::Mutex<Vec<Vec<Live>>>,
}

fn page<T>(rows: Vec<T>) -> Page<T> {
    Page { rows, total: None, incomplete: String::new() }
}

fn unknown() -> Error {
    Error::Refused { address: "fake:1".into(), status: 404, reason: "no such id".into() }
}

impl Source for Fake {
    fn address(&self) -> String {
        "fake:1".into()
    }
    fn overview(&self) -> Result<Overview, Error> {
        Ok(overview())
    }
    fn alerts(&self, query: &AlertQuery) -> Result<Page<Alert>, Error> {
        let wanted = |alert: &Alert| query.severity.is_none_or(|least| alert.severity >= least);
        let mut rows: Vec<Alert> = alerts().into_iter().rev().filter(wanted).collect();
        rows.retain(|alert| !query.open || alert.triage.is_open());
        Ok(page(rows))
    }
    fn alert(&self, id: AlertId) -> Result<Alert, Error> {
        alerts().into_iter().find(|alert| alert.id == id).ok_or_else(unknown)
    }
    fn evidence(&self, _: AlertId) -> Result<Evidence, Error> {
        Ok(evidence())
    }
    fn triage(&self, id: AlertId, change: &TriageChange) -> Result<Alert, Error> {
        self.changes.lock().unwrap().push(change.clone());
        Ok(Alert { triage: change.triage, reason: change.reason.clone(), ..self.alert(id)? })
    }
    fn incidents(&self, _: &IncidentQuery) -> Result<Page<Incident>, Error> {
        Ok(page(vec![incident()]))
    }
    fn story(&self, id: IncidentId) -> Result<IncidentStory, Error> {
        if id == incident_id() { Ok(story()) } else { Err(unknown()) }
    }
    fn hosts(&self) -> Result<Vec<Host>, Error> {
        Ok(hosts())
    }
    fn events(&self, _: &EventQuery) -> Result<Page<serde_json::Value>, Error> {
        let rows = evidence().events.into_iter().map(|event| event.event).collect();
        Ok(Page { rows, total: None, incomplete: "stopped after 3 s".into() })
    }
    fn announce(&self, drill: &Drill) -> Result<UnderWay, Error> {
        Ok(UnderWay { label: drill.label.clone(), until: now() })
    }
    fn stream(&self) -> Result<Lives, Error> {
        let said = self.streams.lock().unwrap().pop().ok_or_else(unknown)?;
        Ok(Box::new(said.into_iter().map(Ok)))
    }
}
