//! From a name to an open way, TLS included: resolution, then a race over all addresses (RFC 8305).

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::socket::Socket;
use crate::{Address, Options, PublishError, kernel, tls};

/// From one attempt to the next (RFC 8305 section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// A connection without traffic is asked for a sign of life after this time, and then as often.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Connects within the limits. What is under way ends with the future.
pub(crate) async fn connect(address: &Address, options: &Options) -> Result<Socket, PublishError> {
    let host = || address.host().to_owned();
    let unknown = |cause| PublishError::Resolve { host: host(), cause };
    let found = match timeout(options.resolve, resolve(address.host(), address.port())).await {
        Ok(found) => found.map_err(|error| unknown(error.to_string()))?,
        Err(_) => return Err(unknown(no_answer(options.resolve))),
    };
    let deadline = Instant::now() + options.connect;
    let unreachable = |cause| PublishError::Connect { host: host(), cause };
    let tls = address.is_secure().then(|| tls::Client::new(address, options)).transpose();
    let (tls, write_stall) = (tls.map_err(unreachable)?, options.write_stall);
    let race = race(interleave(&found), |address| open(address, tls.clone(), write_stall));
    let connected = timeout_at(deadline, race).await;
    connected.unwrap_or_else(|_| Err(no_answer(options.connect))).map_err(unreachable)
}

async fn open(
    address: SocketAddr,
    tls: Option<tls::Client>,
    write_stall: Duration,
) -> Result<Socket, String> {
    let tcp = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    set_up(&tcp, write_stall).map_err(|error| format!("the socket can't be set up: {error}"))?;
    match tls {
        Some(tls) => tls.start(tcp).await,
        None => Ok(Socket::Plain(tcp)),
    }
}

pub(crate) fn no_answer(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs())
}

/// The addresses of a name in the order of preference (RFC 6724), an address as it is.
async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let (sender, found) = oneshot::channel();
    let name = host.to_owned();
    // getaddrinfo(3) can't be called off, but need not be waited for. Its own time limit ends the thread; one of tokio's would
    // hold up the end of the runtime.
    thread::Builder::new().name("resolver".into()).spawn(move || {
        let _ = sender.send((name.as_str(), port).to_socket_addrs().map(Iterator::collect));
    })?;
    found.await.map_err(io::Error::other)?
}

/// Both families in turn, that of the first address first (RFC 8305 section 4).
fn interleave(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let first = found.first().is_some_and(SocketAddr::is_ipv4);
    let (preferred, other): (Vec<_>, Vec<_>) = found.iter().partition(|address| address.is_ipv4() == first);
    let pairs = (0..found.len()).flat_map(|index| [preferred.get(index), other.get(index)]);
    pairs.flatten().copied().collect()
}

/// The first connection that comes about. The next address is tried when one has failed or does not answer at once. Fails with
/// what each of them failed with.
async fn race<T, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + Send + 'static,
{
    let mut waiting = addresses.into_iter();
    let (mut attempts, mut failures) = (JoinSet::new(), Vec::new());
    loop {
        if let Some(address) = waiting.next() {
            let attempt = connect(address);
            attempts.spawn(async move { attempt.await.map_err(|error| format!("{address}: {error}")) });
        }
        let patience = if waiting.len() > 0 { STAGGER } else { Duration::MAX };
        match timeout(patience, attempts.join_next()).await {
            Ok(Some(Ok(Ok(connected)))) => return Ok(connected),
            Ok(Some(Ok(Err(error)))) => failures.push(error),
            Ok(Some(Err(error))) => failures.push(error.to_string()),
            Ok(None) if waiting.len() == 0 && failures.is_empty() => {
                return Err("the name has no address".into());
            }
            Ok(None) if waiting.len() == 0 => return Err(failures.join("; ")),
            Ok(None) | Err(_) => {}
        }
    }
}

/// Small messages go at once. A peer that has gone is noticed: by the bytes that it does not acknowledge (tcp(7),
/// `TCP_USER_TIMEOUT`), by its silence where there are none.
fn set_up(stream: &TcpStream, write_stall: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    kernel::set_up(stream);
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(write_stall))?;
    socket
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| (text.parse::<IpAddr>().unwrap(), 1935).into()).collect()
    }

    #[test]
    fn the_families_take_turns() {
        let found = addresses(&["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"]);
        let expected = addresses(&["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]);
        assert_eq!(interleave(&found), expected);
        let found = addresses(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
        assert_eq!(interleave(&found), addresses(&["192.0.2.1", "2001:db8::1", "192.0.2.2"]));
        assert_eq!(interleave(&[]), []);
    }

    /// Connects like a network: addresses that end in 1 are refused, in 2 silent, in 3 there after 100 ms.
    async fn dial(address: SocketAddr) -> Result<(SocketAddr, Instant), String> {
        match address.ip().to_string().chars().last() {
            Some('1') => Err("connection refused".into()),
            Some('2') => std::future::pending().await,
            _ => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok((address, Instant::now()))
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_comes_at_once_after_a_failure_and_else_after_a_quarter_second() {
        for (tried, expected, milliseconds) in [
            (&["192.0.2.1", "2001:db8::3"][..], "2001:db8::3", 100),
            (&["192.0.2.2", "2001:db8::3"], "2001:db8::3", 350),
            (&["192.0.2.2", "2001:db8::2", "192.0.2.3"], "192.0.2.3", 600),
            (&["192.0.2.3", "2001:db8::3"], "192.0.2.3", 100),
        ] {
            let started = Instant::now();
            let (address, at) = race(addresses(tried), dial).await.unwrap();
            assert_eq!(address.ip().to_string(), expected);
            assert_eq!((at - started).as_millis(), milliseconds, "{tried:?}");
        }
        let failure = race(addresses(&["192.0.2.1", "2001:db8::1"]), dial).await.unwrap_err();
        assert_eq!(failure, "192.0.2.1:1935: connection refused; [2001:db8::1]:1935: connection refused");
        assert_eq!(race(Vec::new(), dial).await.unwrap_err(), "the name has no address");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_is_waited_for_when_all_are_tried() {
        let race = race(addresses(&["192.0.2.2", "192.0.2.1"]), dial);
        assert!(timeout(Duration::from_secs(60), race).await.is_err());
    }

    #[tokio::test]
    async fn sockets_notice_a_peer_that_has_gone() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtmp://{}/live/key", listener.local_addr().unwrap());
        let socket = connect(&Address::parse(&url).unwrap(), &Options::default()).await.unwrap();
        let socket = SockRef::from(socket.tcp());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(10)));
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
    }

    #[test]
    fn a_resolver_that_hangs_holds_up_nobody() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let started = std::time::Instant::now();
        // Whatever the resolver of this machine does with it: nobody waits for the answer.
        runtime.block_on(async {
            let _ = timeout(Duration::from_millis(10), resolve("nowhere.invalid", 1935)).await;
        });
        drop(runtime);
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}
