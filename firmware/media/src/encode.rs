use std::time::Duration;

use crate::{Buffer, Bytes, Frame, Layout, PixelFormat, Pooled, Timestamp, start_codes};

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
    /// The video buffering verifier's size (H.264 annex C), in time at the bitrate.
    pub vbv: Duration,
    /// Pictures from one IDR picture to the next. The pipeline asks for each in time; an encoder that counts by itself
    /// counts no less than this.
    pub gop: u32,
    pub profile: H264Profile,
    /// How pictures lie that would need no work: an encoder that can take them so has this as its input.
    pub source: Option<Layout>,
}

impl EncoderSettings {
    /// The same for another rate: IDR pictures stay as far apart in time.
    #[must_use]
    pub fn with_fps(self, fps: u32) -> Self {
        let gop = u64::from(self.gop) * u64::from(fps) / u64::from(self.fps.max(1));
        Self { fps, gop: u32::try_from(gop).unwrap_or(u32::MAX).max(1), ..self }
    }

    /// Bits that the video buffering verifier holds at `bitrate`.
    pub fn vbv_bits(&self, bitrate: u32) -> u64 {
        u64::from(bitrate) * self.vbv.as_millis() as u64 / 1000
    }
}

#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("{encoder} can't be opened: {cause}")]
    Open { encoder: String, cause: String },
    /// It can't be opened for that size, but may be for another.
    #[error("{encoder} takes no pictures of {width}x{height}")]
    Size { encoder: String, width: u32, height: u32 },
    #[error("{encoder} failed: {cause}")]
    Failed { encoder: String, cause: String },
    #[error("{encoder} takes no {what}")]
    Unsupported { encoder: String, what: String },
    /// Pictures went in, and nothing came out, or no bytes.
    #[error("{encoder} put out nothing for {} ms", waited.as_millis())]
    Stalled { encoder: String, waited: Duration },
}

/// The pictures that an encoder takes as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderInput {
    /// How a picture lies that is made for it, by which its format and size are given too.
    pub layout: Layout,
    /// Whether the planes of other pictures may lie anywhere and have any stride, or only as in `layout`.
    pub any_strides: bool,
    /// Whether it reads a picture where it is if that has DMA-BUFs ([`Buffer::dma_buf`]). Others it copies.
    pub imports: bool,
    /// Pictures that stay inside until later ones come.
    pub latency: usize,
}

impl EncoderInput {
    /// For an encoder that reads planes in memory during [`VideoEncoder::submit`].
    pub fn in_memory(format: PixelFormat, width: u32, height: u32) -> Self {
        let layout = Layout::packed(format, width, height);
        Self { layout, any_strides: true, imports: false, latency: 0 }
    }

    /// Whether pictures of this layout need no work before they are encoded.
    pub fn takes(&self, layout: &Layout) -> bool {
        let kind = |layout: &Layout| (layout.format, layout.width, layout.height);
        kind(layout) == kind(&self.layout) && (self.any_strides || layout.planes == self.layout.planes)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessUnitKind {
    /// Starts with an IDR picture.
    Idr,
    /// Refers to earlier ones.
    Delta,
    /// Left out by the encoder's rate control, or lost: there are no bytes.
    Skipped,
}

impl AccessUnitKind {
    /// Of an access unit in byte stream form, by its first slice (NAL unit types of H.264 table 7-1); `None` where it has
    /// none.
    pub fn of(stream: &[u8]) -> Option<Self> {
        start_codes(stream).find_map(|(_, nal)| match stream.get(nal)? & 0x1f {
            5 => Some(Self::Idr),
            1 => Some(Self::Delta),
            _ => None,
        })
    }
}

/// What became of a picture.
pub struct AccessUnit {
    pub kind: AccessUnitKind,
    /// Of the picture.
    pub captured: Timestamp,
    /// In byte stream form (H.264 annex B), parameter sets before each IDR picture.
    pub bytes: Bytes,
}

/// An H.264 encoder without B-frames: pictures go in, and their access units come out in the same order, at once or while
/// later pictures are under way.
pub trait VideoEncoder: Send {
    fn name(&self) -> &str;

    /// Whether the work is done outside of the processor's cores (status code 1008).
    fn is_hardware(&self) -> bool;

    fn input(&self) -> EncoderInput;

    /// Memory of its own for a picture that is to be made, to be filled as [`EncoderInput::layout`] says and submitted
    /// without a copy. `None` where any memory will do, or where none is free.
    fn memory(&mut self) -> Option<Pooled<Box<dyn Buffer>>> {
        None
    }

    /// Whether it can take a picture now.
    fn has_room(&mut self) -> Result<bool, EncodeError> {
        Ok(true)
    }

    /// Takes a picture that [`EncoderInput::takes`] accepts, while there is room. The frame goes back to where it came from
    /// once it is encoded. `idr` asks for an IDR picture. Returns how many bytes of the picture had to be copied.
    fn submit(&mut self, picture: Frame, idr: bool) -> Result<usize, EncodeError>;

    /// The next access unit: what became of the oldest picture inside. Waits up to `wait` for it, not at all where nothing
    /// is inside.
    fn next(&mut self, wait: Duration) -> Result<Option<AccessUnit>, EncodeError>;

    /// Has it put out what is inside: no more pictures come. [`VideoEncoder::next`] gives nothing more once all is out.
    fn drain(&mut self) -> Result<(), EncodeError> {
        Ok(())
    }

    /// Sets the target for the pictures to come, in bits a second, without a key frame. One that keeps the target with which
    /// it was opened answers [`EncodeError::Unsupported`] and goes on.
    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError>;

    /// Sets the rate of the pictures to come.
    fn set_fps(&mut self, fps: u32) -> Result<(), EncodeError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_unit_is_known_by_its_first_slice() {
        let sets = [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2];
        assert_eq!(AccessUnitKind::of(&sets), None);
        assert_eq!(AccessUnitKind::of(&[&sets[..], &[0, 0, 1, 0x65, 3]].concat()), Some(AccessUnitKind::Idr));
        assert_eq!(AccessUnitKind::of(&[0, 0, 0, 1, 6, 9, 0, 0, 1, 0x41, 3]), Some(AccessUnitKind::Delta));
    }
}
