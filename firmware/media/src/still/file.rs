//! Picture files, of which nothing is believed before it was checked.

use std::io::Cursor;

use png::{ColorType, Decoder, Limits, Transformations};
use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat, ScalingFactor};

use super::{StillError, contain, exif};

/// A photo of 24 megapixels passes. A JPEG file of several scans makes its decoder keep up to eight bytes for each pixel.
const MOST_PIXELS: usize = 25_000_000;
/// The longest side of a JPEG picture; it bounds the memory that a row of a PNG picture takes.
const LONGEST_SIDE: usize = 65_535;
/// Bytes of a PNG picture besides its pixels.
const PNG_LIMITS: Limits = Limits { bytes: 16 << 20 };
/// Each scan costs a pass over the whole picture, however small it is in the file.
const MOST_SCANS: u32 = 64;

pub(super) struct Picture {
    pub(super) rgb: Vec<u8>,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Exif's: 1 is upright, more than 4 lies on its side.
    pub(super) orientation: u8,
}

impl Picture {
    /// The frame's size as the picture lies.
    pub(super) fn turned(&self, frame: (usize, usize)) -> (usize, usize) {
        turned(frame, self.orientation)
    }
}

fn turned((width, height): (usize, usize), orientation: u8) -> (usize, usize) {
    if orientation > 4 { (height, width) } else { (width, height) }
}

/// Reads a picture, not much larger than needed to fill `frame` where the format allows for that.
pub(super) fn read(bytes: &[u8], frame: (usize, usize)) -> Result<Picture, StillError> {
    if bytes.starts_with(b"\xff\xd8\xff") {
        read_jpeg(bytes, frame).map_err(|error| match error {
            StillError::Encode(error) => StillError::Corrupt(error.to_string()),
            error => error,
        })
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        read_png(bytes)
    } else {
        Err(StillError::Format)
    }
}

fn check(width: usize, height: usize) -> Result<(), StillError> {
    if width.max(height) > LONGEST_SIDE || width * height > MOST_PIXELS {
        return Err(StillError::TooBig { width, height });
    }
    Ok(())
}

fn read_jpeg(bytes: &[u8], frame: (usize, usize)) -> Result<Picture, StillError> {
    let mut decompressor = Decompressor::new()?;
    let header = decompressor.read_header(bytes)?;
    check(header.width, header.height)?;
    let orientation = exif::of_jpeg(bytes).unwrap_or(1);
    let needed = contain((header.width, header.height), turned(frame, orientation));
    let enough = |factor: &ScalingFactor| {
        factor.scale(header.width) >= needed.0 && factor.scale(header.height) >= needed.1
    };
    let factor = [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF]
        .into_iter()
        .find(|factor| !header.is_lossless && enough(factor))
        .unwrap_or(ScalingFactor::ONE);
    decompressor.set_scan_limit(MOST_SCANS)?;
    decompressor.set_scaling_factor(factor)?;

    let (width, height) = (factor.scale(header.width), factor.scale(header.height));
    let four_inks = matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK);
    let format = if four_inks { PixelFormat::CMYK } else { PixelFormat::RGB };
    let pitch = width * format.size();
    let mut image = Image { pixels: vec![0; pitch * height], width, pitch, height, format };
    decompressor.decompress(bytes, image.as_deref_mut())?;
    // Inks are stored inverted, as Adobe's software does it: the fourth darkens as transparency over black.
    let rgb = on_black(image.pixels, if four_inks { ColorType::Rgba } else { ColorType::Rgb });
    Ok(Picture { rgb, width, height, orientation })
}

fn read_png(bytes: &[u8]) -> Result<Picture, StillError> {
    let corrupt = |error: png::DecodingError| StillError::Corrupt(error.to_string());
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), PNG_LIMITS);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(corrupt)?;
    let (width, height) = (header.width as usize, header.height as usize);
    check(width, height)?;
    let mut reader = decoder.read_info().map_err(corrupt)?;
    let (colour, _) = reader.output_color_type();
    let mut pixels = vec![0; width * height * colour.samples()];
    reader.next_frame(&mut pixels).map_err(corrupt)?;
    let orientation = reader.info().exif_metadata.as_deref().and_then(exif::of_tiff).unwrap_or(1);
    Ok(Picture { rgb: on_black(pixels, colour), width, height, orientation })
}

/// Expanded pixels as RGB, transparent ones over black.
fn on_black(mut pixels: Vec<u8>, colour: ColorType) -> Vec<u8> {
    match colour {
        ColorType::Rgb | ColorType::Indexed => pixels,
        ColorType::Grayscale => pixels.iter().flat_map(|grey| [*grey; 3]).collect(),
        ColorType::GrayscaleAlpha => {
            pixels.chunks_exact(2).flat_map(|pixel| [scale(pixel[0], pixel[1]); 3]).collect()
        }
        ColorType::Rgba => {
            let count = pixels.len() / 4;
            for n in 0..count {
                for i in 0..3 {
                    pixels[n * 3 + i] = scale(pixels[n * 4 + i], pixels[n * 4 + 3]);
                }
            }
            pixels.truncate(count * 3);
            pixels
        }
    }
}

/// `sample` times `by`, of which 255 is the whole.
fn scale(sample: u8, by: u8) -> u8 {
    ((u16::from(sample) * u16::from(by) + 127) / 255) as u8
}
