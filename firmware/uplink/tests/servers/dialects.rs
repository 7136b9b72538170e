//! Servers that speak RTMP in their own way, all known from the field: pictures arrive at each of them.

use std::sync::mpsc::channel;
use std::time::Duration;

use crate::client::{Client, patient};
use crate::peer::{COMMAND, Peer, SOON, message, null, number, object, server, status, text};

/// Publishes a picture to a server that does `noise` before each of its answers, the step's name given.
fn publish_amid(noise: impl Fn(&mut Peer, &str) + Send + 'static) {
    let (seen, arrived) = channel();
    let url = server(move |mut peer| {
        peer.shake_hands();
        noise(&mut peer, "handshake");
        peer.expect("connect");
        noise(&mut peer, "connect");
        peer.command(&[
            text("_result"),
            number(1.0),
            null(),
            status("status", "NetConnection.Connect.Success", ""),
        ]);
        peer.expect("createStream");
        noise(&mut peer, "createStream");
        peer.command(&[text("_result"), number(4.0), null(), number(7.0)]);
        peer.expect("publish");
        noise(&mut peer, "publish");
        peer.start();
        noise(&mut peer, "stream");
        while let Some(message) = peer.receive() {
            if message.kind == 9 && message.payload[1] == 1 {
                seen.send((message.stream_id, message.payload.len())).unwrap();
            }
        }
    });
    let client = Client::start(&url, patient());
    client.wait_for_start();
    for number in 0..3 {
        client.picture(number * 40, number == 0, 10_000);
        assert_eq!(arrived.recv_timeout(SOON).unwrap(), (7, 10_005));
    }
    assert!(client.stop() < Duration::from_millis(500));
}

#[test]
fn commands_that_mean_nothing_are_passed_over() {
    publish_amid(|peer, _| {
        peer.command(&[text("onBWDone"), number(0.0), null(), number(8192.0)]);
        peer.command(&[
            text("onFCPublish"),
            number(0.0),
            null(),
            status("status", "NetStream.Publish.Start", ""),
        ]);
        // VK's, before anything is open.
        peer.command(&[text("close")]);
        peer.command(&[
            text("_error"),
            number(2.0),
            null(),
            status("error", "NetConnection.Call.Failed", ""),
        ]);
        peer.command(&[
            text("_error"),
            number(3.0),
            null(),
            status("error", "NetConnection.Call.Failed", ""),
        ]);
        peer.command(&[]);
        peer.command(&[number(1.0)]);
        peer.command(&[text("_result")]);
        peer.command(&[text("onStatus"), number(0.0)]);
    });
}

#[test]
fn media_data_aggregates_and_unknown_messages_are_passed_over() {
    publish_amid(|peer, _| {
        // Sound, pictures, data, shared objects, an aggregate (RTMP section 7.1.6), and types that there are not.
        for kind in [8, 9, 15, 16, 18, 19, 22, 0, 7, 255] {
            peer.message(5, kind, 1, &[1; 300]);
            peer.message(5, kind, 1, &[]);
        }
    });
}

#[test]
fn acknowledgements_pings_and_bandwidths_of_all_kinds_are_survived() {
    publish_amid(|peer, _| {
        for number in [0_u32, 1, 0x7fff_ffff, 0x8000_0000, 0xf000_0000, 0xffff_ffff, 0] {
            peer.message(2, 3, 0, &number.to_be_bytes());
            peer.message(2, 5, 0, &number.max(1).to_be_bytes());
        }
        for limit in [0, 1, 2, 9] {
            peer.message(2, 6, 0, &[0, 38, 37, 160, limit]);
        }
        for event in 0..=32 {
            peer.message(2, 4, 0, &[0, event, 0, 0, 0, 1]);
        }
        // Cut off.
        for kind in [1, 2, 3, 4, 5, 6] {
            peer.message(2, kind, 0, &[0]);
        }
        // The tiniest window: every byte is to be acknowledged.
        peer.message(2, 5, 0, &1_u32.to_be_bytes());
    });
}

#[test]
fn values_of_all_kinds_stand_in_the_answers() {
    let date = [&[11][..], &[0; 10]].concat();
    let long = [&[12, 0, 0, 0, 3][..], b"abc"].concat();
    let typed = [&[16, 0, 1, b'c', 0, 1, b'p'][..], &date, &[0, 0, 9]].concat();
    let list = [&[10, 0, 0, 0, 1][..], &typed].concat();
    let (seen, arrived) = channel();
    let url = server(move |mut peer| {
        peer.shake_hands();
        peer.expect("connect");
        let odd = [("since", date), ("text", long), ("object", typed), ("list", list), ("x", vec![13])];
        let info = object(&[&odd[..], &[("code", text("NetConnection.Connect.Success"))]].concat());
        peer.command(&[text("_result"), number(1.0), info.clone(), info]);
        peer.expect("createStream");
        peer.command(&[text("_result"), number(4.0), null(), number(1.0), vec![0x11, 1, 2]]);
        peer.expect("publish");
        let code = ("code", text("NetStream.Publish.Start"));
        peer.command(&[text("onStatus"), number(0.0), null(), object(&[&odd[..], &[code]].concat())]);
        seen.send(peer.receive().is_some()).unwrap();
        peer.drain();
    });
    let client = Client::start(&url, patient());
    client.wait_for_start();
    assert!(arrived.recv_timeout(SOON).unwrap());
    client.stop();
}

#[test]
fn commands_come_in_amf_3_in_any_chunks_and_a_byte_at_a_time() {
    let (seen, arrived) = channel();
    let url = server(move |mut peer| {
        peer.shake_hands();
        peer.expect("connect");
        // AMF3 commands (type 17) hold AMF0 behind a byte.
        let info = status("status", "NetConnection.Connect.Success", "");
        let body = [vec![0], text("_result"), number(1.0), null(), info].concat();
        for byte in message(3, 17, 0, &body, 128) {
            peer.send(&[byte]);
        }
        peer.expect("createStream");
        // Chunks of one byte, then chunks that hold everything, on a chunk stream with a long number.
        peer.message(2, 1, 0, &1_u32.to_be_bytes());
        let body = [text("_result"), number(4.0), null(), number(1.0)].concat();
        peer.send(&message(3, COMMAND, 0, &body, 1));
        peer.expect("publish");
        peer.send(&message(2, 1, 0, &0x7fff_ffff_u32.to_be_bytes(), 1));
        let info = status("status", "NetStream.Publish.Start", &"x".repeat(5000));
        let body = [text("onStatus"), number(0.0), null(), info].concat();
        let message = message(3, COMMAND, 1, &body, 1 << 20);
        peer.send(&[&[0, 200][..], &message[1..]].concat());
        seen.send(peer.receive().is_some()).unwrap();
        peer.drain();
    });
    let client = Client::start(&url, patient());
    client.wait_for_start();
    assert!(arrived.recv_timeout(SOON).unwrap());
    client.stop();
}

#[test]
fn messages_are_interleaved_and_given_up_midway() {
    publish_amid(|peer, step| {
        if step == "handshake" {
            return;
        }
        // Two messages in turns, chunk by chunk, the longer one begun first.
        let (long, short) = (message(5, 9, 1, &[1; 300], 128), message(6, 8, 1, &[2; 200], 128));
        peer.send(&[&long[..140], &short[..140], &long[140..269], &short[140..], &long[269..]].concat());
        // The beginning of a command that never comes, taken back by Abort (RTMP section 5.4.2).
        let given_up = message(3, COMMAND, 0, &[9; 300], 128);
        peer.send(&given_up[..140]);
        peer.message(2, 2, 0, &3_u32.to_be_bytes());
        // Abort of a chunk stream that does not exist, and of one with nothing under way.
        peer.message(2, 2, 0, &60_u32.to_be_bytes());
        peer.message(2, 2, 0, &3_u32.to_be_bytes());
    });
}

#[test]
fn a_server_that_reads_slowly_gets_whole_groups_of_pictures() {
    let (seen, arrived) = channel();
    let url = server(move |mut peer| {
        socket2::SockRef::from(&peer.socket).set_recv_buffer_size(256 << 10).unwrap();
        peer.accept();
        let mut last = None;
        while let Some(message) = peer.receive() {
            if message.kind == 9 && message.payload[1] == 1 {
                // 1 MB a second at the most, a tenth of what comes.
                std::thread::sleep(Duration::from_millis(100));
                let follows = last.is_some_and(|last| message.timestamp == last + 40);
                seen.send((message.timestamp, message.payload[0] == 0x17 || follows)).unwrap();
                last = Some(message.timestamp);
            }
        }
    });
    let client = Client::start(&url, patient());
    client.wait_for_start();
    for number in 0..100 {
        client.picture(number * 40, number % 10 == 0, 100_000);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(client.queue.dropped().video > 0);
    assert!(client.queue.queued() <= Duration::from_secs(1));
    assert!(client.stop() < Duration::from_millis(500));
    let pictures: Vec<(u32, bool)> = arrived.iter().collect();
    assert!(pictures.len() > 5 && pictures.iter().all(|(_, follows)| *follows), "{pictures:?}");
}
