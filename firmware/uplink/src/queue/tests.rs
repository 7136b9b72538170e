use proptest::prelude::*;

use super::*;

fn queue(milliseconds: u64) -> SendQueue<u32> {
    let queue = SendQueue::new(Duration::from_millis(milliseconds));
    queue.connect();
    assert!(queue.wants_idr() && !queue.wants_idr());
    queue
}

fn video(number: u32, sync: bool) -> Packet<u32> {
    Packet { track: Track::Video, sync, time: i64::from(number) * 40_000, data: number }
}

fn audio(number: u32) -> Packet<u32> {
    Packet { track: Track::Audio, sync: true, time: i64::from(number) * 20_000, data: number }
}

fn drain(queue: &SendQueue<u32>) -> Vec<(Track, u32)> {
    let items = std::iter::from_fn(|| queue.try_next());
    items
        .filter_map(|item| match item {
            Media::Packet(packet) => Some((packet.track, packet.data)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_connection_begins_with_metadata_configurations_and_an_idr_picture() {
    let queue = SendQueue::new(Duration::from_secs(1));
    queue.set_configuration(Track::Audio, &[1]);
    queue.set_configuration(Track::Video, &[2]);
    queue.set_metadata(&Metadata::default());
    queue.push(video(0, true));
    queue.push(video(9, false));
    queue.connect();
    assert!(queue.wants_idr());
    queue.push(video(1, false));
    queue.push(audio(2));
    queue.push(video(2, true));
    let items: Vec<_> = std::iter::from_fn(|| queue.try_next()).collect();
    assert!(matches!(
        &items[..],
        [
            Media::Metadata(_),
            Media::Configuration(Track::Video, _),
            Media::Configuration(Track::Audio, _),
            Media::Packet(Packet { track: Track::Audio, .. }),
            Media::Packet(Packet { track: Track::Video, data: 2, .. }),
        ]
    ));
}

#[test]
fn an_idr_picture_that_was_under_way_is_not_asked_for() {
    let queue = SendQueue::new(Duration::from_secs(1));
    queue.connect();
    queue.push(video(0, true));
    assert!(!queue.wants_idr());
    assert_eq!(drain(&queue), [(Track::Video, 0)]);
}

#[test]
fn a_configuration_goes_out_again_only_when_it_changes() {
    let queue = queue(1000);
    for configuration in [[1], [1], [2]] {
        queue.set_configuration(Track::Video, &configuration);
    }
    let sent: Vec<_> = std::iter::from_fn(|| queue.try_next()).collect();
    assert!(
        matches!(&sent[..], [Media::Configuration(_, a), Media::Configuration(_, b)] if **a == [1] && **b == [2])
    );
}

#[test]
fn metadata_that_wait_are_replaced_where_they_are() {
    let queue = SendQueue::new(Duration::from_secs(1));
    let metadata = |encoder: &str| Metadata { encoder: encoder.into(), ..Metadata::default() };
    queue.set_metadata(&metadata("first"));
    queue.connect();
    queue.push(video(0, true));
    for number in 0..1000 {
        queue.set_metadata(&metadata(&format!("number {number}")));
    }
    let items: Vec<_> = std::iter::from_fn(|| queue.try_next()).collect();
    let [Media::Metadata(body), Media::Packet(_)] = &items[..] else { panic!("{} items", items.len()) };
    assert_eq!(**body, metadata("number 999").body()[..]);
    queue.set_metadata(&metadata("next"));
    assert!(matches!(queue.try_next(), Some(Media::Metadata(_))), "none waited");
}

#[test]
fn a_group_that_has_just_begun_waits_for_its_connection() {
    let queue = SendQueue::new(Duration::from_secs(1));
    queue.set_configuration(Track::Video, &[2]);
    for packet in [audio(0), video(1, false), video(2, true), audio(5), video(3, false)] {
        queue.push(packet);
    }
    queue.connect();
    assert!(!queue.wants_idr());
    queue.push(video(4, false));
    assert!(matches!(queue.try_next(), Some(Media::Configuration(Track::Video, _))));
    let expected = [(Track::Video, 2), (Track::Audio, 5), (Track::Video, 3), (Track::Video, 4)];
    assert_eq!(drain(&queue), expected);
    queue.disconnect();
    queue.push(video(5, false));
    queue.connect();
    assert!(queue.wants_idr() && drain(&queue).is_empty());
}

#[test]
fn a_full_queue_drops_pictures_and_asks_for_an_idr_picture() {
    let queue = queue(400);
    for number in 0..11 {
        queue.push(video(number, number == 0));
        queue.push(audio(2 * number));
    }
    assert!(!queue.wants_idr());
    queue.push(video(11, false));
    assert!(queue.wants_idr());
    queue.push(video(12, false));
    queue.push(video(13, true));
    let left = drain(&queue);
    let pictures: Vec<u32> =
        left.iter().filter(|(track, _)| *track == Track::Video).map(|(_, n)| *n).collect();
    assert_eq!(pictures, [13]);
    assert_eq!(queue.dropped().video, 13);
    assert!(
        left.iter().filter(|(track, _)| *track == Track::Audio).count() >= 5,
        "sound goes last: {left:?}"
    );
}

#[test]
fn an_idr_picture_that_waits_already_is_where_the_stream_resumes() {
    let queue = queue(400);
    for number in 0..12 {
        queue.push(video(number, number % 8 == 0));
    }
    assert_eq!(drain(&queue).first(), Some(&(Track::Video, 8)));
    assert!(!queue.wants_idr());
}

proptest! {
    /// Whatever is pushed, no picture goes out whose group lost an earlier one, and the bound holds.
    #[test]
    fn no_picture_goes_out_without_those_it_refers_to(pushes in prop::collection::vec((any::<bool>(), 0_u8..8, 0_u8..3), 1..400)) {
        let queue = queue(500);
        let (mut number, mut time, mut next) = (0_u32, 0_i64, None);
        for (is_video, sync, takes) in pushes {
            time += 33_000;
            let track = if is_video { Track::Video } else { Track::Audio };
            let sync = !is_video || sync == 0;
            if is_video {
                number += 1;
            }
            // The lowest bit tells an IDR picture.
            queue.push(Packet { track, sync, time, data: number << 1 | u32::from(sync) });
            prop_assert!(queue.queued() <= Duration::from_millis(500));
            for _ in 0..takes {
                if let Some(Media::Packet(Packet { track: Track::Video, data, .. })) = queue.try_next() {
                    prop_assert!(data & 1 == 1 || next == Some(data >> 1), "picture {} after a gap", data >> 1);
                    next = Some((data >> 1) + 1);
                }
            }
        }
    }
}
