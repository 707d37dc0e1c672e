//! Appending: one writer, whole groups of frames, one sync per group.
//!
//! A write that fails is cut off again and may be tried again (a full disk heals). A *sync* that
//! fails poisons: the kernel may have dropped the pages, so nothing that follows could be
//! trusted; reads go on.

use std::path::PathBuf;
use std::sync::Arc;

use super::format::{self, MOST_PAYLOAD, SEGMENT_HEADER};
use super::index::{DAMAGED, Segment, Shared, segment_name};
use super::recovery::{self, Found, Recovery};
use super::sidecar::{self, Rows};
use super::storage::{Disk, SegmentFile, Storage};
use super::{Error, NewFrame, Reader, Settings, retention};
use watchpost_model::Timestamp;

/// Segments may not outgrow the four bytes of an offset, with room for the last group.
const MOST_SEGMENT: u64 = 1 << 30;

/// The journal, open for appending.
pub struct Journal {
    shared: Arc<Shared>,
    settings: Settings,
    active: Active,
    poison: Option<String>,
}

/// The segment that grows.
struct Active {
    name: String,
    file: Arc<dyn SegmentFile>,
    bytes: u64,
    next: u64,
    /// For its sidecar, once it is closed. Nothing where some of its frames are damaged.
    rows: Option<Rows>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("next", &self.active.next).field("poison", &self.poison).finish()
    }
}

impl Journal {
    /// Opens the journal in `directory`, making it on first use, and says what it found.
    ///
    /// # Errors
    /// The directory can not be read or written, or a segment has an unknown layout.
    pub fn open(directory: impl Into<PathBuf>, settings: &Settings) -> Result<(Self, Recovery), Error> {
        let path = directory.into();
        let disk = Disk::new(path.clone()).map_err(|source| Error::Io {
            doing: "making the directory",
            path,
            source,
        })?;
        Self::open_on(Arc::new(disk), settings)
    }

    /// Like [`Self::open`], on any storage.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(storage: Arc<dyn Storage>, settings: &Settings) -> Result<(Self, Recovery), Error> {
        let settings =
            Settings { segment_bytes: settings.segment_bytes.min(MOST_SEGMENT), ..settings.clone() };
        let Found { mut segments, rows, recovery } = recovery::recover(storage.as_ref())?;
        if segments.is_empty() {
            segments.push(begin_segment(storage.as_ref(), 1)?.0);
        }
        let (name, bytes, next) =
            segments.last().map(|last| (last.name.clone(), last.bytes, last.end())).unwrap_or_default();
        let shared = Arc::new(Shared::new(storage, segments));
        let file = shared.file(&name)?;
        let whole = !shared.with(|all| all.last().is_some_and(|last| last.offsets.contains(&DAMAGED)));
        let active = Active { name, file, bytes, next, rows: whole.then_some(rows) };
        Ok((Self { shared, settings, active, poison: None }, recovery))
    }

    /// Appends frames in order and makes them durable. Returns the number of the last; no frames
    /// change nothing. All become readable, or none.
    ///
    /// # Errors
    /// Nothing was appended. [`Error::Poisoned`] for good after a failed sync.
    pub fn append(&mut self, frames: &[NewFrame]) -> Result<u64, Error> {
        if let Some(reason) = &self.poison {
            return Err(Error::Poisoned { reason: reason.clone() });
        }
        if frames.is_empty() {
            return Ok(self.active.next.saturating_sub(1));
        }
        if self.active.bytes >= self.settings.segment_bytes {
            self.rotate()?;
        }
        let (bytes, offsets) = self.encode(frames)?;
        self.write(&bytes)?;
        if let Err(source) = self.active.file.sync() {
            let error = self.io("syncing", source);
            self.poison = Some(format!("syncing {} failed", self.active.name));
            return Err(error);
        }
        Ok(self.publish(frames, &bytes, &offsets))
    }

    fn encode(&self, frames: &[NewFrame]) -> Result<(Vec<u8>, Vec<u32>), Error> {
        let mut bytes = Vec::new();
        let mut offsets = Vec::with_capacity(frames.len());
        for (number, frame) in (self.active.next..).zip(frames) {
            let size = frame.payload.len();
            let payload = u32::try_from(size).ok().filter(|_| size <= MOST_PAYLOAD);
            let payload = payload.ok_or(Error::TooLarge { size, limit: MOST_PAYLOAD })?;
            let offset = self.active.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            offsets.push(u32::try_from(offset).map_err(|_| Error::TooLarge { size, limit: MOST_PAYLOAD })?);
            format::write_frame(&mut bytes, number, frame, payload);
        }
        Ok((bytes, offsets))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Err(source) = self.active.file.write_at(self.active.bytes, bytes) else { return Ok(()) };
        let error = self.io("writing", source);
        if self.active.file.truncate(self.active.bytes).is_err() {
            self.poison = Some(format!("writing {} failed and could not be undone", self.active.name));
        }
        Err(error)
    }

    /// Lets readers see what is durable now.
    fn publish(&mut self, frames: &[NewFrame], bytes: &[u8], offsets: &[u32]) -> u64 {
        if let Some(rows) = &mut self.active.rows {
            offsets.iter().zip(frames).for_each(|(offset, frame)| rows.push(*offset, &frame.told()));
        }
        self.active.bytes = self.active.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.shared.change(|segments| {
            if let Some(segment) = segments.last_mut() {
                segment.bytes = self.active.bytes;
                segment.offsets.extend_from_slice(offsets);
                for frame in frames {
                    segment.events = segment.events.saturating_add(u64::from(frame.events));
                    segment.newest = segment.newest.max(frame.received);
                }
                self.active.next = segment.end();
            }
        });
        let last = self.active.next.saturating_sub(1);
        self.shared.grow(last);
        last
    }

    fn rotate(&mut self) -> Result<(), Error> {
        let (segment, file) = begin_segment(self.shared.storage.as_ref(), self.active.next)?;
        if let Some(rows) = self.active.rows.take()
            && let Some((first, newest)) =
                self.shared.with(|segments| segments.last().map(|closed| (closed.first, closed.newest)))
        {
            sidecar::write(self.shared.storage.as_ref(), first, self.active.bytes, newest, &rows);
        }
        let (name, bytes, next) = (segment.name.clone(), segment.bytes, self.active.next);
        self.active = Active { name, file, bytes, next, rows: Some(Rows::default()) };
        self.shared.change(|segments| segments.push(segment));
        Ok(())
    }

    /// Deletes whole segments that the settings no longer keep. Returns how many.
    ///
    /// # Errors
    /// A segment could not be deleted; it is tried again next time.
    pub fn retain(&mut self, now: Timestamp) -> Result<usize, Error> {
        retention::retain(&self.shared, &self.settings, now)
    }

    /// A handle for reading.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader(Arc::clone(&self.shared))
    }

    /// Why nothing is written any more, if so.
    #[must_use]
    pub fn poison(&self) -> Option<&str> {
        self.poison.as_deref()
    }

    fn io(&self, doing: &'static str, source: std::io::Error) -> Error {
        Error::Io { doing, path: self.shared.storage.path(&self.active.name), source }
    }
}

/// Makes a segment whose first frame will have this number, durable before it is used.
fn begin_segment(storage: &dyn Storage, first: u64) -> Result<(Segment, Arc<dyn SegmentFile>), Error> {
    let name = segment_name(first);
    let io = |source| Error::Io { doing: "beginning", path: storage.path(&name), source };
    // What a failed beginning left behind holds no frame: its number was never given away.
    let left_behind = storage.list().map_err(io)?.contains(&name);
    let file = if left_behind { storage.open(&name) } else { storage.create(&name) }.map_err(io)?;
    file.truncate(0).map_err(io)?;
    file.write_at(0, &format::segment_header(first)).map_err(io)?;
    file.sync().map_err(io)?;
    storage.sync_directory().map_err(io)?;
    let segment = Segment {
        first,
        name: name.clone(),
        bytes: SEGMENT_HEADER as u64,
        events: 0,
        newest: Timestamp::EPOCH,
        offsets: Vec::new(),
    };
    Ok((segment, file))
}
