//! Builders for tests that run the real programs: temporary homes, free ports, namespaces, and
//! patience instead of sleeps.
#![forbid(unsafe_code)]

pub mod lan;
pub mod patience;
pub mod program;
pub mod site;
pub mod sshd;
pub mod wire_client;

/// Says loudly, on stderr, that a test did not run, and why.
pub fn skipped(test: &str, why: &str) {
    let mut stderr = std::io::stderr().lock();
    // Nothing to be done if stderr is closed.
    let _ = std::io::Write::write_all(&mut stderr, format!("SKIPPED: {test}: {why}\n").as_bytes());
}

/// Where the external test data lies, if it is there.
#[must_use]
pub fn test_data() -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("WATCHPOST_TEST_DATA").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        std::path::PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

/// Whether this process is root, which packet capture and namespaces need.
#[must_use]
pub fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|text| text.lines().any(|line| line.starts_with("Uid:\t0\t")))
}
