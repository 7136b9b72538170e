//! A board's serial console: all that came over it, and commands in its shell.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A serial line with a shell behind it.
pub struct Console {
    log: Arc<Log>,
    writer: Box<dyn Write + Send>,
    /// How much of the log earlier calls have looked at.
    seen: usize,
    commands: u32,
}

#[derive(Default)]
struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    ended: bool,
}

/// What a command wrote, and how it ended.
#[derive(Debug)]
pub struct Output {
    pub status: u32,
    pub text: String,
}

impl Output {
    /// The text of a command that succeeded.
    pub fn success(self) -> Result<String> {
        ensure!(self.status == 0, "status {}: {}", self.status, self.text);
        Ok(self.text)
    }
}

impl Console {
    pub fn new(mut reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Self {
        let log = Arc::<Log>::default();
        let filled = Arc::clone(&log);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                filled.lock().bytes.extend_from_slice(&buffer[..count]);
                filled.changed.notify_all();
            }
            filled.lock().ended = true;
            filled.changed.notify_all();
        });
        Self { log, writer: Box::new(writer), seen: 0, commands: 0 }
    }

    /// All that came so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().bytes).replace('\r', "")
    }

    /// Waits until `what` comes, after what earlier calls waited for. Returns the text before it.
    pub fn wait_for(&mut self, what: &str, limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        let mut state = self.log.lock();
        loop {
            let fresh = &state.bytes[self.seen..];
            if let Some(at) = fresh.windows(what.len()).position(|window| window == what.as_bytes()) {
                let text = String::from_utf8_lossy(&fresh[..at]).replace('\r', "");
                self.seen += at + what.len();
                return Ok(text);
            }
            ensure!(!state.ended, "the serial line ended before {what:?}");
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("no {what:?} within {} s", limit.as_secs());
            }
            state = self.log.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes over the interactive shell at its prompt: from now on nothing is echoed.
    pub fn take_shell(&mut self) -> Result<()> {
        self.send("stty -echo; dmesg -n 1; echo taken-$((1 + 1)); dd bs=4k 2>/dev/null | sh; stty echo\n")?;
        // Only then has its line editor let go of the terminal. BusyBox's cat would hold lines back.
        self.wait_for("taken-2", Duration::from_secs(10)).map(|_| ())
    }

    /// Gives the shell back to a person.
    pub fn release_shell(&mut self) -> Result<()> {
        const END_OF_FILE: &str = "\x04";
        self.send(END_OF_FILE)
    }

    /// Lets a person use the line: `input` goes to the board, all that comes from it to `output`. Returns when the line ends, or
    /// the person types Ctrl-].
    pub fn pass_through(
        self,
        mut input: impl Read + Send + 'static,
        mut output: impl Write + Send + 'static,
    ) -> Result<()> {
        const LEAVE: u8 = 0x1d;
        let Self { log, mut writer, mut seen, .. } = self;
        let (ended, wait) = mpsc::channel();
        let left = ended.clone();
        thread::Builder::new().name("to the board".into()).spawn(move || {
            let mut buffer = [0; 256];
            while let Ok(count @ 1..) = input.read(&mut buffer) {
                if buffer[..count].contains(&LEAVE) {
                    let _ = left.send(());
                }
                if writer.write_all(&buffer[..count]).and_then(|()| writer.flush()).is_err() {
                    break;
                }
            }
        })?;
        thread::Builder::new().name("from the board".into()).spawn(move || {
            while let Some(fresh) = log.after(seen) {
                seen += fresh.len();
                if output.write_all(&fresh).and_then(|()| output.flush()).is_err() {
                    break;
                }
            }
            let _ = ended.send(());
        })?;
        wait.recv().context("the threads of the serial line")
    }

    /// Runs a line of shell.
    pub fn run(&mut self, command: &str, limit: Duration) -> Result<Output> {
        self.commands += 1;
        let number = self.commands;
        // The marker is put together by the shell, so that an echo of the command is not taken for it.
        self.send(&format!("{{ {command}\n}} </dev/null 2>&1; printf '\\nend-%s:%s;' {number} $?\n"))?;
        let text = self.wait_for(&format!("\nend-{number}:"), limit).with_context(|| command.to_owned())?;
        let status = self.wait_for(";", Duration::from_secs(5))?.parse()?;
        Ok(Output { status, text: text.trim().to_owned() })
    }

    /// Types `text`, or sends it to who reads the other end.
    pub fn send(&mut self, text: &str) -> Result<()> {
        self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush()).context("serial line")
    }
}

impl Log {
    /// Waits for what comes after the first `seen` bytes. `None` at the end of the line.
    fn after(&self, seen: usize) -> Option<Vec<u8>> {
        let nothing = |state: &mut State| state.bytes.len() == seen && !state.ended;
        let state = self.changed.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        Some(state.bytes[seen..].to_vec()).filter(|fresh| !fresh.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn shell() -> (Child, Console) {
        let mut child = Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let console = Console::new(child.stdout.take().unwrap(), child.stdin.take().unwrap());
        (child, console)
    }

    #[test]
    fn commands_give_their_text_and_status() {
        let (mut child, mut console) = shell();
        let output = console.run("echo one; echo two >&2; (exit 3)", SOON).unwrap();
        assert_eq!((output.status, output.text.as_str()), (3, "one\ntwo"));
        assert_eq!(console.run("printf 'no newline'", SOON).unwrap().success().unwrap(), "no newline");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_person_takes_the_line_until_it_ends() {
        let (mut child, mut console) = shell();
        console.run("true", SOON).unwrap();
        let (mut person, output) = std::io::pipe().unwrap();
        let input = std::io::Cursor::new(b"echo hello; exit\n");
        console.pass_through(input, output).unwrap();
        let mut seen = String::new();
        person.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "hello\n");
        child.wait().unwrap();
    }

    #[test]
    fn what_does_not_come_is_named() {
        let (mut child, mut console) = shell();
        let error = console.wait_for("a prompt", Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("a prompt"), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        let error = console.wait_for("a prompt", SOON).unwrap_err();
        assert!(error.to_string().contains("ended"), "{error}");
    }
}
