//! The admin listener: health, readiness and statistics, and nothing that changes anything.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::status::{Phase, Status};

/// Where the pages get their figures.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) status: Arc<Status>,
    pub(crate) statistics: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
}

pub(crate) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/stats", get(statistics))
        .with_state(health)
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let (code, text) = match health.status.phase() {
        Phase::Serving => (StatusCode::OK, "ready\n"),
        Phase::SafeMode => (StatusCode::OK, "ready, but the disk is nearly full: sends are refused\n"),
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting: replaying the log\n"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    };
    (code, text)
}

async fn statistics(State(health): State<Health>) -> impl IntoResponse {
    axum::Json((health.statistics)())
}
