//! Planes of another size.

use std::sync::Arc;

use pic_scale::{
    BufferStore, ImageSize, ImageStore, ImageStoreMut, Resampling, ResamplingFunction, Scaler,
    ThreadingPolicy,
};

use crate::Plane;
use crate::geometry::GeometryError;

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
