use media::{EncodeError, Encoded, Frame, VideoEncoder};

const NAME: &str = "passthrough";

/// For sources that deliver H.264 themselves: hands their access units on. It can't set rates nor make IDR pictures.
/// Where one is missing, those that refer to it are left out, up to the next IDR picture.
#[derive(Default)]
pub(crate) struct Passthrough {
    next: Option<u32>,
    broken: bool,
}

impl VideoEncoder for Passthrough {
    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&mut self, picture: &Frame, _idr: bool, out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
        let access_unit = picture.compressed();
        let idr =
            media::nal_units(access_unit).any(|nal| nal.first().is_some_and(|header| header & 0x1f == 5));
        let due = self.next.replace(picture.sequence.wrapping_add(1));
        self.broken |= due.is_some_and(|due| due != picture.sequence);
        self.broken &= !idr;
        if self.broken {
            return Ok(Encoded::Skipped);
        }
        out.extend_from_slice(access_unit);
        Ok(if idr { Encoded::Idr } else { Encoded::Delta })
    }

    fn set_bitrate(&mut self, _bitrate: u32) -> Result<(), EncodeError> {
        Err(EncodeError::Unsupported { encoder: NAME, what: "bitrate".into() })
    }

    fn set_fps(&mut self, _fps: u32) -> Result<(), EncodeError> {
        Err(EncodeError::Unsupported { encoder: NAME, what: "frame rate".into() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use media::{Buffer, Layout, PixelFormat, Pool, Timestamp};

    use super::*;

    #[test]
    fn what_refers_to_a_missing_picture_is_left_out() {
        let mut encoder = Passthrough::default();
        let pool = Pool::new(8, || -> Box<dyn Buffer> { Box::new(vec![0; 64]) });
        let mut encode = |sequence, kind| {
            let mut buffer = Arc::clone(&pool).take();
            buffer.plane_mut(0)[..6].copy_from_slice(&[0, 0, 0, 1, kind, 0x9a]);
            let layout = Layout::packed(PixelFormat::H264, 16, 16);
            let frame = Frame::new(layout, Timestamp::from_micros(0), sequence, [6, 0, 0], buffer).unwrap();
            encoder.encode(&frame, false, &mut Vec::new()).unwrap()
        };
        let encoded: Vec<Encoded> = [(0, 0x65), (1, 0x41), (3, 0x41), (4, 0x41), (5, 0x65), (6, 0x41)]
            .map(|(n, kind)| encode(n, kind))
            .into();
        assert_eq!(
            encoded,
            [Encoded::Idr, Encoded::Delta, Encoded::Skipped, Encoded::Skipped, Encoded::Idr, Encoded::Delta]
        );
    }
}
