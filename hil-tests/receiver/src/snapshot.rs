//! The last picture that arrived, for people.

use anyhow::Result;

/// A picture in I420; without size before the first came.
#[derive(Clone, Default)]
pub struct Snapshot {
    pub width: u32,
    pub height: u32,
    pub planes: [Vec<u8>; 3],
}

impl Snapshot {
    /// As PNG, by BT.601 in the studio range, as sensors deliver.
    pub fn png(&self) -> Result<Vec<u8>> {
        let (width, height) = (self.width as usize, self.height as usize);
        let [luma, cb, cr] = &self.planes;
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                let chroma = y / 2 * width.div_ceil(2) + x / 2;
                let at = |plane: &[u8], index: usize| f32::from(plane.get(index).copied().unwrap_or(128));
                let (l, b, r) = (
                    1.164 * (at(luma, y * width + x) - 16.0),
                    at(cb, chroma) - 128.0,
                    at(cr, chroma) - 128.0,
                );
                rgb.extend(
                    [l + 1.596 * r, l - 0.392 * b - 0.813 * r, l + 2.017 * b]
                        .map(|value| value.clamp(0.0, 255.0) as u8),
                );
            }
        }
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(&rgb)?;
        Ok(file)
    }
}
