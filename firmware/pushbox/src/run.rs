//! The wiring: whoever reads this knows the product.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::anyhow;
use board::SerialLineConfig;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::config::Config;
use crate::control::{SOCKET, Socket, serve_serial_line};
use crate::engine::Engine;
use crate::news::Reporter;
use crate::status::Status;
use crate::uplink::watch_routes;

/// Runs the box until SIGTERM or SIGINT, or until something fails for good.
pub(crate) fn run(config: Config, control: Option<&Path>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let serial_line = config.board.serial_line.clone();
        let (mut engine, handle) = Engine::new(config)?;
        let (video, audio) = (Arc::clone(&engine.video), Arc::clone(&engine.audio));
        start("video", engine.reporter(), move || video.run())?;
        start("audio", engine.reporter(), move || audio.run())?;
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shutdown = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        if let Some(socket) = socket(control)? {
            let handle = handle.clone();
            tokio::spawn(async move { socket.serve(&handle).await });
        }
        if let Some(SerialLineConfig { device, baud }) = serial_line {
            tokio::spawn(async move { serve_serial_line(&device, baud, &handle).await });
        }
        let reporter = engine.reporter();
        tokio::spawn(async move {
            if let Err(error) = watch_routes(&reporter).await {
                warn!(%error, "changes of the network are not seen: retries wait for their time");
            }
        });
        let mut status = Status::new(&engine);
        let result = tokio::select! {
            result = engine.run(shutdown) => result,
            () = status.watch() => Ok(()),
        };
        status.tell();
        result
    });
    // Flash that hangs must not hold up the end.
    runtime.shutdown_background();
    result
}

/// The control socket: where it was asked for, or else where it is by default, if it can be there.
fn socket(path: Option<&Path>) -> anyhow::Result<Option<Socket>> {
    let bound = Socket::bind(path.unwrap_or(Path::new(SOCKET)));
    match bound {
        Err(error) if path.is_none() => {
            info!("no control socket: {error:#}");
            Ok(None)
        }
        bound => bound.map(Some),
    }
}

/// Starts a thread that lives as long as the process: its end ends the process too.
fn start(name: &'static str, reporter: Reporter, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let body = move || {
        let cause = match panic::catch_unwind(AssertUnwindSafe(work)) {
            Ok(()) => "it ended",
            Err(_) => "it panicked",
        };
        reporter.fail(anyhow!("failed in thread {name}: {cause}"));
    };
    thread::Builder::new().name(name.into()).spawn(body)?;
    Ok(())
}
