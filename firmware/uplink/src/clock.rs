//! The time of a stream.

use crate::Track;

/// RTMP time: milliseconds from the first packet, never backwards on a track.
#[derive(Default)]
pub(crate) struct Clock {
    first: Option<i64>,
    last: [u32; 2],
}

impl Clock {
    /// `None` for sound that is older than the first packet: it began before the stream did. Pictures that are older come
    /// at its beginning: later ones refer to them.
    pub(crate) fn timestamp(&mut self, track: Track, time: i64) -> Option<u32> {
        let since_first = time - *self.first.get_or_insert(time);
        if since_first < 0 && track == Track::Audio {
            return None;
        }
        let since_first = since_first.max(0);
        // Modulo 2^32, as in RTMP (section 3).
        let timestamp = (since_first / 1000) as u32;
        let last = &mut self.last[track as usize];
        let backwards = timestamp.wrapping_sub(*last) > u32::MAX / 2;
        *last = if backwards { *last } else { timestamp };
        Some(*last)
    }

    /// The last timestamp of all.
    pub(crate) fn latest(&self) -> u32 {
        let [video, audio] = self.last;
        // The one that is ahead of the other, modulo 2^32.
        if video.wrapping_sub(audio) > u32::MAX / 2 { audio } else { video }
    }

    /// The last timestamp of a track.
    pub(crate) fn last(&self, track: Track) -> u32 {
        self.last[track as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_that_began_before_the_stream_is_left_out_and_pictures_come_at_its_beginning() {
        let mut clock = Clock::default();
        let stamps = [
            (Track::Video, 5_000_000),
            (Track::Audio, 4_979_000),
            (Track::Audio, 5_000_500),
            (Track::Audio, 5_021_900),
            (Track::Video, 5_033_000),
            (Track::Audio, 5_010_000),
        ]
        .map(|(track, time)| clock.timestamp(track, time));
        // The last one would go back: it keeps the time of the one before.
        assert_eq!(stamps, [Some(0), None, Some(0), Some(21), Some(33), Some(21)]);
        assert_eq!(clock.latest(), 33);
        let mut clock = Clock::default();
        let stamps = [(Track::Audio, 5_000_000), (Track::Video, 4_700_000), (Track::Video, 5_040_000)]
            .map(|(track, time)| clock.timestamp(track, time));
        assert_eq!(stamps, [Some(0), Some(0), Some(40)]);
    }
}
