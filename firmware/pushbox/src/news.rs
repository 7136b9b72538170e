//! What threads and tasks tell the engine.

use std::sync::Arc;

use live_pusher::{Device, DeviceEvent, Input};
use tokio::sync::mpsc;

use crate::hand::{Action, Press};
use crate::waiting_image::LoadError;

pub(crate) enum News {
    /// Of one run of a device among all.
    Device {
        device: Device,
        run: u32,
        event: DeviceEvent,
    },
    Input(Input),
    /// The uplink was found to take less than it is given.
    Narrow,
    Button {
        action: Action,
        press: Press,
    },
    Screen(::panel::Action),
    /// What became of the load of that number.
    WaitingImage {
        number: u32,
        result: Result<Arc<[u8]>, LoadError>,
    },
    /// The program can't go on.
    Failed(anyhow::Error),
}

/// News that may wait. They are few; who has more waits.
const WAITING: usize = 64;

/// Tells the engine from any thread.
#[derive(Clone)]
pub(crate) struct Reporter(mpsc::Sender<News>);

pub(crate) fn channel() -> (Reporter, mpsc::Receiver<News>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Reporter(sender), receiver)
}

impl Reporter {
    /// From a thread. Nobody listens any more at the end of the program.
    pub(crate) fn tell(&self, news: News) {
        let _ = self.0.blocking_send(news);
    }

    /// From a task.
    pub(crate) async fn send(&self, news: News) {
        let _ = self.0.send(news).await;
    }

    /// From one that can't wait: what there is no room for is told by something else, or again.
    /// Returns whether there was.
    pub(crate) fn try_tell(&self, news: News) -> bool {
        self.0.try_send(news).is_ok()
    }

    pub(crate) fn fail(&self, error: anyhow::Error) {
        self.tell(News::Failed(error));
    }
}
