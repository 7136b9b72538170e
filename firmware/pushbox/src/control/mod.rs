//! Control surfaces: the same JSON-RPC, and the same commands for a person, over socket and serial line. `PROTOCOL.md`
//! describes them.

mod lines;
mod person;
mod rpc;
mod serial;
mod socket;
mod view;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
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

/// Speaks with one client until it hangs up.
async fn serve(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    handle: &Handle,
    manner: Manner,
) -> std::io::Result<()> {
    let (mut lines, mut buffer) = (Lines::default(), vec![0; 4096]);
    let mut client = Client { handle: handle.clone(), listener: None, is_person: false };
    loop {
        let event = async {
            match &client.listener {
                Some(listener) => listener.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            count = reader.read(&mut buffer) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                let ended = lines.take(&buffer[..count]);
                let echo = lines.echo();
                if manner == Manner::Terminal {
                    send(&mut writer, &echo).await?;
                }
                for line in ended {
                    let answer = client.answer(line).await;
                    send(&mut writer, client.dress(answer, manner).as_bytes()).await?;
                }
            }
            event = event => match event {
                Some(event) => {
                    let text = client.dress(client.render(&event), manner);
                    send(&mut writer, text.as_bytes()).await?;
                }
                // It left too many events waiting.
                None => return Ok(()),
            },
        }
    }
}

/// One who does not read for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);

async fn send(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    timeout(PATIENCE, writer.write_all(bytes)).await?
}

/// One who speaks with the box.
struct Client {
    handle: Handle,
    listener: Option<Arc<Listener>>,
    /// Whether the last line was a person's.
    is_person: bool,
}

impl Client {
    async fn answer(&mut self, line: Line) -> String {
        let text = match line {
            Line::Text(text) => text,
            Line::TooLong => return rpc::too_long(),
            Line::Noise if self.is_person => return "? that was no text; type help\n".into(),
            Line::Noise => return rpc::noise(),
        };
        let text = text.trim();
        self.is_person = !text.starts_with(['{', '[']);
        if text.is_empty() {
            return String::new();
        }
        if self.is_person { self.obey(text).await } else { self.answer_json(text).await }
    }

    /// As a terminal wants it.
    fn dress(&self, text: String, manner: Manner) -> String {
        if manner == Manner::Terminal && self.is_person {
            format!("{}{PROMPT}", text.replace('\n', "\r\n"))
        } else {
            text
        }
    }

    async fn listen(&mut self, kinds: Vec<String>) {
        self.listener = self.handle.ask(|engine| engine.listen(kinds)).await;
    }

    fn render(&self, event: &Event) -> String {
        if self.is_person {
            return person::event(event);
        }
        let notification = json!({"jsonrpc": "2.0", "method": "event", "params": event.to_json()});
        line(&notification)
    }
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
