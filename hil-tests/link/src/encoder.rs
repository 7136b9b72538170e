//! An encoder's output: how many bytes each picture has.

use crate::random::Random;

/// Milliseconds from one IDR picture to the next (spec 10.3).
const GOP: u64 = 3000;

#[derive(Clone, Debug)]
pub struct EncoderModel {
    pub fps: u64,
    /// Bytes of an IDR picture, in means of all pictures.
    pub idr: f64,
    /// Spread of the others' bytes, as a share of their mean.
    pub noise: f64,
    /// Milliseconds in which it comes to two thirds of a new target.
    pub lag: f64,
    random: Random,
    /// Bits a second that it goes by.
    rate: f64,
    /// Bytes by which it is above its rate.
    debt: f64,
    idr_due: u64,
    pictures: u64,
}

impl EncoderModel {
    pub fn new(seed: u64, rate: f64) -> Self {
        Self {
            fps: 30,
            idr: 6.0,
            noise: 0.2,
            lag: 150.0,
            random: Random::new(seed),
            rate,
            debt: 0.0,
            idr_due: 0,
            pictures: 0,
        }
    }

    /// The picture of this millisecond, if there is one: bytes, and whether it is an IDR picture.
    pub(crate) fn picture(&mut self, now: u64, target: f64, wants_idr: bool) -> Option<(usize, bool)> {
        self.rate += (target - self.rate) / self.lag.max(1.0);
        if now * self.fps / 1000 < self.pictures {
            return None;
        }
        self.pictures += 1;
        let mean = self.rate / 8.0 / self.fps as f64;
        let is_idr = wants_idr || now >= self.idr_due;
        let bytes = if is_idr {
            self.idr_due = now + GOP;
            mean * self.idr
        } else {
            // What an IDR picture took is paid back within a second (VBV, spec 10.3).
            let paid = (mean - self.debt / self.fps as f64).max(0.4 * mean);
            paid * (1.0 + self.noise * self.random.normal()).max(0.3)
        };
        self.debt += bytes - mean;
        Some((bytes as usize + 20, is_idr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_its_rate_in_spite_of_idr_pictures_and_noise() {
        let mut encoder = EncoderModel::new(1, 2e6);
        let (mut bytes, mut pictures, mut idrs) = (0, 0, 0);
        for now in 0..30_000 {
            if let Some((size, is_idr)) = encoder.picture(now, 2e6, false) {
                (bytes, pictures, idrs) = (bytes + size, pictures + 1, idrs + u64::from(is_idr));
            }
        }
        assert_eq!((pictures, idrs), (900, 10));
        let rate = bytes as f64 * 8.0 / 30.0;
        assert!((rate / 2e6 - 1.0).abs() < 0.05, "{rate}");
    }
}
