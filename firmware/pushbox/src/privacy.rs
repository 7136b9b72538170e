//! The privacy switch (spec 12.3): whoever takes pictures or sound looks here, not at the machine, so that it works also
//! while the control plane hangs.

use std::sync::Arc;

use tokio::sync::watch;

/// Open unless the switch is closed.
#[derive(Clone)]
pub(crate) struct Privacy(Arc<watch::Sender<bool>>);

impl Default for Privacy {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Privacy {
    pub(crate) fn is_closed(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) fn set(&self, closed: bool) {
        self.0.send_replace(closed);
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}
