//! A serial line, for a person with a terminal program or for a program.

use std::path::Path;
use std::time::Duration;

use serial2_tokio::SerialPort;
use tracing::{info, warn};

use super::{Manner, serve};
use crate::engine::Handle;

/// Before a line that is gone is opened again.
const RETRY: Duration = Duration::from_secs(2);

/// Serves whoever is at the other end, for as long as the box runs.
pub(crate) async fn serve_serial_line(device: &Path, baud: u32, handle: &Handle) {
    let mut told = false;
    loop {
        let opened = SerialPort::open(device, baud).and_then(|port| Ok((port.try_clone()?, port)));
        let ended = match opened {
            Ok((reader, writer)) => {
                info!(device = %device.display(), baud, "serial line opened");
                told = false;
                serve(reader, writer, handle, Manner::Terminal).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended
            && !std::mem::replace(&mut told, true)
        {
            warn!(%error, device = %device.display(), "serial line lost, it is opened again when it is back");
        }
        tokio::time::sleep(RETRY).await;
    }
}
