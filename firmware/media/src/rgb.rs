//! Pictures as displays want them.

use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_rgb};

use crate::{Frame, GeometryError, PixelFormat};

/// Red, green and blue of each pixel of an I420 picture, row by row from the top: BT.601 in the studio range, as cameras
/// deliver it. `bytes` grows once.
pub fn rgb(frame: &Frame, bytes: &mut Vec<u8>) -> Result<(), GeometryError> {
    let layout = frame.layout;
    if layout.format != PixelFormat::I420 {
        return Err(GeometryError::Unsupported(layout.format));
    }
    let (width, height) = (layout.width, layout.height);
    bytes.resize(width as usize * height as usize * 3, 0);
    let [y, cb, cr] = [0, 1, 2].map(|plane| frame.plane(plane));
    let planar = YuvPlanarImage {
        y_plane: y.data,
        y_stride: y.stride as u32,
        u_plane: cb.data,
        u_stride: cb.stride as u32,
        v_plane: cr.data,
        v_stride: cr.stride as u32,
        width,
        height,
    };
    yuv420_to_rgb(&planar, bytes, width * 3, YuvRange::Limited, YuvStandardMatrix::Bt601)
        .map_err(|error| GeometryError::Corrupt(error.to_string()))
}
