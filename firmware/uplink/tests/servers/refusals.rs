//! Servers that refuse, close or are not there: each ends in the error that its status code belongs to.

use std::net::TcpListener;

use uplink::PublishError;

use crate::client::{Client, attempt, patient};
use crate::peer::{Peer, null, number, server, status, text};

#[test]
fn n1_no_server_is_a_failed_connection_and_no_name_a_failed_resolution() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = attempt(&format!("rtmp://127.0.0.1:{port}/live/key"), patient());
    assert_eq!(error.code(), 3002, "{error}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}: Connection refused")), "{error}");
    let error = attempt("rtmp://nowhere.invalid/live/key", patient());
    assert_eq!(error.code(), 3001, "{error}");
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    // It has ::1 too on most machines, where nothing listens.
    let listens_on_ipv4 = server(|mut peer: Peer| peer.accept()).replace("127.0.0.1", "localhost");
    let (_, progress) = Client::start(&listens_on_ipv4, patient()).end();
    assert_eq!(progress, [1001]);
}

#[test]
fn a_server_that_speaks_no_rtmp_fails_the_handshake() {
    let error = attempt(&server(drop), patient());
    assert!(matches!(error, PublishError::Protocol { step: "handshake", .. }), "{error}");
    let error = attempt(&server(|mut peer| peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")), patient());
    assert!(matches!(error, PublishError::Protocol { step: "handshake", .. }), "{error}");
}

/// Sends the answers of a file of the fuzz corpus, a byte at a time where `slowly`.
fn scripted(answers: &'static [u8], slowly: bool) -> String {
    server(move |mut peer| {
        peer.shake_hands();
        for portion in answers[1..].chunks(if slowly { 1 } else { answers.len() }) {
            peer.send(portion);
        }
        peer.drain();
    })
}

#[test]
fn n1_a_refusal_keeps_the_servers_code() {
    let refused = include_bytes!("../../fuzz/corpus/session/refused");
    let rejected = include_bytes!("../../fuzz/corpus/session/rejected");
    for (answers, expected) in
        [(&refused[..], "NetStream.Publish.BadName"), (&rejected[..], "NetConnection.Connect.Rejected")]
    {
        for slowly in [false, true] {
            let error = attempt(&scripted(answers, slowly), patient());
            assert_eq!((error.code(), error.status()), (3004, Some((expected, "x"))), "{error}");
        }
    }
}

#[test]
fn n1_a_name_in_use_is_refused_without_the_name_in_the_error() {
    let url = server(|mut peer| {
        peer.shake_hands();
        peer.expect("connect");
        peer.command(&[text("_result"), number(1.0), null(), null()]);
        peer.expect("createStream");
        peer.command(&[text("_result"), number(4.0), null(), number(1.0)]);
        peer.expect("publish");
        peer.status("error", "NetStream.Publish.BadName", "topsecret is in use");
        peer.drain();
    });
    let error = attempt(&url.replace("key", "topsecret?token=hidden"), patient());
    assert_eq!(error.status(), Some(("NetStream.Publish.BadName", "*** is in use")), "{error}");
}

/// Answers a command of that name, and those before it in a friendly way, with an error.
fn failing(command: &'static str, with: &'static str, code: &'static str) -> String {
    server(move |mut peer| {
        peer.shake_hands();
        let results =
            [("connect", 1.0, null()), ("createStream", 4.0, number(1.0)), ("publish", 5.0, null())];
        for (name, transaction, result) in results {
            peer.expect(name);
            if name == command {
                peer.command(&[text(with), number(transaction), null(), status("error", code, "too bad")]);
                break;
            }
            peer.command(&[text("_result"), number(transaction), null(), result]);
        }
        peer.drain();
    })
}

#[test]
fn n1_an_error_is_a_refusal_only_where_its_code_says_so() {
    for (command, with, told, expected) in [
        ("connect", "_error", "NetConnection.Connect.Rejected", 3004),
        ("connect", "_error", "NetConnection.Connect.InvalidApp", 3004),
        ("connect", "_error", "NetConnection.Connect.Failed", 3003),
        ("connect", "onStatus", "NetConnection.Connect.Closed", 3004),
        ("createStream", "_error", "NetConnection.Call.Failed", 3003),
        ("createStream", "_error", "", 3003),
        ("publish", "_error", "NetConnection.Call.Failed", 3003),
        ("publish", "onStatus", "NetStream.Publish.BadName", 3004),
        ("publish", "onStatus", "NetStream.Publish.Denied", 3004),
        ("publish", "onStatus", "NetStream.publish.Unauthorized", 3004),
        ("publish", "onStatus", "NetStream.Publish.Failed", 3003),
        ("publish", "onStatus", "NetStream.Failed", 3003),
    ] {
        let error = attempt(&failing(command, with, told), patient());
        assert_eq!((error.code(), error.status()), (expected, Some((told, "too bad"))), "{error}");
        let tells_step = error.to_string().starts_with(&format!("{command} failed at the server"));
        assert_eq!(tells_step, expected == 3003, "{error}");
    }
}

#[test]
fn n1_a_server_that_ends_the_stream_says_why() {
    let notices = [
        ("status", "NetStream.Unpublish.Success", "kicked"),
        ("error", "NetConnection.Connect.Closed", "too long"),
    ];
    for (level, expected, description) in notices {
        let url = server(move |mut peer| {
            peer.accept();
            peer.status(level, expected, description);
            peer.drain();
        });
        let (result, progress) = Client::start(&url, patient()).end();
        let error = result.unwrap_err();
        assert_eq!((error.code(), error.status()), (3004, Some((expected, description))), "{error}");
        assert_eq!(progress, [1001]);
    }
}

#[test]
fn the_last_words_of_a_server_that_resets_the_connection_are_heard() {
    for _ in 0..10 {
        let url = server(move |mut peer| {
            peer.accept();
            peer.receive();
            peer.status("error", "NetStream.Publish.BadName", "kicked");
            // Closing with unread bytes resets the connection.
        });
        let client = Client::start(&url, patient());
        client.wait_for_start();
        client.flood();
        let error = client.end().0.unwrap_err();
        assert_eq!(error.status(), Some(("NetStream.Publish.BadName", "kicked")), "{error}");
    }
}

#[test]
fn a_server_that_closes_while_connecting_is_told_from_a_refusal() {
    let error = attempt(
        &server(|mut peer| {
            peer.shake_hands();
            peer.expect("connect");
        }),
        patient(),
    );
    assert!(matches!(error, PublishError::Closed(_)), "{error}");
}

#[test]
fn a_rejected_connection_is_told_with_its_description() {
    let url = server(|mut peer| {
        peer.shake_hands();
        peer.expect("connect");
        let info = status("error", "NetConnection.Connect.Rejected", "no such app");
        peer.command(&[text("_error"), number(1.0), null(), info]);
        peer.drain();
    });
    let error = attempt(&url, patient());
    assert_eq!(error.status(), Some(("NetConnection.Connect.Rejected", "no such app")), "{error}");
}
