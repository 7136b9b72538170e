//! The client of the control socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Sends one command as a person types it, or its JSON-RPC form, and prints the answer.
pub(crate) fn run(socket: &Path, command: &[String], as_json: bool) -> Result<()> {
    let stream = UnixStream::connect(socket).with_context(|| {
        format!("no pushbox listens at {}: start it, or give --control", socket.display())
    })?;
    let mut lines = BufReader::new(stream);
    let watches = command.first().is_some_and(|word| word == "watch");
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
    let params: Value = if matches!(method, "props.get" | "props.reset") {
        serde_json::json!({ "names": arguments })
    } else {
        let pair = |word: &String| {
            let (name, value) = word.split_once('=').with_context(|| format!("{word}: give NAME=VALUE"))?;
            Ok((name.to_owned(), Value::from(value)))
        };
        Value::Object(arguments.iter().map(pair).collect::<Result<_>>()?)
    };
    let request = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    Ok(format!("{request}\n"))
}
