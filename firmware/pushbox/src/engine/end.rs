//! The end: all is put out and closed, and what was set is written, before the display lets the power be cut.

use std::time::Duration;

use live_pusher::Input;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Engine;
use crate::settings::Settings;

/// How long the end waits for settings to be written.
const LAST_WRITE: Duration = Duration::from_secs(3);

impl Engine {
    pub(super) async fn end(&mut self) {
        let _ = self.handle(Input::Detach);
        if let Some(display) = &self.display {
            display.begin_end();
        }
        let torch = self.torch.take();
        let out = spawn_blocking(move || drop(torch));
        let settings = self.settings.take();
        let written = spawn_blocking(move || settings.is_none_or(Settings::end));
        if let Some(connection) = self.connection.take() {
            connection.end().await;
        }
        let _ = out.await;
        // Flash that hangs must not keep the program.
        let is_kept = timeout(LAST_WRITE, written).await.is_ok_and(|written| written.unwrap_or(false));
        if let Some(display) = self.display.take() {
            let _ = spawn_blocking(move || display.end(is_kept)).await;
        }
    }
}
