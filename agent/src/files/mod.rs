//! Whether files that decide who may do what are still as they were.
//!
//! inotify says *that* something moved; a sweep says *what*. The sweep compares all watched files
//! with the baseline, so a notice that was missed costs time and never truth, and ten thousand
//! notices cost one sweep. The baseline lives in the state folder: what changes while the agent
//! does not run is told when it starts again. The very first look is the baseline and tells
//! nothing. Files are read within bounds, links are never followed.

mod baseline;
mod look;
mod notice;
mod survey;
mod tell;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::process::Users;
use crate::queue::{Closed, Inlet};
use crate::stop::Stop;
use crate::tail::Running;
use baseline::{Baseline, compare};
use notice::Notices;
use survey::Survey;

/// What is watched.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Files and folders; `*` may stand in any part.
    pub paths: Vec<PathBuf>,
    /// Span between two sweeps where no notice came.
    pub sweep: Duration,
    /// Where the baseline is kept.
    pub baseline: PathBuf,
}

/// Files whose change gives someone rights, or starts something.
pub const USUAL: [&str; 16] = [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/crontab",
    "/etc/cron.d",
    "/var/spool/cron",
    "/etc/ld.so.preload",
    "/etc/ssh/sshd_config",
    "/root/.ssh",
    "/home/*/.ssh/authorized_keys",
    "/etc/systemd/system",
    "/etc/rc.local",
    "/etc/profile",
    "/etc/profile.d",
];

/// How long a notice waits for others before the sweep.
const SETTLE: Duration = Duration::from_millis(200);
/// Least span between two sweeps, however many notices come.
const LEAST: Duration = Duration::from_secs(1);

/// Starts watching. Notices are asked for before this returns, so that no change falls between.
#[must_use]
pub fn start(settings: &Settings, inlet: Inlet, stop: Stop) -> Running {
    let mut blind = Vec::new();
    let notices = Notices::open().map_err(|error| {
        let span = settings.sweep.as_secs();
        blind.push(format!(
            "file changes are seen only every {span} s: the kernel gives no notices ({error})"
        ));
    });
    let mut watcher = Watcher {
        settings: settings.clone(),
        notices: notices.ok(),
        known: Baseline::read(&settings.baseline),
        unsaved: false,
        users: Users::new("/etc/passwd".as_ref()),
        inlet,
        stop,
    };
    let survey = watcher.survey();
    blind.extend(survey.blind());
    let spawned = thread::Builder::new().name("files".to_owned()).spawn(move || watcher.run());
    match spawned {
        Ok(handle) => Running { threads: vec![handle], sources: vec!["files".to_owned()], blind },
        Err(error) => {
            blind.push(format!("file changes are not seen: the thread could not be started ({error})"));
            Running { threads: Vec::new(), sources: Vec::new(), blind }
        }
    }
}

struct Watcher {
    settings: Settings,
    notices: Option<Notices>,
    /// `None` until the first look of this host's life.
    known: Option<Baseline>,
    unsaved: bool,
    users: Users,
    inlet: Inlet,
    stop: Stop,
}

impl Watcher {
    fn run(mut self) {
        let mut due = clock::monotonic();
        while !self.stop.is_stopped() {
            if clock::monotonic() >= due {
                if self.sweep().is_err() {
                    return;
                }
                due = clock::monotonic() + self.settings.sweep;
            }
            self.wait(&mut due);
        }
        self.save();
    }

    /// Waits for a notice, for the time of the sweep, or for the wish to end.
    fn wait(&mut self, due: &mut Instant) {
        let Some(notices) = &mut self.notices else {
            self.stop.sleep(LEAST);
            return self.save();
        };
        if notices.wait() {
            *due = clock::monotonic();
            self.stop.sleep(SETTLE);
        } else {
            // A second has gone by: what was told has left the queue.
            self.save();
        }
    }

    /// Finds the files that there are now, and asks for notices of their folders.
    fn survey(&mut self) -> Survey {
        let survey = Survey::of(&self.settings.paths);
        if let Some(notices) = &mut self.notices {
            notices.ask(&survey);
        }
        survey
    }

    fn sweep(&mut self) -> Result<(), Closed> {
        let began = clock::monotonic();
        let survey = self.survey();
        let now = clock::now();
        let found = Baseline::look(&survey.files, self.known.as_ref());
        if let Some(known) = &self.known {
            let changes = compare(known, &found);
            self.unsaved |= !changes.is_empty();
            for event in tell::events(&changes, &self.settings.paths, &mut self.users, now) {
                self.inlet.put(event, None, &self.stop)?;
            }
        } else {
            self.unsaved = true;
        }
        self.known = Some(found);
        let spent = clock::monotonic().saturating_duration_since(began);
        self.stop.sleep(LEAST.saturating_sub(spent).min(LEAST - SETTLE));
        Ok(())
    }

    /// Saves the baseline once what differs from it has been told. A crash before tells it again.
    fn save(&mut self) {
        let Some(known) = self.known.as_ref().filter(|_| self.unsaved) else { return };
        self.unsaved = false;
        if let Err(error) = known.write(&self.settings.baseline) {
            tracing::warn!(%error, path = %self.settings.baseline.display(), "could not save the files' baseline");
        }
    }
}

#[cfg(test)]
mod tests;
