//! Devices that are gone are opened again when they are back.

use std::thread;
use std::time::Duration;

use board::OpenError;
use tracing::warn;

/// How often a lost device is looked for (spec 7.6, -1301 and -1302).
const INTERVAL: Duration = Duration::from_secs(2);

/// Opens a device as soon as that succeeds; tells each new reason why it does not.
pub(crate) fn reopen<T>(device: &str, open: impl Fn() -> Result<T, OpenError>) -> T {
    let mut told = String::new();
    loop {
        thread::sleep(INTERVAL);
        match open() {
            Ok(opened) => return opened,
            Err(error) => {
                let reason = error.to_string();
                if reason != told {
                    warn!(%error, "{device} can't be opened again yet");
                    told = reason;
                }
            }
        }
    }
}
