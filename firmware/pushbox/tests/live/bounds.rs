//! What a client asks for in excess costs the box neither threads, memory nor time.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::control::{Boxed, Client, board_that_waits, live, png};

#[test]
fn of_many_waiting_images_only_the_last_is_loaded() {
    let (boxed, mut client, _server) = live();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    // It takes requests and answers none.
    std::thread::spawn(move || listener.incoming().map(Result::unwrap).collect::<Vec<_>>());
    let threads = format!("/proc/{}/task", boxed.running.0.id());
    let threads = || fs::read_dir(&threads).unwrap().count();
    let before = threads();
    let mut most = 0;
    for number in 0..1000 {
        client.result("props.set", json!({"waiting-image": format!("http://{silent}/{number}")}));
        most = most.max(threads());
    }
    assert!(most < before + 12, "{before} threads became {most}");
    client.result("pause", json!({}));
    client.result("props.set", json!({"waiting-image": png(boxed.folder.path(), 200)}));
    let deadline = Instant::now() + Duration::from_secs(5);
    while client.snapshot("raw").0.abs_diff(188) > 4 {
        assert!(Instant::now() < deadline, "the last picture is not shown");
    }
    assert!(!boxed.log().contains("no waiting image"), "{}", boxed.log());
}

#[test]
fn a_request_has_a_bound_and_what_is_wrong_in_it_is_told_briefly() {
    let boxed = Boxed::start();
    let mut client = boxed.connect();
    let names: Vec<String> = (0..80_000).map(|number| format!("no{number}")).collect();
    let values: Map<String, Value> = names.iter().map(|name| (name.clone(), json!(1))).collect();
    assert_eq!(client.error("props.set", values.into()), -32602);
    for (method, list) in [("props.get", "names"), ("props.reset", "names"), ("subscribe", "events")] {
        assert_eq!(client.error(method, json!({ list: names })), -32602, "{method}");
    }
    for (method, params, code) in [
        ("x".repeat(1_000_000), json!({}), -32601),
        ("props.get".into(), json!({"names": ["y".repeat(1_000_000)]}), -32602),
    ] {
        let answer = client.call(&method, params);
        assert_eq!(answer["error"]["code"], code);
        assert!(answer.to_string().len() < 300, "{} bytes", answer.to_string().len());
    }
    let mut values: Map<String, Value> =
        (0..100).map(|number| (format!("rtmp://host/app/topsecret?{number}"), json!(1))).collect();
    values.insert("fps".into(), json!("a".repeat(100_000)));
    let answer = client.result("props.set", values.into());
    assert_eq!(answer["refused"].as_array().unwrap().len(), 101);
    assert!(answer.to_string().len() < 15_000, "{} bytes", answer.to_string().len());
    let log = boxed.log();
    assert_eq!(log.matches("not taken").count(), 1, "{log}");
    assert!(
        log.contains("fps: give a number from 1 to 30; 100 unknown") && !log.contains("topsecret"),
        "{log}"
    );
}

#[test]
fn clients_that_do_not_read_cost_little_memory() {
    let folder = TempDir::new().unwrap();
    let boxed = Boxed::on(&board_that_waits(folder.path()));
    let mut clients: Vec<Client> = (0..4).map(|_| boxed.connect()).collect();
    let status = format!("/proc/{}/status", boxed.running.0.id());
    let resident = || -> u64 {
        let status = fs::read_to_string(&status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    clients[0].result("props.set", json!({"url": "rtmp://127.0.0.1:9/live/key", "enable-mic": false}));
    let before = resident();
    let mut batch = vec![json!({"id": 0, "method": "start"})];
    batch.resize(64, json!({"id": 1, "method": "props.schema"}));
    let batch = format!("{}\n", Value::Array(batch)).repeat(300);
    let writers: Vec<_> = clients
        .iter()
        .map(|client| {
            let (mut stream, batch) = (client.lines.get_ref().try_clone().unwrap(), batch.clone());
            stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
            // What it does not take is as good.
            std::thread::spawn(move || drop(stream.write_all(batch.as_bytes())))
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(boxed.connect().result("status", json!({}))["state"], "idle");
    let grown = resident() - before;
    assert!(grown < 30_000, "{grown} KB more");
}
