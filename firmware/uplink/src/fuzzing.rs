//! Doors for the fuzzer to what is not public.

use crate::auth::{Denied, Login};
use crate::http::Post;
use crate::{Address, Event};

/// An HTTP server's answer, in portions.
pub fn http(answer: &[u8], portion: usize) {
    let Ok(address) = Address::parse("http://host/live/key") else { return };
    let mut post = Post::new(&address);
    let asked = post.output().len();
    for portion in answer.chunks(portion) {
        if post.receive(portion).is_err() {
            return;
        }
        while let Some(event) = post.next_event() {
            if let Event::Moved(location) = event {
                let _ = address.moved(&location);
            }
        }
        assert!(post.output().len() < asked + 100, "a header at the most");
    }
    post.close();
}

/// A server that refuses one connection after the other, a line each.
pub fn login(refusals: &str) {
    let Ok(address) = Address::parse("rtmp://me:verysecret@host/live/key") else { return };
    let (mut login, mut connections) = (Login::default(), 1);
    for refusal in refusals.lines() {
        match login.after(refusal, &address) {
            Ok(next) => login = next,
            Err(denied) => return assert_ne!(denied, Denied::NoUser),
        }
        connections += 1;
        assert!(connections <= 3, "it gives up");
        assert!(login.query().len() < 200 + refusal.len(), "what it says is short");
        assert!(refusal.contains("verysecret") || !login.query().contains("verysecret"));
    }
}
