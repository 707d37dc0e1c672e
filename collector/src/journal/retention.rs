//! Forgetting: whole segments, oldest first, never the one that grows.

use std::io;

use watchpost_model::Timestamp;

use super::index::{Segment, Shared};
use super::{Error, Settings, sidecar};

/// Deletes what `settings` no longer keep. Readers lose sight of a segment before its file goes.
pub(super) fn retain(shared: &Shared, settings: &Settings, now: Timestamp) -> Result<usize, Error> {
    let mut deleted = 0;
    while let Some(segment) = shared.with(|segments| outdated(segments, settings, now)) {
        shared.change(|segments| segments.retain(|kept| kept.first != segment.first));
        shared.forget_file(&segment.name);
        let io = |source| Error::Io { doing: "deleting", path: shared.storage.path(&segment.name), source };
        match shared.storage.remove(&segment.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => deleted += 1,
        }
        sidecar::remove(shared.storage.as_ref(), segment.first);
        shared.storage.sync_directory().map_err(io)?;
    }
    Ok(deleted)
}

/// The oldest segment, if it must go.
fn outdated(segments: &[Segment], settings: &Settings, now: Timestamp) -> Option<Segment> {
    let (oldest, rest) = segments.split_first()?;
    if rest.is_empty() {
        return None;
    }
    let bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let too_many = settings.max_bytes.is_some_and(|most| bytes > most);
    let too_old = now.since(oldest.newest) > settings.keep;
    (too_many || too_old).then(|| oldest.clone())
}
