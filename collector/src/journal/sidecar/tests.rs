//! A sidecar changes how long opening takes, and nothing else.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::tests::{FaultyDisk, frame, open, payloads};
use super::super::{Journal, NewFrame, Recovery, Settings};
use super::*;

const ENDING: &str = ".wpx";

/// Several small segments of several agents.
fn filled(disk: &FaultyDisk, sizes: &[u8]) -> Journal {
    let (mut journal, _) = open(disk);
    for (sequence, size) in (1..).zip(sizes) {
        let mut one = frame(sequence, vec![7; usize::from(*size)]);
        one.agent = AgentId::from_bytes([u8::try_from(sequence % 3).unwrap(); 16]);
        one.epoch = sequence % 2;
        journal.append(&[one]).unwrap();
    }
    journal
}

fn sidecars(disk: &FaultyDisk) -> Vec<String> {
    disk.list().unwrap().into_iter().filter(|name| name.ends_with(ENDING)).collect()
}

/// What opening says of the disk: marks, counts, and every frame or its error.
fn told(disk: &FaultyDisk) -> (Recovery, u64, u64, Vec<Option<NewFrame>>) {
    let (journal, recovery) = open(disk);
    let reader = journal.reader();
    let frames = reader.iter_from(0).map(|found| {
        let found = found.ok()?;
        let super::super::Frame { agent, epoch, sequence, first_event, events, received, payload, .. } =
            found;
        Some(NewFrame { agent, epoch, sequence, first_event, events, received, payload })
    });
    let frames = frames.collect();
    (recovery, reader.events(), reader.bytes(), frames)
}

/// The same disk without sidecars.
fn bare(disk: &FaultyDisk) -> FaultyDisk {
    let bare = FaultyDisk::default();
    for name in disk.list().unwrap().iter().filter(|name| !name.ends_with(ENDING)) {
        bare.set(name, disk.bytes(name));
    }
    bare
}

proptest! {
    #[test]
    fn opening_says_the_same_with_sidecars_and_without(sizes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let disk = FaultyDisk::default();
        drop(filled(&disk, &sizes));
        let bare = bare(&disk);
        prop_assert_eq!(told(&disk), told(&bare));
        // Opening wrote what was missing, byte for byte what closing had written.
        prop_assert_eq!(sidecars(&bare), sidecars(&disk));
        for name in sidecars(&disk) {
            prop_assert_eq!(bare.bytes(&name), disk.bytes(&name));
        }
    }
}

#[test]
fn every_closed_segment_has_one_and_a_missing_one_is_written_anew() {
    let disk = FaultyDisk::default();
    let journal = filled(&disk, &[100; 30]);
    let segments = disk.list().unwrap().len() - sidecars(&disk).len();
    assert!(segments > 5 && sidecars(&disk).len() == segments - 1);
    drop(journal);
    let gone = sidecars(&disk)[1].clone();
    let before = disk.bytes(&gone);
    disk.remove(&gone).unwrap();
    drop(open(&disk));
    assert_eq!(disk.bytes(&gone), before);
}

#[test]
fn a_damaged_cut_or_foreign_sidecar_is_ignored_and_written_anew() {
    let disk = FaultyDisk::default();
    drop(filled(&disk, &[100; 12]));
    let names = sidecars(&disk);
    let (name, other) = (&names[0], &names[1]);
    let (sound, expected) = (disk.bytes(name), told(&bare(&disk)));
    let mut wrong: Vec<Vec<u8>> = (0..sound.len()).map(|cut| sound[..cut].to_vec()).collect();
    for at in 0..sound.len() {
        let mut flipped = sound.clone();
        flipped[at] ^= 0x10;
        wrong.push(flipped);
    }
    wrong.push([sound.clone(), vec![0; 9]].concat());
    wrong.push(disk.bytes(other));
    for bytes in wrong {
        disk.set(name, bytes);
        assert_eq!(told(&disk), expected);
        assert_eq!(disk.bytes(name), sound);
    }
}

#[test]
fn a_segment_that_shrank_is_walked() {
    let disk = FaultyDisk::default();
    drop(filled(&disk, &[100; 12]));
    let segment = disk.list().unwrap().into_iter().find(|name| name.ends_with(".wpj")).unwrap();
    let bytes = disk.bytes(&segment);
    disk.set(&segment, bytes[..bytes.len() - 50].to_vec());
    let (recovery, ..) = told(&disk);
    assert_eq!(recovery.damaged, 1, "the walk saw that a frame is cut");
    assert_eq!(recovery, told(&disk).0, "and so does every later one");
}

#[test]
fn sidecars_go_with_their_segments() {
    let disk = FaultyDisk::default();
    let mut journal = filled(&disk, &[100; 30]);
    let before = sidecars(&disk).len();
    let gone = journal.retain(Timestamp::from_parts(365 * 86_400, 0)).unwrap();
    assert!(gone == before && sidecars(&disk).is_empty(), "{gone} of {before}");
    drop(journal);
    disk.set(&name(1), vec![1, 2, 3]);
    drop(open(&disk));
    assert_eq!(sidecars(&disk), [""; 0], "a stray one is swept away");
}

#[test]
fn a_disk_that_is_full_costs_the_sidecar_only() {
    let disk = FaultyDisk::default();
    let settings = Settings { segment_bytes: 100, ..Settings::default() };
    let (mut journal, _) = Journal::open_on(Arc::new(disk.clone()), &settings).unwrap();
    journal.append(&[frame(1, vec![1; 90])]).unwrap();
    // Room for the header of the next segment and the frame, not for a sidecar.
    disk.with(|platter| platter.room = Some(20));
    let refused = journal.append(&[frame(2, vec![2; 90])]);
    disk.with(|platter| platter.room = None);
    if refused.is_err() {
        journal.append(&[frame(2, vec![2; 90])]).unwrap();
    }
    drop(journal);
    assert_eq!(payloads(&open(&disk).0.reader()).len(), 2);
}
