//! Files that only their owner may read, replaced whole or not at all.
//!
//! Keys, profiles and reports tell too much for other users of the host. Each is written beside
//! its place and then moved there, so a reader sees the old one or the new one, never half, and a
//! wider mode of an older file is not inherited.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Puts `text` into the file at `path`, mode 0600.
///
/// # Errors
/// The folder cannot be written, or the file cannot be moved to its place; an older file stays.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_os_string();
    name.push(".part");
    let draft = path.with_file_name(name);
    // A draft that an earlier run left behind may have any mode, or be a link.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_older_file_is_replaced_whole_and_its_wider_mode_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.pem");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(dir.path().join("console.pem.part"), "left behind").unwrap();
        write(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
