//! How media travel: RTMP, or FLV over HTTP.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::Login;
use crate::chunk::Chunks;
use crate::http::{self, Post};
use crate::{Address, Event, Session, SessionError};

/// How long a server has to object to a POST (spec 10.7).
const OBJECTION: Duration = Duration::from_secs(1);

pub(crate) enum Protocol {
    Rtmp(Box<Session>),
    Http(Post),
}

impl Protocol {
    pub(crate) fn new(address: &Address, login: &Login) -> Result<Self, SessionError> {
        if address.is_http() {
            return Ok(Self::Http(Post::new(address)));
        }
        Ok(Self::Rtmp(Box::new(Session::with_login(address.clone(), login.clone())?)))
    }

    /// How long the way to publishing may take, given the usual limit.
    pub(crate) fn patience(&self, handshake: Duration) -> Duration {
        match self {
            Self::Rtmp(_) => handshake,
            Self::Http(_) => OBJECTION,
        }
    }

    /// Begins without an answer, where that is the custom; false where it is not.
    pub(crate) fn begin(&mut self) -> bool {
        match self {
            Self::Rtmp(_) => false,
            Self::Http(post) => post.begin(),
        }
    }

    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Rtmp(session) => session.output(),
            Self::Http(post) => post.output(),
        }
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        match self {
            Self::Rtmp(session) => session.receive(bytes),
            Self::Http(post) => post.receive(bytes),
        }
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        match self {
            Self::Rtmp(session) => session.next_event(),
            Self::Http(post) => post.next_event(),
        }
    }

    pub(crate) fn is_publishing(&self) -> bool {
        match self {
            Self::Rtmp(session) => session.is_publishing(),
            Self::Http(post) => post.is_publishing(),
        }
    }

    /// The last number of bytes that the server said to have.
    pub(crate) fn acknowledged(&self) -> Option<u32> {
        match self {
            Self::Rtmp(session) => session.acknowledged(),
            Self::Http(_) => None,
        }
    }

    /// The step that waits for an answer, for messages to people.
    pub(crate) fn step(&self) -> &'static str {
        match self {
            Self::Rtmp(session) => session.step(),
            Self::Http(_) => http::STEP,
        }
    }

    /// The body of a message with metadata.
    pub(crate) fn metadata(&self, body: Arc<[u8]>) -> Arc<[u8]> {
        // "@setDataFrame" has an RTMP server keep the metadata for those who join later.
        let name = *b"\x02\x00\x0d@setDataFrame";
        match self {
            Self::Rtmp(_) => [&name[..], &body].concat().into(),
            Self::Http(_) => body,
        }
    }

    /// Prepares a media message; the payload stays where it is.
    pub(crate) fn media(
        &mut self,
        kind: u8,
        timestamp: u32,
        prefix: &[u8],
        payload: usize,
        chunks: &mut Chunks,
    ) {
        match self {
            Self::Rtmp(session) => session.media(kind, timestamp, prefix, payload, chunks),
            Self::Http(_) => http::tag(kind, timestamp, prefix, payload, chunks),
        }
    }

    /// Ends the stream in order.
    pub(crate) fn close(&mut self) {
        match self {
            Self::Rtmp(session) => session.close(),
            Self::Http(post) => post.close(),
        }
    }
}
