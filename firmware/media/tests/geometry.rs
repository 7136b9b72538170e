//! Crop, scale, turn and mirror, seen by the mark in the picture and by the colours of its corners.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use media::mark::{self, Mark, Orientation, Reader};
use media::{
    Buffer, EncoderInput, Frame, Geometry, GeometryError, GeometrySettings, Layout, PixelFormat, Pool,
    Timestamp,
};

const MARK: Mark = Mark { frame: 99, captured: Timestamp::from_micros(5_500_000) };

/// A marked picture whose left half has low, whose right half has high chroma.
fn picture(layout: Layout) -> Vec<u8> {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let mut luma: Vec<u8> = (0..width * height).map(|i| (60 + i % width * 100 / width) as u8).collect();
    mark::draw(MARK, &mut luma, width, layout.width, layout.height);
    // A driver pads the last row too.
    let padding = layout.planes[0].stride;
    let mut bytes = vec![0; layout.size() + padding];
    let cb = |x: usize| if x < width / 2 { 60 } else { 200 };
    let cr = |x: usize| if x < width / 2 { 90 } else { 170 };
    for y in 0..height {
        for x in 0..width {
            let mut put = |plane: usize, x: usize, y: usize, value| {
                bytes[layout.planes[plane].offset + y * layout.planes[plane].stride + x] = value;
            };
            let sample = luma[y * width + x];
            match layout.format {
                PixelFormat::Yuyv => {
                    put(0, 2 * x, y, sample);
                    put(0, 2 * x + 1, y, if x % 2 == 0 { cb(x) } else { cr(x) });
                }
                format => {
                    put(0, x, y, sample);
                    let (cx, cy) = (x / 2, y / 2);
                    match format {
                        PixelFormat::Nv12 => (put(1, cx * 2, cy, cb(x)), put(1, cx * 2 + 1, cy, cr(x))),
                        PixelFormat::Nv21 => (put(1, cx * 2, cy, cr(x)), put(1, cx * 2 + 1, cy, cb(x))),
                        _ => (put(1, cx, cy, cb(x)), put(2, cx, cy, cr(x))),
                    };
                }
            }
        }
    }
    bytes
}

fn frame(layout: Layout, bytes: Vec<u8>) -> Frame {
    let used = [bytes.len(), 0, 0];
    let pool = Pool::new(1, move || -> Box<dyn Buffer> { Box::new(bytes.clone()) });
    Frame::new(layout, MARK.captured, 0, used, pool.take()).unwrap()
}

fn process(layout: Layout, bytes: Vec<u8>, settings: GeometrySettings, target: PixelFormat) -> Frame {
    let target = EncoderInput::in_memory(target, settings.width, settings.height);
    publish(&mut Geometry::new(settings, target), frame(layout, bytes)).unwrap()
}

fn in_memory(settings: GeometrySettings) -> Geometry {
    Geometry::new(settings, EncoderInput::in_memory(PixelFormat::I420, settings.width, settings.height))
}

fn publish(geometry: &mut Geometry, frame: Frame) -> Result<Frame, GeometryError> {
    if geometry.passes(&frame.layout) { Ok(frame) } else { geometry.make(&frame, None) }
}

/// Mean of Cb in the left and in the right quarter.
fn chroma_sides(frame: &Frame) -> (u32, u32) {
    let (plane, width) = (frame.plane(1), frame.layout.width as usize / 2);
    let (step, first) = match frame.layout.format {
        PixelFormat::Nv12 => (2, 0),
        PixelFormat::Nv21 => (2, 1),
        _ => (1, 0),
    };
    let mean = |from: usize, to: usize| {
        let rows = plane.data.chunks(plane.stride);
        let samples: Vec<u32> =
            rows.flat_map(|row| (from..to).map(|x| u32::from(row[x * step + first]))).collect();
        samples.iter().sum::<u32>() / samples.len() as u32
    };
    (mean(0, width / 4), mean(width - width / 4, width))
}

#[test]
fn every_format_turn_and_mirror_gives_the_right_picture() {
    let targets = [PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Nv21];
    let formats = [PixelFormat::Nv12, PixelFormat::Nv21, PixelFormat::I420, PixelFormat::Yuyv];
    for format in formats {
        let packed = Layout::packed(format, 320, 180);
        let padded = Layout::contiguous(format, 320, 180, packed.planes[0].stride + 64);
        for (layout, target) in [packed, padded].into_iter().flat_map(|it| targets.map(|target| (it, target)))
        {
            for (quarter_turns, mirror) in (0..4).flat_map(|turns| [(turns, false), (turns, true)]) {
                for (width, height) in [(320, 180), (160, 90), (180, 320), (90, 160), (480, 270)] {
                    let settings = GeometrySettings { width, height, quarter_turns, mirror };
                    let out = process(layout, picture(layout), settings, target);
                    assert_eq!(
                        (out.layout.format, out.layout.width, out.layout.height),
                        (target, width, height)
                    );
                    expect_right(&out, settings, &format!("{format} {target} {settings:?}"));
                }
            }
        }
    }
}

fn expect_right(out: &Frame, settings: GeometrySettings, what: &str) {
    let GeometrySettings { width, height, quarter_turns, mirror } = settings;
    let mut reader = Reader::default();
    assert_eq!(reader.read(out.plane(0), width, height), Some(MARK), "{what}");
    // Turned and then mirrored is the same as mirrored and then turned the other way.
    let turns = if mirror { (4 - quarter_turns) % 4 } else { quarter_turns };
    let expected = Orientation { mirrored: mirror, quarter_turns: turns };
    assert_eq!(reader.orientation(), Some(expected), "{what}");
    let (left, right) = chroma_sides(out);
    match (quarter_turns, mirror) {
        (0, false) | (2, true) => assert!(left < 70 && right > 190, "{what}: {left} {right}"),
        (0, true) | (2, false) => assert!(left > 190 && right < 70, "{what}: {left} {right}"),
        _ => assert!(left.abs_diff(right) < 10, "{what}: {left} {right}"),
    }
}

/// An encoder that wants rows of 384 bytes in memory of its own.
#[test]
fn a_picture_is_made_as_the_encoder_lays_it_out() {
    let settings = GeometrySettings { width: 320, height: 180, quarter_turns: 0, mirror: false };
    let layout = Layout::contiguous(PixelFormat::Nv12, 320, 180, 384);
    let target = EncoderInput { layout, any_strides: false, imports: true, latency: 0 };
    let source = Layout::packed(PixelFormat::Nv12, 320, 180);
    let mut geometry = Geometry::new(settings, target);
    assert!(geometry.passes(&layout) && !geometry.passes(&source));
    let memory = Pool::new(1, move || -> Box<dyn Buffer> { Box::new(vec![0; layout.size()]) });
    let buffer = memory.take();
    let address = buffer.plane(0).as_ptr();
    let out = geometry.make(&frame(source, picture(source)), Some(buffer)).unwrap();
    assert_eq!((out.layout, out.plane(0).data.as_ptr()), (layout, address));
    expect_right(&out, settings, "in the encoder's memory");
}

#[test]
fn a_placeholder_is_neither_turned_nor_mirrored() {
    let settings = GeometrySettings { width: 320, height: 180, quarter_turns: 2, mirror: true };
    let layout = Layout::packed(PixelFormat::I420, 320, 180);
    let target = EncoderInput::in_memory(PixelFormat::Nv12, 320, 180);
    let out = Geometry::new(settings, target).convert(&frame(layout, picture(layout)), None).unwrap();
    let plain = GeometrySettings { quarter_turns: 0, mirror: false, ..settings };
    expect_right(&out, plain, "placeholder");
}

#[test]
fn a_picture_that_fits_is_not_copied() {
    let layout = Layout::packed(PixelFormat::I420, 320, 180);
    let settings = GeometrySettings { width: 320, height: 180, quarter_turns: 0, mirror: false };
    let frame = frame(layout, picture(layout));
    let address = frame.plane(0).data.as_ptr();
    let out = publish(&mut in_memory(settings), frame).unwrap();
    assert_eq!(out.plane(0).data.as_ptr(), address);
}

#[test]
fn mjpeg_is_decoded_and_a_damaged_one_refused() {
    let layout = Layout::packed(PixelFormat::I420, 320, 180);
    let settings = GeometrySettings { width: 160, height: 90, quarter_turns: 0, mirror: false };
    for subsamp in [turbojpeg::Subsamp::Sub2x2, turbojpeg::Subsamp::Sub2x1] {
        let rgb = rgb(&picture(layout), 320, 180);
        let image = turbojpeg::Image {
            pixels: rgb.as_slice(),
            width: 320,
            pitch: 960,
            height: 180,
            format: turbojpeg::PixelFormat::RGB,
        };
        let jpeg = turbojpeg::compress(image, 90, subsamp).unwrap();
        let compressed = Layout::packed(PixelFormat::Mjpeg, 320, 180);
        let out = process(compressed, jpeg.to_vec(), settings, PixelFormat::I420);
        assert_eq!(Reader::default().read(out.plane(0), 160, 90), Some(MARK), "{subsamp:?}");
        for length in [0, 1, 100, jpeg.len() / 2, jpeg.len() - 100] {
            let short = frame(compressed, jpeg[..length].to_vec());
            let result = publish(&mut in_memory(settings), short);
            assert!(matches!(result, Err(GeometryError::Corrupt(_))), "{length} bytes of {}", jpeg.len());
        }
    }
}

/// Grey from the luma plane: enough for the mark.
fn rgb(i420: &[u8], width: usize, height: usize) -> Vec<u8> {
    i420[..width * height].iter().flat_map(|y| [*y; 3]).collect()
}

#[test]
fn a_pool_of_pictures_is_reused() {
    let layout = Layout::packed(PixelFormat::Nv12, 320, 180);
    let settings = GeometrySettings { width: 160, height: 90, quarter_turns: 0, mirror: false };
    let mut geometry = in_memory(settings);
    let mut address = || {
        let out = publish(&mut geometry, frame(layout, picture(layout))).unwrap();
        out.plane(0).data.as_ptr()
    };
    assert_eq!(address(), address());
}

#[test]
fn zoom_enlarges_the_centre_within_three_tenths_of_a_second() {
    let settings = GeometrySettings { width: 160, height: 90, quarter_turns: 0, mirror: false };
    let mut geometry = in_memory(settings);
    // Shades that grow by one a column tell how much of the width is seen.
    let seen = |geometry: &mut Geometry| {
        let picture = publish(geometry, ramp(160, 90)).unwrap();
        let row = picture.plane(0).data[..160].to_vec();
        (i32::from(row[159]) - i32::from(row[0]), i32::from(row[80]))
    };
    assert_eq!(seen(&mut geometry), (159, 80));
    let mut widths = Vec::new();
    for _ in 0..5 {
        geometry.approach_zoom(40, 15);
        let (width, centre) = seen(&mut geometry);
        assert!((centre - 80).abs() <= 1, "the centre shows {centre}");
        widths.push(width);
    }
    assert!(widths.windows(2).all(|pair| pair[1] <= pair[0]), "{widths:?}");
    assert!((widths[3] - 40).abs() <= 3, "{widths:?}");
    geometry.approach_zoom(10, 1);
    assert_eq!(seen(&mut geometry).0, 159);
}

fn ramp(width: u32, height: u32) -> Frame {
    let layout = Layout::packed(PixelFormat::I420, width, height);
    let pool = Pool::new(1, move || -> Box<dyn Buffer> {
        let mut bytes = vec![128; layout.size()];
        for (index, byte) in bytes[..(width * height) as usize].iter_mut().enumerate() {
            *byte = (index % width as usize) as u8;
        }
        Box::new(bytes)
    });
    Frame::new(layout, Timestamp::default(), 0, [layout.size(), 0, 0], pool.take()).unwrap()
}
