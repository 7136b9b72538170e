//! The client of the control socket.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustix::termios::tcgetwinsize;
use serde_json::{Value, json};

/// Sends one command as a person types it, or its JSON-RPC form, and prints the answer. In JSON a failure is an answer too.
pub(crate) fn run(socket: &Path, command: &[String], as_json: bool) -> Result<ExitCode> {
    let stream = UnixStream::connect(socket).with_context(|| {
        format!("no pushbox listens at {}: start it, or give --control", socket.display())
    })?;
    let mut lines = BufReader::new(stream);
    let watches = command.first().is_some_and(|word| word == "watch");
    if watches && !as_json && io::stdout().is_terminal() {
        return watch(lines);
    }
    if let Some(("panel", words)) = command.split_first().map(|(word, words)| (word.as_str(), words))
        && words.iter().any(|word| word.starts_with("--png"))
    {
        return save_panel(lines, words);
    }
    let request = if as_json { request(command)? } else { text(command) };
    lines.get_mut().write_all(request.as_bytes())?;
    if !watches {
        // Then the box hangs up once it has answered.
        lines.get_ref().shutdown(std::net::Shutdown::Write)?;
    }
    let (mut failures, mut is_answered) = (Vec::new(), false);
    let mut code = ExitCode::SUCCESS;
    for line in lines.lines() {
        let line = line.context("the box hung up")?;
        is_answered = true;
        match line.strip_prefix("? ").filter(|_| !as_json) {
            Some(failure) => failures.push(failure.trim_end_matches("; type help").to_owned()),
            None => println!("{line}"),
        }
        if as_json && has_failed(&line) {
            code = ExitCode::FAILURE;
        }
    }
    if !failures.is_empty() {
        bail!(failures.join("\npushbox: "));
    }
    if watches || !is_answered {
        bail!("the box hung up");
    }
    Ok(code)
}

/// Whether an answer is an error, or tells of what was not taken.
fn has_failed(answer: &str) -> bool {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    answer.get("error").is_some()
        || answer["result"]["refused"].as_array().is_some_and(|refused| !refused.is_empty())
}

fn text(command: &[String]) -> String {
    let words = command.join(" ");
    format!("{}\n", if words.trim().is_empty() { "status" } else { &words })
}

fn request(command: &[String]) -> Result<String> {
    let (method, arguments) = command.split_first().context("--json wants a method, such as status")?;
    let method = match method.as_str() {
        "get" => "props.get",
        "set" => "props.set",
        "reset" => "props.reset",
        "watch" => "subscribe",
        other => other,
    };
    let params = if matches!(method, "props.get" | "props.reset") {
        json!({ "names": arguments })
    } else {
        let pair = |word: &String| {
            let (name, value) = word.split_once('=').with_context(|| format!("{word}: give NAME=VALUE"))?;
            Ok((name.to_owned(), Value::from(value)))
        };
        Value::Object(arguments.iter().map(pair).collect::<Result<_>>()?)
    };
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    Ok(format!("{request}\n"))
}

/// Writes what a display shows as PNG: `panel [display=NAME] --png FILE`, where `-` stands for standard output.
fn save_panel(mut lines: BufReader<UnixStream>, words: &[String]) -> Result<ExitCode> {
    let (mut file, mut params) = (None, json!({"inline": true}));
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            None if word == "--png" => file = words.next().map(String::as_str),
            Some(("--png", name)) => file = Some(name),
            Some(("display", name)) => params["display"] = name.into(),
            _ => bail!("{word}: give panel [display=NAME] --png FILE"),
        }
    }
    let file =
        file.filter(|file| !file.is_empty()).context("--png wants a file, or - for standard output")?;
    let mut out = io::stdout();
    if file == "-" && out.is_terminal() {
        bail!("a terminal shows no PNG: give a file, or send it to one");
    }
    ask(&lines, "panel", params)?;
    let mut line = String::new();
    lines.read_line(&mut line).context("the box hung up")?;
    let answer: Value = serde_json::from_str(&line).context("the box hung up")?;
    if let Some(message) = answer["error"]["message"].as_str() {
        bail!("{message}");
    }
    let png = BASE64_STANDARD.decode(answer["result"]["png"].as_str().unwrap_or_default())?;
    match file {
        "-" => out.write_all(&png).and_then(|()| out.flush()).context("standard output")?,
        file => fs::write(file, &png).with_context(|| file.to_owned())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Events as they come, and below them the last line tells what goes out now, or the state while nothing does.
fn watch(mut lines: BufReader<UnixStream>) -> Result<ExitCode> {
    lines.get_ref().set_read_timeout(Some(GLANCE))?;
    let (mut out, mut line, mut now) = (io::stdout().lock(), Vec::new(), Now::default());
    ask(&lines, "subscribe", json!({"events": ["statechange", "error", "netstatus"]}))?;
    ask(&lines, "status", json!({}))?;
    loop {
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            // What ends without an event, such as a session that is stopped, is seen so.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                ask(&lines, "status", json!({}))?;
                continue;
            }
            Err(_) => break,
        }
        let message: Value = serde_json::from_slice(&line)?;
        line.clear();
        let event = &message["params"];
        match event["type"].as_str() {
            Some("netstatus") => now.measures = Some(measures(&event["detail"]["info"])),
            Some(_) => {
                writeln!(out, "{BEGIN}{}", happened(event))?;
                ask(&lines, "status", json!({}))?;
            }
            None if message["id"] == "status" => now.take(&message["result"]),
            None => {}
        }
        let columns = tcgetwinsize(&out).map_or(0, |size| usize::from(size.ws_col));
        write!(out, "{BEGIN}{}", now.line(columns))?;
        out.flush()?;
    }
    writeln!(out)?;
    bail!("the box hung up")
}

/// How long the last line may be out of date.
const GLANCE: Duration = Duration::from_secs(1);

/// Goes to the begin of the terminal's line and clears it (ECMA-48, EL).
const BEGIN: &str = "\r\x1b[K";

/// The method is the request's id too.
fn ask(lines: &BufReader<UnixStream>, method: &str, params: Value) -> io::Result<()> {
    let request = json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params});
    let mut stream = lines.get_ref();
    stream.write_all(format!("{request}\n").as_bytes())
}

/// What the last line tells.
#[derive(Default)]
struct Now {
    state: String,
    url: String,
    measures: Option<String>,
}

impl Now {
    fn take(&mut self, status: &Value) {
        let text = |name: &str| status[name].as_str().unwrap_or_default().to_owned();
        (self.state, self.url) = (text("state"), text("url"));
        if !matches!(self.state.as_str(), "pushing" | "paused" | "reconnecting") {
            self.measures = None;
        }
    }

    /// In a terminal of so many columns; zero stands for any number.
    fn line(&self, columns: usize) -> String {
        let Self { state, url, measures } = self;
        let line = match measures {
            Some(measures) => format!("{state}  {measures}"),
            None => format!("{state}  {url}"),
        };
        // In its last column a terminal may go to the next line.
        let room = columns.checked_sub(1).unwrap_or(usize::MAX);
        line.chars().take(room).collect()
    }
}

fn happened(event: &Value) -> String {
    let seconds = event["timeStamp"].as_u64().unwrap_or(0) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let detail = &event["detail"];
    let text = |name: &str| detail[name].as_str().unwrap_or_default();
    let code = detail["code"].as_i64().or(detail["errCode"].as_i64()).unwrap_or(0);
    let params: Vec<String> = match &detail["params"] {
        Value::Object(params) => params.iter().map(|(name, value)| format!("  {name} {value}")).collect(),
        _ => Vec::new(),
    };
    let message = [text("message"), text("errMsg")].concat();
    format!("{hours:02}:{minutes:02}:{seconds:02} UTC  {code:>5}  {message}{}", params.concat())
}

fn measures(info: &Value) -> String {
    const QUALITY: [&str; 7] = ["undefined", "best", "good", "fair", "poor", "very poor", "unusable"];
    let number = |name: &str| info[name].as_f64().unwrap_or(0.0);
    let quality = QUALITY.get(number("netQualityLevel") as usize).unwrap_or(&"unknown");
    format!(
        "{}x{} {}/s  picture {} + sound {} -> network {} kbit/s  waiting {} + {}  {quality}",
        number("videoWidth"),
        number("videoHeight"),
        number("videoFPS"),
        number("videoBitrate"),
        number("audioBitrate"),
        number("netSpeed"),
        number("videoCache"),
        number("audioCache"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A box that has this answer for one request; what it was asked comes back.
    fn answering(path: &Path, answer: Value) -> std::thread::JoinHandle<Value> {
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(listener.accept().unwrap().0);
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            lines.get_mut().write_all(format!("{answer}\n").as_bytes()).unwrap();
            serde_json::from_str(&line).unwrap()
        })
    }

    #[test]
    fn a_display_is_written_to_a_file_whatever_the_order_of_the_words() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("panel.png");
        let file = file.to_str().unwrap();
        for (number, words) in
            [["display=screen", "--png", file].as_slice(), &["--png", file, "display=screen"]]
                .iter()
                .enumerate()
        {
            let socket = folder.path().join(number.to_string());
            let asked = answering(&socket, json!({"id": "panel", "result": {"png": "iVBORw=="}}));
            let words: Vec<String> = ["panel"].iter().chain(*words).map(|word| (*word).to_owned()).collect();
            run(&socket, &words, false).unwrap();
            let asked = asked.join().unwrap();
            assert_eq!(asked["params"], json!({"inline": true, "display": "screen"}));
            assert_eq!(fs::read(file).unwrap(), b"\x89PNG");
            fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn a_display_that_is_not_there_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, file) = (folder.path().join("control"), folder.path().join("panel.png"));
        let asked =
            answering(&socket, json!({"id": "panel", "error": {"code": -4, "message": "not supported"}}));
        let words = ["panel".to_owned(), format!("--png={}", file.display())];
        assert_eq!(run(&socket, &words, false).unwrap_err().to_string(), "not supported");
        assert!(!file.exists());
        asked.join().unwrap();
    }

    #[test]
    fn the_last_line_tells_measures_only_while_they_hold_and_fits_the_terminal() {
        let mut now = Now { measures: Some("360x640 15/s".into()), ..Now::default() };
        now.take(&json!({"state": "pushing", "url": "rtmp://host/live/***"}));
        assert_eq!(now.line(0), "pushing  360x640 15/s");
        assert_eq!(now.line(12), "pushing  36");
        now.take(&json!({"state": "idle", "url": "rtmp://höst/live/***"}));
        assert_eq!(now.line(80), "idle  rtmp://höst/live/***");
        assert_eq!(now.line(17), "idle  rtmp://hös");
    }
}
