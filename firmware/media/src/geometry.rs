//! From the sensor's picture to the published one: mounting rotation, centre crop, scale, mirror (spec 10.1).

use std::sync::Arc;

use pic_scale::{
    BufferStore, ImageSize, ImageStore, ImageStoreMut, Resampling, ResamplingFunction, Scaler,
    ThreadingPolicy,
};

use crate::convert::{Converter, Picture, Source};
use crate::{Buffer, EncoderInput, Frame, Layout, PixelFormat, Plane, PlaneLayout, Pool, Pooled};

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
        let GeometrySettings { width, height, quarter_turns, .. } = settings;
        // Crop and scale in the sensor's orientation; turning comes last.
        let lying = |(width, height): (u32, u32)| {
            let (width, height) = (width as usize, height as usize);
            if quarter_turns % 2 == 1 { (height, width) } else { (width, height) }
        };
        let target = lying((width, height));
        let whole = (source.width, source.height);
        let crop = match shape {
            None => centre_crop(whole, target, zoom as usize),
            Some(shape) => {
                let [left, top, seen_width, seen_height] = centre_crop(whole, lying(shape), zoom as usize);
                let [x, y, width, height] = centre_crop((seen_width, seen_height), target, NO_ZOOM as usize);
                [left + x, top + y, width, height]
            }
        };
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

/// Part of a plane of `N` interleaved samples.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a, const N: usize> {
    pub(crate) plane: Plane<'a>,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Scales a part of a plane; hands the part on where the sizes agree.
pub(crate) struct PlaneScaler<const N: usize> {
    from: (usize, usize),
    to: (usize, usize),
    plan: Option<Arc<Resampling<u8, N>>>,
    scaled: Vec<u8>,
    scratch: Vec<u8>,
}

impl<const N: usize> PlaneScaler<N>
where
    (): Resample<N>,
{
    pub(crate) fn new(from: (usize, usize), to: (usize, usize)) -> Result<Self, GeometryError> {
        let plan = if from == to { None } else { Some(<() as Resample<N>>::plan(from, to)?) };
        let (scaled, scratch) = plan.as_ref().map_or((0, 0), |plan| (to.0 * to.1 * N, plan.scratch_size()));
        Ok(Self { from, to, plan, scaled: vec![0; scaled], scratch: vec![0; scratch] })
    }

    pub(crate) fn scale<'a>(&'a mut self, plane: Plane<'a>, left: usize, top: usize) -> Part<'a, N> {
        let (from, to) = (self.from, self.to);
        let start = (top * plane.stride + left * N).min(plane.data.len());
        let part = Plane { data: &plane.data[start..], stride: plane.stride };
        let Some(plan) = &self.plan else {
            return Part { plane: part, width: from.0, height: from.1 };
        };
        let source = ImageStore::<u8, N> {
            buffer: part.data.into(),
            channels: N,
            width: from.0,
            height: from.1,
            stride: plane.stride,
            bit_depth: 8,
        };
        let mut target = ImageStoreMut::<u8, N> {
            buffer: BufferStore::Borrowed(&mut self.scaled),
            channels: N,
            width: to.0,
            height: to.1,
            stride: to.0 * N,
            bit_depth: 8,
        };
        // The sizes are those of the plan, so this can't fail; a failure would leave the last picture in place.
        if let Err(error) = plan.resample_with_scratch(&source, &mut target, &mut self.scratch) {
            tracing::error!(%error, "scaling failed");
        }
        Part { plane: Plane { data: &self.scaled, stride: to.0 * N }, width: to.0, height: to.1 }
    }
}

/// Plans for planes of `N` samples a pixel.
pub(crate) trait Resample<const N: usize> {
    fn plan(from: (usize, usize), to: (usize, usize)) -> Result<Arc<Resampling<u8, N>>, GeometryError>;
}

fn scaler() -> Scaler {
    Scaler::new(ResamplingFunction::Bilinear).set_threading_policy(ThreadingPolicy::Single)
}

fn size((width, height): (usize, usize)) -> ImageSize {
    ImageSize::new(width, height)
}

impl Resample<1> for () {
    fn plan(from: (usize, usize), to: (usize, usize)) -> Result<Arc<Resampling<u8, 1>>, GeometryError> {
        let plan = scaler().plan_planar_resampling(size(from), size(to));
        plan.map_err(|error| GeometryError::Corrupt(error.to_string()))
    }
}

impl Resample<2> for () {
    fn plan(from: (usize, usize), to: (usize, usize)) -> Result<Arc<Resampling<u8, 2>>, GeometryError> {
        let plan = scaler().plan_cbcr_resampling(size(from), size(to));
        plan.map_err(|error| GeometryError::Corrupt(error.to_string()))
    }
}

impl Resample<3> for () {
    fn plan(from: (usize, usize), to: (usize, usize)) -> Result<Arc<Resampling<u8, 3>>, GeometryError> {
        let plan = scaler().plan_rgb_resampling(size(from), size(to));
        plan.map_err(|error| GeometryError::Corrupt(error.to_string()))
    }
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
