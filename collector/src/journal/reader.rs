//! Reading frames: any number of readers beside the one writer.
//!
//! A reader sees only durable frames. It holds no position of its own; who follows the journal
//! keeps the number of the last frame that it has dealt with.

use std::sync::Arc;
use std::time::Duration;

use super::format::{self, FRAME_HEADER};
use super::index::{Place, Shared};
use super::{Error, Frame};

/// A handle for reading. Clones are cheap and see the same journal.
#[derive(Clone)]
pub struct Reader(pub(super) Arc<Shared>);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("first", &self.first()).field("last", &self.last()).finish()
    }
}

impl Reader {
    /// The frame of this number; `None` where it is not there yet or no longer.
    ///
    /// # Errors
    /// [`Error::Damaged`] where the bytes are not what was written, [`Error::Io`] where the
    /// disk refuses.
    pub fn read(&self, number: u64) -> Result<Option<Frame>, Error> {
        match self.0.place(number) {
            Place::Absent => Ok(None),
            Place::Damaged { segment } => Err(self.damaged(number, &segment)),
            Place::At { segment, offset } => match self.read_at(number, &segment, u64::from(offset)) {
                // Retention may have taken the segment between looking and reading.
                Err(_) if matches!(self.0.place(number), Place::Absent) => Ok(None),
                result => result.map(Some),
            },
        }
    }

    fn read_at(&self, number: u64, segment: &str, offset: u64) -> Result<Frame, Error> {
        let file = self.0.file(segment)?;
        let io = |source| Error::Io { doing: "reading", path: self.0.storage.path(segment), source };
        let damaged = || self.damaged(number, segment);
        let mut head = [0; FRAME_HEADER];
        file.read_at(offset, &mut head).map_err(io)?;
        let header =
            format::read_frame_header(&head).filter(|header| header.number == number).ok_or_else(damaged)?;
        let mut payload = vec![0; usize::try_from(header.payload).unwrap_or_default()];
        file.read_at(offset.saturating_add(FRAME_HEADER as u64), &mut payload).map_err(io)?;
        header.with_payload(&head, payload).ok_or_else(damaged)
    }

    /// The error of a frame that could not be made sense of.
    pub(crate) fn damage(&self, number: u64) -> Error {
        let segment = match self.0.place(number) {
            Place::At { segment, .. } | Place::Damaged { segment } => segment,
            Place::Absent => String::new(),
        };
        self.damaged(number, &segment)
    }

    fn damaged(&self, number: u64, segment: &str) -> Error {
        Error::Damaged { number, path: self.0.storage.path(segment) }
    }

    /// Number of the newest durable frame; 0 where there is none yet.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.0.last()
    }

    /// Number of the oldest frame kept; [`Self::last`] + 1 where there is none.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.0.with(|segments| segments.first().map_or(1, |segment| segment.first))
    }

    /// Sleeps until there is a frame beyond `number`, at most for `span`. Returns
    /// [`Self::last`]. Blocks its thread.
    #[must_use]
    pub fn wait_beyond(&self, number: u64, span: Duration) -> u64 {
        self.0.wait_beyond(number, span)
    }

    /// All frames from `number` on (or from the first kept) up to the newest, damaged ones as
    /// errors. The iterator ends at the newest frame and may be asked again later.
    #[must_use]
    pub fn iter_from(&self, number: u64) -> Frames {
        Frames { reader: self.clone(), next: number.max(self.first()) }
    }

    /// Bytes of all segments on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.with(|segments| segments.iter().map(|segment| segment.bytes).sum())
    }

    /// Events in all frames kept.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.0.with(|segments| segments.iter().map(|segment| segment.events).sum())
    }
}

/// Frames in order of number. See [`Reader::iter_from`].
#[derive(Clone, Debug)]
pub struct Frames {
    reader: Reader,
    next: u64,
}

impl Iterator for Frames {
    type Item = Result<Frame, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next <= self.reader.last() {
            let number = self.next;
            self.next += 1;
            match self.reader.read(number) {
                Ok(Some(frame)) => return Some(Ok(frame)),
                // Retention overtook this reader.
                Ok(None) => self.next = self.next.max(self.reader.first()),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}
