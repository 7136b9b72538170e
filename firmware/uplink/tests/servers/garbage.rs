//! Servers that speak no protocol at all, or a broken one: a clear end, at once or at the limit.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::client::{Client, attempt, impatient, patient};
use crate::peer::{COMMAND, Peer, message, server, text};

#[test]
fn broken_chunks_end_the_connection_with_what_is_wrong() {
    let unfinished: Vec<u8> = (10..14)
        .flat_map(|stream| message(stream, 9, 1, &vec![0; 1 << 20], 100_000)[..700_018].to_vec())
        .collect();
    let streams: Vec<u8> =
        (0..=70).flat_map(|stream| [&[0, stream][..], &[0; 6], &[9], &[1, 0, 0, 0]].concat()).collect();
    let cases: [(Vec<u8>, &str); 7] = [
        (vec![0xc5], "begins without a full header"),
        (
            [message(5, 9, 1, &[1; 300], 128)[..140].to_vec(), message(5, 9, 1, &[1; 10], 128)].concat(),
            "amid a message",
        ),
        (message(2, 1, 0, &[0, 0, 0, 0], 128), "chunk size 0"),
        (message(2, 1, 0, &[0x80, 0, 0, 0], 128), "chunk size 2147483648"),
        (vec![5, 0, 0, 0, 0x10, 0, 1, 9, 1, 0, 0, 0], "more than 1 MiB"),
        ([message(2, 1, 0, &100_000_u32.to_be_bytes(), 128), unfinished].concat(), "unfinished messages"),
        (streams, "more than 64 chunk streams"),
    ];
    for (bytes, expected) in cases {
        for publishes in [false, true] {
            let bytes = bytes.clone();
            let url = server(move |mut peer| {
                if publishes {
                    peer.accept();
                } else {
                    peer.shake_hands();
                }
                peer.send(&bytes);
                peer.drain();
            });
            let error = attempt(&url, patient());
            assert_eq!(error.code(), 3003, "{error}");
            assert!(error.to_string().contains(expected), "{error} instead of {expected}");
        }
    }
}

#[test]
fn random_bytes_end_in_one_of_the_codes_and_never_hang() {
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let bytes = prop::collection::vec(any::<u8>(), 0..4000);
    let strategy = (bytes, 0_usize..3, any::<bool>());
    runner
        .run(&strategy, |(bytes, step, is_http)| {
            let url = server(move |mut peer| {
                let steps: [fn(&mut Peer); 3] = [|_| {}, Peer::shake_hands, Peer::accept];
                if !is_http {
                    steps[step](&mut peer);
                }
                peer.send(&bytes);
            });
            let url = if is_http { url.replace("rtmp", "http") } else { url };
            let error = attempt(&url, impatient());
            prop_assert!([3003, 3004, 3005].contains(&error.code()), "{}", error);
            Ok(())
        })
        .unwrap();
}

/// Sends the same for as long as the client listens, and reads nothing.
fn flooding(bytes: Vec<u8>, publishes: bool) -> String {
    server(move |mut peer| {
        if publishes {
            peer.accept();
        } else {
            peer.shake_hands();
        }
        let bytes = bytes.repeat((64 << 10) / bytes.len() + 1);
        while peer.wire.write_all(&bytes).is_ok() {}
    })
}

/// What a server can go on sending for ever.
fn floods() -> [Vec<u8>; 4] {
    [
        message(2, 4, 0, &[0, 6, 0, 0, 0, 1], 128),
        message(2, 3, 0, &[0, 0, 0, 1], 128),
        message(5, 9, 1, &[], 128),
        message(3, COMMAND, 0, &text("onBWDone"), 128),
    ]
}

#[test]
fn a_flood_neither_outlasts_the_handshakes_limit_nor_a_stop() {
    for bytes in floods() {
        let started = Instant::now();
        let error = attempt(&flooding(bytes.clone(), false), impatient());
        assert_eq!(error.code(), 3003, "{error}");
        let took = started.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");

        let client = Client::start(&flooding(bytes, true), patient());
        client.wait_for_start();
        std::thread::sleep(Duration::from_millis(100));
        let took = client.stop();
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
}

#[test]
fn pictures_go_out_amid_a_flood() {
    let (seen, arrived) = std::sync::mpsc::channel();
    let url = server(move |mut peer| {
        peer.accept();
        let mut out = peer.socket.try_clone().unwrap();
        let noise = message(2, 3, 0, &[0, 0, 0, 1], 128).repeat(4000);
        std::thread::spawn(move || while std::io::Write::write_all(&mut out, &noise).is_ok() {});
        while let Some(message) = peer.receive() {
            if message.kind == 9 && message.payload[1] == 1 {
                let _ = seen.send(message.timestamp);
            }
        }
    });
    let client = Client::start(&url, patient());
    client.wait_for_start();
    for number in 0..20 {
        client.picture(number * 40, number == 0, 10_000);
        let timestamp = arrived.recv_timeout(crate::peer::SOON).unwrap();
        assert_eq!(i64::from(timestamp), number * 40);
    }
    client.stop();
}
