//! Stills: a picture file becomes a frame for viewers (spec 4.15), a frame becomes a JPEG file (spec 6.5).

mod exif;
mod file;

use turbojpeg::{Compressor, Subsamp, YuvImage};
use yuv::{YuvConversionMode, YuvRange, YuvStandardMatrix, rgb_to_yuv420};

use crate::convert::{Converter, planar_target, to_full_range};
use crate::scale::{Part, PlaneScaler};
use crate::{Buffer, Frame, GeometryError, Layout, PixelFormat, Plane, Pool, Timestamp};

#[derive(Debug, thiserror::Error)]
pub enum StillError {
    #[error("neither JPEG nor PNG: give a picture in one of these formats")]
    Format,
    #[error("a picture of {width}x{height} pixels: scale it down, 1920x1920 is enough")]
    TooBig { width: usize, height: usize },
    #[error("a damaged picture, or a kind that is not supported ({0}): save it anew as plain JPEG or PNG")]
    Corrupt(String),
    #[error("a frame of {width}x{height} pixels: both must be even and not zero")]
    Size { width: u32, height: u32 },
    #[error(transparent)]
    Frame(#[from] GeometryError),
    #[error("a JPEG picture can't be made: {0}")]
    Encode(#[from] turbojpeg::Error),
}

/// The picture of a JPEG or PNG file, as large as it goes into a frame of this even size and centred on black:
/// I420, captured at zero. Of an animation it is the first picture.
///
/// While it works it takes up to 200 MB for the largest pictures that it accepts.
pub fn decode(bytes: &[u8], width: u32, height: u32) -> Result<Frame, StillError> {
    check_size(width, height)?;
    let frame = (width as usize, height as usize);
    let picture = file::read(bytes, frame)?;
    let source = (picture.width, picture.height);
    let mut scaler = PlaneScaler::<3>::new(source, contain(source, picture.turned(frame)))?;
    let plane = Plane { data: &picture.rgb, stride: picture.width * 3 };
    let mut canvas = vec![0; frame.0 * frame.1 * 3];
    place(scaler.scale(plane, 0, 0), picture.orientation, &mut canvas, frame);
    to_frame(&canvas, width, height)
}

/// A black frame.
pub fn black(width: u32, height: u32) -> Result<Frame, StillError> {
    check_size(width, height)?;
    to_frame(&vec![0; width as usize * height as usize * 3], width, height)
}

/// The frame as a JPEG file; `quality` from 1 to 100. The frame is one of a camera or a published one, but no H.264.
pub fn jpeg(frame: &Frame, quality: u8) -> Result<Vec<u8>, StillError> {
    check_size(frame.layout.width, frame.layout.height)?;
    let mut converter = Converter::default();
    let picture = converter.planar(frame)?;
    let source = picture.source;
    let subsamp = match source.chroma_step {
        (1, _) => Subsamp::None,
        (_, 1) => Subsamp::Sub2x1,
        _ => Subsamp::Sub2x2,
    };
    let chroma = (source.width / source.chroma_step.0, source.height / source.chroma_step.1);
    let (step, cr_first) = (1 + usize::from(source.interleaved), usize::from(source.cr_first));
    let cr_offset = if source.interleaved { 1 - cr_first } else { 0 };
    let mut pixels = Vec::with_capacity(source.width * source.height + 2 * chroma.0 * chroma.1);
    append(&mut pixels, picture.y, (source.width, source.height), 0, 1);
    let luma = pixels.len();
    append(&mut pixels, picture.cb, chroma, cr_first, step);
    append(&mut pixels, picture.cr, chroma, cr_offset, step);
    let (y, cb_cr) = pixels.split_at_mut(luma);
    to_full_range(y, 219, 16, 0);
    to_full_range(cb_cr, 224, 128, 128);

    let (width, height) = (source.width, source.height);
    let mut compressor = Compressor::new()?;
    compressor.set_quality(quality.into())?;
    let image = YuvImage { pixels: pixels.as_slice(), width, align: 1, height, subsamp };
    Ok(compressor.compress_yuv_to_vec(image)?)
}

/// Takes sample `first` of each `step` of the plane's rows.
fn append(pixels: &mut Vec<u8>, plane: Plane<'_>, size: (usize, usize), first: usize, step: usize) {
    for row in plane.data.chunks(plane.stride).take(size.1) {
        pixels.extend(row.iter().skip(first).step_by(step).take(size.0));
    }
}

fn check_size(width: u32, height: u32) -> Result<(), StillError> {
    let fits = [width, height].iter().all(|side| *side > 0 && side % 2 == 0);
    if fits { Ok(()) } else { Err(StillError::Size { width, height }) }
}

/// The largest even size with the shape of `source` in `frame`.
fn contain(source: (usize, usize), frame: (usize, usize)) -> (usize, usize) {
    let even = |length: usize, by: usize, most: usize| ((length + by) / (2 * by) * 2).clamp(2, most);
    if source.0 * frame.1 > source.1 * frame.0 {
        (frame.0, even(source.1 * frame.0, source.0, frame.1))
    } else {
        (even(source.0 * frame.1, source.1, frame.0), frame.1)
    }
}

/// Puts the picture upright in the canvas's centre. `orientation` is Exif's (CIPA DC-008, 4.6.5).
fn place(part: Part<'_, 3>, orientation: u8, canvas: &mut [u8], frame: (usize, usize)) {
    let Part { plane, width, height } = part;
    let (out_width, out_height) = if orientation > 4 { (height, width) } else { (width, height) };
    // At even places, so that no chroma sample has a part in both picture and black.
    let (left, top) = (((frame.0 - out_width) / 2) & !1, ((frame.1 - out_height) / 2) & !1);
    let (right, bottom) = (width - 1, height - 1);
    for (y, row) in canvas.chunks_mut(frame.0 * 3).skip(top).take(out_height).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(3).skip(left).take(out_width).enumerate() {
            let (from_x, from_y) = match orientation {
                2 => (right - x, y),
                3 => (right - x, bottom - y),
                4 => (x, bottom - y),
                5 => (y, x),
                6 => (y, bottom - x),
                7 => (right - y, bottom - x),
                8 => (right - y, x),
                _ => (x, y),
            };
            pixel.copy_from_slice(&plane.data[from_y * plane.stride + from_x * 3..][..3]);
        }
    }
}

/// BT.601 in the studio range, as cameras deliver it and as the encoder says.
fn to_frame(rgb: &[u8], width: u32, height: u32) -> Result<Frame, StillError> {
    let layout = Layout::packed(PixelFormat::I420, width, height);
    let pool = Pool::new(0, move || -> Box<dyn Buffer> { Box::new(vec![0; layout.size()]) });
    let mut buffer = pool.take();
    let mut planar = planar_target(&layout, buffer.plane_mut(0));
    let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt601);
    rgb_to_yuv420(&mut planar, rgb, width * 3, range, matrix, YuvConversionMode::Balanced)
        .map_err(|error| StillError::Corrupt(error.to_string()))?;
    let used = [layout.size(), 0, 0];
    Frame::new(layout, Timestamp::default(), 0, used, buffer).ok_or(StillError::Size { width, height })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::contain;

    #[test]
    fn a_picture_is_contained() {
        let cases = [
            ((1600, 900), (640, 360), (640, 360)),
            ((800, 400), (360, 640), (360, 180)),
            ((400, 800), (640, 360), (180, 360)),
            ((10, 10), (640, 360), (360, 360)),
            ((1000, 1), (640, 360), (640, 2)),
            ((1, 1000), (640, 360), (2, 360)),
        ];
        for (source, frame, contained) in cases {
            assert_eq!(contain(source, frame), contained, "{source:?} in {frame:?}");
        }
    }

    proptest! {
        #[test]
        fn the_shape_is_kept(w in 1_usize..5000, h in 1_usize..5000, fw in 1_usize..960, fh in 1_usize..960) {
            let frame = (fw * 2, fh * 2);
            let (width, height) = contain((w, h), frame);
            prop_assert!(width % 2 == 0 && height % 2 == 0 && width <= frame.0 && height <= frame.1);
            prop_assert!(width == frame.0 || height == frame.1);
            let off = if width == frame.0 {
                height.abs_diff((h * width / w).clamp(2, frame.1))
            } else {
                width.abs_diff((w * height / h).clamp(2, frame.0))
            };
            prop_assert!(off <= 2, "{width}x{height}");
        }
    }
}
