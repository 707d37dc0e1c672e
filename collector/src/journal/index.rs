//! Where each frame lies: in memory, one entry of four bytes per frame.
//!
//! The index is rebuilt when the journal opens and grows with each append. Only frames that are
//! durable stand in it, so no reader sees what a crash could take back.

use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use watchpost_model::Timestamp;

use super::Error;
use super::storage::{SegmentFile, Storage};

/// Offset of a frame whose bytes are not sound.
pub(super) const DAMAGED: u32 = u32::MAX;

/// Segment files kept open for reading: detection reads one in order, evidence a few at random.
const OPEN_FILES: usize = 8;

/// One segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Number of its first frame.
    pub(super) first: u64,
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) events: u64,
    /// When its newest frame arrived; the epoch where it has none.
    pub(super) newest: Timestamp,
    /// One per frame.
    pub(super) offsets: Vec<u32>,
}

impl Segment {
    /// Number of the frame after its last.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.offsets.len()).unwrap_or(u64::MAX))
    }
}

/// The name of the segment that begins with this frame; names sort like numbers.
pub(super) fn segment_name(first: u64) -> String {
    format!("{first:020}.wpj")
}

/// The first frame's number, if this is a segment's name.
pub(super) fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wpj")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// Where a frame lies.
pub(super) enum Place {
    /// Before the first or after the last.
    Absent,
    Damaged {
        segment: String,
    },
    At {
        segment: String,
        offset: u32,
    },
}

/// What writer and readers share.
pub(super) struct Shared {
    pub(super) storage: Arc<dyn Storage>,
    /// In order of `first`; never empty.
    pub(super) segments: RwLock<Vec<Segment>>,
    last: Mutex<u64>,
    grown: Condvar,
    files: Mutex<Vec<(String, Arc<dyn SegmentFile>)>>,
}

impl Shared {
    pub(super) fn new(storage: Arc<dyn Storage>, segments: Vec<Segment>) -> Self {
        let last = segments.last().map_or(0, |segment| segment.end().saturating_sub(1));
        Self {
            storage,
            segments: RwLock::new(segments),
            last: Mutex::new(last),
            grown: Condvar::new(),
            files: Mutex::default(),
        }
    }

    pub(super) fn with<T>(&self, ask: impl FnOnce(&[Segment]) -> T) -> T {
        ask(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Vec<Segment>) -> T) -> T {
        change(&mut self.segments.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn place(&self, number: u64) -> Place {
        self.with(|segments| {
            let after = segments.partition_point(|segment| segment.first <= number);
            let Some(segment) = after.checked_sub(1).and_then(|at| segments.get(at)) else {
                return Place::Absent;
            };
            let position = usize::try_from(number.saturating_sub(segment.first)).unwrap_or(usize::MAX);
            match segment.offsets.get(position) {
                None => Place::Absent,
                Some(&DAMAGED) => Place::Damaged { segment: segment.name.clone() },
                Some(&offset) => Place::At { segment: segment.name.clone(), offset },
            }
        })
    }

    pub(super) fn last(&self) -> u64 {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells waiting readers that frames up to `last` are durable.
    pub(super) fn grow(&self, last: u64) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        self.grown.notify_all();
    }

    pub(super) fn wait_beyond(&self, number: u64, span: Duration) -> u64 {
        let guard = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, _) = self
            .grown
            .wait_timeout_while(guard, span, |last| *last <= number)
            .unwrap_or_else(PoisonError::into_inner);
        *last
    }

    /// The segment's file, opened at most once in a while.
    pub(super) fn file(&self, name: &str) -> Result<Arc<dyn SegmentFile>, Error> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = files.iter().position(|(known, _)| known == name) {
            let found = files.remove(at);
            let file = Arc::clone(&found.1);
            files.push(found);
            return Ok(file);
        }
        let file = self.storage.open(name).map_err(|source| Error::Io {
            doing: "opening",
            path: self.storage.path(name),
            source,
        })?;
        if files.len() >= OPEN_FILES {
            files.remove(0);
        }
        files.push((name.to_owned(), Arc::clone(&file)));
        Ok(file)
    }

    pub(super) fn forget_file(&self, name: &str) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| known != name);
    }
}
