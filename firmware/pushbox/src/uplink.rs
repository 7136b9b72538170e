//! One connection to the server at a time, each in a task.

use std::sync::Arc;
use std::time::Instant;

use ::uplink::{Address, PublishError, Published, publish};
use live_pusher::{Code, ConnectionId, Input, NetworkEvent};
use serde_json::{Map, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{info, warn};

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
            connect(number, &url, &queue, &rate, &reporter, closed).await;
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
    queue: &Queue,
    rate: &RateControl,
    reporter: &Reporter,
    closed: oneshot::Receiver<()>,
) {
    let started = Instant::now();
    let failed = |code, reason: String| {
        News::Input(Input::Network { connection, event: NetworkEvent::Failed { code, reason } })
    };
    let address = match Address::parse(url) {
        Ok(address) => address,
        Err(error) => return reporter.send(failed(Code::ServerRefused, error.to_string())).await,
    };
    let report = |progress| {
        let elapsed = ("ms".to_owned(), json!(started.elapsed().as_millis() as u64));
        let event = match progress {
            Published::Connected(peer) => NetworkEvent::Connected(Map::from_iter([
                ("remote".to_owned(), json!(peer.to_string())),
                elapsed,
            ])),
            Published::Sample(sample) => return rate.sample(&sample),
            Published::Started => {
                info!(%address, "publishing");
                rate.connect();
                NetworkEvent::Published
            }
        };
        reporter.try_send(Input::Network { connection, event });
    };
    let shutdown = async {
        let _ = closed.await;
    };
    if let Err(error) = publish(&address, queue, shutdown, report).await {
        warn!(%error, "not published");
        reporter.send(failed(code(&error), error.to_string())).await;
    }
}

/// The status code of spec 7.3.
fn code(error: &PublishError) -> Code {
    match error {
        PublishError::Resolve { .. } => Code::NameNotResolved,
        PublishError::Connect { .. } => Code::ConnectFailed,
        PublishError::Protocol { .. } => Code::HandshakeFailed,
        PublishError::Refused { .. } | PublishError::Closed(_) => Code::ServerRefused,
        PublishError::Broken(_) => Code::TransferFailed,
    }
}
