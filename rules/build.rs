//! Puts the shipped rules (`packs/`) into the program, so that it detects from the first start
//! without any file beside it.
//!
//! Writes one list of name and content to `OUT_DIR`; [`shipped`](src/shipped.rs) includes it. Cases
//! (`*.cases.yml`) are read by tests only and stay out. Uses the standard library alone.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("packs");
    println!("cargo::rerun-if-changed=packs");
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    // Directory order differs between machines; the program must not.
    files.sort();
    let list = listing(&root, &files)?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("shipped.rs"), list)?;
    Ok(())
}

/// Every rule file below `folder`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if is_rule(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_rule(path: &Path) -> bool {
    path.to_str().is_some_and(|name| name.ends_with(".yml") && !name.ends_with(".cases.yml"))
}

/// A Rust expression: the list of names, relative to `root` with forward slashes, and contents.
fn listing(root: &Path, files: &[PathBuf]) -> Result<String, Box<dyn Error>> {
    let mut list = String::from("&[\n");
    for file in files {
        let parts: Vec<_> = file.strip_prefix(root)?.iter().map(|part| part.to_string_lossy()).collect();
        writeln!(list, "    ({:?}, include_str!({file:?})),", parts.join("/"))?;
    }
    list.push_str("]\n");
    Ok(list)
}
