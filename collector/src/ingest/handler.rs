//! `POST /v1/batches`: from bytes to a receipt.

use std::sync::{Arc, PoisonError};

use axum::Extension;
use axum::Json;
use axum::body::BodyDataStream;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse as _, Response};
use tokio_stream::StreamExt as _;
use watchpost_model::id::AgentId;
use watchpost_model::limits;
use watchpost_model::query::{Receipt, Role};
use watchpost_model::wire::{PackError, Summary, Unpacker};

use super::{BODY, Ingest, UNPACKING};
use crate::clock;
use crate::identity::Identity;
use crate::journal::NewFrame;
use crate::serve::Refusal;

/// Bytes read of a body that is too large before its connection is given up.
const MOST_READ: usize = 4 * limits::BATCH_BYTES;

/// Event numbers beyond this are not counts of anything.
const MOST_EVENT: u64 = 1 << 62;

pub(super) async fn batches(
    State(ingest): State<Ingest>,
    Extension(identity): Extension<Identity>,
    request: Request,
) -> Response {
    match take(&ingest, &identity, request).await {
        Ok(receipt) => Json(receipt).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn take(ingest: &Ingest, identity: &Identity, request: Request) -> Result<Receipt, Refusal> {
    let agent = sender(identity)?;
    let payload = body(request).await?;
    let frame = check(ingest, agent, payload).await?;
    let sequence = frame.sequence;
    let accepted = ingest.append(frame).await.map_err(|refused| {
        let text = format!("the batch was not stored: {}; it will be taken later", refused.0);
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
    })?;
    Ok(Receipt { sequence, repeated: accepted.repeated, now: clock::now() })
}

fn sender(identity: &Identity) -> Result<AgentId, Refusal> {
    identity.agent.filter(|_| identity.role == Role::Agent).ok_or_else(|| {
        Refusal::new(StatusCode::FORBIDDEN, "only an agent's certificate may send batches; enrol this host")
    })
}

/// The whole body, within its bounds of size and time.
async fn body(request: Request) -> Result<Vec<u8>, Refusal> {
    let told = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let room = told.filter(|told| *told <= limits::BATCH_BYTES).unwrap_or_default();
    let read = read(request.into_body().into_data_stream(), Vec::with_capacity(room));
    let late =
        |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the batch took too long to arrive; send it again");
    tokio::time::timeout(BODY, read).await.map_err(late)?
}

/// Keeps what fits. What is too much is read on for a while and dropped: were the connection
/// closed at once, its client would see a broken pipe, not the answer, and try for ever.
async fn read(mut chunks: BodyDataStream, mut bytes: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let mut seen = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let cut = |error| {
            Refusal::new(StatusCode::BAD_REQUEST, format!("the batch was cut: {error}; send it again"))
        };
        let chunk = chunk.map_err(cut)?;
        seen = seen.saturating_add(chunk.len());
        if seen <= limits::BATCH_BYTES {
            bytes.extend_from_slice(&chunk);
        } else {
            bytes = Vec::new();
        }
        if seen > MOST_READ {
            break;
        }
    }
    if seen > limits::BATCH_BYTES { Err(too_large()) } else { Ok(bytes) }
}

fn too_large() -> Refusal {
    let text = format!("a batch may have {} bytes; send smaller batches", limits::BATCH_BYTES);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// Looks a batch over on a thread that may block, and keeps what the journal needs to know.
async fn check(ingest: &Ingest, agent: AgentId, payload: Vec<u8>) -> Result<NewFrame, Refusal> {
    let stopping =
        || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the collector is stopping; try again later");
    let permit = ingest.unpacking.clone().acquire_owned().await.map_err(|_| stopping())?;
    let unpackers = Arc::clone(&ingest.unpackers);
    let unpacked = tokio::task::spawn_blocking(move || {
        let all = || unpackers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unpacker = all().pop().unwrap_or_default();
        let told = unpacker.survey(&payload);
        keep(&mut all(), unpacker);
        let frame = told.map(|told| to_frame(agent, &told, payload));
        drop(permit);
        frame
    });
    match unpacked.await {
        Err(_) => {
            Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "the batch broke the decoder; it is refused"))
        }
        Ok(Err(error)) => Err(refuse(&error)),
        Ok(Ok(None)) => Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "a batch counts its sequence and its first event from 1; this one does not",
        )),
        Ok(Ok(Some(frame))) => Ok(frame),
    }
}

/// Puts one back for the next batch.
fn keep(unpackers: &mut Vec<Unpacker>, unpacker: Unpacker) {
    if unpackers.len() < UNPACKING {
        unpackers.push(unpacker);
    }
}

fn refuse(error: &PackError) -> Refusal {
    let status = match error {
        PackError::TooLarge { .. } | PackError::Bomb { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        PackError::Version { .. } | PackError::TooManyEvents { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    };
    Refusal::new(status, error.to_string())
}

/// `None` where the batch's numbers can not be.
fn to_frame(agent: AgentId, batch: &Summary, payload: Vec<u8>) -> Option<NewFrame> {
    let events = u32::try_from(batch.events.checked_add(batch.unknown_kinds)?).ok()?;
    let sound = batch.sequence > 0 && (1..MOST_EVENT).contains(&batch.first_event);
    sound.then(|| NewFrame {
        agent,
        epoch: batch.epoch,
        sequence: batch.sequence,
        first_event: batch.first_event,
        events,
        received: clock::now(),
        payload,
    })
}
