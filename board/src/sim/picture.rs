use media::mark::{self, Mark};
use media::{Layout, PixelFormat};

/// Luma pixels by which the picture moves to the left from one frame to the next.
const STEP: usize = 4;

/// Chroma without colour, under the mark.
const GREY: u8 = 128;

/// A landscape of soft waves that moves to the left under the mark.
pub(crate) struct Picture {
    layout: Layout,
    /// Two periods of each colour plane side by side, so that any part of one is a plain copy.
    luma: Texture,
    /// Cb and Cr, interleaved or apart as the layout has them.
    chroma: Vec<Texture>,
    /// The luma plane where the layout packs it with chroma.
    unpacked: Vec<u8>,
}

struct Texture {
    pixels: Vec<u8>,
    width: usize,
    bytes_per_pixel: usize,
}

impl Texture {
    fn new(width: usize, height: usize, shades: &[fn(f32, f32) -> f32]) -> Self {
        let mut pixels = Vec::with_capacity(2 * width * height * shades.len());
        for y in 0..height {
            for x in 0..2 * width {
                let (u, v) = ((x % width) as f32 / width as f32, y as f32 / height as f32);
                pixels.extend(shades.iter().map(|shade| shade(u, v).clamp(16.0, 240.0) as u8));
            }
        }
        Self { pixels, width, bytes_per_pixel: shades.len() }
    }

    /// Row `y` of the texture moved by `shift` pixels.
    fn row(&self, y: usize, shift: usize) -> &[u8] {
        let stride = 2 * self.width * self.bytes_per_pixel;
        let from = y * stride + shift % self.width * self.bytes_per_pixel;
        &self.pixels[from..from + self.width * self.bytes_per_pixel]
    }

    fn copy(&self, target: &mut [u8], stride: usize, shift: usize) {
        for (y, row) in target.chunks_mut(stride).enumerate() {
            row[..self.width * self.bytes_per_pixel].copy_from_slice(self.row(y, shift));
        }
    }
}

fn wave(turns: f32) -> f32 {
    (turns * std::f32::consts::TAU).sin()
}

fn luma(u: f32, v: f32) -> f32 {
    let hills = 0.62 + 0.09 * wave(2.0 * u) + 0.05 * wave(5.0 * u + 0.3);
    if v > hills {
        60.0 + 55.0 * (v - hills) + 12.0 * wave(24.0 * u) * wave(9.0 * v)
    } else {
        205.0 - 90.0 * v
    }
}

fn cb(u: f32, v: f32) -> f32 {
    let sky = v < 0.62 + 0.09 * wave(2.0 * u) + 0.05 * wave(5.0 * u + 0.3);
    if sky { 155.0 + 10.0 * v } else { 105.0 + 10.0 * wave(2.0 * u) }
}

fn cr(u: f32, v: f32) -> f32 {
    let sky = v < 0.62 + 0.09 * wave(2.0 * u) + 0.05 * wave(5.0 * u + 0.3);
    if sky { 108.0 + 30.0 * v } else { 112.0 + 14.0 * wave(3.0 * u) }
}

impl Picture {
    /// `layout` is one of NV12, NV21, I420 and YUYV.
    pub(crate) fn new(layout: Layout) -> Self {
        let (width, height) = (layout.width as usize, layout.height as usize);
        let half = (width / 2, height / 2);
        let chroma = match layout.format {
            PixelFormat::Nv12 => vec![Texture::new(half.0, half.1, &[cb, cr])],
            PixelFormat::Nv21 => vec![Texture::new(half.0, half.1, &[cr, cb])],
            PixelFormat::Yuyv => vec![Texture::new(half.0, height, &[cb, cr])],
            _ => vec![Texture::new(half.0, half.1, &[cb]), Texture::new(half.0, half.1, &[cr])],
        };
        let packed = layout.format == PixelFormat::Yuyv;
        let unpacked = vec![0; if packed { width * height } else { 0 }];
        Self { layout, luma: Texture::new(width, height, &[luma]), chroma, unpacked }
    }

    pub(crate) fn draw(&mut self, picture: &mut [u8], mark: Mark) {
        let shift = mark.frame as usize * STEP;
        let Layout { format, width, height, planes } = self.layout;
        let (columns, rows) = mark::area(width, height);
        if format == PixelFormat::Yuyv {
            let luma_stride = width as usize;
            self.luma.copy(&mut self.unpacked, luma_stride, shift);
            mark::draw(mark, &mut self.unpacked, luma_stride, width, height);
            let lines = picture.chunks_mut(planes[0].stride).zip(self.unpacked.chunks(luma_stride));
            for (y, (row, luma)) in lines.enumerate() {
                let chroma = self.chroma[0].row(y, shift / 2);
                for ((pixels, luma), chroma) in row.chunks_mut(4).zip(luma.chunks(2)).zip(chroma.chunks(2)) {
                    pixels.copy_from_slice(&[luma[0], chroma[0], luma[1], chroma[1]]);
                }
                if rows.contains(&y) {
                    let chroma = row[(2 * columns.start) & !3..2 * columns.end].iter_mut().skip(1).step_by(2);
                    chroma.for_each(|sample| *sample = GREY);
                }
            }
            return;
        }
        let target = &mut picture[planes[0].offset..][..self.layout.plane_bytes(0)];
        self.luma.copy(target, planes[0].stride, shift);
        mark::draw(mark, target, planes[0].stride, width, height);
        for (i, texture) in self.chroma.iter().enumerate() {
            let target = &mut picture[planes[i + 1].offset..][..self.layout.plane_bytes(i + 1)];
            let stride = planes[i + 1].stride;
            texture.copy(target, stride, shift / 2);
            let [from, to] = [columns.start, columns.end].map(|x| x / 2 * texture.bytes_per_pixel);
            for y in rows.start / 2..rows.end / 2 {
                target[y * stride + from..y * stride + to].fill(GREY);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use media::{Plane, Timestamp};

    use super::*;

    #[test]
    fn each_format_carries_the_mark() {
        let mark = Mark { frame: 7, captured: Timestamp::from_micros(42) };
        for format in [PixelFormat::Nv12, PixelFormat::Nv21, PixelFormat::I420, PixelFormat::Yuyv] {
            let layout = Layout::packed(format, 320, 240);
            let mut picture = vec![0; layout.size()];
            Picture::new(layout).draw(&mut picture, mark);
            let luma: Vec<u8> = match format {
                PixelFormat::Yuyv => picture.iter().copied().step_by(2).collect(),
                _ => picture,
            };
            let plane = Plane { data: &luma, stride: 320 };
            assert_eq!(mark::Reader::default().read(plane, 320, 240), Some(mark), "{format}");
        }
    }
}
