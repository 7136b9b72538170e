//! What fuzzing starts from must be survived by every build, in portions of any size.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use uplink::{Address, ChunkReader, Event, Session};

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let seeds = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let seeds: Vec<_> = seeds
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()[1..].to_vec())
        })
        .collect();
    assert!(seeds.len() > 10);
    seeds
}

/// The events that a server's bytes lead to.
fn events(bytes: &[u8], portion: usize) -> (Vec<Event>, &'static str) {
    let mut session = Session::new(Address::parse("rtmp://host/app/stream").unwrap()).unwrap();
    let mut handshake = vec![0; 1 + 2 * 1536];
    handshake[0] = 3;
    session.receive(&handshake).unwrap();
    let mut events = Vec::new();
    for portion in bytes.chunks(portion) {
        if session.receive(portion).is_err() {
            break;
        }
        events.extend(std::iter::from_fn(|| session.next_event()));
    }
    (events, session.step())
}

#[test]
fn each_seed_means_the_same_in_portions_of_any_size() {
    for (name, bytes) in seeds("session") {
        let whole = events(&bytes, bytes.len());
        for portion in [1, 2, 3, 7, 64, 1000] {
            assert_eq!(events(&bytes, portion), whole, "{name} in portions of {portion}");
        }
        // The events, and the step that the session has come to.
        let (expected, expected_step): (&[&str], _) = match name.as_str() {
            "happy" => (&["Publishing"], "stream"),
            "refused" | "rejected" => (&["Refused"], "stream"),
            "abort" | "deep" | "strict_array" => (&[], "createStream"),
            _ => (&[], "connect"),
        };
        let (events, step) = whole;
        assert_eq!(step, expected_step, "{name}");
        let kinds: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(kinds.len(), expected.len(), "{name}: {kinds:?}");
        for (kind, expected) in kinds.iter().zip(expected) {
            assert!(kind.starts_with(expected), "{name}: {kinds:?}");
        }
    }
}

#[test]
fn messages_that_are_interleaved_or_extended_are_put_together() {
    let read = |name: &str| {
        let seed = seeds("chunk_reader").into_iter().find(|(seed, _)| seed == name).unwrap().1;
        let mut reader = ChunkReader::default();
        reader.push(&seed);
        std::iter::from_fn(|| reader.next_message().unwrap())
            .map(|message| (message.kind, message.timestamp, message.payload))
            .collect::<Vec<_>>()
    };
    assert_eq!(read("interleaved"), [(9, 0, vec![b'b'; 20]), (8, 0, vec![b'a'; 200])]);
    assert_eq!(read("extended"), [(9, 0x0100_0000, vec![b'y'; 300])]);
    assert_eq!(read("long_ids").len(), 2);
}

proptest! {
    #[test]
    fn any_bytes_from_a_server_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000), portion in 1_usize..300) {
        events(&bytes, portion);
    }

    /// A seed with some bytes changed reaches deeper than random bytes.
    #[test]
    fn damaged_answers_are_survived(seed in 0_usize..10, damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let (_, mut bytes) = seeds("session").swap_remove(seed);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        events(&bytes, 100);
    }
}
