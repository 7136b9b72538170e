//! FLV over HTTP POST.

use std::io::{BufRead, BufReader, Write};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use uplink::PublishError;

use crate::client::{Client, attempt, patient};
use crate::peer::{Peer, SOON, serve};

/// The request's head.
fn request(peer: &Peer) -> (Vec<String>, BufReader<std::net::TcpStream>) {
    let mut input = BufReader::new(peer.socket.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).unwrap() <= 2 {
            return (lines, input);
        }
        lines.push(line.trim_end().to_owned());
    }
}

/// The body's next chunk (RFC 9112 section 7.1); empty at its end.
fn chunk(input: &mut impl BufRead) -> Vec<u8> {
    let mut line = String::new();
    input.read_line(&mut line).unwrap();
    let mut chunk = vec![0; usize::from_str_radix(line.trim_end(), 16).unwrap() + 2];
    input.read_exact(&mut chunk).unwrap();
    assert!(chunk.ends_with(b"\r\n"));
    chunk.truncate(chunk.len() - 2);
    chunk
}

/// Answers a request's head, and then nothing more.
fn answering(answer: &'static str) -> impl FnOnce(Peer) + Send + Clone + 'static {
    move |mut peer: Peer| {
        request(&peer);
        peer.send(answer.as_bytes());
        peer.drain();
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/live/key?sign=a%2Fb")
}

#[test]
fn n7_a_permitted_body_is_a_whole_flv_stream() {
    for answer in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""] {
        let (seen, body) = channel();
        let port = serve(vec![move |mut peer: Peer| {
            let (head, mut input) = request(&peer);
            assert_eq!(head[0], "POST /live/key?sign=a%2Fb HTTP/1.1");
            peer.send(answer.as_bytes());
            let chunks = std::iter::from_fn(|| Some(chunk(&mut input)).filter(|chunk| !chunk.is_empty()));
            seen.send(chunks.collect::<Vec<_>>()).unwrap();
        }]);
        let client = Client::start(&url(port), patient());
        let started = Instant::now();
        client.wait_for_start();
        // Who says nothing within a second permits.
        assert_eq!(answer.is_empty(), started.elapsed() > Duration::from_millis(900), "{answer:?}");
        client.picture(0, true, 100);
        client.picture(40, false, 300_000);
        client.wait_until_sent();
        assert!(client.stop() < Duration::from_millis(500));
        let chunks = body.recv_timeout(SOON).unwrap();
        assert_eq!(chunks[0], b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
        let tags: Vec<(u8, usize, u8)> =
            chunks[1..].iter().map(|tag| (tag[0], tag.len() - 15, tag[6])).collect();
        assert_eq!(tags, [(9, 9, 0), (9, 105, 0), (9, 300_005, 40)]);
        assert!(chunks[1..].iter().all(|tag| tag.ends_with(&(tag.len() as u32 - 4).to_be_bytes())));
    }
}

#[test]
fn n7_status_codes_are_told_apart() {
    for (answer, expected, text) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", 3004, "HTTP 403 Forbidden"),
        ("HTTP/1.1 503 Busy\r\n\r\n", 3003, "POST failed at the server: HTTP 503 Busy"),
        ("HTTP/1.1 403 no key?sign=a%2Fb\r\n\r\n", 3004, "HTTP 403 no ***"),
        ("HTTP/1.1 500 no key?sign=a%2Fb\r\n\r\n", 3003, "HTTP 500 no ***"),
        ("RTMP\r\n\r\n", 3003, "POST went wrong: HTTP:"),
    ] {
        let error = attempt(&url(serve(vec![answering(answer)])), patient());
        assert_eq!(error.code(), expected, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = attempt(&url(serve(vec![|peer: Peer| drop(request(&peer))])), patient());
    assert!(matches!(error, PublishError::Closed(_)), "{error}");
    // An objection while the body is on its way.
    let port = serve(vec![|mut peer: Peer| {
        request(&peer);
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 410 Gone\r\n\r\n");
        peer.drain();
    }]);
    let (result, progress) = Client::start(&url(port), patient()).end();
    assert_eq!(result.unwrap_err().status(), Some(("HTTP 410", "Gone")));
    assert_eq!(progress, [1001]);
}

#[test]
fn n7_three_redirects_are_followed_and_no_fourth() {
    let again = answering("HTTP/1.1 307 Temporary Redirect\r\nLocation: /live/other\r\n\r\n");
    let error = attempt(&url(serve(vec![again.clone(); 5])), patient());
    assert_eq!((error.code(), error.to_string().contains("more than 3 redirects")), (3003, true), "{error}");

    let (seen, target) = channel();
    let last = serve(vec![move |mut peer: Peer| {
        seen.send(request(&peer).0[0].clone()).unwrap();
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n");
        peer.drain();
    }]);
    let first = serve(vec![move |mut peer: Peer| {
        request(&peer);
        let location = format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{last}/b/c?d\r\n\r\n");
        let _ = peer.wire.write_all(location.as_bytes());
    }]);
    let client = Client::start(&url(first), patient());
    client.wait_for_start();
    assert_eq!(target.recv_timeout(SOON).unwrap(), "POST /b/c?d HTTP/1.1");
    client.stop();
}
