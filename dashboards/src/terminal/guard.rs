//! The terminal's own state: entered once, restored whatever happens.
//!
//! Raw mode and the alternate screen are left on return, on a panic (before its message is
//! printed, so that it can be read) and on SIGTERM, SIGHUP and SIGINT, which ask the loop to end.

use std::io::IsTerminal;
use std::sync::Once;

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Rect;
use ratatui::prelude::{CrosstermBackend, Terminal};

/// Why the dashboard ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing to draw on.
    #[error(
        "standard output is not a terminal; use the commands (alerts, incidents, hosts, hunt) or --headless"
    )]
    NoTerminal,
    /// The terminal failed.
    #[error("the terminal failed: {0}")]
    Terminal(#[from] std::io::Error),
}

/// The screen while the dashboard runs. Dropping it restores the terminal.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<std::io::Stdout>>,
}

impl Screen {
    pub(super) fn enter() -> Result<Self, Error> {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            return Err(Error::NoTerminal);
        }
        restore_on_panic();
        enable_raw_mode()?;
        let entered = execute!(std::io::stdout(), EnterAlternateScreen, EnableBracketedPaste);
        let terminal = entered.and_then(|()| Terminal::new(CrosstermBackend::new(std::io::stdout())));
        match terminal {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                restore();
                Err(error.into())
            }
        }
    }

    pub(super) fn size(&self) -> Result<(u16, u16), Error> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Draws a frame; only cells that changed are written.
    pub(super) fn draw(&mut self, paint: impl FnOnce(Rect, &mut Buffer) -> usize) -> Result<usize, Error> {
        let mut most = 0;
        self.terminal.draw(|frame| {
            let area = frame.area();
            most = paint(area, frame.buffer_mut());
        })?;
        Ok(most)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Leaves raw mode and the alternate screen; errors have nowhere to go.
fn restore() {
    let _ = execute!(
        std::io::stdout(),
        DisableBracketedPaste,
        LeaveAlternateScreen,
        ratatui::crossterm::cursor::Show
    );
    let _ = disable_raw_mode();
}

fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // Only the drawing thread owns the screen; a worker's panic must not tear it down.
            if std::thread::current().name().is_none_or(|name| !name.starts_with(THREAD)) {
                restore();
            }
            before(info);
        }));
    });
}

const THREAD: &str = "console-";

/// Starts a thread of the dashboard. A thread that cannot be started leaves its part silent; the
/// screen says so by staying unconnected.
pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name(format!("{THREAD}{name}")).spawn(body) {
        tracing::error!(%error, name, "cannot start a thread");
    }
}

/// Calls `then` once when the process is asked to end (SIGTERM, SIGHUP, SIGINT).
///
/// # Errors
/// The thread that listens can not be started.
pub fn on_signals(then: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let listen = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let kinds = (SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt());
            if let (Ok(mut terminate), Ok(mut hangup), Ok(mut interrupt)) =
                (signal(kinds.0), signal(kinds.1), signal(kinds.2))
            {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                    _ = interrupt.recv() => {}
                }
                then();
            }
        });
    };
    std::thread::Builder::new().name(format!("{THREAD}signals")).spawn(listen).map(drop)
}
