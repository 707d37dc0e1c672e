//! Rule files written to do harm: each is refused with file, line, reason and what to do, or
//! loads within bounds.
//!
//! Every file is loaded by a process of its own whose address space and processor time are
//! limited by the system, so that what exceeds them dies there and fails the test here. A table
//! of peak memory and processor time is printed (`--nocapture`).

use std::process::Command;

use serde_json::json;
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, RuleSet, Source, Subject, pack};

/// Address space of one load, in KiB. A debug build of the test alone maps some 100 MiB.
const ADDRESS_KIB: u32 = 1024 * 1024;

/// Processor seconds of one load in a debug build.
const SECONDS: u32 = 60;

/// Which file the child loads.
const CHILD: &str = "WATCHPOST_HOSTILE_CASE";

/// What must come of a file.
enum Ends {
    /// So many rules.
    Loads(usize),
    /// At least one refusal that says this.
    Refused(&'static str),
    /// Either, within the limits.
    Bounded,
}

use Ends::{Bounded, Loads, Refused};

const HEAD: &str = "title: t\nlogsource: {category: dns}\n";

fn rule(detection: &str) -> String {
    format!("{HEAD}detection:\n{detection}\n")
}

fn item(item: &str) -> String {
    rule(&format!("  s:\n    {item}\n  condition: s"))
}

fn condition(text: &str) -> String {
    rule(&format!("  s: {{a: 1}}\n  condition: {text}"))
}

fn many(count: usize, each: impl Fn(usize) -> String) -> String {
    (0..count).map(each).collect()
}

fn correlation(name: &str, rules: &str, rest: &str) -> String {
    format!(
        "title: {name}\nname: {name}\nid: {name}\ncorrelation: {{type: event_count, rules: {rules}, {rest}}}\n"
    )
}

const WINDOW: &str = "group-by: [a], timespan: 1m, condition: {gte: 2}";

type Case = (&'static str, String, Ends);

fn regexes() -> Vec<Case> {
    let large = r"a|re: '(\w{40}[a-z]\W){4}'";
    vec![
        ("quantifiers in quantifiers", item("a|re: '^(a+)+(b*)*(a|a)*$'"), Loads(1)),
        ("a regex of gigabytes", item(r"a|re: '(\w{900}){900}'"), Refused("size limit")),
        ("a count of a count of a count", item(r"a|re: '((x{1000}){1000}){1000}'"), Refused("size limit")),
        (
            "a regex nested deep",
            item(&format!("a|re: '{}x{}'", "(".repeat(2_000), ")".repeat(2_000))),
            Refused("a|re"),
        ),
        (
            "many large regexes",
            rule(&format!("{}  condition: s1", many(100, |n| format!("  s{n}:\n    {large}\n")))),
            Refused("regexes"),
        ),
        (
            "thousands of regexes",
            item(&format!("a|re: [{}]", vec!["x+"; 5_000].join(","))),
            Refused("regexes"),
        ),
    ]
}

fn lists() -> Vec<Case> {
    let list = |count: usize| item(&format!("a: [{}]", vec!["x"; count].join(",")));
    vec![
        ("a list of 99,000 values", list(99_000), Loads(1)),
        ("a list of 100,001 values", list(100_001), Refused("values")),
        ("a megabyte in one value", item(&format!("a: {}", "x".repeat(1_000_000))), Loads(1)),
        ("a megabyte of stars", item(&format!("a: '{}'", "*".repeat(1_000_000))), Loads(1)),
        (
            "a megabyte of question marks",
            item(&format!("a: '{}'", "?".repeat(1_000_000))),
            Refused("wildcards"),
        ),
        (
            "stars and question marks in turn",
            item(&format!("a: '{}'", "*a?".repeat(300_000))),
            Refused("wildcards"),
        ),
        ("a thousand modifiers", item(&format!("a{}: x", "|all".repeat(200))), Refused("modifiers")),
        (
            "text widened over and over",
            item(&format!("a{}|base64: x", "|wide".repeat(12))),
            Refused("encodings"),
        ),
        ("three offsets of three offsets", item("a|base64offset|base64offset|contains: x"), Refused("twice")),
        (
            "twenty thousand selections",
            rule(&format!("{}  condition: 1 of them", many(20_000, |n| format!("  s{n}:\n    a: 1\n")))),
            Loads(1),
        ),
        (
            "a square of references",
            rule(&format!(
                "{}  condition: {}",
                many(1_000, |n| format!("  s{n}: {{a: 1}}\n")),
                vec!["1 of them"; 1_000].join(" or ")
            )),
            Refused("refers to selections"),
        ),
    ]
}

fn nesting() -> Vec<Case> {
    let deep = |open: &str, close: &str, n: usize| format!("{}s{}", open.repeat(n), close.repeat(n));
    vec![
        ("brackets in a condition", condition(&deep("(", ")", 100_000)), Refused("nested deeper")),
        (
            "brackets in disguise",
            condition(&format!("\"{}\"", deep(r"\x28", r"\x29", 12_000))),
            Refused("nested deeper"),
        ),
        (
            "brackets as long numbers",
            condition(&format!("\"{}\"", deep(r"\U00000028", r"\u0029", 3_000))),
            Refused("nested deeper"),
        ),
        ("brackets behind a tag", condition(&format!("!x \"{}\"", deep("(", ")", 20_000))), Refused("")),
        (
            "brackets behind an alias",
            format!("x: &c \"{}\"\n{}", deep("(", ")", 20_000), condition("*c")),
            Refused("nested deeper"),
        ),
        (
            "brackets in a filter",
            format!("{HEAD}filter: {{rules: any, s: {{a: 1}}, condition: \"{}\"}}\n", deep("(", ")", 20_000)),
            Refused("nested deeper"),
        ),
        (
            "brackets in a correlation",
            format!(
                "title: c\ncorrelation: {{type: temporal, rules: [s], timespan: 1m, condition: \"{}\"}}\n",
                deep("(", ")", 20_000)
            ),
            Refused("nested deeper"),
        ),
        ("not upon not", condition(&format!("{}s", "not ".repeat(16_000))), Refused("nested deeper")),
        ("a condition of a megabyte", condition(&vec!["s"; 150_000].join(" or ")), Refused("ondition")),
        ("lists in lists", item(&format!("a: {}", "[".repeat(8_000))), Refused("")),
        ("maps in maps", format!("{HEAD}detection: {}", "{a: ".repeat(8_000)), Refused("")),
        ("more brackets than time", "{a: ".repeat(200_000), Refused("brackets")),
        ("blocks in blocks", many(600, |n| format!("{}a:\n", " ".repeat(n))), Refused("")),
        (
            "dashes in dashes",
            format!("{HEAD}detection:\n  s: {}x\n  condition: s\n", "- ".repeat(5_000)),
            Refused(""),
        ),
        ("questions in questions", "? ".repeat(5_000), Refused("")),
    ]
}

fn bombs() -> Vec<Case> {
    let laughs = many(20, |n| match n {
        0 => "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(),
        _ => format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(",")),
    });
    let wide = format!("x: &x [{}]\ny: [{}]\n", vec!["1"; 200_000].join(","), vec!["*x"; 100_000].join(","));
    let long = format!("x: &x {}\ny: [{}]\n", "z".repeat(500_000), vec!["*x"; 10_000].join(","));
    let keys = format!("x: &x {}\n{}", "z".repeat(200_000), many(8_000, |n| format!("k{n}: {{*x : 1}}\n")));
    let body = "detection: {s: {a: x}, condition: s}\n";
    let global = format!("action: global\ntitle: t\nx: {}\n{body}", "z".repeat(200_000));
    vec![
        ("a billion laughs", format!("{laughs}{}", item("a: x")), Refused("values")),
        ("one list a hundred thousand times", format!("{wide}{}", item("a: x")), Refused("values")),
        ("one text ten thousand times", format!("{long}{}", item("a: x")), Refused("values")),
        ("one key eight thousand times", format!("{keys}{}", item("a: x")), Refused("values")),
        ("an alias of itself", format!("x: &x [*x]\n{}", item("a: x")), Refused("")),
        ("an honest alias", format!("x: &x [b, c]\n{}", item("a: *x")), Loads(1)),
        (
            "a global document and its thousands",
            format!("{global}{}", many(50_000, |n| format!("---\nid: {n}\n"))),
            Refused("copies"),
        ),
        (
            "a document repeated into thousands",
            format!("{HEAD}{body}{}", many(8_000, |n| format!("---\naction: repeat\nid: i{n}\nk{n}: {n}\n"))),
            Refused("copies"),
        ),
        (
            "an action in disguise",
            format!(
                "\"\\x61ction\": global\ntitle: t\nx: {}\n{}",
                "z".repeat(200_000),
                many(50_000, |n| format!("---\nid: {n}\n"))
            ),
            Refused("copies"),
        ),
        (
            "an honest global document",
            format!("action: global\n{HEAD}{}", many(20, |n| format!("---\nid: i{n}\n{body}"))),
            Loads(20),
        ),
    ]
}

fn correlations() -> Vec<Case> {
    let base = item("a: 1").replacen("title: t", "title: t\nname: base\nid: base", 1);
    let body = |rest: &str| format!("{base}---\n{}", correlation("c", "[base]", rest));
    vec![
        ("a correlation of itself", correlation("me", "[me]", WINDOW), Refused("'me'")),
        (
            "two correlations of each other",
            format!("{}---\n{}", correlation("one", "[two]", WINDOW), correlation("two", "[one]", WINDOW)),
            Refused("is in a cycle"),
        ),
        (
            "a ring of a thousand",
            many(1_000, |n| {
                format!("{}---\n", correlation(&format!("c{n}"), &format!("[c{}]", (n + 1) % 1_000), WINDOW))
            }),
            Refused("is in a cycle"),
        ),
        (
            "a tower of a thousand",
            format!(
                "{base}---\n{}",
                many(1_000, |n| {
                    let below = if n == 0 { "base".to_owned() } else { format!("c{}", n - 1) };
                    format!("{}---\n", correlation(&format!("c{n}"), &format!("[{below}]"), WINDOW))
                })
            ),
            Bounded,
        ),
        (
            "a thousand rules in one",
            format!(
                "{base}---\n{}",
                correlation("c", &format!("[{}]", vec!["base"; 1_000].join(",")), WINDOW)
            ),
            Refused("rules"),
        ),
        (
            "a window without end",
            body("group-by: [a], timespan: 99999999999999999999d, condition: {gte: 2}"),
            Refused("99999999999999999999d"),
        ),
        (
            "a window that overflows",
            body("group-by: [a], timespan: 18446744073709551615w, condition: {gte: 2}"),
            Refused("18446744073709551615w"),
        ),
        (
            "a window of a million years",
            body("group-by: [a], timespan: 1000000y, condition: {gte: 2}"),
            Refused("1000000y"),
        ),
        (
            "a count without end",
            body("group-by: [a], timespan: 1m, condition: {gte: 18446744073709551615}"),
            Refused(""),
        ),
        ("a count below nothing", body("group-by: [a], timespan: 1m, condition: {gte: -1}"), Refused("")),
        (
            "a count that is no number",
            body("group-by: [a], timespan: 1m, condition: {gte: many}"),
            Refused(""),
        ),
    ]
}

fn texts() -> Vec<Case> {
    let good = item("a: x");
    vec![
        ("a mark of byte order", format!("\u{feff}{good}"), Loads(1)),
        (
            "lines of Windows",
            format!("{good}---\n{}", good.replace("title: t", "title: u")).replace('\n', "\r\n"),
            Loads(2),
        ),
        (
            "a title of a megabyte",
            good.replace("title: t", &format!("title: {}", "x".repeat(1_000_000))),
            Refused("'title'"),
        ),
        ("an id of a megabyte", format!("{good}id: {}\n", "x".repeat(1_000_000)), Refused("'id'")),
        ("a tag of a megabyte", format!("{good}tags: [{}]\n", "x".repeat(1_000_000)), Refused("'tags'")),
        (
            "a hundred thousand tags",
            format!("{good}tags: [{}]\n", vec!["x"; 100_000].join(",")),
            Refused("'tags'"),
        ),
        (
            "advice of a megabyte",
            format!("{good}watchpost: {{advice: {}}}\n", "x".repeat(1_000_000)),
            Refused("'advice'"),
        ),
        (
            "control characters in a title",
            good.replace("title: t", "title: \"\\e[2J\\a\\0\\x9b31m\""),
            Loads(1),
        ),
        ("control characters in what is refused", item("\"a|\\e[2J\\e]0;x\\a\": x"), Refused("modifier")),
        (
            "a megabyte in what is refused",
            item(&format!("a|gt: {}", "x".repeat(1_000_000))),
            Refused("number"),
        ),
        ("a file over the bound", format!("{good}# {}\n", "x".repeat(1_100_000)), Refused("bytes")),
        ("ten thousand empty documents", "---\n".repeat(10_000), Refused("more of the kind")),
        ("ten thousand that are no rules", "---\nx: 1\n".repeat(10_000), Refused("more of the kind")),
        (
            "a thousand rules with one id",
            many(1_000, |_| format!("---\nid: same\n{good}")),
            Refused("already used"),
        ),
        (
            "thousands of rules",
            many(5_000, |n| format!("---\ntitle: t{n}\ndetection:\n  s:\n    a: {n}\n  condition: s\n")),
            Loads(5_000),
        ),
        ("a number of a thousand digits", item(&format!("a: {}", "9".repeat(1_000))), Loads(1)),
        ("a number beyond numbers", item("a|gt: 1e999"), Refused("number")),
        ("no number", item("a|gt: .nan"), Refused("number")),
        (
            "a selection whose name is a number",
            rule("  1: {a: x}\n  condition: 1 of them"),
            Refused("quotes"),
        ),
        ("a field whose name is a number", item("4688: x"), Refused("quotes")),
        ("a field whose name is a list", item("[a]: x"), Refused("")),
        ("the same key twice", rule("  s: {a: x, a: y}\n  condition: s"), Refused("duplicate")),
        (
            "related rules without end",
            format!("{good}related: [{}]\n", vec!["x"; 200_000].join(",")),
            Loads(1),
        ),
        ("a nul byte", "title: t\0\n".to_owned(), Refused("")),
        ("tabs for indentation", "title: t\ndetection:\n\ts: x\n".to_owned(), Refused("line")),
        ("nothing at all", String::new(), Refused("no rule")),
        ("a comment", "# nothing\n".to_owned(), Refused("map")),
    ]
}

fn cases() -> Vec<Case> {
    [regexes(), lists(), nesting(), bombs(), correlations(), texts()].into_iter().flatten().collect()
}

/// Events that make the rules that load work hard.
fn hard_events() -> Vec<serde_json::Value> {
    let long = "a".repeat(60_000);
    vec![
        json!({"a": long.clone() + "!"}),
        json!({"a": vec!["x"; 5_000]}),
        json!({"a": {"b": long}}),
        json!({"x": null}),
    ]
}

/// Loads one file; the first line says how many rules, then every reason, then what is wrong with one.
fn load(text: &str) -> Vec<String> {
    let set = RuleSet::load(&[Source { name: "hostile.yml".into(), text: text.into() }]);
    let mut out = vec![format!("RULES {}", set.rules().len())];
    let late = set.rejected().len() > 101;
    for said in set.rejected().iter().chain(set.remarks()) {
        let sums_up = late || said.reason.contains("more of the kind");
        if said.file != "hostile.yml" || (said.line.is_none() && !sums_up) {
            out.push(format!("WRONG no file and line: {said:?}"));
        }
        if said.reason.chars().count() > 1_000 || said.reason.chars().any(char::is_control) {
            out.push(format!("WRONG a reason that is not for a terminal: {:.100?}", said.reason));
        }
    }
    if set.rejected().len() > 1_100 {
        out.push(format!("WRONG {} rejections", set.rejected().len()));
    }
    out.extend(set.rejected().iter().map(|said| format!("REASON {}", said.reason)));
    let mut detector = Detector::new(&set);
    for (index, json) in (0..).zip(&hard_events()) {
        let subject = Subject::Foreign { json, logsource: None };
        let _ = detector.observe(&subject, EventRef { frame: 1, index }, Timestamp::EPOCH);
    }
    out
}

/// What is wrong with what a child told.
fn faults(told: &str, ends: &Ends) -> Vec<String> {
    let mut out: Vec<String> =
        told.lines().filter(|line| line.starts_with("WRONG")).map(str::to_owned).collect();
    let reasons: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("REASON ")).collect();
    let shown = reasons.iter().take(3).collect::<Vec<_>>();
    let rules = told.lines().find_map(|line| line.split("RULES ").nth(1)).unwrap_or("no");
    match ends {
        Loads(count) if *rules != count.to_string() || !reasons.is_empty() => {
            out.push(format!("{rules} rules, {shown:?}"));
        }
        Refused(why) if !reasons.iter().any(|reason| !reason.is_empty() && reason.contains(why)) => {
            out.push(format!("not refused for {why:?}: {rules} rules, {shown:?}"));
        }
        _ => {}
    }
    out
}

/// Peak of resident memory in KiB, and processor seconds, of this process.
fn spent() -> (u64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let peak = peak.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        |nth: usize| after.split_whitespace().nth(nth).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    (peak, (ticks(11) + ticks(12)) / 100.0)
}

/// What the child runs; alone it does nothing.
#[test]
fn child_loads_one_hostile_file() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let before = spent();
    let told = load(&text);
    let after = spent();
    println!("\n{}", told.join("\n"));
    println!("SPENT {} {:.2}", after.0.saturating_sub(before.0), after.1 - before.1);
}

#[test]
fn hostile_files_are_refused_or_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let (test, file) = (std::env::current_exe().unwrap(), dir.path().join("hostile.yml"));
    let limits = format!("ulimit -v {ADDRESS_KIB} && ulimit -t {SECONDS} && exec \"$0\" \"$@\"");
    let mut wrong = Vec::new();
    println!("{:>9} {:>7} {:>9}  case", "file KiB", "CPU s", "KiB");
    for (name, text, ends) in cases() {
        std::fs::write(&file, &text).unwrap();
        let output = Command::new("sh")
            .args(["-c", &limits])
            .arg(&test)
            .args(["--exact", "child_loads_one_hostile_file", "--nocapture", "--test-threads=1"])
            .env(CHILD, &file)
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let mut spent = told.lines().find_map(|line| line.strip_prefix("SPENT ")).unwrap_or("- -").split(' ');
        let (peak, cpu) = (spent.next().unwrap_or("-"), spent.next().unwrap_or("-"));
        println!("{:>9} {cpu:>7} {peak:>9}  {name}", text.len() / 1024);
        if !output.status.success() {
            let died = String::from_utf8_lossy(&output.stderr);
            wrong.push(format!("{name}: {} {:.600}", output.status, died.trim()));
        }
        wrong.extend(faults(&told, &ends).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_that_are_no_text_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("a.yml", b"title: \xff\xfe\n");
    write("b.yml", &vec![b'x'; 2_000_000]);
    write("c.yml", &[0xff, 0xfe, b't', 0, b'i', 0]);
    write("d.yml", item("a: x").as_bytes());
    let (sources, rejected) = pack::read_paths(&[dir.path().to_path_buf()]);
    assert_eq!(sources.len(), 1);
    let told: Vec<_> =
        rejected.iter().map(|one| (one.file.rsplit('/').next().unwrap_or(""), one.reason.as_str())).collect();
    assert!(told.iter().any(|(file, reason)| *file == "a.yml" && reason.contains("UTF-8")), "{told:?}");
    assert!(told.iter().any(|(file, reason)| *file == "b.yml" && reason.contains("split")), "{told:?}");
    assert!(told.iter().any(|(file, reason)| *file == "c.yml" && reason.contains("UTF-8")), "{told:?}");
}
