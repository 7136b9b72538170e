//! A serial line, for a person with a terminal program or for a program.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use serial2_tokio::SerialPort;
use tracing::{debug, info, warn};

use super::{Manner, serve};
use crate::engine::Handle;

/// Before a line that is gone is opened again.
const RETRY: Duration = Duration::from_secs(2);

/// Serves whoever is at the other end, for as long as the box runs.
pub(crate) async fn serve_serial_line(device: &Path, baud: u32, handle: &Handle) {
    let (mut told, device_name) = (false, device.display());
    loop {
        match SerialPort::open(device, baud).and_then(|port| Ok((port.try_clone()?, port))) {
            Ok((reader, writer)) => {
                info!(device = %device_name, baud, "serial line opened");
                told = false;
                match serve(reader, writer, handle, Manner::Terminal).await {
                    Err(error) if error.kind() == ErrorKind::TimedOut => {
                        debug!(device = %device_name, "nobody reads the serial line, what waits is dropped");
                    }
                    Err(error) => warn!(%error, device = %device_name, "serial line lost"),
                    Ok(()) => {}
                }
            }
            Err(error) if !std::mem::replace(&mut told, true) => {
                warn!(%error, device = %device_name, "serial line can't be opened, it is tried again");
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}
