//! The dashboard on a real terminal: threads, channel, screen.
//!
//! Three threads feed one bounded channel: keys, the live stream, and a worker that does what the
//! core asked for. The main thread alone owns state and screen. Keys wait for room in the channel,
//! the stream waits too (the collector then leaves messages out and says so), and a full queue of
//! requests is told to the analyst instead of growing.

mod guard;
mod keys;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use watchpost_model::Timestamp;

use crate::app::{Effect, Message, State, update};
use crate::client::{Heard, Source, follow};
use crate::clock;
use crate::theme::Theme;
use crate::view::{self, Look};
use crate::words::Lang;

pub use guard::{Error, on_signals};
pub use worker::write_report;

/// Messages that may wait for the main thread: a second of a busy stream.
const QUEUE: usize = 256;

/// Requests that may wait for the worker: more than an analyst types while one is answered.
const REQUESTS: usize = 16;

/// What a dashboard needs to run.
#[derive(Clone)]
pub struct Options {
    /// Where the answers come from.
    pub source: Arc<dyn Source>,
    /// The language.
    pub lang: Lang,
    /// The looks.
    pub theme: Theme,
    /// Where reports are written.
    pub reports: std::path::PathBuf,
}

/// Runs the dashboard until the analyst leaves or SIGTERM comes. Restores the terminal in any case.
/// Must not be called inside an async runtime.
///
/// # Errors
/// Standard output is no terminal, or it fails.
pub fn run_dashboard(options: Options) -> Result<(), Error> {
    let mut screen = guard::Screen::enter()?;
    let (say, hear) = bounded(QUEUE);
    let (ask, asked) = bounded(REQUESTS);
    let stop = Arc::new(AtomicBool::new(false));
    let asked_to_end = Arc::clone(&stop);
    let heard = guard::on_signals(move || asked_to_end.store(true, Ordering::Relaxed));
    if let Err(error) = heard {
        tracing::error!(%error, "signals are not heard");
    }
    keys::start(say.clone(), Arc::clone(&stop));
    start_listener(Arc::clone(&options.source), say.clone(), Arc::clone(&stop));
    worker::start(&options, asked, say);
    let look = Look::new(options.lang, options.theme);
    let outcome = run(&mut screen, look, &hear, &ask, &stop);
    // The listener may still wait for the collector; it ends with its next message or timeout.
    stop.store(true, Ordering::Relaxed);
    outcome
}

fn run(
    screen: &mut guard::Screen,
    look: Look,
    hear: &Receiver<Message>,
    ask: &Sender<Effect>,
    stop: &AtomicBool,
) -> Result<(), Error> {
    let mut state = State { size: screen.size()?, now: clock::now(), ..State::default() };
    loop {
        let most = screen.draw(|area, buf| view::draw(&state, look, area, buf))?;
        update(&mut state, Message::Drawn(most), clock::now());
        let first = next(hear, state.now);
        // One frame for whatever has gathered while the last was drawn: under load the screen
        // skips frames, never messages.
        for message in std::iter::once(first).chain(hear.try_iter().take(QUEUE)) {
            for effect in update(&mut state, message, clock::now()) {
                if effect == Effect::Quit {
                    return Ok(());
                }
                if ask.try_send(effect).is_err() {
                    let busy = Message::Answer(crate::app::Answer::Busy);
                    update(&mut state, busy, clock::now());
                }
            }
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

/// The next message; a tick when the clock on the screen goes wrong.
fn next(hear: &Receiver<Message>, now: Timestamp) -> Message {
    let into_second = u64::try_from(now.as_millis().rem_euclid(1_000)).unwrap_or(0);
    match hear.recv_timeout(Duration::from_millis(1_000 - into_second.min(999))) {
        Ok(message) => message,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Message::Tick,
    }
}

fn start_listener(source: Arc<dyn Source>, say: Sender<Message>, stop: Arc<AtomicBool>) {
    let body = move || {
        let tell = |heard| {
            let message = match heard {
                Heard::Link(link) => Message::Link(link),
                Heard::Live(live) => Message::Live(*live),
            };
            !stop.load(Ordering::Relaxed) && say.send(message).is_ok()
        };
        let wait = |span| {
            std::thread::sleep(span);
            !stop.load(Ordering::Relaxed)
        };
        follow(&*source, tell, wait, clock::now);
    };
    guard::spawn("stream", body);
}
