//! The box steered over its socket, by a program and by a person.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use receiver::Receiver;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Running, SOON, board, pushbox};

/// A box that waits for orders, with its socket.
pub(crate) struct Boxed {
    pub(crate) running: Running,
    pub(crate) folder: TempDir,
}

impl Boxed {
    pub(crate) fn start() -> Self {
        Self::on(&board("sim.toml"))
    }

    pub(crate) fn on(board: &Path) -> Self {
        let folder = TempDir::new().unwrap();
        let log = fs::File::create(folder.path().join("pushbox.log")).unwrap();
        let mut command = pushbox();
        command.arg("run").arg("--board").arg(board).arg("--control").arg(folder.path().join("control"));
        // Its snapshots are its own.
        let running = Running::start(command.env("TMPDIR", folder.path()).stderr(log));
        Self { running, folder }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    pub(crate) fn connect(&self) -> Client {
        let deadline = Instant::now() + SOON;
        loop {
            if let Ok(stream) = UnixStream::connect(self.socket()) {
                stream.set_read_timeout(Some(SOON)).unwrap();
                return Client { lines: BufReader::new(stream), events: Vec::new(), calls: 0 };
            }
            assert!(Instant::now() < deadline, "nobody listens");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("pushbox.log")).unwrap()
    }
}

pub(crate) struct Client {
    pub(crate) lines: BufReader<UnixStream>,
    pub(crate) events: Vec<Value>,
    calls: u64,
}

impl Client {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.lines.get_mut().write_all(bytes).unwrap();
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "it hung up");
        line
    }

    /// A call and its answer; events that come between are kept.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.calls, "method": method, "params": params});
        self.send(format!("{request}\n").as_bytes());
        loop {
            let answer: Value = serde_json::from_str(&self.line()).unwrap();
            if answer["id"] == self.calls {
                return answer;
            }
            self.events.push(answer);
        }
    }

    pub(crate) fn result(&mut self, method: &str, params: Value) -> Value {
        let answer = self.call(method, params);
        assert_eq!(answer.get("error"), None, "{method}");
        answer["result"].clone()
    }

    pub(crate) fn error(&mut self, method: &str, params: Value) -> i64 {
        self.call(method, params)["error"]["code"].as_i64().unwrap()
    }

    /// Waits for a status, and returns its event's detail.
    pub(crate) fn status(&mut self, code: i64) -> Value {
        loop {
            for event in std::mem::take(&mut self.events) {
                let detail = &event["params"]["detail"];
                if detail["code"] == code {
                    return detail.clone();
                }
            }
            let event = serde_json::from_str(&self.line()).unwrap();
            self.events.push(event);
        }
    }

    /// A person's line, and the first line of the answer.
    pub(crate) fn type_in(&mut self, text: &str) -> String {
        self.send(format!("{text}\r\n").as_bytes());
        self.line()
    }

    /// A snapshot's picture, as luma of its middle, and its size.
    pub(crate) fn snapshot(&mut self, quality: &str) -> (u8, (u64, u64), usize) {
        let taken = self.result("snapshot", json!({ "quality": quality }));
        let size = (taken["width"].as_u64().unwrap(), taken["height"].as_u64().unwrap());
        let path = Path::new(taken["tempImagePath"].as_str().unwrap());
        let folder = fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o750);
        let file = fs::read(path).unwrap();
        let picture = media::still::decode(&file, size.0 as u32, size.1 as u32).unwrap();
        let luma = picture.plane(0);
        (luma.data[luma.stride * (size.1 as usize / 2) + size.0 as usize / 2], size, file.len())
    }
}

/// A server, and the box live at it.
pub(crate) fn live() -> (Boxed, Client, Receiver) {
    let (boxed, server) = (Boxed::start(), Receiver::bind("127.0.0.1:0", None).unwrap());
    let mut client = boxed.connect();
    client.result("subscribe", json!({}));
    client.result("props.set", json!({"url": server.url()}));
    client.result("start", json!({}));
    client.status(1008);
    server.wait(SOON, |report| report.frames > 5).unwrap();
    (boxed, client, server)
}

/// A grey PNG.
pub(crate) fn png(folder: &Path, grey: u8) -> PathBuf {
    let path = folder.join(format!("{grey}.png"));
    let mut encoder = png::Encoder::new(fs::File::create(&path).unwrap(), 40, 40);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[grey; 1600]).unwrap();
    path
}

#[test]
fn s5_codes_come_in_their_order_and_a_stop_ends_them() {
    let (boxed, server) = (Boxed::start(), Receiver::bind("127.0.0.1:0", None).unwrap());
    let mut client = boxed.connect();
    client.result("subscribe", json!({"events": ["statechange"]}));
    client.result("props.set", json!({"url": server.url()}));
    client.result("start", json!({}));
    let mut codes = Vec::new();
    // The encoder may begin before the server has allowed to publish.
    while ![1002, 1008].iter().all(|code| codes.contains(code)) {
        let event = if client.events.is_empty() {
            serde_json::from_str(&client.line()).unwrap()
        } else {
            client.events.remove(0)
        };
        codes.push(event["params"]["detail"]["code"].as_i64().unwrap());
    }
    let place = |code: i64| codes.iter().position(|it| *it == code).unwrap();
    assert_eq!(codes.len(), 5, "{codes:?}");
    assert!(place(1003) < place(1007) && place(1007) < place(1008) && place(1001) < place(1002), "{codes:?}");
    client.result("stop", json!({}));
    assert_eq!(server.wait_for_end(SOON).unwrap().faults, [""; 0]);
    let status = client.result("status", json!({}));
    assert_eq!(status["state"], "idle");
    assert_eq!(status["counts"], json!({"1001": 1, "1002": 1, "1003": 1, "1007": 1, "1008": 1}));
    assert!(client.events.is_empty(), "{:?}", client.events);
}

#[test]
fn p11_a_pause_shows_the_waiting_image_on_the_same_connection() {
    let (boxed, mut client, server) = live();
    let image = png(boxed.folder.path(), 200);
    client.result("props.set", json!({ "waiting-image": image }));
    client.result("pause", json!({}));
    let before = server.report().frames + server.report().unreadable;
    server.wait(SOON, |report| report.frames + report.unreadable > before + 5).unwrap();
    let (luma, size, _) = client.snapshot("raw");
    // 16 + 200 * 219 / 255.
    assert!(luma.abs_diff(188) < 4, "{luma}");
    assert_eq!(size, (360, 640));
    client.result("props.set", json!({"waiting-image": png(boxed.folder.path(), 60)}));
    let deadline = Instant::now() + Duration::from_secs(2);
    while client.snapshot("raw").0.abs_diff(67) > 4 {
        assert!(Instant::now() < deadline, "the new picture is not shown");
    }
    let begin = Instant::now();
    client.result("resume", json!({}));
    client.status(1007);
    let frames = server.report().frames;
    let report = server.wait(SOON, |report| report.frames > frames + 10).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(report.faults, [""; 0]);
}

#[test]
fn p11_a_waiting_image_that_fails_is_told_and_disturbs_nothing() {
    let (boxed, mut client, server) = live();
    let image = png(boxed.folder.path(), 200);
    let text = boxed.folder.path().join("text");
    fs::write(&text, "no picture").unwrap();
    for (values, reason) in [
        (json!({"waiting-image": "/nonexistent.png"}), "missing"),
        (json!({"waiting-image": image, "waiting-image-hash": "0".repeat(32)}), "hash"),
        (json!({"waiting-image": text, "waiting-image-hash": ""}), "decode"),
    ] {
        client.result("props.set", values);
        assert_eq!(client.status(10_004)["params"]["reason"], reason);
    }
    let error = client.events.iter().any(|event| event["params"]["type"] == "error");
    let frames = server.report().frames;
    server.wait(SOON, |report| report.frames > frames + 5).unwrap();
    assert!(error || serde_json::from_str::<Value>(&client.line()).unwrap()["params"]["type"] == "error");
}

/// Tried again at each start, it is told once.
#[test]
fn p11_a_failing_waiting_image_is_told_once_a_value() {
    let (boxed, server) = (Boxed::start(), Receiver::bind("127.0.0.1:0", None).unwrap());
    let mut client = boxed.connect();
    client.result("subscribe", json!({"events": ["statechange"]}));
    client.result("props.set", json!({"url": server.url(), "waiting-image": "/nonexistent.png"}));
    client.status(10_004);
    client.result("start", json!({}));
    client.status(1008);
    client.result("stop", json!({}));
    let text = boxed.folder.path().join("text");
    fs::write(&text, "no picture").unwrap();
    client.result("props.set", json!({ "waiting-image": text }));
    assert_eq!(client.status(10_004)["params"]["reason"], "decode", "the first was told again");
}

#[test]
fn p4_p10_p13_size_rate_and_mirror_change_within_the_connection() {
    let (_boxed, mut client, server) = live();
    client.result("props.set", json!({"mode": "SD", "orientation": "horizontal", "fps": 30}));
    let changed = client.status(1005);
    assert_eq!(
        (changed["params"]["width"].as_u64(), changed["params"]["height"].as_u64()),
        (Some(640), Some(360))
    );
    let wanted = |report: &receiver::Report| report.width == 640 && report.fps_now > 27.0;
    let report = server.wait(SOON, wanted).unwrap();
    assert_eq!((report.height, report.faults), (360, Vec::<String>::new()));
    for (fps, range) in [(1, 0.5..1.5), (5, 4.5..5.5)] {
        client.result("props.set", json!({ "fps": fps }));
        server.wait(SOON, |report| range.contains(&report.fps_now)).unwrap();
    }
    client.result("props.set", json!({"fps": 10, "mirror": true}));
    server.wait(SOON, |report| report.fps_now < 12.0 && report.mirrored == Some(true)).unwrap();
    assert_eq!(
        client.result("props.set", json!({"fps": "many", "mode": "SD"}))["refused"][0]["property"],
        "fps"
    );
    server.wait(SOON, |report| report.fps_now < 12.0).unwrap();
}

#[test]
fn m9_the_other_camera_comes_on_the_same_connection() {
    let (_boxed, mut client, server) = live();
    assert_eq!(client.result("switchCamera", json!({}))["devicePosition"], "back");
    assert_eq!(client.status(1003)["params"]["position"], "back");
    let frames = server.report().frames;
    let report = server.wait(SOON, |report| report.frames > frames + 10).unwrap();
    assert_eq!(report.faults, [""; 0]);
    assert_eq!(client.result("status", json!({}))["devicePosition"], "back");
}

#[test]
fn m2_snapshots_have_the_published_size_in_preview_too() {
    let boxed = Boxed::start();
    let mut client = boxed.connect();
    assert_eq!(client.error("snapshot", json!({})), -3);
    let able = client.result("capabilities", json!({}));
    assert_eq!(able["cameras"][1]["sizes"], json!([{"width": 640, "height": 480}]));
    assert_eq!(
        (&able["cameras"][0]["frameRates"], &able["microphones"]),
        (&json!([30]), &json!([{"device": "simulated"}]))
    );
    client.result("startPreview", json!({}));
    let (_, size, raw) = client.snapshot("raw");
    assert_eq!(size, (360, 640));
    let (_, size, compressed) = client.snapshot("compressed");
    assert_eq!(size, (360, 640));
    assert!(compressed * 2 < raw, "{compressed} and {raw} bytes");
    assert_eq!(client.error("snapshot", json!({"sourceType": "view"})), -4);
    assert_eq!(client.error("snapshot", json!({"quality": "best"})), -2);
    client.result("stopPreview", json!({}));
    assert_eq!(client.error("snapshot", json!({})), -3);
}

#[test]
fn n5_network_status_tells_what_goes_through() {
    let (_boxed, mut client, server) = live();
    let mut told = Vec::new();
    while told.len() < 3 {
        let event: Value = serde_json::from_str(&client.line()).unwrap();
        if event["params"]["type"] == "netstatus" {
            told.push((
                event["params"]["timeStamp"].as_u64().unwrap(),
                event["params"]["detail"]["info"].clone(),
            ));
        }
    }
    assert!((1800..=2200).contains(&((told[2].0 - told[0].0) / 2)), "{told:?}");
    let info = told[2].1.as_object().unwrap();
    assert_eq!(info.len(), 11);
    let number = |key: &str| info[key].as_f64().unwrap();
    assert_eq!((number("videoWidth"), number("videoHeight"), number("videoGOP")), (360.0, 640.0, 3.0));
    assert!((number("videoFPS") - 15.0).abs() <= 1.0, "{info:?}");
    assert!((number("audioBitrate") - 64.0).abs() < 7.0, "{info:?}");
    let media = number("videoBitrate") + number("audioBitrate");
    // One picture may wait at its end.
    assert!((0.9..1.1).contains(&(number("netSpeed") / media)), "{info:?}");
    drop(server);
}

#[test]
fn n8_a_secret_is_shown_nowhere() {
    let boxed = Boxed::start();
    let mut client = boxed.connect();
    client.result("subscribe", json!({}));
    let image = "http://user:hidden@127.0.0.1:9/a.png?token=hidden";
    client.result(
        "props.set",
        json!({"url": "rtmp://127.0.0.1:9/live/topsecret?sign=hidden", "waiting-image": image}),
    );
    client.call("start", json!({}));
    client.status(1102);
    let answers = [
        client.call("props.get", json!({})),
        client.call("status", json!({})),
        client.call("props.set", json!({"url": 7, "topsecret": true})),
    ];
    client.send(b"{\"method\":\"props.set\",\"params\":{\"url\":\"topsecret\n");
    let broken = client.line();
    for text in
        answers.iter().map(ToString::to_string).chain([broken, boxed.log(), format!("{:?}", client.events)])
    {
        // Who gave a name knows it.
        let names_it = text.replace("\"property\":\"topsecret\"", "");
        assert!(!names_it.contains("topsecret") && !text.contains("hidden"), "{text}");
    }
}

#[test]
fn what_is_no_request_is_answered_and_disturbs_nobody() {
    let (_boxed, mut client, server) = live();
    let cases: [(&[u8], i64); 7] = [
        (b"{\"id\": 1", -32700),
        (b"[]", -32600),
        (b"{\"id\": 1}", -32600),
        (b"{\"id\": [], \"method\": \"status\"}", -32600),
        (b"{\"id\": 1, \"method\": \"selfDestruct\"}", -32601),
        (b"{\"id\": 1, \"method\": \"status\", \"params\": 5}", -32602),
        (b"{\"id\": 1, \"method\": \"setZoom\", \"params\": {\"zoom\": \"NaN\"}}", -2),
    ];
    client.result("unsubscribe", json!({}));
    for (request, code) in cases {
        client.send(&[request, b"\n"].concat());
        let answer: Value = serde_json::from_str(&client.line()).unwrap();
        assert_eq!(answer["error"]["code"], code, "{}", String::from_utf8_lossy(request));
    }
    client.send(&vec![b'x'; 2 << 20]);
    client.send(b"\n\xff\xfe\n");
    for _ in 0..2 {
        let answer: Value = serde_json::from_str(&client.line()).unwrap();
        assert_eq!(answer["error"]["code"], -32700);
    }
    client.send(b"[{\"id\":7,\"method\":\"status\"},{\"method\":\"status\"},{\"id\":8,\"method\":\"capabilities\"}]\n");
    let answers: Value = serde_json::from_str(&client.line()).unwrap();
    assert_eq!(
        (answers[0]["id"].as_i64(), answers[1]["id"].as_i64(), &answers[2]),
        (Some(7), Some(8), &Value::Null)
    );
    let frames = server.report().frames;
    server.wait(SOON, |report| report.frames > frames + 5).unwrap();
}

/// A board whose camera does not open: a FIFO that nobody writes to.
pub(crate) fn board_that_waits(folder: &Path) -> PathBuf {
    let fifo = folder.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let file = folder.join("board.toml");
    let camera = format!(
        "[[camera]]\nposition = 'front'\nsource.file = {{ path = '{}', width = 96, height = 96, rate = 5, pixels = 'h264' }}\n",
        fifo.display()
    );
    fs::write(&file, format!("name = 'a board'\n{camera}")).unwrap();
    file
}

#[test]
fn a_stop_is_heard_while_the_answer_to_a_start_is_due() {
    let folder = TempDir::new().unwrap();
    let file = board_that_waits(folder.path());
    let boxed = Boxed::on(&file);
    let mut client = boxed.connect();
    client.result("props.set", json!({ "url": "rtmp://127.0.0.1:9/live/key", "enable-mic": false }));
    client.send(b"{\"id\": 70, \"method\": \"start\"}\n{\"id\": 71, \"method\": \"stop\"}\n");
    client.send(b"{\"id\": 72, \"method\": \"status\"}\n");
    let answers: Vec<Value> = (0..3).map(|_| serde_json::from_str(&client.line()).unwrap()).collect();
    let ids: Vec<i64> = answers.iter().map(|answer| answer["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [70, 71, 72]);
    assert_eq!(answers[0]["error"]["message"], "invalid state: stopped");
    assert!(answers[1]["error"].is_null(), "{}", answers[1]);
    assert_eq!(answers[2]["result"]["state"], "idle");
}

#[test]
fn too_many_clients_and_one_that_never_reads_keep_nobody_waiting() {
    let boxed = Boxed::start();
    let mut clients: Vec<Client> = (0..32).map(|_| boxed.connect()).collect();
    for client in &mut clients {
        client.result("status", json!({}));
    }
    let mut one_more = boxed.connect();
    assert_eq!(one_more.lines.read_line(&mut String::new()).unwrap(), 0, "a 33rd is served");
    let mut deaf = clients.pop().unwrap();
    deaf.lines.get_ref().set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let asks = b"{\"id\": 1, \"method\": \"props.schema\"}\n";
    while deaf.lines.get_mut().write_all(asks).is_ok() {}
    for client in &mut clients {
        assert_eq!(client.result("status", json!({}))["state"], "idle");
    }
    drop(clients);
    let deadline = Instant::now() + SOON;
    loop {
        let mut later = boxed.connect();
        later.send(b"get fps\n");
        let mut answer = String::new();
        if later.lines.read_line(&mut answer).is_ok_and(|count| count > 0) {
            assert_eq!(answer, "fps  15\n");
            break;
        }
        assert!(Instant::now() < deadline, "no place is free again");
    }
}

/// `pushbox ctl watch` on a terminal.
#[test]
fn a_person_watches_what_happens_and_what_goes_out() {
    let (mut boxed, mut client, _server) = live();
    let ctl = format!("{} ctl --control {}", env!("CARGO_BIN_EXE_pushbox"), boxed.socket().display());
    let command = format!("stty cols 60; {ctl} watch");
    let mut script = Command::new("timeout");
    script.args(["20", "script", "-qfc", &command, "/dev/null"]);
    script.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut terminal = Running::start(&mut script);
    let mut shown = BufReader::new(terminal.0.stdout.take().unwrap());
    let mut screen = String::new();
    let mut wait_for = |wanted: &str| {
        while !screen.contains(wanted) {
            let mut byte = [0];
            assert!(shown.read(&mut byte).unwrap() > 0, "no {wanted} on the screen:\n{screen}");
            screen.push(char::from(byte[0]));
        }
    };
    wait_for("pushing  rtmp://127.0.0.1");
    wait_for("360x640 15/s  picture ");
    client.result("props.set", json!({"min-bitrate": 300, "max-bitrate": 301}));
    wait_for("UTC   1006  ");
    wait_for("kbps 301");
    client.result("stop", json!({}));
    wait_for("idle  rtmp://127.0.0.1");
    boxed.running.terminate();
    wait_for("\r\npushbox: the box hung up");
    assert!(!screen.contains("kbit/s"), "longer than the terminal is wide:\n{screen}");
}

#[test]
fn a_person_types_commands_and_reads_answers() {
    let boxed = Boxed::start();
    let server = Receiver::bind("127.0.0.1:0", None).unwrap();
    let mut client = boxed.connect();
    assert!(client.type_in("help").starts_with("  status"));
    while !client.line().contains("in quotes") {}
    assert_eq!(client.type_in("get fps"), "fps  15\n");
    assert_eq!(client.type_in(&format!("set url {}", server.url())), "ok\n");
    assert_eq!(client.type_in("set mode XL"), "? mode: give one of QVGA, HVGA, SD, HD, FHD, RTC\n");
    assert_eq!(client.type_in("dance"), "? there is no method dance (-32601); type help\n");
    let scheme = "address without rtmp://, rtmps://, http:// or https://: give rtmp://host/app/stream";
    let kept = client.type_in("set url rtmp:/oops");
    assert_eq!(kept, format!("ok, but url: it can't be published to: {scheme}\n"));
    assert_eq!(client.type_in("start"), format!("? invalid url: {scheme} (-2); type help\n"));
    assert_eq!(client.type_in(&format!("set url={}", server.url())), "ok\n");
    assert_eq!(client.type_in("start"), "ok\n");
    server.wait(SOON, |report| report.frames > 5).unwrap();
    assert_eq!(client.type_in("STOP"), "ok\n");
    assert_eq!(server.wait_for_end(SOON).unwrap().faults, [""; 0]);
    assert_eq!(client.type_in("setZoom 2"), "? invalid state: no preview (-3); type help\n");
    assert_eq!(client.type_in("exit"), "ok\n");
    assert_eq!(client.lines.read_line(&mut String::new()).unwrap(), 0, "it did not hang up");
}

#[test]
fn the_socket_is_for_user_and_group_and_goes_with_the_box() {
    let mut boxed = Boxed::start();
    drop(boxed.connect());
    let mode = fs::metadata(boxed.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let second = pushbox()
        .args(["run", "--board"])
        .arg(board("sim.toml"))
        .arg("--control")
        .arg(boxed.socket())
        .output()
        .unwrap();
    assert!(!second.status.success());
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains("another pushbox listens there"), "{text}");
    let (status, took) = boxed.running.terminate();
    assert!(status.success() && took < Duration::from_millis(500), "{status}, {took:?}");
    assert!(!boxed.socket().exists());
    // What one that was killed has left is no hindrance.
    // A file that is no socket stays.
    fs::write(boxed.socket(), "a file").unwrap();
    let mut command = pushbox();
    command.arg("run").arg("--board").arg(board("sim.toml")).arg("--control").arg(boxed.socket());
    assert!(!command.output().unwrap().status.success());
    assert_eq!(fs::read_to_string(boxed.socket()).unwrap(), "a file");
    let mut killed = Boxed::start();
    drop(killed.connect());
    killed.running.0.kill().unwrap();
    killed.running.wait(SOON);
    let mut command = pushbox();
    command.arg("run").arg("--board").arg(board("sim.toml")).arg("--control").arg(killed.socket());
    killed.running = Running::start(&mut command);
    assert_eq!(killed.connect().type_in("get fps"), "fps  15\n");
}

#[test]
fn p9_sound_is_heard_only_unmuted_with_a_microphone_and_not_paused() {
    let boxed = Boxed::start();
    let mut client = boxed.connect();
    for (muted, microphone, paused) in
        [(false, true, false), (true, true, false), (false, false, false), (false, true, true)]
    {
        let server = Receiver::bind("127.0.0.1:0", None).unwrap();
        client.result("props.set", json!({"url": server.url(), "muted": muted, "enable-mic": microphone}));
        client.result("start", json!({}));
        if paused {
            client.result("pause", json!({}));
        }
        server.wait(SOON, |report| report.audio_packets > 100).unwrap();
        client.result("stop", json!({}));
        let report = server.wait_for_end(SOON).unwrap();
        let case = format!("muted {muted}, microphone {microphone}, paused {paused}");
        assert_eq!(report.tone_hz.is_some(), !muted && microphone && !paused, "{case}");
        assert_eq!(report.faults, [""; 0], "{case}");
    }
}

#[test]
fn m6_a_message_arrives_as_it_was_sent() {
    let boxed = Boxed::start();
    let recording = boxed.folder.path().join("recording.flv");
    let server = Receiver::bind("127.0.0.1:0", Some(recording.clone())).unwrap();
    let mut client = boxed.connect();
    client.result("props.set", json!({"url": server.url()}));
    assert_eq!(client.error("sendMessage", json!({"msg": "early"})), -3);
    client.result("subscribe", json!({}));
    client.result("start", json!({}));
    client.status(1008);
    let text = "Grüße aus der Kiste";
    client.result("sendMessage", json!({"msg": text}));
    let frames = server.report().frames;
    server.wait(SOON, |report| report.frames > frames + 3).unwrap();
    assert_eq!(client.error("sendMessage", json!({"msg": "x".repeat(1025)})), -2);
    let refused =
        (0..31).filter(|_| client.call("sendMessage", json!({"msg": "x"})).get("error").is_some()).count();
    assert!(refused >= 1);
    client.result("stop", json!({}));
    assert_eq!(server.wait_for_end(SOON).unwrap().faults, [""; 0]);
    let unit = [&[6, 242, text.len() as u8], text.as_bytes(), &[0x80]].concat();
    let recorded = fs::read(recording).unwrap();
    assert!(recorded.windows(unit.len()).any(|bytes| bytes == unit), "no message in the recording");
}

#[test]
fn volume_events_tell_how_loud_it_is() {
    let boxed = Boxed::start();
    let mut client = boxed.connect();
    client.result("startPreview", json!({}));
    client.result("subscribe", json!({"events": ["audiovolumenotify"]}));
    let volumes = |client: &mut Client| -> Vec<(u64, u64)> {
        let event = |client: &mut Client| -> Value { serde_json::from_str(&client.line()).unwrap() };
        (0..5)
            .map(|_| event(client)["params"].clone())
            .map(|event| (event["timeStamp"].as_u64().unwrap(), event["detail"]["volume"].as_u64().unwrap()))
            .collect()
    };
    let heard = volumes(&mut client);
    assert!(heard.iter().skip(1).all(|(_, volume)| (50..100).contains(volume)), "{heard:?}");
    assert!((250..=350).contains(&((heard[4].0 - heard[0].0) / 4)), "{heard:?}");
    client.result("props.set", json!({"muted": true}));
    client.events.clear();
    let silent = volumes(&mut client);
    assert!(silent.iter().skip(1).all(|(_, volume)| *volume == 0), "{silent:?}");
}
