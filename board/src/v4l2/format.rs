//! Which of the formats on offer is taken.

use media::PixelFormat;

use super::device::SizeRange;

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

/// The best of several: one that reaches rate and size before one that doesn't, then the cheaper format.
pub(super) fn best(candidates: Vec<Candidate>, wish: Wish) -> Option<Candidate> {
    candidates.into_iter().min_by_key(|candidate| {
        (!reaches(candidate.rate, wish), !covers(candidate.size, wish), candidate.pixels)
    })
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
        assert_eq!(best(offers, WISH).unwrap().pixels, PixelFormat::Mjpeg);
        let slow = Wish { rate: 10.0, ..WISH };
        let offers = vec![candidate(*b"MJPG", (1280, 720), 10.0), candidate(*b"YUYV", (1280, 720), 10.0)];
        assert_eq!(best(offers, slow).unwrap().pixels, PixelFormat::Yuyv);
    }

    #[test]
    fn raw_formats_are_preferred_in_the_order_of_their_cost() {
        let codes = [*b"MJPG", *b"YUYV", *b"YU12", *b"NV21", *b"NM12"];
        let offers = codes.map(|code| candidate(code, (1280, 720), 30.0)).to_vec();
        assert_eq!(best(offers, WISH).unwrap().fourcc, fourcc(*b"NM12"));
        assert!(best(Vec::new(), WISH).is_none());
    }
}
