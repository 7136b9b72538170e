//! The file of the waiting image (spec 4.15, 4.16): from a path or an address, checked, on a thread of its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use md5::{Digest, Md5};
use media::still::{self, StillError};
use tokio::sync::{Semaphore, oneshot};
use tokio::time;
use ureq::Agent;

/// For the whole of a load.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);
/// Loads that may be under way: the wanted one, and others that were given up while nothing could interrupt them, such as
/// a file system that hangs.
const LOADS: usize = 4;
const LONGEST: u64 = 10_000_000;
const REDIRECTS: u32 = 5;

/// Why there is no image. No text has the address, of which user, password and query may be secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("no address: give a path, or file://, http:// or https://")]
    Address,
    #[error("the file can't be read: {0}; check the path")]
    Missing(io::Error),
    #[error("the server answers with HTTP status {0}: check the address")]
    Status(u16),
    #[error("the server gives no file ({0}): check address, network and clock")]
    Network(String),
    #[error("the image is not there in time: use a nearer or faster server, or a smaller file")]
    Timeout,
    #[error("the file has more than 10 MB: give a smaller one")]
    TooLarge,
    #[error("the file has the MD5 {actual}: set waiting-image-hash to that if it is the right file")]
    Hash { actual: String },
    #[error(transparent)]
    Undecodable(#[from] StillError),
}

impl LoadError {
    /// The word for the event's parameters; it never changes.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Address | Self::Missing(_) => "missing",
            Self::Status(_) | Self::Network(_) => "http",
            Self::Timeout => "timeout",
            Self::TooLarge => "too large",
            Self::Hash { .. } => "hash",
            Self::Undecodable(_) => "decode",
        }
    }
}

/// Loads waiting images and keeps the last one.
pub(crate) struct Loader {
    last: Option<Loaded>,
    places: Arc<Semaphore>,
    /// Whether a file can be shown. It may take much memory, so that only one is looked at at a time.
    check: fn(&[u8]) -> Result<(), StillError>,
    checking: Arc<Mutex<()>>,
}

impl Default for Loader {
    fn default() -> Self {
        Self::new(|file| still::decode(file, 96, 96).map(drop))
    }
}

struct Loaded {
    /// MD5 in lower-case hexadecimal digits.
    hash: String,
    bytes: Arc<[u8]>,
}

impl Loader {
    fn new(check: fn(&[u8]) -> Result<(), StillError>) -> Self {
        Self { last: None, places: Arc::new(Semaphore::new(LOADS)), check, checking: Arc::default() }
    }

    /// The file at `address`, within `limit`, if it can be shown. An empty `hash` is not checked; the file that has it is
    /// not loaded again. Dropping the future ends its request.
    pub(crate) async fn load(
        &mut self,
        address: &str,
        hash: &str,
        limit: Duration,
    ) -> Result<Arc<[u8]>, LoadError> {
        if let Some(last) = self.last.as_ref().filter(|last| last.hash.eq_ignore_ascii_case(hash)) {
            return Ok(Arc::clone(&last.bytes));
        }
        let source = Source::parse(address, limit)?;
        let _interrupt = source.interrupt();
        let loaded = time::timeout(limit, self.read(source, hash.to_ascii_lowercase())).await;
        Ok(Arc::clone(&self.last.insert(loaded.unwrap_or(Err(LoadError::Timeout))?).bytes))
    }

    /// In a thread, because a file system may hang, and not in one of tokio's, which hold up the end of the runtime.
    async fn read(&self, source: Source, hash: String) -> Result<Loaded, LoadError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let (check, checking) = (self.check, Arc::clone(&self.checking));
        let (sender, receiver) = oneshot::channel();
        let body = move || {
            let loaded = source.read().and_then(|bytes| {
                let _checking = checking.lock().unwrap_or_else(PoisonError::into_inner);
                // Nobody waits for what was given up.
                if sender.is_closed() { Err(LoadError::Timeout) } else { looked_at(bytes, &hash, check) }
            });
            drop(place);
            let _ = sender.send(loaded);
        };
        thread::Builder::new().name("waiting image".into()).spawn(body).map_err(LoadError::Missing)?;
        receiver.await.unwrap_or(Err(LoadError::Timeout))
    }
}

fn looked_at(
    bytes: Vec<u8>,
    hash: &str,
    check: fn(&[u8]) -> Result<(), StillError>,
) -> Result<Loaded, LoadError> {
    let actual = format!("{:032x}", u128::from_be_bytes(Md5::digest(&bytes).into()));
    if !hash.is_empty() && actual != hash {
        return Err(LoadError::Hash { actual });
    }
    check(&bytes)?;
    Ok(Loaded { hash: actual, bytes: bytes.into() })
}

/// Ends the requests of an agent when nobody waits for them any more.
struct Interrupt(Option<Agent>);

impl Drop for Interrupt {
    fn drop(&mut self) {
        if let Some(agent) = self.0.take() {
            agent.shutdown();
        }
    }
}

enum Source {
    File(PathBuf),
    Web(Agent, String),
}

impl Source {
    fn parse(address: &str, limit: Duration) -> Result<Self, LoadError> {
        let Some((scheme, rest)) = address.split_once("://") else {
            return if address.is_empty() { Err(LoadError::Address) } else { Ok(Self::File(address.into())) };
        };
        match scheme.to_ascii_lowercase().as_str() {
            scheme @ ("http" | "https") => Ok(Self::Web(agent(limit), format!("{scheme}://{rest}"))),
            "file" => {
                let path = rest.strip_prefix("localhost").unwrap_or(rest);
                let path = unescape(path).filter(|path| path.starts_with('/')).ok_or(LoadError::Address)?;
                Ok(Self::File(path.into()))
            }
            _ => Err(LoadError::Address),
        }
    }

    fn read(self) -> Result<Vec<u8>, LoadError> {
        match self {
            Self::File(path) => read_file(path),
            Self::Web(agent, address) => read_web(&agent, &address),
        }
    }

    fn interrupt(&self) -> Interrupt {
        Interrupt(match self {
            Self::File(_) => None,
            Self::Web(agent, _) => Some(agent.clone()),
        })
    }
}

/// Percent-encoded text (RFC 3986, 2.1).
fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn read_file(path: PathBuf) -> Result<Vec<u8>, LoadError> {
    // Opening a pipe would wait for a writer.
    if !path.metadata().map_err(LoadError::Missing)?.is_file() {
        return Err(LoadError::Missing(io::Error::other("not a file")));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(LoadError::Missing)?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(LoadError::Missing)?;
    if bytes.len() as u64 > LONGEST { Err(LoadError::TooLarge) } else { Ok(bytes) }
}

fn agent(limit: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(limit))
        // What can't be interrupted ends sooner, so that there is time left for what waits for its place.
        .timeout_resolve(Some(limit / 2))
        .timeout_connect(Some(limit / 2))
        .max_redirects(REDIRECTS)
        .proxy(None)
        .user_agent(concat!("Pushbox/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

fn read_web(agent: &Agent, address: &str) -> Result<Vec<u8>, LoadError> {
    let mut response = agent.get(address).call().map_err(web_error)?;
    if response.status() != 200 {
        return Err(LoadError::Status(response.status().as_u16()));
    }
    let body = response.body_mut();
    if body.content_length().is_some_and(|length| length > LONGEST) {
        return Err(LoadError::TooLarge);
    }
    // The limit is an error where as many bytes are there, even if there are no more.
    body.with_config().limit(LONGEST + 1).read_to_vec().map_err(web_error)
}

/// In words of our own where the library's may tell an address.
fn web_error(error: ureq::Error) -> LoadError {
    use ureq::Error;
    match error {
        Error::StatusCode(status) => LoadError::Status(status),
        Error::Timeout(_) => LoadError::Timeout,
        Error::BodyExceedsLimit(_) => LoadError::TooLarge,
        Error::BadUri(_) | Error::Http(_) => LoadError::Address,
        Error::Io(error) => LoadError::Network(error.to_string()),
        Error::Rustls(error) => LoadError::Network(error.to_string()),
        Error::HostNotFound => LoadError::Network("there is no such host, or no name server".into()),
        Error::TooManyRedirects => LoadError::Network(format!("more than {REDIRECTS} redirects")),
        _ => LoadError::Network("its answer is not HTTP".into()),
    }
}

#[cfg(test)]
mod tests;
