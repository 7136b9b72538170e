//! Pictures for a display: the right part of the camera's, in the right colours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use media::{Buffer, Frame, Geometry, GeometrySettings, Layout, PixelFormat, Pool, Timestamp, rgb};
use proptest::prelude::*;

const FORMATS: [PixelFormat; 4] =
    [PixelFormat::Nv12, PixelFormat::Nv21, PixelFormat::I420, PixelFormat::Yuyv];

type Colour = [u8; 3];

/// Y, Cb, Cr of BT.601 in the studio range (clauses 2.5.1 to 2.5.3).
fn samples([r, g, b]: Colour) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(|it| f64::from(it) / 255.0);
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    [16.0 + 219.0 * y, 128.0 + 224.0 * (b - y) / 1.772, 128.0 + 224.0 * (r - y) / 1.402]
        .map(|it| it.round() as u8)
}

/// A picture whose rows are `padding` bytes longer than they must be, and whose pixels have the colours of `paint`.
fn frame(
    format: PixelFormat,
    (width, height): (u32, u32),
    padding: usize,
    paint: impl Fn(u32, u32) -> Colour,
) -> Frame {
    // Whole pairs of pixels, also of an odd width.
    let stride = Layout::packed(format, width, height).planes[0].stride.next_multiple_of(4) + padding / 2 * 2;
    let layout = Layout::contiguous(format, width, height, stride);
    // A driver pads the last row too.
    let mut bytes = vec![0x55; layout.size() + stride];
    let mut put = |plane: usize, x: usize, y: usize, sample| {
        bytes[layout.planes[plane].offset + y * layout.planes[plane].stride + x] = sample;
    };
    for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
        let [luma, cb, cr] = samples(paint(x, y));
        let (x, y) = (x as usize, y as usize);
        match format {
            PixelFormat::Yuyv => {
                put(0, 2 * x, y, luma);
                put(0, x / 2 * 4 + 1, y, cb);
                put(0, x / 2 * 4 + 3, y, cr);
            }
            PixelFormat::I420 => {
                put(0, x, y, luma);
                put(1, x / 2, y / 2, cb);
                put(2, x / 2, y / 2, cr);
            }
            _ => {
                let first = if format == PixelFormat::Nv12 { [cb, cr] } else { [cr, cb] };
                put(0, x, y, luma);
                put(1, x / 2 * 2, y / 2, first[0]);
                put(1, x / 2 * 2 + 1, y / 2, first[1]);
            }
        }
    }
    let used = [bytes.len(), 0, 0];
    let pool = Pool::new(0, move || -> Box<dyn Buffer> { Box::new(bytes.clone()) });
    Frame::new(layout, Timestamp::default(), 0, used, pool.take()).unwrap()
}

fn seen(frame: &Frame, shape: (u32, u32), settings: GeometrySettings) -> Vec<Colour> {
    let picture = Geometry::within(shape, settings).make(frame, None).unwrap();
    let mut bytes = Vec::new();
    rgb(&picture, &mut bytes).unwrap();
    assert_eq!(bytes.len(), (settings.width * settings.height * 3) as usize);
    bytes.as_chunks::<3>().0.to_vec()
}

fn near(one: Colour, other: Colour) -> bool {
    one.iter().zip(other).all(|(one, other)| one.abs_diff(other) <= 5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_colour_stays_what_it_is(
        colour: Colour,
        format in proptest::sample::select(&FORMATS[..]),
        size in (8_u32..90, 8_u32..90),
        padding in 0_usize..40,
        shape in (1_u32..40, 1_u32..40),
        place in (1_u32..50, 1_u32..50),
        quarter_turns in 0_u8..4,
        mirror: bool,
    ) {
        let settings = GeometrySettings { width: place.0 * 2, height: place.1 * 2, quarter_turns, mirror };
        let frame = frame(format, size, padding, |_, _| colour);
        let shape = (shape.0 * 10, shape.1 * 10);
        let wrong = seen(&frame, shape, settings).into_iter().find(|pixel| !near(*pixel, colour));
        prop_assert_eq!(wrong, None, "{:?}", colour);
    }
}

const RED: Colour = [230, 20, 20];
const GREEN: Colour = [20, 220, 20];
const BLUE: Colour = [30, 30, 230];
const WHITE: Colour = [240, 240, 240];

/// A colour for each quarter of 160x90 pixels.
fn quarters(format: PixelFormat) -> Frame {
    frame(format, (160, 90), 32, |x, y| match (x < 80, y < 45) {
        (true, true) => RED,
        (false, true) => GREEN,
        (true, false) => BLUE,
        (false, false) => WHITE,
    })
}

/// Of the four corners, from the upper left one clockwise.
fn corners(pixels: &[Colour], width: usize, height: usize) -> [Colour; 4] {
    let (left, right, top, low) = (2, width - 3, 2, height - 3);
    [(left, top), (right, top), (right, low), (left, low)].map(|(x, y)| pixels[y * width + x])
}

#[test]
fn corners_are_where_they_belong_however_the_camera_is_mounted() {
    let upright = [RED, GREEN, WHITE, BLUE];
    for (format, quarter_turns) in FORMATS.into_iter().flat_map(|it| (0..4_u8).map(move |turns| (it, turns)))
    {
        for mirror in [false, true] {
            let settings = GeometrySettings { width: 120, height: 80, quarter_turns, mirror };
            let pixels = seen(&quarters(format), (9, 16), settings);
            let mut expected = upright;
            expected.rotate_right(quarter_turns.into());
            if mirror {
                expected = [expected[1], expected[0], expected[3], expected[2]];
            }
            let corners = corners(&pixels, 120, 80);
            let right = corners.iter().zip(expected).all(|(seen, wanted)| near(*seen, wanted));
            assert!(right, "{format} {quarter_turns} {mirror}: {corners:?}");
        }
    }
}

/// Of 160x90 pixels the published picture shows a part; the display of that what fills it.
#[test]
fn what_is_not_published_is_not_shown() {
    let stripes = |x: u32, _: u32| match x {
        0..56 => RED,
        56..104 => GREEN,
        _ => BLUE,
    };
    for (width, height) in [(50, 90), (200, 80), (64, 64)] {
        let settings = GeometrySettings { width, height, quarter_turns: 0, mirror: false };
        let pixels = seen(&frame(PixelFormat::Nv12, (160, 90), 0, stripes), (46, 90), settings);
        assert!(pixels.iter().all(|pixel| near(*pixel, GREEN)), "{width}x{height}");
    }
    let settings = GeometrySettings { width: 64, height: 64, quarter_turns: 0, mirror: false };
    let pixels = seen(&frame(PixelFormat::Nv12, (160, 90), 0, stripes), (160, 90), settings);
    assert!(near(pixels[0], RED) && near(pixels[32], GREEN) && near(pixels[63], BLUE));
}
