//! Any picture that a camera delivers as planes that the geometry stage can cut and scale.

use turbojpeg::{Decompressor, Subsamp, YuvImage};
use yuv::{BufferStoreMut, YuvPackedImage, YuvPlanarImageMut, yuyv422_to_yuv420};

use crate::geometry::GeometryError;
use crate::{Frame, Layout, PixelFormat, Plane};

/// What kind of planes a picture has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Luma pixels to a chroma sample across and down: (2, 2) for 4:2:0, (2, 1) for 4:2:2, (1, 1) for 4:4:4.
    pub(crate) chroma_step: (usize, usize),
    /// Cb and Cr alternate in the plane `cb`.
    pub(crate) interleaved: bool,
    /// Cr is the first of an interleaved pair.
    pub(crate) cr_first: bool,
}

pub(crate) struct Picture<'a> {
    pub(crate) source: Source,
    pub(crate) y: Plane<'a>,
    pub(crate) cb: Plane<'a>,
    pub(crate) cr: Plane<'a>,
}

/// Makes planes of packed and compressed pictures in memory of its own; passes planar ones through.
#[derive(Default)]
pub(crate) struct Converter {
    planes: Vec<u8>,
    jpeg: Option<Decompressor>,
}

impl Converter {
    pub(crate) fn planar<'a>(&'a mut self, frame: &'a Frame) -> Result<Picture<'a>, GeometryError> {
        let Layout { format, width, height, .. } = frame.layout;
        let (width, height) = (width as usize, height as usize);
        let [y, cb, cr] = [0, 1, 2].map(|i| frame.plane(i));
        let source = Source { width, height, chroma_step: (2, 2), interleaved: false, cr_first: false };
        match format {
            PixelFormat::I420 => Ok(Picture { source, y, cb, cr }),
            PixelFormat::Nv12 => {
                Ok(Picture { source: Source { interleaved: true, ..source }, y, cb, cr: cb })
            }
            PixelFormat::Nv21 => {
                Ok(Picture { source: Source { interleaved: true, cr_first: true, ..source }, y, cb, cr: cb })
            }
            PixelFormat::Yuyv => self.unpack(y, source),
            PixelFormat::Mjpeg => self.decode(frame.compressed(), frame.layout),
            PixelFormat::H264 => Err(GeometryError::Unsupported(format)),
        }
    }

    fn unpack(&mut self, packed: Plane<'_>, source: Source) -> Result<Picture<'_>, GeometryError> {
        let Source { width, height, .. } = source;
        let layout = Layout::packed(PixelFormat::I420, width as u32, height as u32);
        self.planes.resize(layout.size(), 0);
        let mut planar = planar_target(&layout, &mut self.planes);
        let packed = YuvPackedImage {
            yuy: packed.data,
            yuy_stride: packed.stride as u32,
            width: width as u32,
            height: height as u32,
        };
        yuyv422_to_yuv420(&mut planar, &packed).map_err(|error| GeometryError::Corrupt(error.to_string()))?;
        Ok(self.picture(source))
    }

    fn decode(&mut self, jpeg: &[u8], layout: Layout) -> Result<Picture<'_>, GeometryError> {
        let corrupt = |error: turbojpeg::Error| GeometryError::Corrupt(error.to_string());
        let decompressor = match &mut self.jpeg {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new().map_err(corrupt)?),
        };
        let header = decompressor.read_header(jpeg).map_err(corrupt)?;
        if (header.width, header.height) != (layout.width as usize, layout.height as usize) {
            let cause = format!(
                "JPEG of {}x{} among {}x{}",
                header.width, header.height, layout.width, layout.height
            );
            return Err(GeometryError::Corrupt(cause));
        }
        let chroma_step = match header.subsamp {
            Subsamp::Sub2x2 => (2, 2),
            Subsamp::Sub2x1 => (2, 1),
            Subsamp::None => (1, 1),
            other => return Err(GeometryError::Corrupt(format!("JPEG with subsampling {other:?}"))),
        };
        let size =
            turbojpeg::yuv_pixels_len(header.width, 1, header.height, header.subsamp).map_err(corrupt)?;
        self.planes.resize(size, 0);
        let image = YuvImage {
            pixels: self.planes.as_mut_slice(),
            width: header.width,
            align: 1,
            height: header.height,
            subsamp: header.subsamp,
        };
        decompressor.decompress_to_yuv(jpeg, image).map_err(corrupt)?;
        let (width, height) = (header.width, header.height);
        let (luma, chroma) = self.planes.split_at_mut(width * height);
        to_studio_range(luma, 219, 16);
        to_studio_range(chroma, 224, 16);
        Ok(self.picture(Source { width, height, chroma_step, interleaved: false, cr_first: false }))
    }

    /// The planes that were made, one after another without padding.
    fn picture(&self, source: Source) -> Picture<'_> {
        let Source { width, height, chroma_step, .. } = source;
        let chroma_width = width.div_ceil(chroma_step.0);
        let chroma_size = chroma_width * height.div_ceil(chroma_step.1);
        let (y, chroma) = self.planes.split_at(width * height);
        let (cb, cr) = chroma.split_at(chroma_size);
        Picture {
            source,
            y: Plane { data: y, stride: width },
            cb: Plane { data: cb, stride: chroma_width },
            cr: Plane { data: cr, stride: chroma_width },
        }
    }
}

/// JFIF has samples of the full range, video encoders take the studio range (BT.601 clause 2.5.3): `steps` above `lowest`.
fn to_studio_range(samples: &mut [u8], steps: u32, lowest: u8) {
    for sample in samples {
        *sample = ((u32::from(*sample) * steps + 127) / 255) as u8 + lowest;
    }
}

/// The planes of an I420 picture in `bytes`, to be written.
pub(crate) fn planar_target<'a>(layout: &Layout, bytes: &'a mut [u8]) -> YuvPlanarImageMut<'a, u8> {
    let (y, chroma) = bytes.split_at_mut(layout.planes[1].offset);
    let (cb, cr) = chroma.split_at_mut(layout.planes[2].offset - layout.planes[1].offset);
    let [luma_stride, chroma_stride, _] = layout.planes.map(|plane| plane.stride as u32);
    YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(y),
        y_stride: luma_stride,
        u_plane: BufferStoreMut::Borrowed(cb),
        u_stride: chroma_stride,
        v_plane: BufferStoreMut::Borrowed(cr),
        v_stride: chroma_stride,
        width: layout.width,
        height: layout.height,
    }
}

/// The way back: `steps` around or above `zero` become the full range around or above `full_zero`.
pub(crate) fn to_full_range(samples: &mut [u8], steps: i32, zero: i32, full_zero: i32) {
    for sample in samples {
        let scaled = ((i32::from(*sample) - zero) * 510 + steps).div_euclid(2 * steps);
        *sample = (scaled + full_zero).clamp(0, 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_studio_range_becomes_the_full_range() {
        let mut luma = [0, 16, 126, 235, 255];
        super::to_full_range(&mut luma, 219, 16, 0);
        assert_eq!(luma, [0, 0, 128, 255, 255]);
        let mut chroma = [0, 16, 128, 240, 255];
        super::to_full_range(&mut chroma, 224, 128, 128);
        assert_eq!(chroma, [0, 1, 128, 255, 255]);
    }

    #[test]
    fn the_full_range_becomes_the_studio_range() {
        let mut luma = [0, 1, 128, 255];
        super::to_studio_range(&mut luma, 219, 16);
        assert_eq!(luma, [16, 17, 126, 235]);
        let mut chroma = [0, 128, 255];
        super::to_studio_range(&mut chroma, 224, 16);
        assert_eq!(chroma, [16, 128, 240]);
    }
}
