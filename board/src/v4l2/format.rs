//! Which of the formats on offer is taken.

use media::{Layout, PixelFormat, PlaneLayout};

use super::device::SizeRange;
use super::queue::{PLANES, PixFormat};

/// What the board file asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rate: f64,
}

/// One way to run the sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) fourcc: u32,
    pub(super) pixels: PixelFormat,
    pub(super) size: (u32, u32),
    pub(super) rate: f64,
}

impl Candidate {
    /// How its pictures lie without padding.
    fn packed(&self) -> Option<Layout> {
        let Self { fourcc, size: (width, height), .. } = *self;
        layout(&PixFormat { fourcc, width, height, strides: vec![0; memory_planes(fourcc)] })
    }

    /// The strides that `input` makes of its own, unless that is another format.
    fn input_strides(&self, input: impl Fn(Layout) -> Option<Layout>) -> Option<[usize; PLANES]> {
        let kind = |layout: &Layout| (layout.format, layout.planes.map(|plane| plane.memory));
        let packed = self.packed()?;
        let taken = input(packed).filter(|taken| kind(taken) == kind(&packed))?;
        Some(taken.planes.map(|plane| plane.stride))
    }
}

/// A four-character code as the kernel counts it.
pub(super) const fn fourcc(code: [u8; 4]) -> u32 {
    u32::from_le_bytes(code)
}

/// The kernel's formats that are understood. Those with an M have each colour plane in a memory plane of its own.
const KNOWN: [(u32, PixelFormat, bool); 9] = [
    (fourcc(*b"NV12"), PixelFormat::Nv12, false),
    (fourcc(*b"NM12"), PixelFormat::Nv12, true),
    (fourcc(*b"NV21"), PixelFormat::Nv21, false),
    (fourcc(*b"NM21"), PixelFormat::Nv21, true),
    (fourcc(*b"YU12"), PixelFormat::I420, false),
    (fourcc(*b"YM12"), PixelFormat::I420, true),
    (fourcc(*b"YUYV"), PixelFormat::Yuyv, false),
    (fourcc(*b"MJPG"), PixelFormat::Mjpeg, false),
    (fourcc(*b"JPEG"), PixelFormat::Mjpeg, false),
];

/// The format of a four-character code, and whether its colour planes lie in memory planes of their own.
pub(super) fn known(code: u32) -> Option<(PixelFormat, bool)> {
    KNOWN.iter().find(|(known, ..)| *known == code).map(|(_, pixels, apart)| (*pixels, *apart))
}

/// In how many memory planes a picture lies.
pub(super) fn memory_planes(code: u32) -> usize {
    match known(code) {
        Some((PixelFormat::I420, true)) => 3,
        Some((_, true)) => 2,
        _ => 1,
    }
}

/// Where a driver puts the colour planes; `None` for formats that are not known.
pub(super) fn layout(pix: &PixFormat) -> Option<Layout> {
    let (pixels, apart) = known(pix.fourcc)?;
    let packed = Layout::packed(pixels, pix.width, pix.height);
    let stride = pix.strides.first().copied().unwrap_or(0).max(packed.planes[0].stride);
    let mut layout = Layout::contiguous(pixels, pix.width, pix.height, stride);
    if apart {
        for (memory, stride) in pix.strides.iter().enumerate() {
            layout.planes[memory] =
                PlaneLayout { memory, offset: 0, stride: (*stride).max(layout.row_bytes(memory)) };
        }
    }
    Some(layout)
}

/// The smallest size that covers the wish, else the largest.
pub(super) fn size(sizes: &[SizeRange], wish: Wish) -> (u32, u32) {
    let fitted = |range: &SizeRange| {
        let fit = |wish: u32, min: u32, max: u32, step: u32| {
            if wish <= min { min } else { (min + (wish - min).div_ceil(step) * step).min(max) }
        };
        let width = fit(wish.width, range.min.0, range.max.0, range.step.0);
        (width, fit(wish.height, range.min.1, range.max.1, range.step.1))
    };
    let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    let fitted = || sizes.iter().map(fitted);
    let covering = fitted().filter(|size| covers(*size, wish)).min_by_key(|size| area(*size));
    covering.or_else(|| fitted().max_by_key(|size| area(*size))).unwrap_or((wish.width, wish.height))
}

/// The lowest rate that reaches the wish, else the highest.
pub(super) fn rate(rates: &[f64], wish: Wish) -> f64 {
    let reaching = rates.iter().copied().filter(|rate| reaches(*rate, wish)).min_by(f64::total_cmp);
    reaching.or_else(|| rates.iter().copied().max_by(f64::total_cmp)).unwrap_or(wish.rate)
}

/// The best of several, with its strides, of which 0 is the driver's choice: one that reaches rate and size before one that
/// doesn't, then one that the encoder takes, then the cheaper format. `input` is how the encoder would have pictures that lie
/// so, where that is known.
pub(super) fn best(
    mut candidates: Vec<Candidate>,
    wish: Wish,
    input: impl Fn(Layout) -> Option<Layout>,
) -> Option<(Candidate, [usize; PLANES])> {
    let falls_short = |it: &Candidate| (!reaches(it.rate, wish), !covers(it.size, wish));
    candidates.sort_by_key(|candidate| (falls_short(candidate), candidate.pixels));
    let first = *candidates.first()?;
    let mut alike = candidates.iter().take_while(|candidate| falls_short(candidate) == falls_short(&first));
    let taken = |candidate: &Candidate| Some((*candidate, candidate.input_strides(&input)?));
    Some(alike.find_map(taken).unwrap_or((first, [0; PLANES])))
}

fn covers((width, height): (u32, u32), wish: Wish) -> bool {
    width >= wish.width && height >= wish.height
}

/// Rates like 29.97 pass for 30.
fn reaches(rate: f64, wish: Wish) -> bool {
    rate >= wish.rate * 0.95
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { width: 1280, height: 720, rate: 30.0 };

    fn discrete(sizes: &[(u32, u32)]) -> Vec<SizeRange> {
        sizes.iter().map(|size| SizeRange { min: *size, max: *size, step: (1, 1) }).collect()
    }

    fn candidate(code: [u8; 4], size: (u32, u32), rate: f64) -> Candidate {
        let fourcc = fourcc(code);
        Candidate { fourcc, pixels: known(fourcc).unwrap().0, size, rate }
    }

    /// Whatever the encoder takes.
    fn choice(offers: Vec<Candidate>, wish: Wish) -> Option<Candidate> {
        best(offers, wish, |_| None).map(|(taken, _)| taken)
    }

    #[test]
    fn the_smallest_size_that_covers_is_taken_else_the_largest() {
        let sizes = discrete(&[(640, 480), (1920, 1080), (1280, 720), (320, 240)]);
        assert_eq!(size(&sizes, WISH), (1280, 720));
        assert_eq!(size(&sizes[..2], WISH), (1920, 1080));
        assert_eq!(size(&sizes[3..], WISH), (320, 240));
        let range = SizeRange { min: (32, 32), max: (2592, 1944), step: (16, 16) };
        assert_eq!(size(&[range], WISH), (1280, 720));
        assert_eq!(size(&[range], Wish { width: 650, height: 3000, ..WISH }), (656, 1944));
        assert_eq!(size(&[], WISH), (1280, 720));
    }

    #[test]
    fn the_lowest_rate_that_reaches_is_taken_else_the_highest() {
        assert_eq!(rate(&[5.0, 30.0, 60.0, 29.97], WISH), 29.97);
        assert_eq!(rate(&[5.0, 10.0], WISH), 10.0);
        assert_eq!(rate(&[], WISH), 30.0);
    }

    /// A Logitech C920: raw pictures only slowly at 720p.
    #[test]
    fn a_usb_camera_gives_mjpeg_where_raw_pictures_come_too_slowly() {
        let offers = vec![candidate(*b"YUYV", (1280, 720), 10.0), candidate(*b"MJPG", (1280, 720), 30.0)];
        assert_eq!(choice(offers, WISH).unwrap().pixels, PixelFormat::Mjpeg);
        let slow = Wish { rate: 10.0, ..WISH };
        let offers = vec![candidate(*b"MJPG", (1280, 720), 10.0), candidate(*b"YUYV", (1280, 720), 10.0)];
        assert_eq!(choice(offers, slow).unwrap().pixels, PixelFormat::Yuyv);
    }

    #[test]
    fn raw_formats_are_preferred_in_the_order_of_their_cost() {
        let codes = [*b"MJPG", *b"YUYV", *b"YU12", *b"NV21", *b"NM12"];
        let offers = codes.map(|code| candidate(code, (1280, 720), 30.0)).to_vec();
        assert_eq!(choice(offers, WISH).unwrap().fourcc, fourcc(*b"NM12"));
        assert!(choice(Vec::new(), WISH).is_none());
    }

    #[test]
    fn what_the_encoder_takes_is_preferred_with_its_strides() {
        let offer = |code| candidate(code, (1280, 720), 30.0);
        let taken = |input| {
            let offers = [*b"NV12", *b"YU12", *b"NM12"].map(offer).to_vec();
            let (taken, strides) = best(offers, WISH, |_| input).unwrap();
            (taken.fourcc, strides)
        };
        let apart = offer(*b"NM12").packed();
        assert_eq!(taken(apart), (fourcc(*b"NM12"), [1280, 1280, 0]));
        let wide = Layout::contiguous(PixelFormat::I420, 1280, 720, 1536);
        assert_eq!(taken(Some(wide)), (fourcc(*b"YU12"), [1536, 768, 768]));
        for input in [None, Some(Layout::packed(PixelFormat::Nv21, 1280, 720))] {
            assert_eq!(taken(input), (fourcc(*b"NV12"), [0; 3]));
        }
        let slow = candidate(*b"NV12", (1280, 720), 10.0);
        let fast = offer(*b"MJPG");
        let (taken, _) = best(vec![slow, fast], WISH, |_| slow.packed()).unwrap();
        assert_eq!(taken.fourcc, fourcc(*b"MJPG"), "rather made anew than too slow");
    }

    #[test]
    fn planes_lie_where_single_and_multiplanar_drivers_put_them() {
        let pix = |code, strides: &[usize]| PixFormat {
            fourcc: fourcc(code),
            width: 640,
            height: 480,
            strides: strides.to_vec(),
        };
        let places = |layout: Layout| layout.planes.map(|plane| (plane.memory, plane.offset, plane.stride));
        let nv12 = layout(&pix(*b"NV12", &[704])).unwrap();
        assert_eq!(places(nv12), [(0, 0, 704), (0, 704 * 480, 704), (0, 0, 0)]);
        let nm12 = layout(&pix(*b"NM12", &[704, 704])).unwrap();
        assert_eq!(places(nm12), [(0, 0, 704), (1, 0, 704), (0, 0, 0)]);
        let ym12 = layout(&pix(*b"YM12", &[640, 320, 320])).unwrap();
        assert_eq!(places(ym12), [(0, 0, 640), (1, 0, 320), (2, 0, 320)]);
        assert!(layout(&pix(*b"RGB3", &[1920])).is_none());
    }
}
