//! The time of day of a box that may have no clock chip: it begins in 1970 until it hears of NTP. Media have a clock of their
//! own, which nothing here touches.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far the clock must have gone on to be worth a write to the flash.
const DAY: Duration = Duration::from_secs(86_400);

/// What no time is before: the program's build, and the last time that was `kept`, in seconds since 1970.
pub(crate) fn floor(kept: u64) -> SystemTime {
    let built = env!("PUSHBOX_BUILT").parse().unwrap_or(0);
    UNIX_EPOCH + Duration::from_secs(kept.max(built))
}

/// The time to keep in place of the `kept` one, at most once a day, in seconds since 1970. One that nobody confirms is not
/// kept: a clock that is ahead would spoil the floor.
pub(crate) fn worth_keeping(kept: u64, now: SystemTime, is_synchronised: bool) -> Option<u64> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    (is_synchronised && now >= Duration::from_secs(kept) + DAY).then_some(now.as_secs())
}

/// Whether the kernel's clock is disciplined by NTP (adjtimex(2)).
pub(crate) fn is_synchronised() -> bool {
    // SAFETY: all zeros are a `timex`, one that asks and sets nothing.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes into `state` only.
    let result = unsafe { libc::adjtimex(&raw mut state) };
    result >= 0 && state.status & libc::STA_UNSYNC == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_kept_once_a_day_if_it_is_known_to_be_right() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let kept = 1_800_000_000;
        for (now, is_synchronised, expected) in [
            (at(0), false, None),
            (at(kept + 90_000), false, None),
            (at(kept + 86_399), true, None),
            (at(kept + 86_400), true, Some(kept + 86_400)),
            (at(kept - 1_000_000), true, None),
        ] {
            assert_eq!(worth_keeping(kept, now, is_synchronised), expected);
        }
    }

    #[test]
    fn the_floor_is_the_build_or_what_was_kept() {
        assert!(floor(0) > UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        assert_eq!(floor(4_000_000_000), UNIX_EPOCH + Duration::from_secs(4_000_000_000));
        is_synchronised();
    }
}
