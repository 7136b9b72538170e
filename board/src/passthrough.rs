use media::{EncodeError, Encoded, Frame, VideoEncoder};

const NAME: &str = "passthrough";

/// For sources that deliver H.264 themselves: hands their access units on. It can't set rates nor make IDR pictures.
pub(crate) struct Passthrough;

impl VideoEncoder for Passthrough {
    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&mut self, picture: &Frame, _idr: bool, out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
        let access_unit = picture.compressed();
        out.extend_from_slice(access_unit);
        let idr =
            media::nal_units(access_unit).any(|nal| nal.first().is_some_and(|header| header & 0x1f == 5));
        Ok(if idr { Encoded::Idr } else { Encoded::Delta })
    }

    fn set_bitrate(&mut self, _bitrate: u32) -> Result<(), EncodeError> {
        Err(EncodeError::Unsupported { encoder: NAME, what: "bitrate".into() })
    }

    fn set_fps(&mut self, _fps: u32) -> Result<(), EncodeError> {
        Err(EncodeError::Unsupported { encoder: NAME, what: "frame rate".into() })
    }
}
