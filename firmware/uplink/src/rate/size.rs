use std::time::Duration;

use super::Time;

/// Bits a pixel below which a picture is too large for its rate, and above which it could be larger (spec 10.9).
const POOR: f64 = 0.03;
const RICH: f64 = 0.08;
/// From one evaluation to the next, and how many in a row make it smaller.
const EVALUATION: Duration = Duration::from_millis(500);
const EVALUATIONS: u32 = 3;
/// How long it must be rich to be made larger.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many steps the picture is smaller than wanted, so that its rate suffices (spec 10.9, RTC).
#[derive(Clone, Copy, Debug, Default)]
pub struct SizeSteps {
    steps: u8,
    due: Time,
    poor: u32,
    rich_since: Option<Time>,
}

impl SizeSteps {
    pub fn steps(&self) -> u8 {
        self.steps
    }

    /// Takes back what is more than the encoder takes.
    pub fn limit(&mut self, most: u8) {
        self.steps = self.steps.min(most);
    }

    /// Takes the bits that a pixel of the present size has; `is_smallest` tells that there is no smaller one. True where
    /// [`SizeSteps::steps`] changed.
    pub fn evaluate(&mut self, now: Time, bits_per_pixel: f64, is_smallest: bool) -> bool {
        if now < self.due {
            return false;
        }
        self.due = now + EVALUATION;
        self.poor = if bits_per_pixel < POOR && !is_smallest { self.poor + 1 } else { 0 };
        self.rich_since = self.rich_since.or(Some(now)).filter(|_| bits_per_pixel > RICH);
        let before = self.steps;
        if self.poor >= EVALUATIONS {
            self.steps += 1;
        } else if self.rich_since.is_some_and(|since| now >= since + PATIENCE) {
            self.steps = self.steps.saturating_sub(1);
        }
        if self.steps != before {
            (self.poor, self.rich_since) = (0, None);
        }
        self.steps != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps after each evaluation.
    fn steps(size: &mut SizeSteps, from: u64, bits: &[f64]) -> Vec<u8> {
        let evaluate = |(index, bits): (usize, &f64)| {
            size.evaluate(Duration::from_millis(from + 500 * index as u64), *bits, size.steps() == 2);
            size.steps()
        };
        bits.iter().enumerate().map(evaluate).collect()
    }

    #[test]
    fn three_poor_evaluations_in_a_row_make_it_smaller_as_far_as_there_is_a_smaller_one() {
        let mut size = SizeSteps::default();
        assert_eq!(
            steps(&mut size, 0, &[0.029, 0.029, 0.031, 0.02, 0.02, 0.02, 0.05]),
            [0, 0, 0, 0, 0, 1, 1]
        );
        assert_eq!(steps(&mut size, 10_000, &[0.01; 8]), [1, 1, 2, 2, 2, 2, 2, 2]);
    }

    #[test]
    fn twenty_rich_seconds_make_it_larger_up_to_what_is_wanted() {
        let mut size = SizeSteps { steps: 1, ..SizeSteps::default() };
        let seen = steps(&mut size, 0, &[0.09; 100]);
        assert_eq!((seen[39], seen[40], seen[99]), (1, 0, 0));
        let mut size = SizeSteps { steps: 1, ..SizeSteps::default() };
        let bits: Vec<f64> = (0..100).map(|index| if index % 30 == 29 { 0.08 } else { 0.09 }).collect();
        assert_eq!(steps(&mut size, 0, &bits)[99], 1);
    }

    #[test]
    fn a_step_that_is_taken_back_counts_no_more() {
        let mut size = SizeSteps { steps: 2, ..SizeSteps::default() };
        size.limit(1);
        assert_eq!(steps(&mut size, 0, &[0.09; 41])[40], 0, "it is larger after one wait");
    }

    #[test]
    fn samples_between_two_evaluations_do_not_count() {
        let mut size = SizeSteps::default();
        for milliseconds in 0..1000 {
            assert!(!size.evaluate(Duration::from_millis(milliseconds), 0.0, false));
        }
        assert!(size.evaluate(Duration::from_secs(1), 0.0, false));
    }
}
