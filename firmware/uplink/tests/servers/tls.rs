//! RTMPS: a server with a certificate of a CA that only these tests know.

use std::fs;
use std::net::{TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;
use uplink::Options;

use crate::client::{Client, attempt, impatient, patient};
use crate::names::isolated;
use crate::peer::{Peer, serve, serve_at};

/// A CA, and the certificate that it gave a server.
struct Authority {
    folder: TempDir,
    key: Arc<CertifiedKey>,
    /// The name that each client asked for.
    asked: Arc<Mutex<Vec<Option<String>>>>,
}

impl Authority {
    /// A server with this name or address, certified for the years from `since` to `until`.
    fn certify(name: &str, since: i32, until: i32) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(params, ca_key);
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(since, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = ring::default_provider().key_provider.load_private_key(key).unwrap();
        let key = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key));
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        Self { folder, key, asked: Arc::default() }
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn options(&self) -> Options {
        Options { ca_file: Some(self.ca_file()), ..patient() }
    }

    /// A server behind TLS with one connection; returns its port.
    fn serve(&self, part: impl FnOnce(Peer) + Send + 'static) -> u16 {
        serve(vec![self.behind_tls(part)])
    }

    fn behind_tls(&self, part: impl FnOnce(Peer) + Send + 'static) -> impl FnOnce(Peer) + Send + 'static {
        let provider = Arc::new(ring::default_provider());
        let resolver = Resolver { key: Arc::clone(&self.key), asked: Arc::clone(&self.asked) };
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        move |mut peer: Peer| {
            let session = ServerConnection::new(Arc::new(config)).unwrap();
            peer.wire = Box::new(StreamOwned::new(session, peer.socket.try_clone().unwrap()));
            part(peer);
        }
    }
}

#[derive(Debug)]
struct Resolver {
    key: Arc<CertifiedKey>,
    asked: Arc<Mutex<Vec<Option<String>>>>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.asked.lock().unwrap().push(hello.server_name().map(str::to_owned));
        Some(Arc::clone(&self.key))
    }
}

/// A server that does nothing but shake hands: what comes of it is decided before.
fn refused(authority: &Authority, host: &str, options: Options) -> String {
    let port = authority.serve(|mut peer| peer.drain());
    let error = attempt(&format!("rtmps://{host}:{port}/live/key"), options);
    assert_eq!(error.code(), 3002, "{error}");
    error.to_string()
}

#[test]
fn pictures_go_through_tls_whole_and_names_but_no_addresses_are_told() {
    for (host, asked) in [("localhost", Some("localhost".to_owned())), ("127.0.0.1", None)] {
        let authority = Authority::certify(host, 2020, 2100);
        let (seen, arrived) = std::sync::mpsc::channel();
        let port = authority.serve(move |mut peer| {
            peer.accept();
            while let Some(message) = peer.receive() {
                if message.kind == 9 {
                    let whole = message.payload[5..].iter().all(|byte| *byte == 7);
                    let _ = seen.send((message.payload.len(), whole));
                }
            }
        });
        let client = Client::start(&format!("rtmps://{host}:{port}/live/key"), authority.options());
        client.wait_for_start();
        // Larger than all that TLS and a socket may hold.
        let sizes = [100, 17_000, 500_000, 1];
        for (number, size) in sizes.into_iter().enumerate() {
            client.picture(number as i64 * 40, number == 0, size);
        }
        assert_eq!(arrived.recv().unwrap().0, 9, "the configuration");
        for size in sizes {
            assert_eq!(arrived.recv().unwrap(), (size + 5, true));
        }
        client.stop();
        assert_eq!(*authority.asked.lock().unwrap(), [asked]);
    }
}

#[test]
fn a_stop_wins_over_tls_that_does_not_answer_and_over_a_blocked_write() {
    let port = serve(vec![Peer::hold]);
    let client = Client::start(&format!("rtmps://127.0.0.1:{port}/live/key"), patient());
    std::thread::sleep(Duration::from_millis(200));
    let took = client.stop();
    assert!(took < Duration::from_millis(500), "{took:?}");

    let authority = Authority::certify("localhost", 2020, 2100);
    let port = authority.serve(|mut peer| {
        peer.accept();
        peer.hold();
    });
    let client = Client::start(&format!("rtmps://localhost:{port}/live/key"), authority.options());
    client.wait_for_start();
    client.flood();
    std::thread::sleep(Duration::from_millis(200));
    let took = client.stop();
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn a_server_that_takes_nothing_stalls_tls_too() {
    let authority = Authority::certify("localhost", 2020, 2100);
    let port = authority.serve(|mut peer| {
        peer.accept();
        peer.hold();
    });
    let options = Options { write_stall: Duration::from_secs(1), ..authority.options() };
    let client = Client::start(&format!("rtmps://localhost:{port}/live/key"), options);
    client.wait_for_start();
    client.flood();
    let error = client.end().0.unwrap_err();
    assert_eq!(error.code(), 3005, "{error}");
}

#[test]
fn certificates_are_verified_and_the_error_tells_what_to_do() {
    let good = Authority::certify("localhost", 2020, 2100);
    let text = refused(&good, "localhost", patient());
    assert!(text.contains("give that of its CA as ca-file"), "{text}");
    let text = refused(&good, "127.0.0.1", good.options());
    assert!(text.contains("for another name"), "{text}");
    let expired = Authority::certify("localhost", 2001, 2002);
    let text = refused(&expired, "localhost", expired.options());
    assert!(text.contains("has expired, if this box's clock is right: it says 20"), "{text}");
    let early = Authority::certify("localhost", 2090, 2100);
    let text = refused(&early, "localhost", early.options());
    let hint = "is not valid before 2090-01-01: this box's clock says 20";
    assert!(text.contains(hint) && text.contains("; set it or let it be set by NTP"), "{text}");
}

#[test]
fn certificates_are_judged_at_the_clocks_floor_where_the_clock_is_behind_it() {
    let authority = Authority::certify("localhost", 2090, 2100);
    let port = authority.serve(Peer::accept_and_close);
    let floor = SystemTime::UNIX_EPOCH + Duration::from_secs(3_800_000_000);
    let options = Options { clock_floor: floor, ..authority.options() };
    let (_, progress) = Client::start(&format!("rtmps://localhost:{port}/live/key"), options).end();
    assert_eq!(progress, [1001]);
}

#[test]
fn a_ca_file_that_is_none_is_told() {
    let authority = Authority::certify("localhost", 2020, 2100);
    let empty = authority.folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let missing = authority.folder.path().join("missing.pem");
    for (file, expected) in [(empty, "no certificate in it"), (missing, "No such file")] {
        let options = Options { ca_file: Some(file.clone()), ..patient() };
        let text = refused(&authority, "localhost", options);
        assert!(text.contains(&format!("ca-file {}", file.display())) && text.contains(expected), "{text}");
    }
}

#[test]
fn n1_an_address_where_tls_fails_or_hangs_leaves_the_others() {
    isolated("/etc/hosts", "127.0.0.1 server.example\n127.0.0.2 server.example\n", || {
        for bad in [drop as fn(Peer), Peer::hold] {
            let authority = Authority::certify("server.example", 2020, 2100);
            let addresses: Vec<_> = "server.example:0".to_socket_addrs().unwrap().collect();
            let [first, second] = addresses[..] else { panic!("{addresses:?}") };
            let wrong = TcpListener::bind(first).unwrap();
            let port = wrong.local_addr().unwrap().port();
            let right = TcpListener::bind((second.ip(), port)).unwrap();
            serve_at(wrong, vec![bad]);
            serve_at(right, vec![authority.behind_tls(Peer::accept_and_close)]);
            let url = format!("rtmps://server.example:{port}/live/key");
            let (result, progress) = Client::start(&url, authority.options()).end();
            assert_eq!(progress, [1001], "{result:?}");
        }
    });
}

#[test]
fn n1_a_server_that_never_answers_tls_is_given_up_at_the_limit_of_connecting() {
    let started = Instant::now();
    let port = serve(vec![Peer::hold]);
    let error = attempt(&format!("rtmps://127.0.0.1:{port}/live/key"), impatient());
    assert_eq!(error.code(), 3002, "{error}");
    assert!(error.to_string().ends_with("no answer within 1 s"), "{error}");
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_server_without_tls_is_told() {
    for (part, expected) in [
        (drop as fn(Peer), "closed the connection instead of beginning TLS"),
        (|mut peer| peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "TLS: received corrupt message"),
    ] {
        let port = serve(vec![part]);
        let error = attempt(&format!("rtmps://127.0.0.1:{port}/live/key"), patient());
        assert_eq!(error.code(), 3002, "{error}");
        assert!(error.to_string().contains(expected) || error.to_string().contains("reset"), "{error}");
    }
}
