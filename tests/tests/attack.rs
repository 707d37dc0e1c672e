//! A real attack over a real network: attacker, server with agent, and collector are hosts of their
//! own, made of namespaces and joined by veth pairs. Real packets, a real OpenSSH server, real log
//! lines; the expected alerts, and no others at level high, must stand in the collector's answers.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use watchpost_tests::lan::Lan;
use watchpost_tests::patience::eventually;
use watchpost_tests::site::Site;
use watchpost_tests::sshd::{self, Sshd, Syslog};
use watchpost_tests::{is_root, skipped};

/// From packet or line to alert, for 95 of 100.
const LATENCY: Duration = Duration::from_secs(2);

const WRONG_PASSWORDS: usize = 12;
const SWEPT_PORTS: u16 = 200;
const LOOKUPS: usize = 20;

fn title(alert: &Json) -> &str {
    alert.pointer("/rule/name").and_then(Json::as_str).unwrap_or_default()
}

fn is_at_least_high(alert: &Json) -> bool {
    matches!(alert["severity"].as_str(), Some("high" | "critical"))
}

/// Waits for an alert and says how long it took since `since`.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
fn arrived(site: &Site, what: &str, wanted: impl Fn(&Json) -> bool) -> Duration {
    let since = Instant::now();
    eventually(what, || site.list(&["alerts"]).iter().any(&wanted).then(|| since.elapsed()))
}

/// Connects once to each of the ports, none of which is open.
fn sweep(lan: &Lan) {
    let target = lan.address("server");
    let script = format!(
        "for port in $(seq 1000 {}); do (exec 3<>/dev/tcp/{target}/$port) 2>/dev/null; done; true",
        1000 + SWEPT_PORTS - 1
    );
    assert!(lan.on("attacker", "bash").args(["-c", &script]).status().unwrap().success());
}

/// Asks for the address of a name, from the server, at a host where nobody answers.
fn look_up(site: &Site, lan: &Lan, name: &str) {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    let file = site.path("question");
    std::fs::write(&file, bytes).unwrap();
    let script = format!("cat {} > /dev/udp/{}/53", file.display(), lan.address("attacker"));
    let asked = lan.on("server", "bash").args(["-c", &script]).stderr(Stdio::null()).status().unwrap();
    assert!(asked.success());
}

fn ready() -> Option<Lan> {
    if !is_root() {
        skipped("attack", "needs root for namespaces and packets");
        return None;
    }
    if Command::new("ip").arg("-V").stdout(Stdio::null()).status().is_err() {
        skipped("attack", "needs the `ip` command (iproute2)");
        return None;
    }
    let lan = Lan::build(&["attacker", "server", "collector"]);
    if lan.is_none() {
        skipped("attack", "this kernel gives no network namespaces");
    }
    lan
}

#[test]
fn an_attack_over_the_network_raises_its_alerts_and_no_others() {
    let Some(lan) = ready() else { return };
    let mut site = Site::there(lan);
    let auth_log = site.path("auth.log");
    std::fs::write(&auth_log, "").unwrap();
    let syslog = Syslog::into(&auth_log);
    let server = syslog.as_ref().and_then(|_| Sshd::start(site.lan().unwrap(), &site.path("sshd")));
    site.start_agent(&format!(
        "[logs]\njournald = \"off\"\nfrom = \"beginning\"\n\
         [[logs.files]]\nname = \"auth\"\npath = {:?}\nparser = \"auth\"\n",
        auth_log.to_string_lossy()
    ));
    let lan = site.lan().unwrap();
    let attacker = lan.address("attacker").to_string();
    let from_attacker =
        |alert: &Json| alert.pointer("/attacker/ip").and_then(Json::as_str) == Some(&attacker);
    let mut delays = Vec::new();
    let mut expected = BTreeSet::new();

    sweep(lan);
    delays.push(arrived(&site, "the port scan", |alert| {
        title(alert) == "Port scan of one host" && from_attacker(alert)
    }));

    for number in 0..LOOKUPS {
        let name = format!("host{number}.c2.watchpost-drill.example");
        look_up(&site, lan, &name);
        delays.push(arrived(&site, &name, |alert| alert.to_string().contains(&name)));
    }
    expected.insert("DNS query for a domain known as malicious");

    match &server {
        None => skipped("attack: ssh", "needs OpenSSH server and client, and a free /dev/log"),
        Some(server) => {
            eventually("the server accepts connections", || {
                let probe = format!("exec 3<>/dev/tcp/{}/22", lan.address("server"));
                let mut bash = lan.on("attacker", "bash");
                bash.args(["-c", &probe]).stderr(Stdio::null()).status().unwrap().success().then_some(())
            });
            for number in 0..WRONG_PASSWORDS {
                assert!(!server.log_in(lan, &format!("wrong-{number}")), "a wrong password is refused");
            }
            let guessing = "SSH brute force from one source";
            delays.push(arrived(&site, guessing, |alert| title(alert) == guessing && from_attacker(alert)));
            assert!(server.log_in(lan, sshd::PASSWORD), "the right password is accepted");
            let guessed = "SSH login succeeded after brute force from the same source";
            delays.push(arrived(&site, guessed, |alert| title(alert) == guessed && from_attacker(alert)));
            expected.extend([guessing, guessed]);
        }
    }

    let alerts = site.list(&["alerts"]);
    let high: BTreeSet<&str> = alerts.iter().filter(|alert| is_at_least_high(alert)).map(title).collect();
    assert_eq!(high, expected, "the expected alerts and no others at level high");
    delays.sort_unstable();
    let p95 = delays[(delays.len() * 95).div_ceil(100) - 1];
    let mut told = String::new();
    write!(told, "from packet or line to alert: p95 {p95:?} of {}, most {:?}", delays.len(), delays.last())
        .unwrap();
    println!("{told}");
    assert!(p95 <= LATENCY, "{told}");

    let incidents = site.list(&["incidents"]);
    let story =
        incidents.iter().find(|incident| from_attacker(incident)).expect("the attack is one incident");
    let id = story["id"].as_str().unwrap();
    for (format, mark) in [("md", "# "), ("html", "<html"), ("json", "{")] {
        let report = site.console(&["report", id, "--lang", "zh-CN", "--format", format]);
        assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stderr));
        let text = String::from_utf8(report.stdout).unwrap();
        assert!(text.contains(mark) && text.contains(&attacker), "the {format} report names the attacker");
    }
    let hosts = site.list(&["hosts"]);
    assert!(matches!(hosts[0]["rung"].as_str(), Some("ring" | "pnet")), "packets are seen, not only sockets");
}
