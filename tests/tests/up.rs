//! `watchpost up` as its users run it: everything in one process, on this host; a drill; the
//! dashboard in a real terminal.
#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use watchpost_tests::patience::eventually;
use watchpost_tests::program::{self, Program};
use watchpost_tests::{is_root, skipped};

/// A free loopback address, as text.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn has(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// Runs the drill against the `up` whose data lie in `data`.
fn drill(data: &Path, lang: &str) -> Output {
    let mut command = Command::new(program::path("watchpost"));
    command.arg("drill").arg("--agent").arg(data.join("agent"));
    command.arg("--profile").arg(data.join("console.toml")).args(["--lang", lang]).output().unwrap()
}

fn wait_until_up(data: &Path) {
    // Written just before the agent starts; its status follows once everything runs.
    eventually("everything is up", || data.join("agent/status.json").exists().then_some(()));
}

#[test]
fn every_alert_of_a_drill_arrives_under_up() {
    if !is_root() {
        return skipped("drill", "needs root to see packets");
    }
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let log = home.path().join("log");
    let address = free_address();
    let mut up = Program::start(
        "watchpost",
        &["up", "--headless", "--lang", "en", "--data", &data.to_string_lossy(), "--listen", &address],
        &log,
    );
    wait_until_up(&data);
    let held = drill(&data, "en");
    let told = String::from_utf8(held.stdout).unwrap();
    assert_eq!(held.status.code(), Some(0), "{told}\n{}", up.printed());
    assert!(told.contains("4 of 4 drill alerts arrived"), "{told}");
    eventually("headless mode prints the alerts", || up.printed().contains("Reverse shell").then_some(()));
    assert!(up.terminate().unwrap().success(), "SIGTERM ends everything in order");
}

#[test]
fn an_ordinary_user_gets_the_sockets_rung_and_is_told_what_it_can_not_see() {
    if !is_root() || !has("setpriv") {
        return skipped("up as an ordinary user", "needs root and setpriv to become one");
    }
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    fs::create_dir(&data).unwrap();
    // The programs lie where this user may not look; a copy does not.
    let program = home.path().join("watchpost");
    fs::copy(program::path("watchpost"), &program).unwrap();
    for path in [home.path(), &data, &program] {
        chown(path, Some(65_534), Some(65_534)).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
    command.args(["up", "--headless", "--lang", "en", "--listen", &free_address(), "--data"]).arg(&data);
    let mut up = Program::spawn(command, &home.path().join("log"));
    wait_until_up(&data);
    eventually("the rung is stated", || up.printed().contains("rung=\"sockets\"").then_some(()));
    assert!(up.printed().contains("packets are not seen"), "{}", up.printed());
    assert!(up.terminate().unwrap().success());
}

/// A terminal of a size, with a program in it.
struct Terminal {
    server: String,
    _home: TempDir,
    data: PathBuf,
}

impl Terminal {
    /// The dashboard of `up`, on 80 by 24 cells.
    fn open(lang: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let server = format!("watchpost-{}-{lang}", std::process::id());
        let line = format!(
            "LANG=C.UTF-8 {} up --lang {lang} --listen {} --data {}",
            program::path("watchpost").display(),
            free_address(),
            data.display()
        );
        let terminal = Self { server, _home: home, data };
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", &line]);
        wait_until_up(&terminal.data);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-u", "-L", &self.server]).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows `text`.
    fn shows(&self, text: &str) -> String {
        eventually(text, || Some(self.screen()).filter(|screen| screen.contains(text)))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.press("q");
        self.tmux(&["kill-server"]);
    }
}

/// Cells that a line takes: two for each letter of Chinese, one for the rest.
fn cells(line: &str) -> usize {
    let wide = |letter: char| matches!(letter, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}');
    line.chars().map(|letter| if wide(letter) { 2 } else { 1 }).sum()
}

/// Every framed line is closed at the last cell: no column is broken.
#[track_caller]
fn is_unbroken(screen: &str) {
    for line in screen.lines() {
        assert!(cells(line) <= 80, "wider than the screen: {line:?}\n{screen}");
        if line.starts_with(['│', '┌', '└']) {
            assert_eq!(cells(line), 80, "a frame is not closed: {line:?}\n{screen}");
            assert!(line.ends_with(['│', '┐', '┘']), "a frame is not closed: {line:?}\n{screen}");
        }
    }
}

/// Every drill sweeps from this part of the loopback network.
const SWEEPER: &str = "127.66.";

fn walk_through(lang: &str, overview: &str) {
    let terminal = Terminal::open(lang);
    is_unbroken(&terminal.shows(overview));
    let held = drill(&terminal.data, lang);
    assert_eq!(held.status.code(), Some(0), "{}", String::from_utf8_lossy(&held.stdout));
    for key in ["2", "3", "4", "5", "1", "2"] {
        terminal.press(key);
        is_unbroken(&terminal.screen());
    }
    is_unbroken(&terminal.shows(SWEEPER));
    terminal.press("Enter");
    let detail = eventually("the alert opens down to the raw event", || {
        terminal.press("j");
        Some(terminal.screen()).filter(|screen| screen.contains("\"@timestamp\""))
    });
    is_unbroken(&detail);
}

#[test]
fn the_dashboard_shows_a_drill_at_80_by_24_in_both_languages() {
    if !is_root() || !has("tmux") {
        return skipped("dashboard in a terminal", "needs root and tmux");
    }
    walk_through("zh-CN", "未处置告警");
    walk_through("en", "Open alerts");
}
