//! House rules that a machine can hold: the arrows between crates, sizes, headers, names, words.
//!
//! Each rule collects every breach before it fails, so that one run shows all there is to mend.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

const CRATES: [&str; 6] = ["model", "rules", "agent", "collector", "dashboards", "tests"];

/// Every Rust file of the crates, as (path from the root, text).
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    for name in CRATES {
        walk(&root().join(name), &mut paths);
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), text)
        })
        .collect()
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/")
        || path.ends_with("tests.rs")
        || path.ends_with("samples.rs")
        || path.contains("/benches/")
}

/// The lines of a file up to its test module, comments and blank lines left out.
fn code(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| *line != "mod tests {" && *line != "mod tests;")
        .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
        .collect()
}

#[track_caller]
fn none(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

/// Who may depend on whom. The console's package also carries the program that composes all three.
fn allowed(crate_name: &str) -> &'static [&'static str] {
    match crate_name {
        "model" => &[],
        "rules" | "agent" => &["model"],
        "collector" => &["model", "rules"],
        _ => &["model", "rules", "agent", "collector", "dashboards"],
    }
}

/// Crates of ours that a manifest names, in ordinary, build and target-specific tables. What only
/// tests use is free.
fn used_crates(manifest: &toml::Table) -> Vec<String> {
    let mut used = Vec::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "build-dependencies" => {
                used.extend(
                    table.keys().filter_map(|name| name.strip_prefix("watchpost-").map(str::to_owned)),
                );
            }
            "target" => {
                used.extend(table.values().filter_map(|inner| inner.as_table()).flat_map(used_crates))
            }
            _ => {}
        }
    }
    used
}

#[test]
fn crates_depend_only_downwards() {
    let mut breaches = Vec::new();
    for name in CRATES {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for used in used_crates(&manifest) {
            if !allowed(name).contains(&used.as_str()) {
                breaches.push(format!("{name} uses {used}"));
            }
        }
    }
    none("crates depend only downwards", &breaches);
}

#[test]
fn only_the_composing_room_of_the_console_sees_agent_and_collector() {
    let breaches: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| {
            path.starts_with("dashboards/src/") && !path.starts_with("dashboards/src/compose/")
        })
        .filter(|(_, text)| {
            code(text)
                .iter()
                .any(|(_, line)| line.contains("watchpost_agent") || line.contains("watchpost_collector"))
        })
        .map(|(path, _)| path)
        .collect();
    none("only dashboards/src/compose sees agent and collector", &breaches);
}

#[test]
fn the_model_and_the_rules_do_no_network_and_read_no_clock() {
    let words = [
        "std::net::Tcp",
        "std::net::Udp",
        "std::time::SystemTime::now",
        "Instant::now",
        "tokio",
        "std::thread",
    ];
    let mut breaches = Vec::new();
    for (path, text) in sources() {
        if !path.starts_with("model/src") && !path.starts_with("rules/src") {
            continue;
        }
        for (number, line) in code(&text) {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                breaches.push(format!("{path}:{number} uses {word}"));
            }
        }
    }
    none("model and rules are pure", &breaches);
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let breaches: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!") && !text.starts_with("#!"))
        .map(|(path, _)| path)
        .collect();
    none("every file opens with a `//!` header", &breaches);
}

#[test]
fn no_file_outgrows_its_room() {
    const MOST: usize = 600;
    let breaches: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| !is_test_file(path))
        .map(|(path, text)| (path, code(text).len()))
        .filter(|(_, lines)| *lines > MOST)
        .map(|(path, lines)| format!("{path} has {lines} lines of code"))
        .collect();
    none("no file has more than 600 lines of code", &breaches);
}

#[test]
fn rooms_are_named_for_what_they_hold() {
    let vague = ["utils", "util", "helpers", "helper", "common", "manager", "misc"];
    let breaches: Vec<String> = sources()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.split(['/', '.']).any(|part| vague.contains(&part)))
        .collect();
    none("no vague names", &breaches);
}

#[test]
fn chinese_text_stands_only_in_the_catalogue() {
    let homes = ["dashboards/src/words/", "model/src/category.rs"];
    let mut breaches = Vec::new();
    for (path, text) in sources() {
        if is_test_file(&path) || homes.iter().any(|home| path.starts_with(home)) {
            continue;
        }
        for (number, line) in code(&text) {
            let spoken = line.split("//").next().unwrap_or_default();
            if spoken.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter)) {
                breaches.push(format!("{path}:{number}"));
            }
        }
    }
    none("Chinese text stands only in the catalogue", &breaches);
}

#[test]
fn nothing_unfinished_is_left_in_the_code() {
    let mut breaches = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            let marks =
                [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("#[ig", "nore")];
            if marks.iter().any(|mark| line.contains(mark)) {
                breaches.push(format!("{path}:{}", number + 1));
            }
        }
    }
    none("nothing unfinished, no test switched off", &breaches);
}

#[test]
fn only_the_agent_may_hold_unsafe_code_and_only_in_sys() {
    let mut breaches = Vec::new();
    for name in CRATES {
        let lib = root().join(name).join("src/lib.rs");
        if name != "agent" && !fs::read_to_string(&lib).unwrap().contains("forbid(unsafe_code)") {
            breaches.push(format!("{name} does not forbid unsafe code"));
        }
    }
    for (path, text) in sources() {
        let outside = !path.starts_with("agent/src/sys/");
        if outside
            && code(&text).iter().any(|(_, line)| {
                line.contains(concat!("uns", "afe {")) || line.contains(concat!("uns", "afe fn"))
            })
        {
            breaches.push(format!("{path} holds unsafe code"));
        }
    }
    none("unsafe code only in agent/src/sys", &breaches);
}

#[test]
fn the_architecture_names_every_room_under_its_crate() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut breaches = Vec::new();
    for name in ["model", "rules", "agent", "collector", "dashboards"] {
        // The rooms of a crate stand under its own heading, up to the next one.
        let section =
            text.split("\n### ").find(|part| part.starts_with(&format!("{name}\n"))).unwrap_or_default();
        for entry in fs::read_dir(root().join(name).join("src")).unwrap().flatten() {
            let room = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() && !section.contains(&format!("`{room}`")) {
                breaches.push(format!("{name}/{room}"));
            }
        }
    }
    none("ARCHITECTURE.md names every room under its crate", &breaches);
}
