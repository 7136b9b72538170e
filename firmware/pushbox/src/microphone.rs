//! The microphone thread: sound from one microphone into the queue before the audio thread.

use std::sync::Arc;
use std::time::Duration;

use board::MicrophoneConfig;
use live_pusher::{Device, DeviceEvent};
use media::{AudioBlock, AudioFormat, CaptureError, DropOldest, Pool, Pooled};
use serde_json::Map;
use tracing::{info, warn};

use crate::device::{Reports, Run};
use crate::news::Reporter;
use crate::privacy::Privacy;

/// A device that delivers nothing for so long is silent for another reason than the room (spec 7.6, -1311).
const PATIENCE: Duration = Duration::from_secs(1);
/// Blocks on loan between the threads.
const BLOCKS: usize = 40;

/// A period of sound and the format of the microphone it came from.
pub(crate) struct Captured {
    pub(crate) format: AudioFormat,
    pub(crate) block: Pooled<AudioBlock>,
}

/// `rate` in Hz is what would suit; the microphone may deliver another.
pub(crate) fn start(
    config: MicrophoneConfig,
    rate: u32,
    before: Option<Run>,
    privacy: Privacy,
    reporter: Reporter,
    blocks: Arc<DropOldest<Captured>>,
) -> std::io::Result<Run> {
    Run::start(Device::Microphone, before, privacy, reporter, move |reports| {
        capture(&config, rate, reports, &blocks);
    })
}

fn capture(config: &MicrophoneConfig, rate: u32, reports: &Reports, blocks: &DropOldest<Captured>) {
    let mut microphone = match board::open_microphone(config, rate) {
        Ok(microphone) => microphone,
        Err(error) => return reports.refused(&error),
    };
    let format = microphone.format();
    info!(%format, "microphone opened");
    reports.tell(DeviceEvent::Opened(Map::new()));
    let pool = Pool::new(BLOCKS, AudioBlock::default);
    let mut heard = false;
    while !reports.is_closing() {
        let mut block = pool.take();
        match reports.wait(PATIENCE, || microphone.read(&mut block)) {
            Ok(()) => {
                heard = true;
                if block.overrun {
                    warn!("the microphone's buffer overran, silence fills the hole");
                }
                blocks.push(Captured { format, block });
            }
            Err(CaptureError::Timeout { .. }) if reports.is_closing() => {}
            Err(CaptureError::Timeout { .. }) if !heard => return reports.tell(DeviceEvent::Silent),
            Err(error) => {
                drop(microphone);
                return reports.lost(error);
            }
        }
    }
}
