//! What control surfaces ask of the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use board::Board;
use live_pusher::{Failure, Input, Machine, Method, Refusal, Reply};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::Engine;
use crate::events::Listener;
use crate::hand::Display;
use crate::news::Reporter;

/// What a control surface wants done.
pub(super) type Job = Box<dyn FnOnce(&mut Engine) + Send>;
/// Jobs that may wait.
pub(super) const JOBS: usize = 64;

/// Asks the engine from a task.
#[derive(Clone)]
pub(crate) struct Handle(pub(super) mpsc::Sender<Job>);

impl Handle {
    /// None at the end of the program.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |engine| {
            let _ = answer.send(job(engine));
        });
        self.0.send(job).await.ok()?;
        answered.await.ok()
    }
}

impl Engine {
    /// Has what is set written at once; tells when it is. Not on a box that keeps nothing.
    pub(crate) fn save(&self) -> oneshot::Receiver<Result<Reply, Failure>> {
        let (saved, reply) = oneshot::channel();
        match &self.settings {
            Some(settings) => settings.save(saved),
            None => drop(saved.send(Err(Failure::NotSupported))),
        }
        reply
    }

    pub(crate) fn display(&self) -> Option<&Arc<Display>> {
        self.display.as_ref()
    }

    /// The display speaks another language from now on.
    pub(crate) fn speak(&mut self, language: ::panel::Language) {
        self.memory.language = language;
        self.keep();
    }

    /// Calls a method of the context.
    pub(crate) fn call(&mut self, method: Method) -> oneshot::Receiver<Result<Reply, Failure>> {
        let (answer, answered) = oneshot::channel();
        self.last_call += 1;
        let id = self.last_call;
        self.calls.insert(id, answer);
        self.give(Input::Call { id, method });
        answered
    }

    /// Sets properties; tells what was not taken.
    pub(crate) fn set(&mut self, values: Map<String, Value>) -> Vec<Refusal> {
        self.refused.clear();
        self.give(Input::Update(values));
        std::mem::take(&mut self.refused)
    }

    /// From a control surface: what fails for good ends the program.
    pub(crate) fn give(&mut self, input: Input) {
        if let Err(error) = self.handle(input) {
            let reporter = self.reporter.clone();
            tokio::task::spawn_blocking(move || reporter.fail(error));
        }
    }

    pub(crate) fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// How often each status was told since the program began.
    pub(crate) fn told(&self) -> &BTreeMap<i32, u64> {
        &self.told
    }

    /// To events of those kinds; to all where there are none.
    pub(crate) fn listen(&mut self, kinds: Vec<String>) -> Arc<Listener> {
        self.listeners.add(kinds)
    }
}
