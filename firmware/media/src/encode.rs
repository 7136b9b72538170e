use crate::Frame;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum H264Profile {
    ConstrainedBaseline,
    Main,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderSettings {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// Bits a second.
    pub bitrate: u32,
    /// Pictures from one IDR to the next.
    pub gop: u32,
    pub profile: H264Profile,
}

#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("{encoder} can't be opened: {cause}")]
    Open { encoder: &'static str, cause: String },
    #[error("{encoder} refused a picture: {cause}")]
    Picture { encoder: &'static str, cause: String },
    #[error("{encoder} takes no {what}")]
    Unsupported { encoder: &'static str, what: String },
}

/// What became of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// An access unit that starts with an IDR picture.
    Idr,
    /// An access unit that refers to earlier ones.
    Delta,
    /// Left out by the encoder's rate control.
    Skipped,
}

/// An H.264 encoder without B-frames.
pub trait VideoEncoder: Send {
    fn name(&self) -> &'static str;

    /// Encodes one picture and appends its access unit to `out` in Annex B form (H.264 annex B), parameter sets
    /// before each IDR picture.
    fn encode(&mut self, picture: &Frame, idr: bool, out: &mut Vec<u8>) -> Result<Encoded, EncodeError>;

    /// Sets the target for the pictures to come, in bits a second, without a key frame.
    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError>;

    /// Sets the rate of the pictures to come. The IDR distance stays the same in seconds.
    fn set_fps(&mut self, fps: u32) -> Result<(), EncodeError>;
}
