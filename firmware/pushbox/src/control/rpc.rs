//! JSON-RPC 2.0.

use live_pusher::{Failure, Input, Method, Reason, Refusal, Reply, TABLE, schema};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::{Answer, Client, at_once, line, view};
use crate::engine::Engine;

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
/// The engine is gone.
const INTERNAL_ERROR: i32 = -32603;

/// Requests in a batch, whose answers wait for one another.
const BATCH: usize = 64;

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
    Now(Value),
    /// Once the box has done it.
    Later(oneshot::Receiver<Result<Reply, Failure>>),
}

impl Outcome {
    pub(super) async fn wait(self) -> Result<Value, Fault> {
        match self {
            Self::Now(value) => Ok(value),
            Self::Later(reply) => Ok(Value::Object(reply.await.map_err(|_| Fault::ends())??)),
        }
    }
}

/// What a request is answered with.
enum Response {
    Now(Value),
    Later(Value, Result<Outcome, Fault>),
}

impl Response {
    async fn wait(self) -> Value {
        let (id, outcome) = match self {
            Self::Now(response) => return response,
            Self::Later(id, outcome) => (id, outcome),
        };
        let result = match outcome {
            Ok(outcome) => outcome.wait().await,
            Err(fault) => Err(fault),
        };
        match result {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(fault) => error(&id, &fault),
        }
    }
}

fn error(id: &Value, fault: &Fault) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": fault.code, "message": fault.message}})
}

pub(super) fn too_long() -> String {
    line(&error(&Value::Null, &Fault::new(PARSE_ERROR, "a line of more than 1 MiB")))
}

pub(super) fn noise() -> String {
    line(&error(&Value::Null, &Fault::new(PARSE_ERROR, "that was no text")))
}

impl Client {
    pub(super) async fn answer_json(&mut self, text: &str) -> Answer {
        let refused = |code, message: String| at_once(line(&error(&Value::Null, &Fault::new(code, message))));
        let requests = match serde_json::from_str(text) {
            // The cause says where, and nothing of what stands there.
            Err(cause) => return refused(PARSE_ERROR, format!("no JSON at column {}", cause.column())),
            Ok(Value::Array(requests)) if requests.is_empty() => {
                return refused(INVALID_REQUEST, "an empty batch".into());
            }
            Ok(Value::Array(requests)) if requests.len() > BATCH => {
                return refused(INVALID_REQUEST, format!("more than {BATCH} requests at once"));
            }
            Ok(Value::Array(requests)) => requests,
            Ok(request) => {
                let response = self.answer_request(request).await;
                return Box::pin(async {
                    match response {
                        Some(response) => line(&response.wait().await),
                        None => String::new(),
                    }
                });
            }
        };
        let mut responses = Vec::new();
        for request in requests {
            responses.extend(self.answer_request(request).await);
        }
        Box::pin(async {
            let mut answers = Vec::new();
            for response in responses {
                answers.push(response.wait().await);
            }
            if answers.is_empty() { String::new() } else { line(&Value::Array(answers)) }
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
        Some(Response::Later(id?, outcome))
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
            "props.schema" => Ok(schema()),
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
            "props.save" => {
                let saved = self.handle.ask(|engine| engine.save()).await;
                return saved.map(Outcome::Later).ok_or_else(Fault::ends);
            }
            _ => return self.call(method, &params).await,
        };
        value.map(Outcome::Now)
    }

    async fn look(&self, view: fn(&Engine) -> Value) -> Result<Value, Fault> {
        self.handle.ask(move |engine| view(engine)).await.ok_or_else(Fault::ends)
    }

    /// Sets properties; tells which were not taken, and why.
    async fn set(&self, values: Map<String, Value>) -> Result<Value, Fault> {
        let refused = self.handle.ask(|engine| engine.set(values)).await.ok_or_else(Fault::ends)?;
        let refused: Vec<Value> = refused
            .into_iter()
            .map(|Refusal { property, value, reason }| {
                json!({"property": property, "value": value, "reason": reason})
            })
            .collect();
        Ok(json!({ "refused": refused }))
    }

    async fn call(&self, name: &str, params: &Map<String, Value>) -> Result<Outcome, Fault> {
        let unknown = || Fault::new(METHOD_NOT_FOUND, format!("there is no method {name}"));
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
        Some(Value::Array(list)) => {
            list.iter().map(|it| it.as_str().map(str::to_owned).ok_or_else(wanted)).collect()
        }
        Some(_) => Err(wanted()),
    }
}
