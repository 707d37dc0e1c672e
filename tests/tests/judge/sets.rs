//! Public and shipped rules, as they are and without their logsources.

use std::path::Path;
use std::process::{Command, Stdio};

use watchpost_rules::{RuleSet, Source, pack, shipped::shipped};

/// The same rules twice.
pub(crate) struct Sets {
    /// As they are.
    pub(crate) routed: RuleSet,
    /// Detections alone, each without its logsource: it meets every event, and says so aloud even
    /// where it stands only for a correlation to count.
    pub(crate) everywhere: RuleSet,
}

impl Sets {
    /// Reads them; `None` where they or `tar` are not there.
    pub(crate) fn open(data: &Path) -> Option<Self> {
        let mut sources = public(data)?;
        sources.extend(shipped());
        let routed = RuleSet::load(&sources);
        let everywhere = RuleSet::load(&sources.iter().flat_map(everywhere).collect::<Vec<_>>());
        assert!(everywhere.rules().len() > 3_000 && everywhere.rules().len() <= routed.rules().len());
        assert_eq!(everywhere.rejected().len(), routed.rejected().len(), "{:?}", everywhere.rejected());
        Some(Self { routed, everywhere })
    }

    /// Rules that look at events.
    pub(crate) fn detections(&self) -> u64 {
        u64::try_from(self.everywhere.rules().len()).unwrap()
    }

    pub(crate) fn counts(&self) -> String {
        let (rules, detections) = (self.routed.rules().len(), self.detections());
        format!("{rules} rules, {detections} of them detections; {} not loaded", self.routed.rejected().len())
    }
}

/// The public rules.
fn public(data: &Path) -> Option<Vec<Source>> {
    let archive = std::fs::File::open(data.join("sigma/sigmahq-rules.tar.zst")).ok()?;
    let folder = tempfile::tempdir().unwrap();
    let tar = Command::new("tar").arg("-x").arg("-C").arg(folder.path()).stdin(Stdio::piped()).spawn();
    let mut tar = tar.ok()?;
    zstd::stream::copy_decode(archive, tar.stdin.take().unwrap()).unwrap();
    assert!(tar.wait().unwrap().success());
    let (sources, rejected) = pack::read_paths(&[folder.path().to_path_buf()]);
    assert_eq!(rejected, []);
    Some(sources)
}

/// The detections of a file, each a file of its own, without their logsources.
fn everywhere(source: &Source) -> Vec<Source> {
    let text = format!("\n{}", source.text.replace('\r', ""));
    let documents = text.split("\n---").filter(|document| document.contains("\ndetection:"));
    let name = |nth: usize| format!("{}#{nth}", source.name);
    documents
        .enumerate()
        .map(|(nth, document)| Source { name: name(nth), text: unplaced(document) })
        .collect()
}

fn unplaced(document: &str) -> String {
    let mut inside = false;
    let mut outside = |line: &&str| {
        inside = line.starts_with("logsource:") || (inside && line.starts_with([' ', '\t', '#']));
        !inside
    };
    let lines: Vec<&str> = document.lines().filter(|line| outside(line)).collect();
    lines.join("\n") + "\nlogsource: {}\n"
}
