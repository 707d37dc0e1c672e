//! How a command ends, as a script sees it.
//!
//! 0 means that the command did what it was asked and found nothing to complain of. 1 means that it
//! worked and has findings, or that a check failed. 2 means that it was called wrongly: an unknown
//! flag, an id that is none, a query that cannot be read. 3 means that the world was not as it must
//! be: the collector out of reach, a certificate refused, a file unreadable, a folder not writable.
//! Listing alerts is not a check, so a list ends with 0 however long it is.

use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to complain of.
    Fine,
    /// Done, with findings or a failed check.
    Findings,
    /// Called wrongly.
    Usage,
    /// Broken input or environment.
    Broken,
}

impl Exit {
    /// The number handed to the shell.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Broken => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
