//! The page of `scripts/rig up`: what a person would see and press at the box.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rig::Bench;
use rig::devices::{LineState, Lines};
use serde::Serialize;

type Shared = Arc<Mutex<Bench>>;

#[derive(Serialize)]
struct Status {
    lines: Vec<LineState>,
    live: bool,
    stream: receiver::Report,
}

pub(crate) fn serve(listener: TcpListener, bench: Shared) -> Result<()> {
    let routes = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/status", get(status))
        .route("/panel.png", get(panel))
        .route("/screen.png", get(screen))
        .route("/picture.png", get(picture))
        .route("/lines/{name}/{level}", post(drive))
        .with_state(bench);
    listener.set_nonblocking(true)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(axum::serve(listener, routes).await?)
    })
}

fn lock(bench: &Shared) -> MutexGuard<'_, Bench> {
    bench.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn status(State(bench): State<Shared>) -> Response {
    let mut bench = lock(&bench);
    let lines = bench.board.lines().map(Lines::states).unwrap_or_default();
    if let Err(error) = bench.serve_next() {
        return unavailable(&error);
    }
    let server = bench.server();
    Json(Status { lines, live: server.is_live(), stream: server.report() }).into_response()
}

async fn panel(State(bench): State<Shared>) -> Response {
    let mut picture = None;
    lock(&bench).board.oled(&mut |display| picture = Some(display.png()));
    image(picture)
}

async fn screen(State(bench): State<Shared>) -> Response {
    image(lock(&bench).board.screen())
}

async fn picture(State(bench): State<Shared>) -> Response {
    image(Some(lock(&bench).server().snapshot().png()))
}

async fn drive(State(bench): State<Shared>, Path((name, level)): Path<(String, String)>) -> StatusCode {
    let driven = lock(&bench).board.lines().is_some_and(|lines| lines.drive(&name, level == "high").is_ok());
    if driven { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

fn unavailable(error: &anyhow::Error) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}")).into_response()
}

fn image(png: Option<Result<Vec<u8>>>) -> Response {
    match png {
        Some(Ok(png)) => {
            ([(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "no-store")], png).into_response()
        }
        Some(Err(error)) => unavailable(&error),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
