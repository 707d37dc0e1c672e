//! The real programs as children that end with the test.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// Path of a program of ours, built by `cargo test --workspace`.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let folder = test.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let program = folder.join(name);
    assert!(program.exists(), "{} is not built; run `cargo test --workspace`", program.display());
    program
}

/// A running program of ours; killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `name` with `arguments`; stdout and stderr go to `log` (appended).
    ///
    /// # Panics
    /// When it can not be started.
    #[must_use]
    pub fn start<S: AsRef<OsStr>>(name: &str, arguments: &[S], log: &Path) -> Self {
        let mut command = Command::new(path(name));
        command.args(arguments);
        Self::spawn(command, log)
    }

    /// Starts any command the same way.
    ///
    /// # Panics
    /// When it can not be started.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    pub fn spawn(mut command: Command, log: &Path) -> Self {
        let out = File::options().create(true).append(true).open(log).expect("the log file opens");
        let err = out.try_clone().expect("the log file is shared");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("the program starts");
        Self { child, log: log.to_path_buf() }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// kill -9, and waits for the end.
    pub fn kill(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end (SIGTERM) and waits.
    pub fn terminate(&mut self) -> Option<ExitStatus> {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        self.child.wait().ok()
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
