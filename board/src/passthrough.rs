use std::sync::Arc;
use std::time::Duration;

use media::{
    AccessUnit, AccessUnitKind, Bytes, EncodeError, EncoderInput, Frame, PixelFormat, Pool, VideoEncoder,
};

const NAME: &str = "passthrough";
/// Access units that may be on loan to a send queue before memory grows.
const UNITS: usize = 128;
const UNIT: usize = 32 << 10;

/// For sources that deliver H.264 themselves: hands their access units on. It can't set rates nor make IDR pictures.
/// Where one is missing, those that refer to it are left out, up to the next IDR picture.
pub(crate) struct Passthrough {
    next: Option<u32>,
    broken: bool,
    pool: Arc<Pool<Vec<u8>>>,
    finished: Option<AccessUnit>,
}

impl Passthrough {
    pub(crate) fn new() -> Self {
        let pool = Pool::new(UNITS, || Vec::with_capacity(UNIT));
        Self { next: None, broken: false, pool, finished: None }
    }
}

impl VideoEncoder for Passthrough {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Whatever it is, it is not this box's software.
    fn is_hardware(&self) -> bool {
        true
    }

    fn input(&self) -> EncoderInput {
        EncoderInput::in_memory(PixelFormat::H264, 0, 0)
    }

    fn submit(&mut self, picture: Frame, _idr: bool) -> Result<usize, EncodeError> {
        let access_unit = picture.compressed();
        let idr = AccessUnitKind::of(access_unit) == Some(AccessUnitKind::Idr);
        let due = self.next.replace(picture.sequence.wrapping_add(1));
        self.broken |= due.is_some_and(|due| due != picture.sequence);
        self.broken &= !idr;
        let (kind, bytes) = if self.broken {
            (AccessUnitKind::Skipped, Bytes::default())
        } else {
            // The source has few buffers and a send queue may hold many packets.
            let mut bytes = self.pool.take();
            bytes.clear();
            bytes.extend_from_slice(access_unit);
            (if idr { AccessUnitKind::Idr } else { AccessUnitKind::Delta }, bytes.into())
        };
        self.finished = Some(AccessUnit { kind, captured: picture.captured, bytes });
        Ok(0)
    }

    fn next(&mut self, _wait: Duration) -> Result<Option<AccessUnit>, EncodeError> {
        Ok(self.finished.take())
    }

    fn set_bitrate(&mut self, _bitrate: u32) -> Result<(), EncodeError> {
        Err(EncodeError::Unsupported { encoder: NAME.into(), what: "bitrate".into() })
    }

    fn set_fps(&mut self, _fps: u32) -> Result<(), EncodeError> {
        Err(EncodeError::Unsupported { encoder: NAME.into(), what: "frame rate".into() })
    }
}

#[cfg(test)]
mod tests {
    use media::{Buffer, Layout, Timestamp};

    use super::AccessUnitKind::{Delta, Idr, Skipped};
    use super::*;

    #[test]
    fn what_refers_to_a_missing_picture_is_left_out() {
        let mut encoder = Passthrough::new();
        let pool = Pool::new(8, || -> Box<dyn Buffer> { Box::new(vec![0; 64]) });
        let mut encode = |sequence, kind| {
            let mut buffer = Arc::clone(&pool).take();
            buffer.plane_mut(0)[..6].copy_from_slice(&[0, 0, 0, 1, kind, 0x9a]);
            let layout = Layout::packed(PixelFormat::H264, 16, 16);
            let frame = Frame::new(layout, Timestamp::from_micros(0), sequence, [6, 0, 0], buffer).unwrap();
            encoder.submit(frame, false).unwrap();
            encoder.next(Duration::ZERO).unwrap().unwrap().kind
        };
        let encoded: Vec<AccessUnitKind> = [(0, 0x65), (1, 0x41), (3, 0x41), (4, 0x41), (5, 0x65), (6, 0x41)]
            .map(|(n, kind)| encode(n, kind))
            .into();
        assert_eq!(encoded, [Idr, Delta, Skipped, Skipped, Idr, Delta]);
    }
}
