//! Servers that want to know who publishes.

use std::sync::mpsc::{Sender, channel};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};

use crate::client::{Client, attempt, patient};
use crate::peer::{Peer, SOON, null, number, serve, status, text};

fn md5(text: &str) -> [u8; 16] {
    Md5::digest(text).into()
}

fn hexadecimal(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// The response that Adobe's servers expect of user `me` with password `s3cret`.
fn adobe(query: &str) -> (String, String) {
    let secret = BASE64_STANDARD.encode(md5("mec2FsdA==s3cret"));
    let expected = BASE64_STANDARD.encode(md5(&format!("{secret}b3BhcXVl{}", value(query, "challenge"))));
    (value(query, "response"), expected)
}

/// The same of Limelight's.
fn limelight(query: &str) -> (String, String) {
    let (secret, place) = (hexadecimal(md5("me:live:s3cret")), hexadecimal(md5("publish:/live/_definst_")));
    let cnonce = value(query, "cnonce");
    let expected = hexadecimal(md5(&format!("{secret}:n0nce:00000001:{cnonce}:auth:{place}")));
    (value(query, "response"), expected)
}

fn value(query: &str, name: &str) -> String {
    let pairs = query.split(['?', '&']).filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next().unwrap_or_default()
}

/// The app of the connect command.
fn app(peer: &mut Peer) -> String {
    peer.shake_hands();
    let body = peer.expect("connect");
    let name = body.windows(5).position(|bytes| bytes == b"\0\x03app").unwrap() + 6;
    let length = usize::from(body[name]) << 8 | usize::from(body[name + 1]);
    String::from_utf8(body[name + 2..][..length].to_vec()).unwrap()
}

fn reject(mut peer: Peer, description: &str) {
    let info = status("error", "NetConnection.Connect.Rejected", description);
    peer.command(&[text("_error"), number(1.0), null(), info]);
}

/// A server that asks twice and tells what it was answered; its address without the user.
fn asking(scheme: &'static str, challenge: &'static str, seen: Sender<String>) -> u16 {
    let part = move |mut peer: Peer| {
        let app = app(&mut peer);
        seen.send(app.clone()).unwrap();
        let user = format!("?authmod={scheme}&user=me");
        match app.strip_prefix("live").unwrap() {
            "" => reject(
                peer,
                &format!("[ AccessManager.Reject ] : [ code=403 need auth; authmod={scheme} ] : "),
            ),
            query if query == user => reject(
                peer,
                &format!(
                    "[ AccessManager.Reject ] : [ authmod={scheme} ] : ?reason=needauth&user=me&{challenge}"
                ),
            ),
            query => {
                let (response, expected) = if scheme == "adobe" { adobe(query) } else { limelight(query) };
                if response == expected {
                    let info = status("status", "NetConnection.Connect.Success", "");
                    peer.command(&[text("_result"), number(1.0), null(), info]);
                    peer.expect("createStream");
                    peer.command(&[text("_result"), number(4.0), null(), number(1.0)]);
                    peer.expect("publish");
                    peer.start();
                    peer.drain();
                } else {
                    reject(peer, &format!("[ authmod={scheme} ] : ?reason=authfailed&opaque=x"));
                }
            }
        }
    };
    serve(vec![part.clone(), part.clone(), part.clone(), part])
}

const SCHEMES: [(&str, &str); 2] =
    [("adobe", "salt=c2FsdA==&challenge=b3BhcXVl&opaque=b3BhcXVl"), ("llnw", "nonce=n0nce")];

#[test]
fn user_and_password_are_told_in_two_steps_each_on_a_new_connection() {
    for (scheme, challenge) in SCHEMES {
        let (seen, apps) = channel();
        let port = asking(scheme, challenge, seen);
        let client = Client::start(&format!("rtmp://me:s3cret@127.0.0.1:{port}/live/key"), patient());
        client.wait_for_start();
        let said: Vec<String> = (0..3).map(|_| apps.recv_timeout(SOON).unwrap()).collect();
        assert_eq!(said[..2], ["live".to_owned(), format!("live?authmod={scheme}&user=me")]);
        assert!(!said[2].contains("s3cret"), "{}", said[2]);
        client.stop();
        assert!(apps.try_recv().is_err(), "no fourth connection");
    }
}

#[test]
fn a_wrong_password_and_a_missing_user_are_told_without_showing_either() {
    for (who, hint) in [
        ("me:wr0ng@", "; check user and password in the address"),
        ("", "; it wants a user: give rtmp://user:password@host/app/stream"),
    ] {
        for (scheme, challenge) in SCHEMES {
            let (seen, _apps) = channel();
            let port = asking(scheme, challenge, seen);
            let error = attempt(&format!("rtmp://{who}127.0.0.1:{port}/live/key"), patient());
            assert_eq!(error.code(), 3004, "{error}");
            assert!(error.to_string().ends_with(hint) && !error.to_string().contains("wr0ng"), "{error}");
        }
    }
}

#[test]
fn a_server_that_never_stops_asking_is_asked_three_times() {
    let (seen, apps) = channel();
    let part = move |mut peer: Peer| {
        let _ = seen.send(app(&mut peer));
        reject(peer, "[ authmod=adobe ] : ?reason=needauth&salt=a&challenge=b; need auth");
    };
    let port = serve(vec![part.clone(), part.clone(), part.clone(), part.clone(), part]);
    let error = attempt(&format!("rtmp://me:s3cret@127.0.0.1:{port}/live/key"), patient());
    assert_eq!(error.code(), 3004, "{error}");
    assert!(apps.try_iter().count() <= 3);
}
