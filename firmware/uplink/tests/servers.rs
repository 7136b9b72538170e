//! Servers that refuse, close or are not there: each ends in the error that its status code belongs to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use uplink::{Address, Options, PublishError, SendQueue, publish};

/// Publishes to `address` until it ends by itself.
fn attempt(address: &str) -> PublishError {
    let address = Address::parse(address).unwrap();
    let queue = SendQueue::<Vec<u8>>::new(Duration::from_secs(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(publish(&address, &Options::default(), &queue, std::future::pending(), |_| {}))
        .unwrap_err()
}

/// A server that does `work` with its first connection.
fn server(work: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("rtmp://{}/live/key", listener.local_addr().unwrap());
    thread::spawn(move || work(listener.accept().unwrap().0));
    address
}

fn shake_hands(stream: &mut TcpStream) {
    let mut hello = [0; 1537];
    stream.read_exact(&mut hello).unwrap();
    let mut answer = [0; 1537];
    answer[0] = 3;
    stream.write_all(&answer).unwrap();
    stream.write_all(&hello[1..]).unwrap();
}

/// Sends `answers` a byte at a time where `slowly`, then reads until the client goes.
fn scripted(answers: &'static [u8], slowly: bool) -> String {
    server(move |mut stream| {
        stream.set_nodelay(true).unwrap();
        shake_hands(&mut stream);
        for portion in answers[1..].chunks(if slowly { 1 } else { answers.len() }) {
            stream.write_all(portion).unwrap();
        }
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    })
}

#[test]
fn no_server_is_a_failed_connection_and_no_name_a_failed_resolution() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = attempt(&format!("rtmp://127.0.0.1:{port}/live/key"));
    assert!(matches!(error, PublishError::Connect { .. }), "{error}");
    let error = attempt("rtmp://nowhere.invalid/live/key");
    assert!(matches!(error, PublishError::Resolve { .. }), "{error}");
}

#[test]
fn a_server_that_speaks_no_rtmp_fails_the_handshake() {
    let error = attempt(&server(drop));
    assert!(matches!(error, PublishError::Protocol { step: "handshake", .. }), "{error}");
    let error = attempt(&server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 2000]);
    }));
    assert!(matches!(error, PublishError::Protocol { step: "handshake", .. }), "{error}");
}

#[test]
fn a_refusal_keeps_the_servers_code() {
    let refused = include_bytes!("../fuzz/corpus/session/refused");
    let rejected = include_bytes!("../fuzz/corpus/session/rejected");
    for (answers, expected) in
        [(&refused[..], "NetStream.Publish.BadName"), (&rejected[..], "NetConnection.Connect.Rejected")]
    {
        for slowly in [false, true] {
            match attempt(&scripted(answers, slowly)) {
                PublishError::Refused { code, description } => {
                    assert_eq!((code.as_str(), &*description), (expected, "x"));
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_server_that_closes_while_connecting_is_told_from_a_refusal() {
    let error = attempt(&server(|mut stream| {
        shake_hands(&mut stream);
        // C2 and the beginning of the connect command.
        stream.read_exact(&mut [0; 1536 + 100]).unwrap();
    }));
    assert!(matches!(error, PublishError::Closed(_)), "{error}");
}

#[test]
fn shutdown_wins_over_a_server_that_says_nothing() {
    let address = Address::parse(&server(|stream| {
        thread::park_timeout(Duration::from_secs(20));
        drop(stream);
    }))
    .unwrap();
    let queue = SendQueue::<Vec<u8>>::new(Duration::from_secs(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shutdown = tokio::time::sleep;
    let started = Instant::now();
    let result = runtime.block_on(async {
        publish(&address, &Options::default(), &queue, shutdown(Duration::from_millis(100)), |_| {}).await
    });
    assert!(result.is_ok());
    assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
}
