//! How one file is: what it is, whose, with which rights, and what is in it.
//!
//! Opening can not hang and can not be led elsewhere: no link is followed, no pipe is waited for,
//! and no more is read than [`MOST_BYTES`].

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of a file that are read for its hash; a larger one is told by size and time alone.
const MOST_BYTES: u64 = 16 << 20;
/// Type bits of a mode, as opposed to the rights.
const TYPE: u32 = 0o170_000;

/// One file at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Look {
    /// Type and rights, as the kernel has them.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    /// Hash of the content, of a link's target for a link; empty where it was not read.
    pub(super) sha256: String,
    /// Device, inode, and second and nanosecond of the last change of anything. While they stay, so
    /// does the content.
    stamp: (u64, u64, i64, i64),
}

impl Look {
    /// Looks at a file; `None` where there is none. The content is not read again while the stamp
    /// is that of `before`.
    pub(super) fn at(path: &Path, before: Option<&Self>) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        let stamp = (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec());
        if let Some(before) = before
            && before.stamp == stamp
        {
            return Some(before.clone());
        }
        let sha256 = if metadata.is_symlink() {
            fs::read_link(path).ok().map(|target| hex(target.as_os_str().as_encoded_bytes()))
        } else if metadata.is_file() {
            content(path)
        } else {
            None
        };
        Some(Self {
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            size: metadata.size(),
            sha256: sha256.unwrap_or_default(),
            stamp,
        })
    }

    /// The rights, in octal.
    pub(super) fn rights(&self) -> String {
        format!("{:04o}", self.mode & !TYPE)
    }

    /// What differs, in words; empty where only the stamp does.
    pub(super) fn differs(&self, other: &Self) -> Vec<&'static str> {
        let unread = self.sha256.is_empty() || other.sha256.is_empty();
        let rewritten = unread && (self.size, self.stamp) != (other.size, other.stamp);
        let owner = (self.uid, self.gid) != (other.uid, other.gid);
        let content =
            (self.sha256 != other.sha256 && !unread) || (rewritten && !owner && self.mode == other.mode);
        let kind = self.mode & TYPE != other.mode & TYPE;
        let rights = self.rights() != other.rights();
        let all = [("type", kind), ("content", content), ("owner", owner), ("mode", rights)];
        all.into_iter().filter(|(_, differs)| *differs).map(|(word, _)| word).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn open(path: &Path) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map(File::from)
}

fn content(path: &Path) -> Option<String> {
    let file = open(path).ok()?;
    // What was a file a moment ago may be a device now.
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    if metadata.len() > MOST_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(hex(&bytes))
}

/// Whether a file is there but may not be read.
pub(super) fn is_closed(path: &Path) -> bool {
    open(path).is_err_and(|error| error == rustix::io::Errno::ACCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn content_mode_and_type_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "abc").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let first = Look::at(&path, None).unwrap();
        assert_eq!(first.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(first.rights(), "0600");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
        let second = Look::at(&path, Some(&first)).unwrap();
        assert_eq!((first.differs(&second), second.rights().as_str()), (vec!["mode"], "4755"));
        fs::remove_file(&path).unwrap();
        symlink("/etc/shadow", &path).unwrap();
        let third = Look::at(&path, Some(&second)).unwrap();
        assert_eq!(second.differs(&third).first(), Some(&"type"));
        assert_eq!(third.sha256, hex(b"/etc/shadow"), "a link is not followed");
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert_eq!(Look::at(&path, None).unwrap().sha256, "");
        assert!(content(&path).is_none());
    }

    #[test]
    fn an_unread_file_counts_as_changed_by_its_stamp() {
        let before = Look { mode: 0o100_600, stamp: (1, 2, 3, 0), ..Look::default() };
        let after = Look { stamp: (1, 2, 4, 0), ..before.clone() };
        assert_eq!(before.differs(&after), ["content"]);
        let given = Look { uid: 5, ..after };
        assert_eq!(before.differs(&given), ["owner"]);
    }
}
