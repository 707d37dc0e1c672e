//! The spool against a model that is a plain list, on a disk that forgets what was not synced.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::refused::Refused;
use super::{Append, Error, Recovery, Settings, Spool, Storage};

/// What the next operation does instead of working.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// A write stops after so many bytes: the disk is full.
    ShortWrite(usize),
    Sync,
}

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    durable: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Forgetful {
    files: BTreeMap<String, Content>,
    /// Removed, but the removal is not durable.
    ghosts: BTreeMap<String, Content>,
    fault: Option<Fault>,
}

#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Forgetful>>);

impl Memory {
    /// The machine goes down: of unsynced bytes only some stay, unsynced removals may come back.
    fn crash(&self, stay: usize, resurrect: bool) {
        let mut disk = self.0.lock().unwrap();
        disk.fault = None;
        if resurrect {
            let ghosts = std::mem::take(&mut disk.ghosts);
            disk.files.extend(ghosts);
        }
        disk.ghosts.clear();
        disk.files.retain(|_, file| file.durable.is_some() || stay > 0);
        for file in disk.files.values_mut() {
            let durable = file.durable.clone().unwrap_or_default();
            if file.now.starts_with(&durable) {
                let kept = durable.len() + stay.min(file.now.len() - durable.len());
                file.now.truncate(kept);
            } else {
                file.now = durable;
            }
            file.durable = Some(file.now.clone());
        }
    }

    fn fail(&self, fault: Fault) {
        self.0.lock().unwrap().fault = Some(fault);
    }

    fn change(&self, ends_with: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.0.lock().unwrap();
        let file = disk.files.iter_mut().find(|(name, _)| name.ends_with(ends_with)).unwrap().1;
        change(&mut file.now);
        file.durable = Some(file.now.clone());
    }

    fn segments(&self) -> Vec<String> {
        self.0.lock().unwrap().files.keys().filter(|name| name.ends_with(".seg")).cloned().collect()
    }

    fn open(&self, settings: Settings) -> (Spool, Recovery) {
        Spool::open_on(Box::new(self.clone()), Refused::none(), settings, 77).unwrap()
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Storage for Memory {
    fn list(&mut self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().files.keys().cloned().collect())
    }

    fn read(&mut self, name: &str, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let disk = self.0.lock().unwrap();
        let bytes = &disk.files.get(name).ok_or_else(missing)?.now;
        let from = (offset as usize).min(bytes.len());
        Ok(bytes[from..from.saturating_add(most).min(bytes.len())].to_vec())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let short = match disk.fault {
            Some(Fault::ShortWrite(count)) => Some(count.min(bytes.len() - 1)),
            _ => None,
        };
        if short.is_some() {
            disk.fault = None;
        }
        let file = &mut disk.files.entry(name.to_owned()).or_default().now;
        let part = &bytes[..short.unwrap_or(bytes.len())];
        let end = offset as usize + part.len();
        file.resize(file.len().max(end), 0);
        file[offset as usize..end].copy_from_slice(part);
        if short.is_some() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().files.get_mut(name).ok_or_else(missing)?.now.truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        if matches!(disk.fault, Some(Fault::Sync)) {
            disk.fault = None;
            return Err(io::Error::other("the disk is gone"));
        }
        let file = disk.files.get_mut(name).ok_or_else(missing)?;
        file.durable = Some(file.now.clone());
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().ghosts.clear();
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let content = Content { now: bytes.to_vec(), durable: Some(bytes.to_vec()) };
        self.0.lock().unwrap().files.insert(name.to_owned(), content);
        self.sync_names()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        if let Some(content) = disk.files.remove(name) {
            disk.ghosts.insert(name.to_owned(), content);
        }
        Ok(())
    }
}

const ROOMY: Settings = Settings { max_bytes: u64::MAX, segment_bytes: 700 };
const TIGHT: Settings = Settings { max_bytes: 3_000, segment_bytes: 700 };

/// A batch as the model remembers it.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    sequence: u64,
    first_event: u64,
    events: u32,
    payload: Vec<u8>,
}

fn append(spool: &mut Spool, events: u32, size: usize) -> (Kept, Result<(), Error>) {
    let (sequence, first_event) = spool.next();
    let payload: Vec<u8> =
        (0..size).map(|at| (at as u8).wrapping_mul(31).wrapping_add(sequence as u8)).collect();
    let positions = BTreeMap::from([("log".to_owned(), sequence.to_string())]);
    let done =
        spool.append(&Append { sequence, first_event, events, payload: &payload, positions: &positions });
    (Kept { sequence, first_event, events, payload }, done)
}

fn drain(spool: &mut Spool) -> Vec<(u64, Vec<u8>)> {
    let mut drained = Vec::new();
    while let Some(waiting) = spool.peek().unwrap() {
        spool.acknowledge(waiting.sequence);
        drained.push((waiting.sequence, waiting.payload));
    }
    drained
}

#[derive(Clone, Debug)]
enum Step {
    Append { events: u32, size: usize },
    Acknowledge,
    Refuse,
    FullDisk { at: usize, size: usize },
    Kill { stay: usize, resurrect: bool },
    KillInAppend { size: usize, stay: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..5_u32, 0..300_usize).prop_map(|(events, size)| Step::Append { events, size }),
        4 => Just(Step::Acknowledge),
        1 => Just(Step::Refuse),
        1 => (0..400_usize, 0..300_usize).prop_map(|(at, size)| Step::FullDisk { at, size }),
        1 => (0..400_usize, any::<bool>()).prop_map(|(stay, resurrect)| Step::Kill { stay, resurrect }),
        1 => (0..300_usize, 0..400_usize).prop_map(|(size, stay)| Step::KillInAppend { size, stay }),
    ]
}

/// A spool with the list it is compared to.
struct Rig {
    disk: Memory,
    settings: Settings,
    spool: Spool,
    kept: Vec<Kept>,
    done: u64,
}

impl Rig {
    fn new(settings: Settings) -> Self {
        let disk = Memory::default();
        let spool = disk.open(settings).0;
        Self { disk, settings, spool, kept: Vec::new(), done: 0 }
    }

    fn reopen(&mut self, unsure: Option<Kept>) {
        let (spool, recovery) = self.disk.open(self.settings);
        self.spool = spool;
        if let Some(unsure) = unsure
            && recovery.next_sequence > unsure.sequence
        {
            self.kept.push(unsure);
        }
        let last = self.kept.last();
        assert_eq!(recovery.next_sequence, last.map_or(1, |last| last.sequence + 1));
        assert_eq!(recovery.next_event, last.map_or(1, |last| last.first_event + u64::from(last.events)));
        let position = recovery.positions.get("log").cloned();
        assert_eq!(position, last.map(|last| last.sequence.to_string()));
        assert!(recovery.problems.is_empty(), "{:?}", recovery.problems);
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Append { events, size } => {
                let (kept, done) = append(&mut self.spool, events, size);
                done.unwrap();
                self.kept.push(kept);
            }
            Step::Acknowledge => {
                if let Some(waiting) = self.spool.peek().unwrap() {
                    self.compare(waiting.sequence, &waiting.payload);
                    self.spool.acknowledge(waiting.sequence);
                    self.done = self.done.max(waiting.sequence);
                }
            }
            Step::Refuse => {
                if let Some(waiting) = self.spool.peek().unwrap() {
                    self.spool.refuse(&waiting, "no");
                    self.done = self.done.max(waiting.sequence);
                }
            }
            Step::FullDisk { at, size } => {
                self.disk.fail(Fault::ShortWrite(at));
                assert!(append(&mut self.spool, 1, size).1.unwrap_err().is_full());
            }
            Step::Kill { stay, resurrect } => {
                self.disk.crash(stay, resurrect);
                self.reopen(None);
            }
            Step::KillInAppend { size, stay } => {
                self.disk.fail(Fault::Sync);
                let (unsure, done) = append(&mut self.spool, 1, size);
                assert!(done.is_err());
                self.disk.crash(stay, false);
                self.reopen(Some(unsure));
            }
        }
    }

    fn compare(&self, sequence: u64, payload: &[u8]) {
        let kept = self.kept.iter().find(|kept| kept.sequence == sequence);
        assert_eq!(kept.map(|kept| kept.payload.as_slice()), Some(payload), "batch {sequence} has changed");
    }

    /// Every event is in exactly one book.
    fn check_books(&self) {
        let stats = self.spool.stats();
        let books = stats.books;
        let settled = books.acknowledged + books.refused + books.evicted + books.damaged;
        assert_eq!(settled + stats.events, stats.appended, "{stats:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nothing_appended_is_lost_or_changed_across_kills_at_any_byte(steps in prop::collection::vec(step(), 1..60)) {
        let mut rig = Rig::new(ROOMY);
        for step in &steps {
            rig.apply(step);
            rig.check_books();
        }
        let drained = drain(&mut rig.spool);
        rig.check_books();
        prop_assert!(drained.windows(2).all(|pair| pair[0].0 < pair[1].0), "out of order or repeated");
        for (sequence, payload) in &drained {
            rig.compare(*sequence, payload);
        }
        let got: Vec<u64> = drained.iter().map(|batch| batch.0).filter(|sequence| *sequence > rig.done).collect();
        let wanted: Vec<u64> =
            rig.kept.iter().map(|kept| kept.sequence).filter(|sequence| *sequence > rig.done).collect();
        prop_assert_eq!(got, wanted);
        prop_assert_eq!(rig.spool.stats().books.damaged, 0);
    }

    #[test]
    fn a_full_spool_stays_bounded_and_counts_what_it_evicts(steps in prop::collection::vec(step(), 1..80)) {
        let mut rig = Rig::new(TIGHT);
        for step in &steps {
            rig.apply(step);
            rig.check_books();
            prop_assert!(rig.spool.stats().bytes <= TIGHT.max_bytes);
        }
        let evicted = rig.spool.stats().books.evicted;
        let drained: u64 = drain(&mut rig.spool).iter()
            .filter_map(|(sequence, _)| rig.kept.iter().find(|kept| kept.sequence == *sequence))
            .map(|kept| u64::from(kept.events)).sum();
        let all: u64 = rig.kept.iter().map(|kept| u64::from(kept.events)).sum();
        prop_assert!(drained + evicted <= all);
        rig.check_books();
    }
}

#[test]
fn a_failed_sync_poisons_until_the_next_start() {
    let disk = Memory::default();
    let mut spool = disk.open(ROOMY).0;
    append(&mut spool, 1, 10).1.unwrap();
    disk.fail(Fault::Sync);
    assert!(append(&mut spool, 1, 10).1.is_err());
    assert!(matches!(append(&mut spool, 1, 10).1, Err(Error::Poisoned { .. })));
    assert_eq!(drain(&mut spool).len(), 1, "what was durable can still be read");
    assert!(spool.stats().poisoned.is_some());
    assert!(append(&mut disk.open(ROOMY).0, 1, 10).1.is_ok());
}

#[test]
fn damage_in_the_middle_is_stepped_over_and_counted() {
    let disk = Memory::default();
    let mut spool = disk.open(ROOMY).0;
    for _ in 0..12 {
        append(&mut spool, 3, 100).1.unwrap();
    }
    assert!(disk.segments().len() > 2);
    // One byte of the first record's body: the record's header still tells its size.
    disk.change("0001.seg", |bytes| bytes[90] ^= 1);
    let (mut spool, recovery) = disk.open(ROOMY);
    assert_eq!(recovery.next_sequence, 13);
    let sequences: Vec<u64> = drain(&mut spool).iter().map(|batch| batch.0).collect();
    assert_eq!(sequences, (2..=12).collect::<Vec<u64>>());
    assert_eq!(spool.stats().books.damaged, 3);
    assert_eq!(spool.stats().books.acknowledged, 33);
}

#[test]
fn a_damaged_header_costs_the_rest_of_its_segment_only() {
    let disk = Memory::default();
    let mut spool = disk.open(ROOMY).0;
    for _ in 0..12 {
        append(&mut spool, 1, 100).1.unwrap();
    }
    disk.change("0001.seg", |bytes| bytes[44] ^= 1);
    let (mut spool, recovery) = disk.open(ROOMY);
    assert_eq!(recovery.problems.len(), 1);
    let drained = drain(&mut spool);
    let books = spool.stats().books;
    assert!(books.damaged > 0 && books.damaged < 12, "{books:?}");
    assert_eq!(drained.len() as u64 + books.damaged, 12);
}

#[test]
fn a_damaged_end_never_lets_a_sequence_name_two_batches() {
    let disk = Memory::default();
    let mut spool = disk.open(ROOMY).0;
    append(&mut spool, 1, 100).1.unwrap();
    append(&mut spool, 1, 100).1.unwrap();
    disk.change("0001.seg", |bytes| *bytes.last_mut().unwrap() ^= 1);
    let (spool, recovery) = disk.open(ROOMY);
    assert!(recovery.truncated_bytes > 0 && recovery.next_sequence > 2, "{recovery:?}");
    assert_eq!(spool.stats().events, 1);
}

#[test]
fn without_its_ledger_the_spool_keeps_epoch_and_batches() {
    let disk = Memory::default();
    let mut spool = disk.open(ROOMY).0;
    for _ in 0..3 {
        append(&mut spool, 2, 10).1.unwrap();
    }
    disk.change("ledger", |bytes| bytes.truncate(5));
    let (mut spool, recovery) = Spool::open_on(Box::new(disk), Refused::none(), ROOMY, 1_234).unwrap();
    assert_eq!((spool.epoch(), recovery.next_sequence, recovery.next_event), (77, 4, 7));
    assert_eq!(drain(&mut spool).len(), 3);
}

#[test]
fn a_batch_evicted_on_its_way_is_counted_once() {
    let disk = Memory::default();
    let mut spool = disk.open(TIGHT).0;
    append(&mut spool, 5, 300).1.unwrap();
    let waiting = spool.peek().unwrap().unwrap();
    while spool.stats().books.evicted == 0 {
        append(&mut spool, 1, 300).1.unwrap();
    }
    let before = spool.stats().books.evicted;
    spool.acknowledge(waiting.sequence);
    let books = spool.stats().books;
    assert_eq!((books.acknowledged, books.evicted), (5, before - 5));
}

#[test]
fn the_spool_works_on_a_real_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(folder.path(), Settings::default(), 9).unwrap().0;
    for _ in 0..5 {
        append(&mut spool, 1, 1_000).1.unwrap();
    }
    let first = spool.peek().unwrap().unwrap();
    spool.refuse(&first, "no");
    assert!(folder.path().join("refused").join(format!("{:020}.batch", 1)).exists());
    drop(spool);
    let (mut spool, recovery) = Spool::open(folder.path(), Settings::default(), 0).unwrap();
    assert_eq!((spool.epoch(), recovery.next_sequence), (9, 6));
    assert_eq!(drain(&mut spool).len(), 4);
}
