//! How a user is told to a server that asks: the two schemes of the field, which both refuse twice. The first refusal names the
//! scheme, the second gives a challenge; each is answered on the next connection, behind the app.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use rustls::crypto::ring;

use crate::Address;
use crate::address::Credentials;

/// What is added to the app of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    query: String,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Unasked,
    /// The user was told.
    Named,
    /// The challenge was answered: a further refusal is final.
    Answered,
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The refusal is about something else.
    Otherwise,
    /// The server wants a user, and the address has none.
    NoUser,
    /// User or password is wrong.
    Wrong,
}

impl Login {
    /// Behind app and tcUrl of the connect command.
    pub(crate) fn query(&self) -> &str {
        &self.query
    }

    /// What to say on the next connection, after a refusal with this description.
    pub(crate) fn after(&self, refusal: &str, address: &Address) -> Result<Self, Denied> {
        let (scheme, respond): (_, fn(&Address, &Credentials, &Challenge<'_>) -> String) =
            if refusal.contains("authmod=adobe") {
                ("adobe", adobe)
            } else if refusal.contains("authmod=llnw") {
                ("llnw", limelight)
            } else {
                return Err(Denied::Otherwise);
            };
        let Some(credentials) = address.credentials() else {
            return Err(Denied::NoUser);
        };
        let head = format!("?authmod={scheme}&user={}", credentials.user);
        match (self.stage, refusal.split_once("?reason=needauth")) {
            (Stage::Unasked | Stage::Named, Some((_, challenge))) => {
                let challenge = Challenge { text: challenge, own: nonce() };
                let query = head + &respond(address, credentials, &challenge);
                Ok(Self { query, stage: Stage::Answered })
            }
            (Stage::Unasked, None) if refusal.contains("need auth") => {
                Ok(Self { query: head, stage: Stage::Named })
            }
            _ => Err(Denied::Wrong),
        }
    }
}

struct Challenge<'a> {
    /// `&name=value` one after the other.
    text: &'a str,
    /// The client's.
    own: String,
}

impl Challenge<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        let pairs = self.text.split('&').filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
    }
}

/// Eight hexadecimal digits that nobody can tell before.
fn nonce() -> String {
    let mut bytes = [0; 4];
    // It need not be secret, only new: where there is no chance, all answers begin alike.
    let _ = ring::default_provider().secure_random.fill(&mut bytes);
    format!("{:08x}", u32::from_be_bytes(bytes))
}

fn digest(parts: &[&str]) -> [u8; 16] {
    let mut digest = Md5::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().into()
}

fn hexadecimal(parts: &[&str]) -> String {
    format!("{:032x}", u128::from_be_bytes(digest(parts)))
}

/// Adobe's, of Flash Media Server: user, salt and password, then with what the server and the client came up with.
fn adobe(_: &Address, credentials: &Credentials, challenge: &Challenge<'_>) -> String {
    let salt = challenge.value("salt").unwrap_or("");
    let opaque = challenge.value("opaque");
    let theirs = opaque.or(challenge.value("challenge")).unwrap_or("");
    let secret = BASE64_STANDARD.encode(digest(&[&credentials.user, salt, &credentials.password]));
    let response = BASE64_STANDARD.encode(digest(&[&secret, theirs, &challenge.own]));
    let opaque = opaque.map_or(String::new(), |opaque| format!("&opaque={opaque}"));
    format!("&challenge={}&response={response}{opaque}", challenge.own)
}

/// Limelight's: HTTP's digest access authentication (RFC 2617 section 3.2.2) of the method `publish` at the app.
fn limelight(address: &Address, credentials: &Credentials, challenge: &Challenge<'_>) -> String {
    const COUNT: &str = "00000001";
    let nonce = challenge.value("nonce").unwrap_or("");
    let app = address.app();
    let instance = if app.contains('/') { "" } else { "/_definst_" };
    let secret = hexadecimal(&[&credentials.user, ":live:", &credentials.password]);
    let place = hexadecimal(&["publish:/", app, instance]);
    let own = &challenge.own;
    let response = hexadecimal(&[&secret, ":", nonce, ":", COUNT, ":", own, ":auth:", &place]);
    format!("&nonce={nonce}&cnonce={own}&nc={COUNT}&response={response}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address() -> Address {
        Address::parse("rtmp://me:secret@host/live/key").unwrap()
    }

    #[test]
    fn the_answers_follow_from_user_password_and_challenge() {
        let address = address();
        let credentials = address.credentials().unwrap();
        // Computed with Python's hashlib and base64.
        let challenge = Challenge { text: "&user=me&salt=c2FsdA==&opaque=b3BhcXVl", own: "0badcafe".into() };
        let expected = "&challenge=0badcafe&response=d4V+lNl7cxQD70N/yVVD/Q==&opaque=b3BhcXVl";
        assert_eq!(adobe(&address, credentials, &challenge), expected);
        let challenge = Challenge { text: "&nonce=n0nce", own: "0badcafe".into() };
        let expected = "&nonce=n0nce&cnonce=0badcafe&nc=00000001&response=86267760ae4e406cbe2fc2e41877fc14";
        assert_eq!(limelight(&address, credentials, &challenge), expected);
    }

    #[test]
    fn a_server_that_goes_on_refusing_is_asked_three_times_in_all() {
        let address = address();
        let first = Login::default().after("[ code=403 need auth; authmod=adobe ]", &address).unwrap();
        assert_eq!(first.query(), "?authmod=adobe&user=me");
        let challenge = "[ authmod=adobe ] : ?reason=needauth&user=me&salt=a&challenge=b&opaque=b";
        let second = first.after(challenge, &address).unwrap();
        assert!(second.query().starts_with("?authmod=adobe&user=me&challenge="), "{}", second.query());
        assert_eq!(second.after(challenge, &address), Err(Denied::Wrong));
        let failed = "[ authmod=adobe ] : ?reason=authfailed&opaque=b";
        assert_eq!(second.after(failed, &address), Err(Denied::Wrong));
        assert_eq!(Login::default().after("stream name in use", &address), Err(Denied::Otherwise));
        let nobody = Address::parse("rtmp://host/live/key").unwrap();
        assert_eq!(Login::default().after("need auth; authmod=llnw", &nobody), Err(Denied::NoUser));
    }

    proptest! {
        #[test]
        fn any_challenge_is_answered_without_the_password(challenge: String, is_adobe: bool) {
            let scheme = if is_adobe { "adobe" } else { "llnw" };
            let refusal = format!("authmod={scheme} : ?reason=needauth{challenge}");
            let login = Login::default().after(&refusal, &address()).unwrap();
            prop_assert!(login.query().len() < 200 + refusal.len());
            prop_assert!(challenge.contains("secret") || !login.query().contains("secret"));
        }
    }
}
