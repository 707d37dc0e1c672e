//! Ingest over real TLS, and its writer against a failing disk.

use std::sync::Arc;

use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use watchpost_model::event::{Event, Kind};
use watchpost_model::query::{Receipt, Role};
use watchpost_model::wire::{self, Batch};
use watchpost_model::{Timestamp, field, limits};

use super::*;
use crate::journal::{self, Storage};
use crate::serve::tests::{House, problem_of};
use crate::state::{Backend, Memory};

fn batch(sequence: u64, first_event: u64, events: usize) -> Vec<u8> {
    let mut event = Event::new(Kind::Log, Timestamp::from_millis(1_790_000_000_000));
    event.record.set(field::EVENT_ORIGINAL, "a line");
    let events = vec![event; events];
    wire::pack(&Batch { epoch: 5, sequence, first_event, host: "h".into(), events, ..Batch::default() })
        .unwrap()
}

fn post(client: &Client, house: &House, body: Vec<u8>) -> Response {
    client.post(house.url("/v1/batches")).body(body).send().unwrap()
}

fn receipt(response: Response) -> Receipt {
    assert_eq!(response.status(), StatusCode::OK);
    response.json().unwrap()
}

#[test]
fn a_batch_is_durable_when_acknowledged_and_known_when_repeated() {
    let house = House::open();
    let (enrolled, pass) = house.agent();
    let client = house.client(Some(&pass));
    let bytes = batch(1, 1, 3);
    let first = receipt(post(&client, &house, bytes.clone()));
    assert_eq!((first.sequence, first.repeated), (1, false));
    let frame = house.handle.journal.read(1).unwrap().unwrap();
    assert_eq!((frame.agent, frame.epoch, frame.events), (enrolled.agent, 5, 3));
    assert_eq!(frame.payload, bytes);
    assert!(receipt(post(&client, &house, bytes.clone())).repeated);
    let house = house.reopen();
    let client = house.client(Some(&pass));
    assert!(receipt(post(&client, &house, bytes)).repeated, "the mark comes from the journal");
    assert!(!receipt(post(&client, &house, batch(2, 4, 1))).repeated);
    assert_eq!(house.handle.journal.last(), 2);
    house.handle.stop();
}

#[test]
fn a_gap_is_taken_and_counted() {
    let house = House::open_with(crate::config::StateSettings { backend: Backend::Sled });
    let (enrolled, pass) = house.agent();
    let client = house.client(Some(&pass));
    receipt(post(&client, &house, batch(1, 1, 2)));
    receipt(post(&client, &house, batch(4, 100, 2)));
    let entry = |house: &House| house.handle.ingest.counts().of(enrolled.agent);
    assert_eq!((entry(&house).passed, entry(&house).lost), (4, 97));
    let house = house.reopen();
    assert_eq!((entry(&house).passed, entry(&house).lost), (4, 97), "counts outlive the process");
    house.handle.stop();
}

#[test]
fn hostile_bodies_are_refused_with_words() {
    let house = House::open();
    let (_, pass) = house.agent();
    let client = house.client(Some(&pass));
    let check = |body: Vec<u8>, status: StatusCode, words: &str| {
        let (found, said) = problem_of(post(&client, &house, body));
        assert_eq!(found, status, "{said}");
        assert!(said.contains(words), "{said:?} lacks {words:?}");
    };
    check(b"junk".to_vec(), StatusCode::BAD_REQUEST, "zstd");
    check(Vec::new(), StatusCode::BAD_REQUEST, "batch");
    check(vec![0; limits::BATCH_BYTES + 1], StatusCode::PAYLOAD_TOO_LARGE, "smaller");
    check(batch(0, 1, 1), StatusCode::UNPROCESSABLE_ENTITY, "from 1");
    check(batch(1, u64::MAX, 1), StatusCode::UNPROCESSABLE_ENTITY, "from 1");
    // A zstd frame of one run-length block after the other: 2 kB that unpack to over 64 MB.
    check(bomb(), StatusCode::PAYLOAD_TOO_LARGE, "unpacks");
    assert_eq!(house.handle.journal.last(), 0);
    receipt(post(&client, &house, batch(1, 1, 1)));
    house.handle.stop();
}

/// 512 run-length blocks of 128 KiB each (RFC 8878 §3.1.1).
fn bomb() -> Vec<u8> {
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    for number in 0..512_u32 {
        let header = (128 * 1024) << 3 | 1 << 1 | u32::from(number == 511);
        bytes.extend_from_slice(&header.to_le_bytes()[..3]);
        bytes.push(0);
    }
    bytes
}

#[test]
fn a_body_without_end_is_cut_off_at_the_limit() {
    let house = House::open();
    let (_, pass) = house.agent();
    let endless = reqwest::blocking::Body::new(std::io::repeat(0));
    let answer = house.client(Some(&pass)).post(house.url("/v1/batches")).body(endless).send();
    // The answer may be lost when the server stops reading; that it ends is what matters.
    if let Ok(answer) = answer {
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    house.handle.stop();
}

#[test]
fn users_may_not_send_batches() {
    let house = House::open();
    let pass = house.user("root", Role::SystemAdministrator);
    let (status, said) = problem_of(post(&house.client(Some(&pass)), &house, batch(1, 1, 1)));
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(said.contains("agent"), "{said}");
    house.handle.stop();
}

#[test]
fn many_agents_at_once_lose_and_repeat_nothing() {
    const AGENTS: usize = 6;
    const BATCHES: u64 = 20;
    let house = House::open();
    let passes: Vec<_> = (0..AGENTS).map(|_| house.agent().1).collect();
    std::thread::scope(|scope| {
        for pass in &passes {
            let house = &house;
            scope.spawn(move || {
                let client = house.client(Some(pass));
                for sequence in 1..=BATCHES {
                    let bytes = batch(sequence, sequence, 1);
                    assert!(!receipt(post(&client, house, bytes.clone())).repeated);
                    assert!(receipt(post(&client, house, bytes)).repeated);
                }
            });
        }
    });
    let mut seen = std::collections::HashMap::<_, Vec<u64>>::new();
    for frame in house.handle.journal.iter_from(1) {
        let frame = frame.unwrap();
        seen.entry(frame.agent).or_default().push(frame.sequence);
    }
    assert_eq!(seen.len(), AGENTS);
    assert!(seen.values().all(|sequences| sequences.iter().copied().eq(1..=BATCHES)));
    house.handle.stop();
}

fn frame(sequence: u64) -> NewFrame {
    NewFrame {
        agent: watchpost_model::id::AgentId::from_bytes([3; 16]),
        epoch: 1,
        sequence,
        first_event: sequence,
        events: 1,
        received: Timestamp::EPOCH,
        payload: vec![1; 10],
    }
}

/// A disk that is gone answers nothing with yes, and a later repeat is taken as new.
#[tokio::test]
async fn nothing_is_acknowledged_while_the_journal_fails() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Breakable::new(directory.path());
    let (journal, recovery) =
        Journal::open_on(Arc::new(disk.clone()), &journal::Settings::default()).unwrap();
    let (ingest, writer) = Ingest::start(journal, &recovery, Arc::new(Memory::default())).unwrap();
    assert_eq!(ingest.append(frame(1)).await, Ok(Accepted { repeated: false }));
    disk.break_syncs(true);
    assert!(ingest.append(frame(2)).await.is_err());
    disk.break_syncs(false);
    let refused = ingest.append(frame(2)).await.unwrap_err();
    assert!(refused.0.contains("restart"), "{refused:?}");
    drop(ingest);
    drop(writer.join().unwrap());
    let (journal, recovery) = Journal::open_on(Arc::new(disk), &journal::Settings::default()).unwrap();
    let (ingest, _writer) = Ingest::start(journal, &recovery, Arc::new(Memory::default())).unwrap();
    // Its bytes may have reached the disk: then it is a repeat, else it is new; both are right.
    assert!(ingest.append(frame(2)).await.is_ok());
    assert_eq!(ingest.append(frame(2)).await, Ok(Accepted { repeated: true }));
}

/// A real directory whose syncs can be made to fail.
#[derive(Clone)]
struct Breakable(journal::Disk, Arc<std::sync::atomic::AtomicBool>);

struct BreakableFile(Arc<dyn journal::SegmentFile>, Arc<std::sync::atomic::AtomicBool>);

impl Breakable {
    fn new(directory: &std::path::Path) -> Self {
        Self(journal::Disk::new(directory.to_owned()).unwrap(), Arc::default())
    }

    fn break_syncs(&self, broken: bool) {
        self.1.store(broken, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Storage for Breakable {
    fn list(&self) -> std::io::Result<Vec<String>> {
        self.0.list()
    }
    fn create(&self, name: &str) -> std::io::Result<Arc<dyn journal::SegmentFile>> {
        Ok(Arc::new(BreakableFile(self.0.create(name)?, self.1.clone())))
    }
    fn open(&self, name: &str) -> std::io::Result<Arc<dyn journal::SegmentFile>> {
        Ok(Arc::new(BreakableFile(self.0.open(name)?, self.1.clone())))
    }
    fn remove(&self, name: &str) -> std::io::Result<()> {
        self.0.remove(name)
    }
    fn sync_directory(&self) -> std::io::Result<()> {
        self.0.sync_directory()
    }
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path(name)
    }
}

impl journal::SegmentFile for BreakableFile {
    fn size(&self) -> std::io::Result<u64> {
        self.0.size()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(offset, into)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn truncate(&self, size: u64) -> std::io::Result<()> {
        self.0.truncate(size)
    }
    fn sync(&self) -> std::io::Result<()> {
        if self.1.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(std::io::ErrorKind::Other.into());
        }
        self.0.sync()
    }
}
