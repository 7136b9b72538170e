//! The client of the control socket.

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Sends one command as a person types it, or its JSON-RPC form, and prints the answer.
pub(crate) fn run(socket: &Path, command: &[String], as_json: bool) -> Result<()> {
    let stream = UnixStream::connect(socket).with_context(|| {
        format!("no pushbox listens at {}: start it, or give --control", socket.display())
    })?;
    let mut lines = BufReader::new(stream);
    let watches = command.first().is_some_and(|word| word == "watch");
    if watches && !as_json && io::stdout().is_terminal() {
        return watch(lines);
    }
    let request = if as_json { request(command)? } else { text(command) };
    lines.get_mut().write_all(request.as_bytes())?;
    if !watches {
        // Then the box hangs up once it has answered.
        lines.get_ref().shutdown(std::net::Shutdown::Write)?;
    }
    let (mut failure, mut is_answered) = (None, false);
    for line in lines.lines() {
        let line = line.context("the box hung up")?;
        is_answered = true;
        match line.strip_prefix("? ") {
            Some(message) => failure = Some(message.trim_end_matches("; type help").to_owned()),
            None if line.contains("\"error\":") && as_json => failure = Some(line),
            None => println!("{line}"),
        }
    }
    match failure {
        Some(message) => bail!("{message}"),
        None if watches || !is_answered => bail!("the box hung up"),
        None => Ok(()),
    }
}

fn text(command: &[String]) -> String {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    format!("{}\n", if words.is_empty() { "status".into() } else { words.join(" ") })
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

/// Events as they come, and below them the last line tells what goes out now.
fn watch(mut lines: BufReader<UnixStream>) -> Result<()> {
    let events = json!({"events": ["statechange", "error", "netstatus"]});
    for (id, method, params) in [(1, "subscribe", events), (2, "status", json!({}))] {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        writeln!(lines.get_mut(), "{request}")?;
    }
    let (mut out, mut now) = (io::stdout().lock(), String::new());
    for line in lines.lines() {
        let message: Value = serde_json::from_str(&line.context("the box hung up")?)?;
        let event = &message["params"];
        match event["type"].as_str() {
            Some("netstatus") => now = measures(&event["detail"]["info"]),
            Some(_) => writeln!(out, "{BEGIN}{}", happened(event))?,
            None if message["id"] == 2 => now = state(&message["result"]),
            None => {}
        }
        write!(out, "{BEGIN}{now}")?;
        out.flush()?;
    }
    bail!("the box hung up")
}

/// Goes to the begin of the terminal's line and clears it (ECMA-48, EL).
const BEGIN: &str = "\r\x1b[K";

fn state(status: &Value) -> String {
    let text = |name: &str| status[name].as_str().unwrap_or_default().to_owned();
    format!("{}  {}", text("state"), text("url"))
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
