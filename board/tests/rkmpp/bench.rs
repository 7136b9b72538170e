//! A camera, the encoder, and what both have left.

use std::time::Duration;

use board::{EncoderConfig, RockchipMppConfig};
use media::{AccessUnit, EncodeError, EncoderSettings, H264Profile, VideoEncoder};
use rkmpp_sys::testlib::{self, Live, Session};

use crate::camera::{Camera, HEIGHT, WIDTH, nv12};

pub(crate) const SETTINGS: EncoderSettings = EncoderSettings {
    width: WIDTH,
    height: HEIGHT,
    fps: 30,
    bitrate: 1_000_000,
    vbv: SECOND,
    gop: 600,
    profile: H264Profile::ConstrainedBaseline,
    source: None,
};
/// What an encoder at rest has.
pub(crate) const AT_REST: Live =
    Live { contexts: 1, frames: 1, packets: 0, buffers: 0, groups: 0, configs: 1 };
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn config() -> EncoderConfig {
    EncoderConfig::RockchipMpp(RockchipMppConfig { min_bitrate: 200_000, max_size: Some([1920, 1080]) })
}

pub(crate) fn open(settings: EncoderSettings) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    board::open_encoder(&config(), settings)
}

pub(crate) struct Bench {
    pub(crate) encoder: Box<dyn VideoEncoder>,
    pub(crate) camera: Camera,
    pub(crate) session: Session,
}

impl Bench {
    pub(crate) fn new(settings: EncoderSettings) -> Self {
        let session = testlib::session();
        let encoder = open(settings).unwrap();
        Self { encoder, camera: Camera::default(), session }
    }

    pub(crate) fn submit(&mut self, idr: bool) -> usize {
        let picture = self.camera.picture(nv12(WIDTH as usize + 8, HEIGHT as usize), true);
        self.encoder.submit(picture, idr).unwrap()
    }

    pub(crate) fn next(&mut self) -> AccessUnit {
        self.encoder.next(SECOND).unwrap().unwrap()
    }

    pub(crate) fn encode(&mut self, idr: bool) -> AccessUnit {
        self.submit(idr);
        self.next()
    }

    /// What the library holds once the hardware has given back all that went in.
    pub(crate) fn live(&mut self) -> Live {
        assert!(self.encoder.has_room().unwrap());
        self.session.live()
    }
}
