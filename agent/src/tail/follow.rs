//! One log path over all of its rotations.
//!
//! ```text
//! closed ──path exists──► reading ──end, other file at path──► draining ──► next of the backlog,
//!    ▲                       │  ▲                                           then the new file
//!    └── path gone at start  │  └──────────── back at 0 ◄── truncated (its copy first, if found)
//! ```
//! Promise: each line of a file that is renamed away or copied and truncated comes exactly once and
//! in order, also when reading goes on from an earlier checkpoint. What was written between our last
//! look and a truncation without copy can not be known, nor what passed through a file of which we
//! had not read a byte before it was copied and truncated. A writer that keeps the old file open after
//! rotation is listened to for [`LINGER_POLLS`]; those late lines carry no checkpoint.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
use super::fingerprint::Id;
use super::opened::{Opened, Placed};
use super::paths;
use crate::queue::Closed;

/// Polls for which a rotated file is still listened to.
const LINGER_POLLS: u32 = 50;
/// Polls that a rotated file gets to end its last line.
const LAST_LINE_POLLS: u32 = 5;
/// Lines of one path per poll, so that one busy log does not starve the others.
const LINES_PER_POLL: usize = 10_000;
/// Rotated files read back after a pause; more were kept than anyone rotates between two starts.
const MOST_BACKLOG: usize = 32;

/// Where to begin in a file that is there when reading begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum From {
    /// After what is there.
    #[default]
    End,
    /// At its start.
    Beginning,
}

/// A line on its way out.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) placed: &'a Placed,
    /// Where to resume once the line is durable; none for late lines.
    pub(super) checkpoint: Option<&'a Checkpoint>,
}

/// Takes lines; an error ends reading.
pub(super) type Sink<'a> = dyn FnMut(Entry<'_>) -> Result<(), Closed> + 'a;

/// A followed path.
#[derive(Debug)]
pub(super) struct Follow {
    path: PathBuf,
    current: Option<Opened>,
    /// Rotated files still to be read, oldest first.
    backlog: VecDeque<Opened>,
    late: Option<(Opened, u32)>,
    /// Files read to their end, so that none is read twice.
    done: VecDeque<Checkpoint>,
    waited: u32,
}

impl Follow {
    /// Follows `path`, of which nothing is known.
    pub(super) fn fresh(path: &Path, from: From) -> io::Result<Self> {
        let mut follow = Self::empty(path);
        match Opened::new(path) {
            Ok(opened) if from == From::End => follow.current = Some(opened.skip_to_end()?),
            Ok(opened) => follow.current = Some(opened),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(follow)
    }

    /// Goes on after `checkpoint`, wherever that file is now.
    pub(super) fn resume(path: &Path, checkpoint: &Checkpoint) -> io::Result<Self> {
        let mut follow = Self::empty(path);
        let here = Opened::new(path)
            .ok()
            .filter(|file| file.id() == checkpoint.id() && file.begins_like(checkpoint));
        if let Some(here) = here {
            follow.current = Some(here.resume(checkpoint.offset, checkpoint.line)?);
            return Ok(follow);
        }
        let known = paths::rotations(path);
        let found = find(&known, checkpoint);
        match found {
            Some((at, opened)) => {
                follow.backlog.push_back(opened);
                follow.add_newer(known.get(at + 1..).unwrap_or_default());
            }
            None => {
                tracing::warn!(path = %path.display(), "the file read before is gone; reading the new one from its start")
            }
        }
        Ok(follow)
    }

    fn empty(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            current: None,
            backlog: VecDeque::new(),
            late: None,
            done: VecDeque::new(),
            waited: 0,
        }
    }

    /// Where reading stands, if a file is open.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        self.current.as_ref().map(Opened::checkpoint)
    }

    /// Reads what is new; whether more is waiting.
    pub(super) fn poll(&mut self, sink: &mut Sink<'_>) -> Result<bool, Closed> {
        let mut room = LINES_PER_POLL;
        self.poll_late(sink)?;
        while room > 0 {
            let Some(mut file) = self.current.take().or_else(|| self.open_next()) else { return Ok(false) };
            if file.is_overwritten() {
                self.start_over(file, sink)?;
                continue;
            }
            drain(&mut file, &mut room, sink)?;
            if room == 0 || !self.is_over(&file) {
                self.current = Some(file);
                return Ok(room == 0);
            }
            // Whatever was written between reading to the end and seeing the new file.
            drain(&mut file, &mut room, sink)?;
            let hopeful = file.has_part() && self.waited < LAST_LINE_POLLS;
            if room == 0 || hopeful {
                self.waited += u32::from(hopeful);
                self.current = Some(file);
                return Ok(room == 0);
            }
            self.leave(file, sink)?;
        }
        Ok(true)
    }

    /// The next file to read: what was rotated away first, then the path itself.
    fn open_next(&mut self) -> Option<Opened> {
        self.waited = 0;
        self.backlog.pop_front().or_else(|| Opened::new(&self.path).ok())
    }

    /// Whether another file stands where this one stood.
    fn is_over(&self, file: &Opened) -> bool {
        !self.backlog.is_empty() || id_of(&self.path).is_some_and(|id| id != file.id())
    }

    /// Ends a file that was renamed away and finds what came after it.
    fn leave(&mut self, mut file: Opened, sink: &mut Sink<'_>) -> Result<(), Closed> {
        if let Some(placed) = file.finish() {
            let checkpoint = file.checkpoint();
            sink(Entry { placed: &placed, checkpoint: Some(&checkpoint) })?;
        }
        self.note_done(file.checkpoint());
        if self.backlog.is_empty() {
            let known = paths::rotations(&self.path);
            let at = known.iter().position(|path| id_of(path) == Some(file.id()));
            self.add_newer(at.and_then(|at| known.get(at + 1..)).unwrap_or_default());
        }
        self.late = Some((file, LINGER_POLLS));
        self.waited = 0;
        Ok(())
    }

    /// The content of the file was thrown away: its copy is read to the end first, if there is one.
    fn start_over(&mut self, mut file: Opened, sink: &mut Sink<'_>) -> Result<(), Closed> {
        let checkpoint = file.checkpoint();
        let known = paths::rotations(&self.path);
        match find(&known, &checkpoint) {
            Some((at, opened)) => {
                self.backlog.push_back(opened);
                self.add_newer(known.get(at + 1..).unwrap_or_default());
            }
            None => {
                if let Some(placed) = file.finish() {
                    sink(Entry { placed: &placed, checkpoint: None })?;
                }
            }
        }
        Ok(())
    }

    fn add_newer(&mut self, newer: &[PathBuf]) {
        let here = id_of(&self.path);
        for path in newer {
            let Ok(opened) = Opened::new(path) else { continue };
            // Inodes are used again, so a file is the one we have read only if it begins like it.
            let read = |done: &Checkpoint| done.id() == opened.id() && opened.begins_like(done);
            let known = Some(opened.id()) == here || self.done.iter().any(read);
            if !known && self.backlog.len() < MOST_BACKLOG {
                self.backlog.push_back(opened);
            }
        }
    }

    fn note_done(&mut self, checkpoint: Checkpoint) {
        if self.done.len() >= MOST_BACKLOG {
            self.done.pop_front();
        }
        self.done.push_back(checkpoint);
    }

    fn poll_late(&mut self, sink: &mut Sink<'_>) -> Result<(), Closed> {
        let Some((mut file, polls)) = self.late.take().filter(|(file, _)| !file.is_overwritten()) else {
            return Ok(());
        };
        while let Ok(Some(placed)) = file.next() {
            sink(Entry { placed: &placed, checkpoint: None })?;
        }
        if polls > 1 {
            self.late = Some((file, polls - 1));
        } else if let Some(placed) = file.finish() {
            sink(Entry { placed: &placed, checkpoint: None })?;
        }
        Ok(())
    }
}

fn id_of(path: &Path) -> Option<Id> {
    std::fs::metadata(path).ok().map(|metadata| Id::from(&metadata))
}

/// The rotated file that `checkpoint` was taken in, opened there: the same inode, else a copy.
fn find(known: &[PathBuf], checkpoint: &Checkpoint) -> Option<(usize, Opened)> {
    let candidates: Vec<(usize, Opened)> = known
        .iter()
        .enumerate()
        .filter_map(|(at, path)| Some((at, Opened::new(path).ok()?)))
        .filter(|(_, file)| file.begins_like(checkpoint))
        .collect();
    let same = candidates.iter().position(|(_, file)| file.id() == checkpoint.id());
    // Without a known beginning, a copy can not be told from any other file.
    let copy = || (checkpoint.head_len() > 0).then(|| candidates.len().checked_sub(1)).flatten();
    let chosen = same.or_else(copy)?;
    let (at, file) = candidates.into_iter().nth(chosen)?;
    Some((at, file.resume(checkpoint.offset, checkpoint.line).ok()?))
}

fn drain(file: &mut Opened, room: &mut usize, sink: &mut Sink<'_>) -> Result<(), Closed> {
    while *room > 0 {
        // A file that can not be read now (a network share) is tried again at the next poll.
        let Ok(Some(placed)) = file.next() else { return Ok(()) };
        *room -= 1;
        let checkpoint = file.checkpoint();
        sink(Entry { placed: &placed, checkpoint: Some(&checkpoint) })?;
    }
    Ok(())
}
