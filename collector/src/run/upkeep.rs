//! What must happen now and then: old segments go, the server's certificate is made anew.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::ingest::Ingest;
use crate::pki::{Authority, RENEW_AFTER, Tls};

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(600);

/// Works until `stop` becomes true or its sender is gone.
pub(super) async fn run(
    ingest: Ingest,
    tls: Tls,
    authority: Arc<Authority>,
    names: Vec<String>,
    mut stop: watch::Receiver<bool>,
) {
    let mut issued = clock::now();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        ingest.retain();
        let now = clock::now();
        if now.since(issued) > RENEW_AFTER {
            match tls.renew(&authority, &names, now) {
                Ok(()) => issued = now,
                Err(error) => tracing::error!(%error, "the server's certificate was not renewed"),
            }
        }
    }
}
