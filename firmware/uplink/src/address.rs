use std::fmt;

/// Where to publish: `rtmp://[user:password@]host[:port]/app[/instance]/stream[?query]` (spec 10.6), or the same with `rtmps`;
/// for FLV over HTTP `http` or `flv`, `https` or `flvs` (spec 10.7), where the app may be left out.
///
/// `Display` and `Debug` mask what may be secret: user, password, stream name and query.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    credentials: Option<Credentials>,
    host: String,
    port: u16,
    app: String,
    stream: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Rtmp,
    Rtmps,
    Http,
    Https,
}

impl Scheme {
    fn find(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "rtmp" => Some(Self::Rtmp),
            "rtmps" => Some(Self::Rtmps),
            "http" | "flv" => Some(Self::Http),
            "https" | "flvs" => Some(Self::Https),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Rtmps => "rtmps",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The registered port, or the usual one.
    fn port(self) -> u16 {
        match self {
            Self::Rtmp => 1935,
            Self::Rtmps | Self::Https => 443,
            Self::Http => 80,
        }
    }
}

/// Who publishes, for servers that ask.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub enum AddressError {
    Empty,
    TooLong,
    Scheme,
    Host,
    Port,
    Stream,
}

impl AddressError {
    /// What is wrong, and what would be right: nothing of the address itself.
    pub fn text(self) -> &'static str {
        match self {
            Self::Empty => "no address: give rtmp://host/app/stream",
            Self::TooLong => "address longer than 2048 bytes: give a shorter one",
            Self::Scheme => {
                "address without rtmp://, rtmps://, http:// or https://: give rtmp://host/app/stream"
            }
            Self::Host => "address without a host: give rtmp://host/app/stream",
            Self::Port => "bad port in the address: give 1 to 65535",
            Self::Stream => "address without an app or a stream name: give rtmp://host/app/stream",
        }
    }
}

const LONGEST: usize = 2048;
/// Characters of a server's text that are kept.
const LONGEST_REMARK: usize = 200;

impl Address {
    /// White space and control characters around the address are no part of it; the stream name and the query are
    /// passed on as they are. User and password may be percent-encoded.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > LONGEST {
            return Err(AddressError::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let scheme = Scheme::find(scheme).ok_or(AddressError::Scheme)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, authority) = match authority.rsplit_once('@') {
            Some((credentials, authority)) => (Some(Credentials::parse(credentials)), authority),
            None => (None, authority),
        };
        let (host, port) = split_port(authority, scheme.port())?;
        let query = path.find('?').unwrap_or(path.len());
        let (app, stream) = match path[..query].rfind('/') {
            Some(slash) => (path[..slash].trim_end_matches('/'), &path[slash + 1..]),
            None => ("", path),
        };
        let needs_app = !matches!(scheme, Scheme::Http | Scheme::Https);
        if (needs_app && app.is_empty()) || stream.is_empty() || stream.starts_with('?') {
            return Err(AddressError::Stream);
        }
        let (host, app, stream) = (host.to_owned(), app.to_owned(), stream.to_owned());
        Ok(Self { scheme, credentials, host, port, app, stream })
    }

    /// Whether the way there is TLS.
    pub fn is_secure(&self) -> bool {
        matches!(self.scheme, Scheme::Rtmps | Scheme::Https)
    }

    pub(crate) fn is_http(&self) -> bool {
        matches!(self.scheme, Scheme::Http | Scheme::Https)
    }

    /// Host and port as HTTP has them, the usual port left out (RFC 9110 section 7.2).
    pub(crate) fn authority(&self) -> String {
        if self.port == self.scheme.port() {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Path and query as HTTP has them: what may not stand in a request line is percent-encoded.
    pub(crate) fn target(&self) -> String {
        let path =
            if self.app.is_empty() { self.stream.clone() } else { format!("{}/{}", self.app, self.stream) };
        let escaped = path.bytes().map(|byte| match byte {
            b'!'..=b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        });
        format!("/{}", escaped.collect::<String>())
    }

    /// Where a server sends the client: to an address, or to a path of its own (RFC 9110 section 10.2.2). None where that
    /// would give up TLS, or is none.
    pub(crate) fn moved(&self, location: &str) -> Option<Self> {
        if location.starts_with('/') && !location.starts_with("//") {
            let credentials = self.credentials.clone();
            let url = format!("{}://{}:{}{location}", self.scheme.name(), self.host, self.port);
            return Self::parse(&url).ok().map(|address| Self { credentials, ..address });
        }
        Self::parse(location)
            .ok()
            .filter(|address| address.is_http() && (address.is_secure() || !self.is_secure()))
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Name or address, without the brackets of IPv6.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path without its last segment.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The last segment and the query: a secret.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// What a server says, fit for a log: without the address's secrets, control characters and excessive length.
    pub(crate) fn mask(&self, text: &str) -> String {
        let (name, query) = self.stream.split_once('?').unwrap_or((&self.stream, ""));
        let values = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
        let password = self.credentials.iter().map(|who| who.password.as_str());
        let user = self.credentials.iter().map(|who| who.user.as_str());
        // The whole first, and of names and values those that are long enough to be no word of the server's own.
        let words = values.chain(user).filter(|word| word.len() > 3);
        let secrets = [self.stream.as_str(), query, name].into_iter().chain(password).chain(words);
        let mut masked = text.to_owned();
        for secret in secrets.filter(|secret| !secret.is_empty()) {
            masked = masked.replace(secret, "***");
        }
        masked.chars().filter(|c| !c.is_control()).take(LONGEST_REMARK).collect()
    }

    /// The address up to the app, as the connect command wants it.
    pub fn tc_url(&self) -> String {
        format!("{}://{}:{}/{}", self.scheme.name(), self.host, self.port, self.app)
    }
}

impl Credentials {
    fn parse(text: &str) -> Self {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Self { user: unescape(user), password: unescape(password) }
    }
}

/// Percent-encoded text (RFC 3986 section 2.1); one that is not is taken as it is.
fn unescape(text: &str) -> String {
    let decode = || {
        let mut parts = text.split('%');
        let mut bytes = parts.next()?.as_bytes().to_vec();
        for part in parts {
            let (digits, rest) = part.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            bytes.extend_from_slice(rest.as_bytes());
        }
        String::from_utf8(bytes).ok()
    };
    decode().unwrap_or_else(|| text.to_owned())
}

fn split_port(authority: &str, default: u16) -> Result<(&str, u16), AddressError> {
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority[after_host..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(after_host + colon);
            let port = port[1..].parse().ok().filter(|port| *port != 0).ok_or(AddressError::Port)?;
            (host, port)
        }
        None => (authority, default),
    };
    let is_name = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_name { Ok((host, port)) } else { Err(AddressError::Host) }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/***", self.tc_url().trim_end_matches('/'))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> (String, u16, String, String) {
        let Address { host, port, app, stream, .. } = Address::parse(text).unwrap();
        (host, port, app, stream)
    }

    #[test]
    fn what_a_server_says_is_logged_without_the_streams_name() {
        let address = Address::parse("rtmp://host/live/topsecret?sign=abc").unwrap();
        let text = "NetStream.Publish.BadName topsecret?sign=abc, topsecret is taken\n\x1b[31m";
        assert_eq!(address.mask(text), "NetStream.Publish.BadName ***, *** is taken[31m");
        let signed = Address::parse("rtmp://host/live/key?sign=abcdef&t=1").unwrap();
        assert_eq!(signed.mask("invalid sign=abcdef&t=1"), "invalid ***");
        assert_eq!(signed.mask("signature abcdef expired, t 1"), "signature *** expired, t 1");
        assert_eq!(address.mask(&"x".repeat(5000)).len(), LONGEST_REMARK);
    }

    #[test]
    fn the_parts_are_what_the_specification_says() {
        let cases = [
            ("rtmp://h/live/key", ("h", 1935, "live", "key")),
            ("RTMP://h:1936/live/inst/key?sign=a/b&t=1?x", ("h", 1936, "live/inst", "key?sign=a/b&t=1?x")),
            (" rtmp://[::1]:99/a/b%20c\n", ("[::1]", 99, "a", "b%20c")),
        ];
        for (text, (host, port, app, stream)) in cases {
            assert_eq!(parts(text), (host.into(), port, app.into(), stream.into()), "{text}");
        }
        assert_eq!(Address::parse("rtmp://[::1]/a/b").unwrap().host(), "::1");
        let secure = Address::parse("RTMPS://h/a/b").unwrap();
        assert_eq!((secure.is_secure(), secure.tc_url().as_str()), (true, "rtmps://h:443/a"));
    }

    #[test]
    fn http_has_ports_targets_and_redirections_of_its_own() {
        let address = |text| Address::parse(text).unwrap();
        for (text, url, authority, target) in [
            ("flv://h/key", "http://h:80/", "h", "/key"),
            ("FLVS://h/a/b?c=d e", "https://h:443/a", "h", "/a/b?c=d%20e"),
            ("http://[::1]:8080/a/b\r\nX: y", "http://[::1]:8080/a", "[::1]:8080", "/a/b%0D%0AX:%20y"),
        ] {
            let address = address(text);
            let parts = (address.tc_url(), address.authority(), address.target());
            assert_eq!(parts, (url.to_owned(), authority.to_owned(), target.to_owned()));
        }
        let from = address("https://me:secret@h:8443/a/b");
        for (location, expected) in [
            ("/c?d", Some("https://h:8443/***")),
            ("https://x/c/d", Some("https://x:443/c/***")),
            ("http://x/c/d", None),
            ("rtmp://x/c/d", None),
            ("//x/c", None),
            ("c", None),
        ] {
            assert_eq!(
                from.moved(location).map(|address| address.to_string()).as_deref(),
                expected,
                "{location}"
            );
        }
        assert!(from.moved("/c").unwrap().credentials().is_some());
        assert!(from.moved("https://x/c").unwrap().credentials().is_none());
    }

    #[test]
    fn a_key_is_passed_on_as_it_is() {
        for key in
            ["k?a=b&c=d?e&&=", "k?next=rtmp://x/y&z", "k#f%20%zz+ ~", "schlüssel?名=値🎥", "k?%C3%BC=ü"]
        {
            assert_eq!(Address::parse(&format!("rtmp://h/live/{key}")).unwrap().stream(), key);
        }
    }

    #[test]
    fn user_and_password_may_have_any_characters_and_never_show() {
        for (text, user, password) in [
            ("me:secret", "me", "secret"),
            ("me%40home:p%3Aw%2F%25", "me@home", "p:w/%"),
            ("me@home:a:b", "me@home", "a:b"),
            ("me:100%", "me", "100%"),
            ("me", "me", ""),
        ] {
            let address = Address::parse(&format!("rtmp://{text}@host/live/key")).unwrap();
            let who = address.credentials().unwrap();
            assert_eq!((who.user.as_str(), who.password.as_str(), address.host()), (user, password, "host"));
            assert_eq!(format!("{address} {address:?}").matches("rtmp://host:1935/live/***").count(), 2);
            let told = address.mask(&format!("wrong password {password}"));
            assert!(password.is_empty() || !told.contains(password), "{told}");
        }
    }

    #[test]
    fn bad_addresses_are_refused() {
        let long = format!("rtmp://h/a/{}", "x".repeat(2048));
        let cases = [
            ("", AddressError::Empty),
            (" \n", AddressError::Empty),
            (&long, AddressError::TooLong),
            ("h/a/b", AddressError::Scheme),
            ("ftp://h/a/b", AddressError::Scheme),
            ("http://h/", AddressError::Stream),
            ("http://h\r\nX/a/b", AddressError::Host),
            ("rtmp:///a/b", AddressError::Host),
            ("rtmp://h:0/a/b", AddressError::Port),
            ("rtmp://h:x/a/b", AddressError::Port),
            ("rtmp://u:p@/a/b", AddressError::Host),
            ("rtmp://h", AddressError::Stream),
            ("rtmp://h/a", AddressError::Stream),
            ("rtmp://h/a/", AddressError::Stream),
            ("rtmp://h/a/?q", AddressError::Stream),
        ];
        for (text, error) in cases {
            assert_eq!(Address::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_key_never_shows(key in "[a-zA-Z0-9]{12,}", query in "[a-z0-9=&]{12,}") {
            let address = Address::parse(&format!("rtmp://host/app/{key}?{query}")).unwrap();
            for text in [format!("{address}"), format!("{address:?}")] {
                prop_assert!(!text.contains(&key) && !text.contains(&query), "{}", text);
            }
        }

        #[test]
        fn any_text_is_taken(text in ".*") {
            let _ = Address::parse(&text);
            let _ = Address::parse(&format!("rtmp://{text}"));
        }
    }
}
