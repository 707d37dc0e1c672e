//! Side by side with the other Sigma engines that are written in Rust: speed on routed events,
//! speed with every rule in one heap, growth with the number of rules, cost of loading.
//!
//! Usage: `rivals speed RULES EVENTS`, `rivals growth RULES EVENTS`, `rivals load ENGINE RULES`,
//! `rivals passes ENGINE RULES EVENTS COUNT [FILES]` (for callgrind; with FILES, so many of the
//! files, without their logsources). RULES is a folder of Sigma rules,
//! EVENTS a file with one JSON event per line. Every engine gets the same texts and the same
//! events, already parsed; timing alternates between them and the best round counts.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rsigma_eval::Engine;
use rsigma_eval::event::JsonEvent;
use rsigma_parser::LogSource;
use serde_json::Value as Json;
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;
use watchpost_rules::{Detector, OwnedLogsource, RuleSet, Source, Subject, pack, taxonomy};

const ROUNDS: usize = 7;
const AT_LEAST: Duration = Duration::from_millis(150);

/// What an event is for an engine that knows one logsource per event.
fn logsource(json: &Json) -> LogSource {
    let found = taxonomy::infer(json);
    let one = found.iter().find(|one| one.category.is_some()).or(found.first()).cloned().unwrap_or_default();
    LogSource { category: one.category, product: one.product, service: one.service, ..LogSource::default() }
}

fn events(path: &str) -> anyhow::Result<Vec<Json>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Rules in an order that has nothing to do with their names, so that a part is like the whole.
fn rules(path: &str) -> Vec<Source> {
    let (mut sources, _) = pack::read_paths(&[PathBuf::from(path)]);
    let mixed = |text: &str| {
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
    };
    sources.sort_by_key(|source| mixed(&source.text));
    sources
}

/// The same rule without its logsource: it meets every event.
fn unrouted(source: &Source) -> Source {
    let mut inside = false;
    let kept = source.text.lines().filter(|line| {
        inside = line.starts_with("logsource:") || (inside && line.starts_with([' ', '\t']));
        !inside
    });
    let text: Vec<&str> = kept.collect();
    Source { name: source.name.clone(), text: text.join("\n") + "\nlogsource: {}\n" }
}

fn ours(sources: &[Source]) -> Detector {
    Detector::new(&RuleSet::load(sources))
}

fn rsigma(sources: &[Source]) -> Engine {
    let mut engine = Engine::new();
    let mut all = Vec::new();
    for source in sources {
        if let Ok(found) = rsigma_parser::parse_sigma_yaml(&source.text) {
            all.extend(found.rules);
        }
    }
    engine.add_rules(&all);
    engine
}

fn sigma_rust(sources: &[Source]) -> Vec<sigma_rust::Rule> {
    sources.iter().filter_map(|source| sigma_rust::rule_from_yaml(&source.text).ok()).collect()
}

/// One pass over the events; how many findings.
type Pass<'a> = Box<dyn FnMut() -> usize + 'a>;

fn pass_ours<'a>(mut detector: Detector, events: &'a [Json], given: Option<OwnedLogsource>) -> Pass<'a> {
    Box::new(move || {
        events
            .iter()
            .map(|json| {
                let subject = Subject::Foreign { json, logsource: given.as_ref() };
                detector.observe(&subject, EventRef { frame: 1, index: 0 }, Timestamp::EPOCH).len()
            })
            .sum()
    })
}

fn pass_rsigma<'a>(engine: Engine, events: &'a [Json], given: Option<LogSource>) -> Pass<'a> {
    let sources: Vec<LogSource> =
        events.iter().map(|json| given.clone().unwrap_or_else(|| logsource(json))).collect();
    Box::new(move || {
        let both = events.iter().zip(&sources);
        both.map(|(json, source)| engine.evaluate_with_logsource(&JsonEvent::borrow(json), source).len())
            .sum()
    })
}

/// This engine has no routing: each event meets the rules whose logsource does not speak against it.
fn pass_sigma_rust(rules: Vec<sigma_rust::Rule>, events: &[Json], given: Option<LogSource>) -> Pass<'_> {
    let wants = |rule: &sigma_rust::Rule, event: &LogSource| {
        let part = |want: &Option<String>, have: &Option<String>| want.is_none() || want == have;
        part(&rule.logsource.category, &event.category)
            && part(&rule.logsource.product, &event.product)
            && part(&rule.logsource.service, &event.service)
    };
    let routed: Vec<(sigma_rust::Event, Vec<usize>)> = events
        .iter()
        .map(|json| {
            let event = sigma_rust::event_from_json(&json.to_string()).unwrap_or_default();
            let source = given.clone().unwrap_or_else(|| logsource(json));
            (
                event,
                (0..rules.len())
                    .filter(|at| rules.get(*at).is_some_and(|rule| wants(rule, &source)))
                    .collect(),
            )
        })
        .collect();
    Box::new(move || {
        let of = |event: &sigma_rust::Event, at: &[usize]| {
            at.iter().filter(|at| rules.get(**at).is_some_and(|rule| rule.is_match(event))).count()
        };
        routed.iter().map(|(event, at)| of(event, at)).sum()
    })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds per event of each pass: the best of several rounds, taken in turn.
fn race(passes: &mut [(&str, Pass<'_>)], events: usize) -> Vec<(String, f64, usize)> {
    let mut best = vec![(f64::MAX, 0); passes.len()];
    for _ in 0..ROUNDS {
        for ((_, pass), best) in passes.iter_mut().zip(&mut best) {
            let (begin, mut count, mut found) = (now(), 0_u32, 0);
            while count == 0 || begin.elapsed() < AT_LEAST {
                found = black_box(pass());
                count += 1;
            }
            let spent = begin.elapsed().as_secs_f64() * 1e9 / f64::from(count) / events as f64;
            *best = (best.0.min(spent), found);
        }
    }
    passes.iter().zip(best).map(|((name, _), (ns, found))| ((*name).to_owned(), ns, found)).collect()
}

fn print(what: &str, rows: &[(String, f64, usize)]) {
    let first = rows.first().map_or(1.0, |row| row.1);
    for (name, ns, found) in rows {
        println!(
            "{what:<28} {name:<12} {ns:>12.0} ns/event {:>12.0} events/s {:>8.2} x  {found} findings",
            1e9 / ns,
            ns / first
        );
    }
}

fn given(path: &str) -> (Option<OwnedLogsource>, Option<LogSource>) {
    let text = match path.rsplit('/').next() {
        Some(name) if name.starts_with("auditd") => "product=linux,service=auditd",
        Some(name) if name.starts_with("web") => "category=webserver",
        _ => return (None, None),
    };
    let one = OwnedLogsource::parse(text).unwrap_or_default();
    let theirs = LogSource {
        category: one.category.clone(),
        product: one.product.clone(),
        service: one.service.clone(),
        ..LogSource::default()
    };
    (Some(one), Some(theirs))
}

fn speed(dir: &str, path: &str) -> anyhow::Result<()> {
    let (sources, events) = (rules(dir), events(path)?);
    let (mine, theirs) = given(path);
    let mut passes = [
        ("watchpost", pass_ours(ours(&sources), &events, mine)),
        ("rsigma", pass_rsigma(rsigma(&sources), &events, theirs.clone())),
        ("sigma-rust", pass_sigma_rust(sigma_rust(&sources), &events, theirs)),
    ];
    print("routed", &race(&mut passes, events.len()));
    let all: Vec<Source> = sources.iter().map(unrouted).collect();
    let mut passes = [
        ("watchpost", pass_ours(ours(&all), &events, None)),
        ("rsigma", pass_rsigma(rsigma(&all), &events, Some(LogSource::default()))),
    ];
    print(&format!("unrouted, {} files", all.len()), &race(&mut passes, events.len()));
    Ok(())
}

fn growth(dir: &str, path: &str) -> anyhow::Result<()> {
    let (sources, events) = (rules(dir), events(path)?);
    let all: Vec<Source> = sources.iter().map(unrouted).collect();
    for count in [100, 300, 1_000, 3_000] {
        let part = all.get(..count).unwrap_or(&all);
        let mut passes = [
            ("watchpost", pass_ours(ours(part), &events, None)),
            ("rsigma", pass_rsigma(rsigma(part), &events, Some(LogSource::default()))),
        ];
        print(&format!("{} rules", part.len()), &race(&mut passes, events.len()));
    }
    Ok(())
}

/// CPU seconds and resident MB of this process so far.
fn spent() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let tick =
        |nth: usize| after.split_whitespace().nth(nth).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    ((tick(11) + tick(12)) / 100.0, pages * 4096.0 / 1e6)
}

fn load(engine: &str, dir: &str) -> anyhow::Result<()> {
    let sources = rules(dir);
    let before = spent();
    let tell = |what: &str, count: usize| {
        let after = spent();
        println!(
            "{engine} {what}: {count} rules, {:.2} CPU s, {:.0} MB",
            after.0 - before.0,
            after.1 - before.1
        );
    };
    match engine {
        "watchpost" => {
            let set = RuleSet::load(&sources);
            tell("load", set.rules().len());
            set.prepare();
            tell("load and compile every logsource", set.rules().len());
            black_box(set);
        }
        "rsigma" => tell("load", black_box(rsigma(&sources)).rule_count()),
        "sigma-rust" => tell("load", black_box(sigma_rust(&sources)).len()),
        other => bail!("no engine '{other}'; use watchpost, rsigma or sigma-rust"),
    }
    Ok(())
}

fn passes(engine: &str, dir: &str, path: &str, count: &str, files: Option<&str>) -> anyhow::Result<()> {
    let (mut sources, events) = (rules(dir), events(path)?);
    let (mut mine, mut theirs) = given(path);
    if let Some(files) = files {
        sources = sources.iter().take(files.parse()?).map(unrouted).collect();
        (mine, theirs) = (None, Some(LogSource::default()));
    }
    let mut pass = match engine {
        "watchpost" => pass_ours(ours(&sources), &events, mine),
        "rsigma" => pass_rsigma(rsigma(&sources), &events, theirs),
        other => bail!("no engine '{other}'; use watchpost or rsigma"),
    };
    pass();
    let found = steady(&mut pass, count.parse()?);
    println!("{} events a pass, {found} findings", events.len());
    Ok(())
}

/// Passes when all is compiled and warm: what `--toggle-collect='*steady*'` counts.
#[inline(never)]
fn steady(pass: &mut Pass<'_>, count: usize) -> usize {
    (0..count).map(|_| pass()).sum()
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["speed", dir, path] => speed(dir, path),
        ["growth", dir, path] => growth(dir, path),
        ["load", engine, dir] => load(engine, dir),
        ["passes", engine, dir, path, count] => passes(engine, dir, path, count, None),
        ["passes", engine, dir, path, count, files] => passes(engine, dir, path, count, Some(files)),
        _ => bail!(
            "usage: rivals speed|growth RULES EVENTS; load ENGINE RULES; passes ENGINE RULES EVENTS COUNT [FILES]"
        ),
    }
}
