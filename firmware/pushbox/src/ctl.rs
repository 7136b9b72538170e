//! The client of the control socket.

use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
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
