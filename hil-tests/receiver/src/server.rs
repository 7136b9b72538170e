//! The server: one publisher at a time.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use media::{Timestamp, now};

use crate::amf::{self, Value};
use crate::chunk::{Chunks, Message};
use crate::{FlvWriter, Measure, Report, Snapshot, Tag};

/// Messages that may wait to be measured; beyond that, the publisher is held up.
const BACKLOG: usize = 256;

/// Where to keep what comes.
pub type Recording = Option<PathBuf>;

/// A listening server, which measures the first publisher that comes.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    measure: Measure,
    connection: Option<TcpStream>,
    /// Whether it was us who cut the connection.
    cut: bool,
    /// `Some` once the publisher is gone: whether it said goodbye.
    ended: Option<Result<(), String>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver {
    /// Listens on `address`; port 0 takes any that is free.
    pub fn bind(address: &str, recording: Recording) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| format!("can't listen on {address}"))?;
        let state = State { measure: Measure::new()?, connection: None, cut: false, ended: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let receiver = Self { address: listener.local_addr()?, shared: Arc::clone(&shared) };
        thread::Builder::new().name("receiver".into()).spawn(move || {
            let result = serve(listener, &shared, recording).map_err(|error| format!("{error:#}"));
            let mut state = shared.lock();
            if let Err(error) = &result
                && !state.cut
            {
                state.measure.fault(error);
            }
            state.ended = Some(result);
            drop(state);
            shared.changed.notify_all();
        })?;
        Ok(receiver)
    }

    /// Where to publish.
    pub fn url(&self) -> String {
        format!("rtmp://{}/live/key", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn report(&self) -> Report {
        self.shared.lock().measure.report()
    }

    pub fn snapshot(&self) -> Snapshot {
        self.shared.lock().measure.snapshot.clone()
    }

    /// Whether a publisher is or was there.
    pub fn is_live(&self) -> bool {
        self.shared.lock().connection.is_some()
    }

    pub fn has_ended(&self) -> bool {
        self.shared.lock().ended.is_some()
    }

    /// Waits until the report is as wanted.
    pub fn wait(&self, limit: Duration, mut wanted: impl FnMut(&Report) -> bool) -> Result<Report> {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.lock();
        loop {
            let report = state.measure.report();
            if wanted(&report) {
                return Ok(report);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended.is_some() {
                bail!("not seen: {report:?}, ended: {:?}", state.ended);
            }
            let step = left.min(Duration::from_millis(50));
            state = self.shared.changed.wait_timeout(state, step).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the publisher to unpublish in order.
    pub fn wait_for_end(&self, limit: Duration) -> Result<Report> {
        let waited =
            self.shared.changed.wait_timeout_while(self.shared.lock(), limit, |state| state.ended.is_none());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        match &state.ended {
            None => bail!("the publisher goes on"),
            Some(Err(error)) => bail!("{error}"),
            Some(Ok(())) => Ok(state.measure.report()),
        }
    }

    /// Cuts the connection.
    pub fn disconnect(&self) {
        let mut state = self.shared.lock();
        state.cut = true;
        if let Some(connection) = &state.connection {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Cuts the connection if it is there still, and returns once all that came is measured and recorded.
    pub fn finish(&self) -> Report {
        if self.is_live() {
            self.disconnect();
            let _ = self.wait_for_end(Duration::from_secs(10));
        }
        self.report()
    }
}

fn serve(listener: TcpListener, shared: &Shared, recording: Recording) -> Result<()> {
    let (stream, _) = listener.accept()?;
    drop(listener);
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    shared.lock().connection = Some(stream.try_clone()?);
    let mut input = BufReader::with_capacity(64 << 10, stream);
    shake_hands(&mut input, &mut out)?;
    let recording = match recording {
        Some(path) => Some(FlvWriter::new(BufWriter::new(File::create(path)?))?),
        None => None,
    };
    // Decoding must not delay the next message's arrival time.
    let (queue, tags) = mpsc::sync_channel(BACKLOG);
    thread::scope(|scope| {
        let measuring = thread::Builder::new()
            .name("measure".into())
            .spawn_scoped(scope, move || measure(&tags, shared, recording))?;
        let published = publish(Chunks::new(input), &mut out, &queue);
        drop(queue);
        let measured = measuring.join();
        measured.unwrap_or_else(|_| bail!("the measuring thread failed"))?;
        published
    })
}

/// Reads what is published until the publisher deletes its stream.
fn publish(
    mut chunks: Chunks<impl Read>,
    out: &mut impl Write,
    queue: &SyncSender<(Tag, Timestamp)>,
) -> Result<()> {
    loop {
        let message = match chunks.next() {
            Ok(message) => message,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                bail!("it went without unpublishing")
            }
            Err(error) => return Err(error.into()),
        };
        let arrived = now();
        let Message { kind, stream, timestamp, body } = message;
        match kind {
            20 if answer(out, stream, &amf::read(&body))? => return Ok(()),
            8 | 9 | 18 => {
                let body = if kind == 18 { without_set_data_frame(body) } else { body };
                let tag = Tag { kind, timestamp, body };
                // Nobody takes it any more once the recording failed, which is told then.
                if queue.send((tag, arrived)).is_err() {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
}

fn measure(
    tags: &mpsc::Receiver<(Tag, Timestamp)>,
    shared: &Shared,
    mut recording: Option<FlvWriter<BufWriter<File>>>,
) -> Result<()> {
    for (tag, arrived) in tags {
        if let Some(recording) = &mut recording {
            recording.write(&tag).context("can't write the recording")?;
        }
        shared.lock().measure.take(&tag, Some(arrived));
        shared.changed.notify_all();
    }
    if let Some(recording) = recording {
        recording.finish().context("can't write the recording")?;
    }
    Ok(())
}

/// The plain handshake (RTMP section 5.2).
fn shake_hands(input: &mut impl Read, out: &mut impl Write) -> Result<()> {
    let mut hello = [0; 1537];
    input.read_exact(&mut hello)?;
    if hello[0] != 3 {
        bail!("handshake with version {}", hello[0]);
    }
    let mut answer = vec![0; 1537];
    answer[0] = 3;
    answer.extend_from_slice(&hello[1..]);
    out.write_all(&answer)?;
    input.read_exact(&mut hello[1..])?;
    Ok(())
}

/// Metadata as it stands in a file: without the command to the server.
fn without_set_data_frame(body: Vec<u8>) -> Vec<u8> {
    const COMMAND: &[u8] = b"\x02\x00\x0d@setDataFrame";
    body.strip_prefix(COMMAND).map(<[u8]>::to_vec).unwrap_or(body)
}

/// Answers a command; true for the one that ends the stream.
fn answer(out: &mut impl Write, stream: u32, values: &[Value]) -> io::Result<bool> {
    let [Value::Text(name), Value::Number(transaction), ..] = values else {
        return Ok(false);
    };
    let result =
        |value: Value| vec![Value::Text("_result".into()), Value::Number(*transaction), Value::Null, value];
    let status = |code: &str| {
        let text = |text: &str| Value::Text(text.to_owned());
        Value::Object(vec![
            ("level".into(), text("status")),
            ("code".into(), text(code)),
            ("description".into(), text("")),
        ])
    };
    match name.as_str() {
        "connect" => command(out, 0, &result(status("NetConnection.Connect.Success")))?,
        "createStream" => command(out, 0, &result(Value::Number(1.0)))?,
        "publish" => {
            let start = status("NetStream.Publish.Start");
            command(out, stream, &[Value::Text("onStatus".into()), Value::Number(0.0), Value::Null, start])?;
        }
        "deleteStream" => return Ok(true),
        _ => {}
    }
    Ok(false)
}

/// Sends a command; all of them here are longer than a chunk of 128 bytes at the most once.
fn command(out: &mut impl Write, stream: u32, values: &[Value]) -> io::Result<()> {
    let body = amf::write(values);
    let length = (body.len() as u32).to_be_bytes();
    let mut message = vec![3, 0, 0, 0, length[1], length[2], length[3], 20];
    message.extend_from_slice(&stream.to_le_bytes());
    for (i, chunk) in body.chunks(128).enumerate() {
        if i > 0 {
            message.push(0xc3);
        }
        message.extend_from_slice(chunk);
    }
    out.write_all(&message)
}
