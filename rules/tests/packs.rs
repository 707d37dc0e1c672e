//! What every shipped rule must be: loaded, seeing events of ours, told in both languages, mapped
//! to ATT&CK and to the incident categories, and true to the cases that stand beside it.
//!
//! One test per promise, each over all rules at once; a failure lists every file that breaks it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value as Json;
use watchpost_model::alert::{Outcome, Severity};
use watchpost_model::event::{Log, Web};
use watchpost_model::id::EventRef;
use watchpost_model::{Event, Timestamp, category};
use watchpost_rules::shipped::shipped;
use watchpost_rules::{Detector, RuleSet, Source, Subject, cases};

fn packs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packs")
}

/// Where the shared test data lies; may be absent.
fn data() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    std::env::var_os("WATCHPOST_TEST_DATA").map_or_else(beside, PathBuf::from)
}

/// Every YAML document of a file. What is no YAML becomes null, and then lacks all it should have.
fn documents(source: &Source) -> Vec<Json> {
    source.text.split("\n---\n").map(|text| yaml_serde::from_str(text).unwrap_or_default()).collect()
}

/// The documents that make alerts of their own: those with our own block.
fn speaking() -> Vec<(String, Json)> {
    let mut all = Vec::new();
    for source in shipped() {
        let speaking = documents(&source).into_iter().filter(|document| document.get("watchpost").is_some());
        all.extend(speaking.map(|document| (source.name.clone(), document)));
    }
    all
}

fn text<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default().trim()
}

fn tags(json: &Json) -> Vec<&str> {
    json["tags"].as_array().map(|tags| tags.iter().filter_map(Json::as_str).collect()).unwrap_or_default()
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

fn none_of(broken: Vec<String>, promise: &str) {
    assert!(broken.is_empty(), "{promise}:\n  {}", broken.join("\n  "));
}

#[test]
fn every_shipped_rule_loads_without_a_remark() {
    let set = RuleSet::load(&shipped());
    let said = set.rejected().iter().chain(set.remarks());
    none_of(
        said.map(|r| format!("{}:{}: {}", r.file, r.line.unwrap_or(0), r.reason)).collect(),
        "rejected or remarked on",
    );
    assert!(speaking().len() >= 40, "only {} rules are shipped", speaking().len());
}

#[test]
fn no_shipped_rule_is_blind() {
    let blind = RuleSet::load(&shipped()).blind();
    none_of(
        blind.iter().map(|b| format!("{}: {}", b.name, b.reason)).collect(),
        "no event of ours feeds these rules",
    );
}

#[test]
fn the_rules_in_the_program_are_the_files_on_disk() {
    let (disk, rejected) = watchpost_rules::pack::read_paths(&[packs()]);
    assert!(rejected.is_empty(), "{rejected:?}");
    let embedded: Vec<_> = shipped().into_iter().map(|source| source.text).collect();
    assert_eq!(embedded, disk.into_iter().map(|source| source.text).collect::<Vec<_>>());
}

#[test]
fn every_rule_has_cases_that_fire_and_cases_that_stay_quiet() {
    let mut broken = Vec::new();
    for source in shipped() {
        let path = packs().join(source.name.replace(".yml", ".cases.yml"));
        let cases: Json = match fs::read_to_string(&path) {
            Ok(text) => yaml_serde::from_str(&text).expect(&source.name),
            Err(_) => Json::Null,
        };
        let count = |key: &str| cases[key].as_array().map_or(0, Vec::len);
        if count("fire") < 1 || count("quiet") < 2 {
            broken.push(format!("{}: {} fire, {} quiet", source.name, count("fire"), count("quiet")));
        }
    }
    none_of(broken, "needs at least one case that fires and two that stay quiet");
}

#[test]
fn every_case_holds() {
    let (mut broken, mut held) = (Vec::new(), 0);
    for source in shipped() {
        let name = source.name.replace(".yml", ".cases.yml");
        let Ok(text) = fs::read_to_string(packs().join(&name)) else { continue };
        for result in cases::run(std::slice::from_ref(&source), &Source { name, text }) {
            if result.passed {
                held += 1;
            } else {
                broken.push(format!("{}: {}: {}", result.file, result.name, result.detail));
            }
        }
    }
    println!("{held} cases hold");
    none_of(broken, "cases that do not hold");
}

/// The cases of one rule are the harmless life of all others: what one rule calls quiet may not
/// make another one of level high or critical fire.
#[test]
fn what_is_quiet_for_one_rule_is_not_grave_for_another() {
    let all = shipped();
    let set = RuleSet::load(&all);
    let told = |source: &Source| set.rules().iter().find(|rule| rule.file == source.name && !rule.is_silent);
    let is_grave = |source: &Source| told(source).is_some_and(|rule| rule.severity >= Severity::High);
    // Rules that count the same thing know each other's quiet cases as attacks: below one limit,
    // above another.
    let is_kin = |one: &Source, other: &Source| {
        let folder = |source: &Source| source.name.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let counts = |source: &Source| told(source).is_some_and(|rule| rule.is_correlation);
        one.name == other.name || (folder(one) == folder(other) && counts(one) && counts(other))
    };
    let grave: Vec<Source> = all.iter().filter(|source| is_grave(source)).cloned().collect();
    assert!(grave.len() >= 20, "only {} rules are grave", grave.len());
    let mut broken = Vec::new();
    for source in &all {
        let name = source.name.replace(".yml", ".cases.yml");
        let Ok(text) = fs::read_to_string(packs().join(&name)) else { continue };
        let mut cases: Json = yaml_serde::from_str(&text).expect(&name);
        cases.as_object_mut().expect("a map").remove("fire");
        let others: Vec<Source> = grave.iter().filter(|other| !is_kin(source, other)).cloned().collect();
        let results = cases::run(&others, &Source { name, text: cases.to_string() });
        let failed = results.into_iter().filter(|result| !result.passed);
        broken.extend(failed.map(|result| format!("{}: {}: {}", result.file, result.name, result.detail)));
    }
    none_of(broken, "grave on what should be quiet");
}

#[test]
fn ids_are_random_uuids_and_stand_once() {
    let uuid = Regex::new("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$").unwrap();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut broken = Vec::new();
    for source in shipped() {
        for document in documents(&source) {
            let id = text(&document, "/id").to_owned();
            if !uuid.is_match(&id) {
                broken.push(format!("{}: '{id}' is no random UUID", source.name));
            }
            if let Some(other) = seen.insert(id.clone(), source.name.clone()) {
                broken.push(format!("{}: {id} stands in {other} too", source.name));
            }
        }
    }
    none_of(broken, "ids");
}

#[test]
fn every_rule_says_what_it_sees_how_bad_it_is_and_what_to_do() {
    let mut broken = Vec::new();
    for (file, rule) in speaking() {
        for part in [
            "/title",
            "/description",
            "/status",
            "/watchpost/title_zh",
            "/watchpost/advice",
            "/watchpost/advice_zh",
        ] {
            if text(&rule, part).is_empty() {
                broken.push(format!("{file}: {part} is missing"));
            }
        }
        if !is_chinese(text(&rule, "/watchpost/title_zh")) || !is_chinese(text(&rule, "/watchpost/advice_zh"))
        {
            broken.push(format!("{file}: the Chinese texts are not Chinese"));
        }
        if is_chinese(text(&rule, "/title")) || is_chinese(text(&rule, "/watchpost/advice")) {
            broken.push(format!("{file}: the English texts are not English"));
        }
        if text(&rule, "/author") != "Watchpost" {
            broken.push(format!("{file}: author is not Watchpost"));
        }
        if Severity::named(text(&rule, "/level")).is_none() {
            broken.push(format!("{file}: level '{}'", text(&rule, "/level")));
        }
        if rule["falsepositives"].as_array().is_none_or(Vec::is_empty) {
            broken.push(format!("{file}: falsepositives is missing"));
        }
    }
    none_of(broken, "a rule must be told in full");
}

#[test]
fn what_a_rule_says_reaches_the_engine() {
    let mut broken = Vec::new();
    for rule in RuleSet::load(&shipped()).rules().iter().filter(|rule| !rule.is_silent) {
        let meta = &rule.meta;
        let told = [&meta.name, &meta.name_zh, &meta.advice, &meta.advice_zh, &meta.category];
        let mapped = !meta.tactics.is_empty() && !meta.techniques.is_empty();
        if told.iter().any(|part| part.is_empty()) || !mapped {
            broken.push(format!("{}: {meta:?}", rule.file));
        }
        if rule.group_by.is_empty() || rule.outcome == Outcome::Unknown {
            broken.push(format!("{}: group_by {:?}, outcome {:?}", rule.file, rule.group_by, rule.outcome));
        }
    }
    none_of(broken, "lost on the way into the engine");
}

#[test]
fn every_rule_has_a_tactic_a_technique_and_one_category_that_exists() {
    let technique = Regex::new(r"^attack\.t[0-9]{4}(\.[0-9]{3})?$").unwrap();
    let tactic = Regex::new("^attack\\.[a-z-]+$").unwrap();
    let mut broken = Vec::new();
    for (file, rule) in speaking() {
        let tags = tags(&rule);
        let count = |pattern: &Regex| tags.iter().filter(|tag| pattern.is_match(tag)).count();
        let codes: Vec<_> = tags.iter().filter_map(|tag| tag.strip_prefix("gbt20986.")).collect();
        if count(&technique) == 0 || count(&tactic) == 0 {
            broken.push(format!("{file}: {tags:?}"));
        }
        if codes.len() != 1 || codes.iter().any(|code| category::find(code).is_none()) {
            broken.push(format!("{file}: category codes {codes:?}"));
        }
        if tags.len() != count(&technique) + count(&tactic) + codes.len() {
            broken.push(format!("{file}: a tag that is none of ours in {tags:?}"));
        }
    }
    none_of(broken, "tags");
}

#[test]
fn every_technique_is_in_force_and_belongs_to_a_tactic_of_its_rule() {
    let file = data().join("threat-intel/attack_v18.1_techniques.json");
    let Ok(text) = fs::read_to_string(&file) else {
        eprintln!("SKIPPED: techniques are not checked against ATT&CK; set WATCHPOST_TEST_DATA");
        return;
    };
    let list: Json = serde_json::from_str(&text).unwrap();
    let rows = list["techniques"].as_array().expect("a list of techniques");
    let known: BTreeMap<_, _> =
        rows.iter().filter_map(|row| Some((row["external_id"].as_str()?, row))).collect();
    let mut broken = Vec::new();
    for (file, rule) in speaking() {
        let tags: Vec<_> = tags(&rule).into_iter().map(str::to_uppercase).collect();
        for id in tags.iter().filter_map(|tag| tag.strip_prefix("ATTACK.")).filter(|id| id.starts_with("T1"))
        {
            let Some(row) = known.get(id) else {
                broken.push(format!("{file}: {id} does not exist"));
                continue;
            };
            if row["revoked"] == true || row["deprecated"] == true {
                broken.push(format!("{file}: {id} is no longer in force"));
            }
            let tactics = row["tactics"].as_array().expect("tactics").iter().filter_map(Json::as_str);
            let mut wanted = tactics.map(|tactic| format!("ATTACK.{}", tactic.to_uppercase()));
            if !wanted.any(|tactic| tags.contains(&tactic)) {
                broken.push(format!("{file}: {id} belongs to none of the rule's tactics"));
            }
        }
    }
    none_of(broken, "techniques");
}

/// A line of an access log in the combined format, as an event; the real parser is the agent's.
fn access(pattern: &Regex, line: &str) -> Option<Event> {
    let part = pattern.captures(line)?;
    let text = |at: usize| part.get(at).map(|found| found.as_str().to_owned()).unwrap_or_default();
    let time = moment(&text(2))?;
    Some(Event::from(Web {
        log: Log { time, original: line.to_owned(), ..Log::default() },
        source_ip: text(1).parse().ok(),
        method: text(3),
        target: text(4),
        status: text(5).parse().ok(),
        referrer: text(6),
        user_agent: text(7),
        ..Web::default()
    }))
}

/// `17/May/2015:10:05:03 +0000`, of a log written in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let (year, clock) = rest.split_once(' ')?.0.split_once(':')?;
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = names.iter().position(|name| *name == month)? + 1;
    Timestamp::parse(&format!("{year}-{month:02}-{day}T{clock}Z"))
}

#[test]
fn a_week_of_an_ordinary_web_server_makes_no_alert_of_level_medium_or_worse() {
    let file = data().join("logs/benign/apache_access_1.log.zst");
    let Ok(out) = std::process::Command::new("zstd").arg("-dcq").arg(&file).output() else {
        eprintln!("SKIPPED: the benign access log is not read; install zstd");
        return;
    };
    if !out.status.success() {
        eprintln!("SKIPPED: the benign access log is not there; set WATCHPOST_TEST_DATA");
        return;
    }
    let pattern =
        r#"^(\S+) \S+ \S+ \[([^\]]+)\] "(\S+) (.*?)(?: HTTP/[0-9.]+)?" (\d+) \S+ "([^"]*)" "([^"]*)""#;
    let pattern = Regex::new(pattern).unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let events: Vec<Event> = text.lines().filter_map(|line| access(&pattern, line)).collect();
    assert!(events.len() * 10 >= text.lines().count() * 9, "only {} lines were read", events.len());
    let mut detector = Detector::new(&RuleSet::load(&shipped()));
    let mut broken = Vec::new();
    for event in &events {
        for finding in detector.observe(&Subject::Typed(event), EventRef { frame: 1, index: 0 }, event.time) {
            if finding.rule.severity >= Severity::Medium {
                broken.push(format!("{}: {:?}", finding.rule.meta.name, finding.matched));
            }
        }
    }
    none_of(broken, "alerts on ordinary traffic");
}

const GUIDE_BEGIN: &str = "<!-- shipped rules: begin -->\n";
const GUIDE_END: &str = "<!-- shipped rules: end -->";

/// The table of the guide, as the rules stand.
fn table() -> String {
    let mut rows = String::from(
        "| rule | level | ATT&CK | category | what it sees |\n| --- | --- | --- | --- | --- |\n",
    );
    for (file, rule) in speaking() {
        let tags = tags(&rule);
        let techniques =
            tags.iter().filter_map(|tag| tag.strip_prefix("attack.t")).filter(|rest| rest.starts_with('1'));
        let techniques: Vec<_> = techniques.map(|rest| format!("T{rest}")).collect();
        let code = tags.iter().find_map(|tag| tag.strip_prefix("gbt20986.")).unwrap_or_default();
        rows.push_str(&format!(
            "| `{}` | {} | {} | {code} | {} |\n",
            file.trim_end_matches(".yml"),
            text(&rule, "/level"),
            techniques.join(", "),
            text(&rule, "/title")
        ));
    }
    rows
}

/// Run with `WATCHPOST_BLESS=1` to write the table anew.
#[test]
fn the_guide_lists_every_shipped_rule() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md");
    let guide = fs::read_to_string(&path).expect("docs/rules.md");
    let (before, rest) = guide.split_once(GUIDE_BEGIN).expect("a mark where the table begins");
    let (listed, after) = rest.split_once(GUIDE_END).expect("a mark where the table ends");
    if std::env::var_os("WATCHPOST_BLESS").is_some() {
        fs::write(&path, format!("{before}{GUIDE_BEGIN}{}{GUIDE_END}{after}", table())).unwrap();
    } else {
        assert_eq!(listed, table(), "run the test with WATCHPOST_BLESS=1 and read what changed");
    }
}
