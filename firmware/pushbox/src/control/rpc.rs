//! JSON-RPC 2.0.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use live_pusher::{Failure, Input, Method, Property, Reason, Refusal, Reply, TABLE, schema};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::{Answer, Client, UNSENT, at_once, view};
use crate::config::unpublishable;
use crate::engine::Engine;
use crate::snapshot;

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
/// The engine is gone.
const INTERNAL_ERROR: i32 = -32603;

/// Requests in a batch, whose answers wait for one another.
const BATCH: usize = 64;
/// Properties, names or events in a request.
const ENTRIES: usize = 128;
/// Characters of what was given that an answer repeats.
const REPEATED: usize = 64;

/// How long a display may take to be drawn.
const SHOT: Duration = Duration::from_secs(2);

static SCHEMA: LazyLock<Value> = LazyLock::new(schema);

/// What is answered in place of a result.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: i32,
    pub(super) message: String,
}

impl Fault {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn ends() -> Self {
        Self::new(INTERNAL_ERROR, "the program ends")
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::new(failure.number(), failure.to_string())
    }
}

/// What comes of a method.
pub(super) enum Outcome {
    Now(Cow<'static, Value>),
    /// Once the box has done it.
    Later(oneshot::Receiver<Result<Reply, Failure>>),
}

/// What the box answers to a call in the end.
pub(super) async fn result(reply: oneshot::Receiver<Result<Reply, Failure>>) -> Result<Value, Fault> {
    Ok(Value::Object(reply.await.map_err(|_| Fault::ends())??))
}

/// What a request is answered with.
enum Response {
    Now(String),
    Later(Value, oneshot::Receiver<Result<Reply, Failure>>),
}

impl Response {
    fn new(id: Value, outcome: Result<Outcome, Fault>) -> Self {
        match outcome {
            Ok(Outcome::Now(result)) => Self::Now(success(&id, &result)),
            Ok(Outcome::Later(reply)) => Self::Later(id, reply),
            Err(fault) => Self::Now(error(&id, &fault)),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Now(text) => text.len(),
            Self::Later(id, _) => id.as_str().map_or(0, str::len),
        }
    }

    async fn wait(self) -> String {
        match self {
            Self::Now(text) => text,
            Self::Later(id, reply) => match result(reply).await {
                Ok(result) => success(&id, &result),
                Err(fault) => error(&id, &fault),
            },
        }
    }
}

fn success(id: &Value, result: &Value) -> String {
    format!(r#"{{"id":{id},"jsonrpc":"2.0","result":{result}}}"#)
}

fn error(id: &Value, fault: &Fault) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": fault.code, "message": fault.message}}).to_string()
}

/// The error of a line that is no request.
fn refused(code: i32, message: impl Into<String>) -> String {
    error(&Value::Null, &Fault::new(code, message)) + "\n"
}

pub(super) fn too_long() -> String {
    refused(PARSE_ERROR, "a line of more than 1 MiB")
}

pub(super) fn noise() -> String {
    refused(PARSE_ERROR, "that was no text")
}

/// As much of a text as an answer repeats.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(REPEATED) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

impl Client {
    pub(super) async fn answer_json(&mut self, text: &str) -> Answer {
        let requests = match serde_json::from_str(text) {
            // The cause says where, and nothing of what stands there.
            Err(cause) => {
                return at_once(refused(PARSE_ERROR, format!("no JSON at column {}", cause.column())));
            }
            Ok(Value::Array(requests)) if requests.is_empty() => {
                return at_once(refused(INVALID_REQUEST, "an empty batch"));
            }
            Ok(Value::Array(requests)) if requests.len() > BATCH => {
                return at_once(refused(INVALID_REQUEST, format!("more than {BATCH} requests at once")));
            }
            Ok(Value::Array(requests)) => requests,
            Ok(request) => {
                return match self.answer_request(request).await {
                    Some(response) => Answer::new(response.size(), async { response.wait().await + "\n" }),
                    None => at_once(String::new()),
                };
            }
        };
        let mut responses = Vec::new();
        for request in requests {
            responses.extend(self.answer_request(request).await);
        }
        Answer::new(responses.iter().map(Response::size).sum(), async {
            let mut texts = Vec::new();
            for response in responses {
                texts.push(response.wait().await);
            }
            if texts.is_empty() { String::new() } else { format!("[{}]\n", texts.join(",")) }
        })
    }

    /// None of a notification.
    async fn answer_request(&mut self, request: Value) -> Option<Response> {
        let invalid =
            |message| Some(Response::Now(error(&Value::Null, &Fault::new(INVALID_REQUEST, message))));
        let Value::Object(mut request) = request else {
            return invalid("a request is an object");
        };
        let Some(Value::String(method)) = request.remove("method") else {
            return invalid("a request has a method");
        };
        let id = request.remove("id");
        if id.as_ref().is_some_and(|id| !(id.is_string() || id.is_number() || id.is_null())) {
            return invalid("an id is a text or a number");
        }
        let params = match request.remove("params") {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(params)) => Ok(params),
            Some(_) => Err(Fault::new(INVALID_PARAMS, "params is an object")),
        };
        let outcome = match params {
            Ok(params) => self.execute(&method, params).await,
            Err(fault) => Err(fault),
        };
        Some(Response::new(id?, outcome))
    }

    /// One method, whichever way it came in.
    pub(super) async fn execute(
        &mut self,
        method: &str,
        params: Map<String, Value>,
    ) -> Result<Outcome, Fault> {
        let value = match method {
            "status" => self.look(view::status).await,
            "capabilities" => self.look(view::capabilities).await,
            "props.schema" => return Ok(Outcome::Now(Cow::Borrowed(&SCHEMA))),
            "props.get" => {
                let names = texts(&params, "names")?;
                let values = self.handle.ask(move |engine| view::properties(engine.machine(), &names)).await;
                let values = values.ok_or_else(Fault::ends)?;
                values.map(Value::Object).map_err(|message| Fault::new(INVALID_PARAMS, message))
            }
            "props.set" => self.set(params).await,
            "props.reset" => {
                let mut names = texts(&params, "names")?;
                if names.is_empty() {
                    // What counts at the start only can't be changed any more (4.34).
                    let names_of_all = TABLE.iter().map(|property| property.name);
                    names = names_of_all.filter(|name| *name != "custom-effect").map(str::to_owned).collect();
                }
                self.set(names.into_iter().map(|name| (name, Value::Null)).collect()).await
            }
            "subscribe" => {
                self.listen(texts(&params, "events")?).await;
                Ok(json!({}))
            }
            "unsubscribe" => {
                self.listener = None;
                Ok(json!({}))
            }
            // The owner of the screen hides the box, or shows it again (12.2).
            "appHide" | "appShow" => {
                let holds = method == "appHide";
                self.give(Input::Condition { reason: Reason::Background, holds }).await
            }
            "panel" => self.panel(&params).await,
            "props.save" => {
                let saved = self.handle.ask(|engine| engine.save()).await;
                return saved.map(Outcome::Later).ok_or_else(Fault::ends);
            }
            _ => return self.call(method, &params).await,
        };
        value.map(|value| Outcome::Now(Cow::Owned(value)))
    }

    async fn look(&self, view: fn(&Engine) -> Value) -> Result<Value, Fault> {
        self.handle.ask(move |engine| view(engine)).await.ok_or_else(Fault::ends)
    }

    /// Sets properties; tells which were not taken, and why, and what will not do.
    async fn set(&self, values: Map<String, Value>) -> Result<Value, Fault> {
        if values.len() > ENTRIES {
            return Err(Fault::new(INVALID_PARAMS, format!("more than {ENTRIES} properties at once")));
        }
        let sets_url = values.keys().any(|name| Property::find(name).is_some_and(|it| it.name == "url"));
        let set = self.handle.ask(move |engine| {
            let refused = engine.set(values);
            let url = &engine.machine().store().properties().url;
            (refused, if sets_url { unpublishable(url) } else { None })
        });
        let (refused, warning) = set.await.ok_or_else(Fault::ends)?;
        let refused: Vec<Value> = refused
            .into_iter()
            .map(|Refusal { property, value, reason }| {
                json!({"property": shortened(&property), "value": repeated(value), "reason": reason})
            })
            .collect();
        let mut result = json!({ "refused": refused });
        if let Some(reason) = warning {
            result["warnings"] = json!([{"property": "url", "reason": reason}]);
        }
        Ok(result)
    }

    /// What a display shows: in a file, or in the answer.
    async fn panel(&mut self, params: &Map<String, Value>) -> Result<Value, Fault> {
        let display = self.handle.ask(|engine| engine.display().cloned()).await.ok_or_else(Fault::ends)?;
        let display = display.ok_or(Failure::NotSupported)?;
        let number = match params.get("display") {
            None => None,
            Some(table) => {
                let number = table.as_str().and_then(|table| display.number(table));
                Some(number.ok_or(Failure::InvalidArgument(
                    "display is oled, tft, screen or sim-display, as the board has",
                ))?)
            }
        };
        let is_inline = match params.get("inline") {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => return Err(Failure::InvalidArgument("inline is true or false").into()),
        };
        if is_inline && self.unsent > UNSENT {
            return Err(Failure::Busy.into());
        }
        let picture = tokio::task::spawn_blocking(move || {
            let shot = display.shot(number, SHOT).ok_or(Failure::Timeout)?;
            let png = shot.png().map_err(|_| Failure::Internal)?;
            let (width, height) = shot.size();
            Ok(if is_inline {
                json!({"png": BASE64_STANDARD.encode(&png), "width": width, "height": height})
            } else {
                let path = snapshot::keep(&png, "png").map_err(|_| Failure::Internal)?;
                json!({"tempImagePath": path, "width": width, "height": height})
            })
        });
        let answer: Value = picture.await.unwrap_or(Err(Failure::Internal))?;
        self.unsent += answer.get("png").and_then(Value::as_str).map_or(0, str::len);
        Ok(answer)
    }

    async fn call(&self, name: &str, params: &Map<String, Value>) -> Result<Outcome, Fault> {
        let unknown = || Fault::new(METHOD_NOT_FOUND, format!("there is no method {}", shortened(name)));
        let method = Method::parse(name, params).ok_or_else(unknown)??;
        let reply = self.handle.ask(|engine| engine.call(method)).await.ok_or_else(Fault::ends)?;
        Ok(Outcome::Later(reply))
    }

    async fn give(&self, input: Input) -> Result<Value, Fault> {
        self.handle.ask(|engine| engine.give(input)).await.ok_or_else(Fault::ends)?;
        Ok(json!({}))
    }
}

/// A list of texts; empty where it is not given.
fn texts(params: &Map<String, Value>, name: &str) -> Result<Vec<String>, Fault> {
    let wanted = || Fault::new(INVALID_PARAMS, format!("{name} is a list of texts"));
    match params.get(name) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() > ENTRIES => {
            Err(Fault::new(INVALID_PARAMS, format!("{name} has more than {ENTRIES} entries")))
        }
        Some(Value::Array(list)) => {
            list.iter().map(|it| it.as_str().map(str::to_owned).ok_or_else(wanted)).collect()
        }
        Some(_) => Err(wanted()),
    }
}

/// A value as an answer repeats it.
fn repeated(value: Value) -> Value {
    let text = value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed);
    let short = shortened(&text);
    if short == text { value } else { short.into() }
}
