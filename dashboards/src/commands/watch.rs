//! `--headless`: every new alert as one line, for servers, tests and `up` without a screen.
//!
//! An alert is printed when it is first heard and again when its severity or outcome gets worse,
//! not on every repeat. After a broken connection the alerts raised meanwhile are read from the
//! list, so that none is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use watchpost_model::Timestamp;
use watchpost_model::alert::{Alert, Outcome, Severity};
use watchpost_model::id::AlertId;
use watchpost_model::query::{AlertQuery, Live, MOST_PAGE};

use super::{Desk, Error, Output};
use crate::app::Link;
use crate::clean;
use crate::client::{Heard, follow};
use crate::exit::Exit;
use crate::view::summary;

/// Alerts remembered as printed; the oldest are forgotten first.
const MOST_SEEN: usize = 10_000;

/// Prints alerts until `wait` says stop (it sleeps between attempts to connect) or `going` does.
///
/// # Errors
/// The output fails.
pub fn headless(
    desk: &mut Desk<'_>,
    wait: impl FnMut(Duration) -> bool,
    going: impl Fn() -> bool,
    now: impl Fn() -> Timestamp,
) -> Result<Exit, Error> {
    let source = desk.source;
    let mut watch = Watch { seen: BTreeMap::new(), failure: None, desk };
    follow(source, |heard| watch.hear(heard) && going(), wait, now);
    match watch.failure {
        Some(error) => Err(error),
        None => Ok(Exit::Fine),
    }
}

struct Watch<'a, 'b> {
    seen: BTreeMap<AlertId, (Severity, Outcome)>,
    failure: Option<Error>,
    desk: &'a mut Desk<'b>,
}

impl Watch<'_, '_> {
    /// Returns whether to go on.
    fn hear(&mut self, heard: Heard) -> bool {
        let done = match heard {
            Heard::Link(Link::Online) => self.came(),
            Heard::Link(Link::Offline { error, .. }) => {
                self.say(&(self.desk.lang.words().command.lost_link)(&error))
            }
            Heard::Link(Link::Connecting) => Ok(()),
            Heard::Live(live) => match *live {
                Live::Alert(alert) => self.print(&alert),
                Live::Missed(_) => self.catch_up(),
                _ => Ok(()),
            },
        };
        match done {
            Ok(()) => true,
            Err(error) => {
                self.failure = Some(error);
                false
            }
        }
    }

    fn came(&mut self) -> Result<(), Error> {
        let text = (self.desk.lang.words().command.watching)(&self.desk.source.address());
        self.say(&text)?;
        self.catch_up()
    }

    fn say(&mut self, text: &str) -> Result<(), Error> {
        writeln!(self.desk.err, "{}", clean::neutral(text))?;
        Ok(())
    }

    /// Prints what the stream did not say, oldest first. A refusal is told, not fatal: the stream
    /// goes on.
    fn catch_up(&mut self) -> Result<(), Error> {
        let query = AlertQuery { open: true, limit: Some(MOST_PAGE), ..AlertQuery::default() };
        match self.desk.source.alerts(&query) {
            Ok(page) => page.rows.iter().rev().try_for_each(|alert| self.print(alert)),
            Err(error) => self.say(&error.to_string()),
        }
    }

    fn print(&mut self, alert: &Alert) -> Result<(), Error> {
        let state = (alert.severity, alert.outcome);
        if self.seen.insert(alert.id, state) == Some(state) {
            return Ok(());
        }
        while self.seen.len() > MOST_SEEN {
            self.seen.pop_first();
        }
        if self.desk.output == Output::Json {
            writeln!(self.desk.out, "{}", serde_json::to_string(alert)?)?;
        } else {
            writeln!(self.desk.out, "{}", summary(alert, self.desk.lang.words(), self.desk.theme))?;
        }
        self.desk.out.flush()?;
        Ok(())
    }
}
