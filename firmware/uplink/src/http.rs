//! FLV in the body of a POST (spec 10.7), without I/O: bytes from the server in, bytes for it and events out.

use std::collections::VecDeque;
use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::chunk::Chunks;
use crate::session::{Event, SessionError};
use crate::{Address, flv};

/// Bytes of an answer's head.
const LONGEST_HEAD: usize = 16 << 10;
const HEADERS: usize = 64;

/// What the server is asked for, for messages to people.
pub(crate) const STEP: &str = "POST";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the permission to go on.
    Asking,
    Publishing,
    Ended,
}

pub(crate) struct Post {
    state: State,
    out: Vec<u8>,
    /// The beginning of an answer's head.
    answer: Vec<u8>,
    /// Whether the final answer has come: what follows is its body.
    is_answered: bool,
    events: VecDeque<Event>,
}

impl Post {
    pub(crate) fn new(address: &Address) -> Self {
        let authorization = address.credentials().map_or(String::new(), |who| {
            let who = BASE64_STANDARD.encode(format!("{}:{}", who.user, who.password));
            format!("Authorization: Basic {who}\r\n")
        });
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Pushbox/{}\r\n{authorization}\
             Content-Type: video/x-flv\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
            address.target(),
            address.authority(),
            env!("CARGO_PKG_VERSION"),
        );
        Self {
            state: State::Asking,
            out: request.into_bytes(),
            answer: Vec::new(),
            is_answered: false,
            events: VecDeque::new(),
        }
    }

    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn is_publishing(&self) -> bool {
        self.state == State::Publishing
    }

    /// Goes on with the body: permitted, or because nobody objects. False where it is too late for that.
    pub(crate) fn begin(&mut self) -> bool {
        if self.state != State::Asking {
            return false;
        }
        self.state = State::Publishing;
        // The file's header (FLV annex E.2) in a chunk of its own.
        self.out.extend_from_slice(b"d\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0\r\n");
        self.events.push_back(Event::Publishing);
        true
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        if self.is_answered {
            return Ok(());
        }
        self.answer.extend_from_slice(bytes);
        while !self.is_answered {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS];
            let mut response = httparse::Response::new(&mut headers);
            let parsed =
                response.parse(&self.answer).map_err(|error| SessionError::Http(error.to_string()))?;
            let (httparse::Status::Complete(length), Some(status)) = (parsed, response.code) else {
                if self.answer.len() > LONGEST_HEAD {
                    return Err(SessionError::Http("an answer of more than 16 KiB".into()));
                }
                break;
            };
            let reason = response.reason.unwrap_or_default().to_owned();
            let location =
                response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("location"));
            let location = location.map(|header| String::from_utf8_lossy(header.value).into_owned());
            self.answer.drain(..length);
            self.answered(status, reason, location);
        }
        Ok(())
    }

    fn answered(&mut self, status: u16, reason: String, location: Option<String>) {
        self.is_answered = status >= 200;
        let event = match status {
            100 | 200..300 => {
                // Some servers give their final answer first.
                self.begin();
                return;
            }
            101..200 => return,
            300..400 if self.state == State::Asking && location.is_some() => {
                Event::Moved(location.unwrap_or_default())
            }
            500.. => Event::Failed { step: STEP, code: format!("HTTP {status}"), description: reason },
            _ => Event::Refused { code: format!("HTTP {status}"), description: reason },
        };
        self.state = State::Ended;
        self.events.push_back(event);
    }

    /// Ends the body in order.
    pub(crate) fn close(&mut self) {
        if self.state == State::Publishing {
            self.out.extend_from_slice(b"0\r\n\r\n");
        }
        self.state = State::Ended;
    }
}

/// Prepares a tag (FLV annex E.4.1) in a chunk of its own (RFC 9112 section 7.1); the payload stays where it is.
pub(crate) fn tag(kind: u8, timestamp: u32, prefix: &[u8], payload: usize, chunks: &mut Chunks) {
    let length = prefix.len() + payload;
    let head = |out: &mut Vec<u8>| {
        // Writing to memory does not fail.
        let _ = write!(out, "{:x}\r\n", flv::TAG_HEADER + length + 4);
        out.extend_from_slice(&flv::tag_header(kind, timestamp, length as u32));
        out.extend_from_slice(prefix);
    };
    let tail = |out: &mut Vec<u8>| {
        out.extend_from_slice(&((flv::TAG_HEADER + length) as u32).to_be_bytes());
        out.extend_from_slice(b"\r\n");
    };
    chunks.enclose(payload, head, tail);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn post(url: &str) -> Post {
        Post::new(&Address::parse(url).unwrap())
    }

    #[test]
    fn the_request_is_as_the_specification_says() {
        let mut post = post("http://me:a%3Ab@host:8080/live/key?a=b c\u{fc}");
        let request = String::from_utf8(post.output().clone()).unwrap();
        assert!(
            request.starts_with("POST /live/key?a=b%20c%C3%BC HTTP/1.1\r\nHost: host:8080\r\n"),
            "{request}"
        );
        for line in [
            "Authorization: Basic bWU6YTpi",
            "Content-Type: video/x-flv",
            "Transfer-Encoding: chunked",
            "Expect: 100-continue",
        ] {
            assert!(request.contains(&format!("\r\n{line}\r\n")), "{request}");
        }
    }

    #[test]
    fn a_tag_is_a_chunk() {
        let (mut chunks, mut out) = (Chunks::default(), Vec::new());
        tag(9, 0x0123_4567, &[0x17, 1, 0, 0, 0], 3, &mut chunks);
        chunks.copy(&[7, 8, 9], &mut out);
        let expected = [
            &b"17\r\n"[..],
            &[9, 0, 0, 8, 0x23, 0x45, 0x67, 0x01, 0, 0, 0],
            &[0x17, 1, 0, 0, 0, 7, 8, 9],
            &[0, 0, 0, 19],
            b"\r\n",
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn answers_mean_the_same_in_portions_of_any_size() {
        let cases = [
            ("HTTP/1.1 100 Continue\r\n\r\n", "Publishing"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "Publishing"),
            ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", "Publishing"),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", "Refused { code: \"HTTP 403\", description: \"Forbidden\" }"),
            (
                "HTTP/1.1 503 Busy\r\n\r\n",
                "Failed { step: \"POST\", code: \"HTTP 503\", description: \"Busy\" }",
            ),
            ("HTTP/1.0 302 Found\r\nLocation: /b\r\n\r\n", "Moved(\"/b\")"),
            (
                "HTTP/1.1 304 Not Modified\r\n\r\n",
                "Refused { code: \"HTTP 304\", description: \"Not Modified\" }",
            ),
        ];
        for (answer, expected) in cases {
            for portion in [1, 7, 1000] {
                let mut post = post("http://host/live/key");
                for part in answer.as_bytes().chunks(portion) {
                    post.receive(part).unwrap();
                }
                let events: Vec<_> = std::iter::from_fn(|| post.next_event()).collect();
                assert_eq!(format!("{events:?}"), format!("[{expected}]"), "{answer}");
            }
        }
    }

    #[test]
    fn servers_that_speak_no_http_are_errors() {
        let error = |answer: &[u8]| post("http://host/live/key").receive(answer).unwrap_err().to_string();
        assert_eq!(error(b"\x03\0\0\0"), "HTTP: invalid HTTP version");
        let endless = [&b"HTTP/1.1 100 Continue\r\nX: "[..], &b"x".repeat(20_000)].concat();
        assert_eq!(error(&endless), "HTTP: an answer of more than 16 KiB");
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>, more: Vec<u8>) {
            let mut post = post("http://host/live/key");
            let _ = post.receive(&bytes).and_then(|()| post.receive(&more));
            let mut post = post_after_status();
            let _ = post.receive(&more);
        }
    }

    fn post_after_status() -> Post {
        let mut post = post("http://host/live/key");
        post.receive(b"HTTP/1.1 100 Continue\r\n").unwrap();
        post
    }
}
