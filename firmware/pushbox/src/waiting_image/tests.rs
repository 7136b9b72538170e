use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use super::*;

const SHORT: Duration = Duration::from_millis(300);
/// MD5 of "image".
const IMAGE: &str = "78805a221a988e79ef3f42d7c5bfd418";

/// A server that gives each connection's request line to `answer`; tells its address and how often it was asked.
fn server(
    answer: impl Fn(&str, &mut TcpStream) -> io::Result<()> + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            count.fetch_add(1, Relaxed);
            // The client may be gone before all was sent.
            let _ = answer(&head.join("\n"), &mut stream);
        }
    });
    (address, asked)
}

fn fixed(answer: Vec<u8>) -> String {
    let (address, _) = server(move |_, stream| stream.write_all(&answer));
    format!("http://{address}/image.png")
}

/// One that takes any bytes.
fn loader() -> Loader {
    Loader::new(|_| Ok(()))
}

async fn load(address: &str, hash: &str, limit: Duration) -> Result<Arc<[u8]>, LoadError> {
    loader().load(address, hash, limit).await
}

async fn reason(address: &str, hash: &str, limit: Duration) -> &'static str {
    load(address, hash, limit).await.unwrap_err().reason()
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[tokio::test]
async fn an_image_is_loaded() {
    let address = fixed(ok("image"));
    for hash in ["", IMAGE, &IMAGE.to_uppercase()] {
        assert_eq!(&load(&address, hash, LIMIT).await.unwrap()[..], b"image");
    }
    let upper = address.replace("http://", "HTTP://");
    assert_eq!(&load(&upper, "", LIMIT).await.unwrap()[..], b"image");
}

#[tokio::test]
async fn a_file_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my image");
    std::fs::write(&path, "image").unwrap();
    let path = path.to_str().unwrap();
    let escaped = path.replace(' ', "%20");
    for address in [path, &format!("file://{escaped}"), &format!("FILE://localhost{escaped}")] {
        assert_eq!(&load(address, IMAGE, LIMIT).await.unwrap()[..], b"image", "{address}");
    }
    let absent = format!("{path}.png");
    let folder = folder.path().to_str().unwrap();
    for address in [&absent, folder, "/dev/zero"] {
        assert_eq!(reason(address, "", LIMIT).await, "missing", "{address}");
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    for address in ["file://relative", "file:///%zz", "file:///%2", "ftp://h/i", "http://", "http:// /", ""] {
        let error = load(address, "", LIMIT).await.unwrap_err();
        assert!(matches!(error, LoadError::Address), "{address}: {error}");
        assert_eq!(error.reason(), "missing");
    }
}

#[tokio::test]
async fn another_file_is_refused() {
    let error = load(&fixed(ok("another")), IMAGE, LIMIT).await.unwrap_err();
    assert_eq!(error.reason(), "hash");
    assert!(error.to_string().contains("b32d73e56ec99bc5ec8f83871cde708a"), "{error}");
}

#[tokio::test]
async fn what_is_there_is_not_loaded_again() {
    let (address, asked) = server(|_, stream| stream.write_all(&ok("image")));
    let address = format!("http://{address}/");
    let mut loader = loader();
    for (hash, times) in [("", 1), ("", 2), (IMAGE, 2), (&IMAGE.to_uppercase(), 2)] {
        assert_eq!(&loader.load(&address, hash, LIMIT).await.unwrap()[..], b"image");
        assert_eq!(asked.load(Relaxed), times, "{hash}");
    }
    let other = IMAGE.replace('7', "0");
    assert_eq!(loader.load(&address, &other, LIMIT).await.unwrap_err().reason(), "hash");
    assert!(loader.load(&address, IMAGE, LIMIT).await.is_ok());
    assert_eq!(asked.load(Relaxed), 3, "the good one is kept");
}

#[tokio::test]
async fn a_status_is_told() {
    for status in [404_u16, 500, 204, 304] {
        let address = fixed(
            format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes(),
        );
        let error = load(&address, "", LIMIT).await.unwrap_err();
        assert!(matches!(error, LoadError::Status(told) if told == status), "{status}: {error}");
        assert_eq!(error.reason(), "http");
    }
}

/// /5 leads to /4 and so on to /0, the image.
#[tokio::test]
async fn five_redirects_are_followed() {
    let (address, asked) = server(|request, stream| {
        let left: u32 = request.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        match left.checked_sub(1) {
            None => stream.write_all(&ok("image")),
            Some(next) => write!(
                stream,
                "HTTP/1.1 302 X\r\nLocation: /{next}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            ),
        }
    });
    assert_eq!(&load(&format!("http://{address}/5"), "", LIMIT).await.unwrap()[..], b"image");
    assert_eq!(asked.load(Relaxed), 6);
    let error = load(&format!("http://{address}/6"), "", LIMIT).await.unwrap_err();
    assert_eq!(error.reason(), "http");
    assert!(error.to_string().contains("more than 5 redirects"), "{error}");
}

#[tokio::test]
async fn a_redirect_leads_to_no_file() {
    for to in ["file:///etc/hostname", "/etc/hostname", "ftp://127.0.0.1/"] {
        let (address, _) = server(move |request, stream| {
            let head =
                if request.contains("GET / ") { format!("302 X\r\nLocation: {to}") } else { "404 X".into() };
            write!(stream, "HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        });
        assert!(load(&format!("http://{address}/"), "", LIMIT).await.is_err(), "{to}");
    }
}

#[tokio::test]
async fn a_slow_server_is_left() {
    let (drip, _) = server(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
        loop {
            stream.write_all(b"x")?;
            thread::sleep(Duration::from_millis(20));
        }
    });
    let (silent, _) = server(|_, _| {
        loop {
            thread::park();
        }
    });
    for address in [drip, silent] {
        let start = Instant::now();
        assert_eq!(reason(&format!("http://{address}/"), "", SHORT).await, "timeout");
        assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
        // The request itself ends too, so that no threads pile up.
        let start = Instant::now();
        assert!(matches!(read_web(&agent(SHORT), &format!("http://{address}/")), Err(LoadError::Timeout)));
        assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_file_may_have_10_mb() {
    let most = usize::try_from(LONGEST).unwrap();
    let body = |length: usize, header: &str| {
        let head = format!("HTTP/1.1 200 OK\r\n{header}Connection: close\r\n\r\n");
        [head.as_bytes(), &vec![b'x'; length]].concat()
    };
    for (length, fits) in [(most, true), (most + 1, false)] {
        for header in [String::new(), format!("Content-Length: {length}\r\n")] {
            let loaded = load(&fixed(body(length, &header)), "", LIMIT).await;
            match loaded {
                Ok(bytes) => assert!(fits && bytes.len() == length, "{length} {header}"),
                Err(error) => assert!(!fits && error.reason() == "too large", "{length} {header}: {error}"),
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(length as u64).unwrap();
        let loaded = load(file.path().to_str().unwrap(), "", LIMIT).await;
        assert_eq!(loaded.map_err(|error| error.reason()).err(), (!fits).then_some("too large"));
    }
    // What is announced as too large is not read.
    let (address, _) = server(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000001\r\n\r\n")?;
        loop {
            thread::park();
        }
    });
    assert_eq!(reason(&format!("http://{address}/"), "", SHORT).await, "too large");
}

#[tokio::test]
async fn a_truncated_or_bad_answer_is_refused() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nimage",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nimage\r\n",
        "hello",
        "",
    ] {
        assert_eq!(reason(&fixed(answer.into()), "", LIMIT).await, "http", "{answer}");
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(reason(&format!("http://{free}/"), "", LIMIT).await, "http");
}

#[tokio::test]
async fn no_error_tells_a_secret() {
    let (address, _) = server(|request, stream| {
        let location = if request.contains("loop") { "/loop?secret" } else { "http://user:secret@:/ secret" };
        write!(
            stream,
            "HTTP/1.1 302 X\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    });
    let addresses = [
        format!("http://user:secret@{address}/loop?secret"),
        format!("http://user:secret@{address}/?secret"),
        "http://user:secret@host:port/?secret".into(),
        "http://user:secret@127.0.0.1:1/?secret".into(),
        "https://user:secret@127.0.0.1:1/?secret".into(),
        format!("https://user:secret@{address}/?secret"),
        "ftp://user:secret@host/?secret".into(),
        "http://user:secret@host.invalid/?secret".into(),
    ];
    for address in addresses {
        let error = load(&address, "", LIMIT).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_has_its_word_and_is_not_kept() {
    let mut loader = Loader::default();
    for _ in 0..2 {
        let error = loader.load(&fixed(ok("image")), IMAGE, LIMIT).await.unwrap_err();
        assert_eq!(error.reason(), "decode");
    }
}

/// Threads of this process that load.
fn loading() -> usize {
    let names = fs::read_dir("/proc/self/task").unwrap().map(|it| it.unwrap().path().join("comm"));
    // A thread may end meanwhile.
    names.filter(|name| fs::read_to_string(name).is_ok_and(|name| name == "waiting image\n")).count()
}

#[tokio::test]
async fn many_that_are_given_up_keep_neither_threads_nor_the_one_that_is_wanted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let loader = Arc::new(tokio::sync::Mutex::new(loader()));
    let mut most = 0;
    for number in 0..500 {
        let loader = Arc::clone(&loader);
        let load = tokio::spawn(async move {
            loader.lock().await.load(&format!("http://{silent}/{number}"), "", LIMIT).await
        });
        for _ in 0..number % 5 {
            tokio::task::yield_now().await;
        }
        load.abort();
        most = most.max(loading());
    }
    let start = Instant::now();
    assert_eq!(&loader.lock().await.load(&fixed(ok("image")), "", LIMIT).await.unwrap()[..], b"image");
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    // Tests that run beside this one have theirs.
    assert!(most < 40, "{most} threads");
}
