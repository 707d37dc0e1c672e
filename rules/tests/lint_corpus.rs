//! Lint, placeholders and packs over all public rules.
//!
//! Reads test data from outside the project (`WATCHPOST_TEST_DATA`, else `shared/data` beside the
//! checkout) and skips loudly where there is none.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of a test may fail it, and skipping must be seen"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value as Json;
use watchpost_model::Timestamp;
use watchpost_model::id::EventRef;
use watchpost_rules::coverage::Coverage;
use watchpost_rules::lint::{self, Fault};
use watchpost_rules::pack::{self, SecretKey};
use watchpost_rules::parse::Placeholders;
use watchpost_rules::{Detector, RuleSet, Source, Subject};

fn data() -> Option<PathBuf> {
    let dir = std::env::var_os("WATCHPOST_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let dir = dir.join("sigma");
    if dir.is_dir() {
        return Some(dir);
    }
    println!("SKIPPED: no test data at {}; set WATCHPOST_TEST_DATA", dir.display());
    None
}

static SOURCES: LazyLock<Option<Vec<Source>>> = LazyLock::new(|| {
    let archive = data()?.join("sigmahq-rules.tar.zst");
    let dir = tempfile::tempdir().unwrap();
    let unpack = Command::new("zstd").arg("-dcq").arg(&archive).stdout(Stdio::piped()).spawn();
    let Ok(mut unpack) = unpack else {
        println!("SKIPPED: the command zstd is not installed");
        return None;
    };
    let archive = unpack.stdout.take().unwrap();
    let tar = Command::new("tar").arg("-x").arg("-C").arg(dir.path()).stdin(archive).status();
    assert!(tar.unwrap().success());
    assert!(unpack.wait().unwrap().success());
    let (sources, rejected) = pack::read_paths(&[dir.path().to_path_buf()]);
    assert_eq!(rejected, []);
    let within = |source: Source| Source {
        name: Path::new(&source.name).strip_prefix(dir.path()).unwrap().display().to_string(),
        ..source
    };
    Some(sources.into_iter().map(within).collect())
});

/// The placeholders that rejected rules ask for, each with a value.
fn wanted(set: &RuleSet) -> Placeholders {
    let name = |reason: &str| {
        let (_, after) = reason.split_once("the placeholder '")?;
        Some(after.split_once('\'')?.0.to_owned())
    };
    let names = set.rejected().iter().filter_map(|rejected| name(&rejected.reason));
    names.map(|name| (name, vec!["example".to_owned(), "other*".to_owned()])).collect()
}

#[test]
fn every_public_rule_loads_once_its_placeholders_have_values() {
    let Some(sources) = SOURCES.as_ref() else { return };
    let bare = RuleSet::load(sources);
    let mut values = Placeholders::new();
    // A rule may name several placeholders, told one at a time.
    for _ in 0..4 {
        values.extend(wanted(&RuleSet::load_with(sources, &values)));
    }
    let full = RuleSet::load_with(sources, &values);
    println!(
        "{} rejected without values, {} with {}",
        bare.rejected().len(),
        full.rejected().len(),
        values.len()
    );
    assert!(!bare.rejected().is_empty() && !values.is_empty());
    assert_eq!(full.rejected(), []);
    assert_ne!(bare.hash(), full.hash(), "values are part of a set's name");
}

#[test]
fn no_rule_that_fires_is_called_dead() {
    let (Some(sources), Some(dir)) = (SOURCES.as_ref(), data()) else { return };
    let set = RuleSet::load(sources);
    let found = lint::lint(&set, sources);
    let is_never = |fault: &Fault| {
        matches!(
            fault,
            Fault::Never | Fault::Clash { .. } | Fault::Swallowed { .. } | Fault::Contradiction { .. }
        )
    };
    let dead: BTreeSet<&str> =
        found.dead.iter().filter(|note| is_never(&note.fault)).map(|note| note.rule.as_str()).collect();
    let mut detector = Detector::new(&set);
    let text = std::fs::read_to_string(dir.join("regression.jsonl")).unwrap();
    let mut fired = BTreeSet::new();
    for case in text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()) {
        for json in case["events"].as_array().into_iter().flatten() {
            let at = EventRef { frame: 1, index: 0 };
            let findings =
                detector.observe(&Subject::Foreign { json, logsource: None }, at, Timestamp::EPOCH);
            fired.extend(findings.into_iter().map(|finding| finding.rule.meta.id.clone()));
        }
    }
    println!("{} rules fired; dead parts {}, slow {}", fired.len(), found.dead.len(), found.slow.len());
    assert!(fired.len() > 50);
    assert!(fired.iter().all(|id| !dead.contains(id.as_str())));
    // Every remark about the text of a rule says where.
    let notes = found.dead.iter().chain(&found.slow).chain(&found.uncategorised);
    assert!(notes.into_iter().all(|note| note.line.is_some()));
}

#[test]
fn all_public_rules_fit_into_one_pack_and_keep_their_name() {
    let Some(sources) = SOURCES.as_ref() else { return };
    let key = SecretKey::parse(&SecretKey::generate().unwrap()).unwrap();
    let sealed = pack::seal("public", Timestamp::EPOCH, sources, &key).unwrap();
    println!("{} files in {} bytes", sources.len(), sealed.len());
    let opened = pack::open(&sealed, &[key.public()]).unwrap();
    let (plain, packed) = (RuleSet::load(sources), RuleSet::load(&opened.files));
    assert_eq!(plain.hash(), packed.hash());
    assert_eq!(plain.rules().len(), packed.rules().len());
}

#[test]
fn coverage_counts_every_tagged_rule() {
    let Some(sources) = SOURCES.as_ref() else { return };
    let set = RuleSet::load(sources);
    let coverage = Coverage::of(&set);
    let layer = coverage.layer("public", &set);
    let techniques = layer["techniques"].as_array().unwrap();
    println!("{} rules, {} techniques, {} seen", coverage.rules, techniques.len(), coverage.techniques);
    assert!(techniques.len() > 200);
    let tagged: BTreeSet<&str> =
        set.rules().iter().flat_map(|rule| &rule.meta.techniques).map(String::as_str).collect();
    assert_eq!(techniques.len(), tagged.len());
}
