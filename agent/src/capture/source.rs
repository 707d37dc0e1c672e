//! Where frames come from, live or from a file.

use watchpost_model::Timestamp;

use crate::decode::Frame;

/// A frame with the time at which it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// When.
    pub time: Timestamp,
    /// What.
    pub frame: Frame<'a>,
}

/// A source of frames.
pub trait PacketSource {
    /// What goes wrong with it.
    type Error: std::error::Error;

    /// The next frame. `Ok(None)`: there is none now (live: the read timed out; file: its end).
    ///
    /// # Errors
    /// The source can not go on.
    fn next_packet(&mut self) -> Result<Option<Captured<'_>>, Self::Error>;

    /// Frames that the kernel dropped since the source was opened, where it tells.
    fn dropped(&self) -> Option<u64> {
        None
    }
}
