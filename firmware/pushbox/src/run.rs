//! The wiring: whoever reads this knows the product.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::anyhow;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::control::Socket;
use crate::engine::Engine;
use crate::news::Reporter;
use crate::status::Status;

/// Runs the box until SIGTERM or SIGINT, or until something fails for good.
pub(crate) fn run(config: Config, control: Option<&Path>) -> anyhow::Result<()> {
    let Config { board, store, once } = config;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let (mut engine, handle) = Engine::new(board, store, once);
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
        let socket = control.map(Socket::bind).transpose()?;
        if let Some(socket) = socket {
            tokio::spawn(async move { socket.serve(&handle).await });
        }
        let mut status = Status::new(&engine);
        let result = tokio::select! {
            result = engine.run(shutdown) => result,
            () = status.watch() => Ok(()),
        };
        status.tell();
        result
    });
    // A name that is still being looked up must not hold up the end.
    runtime.shutdown_background();
    result
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
