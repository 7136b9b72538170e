//! A device's thread, from its opening to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use board::OpenError;
use live_pusher::{Device, DeviceEvent};
use media::{CaptureError, patiently};

use crate::news::{News, Reporter};
use crate::privacy::Privacy;

/// One run of a camera or a microphone. Dropping it asks the thread to end; a next run waits for that.
pub(crate) struct Run {
    number: u32,
    closing: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// What a thread has to report, and whether it is to go on.
pub(crate) struct Reports {
    device: Device,
    number: u32,
    closing: Arc<AtomicBool>,
    privacy: Privacy,
    reporter: Reporter,
}

impl Run {
    /// Runs `work` in a thread once that of `before`, which may hold the same device, has ended. A closed privacy switch
    /// ends it without a word from the machine, or keeps it from beginning.
    pub(crate) fn start(
        device: Device,
        before: Option<Self>,
        privacy: Privacy,
        reporter: Reporter,
        work: impl FnOnce(&Reports) + Send + 'static,
    ) -> std::io::Result<Self> {
        let number = before.as_ref().map_or(0, |before| before.number + 1);
        let closing = Arc::<AtomicBool>::default();
        let reports = Reports { device, number, closing: Arc::clone(&closing), privacy, reporter };
        let body = move || {
            if let Some(before) = before {
                before.close();
                let _ = before.thread.join();
            }
            if !reports.privacy.is_closed() {
                work(&reports);
            }
        };
        let name = match device {
            Device::Camera => "camera",
            Device::Microphone => "microphone",
        };
        let thread = thread::Builder::new().name(name.into()).spawn(body)?;
        Ok(Self { number, closing, thread })
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Relaxed);
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl Reports {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Relaxed) || self.privacy.is_closed()
    }

    /// What the device delivers next, unless it is to close.
    pub(crate) fn wait<T>(
        &self,
        patience: Duration,
        next: impl FnMut() -> Result<T, CaptureError>,
    ) -> Result<T, CaptureError> {
        patiently(patience, || !self.is_closing(), next)
    }

    pub(crate) fn tell(&self, event: DeviceEvent) {
        self.reporter.tell(News::Device { device: self.device, run: self.number, event });
    }

    pub(crate) fn refused(&self, error: &OpenError) {
        let forbidden = matches!(error, OpenError::Refused { .. });
        self.tell(DeviceEvent::Refused { forbidden, reason: error.to_string() });
    }

    /// A file that has ended ends the program: there is nothing more to publish.
    pub(crate) fn lost(&self, error: CaptureError) {
        if matches!(error, CaptureError::Ended { .. }) {
            self.reporter.fail(anyhow::Error::new(error).context("nothing more to publish"));
        } else {
            self.tell(DeviceEvent::Lost { reason: error.to_string() });
        }
    }
}
