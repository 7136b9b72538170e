//! From the sensor's picture to the published one: mounting rotation, centre crop, scale, mirror (spec 10.1).

use std::sync::Arc;

use crate::convert::{Converter, Picture, Source};
use crate::scale::{Part, PlaneScaler};
use crate::{Buffer, EncoderInput, Frame, Layout, PixelFormat, PlaneLayout, Pool, Pooled};

/// Pictures on loan between geometry, encoder and later consumers.
const BUFFERS: usize = 4;

/// All of the picture, in tenths, and the way to the strongest zoom.
const NO_ZOOM: u32 = 10;
const WHOLE_ZOOM: u32 = 40;

/// How the published picture is made from the sensor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeometrySettings {
    /// Even, in pixels.
    pub width: u32,
    pub height: u32,
    /// Quarter turns clockwise that make the sensor's picture stand upright.
    pub quarter_turns: u8,
    /// Left and right exchanged.
    pub mirror: bool,
}

impl GeometrySettings {
    /// A size in the sensor's orientation: crop and scale come first, turning last.
    fn lying(self, (width, height): (u32, u32)) -> (usize, usize) {
        let (width, height) = (width as usize, height as usize);
        if self.quarter_turns % 2 == 1 { (height, width) } else { (width, height) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum GeometryError {
    #[error("a corrupt picture: {0}")]
    Corrupt(String),
    #[error("a {0} picture can't be made into a published one")]
    Unsupported(PixelFormat),
}

/// The geometry stage. A picture that fits as it is passes through without a copy.
pub struct Geometry {
    settings: GeometrySettings,
    /// In tenths.
    zoom: u32,
    /// What of the sensor's picture is cut from: all, or what a picture of this shape shows.
    shape: Option<(u32, u32)>,
    target: EncoderInput,
    converter: Converter,
    plan: Option<Plan>,
    pool: Arc<Pool<Box<dyn Buffer>>>,
}

/// What is prepared for pictures of one kind.
struct Plan {
    source: Source,
    /// In the sensor's picture: left, top, width, height, all even.
    crop: [usize; 4],
    luma: PlaneScaler<1>,
    chroma: ChromaScaler,
}

enum ChromaScaler {
    Planar(PlaneScaler<1>, PlaneScaler<1>),
    Interleaved(PlaneScaler<2>),
}

impl Geometry {
    /// Makes pictures as `target` has them, of the size of `settings`.
    pub fn new(settings: GeometrySettings, target: EncoderInput) -> Self {
        let bytes = Layout::packed(target.layout.format, settings.width, settings.height).size();
        let pool = Pool::new(BUFFERS, move || -> Box<dyn Buffer> { Box::new(vec![0; bytes]) });
        let converter = Converter::default();
        Self { settings, zoom: NO_ZOOM, shape: None, target, converter, plan: None, pool }
    }

    /// As [`Geometry::new`] for a display: the picture is a part of what another of this shape shows, and fills its place.
    pub fn within(shape: (u32, u32), settings: GeometrySettings) -> Self {
        let target = EncoderInput::in_memory(PixelFormat::I420, settings.width, settings.height);
        Self { shape: Some(shape), ..Self::new(settings, target) }
    }

    pub fn settings(&self) -> GeometrySettings {
        self.settings
    }

    /// Mirrors from the next picture on.
    pub fn set_mirror(&mut self, mirror: bool) {
        self.settings.mirror = mirror;
    }

    /// Turns from the next picture on.
    pub fn set_quarter_turns(&mut self, quarter_turns: u8) {
        if quarter_turns != self.settings.quarter_turns {
            self.settings.quarter_turns = quarter_turns;
            self.plan = None;
        }
    }

    /// One step towards `zoom` in tenths, which is reached within 300 ms of pictures at `fps`: enlarges the centre.
    pub fn approach_zoom(&mut self, zoom: u32, fps: u32) {
        let left = zoom.abs_diff(self.zoom);
        if left > 0 {
            let step = WHOLE_ZOOM.div_ceil((fps * 3 / 10).max(1)).min(left);
            self.zoom = if zoom > self.zoom { self.zoom + step } else { self.zoom - step };
            self.plan = None;
        }
    }

    /// Whether pictures of this layout are published as they are. Compressed H.264 always is.
    pub fn passes(&self, layout: &Layout) -> bool {
        let is_plain =
            self.settings.quarter_turns.is_multiple_of(4) && !self.settings.mirror && self.zoom == NO_ZOOM;
        layout.format == PixelFormat::H264 || is_plain && self.target.takes(layout)
    }

    /// Makes the published picture, in `memory` of the target or, without, in memory of its own without padding.
    pub fn make(
        &mut self,
        frame: &Frame,
        memory: Option<Pooled<Box<dyn Buffer>>>,
    ) -> Result<Frame, GeometryError> {
        let picture = self.converter.planar(frame)?;
        let plan = match &mut self.plan {
            Some(plan) if plan.source == picture.source => plan,
            plan => plan.insert(Plan::new(picture.source, self.settings, self.shape, self.zoom)?),
        };
        let canvas = Canvas::new(memory, self.target.layout, &self.pool);
        canvas.paint(plan, &picture, self.settings, frame)
    }

    /// As [`Geometry::make`] for a picture of the published size that is to be neither turned, mirrored nor enlarged.
    pub fn convert(
        &mut self,
        frame: &Frame,
        memory: Option<Pooled<Box<dyn Buffer>>>,
    ) -> Result<Frame, GeometryError> {
        let picture = self.converter.planar(frame)?;
        let settings = GeometrySettings { quarter_turns: 0, mirror: false, ..self.settings };
        let mut plan = Plan::new(picture.source, settings, None, NO_ZOOM)?;
        let canvas = Canvas::new(memory, self.target.layout, &self.pool);
        canvas.paint(&mut plan, &picture, settings, frame)
    }
}

/// What a picture is made on.
struct Canvas {
    layout: Layout,
    buffer: Pooled<Box<dyn Buffer>>,
}

impl Canvas {
    fn new(
        memory: Option<Pooled<Box<dyn Buffer>>>,
        layout: Layout,
        pool: &Arc<Pool<Box<dyn Buffer>>>,
    ) -> Self {
        match memory {
            Some(buffer) => Self { layout, buffer },
            None => Self {
                layout: Layout::packed(layout.format, layout.width, layout.height),
                buffer: pool.take(),
            },
        }
    }

    fn paint(
        mut self,
        plan: &mut Plan,
        picture: &Picture<'_>,
        settings: GeometrySettings,
        frame: &Frame,
    ) -> Result<Frame, GeometryError> {
        plan.apply(picture, settings, &self.layout, &mut **self.buffer);
        let used = self.layout.memory_bytes();
        Frame::new(self.layout, frame.captured, frame.sequence, used, self.buffer)
            .ok_or(GeometryError::Unsupported(frame.layout.format))
    }
}

impl Plan {
    fn new(
        source: Source,
        settings: GeometrySettings,
        shape: Option<(u32, u32)>,
        zoom: u32,
    ) -> Result<Self, GeometryError> {
        let target = settings.lying((settings.width, settings.height));
        let crop = crop((source.width, source.height), settings, shape, zoom);
        let [_, _, crop_width, crop_height] = crop;
        let half = |(width, height): (usize, usize)| (width.div_ceil(2), height.div_ceil(2));
        let chroma_crop = (crop_width / source.chroma_step.0, crop_height / source.chroma_step.1);
        let chroma = if source.interleaved {
            ChromaScaler::Interleaved(PlaneScaler::new(chroma_crop, half(target))?)
        } else {
            let plane = || PlaneScaler::new(chroma_crop, half(target));
            ChromaScaler::Planar(plane()?, plane()?)
        };
        Ok(Self { source, crop, luma: PlaneScaler::new((crop_width, crop_height), target)?, chroma })
    }

    fn apply(
        &mut self,
        picture: &Picture<'_>,
        settings: GeometrySettings,
        layout: &Layout,
        out: &mut dyn Buffer,
    ) {
        let turn = Turn { quarter_turns: settings.quarter_turns % 4, mirror: settings.mirror };
        let [left, top, ..] = self.crop;
        let (step_x, step_y) = self.source.chroma_step;
        let (chroma_left, chroma_top) = (left / step_x, top / step_y);
        let planes = layout.planes;
        turn.place(self.luma.scale(picture.y, left, top), target(out, planes[0]), <[u8; 1]>::clone_from);
        // Where Cb and Cr alternate in the target, and which comes first.
        let alternating = match layout.format {
            PixelFormat::Nv12 => Some(0),
            PixelFormat::Nv21 => Some(1),
            _ => None,
        };
        match (&mut self.chroma, alternating) {
            (ChromaScaler::Planar(scale_cb, scale_cr), None) => {
                let (cb, cr) = (picture.cb, picture.cr);
                let put = <[u8; 1]>::clone_from;
                turn.place(scale_cb.scale(cb, chroma_left, chroma_top), target(out, planes[1]), put);
                turn.place(scale_cr.scale(cr, chroma_left, chroma_top), target(out, planes[2]), put);
            }
            (ChromaScaler::Planar(scale_cb, scale_cr), Some(cb_at)) => {
                let put = |at: usize| move |to: &mut [u8; 2], from: &[u8; 1]| to[at] = from[0];
                let (cb, cr) = (picture.cb, picture.cr);
                let plane = planes[1];
                turn.place(scale_cb.scale(cb, chroma_left, chroma_top), target(out, plane), put(cb_at));
                turn.place(scale_cr.scale(cr, chroma_left, chroma_top), target(out, plane), put(1 - cb_at));
            }
            (ChromaScaler::Interleaved(scale), alternating) => {
                let part = scale.scale(picture.cb, chroma_left, chroma_top);
                let cb_from = usize::from(self.source.cr_first);
                match alternating {
                    None => {
                        let put = |from: usize| move |to: &mut [u8; 1], pair: &[u8; 2]| to[0] = pair[from];
                        turn.place(part, target(out, planes[1]), put(cb_from));
                        turn.place(part, target(out, planes[2]), put(1 - cb_from));
                    }
                    Some(cb_at) if cb_at == cb_from => {
                        turn.place(part, target(out, planes[1]), <[u8; 2]>::clone_from);
                    }
                    Some(_) => {
                        turn.place(part, target(out, planes[1]), |to: &mut [u8; 2], from: &[u8; 2]| {
                            *to = [from[1], from[0]];
                        });
                    }
                }
            }
        }
    }
}

/// The bytes of a colour plane that is to be written, and its stride.
fn target(out: &mut dyn Buffer, plane: PlaneLayout) -> (&mut [u8], usize) {
    (out.plane_mut(plane.memory).get_mut(plane.offset..).unwrap_or_default(), plane.stride)
}

/// What of the sensor's picture is made into another: left, top, width, height, all even.
fn crop(
    source: (usize, usize),
    settings: GeometrySettings,
    shape: Option<(u32, u32)>,
    zoom: u32,
) -> [usize; 4] {
    let target = settings.lying((settings.width, settings.height));
    let Some(shape) = shape else {
        return centre_crop(source, target, zoom as usize);
    };
    let [left, top, width, height] = centre_crop(source, settings.lying(shape), zoom as usize);
    let [x, y, width, height] = centre_crop((width, height), target, NO_ZOOM as usize);
    [left + x, top + y, width, height]
}

/// The largest centred part of `source` with the shape of `target`, made smaller by `zoom` tenths: left, top, width,
/// height, all even.
fn centre_crop(source: (usize, usize), target: (usize, usize), zoom: usize) -> [usize; 4] {
    let even = |length: usize| (length & !1).max(2);
    let (width, height) = source;
    let (crop_width, crop_height) = if width * target.1 > height * target.0 {
        (even((height * target.0 + target.1 / 2) / target.1), even(height))
    } else {
        (even(width), even((width * target.1 + target.0 / 2) / target.0))
    };
    let zoomed = |length: usize| even(length * NO_ZOOM as usize / zoom.max(1));
    let (crop_width, crop_height) =
        (zoomed(crop_width.min(even(width))), zoomed(crop_height.min(even(height))));
    [((width - crop_width) / 2) & !1, ((height - crop_height) / 2) & !1, crop_width, crop_height]
}

/// The last step: a part is turned, mirrored and written where it belongs.
#[derive(Clone, Copy)]
struct Turn {
    quarter_turns: u8,
    mirror: bool,
}

impl Turn {
    /// Writes each of the part's pixels to where it belongs; `put` writes one.
    fn place<const N: usize, const M: usize>(
        self,
        part: Part<'_, N>,
        (out, stride): (&mut [u8], usize),
        put: impl Fn(&mut [u8; M], &[u8; N]),
    ) {
        let Part { plane, width, height } = part;
        let row = |y: usize| plane.data[y * plane.stride..][..width * N].as_chunks::<N>().0;
        let at = |x: usize, y: usize| plane.data[y * plane.stride + x * N..].first_chunk::<N>();
        let (out_width, out_height) =
            if self.quarter_turns % 2 == 1 { (height, width) } else { (width, height) };
        for (y, line) in out.chunks_mut(stride).take(out_height).enumerate() {
            let line = line[..out_width * M].as_chunks_mut::<M>().0;
            let mirror = self.mirror;
            match self.quarter_turns {
                0 => fill(line, row(y).iter(), mirror, &put),
                2 => fill(line, row(height - 1 - y).iter().rev(), mirror, &put),
                1 => fill(line, (0..height).rev().filter_map(|x| at(y, x)), mirror, &put),
                _ => fill(line, (0..height).filter_map(|x| at(width - 1 - y, x)), mirror, &put),
            }
        }
    }
}

/// From the left, or mirrored from the right.
fn fill<'a, const N: usize, const M: usize>(
    line: &mut [[u8; M]],
    pixels: impl Iterator<Item = &'a [u8; N]>,
    mirror: bool,
    put: impl Fn(&mut [u8; M], &[u8; N]),
) {
    if mirror {
        line.iter_mut().rev().zip(pixels).for_each(|(to, from)| put(to, from));
    } else {
        line.iter_mut().zip(pixels).for_each(|(to, from)| put(to, from));
    }
}
