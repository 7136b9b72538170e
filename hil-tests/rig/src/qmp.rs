//! What the rig asks of a running QEMU (QEMU Machine Protocol).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(10);

/// Has QEMU carry out one command.
pub(crate) fn execute(socket: &Path, command: &str, arguments: Value) -> Result<()> {
    let mut lines = BufReader::new(UnixStream::connect(socket).context("QEMU's monitor")?);
    lines.get_ref().set_read_timeout(Some(LIMIT))?;
    ask(&mut lines, "qmp_capabilities", json!({}))?;
    ask(&mut lines, command, arguments)
}

fn ask(lines: &mut BufReader<UnixStream>, command: &str, arguments: Value) -> Result<()> {
    let request = json!({ "execute": command, "arguments": arguments });
    writeln!(lines.get_mut(), "{request}")?;
    let mut line = String::new();
    loop {
        line.clear();
        lines.read_line(&mut line).context("QEMU's monitor")?;
        // The greeting and events come between.
        let answer: Value = serde_json::from_str(&line).context("QEMU's monitor")?;
        if let Some(error) = answer.get("error") {
            bail!("{command}: {error}");
        }
        if answer.get("return").is_some() {
            return Ok(());
        }
    }
}
