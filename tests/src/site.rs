//! A whole installation of the real programs in a temporary folder: collector, agent, console.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::lan::Lan;
use crate::patience::eventually;
use crate::program::{self, Program};

/// The collector's configuration, in the site's folder.
const CONFIGURATION: &str = "collector.toml";

/// Where the programs run.
#[derive(Debug)]
enum Place {
    /// All on the loopback address of this host.
    Here,
    /// On the hosts `collector` and `server` of a network of namespaces.
    There(Lan),
}

/// An installation. Its programs end with it.
#[derive(Debug)]
pub struct Site {
    home: TempDir,
    place: Place,
    port: u16,
    /// The running collector.
    pub collector: Program,
    /// The running agent, once enrolled and started.
    pub agent: Option<Program>,
}

impl Site {
    /// Starts a collector on the loopback address.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    pub fn here() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        Self::build(Place::Here, free.expect("a free port").port(), "")
    }

    /// The same, with a configuration of the collector (TOML).
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    pub fn configured(configuration: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        Self::build(Place::Here, free.expect("a free port").port(), configuration)
    }

    /// Starts a collector on the host `collector` of a network.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn there(lan: Lan) -> Self {
        Self::build(Place::There(lan), 7443, "")
    }

    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    fn build(place: Place, port: u16, configuration: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(home.path().join(CONFIGURATION), configuration).expect("it is written");
        let collector = start_collector(home.path(), &place, port);
        let site = Self { home, place, port, collector, agent: None };
        site.wait_for_collector();
        let identity = site.path("analyst.pem");
        let added = site.administer(&["users", "add", "analyst", "--out", &identity.to_string_lossy()]);
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        site
    }

    /// A path in the site's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The network, where there is one.
    #[must_use]
    pub fn lan(&self) -> Option<&Lan> {
        match &self.place {
            Place::Here => None,
            Place::There(lan) => Some(lan),
        }
    }

    /// `HOST:PORT` of the collector.
    #[must_use]
    pub fn address(&self) -> String {
        address(&self.place, self.port)
    }

    /// Starts the collector again, after a kill.
    pub fn restart_collector(&mut self) {
        self.collector = start_collector(self.home.path(), &self.place, self.port);
    }

    fn wait_for_collector(&self) {
        eventually("the collector listens", || {
            self.collector.printed().contains("collector listens").then_some(())
        });
    }

    /// Runs a command of the collector's administration.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    pub fn administer(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program::path("watchpost-collector"));
        command.arg("--data-dir").arg(self.path("collector")).args(arguments);
        command.output().expect("the collector's command line runs")
    }

    /// Enrols the agent, then starts it. `configuration` is TOML without `state_dir` and `collector`.
    ///
    /// # Panics
    /// When it can not enrol.
    pub fn start_agent(&mut self, configuration: &str) {
        self.enroll(configuration);
        self.restart_agent();
        self.wait_for_agent();
    }

    /// Writes the agent's configuration and enrols it with a token, without starting it: whoever has
    /// its state directory may then speak for it.
    ///
    /// # Panics
    /// When it can not enrol.
    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    pub fn enroll(&self, configuration: &str) {
        let state = self.path("agent");
        let text = format!(
            "state_dir = {:?}\ncollector = [{:?}]\n{configuration}",
            state.to_string_lossy(),
            self.address()
        );
        std::fs::write(self.path("agent.toml"), text).expect("the agent's configuration is written");
        let made = self.administer(&["token"]);
        let token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        let mut enroll = self.on_server("watchpost-agent", false);
        enroll.args(["enroll", "--config"]).arg(self.path("agent.toml")).args(["--token", &token]);
        let enrolled = enroll.output().expect("enrolment runs");
        assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    }

    /// Starts the agent again, after a kill.
    pub fn restart_agent(&mut self) {
        let mut command = self.on_server("watchpost-agent", true);
        command.args(["run", "--config"]).arg(self.path("agent.toml"));
        self.agent = Some(Program::spawn(command, &self.path("agent.log")));
    }

    fn wait_for_agent(&self) {
        let log = self.path("agent.log");
        eventually("the agent's sensors start", || {
            std::fs::read_to_string(&log).ok()?.contains("sensors started").then_some(())
        });
    }

    /// A program of ours on the agent's host; `alone` gives it a process table of its own, so that
    /// it does not see what other tests do.
    fn on_server(&self, name: &str, alone: bool) -> Command {
        match &self.place {
            Place::Here => Command::new(program::path(name)),
            Place::There(lan) if alone => {
                let mut command = lan.on("server", "unshare");
                command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(program::path(name));
                command
            }
            Place::There(lan) => lan.on("server", program::path(name)),
        }
    }

    /// A console command on the collector's host, with the analyst's identity.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    pub fn console(&self, arguments: &[&str]) -> Output {
        let watchpost = program::path("watchpost");
        let mut command = match &self.place {
            Place::Here => Command::new(watchpost),
            Place::There(lan) => lan.on("collector", watchpost),
        };
        command
            .args(arguments)
            .args(["--collector", &self.address()])
            .arg("--identity")
            .arg(self.path("analyst.pem"));
        command.output().expect("the console's command line runs")
    }

    /// The rows of a list command (`alerts`, `incidents`, `hosts`, `hunt …`).
    ///
    /// # Panics
    /// When the command fails or prints something else than JSON lines.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test fails by panic")]
    pub fn list(&self, arguments: &[&str]) -> Vec<Json> {
        let mut all = arguments.to_vec();
        all.extend(["--format", "json"]);
        let output = self.console(&all);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

fn address(place: &Place, port: u16) -> String {
    match place {
        Place::Here => format!("127.0.0.1:{port}"),
        Place::There(lan) => format!("{}:{port}", lan.address("collector")),
    }
}

fn start_collector(home: &Path, place: &Place, port: u16) -> Program {
    let name = program::path("watchpost-collector");
    let mut command = match place {
        Place::Here => Command::new(name),
        Place::There(lan) => lan.on("collector", name),
    };
    command.arg("--config").arg(home.join(CONFIGURATION));
    command.arg("--data-dir").arg(home.join("collector")).args(["--listen", &address(place, port), "run"]);
    Program::spawn(command, &home.join("collector.log"))
}
