//! The live stream: server-sent events, first the situation as it is, then every change.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use watchpost_model::query::Live;

use super::Api;
use super::refusal::{Refusal, may_read};
use crate::clock;
use crate::hub::{Message, Subscription};
use crate::identity::Identity;

/// Silence after which a comment is sent, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Messages on their way to one reader; the hub keeps the rest.
const AHEAD: usize = 16;

type Sent = Result<Event, Infallible>;
type Stream = KeepAliveStream<ReceiverStream<Sent>>;

pub(super) async fn live(
    State(api): State<Api>,
    identity: Option<Extension<Identity>>,
) -> Result<Sse<Stream>, Refusal> {
    may_read(identity)?;
    let permit = Arc::clone(&api.streams).try_acquire_owned().map_err(|_| Refusal::busy())?;
    // Subscribed before the situation is read: nothing falls between the two.
    let subscription = api.desk.hub.subscribe();
    let first = api.blocking(|desk| Ok(situation(desk))).await?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let _permit = permit;
        forward(first, subscription, sender).await;
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive))
}

fn situation(desk: &crate::pipeline::Desk) -> Vec<Message> {
    let overview = Live::Overview(Box::new(desk.overview(clock::now())));
    let hosts = Live::Hosts(desk.book.hosts());
    [overview, hosts].iter().filter_map(Message::of).collect()
}

/// Ends when the reader leaves or the hub is gone.
async fn forward(first: Vec<Message>, mut subscription: Subscription, sender: mpsc::Sender<Sent>) {
    for message in first {
        if sender.send(event(&message)).await.is_err() {
            return;
        }
    }
    loop {
        let message = tokio::select! {
            message = subscription.next() => message,
            () = sender.closed() => return,
        };
        let Some(message) = message else { return };
        if sender.send(event(&message)).await.is_err() {
            return;
        }
    }
}

fn event(message: &Message) -> Sent {
    Ok(Event::default().event(message.name).data(&message.json))
}
