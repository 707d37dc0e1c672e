//! One direction of a TCP connection, put in order as far as inspection needs it.
//!
//! Holds at most [`MOST_BYTES`] in order and as many out of order, in [`MOST_WAITING`] segments.
//! A gap that does not close is skipped: inspection then goes on at the next segment, marked as a
//! new start. Bytes that find no room are counted, so that a reader who skips them stays in step.

/// Bytes in order that a parser may leave unread. A ClientHello with post-quantum key shares
/// measures 2 kB; 16 kB is one full TLS record.
pub(super) const MOST_BYTES: usize = 16 * 1_024;

/// Segments ahead of their time that are kept. Reordering beyond that is a lossy capture.
const MOST_WAITING: usize = 8;

/// An empty buffer larger than this is given back.
const KEPT_EMPTY: usize = 2 * 1_024;

/// A direction's bytes.
#[derive(Debug, Default)]
pub(super) struct Stream {
    next: Option<u32>,
    data: Vec<u8>,
    waiting: Vec<(u32, Vec<u8>)>,
    overflown: usize,
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
        if self.data.is_empty() && self.data.capacity() > KEPT_EMPTY {
            self.data = Vec::new();
        }
    }

    /// Bytes that followed the unread ones and found no room; asking forgets them.
    pub(super) const fn take_overflow(&mut self) -> usize {
        std::mem::replace(&mut self.overflown, 0)
    }

    /// Memory in use.
    pub(super) fn held(&self) -> usize {
        self.data.capacity().saturating_add(self.held_waiting())
    }

    fn held_waiting(&self) -> usize {
        self.waiting.iter().map(|entry| entry.1.capacity()).fold(0, usize::saturating_add)
    }

    fn append(&mut self, fresh: &[u8]) {
        let length = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        self.next = self.next.map(|next| next.wrapping_add(length));
        let room = MOST_BYTES.saturating_sub(self.data.len()).min(fresh.len());
        let (kept, over) = fresh.split_at_checked(room).unwrap_or((fresh, &[]));
        // Behind a gap that overflow has torn, nothing in order can follow.
        if self.overflown == 0 {
            self.data.extend_from_slice(kept);
            self.overflown = over.len();
        } else {
            self.overflown = self.overflown.saturating_add(fresh.len());
        }
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
        let fits = self.held_waiting().saturating_add(payload.len()) <= MOST_BYTES;
        if self.waiting.len() < MOST_WAITING && fits {
            self.waiting.push((sequence, payload.to_vec()));
            return Pushed::Nothing;
        }
        // The gap will not close: go on with what we have.
        *self = Self { next: Some(sequence), ..Self::default() };
        self.append(payload);
        Pushed::Jumped
    }
}
