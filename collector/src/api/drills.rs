//! Announcing drills: only who may handle alerts may mark alerts as a drill's.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use watchpost_model::query::{Drill, UnderWay};

use super::Api;
use super::refusal::{Refusal, may_handle};
use crate::clock;
use crate::identity::Identity;

pub(super) async fn announce(
    State(api): State<Api>,
    identity: Option<Extension<Identity>>,
    drill: Result<Json<Drill>, JsonRejection>,
) -> Result<Json<UnderWay>, Refusal> {
    let identity = may_handle(identity)?;
    let Json(drill) = drill?;
    api.blocking(move |desk| {
        let under_way = desk.announce(&drill, clock::now())?;
        tracing::info!(who = identity.name, label = drill.label, "a drill was announced");
        Ok(Json(under_way))
    })
    .await
}
