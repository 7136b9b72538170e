//! One connection to the server at a time, each in a task.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use ::uplink::{Address, Options, PublishError, Published, Routes, publish};
use live_pusher::{Code, ConnectionId, Input, NetworkEvent};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::clock;
use crate::news::{News, Reporter};
use crate::rate::RateControl;
use crate::sink::Queue;

/// A connection that goes on until it is closed or fails.
pub(crate) struct Connection {
    close: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Begins once the one before, which uses the same queue, has said farewell.
    pub(crate) fn start(
        number: ConnectionId,
        url: String,
        options: Arc<Options>,
        queue: Arc<Queue>,
        rate: Arc<RateControl>,
        reporter: Reporter,
        before: Option<Self>,
    ) -> Self {
        let (close, closed) = oneshot::channel();
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                before.end().await;
            }
            connect(number, &url, &options, &queue, &rate, &reporter, closed).await;
        });
        Self { close: Some(close), task }
    }

    /// Unpublishes.
    pub(crate) fn close(&mut self) {
        self.close = None;
    }

    /// Unpublishes, and waits for the end.
    pub(crate) async fn end(mut self) {
        self.close();
        let _ = self.task.await;
    }
}

async fn connect(
    connection: ConnectionId,
    url: &str,
    options: &Options,
    queue: &Queue,
    rate: &RateControl,
    reporter: &Reporter,
    closed: oneshot::Receiver<()>,
) {
    let started = Instant::now();
    let failed = |code, params| {
        News::Input(Input::Network { connection, event: NetworkEvent::Failed { code, params } })
    };
    let address = match Address::parse(url) {
        Ok(address) => address,
        Err(error) => {
            let params = Map::from_iter([("reason".to_owned(), json!(error.to_string()))]);
            return reporter.send(failed(Code::ServerRefused, params)).await;
        }
    };
    let report = |progress| {
        let elapsed = ("ms".to_owned(), json!(started.elapsed().as_millis() as u64));
        let event = match progress {
            Published::Connected(peer) => NetworkEvent::Connected(Map::from_iter([
                ("remote".to_owned(), json!(peer.to_string())),
                elapsed,
            ])),
            Published::Permitted => return rate.connect(),
            Published::Started => {
                info!(%address, "publishing");
                NetworkEvent::Published(Map::from_iter([elapsed]))
            }
        };
        let (reporter, news) = (reporter.clone(), News::Input(Input::Network { connection, event }));
        // In their order, however many wait.
        tokio::spawn(async move { reporter.send(news).await });
    };
    let shutdown = async {
        let _ = closed.await;
    };
    let observe = |sample: &_| rate.sample(sample);
    if let Err(error) = publish(&address, options, queue, shutdown, report, observe).await {
        warn!(%error, "not published");
        reporter.send(failed(code(&error), params(&error))).await;
        if matches!(error, PublishError::AddressLost(_)) {
            // The other way is there already.
            reporter.send(News::Input(Input::RouteChanged)).await;
        }
    }
}

/// What the status event tells of a failure.
fn params(error: &PublishError) -> Map<String, Value> {
    let mut params = Map::from_iter([("reason".to_owned(), json!(error.to_string()))]);
    if let Some((code, description)) = error.status() {
        params.insert("serverCode".into(), json!(code));
        params.insert("serverDescription".into(), json!(description));
    }
    // Signatures of addresses end with time (12.12).
    let may_be_late = matches!(code(error), Code::HandshakeFailed | Code::ServerRefused);
    if may_be_late && !clock::is_synchronised() {
        params.insert("hint".into(), json!("clock"));
    }
    params
}

/// Tells the engine for as long as it is polled when a server may have come into reach.
pub(crate) async fn watch_routes(reporter: &Reporter) -> io::Result<()> {
    let mut routes = Routes::watch()?;
    loop {
        routes.changed().await?;
        info!("the network changed");
        reporter.send(News::Input(Input::RouteChanged)).await;
    }
}

/// The status code of spec 7.3.
fn code(error: &PublishError) -> Code {
    match error {
        PublishError::Resolve { .. } => Code::NameNotResolved,
        PublishError::Connect { .. } => Code::ConnectFailed,
        PublishError::Protocol { .. } | PublishError::Failed { .. } => Code::HandshakeFailed,
        PublishError::Refused { .. } | PublishError::Ended { .. } | PublishError::Closed(_) => {
            Code::ServerRefused
        }
        PublishError::Broken(_) | PublishError::AddressLost(_) => Code::TransferFailed,
    }
}
