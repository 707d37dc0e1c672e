//! One open log file: reads forward, hands out whole lines, and knows where it stands.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
use super::fingerprint::{self, HEAD_BYTES, Id};
use super::line::{LineBuffer, RawLine};

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// An open file.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    id: Id,
    path: PathBuf,
    /// What the file begins with, as far as it has been read.
    head: Vec<u8>,
    buffer: LineBuffer,
    chunk: Vec<u8>,
    /// Bytes of `chunk` already taken.
    taken: usize,
    /// Where the next line starts.
    offset: u64,
    line: u64,
    /// Whether the rest of a line that began before us is to be thrown away.
    mid_line: bool,
}

/// A line and where it stood.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) line: RawLine,
    /// Byte offset of its start.
    pub(super) start: u64,
}

impl Opened {
    /// Opens the file at `path`, to be read from its start.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        // Without this flag a named pipe would hold the thread until someone writes to it.
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self {
            id: Id::from(&metadata),
            file,
            path: path.to_owned(),
            head: Vec::new(),
            buffer: LineBuffer::default(),
            chunk: Vec::new(),
            taken: 0,
            offset: 0,
            line: 0,
            mid_line: false,
        })
    }

    /// Goes on from `offset`, the start of line number `line`.
    pub(super) fn resume(mut self, offset: u64, line: u64) -> io::Result<Self> {
        self.head = fingerprint::head(&self.file, usize::try_from(offset).unwrap_or(HEAD_BYTES))?;
        (self.offset, self.line) = (offset, line);
        Ok(self)
    }

    /// Skips what is there. A line that is being written just now is skipped whole.
    pub(super) fn skip_to_end(self) -> io::Result<Self> {
        let length = self.file.metadata()?.len();
        let mut last = [0];
        let whole = length == 0 || (self.file.read_at(&mut last, length - 1)? == 1 && last == *b"\n");
        let mut skipped = self.resume(length, 0)?;
        skipped.mid_line = !whole;
        Ok(skipped)
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    /// Whether `checkpoint` was taken in this file.
    pub(super) fn begins_like(&self, checkpoint: &Checkpoint) -> bool {
        fingerprint::head(&self.file, checkpoint.head_len()).is_ok_and(|head| checkpoint.begins_with(&head))
            && self.length().is_some_and(|length| length >= checkpoint.offset)
    }

    /// Bytes in the file now.
    pub(super) fn length(&self) -> Option<u64> {
        self.file.metadata().ok().map(|metadata| metadata.len())
    }

    /// Whether someone emptied or replaced the content under us.
    pub(super) fn is_overwritten(&self) -> bool {
        let shorter = self.length().is_some_and(|length| length < self.read_to());
        shorter || fingerprint::head(&self.file, self.head.len()).is_ok_and(|head| head != self.head)
    }

    /// Bytes waiting for their line end.
    pub(super) fn has_part(&self) -> bool {
        self.buffer.waiting() > 0
    }

    fn read_to(&self) -> u64 {
        let unread = self.chunk.len().saturating_sub(self.taken);
        self.offset + self.buffer.waiting() + unread as u64
    }

    /// Where reading would go on after the last line handed out.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        let known = usize::try_from(self.offset).unwrap_or(HEAD_BYTES).min(self.head.len());
        let head = self.head.get(..known).unwrap_or_default();
        Checkpoint::new(self.id, head, &self.path.to_string_lossy(), self.offset, self.line)
    }

    /// The next whole line; `None` at the end of what is there.
    pub(super) fn next(&mut self) -> io::Result<Option<Placed>> {
        loop {
            let mut rest = self.chunk.get(self.taken..).unwrap_or_default();
            if rest.is_empty() {
                if self.fill()? == 0 {
                    return Ok(None);
                }
                continue;
            }
            let before = rest.len();
            let line = self.buffer.feed(&mut rest);
            self.taken += before - rest.len();
            if let Some(placed) = line.and_then(|line| self.place(line)) {
                return Ok(Some(placed));
            }
        }
    }

    /// The last line, where the file ends without a line end.
    pub(super) fn finish(&mut self) -> Option<Placed> {
        let line = self.buffer.finish()?;
        self.place(line)
    }

    fn place(&mut self, line: RawLine) -> Option<Placed> {
        let start = self.offset;
        self.offset += line.length;
        self.line += 1;
        (!std::mem::take(&mut self.mid_line)).then_some(Placed { line, start })
    }

    fn fill(&mut self) -> io::Result<usize> {
        let at = self.read_to();
        self.chunk.resize(CHUNK, 0);
        self.taken = 0;
        let count = match self.file.read_at(&mut self.chunk, at) {
            Ok(count) => count,
            Err(error) => {
                self.chunk.clear();
                return if error.kind() == io::ErrorKind::Interrupted { Ok(0) } else { Err(error) };
            }
        };
        self.chunk.truncate(count);
        let missing = HEAD_BYTES.saturating_sub(self.head.len());
        if missing > 0 && at == self.head.len() as u64 {
            self.head.extend(self.chunk.iter().take(missing));
        }
        Ok(count)
    }
}
