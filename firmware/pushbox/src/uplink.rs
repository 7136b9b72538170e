//! One connection to the server at a time, each in a task.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use ::uplink::{Address, Options, PublishError, Published, Routes, publish};
use live_pusher::{Code, ConnectionId, Input, NetworkEvent};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};
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
    // 1001 and 1002, in their order and before the failure, however many news wait.
    let (steps, mut told) = mpsc::channel(2);
    let report = move |progress| {
        let elapsed = ("ms".to_owned(), json!(started.elapsed().as_millis() as u64));
        let event = match progress {
            Published::Connected(peer) => NetworkEvent::Connected(Map::from_iter([
                ("remote".to_owned(), json!(peer.to_string())),
                elapsed,
            ])),
            Published::Permitted => return rate.connect(),
            Published::Started => NetworkEvent::Published(Map::from_iter([elapsed])),
        };
        // Each comes once, so that there is room.
        let _ = steps.try_send(event);
    };
    let tell = async {
        while let Some(event) = told.recv().await {
            if matches!(event, NetworkEvent::Published(_)) {
                info!(%address, "publishing");
            }
            reporter.send(News::Input(Input::Network { connection, event })).await;
        }
    };
    let shutdown = async {
        let _ = closed.await;
    };
    let observe = |sample: &_| rate.sample(sample);
    // The publication owns what it reports to, so that its end ends the telling.
    let (result, ()) = tokio::join!(publish(&address, options, queue, shutdown, report, observe), tell);
    if let Err(error) = result {
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

fn code(error: &PublishError) -> Code {
    let is_it = |code: &Code| code.number() == i32::from(error.code());
    Code::ALL.into_iter().find(is_it).unwrap_or(Code::TransferFailed)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use live_pusher::{AdaptResolution, Properties};
    use media::{Packet, PacketSink, Pool, Timestamp, Track};

    use super::*;
    use crate::news;
    use crate::privacy::Privacy;
    use crate::sink::{Description, QueueSink};
    use crate::video::VideoStage;

    #[test]
    fn each_failure_has_its_status_code() {
        let text = String::new;
        for (error, expected) in [
            (PublishError::Resolve { host: text(), cause: text() }, Code::NameNotResolved),
            (PublishError::Connect { host: text(), cause: text() }, Code::ConnectFailed),
            (PublishError::Protocol { step: "", cause: text() }, Code::HandshakeFailed),
            (PublishError::Closed(text()), Code::ServerRefused),
            (PublishError::Broken(text()), Code::TransferFailed),
        ] {
            assert_eq!(code(&error), expected);
        }
    }

    /// A message on chunk stream 3, shorter than a chunk.
    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[3, 0, 0, 0, 0, 0, body.len() as u8, kind, 0, 0, 0, 0], body].concat()
    }

    fn text(text: &str) -> Vec<u8> {
        [&[2, 0, text.len() as u8], text.as_bytes()].concat()
    }

    /// The command onStatus: an object with level and code.
    fn status(level: &str, code: &str) -> Vec<u8> {
        let properties = [("level", level), ("code", code)].map(|(name, value)| {
            let name = &text(name)[1..];
            [name, &text(value)].concat()
        });
        let head = [&text("onStatus")[..], &[0; 9], &[5, 3]].concat();
        message(20, &[&head[..], &properties.concat(), &[0, 0, 9]].concat())
    }

    fn result(transaction: f64) -> Vec<u8> {
        let number = |number: f64| [&[0][..], &number.to_be_bytes()].concat();
        message(20, &[&text("_result")[..], &number(transaction), &[5], &number(1.0)].concat())
    }

    /// Says all at once, from the permission to publish to the end of it: nothing makes the client wait in between, but for
    /// what is more than it reads at a time.
    fn serve(listener: &TcpListener) {
        let mut socket = listener.accept().unwrap().0;
        let mut hello = [0; 1537];
        socket.read_exact(&mut hello).unwrap();
        socket.write_all(&[&[3][..], &[0; 1536], &hello[1..]].concat()).unwrap();
        let nothing = message(18, &[0; 100]).repeat(180);
        let words = [
            result(1.0),
            result(4.0),
            status("status", "NetStream.Publish.Start"),
            nothing,
            status("error", "NetStream.Publish.BadName"),
        ];
        socket.write_all(&words.concat()).unwrap();
        let _ = std::io::copy(&mut socket, &mut std::io::sink());
    }

    /// The codes that the engine is told of a connection to it.
    async fn attempt() -> Vec<i32> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtmp://{}/live/key", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || serve(&listener));
        let (properties, queue) =
            (Properties::default(), Arc::new(Queue::new(std::time::Duration::from_secs(3))));
        let (reporter, mut news) = news::channel();
        let description = Arc::new(Description::new(Arc::clone(&queue)));
        let video = VideoStage::new(
            &properties,
            Vec::new(),
            false,
            None,
            description,
            reporter.clone(),
            Privacy::default(),
        );
        let rate = RateControl::new(&properties, AdaptResolution::Rtc, video, reporter.clone());
        let data = Pool::new(1, || vec![0; 100]).take().into();
        let picture = Packet { track: Track::Video, sync: true, time: Timestamp::from_micros(0), data };
        QueueSink(Arc::clone(&queue)).push(picture);
        let (_close, closed) = oneshot::channel();
        connect(7, &url, &Options::default(), &queue, &rate, &reporter, closed).await;
        drop((rate, reporter));
        let mut told = Vec::new();
        while let Ok(news) = news.try_recv() {
            if let News::Input(Input::Network { connection: 7, event }) = news {
                told.push(match event {
                    NetworkEvent::Connected(_) => 1001,
                    NetworkEvent::Published(_) => 1002,
                    NetworkEvent::Failed { code, .. } => code.number(),
                });
            }
        }
        server.join().unwrap();
        told
    }

    #[tokio::test]
    async fn what_was_reached_is_told_in_order_and_before_the_failure() {
        for _ in 0..20 {
            assert_eq!(attempt().await, [1001, 1002, 3004]);
        }
    }
}
