//! A connection's life: its beginning, its end by either side or by neither, and the next one.

use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use uplink::{Packet, Published, SendQueue, Track};

use crate::client::{Client, attempt, impatient, patient};
use crate::peer::{Peer, SOON, null, number, serve, server, status, text};

/// Says nothing more after so many steps of the way to publishing.
fn silent_after(steps: usize) -> impl FnOnce(Peer) + Send + 'static {
    move |mut peer| {
        let all: [fn(&mut Peer); 4] = [
            Peer::shake_hands,
            |peer| {
                peer.expect("connect");
                let info = status("status", "NetConnection.Connect.Success", "");
                peer.command(&[text("_result"), number(1.0), null(), info]);
            },
            |peer| {
                peer.expect("createStream");
                peer.command(&[text("_result"), number(4.0), null(), number(1.0)]);
            },
            |peer| {
                peer.expect("publish");
                peer.start();
            },
        ];
        all.into_iter().take(steps).for_each(|step| step(&mut peer));
        peer.hold();
    }
}

#[test]
fn n1_a_server_that_falls_silent_is_given_up_with_the_step_that_it_left_out() {
    for (steps, name) in ["handshake", "connect", "createStream", "publish"].into_iter().enumerate() {
        let error = attempt(&server(silent_after(steps)), impatient());
        assert_eq!(error.to_string(), format!("{name} went wrong: no answer within 1 s"));
        assert_eq!(error.code(), 3003);
    }
}

#[test]
fn a_stop_wins_at_each_step_and_over_a_write_that_is_blocked() {
    for steps in 0..=4 {
        let client = Client::start(&server(silent_after(steps)), patient());
        if steps == 4 {
            client.wait_for_start();
            client.flood();
        }
        // Time to come to the step; being earlier would be as good a test.
        std::thread::sleep(Duration::from_millis(200));
        let took = client.stop();
        assert!(took < Duration::from_millis(500), "{took:?} after {steps} steps");
    }
}

#[test]
fn n1_a_server_that_takes_nothing_stalls_the_connection() {
    // What the kernel can't hold, and what it can: then only the missing acknowledgement tells.
    for size in [1 << 20, 5000] {
        let part = |peer: Peer| {
            socket2::SockRef::from(&peer.socket).set_recv_buffer_size(4096).unwrap();
            silent_after(4)(peer);
        };
        let client = Client::start(&server(part), impatient());
        client.wait_for_start();
        for number in 0..30 {
            client.picture(number * 30, number == 0, size);
        }
        let error = client.end().0.unwrap_err();
        assert_eq!(error.code(), 3005, "{error}");
    }
}

/// In a network namespace of its own, which needs root.
#[test]
fn a_connection_whose_address_the_box_has_lost_ends_at_once() {
    let test = || {
        // SAFETY: only the network namespace of this thread and those that it starts changes, which shares no memory by it.
        if unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.is_err() {
            return eprintln!("skipped: no right to make a network namespace");
        }
        let ip = |arguments: &str| {
            assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success(), "{arguments}");
        };
        ip("link set lo up");
        ip("address add 192.0.2.1/32 dev lo");
        // The client's address is another than the server's.
        let route = "local 127.0.0.1/32 dev lo table local src 192.0.2.1";
        ip(&format!("route prepend {route}"));
        let client = Client::start(&server(silent_after(4)), patient());
        client.wait_for_start();
        ip("address del 192.0.2.1/32 dev lo");
        // The way there from another one is left.
        ip(&format!("route del {route}"));
        let (result, _) = client.end();
        let error = result.unwrap_err();
        assert_eq!(error.code(), 3005);
        assert!(error.to_string().contains("192.0.2.1"), "{error}");
    };
    std::thread::spawn(test).join().unwrap();
}

#[test]
fn n1_a_connection_that_is_closed_or_reset_is_lost_to_the_server() {
    let ends: [fn(Peer); 2] = [drop, Peer::reset];
    // At once, which is before any media (1002), or amid them.
    for (end, publishes) in ends.into_iter().flat_map(|end| [(end, false), (end, true)]) {
        let (go, may_go) = channel();
        let client = Client::start(
            &server(move |mut peer| {
                peer.accept();
                may_go.recv().unwrap();
                end(peer);
            }),
            patient(),
        );
        client.wait_for_start();
        if publishes {
            client.picture(0, true, 1000);
            client.wait_for(Published::Started);
        }
        go.send(()).unwrap();
        let (result, progress) = client.end();
        let error = result.unwrap_err();
        assert_eq!(error.code(), 3004, "{error}");
        assert!(error.to_string().contains("closed the connection"), "{error}");
        assert!(progress.is_empty(), "{progress:?}");
    }
}

#[test]
fn a_server_hears_name_and_query_as_they_are_in_each_command_of_the_stream() {
    let keys = ["k?a=b&c=d?e&&=", "k?next=rtmp://x/y&z", "k#f%20%zz+ ~", "schlüssel?名=値🎥", "k?%C3%BC=ü"];
    for key in keys {
        let (seen, commands) = channel();
        let url = server(move |mut peer| {
            peer.shake_hands();
            for (name, answer) in [
                ("connect", Some((1.0, null()))),
                ("releaseStream", None),
                ("FCPublish", None),
                ("createStream", Some((4.0, number(1.0)))),
                ("publish", None),
            ] {
                seen.send(peer.expect(name)).unwrap();
                if let Some((transaction, result)) = answer {
                    peer.command(&[text("_result"), number(transaction), null(), result]);
                }
            }
            peer.start();
            for name in ["FCUnpublish", "deleteStream"] {
                seen.send(peer.expect(name)).unwrap();
            }
        });
        let client = Client::start(&url.replace("key", key), patient());
        client.wait_for_start();
        client.stop();
        let commands: Vec<Vec<u8>> = (0..7).map(|_| commands.recv_timeout(SOON).unwrap()).collect();
        let expected = |name: &str, transaction: f64, values: &[Vec<u8>]| {
            [text(name), number(transaction), null(), values.concat()].concat()
        };
        assert_eq!(commands[1], expected("releaseStream", 2.0, &[text(key)]));
        assert_eq!(commands[2], expected("FCPublish", 3.0, &[text(key)]));
        assert_eq!(commands[4], expected("publish", 5.0, &[text(key), text("live")]));
        assert_eq!(commands[5], expected("FCUnpublish", 6.0, &[text(key)]));
        assert_eq!(commands[6], expected("deleteStream", 7.0, &[number(1.0)]));
    }
}

#[test]
fn n3_each_connection_begins_with_metadata_configurations_and_an_idr_picture_at_time_zero() {
    let (seen, messages) = channel();
    let part = move |mut peer: Peer| {
        peer.accept();
        let media =
            std::iter::from_fn(|| peer.receive()).filter(|message| [8, 9, 18].contains(&message.kind));
        seen.send(media.take(5).collect::<Vec<_>>()).unwrap();
    };
    let port = serve(vec![part.clone(), part]);
    let queue = Arc::new(SendQueue::new(Duration::from_secs(1)));
    queue.set_metadata(&uplink::Metadata::default());
    queue.set_configuration(Track::Video, &[1]);
    queue.set_configuration(Track::Audio, &[2]);
    for connection in 0..2 {
        let client =
            Client::with(&format!("rtmp://127.0.0.1:{port}/live/key"), patient(), Arc::clone(&queue));
        client.wait_for_start();
        assert!(queue.wants_idr());
        let begin = 1_000_000 * connection;
        let picture = |time: i64, sync| Packet { track: Track::Video, sync, time, data: vec![9] };
        queue.push(picture(begin, false));
        queue.push(picture(begin + 33_000, true));
        queue.push(Packet { track: Track::Audio, sync: true, time: begin + 40_000, data: vec![8] });
        let media = messages.recv_timeout(SOON).unwrap();
        let kinds: Vec<(u8, u32, u8)> =
            media.iter().map(|message| (message.kind, message.timestamp, message.payload[1])).collect();
        // Metadata, the two configurations (packet type 0), the IDR picture and the sound (packet type 1).
        assert_eq!(kinds, [(18, 0, 0), (9, 0, 0), (8, 0, 0), (9, 0, 1), (8, 7, 1)]);
        assert_eq!(media[3].payload[0], 0x17);
        assert!(client.end().0.is_err());
    }
}

/// The timestamps around the values that RTMP and 32 bits end at, after 4.66 hours and 49.7 days.
#[test]
fn timestamps_go_on_past_24_and_32_bits() {
    const EDGES: [i64; 3] = [1 << 24, 1 << 31, 1 << 32];
    let times: Vec<i64> = [0]
        .into_iter()
        .chain(EDGES.into_iter().flat_map(|edge| (-3..=3).map(move |n| edge + 40 * n)))
        .collect();
    let (seen, arrived) = channel();
    let client = Client::start(
        &server(move |mut peer| {
            peer.accept();
            while let Some(message) = peer.receive() {
                if message.kind == 9 && message.payload[1] == 1 {
                    seen.send((message.timestamp, message.payload.len())).unwrap();
                }
            }
        }),
        patient(),
    );
    client.wait_for_start();
    for time in times {
        // Longer than a chunk: its continuations carry the extended timestamp too.
        client.picture(time, true, 10_000);
        assert_eq!(arrived.recv_timeout(SOON).unwrap(), (time as u32, 10_005), "at {time} ms");
    }
    client.stop();
}

#[test]
fn pictures_go_on_whatever_the_server_says_to_have() {
    // Its numbers wrap around and jump.
    let (seen, arrived) = channel();
    let client = Client::start(
        &server(move |mut peer| {
            peer.accept();
            for number in [0xffff_ff00_u32, 0xffff_ffff, 0, 5, 1 << 31, 0xf000_0000, 0] {
                peer.message(2, 3, 0, &number.to_be_bytes());
            }
            while let Some(message) = peer.receive() {
                if message.kind == 9 && message.payload[1] == 1 {
                    seen.send(message.timestamp).unwrap();
                }
            }
        }),
        patient(),
    );
    client.wait_for_start();
    for number in 0..10 {
        client.picture(number * 40, number == 0, 1000);
        assert_eq!(i64::from(arrived.recv_timeout(SOON).unwrap()), number * 40);
    }
    client.stop();
}
