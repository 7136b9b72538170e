//! Picture files become frames, frames become JPEG files, and nothing in a file does harm.

#![allow(clippy::unwrap_used)]

use media::still::{self, StillError};
use media::{Buffer, Frame, Layout, PixelFormat, Pool, Timestamp};
use png::{BitDepth, ColorType};
use proptest::prelude::*;
use turbojpeg::{Compressor, Image, Subsamp};

const WHITE: [u8; 3] = [255; 3];
const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
/// Y, Cb, Cr of BT.601 in the studio range.
const COLOURS: [([u8; 3], [u8; 3]); 6] = [
    ([0; 3], [16, 128, 128]),
    (WHITE, [235, 128, 128]),
    (RED, [81, 90, 240]),
    (GREEN, [145, 54, 34]),
    (BLUE, [41, 240, 110]),
    ([191, 191, 0], [162, 44, 142]),
];

fn png(width: u32, height: u32, colour: ColorType, depth: BitDepth, data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == ColorType::Indexed {
        encoder.set_palette([RED, GREEN, BLUE].concat());
        encoder.set_trns(vec![255, 255, 0]);
    }
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    file
}

fn plain_png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    png(width, height, ColorType::Rgb, BitDepth::Eight, &colour.repeat((width * height) as usize))
}

fn jpeg(width: usize, height: usize, progressive: bool, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let pixels: Vec<u8> =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect();
    let mut compressor = Compressor::new().unwrap();
    compressor.set_quality(98).unwrap();
    compressor.set_subsamp(Subsamp::None).unwrap();
    compressor.set_progressive(progressive).unwrap();
    let format = turbojpeg::PixelFormat::RGB;
    compressor
        .compress_to_vec(Image { pixels: &pixels[..], width, pitch: width * 3, height, format })
        .unwrap()
}

/// Y, Cb, Cr of the pixel.
fn at(frame: &Frame, x: usize, y: usize) -> [u8; 3] {
    let sample =
        |plane: usize, x: usize, y: usize| frame.plane(plane).data[y * frame.plane(plane).stride + x];
    [sample(0, x, y), sample(1, x / 2, y / 2), sample(2, x / 2, y / 2)]
}

fn yuv(rgb: [u8; 3]) -> [u8; 3] {
    COLOURS.iter().find(|colour| colour.0 == rgb).unwrap().1
}

#[track_caller]
fn assert_near(actual: [u8; 3], expected: [u8; 3], what: &str) {
    let near = actual.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 2);
    assert!(near, "{what}: {actual:?}, not {expected:?}");
}

#[test]
fn colours_are_bt601_in_the_studio_range() {
    for (rgb, expected) in COLOURS {
        for file in [plain_png(16, 16, rgb), jpeg(16, 16, false, |_, _| rgb)] {
            let frame = still::decode(&file, 32, 32).unwrap();
            assert_near(at(&frame, 16, 16), expected, &format!("{rgb:?}"));
        }
    }
}

#[test]
fn a_picture_lies_centred_on_black() {
    // Wide in tall, tall in wide, the same shape, larger than the frame.
    let cases = [
        ((200, 100), (180, 320), (0..180, 114..204)),
        ((100, 200), (320, 180), (114..204, 0..180)),
        ((160, 90), (320, 180), (0..320, 0..180)),
        ((2500, 2000), (320, 180), (46..272, 0..180)),
    ];
    for (source, (width, height), (columns, rows)) in cases {
        for file in [
            plain_png(source.0, source.1, WHITE),
            jpeg(source.0 as usize, source.1 as usize, true, |_, _| WHITE),
        ] {
            let frame = still::decode(&file, width, height).unwrap();
            assert_eq!(frame.layout, Layout::packed(PixelFormat::I420, width, height));
            for y in 0..height as usize {
                for x in 0..width as usize {
                    let inside = columns.contains(&x) && rows.contains(&y);
                    let expected = if inside { yuv(WHITE) } else { yuv([0; 3]) };
                    assert_near(at(&frame, x, y), expected, &format!("{source:?} at {x}, {y}"));
                }
            }
        }
    }
}

#[test]
fn each_kind_of_png_is_read() {
    let cases = [
        ("palette", png(2, 1, ColorType::Indexed, BitDepth::Two, &[0b0110_0000]), yuv(GREEN), yuv([0; 3])),
        ("one bit", png(2, 1, ColorType::Grayscale, BitDepth::One, &[0b0100_0000]), yuv([0; 3]), yuv(WHITE)),
        (
            "16 bit",
            png(2, 1, ColorType::Rgb, BitDepth::Sixteen, &[255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0]),
            yuv(RED),
            yuv(GREEN),
        ),
        (
            "grey and alpha",
            png(2, 1, ColorType::GrayscaleAlpha, BitDepth::Eight, &[255, 128, 255, 0]),
            [126, 128, 128],
            yuv([0; 3]),
        ),
        (
            "alpha",
            png(2, 1, ColorType::Rgba, BitDepth::Eight, &[255, 255, 255, 128, 0, 0, 255, 255]),
            [126, 128, 128],
            yuv(BLUE),
        ),
    ];
    for (what, file, left, right) in cases {
        let frame = still::decode(&file, 64, 32).unwrap();
        assert_near(at(&frame, 4, 16), left, what);
        assert_near(at(&frame, 60, 16), right, what);
    }
}

#[test]
fn of_an_animation_the_first_picture_is_taken() {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 1, 1);
    encoder.set_color(ColorType::Rgb);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&RED).unwrap();
    writer.write_image_data(&BLUE).unwrap();
    writer.finish().unwrap();
    assert_near(at(&still::decode(&file, 16, 16).unwrap(), 8, 8), yuv(RED), "animation");
}

#[test]
fn a_picture_in_four_inks_is_read() {
    // Inverted: no cyan, all magenta and yellow, no black.
    let pixels = [255, 0, 0, 255].repeat(256);
    let format = turbojpeg::PixelFormat::CMYK;
    let image = Image { pixels: &pixels[..], width: 16, pitch: 64, height: 16, format };
    let file = turbojpeg::compress(image, 98, Subsamp::None).unwrap();
    assert_near(at(&still::decode(&file, 16, 16).unwrap(), 8, 8), yuv(RED), "CMYK");
}

#[test]
fn a_picture_stands_as_the_camera_was_held() {
    let quarters = [[WHITE, RED], [GREEN, BLUE]];
    let pixel = |x: usize, y: usize| quarters[y / 16][x / 32];
    let pixels: Vec<u8> = (0..64 * 32).flat_map(|n| pixel(n % 64, n / 64)).collect();
    let files = [jpeg(64, 32, false, pixel), png(64, 32, ColorType::Rgb, BitDepth::Eight, &pixels)];
    // What is at the top left and at the top right, for each orientation from 1.
    let expected = [
        [WHITE, RED],
        [RED, WHITE],
        [BLUE, GREEN],
        [GREEN, BLUE],
        [WHITE, GREEN],
        [GREEN, WHITE],
        [BLUE, RED],
        [RED, BLUE],
    ];
    for (orientation, [left, right]) in (1_u8..).zip(expected) {
        let (width, height) = if orientation > 4 { (32, 64) } else { (64, 32) };
        let little = [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", &[orientation, 0, 0, 0][..]].concat();
        let big = [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01", &[0, orientation, 0, 0][..]].concat();
        for (tiff, file) in [little, big].iter().flat_map(|tiff| files.iter().map(move |file| (tiff, file))) {
            let frame = still::decode(&with_exif(file, tiff), width, height).unwrap();
            assert_near(at(&frame, 4, 4), yuv(left), &format!("left of orientation {orientation}"));
            assert_near(at(&frame, width as usize - 4, 4), yuv(right), &format!("right of {orientation}"));
        }
    }
}

fn with_exif(file: &[u8], tiff: &[u8]) -> Vec<u8> {
    if file.starts_with(b"\xff\xd8") {
        let segment = [b"\xff\xe1\0", &[tiff.len() as u8 + 8][..], b"Exif\0\0", tiff].concat();
        return [&file[..2], &segment, &file[2..]].concat();
    }
    let chunk = [b"eXIf", tiff].concat();
    let parts = [&file[..33], &(tiff.len() as u32).to_be_bytes(), &chunk, &crc(&chunk), &file[33..]];
    parts.concat()
}

/// That of a PNG chunk.
fn crc(chunk: &[u8]) -> [u8; 4] {
    crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(chunk).to_be_bytes()
}

#[test]
fn what_is_no_picture_is_refused() {
    for file in [&b""[..], b"GIF89a", b"\xff\xd8", b"RIFF\0\0\0\0WEBP"] {
        assert!(matches!(still::decode(file, 64, 36), Err(StillError::Format)), "{file:?}");
    }
    for (width, height) in [(0, 2), (2, 0), (3, 2), (2, 3)] {
        let error = still::decode(&plain_png(1, 1, RED), width, height);
        assert!(matches!(error, Err(StillError::Size { .. })), "{width}x{height}");
    }
}

/// A small file that says it were a huge picture.
#[test]
fn a_bomb_is_refused() {
    let mut file = jpeg(16, 16, true, |_, _| RED);
    let start = file.windows(2).position(|marker| marker == [0xff, 0xc2]).unwrap();
    file[start + 5..start + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    assert!(matches!(
        still::decode(&file, 64, 36),
        Err(StillError::TooBig { width: 65_500, height: 65_500 })
    ));

    for (width, height) in [(u32::MAX >> 1, u32::MAX >> 1), (1, 100_000), (100_000, 1), (6000, 6000)] {
        let mut file = plain_png(16, 16, RED);
        file[16..20].copy_from_slice(&width.to_be_bytes());
        file[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc(&file[12..29]);
        file[29..33].copy_from_slice(&crc);
        assert!(matches!(still::decode(&file, 64, 36), Err(StillError::TooBig { .. })), "{width}x{height}");
    }
}

#[test]
fn a_picture_of_very_many_scans_is_refused() {
    let file = jpeg(64, 64, true, |x, y| [x as u8 * 4, y as u8 * 4, 0]);
    let last = file.windows(2).rposition(|marker| marker == [0xff, 0xda]).unwrap();
    let (tables, scan) = (&file[..last], &file[last..file.len() - 2]);
    let many = [tables, &scan.repeat(100), &[0xff, 0xd9]].concat();
    let error = still::decode(&many, 64, 64).unwrap_err().to_string();
    assert!(error.contains("scan"), "{error}");
}

#[test]
fn a_truncated_picture_is_refused() {
    for file in [
        plain_png(40, 30, RED),
        jpeg(40, 30, false, |x, _| [x as u8; 3]),
        jpeg(40, 30, true, |x, _| [x as u8; 3]),
    ] {
        assert!(still::decode(&file, 64, 36).is_ok());
        for length in 0..file.len() * 9 / 10 {
            assert!(still::decode(&file[..length], 64, 36).is_err(), "{length} of {}", file.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_file_is_taken(kind in 0_usize..4, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut file = match kind {
            0 => plain_png(20, 10, RED),
            1 => png(8, 2, ColorType::Indexed, BitDepth::Two, &[0b0110_0000; 4]),
            2 => jpeg(20, 10, false, |x, _| [x as u8 * 12; 3]),
            _ => jpeg(20, 10, true, |x, y| [x as u8 * 12, y as u8, 0]),
        };
        for (index, byte) in changes {
            let at = index.index(file.len());
            file[at] = byte;
        }
        if let Ok(frame) = still::decode(&file, 64, 36) {
            prop_assert_eq!(frame.layout, Layout::packed(PixelFormat::I420, 64, 36));
        }
    }

    #[test]
    fn any_size_fits_any_frame(width in 1_u32..80, height in 1_u32..80, fw in 1_u32..40, fh in 1_u32..40) {
        let frame = still::decode(&plain_png(width, height, WHITE), fw * 2, fh * 2).unwrap();
        assert_near(at(&frame, fw as usize - 1, fh as usize - 1), yuv(WHITE), "centre");
    }
}

fn frame(format: PixelFormat, width: u32, height: u32, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Frame {
    let layout = Layout::packed(format, width, height);
    let mut bytes = vec![0; layout.size()];
    for y in 0..height as usize {
        for x in 0..width as usize {
            let pixel = pixel(x, y);
            bytes[y * width as usize + x] = pixel[0];
            let chroma = |plane: usize| layout.planes[plane].offset + y / 2 * layout.planes[plane].stride;
            let (cb, cr) = match format {
                PixelFormat::I420 => (chroma(1) + x / 2, chroma(2) + x / 2),
                PixelFormat::Nv12 => (chroma(1) + x / 2 * 2, chroma(1) + x / 2 * 2 + 1),
                _ => (chroma(1) + x / 2 * 2 + 1, chroma(1) + x / 2 * 2),
            };
            (bytes[cb], bytes[cr]) = (pixel[1], pixel[2]);
        }
    }
    let pool = Pool::new(1, move || -> Box<dyn Buffer> { Box::new(bytes.clone()) });
    Frame::new(layout, Timestamp::default(), 0, [layout.size(), 0, 0], pool.take()).unwrap()
}

/// Colours that RGB has too, with a little texture.
fn gradient(x: usize, y: usize) -> [u8; 3] {
    [50 + (x * 150 / 320) as u8 + (x * y % 7) as u8, 118 + (y / 9) as u8, 138 - (x / 16) as u8]
}

#[test]
fn a_jpeg_picture_is_near_to_its_frame() {
    let original = frame(PixelFormat::I420, 320, 180, gradient);
    let psnr = |quality| {
        let file = still::jpeg(&original, quality).unwrap();
        let decoded = still::decode(&file, 320, 180).unwrap();
        let planes = (0..3).map(|plane| {
            let pairs = original.plane(plane).data.iter().zip(decoded.plane(plane).data);
            let squares: f64 = pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
            10.0 * (255.0_f64.powi(2) * original.plane(plane).data.len() as f64 / squares).log10()
        });
        (planes.fold(f64::INFINITY, f64::min), file.len())
    };
    let ((fine, large), (coarse, small)) = (psnr(95), psnr(50));
    assert!(fine > 42.0 && coarse > 34.0, "{fine} dB, {coarse} dB");
    assert!(small < large, "{small} bytes at quality 50, {large} at 95");
}

#[test]
fn a_jpeg_picture_has_the_frames_colours() {
    for (rgb, pixel) in COLOURS {
        for format in [PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Nv21] {
            let file = still::jpeg(&frame(format, 32, 16, |_, _| pixel), 95).unwrap();
            let image = turbojpeg::decompress(&file, turbojpeg::PixelFormat::RGB).unwrap();
            assert_eq!((image.width, image.height), (32, 16));
            let near = image.pixels[..3].iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= 4);
            assert!(near, "{format}: {:?}, not {rgb:?}", &image.pixels[..3]);
        }
    }
}

#[test]
fn the_order_of_chroma_does_not_change_a_jpeg_picture() {
    let file = |format| still::jpeg(&frame(format, 320, 180, gradient), 95).unwrap();
    assert!(file(PixelFormat::I420) == file(PixelFormat::Nv12));
    assert!(file(PixelFormat::I420) == file(PixelFormat::Nv21));
}

#[test]
fn black_is_black() {
    let frame = still::black(64, 36).unwrap();
    assert!(frame.plane(0).data.iter().all(|y| *y == 16));
    assert!((1..3).all(|plane| frame.plane(plane).data.iter().all(|c| *c == 128)));
}

#[test]
fn what_has_no_picture_makes_no_jpeg() {
    let pool = Pool::new(1, || -> Box<dyn Buffer> { Box::new(vec![0; 8]) });
    let layout = Layout::packed(PixelFormat::H264, 64, 36);
    let frame = Frame::new(layout, Timestamp::default(), 0, [8, 0, 0], pool.take()).unwrap();
    assert!(matches!(still::jpeg(&frame, 95), Err(StillError::Frame(_))));
}
