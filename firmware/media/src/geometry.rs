//! From the sensor's picture to the published one: mounting rotation, centre crop, scale, mirror (spec 10.1).

use std::sync::Arc;

use pic_scale::{
    BufferStore, ImageSize, ImageStore, ImageStoreMut, Resampling, ResamplingFunction, Scaler,
    ThreadingPolicy,
};

use crate::convert::{Converter, Picture, Source};
use crate::{Buffer, Frame, Layout, PixelFormat, Plane, Pool};

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
    layout: Layout,
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
    pub fn new(settings: GeometrySettings) -> Self {
        let layout = Layout::packed(PixelFormat::I420, settings.width, settings.height);
        let bytes = layout.size();
        let pool = Pool::new(BUFFERS, move || -> Box<dyn Buffer> { Box::new(vec![0; bytes]) });
        Self { settings, zoom: NO_ZOOM, layout, converter: Converter::default(), plan: None, pool }
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

    /// Makes the published picture, I420. Compressed H.264 passes as it is.
    pub fn process(&mut self, frame: Frame) -> Result<Frame, GeometryError> {
        if frame.layout.format == PixelFormat::H264 || self.fits(frame.layout) {
            return Ok(frame);
        }
        let picture = self.converter.planar(&frame)?;
        let plan = match &mut self.plan {
            Some(plan) if plan.source == picture.source => plan,
            plan => plan.insert(Plan::new(picture.source, self.settings, self.zoom)?),
        };
        let mut buffer = self.pool.take();
        plan.apply(&picture, self.settings, &self.layout, buffer.plane_mut(0));
        let used = [self.layout.size(), 0, 0];
        Frame::new(self.layout, frame.captured, frame.sequence, used, buffer)
            .ok_or(GeometryError::Unsupported(frame.layout.format))
    }

    fn fits(&self, layout: Layout) -> bool {
        let GeometrySettings { width, height, quarter_turns, mirror } = self.settings;
        layout.format == PixelFormat::I420
            && (layout.width, layout.height) == (width, height)
            && quarter_turns % 4 == 0
            && !mirror
            && self.zoom == NO_ZOOM
    }
}

impl Plan {
    fn new(source: Source, settings: GeometrySettings, zoom: u32) -> Result<Self, GeometryError> {
        let GeometrySettings { width, height, quarter_turns, .. } = settings;
        // Crop and scale in the sensor's orientation; turning comes last.
        let (width, height) = if quarter_turns % 2 == 1 { (height, width) } else { (width, height) };
        let target = (width as usize, height as usize);
        let crop = centre_crop((source.width, source.height), target, zoom as usize);
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

    fn apply(&mut self, picture: &Picture<'_>, settings: GeometrySettings, layout: &Layout, out: &mut [u8]) {
        let turn = Turn { quarter_turns: settings.quarter_turns % 4, mirror: settings.mirror };
        let [left, top, ..] = self.crop;
        let (step_x, step_y) = self.source.chroma_step;
        let (chroma_left, chroma_top) = (left / step_x, top / step_y);
        let (y, chroma) = out.split_at_mut(layout.planes[1].offset);
        let (cb, cr) = chroma.split_at_mut(layout.planes[2].offset - layout.planes[1].offset);
        let [luma_stride, chroma_stride, _] = layout.planes.map(|plane| plane.stride);
        turn.place(self.luma.scale(picture.y, left, top), 0, y, luma_stride);
        match &mut self.chroma {
            ChromaScaler::Planar(scale_cb, scale_cr) => {
                turn.place(scale_cb.scale(picture.cb, chroma_left, chroma_top), 0, cb, chroma_stride);
                turn.place(scale_cr.scale(picture.cr, chroma_left, chroma_top), 0, cr, chroma_stride);
            }
            ChromaScaler::Interleaved(scale) => {
                let scaled = scale.scale(picture.cb, chroma_left, chroma_top);
                let first = usize::from(self.source.cr_first);
                turn.place(scaled, first, cb, chroma_stride);
                turn.place(scaled, 1 - first, cr, chroma_stride);
            }
        }
    }
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
    /// Writes sample `sample` of each of the part's pixels to `out`.
    fn place<const N: usize>(self, part: Part<'_, N>, sample: usize, out: &mut [u8], stride: usize) {
        let Part { plane, width, height } = part;
        let row = |y: usize| &plane.data[y * plane.stride..][..width * N];
        let (out_width, out_height) =
            if self.quarter_turns % 2 == 1 { (height, width) } else { (width, height) };
        for (y, line) in out.chunks_mut(stride).take(out_height).enumerate() {
            let line = &mut line[..out_width];
            match self.quarter_turns {
                0 if N == 1 => line.copy_from_slice(row(y)),
                0 => pick(line, row(y).chunks_exact(N).map(|pixel| pixel[sample])),
                2 => pick(line, row(height - 1 - y).chunks_exact(N).rev().map(|pixel| pixel[sample])),
                1 => pick(line, (0..height).rev().map(|x| plane.data[x * plane.stride + y * N + sample])),
                _ => {
                    let column = (width - 1 - y) * N + sample;
                    pick(line, (0..height).map(|x| plane.data[x * plane.stride + column]));
                }
            }
            if self.mirror {
                line.reverse();
            }
        }
    }
}

fn pick(line: &mut [u8], samples: impl Iterator<Item = u8>) {
    for (to, from) in line.iter_mut().zip(samples) {
        *to = from;
    }
}
