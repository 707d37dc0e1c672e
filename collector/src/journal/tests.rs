//! The journal against a model, a failing disk and damaged bytes.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use watchpost_model::Timestamp;
use watchpost_model::id::AgentId;

use super::format::{FRAME_HEADER, SEGMENT_HEADER};
use super::*;

fn agent(number: u8) -> AgentId {
    AgentId::from_bytes([number; 16])
}

pub(super) fn frame(sequence: u64, payload: Vec<u8>) -> NewFrame {
    NewFrame {
        agent: agent(1),
        epoch: 7,
        sequence,
        first_event: sequence * 10,
        events: 10,
        received: Timestamp::from_millis(i64::try_from(sequence).unwrap()),
        payload,
    }
}

fn small() -> Settings {
    Settings { segment_bytes: 400, ..Settings::default() }
}

/// A disk in memory that keeps synced and written bytes apart, and fails on demand.
#[derive(Clone, Default)]
pub(super) struct FaultyDisk(pub(super) Arc<Mutex<Platter>>);

#[derive(Default)]
pub(super) struct Platter {
    files: BTreeMap<String, Content>,
    /// Writes stop after this many more bytes.
    pub(super) room: Option<usize>,
    sync_fails: bool,
    truncate_fails: bool,
}

#[derive(Clone, Default)]
struct Content {
    written: Vec<u8>,
    synced: Vec<u8>,
}

struct FaultyFile {
    disk: FaultyDisk,
    name: String,
}

impl FaultyDisk {
    pub(super) fn with<T>(&self, ask: impl FnOnce(&mut Platter) -> T) -> T {
        ask(&mut self.0.lock().unwrap())
    }

    /// Power fails: of what was not synced, `kept` bytes per file survive.
    fn power_cut(&self, kept: usize) {
        self.with(|platter| {
            for content in platter.files.values_mut() {
                let upto = content.synced.len() + kept;
                if content.written.len() > upto {
                    content.written.truncate(upto);
                }
                content.synced.clone_from(&content.written);
            }
            platter.room = None;
            platter.sync_fails = false;
            platter.truncate_fails = false;
        });
    }

    fn last_name(&self) -> String {
        self.with(|platter| platter.files.keys().next_back().unwrap().clone())
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        self.with(|platter| platter.files[name].written.clone())
    }

    pub(super) fn set(&self, name: &str, bytes: Vec<u8>) {
        let content = Content { written: bytes.clone(), synced: bytes };
        self.with(|platter| platter.files.insert(name.to_owned(), content));
    }
}

impl Storage for FaultyDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.with(|platter| platter.files.keys().cloned().collect()))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        self.with(|platter| platter.files.insert(name.to_owned(), Content::default()));
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        if !self.with(|platter| platter.files.contains_key(name)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Arc::new(FaultyFile { disk: self.clone(), name: name.to_owned() }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.with(|platter| platter.files.remove(name)).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}

impl FaultyFile {
    fn content<T>(&self, ask: impl FnOnce(&mut Content) -> T) -> T {
        self.disk.with(|platter| ask(platter.files.get_mut(&self.name).unwrap()))
    }
}

impl SegmentFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.content(|content| content.written.len() as u64))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.content(|content| {
            let from = usize::try_from(offset).unwrap().min(content.written.len());
            let found = &content.written[from..];
            let read = found.len().min(into.len());
            into[..read].copy_from_slice(&found[..read]);
            Ok(read)
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let room = self.disk.with(|platter| platter.room);
        let fits = room.unwrap_or(usize::MAX).min(bytes.len());
        self.content(|content| {
            content.written.truncate(usize::try_from(offset).unwrap());
            content.written.extend_from_slice(&bytes[..fits]);
        });
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        if self.disk.with(|platter| platter.truncate_fails) {
            return Err(io::ErrorKind::Other.into());
        }
        self.content(|content| {
            content.written.truncate(usize::try_from(size).unwrap());
            content.synced.clone_from(&content.written);
        });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.with(|platter| platter.sync_fails) {
            return Err(io::ErrorKind::Other.into());
        }
        self.content(|content| content.synced.clone_from(&content.written));
        Ok(())
    }
}

pub(super) fn open(disk: &FaultyDisk) -> (Journal, Recovery) {
    Journal::open_on(Arc::new(disk.clone()), &small()).unwrap()
}

pub(super) fn payloads(reader: &Reader) -> Vec<Vec<u8>> {
    reader.iter_from(0).filter_map(Result::ok).map(|frame| frame.payload).collect()
}

#[test]
fn frames_come_back_after_reopening_on_a_real_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, recovery) = Journal::open(directory.path().join("journal"), &small()).unwrap();
    assert_eq!(recovery, Recovery::default());
    assert_eq!((journal.reader().first(), journal.reader().last()), (1, 0));
    for sequence in 1..=20 {
        assert_eq!(journal.append(&[frame(sequence, vec![1; 90])]).unwrap(), sequence);
    }
    drop(journal);
    let (journal, recovery) = Journal::open(directory.path().join("journal"), &small()).unwrap();
    let reader = journal.reader();
    assert_eq!((recovery.frames, recovery.cut_bytes, recovery.damaged), (20, 0, 0));
    assert_eq!(
        recovery.high_water[&(agent(1), 7)],
        Mark { sequence: 20, next_event: 210, events: 200, lost: 0 }
    );
    assert_eq!((reader.first(), reader.last(), reader.events()), (1, 20, 200));
    let third = reader.read(3).unwrap().unwrap();
    assert_eq!((third.sequence, third.first_event, third.payload.len()), (3, 30, 90));
    assert_eq!(reader.read(21).unwrap(), None);
    assert_eq!(reader.iter_from(18).count(), 3);
    let files = std::fs::read_dir(directory.path().join("journal")).unwrap().count();
    assert!(files > 5, "{files} segments");
}

#[test]
fn a_cut_at_any_byte_leaves_a_sound_prefix_that_goes_on() {
    let whole = FaultyDisk::default();
    let (mut journal, _) = Journal::open_on(Arc::new(whole.clone()), &Settings::default()).unwrap();
    for sequence in 1..=4 {
        journal.append(&[frame(sequence, vec![9; 30])]).unwrap();
    }
    let name = whole.last_name();
    let bytes = whole.bytes(&name);
    for cut in 0..bytes.len() {
        let disk = FaultyDisk::default();
        disk.set(&name, bytes[..cut].to_vec());
        let (mut journal, recovery) = open(&disk);
        let kept = cut.saturating_sub(SEGMENT_HEADER) / (FRAME_HEADER + 30);
        assert_eq!(recovery.frames, kept as u64, "cut at {cut}");
        assert_eq!(recovery.damaged, 0, "cut at {cut}");
        let next = journal.append(&[frame(9, b"after".to_vec())]).unwrap();
        assert_eq!(next, kept as u64 + 1);
        drop(journal);
        let reader = open(&disk).0.reader();
        assert_eq!(payloads(&reader).len(), kept + 1);
        assert_eq!(reader.read(next).unwrap().unwrap().payload, b"after");
    }
}

#[test]
fn a_flipped_byte_anywhere_hides_one_frame_at_most() {
    for settings in [Settings { segment_bytes: 1, ..small() }, Settings::default()] {
        let whole = FaultyDisk::default();
        let (mut journal, _) = Journal::open_on(Arc::new(whole.clone()), &settings).unwrap();
        for sequence in 1..=3 {
            journal.append(&[frame(sequence, vec![sequence as u8; 20])]).unwrap();
        }
        // A segment that only the last frame is in keeps the first ones from being the tail.
        let name = whole.list().unwrap()[0].clone();
        let bytes = whole.bytes(&name);
        let last_frame = bytes.len() - FRAME_HEADER - 20;
        for at in SEGMENT_HEADER..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x41;
            let disk = FaultyDisk(Arc::default());
            for other in whole.list().unwrap() {
                disk.set(&other, whole.bytes(&other));
            }
            disk.set(&name, damaged);
            let (journal, recovery) = open(&disk);
            let reader = journal.reader();
            assert_eq!(payloads(&reader).len(), 2, "flipped at {at}");
            let errors = reader.iter_from(0).filter(Result::is_err).count();
            let torn = at >= last_frame && settings.segment_bytes > 1;
            assert_eq!(errors, usize::from(!torn), "flipped at {at}: reported or cut");
            assert_eq!(recovery.cut_bytes > 0, torn, "flipped at {at}");
        }
    }
}

#[test]
fn a_failed_sync_poisons_and_reads_go_on() {
    let disk = FaultyDisk::default();
    let (mut journal, _) = open(&disk);
    journal.append(&[frame(1, b"one".to_vec())]).unwrap();
    disk.with(|platter| platter.sync_fails = true);
    assert!(matches!(journal.append(&[frame(2, b"two".to_vec())]), Err(Error::Io { .. })));
    disk.with(|platter| platter.sync_fails = false);
    assert!(matches!(journal.append(&[frame(3, b"three".to_vec())]), Err(Error::Poisoned { .. })));
    assert!(journal.poison().is_some());
    assert_eq!(payloads(&journal.reader()), [b"one"]);
    drop(journal);
    disk.power_cut(0);
    let (mut journal, _) = open(&disk);
    assert_eq!(journal.append(&[frame(4, b"four".to_vec())]).unwrap(), 2);
}

#[test]
fn a_full_disk_heals() {
    let disk = FaultyDisk::default();
    let (mut journal, _) = open(&disk);
    journal.append(&[frame(1, b"one".to_vec())]).unwrap();
    disk.with(|platter| platter.room = Some(50));
    assert!(matches!(journal.append(&[frame(2, vec![2; 60])]), Err(Error::Io { .. })));
    assert_eq!(journal.reader().last(), 1);
    disk.with(|platter| platter.room = None);
    assert_eq!(journal.append(&[frame(2, b"two".to_vec())]).unwrap(), 2);
    assert_eq!(payloads(&journal.reader()), [&b"one"[..], b"two"]);
}

#[test]
fn a_write_that_cannot_be_undone_poisons() {
    let disk = FaultyDisk::default();
    let (mut journal, _) = open(&disk);
    disk.with(|platter| (platter.room, platter.truncate_fails) = (Some(10), true));
    assert!(journal.append(&[frame(1, vec![1; 60])]).is_err());
    disk.with(|platter| (platter.room, platter.truncate_fails) = (None, false));
    assert!(matches!(journal.append(&[frame(1, vec![1; 60])]), Err(Error::Poisoned { .. })));
}

#[test]
fn retention_takes_whole_old_segments_and_numbers_go_on() {
    let disk = FaultyDisk::default();
    let settings = Settings { segment_bytes: 100, keep: Duration::from_secs(10), max_bytes: Some(1_000_000) };
    let (mut journal, _) = Journal::open_on(Arc::new(disk.clone()), &settings).unwrap();
    for sequence in [1, 2, 3, 20_000, 20_001] {
        journal.append(&[frame(sequence, vec![0; 90])]).unwrap();
    }
    assert_eq!(journal.retain(Timestamp::from_millis(9_000)).unwrap(), 0);
    assert_eq!(journal.retain(Timestamp::from_millis(21_000)).unwrap(), 3);
    let reader = journal.reader();
    assert_eq!((reader.first(), reader.last()), (4, 5));
    assert_eq!(reader.read(2).unwrap(), None);
    assert_eq!(reader.iter_from(1).count(), 2);
    // All but the growing segment may go.
    assert_eq!(journal.retain(Timestamp::from_millis(90_000)).unwrap(), 1);
    drop(journal);
    let (mut journal, _) = open(&disk);
    assert_eq!(journal.append(&[frame(6, vec![])]).unwrap(), 6);
}

#[test]
fn a_waiting_reader_wakes_when_a_frame_is_durable() {
    let (mut journal, _) = open(&FaultyDisk::default());
    let reader = journal.reader();
    assert_eq!(reader.wait_beyond(0, Duration::ZERO), 0);
    let waiter = std::thread::spawn(move || reader.wait_beyond(0, Duration::from_secs(60)));
    journal.append(&[frame(1, vec![])]).unwrap();
    assert_eq!(waiter.join().unwrap(), 1);
}

#[test]
fn a_segment_of_a_later_layout_is_refused() {
    let disk = FaultyDisk::default();
    drop(open(&disk));
    let name = disk.last_name();
    let mut bytes = disk.bytes(&name);
    bytes[4] = 9;
    let sum = crc32fast::hash(&bytes[..SEGMENT_HEADER - 4]).to_le_bytes();
    bytes[SEGMENT_HEADER - 4..].copy_from_slice(&sum);
    disk.set(&name, bytes);
    let refused = Journal::open_on(Arc::new(disk), &small()).unwrap_err();
    assert!(matches!(refused, Error::Layout { found: 9, .. }), "{refused}");
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    /// Power fails in the middle of an append of this many frames, keeping so many bytes.
    Crash(u8, usize),
    Reopen,
    Full(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => proptest::collection::vec(0..90_u8, 1..5).prop_map(Step::Append),
        2 => (1..4_u8, 0..400_usize).prop_map(|(frames, kept)| Step::Crash(frames, kept)),
        1 => Just(Step::Reopen),
        1 => (0..300_usize).prop_map(Step::Full),
    ];
    proptest::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// What was acknowledged is there, in order; what was not may be there, but only after it.
    #[test]
    fn nothing_acknowledged_is_lost(steps in steps()) {
        let disk = FaultyDisk::default();
        let (mut journal, _) = open(&disk);
        let mut model: Vec<Vec<u8>> = Vec::new();
        let mut sequence = 0;
        let mut next = |size: u8| { sequence += 1; frame(sequence, vec![sequence as u8; usize::from(size)]) };
        for step in steps {
            match step {
                Step::Append(sizes) => {
                    let frames: Vec<_> = sizes.into_iter().map(&mut next).collect();
                    journal.append(&frames).unwrap();
                    model.extend(frames.into_iter().map(|frame| frame.payload));
                }
                Step::Full(room) => {
                    disk.with(|platter| platter.room = Some(room));
                    let frames = [next(80), next(80), next(80)];
                    let done = journal.append(&frames).is_ok();
                    if done { model.extend(frames.into_iter().map(|frame| frame.payload)); }
                    disk.with(|platter| platter.room = None);
                }
                Step::Crash(count, kept) => {
                    disk.with(|platter| platter.sync_fails = true);
                    let frames: Vec<_> = (0..count).map(|_| next(60)).collect();
                    let _ = journal.append(&frames);
                    disk.power_cut(kept);
                    journal = open(&disk).0;
                    let found = payloads(&journal.reader());
                    let unasked: Vec<_> = frames.into_iter().map(|frame| frame.payload).collect();
                    let surplus = found.len() - model.len();
                    model.extend_from_slice(&unasked[..surplus]);
                }
                Step::Reopen => journal = open(&disk).0,
            }
            prop_assert_eq!(&payloads(&journal.reader()), &model);
            prop_assert_eq!(journal.reader().last(), model.len() as u64);
        }
    }

    #[test]
    fn no_bytes_make_opening_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let disk = FaultyDisk::default();
        disk.set("00000000000000000001.wpj", bytes);
        if let Ok((journal, _)) = Journal::open_on(Arc::new(disk), &small()) {
            let _ = payloads(&journal.reader());
        }
    }
}
