//! A real OpenSSH server on a host of a network, with an account that exists nowhere else, and the
//! system log that it writes to.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::lan::Lan;
use crate::program::Program;

/// The socket that programs write their system log to.
const DEV_LOG: &str = "/dev/log";

/// The account's name.
pub const USER: &str = "guest7";

/// The account's password.
pub const PASSWORD: &str = "right-horse-9";

/// SHA-512 crypt of [`PASSWORD`], made with `openssl passwd -6 -salt watchpost`.
const HASH: &str =
    "$6$watchpost$4AVRt/BlEWxqcTAiiic5OuR2x.XRDcYdoxL6XCWKVH8Y3WRDbgjtImUOEtTB7JN5YqGWP0oit0H2PBnHywgbC.";

/// Stands in for the system log daemon: what programs send to `/dev/log` goes to a file in the
/// traditional form.
#[derive(Debug)]
pub struct Syslog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Syslog {
    /// Takes `/dev/log` over, unless there is a real one.
    #[must_use]
    pub fn into(file: &Path) -> Option<Self> {
        if Path::new(DEV_LOG).exists() {
            return None;
        }
        let socket = UnixDatagram::bind(DEV_LOG).ok()?;
        std::fs::set_permissions(DEV_LOG, std::fs::Permissions::from_mode(0o666)).ok()?;
        socket.set_read_timeout(Some(Duration::from_millis(100))).ok()?;
        let mut file = std::fs::File::options().create(true).append(true).open(file).ok()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut message = [0; 8192];
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(length) = socket.recv(&mut message) {
                    let text = String::from_utf8_lossy(message.get(..length).unwrap_or_default());
                    // A message that does not fit the form is left out, as a daemon would.
                    let _ = file.write_all(traditional(&text).as_bytes());
                }
            }
        });
        Some(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(DEV_LOG);
    }
}

/// `<38>Nov 23 10:00:00 sshd[7]: text` to `Nov 23 10:00:00 server sshd[7]: text`.
fn traditional(message: &str) -> String {
    let rest = message.split_once('>').map_or(message, |(_, rest)| rest);
    match rest.split_at_checked(16) {
        Some((time, text)) => format!("{time}server {}\n", text.trim_end_matches(['\n', '\0'])),
        None => String::new(),
    }
}

/// The server.
#[derive(Debug)]
pub struct Sshd {
    _server: Program,
    client: PathBuf,
}

impl Sshd {
    /// Starts it on the host `server`. `None` where OpenSSH is not installed.
    ///
    /// # Panics
    /// When its files can not be made.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    pub fn start(lan: &Lan, folder: &Path) -> Option<Self> {
        if !Path::new("/usr/sbin/sshd").exists() || !Path::new("/usr/bin/ssh").exists() {
            return None;
        }
        std::fs::create_dir_all(folder).expect("a folder for the server");
        std::fs::create_dir_all("/run/sshd").expect("the folder for privilege separation");
        let file = |name: &str| folder.join(name);
        let key = file("key");
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.is_ok_and(|status| status.success()), "a host key is made");
        // The account is bound over the real files in the server's own mounts only.
        let real = |path: &str| std::fs::read_to_string(path).expect("the account files are readable");
        let passwd = format!("{}{USER}:x:61077:61077::/tmp:/bin/sh\n", real("/etc/passwd"));
        let shadow = format!("{}{USER}:{HASH}:19000:0:99999:7:::\n", real("/etc/shadow"));
        std::fs::write(file("passwd"), passwd).expect("the account is written");
        std::fs::write(file("shadow"), shadow).expect("the password is written");
        let options = format!(
            "Port 22\nHostKey {}\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nUsePAM no\n\
             PermitRootLogin no\nStrictModes no\nPidFile none\n",
            key.display()
        );
        std::fs::write(file("config"), options).expect("the server's configuration is written");
        let script = format!(
            "mount --bind {0}/passwd /etc/passwd && mount --bind {0}/shadow /etc/shadow && \
             exec /usr/sbin/sshd -D -f {0}/config",
            folder.display()
        );
        let mut command = lan.on("server", "sh");
        command.args(["-c", &script]);
        let server = Program::spawn(command, &file("sshd.out"));
        let client = file("answer");
        std::fs::write(&client, "#!/bin/sh\necho \"$WATCHPOST_TEST_PASSWORD\"\n")
            .expect("the answer is written");
        std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755))
            .expect("the answer can run");
        Some(Self { _server: server, client })
    }

    /// Tries to log in from the host `attacker`. Returns whether it was let in.
    #[must_use]
    pub fn log_in(&self, lan: &Lan, password: &str) -> bool {
        let mut command = lan.on("attacker", "ssh");
        command
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "NumberOfPasswordPrompts=1", "-o", "PreferredAuthentications=password"])
            .args(["-o", "PubkeyAuthentication=no", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10"])
            .arg(format!("{USER}@{}", lan.address("server")))
            .arg("true")
            .env("SSH_ASKPASS", &self.client)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("WATCHPOST_TEST_PASSWORD", password)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}
