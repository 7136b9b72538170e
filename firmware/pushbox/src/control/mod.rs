//! Control surfaces: the same JSON-RPC, and the same commands for a person, over socket and serial line. `PROTOCOL.md`
//! describes them.

mod lines;
mod person;
mod rpc;
mod serial;
mod socket;
mod view;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::engine::Handle;
use crate::events::{Event, Listener};
use lines::{Line, Lines};
pub(crate) use serial::serve_serial_line;
pub(crate) use socket::Socket;

/// Where the socket is unless told otherwise.
pub(crate) const SOCKET: &str = "/run/pushbox/control";

/// How lines look at the other end.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Plain,
    /// A terminal, which shows nothing by itself: what a person types comes back, with a prompt after each answer.
    Terminal,
}

const PROMPT: &str = "pushbox> ";

/// What a line is answered with, as soon as the box has it.
struct Answer {
    text: Pin<Box<dyn Future<Output = String> + Send>>,
    /// Bytes of it that are there already.
    size: usize,
}

/// Answers that a client may wait for before no more is read from it, and their bytes.
const ANSWERS: usize = 64;
const UNSENT: usize = 1 << 20;

/// Speaks with one client until it hangs up. Lines are carried out as they come, also while the answer to an earlier one is
/// waited for; answers go out in the order of the lines.
async fn serve(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    handle: &Handle,
    manner: Manner,
) -> std::io::Result<()> {
    let (mut lines, mut buffer) = (Lines::default(), vec![0; 4096]);
    let mut client =
        Client { handle: handle.clone(), manner, listener: None, unsent: 0, is_person: false, leaves: false };
    let mut answers = VecDeque::<Answer>::new();
    loop {
        let unsent: usize = answers.iter().map(|answer| answer.size).sum();
        client.unsent = unsent;
        let has_room = answers.len() < ANSWERS && unsent < UNSENT;
        let answer = async {
            match answers.front_mut() {
                Some(answer) => answer.text.as_mut().await,
                None => std::future::pending().await,
            }
        };
        let event = async {
            match &client.listener {
                Some(listener) => listener.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            answer = answer => {
                answers.pop_front();
                send(&mut writer, answer.as_bytes()).await?;
            }
            count = reader.read(&mut buffer), if has_room => {
                let count = count?;
                if count == 0 {
                    break;
                }
                let ended = lines.take(&buffer[..count]);
                let echo = lines.echo();
                if manner == Manner::Terminal {
                    send(&mut writer, &echo).await?;
                }
                for line in ended {
                    answers.push_back(client.answer(line).await);
                }
                // Nobody can hang up a serial line.
                if std::mem::take(&mut client.leaves) && manner == Manner::Plain {
                    break;
                }
            }
            event = event => match event {
                Some(event) => send(&mut writer, client.render(&event).as_bytes()).await?,
                // It left too many events waiting.
                None => return Ok(()),
            },
        }
    }
    // It has said all that it wants to, and may listen still.
    for answer in answers {
        send(&mut writer, answer.text.await.as_bytes()).await?;
    }
    Ok(())
}

/// One who does not read so many bytes for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);
const PART: usize = 4096;

async fn send(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    // A serial line takes its time.
    for part in bytes.chunks(PART) {
        timeout(PATIENCE, writer.write_all(part)).await??;
    }
    Ok(())
}

/// One who speaks with the box.
struct Client {
    handle: Handle,
    manner: Manner,
    listener: Option<Arc<Listener>>,
    /// Bytes of answers that wait, as far as they are large.
    unsent: usize,
    /// Whether the last line was a person's.
    is_person: bool,
    /// Whether it has said goodbye.
    leaves: bool,
}

impl Client {
    async fn answer(&mut self, line: Line) -> Answer {
        let answer = match line {
            Line::Text(text) => self.answer_text(text.trim()).await,
            Line::TooLong => at_once(rpc::too_long()),
            Line::Noise if self.is_person => at_once("? that was no text; type help\n".into()),
            Line::Noise => at_once(rpc::noise()),
        };
        if !self.wants_prompt() {
            return answer;
        }
        Answer::new(answer.size, async { dressed(&answer.text.await) })
    }

    async fn answer_text(&mut self, text: &str) -> Answer {
        self.is_person = !text.starts_with(['{', '[']);
        if text.is_empty() {
            at_once(String::new())
        } else if self.is_person {
            self.obey(text).await
        } else {
            self.answer_json(text).await
        }
    }

    fn wants_prompt(&self) -> bool {
        self.manner == Manner::Terminal && self.is_person
    }

    async fn listen(&mut self, kinds: Vec<String>) {
        self.listener = self.handle.ask(|engine| engine.listen(kinds)).await;
    }

    fn render(&self, event: &Event) -> String {
        if !self.is_person {
            let event = json!({"jsonrpc": "2.0", "method": "event", "params": event.to_json()});
            return format!("{event}\n");
        }
        let text = person::event(event);
        if self.wants_prompt() { dressed(&text) } else { text }
    }
}

impl Answer {
    fn new(size: usize, text: impl Future<Output = String> + Send + 'static) -> Self {
        Self { text: Box::pin(text), size }
    }
}

/// As a terminal wants it.
fn dressed(text: &str) -> String {
    format!("{}{PROMPT}", text.replace('\n', "\r\n"))
}

fn at_once(text: String) -> Answer {
    Answer::new(text.len(), std::future::ready(text))
}
