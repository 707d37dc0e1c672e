//! One direction of a TCP connection, put in order as far as inspection needs it.
//!
//! Holds at most [`MOST_BYTES`] in order and [`MOST_WAITING`] segments out of order. A gap that
//! does not close is skipped: inspection then goes on at the next segment, marked as a new start.

/// Bytes in order that a parser may leave unread. A ClientHello with post-quantum key shares
/// measures 2 kB; 16 kB is one full TLS record.
pub(super) const MOST_BYTES: usize = 16 * 1_024;

/// Segments ahead of their time that are kept. Reordering beyond that is a lossy capture.
const MOST_WAITING: usize = 8;

/// A direction's bytes.
#[derive(Debug, Default)]
pub(super) struct Stream {
    next: Option<u32>,
    data: Vec<u8>,
    waiting: Vec<(u32, Vec<u8>)>,
}

/// What a segment did to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// Bytes were appended in order.
    Appended,
    /// Bytes are missing before those now at the front; older unread ones were dropped.
    Jumped,
    /// Nothing new can be read.
    Nothing,
}

/// Whether sequence number `a` lies before `b`, around the wrap.
const fn before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) > u32::MAX / 2
}

impl Stream {
    /// Notes where the stream begins, from a SYN.
    pub(super) fn begin(&mut self, sequence: u32) {
        *self = Self { next: Some(sequence.wrapping_add(1)), ..Self::default() };
    }

    /// Takes a segment.
    pub(super) fn push(&mut self, sequence: u32, payload: &[u8]) -> Pushed {
        let next = *self.next.get_or_insert(sequence);
        if before(next, sequence) {
            return self.wait(sequence, payload);
        }
        let old = usize::try_from(next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
        match payload.get(old..) {
            Some(fresh) if !fresh.is_empty() => self.append(fresh),
            _ => return Pushed::Nothing,
        }
        self.catch_up();
        Pushed::Appended
    }

    /// Unread bytes.
    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Marks bytes as read.
    pub(super) fn consume(&mut self, count: usize) {
        self.data.drain(..count.min(self.data.len()));
    }

    fn append(&mut self, fresh: &[u8]) {
        let length = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        self.next = self.next.map(|next| next.wrapping_add(length));
        let room = MOST_BYTES.saturating_sub(self.data.len());
        self.data.extend_from_slice(fresh.get(..room.min(fresh.len())).unwrap_or_default());
    }

    /// Appends waiting segments whose turn has come.
    fn catch_up(&mut self) {
        while let Some(next) = self.next
            && let Some(at) = self.waiting.iter().position(|entry| !before(next, entry.0))
        {
            let (sequence, payload) = self.waiting.swap_remove(at);
            let old = usize::try_from(next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
            if let Some(fresh) = payload.get(old..) {
                self.append(fresh);
            }
        }
    }

    fn wait(&mut self, sequence: u32, payload: &[u8]) -> Pushed {
        if self.waiting.len() < MOST_WAITING {
            let kept = payload.get(..payload.len().min(MOST_BYTES)).unwrap_or_default();
            self.waiting.push((sequence, kept.to_vec()));
            return Pushed::Nothing;
        }
        // The gap will not close: go on with what we have.
        self.data.clear();
        self.waiting.clear();
        self.next = Some(sequence);
        self.append(payload);
        Pushed::Jumped
    }
}
