//! Bad input through the real programs: cut and wrong files, junk in logs, wrong rules and
//! configurations, hostile batches, strangers at the door. Each gives a clear error or a counted
//! problem, with the exit code that scripts lean on, and disturbs nothing else: the collector goes
//! on serving, the agent goes on shipping, and no event that was good is lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value as Json;
use watchpost_collector::journal::{Journal, Settings};
use watchpost_model::event::{Event, Kind};
use watchpost_model::wire::{self, Batch};
use watchpost_model::{Timestamp, Value, field, limits};
use watchpost_tests::patience::eventually;
use watchpost_tests::program;
use watchpost_tests::site::Site;
use watchpost_tests::wire_client::{Answer, WireClient};

/// Resident bytes that a collector may reach at its most under bombs and oversized batches.
const MOST_MEMORY: u64 = 300 << 20;

/// What a program said, and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn rows(&self) -> Vec<Json> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Fails unless the program ended with `code` and every word stands on stderr.
    #[track_caller]
    fn expect(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not said: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

fn say(name: &str, arguments: &[&str]) -> Said {
    let output = Command::new(program::path(name)).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn scenario(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An agent that follows one log and does nothing else.
fn only_log(path: &Path, parser: &str) -> String {
    format!(
        "[capture]\nenabled = false\n[process]\nenabled = false\n[logs]\njournald = \"off\"\n\
         from = \"beginning\"\n[[logs.files]]\nname = \"watched\"\npath = {:?}\nparser = {parser:?}\n",
        text(path)
    )
}

fn append(path: &Path, bytes: &[u8]) {
    File::options().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// What the running agent tells of itself.
fn status(site: &Site) -> Option<Json> {
    serde_json::from_slice(&fs::read(site.path("agent/status.json")).ok()?).ok()
}

/// Waits until the agent's link stands so, and gives the sentence that says why.
#[track_caller]
fn link_becomes(site: &Site, link: &str) -> String {
    eventually(&format!("the agent's link is {link}"), || {
        let status = status(site).filter(|status| status["shipping"]["link"] == link)?;
        Some(status["shipping"]["last_error"].as_str().unwrap_or_default().to_owned())
    })
}

#[track_caller]
fn line_arrives(site: &Site, words: &str) {
    eventually(&format!("the line {words:?} is in the journal"), || {
        (!site.list(&["hunt", words]).is_empty()).then_some(())
    });
}

/// Messages of the followed log in the journal, in order. Ends both programs first.
fn kept(site: &mut Site) -> Vec<String> {
    if let Some(agent) = &mut site.agent {
        agent.terminate();
    }
    site.collector.terminate();
    let (journal, recovery) = Journal::open(site.path("collector/journal"), &Settings::default()).unwrap();
    assert_eq!(recovery.damaged, 0, "no frame is damaged");
    let mut messages = Vec::new();
    for frame in journal.reader().iter_from(1) {
        for event in wire::unpack(&frame.unwrap().payload).unwrap().events {
            let of = |id| event.record.get(id).and_then(Value::as_text).unwrap_or_default().to_owned();
            // The notice that a file is read now has no place in the file.
            if of(field::LOG_SOURCE) == "watched" && event.record.get(field::LOG_OFFSET).is_some() {
                messages.push(of(field::MESSAGE));
            }
        }
    }
    messages
}

/// The most memory that the collector ever held.
fn peak(site: &Site) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", site.collector.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn a_cut_capture_gives_what_it_holds_and_is_called_damaged() {
    let cut = scenario("port_sweep_cut/sweep.pcap");
    let whole = say("watchpost-agent", &["flows", "--read", text(&scenario("port_sweep/sweep.pcap"))]);
    whole.expect(0, &[]);
    let said = say("watchpost-agent", &["flows", "--read", text(&cut)]);
    said.expect(3, &["damaged", text(&cut)]);
    // The last packet is cut; all others are there.
    assert!(said.rows().len() + 1 >= whole.rows().len() && !said.rows().is_empty());
    let said = say("watchpost", &["detect", "--read", text(&cut)]);
    said.expect(3, &["damaged", text(&cut)]);
    assert!(said.rows().iter().any(|row| row["rule"]["name"] == "Port scan of one host"), "{}", said.out);
}

#[test]
fn a_file_that_is_no_capture_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let magic = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0];
    let files: [(&str, &[u8]); 4] =
        [("text", b"hello, world\n"), ("empty", b""), ("zeros", &[0; 4096]), ("magic-alone", &magic)];
    for (name, bytes) in files {
        fs::write(home.path().join(name), bytes).unwrap();
    }
    fs::create_dir(home.path().join("folder")).unwrap();
    for name in ["text", "empty", "zeros", "magic-alone", "folder", "missing"] {
        let path = home.path().join(name);
        for said in [
            say("watchpost-agent", &["flows", "--read", text(&path)]),
            say("watchpost", &["detect", "--input", "pcap", "--read", text(&path)]),
        ] {
            said.expect(3, &[text(&path)]);
            assert_eq!(said.out, "", "nothing can be read from {name}");
        }
    }
}

#[test]
fn junk_in_a_log_file_is_marked_raw_and_good_lines_beside_it_are_parsed() {
    let home = tempfile::tempdir().unwrap();
    let (junk, good) =
        (fs::read(scenario("hostile_log/junk.log")).unwrap(), scenario("ssh_guessed/auth.log"));
    let mixed = home.path().join("mixed.log");
    fs::write(&mixed, [&junk[..], b"\n", &fs::read(&good).unwrap(), &junk].concat()).unwrap();
    let parsed = |path: &Path| {
        let said = say("watchpost-agent", &["logs", "--source", "auth", "--read", text(path)]);
        said.expect(0, &[]);
        let rows = said.rows();
        let count = rows.len();
        (count, rows.into_iter().filter(|row| row["watchpost"]["parse"] != "raw").count())
    };
    let ((junk_rows, junk_parsed), (good_rows, good_parsed)) =
        (parsed(&scenario("hostile_log/junk.log")), parsed(&good));
    assert!(good_parsed > 0);
    assert_eq!(parsed(&mixed), (2 * junk_rows + good_rows, 2 * junk_parsed + good_parsed));
    let gone = home.path().join("gone");
    say("watchpost-agent", &["logs", "--source", "auth", "--read", text(&gone)]).expect(3, &[text(&gone)]);
    say("watchpost-agent", &["logs", "--source", "nonsense", "--read", text(&good)])
        .expect(2, &["nonsense", "nginx"]);
}

#[test]
fn junk_in_a_followed_log_arrives_line_by_line_and_later_lines_still_raise_alerts() {
    let mut site = Site::here();
    let log = site.path("auth.log");
    let junk = [&fs::read(scenario("hostile_log/junk.log")).unwrap()[..], b"\n"].concat();
    append(&log, &junk);
    site.start_agent(&only_log(&log, "auth"));
    line_arrives(&site, "newline");
    let good = fs::read(scenario("ssh_guessed/auth.log")).unwrap();
    append(&log, &good);
    eventually("the alert on the good lines", || {
        let wanted = "SSH login succeeded after brute force from the same source";
        site.list(&["alerts"]).iter().any(|alert| alert["rule"]["name"] == wanted).then_some(())
    });
    let all = [junk, good].concat();
    let lines: Vec<_> = all.split_inclusive(|byte| *byte == b'\n').collect();
    let written = lines.len() as u64;
    eventually("every line is counted", || {
        let ledger = status(&site)?["ledger"].as_array()?.clone();
        let entry = ledger.iter().find(|entry| entry["stage"] == "lines")?.clone();
        assert_eq!(entry["lost"], 0, "no line is lost");
        (entry["passed"] == written).then_some(())
    });
    let blank = lines.iter().filter(|line| String::from_utf8_lossy(line).trim().is_empty()).count();
    assert_eq!(kept(&mut site).len(), lines.len() - blank, "every line that says something arrived");
}

const GOOD_RULE: &str = "title: Good\nid: 0c8a2c3e-6b1f-4b8e-9f57-2a4f1c9d7e01\nlevel: low\n\
    logsource:\n  product: linux\n  service: sshd\ndetection:\n  selection:\n    message|contains: needle\n  \
    condition: selection\n";

#[test]
fn wrong_rules_are_named_and_the_good_one_beside_them_loads() {
    let home = tempfile::tempdir().unwrap();
    let unknown = GOOD_RULE.replace("|contains", "|sounds_like").replace("7e01", "7e02");
    let files: [(&str, &[u8], &str); 6] = [
        ("yaml.yml", b"title: Broken\ndetection:\n  selection: [unclosed\n", ""),
        ("modifier.yml", unknown.as_bytes(), "sounds_like"),
        ("other.yml", b"shopping:\n  - milk\n", ""),
        ("list.yml", b"- 1\n- 2\n", ""),
        ("empty.yml", b"", ""),
        ("bytes.yml", b"title: \xff\xfe\n", "UTF-8"),
    ];
    for (name, bytes, _) in files {
        fs::write(home.path().join(name), bytes).unwrap();
    }
    fs::write(home.path().join("good.yml"), GOOD_RULE).unwrap();
    let said = say("watchpost", &["rules", "check", text(home.path())]);
    said.expect(1, &[]);
    let report: Json = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["loaded"], 1, "{}", said.out);
    let rejected = report["rejected"].as_array().unwrap();
    for (name, _, word) in files {
        let found = rejected.iter().find(|one| one["file"].as_str().unwrap().ends_with(name));
        let reason =
            found.unwrap_or_else(|| panic!("{name} is not named: {}", said.out))["reason"].as_str().unwrap();
        assert!(!reason.is_empty() && reason.contains(word), "{name}: {reason}");
    }
    for (name, line) in [("yaml.yml", 3), ("modifier.yml", 8)] {
        let found = rejected.iter().find(|one| one["file"].as_str().unwrap().ends_with(name)).unwrap();
        let told = found["line"].as_u64().unwrap_or_else(|| panic!("{name} has no line: {found}"));
        assert!(told.abs_diff(line) <= 1, "{found}");
    }
    let good = home.path().join("good.yml");
    say("watchpost", &["rules", "check", text(&good)]).expect(0, &[]);
}

#[test]
fn wrong_configurations_are_refused_by_file_line_and_key() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str, mode: u32| {
        let path = home.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good.toml", "", 0o644);
    let typo = file("typo.toml", "# a comment\nstate_dirr = \"x\"\n", 0o644);
    let broken = file("broken.toml", "a = [\n", 0o644);
    let open = file("open.toml", "", 0o666);
    let gone = text(&home.path().join("gone.toml")).to_owned();
    let data = text(&home.path().join("data")).to_owned();
    for name in ["watchpost-agent", "watchpost-collector"] {
        say(name, &["config", "check", "--config", &good]).expect(0, &[]);
        let cases: [(&str, &[&str]); 4] = [
            (&typo, &["state_dirr", "line 2"]),
            (&broken, &["line"]),
            (&open, &["everyone", "chmod o-w"]),
            (&gone, &[]),
        ];
        for (path, words) in cases {
            let run: &[&str] = match name {
                "watchpost-agent" => &["run", "--config", path, "--state-dir", &data],
                _ => &["run", "--config", path, "--data-dir", &data],
            };
            for (code, arguments) in [(1, &["config", "check", "--config", path][..]), (3, run)] {
                let said = say(name, arguments);
                said.expect(code, &[path]);
                said.expect(code, words);
            }
            assert!(!Path::new(&data).exists(), "nothing is begun with {path}");
        }
        say(name, &["config", "check", "--no-such-flag"]).expect(2, &["--no-such-flag"]);
    }
}

#[test]
fn an_agent_at_a_strange_collector_says_so_and_loses_nothing() {
    let mut ours = Site::here();
    let strange = Site::here();
    let log = ours.path("app.log");
    let line = |number: u32| format!("Nov 23 10:00:00 web01 app[7]: request-{number}-end\n");
    append(&log, line(0).as_bytes());
    ours.start_agent(&only_log(&log, "syslog"));
    line_arrives(&ours, "request-0-end");

    let home = fs::read_to_string(ours.path("agent.toml")).unwrap();
    let away = home.replace(&ours.address(), &strange.address());
    assert_ne!(home, away);
    ours.agent.as_mut().unwrap().terminate();
    fs::write(ours.path("agent.toml"), away).unwrap();
    ours.restart_agent();
    for number in 1..500 {
        append(&log, line(number).as_bytes());
    }
    let why = link_becomes(&ours, "not_trusted");
    assert!(why.contains("not signed by this agent's CA") && why.contains(&strange.address()), "{why}");
    assert!(ours.agent.as_ref().unwrap().printed().contains("not signed by this agent's CA"));
    eventually("the lines wait in the spool", || {
        (status(&ours)?["spool"]["events"].as_u64()? >= 499).then_some(())
    });
    assert!(strange.list(&["hosts"]).is_empty(), "the strange collector was told nothing");

    ours.agent.as_mut().unwrap().terminate();
    fs::write(ours.path("agent.toml"), home).unwrap();
    ours.restart_agent();
    line_arrives(&ours, "request-499-end");
    let expected: Vec<_> = (0..500).map(|number| format!("request-{number}-end")).collect();
    assert_eq!(kept(&mut ours), expected, "every line arrived, once and in order");
}

fn batch(sequence: u64) -> Vec<u8> {
    let mut event = Event::new(Kind::Log, Timestamp::from_millis(1_790_000_000_000));
    event.record.set(field::MESSAGE, format!("sent-by-hand-{sequence}"));
    let batch = Batch {
        epoch: 77,
        sequence,
        first_event: sequence,
        host: "hand".into(),
        events: vec![event],
        ..Batch::default()
    };
    wire::pack(&batch).unwrap()
}

/// Zeros, compressed a piece at a time: the frame does not say how much it unpacks to.
fn bomb(bytes: usize) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    let piece = vec![0; 1 << 20];
    for _ in 0..bytes >> 20 {
        encoder.write_all(&piece).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn hostile_batches_are_refused_with_words_and_in_bounded_memory() {
    let mut site = Site::here();
    let log = site.path("app.log");
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-before\n");
    site.start_agent(&only_log(&log, "syslog"));
    line_arrives(&site, "line-before");
    let client = WireClient::of_agent(&site.path("agent"), &site.address());
    let post = |body: Vec<u8>| client.post("/v1/batches", body).unwrap();

    let streamed = bomb(512 << 20);
    let declared = zstd::bulk::compress(&vec![0; 256 << 20], 1).unwrap();
    assert!(streamed.len() < limits::BATCH_BYTES && declared.len() < limits::BATCH_BYTES);
    // Field 1 of the message is its version.
    let future = zstd::bulk::compress(&[0x08, 99], 1).unwrap();
    let whole = batch(1);
    let cases = [
        ("junk", b"junk".to_vec(), 400, "zstd"),
        ("nothing", Vec::new(), 400, ""),
        ("cut", whole[..whole.len() - 3].to_vec(), 400, "zstd"),
        ("other message", zstd::bulk::compress(&[0xff; 64], 1).unwrap(), 400, "protobuf"),
        ("too large", vec![0; limits::BATCH_BYTES + 1], 413, "smaller"),
        ("far too large", vec![0; 12 << 20], 413, "smaller"),
        ("bomb", streamed.clone(), 413, "unpacks"),
        ("bomb that says so", declared.clone(), 413, "unpacks"),
        ("future", future, 422, "99"),
    ];
    for (name, body, status, words) in cases {
        let Answer { status: found, problem } = post(body);
        assert_eq!(found, status, "{name}: {problem}");
        assert!(!problem.is_empty() && problem.contains(words), "{name}: {problem}");
    }
    std::thread::scope(|scope| {
        for body in [&streamed, &declared].into_iter().cycle().take(16) {
            scope.spawn(move || assert_eq!(post(body.clone()).status, 413));
        }
    });
    // More than is ever read: an answer or a broken connection, but never a receipt.
    if let Ok(answer) = client.post("/v1/batches", vec![0; 64 << 20]) {
        assert_eq!(answer.status, 413, "{}", answer.problem);
    }
    let peak = peak(&site);
    println!("the collector's peak memory: {} MiB", peak >> 20);
    assert!(peak < MOST_MEMORY, "the collector held {} MiB", peak >> 20);

    assert_eq!(post(whole).status, 200, "a good batch after all that is taken");
    line_arrives(&site, "sent-by-hand-1");
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-after\n");
    line_arrives(&site, "line-after");
    assert!(site.collector.ended().is_none() && !site.collector.printed().contains("panicked"));
    assert_eq!(kept(&mut site), ["line-before", "line-after"]);
}

/// Says plain HTTP to a port that speaks TLS; what comes back until the connection ends.
fn plain_http(address: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET /v1/alerts HTTP/1.1\r\nHost: collector\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => answer,
    }
}

#[test]
fn strangers_are_turned_away_and_known_agents_go_on() {
    let mut site = Site::here();
    let log = site.path("app.log");
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-before\n");
    site.start_agent(&only_log(&log, "syslog"));
    line_arrives(&site, "line-before");
    let address = site.address();

    let nobody = WireClient::without_certificate(&site.path("agent"), &address);
    for path in ["/v1/batches", "/v1/alerts", "/no/such/path"] {
        let answer = nobody.post(path, batch(1)).unwrap();
        assert_eq!(answer.status, 401, "{path}: {}", answer.problem);
        assert!(answer.problem.contains("no client certificate"), "{path}: {}", answer.problem);
    }
    assert!(!plain_http(&address).starts_with(b"HTTP/"), "nothing is said in the clear");

    let token = String::from_utf8(site.administer(&["token"]).stdout).unwrap().trim().to_owned();
    let enroll = |folder: &str, token: &str| {
        let state = site.path(folder);
        let target = ["--state-dir", text(&state), "--collector", &address, "--token", token].to_vec();
        say("watchpost-agent", &[&["enroll", "--host", folder][..], &target].concat())
    };
    enroll("second", &token).expect(0, &[]);
    enroll("third", &token).expect(3, &["unknown or used up", "ask for a new token"]);
    enroll("third", "nonsense").expect(3, &["token is not usable"]);
    assert!(!site.path("third/identity.json").exists(), "a refused host has no identity");

    let second = WireClient::of_agent(&site.path("second"), &address);
    assert_eq!(second.post("/v1/batches", batch(1)).unwrap().status, 200);
    let identity: Json =
        serde_json::from_slice(&fs::read(site.path("second/identity.json")).unwrap()).unwrap();
    let revoked = site.administer(&["agents", "revoke", identity["agent"].as_str().unwrap()]);
    assert!(revoked.status.success());
    let answer = second.post("/v1/batches", batch(2)).unwrap();
    assert_eq!(answer.status, 403, "{}", answer.problem);
    assert!(answer.problem.contains("revoked"), "{}", answer.problem);

    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-after\n");
    line_arrives(&site, "line-after");
    assert_eq!(kept(&mut site), ["line-before", "line-after"]);
}

#[test]
fn a_revoked_agent_says_so_keeps_its_events_and_sends_them_once_enrolled_again() {
    let mut site = Site::here();
    let log = site.path("app.log");
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-before\n");
    site.start_agent(&only_log(&log, "syslog"));
    line_arrives(&site, "line-before");
    let identity: Json =
        serde_json::from_slice(&fs::read(site.path("agent/identity.json")).unwrap()).unwrap();
    assert!(site.administer(&["agents", "revoke", identity["agent"].as_str().unwrap()]).status.success());
    append(&log, b"Nov 23 10:00:00 web01 app[7]: line-while-revoked\n");
    let why = link_becomes(&site, "not_accepted");
    assert!(why.contains("revoked") && why.contains("enrol again"), "{why}");
    assert!(site.agent.as_mut().unwrap().ended().is_none(), "the agent waits, it does not end");
    site.agent.as_mut().unwrap().terminate();

    let token = String::from_utf8(site.administer(&["token"]).stdout).unwrap().trim().to_owned();
    let configuration = site.path("agent.toml");
    say("watchpost-agent", &["enroll", "--config", text(&configuration), "--token", &token]).expect(0, &[]);
    site.restart_agent();
    line_arrives(&site, "line-while-revoked");
    assert_eq!(kept(&mut site), ["line-before", "line-while-revoked"]);
}
