//! What the box makes of servers behind TLS, and of those that refuse.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use receiver::Receiver;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::{Running, SOON, Server, board, publish, pushbox};

#[test]
fn n1_a_name_in_use_is_tried_again_on_a_new_connection() {
    let server = Server::nginx();
    let url = server.url();
    let mut other = Command::new("ffmpeg");
    other.args(["-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=160x120"]);
    let mut other = Running::start(other.args(["-c:v", "flv", "-f", "flv", &url]).stderr(Stdio::null()));
    // It is there when nginx has a recording of it.
    let folder = tempfile::TempDir::new().unwrap();
    wait("the other publisher", || server.has_recording());
    let mut pushbox = publish(&url, "", folder.path());
    let log = || std::fs::read_to_string(folder.path().join("pushbox.log")).unwrap();
    wait("the refusal", || log().contains("code=3004"));
    let _ = other.0.kill();
    wait("the publication", || log().contains("code=1002"));
    let log = log();
    let refusal = log.lines().find(|line| line.contains("code=3004")).unwrap();
    for told in
        ["\"serverCode\":\"NetStream.Publish.BadName\"", "\"serverDescription\":\"Already publishing\""]
    {
        assert!(refusal.contains(told), "{refusal}");
    }
    assert!(pushbox.terminate().0.success());
}

fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_there() {
        assert!(Instant::now() < deadline, "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Puts TLS before a server: returns its port. The certificate, its own CA, lies in `folder`.
fn behind_tls(server: SocketAddr, folder: &Path) -> u16 {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                if let Ok(mut tls) = acceptor.accept(tcp).await {
                    let mut plain = tokio::net::TcpStream::connect(server).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut tls, &mut plain).await;
                }
            }
        });
    });
    port
}

#[test]
fn the_stream_goes_through_tls_to_a_server_whose_ca_is_given() {
    let folder = tempfile::TempDir::new().unwrap();
    let receiver = Receiver::bind("127.0.0.1:0", None).unwrap();
    let url = format!("rtmps://localhost:{}/live/key", behind_tls(receiver.address(), folder.path()));
    let log = || fs::read_to_string(folder.path().join("pushbox.log")).unwrap();
    let mut pushbox = publish(&url, "", folder.path());
    wait("the refusal", || log().contains("code=3002"));
    assert!(log().contains("give that of its CA as ca-file"), "{}", log());
    assert!(pushbox.terminate().0.success());

    let options = format!("[options]\nca-file = '{}'", folder.path().join("ca.pem").display());
    let mut pushbox = publish(&url, &options, folder.path());
    let report = receiver.wait(SOON, |report| report.frames > 30).unwrap();
    assert_eq!(report.faults, [""; 0], "{}", log());
    let (status, took) = pushbox.terminate();
    assert!(status.success() && took < Duration::from_millis(500), "{status} after {took:?}");
    receiver.wait_for_end(SOON).unwrap();
}

/// In a network namespace of its own, which needs root.
#[test]
fn a_new_address_of_the_box_is_tried_at_once() {
    let isolated = |command: &[&str]| {
        let mut line = Command::new("unshare");
        line.arg("-n").args(command);
        line
    };
    if !isolated(&["ip", "link", "set", "lo", "up"]).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no right to make a network namespace");
        return;
    }
    let folder = tempfile::TempDir::new().unwrap();
    let props = folder.path().join("props.toml");
    fs::write(&props, "[options]\nretry-interval = 30").unwrap();
    let log = fs::File::create(folder.path().join("pushbox.log")).unwrap();
    let mut command = isolated(&["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
    let run = pushbox();
    command.arg(run.get_program()).args(run.get_args()).arg("run").arg("--board").arg(board("sim.toml"));
    command.arg("--props").arg(&props).args(["--url", "rtmp://192.0.2.1/live/key"]);
    let mut pushbox = Running::start(command.stderr(log));
    let log = || fs::read_to_string(folder.path().join("pushbox.log")).unwrap();
    wait("the failure", || log().contains("code=3002"));
    let pid = pushbox.0.id().to_string();
    let address = ["-t", &pid, "-n", "ip", "address", "add", "192.0.2.1/32", "dev", "lo"];
    assert!(Command::new("nsenter").args(address).status().unwrap().success());
    // Half a minute before its time.
    wait("the retry", || log().contains("code=1102"));
    wait("its failure", || log().matches("code=3002").count() == 2);
    assert!(log().contains("192.0.2.1:1935: Connection refused"), "{}", log());
    assert!(pushbox.terminate().0.success());
}
