//! The whole collector under load: how many events a second, at what price, how late.
//!
//! `cargo bench -p watchpost-collector --bench pipeline -- MODE [--events N] [--rate N] [--size N]
//! [--agents N] [--clients N] [--seconds N] [--sigma] [--rules DIR]`, MODE one of `direct` (from
//! batch bytes to alerts), `network` (the same over mutual TLS), `pace` (alert latency at a given
//! rate), `backlog` (catching up), `start` (opening a large journal). Traffic is made up, the same
//! each time; nothing is asserted about speed, since machines differ.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench prints, and may stop where it fails"
)]

mod direct;
mod measure;
mod modes;
mod network;
mod supply;
mod traffic;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use watchpost_collector::ruleset::{Origin, Ruleset};

/// What the command line asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    mode: String,
    pub(crate) events: u64,
    pub(crate) rate: u64,
    pub(crate) size: u64,
    pub(crate) agents: u64,
    pub(crate) clients: usize,
    pub(crate) seconds: u64,
    sigma: bool,
    rules: Vec<PathBuf>,
}

impl Wanted {
    fn read() -> Self {
        let mut wanted = Self {
            mode: String::new(),
            events: 1_000_000,
            rate: 20_000,
            size: 500,
            agents: 200,
            clients: 16,
            seconds: 30,
            sigma: false,
            rules: Vec::new(),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().unwrap().replace('_', "").parse::<u64>().unwrap();
            match word.as_str() {
                "--bench" => {}
                "--events" => wanted.events = number(),
                "--rate" => wanted.rate = number(),
                "--size" => wanted.size = number(),
                "--agents" => wanted.agents = number(),
                "--clients" => wanted.clients = number() as usize,
                "--seconds" => wanted.seconds = number(),
                "--sigma" => wanted.sigma = true,
                "--rules" => wanted.rules.push(words.next().unwrap().into()),
                _ => wanted.mode = word,
            }
        }
        wanted
    }

    /// The shipped rules, with what the command line adds.
    pub(crate) fn ruleset(&self) -> Ruleset {
        let shipped = watchpost_rules::shipped::shipped();
        let origin = Origin { shipped, paths: self.rules.clone(), ..Origin::default() };
        Ruleset::open(origin, watchpost_collector::clock::now())
    }

    /// Paths of rules beside the shipped ones.
    pub(crate) fn rule_paths(&self) -> Vec<PathBuf> {
        self.rules.clone()
    }
}

/// Unpacks SigmaHQ's rules for Linux, where the test data lies.
fn sigma(into: &Path) -> Option<PathBuf> {
    let data = std::env::var_os("WATCHPOST_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let archive = data.join("sigma/sigmahq-rules.tar.zst");
    if !archive.is_file() {
        println!("SKIPPED: no rules at {}; set WATCHPOST_TEST_DATA", archive.display());
        return None;
    }
    let mut unpack = Command::new("zstd").arg("-dcq").arg(&archive).stdout(Stdio::piped()).spawn().unwrap();
    let bytes = unpack.stdout.take().unwrap();
    let tar = Command::new("tar").arg("-x").arg("-C").arg(into).stdin(bytes).status().unwrap();
    assert!(tar.success() && unpack.wait().unwrap().success());
    let linux = |root: &Path| root.join("rules/linux");
    let found = std::fs::read_dir(into).unwrap().flatten().map(|entry| linux(&entry.path()));
    found.chain([linux(into), into.join("linux")]).find(|path| path.is_dir())
}

fn main() {
    let mut wanted = Wanted::read();
    let directory = tempfile::tempdir().unwrap();
    if wanted.sigma {
        let unpacked = directory.path().join("sigma");
        std::fs::create_dir(&unpacked).unwrap();
        wanted.rules.extend(sigma(&unpacked));
    }
    match wanted.mode.as_str() {
        "" | "direct" => modes::direct(&wanted, directory.path()),
        "network" => modes::network(&wanted, directory.path()),
        "pace" => modes::pace(&wanted, directory.path()),
        "backlog" => modes::backlog(&wanted, directory.path()),
        "start" => modes::start(&wanted, directory.path()),
        other => println!("no mode {other:?}: direct, network, pace, backlog, start"),
    }
}
