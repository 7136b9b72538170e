//! An encoder's two queues with their formats (kernel: userspace-api/media/v4l/dev-encoder, "Initialization").

use std::io;
use std::sync::Arc;

use media::{EncoderSettings, Layout, PixelFormat};

use super::device::Device;
use super::format::{fourcc, known, layout};
use super::queue::Queue;
use crate::{Codec, V4l2EncoderConfig};

/// Why it can't be opened.
pub(super) enum Refusal {
    /// For pictures of this size.
    Size,
    Other(io::Error),
}

impl Refusal {
    /// All contexts that it has are open.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Other(cause) if cause.raw_os_error() == Some(libc::EBUSY))
    }
}

impl From<io::Error> for Refusal {
    fn from(cause: io::Error) -> Self {
        Self::Other(cause)
    }
}

/// Both queues with their formats, before there are buffers.
pub(super) struct Context {
    pub(super) device: Arc<Device>,
    pub(super) coded: Queue,
    pub(super) pictures: Queue,
    pub(super) layout: Layout,
}

impl Context {
    pub(super) fn new(config: &V4l2EncoderConfig, settings: &EncoderSettings) -> Result<Self, Refusal> {
        if !config.takes(settings.width, settings.height) {
            return Err(Refusal::Size);
        }
        let device = Arc::new(Device::open_encoder(&config.device)?);
        let (coded, pictures) = (Queue::capture(&device), Queue::output(&device));
        let size = (settings.width, settings.height);
        let code = config.codec.fourcc();
        let unsupported = |what: String| Refusal::Other(io::Error::new(io::ErrorKind::Unsupported, what));
        // An IDR picture has fewer bytes than a raw one by far.
        let bytes = (size.0 * size.1 / 2).max(256 << 10) as usize;
        if coded.set_format(code, size, [0; 3], bytes)?.fourcc != code {
            return Err(unsupported(format!("it does not encode {:?}", config.codec)));
        }
        let (raw, strides) = raw_format(&pictures.formats(), settings.source)
            .ok_or_else(|| unsupported("it takes none of NV12, NV21 and YU12".into()))?;
        let pix = pictures.set_format(raw, size, strides, 0)?;
        let mut layout = layout(&pix)
            .filter(|_| pix.fourcc == raw)
            .ok_or_else(|| unsupported("it takes another format than it offers".into()))?;
        if pix.width < size.0 || pix.height < size.1 {
            return Err(Refusal::Size);
        }
        pictures.set_rate(settings.fps.into());
        // What it rounded up to must not be seen.
        let seen = pictures.crop(size).unwrap_or((pix.width, pix.height));
        if seen != size {
            tracing::debug!("{}x{} would be seen as {}x{}", size.0, size.1, seen.0, seen.1);
            return Err(Refusal::Size);
        }
        (layout.width, layout.height) = size;
        Ok(Self { device, coded, pictures, layout })
    }
}

/// How an encoder would have the pictures of these settings; `None` where it can't be asked.
pub(crate) fn input_layout(config: &V4l2EncoderConfig, settings: &EncoderSettings) -> Option<Layout> {
    Context::new(config, settings).ok().map(|context| context.layout)
}

/// The raw format that pictures have already, or else the first that can be made, and the strides that they have.
fn raw_format(offered: &[u32], source: Option<Layout>) -> Option<(u32, [usize; 3])> {
    let order = [PixelFormat::Nv12, PixelFormat::I420, PixelFormat::Nv21];
    let find = |pixels: PixelFormat, apart: Option<bool>| {
        let fits = |code: &&u32| {
            known(**code)
                .is_some_and(|(found, is_apart)| found == pixels && apart.is_none_or(|it| it == is_apart))
        };
        offered.iter().find(fits).copied()
    };
    let as_source = source.filter(|layout| order.contains(&layout.format)).and_then(|layout| {
        let apart = layout.planes[1].memory == 1;
        Some((find(layout.format, Some(apart))?, layout.planes.map(|plane| plane.stride)))
    });
    as_source.or_else(|| Some((order.iter().find_map(|pixels| find(*pixels, None))?, [0; 3])))
}

impl Codec {
    fn fourcc(self) -> u32 {
        match self {
            Self::H264 => fourcc(*b"H264"),
            Self::Fwht => fourcc(*b"FWHT"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cameras_format_is_taken_before_any_that_must_be_made() {
        let offered = [*b"YU12", *b"NV12", *b"NM12"].map(fourcc);
        let nv12 = Layout::contiguous(PixelFormat::Nv12, 640, 480, 704);
        assert_eq!(raw_format(&offered, Some(nv12)), Some((fourcc(*b"NV12"), [704, 704, 0])));
        let mut apart = nv12;
        (apart.planes[1].memory, apart.planes[1].offset) = (1, 0);
        assert_eq!(raw_format(&offered, Some(apart)), Some((fourcc(*b"NM12"), [704, 704, 0])));
        let i420 = Layout::packed(PixelFormat::I420, 640, 480);
        assert_eq!(raw_format(&offered, Some(i420)), Some((fourcc(*b"YU12"), [640, 320, 320])));
        let yuyv = Layout::packed(PixelFormat::Yuyv, 640, 480);
        for source in [None, Some(yuyv)] {
            assert_eq!(raw_format(&offered, source), Some((fourcc(*b"NV12"), [0; 3])));
        }
        assert_eq!(raw_format(&[fourcc(*b"RGB3")], None), None);
    }
}
